/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds a device, as a process or by a mount, and who of them may be ended. */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>

#include "decide.h"

/* What a glob is tried on; @size is of the array that the text came in. */
struct candidate {
	const char *text;
	size_t size;
};

/*
 * A text that fills its array may have been cut. What a pattern says of the end of it cannot be
 * told then, so only one that leaves that open counts. Unit names have backslashes of their own.
 */
static bool glob_matches(const char *pattern, const struct candidate *candidate)
{
	size_t n = strnlen(candidate->text, candidate->size), length = strlen(pattern);

	if (n == 0 || n == candidate->size)
		return false;
	if (n == candidate->size - 1 && pattern[length - 1] != '*')
		return false;
	return fnmatch(pattern, candidate->text, FNM_NOESCAPE) == 0;
}

static bool holder_matches(const char *pattern, const void *arg)
{
	const struct holder *holder = arg;
	const struct candidate unit = { holder->unit, sizeof(holder->unit) };
	const struct candidate cgroup = { holder->cgroup, sizeof(holder->cgroup) };

	return glob_matches(pattern, strchr(pattern, '/') ? &cgroup : &unit);
}

bool policy_may_terminate(const struct release_settings *settings, const struct holder *holder,
			  int32_t own_pid)
{
	return settings->holders == HOLDERS_TERMINATE && !holder->mounted && holder->pid > 1 &&
	       holder->pid != own_pid &&
	       list_matches(settings->terminate_units, holder_matches, holder);
}

/* "held open by process 4711 (postgres) of postgresql.service"; the texts may be unterminated. */
static void describe(const struct holder *holder, char *buf, size_t size)
{
	if (holder->mounted)
		text_format(buf, size, "mounted at %.*s (%.*s), seen from process %" PRId32,
			    (int)sizeof(holder->path), holder->path, (int)sizeof(holder->fstype),
			    holder->fstype, holder->pid);
	else
		text_format(buf, size, "%s by process %" PRId32 "%s%.*s%s%s%.*s",
			    holder->mapped ? "mapped" : "held open", holder->pid,
			    *holder->comm ? " (" : "", (int)sizeof(holder->comm), holder->comm,
			    *holder->comm ? ")" : "", *holder->unit ? " of " : "",
			    (int)sizeof(holder->unit), holder->unit);
}

static bool all_processes(const struct question *q, const struct dax_device *device)
{
	for (uint32_t i = 1; i < device->n_holders; i++)
		if (q->inv->holders[device->first_holder + i].mounted)
			return false;
	return true;
}

/* Nothing else is in the way: of the conditions holders are the last. */
static bool others_met(const struct question *q)
{
	for (unsigned kind = 0; kind < CONDITION_HOLDERS; kind++)
		if (q->ret->conditions[kind].outcome != OUTCOME_MET)
			return false;
	return true;
}

/*
 * "; 1 of the 2 holders is to be terminated (terminate-units)", "" if none is: who reads what a
 * configuration does must see that it ends somebody.
 */
static void describe_end(const struct question *q, char *buf, size_t size)
{
	const struct dax_device *device;
	uint32_t cursor = 0, n = 0, ended = 0;
	char who[48];

	while ((device = group_next_device(q->inv, q->group, &cursor))) {
		n += device->n_holders;
		for (uint32_t i = 0; i < device->n_holders; i++)
			ended += policy_may_terminate(&q->ret->settings,
						      &q->inv->holders[device->first_holder + i],
						      q->facts->own_pid);
	}
	*buf = '\0';
	if (ended == 0)
		return;
	if (n == 1)
		(void)str_copy(who, sizeof(who), "which is");
	else if (ended == n)
		(void)snprintf(who, sizeof(who), "all %" PRIu32 " holders are", n);
	else
		(void)snprintf(who, sizeof(who), "%" PRIu32 " of the %" PRIu32 " holders %s", ended,
			       n, ended == 1 ? "is" : "are");
	(void)snprintf(buf, size, "%s%s to be terminated%s (terminate-units)", n == 1 ? ", " : "; ",
		       who, others_met(q) ? "" : " when nothing else is in the way");
}

/* "/dev/dax0.1 is mapped by process 4711 (postgres) and 1 more process". */
static void held(const struct question *q, const struct dax_device *device, struct condition *c)
{
	unsigned n = device->n_holders - 1;
	usec_t deadline;
	char who[160], more[48] = "", end[128];

	describe(&q->inv->holders[device->first_holder], who, sizeof(who));
	if (n)
		(void)snprintf(more, sizeof(more), " and %u more %s", n,
			       all_processes(q, device) ? (n == 1 ? "process" : "processes")
							: (n == 1 ? "holder" : "holders"));
	/* Once they were waited for as long as they may, nobody is ended any more. */
	if (condition_expired(q, c, q->ret->settings.holders_wait, &deadline))
		*end = '\0';
	else
		describe_end(q, end, sizeof(end));
	if (q->ret->settings.holders == HOLDERS_REFUSE)
		condition_refuse(c, "holders = refuse", "/dev/%s is %s%s", device->name, who, more);
	else
		condition_wait(q, c, q->ret->settings.holders_wait, "holders-wait",
			       "/dev/%s is %s%s%s", device->name, who, more, end);
}

/* Who cannot be looked into may hold what is not system RAM, and would lose it. */
static void unseen(const struct question *q, const struct dax_device *device, struct condition *c)
{
	static const char hint[] = "\"ignore-unseen-processes = yes\" would take it for idle";
	unsigned n = q->inv->n_unseen;
	const char *plural = n == 1 ? "" : "es";

	condition_measured(c, "%u process%s not looked into", n, plural);
	if (q->ret->settings.holders == HOLDERS_REFUSE)
		condition_refuse(c, "holders = refuse",
				 "%u process%s cannot be looked into, so whether /dev/%s is in use "
				 "is not known; %s",
				 n, plural, device->name, hint);
	else
		condition_wait(q, c, q->ret->settings.holders_wait, "holders-wait",
			       "%u process%s cannot be looked into, so whether /dev/%s is in use "
			       "is not known; %s",
			       n, plural, device->name, hint);
}

void condition_holders(const struct question *q, struct condition *c)
{
	const struct dax_device *device, *first_held = NULL, *first_unseen = NULL;
	uint32_t cursor = 0, n = 0;

	while ((device = group_next_device(q->inv, q->group, &cursor))) {
		n += device->n_holders;
		if (device->n_holders && !first_held)
			first_held = device;
		if (device->mode != DAX_MODE_SYSTEM_RAM && !first_unseen)
			first_unseen = device;
	}
	condition_measured(c, "%u holder%s", n, n == 1 ? "" : "s");
	condition_limit(c, CONDITION_NO_LIMIT);
	if (first_held)
		held(q, first_held, c);
	else if (first_unseen && q->inv->n_unseen && !q->ret->settings.ignore_unseen)
		unseen(q, first_unseen, c);
	else
		condition_met(c, "nobody holds it");
}
