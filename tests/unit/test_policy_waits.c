/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy_decide() and policy_request_update() as a release goes through time: what several
 * conditions make of one decision, since when each is not met, and what wakes the daemon.
 */
#include "tests/unit/policy_check.h"

#define MINUTE USEC_PER_MIN
#define HELD                                                                                       \
	{                                                                                          \
		{                                                                                  \
			.pid = 9, .start = 1, .open = true, .comm = "b"                            \
		}                                                                                  \
	}
#define TIGHT                                                                                      \
	{                                                                                          \
		NODE(0, 4 * GiB, 100 * MiB, 0), NODE(1, 3 * BLOCK, 0, 0)                           \
	}

static const struct freed just_freed[] = { { NOW, "mem0", GiB, 0 } };
static const struct pressure_ceiling just_exceeded[] = { { .permyriad = 1000, .exceeded = NOW } };
static const struct inhibitor delay[] = {
	{ .mode = INHIBIT_DELAY, .scope = "*", .who = "backup", .why = "runs" },
};
static const struct inhibitor block[] = {
	{ .mode = INHIBIT_BLOCK, .scope = "*", .who = "backup", .why = "runs" },
};

static const struct test_case cases[] = {
	{ .name = "all that is not met is told, the first of it is the reason",
	  .conf = "[release]\nsystem-ram = ask\ndevdax = free\nwindows = Sun 00:00-01:00 UTC\n"
		  "rate-groups = 1\nreserve-host = 1G\npressure-some = 10%\n",
	  .modes = "sd",
	  .blocks = { "m?m" },
	  .holders = { { .device = 1, .pid = 9, .open = true, .comm = "b" } },
	  .nodes = TIGHT,
	  .facts = { .pressure_some = 2000,
		     .n_freed = 1,
		     .freed = (const struct freed[]){ { NOW - MINUTE, "mem0", GiB, 0 } },
		     .n_inhibitors = 1,
		     .inhibitors = block },
	  .verdict = VERDICT_WAIT,
	  .reason = "memory33 of dax0.1 is in state unknown",
	  .want = { [CONDITION_STATE] = WAITS(.deadline = NOW + MINUTE),
		    [CONDITION_APPROVAL] = WAITS(.deadline = NOW + 60 * MINUTE),
		    [CONDITION_WINDOW] = WAITS(.deadline = USEC_INFINITY),
		    [CONDITION_RATE] = WAITS(.deadline = NOW + 120 * MINUTE),
		    [CONDITION_RESERVE] = WAITS(.deadline = NOW + 10 * MINUTE),
		    [CONDITION_HEADROOM] = WAITS(.deadline = NOW + 10 * MINUTE),
		    [CONDITION_PRESSURE] = WAITS(.deadline = NOW + 10 * MINUTE),
		    [CONDITION_INHIBITORS] = WAITS(.deadline = NOW + 60 * MINUTE),
		    [CONDITION_HOLDERS] = WAITS(.deadline = NOW + 10 * MINUTE) } },
	{ .name = "one that refuses decides, although one before it waits",
	  .conf = "[release]\nsystem-ram = ask\nholders = refuse\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .holders = HELD,
	  .verdict = VERDICT_REFUSE,
	  .reason = "process 9 (b)",
	  .want = { [CONDITION_APPROVAL] = WAITS(), [CONDITION_HOLDERS] = REFUSES() } },
	{ .name = "two that refuse: the first is the reason",
	  .conf = "[release]\nholders = refuse\nheadroom-wait = 0\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .nodes = TIGHT,
	  .holders = HELD,
	  .verdict = VERDICT_REFUSE,
	  .reason = "256M",
	  .want = { [CONDITION_HEADROOM] = REFUSES(), [CONDITION_HOLDERS] = REFUSES() } },
	{ .name = "only holders and inhibitors are left: draining",
	  .conf = ALL_FREE,
	  .modes = "d",
	  .holders = HELD,
	  .facts = { .n_inhibitors = 1, .inhibitors = delay },
	  .verdict = VERDICT_WAIT,
	  .reason = "backup",
	  .want = { [CONDITION_INHIBITORS] = WAITS(.deadline = NOW + 5 * MINUTE),
		    [CONDITION_HOLDERS] = WAITS(.deadline = NOW + 10 * MINUTE) } },
};

TEST_TABLE(cases);

/* A release that is looked at again and again. */
struct life {
	struct host host;
	struct policy policy;
	struct policy_facts facts;
	struct policy_request request;
	struct decision decision;
};

static void life_begin(const struct test_case *c, struct life *ret)
{
	memset(ret, 0, sizeof(*ret));
	host_build(c, &ret->host);
	parse(c->conf, &ret->policy);
	ret->facts = case_facts(c);
	ret->request = c->request;
}

static void life_decide(struct life *life, usec_t now)
{
	struct asked asked = { &life->host.inv, &life->policy, &life->facts, &life->request };
	char flaw[2048];

	life->facts.realtime += now - life->facts.now;
	life->facts.now = now;
	policy_decide(&life->host.inv, &life->host.group, &life->policy, &life->facts,
		      &life->request, &life->decision);
	if (decision_flaw(&asked, &life->decision, flaw, sizeof(flaw)))
		fail_msg("%s", flaw);
	policy_request_update(&life->request, &life->decision, now);
}

static enum outcome life_outcome(const struct life *life, enum condition_kind kind)
{
	assert_int_equal(life->decision.n_conditions, _CONDITION_MAX);
	return life->decision.conditions[kind].outcome;
}

/* The clock of a condition begins when it is first not met, and again when it was met meanwhile. */
static void test_since(_unused_ void **state)
{
	static const struct test_case c = {
		.conf = ALL_FREE,
		.modes = "sd",
		.blocks = { "mmm" },
		.nodes = TIGHT,
		.holders = { { .device = 1, .pid = 9, .start = 1, .open = true, .comm = "b" } },
	};
	const struct condition *headroom, *holders;
	struct life life;

	life_begin(&c, &life);
	headroom = &life.decision.conditions[CONDITION_HEADROOM];
	holders = &life.decision.conditions[CONDITION_HOLDERS];
	life_decide(&life, NOW);
	assert_int_equal(headroom->deadline, NOW + 10 * MINUTE);
	assert_int_equal(life.request.since[CONDITION_HEADROOM], NOW);
	assert_int_equal(life.request.since[CONDITION_HOLDERS], NOW);
	assert_int_equal(life.request.since[CONDITION_STATE], 0);

	life_decide(&life, NOW + 4 * MINUTE);
	assert_int_equal(headroom->deadline, NOW + 10 * MINUTE);
	assert_int_equal(life.request.since[CONDITION_HEADROOM], NOW);

	/* There is room; somebody holds it still. */
	life.host.nodes[0].free = 4 * GiB;
	life_decide(&life, NOW + 5 * MINUTE);
	assert_int_equal(headroom->outcome, OUTCOME_MET);
	assert_int_equal(life.request.since[CONDITION_HEADROOM], 0);
	assert_int_equal(holders->deadline, NOW + 10 * MINUTE);
	assert_int_equal(life.request.since[CONDITION_HOLDERS], NOW);

	/* The room is gone again: that is a new wait, the other one is not. */
	life.host.nodes[0].free = 100 * MiB;
	life_decide(&life, NOW + 9 * MINUTE);
	assert_int_equal(headroom->deadline, NOW + 19 * MINUTE);
	assert_int_equal(life.request.since[CONDITION_HEADROOM], NOW + 9 * MINUTE);
	assert_int_equal(life.decision.deadline, NOW + 10 * MINUTE);

	life_decide(&life, life.decision.deadline);
	assert_int_equal(life.decision.verdict, VERDICT_REFUSE);
	assert_int_equal(holders->outcome, OUTCOME_REFUSE);
	assert_int_equal(headroom->outcome, OUTCOME_WAIT);
	assert_false(life.decision.permanent);
	policy_done(&life.policy);
}

/* A delay that is over stays over, however long the release waits for something else. */
static void test_delay_once(_unused_ void **state)
{
	static const struct test_case c = {
		.conf = ALL_FREE "holders-wait = 1h\n",
		.modes = "d",
		.holders = HELD,
		.facts = { .n_inhibitors = 1, .inhibitors = delay },
	};
	struct life life;

	life_begin(&c, &life);
	life_decide(&life, NOW);
	assert_int_equal(life_outcome(&life, CONDITION_INHIBITORS), OUTCOME_WAIT);
	assert_int_equal(life.decision.deadline, NOW + 5 * MINUTE);
	life_decide(&life, life.decision.deadline);
	assert_int_equal(life_outcome(&life, CONDITION_INHIBITORS), OUTCOME_MET);
	for (unsigned i = 6; i < 30; i++) {
		life_decide(&life, NOW + i * MINUTE);
		assert_int_equal(life.decision.verdict, VERDICT_WAIT);
		assert_int_equal(life_outcome(&life, CONDITION_INHIBITORS), OUTCOME_MET);
	}
	life.host.devices[0].n_holders = 0;
	life_decide(&life, NOW + 30 * MINUTE);
	assert_int_equal(life.decision.verdict, VERDICT_FREE);
	policy_done(&life.policy);
}

/* A block that comes after such a delay has a time of its own. */
static void test_block_after_delay(_unused_ void **state)
{
	static const struct test_case c = {
		.conf = ALL_FREE "holders-wait = 10h\n",
		.modes = "d",
		.holders = HELD,
		.facts = { .n_inhibitors = 1, .inhibitors = delay },
	};
	struct life life;

	life_begin(&c, &life);
	life_decide(&life, NOW);
	life_decide(&life, NOW + 5 * MINUTE);
	life_decide(&life, NOW + 90 * MINUTE);
	assert_int_equal(life_outcome(&life, CONDITION_INHIBITORS), OUTCOME_MET);
	life.facts.inhibitors = block;
	life_decide(&life, NOW + 91 * MINUTE);
	assert_int_equal(life_outcome(&life, CONDITION_INHIBITORS), OUTCOME_WAIT);
	life_decide(&life, NOW + 150 * MINUTE);
	assert_int_equal(life_outcome(&life, CONDITION_INHIBITORS), OUTCOME_WAIT);
	assert_int_equal(life.decision.deadline, NOW + 151 * MINUTE);
	life_decide(&life, NOW + 151 * MINUTE);
	assert_int_equal(life_outcome(&life, CONDITION_INHIBITORS), OUTCOME_REFUSE);
	policy_done(&life.policy);
}

/* A person who did not answer is not asked a second time. */
static void test_asked_once(_unused_ void **state)
{
	static const struct test_case c = {
		.conf = "[release]\ndevdax = ask\nask-timeout = 5min\nask-outcome = free\n"
			"holders-wait = 1h\n",
		.modes = "d",
		.holders = HELD,
	};
	struct life life;

	life_begin(&c, &life);
	life_decide(&life, NOW);
	assert_int_equal(life_outcome(&life, CONDITION_APPROVAL), OUTCOME_WAIT);
	life_decide(&life, NOW + 5 * MINUTE);
	assert_int_equal(life_outcome(&life, CONDITION_APPROVAL), OUTCOME_MET);
	for (unsigned i = 6; i < 30; i++) {
		life_decide(&life, NOW + i * MINUTE);
		assert_int_equal(life.decision.verdict, VERDICT_WAIT);
		assert_int_equal(life_outcome(&life, CONDITION_APPROVAL), OUTCOME_MET);
	}
	/* But an answer still counts. */
	life.request.approval = APPROVAL_DENIED;
	life_decide(&life, NOW + 30 * MINUTE);
	assert_int_equal(life.decision.verdict, VERDICT_REFUSE);
	policy_done(&life.policy);
}

/* Approval is asked for an hour, then there is none: how a release goes through its deadlines. */
static void test_deadline_is_the_end(_unused_ void **state)
{
	static const struct {
		enum condition_kind kind;
		struct test_case c;
	} t[] = {
		{ CONDITION_STATE, { .modes = "s", .blocks = { "?" } } },
		{ CONDITION_APPROVAL,
		  { .modes = "s", .blocks = { "m" }, .conf = "[release]\nsystem-ram = ask\n" } },
		{ CONDITION_WINDOW,
		  { .modes = "s",
		    .blocks = { "m" },
		    .conf = "[release]\nwindows = Sun 00:00-01:00 UTC\nwindows-wait = 2h\n" } },
		{ CONDITION_RATE,
		  { .modes = "s",
		    .blocks = { "m" },
		    .facts = { .n_freed = 1, .freed = just_freed },
		    .conf = "[release]\nrate-groups = 1\nrate-wait = 30min\n" } },
		{ CONDITION_RESERVE,
		  { .modes = "s", .blocks = { "mmm" }, .conf = "[release]\nreserve-host = 1G\n" } },
		{ CONDITION_HEADROOM, { .modes = "s", .blocks = { "mmm" }, .nodes = TIGHT } },
		{ CONDITION_PRESSURE,
		  { .modes = "s",
		    .blocks = { "m" },
		    .facts = { .pressure_full = 9000 },
		    .conf = "[release]\npressure-full = 1%\n" } },
		{ CONDITION_INHIBITORS,
		  { .modes = "s",
		    .blocks = { "m" },
		    .facts = { .n_inhibitors = 1, .inhibitors = block } } },
		{ CONDITION_HOLDERS, { .modes = "d", .holders = HELD, .conf = ALL_FREE } },
	};

	assert_int_equal(ARRAY_SIZE(t), _CONDITION_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct life life;
		usec_t deadline;

		life_begin(&t[i].c, &life);
		life_decide(&life, NOW);
		assert_int_equal(life.decision.verdict, VERDICT_WAIT);
		assert_int_equal(life_outcome(&life, t[i].kind), OUTCOME_WAIT);
		deadline = life.decision.deadline;
		life_decide(&life, NOW + (deadline - NOW) / 2);
		assert_int_equal(life.decision.verdict, VERDICT_WAIT);
		assert_int_equal(life.decision.deadline, deadline);
		life_decide(&life, deadline - 1);
		assert_int_equal(life.decision.verdict, VERDICT_WAIT);
		life_decide(&life, deadline);
		assert_int_equal(life.decision.verdict, VERDICT_REFUSE);
		assert_int_equal(life_outcome(&life, t[i].kind), OUTCOME_REFUSE);
		policy_done(&life.policy);
	}
}

/* Whether something else than time has to be looked at, because nobody tells of it. */
static void test_unsignalled(_unused_ void **state)
{
	static const struct {
		bool unsignalled;
		struct test_case c;
	} t[] = {
		{ true, { .name = "room", .modes = "s", .blocks = { "mmm" }, .nodes = TIGHT } },
		{ true, { .name = "region", .modes = "s", .blocks = { "m" }, .flags = BROKEN } },
		{ true,
		  { .name = "mount",
		    .modes = "f",
		    .conf = ALL_FREE,
		    .holders = { { .pid = 9,
				   .start = 1,
				   .mounted = true,
				   .path = "/mnt",
				   .fstype = "famfs" } } } },
		{ true,
		  { .name = "holder that cannot be watched",
		    .modes = "d",
		    .conf = ALL_FREE,
		    .holders = { { .pid = 9, .open = true, .comm = "b" } } } },
		{ true, /* it may close the device and live on */
		  { .name = "holder", .modes = "d", .conf = ALL_FREE, .holders = HELD } },
		{ false,
		  { .name = "approval",
		    .modes = "s",
		    .blocks = { "m" },
		    .conf = "[release]\nsystem-ram = ask\n" } },
		{ false,
		  { .name = "window",
		    .modes = "s",
		    .blocks = { "m" },
		    .conf = "[release]\nwindows = Sun 00:00-01:00 UTC\n" } },
		{ false,
		  { .name = "rate",
		    .modes = "s",
		    .blocks = { "m" },
		    .facts = { .n_freed = 1, .freed = just_freed },
		    .conf = "[release]\nrate-groups = 1\n" } },
		{ false,
		  { .name = "trigger",
		    .modes = "s",
		    .blocks = { "m" },
		    .facts = { .n_ceilings = 1, .ceilings = just_exceeded },
		    .conf = "[release]\npressure-some = 10%\n" } },
		{ false,
		  { .name = "inhibitor",
		    .modes = "s",
		    .blocks = { "m" },
		    .facts = { .n_inhibitors = 1, .inhibitors = block } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct life life;

		life_begin(&t[i].c, &life);
		life_decide(&life, NOW);
		assert_int_equal(life.decision.verdict, VERDICT_WAIT);
		if (life.decision.unsignalled != t[i].unsignalled)
			fail_msg("%s: %s", t[i].c.name, life.decision.reason);
		policy_done(&life.policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_delay_once),
		cmocka_unit_test(test_asked_once),
		cmocka_unit_test(test_block_after_delay),
		cmocka_unit_test(test_deadline_is_the_end),
		cmocka_unit_test(test_unsignalled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
