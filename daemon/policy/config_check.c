/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks over the whole configuration. Of two lines that contradict each other the later is blamed.
 */
#include <assert.h>
#include <stdarg.h>

#include "config_check.h"

struct check {
	const struct policy *policy;
	const struct config_places *places;
	struct config_place *ret_place;
	char **ret_what;
};

/* [release], or a rule. */
struct subject {
	char name[RULE_NAME_MAX + 16]; /* "[release]", "rule \"night\"" */
	const struct release_settings *settings;
	const struct section_places *own;
	const struct policy_rule *rule; /* NULL: [release] */
};

static int wrong(const struct check *c, struct config_place place, const char *format, ...)
	_printf_(3, 4);

static int wrong(const struct check *c, struct config_place place, const char *format, ...)
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
	*c->ret_place = place;
	return -EINVAL;
}

static const struct config_key *key(const char *name)
{
	const struct config_key *found = config_key_find(SECTION_RULE, name);

	assert(found);
	return found;
}

/* Where the subject itself says the key; line 0: it does not. */
static struct config_place own_place(const struct subject *s, const char *name)
{
	return place_of_key(s->own, key(name));
}

static bool gives(const struct subject *s, const char *name)
{
	return own_place(s, name).line;
}

/*
 * What made two keys contradict each other: the later of them in the section itself; if a rule got
 * both from elsewhere, that of [release].
 */
static struct config_place blame(const struct check *c, const struct subject *s, const char *a,
				 const char *b)
{
	struct config_place place = place_later(own_place(s, a), own_place(s, b));

	if (place.line)
		return place;
	return place_later(place_of_key(&c->places->release, key(a)),
			   place_of_key(&c->places->release, key(b)));
}

/* ---- numbers ---- */

/* Pairs of which the first must not be more than the second. */
static int check_pairs(const struct check *c, const struct subject *s)
{
	static const struct {
		const char *less, *more;
		const char *is;
		bool optional; /* 0 stands for no limit */
	} pairs[] = {
		{ "block-timeout", "release-timeout", "longer", false },
		{ "backoff-initial", "backoff-max", "longer", false },
		/* The first would never be the one that decides. */
		{ "rate-memdev-bytes", "rate-bytes", "more", true },
		{ "rate-memdev-groups", "rate-groups", "more", true },
		{ "pressure-full", "pressure-some", "more", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		const struct config_key *a = key(pairs[i].less), *b = key(pairs[i].more);
		char a_text[CONFIG_VALUE_STRLEN], b_text[CONFIG_VALUE_STRLEN];
		uint64_t less = config_key_number(a, s->settings);
		uint64_t more = config_key_number(b, s->settings);

		if (less <= more || (pairs[i].optional && more == 0))
			continue;
		return wrong(c, blame(c, s, a->name, b->name),
			     "%s = %s is %s than %s = %s in %s; expected at most that", a->name,
			     config_key_format(a, s->settings, a_text), pairs[i].is, b->name,
			     config_key_format(b, s->settings, b_text), s->name);
	}
	return 0;
}

/* ---- holders ---- */

static int check_holders(const struct check *c, const struct subject *s)
{
	const struct release_settings *settings = s->settings;

	if (settings->holders == HOLDERS_TERMINATE && !*settings->terminate_units)
		return wrong(c, blame(c, s, "holders", "terminate-units"),
			     "holders = terminate in %s names nobody to be terminated; expected "
			     "terminate-units, too",
			     s->name);
	/* What [release] says that it does not use itself may be there for rules. */
	if (!s->rule)
		return 0;
	if (gives(s, "terminate-units") && *settings->terminate_units &&
	    settings->holders != HOLDERS_TERMINATE)
		return wrong(c, blame(c, s, "holders", "terminate-units"),
			     "terminate-units in %s, but that terminates nobody; expected holders "
			     "= terminate, too",
			     s->name);
	if (gives(s, "holders-wait") && gives(s, "holders") &&
	    settings->holders == HOLDERS_REFUSE && settings->holders_wait > 0)
		return wrong(c, blame(c, s, "holders", "holders-wait"),
			     "holders-wait in %s, but holders = refuse waits for nobody; expected "
			     "one of them",
			     s->name);
	return 0;
}

/* ---- what a rule does ---- */

/* The modes that a rule is for and that its settings have an action for. */
static unsigned settable_modes(const struct policy_rule *rule)
{
	unsigned modes = 0;

	for (unsigned mode = 0; mode < _DAX_MODE_MAX; mode++)
		if (mode != DAX_MODE_OTHER && (!rule->modes || rule->modes & 1U << mode))
			modes |= 1U << mode;
	return modes;
}

static bool has_action(const struct policy_rule *rule, enum policy_action action)
{
	unsigned modes = settable_modes(rule);

	for (unsigned mode = 0; mode < _DAX_MODE_MAX; mode++)
		if (modes & 1U << mode && rule->settings.action[mode] == action)
			return true;
	return false;
}

/* `action` stands for the keys of the modes; a mode that the rule does not match has no key. */
static int check_modes(const struct check *c, const struct subject *s)
{
	const struct policy_rule *rule = s->rule;

	for (int mode = 0; mode < _DAX_MODE_MAX; mode++) {
		const char *name = config_word(CONFIG_MODES, mode);
		char matched[CONFIG_VALUE_STRLEN], own[CONFIG_VALUE_STRLEN + 8];

		if (!name || !gives(s, name))
			continue;
		if (rule->action >= 0)
			return wrong(c, blame(c, s, name, "action"),
				     "%s has both action and %s; expected one of them", s->name,
				     name);
		if (!rule->modes || rule->modes & 1U << mode)
			continue;
		config_key_format(key("match-mode"), rule, matched);
		(void)snprintf(own, sizeof(own), "%s or ",
			       strchr(matched, ' ') ? "one of these" : matched);
		if (rule->modes == 1U << MODE_UNCLAIMED) /* for which there is no key */
			own[0] = '\0';
		return wrong(c, blame(c, s, name, "match-mode"),
			     "%s sets %s but matches only %s; expected %saction", s->name, name,
			     matched, own);
	}
	return 0;
}

/* The kernel hands back what nobody claims without asking anybody. */
static int check_unclaimed(const struct check *c, const struct subject *s)
{
	const struct policy_rule *rule = s->rule;

	if (rule->modes != 1U << MODE_UNCLAIMED)
		return 0;
	if (rule->action == ACTION_KEEP || rule->action == ACTION_ASK)
		return wrong(c, blame(c, s, "action", "match-mode"),
			     "action = %s in %s, but what is unclaimed the kernel releases without "
			     "asking; expected action = free",
			     policy_action_to_string((enum policy_action)rule->action), s->name);
	if (rule->n_nodes)
		return wrong(c, blame(c, s, "match-node", "match-mode"),
			     "match-node in %s, but what is unclaimed is on no node; expected one "
			     "of them",
			     s->name);
	return 0;
}

/* Keys that say how something is done that the rule does not do. */
static int check_unused(const struct check *c, const struct subject *s)
{
	static const struct {
		const char *name;
		bool when_kept; /* else only when somebody is asked */
	} keys[] = { { "ask-timeout", false }, { "ask-outcome", false }, { "message", true } };
	bool asks = has_action(s->rule, ACTION_ASK), keeps = has_action(s->rule, ACTION_KEEP);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct config_place place = own_place(s, keys[i].name);

		if (!place.line || asks || (keys[i].when_kept && keeps))
			continue;
		if (keys[i].when_kept && !*s->settings->message)
			continue;
		return wrong(c, place, "%s in %s, but that %s; expected action = %s", keys[i].name,
			     s->name, keys[i].when_kept ? "keeps nothing" : "asks nobody",
			     keys[i].when_kept ? "keep or ask" : "ask");
	}
	return 0;
}

/* ---- which groups a rule is for ---- */

/*
 * A rule behind one that matches all it matches is never used. Only within a file: a drop-in is
 * there to stand in front of rules it does not know.
 */
static int check_reached(const struct check *c, size_t index)
{
	const struct policy_rule *rule = &c->policy->rules[index];
	const struct config_place place = c->places->rules[index].header;

	for (size_t i = c->policy->n_temporary; i < index; i++) {
		const struct policy_rule *before = &c->policy->rules[i];
		const struct config_place header = c->places->rules[i].header;

		if (header.line && header.file == place.file && rule_covers(before, rule))
			return wrong(c, place,
				     "rule \"%s\" is never used: rule \"%s\", at line %u, matches "
				     "all that it does; expected it before that",
				     rule->name, before->name, header.line);
	}
	return 0;
}

static int check_rule(const struct check *c, const struct subject *s)
{
	bool matches = false, changes = false;
	int r;

	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (rule_gives(s->rule, &config_keys[i])) {
			matches |= config_key_matches(&config_keys[i]);
			changes |= !config_key_matches(&config_keys[i]);
		}
	if (!matches)
		return wrong(c, s->own->header,
			     "%s matches by nothing; expected at least one match- key", s->name);
	if (!changes)
		return wrong(c, s->own->header,
			     "%s changes nothing; expected action or a key of [release]", s->name);
	r = check_modes(c, s);
	if (r == 0)
		r = check_unclaimed(c, s);
	if (r == 0)
		r = check_unused(c, s);
	return r;
}

int config_check(const struct policy *policy, const struct config_places *places,
		 struct config_place *ret_place, char **ret_what)
{
	struct check c = { policy, places, ret_place, ret_what };
	struct subject release = { "[release]", &policy->defaults, &places->release, NULL };
	int r;

	r = check_pairs(&c, &release);
	if (r == 0)
		r = check_holders(&c, &release);
	for (size_t i = 0; r == 0 && i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		struct subject s = { "", &rule->settings, &places->rules[i], rule };

		(void)snprintf(s.name, sizeof(s.name), "rule \"%s\"", rule->name);
		/* By itself a rule from before was good then, and is now. */
		if (s.own->header.line) {
			r = check_rule(&c, &s);
			if (r == 0)
				r = check_reached(&c, i);
		}
		if (r == 0)
			r = check_pairs(&c, &s);
		if (r == 0)
			r = check_holders(&c, &s);
	}
	return r;
}
