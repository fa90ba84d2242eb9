/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conditions that look at memory: whether all of the group's is known, what of the dynamic
 * capacity stays, whether what is in use has a place to go, and whether the host is short of it.
 */
#include <inttypes.h>

#include "decide.h"
#include "parse_value.h"

/* False: not met, and the condition says so. */
static bool state_of_region(const struct question *q, struct condition *c)
{
	const struct region *region = &q->inv->regions[q->group->region];
	char text[64];

	if (region->error == 0)
		return true;
	condition_measured(c, "%s not read", region->name);
	condition_wait(q, c, q->ret->settings.state_wait, "state-wait",
		       "%s could not be read (%s), so not all of %s is known", region->error_path,
		       strerror_r(region->error < 0 ? -region->error : EIO, text, sizeof(text)),
		       region->name);
	return false;
}

/* Mappings that were not all seen could hide blocks that are online. */
static bool state_of_device(const struct question *q, const struct dax_device *device,
			    struct condition *c)
{
	char size[VALUE_STRLEN], seen[VALUE_STRLEN];
	uint64_t mapped = 0;

	for (uint32_t i = 0; i < device->n_mappings; i++)
		mapped = saturating_add(mapped,
					q->inv->mappings[device->first_mapping + i].hpa.length);
	if (mapped != device->size) {
		(void)format_size_short(device->size, size);
		(void)format_size_short(mapped, seen);
		condition_measured(c, "%s of %s mapped", seen, size);
		condition_wait(q, c, q->ret->settings.state_wait, "state-wait",
			       "%s has a size of %s but %s are seen in its mappings", device->name,
			       size, seen);
		return false;
	}
	if (device->mode == DAX_MODE_SYSTEM_RAM && q->inv->block_size == 0) {
		condition_measured(c, "block size unknown");
		condition_wait(q, c, q->ret->settings.state_wait, "state-wait",
			       "%s is in mode system-ram but the size of the host's memory blocks "
			       "could not be read",
			       device->name);
		return false;
	}
	return true;
}

static bool state_of_block(const struct question *q, const struct dax_device *device,
			   const struct memory_block *block, struct condition *c)
{
	const char *state = block_state_to_string(block->state);
	const char *zone = block_zone_to_string(block->zone);

	if (block->state != BLOCK_ONLINE && block->state != BLOCK_OFFLINE) {
		condition_measured(c, "memory%" PRIu64 " %s", block->number, state);
		condition_wait(q, c, q->ret->settings.state_wait, "state-wait",
			       "memory%" PRIu64 " of %s is in state %s, neither online nor offline",
			       block->number, device->name, state);
		return false;
	}
	if (block->state == BLOCK_ONLINE && block->zone != ZONE_MOVABLE) {
		condition_measured(c, "memory%" PRIu64 " in zone %s", block->number, zone);
		condition_wait(q, c, q->ret->settings.state_wait, "state-wait",
			       "memory%" PRIu64 " of %s is online in zone %s, where Movable was "
			       "expected",
			       block->number, device->name, zone);
		return false;
	}
	return true;
}

void condition_state(const struct question *q, struct condition *c)
{
	const struct dax_device *device;
	uint32_t cursor = 0;

	condition_limit(c, "all of it known and settled");
	if (!state_of_region(q, c))
		return;
	while ((device = group_next_device(q->inv, q->group, &cursor)))
		if (!state_of_device(q, device, c))
			return;
	cursor = 0;
	while ((device = group_next_device(q->inv, q->group, &cursor)))
		for (uint32_t i = 0; i < device->n_blocks; i++)
			if (!state_of_block(q, device, &q->inv->blocks[device->first_block + i], c))
				return;
	condition_measured(c, "known");
	condition_met(c, "all of it is known, and nothing is in between");
}

/* Online dynamic capacity of the host, on @node if not NULL. A block that is shared with other
 * memory is none. */
static uint64_t dynamic_online_bytes(const struct inventory *inv, const int32_t *node)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < inv->n_blocks; i++) {
		const struct memory_block *block = &inv->blocks[i];

		if (block->state == BLOCK_ONLINE && !block->foreign &&
		    (!node || inv->devices[block->device].target_node == *node))
			n++;
	}
	return saturating_multiply(n, inv->block_size);
}

/* False: not met, and the condition says so. @node NULL: the host. */
static bool check_reserve(const struct question *q, const int32_t *node, uint64_t floor,
			  struct condition *c)
{
	const char *key = node ? "reserve-node" : "reserve-host";
	char where[32] = "the host", leaves[VALUE_STRLEN], stays[VALUE_STRLEN], limit[VALUE_STRLEN];
	uint64_t rest, own = group_online_bytes(q->inv, q->group, node);

	/* What takes nothing away does not make it less. */
	if (floor == 0 || own == 0)
		return true;
	rest = saturating_subtract(dynamic_online_bytes(q->inv, node),
				   leaving_online_bytes(q->inv, q->group, q->facts, node));
	if (node)
		(void)snprintf(where, sizeof(where), "node %" PRId32, *node);
	(void)format_size_short(rest, stays);
	(void)format_size_short(floor, limit);
	condition_measured(c, "%s stay online on %s", stays, where);
	condition_limit(c, "at least %s (%s)", limit, key);
	if (rest >= floor)
		return true;
	condition_wait(q, c, q->ret->settings.reserve_wait, "reserve-wait",
		       "without this group's %s, %s of dynamic capacity stay online on %s, which "
		       "must keep %s (%s)",
		       format_size_short(own, leaves), stays, where, limit, key);
	return false;
}

void condition_reserve(const struct question *q, struct condition *c)
{
	const struct release_settings *s = &q->ret->settings;
	const struct dax_device *device;
	uint32_t cursor = 0;

	/* Counting takes a walk over all blocks of the host: only where it matters. */
	condition_measured(c, "not counted");
	condition_limit(c, CONDITION_NO_LIMIT);
	if (s->reserve_node)
		while ((device = group_next_device(q->inv, q->group, &cursor)))
			if (!check_reserve(q, &device->target_node, s->reserve_node, c))
				return;
	if (check_reserve(q, NULL, s->reserve_host, c))
		condition_met(c, "enough dynamic capacity stays online");
}

void condition_headroom(const struct question *q, struct condition *c)
{
	const struct release_settings *s = &q->ret->settings;
	char move[VALUE_STRLEN], available[VALUE_STRLEN], floor[VALUE_STRLEN], each[VALUE_STRLEN];
	struct headroom h;

	if (!headroom_compute(q->inv, q->group, q->facts, s, &h)) {
		condition_measured(c, "nothing has to move");
		condition_limit(c, CONDITION_NO_LIMIT);
		condition_met(c, q->inv->n_nodes ? "no memory of it is online"
						 : "the kernel shows no NUMA nodes");
		return;
	}
	(void)format_size_short(h.must_move, move);
	(void)format_size_short(h.available, available);
	(void)format_size_short(h.floor, floor);
	if (h.node_floor)
		condition_limit(c, "at least %s, and %s on each node", floor,
				format_size_short(h.node_floor, each));
	else
		condition_limit(c, "at least %s", floor);
	condition_measured(c, "%s available after",
			   format_size_short(saturating_subtract(h.available, h.must_move), each));
	if (h.available < h.floor || h.available - h.floor < h.must_move) {
		condition_wait(q, c, s->headroom_wait, "headroom-wait",
			       "%s in use must move to the rest of the host, which has %s "
			       "available and must keep %s (headroom)",
			       move, available, floor);
		return;
	}
	if (h.above < h.must_move) {
		(void)format_size_short(h.above, available);
		condition_measured(c, "%s above the nodes' floors", available);
		condition_limit(c, "at least the %s that must move", move);
		condition_wait(q, c, s->headroom_wait, "headroom-wait",
			       "%s in use must move, but the nodes have only %s above what each of "
			       "them must keep (node-headroom)",
			       move, available);
		return;
	}
	condition_met(c, "%s in use must move to the rest of the host, which has %s available",
		      move, available);
}

#define PSI_PERIOD (2 * USEC_PER_SEC) /* the kernel's averages change no faster */

struct pressure_state {
	bool met, watched;
	usec_t again; /* if not met */
};

/* Whether it is calm by that ceiling; one the kernel does not watch for us is judged by its
 * average. */
static struct pressure_state judge_pressure(const struct question *q, bool full, unsigned permyriad,
					    unsigned average)
{
	const struct policy_facts *facts = q->facts;
	usec_t settle = q->ret->settings.pressure_settle;
	struct pressure_state ret = { .met = true };

	for (size_t i = 0; i < facts->n_ceilings && permyriad; i++) {
		const struct pressure_ceiling *ceiling = &facts->ceilings[i];

		if (ceiling->full != full || ceiling->permyriad != permyriad)
			continue;
		ret.watched = true;
		ret.again = usec_add(ceiling->exceeded, settle);
		ret.met = ceiling->exceeded == 0 || facts->now >= ret.again;
		return ret;
	}
	ret.met = permyriad == 0 || average <= permyriad;
	ret.again = usec_add(facts->now, MAX(settle, PSI_PERIOD));
	return ret;
}

void condition_pressure(const struct question *q, struct condition *c)
{
	const struct release_settings *s = &q->ret->settings;
	const struct policy_facts *facts = q->facts;
	char some[VALUE_STRLEN], full[VALUE_STRLEN], limit[VALUE_STRLEN], settle[VALUE_STRLEN];
	struct pressure_state by_some, by_full;
	bool is_full;

	if (facts->pressure_known)
		condition_measured(c, "some %s, full %s",
				   format_permyriad(facts->pressure_some, some),
				   format_permyriad(facts->pressure_full, full));
	else
		condition_measured(c, "not known");
	condition_limit(c, CONDITION_NO_LIMIT);
	if (!s->pressure_some && !s->pressure_full) {
		condition_met(c, "memory pressure does not matter");
		return;
	}
	if (s->pressure_some && s->pressure_full)
		condition_limit(c, "some %s, full %s", format_permyriad(s->pressure_some, some),
				format_permyriad(s->pressure_full, full));
	else
		condition_limit(c, "%s %s", s->pressure_some ? "some" : "full",
				format_permyriad(MAX(s->pressure_some, s->pressure_full), some));
	if (!facts->pressure_known) {
		condition_wait(q, c, s->pressure_wait, "pressure-wait",
			       "the kernel does not tell the host's memory pressure (no PSI), so "
			       "whether it is below the ceiling is not known");
		/* It may only have been short of something just now. */
		c->again = usec_add(facts->now, MAX(s->pressure_settle, PSI_PERIOD));
		return;
	}
	by_some = judge_pressure(q, false, s->pressure_some, facts->pressure_some);
	by_full = judge_pressure(q, true, s->pressure_full, facts->pressure_full);
	if (by_some.met && by_full.met) {
		condition_met(c, "memory pressure is below the ceiling");
		return;
	}
	is_full = by_some.met;
	c->again = is_full ? by_full.again : MAX(by_some.again, by_full.met ? 0 : by_full.again);
	(void)format_permyriad(is_full ? s->pressure_full : s->pressure_some, limit);
	if (is_full ? by_full.watched : by_some.watched)
		condition_wait(q, c, s->pressure_wait, "pressure-wait",
			       "memory pressure (%s) was over %s in the last %s (pressure-%s, "
			       "pressure-settle)",
			       is_full ? "full" : "some", limit,
			       format_time(s->pressure_settle, settle), is_full ? "full" : "some");
	else
		condition_wait(q, c, s->pressure_wait, "pressure-wait",
			       "memory pressure (%s) is %s, more than %s (pressure-%s)",
			       is_full ? "full" : "some",
			       format_permyriad(
				       is_full ? facts->pressure_full : facts->pressure_some, some),
			       limit, is_full ? "full" : "some");
}
