/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state machine of a release request; see machine.h. */
#include "machine.h"

#include <assert.h>
#include <stdarg.h>

#include "plan.h"

static void set_reason(struct release *r, const char *format, ...) _printf_(2, 3);

static void set_reason(struct release *r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(r->reason, sizeof(r->reason), format, ap);
	va_end(ap);
}

static void enter(struct release *r, const struct machine_input *in, enum release_state state)
{
	if (r->state != state)
		r->entered = in->now;
	r->state = state;
	r->deadline = USEC_INFINITY;
	r->retry_wanted = state == RELEASE_READY;
}

static unsigned wait_for(struct release *r, enum release_wait wait, unsigned actions)
{
	r->wait = wait;
	return actions;
}

static unsigned yield(struct release *r)
{
	if (!r->turn)
		return 0;
	r->turn = false;
	return MACHINE_YIELD;
}

static unsigned wait_until(struct release *r, usec_t deadline)
{
	r->deadline = deadline;
	return wait_for(r, WAIT_TIME, yield(r));
}

/* Ends the request. @hold: how long further records of the group only count. */
static unsigned finish(struct release *r, const struct machine_input *in, enum release_state state,
		       usec_t hold)
{
	enter(r, in, state);
	r->hold_until = usec_add(in->now, hold);
	return wait_for(r, WAIT_TIME, yield(r) | MACHINE_FINISH);
}

static unsigned finish_gone(struct release *r, const struct machine_input *in)
{
	set_reason(r, "the kernel released %llu bytes in %u extents", (unsigned long long)r->bytes,
		   r->n_extents);
	return finish(r, in, RELEASE_RELEASED, 0);
}

static unsigned finish_vanished(struct release *r, const struct machine_input *in,
				const char *while_what)
{
	set_reason(r, "the extents went away by another hand while %s", while_what);
	return finish(r, in, RELEASE_VANISHED, 0);
}

static usec_t backoff(const struct release *r)
{
	const struct release_settings *s = &r->decision.settings;
	usec_t wait = s->backoff_initial;

	for (unsigned i = 1; i < r->tries && wait < s->backoff_max; i++)
		wait = usec_add(wait, wait);
	return MIN(wait, s->backoff_max);
}

/* Not now: the host is as it was. Tries again after a back-off, or gives up. */
static unsigned postpone(struct release *r, const struct machine_input *in, const char *why)
{
	/* Copied first: @why may be r->reason itself. */
	char text[RELEASE_REASON_MAX];
	usec_t wait;

	(void)str_copy(text, sizeof(text), why);
	r->tries++;
	if (r->stopping) {
		set_reason(r, "%.200s; dcdd is stopping", text);
		return finish(r, in, RELEASE_REFUSED, 0);
	}
	if (r->tries > r->decision.settings.retries) {
		set_reason(r, "%.200s; given up after %u %s", text, r->tries,
			   r->tries == 1 ? "try" : "tries");
		return finish(r, in, RELEASE_REFUSED, in->policy->refuse_hold);
	}
	wait = backoff(r);
	enter(r, in, RELEASE_DEFERRED);
	set_reason(r, "%.180s; next try in %.1f s (%u of %u)", text, (double)wait / 1e6, r->tries,
		   r->decision.settings.retries);
	return wait_until(r, usec_add(in->now, wait));
}

/* The attempt has failed: put everything back, beginning with a look at what there is. */
static unsigned fail(struct release *r, const struct machine_input *in, const char *format, ...)
	_printf_(3, 4);

static unsigned fail(struct release *r, const struct machine_input *in, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(r->failure, sizeof(r->failure), format, ap);
	va_end(ap);
	enter(r, in, RELEASE_ROLLING_BACK);
	set_reason(r, "%s", r->failure);
	r->rounds = 0;
	return wait_for(r, WAIT_SCAN, MACHINE_SCAN);
}

static bool step_detaches(const struct step *step)
{
	return step->kind >= STEP_UNBIND && step->kind <= STEP_DELETE;
}

struct step *machine_step(struct release *r)
{
	struct steps *steps = r->state == RELEASE_ROLLING_BACK ? &r->plan.back : &r->plan.forward;

	assert(steps->cursor < steps->n);
	return &steps->items[steps->cursor];
}

/* block-timeout is for one block; the atomic steps do all of a device in one write. */
static usec_t step_timeout(const struct release *r, const struct step *step)
{
	usec_t limit = r->decision.settings.block_timeout, sum = 0;

	if (step->kind != STEP_UNPLUG && step->kind != STEP_PLUG)
		return limit;
	for (size_t i = 0; i < r->plan.n_blocks; i++)
		if (r->plan.blocks[i].device == step->device)
			sum = usec_add(sum, limit);
	return MAX(sum, limit);
}

static unsigned run_step(struct release *r, const struct machine_input *in)
{
	char text[STEP_TEXT_MAX];
	struct step *step = machine_step(r);

	if (!r->turn) /* lost to a step that was stuck in the kernel */
		return wait_for(r, WAIT_TURN, MACHINE_TURN);
	step->state = STEP_RUNNING;
	r->cancelled = r->stuck = false;
	r->deadline = usec_add(in->now, step_timeout(r, step));
	if (r->state == RELEASE_OFFLINING)
		r->deadline = MIN(r->deadline,
				  usec_add(r->started, r->decision.settings.release_timeout));
	if (r->state == RELEASE_ROLLING_BACK)
		set_reason(r, "%.150s; putting back %s", r->failure,
			   plan_step_text(&r->plan, step, text));
	else
		set_reason(r, "%s", plan_step_text(&r->plan, step, text));
	return wait_for(r, WAIT_STEP, MACHINE_STEP);
}

/* Goes on with the forward step at the cursor, looking at the host before the first that detaches
 * and behind the last. */
static unsigned advance(struct release *r, const struct machine_input *in)
{
	const struct steps *steps = &r->plan.forward;

	if (steps->cursor == steps->n)
		return wait_for(r, WAIT_SCAN, MACHINE_SCAN);
	if (r->state == RELEASE_OFFLINING && step_detaches(&steps->items[steps->cursor])) {
		enter(r, in, RELEASE_DETACHING);
		set_reason(r, "all memory is offline; looking again before it is detached");
		return wait_for(r, WAIT_SCAN, MACHINE_SCAN);
	}
	return run_step(r, in);
}

static unsigned start(struct release *r, const struct machine_input *in,
		      const struct tag_group *group)
{
	int error;

	plan_done(&r->plan);
	error = plan_build(in->inventory, group, &r->decision.settings, &r->plan);
	if (error < 0) {
		set_reason(r, "cannot plan the release: %s", strerror(-error));
		return postpone(r, in, r->reason);
	}
	r->attempts++;
	r->started = in->now;
	enter(r, in, RELEASE_OFFLINING);
	return advance(r, in);
}

/*
 * Extents go without any event, so after a record the outcome is looked at a few times, ever more
 * seldom; a kernel that has not acted by then will not.
 */
static unsigned wait_for_outcome(struct release *r, const struct machine_input *in)
{
	if (r->checks >= MACHINE_READY_CHECKS)
		return wait_until(r, USEC_INFINITY);
	return wait_until(r, usec_add(in->now, in->policy->settle_time << (2 * r->checks++)));
}

/* The group is there, nothing claims it, and the kernel has had its time to release it. */
static unsigned become_ready(struct release *r, const struct machine_input *in)
{
	bool again = r->state == RELEASE_READY;
	const char *hint = in->hint ? in->hint : "";

	enter(r, in, RELEASE_READY);
	if (again || r->attempts == 0)
		set_reason(r,
			   "free, but the kernel did not act on the device's last request; the "
			   "device must ask again%s%.150s",
			   hint[0] ? ": " : "", hint);
	else
		set_reason(r, "free; the kernel keeps no request, so the device must ask again");
	return wait_for_outcome(r, in) | (again ? 0 : MACHINE_READY);
}

static unsigned decide(struct release *r, const struct machine_input *in,
		       const struct tag_group *group)
{
	policy_decide(in->inventory, group, in->policy, &r->decision);

	switch (r->decision.verdict) {
	case VERDICT_NOTHING:
		if (in->now >= r->settle_end)
			return become_ready(r, in);
		set_reason(r, "nothing claims the group: the kernel releases it by itself");
		return wait_until(r, r->settle_end);
	case VERDICT_REFUSE:
		set_reason(r, "%s", r->decision.reason);
		return finish(r, in, RELEASE_REFUSED, in->policy->refuse_hold);
	case VERDICT_WAIT:
		return postpone(r, in, r->decision.reason);
	case VERDICT_FREE:
		if (r->stopping)
			return postpone(r, in, "not begun");
		if (r->turn)
			return start(r, in, group);
		set_reason(r, "to be freed by rule %s; waiting for its turn", r->decision.rule);
		return wait_for(r, WAIT_TURN, MACHINE_TURN);
	case _VERDICT_MAX:
		break;
	}
	assert(!"unknown verdict");
	return 0;
}

static unsigned back_scanned(struct release *r, const struct machine_input *in,
			     const struct tag_group *group)
{
	char why[RELEASE_REASON_MAX / 2];
	char text[RELEASE_REASON_MAX];
	int n;

	/*
	 * A step that failed may have done its work all the same, or another hand did it: free is
	 * as whole as before, and nothing is gained by claiming it once more.
	 */
	if (tag_group_is_free(in->inventory, group, NULL))
		return become_ready(r, in);
	n = plan_build_back(&r->plan, in->inventory, r->rounds, why, sizeof(why));
	if (n == 0) {
		r->plan.blocks_offline = 0;
		(void)snprintf(text, sizeof(text), "%.150s; everything is as before", r->failure);
		return postpone(r, in, text);
	}
	if (n < 0 || r->plan.back.n == 0 || r->rounds >= MACHINE_BACK_ROUNDS) {
		set_reason(r, "%.110s; roll-back failed: %.100s", r->failure,
			   n < 0 ? strerror(-n) : why);
		return finish(r, in, RELEASE_FAILED, USEC_INFINITY);
	}
	r->rounds++;
	return run_step(r, in);
}

/* Whether the group is not free, and what keeps it. */
static bool in_use(const struct inventory *inv, const struct tag_group *group, char *ret_why,
		   size_t size)
{
	uint64_t leftover;
	uint32_t device;

	if (tag_group_is_free(inv, group, &leftover))
		return false;
	if (tag_group_devices(inv, group, &device, 1) > 0)
		(void)snprintf(ret_why, size, "%s claims it", inv->devices[device].name);
	else
		(void)snprintf(ret_why, size,
			       "memory%llu is in use although no device claims it any more",
			       (unsigned long long)leftover);
	return true;
}

static unsigned detach_scanned(struct release *r, const struct machine_input *in,
			       const struct tag_group *group)
{
	char why[RELEASE_REASON_MAX / 2];

	if (r->plan.forward.cursor < r->plan.forward.n) {
		if (r->stopping)
			return fail(r, in, "dcdd is stopping");
		if (plan_check_detach(&r->plan, in->inventory, group, why, sizeof(why)) < 0)
			return fail(r, in, "not detached: %s", why);
		return run_step(r, in);
	}
	if (in_use(in->inventory, group, why, sizeof(why))) {
		/* Freed, and in use again right away. Nothing is left to roll back. */
		set_reason(r, "in use again as soon as it was free: %s", why);
		return postpone(r, in, r->reason);
	}
	return become_ready(r, in);
}

static unsigned ready_scanned(struct release *r, const struct machine_input *in,
			      const struct tag_group *group)
{
	char why[RELEASE_REASON_MAX / 2];

	if (in_use(in->inventory, group, why, sizeof(why))) {
		if (r->last_record > r->entered &&
		    in->now < usec_add(r->last_record, in->policy->refuse_hold)) {
			/* The device asked again just now, and somebody was quicker. */
			enter(r, in, RELEASE_REQUESTED);
			return decide(r, in, group);
		}
		set_reason(r, "in use again before the device asked for it: %s", why);
		return finish(r, in, RELEASE_REFUSED, 0);
	}
	if (r->wait != WAIT_SCAN)
		return 0; /* somebody else's scan; ours comes at the deadline */
	if (r->last_record > r->entered && in->now >= r->settle_end)
		return become_ready(r, in);
	return wait_for_outcome(r, in);
}

/* Looks the group up in the newest inventory, and keeps what is told of it when it is gone. */
static int find_group(struct release *r, const struct machine_input *in, struct tag_group *ret)
{
	int found = inventory_find_group(in->inventory, &r->key, &r->dpa, ret);

	if (found < 0)
		return found;
	r->bytes = tag_group_bytes(in->inventory, ret);
	r->n_extents = ret->n_extents;
	(void)str_copy(r->region, sizeof(r->region), in->inventory->regions[ret->region].name);
	return 0;
}

unsigned machine_scanned(struct release *r, const struct machine_input *in)
{
	struct tag_group group;
	int found;

	if (release_state_is_final(r->state) || r->wait == WAIT_STEP)
		return 0;

	found = find_group(r, in, &group);
	if (r->wait == WAIT_TURN && (found == 0 || r->state != RELEASE_REQUESTED))
		return 0; /* looked at again when it has the turn */
	if (found < 0 && found != -ENOENT) {
		set_reason(r, "its region or memory device is gone");
		return finish(r, in, RELEASE_VANISHED, 0);
	}

	switch (r->state) {
	case RELEASE_REQUESTED:
		return found < 0 ? finish_gone(r, in) : decide(r, in, &group);
	case RELEASE_DEFERRED:
		if (found < 0)
			return finish_gone(r, in);
		return 0;
	case RELEASE_DETACHING:
		if (found < 0 && r->plan.forward.cursor < r->plan.forward.n)
			return finish_vanished(r, in, "memory was offline");
		return found < 0 ? finish_gone(r, in) : detach_scanned(r, in, &group);
	case RELEASE_READY:
		return found < 0 ? finish_gone(r, in) : ready_scanned(r, in, &group);
	case RELEASE_ROLLING_BACK:
		if (found < 0)
			return finish_vanished(r, in, "it was being rolled back");
		return r->wait == WAIT_SCAN ? back_scanned(r, in, &group) : 0;
	default:
		return 0;
	}
}

/* The newest inventory if it is fresh, else waits for one. */
static unsigned scan_or_go(struct release *r, const struct machine_input *in)
{
	r->wait = WAIT_SCAN;
	r->deadline = USEC_INFINITY;
	if (in->inventory && usec_add(in->inventory->taken, MACHINE_FRESH_USEC) > in->now)
		return machine_scanned(r, in);
	return MACHINE_SCAN;
}

unsigned machine_begin(struct release *r, const struct machine_input *in)
{
	struct tag_group group;

	enter(r, in, RELEASE_REQUESTED);
	r->entered = in->now;
	if (in->inventory)
		(void)find_group(r, in, &group);
	r->settle_end = usec_add(in->now, in->policy->settle_time);
	set_reason(r, "the device asked for it");
	/* Not scan_or_go(): claims come without any event, the inventory may miss one. */
	return wait_for(r, WAIT_SCAN, MACHINE_SCAN);
}

unsigned machine_record(struct release *r, const struct machine_input *in, uint64_t records,
			usec_t traced)
{
	r->records += records;
	r->last_record = MAX(r->last_record, traced);
	if (r->state != RELEASE_READY && r->state != RELEASE_REQUESTED)
		return 0;
	/* Not pushed on by each record: one that repeats itself all the time is answered, too. */
	if (in->now >= r->settle_end)
		r->settle_end = usec_add(in->now, in->policy->settle_time);
	r->checks = 0;
	/* Sooner, never later: a stream of records must not push the look at the outcome away. */
	if (r->state == RELEASE_READY && r->wait == WAIT_TIME)
		r->deadline = MIN(r->deadline, r->settle_end);
	return 0;
}

unsigned machine_turn(struct release *r, const struct machine_input *in)
{
	r->turn = true;
	return scan_or_go(r, in);
}

/* Another hand was quicker with what the step takes offline: so roll-back must leave it. */
static void forget_blocks(struct release *r, const struct step *step)
{
	for (size_t i = 0; i < r->plan.n_blocks; i++) {
		struct plan_block *block = &r->plan.blocks[i];

		if (step->kind == STEP_OFFLINE_BLOCK
			    ? block->number == step->block
			    : step->kind == STEP_UNPLUG && block->device == step->device)
			block->state = BLOCK_OFFLINE;
	}
}

static void count_offline(struct release *r, const struct step *step)
{
	if (step->kind == STEP_OFFLINE_BLOCK)
		r->plan.blocks_offline++;
	if (step->kind != STEP_UNPLUG)
		return;
	for (size_t i = 0; i < r->plan.n_blocks; i++)
		if (r->plan.blocks[i].device == step->device)
			r->plan.blocks_offline++;
}

/* The kernel said yes; does the object say so too? */
static int verify_step(const struct step *step, const struct worker_reply *reply)
{
	const char *want = NULL;

	if (step->kind == STEP_OFFLINE_BLOCK)
		want = "offline";
	else if (step->kind == STEP_UNPLUG)
		want = "unplugged";
	else if (step->kind == STEP_SIZE_ZERO && reply->after[0])
		want = "0"; /* the whole device may be gone by now, which is as good */
	return want && !streq(reply->after, want) ? -EAGAIN : 0;
}

static bool release_timed_out(const struct release *r, const struct machine_input *in)
{
	return r->state == RELEASE_OFFLINING &&
	       in->now >= usec_add(r->started, r->decision.settings.release_timeout);
}

static unsigned forward_done(struct release *r, const struct machine_input *in, struct step *step,
			     const struct worker_reply *reply, int error)
{
	char text[STEP_TEXT_MAX];
	bool was_stuck = r->stuck;

	if (error == -EALREADY || (step->kind == STEP_OFFLINE_BLOCK && error == -EINVAL &&
				   streq(reply->after, "offline"))) {
		step->state = STEP_SKIPPED;
		forget_blocks(r, step);
		error = 0;
	} else if (error == 0) {
		error = verify_step(step, reply);
		step->state = error < 0 ? STEP_ERROR : STEP_DONE;
	}
	if (error < 0)
		step->state = STEP_ERROR;
	/* The group is free without the deletion too; a device of size 0 harms nobody. */
	if (error < 0 && step->kind != STEP_DELETE) {
		(void)plan_step_text(&r->plan, step, text);
		if (r->stopping && error == -EINTR)
			return fail(r, in, "dcdd is stopping");
		if (r->cancelled && release_timed_out(r, in))
			return fail(r, in, "release-timeout of %.1f s is over, in %s",
				    (double)r->decision.settings.release_timeout / 1e6, text);
		if (r->cancelled)
			return fail(r, in, "%s: timed out after %.1f s", text,
				    (double)reply->elapsed / 1e6);
		return fail(r, in, "%s: %s%s%.100s", text, strerror(-error),
			    reply->message[0] ? ": " : "", reply->message);
	}
	count_offline(r, step);
	r->plan.forward.cursor++;
	if (was_stuck)
		return fail(r, in, "%s: was stuck in the kernel",
			    plan_step_text(&r->plan, step, text));
	if (r->state == RELEASE_OFFLINING) {
		if (r->stopping)
			return fail(r, in, "dcdd is stopping");
		if (release_timed_out(r, in))
			return fail(r, in, "release-timeout of %.1f s is over",
				    (double)r->decision.settings.release_timeout / 1e6);
	}
	return advance(r, in);
}

static unsigned back_done(struct release *r, const struct machine_input *in, struct step *step,
			  int error)
{
	struct steps *back = &r->plan.back;
	bool errors = false;

	if (error == -EALREADY)
		step->state = STEP_SKIPPED;
	else
		step->state = error < 0 ? STEP_ERROR : STEP_DONE;
	if (++back->cursor < back->n)
		return run_step(r, in);

	for (size_t i = 0; i < back->n; i++)
		errors |= back->items[i].state == STEP_ERROR;
	if (errors && r->rounds > 1) {
		/* What fails twice in a row is given time, the executor stays with us meanwhile. */
		r->deadline = usec_add(in->now, 250 * USEC_PER_MSEC << MIN(r->rounds, 2U));
		return wait_for(r, WAIT_TIME, 0);
	}
	return wait_for(r, WAIT_SCAN, MACHINE_SCAN);
}

unsigned machine_step_done(struct release *r, const struct machine_input *in,
			   const struct worker_reply *reply)
{
	struct step *step = machine_step(r);

	assert(r->wait == WAIT_STEP);
	step->error = reply->error;
	step->elapsed = reply->elapsed;
	r->deadline = USEC_INFINITY;
	if (r->state == RELEASE_ROLLING_BACK)
		return back_done(r, in, step, reply->error);
	return forward_done(r, in, step, reply, reply->error);
}

static usec_t cancel_grace(const struct step *step)
{
	return step->kind == STEP_UNPLUG || step->kind == STEP_PLUG ? MACHINE_ATOMIC_GRACE_USEC
								    : MACHINE_CANCEL_GRACE_USEC;
}

unsigned machine_deadline(struct release *r, const struct machine_input *in)
{
	char text[STEP_TEXT_MAX];

	r->deadline = USEC_INFINITY;
	if (r->wait == WAIT_TIME) {
		if (r->state == RELEASE_DEFERRED)
			enter(r, in, RELEASE_REQUESTED);
		return wait_for(r, WAIT_SCAN, MACHINE_SCAN);
	}
	if (r->wait != WAIT_STEP)
		return 0;

	(void)plan_step_text(&r->plan, machine_step(r), text);
	if (!r->cancelled) {
		r->cancelled = true;
		r->deadline = usec_add(in->now, cancel_grace(machine_step(r)));
		set_reason(r, "%s: timed out, interrupting it", text);
		return MACHINE_CANCEL;
	}
	if (r->stuck)
		return 0;
	r->stuck = true;
	r->turn = false;
	set_reason(r, "%s: the kernel does not let go of it; waiting, nothing else is done", text);
	return MACHINE_ABANDON;
}

unsigned machine_stop(struct release *r, const struct machine_input *in)
{
	r->stopping = true;
	if (r->state != RELEASE_OFFLINING || r->wait != WAIT_STEP || r->cancelled)
		return 0;
	r->cancelled = true;
	r->deadline = usec_add(in->now, cancel_grace(machine_step(r)));
	return MACHINE_CANCEL;
}
