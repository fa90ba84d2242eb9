/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conditions of a release: what all of them have in common, and those that look at the clock,
 * at people and at what was freed before.
 */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>

#include "util/escape.h"
#include "decide.h"
#include "parse_value.h"

void condition_measured(struct condition *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	text_vformat(c->measured, sizeof(c->measured), format, ap);
	va_end(ap);
}

void condition_limit(struct condition *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	text_vformat(c->limit, sizeof(c->limit), format, ap);
	va_end(ap);
}

void condition_met(struct condition *c, const char *format, ...)
{
	va_list ap;

	c->outcome = OUTCOME_MET;
	va_start(ap, format);
	text_vformat(c->text, sizeof(c->text), format, ap);
	va_end(ap);
}

/* The sentence, cut so that @why fits behind it: that is what a person can change. */
static void set_text(struct condition *c, const char *why, const char *format, va_list ap)
	_printf_(3, 0);

static void set_text(struct condition *c, const char *why, const char *format, va_list ap)
{
	size_t n = strlen(why), room = sizeof(c->text) - n;

	text_vformat(c->text, room, format, ap);
	memcpy(c->text + strlen(c->text), why, n + 1);
}

void condition_refuse(struct condition *c, const char *why, const char *format, ...)
{
	char tail[64] = "";
	va_list ap;

	if (*why)
		(void)snprintf(tail, sizeof(tail), "; %s", why);
	c->outcome = OUTCOME_REFUSE;
	va_start(ap, format);
	set_text(c, tail, format, ap);
	va_end(ap);
}

bool condition_expired(const struct question *q, const struct condition *c, usec_t wait,
		       usec_t *ret_deadline)
{
	usec_t now = q->facts->now, since = q->request->since[c->kind];

	if (c->kind == CONDITION_INHIBITORS && q->ret->blocked)
		since = q->request->blocked;
	*ret_deadline = usec_add(since ? since : now, wait);
	return *ret_deadline != USEC_INFINITY && now >= *ret_deadline;
}

void condition_wait(const struct question *q, struct condition *c, usec_t wait, const char *key,
		    const char *format, ...)
{
	char tail[96], value[VALUE_STRLEN];
	va_list ap;

	c->outcome = OUTCOME_WAIT;
	if (condition_expired(q, c, wait, &c->deadline)) {
		c->outcome = OUTCOME_REFUSE;
		if (wait)
			(void)snprintf(tail, sizeof(tail), "; waited %s (%s)",
				       format_time(wait, value), key);
		else
			(void)snprintf(tail, sizeof(tail), "; not waited for (%s = 0)", key);
	} else if (wait == USEC_INFINITY) {
		(void)snprintf(tail, sizeof(tail), "; waits without an end (%s)", key);
	} else {
		(void)snprintf(tail, sizeof(tail), "; waits at most %s (%s)",
			       format_time(wait, value), key);
	}
	va_start(ap, format);
	set_text(c, tail, format, ap);
	va_end(ap);
}

/* The first device about which somebody is to be asked, NULL if there is none. */
static const struct dax_device *asked_device(const struct question *q)
{
	const struct dax_device *device;
	uint32_t cursor = 0;

	while ((device = group_next_device(q->inv, q->group, &cursor)))
		if (device->mode < DAX_MODE_OTHER &&
		    q->ret->settings.action[device->mode] == ACTION_ASK)
			return device;
	return NULL;
}

void condition_approval(const struct question *q, struct condition *c)
{
	const struct release_settings *s = &q->ret->settings;
	const struct dax_device *device = asked_device(q);
	const char *answer = q->request->answer;
	char rule[RULE_WORDS_STRLEN], timeout[VALUE_STRLEN];
	usec_t deadline;

	condition_measured(c, "%s", approval_to_string(q->request->approval));
	condition_limit(c, device ? "given" : CONDITION_NO_LIMIT);
	/* Nobody need have been asked to say no. */
	if (q->request->approval == APPROVAL_DENIED) {
		condition_refuse(c, "", "an administrator denied it%s%s", *answer ? ": " : "",
				 answer);
		return;
	}
	if (!device) {
		condition_met(c, "nobody needs to be asked");
		return;
	}
	if (q->request->approval == APPROVAL_GIVEN) {
		condition_met(c, "an administrator approved it%s%s", *answer ? ": " : "", answer);
		return;
	}
	if (s->ask_outcome == ACTION_FREE && condition_expired(q, c, s->ask_timeout, &deadline)) {
		c->deadline = deadline;
		condition_met(c, "nobody answered within %s (ask-timeout), and ask-outcome = free",
			      format_time(s->ask_timeout, timeout));
		return;
	}
	condition_wait(q, c, s->ask_timeout, "ask-timeout",
		       "%s asks for approval before %s (%s) is freed%s%s", question_rule(q, rule),
		       device->name, dax_mode_to_string(device->mode), *s->message ? ": " : "",
		       s->message);
}

void condition_window(const struct question *q, struct condition *c)
{
	const struct time_windows *windows = &q->ret->settings.windows;
	char text[TIME_WINDOWS_STRLEN], opens_text[64] = "";
	usec_t opens = USEC_INFINITY;
	struct tm tm;
	time_t t;

	if (windows->n == 0) {
		condition_measured(c, "open");
		condition_limit(c, CONDITION_NO_LIMIT);
		condition_met(c, "it may begin at any time");
		return;
	}
	(void)time_windows_format(windows, text);
	condition_limit(c, "%s", text);
	if (time_windows_open(windows, q->facts->realtime, &opens)) {
		condition_measured(c, "open");
		condition_met(c, "a time window is open");
		return;
	}
	condition_measured(c, "closed");
	c->again_wall = opens;
	t = (time_t)(opens / USEC_PER_SEC);
	if (opens == USEC_INFINITY || !localtime_r(&t, &tm) ||
	    strftime(opens_text, sizeof(opens_text), "%a %Y-%m-%d %H:%M %Z", &tm) == 0)
		(void)str_copy(opens_text, sizeof(opens_text), "in more than two weeks");
	condition_wait(q, c, q->ret->settings.windows_wait, "windows-wait",
		       "no time window is open, the next opens %s (windows = %s)", opens_text,
		       text);
}

/* Of those whose scope the group is in: the first of that mode, and *@n counts them. */
static const struct inhibitor *find_inhibitor(const struct question *q, enum inhibit_mode mode,
					      unsigned *n)
{
	const struct inhibitor *first = NULL;
	char tag[TAG_STRLEN + 1];

	(void)group_tag_text(q->inv, q->group, tag);
	for (size_t i = 0; i < q->facts->n_inhibitors; i++) {
		const struct inhibitor *inhibitor = &q->facts->inhibitors[i];

		if (inhibitor->mode != mode || fnmatch(inhibitor->scope, tag, FNM_CASEFOLD) != 0)
			continue;
		if (!first)
			first = inhibitor;
		(*n)++;
	}
	return first;
}

void condition_inhibitors(const struct question *q, struct condition *c)
{
	const struct release_settings *s = &q->ret->settings;
	const struct inhibitor *block, *delay, *by;
	unsigned n_block = 0, n_delay = 0;
	char process[32] = "", more[32] = "", value[VALUE_STRLEN];

	block = find_inhibitor(q, INHIBIT_BLOCK, &n_block);
	delay = find_inhibitor(q, INHIBIT_DELAY, &n_delay);
	by = block ? block : delay;
	q->ret->blocked = block != NULL;
	condition_measured(c, "%u block, %u delay", n_block, n_delay);
	condition_limit(c, CONDITION_NO_LIMIT);
	if (!by) {
		condition_met(c, "nobody holds it back");
		return;
	}
	if (by->pid > 0)
		(void)snprintf(process, sizeof(process), " (process %" PRId32 ")", by->pid);
	if (!block && condition_expired(q, c, s->inhibit_delay_max, &c->deadline)) {
		condition_met(c, "%s%s delayed it for %s (inhibit-delay-max)", by->who, process,
			      format_time(s->inhibit_delay_max, value));
		return;
	}
	if (n_block + n_delay > 1)
		(void)snprintf(more, sizeof(more), " and %u more", n_block + n_delay - 1);
	condition_wait(q, c, block ? s->inhibit_wait : s->inhibit_delay_max,
		       block ? "inhibit-wait" : "inhibit-delay-max", "%s by %s%s%s: %s",
		       block ? "blocked" : "delayed", by->who, process, more, by->why);
}

void question_conditions(const struct question *q)
{
	static const condition_check_t checks[_CONDITION_MAX] = {
		[CONDITION_STATE] = condition_state,
		[CONDITION_APPROVAL] = condition_approval,
		[CONDITION_WINDOW] = condition_window,
		[CONDITION_RATE] = condition_rate,
		[CONDITION_RESERVE] = condition_reserve,
		[CONDITION_HEADROOM] = condition_headroom,
		[CONDITION_PRESSURE] = condition_pressure,
		[CONDITION_INHIBITORS] = condition_inhibitors,
		[CONDITION_HOLDERS] = condition_holders,
	};

	for (unsigned kind = 0; kind < _CONDITION_MAX; kind++) {
		struct condition *c = &q->ret->conditions[kind];

		*c = (struct condition){
			.kind = (enum condition_kind)kind,
			.outcome = OUTCOME_MET,
			.deadline = USEC_INFINITY,
			.again = USEC_INFINITY,
			.again_wall = USEC_INFINITY,
		};
		checks[kind](q, c);
	}
	q->ret->n_conditions = _CONDITION_MAX;
}
