/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memdevs and regions: how they come, are bound, unbound and go. Unbinding a region is the one way
 * in which a host returns extents by itself: all of them, in use or not.
 */
#include "internal.h"

char *eng_region_path(const struct eng_region *r, char buf[static ENG_PATH_MAX])
{
	(void)snprintf(buf, ENG_PATH_MAX, ENG_ROOT_PATH "/decoder0.0/region%u", r->id);
	return buf;
}

char *eng_dax_region_path(const struct eng_region *r, char buf[static ENG_PATH_MAX])
{
	(void)snprintf(buf, ENG_PATH_MAX, ENG_ROOT_PATH "/decoder0.0/region%u/dax_region%u", r->id,
		       r->id);
	return buf;
}

int engine_add_memdev(struct engine *e, const struct engine_memdev_config *config)
{
	struct eng_memdev **grown;
	struct eng_memdev *m;

	if (config->n_partitions == 0 || config->n_partitions > ENGINE_PARTITIONS_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < config->n_partitions; i++) {
		const struct engine_partition_config *p = &config->partitions[i];

		if (p->size == 0 || p->size > UINT64_MAX - p->dpa || p->size % ENG_ALIGN != 0 ||
		    p->dpa % ENG_ALIGN != 0)
			return -EINVAL;
		for (unsigned j = 0; j < i; j++) {
			const struct engine_partition_config *q = &config->partitions[j];

			if (p->dpa < q->dpa + q->size && q->dpa < p->dpa + p->size)
				return -EINVAL;
		}
	}
	/* Every memdev is behind a root port of its own: bus 0x0d and up. */
	if (e->n_memdevs >= 0x100 - ENG_HOST_BRIDGE - 1)
		return -ENOSPC;
	grown = reallocarray(e->memdevs, e->n_memdevs + 1, sizeof(struct eng_memdev *));
	if (!grown)
		return -ENOMEM;
	e->memdevs = grown;
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->id = (unsigned)e->n_memdevs;
	m->config = *config;
	m->config.host[sizeof(m->config.host) - 1] = '\0';
	if (m->config.host[0] == '\0')
		(void)snprintf(m->config.host, sizeof(m->config.host), "0000:%02x:00.0",
			       ENG_HOST_BRIDGE + 1 + m->id);
	e->memdevs[e->n_memdevs++] = m;
	eng_structure_changed(e);
	return (int)m->id;
}

void eng_region_free(struct eng_region *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_devices; i++)
		eng_device_free(r->devices[i]);
	free(r->devices);
	free(r->extents);
	free(r->k_used);
	free(r);
}

static const struct eng_region *region_at_hpa(const struct engine *e, const struct range *hpa)
{
	for (size_t i = 0; i < e->n_regions; i++)
		if (range_overlaps(&e->regions[i]->hpa, hpa))
			return e->regions[i];
	return NULL;
}

/* The HPA range asked for, or the first that is free. */
static int place_region(const struct engine *e, uint64_t hpa, uint64_t size, struct range *ret)
{
	const struct range window = {
		.start = e->config.window_start,
		.length = e->config.window_size,
	};
	struct range at = { .start = hpa, .length = size };
	const struct eng_region *other;

	if (size > window.length)
		return -ENOSPC;
	if (hpa != 0) {
		if (hpa % ENG_ALIGN != 0 || hpa > UINT64_MAX - size ||
		    !range_contains(&window, &at))
			return -EINVAL;
		if (region_at_hpa(e, &at))
			return -EBUSY;
		*ret = at;
		return 0;
	}
	at.start = window.start;
	while ((other = region_at_hpa(e, &at))) {
		uint64_t step = 256 * MiB;

		at.start = (range_end(&other->hpa) + step - 1) / step * step;
	}
	if (!range_contains(&window, &at))
		return -ENOSPC;
	*ret = at;
	return 0;
}

static void cxl_uevent(struct engine *e, const char *action, const char *path, const char *devtype,
		       const char *driver, const char *modalias)
{
	char driver_env[64];
	const char *env[4] = { devtype, modalias };

	if (driver) {
		(void)snprintf(driver_env, sizeof(driver_env), "DRIVER=%s", driver);
		env[1] = driver_env;
		env[2] = modalias;
	}
	eng_uevent(e, action, path, "cxl", env);
}

static void region_uevent(struct engine *e, const struct eng_region *r, const char *action)
{
	char path[ENG_PATH_MAX];

	cxl_uevent(e, action, eng_region_path(r, path), "DEVTYPE=cxl_region",
		   streq(action, "bind") ? "cxl_region" : NULL, "MODALIAS=cxl:t6");
}

static void dax_region_uevent(struct engine *e, const struct eng_region *r, const char *action)
{
	char path[ENG_PATH_MAX];

	cxl_uevent(e, action, eng_dax_region_path(r, path), "DEVTYPE=cxl_dax_region",
		   streq(action, "bind") ? "cxl_dax_region" : NULL, "MODALIAS=cxl:t8");
}

int eng_dax_region_bind(struct engine *e, struct eng_region *r)
{
	struct eng_device *d;
	int err;

	if (!r->enabled || !e->dax_cxl)
		return -ENODEV;
	if (r->dax)
		return -EBUSY;
	r->dax = true;
	err = eng_device_create(e, r, true, &d);
	if (err < 0) {
		r->dax = false;
		return err;
	}
	dax_region_uevent(e, r, "bind");
	eng_structure_changed(e);
	return 0;
}

/* Whether the claim is on extents that came after the device: the kernel frees them first. */
static bool claim_outlives(const struct eng_device *d)
{
	for (size_t i = 0; i < d->n_mappings; i++)
		if (d->mappings[i].extent->arrival > d->arrival)
			return true;
	return false;
}

int eng_dax_region_unbind(struct engine *e, struct eng_region *r)
{
	char name[ENG_DAX_NAME_MAX];

	if (!r->dax)
		return -ENODEV;
	if (e->hotplug_writer != 0)
		return -EAGAIN;
	while (r->n_devices > 0) {
		struct eng_device *d = r->devices[r->n_devices - 1];

		if (claim_outlives(d)) {
			e->counters.oopses++;
			eng_violation(e, "oops: dax_region%u goes while %s claims younger extents",
				      r->id, eng_device_name(d, name));
		}
		eng_device_destroy(e, d, false);
	}
	while (r->n_extents > 0)
		eng_group_return(e, r->extents[0]->group);
	r->seed = NULL;
	r->youngest = NULL;
	r->dax = false;
	dax_region_uevent(e, r, "unbind");
	eng_structure_changed(e);
	return 0;
}

int eng_region_bind(struct engine *e, struct eng_region *r)
{
	if (r->enabled)
		return -EBUSY;
	r->enabled = true;
	dax_region_uevent(e, r, "add");
	region_uevent(e, r, "bind");
	eng_structure_changed(e);
	return e->dax_cxl ? eng_dax_region_bind(e, r) : 0;
}

int eng_region_unbind(struct engine *e, struct eng_region *r)
{
	int err;

	if (!r->enabled)
		return -ENODEV;
	if (r->dax) {
		err = eng_dax_region_unbind(e, r);
		if (err < 0)
			return err;
	}
	dax_region_uevent(e, r, "remove");
	r->enabled = false;
	region_uevent(e, r, "unbind");
	eng_structure_changed(e);
	return 0;
}

static void region_delete(struct engine *e, struct eng_region *r)
{
	size_t at = 0;

	while (e->regions[at] != r)
		at++;
	e->n_regions--;
	memmove(&e->regions[at], &e->regions[at + 1], (e->n_regions - at) * sizeof(*e->regions));
	r->memdev->decoders &= ~(UINT64_C(1) << r->decoder);
	region_uevent(e, r, "remove");
	eng_region_free(r);
	eng_structure_changed(e);
}

/* The lowest number no region has, which is its place in the array too. */
static unsigned free_region_id(const struct engine *e)
{
	unsigned id = 0;

	while (id < e->n_regions && e->regions[id]->id == id)
		id++;
	return id;
}

int engine_add_region(struct engine *e, const struct engine_region_config *config)
{
	struct eng_memdev *m = eng_find_memdev(e, config->memdev);
	const struct engine_partition_config *p;
	struct eng_region **grown;
	struct eng_region *r;
	struct range hpa, dpa;
	uint64_t size;
	unsigned id, decoder = 0;
	int err;

	if (!m)
		return -ENODEV;
	if (config->partition >= m->config.n_partitions || config->target_node < 0)
		return -EINVAL;
	p = &m->config.partitions[config->partition];
	if (config->offset >= p->size || config->offset % ENG_ALIGN != 0)
		return -EINVAL;
	size = config->size ? config->size : p->size - config->offset;
	if (size > p->size - config->offset || size % ENG_ALIGN != 0)
		return -EINVAL;
	dpa = (struct range){ .start = p->dpa + config->offset, .length = size };
	for (size_t i = 0; i < e->n_regions; i++)
		if (e->regions[i]->memdev == m && range_overlaps(&e->regions[i]->dpa, &dpa))
			return -EBUSY;
	while (m->decoders & (UINT64_C(1) << decoder))
		decoder++;
	if (decoder >= ENGINE_DECODERS)
		return -ENOSPC;
	err = place_region(e, config->hpa, size, &hpa);
	if (err < 0)
		return err;

	id = free_region_id(e);
	grown = reallocarray(e->regions, e->n_regions + 1, sizeof(struct eng_region *));
	if (!grown)
		return -ENOMEM;
	e->regions = grown;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = (struct eng_region){
		.id = id,
		.memdev = m,
		.partition = config->partition,
		.decoder = decoder,
		.hpa = hpa,
		.dpa = dpa,
		.target_node = config->target_node ? config->target_node : (int)id + 1,
	};
	err = eng_need_node(e, r->target_node);
	if (err < 0) {
		free(r);
		return err;
	}
	memmove(&e->regions[id + 1], &e->regions[id], (e->n_regions - id) * sizeof(*e->regions));
	e->regions[id] = r;
	e->n_regions++;
	m->decoders |= UINT64_C(1) << decoder;
	region_uevent(e, r, "add");
	err = eng_region_bind(e, r);
	if (err < 0) {
		(void)eng_region_unbind(e, r);
		region_delete(e, r);
		return err;
	}
	return (int)id;
}

int engine_disable_region(struct engine *e, const char *region)
{
	struct eng_region *r = eng_find_region(e, region);

	return r ? eng_region_unbind(e, r) : -ENODEV;
}

int engine_enable_region(struct engine *e, const char *region)
{
	struct eng_region *r = eng_find_region(e, region);

	return r ? eng_region_bind(e, r) : -ENODEV;
}

int engine_remove_region(struct engine *e, const char *region)
{
	struct eng_region *r = eng_find_region(e, region);
	int err;

	if (!r)
		return -ENODEV;
	if (r->enabled) {
		err = eng_region_unbind(e, r);
		if (err < 0)
			return err;
	}
	region_delete(e, r);
	return 0;
}

int engine_load_dax_cxl(struct engine *e, bool load)
{
	int err;

	if (load == e->dax_cxl)
		return 0;
	if (load) {
		eng_uevent(e, "add", "/module/dax_cxl", "module", NULL);
		eng_uevent(e, "add", "/bus/cxl/drivers/cxl_dax_region", "drivers", NULL);
		e->dax_cxl = true;
		for (size_t i = 0; i < e->n_regions; i++) {
			if (!e->regions[i]->enabled)
				continue;
			err = eng_dax_region_bind(e, e->regions[i]);
			if (err < 0)
				return err;
		}
	} else {
		if (e->hotplug_writer != 0)
			return -EAGAIN;
		for (size_t i = 0; i < e->n_regions; i++)
			if (e->regions[i]->dax)
				(void)eng_dax_region_unbind(e, e->regions[i]);
		e->dax_cxl = false;
		eng_uevent(e, "remove", "/bus/cxl/drivers/cxl_dax_region", "drivers", NULL);
		eng_uevent(e, "remove", "/module/dax_cxl", "module", NULL);
	}
	eng_structure_changed(e);
	return 0;
}

/* Everything that claims a member of @g lets go, whatever it takes. */
static void group_take(struct engine *e, struct eng_group *g)
{
	struct eng_region *r = g->region;

	for (size_t i = 0; i < r->n_devices; i++) {
		struct eng_device *d = r->devices[i];

		if (d->n_mappings > 0 && d->mappings[0].extent->group == g) {
			eng_driver_detach(e, d, true);
			eng_device_unclaim(e, d);
		}
	}
	/* Blocks that leaked long ago are not what is asked about here. */
	for (size_t i = 0; i < g->n_members; i++) {
		struct range hpa = eng_extent_hpa(g->members[i]);

		(void)eng_blocks_remove(e, &hpa, true);
	}
	eng_group_return(e, g);
}

int engine_take_extent(struct engine *e, const char *name)
{
	char buf[ENG_DAX_NAME_MAX];

	for (size_t i = 0; i < e->n_regions; i++) {
		const struct eng_region *r = e->regions[i];

		for (size_t j = 0; j < r->n_extents; j++) {
			if (!streq(eng_extent_name(r->extents[j], buf), name))
				continue;
			eng_hotplug_break(e);
			group_take(e, r->extents[j]->group);
			return 0;
		}
	}
	return -ENOENT;
}

int engine_take_device(struct engine *e, const char *name)
{
	struct eng_device *d = eng_find_device(e, name);

	if (!d)
		return -ENOENT;
	eng_hotplug_break(e);
	if (d->m > 0) {
		eng_device_destroy(e, d, true);
	} else {
		eng_driver_detach(e, d, true);
		eng_device_unclaim(e, d);
	}
	return 0;
}
