/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole host as JSON, for checkers to compare: everything that can matter, in an order that
 * depends on nothing but the state.
 */
#include <json-c/json.h>

#include "internal.h"

/* json-c takes over @value; a member that could not be made fails the dump. */
static bool put(struct json_object *obj, const char *key, struct json_object *value)
{
	if (!value)
		return false;
	return json_object_object_add(obj, key, value) == 0;
}

static bool put_string(struct json_object *obj, const char *key, const char *s)
{
	return put(obj, key, json_object_new_string(s));
}

static bool put_u64(struct json_object *obj, const char *key, uint64_t v)
{
	return put(obj, key, json_object_new_uint64(v));
}

static bool put_bool(struct json_object *obj, const char *key, bool v)
{
	return put(obj, key, json_object_new_boolean(v));
}

static bool put_tag(struct json_object *obj, const char *key, const struct tag *tag)
{
	char text[TAG_STRLEN + 1];

	return put_string(obj, key, tag_format(tag, text));
}

/* Each dump_x() fills a new object; false: no memory. */
typedef bool (*dump_t)(const struct engine *e, const void *item, struct json_object *obj);

static bool append(const struct engine *e, struct json_object *array, dump_t dump, const void *item)
{
	struct json_object *obj = json_object_new_object();

	if (!obj)
		return false;
	if (!dump(e, item, obj) || json_object_array_add(array, obj) != 0) {
		json_object_put(obj);
		return false;
	}
	return true;
}

/* An array of what @count items, @stride bytes apart, dump as. @indirect: they are pointers. */
static bool put_array(const struct engine *e, struct json_object *obj, const char *key,
		      const void *items, size_t count, size_t stride, bool indirect, dump_t dump)
{
	struct json_object *array = json_object_new_array();

	if (!put(obj, key, array))
		return false;
	for (size_t i = 0; i < count; i++) {
		const void *item = (const char *)items + i * stride;

		if (!append(e, array, dump, indirect ? *(const void *const *)item : item))
			return false;
	}
	return true;
}

static bool dump_given(const struct engine *e, const void *item, struct json_object *obj)
{
	const struct eng_given *g = item;

	(void)e;
	return put_u64(obj, "dpa", g->dpa.start) && put_u64(obj, "length", g->dpa.length) &&
	       put_tag(obj, "tag", &g->tag) &&
	       put_string(obj, "state", g->state == ENG_GIVEN ? "accepted" : "offered");
}

static bool dump_wanted(const struct engine *e, const void *item, struct json_object *obj)
{
	const struct eng_wanted *w = item;

	(void)e;
	return put_u64(obj, "dpa", w->dpa.start) && put_u64(obj, "length", w->dpa.length) &&
	       put_tag(obj, "tag", &w->tag);
}

static bool dump_memdev(const struct engine *e, const void *item, struct json_object *obj)
{
	const struct eng_memdev *m = item;
	char name[32];

	(void)snprintf(name, sizeof(name), "mem%u", m->id);
	return put_string(obj, "name", name) && put_u64(obj, "serial", m->config.serial) &&
	       put_string(obj, "host", m->config.host) &&
	       put_array(e, obj, "given", m->given, m->n_given, sizeof(*m->given), false,
			 dump_given) &&
	       put_array(e, obj, "wanted", m->wanted, m->n_wanted, sizeof(*m->wanted), false,
			 dump_wanted) &&
	       put_u64(obj, "staged", m->chain.n_staged);
}

static bool dump_extent(const struct engine *e, const void *item, struct json_object *obj)
{
	const struct eng_extent *x = item;
	char name[ENG_DAX_NAME_MAX];

	(void)e;
	return put_string(obj, "name", eng_extent_name(x, name)) &&
	       put_u64(obj, "offset", x->dpa.start - x->region->dpa.start) &&
	       put_u64(obj, "length", x->dpa.length) && put_tag(obj, "tag", &x->tag) &&
	       put_u64(obj, "dpa", x->dpa.start) && put_u64(obj, "sequence", x->sequence) &&
	       put_u64(obj, "group", x->group->id) && put_u64(obj, "use_count", x->use_count);
}

static bool dump_mapping(const struct engine *e, const void *item, struct json_object *obj)
{
	const struct eng_mapping *map = item;
	char name[ENG_DAX_NAME_MAX];

	(void)e;
	return put_u64(obj, "start", map->hpa.start) &&
	       put_u64(obj, "end", range_end(&map->hpa) - 1) &&
	       put_u64(obj, "page_offset", map->page_offset) &&
	       put_string(obj, "extent", eng_extent_name(map->extent, name));
}

static bool dump_device(const struct engine *e, const void *item, struct json_object *obj)
{
	const struct eng_device *d = item;
	char name[ENG_DAX_NAME_MAX];

	return put_string(obj, "name", eng_device_name(d, name)) &&
	       put_u64(obj, "size", eng_device_size(d)) && put_tag(obj, "uuid", &d->tag) &&
	       put_string(obj, "driver", eng_driver_name(d->driver)) &&
	       put_bool(obj, "memmap_on_memory", d->memmap_on_memory) &&
	       (!e->config.state_attribute || d->driver != ENG_KMEM ||
		put_string(obj, "state", eng_kmem_state_name(d->state))) &&
	       put_array(e, obj, "mappings", d->mappings, d->n_mappings, sizeof(*d->mappings),
			 false, dump_mapping);
}

static bool dump_region(const struct engine *e, const void *item, struct json_object *obj)
{
	const struct eng_region *r = item;
	char name[ENG_DAX_NAME_MAX], memdev[32];
	char seed[ENG_DAX_NAME_MAX] = "", youngest[ENG_DAX_NAME_MAX] = "";

	(void)snprintf(name, sizeof(name), "region%u", r->id);
	(void)snprintf(memdev, sizeof(memdev), "mem%u", r->memdev->id);
	if (r->seed)
		(void)eng_device_name(r->seed, seed);
	if (r->youngest)
		(void)eng_device_name(r->youngest, youngest);
	return put_string(obj, "name", name) && put_string(obj, "memdev", memdev) &&
	       put_bool(obj, "enabled", r->enabled) && put_bool(obj, "dax_region", r->dax) &&
	       put_u64(obj, "hpa", r->hpa.start) && put_u64(obj, "size", r->hpa.length) &&
	       put_u64(obj, "dpa", r->dpa.start) &&
	       put_u64(obj, "target_node", (uint64_t)r->target_node) &&
	       put_u64(obj, "available", eng_region_available(r)) &&
	       put_string(obj, "seed", seed) && put_string(obj, "youngest", youngest) &&
	       put_array(e, obj, "extents", r->extents, r->n_extents, sizeof(*r->extents), true,
			 dump_extent) &&
	       put_array(e, obj, "devices", r->devices, r->n_devices, sizeof(*r->devices), true,
			 dump_device);
}

static bool dump_block(const struct engine *e, const void *item, struct json_object *obj)
{
	const struct eng_block *b = item;

	(void)e;
	return put_u64(obj, "number", b->number) &&
	       put_string(obj, "state", eng_block_state_name(b->state)) &&
	       put_string(obj, "zone", eng_zone_name(b->zone)) &&
	       put_u64(obj, "node", (uint64_t)b->node) && put_string(obj, "device", b->owner) &&
	       put_bool(obj, "leaked", b->leaked) && put_bool(obj, "unmovable", b->unmovable) &&
	       put_bool(obj, "pinned", b->pinned);
}

/* The pools that are not empty. */
static bool dump_huge_pages(const struct eng_node_info *n, struct json_object *array)
{
	for (unsigned i = 0; i < ENG_HUGE_SIZES; i++) {
		struct json_object *pool;

		if (n->huge[i].total == 0)
			continue;
		pool = json_object_new_object();
		if (!pool || json_object_array_add(array, pool) != 0 ||
		    !put_u64(pool, "size", eng_huge_size(i)) ||
		    !put_u64(pool, "total", n->huge[i].total) ||
		    !put_u64(pool, "free", n->huge[i].free))
			return false;
	}
	return true;
}

static bool dump_node(const struct engine *e, const void *item, struct json_object *obj)
{
	const struct eng_node_info *n = item;
	struct json_object *pools = json_object_new_array();

	return put(obj, "huge_pages", pools) && dump_huge_pages(n, pools) &&
	       put_u64(obj, "id", (uint64_t)n->id) && put_bool(obj, "present", n->present) &&
	       put_u64(obj, "total", eng_node_total(e, n->id)) && put_u64(obj, "used", n->used);
}

static bool dump_ids(const struct engine *e, struct json_object *obj)
{
	for (unsigned i = ENG_KMEM; i < _ENG_DRIVER_MAX; i++) {
		struct json_object *array = json_object_new_array();

		if (!put(obj, eng_driver_name((enum eng_driver)i), array))
			return false;
		for (size_t j = 0; j < e->ids[i].n_ids; j++)
			if (json_object_array_add(
				    array, json_object_new_string(e->ids[i].ids[j].name)) != 0)
				return false;
	}
	return true;
}

static bool dump_counters(const struct engine *e, struct json_object *obj)
{
	const struct engine_counters *c = &e->counters;

	return put_u64(obj, "traced", c->traced) && put_u64(obj, "groups_added", c->groups_added) &&
	       put_u64(obj, "groups_refused", c->groups_refused) &&
	       put_u64(obj, "groups_partial", c->groups_partial) &&
	       put_u64(obj, "groups_rolled_back", c->groups_rolled_back) &&
	       put_u64(obj, "chains_timed_out", c->chains_timed_out) &&
	       put_u64(obj, "releases_granted", c->releases_granted) &&
	       put_u64(obj, "releases_busy", c->releases_busy) &&
	       put_u64(obj, "releases_unmatched", c->releases_unmatched) &&
	       put_u64(obj, "forced_ignored", c->forced_ignored) &&
	       put_u64(obj, "extents_returned", c->extents_returned) &&
	       put_u64(obj, "blocks_leaked", c->blocks_leaked) &&
	       put_u64(obj, "oopses", c->oopses) && put_u64(obj, "violations", c->violations);
}

static bool dump_host(const struct engine *e, struct json_object *obj)
{
	struct json_object *drivers = json_object_new_object();
	struct json_object *counters, *violations;

	if (!put(obj, "drivers", drivers) || !dump_ids(e, drivers))
		return false;
	counters = json_object_new_object();
	if (!put(obj, "counters", counters) || !dump_counters(e, counters))
		return false;
	violations = json_object_new_array();
	if (!put(obj, "violations", violations))
		return false;
	for (size_t i = 0; i < e->n_violations; i++)
		if (json_object_array_add(violations, json_object_new_string(e->violations[i])))
			return false;
	return put_array(e, obj, "memdevs", e->memdevs, e->n_memdevs, sizeof(*e->memdevs), true,
			 dump_memdev) &&
	       put_array(e, obj, "regions", e->regions, e->n_regions, sizeof(*e->regions), true,
			 dump_region) &&
	       put_array(e, obj, "blocks", e->blocks, e->n_blocks, sizeof(*e->blocks), true,
			 dump_block) &&
	       put_array(e, obj, "nodes", e->nodes, e->n_nodes, sizeof(*e->nodes), false,
			 dump_node) &&
	       put_u64(obj, "block_size", e->config.block_size) &&
	       put_bool(obj, "dax_cxl", e->dax_cxl) &&
	       put_string(obj, "auto_online", eng_online_type_name(e->auto_online));
}

struct json_object *engine_dump(const struct engine *e)
{
	struct json_object *obj = json_object_new_object();

	if (obj && !dump_host(e, obj)) {
		json_object_put(obj);
		return NULL;
	}
	return obj;
}
