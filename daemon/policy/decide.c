/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decision about one group: pure, over an inventory, the policy, and what is known of the
 * request. Finds the rule, asks for what no waiting changes, then for the conditions, and puts
 * together what they say.
 */
#include <stdarg.h>

#include "util/escape.h"
#include "decide.h"

#define RAW_TEXT_MAX 1024 /* of a text before it is escaped and cut */

void text_vformat(char *buf, size_t size, const char *format, va_list ap)
{
	char raw[RAW_TEXT_MAX];

	(void)vsnprintf(raw, sizeof(raw), format, ap);
	(void)escape_text(raw, buf, size);
}

void text_format(char *buf, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	text_vformat(buf, size, format, ap);
	va_end(ap);
}

char *question_rule(const struct question *q, char buf[static RULE_WORDS_STRLEN])
{
	if (q->rule)
		(void)snprintf(buf, RULE_WORDS_STRLEN, "rule \"%s\"", q->rule->name);
	else
		(void)str_copy(buf, RULE_WORDS_STRLEN, "[release]");
	return buf;
}

void question_answer(const struct question *q, enum verdict verdict, const char *format, ...)
{
	va_list ap;

	q->ret->verdict = verdict;
	q->ret->permanent = verdict == VERDICT_REFUSE;
	va_start(ap, format);
	text_vformat(q->ret->reason, sizeof(q->ret->reason), format, ap);
	va_end(ap);
}

/* "/etc/dcdd/dcdd.conf:12": of a path that is too long, the end, which tells more. */
static void set_source(const struct policy *policy, const struct policy_rule *rule,
		       struct decision *ret)
{
	static const size_t room = sizeof(ret->rule_source) - sizeof(":4294967295");
	const char *path, *cut = "";
	size_t n;

	if (!rule)
		return;
	if (rule->temporary) {
		text_format(ret->rule_source, sizeof(ret->rule_source), "temporary, by %s",
			    *rule->who ? rule->who : "unknown");
		return;
	}
	if (rule->file >= policy->n_files)
		return;
	path = policy->files[rule->file];
	n = strlen(path);
	if (n > room) {
		cut = "...";
		path += n - (room - strlen(cut));
	}
	text_format(ret->rule_source, sizeof(ret->rule_source), "%s%s:%u", cut, path, rule->line);
}

static void grant(const struct question *q)
{
	uint32_t n_devices = 0, n_online = 0, cursor = 0;
	const struct dax_device *device, *first = NULL;
	char name[DEV_NAME_MAX + 32];

	while ((device = group_next_device(q->inv, q->group, &cursor))) {
		if (!first)
			first = device;
		n_devices++;
		n_online += device_online_blocks(q->inv, device);
	}
	if (n_devices == 1)
		(void)snprintf(name, sizeof(name), "%s (%s)", first->name,
			       dax_mode_to_string(first->mode));
	else
		(void)snprintf(name, sizeof(name), "its %u dax devices", n_devices);
	if (n_online)
		question_answer(q, VERDICT_FREE,
				"%s can be freed: %u memory block%s online, all in zone Movable",
				name, n_online, n_online == 1 ? " is" : "s are");
	else
		question_answer(q, VERDICT_FREE, "%s can be freed: no memory block is online",
				name);
}

/* Whether any holder of the group is to be ended by the settings in force. */
static bool may_terminate(const struct question *q)
{
	const struct dax_device *device;
	uint32_t cursor = 0;

	while ((device = group_next_device(q->inv, q->group, &cursor)))
		for (uint32_t i = 0; i < device->n_holders; i++)
			if (policy_may_terminate(&q->ret->settings,
						 &q->inv->holders[device->first_holder + i],
						 q->facts->own_pid))
				return true;
	return false;
}

/* Of these nobody tells when they change; the others end by time, or by what the daemon hears. */
#define UNSIGNALLED (1u << CONDITION_STATE | 1u << CONDITION_HEADROOM | 1u << CONDITION_HOLDERS)
#define DRAINING (1u << CONDITION_INHIBITORS | 1u << CONDITION_HOLDERS)

/*
 * A person's word, and the clock. As long as one of these is waited for, the others are shown but
 * do not count: what is busy at noon must not refuse what is for the night.
 */
#define GATES (1u << CONDITION_APPROVAL | 1u << CONDITION_WINDOW | 1u << CONDITION_RATE)

static bool is_gated(const struct decision *decision)
{
	for (unsigned i = 0; i < decision->n_conditions; i++)
		if (1u << decision->conditions[i].kind & GATES &&
		    decision->conditions[i].outcome == OUTCOME_WAIT)
			return true;
	return false;
}

static void add_wait(struct decision *ret, const struct condition *c)
{
	ret->deadline = MIN(ret->deadline, c->deadline);
	ret->again = MIN(ret->again, c->again);
	ret->again_wall = MIN(ret->again_wall, c->again_wall);
}

/* What the conditions come to: the first that refuses decides, else the first that waits. */
static void conclude(const struct question *q)
{
	struct decision *ret = q->ret;
	const struct condition *first = NULL;
	unsigned n_unmet = 0, unmet = 0;
	char more[48] = "";
	bool gated, permanent = false;

	for (unsigned i = 0; i < ret->n_conditions; i++) {
		const struct condition *c = &ret->conditions[i];

		if (c->outcome == OUTCOME_MET)
			continue;
		n_unmet++;
		permanent |= c->permanent;
		unmet |= 1u << c->kind;
		if (!first || c->outcome > first->outcome)
			first = c;
	}
	if (!first) {
		grant(q);
		return;
	}
	if (n_unmet > 1)
		(void)snprintf(more, sizeof(more), " (and %u more condition%s not met)",
			       n_unmet - 1, n_unmet == 2 ? " is" : "s are");
	question_answer(q, first->outcome == OUTCOME_REFUSE ? VERDICT_REFUSE : VERDICT_WAIT, "%s%s",
			first->text, more);
	ret->permanent = permanent;
	if (ret->verdict == VERDICT_REFUSE)
		return;
	gated = is_gated(ret);
	for (unsigned i = 0; i < ret->n_conditions; i++)
		if (ret->conditions[i].outcome == OUTCOME_WAIT &&
		    (!gated || 1u << ret->conditions[i].kind & GATES))
			add_wait(ret, &ret->conditions[i]);
	ret->unsignalled = !gated && unmet & UNSIGNALLED;
	ret->draining = !(unmet & ~DRAINING);
	ret->terminate = unmet == 1u << CONDITION_HOLDERS && may_terminate(q);
}

void policy_decide(const struct inventory *inv, const struct tag_group *group,
		   const struct policy *policy, const struct policy_facts *facts,
		   const struct policy_request *request, struct decision *ret)
{
	struct question q = {
		.inv = inv,
		.group = group,
		.rule = policy_match(inv, group, policy, request->origin),
		.facts = facts,
		.request = request,
		.ret = ret,
	};

	*ret = (struct decision){
		.settings = q.rule ? q.rule->settings : policy->defaults,
		.deadline = USEC_INFINITY,
		.again = USEC_INFINITY,
		.again_wall = USEC_INFINITY,
	};
	(void)str_copy(ret->rule, sizeof(ret->rule), q.rule ? q.rule->name : "default");
	set_source(policy, q.rule, ret);

	if (!question_feasible(&q))
		return;
	question_conditions(&q);
	conclude(&q);
}

void policy_request_update(struct policy_request *request, const struct decision *decision,
			   usec_t now)
{
	bool gated = is_gated(decision);

	/* Nobody claims it: who held it before is not who may hold it later. */
	if (decision->verdict == VERDICT_NOTHING)
		memset(request->since, 0, sizeof(request->since));
	for (unsigned i = 0; i < decision->n_conditions; i++) {
		const struct condition *c = &decision->conditions[i];
		usec_t *since = &request->since[c->kind];

		/*
		 * One that is met only because its time is over has a deadline still. It goes on
		 * counting from when it began, or it would hold the release once more while
		 * another condition does.
		 */
		if ((c->outcome == OUTCOME_MET && c->deadline == USEC_INFINITY) ||
		    (gated && !(1u << c->kind & GATES)))
			*since = 0;
		else if (*since == 0)
			*since = MAX(now, (usec_t)1); /* 0 means that it was met */
	}
	if (!decision->blocked || gated)
		request->blocked = 0;
	else if (request->blocked == 0)
		request->blocked = MAX(now, (usec_t)1);
}
