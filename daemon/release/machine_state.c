/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a request changes its state, waits, and ends; see machine_internal.h. */
#include "machine_internal.h"

#include <stdarg.h>

void machine_reason(struct release *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(r->reason, sizeof(r->reason), format, ap);
	va_end(ap);
}

void machine_enter(struct release *r, const struct machine_input *in, enum release_state state)
{
	if (r->state != state)
		r->entered = in->now;
	r->state = state;
	r->deadline = USEC_INFINITY;
	r->retry_wanted = state == RELEASE_READY;
}

unsigned machine_wait_for(struct release *r, enum release_wait wait, unsigned actions)
{
	r->wait = wait;
	return actions;
}

unsigned machine_yield(struct release *r)
{
	if (!r->turn)
		return 0;
	r->turn = false;
	return MACHINE_YIELD;
}

unsigned machine_wait_until(struct release *r, usec_t deadline)
{
	r->deadline = deadline;
	return machine_wait_for(r, WAIT_TIME, machine_yield(r));
}

/* Ends the request. @hold: how long further records of the group only count. */
unsigned machine_finish(struct release *r, const struct machine_input *in, enum release_state state,
			usec_t hold)
{
	machine_enter(r, in, state);
	r->hold_until = usec_add(in->now, hold);
	return machine_wait_for(r, WAIT_TIME, machine_yield(r) | MACHINE_FINISH);
}

/* "; dax0.1 is left, empty: Device or resource busy", for what could not be deleted. */
static void append_left(struct release *r)
{
	for (size_t i = 0; i < r->plan.forward.n; i++) {
		const struct step *step = &r->plan.forward.items[i];
		size_t n = strlen(r->reason);

		if (step->kind == STEP_DELETE && step->state == STEP_ERROR)
			(void)snprintf(r->reason + n, sizeof(r->reason) - n,
				       "; %s is left, empty: %s",
				       r->plan.devices[step->device].name, strerror(-step->error));
	}
}

unsigned machine_finish_gone(struct release *r, const struct machine_input *in)
{
	machine_reason(r, "the kernel released %llu bytes in %u extent%s",
		       (unsigned long long)r->bytes, r->n_extents, r->n_extents == 1 ? "" : "s");
	append_left(r);
	return machine_finish(r, in, RELEASE_RELEASED, 0);
}

unsigned machine_finish_vanished(struct release *r, const struct machine_input *in,
				 const char *while_what)
{
	machine_reason(r, "the extents went away by another hand while %s", while_what);
	return machine_finish(r, in, RELEASE_VANISHED, 0);
}

void machine_note_cause(struct release *r, uint32_t cause)
{
	if (r->cause != cause)
		r->same = 0;
	r->cause = cause;
}

/* Not now: the host is as it was. Tries again after a back-off, or gives up. */
unsigned machine_postpone(struct release *r, const struct machine_input *in, const char *why)
{
	/* Copied first: @why may be r->reason itself. */
	char text[RELEASE_REASON_MAX];
	usec_t wait;

	(void)str_copy(text, sizeof(text), why);
	r->tries++;
	r->same++;
	if (r->stopping) {
		machine_reason(r, "%.520s%s", text,
			       strstr(text, MACHINE_STOPPING) ? "" : "; " MACHINE_STOPPING);
		return machine_finish(r, in, RELEASE_REFUSED, 0);
	}
	if (r->tries > r->decision.settings.retries) {
		machine_reason(r, "%.520s; given up after %u %s", text, r->tries,
			       r->tries == 1 ? "try" : "tries");
		return machine_finish(r, in, RELEASE_REFUSED, in->policy->refuse_hold);
	}
	wait = machine_backoff(r, in, MAX(r->same, 1U));
	machine_enter(r, in, RELEASE_DEFERRED);
	r->world = in->inventory ? machine_world(r, in->inventory) : 0;
	machine_reason(r, "%.520s; next try in %.1f s (%u of %u)", text, (double)wait / 1e6,
		       r->tries, r->decision.settings.retries);
	return machine_wait_until(r, usec_add(in->now, wait));
}

unsigned machine_fail(struct release *r, const struct machine_input *in, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(r->failure, sizeof(r->failure), format, ap);
	va_end(ap);
	machine_enter(r, in, RELEASE_ROLLING_BACK);
	machine_reason(r, "%s", r->failure);
	r->rounds = 0;
	return machine_wait_for(r, WAIT_SCAN, MACHINE_SCAN);
}

/*
 * Extents go without any event, so after a record the outcome is looked at a few times, ever more
 * seldom; a kernel that has not acted by then will not.
 */
unsigned machine_wait_for_outcome(struct release *r, const struct machine_input *in)
{
	if (r->checks >= MACHINE_READY_CHECKS)
		return machine_wait_until(r, USEC_INFINITY);
	return machine_wait_until(r,
				  usec_add(in->now, in->policy->settle_time << (2 * r->checks++)));
}

/* The group is there, nothing claims it, and the kernel has had its time to release it. */
unsigned machine_become_ready(struct release *r, const struct machine_input *in)
{
	bool again = r->state == RELEASE_READY;
	const char *hint = in->hint ? in->hint : "";

	machine_enter(r, in, RELEASE_READY);
	if (again || (r->attempts == 0 && !r->recovered))
		machine_reason(r,
			       "free, but the kernel did not act on the device's last request; the "
			       "device must ask again%s%.150s",
			       hint[0] ? ": " : "", hint);
	else
		machine_reason(r,
			       "free; the kernel keeps no request, so the device must ask again");
	append_left(r);
	return machine_wait_for_outcome(r, in) | (again ? 0 : MACHINE_READY);
}
