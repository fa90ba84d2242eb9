/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request that waits: for the conditions of its rule, or for another try. What changes is mostly
 * told to us; where nobody tells, it is looked at ever more seldom.
 */
#include "machine_internal.h"

#include "plan.h"

/* A deadline that has just passed must not make us spin. */
#define HOLD_MIN_USEC (10 * USEC_PER_MSEC)

usec_t machine_backoff(const struct release *r, const struct machine_input *in, unsigned n)
{
	const struct release_settings *s = &r->decision.settings;
	usec_t wait = s->backoff_initial;

	for (unsigned i = 1; i < n && wait < s->backoff_max; i++)
		wait = usec_add(wait, wait);
	wait = MIN(wait, s->backoff_max);
	/* Up to a quarter sooner, so that what was put off together does not come back together. */
	return wait - wait / 4 * (in->random & 0xffff) / 65536;
}

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *p = data;

	/* FNV-1a */
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t mix_device(uint64_t hash, const struct inventory *inv,
			   const struct dax_device *device)
{
	hash = mix(hash, device->name, strlen(device->name) + 1);
	hash = mix(hash, &device->mode, sizeof(device->mode));
	hash = mix(hash, &device->size, sizeof(device->size));
	for (uint32_t i = 0; i < device->n_blocks; i++) {
		const struct memory_block *block = &inv->blocks[device->first_block + i];

		hash = mix(hash, &block->number, sizeof(block->number));
		hash = mix(hash, &block->state, sizeof(block->state));
		hash = mix(hash, &block->zone, sizeof(block->zone));
	}
	for (uint32_t i = 0; i < device->n_holders; i++) {
		const struct holder *holder = &inv->holders[device->first_holder + i];

		hash = mix(hash, &holder->pid, sizeof(holder->pid));
		hash = mix(hash, &holder->start, sizeof(holder->start));
	}
	return hash;
}

uint64_t machine_world(const struct release *r, const struct inventory *inv)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	uint32_t devices[PLAN_DEVICES_MAX];
	struct tag_group group;
	size_t n;

	if (inventory_find_group(inv, &r->key, &r->dpa, &group) < 0)
		return hash;
	hash = mix(hash, &group.n_extents, sizeof(group.n_extents));
	n = tag_group_devices(inv, &group, devices, ARRAY_SIZE(devices));
	for (size_t i = 0; i < MIN(n, ARRAY_SIZE(devices)); i++)
		hash = mix_device(hash, inv, &inv->devices[devices[i]]);
	return hash ? hash : 1;
}

/* Which conditions are not met, a bit each. */
static unsigned unmet(const struct policy_request *request)
{
	unsigned bits = 0;

	for (unsigned kind = 0; kind < _CONDITION_MAX; kind++)
		if (request->since[kind] > 0)
			bits |= 1U << kind;
	return bits;
}

unsigned machine_hold(struct release *r, const struct machine_input *in, bool look)
{
	const struct decision *d = &r->decision;
	unsigned now_unmet = unmet(&r->request);
	usec_t deadline;

	if (r->stopping)
		return machine_postpone(r, in, d->reason);
	machine_enter(r, in, d->draining ? RELEASE_DRAINING : RELEASE_HELD);
	machine_reason(r, "%s", d->reason);
	if (now_unmet != r->held_for)
		r->looks = 0;
	r->held_for = now_unmet;
	/* No process is ended on the strength of an old look: it may have let go meanwhile. */
	if (d->terminate && !look && !in->policy->dry_run)
		return machine_wait_for(r, WAIT_SCAN, MACHINE_SCAN | machine_yield(r));

	deadline = MIN(d->deadline, d->again);
	if (d->unsignalled)
		deadline = MIN(deadline, usec_add(in->now, machine_backoff(r, in, r->looks + 1)));
	deadline = MAX(deadline, usec_add(in->now, HOLD_MIN_USEC));
	return machine_wait_until(r, deadline) |
	       (d->terminate && !in->policy->dry_run ? MACHINE_TERMINATE : 0);
}
