/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_decide(): how much may be freed in an hour, and what must stay online. */
#include <limits.h>

#include "tests/unit/policy_check.h"

#define RATE(...) .want = { [CONDITION_RATE] = __VA_ARGS__ }
#define RESERVE(...) .want = { [CONDITION_RESERVE] = __VA_ARGS__ }
#define FREED(...)                                                                                 \
	.n_freed = ARRAY_SIZE(((const struct freed[]){ __VA_ARGS__ })),                            \
	.freed = (const struct freed[])                                                            \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define AGO(minutes) (NOW - (minutes)*USEC_PER_MIN)
#define OTHER_LEAVES                                                                               \
	.n_leaving = 1, .leaving = (const struct group_key[])                                      \
	{                                                                                          \
		{ .memdev = "mem0", .tag.bytes = { 0xff, 0xff, 0xff, 0xff } },                     \
	}

static const struct test_case cases[] = {
	/* ---- rate; the group has 384M ---- */
	{ .name = "no limit",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(1), "mem0", 1024 * GiB, 0 }, { AGO(2), "mem0", 1024 * GiB, 0 }) },
	  .verdict = VERDICT_FREE },
	{ .name = "the first group of the hour",
	  .conf = "[release]\nrate-groups = 1\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .verdict = VERDICT_FREE },
	{ .name = "the last group of the hour",
	  .conf = "[release]\nrate-groups = 2\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(30), "mem0", GiB, 0 }) },
	  .verdict = VERDICT_FREE },
	{ .name = "all limits are told, and what counts for each",
	  .conf = "[release]\nrate-bytes = 8G\nrate-groups = 3\nrate-memdev-groups = 2\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem1", GiB, 0 }, { AGO(30), "mem0", 512 * MiB, 0 }) },
	  .verdict = VERDICT_FREE,
	  RATE({ .measured = "1.5G in 2 groups, 512M in 1 group of mem0 in the last hour",
		 .limit = "at most 8G and 3 groups an hour; at most 2 groups an hour of mem0" }) },
	{ .name = "a limit of the memory device only",
	  .conf = "[release]\nrate-memdev-bytes = 2G\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem1", GiB, 0 }, { AGO(30), "mem0", 512 * MiB, 0 }) },
	  .verdict = VERDICT_FREE,
	  RATE({ .measured = "512M in 1 group of mem0 in the last hour",
		 .limit = "at most 2G an hour of mem0" }) },
	{ .name = "one group too many",
	  .conf = "[release]\nrate-groups = 2\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem0", GiB, 0 }, { AGO(30), "mem0", GiB, 0 }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS(.measured = "2", .limit = "2", .deadline = NOW + 2 * USEC_PER_HOUR)) },
	{ .name = "an entry that stands for several groups, just few enough",
	  .conf = "[release]\nrate-groups = 5\nrate-memdev-groups = 4\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem0", GiB, 2 }, { AGO(30), "mem1", GiB, 0 }) },
	  .verdict = VERDICT_FREE },
	{ .name = "an entry that stands for several groups, too many in all",
	  .conf = "[release]\nrate-groups = 4\nrate-memdev-groups = 4\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem0", GiB, 2 }, { AGO(30), "mem1", GiB, 0 }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS(.measured = "4", .limit = "4", .again = AGO(30) + USEC_PER_HOUR)) },
	{ .name = "an entry that stands for several groups, too many of this device",
	  .conf = "[release]\nrate-groups = 5\nrate-memdev-groups = 3\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem0", GiB, 2 }, { AGO(30), "mem1", GiB, 0 }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS(.measured = "3", .limit = "3", .again = AGO(10) + USEC_PER_HOUR)) },
	{ .name = "an entry that stands for as many groups as can be",
	  .conf = "[release]\nrate-groups = 500\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem0", 0, UINT_MAX }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS(.measured = "4294967296")) },
	{ .name = "groups of other devices count in all",
	  .conf = "[release]\nrate-groups = 2\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem1", GiB, 0 }, { AGO(30), "mem2", GiB, 0 }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS()) },
	{ .name = "groups of other devices do not count for this one",
	  .conf = "[release]\nrate-memdev-groups = 1\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem1", GiB, 0 }, { AGO(30), "mem01", GiB, 0 }) },
	  .verdict = VERDICT_FREE },
	{ .name = "groups of this device count for it",
	  .conf = "[release]\nrate-memdev-groups = 1\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem1", GiB, 0 }, { AGO(30), "mem0", GiB, 0 }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS(.text = "mem0")) },
	{ .name = "exactly as many bytes as may be",
	  .conf = "[release]\nrate-bytes = 1G\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem0", 640 * MiB, 0 }) },
	  .verdict = VERDICT_FREE },
	{ .name = "a byte too many",
	  .conf = "[release]\nrate-bytes = 1G\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem0", 640 * MiB + 1, 0 }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS(.measured = "640M", .limit = "1G")) },
	{ .name = "bytes of other devices count in all",
	  .conf = "[release]\nrate-bytes = 1G\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem1", 320 * MiB, 0 }, { AGO(59), "mem2", 321 * MiB, 0 }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS(.measured = "641M", .limit = "1G")) },
	{ .name = "bytes of other devices do not count for this one",
	  .conf = "[release]\nrate-memdev-bytes = 1G\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem1", 2 * GiB, 0 }, { AGO(59), "mem0", 640 * MiB, 0 }) },
	  .verdict = VERDICT_FREE },
	{ .name = "bytes of this device count for it",
	  .conf = "[release]\nrate-memdev-bytes = 1G\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem1", 2 * GiB, 0 }, { AGO(59), "mem0", 641 * MiB, 0 }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS(.measured = "641M", .limit = "1G", .text = "mem0")) },
	{ .name = "bytes without an end",
	  .conf = "[release]\nrate-bytes = 1G\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem1", UINT64_MAX, 0 },
			   { AGO(59), "mem0", UINT64_MAX, 0 }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS()) },
	{ .name = "few groups, many bytes",
	  .conf = "[release]\nrate-groups = 9\nrate-bytes = 1G\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem0", GiB, 0 }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS(.limit = "1G")) },
	{ .name = "the rate is waited for until its deadline",
	  .conf = "[release]\nrate-groups = 1\nrate-wait = 1h\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem0", GiB, 0 }) },
	  .request = { .since = { [CONDITION_RATE] = AGO(59) } },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS(.deadline = NOW + USEC_PER_MIN)) },
	{ .name = "the rate is waited for until its deadline, and not longer",
	  .conf = "[release]\nrate-groups = 1\nrate-wait = 1h\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .facts = { FREED({ AGO(10), "mem0", GiB, 0 }) },
	  .request = { .since = { [CONDITION_RATE] = AGO(60) } },
	  .verdict = VERDICT_REFUSE,
	  RATE(REFUSES(.limit = "1")) },
	{ .name = "the rate is for what is no system RAM as well",
	  .conf = ALL_FREE "rate-groups = 1\n",
	  .modes = "d",
	  .facts = { FREED({ AGO(10), "mem0", GiB, 0 }) },
	  .verdict = VERDICT_WAIT,
	  RATE(WAITS()) },
	/* ---- reserve; the other group has 256M ---- */
	{ .name = "nothing must stay", .modes = "s", .blocks = { "mmm" }, .verdict = VERDICT_FREE },
	{ .name = "something must stay on the node, nothing would",
	  .conf = "[release]\nreserve-node = 1M\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .verdict = VERDICT_WAIT,
	  RESERVE(WAITS(.limit = "1M", .text = "node", .deadline = NOW + 10 * USEC_PER_MIN)) },
	{ .name = "exactly what must stay on the node",
	  .conf = "[release]\nreserve-node = 256M\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .other = "mm",
	  .verdict = VERDICT_FREE },
	{ .name = "more must stay on the node",
	  .conf = "[release]\nreserve-node = 257M\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .other = "mm",
	  .verdict = VERDICT_WAIT,
	  RESERVE(WAITS(.measured = "256M", .limit = "257M")) },
	{ .name = "what another node has is no reserve of this one",
	  .conf = "[release]\nreserve-node = 256M\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .other = "mm",
	  .other_node = 2,
	  .verdict = VERDICT_WAIT,
	  RESERVE(WAITS(.text = "1")) },
	{ .name = "the second device's node falls too low",
	  .conf = "[release]\nreserve-node = 256M\n",
	  .modes = "ss",
	  .blocks = { "mmm", "mmm" },
	  .node = { 1, 2 },
	  .other = "mm",
	  .verdict = VERDICT_WAIT,
	  RESERVE(WAITS(.text = "2")) },
	{ .name = "exactly what must stay on the host, on any node",
	  .conf = "[release]\nreserve-host = 256M\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .other = "mm",
	  .other_node = 2,
	  .verdict = VERDICT_FREE },
	{ .name = "more must stay on the host",
	  .conf = "[release]\nreserve-host = 257M\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .other = "mm",
	  .other_node = 2,
	  .verdict = VERDICT_WAIT,
	  RESERVE(WAITS(.measured = "256M", .limit = "257M")) },
	{ .name = "what is offline is no reserve",
	  .conf = "[release]\nreserve-host = 256M\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .other = "mo",
	  .verdict = VERDICT_WAIT,
	  RESERVE(WAITS(.measured = "128M")) },
	{ .name = "what is leaving is no reserve of the host",
	  .conf = "[release]\nreserve-host = 256M\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .other = "mm",
	  .facts = { OTHER_LEAVES },
	  .verdict = VERDICT_WAIT,
	  RESERVE(WAITS(.limit = "256M")) },
	{ .name = "what is leaving is no reserve of the node",
	  .conf = "[release]\nreserve-node = 128M\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .other = "mm",
	  .facts = { OTHER_LEAVES },
	  .verdict = VERDICT_WAIT,
	  RESERVE(WAITS(.limit = "128M")) },
	{ .name = "what is leaving is no reserve, although not all of its region could be read",
	  .conf = "[release]\nreserve-host = 256M\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .other = "mm",
	  .flags = OTHER_BROKEN,
	  .facts = { OTHER_LEAVES },
	  .verdict = VERDICT_WAIT,
	  RESERVE(WAITS(.limit = "256M")) },
	{ .name = "the host has enough, the node has not",
	  .conf = "[release]\nreserve-host = 256M\nreserve-node = 128M\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .other = "mm",
	  .other_node = 2,
	  .verdict = VERDICT_WAIT,
	  RESERVE(WAITS(.limit = "128M")) },
	{ .name = "what is not online takes nothing from the reserve",
	  .conf = ALL_FREE "reserve-host = 1G\nreserve-node = 1G\n",
	  .modes = "d",
	  .other = "mm",
	  .verdict = VERDICT_FREE },
	{ .name = "the reserve is waited for until its deadline, and not longer",
	  .conf = "[release]\nreserve-host = 1G\nreserve-wait = 1h\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .other = "mm",
	  .request = { .since = { [CONDITION_RESERVE] = AGO(60) } },
	  .verdict = VERDICT_REFUSE,
	  RESERVE(REFUSES(.measured = "256M", .limit = "1G")) },
};

TEST_TABLE(cases);

/* By the time that a decision names, and not before, enough of the hour has passed. */
static void test_rate_again(_unused_ void **state)
{
	static const struct test_case c = { .modes = "s", .blocks = { "mmm" } };
	static const struct freed freed[] = { { AGO(20), "mem0", 400 * MiB, 0 },
					      { AGO(50), "mem0", 300 * MiB, 0 },
					      { AGO(40), "mem1", 900 * MiB, 0 } };
	static const struct {
		const char *conf;
		unsigned oldest; /* minutes ago, of the entry that has to go */
	} t[] = {
		{ "rate-groups = 3", 50 },
		{ "rate-groups = 2", 40 },
		{ "rate-groups = 1", 20 },
		{ "rate-bytes = 1684M", 50 },
		{ "rate-bytes = 1683M", 40 },
		{ "rate-bytes = 784M", 40 },
		{ "rate-bytes = 783M", 20 },
		{ "rate-memdev-groups = 2", 50 },
		{ "rate-memdev-groups = 1", 20 },
		{ "rate-memdev-bytes = 1083M", 50 },
		{ "rate-memdev-bytes = 783M", 20 },
		{ "rate-groups = 3\nrate-memdev-bytes = 783M", 20 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct policy_facts facts = case_facts(&c);
		const struct policy_request request = { 0 };
		struct decision decision;
		struct policy policy;
		struct host host;
		char conf[128];
		usec_t ends = AGO(t[i].oldest) + USEC_PER_HOUR;

		snprintf(conf, sizeof(conf), "[release]\n%s\n", t[i].conf);
		host_build(&c, &host);
		parse(conf, &policy);
		facts.freed = freed;
		facts.n_freed = ARRAY_SIZE(freed);
		policy_decide(&host.inv, &host.group, &policy, &facts, &request, &decision);
		assert_int_equal(decision.verdict, VERDICT_WAIT);
		/* Whether an entry counts in the very microsecond of its end is all the same. */
		if (decision.again != ends && decision.again != ends + 1)
			fail_msg("%s: again %" PRIu64 ", not %" PRIu64, t[i].conf, decision.again,
				 ends);
		facts.now = ends - 1;
		policy_decide(&host.inv, &host.group, &policy, &facts, &request, &decision);
		assert_int_equal(decision.verdict, VERDICT_WAIT);
		facts.now = decision.again;
		policy_decide(&host.inv, &host.group, &policy, &facts, &request, &decision);
		if (decision.verdict != VERDICT_FREE)
			fail_msg("%s: %s", t[i].conf, decision.reason);
		policy_done(&policy);
	}
}

/* A group larger than the limit never fits, however little was freed. */
static void test_rate_too_large(_unused_ void **state)
{
	static const struct test_case c = { .modes = "s", .blocks = { "mmm" } };
	static const char *const confs[] = { "[release]\nrate-bytes = 383M\n",
					     "[release]\nrate-memdev-bytes = 383M\n" };

	for (size_t i = 0; i < ARRAY_SIZE(confs); i++) {
		struct policy_facts facts = case_facts(&c);
		const struct policy_request request = { 0 };
		struct decision decision;
		struct policy policy;
		struct host host;

		host_build(&c, &host);
		parse(confs[i], &policy);
		policy_decide(&host.inv, &host.group, &policy, &facts, &request, &decision);
		assert_int_not_equal(decision.conditions[CONDITION_RATE].outcome, OUTCOME_MET);
		assert_true(decision.permanent);
		assert_non_null(strstr(decision.reason, "384M"));
		policy_done(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_rate_again),
		cmocka_unit_test(test_rate_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
