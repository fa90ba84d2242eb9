/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What no waiting changes: the rule keeps it, or the kernel's own numbers say that it can never go
 * offline or that taking it would hit memory that is somebody else's. Found before anything is
 * touched, and only where it is certain; the rest is left to the kernel and to the roll-back.
 */
#include <inttypes.h>

#include "decide.h"
#include "parse_value.h"

/* Whether it gave the answer. */
typedef bool (*check_t)(const struct question *q);

#define REFUSE(q, ...) (question_answer(q, VERDICT_REFUSE, __VA_ARGS__), true)

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Memory in use that no device stands for: the kernel would hand it back all the same. */
static bool check_leftover(const struct question *q)
{
	uint32_t cursor = 0;
	bool claimed = group_next_device(q->inv, q->group, &cursor);

	for (uint32_t i = 0; i < q->group->n_extents; i++) {
		const struct extent *extent = &q->inv->extents[q->group->first_extent + i];

		if (extent->leftover)
			return REFUSE(
				q,
				"memory%" PRIu64 " is still in use although no dax device "
				"claims %s: left behind by an unbind; take it offline before "
				"the device asks again, or the kernel hands back memory in use",
				extent->leftover_block, claimed ? extent->name : "the group");
	}
	return false;
}

static bool check_claimed(const struct question *q)
{
	unsigned n = q->group->n_extents;
	uint32_t cursor = 0;

	if (group_next_device(q->inv, q->group, &cursor))
		return false;
	if (n == 1)
		question_answer(q, VERDICT_NOTHING,
				"no dax device claims its extent, so the kernel releases it by "
				"itself");
	else
		question_answer(q, VERDICT_NOTHING,
				"no dax device claims any of its %u extents, so the kernel "
				"releases them by itself",
				n);
	return true;
}

static bool check_action(const struct question *q)
{
	const struct dax_device *device;
	char rule[RULE_WORDS_STRLEN];
	uint32_t cursor = 0;

	while ((device = group_next_device(q->inv, q->group, &cursor))) {
		const char *mode = dax_mode_to_string(device->mode);

		if (device->mode >= DAX_MODE_OTHER)
			return REFUSE(q,
				      "%s is bound to the driver \"%s\", which dcdd does not know; "
				      "no setting allows to free it",
				      device->name, device->driver);
		if (q->ret->settings.action[device->mode] == ACTION_FREE ||
		    q->ret->settings.action[device->mode] == ACTION_ASK)
			continue;
		if (*q->ret->settings.message)
			return REFUSE(q, "%s is in mode %s, which %s keeps: %s", device->name, mode,
				      question_rule(q, rule), q->ret->settings.message);
		return REFUSE(q,
			      "%s is in mode %s, which %s keeps; \"%s = free\" %s would "
			      "allow its release",
			      device->name, mode, question_rule(q, rule), mode,
			      q->rule ? "there" : "there or in a rule");
	}
	return false;
}

/* Calls @wrong for each block; the first one that is wrong gives the answer. */
static bool check_blocks(const struct question *q,
			 bool (*wrong)(const struct question *q, const struct dax_device *device,
				       const struct memory_block *block))
{
	const struct dax_device *device;
	uint32_t cursor = 0;

	while ((device = group_next_device(q->inv, q->group, &cursor)))
		for (uint32_t i = 0; i < device->n_blocks; i++)
			if (wrong(q, device, &q->inv->blocks[device->first_block + i]))
				return true;
	return false;
}

static bool is_kernel(const struct question *q, const struct dax_device *device,
		      const struct memory_block *block)
{
	if (block->state != BLOCK_ONLINE || block->zone != ZONE_KERNEL)
		return false;
	return REFUSE(q,
		      "memory%" PRIu64 " of %s is online in zone %s, not Movable, and may never go "
		      "offline",
		      block->number, device->name, block_zone_to_string(block->zone));
}

static bool check_kernel_zone(const struct question *q)
{
	return check_blocks(q, is_kernel);
}

static bool is_foreign(const struct question *q, const struct dax_device *device,
		       const struct memory_block *block)
{
	if (!block->foreign || block->state != BLOCK_ONLINE)
		return false;
	return REFUSE(q,
		      "memory%" PRIu64 " is online and reaches beyond %s, into memory that is not "
		      "part of the release",
		      block->number, device->name);
}

static bool check_foreign(const struct question *q)
{
	return check_blocks(q, is_foreign);
}

/*
 * kmem was unbound while its blocks were online: the kernel keeps them until it is booted again,
 * and nobody can be sure that they stay offline.
 */
static bool is_left_behind(const struct question *q, const struct dax_device *device,
			   const struct memory_block *block)
{
	if (device->mode == DAX_MODE_SYSTEM_RAM || block->foreign)
		return false;
	return REFUSE(q,
		      "memory%" PRIu64 " of %s is still there (%s) although the device is in mode "
		      "%s: left behind by its driver until the next reboot",
		      block->number, device->name, block_state_to_string(block->state),
		      dax_mode_to_string(device->mode));
}

static bool check_left_behind(const struct question *q)
{
	return check_blocks(q, is_left_behind);
}

/*
 * With memmap_on_memory a block's page structures are in its own first pages. kmem gives each block
 * its own, whatever the size of the device, so blocks go in any order and none depends on another.
 * But where a block is only partly ours and begins in our memory, the page structures of the rest
 * may be there as well: they would be handed back while the block, though offline, still exists.
 */
static bool is_memmap_of_others(const struct question *q, const struct dax_device *device,
				const struct memory_block *block)
{
	uint64_t start = memory_block_range(q->inv, block).start;

	if (!block->foreign || device->mode != DAX_MODE_SYSTEM_RAM || device->memmap_on_memory != 1)
		return false;
	for (uint32_t i = 0; i < device->n_mappings; i++) {
		const struct range *hpa = &q->inv->mappings[device->first_mapping + i].hpa;

		if (start >= hpa->start && start - hpa->start < hpa->length)
			return REFUSE(q,
				      "memory%" PRIu64 " begins in %s and reaches beyond it, and "
				      "with memmap_on_memory its page structures may be in the "
				      "part that would leave",
				      block->number, device->name);
	}
	return false;
}

static bool check_memmap(const struct question *q)
{
	return check_blocks(q, is_memmap_of_others);
}

/* First byte behind; a range that runs over the end of the address space ends there. */
static uint64_t range_limit(const struct range *r)
{
	return r->length > UINT64_MAX - r->start ? UINT64_MAX : r->start + r->length;
}

/*
 * The first byte of @range that no extent of the group covers; the range's end if all are. The
 * extents are sorted by address, so one pass is enough.
 */
static uint64_t first_uncovered(const struct question *q, const struct range *range)
{
	uint64_t at = range->start, limit = range_limit(range);

	for (uint32_t i = 0; i < q->group->n_extents && at < limit; i++) {
		const struct range *hpa = &q->inv->extents[q->group->first_extent + i].hpa;

		if (hpa->start <= at && range_limit(hpa) > at)
			at = range_limit(hpa);
	}
	return MIN(at, limit);
}

static bool check_outside(const struct question *q)
{
	const struct dax_device *device;
	uint32_t cursor = 0;

	while ((device = group_next_device(q->inv, q->group, &cursor)))
		for (uint32_t i = 0; i < device->n_mappings; i++) {
			const struct range *hpa = &q->inv->mappings[device->first_mapping + i].hpa;
			uint64_t at = first_uncovered(q, hpa);

			if (at < range_limit(hpa))
				return REFUSE(q,
					      "%s also claims memory outside the group, from "
					      "address 0x%" PRIx64 " of its mapping 0x%" PRIx64
					      "+0x%" PRIx64,
					      device->name, at, hpa->start, hpa->length);
		}
	return false;
}

/*
 * Whether all memory of the node leaves with the group. A node's total is what its page allocators
 * manage: of memory that carries its own page structures that is up to 1/64 less. What is left may
 * not be as much as half a block: then no other block of the node can be online.
 */
static bool node_leaves(const struct question *q, const struct numa_node *node)
{
	uint64_t leaving = group_online_bytes(q->inv, q->group, &node->id);
	const struct dax_device *device;
	uint64_t memmap = 0;
	uint32_t cursor = 0;

	while ((device = group_next_device(q->inv, q->group, &cursor)))
		if (device->target_node == node->id && device->memmap_on_memory != 0)
			memmap = leaving / 64;
	return leaving > 0 && node->total > 0 &&
	       saturating_add(node->total, memmap) <
		       saturating_add(leaving, q->inv->block_size / 2);
}

static bool node_id_leaves(const struct question *q, int32_t id)
{
	for (uint32_t i = 0; i < q->inv->n_nodes; i++)
		if (q->inv->nodes[i].id == id)
			return node_leaves(q, &q->inv->nodes[i]);
	return false;
}

/*
 * Huge pages of this size and more are too large for the page allocator on every architecture, so
 * the kernel moves one that is in use only into a free one of the same size on another node.
 * Smaller ones it can allocate there: they count as memory in use (headroom).
 */
#define GIGANTIC_PAGE GiB

static bool check_huge_pages(const struct question *q)
{
	const struct inventory *inv = q->inv;

	for (uint32_t i = 0; i < inv->n_hugepages; i++) {
		const struct huge_pages *pool = &inv->hugepages[i];
		uint64_t used = 0, room = 0;
		char size[VALUE_STRLEN];

		if (pool->size < GIGANTIC_PAGE || pool->total <= pool->free ||
		    !node_id_leaves(q, pool->node))
			continue;
		/* Of all nodes that leave together. */
		for (uint32_t k = 0; k < inv->n_hugepages; k++) {
			const struct huge_pages *other = &inv->hugepages[k];

			if (other->size != pool->size)
				continue;
			if (node_id_leaves(q, other->node))
				used = saturating_add(
					used, saturating_subtract(other->total, other->free));
			else
				room = saturating_add(room, other->free);
		}
		if (used > room)
			return REFUSE(q,
				      "all memory of node %" PRId32 " leaves with the group, and "
				      "for the %" PRIu64 " huge page%s of %s in use there, the "
				      "other nodes have %" PRIu64 " free",
				      pool->node, used, plural(used),
				      format_size_short(pool->size, size), room);
	}
	return false;
}

bool question_feasible(const struct question *q)
{
	static const check_t checks[] = {
		check_leftover,	   check_claimed, check_action,	 check_kernel_zone, check_foreign,
		check_left_behind, check_memmap,  check_outside, check_huge_pages,
	};

	/*
	 * Where something of the region was not seen, another device may claim the group and
	 * another rule apply: nothing is certain. That is a condition's matter.
	 */
	if (q->inv->regions[q->group->region].error != 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (checks[i](q))
			return false;
	return true;
}
