/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Temporary rules: set while the daemon runs, above those of the files, for a time or as long as
 * whoever set them lives.
 */
#include "config.h"

#define TEMPORARY_MAX 128

/* Parses and checks the rule by itself, over what [release] is now. */
static int parse_rule(const struct policy *policy, const char *name, const char *text,
		      struct policy_rule *ret, char **ret_error)
{
	struct config_places places = { 0 };
	_cleanup_fclose_ FILE *f = NULL;
	char path[sizeof("rule ") + RULE_NAME_MAX];
	struct policy scratch;
	int r;

	/* Opened for reading only: the text is not written to. */
	f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	if (!f)
		return -ENOMEM;
	(void)snprintf(path, sizeof(path), "rule %s", name);
	policy_init(&scratch);
	scratch.defaults = policy->defaults;
	r = config_read_rule(path, name, f, &scratch, 0, &places, ret_error);
	if (r >= 0)
		r = config_finish(&scratch, &places, ret_error);
	if (r >= 0)
		*ret = scratch.rules[0];
	config_places_done(&places);
	policy_done(&scratch);
	return r;
}

/* Makes room for @n rules in front of all others. */
static int make_room(struct policy *policy, size_t n)
{
	struct policy_rule *rules;

	rules = reallocarray(policy->rules, policy->n_rules + n, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	memmove(rules + n, rules, policy->n_rules * sizeof(*rules));
	policy->rules = rules;
	policy->n_rules += n;
	policy->n_temporary += n;
	return 0;
}

int policy_add_temporary(struct policy *policy, const char *name, const char *text, usec_t until,
			 const char *who, char **ret_error)
{
	struct policy_rule rule;
	int r;

	*ret_error = NULL;
	for (size_t i = 0; i < policy->n_temporary; i++)
		if (streq(policy->rules[i].name, name))
			return -EEXIST;
	if (policy->n_temporary >= TEMPORARY_MAX)
		return -E2BIG;
	r = parse_rule(policy, name, text, &rule, ret_error);
	if (r < 0)
		return r;
	rule.temporary = true;
	rule.until = until;
	rule.file = rule.line = 0;
	(void)str_copy(rule.who, sizeof(rule.who), who);
	r = make_room(policy, 1);
	if (r < 0)
		return r;
	policy->rules[0] = rule;
	return 0;
}

int policy_remove_temporary(struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_temporary; i++)
		if (streq(policy->rules[i].name, name)) {
			policy->n_temporary--;
			policy->n_rules--;
			memmove(policy->rules + i, policy->rules + i + 1,
				(policy->n_rules - i) * sizeof(*policy->rules));
			return 0;
		}
	return -ENOENT;
}

usec_t policy_next_expiry(const struct policy *policy)
{
	usec_t next = USEC_INFINITY;

	for (size_t i = 0; i < policy->n_temporary; i++)
		next = MIN(next, policy->rules[i].until);
	return next;
}

const struct policy_rule *policy_expired(const struct policy *policy, usec_t realtime)
{
	for (size_t i = 0; i < policy->n_temporary; i++)
		if (policy->rules[i].until <= realtime)
			return &policy->rules[i];
	return NULL;
}

int policy_move_temporary(struct policy *to, struct policy *from)
{
	size_t n = from->n_temporary;
	int r;

	if (n == 0)
		return 0;
	r = make_room(to, n);
	if (r < 0)
		return r;
	memcpy(to->rules, from->rules, n * sizeof(*to->rules));
	from->n_rules -= n;
	from->n_temporary = 0;
	memmove(from->rules, from->rules + n, from->n_rules * sizeof(*from->rules));
	policy_resolve(to);
	return 0;
}
