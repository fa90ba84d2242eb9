/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a node's memory is used for: plain use, which goes to any other node that has room, and huge
 * pages, which go only where one of their size is free or (2 MiB) can be made of free memory.
 */
#include "internal.h"

static const uint64_t huge_sizes[ENG_HUGE_SIZES] = { 2 * MiB, GiB };

uint64_t eng_huge_size(unsigned index)
{
	return huge_sizes[index];
}

uint64_t eng_node_total(const struct engine *e, int id)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < e->n_blocks; i++)
		if (e->blocks[i]->node == id && e->blocks[i]->state != ENG_BLOCK_OFFLINE)
			sum += e->config.block_size;
	return sum;
}

uint64_t eng_node_taken(const struct eng_node_info *n)
{
	uint64_t sum = n->used;

	for (unsigned i = 0; i < ENG_HUGE_SIZES; i++)
		sum += n->huge[i].total * huge_sizes[i];
	return sum;
}

static uint64_t node_room(const struct engine *e, const struct eng_node_info *n)
{
	return eng_node_total(e, n->id) - eng_node_taken(n);
}

int engine_node_set_used(struct engine *e, int node, uint64_t used)
{
	struct eng_node_info *n = eng_find_node(e, node);
	uint64_t total = eng_node_total(e, node);

	if (!n || !n->present)
		return -ENOENT;
	if (used > total || eng_node_taken(n) - n->used > total - used)
		return -ENOSPC;
	n->used = used;
	return 0;
}

int engine_node_set_huge_pages(struct engine *e, int node, uint64_t size, uint64_t total,
			       uint64_t free_pages)
{
	struct eng_node_info *n = eng_find_node(e, node), changed;

	if (!n || !n->present)
		return -ENOENT;
	for (unsigned i = 0; i < ENG_HUGE_SIZES; i++) {
		if (huge_sizes[i] != size)
			continue;
		if (free_pages > total)
			return -EINVAL;
		changed = *n;
		changed.huge[i] = (struct eng_huge){ .total = total, .free = free_pages };
		if (total > eng_node_total(e, node) / size ||
		    eng_node_taken(&changed) > eng_node_total(e, node))
			return -ENOSPC;
		*n = changed;
		return 0;
	}
	return -EINVAL;
}

void eng_node_set_pool(struct engine *e, struct eng_node_info *n, unsigned index, uint64_t total)
{
	struct eng_huge *pool = &n->huge[index];
	uint64_t in_use = pool->total - pool->free;
	uint64_t most = pool->total + node_room(e, n) / huge_sizes[index];

	/* As many as there is room for, and never fewer than are in use. */
	total = MAX(MIN(total, most), in_use);
	*pool = (struct eng_huge){ .total = total, .free = total - in_use };
}

/* The free huge pages on a node that must get by with @left bytes become ordinary memory. */
static void dissolve(struct eng_node_info *n, uint64_t left)
{
	for (unsigned i = 0; i < ENG_HUGE_SIZES; i++) {
		struct eng_huge *pool = &n->huge[i];

		while (pool->free > 0 && eng_node_taken(n) > left) {
			pool->free--;
			pool->total--;
		}
	}
}

/* Plain use goes first, it fits anywhere. */
static void move_used(struct engine *e, struct eng_node_info *from, uint64_t left)
{
	for (size_t i = 0; i < e->n_nodes; i++) {
		struct eng_node_info *to = &e->nodes[i];
		uint64_t taken = eng_node_taken(from), part;

		if (taken <= left)
			return;
		if (to == from)
			continue;
		part = MIN(MIN(taken - left, from->used), node_room(e, to));
		to->used += part;
		from->used -= part;
	}
}

/* One huge page in use; false: there is no place for it. */
static bool move_huge(struct engine *e, struct eng_node_info *from, unsigned index)
{
	for (size_t i = 0; i < e->n_nodes; i++) {
		struct eng_node_info *to = &e->nodes[i];
		struct eng_huge *pool = &to->huge[index];

		if (to == from)
			continue;
		if (pool->free > 0)
			pool->free--;
		else if (huge_sizes[index] == 2 * MiB && node_room(e, to) >= 2 * MiB)
			pool->total++;
		else
			continue;
		from->huge[index].total--;
		return true;
	}
	return false;
}

bool eng_node_shrink(struct engine *e, struct eng_node_info *n, uint64_t left)
{
	struct eng_node_info *before = calloc(e->n_nodes, sizeof(*before));
	bool fits;

	if (!before)
		return false;
	memcpy(before, e->nodes, e->n_nodes * sizeof(*before));
	dissolve(n, left);
	move_used(e, n, left);
	for (unsigned i = 0; i < ENG_HUGE_SIZES; i++)
		while (eng_node_taken(n) > left && n->huge[i].total > 0 && move_huge(e, n, i))
			;
	fits = eng_node_taken(n) <= left;
	if (!fits)
		memcpy(e->nodes, before, e->n_nodes * sizeof(*before));
	free(before);
	return fits;
}

void eng_node_cut(struct eng_node_info *n, uint64_t left)
{
	dissolve(n, left);
	for (unsigned i = 0; i < ENG_HUGE_SIZES; i++)
		while (n->huge[i].total > 0 && eng_node_taken(n) > left)
			n->huge[i].total--;
	n->used = MIN(n->used, left);
}
