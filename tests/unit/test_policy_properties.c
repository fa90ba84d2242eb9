/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy_decide() against a second opinion (policy_judge.h), over random configurations that go
 * through the real parser, random hosts and random facts. POLICY_SEED=N and POLICY_ROUNDS=N run
 * others; a failure prints the seed of its round, which as POLICY_SEED is the first one.
 */
#include "tests/unit/policy_check.h"
#include "tests/unit/policy_judge.h"
#include "tests/unit/random_case.h"

#define ROUNDS 30000

static uint64_t environment(const char *name, uint64_t fallback)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : fallback;
}

/* False: the parser refuses it, as it does a configuration that contradicts itself; with a line. */
static bool parse_random(const struct random_policy *random, struct policy *ret)
{
	_cleanup_fclose_ FILE *f = NULL;
	_cleanup_free_ char *error = NULL;
	unsigned line = 0;
	int r;

	policy_init(ret);
	f = fmemopen((void *)(uintptr_t)random->text, strlen(random->text), "r");
	assert_non_null(f);
	r = policy_parse("conf", f, ret, &error);
	if (r == 0) {
		assert_null(error);
		return true;
	}
	assert_int_equal(r, -EINVAL);
	assert_non_null(error);
	if (sscanf(error, "conf:%u: ", &line) != 1 || line == 0)
		fail_msg("%s\nfor\n%s", error, random->text);
	return false;
}

static bool judgement_flaw(const struct judgement *j, const struct decision *d, char *ret,
			   size_t size)
{
	static const char letters[_OUTCOME_MAX] = {
		[OUTCOME_MET] = 'm', [OUTCOME_WAIT] = 'w', [OUTCOME_REFUSE] = 'r'
	};
	char rule[RULE_NAME_MAX] = "default";

	if (j->rule >= 0)
		snprintf(rule, sizeof(rule), "r%d", j->rule);
	if (!streq(d->rule, rule))
		FLAW("the rule is %s", rule);
	if ((d->n_conditions > 0) != (j->outcome[0] != '\0'))
		FLAW("%s: %u conditions", verdict_to_string(j->verdict), d->n_conditions);
	for (unsigned i = 0; i < d->n_conditions; i++)
		if (j->outcome[i] != letters[d->conditions[i].outcome])
			FLAW("%s is '%c', not '%c'",
			     condition_kind_to_string((enum condition_kind)i), j->outcome[i],
			     letters[d->conditions[i].outcome]);
	if (d->verdict != j->verdict)
		FLAW("the verdict is %s", verdict_to_string(j->verdict));
	if (d->permanent != j->permanent || d->terminate != j->terminate)
		FLAW("permanent %d, terminate %d", j->permanent, j->terminate);
	return false;
}

/* Both of them are plain data, but with bytes between their members that mean nothing. */
static bool decisions_differ(const struct decision *a, const struct decision *b)
{
	_cleanup_free_ char *ta = NULL, *tb = NULL;

	assert_int_equal(decision_explain(a, &ta), 0);
	assert_int_equal(decision_explain(b, &tb), 0);
	return !streq(ta, tb) || a->verdict != b->verdict || a->deadline != b->deadline ||
	       a->again != b->again || a->again_wall != b->again_wall ||
	       a->unsignalled != b->unsignalled || a->draining != b->draining ||
	       a->terminate != b->terminate || a->permanent != b->permanent;
}

static void print_case(const struct random_case *r, const struct random_policy *policy,
		       const struct decision *d)
{
	_cleanup_free_ char *text = NULL;

	(void)decision_explain(d, &text);
	/* In parts: cmocka cuts long messages. */
	fputs(policy->text, stderr);
	fprintf(stderr,
		"devices \"%s\", blocks %s %s %s, nodes %d %d %d, dax0.9 %s on %d, flags %#x, "
		"%zu freed, %zu inhibitors, %zu leaving\n",
		r->modes, r->blocks[0], r->blocks[1], r->blocks[2], r->c.node[0], r->c.node[1],
		r->c.node[2], r->c.other ? r->other : "-", r->c.other_node, r->c.flags,
		r->c.facts.n_freed, r->c.facts.n_inhibitors, r->c.facts.n_leaving);
	fputs(text ? text : "", stderr);
}

/* One round. False: the configuration was not good. */
static bool check_round(uint64_t *seed, struct judgement *ret)
{
	static struct random_policy random;
	const uint64_t begin = *seed;
	struct decision decision, again;
	struct policy_facts facts;
	struct random_case r;
	struct policy policy;
	struct host host, before;
	struct asked asked = { &host.inv, &policy, &facts, &r.c.request };
	char flaw[2048];

	random_policy(seed, &random);
	random_case(seed, &r);
	if (!parse_random(&random, &policy)) {
		policy_done(&policy);
		return false;
	}
	facts = case_facts(&r.c);
	memset(&host, 0, sizeof(host));
	host_build(&r.c, &host);
	memcpy(&before, &host, sizeof(host));
	judge(&r.c, &host, &facts, &random, ret);

	memset(&decision, 0xa5, sizeof(decision));
	memset(&again, 0x5a, sizeof(again));
	policy_decide(&host.inv, &host.group, &policy, &facts, &r.c.request, &decision);
	policy_decide(&host.inv, &host.group, &policy, &facts, &r.c.request, &again);
	assert_memory_equal(&host, &before, sizeof(host));
	if (judgement_flaw(ret, &decision, flaw, sizeof(flaw)) ||
	    decision_flaw(&asked, &decision, flaw, sizeof(flaw))) {
		print_case(&r, &random, &decision);
		fail_msg("POLICY_SEED=%" PRIu64 ": judged otherwise: %s", begin, flaw);
	}
	if (decisions_differ(&decision, &again)) {
		print_case(&r, &random, &decision);
		fail_msg("POLICY_SEED=%" PRIu64 ": two decisions differ", begin);
	}
	policy_done(&policy);
	return true;
}

static void test_against_judge(_unused_ void **state)
{
	unsigned verdicts[_VERDICT_MAX] = { 0 }, outcomes[_CONDITION_MAX][3] = { { 0 } };
	unsigned rules = 0, terminate = 0, permanent = 0, refused = 0;
	uint64_t seed = environment("POLICY_SEED", 20261122);
	const unsigned rounds = (unsigned)environment("POLICY_ROUNDS", ROUNDS);

	for (unsigned round = 0; round < rounds;) {
		struct judgement j;

		if (!check_round(&seed, &j)) {
			/* Else this would go on for ever. */
			assert_true(++refused < 100 * rounds);
			continue;
		}
		round++;
		verdicts[j.verdict]++;
		rules += j.rule >= 0;
		terminate += j.terminate;
		permanent += j.permanent;
		for (unsigned i = 0; i < _CONDITION_MAX && j.outcome[i]; i++)
			outcomes[i][j.outcome[i] == 'm' ? 0 : j.outcome[i] == 'w' ? 1 : 2]++;
	}
	print_message(
		"%u random configurations decided and judged, %u more refused by the parser\n",
		rounds, refused);
	print_message(
		"nothing %u, free %u, wait %u (%u terminate), refuse %u (%u for ever); %u by a rule\n",
		verdicts[VERDICT_NOTHING], verdicts[VERDICT_FREE], verdicts[VERDICT_WAIT],
		terminate, verdicts[VERDICT_REFUSE], permanent, rules);
	if (rounds < ROUNDS)
		return;
	/* None of the above was true for want of cases. */
	for (unsigned i = 0; i < _VERDICT_MAX; i++)
		assert_true(verdicts[i] > rounds / 100);
	assert_true(rules > rounds / 10);
	assert_true(terminate > rounds / 1000);
	for (unsigned i = 0; i < _CONDITION_MAX; i++)
		for (unsigned k = 0; k < 3; k++)
			if (outcomes[i][k] < rounds / 1000)
				fail_msg("%s: only %u with outcome %u",
					 condition_kind_to_string((enum condition_kind)i),
					 outcomes[i][k], k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
