/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a topology file to an engine: memdevs, their dynamic capacity partitions, regions.
 */
#include <stdarg.h>

#include "request.h"
#include "sim.h"

#define BUILT_IN                                                                                   \
	"{\"boot_memory\":\"3G\",\"memdevs\":[{\"serial\":99,\"host\":\"0000:0d:00.0\","           \
	"\"partitions\":[{\"dpa\":0,\"size\":\"4G\"}],"                                            \
	"\"regions\":[{\"partition\":0,\"hpa\":\"0xa90000000\",\"size\":\"4G\","                   \
	"\"target_node\":1}]}]}"

static int fail(char **ret_error, int error, const char *format, ...) _printf_(3, 4);
static int fail(char **ret_error, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(ret_error, format, args) < 0)
		*ret_error = NULL;
	va_end(args);
	return error;
}

/* Refuses keys that are not in @keys, so that a misspelt one is noticed. */
static int check_keys(struct json_object *object, const char *where, const char *keys,
		      char **ret_error)
{
	const char *key;

	if (!json_object_is_type(object, json_type_object))
		return fail(ret_error, -EINVAL, "%s: an object is wanted", where);
	if (!request_has_only(object, keys, &key))
		return fail(ret_error, -EINVAL, "%s: unknown key \"%s\"", where, key);
	return 0;
}

static int get_number(struct json_object *object, const char *where, const char *key,
		      uint64_t fallback, uint64_t *ret, char **ret_error)
{
	if (request_number(object, key, fallback, ret) < 0)
		return fail(ret_error, -EINVAL, "%s: %s: a number is wanted", where, key);
	return 0;
}

static int get_bool(struct json_object *object, const char *where, const char *key, bool fallback,
		    bool *ret, char **ret_error)
{
	if (request_bool(object, key, fallback, ret) < 0)
		return fail(ret_error, -EINVAL, "%s: %s: true or false is wanted", where, key);
	return 0;
}

static int get_config(struct json_object *topology, const struct topology_options *options,
		      struct engine_config *ret, char **ret_error)
{
	uint64_t cpus;
	int r;

	r = check_keys(topology, "topology",
		       "comment naming block_size window_start window_size boot_memory cpus "
		       "state_attr dax_cxl kernel_unmovable auto_online memdevs",
		       ret_error);
	if (r < 0)
		return r;
	if (get_number(topology, "topology", "block_size", ret->block_size, &ret->block_size,
		       ret_error) < 0 ||
	    get_number(topology, "topology", "window_start", ret->window_start, &ret->window_start,
		       ret_error) < 0 ||
	    get_number(topology, "topology", "window_size", ret->window_size, &ret->window_size,
		       ret_error) < 0 ||
	    get_number(topology, "topology", "boot_memory", ret->boot_memory, &ret->boot_memory,
		       ret_error) < 0 ||
	    get_number(topology, "topology", "cpus", ret->cpus, &cpus, ret_error) < 0 ||
	    get_bool(topology, "topology", "state_attr", ret->state_attribute,
		     &ret->state_attribute, ret_error) < 0 ||
	    get_bool(topology, "topology", "dax_cxl", ret->dax_cxl, &ret->dax_cxl, ret_error) < 0 ||
	    get_bool(topology, "topology", "kernel_unmovable", ret->kernel_unmovable,
		     &ret->kernel_unmovable, ret_error) < 0)
		return -EINVAL;
	ret->cpus = cpus > 1024 ? 1024 : (unsigned)cpus;
	if (str_copy(ret->auto_online, sizeof(ret->auto_online),
		     options->auto_online
			     ? options->auto_online
			     : request_string(topology, "auto_online", ret->auto_online)) < 0)
		return fail(ret_error, -EINVAL, "auto_online: unknown policy");
	ret->naming = options->naming;
	if (options->state_attr >= 0)
		ret->state_attribute = options->state_attr;
	if (options->dax_cxl >= 0)
		ret->dax_cxl = options->dax_cxl;
	if (options->kernel_unmovable >= 0)
		ret->kernel_unmovable = options->kernel_unmovable;
	return 0;
}

static int add_regions(struct engine *e, int memdev, struct json_object *regions, char **ret_error)
{
	for (size_t i = 0; regions && i < json_object_array_length(regions); i++) {
		struct json_object *object = json_object_array_get_idx(regions, i);
		struct engine_region_config config = { 0 };
		uint64_t partition, node;
		int r;

		r = check_keys(object, "region", "partition offset size hpa target_node",
			       ret_error);
		if (r < 0)
			return r;
		if (get_number(object, "region", "partition", 0, &partition, ret_error) < 0 ||
		    get_number(object, "region", "offset", 0, &config.offset, ret_error) < 0 ||
		    get_number(object, "region", "size", 0, &config.size, ret_error) < 0 ||
		    get_number(object, "region", "hpa", 0, &config.hpa, ret_error) < 0 ||
		    get_number(object, "region", "target_node", 0, &node, ret_error) < 0)
			return -EINVAL;
		snprintf(config.memdev, sizeof(config.memdev), "mem%d", memdev);
		config.partition = (unsigned)partition;
		config.target_node = (int)node;
		r = engine_add_region(e, &config);
		if (r < 0)
			return fail(ret_error, r, "region %zu of mem%d: %s", i, memdev,
				    strerror(-r));
	}
	return 0;
}

static int add_memdev(struct engine *e, struct json_object *object, char **ret_error)
{
	struct json_object *partitions = NULL, *regions = NULL;
	struct engine_memdev_config config = { 0 };
	int r, memdev;

	r = check_keys(object, "memdev", "serial host partitions regions force_takes", ret_error);
	if (r < 0)
		return r;
	if (get_number(object, "memdev", "serial", 0, &config.serial, ret_error) < 0 ||
	    get_bool(object, "memdev", "force_takes", false, &config.force_takes, ret_error) < 0)
		return -EINVAL;
	if (str_copy(config.host, sizeof(config.host), request_string(object, "host", "")) < 0)
		return fail(ret_error, -EINVAL, "memdev: host: too long");
	if ((json_object_object_get_ex(object, "partitions", &partitions) &&
	     !json_object_is_type(partitions, json_type_array)) ||
	    (json_object_object_get_ex(object, "regions", &regions) &&
	     !json_object_is_type(regions, json_type_array)))
		return fail(ret_error, -EINVAL, "memdev: partitions, regions: arrays are wanted");

	for (size_t i = 0; partitions && i < json_object_array_length(partitions); i++) {
		struct json_object *from = json_object_array_get_idx(partitions, i);
		struct engine_partition_config *to = &config.partitions[config.n_partitions];

		if (config.n_partitions == ENGINE_PARTITIONS_MAX)
			return fail(ret_error, -EINVAL, "memdev: too many partitions");
		r = check_keys(from, "partition", "dpa size sharable", ret_error);
		if (r < 0)
			return r;
		if (get_number(from, "partition", "dpa", 0, &to->dpa, ret_error) < 0 ||
		    get_number(from, "partition", "size", 0, &to->size, ret_error) < 0 ||
		    get_bool(from, "partition", "sharable", false, &to->sharable, ret_error) < 0)
			return -EINVAL;
		config.n_partitions++;
	}
	memdev = engine_add_memdev(e, &config);
	if (memdev < 0)
		return fail(ret_error, memdev, "memdev: %s", strerror(-memdev));
	return add_regions(e, memdev, regions, ret_error);
}

static int build(struct json_object *topology, const struct topology_options *options,
		 const struct engine_ops *ops, void *userdata, struct engine **ret,
		 unsigned *ret_memdevs, char **ret_error)
{
	_cleanup_(engine_freep) struct engine *e = NULL;
	struct engine_config config;
	struct json_object *memdevs;
	int r;

	engine_config_init(&config);
	r = get_config(topology, options, &config, ret_error);
	if (r < 0)
		return r;
	if (!json_object_object_get_ex(topology, "memdevs", &memdevs) ||
	    !json_object_is_type(memdevs, json_type_array))
		return fail(ret_error, -EINVAL, "topology: memdevs: an array is wanted");
	r = engine_new(&config, ops, userdata, &e);
	if (r < 0)
		return fail(ret_error, r, "topology: block size, window or auto_online: %s",
			    strerror(-r));
	for (size_t i = 0; i < json_object_array_length(memdevs); i++) {
		r = add_memdev(e, json_object_array_get_idx(memdevs, i), ret_error);
		if (r < 0)
			return r;
	}
	*ret_memdevs = (unsigned)json_object_array_length(memdevs);
	*ret = TAKE_PTR(e);
	return 0;
}

int topology_build(struct json_object *topology, const struct topology_options *options,
		   const struct engine_ops *ops, void *userdata, struct engine **ret,
		   unsigned *ret_memdevs, char **ret_error)
{
	struct json_object *built_in = NULL;
	int r;

	if (!topology) {
		topology = built_in = json_tokener_parse(BUILT_IN);
		if (!built_in)
			return -ENOMEM;
	}
	r = build(topology, options, ops, userdata, ret, ret_memdevs, ret_error);
	json_object_put(built_in);
	return r;
}
