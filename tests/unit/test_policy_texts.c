/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts of a decision with the longest and the rudest names that there can be: whole lines of
 * clean text, that still say what they are about.
 */
#include "tests/unit/policy_check.h"

static const struct inhibitor rude[] = {
	{ .mode = INHIBIT_BLOCK, .scope = "*", .who = "a\nb\x1b[2J", .why = "\xff\xfe%s%n" },
};

static const struct test_case hosts[] = {
	{ .name = "devdax kept", .modes = "d" },
	{ .name = "unknown driver", .modes = "o" },
	{ .name = "kernel zone", .modes = "s", .blocks = { "k" } },
	{ .name = "foreign", .modes = "s", .blocks = { "F" } },
	{ .name = "page structures", .modes = "s", .blocks = { "O" }, .flags = MEMMAP },
	{ .name = "state", .modes = "s", .blocks = { "?" } },
	{ .name = "zone", .modes = "s", .blocks = { "z" } },
	{ .name = "outside", .modes = "s", .flags = OUTSIDE },
	{ .name = "cut", .modes = "s", .flags = CUT },
	{ .name = "no block size", .modes = "s", .flags = NO_BLOCK_SIZE },
	{ .name = "broken", .modes = "s", .flags = BROKEN },
	{ .name = "leftover", .modes = "", .flags = LEFTOVER },
	{ .name = "nothing", .modes = "" },
	{ .name = "free", .modes = "s", .blocks = { "mmm" } },
	{ .name = "headroom",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .nodes = { NODE(1, UINT64_MAX, 0, 0) } },
	{ .name = "left behind", .modes = "u", .blocks = { "o" }, .conf = ALL_FREE },
	{ .name = "ask", .modes = "s", .conf = "[release]\nsystem-ram = ask\n" },
	{ .name = "denied",
	  .modes = "s",
	  .request = { .approval = APPROVAL_DENIED, .answer = "no\n\x1b[31mno\x80" } },
	{ .name = "unseen", .modes = "d", .conf = ALL_FREE, .flags = UNSEEN },
	{ .name = "inhibited",
	  .modes = "s",
	  .facts = { .inhibitors = rude, .n_inhibitors = ARRAY_SIZE(rude) } },
	{ .name = "windows",
	  .modes = "s",
	  .conf = "[release]\nwindows = Mon 00:00-01:00 UTC, Tue 00:00-01:00 UTC, Wed 00:00-01:00 "
		  "UTC, Thu 00:00-01:00 UTC, Fri 00:00-01:00 UTC, Sat 00:00-01:00 UTC, "
		  "Sun 00:00-01:00 UTC\n" },
	{ .name = "held",
	  .modes = "d",
	  .conf = ALL_FREE,
	  .holders = { { .pid = INT32_MAX, .mapped = true } } },
	{ .name = "mounted",
	  .modes = "d",
	  .conf = ALL_FREE,
	  .holders = { { .pid = INT32_MAX, .mounted = true } } },
	{ .name = "many holders",
	  .modes = "d",
	  .conf = ALL_FREE "holders = refuse\n",
	  .holders = { { .pid = 2, .open = true }, { .pid = 3, .mapped = true } } },
};

/* Names without an end, as far as the kernel allows; a process names itself. */
static void stretch(struct host *host, unsigned flags)
{
	for (uint32_t i = 0; i < host->inv.n_devices; i++) {
		memset(host->devices[i].name, 'd', DEV_NAME_MAX - 1);
		memset(host->devices[i].driver, 'v', DEV_NAME_MAX - 1);
	}
	memset(host->regions[0].name, 'r', DEV_NAME_MAX - 1);
	memset(host->memdevs[0].name, 'm', DEV_NAME_MAX - 1);
	if (host->regions[0].error)
		memset(host->regions[0].error_path, 'p', INVENTORY_PATH_MAX - 1);
	for (uint32_t b = 0; b < host->inv.n_blocks; b++)
		if (!(flags & MEMMAP))
			host->blocks[b].number = UINT64_MAX;
	for (uint32_t m = 0; m < host->inv.n_mappings; m++)
		if (flags & OUTSIDE)
			host->mappings[m].hpa.start = UINT64_MAX - (UINT64_C(1) << 60);
	for (uint32_t h = 0; h < host->inv.n_holders; h++) {
		struct holder *holder = &host->holders[h];

		/* To the last byte, without a terminator. */
		memset(holder->comm, '\n', sizeof(holder->comm));
		memset(holder->unit, 0x1b, sizeof(holder->unit));
		memset(holder->cgroup, 'c', sizeof(holder->cgroup));
		memset(holder->path, 0xff, sizeof(holder->path));
		memset(holder->fstype, 't', sizeof(holder->fstype));
	}
}

/* A rule that matches all and changes nothing but the message, with the longest name. */
static void add_rule(struct policy *policy, bool message)
{
	struct policy_rule *rule = calloc(1, sizeof(*rule));

	assert_non_null(rule);
	rule->sharable = rule->origin = rule->action = -1;
	rule->size.max = rule->extents.max = UINT64_MAX;
	rule->settings = policy->defaults;
	rule->file = 0;
	rule->line = UINT32_MAX;
	memset(rule->name, 'r', RULE_NAME_MAX - 1);
	if (message)
		memset(rule->settings.message, 'w', RULE_TEXT_MAX - 1);
	assert_null(policy->rules);
	policy->rules = rule;
	policy->n_rules = 1;
	/* Of a file whose path does not fit either. */
	for (size_t i = 0; i < policy->n_files; i++)
		free(policy->files[i]);
	free(policy->files);
	policy->files = calloc(1, sizeof(*policy->files));
	assert_non_null(policy->files);
	policy->files[0] = calloc(1, 1000);
	assert_non_null(policy->files[0]);
	memset(policy->files[0], 'f', 999);
	policy->n_files = 1;
}

static bool is_utf8_line(const char *s)
{
	/* Shortest forms, surrogates: no matter; only that nothing is cut inside a character. */
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		int more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : -1;

		if (c < 0x20 || c == 0x7f || more < 0)
			return false;
		for (; more > 0; more--)
			if (((unsigned char)*++s & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static void check_texts(const char *name, const struct decision *d)
{
	_cleanup_free_ char *text = NULL;
	unsigned lines = 0;

	if (!is_text(d->reason, sizeof(d->reason)) || !is_utf8_line(d->reason) ||
	    !is_utf8_line(d->rule_source))
		fail_msg("%s: %s", name, d->reason);
	for (unsigned i = 0; i < d->n_conditions; i++) {
		const struct condition *c = &d->conditions[i];

		if (!is_text(c->text, sizeof(c->text)) || !is_utf8_line(c->text) ||
		    !is_utf8_line(c->measured) || !is_utf8_line(c->limit))
			fail_msg("%s: %s", name, c->text);
	}
	assert_int_equal(decision_explain(d, &text), 0);
	for (const char *s = text; *s; s++)
		lines += *s == '\n';
	/* Verdict, rule, conditions: no name begins a line of its own. */
	if (lines != 2 + d->n_conditions)
		fail_msg("%s: %u lines:\n%s", name, lines, text);
}

static void test_longest_names(_unused_ void **state)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(hosts); i++) {
		const struct test_case *c = &hosts[i / 2];
		struct policy_facts facts = case_facts(c);
		struct decision decision;
		struct policy policy;
		struct host host;

		host_build(c, &host);
		parse(c->conf, &policy);
		stretch(&host, c->flags);
		add_rule(&policy, i % 2);
		policy_decide(&host.inv, &host.group, &policy, &facts, &c->request, &decision);
		check_texts(c->name, &decision);
		assert_int_equal(strlen(decision.rule), RULE_NAME_MAX - 1);
		assert_non_null(strstr(decision.rule_source, ":4294967295"));
		policy_done(&policy);
	}
}

/* What the operator wrote, whole: a telephone number stands at its end. */
static void test_longest_message(_unused_ void **state)
{
	static const struct test_case said[] = {
		{ .name = "ask", .modes = "s", .conf = "[release]\nsystem-ram = ask\n" },
		{ .name = "keep", .modes = "d" },
		{ .name = "ask, no more",
		  .modes = "s",
		  .conf = "[release]\nsystem-ram = ask\n",
		  .request = { .since = { [CONDITION_APPROVAL] = 1 } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		const struct test_case *c = &said[i];
		struct policy_facts facts = case_facts(c);
		_cleanup_free_ char *text = NULL;
		struct decision decision;
		struct policy policy;
		struct host host;

		host_build(c, &host);
		parse(c->conf, &policy);
		stretch(&host, c->flags);
		add_rule(&policy, true);
		/* More that is not met comes behind it. */
		policy.rules[0].settings.reserve_host = UINT64_MAX;
		policy_decide(&host.inv, &host.group, &policy, &facts, &c->request, &decision);
		if (!strstr(decision.reason, policy.rules[0].settings.message) ||
		    strstr(decision.reason, "..."))
			fail_msg("%s: %s", c->name, decision.reason);
		assert_int_equal(decision_explain(&decision, &text), 0);
		assert_non_null(strstr(text, policy.rules[0].settings.message));
		policy_done(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_message),
		cmocka_unit_test(test_longest_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
