/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way back: of an attempt that failed, and of one that a daemon before this one left half done.
 * Both compare the host with how it was until nothing of ours differs, or nothing more helps.
 */
#include "machine_internal.h"

#include "plan.h"

/* After an error that has nothing to do with the host. */
#define BACK_RETRY_USEC USEC_PER_SEC

#define ENDED "dcdd was ended in the middle of it"

/* ", dax0.1 is dax0.2 now", for each device that had to be created anew. */
static void append_renames(const struct release *r, char *buf, size_t size)
{
	for (size_t i = 0; i < r->plan.n_devices; i++) {
		const struct plan_device *dev = &r->plan.devices[i];
		size_t n = strlen(buf);

		if (dev->was[0] && !streq(dev->was, dev->name) && n < size)
			(void)snprintf(buf + n, size - n, ", but %s is %s now", dev->was,
				       dev->name);
	}
}

/*
 * ", but dax0.1/state says offline": where it was of no use, blocks were brought online one by one,
 * which the kernel does not note there.
 */
static void append_stale(const struct release *r, const struct inventory *inv, char *buf,
			 size_t size)
{
	for (uint32_t i = 0; i < inv->n_devices; i++) {
		const struct dax_device *dev = &inv->devices[i];
		size_t n = strlen(buf);

		for (size_t d = 0; d < r->plan.n_devices && n < size; d++)
			if (r->plan.devices[d].atomic && !startswith(dev->state, "online") &&
			    streq(dev->name, r->plan.devices[d].name))
				(void)snprintf(buf + n, size - n, ", but %s/state says %.16s",
					       dev->name, dev->state);
	}
}

/* Everything of ours is as before. */
static unsigned back_whole(struct release *r, const struct machine_input *in)
{
	const struct plan_difference *other = plan_first_difference(&r->plan);
	struct difference_text diff;
	char text[RELEASE_REASON_MAX];

	r->plan.blocks_offline = 0;
	if (other) {
		plan_difference_text(&r->plan, other, &diff);
		(void)snprintf(text, sizeof(text),
			       "%.340s; as before but for another hand's doing: %s: %.70s",
			       r->failure, diff.object, diff.have);
	} else {
		(void)snprintf(text, sizeof(text), "%.490s; everything is as before", r->failure);
		append_renames(r, text, sizeof(text));
		append_stale(r, in->inventory, text, sizeof(text));
	}
	if (!r->recovered || r->attempts > 0)
		return machine_postpone(r, in, text);
	/* Not tried again by itself: what ended the daemon may do so again. */
	machine_reason(r, "%.520s; the device must ask again", text);
	return machine_finish(r, in, RELEASE_REFUSED, 0);
}

static unsigned back_failed(struct release *r, const struct machine_input *in)
{
	const struct plan_difference *first = plan_first_difference(&r->plan);
	size_t ours = 0;
	struct difference_text diff;
	char more[32] = "";

	for (size_t i = 0; i < r->plan.n_differences; i++)
		ours += plan_difference_is_ours(&r->plan.differences[i]);
	if (ours > 1)
		(void)snprintf(more, sizeof(more), " and %zu more", ours - 1);
	plan_difference_text(&r->plan, first, &diff);
	machine_reason(r, "%.300s; roll-back failed: %s: %.70s, was %.60s%s", r->failure,
		       diff.object, diff.have, diff.want, more);
	return machine_finish(r, in, RELEASE_FAILED, USEC_INFINITY);
}

unsigned machine_free(struct release *r, const struct machine_input *in)
{
	if (r->finishing || plan_build_finish(&r->plan, in->inventory) <= 0)
		return machine_become_ready(r, in);
	r->finishing = true;
	machine_enter(r, in, RELEASE_DETACHING);
	machine_reason(r, "free; deleting what is left of its devices");
	return machine_run_step(r, in);
}

static bool is_unbound(const struct release *r, const struct inventory *inv,
		       const struct tag_group *group)
{
	uint32_t devices[PLAN_DEVICES_MAX];
	size_t n = tag_group_devices(inv, group, devices, ARRAY_SIZE(devices));

	for (size_t i = 0; i < MIN(n, ARRAY_SIZE(devices)); i++)
		if (inv->devices[devices[i]].mode != DAX_MODE_UNBOUND)
			return false;
	for (size_t i = 0; i < r->plan.n_devices; i++)
		if (!r->plan.devices[i].driver[0])
			return false;
	return n > 0;
}

/*
 * Whether what was begun may be gone on with: the policy as it is now says so, or nothing of it is
 * in use any more, which it had said when its devices were unbound.
 */
static bool may_resume(struct release *r, const struct machine_input *in,
		       const struct tag_group *group)
{
	struct decision decision;

	if (!r->recovered || r->attempts > 0 || r->stopping ||
	    r->decision.settings.recovery != RECOVERY_RESUME)
		return false;
	if (is_unbound(r, in->inventory, group))
		return true;
	policy_decide(in->inventory, group, in->policy, in->facts, &r->request, &decision);
	if (decision.verdict != VERDICT_FREE)
		return false;
	r->decision = decision;
	return true;
}

static unsigned resume(struct release *r, const struct machine_input *in)
{
	r->attempts++;
	r->started = in->now;
	machine_enter(r, in, RELEASE_OFFLINING);
	machine_reason(r, "going on where the daemon before this one was ended");
	return machine_advance(r, in);
}

unsigned machine_back_scanned(struct release *r, const struct machine_input *in,
			      const struct tag_group *group)
{
	int n;

	if (tag_group_is_free(in->inventory, group, NULL))
		return machine_free(r, in);
	if (!r->turn) /* lost to a step that was stuck, or to what could not be read */
		return machine_wait_for(r, WAIT_TURN, MACHINE_TURN);
	if (r->rounds == 0 && may_resume(r, in, group) &&
	    plan_build_resume(&r->plan, in->inventory, group) == 0)
		return resume(r, in);
	n = plan_build_back(&r->plan, in->inventory, r->rounds);
	if (n == 0)
		return back_whole(r, in);
	if (n < 0) {
		machine_reason(r, "%.490s; cannot plan the roll-back: %s", r->failure,
			       strerror(-n));
		r->deadline = usec_add(in->now, BACK_RETRY_USEC);
		return machine_wait_for(r, WAIT_TIME, 0);
	}
	if (r->plan.back.n == 0 || r->rounds >= MACHINE_BACK_ROUNDS)
		return back_failed(r, in);
	if (!r->saved)
		plan_save_first(&r->plan);
	r->rounds++;
	return machine_run_step(r, in);
}

/* Whether we had begun to give the claim back. */
static bool gave_back(const struct release *r)
{
	for (size_t i = 0; i < r->plan.forward.n; i++)
		if (r->plan.forward.items[i].kind == STEP_SIZE_ZERO &&
		    r->plan.forward.items[i].state != STEP_PENDING)
			return true;
	return false;
}

unsigned machine_back_gone(struct release *r, const struct machine_input *in)
{
	if (!r->finishing && plan_build_finish(&r->plan, in->inventory) > 0)
		return machine_free(r, in);
	if (r->recovered && r->attempts == 0) {
		machine_reason(r,
			       "all %llu bytes have gone: released behind what the daemon before "
			       "had done, or by another hand",
			       (unsigned long long)r->bytes);
		return machine_finish(r, in, RELEASE_RELEASED, 0);
	}
	if (gave_back(r) || r->finishing)
		return machine_finish_gone(r, in);
	return machine_finish_vanished(r, in, "it was being rolled back");
}

unsigned machine_recover(struct release *r, const struct machine_input *in)
{
	char text[RELEASE_REASON_MAX] = "";

	r->recovered = r->saved = true;
	machine_enter(r, in, RELEASE_ROLLING_BACK);
	r->entered = in->now;
	r->rounds = 0;
	if (!r->failure[0])
		(void)str_copy(r->failure, sizeof(r->failure), ENDED);
	else if (!strstr(r->failure, ENDED))
		(void)snprintf(text, sizeof(text), "%.500s; " ENDED, r->failure);
	if (text[0])
		(void)str_copy(r->failure, sizeof(r->failure), text);
	if (r->orphan > 0) {
		machine_reason(r,
			       "%s, and its process %d is still in the kernel; nothing is done "
			       "until it comes back",
			       r->failure, r->orphan);
		return machine_wait_for(r, WAIT_TIME, 0);
	}
	machine_reason(r, "%s", r->failure);
	return machine_wait_for(r, WAIT_TURN, MACHINE_TURN);
}

unsigned machine_recover_blind(struct release *r, const struct machine_input *in, const char *why)
{
	r->recovered = r->blind = true;
	machine_enter(r, in, RELEASE_FAILED);
	r->entered = in->now;
	r->hold_until = USEC_INFINITY;
	machine_reason(r, "%s", why);
	return machine_wait_for(r, WAIT_TIME, MACHINE_FINISH);
}

/* As far as can be told without knowing how it was: in use altogether, or not at all. */
static bool looks_whole(const struct inventory *inv, const struct tag_group *group)
{
	uint32_t devices[PLAN_DEVICES_MAX];
	size_t n = tag_group_devices(inv, group, devices, ARRAY_SIZE(devices));

	if (n > ARRAY_SIZE(devices))
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct dax_device *dev = &inv->devices[devices[i]];

		if (dev->mode == DAX_MODE_UNBOUND)
			return false;
		if (dev->mode == DAX_MODE_SYSTEM_RAM && dev->n_blocks == 0)
			return false;
		for (uint32_t b = 0; b < dev->n_blocks; b++)
			if (inv->blocks[dev->first_block + b].state != BLOCK_ONLINE)
				return false;
	}
	return n > 0;
}

static bool thawed(struct release *r, enum release_state state, const char *why)
{
	r->state = state;
	r->hold_until = 0;
	machine_reason(r, "its release had failed; %s", why);
	return true;
}

bool machine_thaw(struct release *r, const struct machine_input *in)
{
	struct tag_group group;
	int found;

	if (r->state != RELEASE_FAILED)
		return false;
	found = inventory_find_group(in->inventory, &r->key, &r->dpa, &group);
	if (found == -EIO)
		return false;
	if (found < 0)
		return thawed(r, RELEASE_VANISHED, "the extents have gone by another hand");
	if (tag_group_is_free(in->inventory, &group, NULL))
		return thawed(r, RELEASE_REFUSED, "by another hand it is free now");
	if (r->blind ? looks_whole(in->inventory, &group)
		     : plan_build_back(&r->plan, in->inventory, 0) == 0)
		return thawed(r, RELEASE_REFUSED,
			      r->plan.n_differences > 0
				      ? "another hand has made something else of it"
				      : "by another hand it is as before");
	return false;
}
