/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a new configuration changes, in words for the journal: keys of which the value in force
 * differs, rules that came, went, say something else or are tried in another order.
 */
#include <stdarg.h>

#include "settings.h"

struct differ {
	void (*line)(const char *text, void *userdata);
	void *userdata;
	int n; /* told so far, or -ENOMEM */
};

static void tell(struct differ *d, const char *format, ...) _printf_(2, 3);

static void tell(struct differ *d, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int n;

	if (d->n < 0)
		return;
	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		d->n = -ENOMEM;
		return;
	}
	d->line(text, d->userdata);
	d->n++;
}

/* An empty list or text is shown as what it means: that nothing is said. */
static const char *shown(const struct config_key *key, const void *base,
			 char buf[static CONFIG_VALUE_STRLEN])
{
	return *config_key_format(key, base, buf) ? buf : "none";
}

static void compare_section(struct differ *d, enum config_section section, const void *old,
			    const void *new)
{
	char before[CONFIG_VALUE_STRLEN], after[CONFIG_VALUE_STRLEN];

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section == section && !config_key_equal(key, old, new))
			tell(d, "[%s] %s: %s -> %s", config_section_to_string(section), key->name,
			     shown(key, old, before), shown(key, new, after));
	}
}

/* What the rule itself says; what it has of [release] is told there. */
static const char *given(const struct policy_rule *rule, const struct config_key *key,
			 char buf[static CONFIG_VALUE_STRLEN])
{
	return rule_gives(rule, key) ? shown(key, rule_key_base_const(rule, key), buf) : "not set";
}

static void compare_rule(struct differ *d, const struct policy_rule *old,
			 const struct policy_rule *new)
{
	char before[CONFIG_VALUE_STRLEN], after[CONFIG_VALUE_STRLEN];

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];

		if (!rule_gives(old, key) && !rule_gives(new, key))
			continue;
		if (rule_gives(old, key) && rule_gives(new, key) &&
		    config_key_equal(key, rule_key_base_const(old, key),
				     rule_key_base_const(new, key)))
			continue;
		tell(d, "rule %s: %s: %s -> %s", new->name, key->name, given(old, key, before),
		     given(new, key, after));
	}
}

/* Its index among the rules of files, or SIZE_MAX. */
static size_t find_rule(const struct policy *policy, const char *name)
{
	for (size_t i = policy->n_temporary; i < policy->n_rules; i++)
		if (streq(policy->rules[i].name, name))
			return i;
	return SIZE_MAX;
}

/*
 * Rules that both have, by their index in the new one. As many as possible are taken to have stayed
 * where they are, those on the longest run in which the old indices rise; the others were moved.
 */
struct common {
	size_t old, new;
	size_t length;	 /* of the longest run that ends here */
	size_t previous; /* in it, SIZE_MAX: none */
	bool stays;
};

static void find_order(struct common *rules, size_t n)
{
	size_t last = SIZE_MAX;

	for (size_t i = 0; i < n; i++) {
		rules[i].length = 1;
		rules[i].previous = SIZE_MAX;
		for (size_t j = 0; j < i; j++)
			if (rules[j].old < rules[i].old && rules[j].length >= rules[i].length) {
				rules[i].length = rules[j].length + 1;
				rules[i].previous = j;
			}
		if (last == SIZE_MAX || rules[i].length > rules[last].length)
			last = i;
	}
	for (; last != SIZE_MAX; last = rules[last].previous)
		rules[last].stays = true;
}

static void compare_order(struct differ *d, const struct policy *new, struct common *rules,
			  size_t n)
{
	find_order(rules, n);
	for (size_t i = 0; i < n; i++) {
		size_t at = rules[i].new;
		const char *name = new->rules[at].name;

		if (rules[i].stays)
			continue;
		if (at + 1 < new->n_rules)
			tell(d, "rule %s: moved, now before rule %s", name,
			     new->rules[at + 1].name);
		else
			tell(d, "rule %s: moved, now the last", name);
	}
}

int policy_diff(const struct policy *old, const struct policy *new,
		void (*line)(const char *text, void *userdata), void *userdata)
{
	struct differ d = { .line = line, .userdata = userdata };
	_cleanup_free_ struct common *common = NULL;
	size_t n = 0;

	common = calloc(new->n_rules + 1, sizeof(*common));
	if (!common)
		return -ENOMEM;
	compare_section(&d, SECTION_DAEMON, old, new);
	compare_section(&d, SECTION_RELEASE, &old->defaults, &new->defaults);
	for (size_t i = old->n_temporary; i < old->n_rules; i++)
		if (find_rule(new, old->rules[i].name) == SIZE_MAX)
			tell(&d, "rule %s: removed", old->rules[i].name);
	for (size_t i = new->n_temporary; i < new->n_rules; i++) {
		size_t at = find_rule(old, new->rules[i].name);

		if (at == SIZE_MAX) {
			tell(&d, "rule %s: added", new->rules[i].name);
			continue;
		}
		compare_rule(&d, &old->rules[at], &new->rules[i]);
		common[n++] = (struct common){ .old = at, .new = i };
	}
	compare_order(&d, new, common, n);
	return d.n;
}
