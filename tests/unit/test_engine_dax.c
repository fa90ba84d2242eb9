/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated host: dax devices and their drivers, error by error as a v11 kernel was seen to
 * answer.
 */
#include "engine_fixture.h"

#define DAX0 "bus/dax/devices/dax0.0/"
#define DAX1 "bus/dax/devices/dax0.1/"
#define DRIVERS "bus/dax/drivers/"

struct step {
	const char *path, *value;
	int error; /* 0: the write returns its length */
};

static void run_steps(struct sim *s, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ssize_t r = sim_write(s, steps[i].path, steps[i].value);
		ssize_t want = steps[i].error ? steps[i].error : (ssize_t)strlen(steps[i].value);

		if (r != want)
			fail_msg("step %zu: '%s' to %s: %zd, not %zd", i, steps[i].value,
				 steps[i].path, r, want);
		sim_check(s);
	}
}

/* A sequence of writes whose every error a real kernel was seen to return. */
static void test_errors(void **state)
{
	static const struct step steps[] = {
		{ DAX0 "uuid", "garbage", -EINVAL },
		{ DAX0 "uuid", "", 0 },
		{ DAX0 "uuid", "5be13bce", -EINVAL },
		{ DAX0 "uuid", "99999999-9999-9999-9999-999999999999", -ENOENT },
		{ DAX0 "uuid", "0", -ENOENT },
		{ DAX0 "uuid", UNTAGGED, -ENOENT },
		{ DAX0 "uuid", "5BE13BCE-AE34-4A77-B6C3-16DF975FCF1Atrailing", 0 },
		{ DAX0 "size", "0", 0 },
		{ DAX0 "uuid", TAG_A "\n", 0 },
		{ DAX0 "uuid", TAG_B, -EBUSY },
		{ DAX0 "uuid", "0", -EBUSY },
		{ DAX0 "uuid", "garbage", -EINVAL },
		{ DAX0 "size", "536870912", -EOPNOTSUPP },
		{ DAX0 "size", "268435456", -EOPNOTSUPP },
		{ DAX0 "size", "402653184", 0 },
		{ DAX0 "size", "4096", -EINVAL },
		{ DAX0 "size", "-1", -EINVAL },
		{ DAX0 "align", "4096", -EACCES },
		{ DAX0 "mapping", "a90000000-a9fffffff", -ENOENT },
		{ DAX_REGION "dax_region/create", "4096", -EINVAL },
		{ DAX_REGION "dax_region/create", "2", -EINVAL },
		{ DAX_REGION "dax_region/create", "0", -EINVAL },
		{ DAX_REGION "dax_region/create", "one", -EINVAL },
		{ DAX_REGION "dax_region/create", "1", 0 },
		{ DAX1 "uuid", TAG_A, -ENOENT },
		{ DAX1 "size", "134217728", -EOPNOTSUPP },
		{ DRIVERS "device_dax/bind", "dax0.1", -ENXIO },
		{ DRIVERS "kmem/new_id", "dax0.1", 0 },
		{ DAX_REGION "dax_region/delete", "dax0.0", -EBUSY },
		{ DAX_REGION "dax_region/delete", "dax0.9", -ENXIO },
		{ DAX_REGION "dax_region/delete", "dax0.1", 0 },
		{ DAX0 "memmap_on_memory", "0", 0 },
		{ DAX0 "memmap_on_memory", "1", -EOPNOTSUPP },
		{ DAX0 "memmap_on_memory", "x", -EINVAL },
	};
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	assert_int_equal(sim_add(s, TAG_B, "1024:128"), ENGINE_ADDED);
	sim_expect(s, DAX0 "memmap_on_memory", "1");
	run_steps(s, steps, ARRAY_SIZE(steps));
	sim_expect(s, DAX0 "memmap_on_memory", "0");
	assert_false(sim_exists(s, DAX1 "size"));
	sim_free(s);
}

static void test_claim_shows(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	sim_expect(s, DAX0 "uuid", UNTAGGED);
	sim_expect(s, DAX0 "size", "0");
	sim_expect(s, DAX0 "resource", "0xa90000000");
	sim_ok(s, DAX0 "uuid", TAG_A);
	sim_expect(s, DAX0 "uuid", TAG_A);
	sim_expect(s, DAX0 "size", "402653184");
	sim_expect(s, DAX0 "align", "2097152");
	sim_expect(s, DAX0 "target_node", "1");
	sim_expect(s, DAX0 "numa_node", "-1");
	sim_expect(s, DAX0 "mapping0/start", "0xa90000000");
	sim_expect(s, DAX0 "mapping0/end", "0xa9fffffff");
	sim_expect(s, DAX0 "mapping0/page_offset", "0x0");
	sim_expect(s, DAX0 "mapping1/start", "0xab0000000");
	sim_expect(s, DAX0 "mapping1/end", "0xab7ffffff");
	sim_expect(s, DAX0 "mapping1/page_offset", "0x10000"); /* pages */
	sim_expect(s, DAX_REGION "dax_region/available_size", "0");
	sim_ok(s, DAX0 "size", "0");
	sim_expect(s, DAX0 "uuid", UNTAGGED);
	assert_false(sim_exists(s, DAX0 "mapping0"));
	sim_expect(s, DAX_REGION "dax_region/available_size", "402653184");
	sim_free(s);
}

static void test_v10_names(void **state)
{
	struct engine_config config;
	struct sim *s;

	(void)state;
	engine_config_init(&config);
	config.naming = ENGINE_V10;
	s = sim_new_with(&config, false);
	assert_int_equal(sim_add(s, UNTAGGED, "0:256"), ENGINE_ADDED);
	sim_expect(s, "bus/cxl/devices/region0/mode", "dynamic_ram_a");
	sim_expect(s, "bus/cxl/devices/decoder2.0/mode", "dynamic_ram_a");
	sim_expect(s, "bus/cxl/devices/mem0/dynamic_ram_a/size", "0x100000000");
	assert_true(sim_exists(s, "bus/cxl/devices/decoder0.0/create_dynamic_ram_a_region"));
	sim_expect(s, DAX0 "uuid", "0");
	sim_ok(s, DAX0 "uuid", "0\n");
	sim_expect(s, DAX0 "size", "268435456");
	sim_free(s);
}

/* An untagged claim takes the extent that came first, wherever it lies. */
static void test_untagged_in_order_of_arrival(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, UNTAGGED, "1024:256"), ENGINE_ADDED);
	assert_int_equal(sim_add(s, UNTAGGED, "0:128"), ENGINE_ADDED);
	sim_ok(s, DAX0 "uuid", "0");
	sim_expect(s, DAX0 "mapping0/start", "0xad0000000");
	sim_expect(s, DAX0 "uuid", UNTAGGED);
	sim_ok(s, DAX_REGION "dax_region/create", "1");
	sim_ok(s, DAX1 "uuid", "0");
	sim_expect(s, DAX1 "mapping0/start", "0xa90000000");
	/* Now nothing is unclaimed. */
	assert_int_equal(sim_write(s, DAX_REGION "dax_region/create", "1"), -ENOSPC);
	sim_free(s);
}

static void test_create_delete_seed(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_write(s, DAX_REGION "dax_region/create", "1"), -ENOSPC);
	assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
	sim_expect(s, DAX_REGION "dax_region/seed", "");
	sim_expect(s, DAX_REGION "dax_region/create", "");
	s->uevents[0] = '\0';
	sim_ok(s, DAX_REGION "dax_region/create", "1\n");
	sim_ok(s, DAX_REGION "dax_region/create", "1");
	assert_string_equal(s->uevents,
			    "add /devices/platform/ACPI0017:00/root0/decoder0.0/region0/"
			    "dax_region0/dax0.1\n"
			    "add /devices/platform/ACPI0017:00/root0/decoder0.0/region0/"
			    "dax_region0/dax0.2\n");
	sim_expect(s, DAX_REGION "dax_region/seed", "dax0.1");
	sim_expect(s, DAX_REGION "dax_region/create", "dax0.2");
	sim_expect(s, "bus/dax/devices/dax0.2/dev", "254:2");
	sim_expect(s, "bus/dax/devices/dax0.2/memmap_on_memory", "0");
	/* Bound, the seed is none any more. */
	sim_ok(s, DAX1 "uuid", TAG_A);
	assert_int_equal(sim_write(s, DAX_REGION "dax_region/delete", "dax0.1"), -EBUSY);
	sim_ok(s, DRIVERS "device_dax/bind", "dax0.1");
	sim_expect(s, DAX_REGION "dax_region/seed", "");
	assert_int_equal(sim_write(s, DAX_REGION "dax_region/delete", "dax0.1"), -EBUSY);
	sim_ok(s, DRIVERS "device_dax/unbind", "dax0.1");
	sim_ok(s, DAX1 "size", "0");
	s->uevents[0] = '\0';
	sim_ok(s, DAX_REGION "dax_region/delete", "dax0.1\n");
	assert_string_equal(s->uevents,
			    "remove /devices/platform/ACPI0017:00/root0/decoder0.0/region0/"
			    "dax_region0/dax0.1\n");
	/* Numbers are used again. */
	sim_ok(s, DAX_REGION "dax_region/create", "1");
	sim_expect(s, DAX_REGION "dax_region/create", "dax0.1");
	sim_free(s);
}

static void test_size_while_bound(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
	sim_ok(s, DAX0 "uuid", TAG_A);
	sim_ok(s, DRIVERS "device_dax/bind", "dax0.0");
	assert_int_equal(sim_write(s, DAX0 "size", "0"), -EBUSY);
	assert_int_equal(sim_write(s, DAX0 "size", "268435456"), -EBUSY);
	sim_ok(s, DRIVERS "device_dax/unbind", "dax0.0");
	sim_ok(s, DAX0 "size", "0x0\n");
	/* Size 0 is its end: it can never be deleted. */
	assert_int_equal(sim_write(s, DAX_REGION "dax_region/delete", "dax0.0"), -EBUSY);
	sim_free(s);
}

static void test_binding(void **state)
{
	static const struct step steps[] = {
		{ DRIVERS "kmem/bind", "dax0.0", -ENODEV },
		{ DRIVERS "fsdev_dax/bind", "dax0.0", -ENODEV },
		{ DRIVERS "device_dax/bind", "dax0.9", -ENODEV },
		{ DRIVERS "device_dax/bind", "dax0.0\n", 0 },
		{ DRIVERS "device_dax/bind", "dax0.0", -EBUSY },
		{ DRIVERS "kmem/unbind", "dax0.0", -ENODEV },
		{ DRIVERS "kmem/new_id", "dax0.0", 0 }, /* remembered; it is bound already */
		{ DRIVERS "kmem/bind", "dax0.0", -EBUSY },
		{ DRIVERS "device_dax/unbind", "dax0.0", 0 },
		{ DRIVERS "device_dax/unbind", "dax0.0", -ENODEV },
		{ DRIVERS "kmem/bind", "dax0.0", 0 },
		{ DRIVERS "kmem/remove_id", "dax0.0", 0 },
		{ DRIVERS "kmem/remove_id", "dax0.0", 0 },
		{ DRIVERS "kmem/unbind", "dax0.0", 0 },
		{ DRIVERS "kmem/bind", "dax0.0", -ENODEV },
		{ DRIVERS "fsdev_dax/new_id", "dax0.0", 0 },
		{ DRIVERS "fsdev_dax/unbind", "dax0.0", 0 },
		{ DRIVERS "kmem/new_id", "garbage", -EINVAL },
		{ DRIVERS "kmem/remove_id", "garbage", -EINVAL },
	};
	struct sim *s = sim_new();
	char link[256];

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
	sim_ok(s, DAX0 "uuid", TAG_A);
	run_steps(s, steps, ARRAY_SIZE(steps));
	assert_false(sim_exists(s, DAX0 "driver"));
	sim_ok(s, DRIVERS "fsdev_dax/bind", "dax0.0");
	assert_true(engine_readlink(s->e, DAX0 "driver", link, sizeof(link)) > 0);
	assert_string_equal(link, "../../../../../../../../bus/dax/drivers/fsdev_dax");
	assert_true(sim_exists(s, DRIVERS "fsdev_dax/dax0.0/size"));
	sim_free(s);
}

/* device_dax matches by type: an id makes it take whatever is claimed and unbound. */
static void test_device_dax_takes_all(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
	assert_int_equal(sim_add(s, TAG_B, "512:256"), ENGINE_ADDED);
	assert_int_equal(sim_add(s, UNTAGGED, "1024:256"), ENGINE_ADDED);
	sim_claim_kmem(s, "dax0.1", TAG_A);
	sim_ok(s, DAX_REGION "dax_region/create", "1");
	sim_ok(s, DAX_REGION "dax_region/create", "1");
	sim_ok(s, "bus/dax/devices/dax0.2/uuid", TAG_B);
	sim_ok(s, DRIVERS "device_dax/new_id", "dax0.3"); /* has no size: stays unbound */
	assert_true(sim_exists(s, DRIVERS "device_dax/dax0.2"));
	assert_false(sim_exists(s, DRIVERS "device_dax/dax0.0"));
	assert_false(sim_exists(s, DRIVERS "device_dax/dax0.3"));
	assert_true(sim_exists(s, DRIVERS "kmem/dax0.1"));
	sim_free(s);
}

static void test_bind_uevents(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	s->uevents[0] = '\0';
	sim_ok(s, DAX0 "uuid", TAG_A);
	assert_string_equal(s->uevents, ""); /* claiming is silent */
	sim_ok(s, DRIVERS "kmem/new_id", "dax0.0");
	sim_block(s, 338, "online_movable");
	sim_block(s, 342, "online_movable");
	sim_block(s, 338, "offline");
	sim_block(s, 342, "offline");
	sim_ok(s, DRIVERS "kmem/unbind", "dax0.0");
#define DAX0_PATH "/devices/platform/ACPI0017:00/root0/decoder0.0/region0/dax_region0/dax0.0"
	assert_string_equal(s->uevents, "add /devices/system/node/node1\n"
					"add /devices/system/memory/memory338\n"
					"add /devices/system/memory/memory339\n"
					"add /devices/system/memory/memory342\n"
					"bind " DAX0_PATH "\n"
					"add /devices/virtual/memory_tiering/memory_tier22\n"
					"online /devices/system/memory/memory338\n"
					"online /devices/system/memory/memory342\n"
					"offline /devices/system/memory/memory338\n"
					"remove /devices/virtual/memory_tiering/memory_tier22\n"
					"offline /devices/system/memory/memory342\n"
					"remove /devices/system/memory/memory338\n"
					"remove /devices/system/memory/memory339\n"
					"remove /devices/system/memory/memory342\n"
					"remove /devices/system/node/node1\n"
					"unbind " DAX0_PATH "\n");
	s->uevents[0] = '\0';
	sim_ok(s, DAX0 "size", "0");
	assert_string_equal(s->uevents, "");
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_claim_shows),
		cmocka_unit_test(test_v10_names),
		cmocka_unit_test(test_untagged_in_order_of_arrival),
		cmocka_unit_test(test_create_delete_seed),
		cmocka_unit_test(test_size_while_bound),
		cmocka_unit_test(test_binding),
		cmocka_unit_test(test_device_dax_takes_all),
		cmocka_unit_test(test_bind_uevents),
	};

	return cmocka_run_group_tests_name("engine: dax devices", tests, NULL, NULL);
}
