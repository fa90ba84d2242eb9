/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated host: add chains become tag groups, whole or not at all, and what is refused leaves
 * nothing behind on the host or the device.
 */
#include "engine_fixture.h"

static void test_tagged_group(void **state)
{
	struct sim *s = sim_new();
	unsigned uevents = s->n_uevents;

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	sim_expect(s, DAX_REGION "extent0.1/offset", "0x0");
	sim_expect(s, DAX_REGION "extent0.1/length", "0x10000000");
	sim_expect(s, DAX_REGION "extent0.1/uuid", TAG_A);
	sim_expect(s, DAX_REGION "extent0.2/offset", "0x20000000");
	sim_expect(s, DAX_REGION "extent0.2/uuid", TAG_A);
	sim_expect(s, DAX_REGION "dax_region/available_size", "402653184");
	assert_false(sim_exists(s, DAX_REGION "extent0.0"));
	/* Extents come without any uevent. */
	assert_int_equal(s->n_uevents, uevents);
	assert_int_equal(s->n_traced, 2);
	assert_int_equal(s->last_traced.event.type, DC_EVENT_ADD);
	assert_int_equal(s->last_traced.event.region_index, 255);
	assert_string_equal(s->last_traced.event.memdev, "mem0");
	assert_string_equal(s->last_traced.event.host, "0000:0d:00.0");
	assert_int_equal(s->last_traced.event.serial, 99);
	assert_int_equal(s->last_traced.event.traced, s->now);
	sim_free(s);
}

/* The record is traced first; until it is handled, and the chain is closed, nothing is there. */
static void test_record_before_rule(void **state)
{
	struct sim *s = sim_new();
	struct engine_extent_spec specs[2];
	struct engine_record record;

	(void)state;
	assert_int_equal(sim_specs("0:256,512:128", TAG_A, specs, 2), 2);
	assert_int_equal(engine_device_add(s->e, "mem0", specs, 2, 0), 0);
	assert_int_equal(engine_record_trace(s->e, &record), 1);
	assert_int_equal(s->n_traced, 1);
	assert_true(record.more);
	assert_int_equal(engine_record_handle(s->e, &record), ENGINE_STAGED);
	assert_int_equal(engine_record_trace(s->e, &record), 1);
	assert_false(record.more);
	assert_false(sim_exists(s, DAX_REGION "extent0.1"));
	assert_int_equal(engine_record_handle(s->e, &record), ENGINE_ADDED);
	assert_true(sim_exists(s, DAX_REGION "extent0.1"));
	assert_true(sim_exists(s, DAX_REGION "extent0.2"));
	assert_int_equal(engine_record_trace(s->e, &record), 0);
	sim_free(s);
}

static void test_untagged_has_no_uuid(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, UNTAGGED, "0:256"), ENGINE_ADDED);
	assert_true(sim_exists(s, DAX_REGION "extent0.1/offset"));
	assert_false(sim_exists(s, DAX_REGION "extent0.1/uuid"));
	sim_free(s);
}

static void test_numbers_are_recycled(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:128"), ENGINE_ADDED);
	assert_int_equal(sim_add(s, TAG_B, "256:128"), ENGINE_ADDED);
	assert_int_equal(sim_release(s, TAG_A, "0:128"), ENGINE_RELEASED);
	assert_false(sim_exists(s, DAX_REGION "extent0.1"));
	assert_int_equal(sim_add(s, UNTAGGED, "1024:128"), ENGINE_ADDED);
	sim_expect(s, DAX_REGION "extent0.1/offset", "0x40000000");
	sim_free(s);
}

/* Groups of one chain are judged each by itself. */
static void test_two_tags_in_a_chain(void **state)
{
	struct sim *s = sim_new();
	struct engine_extent_spec specs[3];

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:128"), ENGINE_ADDED);
	(void)sim_specs("256:128,512:128,768:128", TAG_B, specs, 3);
	assert_int_equal(tag_parse(TAG_A, &specs[1].tag), 0);
	assert_int_equal(engine_device_add(s->e, "mem0", specs, 3, 0), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_ADD_REFUSED);
	sim_expect(s, DAX_REGION "extent0.2/offset", "0x10000000");
	sim_expect(s, DAX_REGION "extent0.3/offset", "0x30000000");
	assert_false(sim_exists(s, DAX_REGION "extent0.4"));
	assert_int_equal(engine_counters(s->e)->groups_added, 2);
	assert_int_equal(engine_counters(s->e)->groups_refused, 1);
	sim_free(s);
}

/* After a refusal the host is as before, and the device has the extents to offer again. */
static void check_refused(struct sim *s, const char *tag, const char *extents, const char *log)
{
	struct engine_extent_spec specs[128];
	size_t n = sim_specs(extents, tag, specs, ARRAY_SIZE(specs));
	char *before = sim_snapshot(s), *after;

	s->kmsg[0] = '\0';
	assert_int_equal(engine_device_add(s->e, "mem0", specs, n, 0), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_ADD_REFUSED);
	after = sim_snapshot(s);
	assert_string_equal(before, after);
	free(before);
	free(after);
	if (log)
		assert_non_null(strstr(s->kmsg, log));
	else
		assert_string_equal(s->kmsg, "");
	/* It knows that they are not with the host. */
	assert_int_equal(engine_device_release(s->e, "mem0", specs, n), -EINVAL);
	assert_int_equal(engine_device_add(s->e, "mem0", specs, n, 0), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_ADD_REFUSED);
}

static void test_tag_is_live(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
	check_refused(s, TAG_A, "2048:128",
		      "cxl_pci 0000:0d:00.0: Tag " TAG_A
		      ": dropping group, tag already committed (firmware/orchestrator bug)");
	sim_free(s);
}

/* A tag is live on the host, not on a memdev. */
static void test_tag_is_live_elsewhere(void **state)
{
	const struct engine_memdev_config memdev = {
		.serial = 100,
		.partitions = { { .size = 2 * GiB } },
		.n_partitions = 1,
	};
	const struct engine_region_config region = { .memdev = "mem1" };
	struct sim *s = sim_new();
	struct engine_extent_spec spec;

	(void)state;
	assert_int_equal(engine_add_memdev(s->e, &memdev), 1);
	assert_int_equal(engine_add_region(s->e, &region), 1);
	assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
	(void)sim_specs("0:128", TAG_A, &spec, 1);
	assert_int_equal(engine_device_add(s->e, "mem1", &spec, 1, 0), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_ADD_REFUSED);
	assert_false(sim_exists(s, "bus/cxl/devices/dax_region1/extent1.1"));
	(void)sim_specs("0:128", TAG_B, &spec, 1);
	assert_int_equal(engine_device_add(s->e, "mem1", &spec, 1, 0), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_ADDED);
	sim_expect(s, "bus/cxl/devices/dax_region1/extent1.1/uuid", TAG_B);
	sim_free(s);
}

static void test_misaligned(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	check_refused(s, TAG_A, "0:128,129:128", "misaligned");
	check_refused(s, TAG_A, "0:127", "misaligned");
	sim_free(s);
}

static void test_no_region(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(engine_remove_region(s->e, "region0"), 0);
	check_refused(s, TAG_A, "0:128", NULL);
	sim_free(s);
}

static void test_no_dax_cxl(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(engine_load_dax_cxl(s->e, false), 0);
	assert_true(sim_exists(s, "bus/cxl/devices/dax_region0/devtype"));
	assert_false(sim_exists(s, "bus/cxl/devices/dax_region0/dax_region"));
	check_refused(s, TAG_A, "0:128", NULL);
	assert_int_equal(engine_load_dax_cxl(s->e, true), 0);
	assert_int_equal(sim_add(s, TAG_A, "0:128"), ENGINE_ADDED);
	sim_free(s);
}

/* A region over half of the partition: the extent outside is left out, the others are taken. */
static void test_partly_outside_the_region(void **state)
{
	const struct engine_memdev_config memdev = {
		.partitions = { { .size = 4 * GiB } },
		.n_partitions = 1,
	};
	const struct engine_region_config region = { .memdev = "mem0", .size = 2 * GiB };
	struct engine_config config;
	struct engine_extent_spec outside;
	struct sim *s;

	(void)state;
	engine_config_init(&config);
	s = sim_new_bare(&config);
	assert_int_equal(engine_add_memdev(s->e, &memdev), 0);
	assert_int_equal(engine_add_region(s->e, &region), 0);
	assert_int_equal(sim_add(s, TAG_A, "0:128,3072:128,256:128"), ENGINE_ADDED);
	sim_expect(s, DAX_REGION "extent0.2/offset", "0x10000000");
	assert_false(sim_exists(s, DAX_REGION "extent0.3"));
	assert_int_equal(engine_counters(s->e)->groups_partial, 1);
	(void)sim_specs("3072:128", TAG_A, &outside, 1);
	assert_int_equal(engine_device_release(s->e, "mem0", &outside, 1), -EINVAL);
	check_refused(s, TAG_B, "3072:128", NULL);
	sim_free(s);
}

static void test_sequence_numbers(void **state)
{
	static const struct {
		enum engine_naming naming;
		const char *extents;
		int outcome;
	} cases[] = {
		{ ENGINE_V11, "0:128:0,256:128:1", ENGINE_ADDED },
		{ ENGINE_V11, "0:128:1,256:128:2,512:128:0", ENGINE_ADDED },
		{ ENGINE_V11, "0:128:0", ENGINE_ADDED },
		{ ENGINE_V11, "0:128:1,256:128:2", ENGINE_ADD_REFUSED },
		{ ENGINE_V11, "0:128:0,256:128:2", ENGINE_ADD_REFUSED },
		{ ENGINE_V11, "0:128:0,256:128:0", ENGINE_ADD_REFUSED },
		{ ENGINE_V10, "0:128:1,256:128:2", ENGINE_ADDED },
		{ ENGINE_V10, "0:128:0,256:128:1", ENGINE_ADD_REFUSED },
		{ ENGINE_V10, "0:128:1,256:128:3", ENGINE_ADD_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct engine_config config;
		struct sim *s;

		engine_config_init(&config);
		config.naming = cases[i].naming;
		s = sim_new_with(&config, true);
		print_message("sequence %s\n", cases[i].extents);
		assert_int_equal(sim_add(s, TAG_A, cases[i].extents), cases[i].outcome);
		assert_int_equal(sim_exists(s, DAX_REGION "extent0.1"),
				 cases[i].outcome == ENGINE_ADDED);
		sim_free(s);
	}
}

/* Mappings follow the sequence numbers, not the addresses. */
static void test_sequence_orders_mappings(void **state)
{
	struct engine_config config;
	struct sim *s;

	(void)state;
	engine_config_init(&config);
	s = sim_new_with(&config, true);
	assert_int_equal(sim_add(s, TAG_A, "0:128:2,256:128:0,512:256:1"), ENGINE_ADDED);
	sim_ok(s, "bus/dax/devices/dax0.0/uuid", TAG_A);
	sim_expect(s, "bus/dax/devices/dax0.0/mapping0/start", "0xaa0000000");
	sim_expect(s, "bus/dax/devices/dax0.0/mapping1/start", "0xab0000000");
	sim_expect(s, "bus/dax/devices/dax0.0/mapping1/page_offset", "0x8000");
	sim_expect(s, "bus/dax/devices/dax0.0/mapping2/start", "0xa90000000");
	sim_expect(s, "bus/dax/devices/dax0.0/mapping2/page_offset", "0x18000");
	sim_free(s);
}

/* The third extent cannot be put into the tree: the first two go again. */
static void test_roll_back(void **state)
{
	struct sim *s = sim_new();
	char *before, *after;

	(void)state;
	assert_int_equal(sim_add(s, TAG_B, "2048:128"), ENGINE_ADDED);
	before = sim_snapshot(s);
	engine_fail_extent(s->e, 3, -ENOMEM);
	assert_int_equal(sim_add(s, TAG_A, "0:128,256:128,512:128"), ENGINE_ADD_REFUSED);
	after = sim_snapshot(s);
	assert_string_equal(before, after);
	assert_int_equal(engine_counters(s->e)->groups_rolled_back, 1);
	free(before);
	free(after);
	/* Only that one failed, and the numbers are free again. */
	assert_int_equal(sim_add(s, TAG_A, "0:128,256:128,512:128"), ENGINE_ADDED);
	sim_expect(s, DAX_REGION "extent0.2/offset", "0x0");
	sim_free(s);
}

static size_t many_extents(struct engine_extent_spec *specs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		specs[i] = (struct engine_extent_spec){ 0 };
		specs[i].dpa = (struct range){ .start = i * 4 * MiB, .length = 2 * MiB };
		assert_int_equal(tag_parse(TAG_A, &specs[i].tag), 0);
	}
	return n;
}

static void test_chain_limit(void **state)
{
	struct engine_extent_spec specs[102];
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(engine_device_add(s->e, "mem0", specs, many_extents(specs, 101), 0), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_ADD_REFUSED);
	assert_false(sim_exists(s, DAX_REGION "extent0.1"));
	assert_non_null(strstr(s->kmsg, "exceeds 100 extents"));
	assert_int_equal(engine_device_add(s->e, "mem0", specs, many_extents(specs, 100), 0), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_ADDED);
	assert_true(sim_exists(s, DAX_REGION "extent0.100"));
	sim_free(s);
}

static void test_chain_never_closed(void **state)
{
	struct engine_extent_spec specs[2];
	struct sim *s = sim_new();
	usec_t started = s->now;

	(void)state;
	(void)sim_specs("0:128,256:128", TAG_A, specs, 2);
	assert_true(engine_next_timeout(s->e) == USEC_INFINITY);
	assert_int_equal(engine_device_add(s->e, "mem0", specs, 1, ENGINE_ADD_OPEN), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_STAGED);
	s->now += 5 * USEC_PER_SEC;
	assert_int_equal(engine_device_add(s->e, "mem0", specs + 1, 1, ENGINE_ADD_OPEN), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_STAGED);
	assert_true(engine_next_timeout(s->e) == started + 20 * USEC_PER_SEC);
	s->now = started + 20 * USEC_PER_SEC - 1;
	engine_tick(s->e);
	assert_int_equal(engine_counters(s->e)->chains_timed_out, 0);
	s->now++;
	engine_tick(s->e);
	assert_string_equal(s->kmsg, "cxl_pci 0000:0d:00.0: DC add chain timed out; refusing "
				     "staged extents\n");
	assert_true(engine_next_timeout(s->e) == USEC_INFINITY);
	assert_int_equal(engine_device_release(s->e, "mem0", specs, 1), -EINVAL);
	assert_int_equal(sim_add(s, TAG_B, "0:128,256:128"), ENGINE_ADDED);
	sim_free(s);
}

/* A chain left open is closed by the next add. */
static void test_chain_of_two_offers(void **state)
{
	struct engine_extent_spec specs[2];
	struct sim *s = sim_new();

	(void)state;
	(void)sim_specs("0:128,256:128", TAG_A, specs, 2);
	assert_int_equal(engine_device_add(s->e, "mem0", specs, 1, ENGINE_ADD_OPEN), 0);
	assert_int_equal(engine_device_add(s->e, "mem0", specs + 1, 1, 0), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_ADDED);
	assert_int_equal(engine_counters(s->e)->groups_added, 1);
	assert_int_equal(sim_release(s, TAG_A, "0:128"), ENGINE_RELEASED);
	assert_false(sim_exists(s, DAX_REGION "extent0.2"));
	sim_free(s);
}

static void test_device_checks(void **state)
{
	static const struct {
		const char *memdev;
		struct range dpa;
		int error;
	} cases[] = {
		{ "mem7", { 0, 2 * MiB }, -ENODEV },
		{ "mem0", { 4 * GiB, 2 * MiB }, -ERANGE },
		{ "mem0", { 4 * GiB - 2 * MiB, 4 * MiB }, -ERANGE },
		{ "mem0", { 0, 0 }, -EINVAL },
		{ "mem0", { UINT64_MAX - 1, 2 * MiB }, -EINVAL },
		{ "mem0", { 128 * MiB, 256 * MiB }, -EEXIST },
	};
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "256:128"), ENGINE_ADDED);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* The first of the two is fine: it must not be left behind. */
		const struct engine_extent_spec specs[2] = {
			{ .dpa = { 1 * GiB, 2 * MiB } },
			{ .dpa = cases[i].dpa },
		};

		assert_int_equal(engine_device_add(s->e, cases[i].memdev, specs, 2, 0),
				 cases[i].error);
		assert_int_equal(engine_run_records(s->e), 0);
	}
	assert_int_equal(sim_add(s, TAG_B, "1024:2"), ENGINE_ADDED);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tagged_group),
		cmocka_unit_test(test_record_before_rule),
		cmocka_unit_test(test_untagged_has_no_uuid),
		cmocka_unit_test(test_numbers_are_recycled),
		cmocka_unit_test(test_two_tags_in_a_chain),
		cmocka_unit_test(test_tag_is_live),
		cmocka_unit_test(test_tag_is_live_elsewhere),
		cmocka_unit_test(test_misaligned),
		cmocka_unit_test(test_no_region),
		cmocka_unit_test(test_no_dax_cxl),
		cmocka_unit_test(test_partly_outside_the_region),
		cmocka_unit_test(test_sequence_numbers),
		cmocka_unit_test(test_sequence_orders_mappings),
		cmocka_unit_test(test_roll_back),
		cmocka_unit_test(test_chain_limit),
		cmocka_unit_test(test_chain_never_closed),
		cmocka_unit_test(test_chain_of_two_offers),
		cmocka_unit_test(test_device_checks),
	};

	return cmocka_run_group_tests_name("engine: adding", tests, NULL, NULL);
}
