/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state machine of a release request: what happens to it, and what follows; see machine.h. */
#include "machine_internal.h"

#include <assert.h>

#include "plan.h"

static unsigned start(struct release *r, const struct machine_input *in,
		      const struct tag_group *group)
{
	int error;

	plan_done(&r->plan);
	error = plan_build(in->inventory, group, &r->decision.settings, &r->plan);
	if (error < 0) {
		machine_note_cause(r, (uint32_t)-error);
		machine_reason(r, "cannot plan the release: %s", strerror(-error));
		return machine_postpone(r, in, r->reason);
	}
	if (in->policy->dry_run) {
		machine_reason(r, "dry run: would free it in %zu steps: %.460s", r->plan.forward.n,
			       r->decision.reason);
		return machine_finish(r, in, RELEASE_REFUSED, in->policy->refuse_hold) |
		       MACHINE_WOULD;
	}
	r->attempts++;
	r->finishing = false;
	r->started = in->now;
	machine_enter(r, in, RELEASE_OFFLINING);
	return machine_advance(r, in);
}

/* @look: the inventory has just come; else something that decisions look at besides has changed. */
static unsigned decide(struct release *r, const struct machine_input *in,
		       const struct tag_group *group, bool look)
{
	assert(in->facts);
	policy_decide(in->inventory, group, in->policy, in->facts, &r->request, &r->decision);
	policy_request_update(&r->request, &r->decision, in->now);

	switch (r->decision.verdict) {
	case VERDICT_NOTHING:
		if (in->now >= r->settle_end)
			return machine_become_ready(r, in);
		machine_reason(r, "nothing claims the group: the kernel releases it by itself");
		return machine_wait_until(r, r->settle_end);
	case VERDICT_REFUSE:
		machine_reason(r, "%s", r->decision.reason);
		/* Not for good on the strength of an old look. */
		if (!look)
			return machine_wait_for(r, WAIT_SCAN, MACHINE_SCAN | machine_yield(r));
		return machine_finish(r, in, RELEASE_REFUSED, in->policy->refuse_hold);
	case VERDICT_WAIT:
		return machine_hold(r, in, look);
	case VERDICT_FREE:
		if (r->stopping)
			return machine_postpone(r, in, "not begun");
		if (r->turn)
			return start(r, in, group);
		if (r->state != RELEASE_REQUESTED)
			machine_enter(r, in, RELEASE_REQUESTED);
		machine_reason(r, "to be freed by rule %s; waiting for its turn", r->decision.rule);
		return machine_wait_for(r, WAIT_TURN, MACHINE_TURN);
	case _VERDICT_MAX:
		break;
	}
	assert(!"unknown verdict");
	return 0;
}

/*
 * The undo journal took long to become durable: what was decided on may have changed since. Nothing
 * has been touched yet.
 */
static unsigned look_again(struct release *r, const struct machine_input *in,
			   const struct tag_group *group)
{
	struct decision decision;

	if (r->stopping)
		return machine_fail(r, in, MACHINE_STOPPING);
	policy_decide(in->inventory, group, in->policy, in->facts, &r->request, &decision);
	if (decision.verdict == VERDICT_FREE)
		return machine_advance(r, in);
	/* Once is bad luck; then it counts as a try, so that it ends some time. */
	if (r->backed_out++ > 0)
		return machine_fail(r, in, "not begun, the undo journal took %.1f s: %s",
				    (double)(in->now - r->started) / 1e6, decision.reason);
	r->attempts--;
	plan_done(&r->plan);
	machine_enter(r, in, RELEASE_REQUESTED);
	return decide(r, in, group, true);
}

/*
 * Whether the group is not free, and what keeps it. *@ret_leaked: nobody claims it, so what is in
 * use of it would be handed back by the kernel all the same, and has to be claimed again.
 */
static bool in_use(const struct inventory *inv, const struct tag_group *group, bool *ret_leaked,
		   char *ret_why, size_t size)
{
	uint64_t leftover;
	uint32_t device;

	if (tag_group_is_free(inv, group, &leftover))
		return false;
	*ret_leaked = tag_group_devices(inv, group, &device, 1) == 0;
	if (*ret_leaked)
		(void)snprintf(ret_why, size,
			       "memory%llu is in use although no device claims it any more",
			       (unsigned long long)leftover);
	else
		(void)snprintf(ret_why, size, "%s claims it", inv->devices[device].name);
	return true;
}

static unsigned detach_scanned(struct release *r, const struct machine_input *in,
			       const struct tag_group *group)
{
	char why[RELEASE_REASON_MAX / 2];
	bool leaked = false;

	if (r->plan.forward.cursor < r->plan.forward.n) {
		if (r->finishing)
			return machine_run_step(r, in);
		if (r->stopping)
			return machine_fail(r, in, MACHINE_STOPPING);
		if (plan_check_detach(&r->plan, in->inventory, group, why, sizeof(why)) < 0)
			return machine_fail(r, in, "not detached: %s", why);
		return machine_run_step(r, in);
	}
	if (in_use(in->inventory, group, &leaked, why, sizeof(why))) {
		/* Another hand was in between. */
		if (leaked)
			return machine_fail(r, in, "%s", why);
		/* Freed, and in use again right away. Nothing is left to roll back. */
		machine_reason(r, "in use again as soon as it was free: %s", why);
		return machine_postpone(r, in, r->reason);
	}
	return machine_free(r, in);
}

/* It was free once; that the device asks again is a request of its own, about another use of it. */
static unsigned ask_anew(struct release *r, const struct machine_input *in,
			 const struct tag_group *group)
{
	r->request = (struct policy_request){ .origin = r->request.origin };
	r->tries = r->same = r->looks = r->held_for = r->backed_out = 0;
	r->cause = 0;
	machine_enter(r, in, RELEASE_REQUESTED);
	return decide(r, in, group, true);
}

static unsigned ready_scanned(struct release *r, const struct machine_input *in,
			      const struct tag_group *group)
{
	char why[RELEASE_REASON_MAX / 2];
	bool leaked = false;

	if (in_use(in->inventory, group, &leaked, why, sizeof(why))) {
		if (leaked && r->plan.n_devices > 0)
			return machine_fail(r, in, "%s", why);
		if (r->last_record > r->entered &&
		    in->now < usec_add(r->last_record, in->policy->refuse_hold)) {
			/* The device asked again just now, and somebody was quicker. */
			return ask_anew(r, in, group);
		}
		machine_reason(r, "in use again before the device asked for it: %s", why);
		return machine_finish(r, in, RELEASE_REFUSED, 0);
	}
	if (r->wait != WAIT_SCAN)
		return 0; /* somebody else's scan; ours comes at the deadline */
	if (r->last_record > r->entered && in->now >= r->settle_end)
		return machine_become_ready(r, in);
	return machine_wait_for_outcome(r, in);
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

/* Nothing is concluded from what cannot be read: it is looked at again. */
static unsigned unread(struct release *r, const struct machine_input *in)
{
	const struct region *region = inventory_unread(in->inventory, r->key.memdev);

	if (r->wait != WAIT_SCAN)
		return 0;
	r->decision.again_wall =
		USEC_INFINITY; /* has come, or will be looked for when it is decided */
	if (region)
		machine_reason(r, "cannot read %.120s: %s; looking again", region->error_path,
			       strerror(-region->error));
	/* Without the executor, also in the middle: others go on meanwhile. */
	return machine_wait_until(r, usec_add(in->now, MACHINE_UNREAD_USEC));
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
	if (found == -EIO)
		return unread(r, in);
	if (found < 0 && found != -ENOENT) {
		machine_reason(r, "its region or memory device is gone");
		return machine_finish(r, in, RELEASE_VANISHED, 0);
	}

	switch (r->state) {
	case RELEASE_REQUESTED:
	case RELEASE_HELD:
	case RELEASE_DRAINING:
		return found < 0 ? machine_finish_gone(r, in) : decide(r, in, &group, true);
	case RELEASE_DEFERRED:
		if (found < 0)
			return machine_finish_gone(r, in);
		if (r->wait != WAIT_TIME || machine_world(r, in->inventory) == r->world)
			return 0;
		/* The next attempt may end differently: no need to wait for it any longer. */
		machine_enter(r, in, RELEASE_REQUESTED);
		return decide(r, in, &group, true);
	case RELEASE_OFFLINING:
		if (r->wait != WAIT_SCAN)
			return 0;
		if (found == 0 && r->plan.forward.cursor < r->plan.forward.n)
			return look_again(r, in, &group);
		return found == 0 ? 0 : machine_finish_vanished(r, in, "nothing was begun yet");
	case RELEASE_DETACHING:
		if (found == 0)
			return detach_scanned(r, in, &group);
		if (r->plan.forward.cursor == r->plan.forward.n)
			return machine_finish_gone(r, in);
		return r->finishing ? machine_run_step(r, in)
				    : machine_finish_vanished(r, in, "memory was offline");
	case RELEASE_READY:
		return found < 0 ? machine_finish_gone(r, in) : ready_scanned(r, in, &group);
	case RELEASE_ROLLING_BACK:
		if (r->wait != WAIT_SCAN)
			return 0;
		return found < 0 ? machine_back_gone(r, in) : machine_back_scanned(r, in, &group);
	default:
		return 0;
	}
}

/*
 * The newest inventory if it is fresh, else waits for one. What is to be put back is compared with
 * nothing older than now: the last write that mattered may have ended just before.
 */
static unsigned scan_or_go(struct release *r, const struct machine_input *in)
{
	r->wait = WAIT_SCAN;
	r->deadline = USEC_INFINITY;
	if (r->state == RELEASE_REQUESTED && in->inventory &&
	    usec_add(in->inventory->taken, MACHINE_FRESH_USEC) > in->now)
		return machine_scanned(r, in);
	return MACHINE_SCAN;
}

unsigned machine_begin(struct release *r, const struct machine_input *in)
{
	struct tag_group group;

	machine_enter(r, in, RELEASE_REQUESTED);
	r->entered = in->now;
	if (in->inventory)
		(void)find_group(r, in, &group);
	r->settle_end = usec_add(in->now, in->policy->settle_time);
	machine_reason(r, "the device asked for it");
	/* Not scan_or_go(): claims come without any event, the inventory may miss one. */
	return machine_wait_for(r, WAIT_SCAN, MACHINE_SCAN);
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
	if (r->state == RELEASE_DETACHING && r->finishing)
		return machine_run_step(r, in);
	return scan_or_go(r, in);
}

unsigned machine_reconsider(struct release *r, const struct machine_input *in, bool policy)
{
	bool deferred = r->state == RELEASE_DEFERRED;
	struct tag_group group;

	if (r->wait != WAIT_TIME || !in->inventory)
		return 0;
	if (!release_state_is_held(r->state) && !(deferred && policy))
		return 0;
	if (deferred)
		machine_enter(r, in, RELEASE_REQUESTED);
	/* What has become of the group itself is seen by the scans. */
	if (find_group(r, in, &group) < 0)
		return machine_wait_for(r, WAIT_SCAN, MACHINE_SCAN);
	return decide(r, in, &group, false);
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
			machine_enter(r, in, RELEASE_REQUESTED);
		if (release_state_is_held(r->state))
			r->looks++;
		return machine_wait_for(r, WAIT_SCAN, MACHINE_SCAN);
	}
	if (r->wait != WAIT_STEP)
		return 0;

	(void)plan_step_text(&r->plan, machine_step(r), text);
	if (!r->cancelled) {
		r->cancelled = true;
		r->cancelled_at = in->now;
		r->deadline = usec_add(in->now, cancel_grace(machine_step(r)));
		machine_reason(r, "%s: timed out, interrupting it", text);
		return MACHINE_CANCEL;
	}
	if (r->stuck)
		return 0;
	r->stuck = true;
	r->turn = false;
	machine_reason(r, "%s: the kernel does not let go of it; waiting, nothing else is done",
		       text);
	return MACHINE_ABANDON;
}

unsigned machine_stop(struct release *r, const struct machine_input *in)
{
	r->stopping = true;
	if (r->state != RELEASE_OFFLINING || r->wait != WAIT_STEP || r->cancelled)
		return 0;
	r->cancelled = true;
	r->cancelled_at = in->now;
	r->deadline = usec_add(in->now, cancel_grace(machine_step(r)));
	return MACHINE_CANCEL;
}
