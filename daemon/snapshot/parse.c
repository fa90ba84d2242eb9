/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a snapshot: its lists in the order in which they name each other, then what
 * inventory_link() makes of them. What that finds wrong is told by the objects' names, because by
 * then they are in another order than in the text.
 */
#include <inttypes.h>

#include "inventory/scan.h"
#include "snapshot/reader.h"

/* The elements of the list @name of @object; 0 if it is left out. @ret_at is its place. */
static size_t list_length(json_object *object, const char *name, const struct spot *above,
			  json_object **ret, struct spot *ret_at)
{
	*ret_at = (struct spot){ .above = above, .name = name };
	if (!json_object_object_get_ex(object, name, ret))
		return 0;
	return json_object_array_length(*ret);
}

static int allocate(struct reader *reader, const struct spot *at, size_t n, size_t size, void **ret)
{
	*ret = NULL;
	if (n > INVENTORY_ELEMENTS_MAX)
		return snap_fail(reader, at, "more than %" PRIu32 " of them",
				 INVENTORY_ELEMENTS_MAX);
	if (n == 0)
		return 0;
	*ret = calloc(n, size);
	return *ret ? 0 : -ENOMEM;
}

/* @elements has room for all of @list. */
static int read_elements(struct reader *reader, const struct spot *at, json_object *list, size_t n,
			 const struct kind *kind, void *elements)
{
	for (size_t i = 0; i < n; i++) {
		const struct spot spot = { .above = at, .index = i };
		int r = snap_members(reader, &spot, json_object_array_get_idx(list, i), kind,
				     (char *)elements + i * kind->size);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A list whose objects hold no lists themselves. *@ret is the caller's, also on error. */
static int read_list(struct reader *reader, const struct spot *above, json_object *object,
		     const char *name, const struct kind *kind, void **ret, size_t *ret_n)
{
	json_object *list;
	struct spot at;
	size_t n = list_length(object, name, above, &list, &at);
	int r;

	*ret_n = 0;
	r = allocate(reader, &at, n, kind->size, ret);
	if (r < 0 || n == 0)
		return r;
	*ret_n = n;
	return read_elements(reader, &at, list, n, kind, *ret);
}

#define READ_LIST(reader, above, object, name, kind, array, count)                                 \
	({                                                                                         \
		void *_elements;                                                                   \
		size_t _n;                                                                         \
		int _r = read_list((reader), (above), (object), (name), (kind), &_elements, &_n);  \
		(array) = _elements;                                                               \
		(count) = (__typeof__(count))_n;                                                   \
		_r;                                                                                \
	})

/* Notes that the element @index of the list @list is called @name, for references to it. */
static int add_name(struct reader *reader, const struct spot *above, const char *list,
		    uint32_t index, const char *name, json_object *names)
{
	const struct spot at_list = { .above = above, .name = list };
	const struct spot element = { .above = &at_list, .index = index };
	const struct spot at = { .above = &element, .name = "name" };
	json_object *other, *value;

	if (json_object_object_get_ex(names, name, &other))
		return snap_fail(reader, &at, "\"%s\" is the name of %s[%" PRId64 "], too", name,
				 list, json_object_get_int64(other));
	value = json_object_new_int64(index);
	if (!value || json_object_object_add(names, name, value) < 0) {
		json_object_put(value);
		return -ENOMEM;
	}
	return 0;
}

static int read_memdevs(struct reader *reader, const struct spot *top, json_object *document,
			struct inventory *inv)
{
	int r = READ_LIST(reader, top, document, "memdevs", &kind_memdev, inv->memdevs,
			  inv->n_memdevs);

	for (uint32_t i = 0; r == 0 && i < inv->n_memdevs; i++)
		r = add_name(reader, top, "memdevs", i, inv->memdevs[i].name, reader->memdevs);
	return r;
}

/* As inventory_check() wants it, with a place. */
static int check_region(struct reader *reader, const struct spot *above,
			const struct region *region)
{
	const struct spot memdev = { .above = above, .name = "memdev" };
	const struct spot error_path = { .above = above, .name = "error_path" };

	if (region->memdev == INVENTORY_NONE && region->error == 0)
		return snap_fail(reader, &memdev, "is null, but there is no \"error\"");
	if ((region->error < 0) != (region->error_path[0] != '\0'))
		return snap_fail(reader, &error_path,
				 "expected what could not be read, if there is an \"error\", "
				 "else nothing");
	return 0;
}

static int read_regions(struct reader *reader, const struct spot *top, json_object *document,
			struct inventory *inv)
{
	const struct spot list = { .above = top, .name = "regions" };
	int r = READ_LIST(reader, top, document, "regions", &kind_region, inv->regions,
			  inv->n_regions);

	for (uint32_t i = 0; r == 0 && i < inv->n_regions; i++) {
		const struct spot at = { .above = &list, .index = i };

		r = check_region(reader, &at, &inv->regions[i]);
		if (r == 0)
			r = add_name(reader, top, "regions", i, inv->regions[i].name,
				     reader->regions);
	}
	return r;
}

/* An extent or a device is in a region of which more is known than that it is there. */
static int check_parent(struct reader *reader, const struct spot *top, const char *list,
			uint32_t index, const struct region *region)
{
	const struct spot at_list = { .above = top, .name = list };
	const struct spot element = { .above = &at_list, .index = index };
	const struct spot at = { .above = &element, .name = "region" };

	if (region->memdev != INVENTORY_NONE)
		return 0;
	return snap_fail(reader, &at, "nothing below \"%s\" can be known, its memdev is not",
			 region->name);
}

static int read_extents(struct reader *reader, const struct spot *top, json_object *document,
			struct inventory *inv)
{
	int r = READ_LIST(reader, top, document, "extents", &kind_extent, inv->extents,
			  inv->n_extents);

	for (uint32_t i = 0; r == 0 && i < inv->n_extents; i++)
		r = check_parent(reader, top, "extents", i, &inv->regions[inv->extents[i].region]);
	return r;
}

/* The lists of a device, which go into arrays that are common to all devices. */
struct part {
	const char *name;
	const struct kind *kind;
	char *elements;
	size_t n, total;
};

enum {
	PART_MAPPINGS,
	PART_BLOCKS,
	PART_HOLDERS,
	_PART_MAX,
};

static void free_parts(struct part (*parts)[_PART_MAX])
{
	for (unsigned i = 0; i < _PART_MAX; i++)
		free((*parts)[i].elements);
}

/* Room for the parts of all devices. */
static int allocate_parts(struct reader *reader, const struct spot *devices, json_object *list,
			  size_t n_devices, struct part parts[static _PART_MAX])
{
	for (unsigned p = 0; p < _PART_MAX; p++) {
		const struct spot at = { .above = devices, .name = parts[p].name };
		void *elements;
		int r;

		for (size_t i = 0; i < n_devices; i++) {
			json_object *part;

			if (json_object_object_get_ex(json_object_array_get_idx(list, i),
						      parts[p].name, &part))
				parts[p].total += json_object_array_length(part);
		}
		r = allocate(reader, &at, parts[p].total, parts[p].kind->size, &elements);
		if (r < 0)
			return r;
		parts[p].elements = elements;
	}
	return 0;
}

/* As inventory_check() wants it, with a place. */
static int check_holder(struct reader *reader, const struct spot *list, size_t index,
			const struct holder *h)
{
	const struct spot at = { .above = list, .index = index };

	if (h->mounted && (h->path[0] == '\0' || h->open || h->mapped))
		return snap_fail(reader, &at,
				 "a mount has a \"path\", and is neither \"open\" nor "
				 "\"mapped\"");
	if (!h->mounted && (h->path[0] || h->fstype[0]))
		return snap_fail(reader, &at,
				 "\"path\" and \"fstype\" are of a mount only, \"mounted\" is "
				 "not true");
	return 0;
}

/* Appends the parts of one device. @ret_n: how many there are of each. */
static int read_parts(struct reader *reader, const struct spot *device, json_object *object,
		      struct part parts[static _PART_MAX], size_t ret_n[static _PART_MAX])
{
	for (unsigned p = 0; p < _PART_MAX; p++) {
		struct part *part = &parts[p];
		json_object *list;
		struct spot at;
		size_t n = list_length(object, part->name, device, &list, &at);
		int r = 0;

		if (n > 0)
			r = read_elements(reader, &at, list, n, part->kind,
					  part->elements + part->n * part->kind->size);
		for (size_t i = 0; r == 0 && p == PART_HOLDERS && i < n; i++)
			r = check_holder(reader, &at, i,
					 (const struct holder *)(void *)part->elements + part->n +
						 i);
		if (r < 0)
			return r;
		part->n += n;
		ret_n[p] = n;
	}
	return 0;
}

/* Blocks and holders point to their device; a device points to its mappings. */
static void tie_parts(struct inventory *inv, uint32_t device, const struct part *parts,
		      const size_t n[static _PART_MAX])
{
	struct memory_block *blocks = (struct memory_block *)(void *)parts[PART_BLOCKS].elements;
	struct holder *holders = (struct holder *)(void *)parts[PART_HOLDERS].elements;
	struct dax_device *d = &inv->devices[device];

	d->n_mappings = (uint32_t)n[PART_MAPPINGS];
	d->first_mapping = (uint32_t)(parts[PART_MAPPINGS].n - n[PART_MAPPINGS]);
	for (size_t i = parts[PART_BLOCKS].n - n[PART_BLOCKS]; i < parts[PART_BLOCKS].n; i++)
		blocks[i].device = device;
	for (size_t i = parts[PART_HOLDERS].n - n[PART_HOLDERS]; i < parts[PART_HOLDERS].n; i++)
		holders[i].device = device;
}

static int read_devices(struct reader *reader, const struct spot *top, json_object *document,
			struct inventory *inv)
{
	_cleanup_(free_parts) struct part parts[_PART_MAX] = {
		[PART_MAPPINGS] = { .name = "mappings", .kind = &kind_mapping },
		[PART_BLOCKS] = { .name = "blocks", .kind = &kind_block },
		[PART_HOLDERS] = { .name = "holders", .kind = &kind_holder },
	};
	_cleanup_json_ json_object *names = json_object_new_object();
	json_object *list;
	struct spot at;
	size_t n = list_length(document, "devices", top, &list, &at);
	int r;

	if (!names)
		return -ENOMEM;
	r = READ_LIST(reader, top, document, "devices", &kind_device, inv->devices, inv->n_devices);
	if (r == 0)
		r = allocate_parts(reader, &at, list, n, parts);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		const struct spot spot = { .above = &at, .index = i };
		size_t counts[_PART_MAX];

		r = check_parent(reader, top, "devices", i, &inv->regions[inv->devices[i].region]);
		if (r == 0)
			r = add_name(reader, top, "devices", i, inv->devices[i].name, names);
		if (r == 0)
			r = read_parts(reader, &spot, json_object_array_get_idx(list, i), parts,
				       counts);
		if (r == 0)
			tie_parts(inv, i, parts, counts);
	}
	if (r < 0)
		return r;
	inv->mappings = (struct mapping *)(void *)TAKE_PTR(parts[PART_MAPPINGS].elements);
	inv->blocks = (struct memory_block *)(void *)TAKE_PTR(parts[PART_BLOCKS].elements);
	inv->holders = (struct holder *)(void *)TAKE_PTR(parts[PART_HOLDERS].elements);
	inv->n_mappings = (uint32_t)parts[PART_MAPPINGS].n;
	inv->n_blocks = (uint32_t)parts[PART_BLOCKS].n;
	inv->n_holders = (uint32_t)parts[PART_HOLDERS].n;
	return 0;
}

/* Points in time that cannot lie ahead. */
static int check_past(struct reader *reader, const struct spot *facts, const char *list,
		      size_t index, const char *name, usec_t when, usec_t now)
{
	const struct spot at_list = { .above = facts, .name = list };
	const struct spot element = { .above = &at_list, .index = index };
	const struct spot at = { .above = &element, .name = name };

	if (when > now)
		return snap_fail(reader, &at, "%" PRIu64 " is after facts.now_usec, %" PRIu64, when,
				 now);
	return 0;
}

/* A key is a tag, or else a range. */
static int check_leaving(struct reader *reader, const struct spot *facts, size_t index,
			 const struct group_key *key)
{
	const struct spot list = { .above = facts, .name = "leaving" };
	const struct spot element = { .above = &list, .index = index };
	const struct spot at = { .above = &element, .name = "dpa" };

	if (tag_is_null(&key->tag) && key->dpa.length == 0)
		return snap_fail(reader, &at, "expected the range of what has no tag");
	if (!tag_is_null(&key->tag) && (key->dpa.start != 0 || key->dpa.length != 0))
		return snap_fail(reader, &at, "expected none (0, 0) beside a tag");
	return 0;
}

static int read_facts(struct reader *reader, const struct spot *top, json_object *document,
		      struct snapshot *s)
{
	const struct spot at = { .above = top, .name = "facts" };
	struct policy_facts *facts = &s->facts;
	json_object *object = NULL;
	int r;

	(void)json_object_object_get_ex(document, "facts", &object);
	r = snap_members(reader, &at, object, &kind_facts, facts);
	if (r == 0)
		r = READ_LIST(reader, &at, object, "ceilings", &kind_ceiling, s->ceilings,
			      facts->n_ceilings);
	if (r == 0)
		r = READ_LIST(reader, &at, object, "inhibitors", &kind_inhibitor, s->inhibitors,
			      facts->n_inhibitors);
	if (r == 0)
		r = READ_LIST(reader, &at, object, "freed", &kind_freed, s->freed, facts->n_freed);
	if (r == 0)
		r = READ_LIST(reader, &at, object, "leaving", &kind_leaving, s->leaving,
			      facts->n_leaving);
	for (size_t i = 0; r == 0 && i < facts->n_ceilings; i++)
		r = check_past(reader, &at, "ceilings", i, "exceeded_usec", s->ceilings[i].exceeded,
			       facts->now);
	for (size_t i = 0; r == 0 && i < facts->n_freed; i++)
		r = check_past(reader, &at, "freed", i, "when_usec", s->freed[i].when, facts->now);
	for (size_t i = 0; r == 0 && i < facts->n_leaving; i++)
		r = check_leaving(reader, &at, i, &s->leaving[i]);
	facts->ceilings = s->ceilings;
	facts->inhibitors = s->inhibitors;
	facts->freed = s->freed;
	facts->leaving = s->leaving;
	return r;
}

static int read_version(struct reader *reader, const struct spot *top, json_object *document)
{
	const struct spot at = { .above = top, .name = "version" };
	json_object *value;

	if (!json_object_is_type(document, json_type_object))
		return snap_fail(reader, top, "expected a snapshot, {…}");
	if (!json_object_object_get_ex(document, "version", &value))
		return snap_fail(reader, &at, "is missing: is this a snapshot?");
	if (!json_object_is_type(value, json_type_int) ||
	    json_object_get_int64(value) != SNAPSHOT_VERSION)
		return snap_fail(reader, &at, "expected %d, the only one that is known here",
				 SNAPSHOT_VERSION);
	return 0;
}

static int read_timezone(struct reader *reader, const struct spot *top, json_object *document,
			 struct snapshot *s)
{
	static const struct member member = { .type = MEMBER_TEXT, .size = SNAPSHOT_ZONE_MAX };
	const struct spot at = { .above = top, .name = "timezone" };
	json_object *value;
	int r;

	if (!json_object_object_get_ex(document, "timezone", &value))
		return 0;
	r = snap_value(reader, &at, value, &member, s->timezone);
	if (r == 0 && !snapshot_timezone_valid(s->timezone))
		return snap_fail(reader, &at, "expected a time zone's name, not \"%s\"",
				 s->timezone);
	return r;
}

static int read_huge_pages(struct reader *reader, const struct spot *top, json_object *document,
			   struct inventory *inv)
{
	const struct spot list = { .above = top, .name = "huge_pages" };
	int r = READ_LIST(reader, top, document, "huge_pages", &kind_huge_pages, inv->hugepages,
			  inv->n_hugepages);

	for (uint32_t i = 0; r == 0 && i < inv->n_hugepages; i++) {
		const struct spot at = { .above = &list, .index = i };
		const struct huge_pages *h = &inv->hugepages[i];

		if (h->size == 0 || h->total == 0 || h->total > HUGE_BYTES_MAX / h->size)
			r = snap_fail(reader, &at,
				      "expected some pages (\"total\") of some bytes (\"size\"), "
				      "and no more than there is memory");
		else if (h->free > h->total)
			r = snap_fail(reader, &at, "more are \"free\" than there are");
	}
	return r;
}

static int read_document(struct reader *reader, json_object *document, struct snapshot *s)
{
	const struct spot top = { 0 };
	struct inventory *inv = s->inventory;
	int r;

	r = read_version(reader, &top, document);
	if (r == 0)
		r = snap_members(reader, &top, document, &kind_document, inv);
	if (r == 0)
		r = read_timezone(reader, &top, document, s);
	if (r == 0)
		r = read_memdevs(reader, &top, document, inv);
	if (r == 0)
		r = read_regions(reader, &top, document, inv);
	if (r == 0)
		r = read_extents(reader, &top, document, inv);
	if (r == 0)
		r = read_devices(reader, &top, document, inv);
	if (r == 0)
		r = READ_LIST(reader, &top, document, "nodes", &kind_node, inv->nodes,
			      inv->n_nodes);
	if (r == 0)
		r = read_huge_pages(reader, &top, document, inv);
	return r < 0 ? r : read_facts(reader, &top, document, s);
}

int snapshot_parse(const char *text, size_t length, struct snapshot *ret, char **ret_error)
{
	_cleanup_json_ json_object *document = NULL;
	struct reader reader = { 0 };
	struct snapshot s = { 0 };
	int r = -ENOMEM;

	*ret_error = NULL;
	memset(ret, 0, sizeof(*ret));
	s.inventory = calloc(1, sizeof(*s.inventory));
	reader.memdevs = json_object_new_object();
	reader.regions = json_object_new_object();
	if (s.inventory && reader.memdevs && reader.regions)
		r = snap_json(&reader, text, length, &document);
	if (r == 0)
		r = read_document(&reader, document, &s);
	if (r == 0)
		r = snap_link(&reader, s.inventory);
	json_object_put(reader.memdevs);
	json_object_put(reader.regions);
	if (r == 0)
		*ret = s;
	else
		snapshot_done(&s);
	if (r == -EINVAL)
		*ret_error = TAKE_PTR(reader.error);
	free(reader.error);
	return r;
}

void snapshot_done(struct snapshot *snapshot)
{
	inventory_free(snapshot->inventory);
	free(snapshot->ceilings);
	free(snapshot->inhibitors);
	free(snapshot->freed);
	free(snapshot->leaving);
	memset(snapshot, 0, sizeof(*snapshot));
}
