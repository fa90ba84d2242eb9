/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headroom: what is in use in the group's memory must move, and the rest of the host must have
 * room for it and keep some. Numbers from the kernel are snapshots and may contradict each other
 * (free above total): every step saturates.
 */
#include "decide.h"

/* Without a product that could overflow; @permyriad <= 10000. */
static uint64_t part(uint64_t total, unsigned permyriad)
{
	return total / 10000 * permyriad + total % 10000 * permyriad / 10000;
}

uint32_t device_online_blocks(const struct inventory *inv, const struct dax_device *device)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < device->n_blocks; i++)
		if (inv->blocks[device->first_block + i].state == BLOCK_ONLINE)
			n++;
	return n;
}

uint64_t group_online_bytes(const struct inventory *inv, const struct tag_group *group,
			    const int32_t *node)
{
	const struct dax_device *device;
	uint32_t cursor = 0;
	uint64_t bytes = 0;

	while ((device = group_next_device(inv, group, &cursor)))
		if (!node || device->target_node == *node)
			bytes = saturating_add(
				bytes, saturating_multiply(device_online_blocks(inv, device),
							   inv->block_size));
	return bytes;
}

/* The leaving group @i, unless it is @group itself, is told twice, or is not there any more. */
static bool leaving_group(const struct inventory *inv, const struct tag_group *group,
			  const struct policy_facts *facts, size_t i, struct tag_group *ret)
{
	const struct group_key *key = &facts->leaving[i];
	struct group_key own;
	uint32_t cursor = 0;

	for (size_t k = 0; k < i; k++)
		if (group_key_equal(key, &facts->leaving[k]))
			return false;
	if (inventory_find_group(inv, key, NULL, ret) == 0)
		return ret->first_extent != group->first_extent;
	/* That looks only where all was read; what is seen of it elsewhere leaves all the same. */
	while (inventory_next_group(inv, &cursor, ret)) {
		tag_group_key(inv, ret, &own);
		if (group_key_equal(key, &own))
			return ret->first_extent != group->first_extent;
	}
	return false;
}

uint64_t leaving_online_bytes(const struct inventory *inv, const struct tag_group *group,
			      const struct policy_facts *facts, const int32_t *node)
{
	uint64_t bytes = group_online_bytes(inv, group, node);

	for (size_t i = 0; i < facts->n_leaving; i++) {
		struct tag_group other;

		if (leaving_group(inv, group, facts, i, &other))
			bytes = saturating_add(bytes, group_online_bytes(inv, &other, node));
	}
	return bytes;
}

/* What is available on the node when @leaving bytes of it are gone, and what is in use of those. */
static uint64_t node_available(const struct numa_node *node, uint64_t leaving, uint64_t *ret_moving)
{
	uint64_t used = saturating_subtract(node->total, node->free);
	uint64_t moving = MIN(leaving, used);

	*ret_moving = moving;
	if (leaving == 0)
		return MIN(saturating_add(node->free, node->reclaimable), node->total);
	/*
	 * How the used bytes are spread over the node cannot be seen. For the sum it does not
	 * matter: a byte more to move is a byte more free in what stays. What could be reclaimed
	 * here may all be in the part that leaves.
	 */
	return saturating_subtract(node->total - leaving, used - moving);
}

bool headroom_compute(const struct inventory *inv, const struct tag_group *group,
		      const struct policy_facts *facts, const struct release_settings *settings,
		      struct headroom *ret)
{
	uint64_t total = 0, known = 0;

	*ret = (struct headroom){ 0 };
	if (inv->n_nodes == 0 || group_online_bytes(inv, group, NULL) == 0)
		return false;

	for (uint32_t i = 0; i < inv->n_nodes; i++) {
		const struct numa_node *node = &inv->nodes[i];
		uint64_t leaving = MIN(leaving_online_bytes(inv, group, facts, &node->id),
				       node->total);
		uint64_t staying = node->total - leaving, moving, available, node_floor;

		available = node_available(node, leaving, &moving);
		node_floor = MAX(settings->node_headroom_bytes,
				 part(staying, settings->node_headroom_permyriad));
		known = saturating_add(known, leaving);
		total = saturating_add(total, staying);
		ret->must_move = saturating_add(ret->must_move, moving);
		ret->available = saturating_add(ret->available, available);
		ret->above = saturating_add(ret->above, saturating_subtract(available, node_floor));
		ret->node_floor = MAX(ret->node_floor, node_floor);
	}
	/* Blocks on a node that is not listed, or larger than theirs: full, as far as we know. */
	ret->must_move = saturating_add(
		ret->must_move,
		saturating_subtract(leaving_online_bytes(inv, group, facts, NULL), known));
	ret->floor = MAX(settings->headroom_bytes, part(total, settings->headroom_permyriad));
	return true;
}
