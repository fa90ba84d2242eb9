/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated host: the tree is what a kernel's /sys is, down to modes, link targets and the
 * errors of open; every link leads somewhere and every readable attribute can be read.
 */
#include "engine_fixture.h"

static struct sim *sim_busy(void)
{
	struct sim *s = sim_new();

	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	assert_int_equal(sim_add(s, UNTAGGED, "1024:128"), ENGINE_ADDED);
	sim_claim_kmem(s, "dax0.1", TAG_A);
	sim_block(s, 338, "online_movable");
	return s;
}

static void test_values(void **state)
{
	static const struct {
		const char *path, *value;
	} cases[] = {
		{ "bus/cxl/devices/region0/mode", "dynamic_ram_1" },
		{ "bus/cxl/devices/region0/resource", "0xa90000000" },
		{ "bus/cxl/devices/region0/size", "0x100000000" },
		{ "bus/cxl/devices/region0/target0", "decoder2.0" },
		{ "bus/cxl/devices/region0/uuid", "" },
		{ "bus/cxl/devices/region0/commit", "1" },
		{ "bus/cxl/devices/region0/uevent",
		  "DEVTYPE=cxl_region\nDRIVER=cxl_region\nMODALIAS=cxl:t6" },
		{ "bus/cxl/devices/decoder2.0/dpa_resource", "0x0" },
		{ "bus/cxl/devices/decoder2.0/dpa_size", "0x0000000100000000" },
		{ "bus/cxl/devices/decoder2.0/region", "region0" },
		{ "bus/cxl/devices/decoder2.0/mode", "dynamic_ram_1" },
		{ "bus/cxl/devices/decoder2.0/start", "0xa90000000" },
		{ "bus/cxl/devices/decoder2.1/size", "0x0" },
		{ "bus/cxl/devices/decoder2.1/region", "" },
		{ "bus/cxl/devices/decoder0.0/create_dynamic_ram_1_region", "region1" },
		{ "bus/cxl/devices/decoder0.0/target_list", "12" },
		{ "bus/cxl/devices/decoder0.0/size", "0x200000000" },
		{ "bus/cxl/devices/mem0/serial", "0x63" },
		{ "bus/cxl/devices/mem0/dynamic_ram_1/size", "0x100000000" },
		{ "bus/cxl/devices/dax_region0/devtype", "cxl_dax_region" },
		{ DAX_REGION "dax_region/size", "4294967296" },
		{ DAX_REGION "dax_region/align", "2097152" },
		{ DAX_REGION "dax_region/id", "0" },
		{ DAX_REGION "dax_region/available_size", "134217728" },
		{ DAX_REGION "extent0.3/uevent", "" },
		{ DAX_REGION "extent0.3/uuid", "-ENOENT" },
		{ "bus/dax/devices/dax0.1/dev", "254:1" },
		{ "bus/dax/devices/dax0.1/uevent",
		  "MAJOR=254\nMINOR=1\nDEVNAME=dax0.1\nDRIVER=kmem\nMODALIAS=dax:t0" },
		{ "bus/dax/devices/dax0.0/uevent",
		  "MAJOR=254\nMINOR=0\nDEVNAME=dax0.0\nMODALIAS=dax:t0" },
		{ "dev/char/254:1/size", "402653184" },
		{ "module/kmem/initstate", "live" },
		{ "devices/system/memory/memory342/phys_index", "00000156" },
		{ "devices/system/memory/memory342/removable", "1" },
		{ "devices/system/node/node1/memory338/state", "online" },
		{ "devices/system/node/online", "0-1" },
		{ "devices/system/cpu/online", "0-1" },
		/* Reading what cannot be read. */
		{ DAX_REGION "dax_region/delete", "-EACCES" },
		{ "bus/dax/drivers/kmem/bind", "-EACCES" },
		{ "devices", "-EISDIR" },
		{ "devices/system/memory/memory338/state/x", "-ENOTDIR" },
		{ "bus/nothing", "-ENOENT" },
	};
	struct sim *s = sim_busy();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		sim_expect(s, cases[i].path, cases[i].value);
	sim_free(s);
}

static void test_links(void **state)
{
	static const struct {
		const char *path, *target;
	} cases[] = {
		{ "/bus/cxl/devices/region0",
		  "../../../devices/platform/ACPI0017:00/root0/decoder0.0/region0" },
		{ "bus/cxl/devices/decoder2.3",
		  "../../../devices/platform/ACPI0017:00/root0/port1/endpoint2/decoder2.3" },
		{ "bus/cxl/devices/mem0",
		  "../../../devices/pci0000:0c/0000:0c:00.0/0000:0d:00.0/mem0" },
		{ DAX_REGION "driver", "../../../../../../../bus/cxl/drivers/cxl_dax_region" },
		{ DAX_REGION "dax0.1/subsystem", "../../../../../../../../bus/dax" },
		{ "devices/system/memory/memory338/node1", "../../node/node1" },
		{ "devices/system/node/node1/memory338", "../../memory/memory338" },
		{ "bus/dax/drivers/kmem/module", "../../../../module/kmem" },
	};
	struct sim *s = sim_busy();
	struct engine_node node;
	char buf[256], tiny[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ssize_t len = engine_readlink(s->e, cases[i].path, buf, sizeof(buf));

		assert_string_equal(buf, cases[i].target);
		assert_int_equal(len, strlen(cases[i].target));
		assert_int_equal(engine_lookup(s->e, cases[i].path, &node), 0);
		assert_int_equal(node.type, ENGINE_NODE_LINK);
	}
	assert_int_equal(engine_readlink(s->e, cases[0].path, tiny, sizeof(tiny)), -ENAMETOOLONG);
	assert_int_equal(engine_readlink(s->e, "devices", buf, sizeof(buf)), -EINVAL);
	sim_free(s);
}

static void test_modes(void **state)
{
	static const struct {
		const char *path;
		mode_t mode;
	} cases[] = {
		{ DAX_REGION "dax_region/align", 0400 },
		{ DAX_REGION "dax_region/create", 0644 },
		{ DAX_REGION "dax_region/delete", 0200 },
		{ DAX_REGION "dax0.1/resource", 0400 },
		{ DAX_REGION "dax0.1/align", 0444 },
		{ DAX_REGION "dax0.1/mapping0/start", 0400 },
		{ DAX_REGION "dax0.1/mapping0/end", 0400 },
		{ DAX_REGION "dax0.1/mapping0/page_offset", 0444 },
		{ DAX_REGION "extent0.1", 0755 },
		{ DAX_REGION "extent0.1/uuid", 0444 },
		{ "bus/cxl/devices/decoder0.0/start", 0400 },
		{ "bus/cxl/devices/decoder0.0/delete_region", 0200 },
		{ "bus/cxl/devices/decoder2.0/mode", 0644 },
		{ "devices/system/memory/memory338/state", 0644 },
	};
	struct sim *s = sim_busy();
	struct engine_node node;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(engine_lookup(s->e, cases[i].path, &node), 0);
		assert_int_equal(node.mode, cases[i].mode);
	}
	assert_int_equal(engine_open(s->e, DAX_REGION "dax0.1/align", false, true), -EACCES);
	assert_int_equal(engine_open(s->e, DAX_REGION "dax0.1/resource", true, false), 0);
	assert_int_equal(engine_open(s->e, "bus", false, true), -EISDIR);
	/* What belongs to whoever mounts there. */
	assert_int_equal(engine_lookup(s->e, "kernel/tracing", &node), 0);
	assert_int_equal(node.type, ENGINE_NODE_DIR);
	sim_free(s);
}

struct visit {
	struct sim *s;
	char path[512];
	char last[256];
	unsigned entries;
};

static void visit_dir(struct visit *v);

static int visit_entry(const char *name, const struct engine_node *node, void *userdata)
{
	struct visit *v = userdata;
	struct visit below = { .s = v->s };
	char buf[ENGINE_ATTR_MAX];

	assert_true(strcmp(v->last, name) < 0);
	(void)str_copy(v->last, sizeof(v->last), name);
	assert_int_equal(str_copy(below.path, sizeof(below.path), v->path), 0);
	(void)snprintf(below.path + strlen(below.path), sizeof(below.path) - strlen(below.path),
		       "/%s", name);
	v->entries++;
	switch (node->type) {
	case ENGINE_NODE_DIR:
		visit_dir(&below);
		v->entries += below.entries;
		break;
	case ENGINE_NODE_LINK:
		assert_true(engine_readlink(v->s->e, below.path, buf, sizeof(buf)) > 0);
		if (!sim_exists(v->s, below.path))
			fail_msg("%s -> %s leads nowhere", below.path, buf);
		break;
	case ENGINE_NODE_ATTR:
		if (!(node->mode & 0444))
			break;
		if (engine_attr_read(v->s->e, below.path, buf, sizeof(buf)) < 0)
			fail_msg("%s cannot be read", below.path);
		break;
	}
	return 0;
}

static void visit_dir(struct visit *v)
{
	assert_int_equal(engine_readdir(v->s->e, v->path, visit_entry, v), 0);
}

static void test_whole_tree(void **state)
{
	struct sim *s = sim_busy();
	struct visit v = { .s = s };

	(void)state;
	visit_dir(&v);
	assert_true(v.entries > 500);
	assert_int_equal(engine_readdir(s->e, "module/kmem/initstate", visit_entry, &v), -ENOTDIR);
	sim_free(s);
}

static void test_uevent_on_demand(void **state)
{
	struct sim *s = sim_busy();

	(void)state;
	s->uevents[0] = '\0';
	sim_ok(s, "bus/dax/devices/dax0.1/uevent", "change\n");
	assert_string_equal(s->uevents,
			    "change /devices/platform/ACPI0017:00/root0/decoder0.0/region0/"
			    "dax_region0/dax0.1\n");
	assert_int_equal(sim_write(s, "bus/dax/devices/dax0.1/uevent", "dance"), -EINVAL);
	sim_free(s);
}

static void test_more_devices(void **state)
{
	const struct engine_memdev_config memdev = {
		.serial = 7,
		.host = "0000:1e:00.0",
		.partitions = { { .size = 1 * GiB }, { .dpa = 1 * GiB, .size = 1 * GiB } },
		.n_partitions = 2,
	};
	struct engine_region_config region = { .memdev = "mem1", .partition = 1 };
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(engine_add_memdev(s->e, &memdev), 1);
	assert_int_equal(engine_add_region(s->e, &region), 1);
	assert_int_equal(engine_add_region(s->e, &region), -EBUSY);
	sim_expect(s, "bus/cxl/devices/region1/mode", "dynamic_ram_2");
	sim_expect(s, "bus/cxl/devices/region1/target0", "decoder3.0");
	sim_expect(s, "bus/cxl/devices/region1/resource", "0xb90000000");
	sim_expect(s, "bus/cxl/devices/decoder3.0/dpa_resource", "0x40000000");
	sim_expect(s, "bus/cxl/devices/decoder1.1/region", "region1");
	sim_expect(s, "bus/dax/devices/dax1.0/target_node", "2");
	sim_expect(s, "bus/dax/devices/dax1.0/dev", "254:1");
	region.partition = 0;
	region.size = 256 * MiB;
	region.hpa = HPA;
	assert_int_equal(engine_add_region(s->e, &region), -EBUSY);
	region.hpa = 0;
	assert_int_equal(engine_add_region(s->e, &region), 2);
	assert_int_equal(engine_remove_region(s->e, "region1"), 0);
	assert_int_equal(engine_remove_region(s->e, "region1"), -ENODEV);
	assert_false(sim_exists(s, "bus/cxl/devices/region1"));
	sim_expect(s, "bus/cxl/devices/decoder0.0/create_ram_region", "region1");
	/* Six decoders would be needed for that. */
	for (unsigned i = 1; i < 4; i++) {
		region.offset = i * 256 * MiB;
		assert_true(engine_add_region(s->e, &region) > 0);
	}
	region.offset = 0;
	region.partition = 1;
	assert_int_equal(engine_add_region(s->e, &region), -ENOSPC);
	sim_free(s);
}

static void test_bad_set_up(void **state)
{
	static const struct engine_memdev_config memdevs[] = {
		{ .n_partitions = 0 },
		{ .n_partitions = ENGINE_PARTITIONS_MAX + 1 },
		{ .n_partitions = 1, .partitions = { { .size = 1 * MiB } } },
		{ .n_partitions = 1, .partitions = { { .size = 0 } } },
		{ .n_partitions = 1,
		  .partitions = { { .dpa = UINT64_MAX - 2 * MiB + 1, .size = 4 * MiB } } },
		{ .n_partitions = 2,
		  .partitions = { { .size = 4 * MiB }, { .dpa = 2 * MiB, .size = 4 * MiB } } },
	};
	struct engine_config config;
	struct engine *e = NULL;
	struct sim *s;

	(void)state;
	engine_config_init(&config);
	s = sim_new_bare(&config);
	for (size_t i = 0; i < ARRAY_SIZE(memdevs); i++)
		assert_int_equal(engine_add_memdev(s->e, &memdevs[i]), -EINVAL);
	sim_free(s);

	config.block_size = 100 * MiB;
	assert_int_equal(engine_new(&config, NULL, NULL, &e), -EINVAL);
	engine_config_init(&config);
	config.window_start = 4 * GiB; /* where boot memory is */
	assert_int_equal(engine_new(&config, NULL, NULL, &e), -EINVAL);
	engine_config_init(&config);
	(void)str_copy(config.auto_online, sizeof(config.auto_online), "perhaps");
	assert_int_equal(engine_new(&config, NULL, NULL, &e), -EINVAL);
	engine_config_init(&config);
	assert_int_equal(engine_new(&config, NULL, NULL, &e), 0);
	engine_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_whole_tree),
		cmocka_unit_test(test_uevent_on_demand),
		cmocka_unit_test(test_more_devices),
		cmocka_unit_test(test_bad_set_up),
	};

	return cmocka_run_group_tests_name("engine: the tree", tests, NULL, NULL);
}
