/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What holds for every decision, whatever the rule and the host: its parts agree with each other.
 * And the comparison of a decision with what a table of cases wants.
 */
#pragma once

#include <inttypes.h>

#include "tests/unit/policy_host.h"

/* What a decision was made from. */
struct asked {
	const struct inventory *inv;
	const struct policy *policy;
	const struct policy_facts *facts;
	const struct policy_request *request;
};

#define FLAW(...)                                                                                  \
	do {                                                                                       \
		snprintf(ret, size, __VA_ARGS__);                                                  \
		return true;                                                                       \
	} while (0)

/* Text for people: terminated, not empty, without control characters. */
static inline bool is_text(const char *s, size_t size)
{
	size_t n = strnlen(s, size);

	if (n == 0 || n == size)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return true;
}

/* How long a condition may hold a release by these settings. */
static inline usec_t wait_of(enum condition_kind kind, const struct release_settings *s)
{
	const usec_t waits[_CONDITION_MAX] = {
		[CONDITION_STATE] = s->state_wait,	 [CONDITION_APPROVAL] = s->ask_timeout,
		[CONDITION_WINDOW] = s->windows_wait,	 [CONDITION_RATE] = s->rate_wait,
		[CONDITION_RESERVE] = s->reserve_wait,	 [CONDITION_HEADROOM] = s->headroom_wait,
		[CONDITION_PRESSURE] = s->pressure_wait, [CONDITION_INHIBITORS] = s->inhibit_wait,
		[CONDITION_HOLDERS] = s->holders_wait,
	};

	return waits[kind];
}

static inline bool deadline_fits(const struct asked *a, const struct decision *d,
				 const struct condition *c)
{
	usec_t since = a->request->since[c->kind], wait = wait_of(c->kind, &d->settings);

	if (c->kind == CONDITION_INHIBITORS) {
		since = d->blocked ? a->request->blocked : since;
		wait = d->blocked ? wait : d->settings.inhibit_delay_max;
	}
	return c->deadline == usec_add(since ? since : a->facts->now, wait);
}

static inline bool condition_flaw(const struct asked *a, const struct decision *d, unsigned i,
				  char *ret, size_t size)
{
	const struct condition *c = &d->conditions[i];

	if (c->kind != (enum condition_kind)i)
		FLAW("condition %u is of kind %d", i, c->kind);
	if ((unsigned)c->outcome >= _OUTCOME_MAX)
		FLAW("condition %u has outcome %d", i, c->outcome);
	if (!is_text(c->text, sizeof(c->text)))
		FLAW("%s: text \"%.199s\"", condition_kind_to_string(c->kind), c->text);
	if (strnlen(c->limit, sizeof(c->limit)) == sizeof(c->limit) ||
	    strnlen(c->measured, sizeof(c->measured)) == sizeof(c->measured))
		FLAW("%s: a value has no end", condition_kind_to_string(c->kind));
	if (c->outcome != OUTCOME_MET && !is_text(c->measured, sizeof(c->measured)))
		FLAW("%s: measured \"%s\"", condition_kind_to_string(c->kind), c->measured);
	if (c->outcome != OUTCOME_WAIT)
		return false;
	if (c->deadline <= a->facts->now || c->again <= a->facts->now ||
	    c->again_wall <= a->facts->realtime)
		FLAW("%s waits for the past", condition_kind_to_string(c->kind));
	if (!deadline_fits(a, d, c))
		FLAW("%s: deadline %" PRIu64 " at %" PRIu64, condition_kind_to_string(c->kind),
		     c->deadline, a->facts->now);
	return false;
}

/* What a person and the clock say comes first; meanwhile the others do not count. */
static inline bool is_gate(enum condition_kind kind)
{
	return kind == CONDITION_APPROVAL || kind == CONDITION_WINDOW || kind == CONDITION_RATE;
}

/* The verdict is what the conditions say, and its times are theirs. */
static inline bool verdict_flaw(const struct decision *d, char *ret, size_t size)
{
	usec_t deadline = USEC_INFINITY, again = USEC_INFINITY, again_wall = USEC_INFINITY;
	unsigned wait = 0, refuse = 0, soft = 0;
	bool gated = false;

	for (unsigned i = 0; i < d->n_conditions; i++)
		gated |= d->conditions[i].outcome == OUTCOME_WAIT && is_gate(d->conditions[i].kind);
	for (unsigned i = 0; i < d->n_conditions; i++) {
		const struct condition *c = &d->conditions[i];

		refuse += c->outcome == OUTCOME_REFUSE;
		if (c->outcome != OUTCOME_WAIT)
			continue;
		wait++;
		soft += c->kind == CONDITION_INHIBITORS || c->kind == CONDITION_HOLDERS;
		if (gated && !is_gate(c->kind))
			continue;
		deadline = MIN(deadline, c->deadline);
		again = MIN(again, c->again);
		again_wall = MIN(again_wall, c->again_wall);
	}
	if (d->n_conditions == 0) {
		if (d->verdict != VERDICT_NOTHING && d->verdict != VERDICT_REFUSE)
			FLAW("%s without conditions", verdict_to_string(d->verdict));
		if (d->permanent != (d->verdict == VERDICT_REFUSE))
			FLAW("refused before all conditions: permanent is %d", d->permanent);
		return false;
	}
	if (d->n_conditions != _CONDITION_MAX)
		FLAW("%u conditions", d->n_conditions);
	if (d->verdict != (refuse ? VERDICT_REFUSE : wait ? VERDICT_WAIT : VERDICT_FREE))
		FLAW("%s, where %u conditions refuse and %u wait", verdict_to_string(d->verdict),
		     refuse, wait);
	if (d->verdict != VERDICT_WAIT && (d->draining || d->terminate || d->unsignalled))
		FLAW("%s, and draining %d, terminate %d, unsignalled %d",
		     verdict_to_string(d->verdict), d->draining, d->terminate, d->unsignalled);
	if (d->verdict == VERDICT_FREE && d->permanent)
		FLAW("free for ever");
	if (d->verdict != VERDICT_WAIT)
		return false;
	if (d->draining != (soft == wait))
		FLAW("draining is %d with %u of %u waits", d->draining, soft, wait);
	if (d->terminate && (wait != 1 || d->conditions[CONDITION_HOLDERS].outcome != OUTCOME_WAIT))
		FLAW("terminates although not only holders are waited for");
	if (d->terminate !=
	    !!strstr(d->conditions[CONDITION_HOLDERS].text, " to be terminated (terminate-units)"))
		FLAW("terminate is %d, and holders say: %s", d->terminate,
		     d->conditions[CONDITION_HOLDERS].text);
	if (gated && d->unsignalled)
		FLAW("it looks at intervals although that does not count yet");
	if (d->deadline != deadline || d->again != again || d->again_wall != again_wall)
		FLAW("deadline %" PRIu64 " again %" PRIu64 " wall %" PRIu64 " are not the earliest",
		     d->deadline, d->again, d->again_wall);
	return false;
}

static inline bool rule_flaw(const struct asked *a, const struct decision *d, char *ret,
			     size_t size)
{
	const struct policy_rule *rule = NULL;
	char source[RULE_TEXT_MAX];

	for (size_t i = 0; i < a->policy->n_rules; i++)
		if (streq(a->policy->rules[i].name, d->rule))
			rule = &a->policy->rules[i];
	if (!rule) {
		if (!streq(d->rule, "default") || *d->rule_source)
			FLAW("rule \"%s\" is from \"%s\"", d->rule, d->rule_source);
		return false;
	}
	if (rule->temporary) {
		if (!startswith(d->rule_source, "temporary"))
			FLAW("temporary rule \"%s\" is from \"%s\"", d->rule, d->rule_source);
		return false;
	}
	snprintf(source, sizeof(source), "%s:%u",
		 rule->file < a->policy->n_files ? a->policy->files[rule->file] : "?", rule->line);
	if (!streq(d->rule_source, source))
		FLAW("rule \"%s\" is from \"%s\", not \"%s\"", d->rule, d->rule_source, source);
	return false;
}

/* All that was decided is in the explanation, in whole lines. */
static inline bool explain_flaw(const struct decision *d, char *ret, size_t size)
{
	_cleanup_free_ char *text = NULL;
	size_t n;

	if (decision_explain(d, &text) < 0 || !text)
		FLAW("no explanation");
	n = strlen(text);
	if (n == 0 || text[n - 1] != '\n')
		FLAW("the explanation is not whole lines:\n%.200s", text);
	if (!strstr(text, d->reason) || !strstr(text, d->rule) || !strstr(text, d->rule_source))
		FLAW("reason or rule is not in the explanation:\n%.400s", text);
	for (unsigned i = 0; i < d->n_conditions; i++) {
		const struct condition *c = &d->conditions[i];

		if (!strstr(text, condition_kind_to_string(c->kind)) ||
		    !strstr(text, c->measured) || !strstr(text, c->limit))
			FLAW("%s is not in the explanation:\n%.900s",
			     condition_kind_to_string(c->kind), text);
	}
	return false;
}

/* Whether @d contradicts itself; says how. */
static inline bool decision_flaw(const struct asked *a, const struct decision *d, char *ret,
				 size_t size)
{
	if ((unsigned)d->verdict >= _VERDICT_MAX)
		FLAW("verdict %d", d->verdict);
	if (!is_text(d->reason, sizeof(d->reason)) || strlen(d->reason) < 10 ||
	    d->reason[strlen(d->reason) - 1] == '.')
		FLAW("the reason is no sentence: \"%.255s\"", d->reason);
	if (d->n_conditions > _CONDITION_MAX)
		FLAW("%u conditions", d->n_conditions);
	for (unsigned i = 0; i < d->n_conditions; i++)
		if (condition_flaw(a, d, i, ret, size))
			return true;
	return verdict_flaw(d, ret, size) || rule_flaw(a, d, ret, size) ||
	       explain_flaw(d, ret, size);
}

/* ---- tables of cases ---- */

static inline bool has(const char *text, const char *part)
{
	return !part || strstr(text, part);
}

static inline bool is_time(usec_t got, usec_t want)
{
	return want == 0 || got == want;
}

static inline bool want_flaw(const struct decision *d, const struct want *want, unsigned i,
			     char *ret, size_t size)
{
	static const char letters[_OUTCOME_MAX] = {
		[OUTCOME_MET] = 'm', [OUTCOME_WAIT] = 'w', [OUTCOME_REFUSE] = 'r'
	};
	const struct condition *c = &d->conditions[i];
	char outcome = want->outcome ? want->outcome : 'm';

	if (i >= d->n_conditions) {
		if (want->outcome)
			FLAW("no condition %s", condition_kind_to_string((enum condition_kind)i));
		return false;
	}
	if (strlen(c->text) > CONDITION_TEXT_MAX - 2)
		FLAW("%s is cut: %s", condition_kind_to_string(c->kind), c->text);
	if (outcome != '*' && letters[c->outcome] != outcome)
		FLAW("%s: %s, not '%c': %s", condition_kind_to_string(c->kind),
		     outcome_to_string(c->outcome), outcome, c->text);
	if (!has(c->measured, want->measured) || !has(c->limit, want->limit) ||
	    !has(c->text, want->text))
		FLAW("%s: measured \"%s\", limit \"%s\": %s\nnot \"%s\", \"%s\": %s",
		     condition_kind_to_string(c->kind), c->measured, c->limit, c->text,
		     want->measured ? want->measured : "", want->limit ? want->limit : "",
		     want->text ? want->text : "");
	if (!is_time(c->deadline, want->deadline) || !is_time(c->again, want->again) ||
	    !is_time(c->again_wall, want->again_wall))
		FLAW("%s: deadline %+" PRId64 " again %+" PRId64 " wall %+" PRId64
		     " µs from now, not %+" PRId64 " %+" PRId64 " %+" PRId64,
		     condition_kind_to_string(c->kind), (int64_t)(c->deadline - NOW),
		     (int64_t)(c->again - NOW), (int64_t)(c->again_wall - WALL),
		     (int64_t)(want->deadline - NOW), (int64_t)(want->again - NOW),
		     (int64_t)(want->again_wall - WALL));
	return false;
}

static inline bool case_flaw(const struct test_case *c, const struct decision *d, char *ret,
			     size_t size)
{
	if (d->verdict != c->verdict || !streq(d->rule, c->rule ? c->rule : "default") ||
	    !has(d->reason, c->reason))
		FLAW("not %s by %s: %s", verdict_to_string(c->verdict),
		     c->rule ? c->rule : "default", c->reason ? c->reason : "");
	if (d->terminate != c->terminate)
		FLAW("terminate is %d", d->terminate);
	if (strlen(d->reason) > DECISION_REASON_MAX - 2)
		FLAW("the reason is cut");
	for (unsigned i = 0; i < _CONDITION_MAX; i++)
		if (want_flaw(d, &c->want[i], i, ret, size))
			return true;
	return false;
}

/* Decides each case and compares. All that are wrong are told. */
static inline void run_cases(const struct test_case *cases, size_t n)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < n; i++) {
		const struct test_case *c = &cases[i];
		struct policy_facts facts = case_facts(c);
		struct decision decision;
		struct policy policy;
		struct host host;
		struct asked asked = { &host.inv, &policy, &facts, &c->request };
		char flaw[2048];

		host_build(c, &host);
		parse(c->conf, &policy);
		memset(&decision, 0xa5, sizeof(decision)); /* nothing may be left as it was */
		policy_decide(&host.inv, &host.group, &policy, &facts, &c->request, &decision);
		if (case_flaw(c, &decision, flaw, sizeof(flaw)) ||
		    decision_flaw(&asked, &decision, flaw, sizeof(flaw))) {
			print_error("%s:\n  %s by %s: %s\n  %s\n", c->name,
				    verdict_to_string(decision.verdict), decision.rule,
				    decision.reason, flaw);
			wrong++;
		}
		policy_done(&policy);
	}
	/* make check-policy adds these up. */
	print_message("%zu decision cases\n", n);
	if (wrong)
		fail_msg("%u of %zu cases", wrong, n);
}

/* The whole of a test program that is one table. TZ: windows in local time need a zone. */
#define TEST_TABLE(cases)                                                                          \
	static void test_cases(_unused_ void **state)                                              \
	{                                                                                          \
		run_cases(cases, ARRAY_SIZE(cases));                                               \
	}                                                                                          \
	struct _table_needs_semicolon_
