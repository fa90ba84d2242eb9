/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold of the host's data after every operation, recomputed from scratch: no partial
 * group, use counts equal claims, sizes add up, blocks and devices agree.
 */
#include <stdarg.h>

#include "internal.h"

struct check {
	const struct engine *e;
	char *error;
	size_t size;
};

static bool _printf_(2, 3) fail(const struct check *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(c->error, c->size, format, ap);
	va_end(ap);
	return false;
}

/* Claims of @x by the devices of its region. */
static unsigned count_claims(const struct eng_extent *x)
{
	const struct eng_region *r = x->region;
	unsigned n = 0;

	for (size_t i = 0; i < r->n_devices; i++)
		for (size_t j = 0; j < r->devices[i]->n_mappings; j++)
			n += r->devices[i]->mappings[j].extent == x;
	return n;
}

static const struct eng_given *find_given(const struct eng_memdev *m, const struct range *dpa)
{
	for (size_t i = 0; i < m->n_given; i++)
		if (range_equal(&m->given[i].dpa, dpa))
			return &m->given[i];
	return NULL;
}

static bool check_group(const struct check *c, const struct eng_group *g)
{
	char name[ENG_DAX_NAME_MAX];

	if (g->n_members == 0 || g->n_members != g->expected)
		return fail(c, "group %ju has %zu of %zu extents", (uintmax_t)g->id, g->n_members,
			    g->expected);
	for (size_t i = 0; i < g->n_members; i++) {
		const struct eng_extent *x = g->members[i];
		bool found = false;

		eng_extent_name(x, name);
		for (size_t j = 0; j < g->region->n_extents; j++)
			found |= g->region->extents[j] == x;
		if (!found || x->region != g->region || x->group != g)
			return fail(c, "%s of group %ju is not in the region", name,
				    (uintmax_t)g->id);
		if (!tag_equal(&x->tag, &g->tag))
			return fail(c, "%s has another tag than its group", name);
		if (!tag_is_null(&g->tag) && x->use_count != g->members[0]->use_count)
			return fail(c, "%s: tagged group claimed in part", name);
	}
	for (size_t i = 0; i < c->e->n_groups; i++)
		if (c->e->groups[i] != g && !tag_is_null(&g->tag) &&
		    tag_equal(&c->e->groups[i]->tag, &g->tag))
			return fail(c, "two groups of one tag");
	return true;
}

static bool check_extents(const struct check *c, const struct eng_region *r)
{
	size_t grouped = 0;
	char name[ENG_DAX_NAME_MAX];

	for (size_t i = 0; i < r->n_extents; i++) {
		const struct eng_extent *x = r->extents[i];
		const struct eng_given *g = find_given(r->memdev, &x->dpa);

		eng_extent_name(x, name);
		if (!range_contains(&r->dpa, &x->dpa))
			return fail(c, "%s reaches out of its region", name);
		if (i > 0 && range_end(&r->extents[i - 1]->dpa) > x->dpa.start)
			return fail(c, "%s overlaps or is out of order", name);
		if (x->k == 0 || x->k >= r->max_k || !r->k_used[x->k])
			return fail(c, "%s: number is not taken", name);
		for (size_t j = 0; j < i; j++)
			if (r->extents[j]->k == x->k)
				return fail(c, "two extents are %s", name);
		if (x->use_count != count_claims(x) || x->use_count > 1)
			return fail(c, "%s: use count %u, claims %u", name, x->use_count,
				    count_claims(x));
		if (g && g->state != ENG_GIVEN)
			return fail(c, "%s is there but only offered", name);
	}
	for (size_t i = 0; i < c->e->n_groups; i++)
		if (c->e->groups[i]->region == r)
			grouped += c->e->groups[i]->n_members;
	if (grouped != r->n_extents)
		return fail(c, "region%u: %zu extents, %zu in groups", r->id, r->n_extents,
			    grouped);
	return true;
}

static bool check_device(const struct check *c, const struct eng_device *d)
{
	uint64_t pages = 0, blocks = 0, plugged = 0;
	uint64_t size = c->e->config.block_size;
	char name[ENG_DAX_NAME_MAX];

	eng_device_name(d, name);
	if (d->n_mappings == 0 && (d->driver != ENG_DRIVER_NONE || !tag_is_null(&d->tag)))
		return fail(c, "%s has no size but a driver or a tag", name);
	for (size_t i = 0; i < d->n_mappings; i++) {
		const struct eng_mapping *map = &d->mappings[i];
		struct range hpa = eng_extent_hpa(map->extent);
		uint64_t first = (map->hpa.start + size - 1) / size;
		uint64_t end = range_end(&map->hpa) / size;

		if (!range_equal(&hpa, &map->hpa) || map->extent->region != d->region)
			return fail(c, "%s: mapping%zu is not its extent", name, i);
		if (map->page_offset != pages)
			return fail(c, "%s: mapping%zu has the wrong page offset", name, i);
		if (!tag_equal(&map->extent->tag, &d->tag))
			return fail(c, "%s: mapping%zu has another tag", name, i);
		pages += map->hpa.length / ENG_PAGE;
		if (map->plugged && d->driver != ENG_KMEM)
			return fail(c, "%s: mapping%zu is memory without kmem", name, i);
		for (uint64_t n = first; n < end; n++) {
			const struct eng_block *b = eng_find_block(c->e, n);

			if (map->plugged && (!b || b->device != d))
				return fail(c, "%s: memory%ju is missing", name, (uintmax_t)n);
			plugged += map->plugged;
		}
	}
	for (size_t i = 0; i < c->e->n_blocks; i++)
		blocks += c->e->blocks[i]->device == d;
	if (blocks != plugged)
		return fail(c, "%s has %ju blocks, %ju in its mappings", name, (uintmax_t)blocks,
			    (uintmax_t)plugged);
	if (pages * ENG_PAGE != eng_device_size(d))
		return fail(c, "%s: size is not the sum of its mappings", name);
	return true;
}

static bool check_region(const struct check *c, const struct eng_region *r)
{
	uint64_t claimed = 0, all = 0;

	if (r->dax && (r->n_devices == 0 || r->devices[0]->m != 0))
		return fail(c, "dax%u.0 is missing", r->id);
	if (!r->dax && (r->n_devices > 0 || r->n_extents > 0))
		return fail(c, "region%u has extents or devices without a dax region", r->id);
	if (!check_extents(c, r))
		return false;
	for (size_t i = 0; i < r->n_devices; i++) {
		if (i > 0 && r->devices[i - 1]->m >= r->devices[i]->m)
			return fail(c, "region%u: devices out of order", r->id);
		if (!check_device(c, r->devices[i]))
			return false;
		claimed += eng_device_size(r->devices[i]);
	}
	for (size_t i = 0; i < r->n_extents; i++)
		all += r->extents[i]->dpa.length;
	if (claimed + eng_region_available(r) != all)
		return fail(c, "region%u: %ju claimed and %ju available of %ju", r->id,
			    (uintmax_t)claimed, (uintmax_t)eng_region_available(r), (uintmax_t)all);
	return true;
}

static bool device_exists(const struct engine *e, const struct eng_device *d)
{
	for (size_t i = 0; i < e->n_regions; i++)
		for (size_t j = 0; j < e->regions[i]->n_devices; j++)
			if (e->regions[i]->devices[j] == d)
				return true;
	return false;
}

static bool check_blocks(const struct check *c)
{
	const struct engine *e = c->e;
	unsigned going = 0;

	for (size_t i = 0; i < e->n_blocks; i++) {
		const struct eng_block *b = e->blocks[i];
		uintmax_t number = b->number;

		if (i > 0 && e->blocks[i - 1]->number >= b->number)
			return fail(c, "memory%ju is out of order", number);
		if ((b->state == ENG_BLOCK_OFFLINE) != (b->zone == ENG_ZONE_NONE))
			return fail(c, "memory%ju: state and zone do not fit", number);
		if (b->device && b->leaked)
			return fail(c, "memory%ju is leaked and owned", number);
		if (b->device && !device_exists(e, b->device))
			return fail(c, "memory%ju belongs to a device that is gone", number);
		if (!b->device && !b->leaked && b->node != 0)
			return fail(c, "memory%ju belongs to nobody", number);
		if (!eng_find_node(e, b->node) || !eng_find_node(e, b->node)->present)
			return fail(c, "memory%ju is on a node that is not there", number);
		if (b->restore != ENG_ZONE_NONE && e->hotplug_writer == 0)
			return fail(c, "memory%ju: an unplug was left half-way", number);
		going += b->state == ENG_BLOCK_GOING_OFFLINE;
	}
	if (going > 1 || (going == 1) != (e->offlining != NULL) ||
	    (e->offlining && e->hotplug_writer == 0))
		return fail(c, "%u blocks going offline, lock held by %ju", going,
			    (uintmax_t)e->hotplug_writer);
	for (size_t i = 0; i < e->n_nodes; i++) {
		const struct eng_node_info *n = &e->nodes[i];
		bool blocks = false;

		for (size_t j = 0; j < e->n_blocks; j++)
			blocks |= e->blocks[j]->node == n->id;
		if (n->id != 0 && n->present != blocks)
			return fail(c, "node%d: present %d, has blocks %d", n->id, n->present,
				    blocks);
		if (eng_node_taken(n) > eng_node_total(e, n->id))
			return fail(c, "node%d: more used than there is", n->id);
		for (unsigned j = 0; j < ENG_HUGE_SIZES; j++)
			if (n->huge[j].free > n->huge[j].total)
				return fail(c, "node%d: more huge pages free than there are",
					    n->id);
	}
	return true;
}

bool engine_invariants_hold(const struct engine *e, char *ret_error, size_t size)
{
	struct check c = { .e = e, .error = ret_error, .size = size };

	for (size_t i = 0; i < e->n_groups; i++)
		if (!check_group(&c, e->groups[i]))
			return false;
	for (size_t i = 0; i < e->n_regions; i++)
		if (!check_region(&c, e->regions[i]))
			return false;
	for (size_t i = 0; i < e->n_memdevs; i++) {
		const struct eng_memdev *m = e->memdevs[i];

		for (size_t j = 1; j < m->n_given; j++)
			if (range_end(&m->given[j - 1].dpa) > m->given[j].dpa.start)
				return fail(&c, "mem%u: given extents overlap", m->id);
		if (m->chain.n_staged > ENG_CHAIN_MAX || (m->chain.n_staged > 0 && !m->chain.open))
			return fail(&c, "mem%u: add chain", m->id);
	}
	return check_blocks(&c);
}
