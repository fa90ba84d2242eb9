/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks over the whole configuration. A line is blamed that is in the file just read. */
#include <stdarg.h>

#include "config_check.h"

struct check {
	const struct policy *policy;
	const struct config_lines *lines;
	unsigned *ret_line;
	char **ret_what;
};

int config_lines_add_rule(struct config_lines *lines, unsigned header)
{
	struct section_lines *rules;

	rules = reallocarray(lines->rules, lines->n_rules + 1, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	lines->rules = rules;
	rules[lines->n_rules++] = (struct section_lines){ .header = header };
	return 0;
}

void config_lines_done(struct config_lines *lines)
{
	free(lines->rules);
	lines->rules = NULL;
	lines->n_rules = 0;
}

struct section_lines *config_lines_section(struct config_lines *lines, enum config_section section)
{
	if (section == SECTION_RULE)
		return &lines->rules[lines->n_rules - 1];
	return section == SECTION_RELEASE ? &lines->release : &lines->daemon;
}

/* The lines of the policy's rule @i, NULL if it is from another file. */
static const struct section_lines *rule_lines(const struct config_lines *lines, size_t i)
{
	return i < lines->first_rule ? NULL : &lines->rules[i - lines->first_rule];
}

unsigned config_lines_rule(const struct config_lines *lines, size_t i)
{
	const struct section_lines *rule = rule_lines(lines, i);

	return rule ? rule->header : 0;
}

static int wrong(const struct check *c, unsigned line, const char *format, ...) _printf_(3, 4);

static int wrong(const struct check *c, unsigned line, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(c->ret_what, format, ap);
	va_end(ap);
	if (n < 0) {
		*c->ret_what = NULL;
		return -ENOMEM;
	}
	*c->ret_line = line;
	return -EINVAL;
}

static unsigned key_line(const struct section_lines *lines, const struct config_key *key)
{
	return lines ? lines->key[key - config_keys] : 0;
}

/*
 * The line that made two keys contradict each other: the later of them in @own; if a rule got both
 * from elsewhere, that of [release].
 */
static unsigned blame(const struct check *c, const struct section_lines *own,
		      const struct config_key *a, const struct config_key *b)
{
	unsigned line = MAX(key_line(own, a), key_line(own, b));

	if (line)
		return line;
	return MAX(key_line(&c->lines->release, a), key_line(&c->lines->release, b));
}

/* Pairs of times where the first must not be longer than the second. */
static int check_times(const struct check *c, const struct release_settings *settings,
		       const struct section_lines *own, const char *where)
{
	static const struct {
		const char *less, *more;
	} pairs[] = {
		{ "block-timeout", "release-timeout" },
		{ "backoff-initial", "backoff-max" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		const struct config_key *a = config_key_find(SECTION_RELEASE, pairs[i].less);
		const struct config_key *b = config_key_find(SECTION_RELEASE, pairs[i].more);
		char a_text[CONFIG_VALUE_STRLEN], b_text[CONFIG_VALUE_STRLEN];
		usec_t less, more;

		memcpy(&less, (const char *)settings + a->offset, sizeof(less));
		memcpy(&more, (const char *)settings + b->offset, sizeof(more));
		if (less > more)
			return wrong(c, blame(c, own, a, b),
				     "%s = %s is longer than %s = %s in %s; expected at most that",
				     a->name, config_key_format(a, settings, a_text), b->name,
				     config_key_format(b, settings, b_text), where);
	}
	return 0;
}

/* `action` stands for the keys of the modes; a mode that the rule does not match has no key. */
static int check_modes(const struct check *c, const struct policy_rule *rule,
		       const struct section_lines *own)
{
	const struct config_key *action = config_key_find(SECTION_RULE, "action");
	const struct config_key *match = config_key_find(SECTION_RULE, "match-mode");

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->section != SECTION_RELEASE || key->type != CONFIG_ACTION ||
		    !(rule->set & config_key_bit(key)))
			continue;
		if (rule->action >= 0)
			return wrong(c, MAX(key_line(own, key), key_line(own, action)),
				     "rule \"%s\" has both action and %s; expected one of them",
				     rule->name, key->name);
		if (rule->mode >= 0 && !streq(key->name, dax_mode_to_string(rule->mode)))
			return wrong(
				c, MAX(key_line(own, key), key_line(own, match)),
				"rule \"%s\" sets %s but matches only %s; expected %s or action",
				rule->name, key->name, dax_mode_to_string(rule->mode),
				dax_mode_to_string(rule->mode));
	}
	return 0;
}

static int check_rule(const struct check *c, const struct policy_rule *rule,
		      const struct section_lines *own)
{
	uint64_t match = 0, effect = 0;

	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];

		if (startswith(key->name, "match-"))
			match |= config_key_bit(key);
		else
			effect |= config_key_bit(key);
	}
	if (!(rule->set & match))
		return wrong(c, own->header,
			     "rule \"%s\" matches by nothing; expected at least one match- key",
			     rule->name);
	if (!(rule->set & effect))
		return wrong(c, own->header,
			     "rule \"%s\" changes nothing; expected action or a key of [release]",
			     rule->name);
	return check_modes(c, rule, own);
}

int config_check(const struct policy *policy, const struct config_lines *lines, unsigned *ret_line,
		 char **ret_what)
{
	struct check c = { policy, lines, ret_line, ret_what };
	int r;

	r = check_times(&c, &policy->defaults, &lines->release, "[release]");
	for (size_t i = 0; r == 0 && i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		const struct section_lines *own = rule_lines(lines, i);
		char where[RULE_NAME_MAX + 16];

		/* By itself a rule of another file was good then, and is now. */
		if (own)
			r = check_rule(&c, rule, own);
		if (r < 0)
			break;
		(void)snprintf(where, sizeof(where), "rule \"%s\"", rule->name);
		r = check_times(&c, &rule->settings, own, where);
	}
	return r;
}
