/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extents and groups on the host: a group comes into the tree whole or not at all, and a release
 * takes a whole group or, if any member is in use, changes nothing and says nothing.
 */
#include "internal.h"

struct range eng_extent_hpa(const struct eng_extent *x)
{
	return (struct range){
		.start = x->region->hpa.start + (x->dpa.start - x->region->dpa.start),
		.length = x->dpa.length,
	};
}

char *eng_extent_name(const struct eng_extent *x, char buf[static ENG_DAX_NAME_MAX])
{
	(void)snprintf(buf, ENG_DAX_NAME_MAX, "extent%u.%u", x->region->id, x->k);
	return buf;
}

uint64_t eng_region_available(const struct eng_region *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n_extents; i++)
		if (r->extents[i]->use_count == 0)
			sum += r->extents[i]->dpa.length;
	return sum;
}

void eng_group_free(struct eng_group *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n_members; i++)
		free(g->members[i]);
	free(g->members);
	free(g);
}

/* Index of the first extent that ends behind @start. */
static size_t extent_lower(const struct eng_region *r, uint64_t start)
{
	size_t lo = 0, hi = r->n_extents;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (range_end(&r->extents[mid]->dpa) <= start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct eng_region *eng_region_at(const struct engine *e, const struct eng_memdev *m, uint64_t dpa)
{
	struct range byte = { .start = dpa, .length = 1 };

	for (size_t i = 0; i < e->n_regions; i++) {
		struct eng_region *r = e->regions[i];

		if (r->memdev == m && r->enabled && range_contains(&r->dpa, &byte))
			return r->dax ? r : NULL;
	}
	return NULL;
}

/* ---- one extent in and out of its region ---- */

static int k_alloc(struct eng_region *r, unsigned *ret)
{
	size_t k = MAX(r->lowest_k, (size_t)1);
	size_t old = r->max_k;
	int err;

	while (k < r->max_k && r->k_used[k])
		k++;
	while (k >= r->max_k) {
		err = eng_grow(&r->k_used, r->max_k, &r->max_k, 1);
		if (err < 0)
			return err;
	}
	if (r->max_k > old)
		memset(r->k_used + old, 0, r->max_k - old);
	r->k_used[k] = 1;
	r->lowest_k = k + 1;
	*ret = (unsigned)k;
	return 0;
}

static int extent_insert(struct engine *e, struct eng_extent *x)
{
	struct eng_region *r = x->region;
	size_t at = extent_lower(r, x->dpa.start);
	int err;

	if (e->fail_extent_nth > 0 && --e->fail_extent_nth == 0)
		return e->fail_extent_error;
	if (at < r->n_extents && range_overlaps(&r->extents[at]->dpa, &x->dpa))
		return -EEXIST;
	err = eng_grow(&r->extents, r->n_extents, &r->max_extents, sizeof(struct eng_extent *));
	if (err < 0)
		return err;
	err = k_alloc(r, &x->k);
	if (err < 0)
		return err;
	x->arrival = ++e->next_arrival;
	memmove(&r->extents[at + 1], &r->extents[at], (r->n_extents - at) * sizeof(*r->extents));
	r->extents[at] = x;
	r->n_extents++;
	return 0;
}

static void extent_remove(struct eng_extent *x)
{
	struct eng_region *r = x->region;
	size_t at = extent_lower(r, x->dpa.start);

	r->k_used[x->k] = 0;
	r->lowest_k = MIN(r->lowest_k, x->k);
	r->n_extents--;
	memmove(&r->extents[at], &r->extents[at + 1], (r->n_extents - at) * sizeof(*r->extents));
}

int eng_group_commit(struct engine *e, struct eng_group *g)
{
	int r;

	r = eng_grow(&e->groups, e->n_groups, &e->max_groups, sizeof(*e->groups));
	if (r < 0)
		return r;
	for (size_t i = 0; i < g->n_members; i++) {
		r = extent_insert(e, g->members[i]);
		if (r < 0) {
			while (i-- > 0)
				extent_remove(g->members[i]);
			e->counters.groups_rolled_back++;
			return r;
		}
	}
	g->id = ++e->next_group;
	g->expected = g->n_members;
	e->groups[e->n_groups++] = g;
	eng_structure_changed(e);
	return 0;
}

void engine_fail_extent(struct engine *e, unsigned nth, int error)
{
	e->fail_extent_nth = nth;
	e->fail_extent_error = error;
}

void engine_fail_invalidate(struct engine *e, int error)
{
	e->fail_invalidate_error = error;
}

/* ---- releasing ---- */

/* A block of the extent that a kernel still uses: the one thing that must never be. */
static void check_not_online(struct engine *e, const struct eng_extent *x)
{
	struct range hpa = eng_extent_hpa(x);
	uint64_t number = hpa.start / e->config.block_size;
	uint64_t last = (range_end(&hpa) - 1) / e->config.block_size;
	char name[ENG_DAX_NAME_MAX];

	for (; number <= last; number++) {
		const struct eng_block *b = eng_find_block(e, number);

		if (b && b->state != ENG_BLOCK_OFFLINE)
			eng_violation(e, "memory%ju is online and %s under it goes back to mem%u",
				      (uintmax_t)number, eng_extent_name(x, name),
				      x->region->memdev->id);
	}
}

void eng_group_return(struct engine *e, struct eng_group *g)
{
	size_t at = 0;

	for (size_t i = 0; i < g->n_members; i++) {
		struct eng_extent *x = g->members[i];

		check_not_online(e, x);
		extent_remove(x);
		eng_device_returned(e, x->region->memdev, &x->dpa);
	}
	while (at < e->n_groups && e->groups[at] != g)
		at++;
	if (at < e->n_groups) {
		e->n_groups--;
		memmove(&e->groups[at], &e->groups[at + 1],
			(e->n_groups - at) * sizeof(*e->groups));
	}
	eng_group_free(g);
	eng_structure_changed(e);
}

static struct eng_extent *find_extent(const struct eng_region *r, const struct range *dpa,
				      const struct tag *tag)
{
	size_t i = extent_lower(r, dpa->start);

	if (i >= r->n_extents || !range_contains(&r->extents[i]->dpa, dpa) ||
	    !tag_equal(&r->extents[i]->tag, tag))
		return NULL;
	return r->extents[i];
}

static int handle_release(struct engine *e, struct eng_memdev *m, const struct dc_event *event)
{
	struct eng_region *r = eng_region_at(e, m, event->dpa.start);
	struct eng_extent *x;
	char text[TAG_STRLEN + 1];

	if (event->dpa.length == 0 || event->dpa.length > UINT64_MAX - event->dpa.start) {
		eng_kmsg(e, "cxl_pci %s: dcd event failed: %d", m->config.host, -EINVAL);
		e->counters.releases_unmatched++;
		return ENGINE_NO_MATCH;
	}
	if (!r) {
		/* Nobody on this host can know it: the kernel lets the device have it. */
		eng_device_returned(e, m, &event->dpa);
		eng_kmsg(e, "cxl_pci %s: dcd event failed: %d", m->config.host, -ENXIO);
		return ENGINE_NO_REGION;
	}
	x = find_extent(r, &event->dpa, &event->tag);
	if (!x) {
		eng_kmsg(e,
			 "cxl_dax_region dax_region%u: release DPA [range 0x%016jx-0x%016jx] (%s) "
			 "matches no dc_extent",
			 r->id, (uintmax_t)event->dpa.start, (uintmax_t)range_end(&event->dpa) - 1,
			 tag_format(&event->tag, text));
		eng_kmsg(e, "cxl_pci %s: dcd event failed: %d", m->config.host, -EINVAL);
		e->counters.releases_unmatched++;
		return ENGINE_NO_MATCH;
	}
	if (e->fail_invalidate_error < 0) {
		eng_kmsg(e, "cxl_pci %s: dcd event failed: %d", m->config.host,
			 e->fail_invalidate_error);
		return ENGINE_FAILED;
	}
	for (size_t i = 0; i < x->group->n_members; i++) {
		if (x->group->members[i]->use_count > 0) {
			/* Silent, and nothing is kept: the device may ask again, or not. */
			e->counters.releases_busy++;
			return ENGINE_BUSY;
		}
	}
	eng_group_return(e, x->group);
	e->counters.releases_granted++;
	return ENGINE_RELEASED;
}

int engine_record_handle(struct engine *e, const struct engine_record *record)
{
	struct eng_memdev *m = eng_find_memdev(e, record->event.memdev);

	if (!m)
		return ENGINE_FAILED;
	switch (record->event.type) {
	case DC_EVENT_ADD:
		return eng_handle_add(e, m, record);
	case DC_EVENT_RELEASE:
		return handle_release(e, m, &record->event);
	case DC_EVENT_FORCED_RELEASE:
		eng_kmsg(e, "cxl_pci %s: Forced release event ignored.", m->config.host);
		e->counters.forced_ignored++;
		return ENGINE_IGNORED;
	case DC_EVENT_REGION_UPDATED:
		return ENGINE_IGNORED;
	default:
		eng_kmsg(e, "cxl_pci %s: dcd event failed: %d", m->config.host, -EINVAL);
		return ENGINE_FAILED;
	}
}
