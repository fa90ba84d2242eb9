/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Releases with plans of every shape, their comparison with what a journal gave back, and journals
 * made by hand: for the tests of the undo journal and its fuzzer.
 */
#pragma once

#include <zlib.h>

#include "undo/undo.h"

#define BOOT "8b2c7c5e-9a43-4f0e-b1f5-2f1b6f3d9a01"
#define BOOT_BEFORE "11111111-2222-3333-4444-555555555555"

/* ---- random, from a seed ---- */

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static inline uint64_t below(uint64_t *state, uint64_t n)
{
	return next_random(state) % n;
}

static inline void *checked(void *p)
{
	if (!p)
		abort();
	return p;
}

static inline struct tag random_tag(uint64_t *s)
{
	struct tag tag;

	for (size_t i = 0; i < sizeof(tag.bytes); i++)
		tag.bytes[i] = (uint8_t)next_random(s);
	tag.bytes[0] |= 1; /* not the null tag */
	return tag;
}

static inline void random_device(uint64_t *s, struct plan *plan, size_t d)
{
	static const char *const drivers[] = { "", "kmem", "device_dax", "fsdev_dax", "cxl-mem.2" };
	struct plan_device *dev = &plan->devices[d];
	uint64_t at = below(s, UINT64_C(1) << 50);

	(void)snprintf(dev->name, sizeof(dev->name), "dax%u.%zu", (unsigned)below(s, 3), d);
	(void)str_copy(dev->driver, sizeof(dev->driver), drivers[below(s, ARRAY_SIZE(drivers))]);
	(void)snprintf(dev->dax_region, sizeof(dev->dax_region), "dax_region%u",
		       (unsigned)below(s, 9));
	dev->mode = (enum dax_mode)below(s, _DAX_MODE_MAX);
	if (below(s, 8))
		dev->tag = random_tag(s);
	dev->size = below(s, 4) ? below(s, UINT64_C(1) << 40) : next_random(s);
	dev->align = UINT64_C(1) << below(s, 64);
	dev->target_node = (int32_t)below(s, 5) - 1;
	dev->atomic = below(s, 2);
	dev->deleted = below(s, 2);
	dev->creating = below(s, 2);
	if (below(s, 3) == 0)
		(void)snprintf(dev->was, sizeof(dev->was), "dax%u.7", (unsigned)below(s, 3));
	dev->first_range = (uint32_t)plan->n_ranges;
	dev->n_ranges = (uint32_t)below(s, 5);
	for (uint32_t i = 0; i < dev->n_ranges; i++) {
		at += below(s, UINT64_C(1) << 30);
		plan->ranges[plan->n_ranges] =
			(struct range){ .start = at, .length = 1 + below(s, UINT64_C(1) << 30) };
		at = range_end(&plan->ranges[plan->n_ranges++]);
	}
	if (dev->n_ranges > 0)
		dev->first_mapping = plan->ranges[dev->first_range];
}

/* A release with everything that goes into a journal. */
static inline struct release *random_release(uint64_t seed)
{
	uint64_t s = seed * UINT64_C(0x9e3779b97f4a7c15) + 1, number;
	struct release *r = checked(calloc(1, sizeof(*r)));
	struct plan *plan = &r->plan;

	(void)snprintf(r->key.memdev, sizeof(r->key.memdev), "mem%u", (unsigned)below(&s, 200));
	if (below(&s, 4))
		r->key.tag = random_tag(&s);
	else
		r->key.dpa = (struct range){ below(&s, UINT64_C(1) << 63), next_random(&s) >> 1 };
	r->dpa = (struct range){ below(&s, UINT64_C(1) << 63), next_random(&s) >> 1 };
	(void)str_copy(r->region, sizeof(r->region), below(&s, 5) ? "region12" : "");
	r->bytes = next_random(&s);
	r->n_extents = (uint32_t)next_random(&s);
	r->records = next_random(&s);
	r->first_record = next_random(&s);
	r->last_record = below(&s, 2) ? next_random(&s) : UINT64_MAX;
	(void)str_copy(r->decision.rule, sizeof(r->decision.rule),
		       below(&s, 2) ? "default" : "night \"shift\" \\ £ü");

	plan->n_devices = below(&s, 5);
	plan->devices = checked(calloc(plan->n_devices + 1, sizeof(*plan->devices)));
	plan->ranges = checked(calloc(4 * plan->n_devices + 1, sizeof(*plan->ranges)));
	for (size_t d = 0; d < plan->n_devices; d++)
		random_device(&s, plan, d);
	plan->n_blocks = plan->n_devices ? below(&s, 40) : 0;
	plan->blocks = checked(calloc(plan->n_blocks + 1, sizeof(*plan->blocks)));
	number = below(&s, 1000);
	for (size_t i = 0; i < plan->n_blocks; i++) {
		struct plan_block *b = &plan->blocks[i];

		if (i > 0 && below(&s, 3))
			*b = b[-1]; /* a run */
		else
			*b = (struct plan_block){
				.device = (uint32_t)below(&s, plan->n_devices),
				.state = (enum block_state)below(&s, _BLOCK_STATE_MAX),
				.zone = (enum block_zone)below(&s, _BLOCK_ZONE_MAX),
			};
		number += below(&s, 5) ? 1 : 1 + below(&s, UINT64_C(1) << 40);
		b->number = number;
	}
	plan->blocks_total = (uint32_t)below(&s, 41);
	if (below(&s, 2)) {
		plan->n_known = below(&s, 4);
		plan->known = checked(calloc(plan->n_known + 1, sizeof(*plan->known)));
		for (size_t i = 0; i < plan->n_known; i++)
			(void)snprintf(plan->known[i].name, sizeof(plan->known[i].name), "dax%zu.0",
				       i);
	}
	return r;
}

/* ---- comparison: what differs first, or NULL ---- */

static inline const char *compare_devices(const struct plan *a, const struct plan *b)
{
	if (a->n_devices != b->n_devices)
		return "number of devices";
	for (size_t d = 0; d < a->n_devices; d++) {
		const struct plan_device *x = &a->devices[d], *y = &b->devices[d];

		if (!streq(x->name, y->name) || !streq(x->driver, y->driver) ||
		    !streq(x->dax_region, y->dax_region) || !streq(x->was, y->was))
			return "names of a device";
		if (x->mode != y->mode || !tag_equal(&x->tag, &y->tag) || x->size != y->size ||
		    x->align != y->align || x->target_node != y->target_node)
			return "a device";
		if (x->atomic != y->atomic || x->deleted != y->deleted ||
		    x->creating != y->creating)
			return "flags of a device";
		if (!range_equal(&x->first_mapping, &y->first_mapping))
			return "first mapping";
		if (x->n_ranges != y->n_ranges || y->first_range > b->n_ranges ||
		    y->n_ranges > b->n_ranges - y->first_range)
			return "number of ranges";
		for (uint32_t i = 0; i < x->n_ranges; i++)
			if (!range_equal(&a->ranges[x->first_range + i],
					 &b->ranges[y->first_range + i]))
				return "a range";
	}
	return NULL;
}

static inline const char *compare_plans(const struct plan *a, const struct plan *b)
{
	const char *what = compare_devices(a, b);

	if (what)
		return what;
	if (a->n_blocks != b->n_blocks || a->blocks_total != b->blocks_total)
		return "number of blocks";
	for (size_t i = 0; i < a->n_blocks; i++)
		if (a->blocks[i].number != b->blocks[i].number ||
		    a->blocks[i].device != b->blocks[i].device ||
		    a->blocks[i].state != b->blocks[i].state ||
		    a->blocks[i].zone != b->blocks[i].zone)
			return "a block";
	if (!a->known != !b->known || a->n_known != b->n_known)
		return "number of names";
	for (size_t i = 0; a->known && b->known && i < a->n_known; i++)
		if (!streq(a->known[i].name, b->known[i].name))
			return "a name";
	return b->forward.n || b->back.n || b->n_differences ? "steps from nowhere" : NULL;
}

static inline const char *compare_record(const struct release *r, const struct undo_record *record)
{
	if (!group_key_equal(&r->key, &record->key))
		return "key";
	if (!streq(record->boot_id, BOOT))
		return "boot id";
	if (!range_equal(&r->dpa, &record->dpa) || !streq(r->region, record->region) ||
	    r->bytes != record->bytes || r->n_extents != record->n_extents ||
	    r->records != record->records || r->first_record != record->first_record ||
	    r->last_record != record->last_record || !streq(r->decision.rule, record->rule))
		return "release";
	return compare_plans(&r->plan, &record->plan);
}

/* ---- journals made by hand ---- */

struct forged {
	char text[16384];
	size_t size;
};

/* Adds bytes as they are. */
static inline void forge_bytes(struct forged *f, const char *data, size_t size)
{
	if (size > sizeof(f->text) - f->size)
		abort();
	memcpy(f->text + f->size, data, size);
	f->size += size;
}

/* Adds a line; @object is JSON, which gets the right checksum. */
static inline void forge(struct forged *f, const char *object)
{
	char tail[32];

	forge_bytes(f, object, strlen(object) - 1);
	(void)snprintf(tail, sizeof(tail), ",\"sum\":\"%08lx\"}\n",
		       crc32(0, (const Bytef *)f->text, (uInt)f->size));
	forge_bytes(f, tail, strlen(tail));
}
