/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dax devices of a dynamic capacity region: create and delete, claim by uuid, give the claim back
 * by size 0. There is no resizing. Each error is one that a v11 kernel was seen to return.
 */
#include <assert.h>

#include "internal.h"

char *eng_device_name(const struct eng_device *d, char buf[static ENG_DAX_NAME_MAX])
{
	(void)snprintf(buf, ENG_DAX_NAME_MAX, "dax%u.%u", d->region->id, d->m);
	return buf;
}

char *eng_device_path(const struct eng_device *d, char buf[static ENG_PATH_MAX])
{
	(void)snprintf(buf, ENG_PATH_MAX,
		       ENG_ROOT_PATH "/decoder0.0/region%u/dax_region%u/dax%u.%u", d->region->id,
		       d->region->id, d->region->id, d->m);
	return buf;
}

uint64_t eng_device_size(const struct eng_device *d)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < d->n_mappings; i++)
		sum += d->mappings[i].hpa.length;
	return sum;
}

struct eng_device *eng_find_device(const struct engine *e, const char *name)
{
	char buf[ENG_DAX_NAME_MAX];

	for (size_t i = 0; i < e->n_regions; i++) {
		const struct eng_region *r = e->regions[i];

		for (size_t j = 0; j < r->n_devices; j++)
			if (eng_sysfs_streq(eng_device_name(r->devices[j], buf), name))
				return r->devices[j];
	}
	return NULL;
}

static bool minor_is_used(const struct engine *e, unsigned minor)
{
	for (size_t i = 0; i < e->n_regions; i++)
		for (size_t j = 0; j < e->regions[i]->n_devices; j++)
			if (e->regions[i]->devices[j]->minor == minor)
				return true;
	return false;
}

int eng_device_create(struct engine *e, struct eng_region *r, bool memmap_on_memory,
		      struct eng_device **ret)
{
	struct eng_device **grown;
	struct eng_device *d;
	unsigned m = 0, minor = 0;

	while (m < r->n_devices && r->devices[m]->m == m)
		m++;
	while (minor_is_used(e, minor))
		minor++;
	grown = reallocarray(r->devices, r->n_devices + 1, sizeof(struct eng_device *));
	if (!grown)
		return -ENOMEM;
	r->devices = grown;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = (struct eng_device){
		.region = r,
		.m = m,
		.minor = minor,
		.arrival = ++e->next_arrival,
		.memmap_on_memory = memmap_on_memory,
	};
	memmove(&r->devices[m + 1], &r->devices[m], (r->n_devices - m) * sizeof(*r->devices));
	r->devices[m] = d;
	r->n_devices++;
	eng_structure_changed(e);
	eng_device_uevent(e, d, "add");
	*ret = d;
	return 0;
}

void eng_device_free(struct eng_device *d)
{
	if (!d)
		return;
	free(d->mappings);
	free(d);
}

void eng_device_unclaim(struct engine *e, struct eng_device *d)
{
	for (size_t i = 0; i < d->n_mappings; i++)
		d->mappings[i].extent->use_count--;
	free(d->mappings);
	d->mappings = NULL;
	d->n_mappings = 0;
	d->tag = (struct tag){ 0 };
	eng_structure_changed(e);
}

void eng_device_destroy(struct engine *e, struct eng_device *d, bool force)
{
	struct eng_region *r = d->region;
	size_t at = 0;

	eng_driver_detach(e, d, force);
	eng_device_unclaim(e, d);
	while (r->devices[at] != d)
		at++;
	r->n_devices--;
	memmove(&r->devices[at], &r->devices[at + 1], (r->n_devices - at) * sizeof(*r->devices));
	if (r->seed == d)
		r->seed = NULL;
	if (r->youngest == d)
		r->youngest = NULL;
	eng_structure_changed(e);
	eng_device_uevent(e, d, "remove");
	eng_device_free(d);
}

int eng_create_store(struct engine *e, struct eng_region *r, const char *buf)
{
	struct eng_device *d;
	uint64_t v;
	int err;

	err = eng_parse_u64(buf, &v);
	if (err < 0)
		return err;
	if (v != 1)
		return -EINVAL;
	if (eng_region_available(r) == 0)
		return -ENOSPC;
	err = eng_device_create(e, r, false, &d);
	if (err < 0)
		return err;
	/* Only the first that was not yet bound counts as the seed. */
	if (!r->seed)
		r->seed = d;
	r->youngest = d;
	return 0;
}

int eng_delete_store(struct engine *e, struct eng_region *r, const char *buf)
{
	struct eng_device *d = eng_find_device(e, buf);

	if (!d || d->region != r)
		return -ENXIO;
	/* Device 0 is there as long as the region. */
	if (d->driver != ENG_DRIVER_NONE || d->n_mappings > 0 || d->m == 0)
		return -EBUSY;
	eng_device_destroy(e, d, false);
	return 0;
}

static const struct eng_group *find_group(const struct engine *e, const struct eng_region *r,
					  const struct tag *tag)
{
	for (size_t i = 0; i < e->n_groups; i++)
		if (e->groups[i]->region == r && tag_equal(&e->groups[i]->tag, tag))
			return e->groups[i];
	return NULL;
}

/* The unclaimed untagged extent that came first. */
static struct eng_extent *first_untagged(const struct eng_region *r)
{
	struct eng_extent *first = NULL;

	for (size_t i = 0; i < r->n_extents; i++) {
		struct eng_extent *x = r->extents[i];

		if (tag_is_null(&x->tag) && x->use_count == 0 &&
		    (!first || x->arrival < first->arrival))
			first = x;
	}
	return first;
}

static int claim(struct engine *e, struct eng_device *d, const struct tag *tag,
		 struct eng_extent *const *extents, size_t n)
{
	uint64_t pages = 0;

	assert(n > 0); /* a group has members */
	d->mappings = calloc(n, sizeof(*d->mappings));
	if (!d->mappings)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct eng_extent *x = extents[i];

		d->mappings[i] = (struct eng_mapping){
			.hpa = eng_extent_hpa(x),
			.page_offset = pages,
			.extent = x,
		};
		pages += x->dpa.length / ENG_PAGE;
		x->use_count++;
	}
	d->n_mappings = n;
	d->tag = *tag;
	eng_structure_changed(e);
	return 0;
}

int eng_uuid_store(struct engine *e, struct eng_device *d, const char *buf)
{
	const struct eng_group *g;
	struct eng_extent *x;
	struct tag tag = { 0 };
	char text[TAG_STRLEN + 1];

	if (!eng_sysfs_streq(buf, "0")) {
		/* uuid_parse() reads 36 characters and does not look at what follows. */
		(void)str_copy(text, sizeof(text), buf);
		if (tag_parse(text, &tag) < 0)
			return -EINVAL;
	}
	if (d->n_mappings > 0)
		return -EBUSY;
	if (tag_is_null(&tag)) {
		x = first_untagged(d->region);
		return x ? claim(e, d, &tag, &x, 1) : -ENOENT;
	}
	g = find_group(e, d->region, &tag);
	if (!g)
		return -ENOENT;
	for (size_t i = 0; i < g->n_members; i++)
		if (g->members[i]->use_count > 0)
			return -ENOENT;
	return claim(e, d, &tag, g->members, g->n_members);
}

int eng_size_store(struct engine *e, struct eng_device *d, const char *buf)
{
	uint64_t v;
	int r;

	r = eng_parse_u64(buf, &v);
	if (r < 0)
		return r;
	if (v % ENG_ALIGN != 0)
		return -EINVAL;
	if (d->driver != ENG_DRIVER_NONE)
		return -EBUSY;
	if (v == eng_device_size(d))
		return 0;
	if (v != 0)
		return -EOPNOTSUPP;
	eng_device_unclaim(e, d);
	return 0;
}

int eng_memmap_store(struct engine *e, struct eng_device *d, const char *buf)
{
	bool v;

	/* kstrtobool(): the first character decides. */
	if (strchr("1yYtT", buf[0]) && buf[0])
		v = true;
	else if (strchr("0nNfF", buf[0]) && buf[0])
		v = false;
	else
		return -EINVAL;
	/* /sys/module/memory_hotplug/parameters/memmap_on_memory is N. */
	if (v)
		return -EOPNOTSUPP;
	if (d->memmap_on_memory != v && d->driver == ENG_KMEM)
		return -EBUSY;
	d->memmap_on_memory = v;
	(void)e;
	return 0;
}
