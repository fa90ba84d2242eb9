/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request's steps: beginning one, and what its answer means. */
#include "machine_internal.h"

#include <assert.h>

#include "plan.h"

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

unsigned machine_run_step(struct release *r, const struct machine_input *in)
{
	char text[STEP_TEXT_MAX];
	struct step *step = machine_step(r);

	if (!r->turn) /* lost to a step that was stuck in the kernel */
		return machine_wait_for(r, WAIT_TURN, MACHINE_TURN);
	step->state = STEP_RUNNING;
	if (step->kind == STEP_DELETE)
		r->plan.devices[step->device].deleted = true;
	r->cancelled = r->stuck = false;
	r->step_begun = in->now;
	r->deadline = usec_add(in->now, step_timeout(r, step));
	if (r->state == RELEASE_OFFLINING)
		r->deadline = MIN(r->deadline,
				  usec_add(r->started, r->decision.settings.release_timeout));
	if (r->state == RELEASE_ROLLING_BACK)
		machine_reason(r, "%.420s; putting back %s", r->failure,
			       plan_step_text(&r->plan, step, text));
	else
		machine_reason(r, "%s", plan_step_text(&r->plan, step, text));
	return machine_wait_for(r, WAIT_STEP, MACHINE_STEP);
}

/* Goes on with the forward step at the cursor, looking at the host before the first that detaches
 * and behind the last. */
unsigned machine_advance(struct release *r, const struct machine_input *in)
{
	const struct steps *steps = &r->plan.forward;

	if (steps->cursor == steps->n)
		return machine_wait_for(r, WAIT_SCAN, MACHINE_SCAN);
	if (r->state == RELEASE_OFFLINING && step_detaches(&steps->items[steps->cursor])) {
		machine_enter(r, in, RELEASE_DETACHING);
		machine_reason(r, "all memory is offline; looking again before it is detached");
		return machine_wait_for(r, WAIT_SCAN, MACHINE_SCAN);
	}
	return machine_run_step(r, in);
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

static double seconds(usec_t from, usec_t to)
{
	return to > from ? (double)(to - from) / 1e6 : 0;
}

/*
 * Without its journal a release changes nothing; so there is nothing to roll back, and what another
 * hand does to the group meanwhile is none of its business.
 */
static unsigned not_begun(struct release *r, const struct machine_input *in,
			  const struct worker_reply *reply, int error)
{
	const char *why = reply->message[0] ? reply->message : strerror(-error);

	machine_reason(r, "cannot write the undo journal: %.150s; nothing was changed",
		       r->cancelled && !r->stopping ? "timed out" : why);
	return machine_postpone(r, in, r->reason);
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
		machine_note_cause(r, (uint32_t)step->kind << 16 | (uint32_t)-error);
		if (step->kind == STEP_SAVE)
			return not_begun(r, in, reply, error);
		if (r->stopping && error == -EINTR)
			return machine_fail(r, in, MACHINE_STOPPING);
		if (r->cancelled && release_timed_out(r, in))
			return machine_fail(r, in,
					    "release-timeout of %.1f s is over, in %s; the kernel "
					    "took %.1f s to come back",
					    (double)r->decision.settings.release_timeout / 1e6,
					    text, seconds(r->cancelled_at, in->now));
		if (r->cancelled)
			return machine_fail(
				r, in,
				"%s: timed out after %.1f s, and the kernel took %.1f s "
				"more to come back",
				text, seconds(r->step_begun, r->cancelled_at),
				seconds(r->cancelled_at, in->now));
		return machine_fail(r, in, "%s: %.150s", text,
				    reply->message[0] ? reply->message : strerror(-error));
	}
	if (step->kind == STEP_SAVE)
		r->saved = true;
	count_offline(r, step);
	r->plan.forward.cursor++;
	if (was_stuck)
		return machine_fail(r, in, "%s: was stuck in the kernel",
				    plan_step_text(&r->plan, step, text));
	if (r->state == RELEASE_OFFLINING) {
		if (r->stopping)
			return machine_fail(r, in, MACHINE_STOPPING);
		if (release_timed_out(r, in))
			return machine_fail(r, in, "release-timeout of %.1f s is over",
					    (double)r->decision.settings.release_timeout / 1e6);
	}
	if (step->kind == STEP_SAVE && in->now > usec_add(r->started, MACHINE_SAVE_SLOW_USEC) &&
	    r->plan.forward.cursor < r->plan.forward.n)
		return machine_wait_for(r, WAIT_SCAN, MACHINE_SCAN);
	return machine_advance(r, in);
}

/*
 * Without these nothing further of their device can be had in this round. A journal that cannot be
 * written keeps nothing from being put back for long; but a daemon after this one could take
 * another hand's device for one that was created without a note.
 */
static bool others_need(const struct release *r, const struct step *step)
{
	switch (step->kind) {
	case STEP_SAVE:
		return r->rounds < MACHINE_SAVE_ROUNDS;
	case STEP_CREATE:
	case STEP_CLAIM:
	case STEP_BIND:
	case STEP_NEW_ID:
		return true;
	default:
		return false;
	}
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
	if (step->kind == STEP_SAVE && error == 0)
		r->saved = true;
	back->cursor++;
	while (step->state == STEP_ERROR && others_need(r, step) && back->cursor < back->n &&
	       back->items[back->cursor].device == step->device)
		back->items[back->cursor++].state = STEP_SKIPPED;
	if (back->cursor < back->n)
		return machine_run_step(r, in);

	for (size_t i = 0; i < back->n; i++)
		errors |= back->items[i].state == STEP_ERROR;
	if (errors && r->rounds > 1) {
		/* What fails twice in a row is given time, the executor stays with us meanwhile. */
		r->deadline = usec_add(in->now, 250 * USEC_PER_MSEC << MIN(r->rounds, 2U));
		return machine_wait_for(r, WAIT_TIME, 0);
	}
	return machine_wait_for(r, WAIT_SCAN, MACHINE_SCAN);
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
