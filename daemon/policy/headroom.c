/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Headroom: what is in use in the group's memory must move, and the rest of the host must have
 * room for it and keep some. Numbers from the kernel are snapshots and may contradict each other
 * (free above total): every step saturates.
 */
#include "decide.h"

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t subtract(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

/* Without a product that could overflow; @permyriad <= 10000. */
static uint64_t part(uint64_t total, unsigned permyriad)
{
	return total / 10000 * permyriad + total % 10000 * permyriad / 10000;
}

static uint64_t device_online_bytes(const struct inventory *inv, const struct dax_device *device)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < device->n_blocks; i++)
		if (inv->blocks[device->first_block + i].state == BLOCK_ONLINE)
			n++;
	return multiply(n, inv->block_size);
}

/* Of the group's blocks, those on @node; any node if NULL. */
static uint64_t group_online_bytes(const struct inventory *inv, const struct tag_group *group,
				   const struct numa_node *node)
{
	const struct dax_device *device;
	uint32_t cursor = 0;
	uint64_t bytes = 0;

	while ((device = group_next_device(inv, group, &cursor)))
		if (!node || device->target_node == node->id)
			bytes = add(bytes, device_online_bytes(inv, device));
	return bytes;
}

bool headroom_compute(const struct inventory *inv, const struct tag_group *group,
		      const struct release_settings *settings, struct headroom *ret)
{
	uint64_t must_move = 0, available = 0, total = 0, known = 0, online;

	online = group_online_bytes(inv, group, NULL);
	if (online == 0 || inv->n_nodes == 0)
		return false;

	for (uint32_t i = 0; i < inv->n_nodes; i++) {
		const struct numa_node *node = &inv->nodes[i];
		uint64_t leaving = MIN(group_online_bytes(inv, group, node), node->total);
		uint64_t used = subtract(node->total, node->free);
		uint64_t moving = MIN(leaving, used), staying = node->total - leaving;

		known = add(known, leaving);
		must_move = add(must_move, moving);
		total = add(total, staying);
		if (leaving == 0)
			available = add(available,
					MIN(add(node->free, node->reclaimable), node->total));
		else
			/*
			 * How the used bytes are spread over the node cannot be seen. For the sum
			 * it does not matter: a byte more to move is a byte more free in what
			 * stays. What could be reclaimed here may all be in the part that leaves.
			 */
			available = add(available, subtract(staying, used - moving));
	}
	/* Blocks on a node that is not listed, or larger than theirs: full, as far as we know. */
	must_move = add(must_move, subtract(online, known));

	*ret = (struct headroom){
		.must_move = must_move,
		.available = available,
		.floor = MAX(settings->headroom_bytes, part(total, settings->headroom_permyriad)),
	};
	return true;
}

bool headroom_suffices(const struct headroom *headroom)
{
	return headroom->available >= headroom->floor &&
	       headroom->available - headroom->floor >= headroom->must_move;
}
