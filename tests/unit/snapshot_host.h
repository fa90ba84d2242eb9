/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots for tests: random hosts with every member set, random facts, and what it means that
 * two of them are the same.
 */
#pragma once

#include "random_inventory.h"
#include "snapshot/snapshot.h"

struct random_facts {
	struct policy_facts facts;
	struct pressure_ceiling ceilings[4];
	struct inhibitor inhibitors[4];
	struct freed freed[4];
	struct group_key leaving[4];
};

static inline void random_text(struct random_state *r, char *buf, size_t size)
{
	static const char *const letters[] = {
		"a", "Z", "9", " ", ".", "@", "\\", "\"", "/", "\xc3\xa9", "\xe2\x82\xac",
		"%", "{", ","
	};
	size_t length = random_below(r, (uint32_t)size), used = 0;

	buf[0] = '\0';
	for (;;) {
		const char *letter = letters[random_below(r, ARRAY_SIZE(letters))];

		if (used + strlen(letter) > length)
			return;
		(void)str_copy(buf + used, size - used, letter);
		used += strlen(letter);
	}
}

static inline uint64_t random_number(struct random_state *r)
{
	return random_next(r) >> random_below(r, 64);
}

/* What random_inventory() leaves at 0, and text of all kinds. */
static inline void random_members(struct random_state *r, struct inventory *inv)
{
	inv->n_unseen = random_below(r, 3);
	for (uint32_t i = 0; i < inv->n_regions; i++)
		inv->regions[i].available = random_number(r);
	for (uint32_t i = 0; i < inv->n_extents; i++) {
		struct extent *e = &inv->extents[i];

		e->leftover = random_below(r, 2);
		e->leftover_block = random_number(r);
		e->sharable = (int32_t)random_below(r, 3) - 1;
	}
	for (uint32_t i = 0; i < inv->n_devices; i++) {
		struct dax_device *d = &inv->devices[i];

		(void)str_copy(d->state, sizeof(d->state),
			       random_below(r, 2) ? "online_movable" : "");
		d->target_node = (int32_t)random_below(r, 4) - 1;
		d->memmap_on_memory = (int32_t)random_below(r, 3) - 1;
		d->dev_major = (uint32_t)random_next(r);
	}
	for (uint32_t i = 0; i < inv->n_mappings; i++)
		inv->mappings[i].page_offset = random_number(r);
	for (uint32_t i = 0; i < inv->n_blocks; i++)
		inv->blocks[i].foreign |= random_below(r, 4) == 0;
	for (uint32_t i = 0; i < inv->n_holders; i++) {
		struct holder *h = &inv->holders[i];

		h->start = random_number(r);
		random_text(r, h->comm, sizeof(h->comm));
		random_text(r, h->unit, sizeof(h->unit));
		random_text(r, h->cgroup, sizeof(h->cgroup));
		if (!h->mounted)
			continue;
		(void)str_copy(h->path, sizeof(h->path), "/");
		random_text(r, h->path + 1, sizeof(h->path) - 1);
		random_text(r, h->fstype, sizeof(h->fstype));
	}
	for (uint32_t i = 0; i < inv->n_nodes; i++)
		inv->nodes[i].reclaimable = random_number(r);
	/* Holders are sorted by their paths. */
	assert_int_equal(inventory_link(inv), 0);
}

static inline struct inventory *random_host(uint64_t seed)
{
	struct random_state r = { .state = ~seed };
	struct inventory *inv = random_inventory(seed);

	random_members(&r, inv);
	random_errors(&r, inv);
	return inv;
}

static inline void random_facts(uint64_t seed, struct random_facts *ret)
{
	struct random_state r = { .state = seed * 3 };
	struct policy_facts *facts = &ret->facts;

	memset(ret, 0, sizeof(*ret));
	*facts = (struct policy_facts){
		.now = (UINT64_C(1) << 45) + (random_next(&r) >> 20),
		.realtime = UINT64_C(1790000000000000) + (random_next(&r) >> 16),
		.pressure_known = random_below(&r, 2),
		.pressure_some = random_below(&r, 10001),
		.pressure_full = random_below(&r, 10001),
		.ceilings = ret->ceilings,
		.n_ceilings = random_below(&r, ARRAY_SIZE(ret->ceilings) + 1),
		.inhibitors = ret->inhibitors,
		.n_inhibitors = random_below(&r, ARRAY_SIZE(ret->inhibitors) + 1),
		.freed = ret->freed,
		.n_freed = random_below(&r, ARRAY_SIZE(ret->freed) + 1),
		.leaving = ret->leaving,
		.n_leaving = random_below(&r, ARRAY_SIZE(ret->leaving) + 1),
		.own_pid = (int32_t)random_below(&r, 30000),
	};
	for (size_t i = 0; i < facts->n_ceilings; i++)
		ret->ceilings[i] = (struct pressure_ceiling){
			.full = random_below(&r, 2),
			.permyriad = random_below(&r, 10001),
			.exceeded = random_below(&r, 2) ? random_next(&r) >> 20 : 0,
		};
	for (size_t i = 0; i < facts->n_inhibitors; i++) {
		struct inhibitor *inhibitor = &ret->inhibitors[i];

		inhibitor->id = random_number(&r);
		inhibitor->mode = (enum inhibit_mode)random_below(&r, _INHIBIT_MODE_MAX);
		random_text(&r, inhibitor->scope, sizeof(inhibitor->scope));
		random_text(&r, inhibitor->who, sizeof(inhibitor->who));
		random_text(&r, inhibitor->why, sizeof(inhibitor->why));
		inhibitor->uid = (uint32_t)random_next(&r);
		inhibitor->pid = (int32_t)random_below(&r, 30000);
		inhibitor->since = random_next(&r) >> 16;
	}
	for (size_t i = 0; i < facts->n_freed; i++) {
		ret->freed[i].when = random_next(&r) >> 20;
		ret->freed[i].bytes = random_number(&r);
		ret->freed[i].more = random_below(&r, 2) ? (unsigned)random_next(&r) : 0;
		(void)str_copy(ret->freed[i].memdev, DEV_NAME_MAX,
			       random_below(&r, 2) ? "mem0" : "mem9");
	}
	for (size_t i = 0; i < facts->n_leaving; i++) {
		struct group_key *key = &ret->leaving[i];

		(void)str_copy(key->memdev, DEV_NAME_MAX, "mem1");
		key->tag = random_tag(random_below(&r, 3));
		if (tag_is_null(&key->tag))
			key->dpa = (struct range){ random_next(&r) >> 1, 1 + random_below(&r, 9) };
	}
}

#define SAME_TEXT(a, b, field) assert_string_equal((a)->field, (b)->field)
#define SAME(a, b, field) assert_true((a)->field == (b)->field)
#define SAME_RANGE(a, b, field) assert_true(range_equal(&(a)->field, &(b)->field))
#define SAME_TAG(a, b, field) assert_true(tag_equal(&(a)->field, &(b)->field))

static inline void assert_same_devices(const struct inventory *a, const struct inventory *b)
{
	for (uint32_t i = 0; i < a->n_devices; i++) {
		const struct dax_device *x = &a->devices[i], *y = &b->devices[i];

		SAME_TEXT(x, y, name);
		SAME_TEXT(x, y, driver);
		SAME_TEXT(x, y, state);
		SAME(x, y, region);
		SAME(x, y, mode);
		SAME_TAG(x, y, tag);
		SAME(x, y, size);
		SAME(x, y, align);
		SAME(x, y, target_node);
		SAME(x, y, memmap_on_memory);
		SAME(x, y, dev_major);
		SAME(x, y, dev_minor);
		SAME(x, y, first_mapping);
		SAME(x, y, n_mappings);
		SAME(x, y, first_block);
		SAME(x, y, n_blocks);
		SAME(x, y, first_holder);
		SAME(x, y, n_holders);
	}
	for (uint32_t i = 0; i < a->n_mappings; i++) {
		SAME_RANGE(&a->mappings[i], &b->mappings[i], hpa);
		SAME(&a->mappings[i], &b->mappings[i], page_offset);
	}
	for (uint32_t i = 0; i < a->n_blocks; i++) {
		const struct memory_block *x = &a->blocks[i], *y = &b->blocks[i];

		SAME(x, y, number);
		SAME(x, y, state);
		SAME(x, y, zone);
		SAME(x, y, device);
		SAME(x, y, foreign);
	}
	for (uint32_t i = 0; i < a->n_holders; i++) {
		const struct holder *x = &a->holders[i], *y = &b->holders[i];

		SAME(x, y, device);
		SAME(x, y, pid);
		SAME(x, y, start);
		SAME(x, y, open);
		SAME(x, y, mapped);
		SAME(x, y, mounted);
		SAME_TEXT(x, y, comm);
		SAME_TEXT(x, y, unit);
		SAME_TEXT(x, y, cgroup);
		SAME_TEXT(x, y, path);
		SAME_TEXT(x, y, fstype);
	}
}

static inline void assert_same_inventory(const struct inventory *a, const struct inventory *b)
{
	SAME(a, b, block_size);
	SAME(a, b, taken);
	SAME_TEXT(a, b, auto_online);
	SAME(a, b, n_unseen);
	SAME(a, b, n_memdevs);
	SAME(a, b, n_regions);
	SAME(a, b, n_extents);
	SAME(a, b, n_devices);
	SAME(a, b, n_mappings);
	SAME(a, b, n_blocks);
	SAME(a, b, n_holders);
	SAME(a, b, n_nodes);
	SAME(a, b, n_hugepages);
	for (uint32_t i = 0; i < a->n_memdevs; i++) {
		SAME_TEXT(&a->memdevs[i], &b->memdevs[i], name);
		SAME(&a->memdevs[i], &b->memdevs[i], serial);
	}
	for (uint32_t i = 0; i < a->n_regions; i++) {
		const struct region *x = &a->regions[i], *y = &b->regions[i];

		SAME_TEXT(x, y, name);
		SAME_TEXT(x, y, dax_region);
		SAME_TEXT(x, y, mode);
		SAME_TEXT(x, y, decoder);
		SAME(x, y, memdev);
		SAME(x, y, id);
		SAME_RANGE(x, y, hpa);
		SAME_RANGE(x, y, dpa);
		SAME(x, y, available);
		SAME(x, y, first_extent);
		SAME(x, y, n_extents);
		SAME(x, y, first_device);
		SAME(x, y, n_devices);
		SAME(x, y, error);
		SAME_TEXT(x, y, error_path);
	}
	for (uint32_t i = 0; i < a->n_extents; i++) {
		const struct extent *x = &a->extents[i], *y = &b->extents[i];

		SAME_TEXT(x, y, name);
		SAME(x, y, region);
		SAME(x, y, device);
		SAME_TAG(x, y, tag);
		SAME_RANGE(x, y, hpa);
		SAME_RANGE(x, y, dpa);
		SAME(x, y, leftover);
		SAME(x, y, leftover_block);
		SAME(x, y, sharable);
	}
	assert_same_devices(a, b);
	for (uint32_t i = 0; i < a->n_nodes; i++) {
		const struct numa_node *x = &a->nodes[i], *y = &b->nodes[i];

		SAME(x, y, id);
		SAME(x, y, total);
		SAME(x, y, free);
		SAME(x, y, reclaimable);
	}
	for (uint32_t i = 0; i < a->n_hugepages; i++) {
		const struct huge_pages *x = &a->hugepages[i], *y = &b->hugepages[i];

		SAME(x, y, node);
		SAME(x, y, size);
		SAME(x, y, total);
		SAME(x, y, free);
	}
}

static inline void assert_same_facts(const struct policy_facts *a, const struct policy_facts *b)
{
	SAME(a, b, now);
	SAME(a, b, realtime);
	SAME(a, b, pressure_known);
	SAME(a, b, pressure_some);
	SAME(a, b, pressure_full);
	SAME(a, b, own_pid);
	SAME(a, b, n_ceilings);
	SAME(a, b, n_inhibitors);
	SAME(a, b, n_freed);
	SAME(a, b, n_leaving);
	for (size_t i = 0; i < a->n_ceilings; i++) {
		SAME(&a->ceilings[i], &b->ceilings[i], full);
		SAME(&a->ceilings[i], &b->ceilings[i], permyriad);
		SAME(&a->ceilings[i], &b->ceilings[i], exceeded);
	}
	for (size_t i = 0; i < a->n_inhibitors; i++) {
		const struct inhibitor *x = &a->inhibitors[i], *y = &b->inhibitors[i];

		SAME(x, y, id);
		SAME(x, y, mode);
		SAME_TEXT(x, y, scope);
		SAME_TEXT(x, y, who);
		SAME_TEXT(x, y, why);
		SAME(x, y, uid);
		SAME(x, y, pid);
		SAME(x, y, since);
	}
	for (size_t i = 0; i < a->n_freed; i++) {
		SAME(&a->freed[i], &b->freed[i], when);
		SAME_TEXT(&a->freed[i], &b->freed[i], memdev);
		SAME(&a->freed[i], &b->freed[i], bytes);
		SAME(&a->freed[i], &b->freed[i], more);
	}
	for (size_t i = 0; i < a->n_leaving; i++)
		assert_true(group_key_equal(&a->leaving[i], &b->leaving[i]));
}
