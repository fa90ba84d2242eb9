/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated host: a release takes a whole group or changes nothing at all; what comes of memory
 * that is handed back while it is online.
 */
#include "engine_fixture.h"

/* A release that must be refused: silent, and nothing is changed or kept. */
static void check_busy(struct sim *s, const char *tag, const char *extents)
{
	char *before = sim_snapshot(s), *after;
	unsigned uevents = s->n_uevents, traced = s->n_traced;

	s->kmsg[0] = '\0';
	assert_int_equal(sim_release(s, tag, extents), ENGINE_BUSY);
	after = sim_snapshot(s);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_string_equal(s->kmsg, "");
	assert_int_equal(s->n_uevents, uevents);
	assert_true(s->n_traced > traced);
}

/* The table of what a claim in each state of life means for a release. */
static void test_life_of_a_claim(void **state)
{
	struct sim *s = sim_new();
	static const char *const extents = "0:256,512:128";

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, extents), ENGINE_ADDED);
	sim_claim_kmem(s, "dax0.1", TAG_A);
	sim_block(s, 338, "online_movable");
	sim_block(s, 342, "online_movable");
	check_busy(s, TAG_A, extents);
	sim_block(s, 338, "offline");
	sim_block(s, 342, "offline");
	check_busy(s, TAG_A, extents);
	sim_ok(s, "bus/dax/drivers/kmem/unbind", "dax0.1");
	check_busy(s, TAG_A, extents);
	sim_ok(s, "bus/dax/drivers/device_dax/bind", "dax0.1");
	check_busy(s, TAG_A, extents);
	sim_ok(s, "bus/dax/drivers/device_dax/unbind", "dax0.1");
	sim_ok(s, "bus/dax/devices/dax0.1/size", "0");
	/* Freeing it completes nothing: the device must ask again. */
	assert_true(sim_exists(s, DAX_REGION "extent0.1"));
	/* The same tag can be claimed again after a refusal. */
	sim_ok(s, "bus/dax/devices/dax0.0/uuid", TAG_A);
	check_busy(s, TAG_A, extents);
	sim_ok(s, "bus/dax/devices/dax0.0/size", "0");
	assert_int_equal(sim_release(s, TAG_A, "0:256"), ENGINE_RELEASED);
	assert_false(sim_exists(s, DAX_REGION "extent0.1"));
	assert_false(sim_exists(s, DAX_REGION "extent0.2"));
	assert_true(sim_exists(s, "bus/dax/devices/dax0.1/size"));
	sim_ok(s, DAX_REGION "dax_region/delete", "dax0.1");
	assert_int_equal(s->n_violations, 0);
	sim_free(s);
}

static void test_unclaimed_goes_at_once(void **state)
{
	struct engine_extent_spec spec;
	struct sim *s = sim_new();
	unsigned uevents;

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	uevents = s->n_uevents;
	/* Any part of one extent names the whole group. */
	assert_int_equal(sim_release(s, TAG_A, "512:64"), ENGINE_RELEASED);
	assert_false(sim_exists(s, DAX_REGION "extent0.1"));
	assert_int_equal(s->n_uevents, uevents);
	assert_int_equal(engine_counters(s->e)->extents_returned, 2);
	(void)sim_specs("0:256", TAG_A, &spec, 1);
	assert_int_equal(engine_device_release(s->e, "mem0", &spec, 1), -EINVAL);
	sim_free(s);
}

/* One record per extent: after the first was granted the rest match nothing. Harmless. */
static void test_rest_of_the_records(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	assert_int_equal(sim_release(s, TAG_A, "0:256,512:128"), ENGINE_NO_MATCH);
	assert_int_equal(engine_counters(s->e)->releases_granted, 1);
	assert_string_equal(s->kmsg,
			    "cxl_dax_region dax_region0: release DPA [range 0x0000000020000000-"
			    "0x0000000027ffffff] (" TAG_A ") matches no dc_extent\n"
			    "cxl_pci 0000:0d:00.0: dcd event failed: -22\n");
	sim_free(s);
}

static void test_wrong_tag(void **state)
{
	static const char *const tags[] = { TAG_B, UNTAGGED };
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		char *before = sim_snapshot(s), *after;

		assert_int_equal(sim_release(s, tags[i], "0:256"), ENGINE_NO_MATCH);
		after = sim_snapshot(s);
		assert_string_equal(before, after);
		free(before);
		free(after);
	}
	sim_free(s);
}

static void test_hidden_group(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, UNTAGGED, "0:256,512:128"), ENGINE_ADDED);
	assert_int_equal(sim_add(s, UNTAGGED, "1024:128"), ENGINE_ADDED);
	sim_ok(s, "bus/dax/devices/dax0.0/uuid", "0");
	sim_ok(s, DAX_REGION "dax_region/create", "1");
	sim_ok(s, "bus/dax/devices/dax0.1/uuid", UNTAGGED);
	/* Two devices, each with its extent; the release of either needs both. */
	sim_expect(s, "bus/dax/devices/dax0.0/size", "268435456");
	sim_expect(s, "bus/dax/devices/dax0.1/size", "134217728");
	check_busy(s, UNTAGGED, "0:256");
	sim_ok(s, "bus/dax/devices/dax0.0/size", "0");
	check_busy(s, UNTAGGED, "0:256");
	/* The one of another chain is not concerned. */
	assert_int_equal(sim_release(s, UNTAGGED, "1024:128"), ENGINE_RELEASED);
	sim_ok(s, "bus/dax/devices/dax0.1/size", "0");
	assert_int_equal(sim_release(s, UNTAGGED, "0:256"), ENGINE_RELEASED);
	assert_false(sim_exists(s, DAX_REGION "extent0.2"));
	sim_free(s);
}

static void test_device_retries(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(engine_device_retry(s->e, "mem9"), -ENODEV);
	assert_int_equal(engine_device_retry(s->e, "mem0"), 0);
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	sim_ok(s, "bus/dax/devices/dax0.0/uuid", TAG_A);
	check_busy(s, TAG_A, "0:256,512:128");
	check_busy(s, TAG_A, "0:256");
	assert_int_equal(engine_device_wanted(s->e, "mem0"), 2);
	/* Nothing repeats it but the device. */
	sim_ok(s, "bus/dax/devices/dax0.0/size", "0");
	assert_int_equal(engine_run_records(s->e), 0);
	assert_int_equal(engine_device_retry(s->e, "mem0"), 2);
	assert_int_equal(engine_run_records(s->e), ENGINE_NO_MATCH);
	assert_int_equal(engine_counters(s->e)->releases_granted, 1);
	assert_int_equal(engine_device_wanted(s->e, "mem0"), 0);
	assert_int_equal(engine_device_retry(s->e, "mem0"), 0);
	sim_free(s);
}

static void test_forced_release(void **state)
{
	struct engine_extent_spec spec;
	struct sim *s = sim_new();
	char *before, *after;

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
	(void)sim_specs("0:256", TAG_A, &spec, 1);
	before = sim_snapshot(s);
	assert_int_equal(engine_device_forced_release(s->e, "mem0", &spec, 1), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_IGNORED);
	after = sim_snapshot(s);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_string_equal(s->kmsg, "cxl_pci 0000:0d:00.0: Forced release event ignored.\n");
	assert_int_equal(s->last_traced.event.type, DC_EVENT_FORCED_RELEASE);

	/* The device may take it all the same; the host goes on believing. */
	engine_device_set_force_takes(s->e, "mem0", true);
	assert_int_equal(engine_device_forced_release(s->e, "mem0", &spec, 1), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_IGNORED);
	assert_true(sim_exists(s, DAX_REGION "extent0.1"));
	assert_int_equal(engine_device_release(s->e, "mem0", &spec, 1), -EINVAL);
	sim_free(s);
}

static void test_cache_invalidation_fails(void **state)
{
	struct sim *s = sim_new();
	char *before, *after;

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	before = sim_snapshot(s);
	engine_fail_invalidate(s->e, -ENXIO);
	assert_int_equal(sim_release(s, TAG_A, "0:256"), ENGINE_FAILED);
	after = sim_snapshot(s);
	assert_string_equal(before, after);
	free(before);
	free(after);
	engine_fail_invalidate(s->e, 0);
	assert_int_equal(sim_release(s, TAG_A, "0:256"), ENGINE_RELEASED);
	sim_free(s);
}

/* Records that no rule expects: traced as they are, and they change nothing. */
static void test_odd_records(void **state)
{
	static const struct {
		struct dc_event event;
		int outcome;
	} cases[] = {
		{ { .type = 77 }, ENGINE_FAILED },
		{ { .type = DC_EVENT_REGION_UPDATED, .region_index = 0 }, ENGINE_IGNORED },
		{ { .type = DC_EVENT_RELEASE, .dpa = { 64 * GiB, 128 * MiB } }, ENGINE_NO_REGION },
		{ { .type = DC_EVENT_RELEASE, .dpa = { 0, 0 } }, ENGINE_NO_MATCH },
		{ { .type = DC_EVENT_RELEASE, .dpa = { 0, UINT64_MAX } }, ENGINE_NO_MATCH },
		{ { .type = DC_EVENT_RELEASE, .dpa = { 4096, UINT64_MAX } }, ENGINE_NO_MATCH },
		{ { .type = DC_EVENT_RELEASE, .dpa = { 1 * GiB, 128 * MiB } }, ENGINE_NO_MATCH },
		{ { .type = DC_EVENT_ADD, .dpa = { 64 * GiB, 128 * MiB } }, ENGINE_ADD_REFUSED },
		{ { .type = DC_EVENT_ADD, .dpa = { 0, 256 * MiB } }, ENGINE_ADD_REFUSED },
		{ { .type = DC_EVENT_ADD, .dpa = { 2 * MiB, UINT64_MAX - 4095 } },
		  ENGINE_ADD_REFUSED },
		{ { .type = DC_EVENT_ADD, .dpa = { 2 * GiB, 0 } }, ENGINE_ADD_REFUSED },
	};
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct engine_record record = { .event = cases[i].event };
		char *before = sim_snapshot(s), *after;

		print_message("record %zu\n", i);
		assert_int_equal(engine_device_record(s->e, "mem0", &record), 0);
		assert_int_equal(engine_run_records(s->e), cases[i].outcome);
		assert_int_equal(s->last_traced.event.type, cases[i].event.type);
		after = sim_snapshot(s);
		assert_string_equal(before, after);
		free(before);
		free(after);
		sim_check(s);
	}
	sim_free(s);
}

static void test_region_updated(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(engine_device_region_updated(s->e, "mem0", 0), 0);
	assert_int_equal(engine_run_records(s->e), ENGINE_IGNORED);
	assert_int_equal(s->last_traced.event.type, DC_EVENT_REGION_UPDATED);
	assert_int_equal(s->last_traced.event.region_index, 0);
	assert_true(s->last_traced.event.dpa.length == 4 * GiB);
	sim_free(s);
}

/*
 * The one thing that must never happen: kmem is unbound with a block online (the kernel lets it),
 * the claim is given up (that too), and the release is granted.
 */
static void test_violation(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	sim_claim_kmem(s, "dax0.0", TAG_A);
	sim_block(s, 339, "online_movable");
	sim_ok(s, "bus/dax/drivers/kmem/unbind", "dax0.0");
	sim_ok(s, "bus/dax/devices/dax0.0/size", "0");
	assert_int_equal(s->n_violations, 0);
	assert_int_equal(sim_release(s, TAG_A, "0:256"), ENGINE_RELEASED);
	assert_int_equal(s->n_violations, 1);
	assert_int_equal(engine_counters(s->e)->violations, 1);
	sim_free(s);
}

static void test_no_violation_once_offline(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
	sim_claim_kmem(s, "dax0.0", TAG_A);
	sim_block(s, 339, "online_movable");
	sim_ok(s, "bus/dax/drivers/kmem/unbind", "dax0.0");
	/* Leaked, but nobody uses it any more. */
	sim_block(s, 339, "offline");
	sim_ok(s, "bus/dax/devices/dax0.0/size", "0");
	assert_int_equal(sim_release(s, TAG_A, "0:256"), ENGINE_RELEASED);
	assert_int_equal(s->n_violations, 0);
	sim_free(s);
}

/* Unbinding the region gives every extent back, in use or not. */
static void test_disable_region(void **state)
{
	struct engine_extent_spec spec;
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	assert_int_equal(sim_add(s, UNTAGGED, "1024:128"), ENGINE_ADDED);
	sim_claim_kmem(s, "dax0.1", TAG_A);
	sim_ok(s, "bus/cxl/drivers/cxl_region/unbind", "region0");
	assert_false(sim_exists(s, "bus/cxl/devices/dax_region0"));
	assert_false(sim_exists(s, "bus/dax/devices/dax0.0"));
	assert_false(sim_exists(s, "bus/cxl/devices/region0/driver"));
	assert_false(sim_exists(s, "devices/system/memory/memory338"));
	assert_int_equal(engine_counters(s->e)->extents_returned, 3);
	assert_int_equal(s->n_violations, 0);
	(void)sim_specs("0:256", TAG_A, &spec, 1);
	assert_int_equal(engine_device_release(s->e, "mem0", &spec, 1), -EINVAL);
	assert_int_equal(sim_write(s, "bus/cxl/drivers/cxl_region/unbind", "region0"), -ENODEV);
	assert_int_equal(sim_write(s, "bus/cxl/drivers/cxl_mem/bind", "region0"), -ENODEV);
	sim_ok(s, "bus/cxl/drivers/cxl_region/bind", "region0");
	sim_expect(s, "bus/dax/devices/dax0.0/size", "0");
	sim_free(s);
}

static void test_disable_region_in_use(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	sim_claim_kmem(s, "dax0.1", TAG_A);
	sim_block(s, 342, "online_movable");
	s->kmsg[0] = '\0';
	assert_int_equal(engine_disable_region(s->e, "region0"), 0);
	assert_string_equal(s->kmsg,
			    "removing memory fails, because memory [0x0000000ab0000000-"
			    "0x0000000ab7ffffff] is onlined\n"
			    "kmem dax0.1: mapping1: 0xab0000000-0xab7ffffff cannot be hotremoved "
			    "until the next reboot\n");
	assert_int_equal(engine_counters(s->e)->violations, 1);
	assert_int_equal(engine_counters(s->e)->oopses, 0);
	sim_free(s);
}

/* dax0.0 is older than any extent: its claim must be given up first. */
static void test_oops(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256"), ENGINE_ADDED);
	sim_ok(s, "bus/dax/devices/dax0.0/uuid", TAG_A);
	assert_int_equal(engine_load_dax_cxl(s->e, false), 0);
	assert_int_equal(engine_counters(s->e)->oopses, 1);
	assert_int_equal(s->n_violations, 1);
	sim_free(s);
}

/* What the simulator takes by its own hand is nobody's violation. */
static void test_take(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	sim_claim_kmem(s, "dax0.1", TAG_A);
	sim_block(s, 338, "online_movable");
	assert_int_equal(engine_take_extent(s->e, "extent0.7"), -ENOENT);
	assert_int_equal(engine_take_extent(s->e, "extent0.2"), 0);
	assert_false(sim_exists(s, DAX_REGION "extent0.1"));
	assert_false(sim_exists(s, "devices/system/memory/memory338"));
	sim_expect(s, "bus/dax/devices/dax0.1/size", "0");
	sim_check(s);

	assert_int_equal(sim_add(s, TAG_A, "0:256,512:128"), ENGINE_ADDED);
	sim_ok(s, "bus/dax/devices/dax0.1/uuid", TAG_A);
	sim_ok(s, "bus/dax/drivers/kmem/bind", "dax0.1");
	sim_block(s, 338, "online_movable");
	assert_int_equal(engine_take_device(s->e, "dax0.1"), 0);
	assert_false(sim_exists(s, "bus/dax/devices/dax0.1"));
	assert_true(sim_exists(s, DAX_REGION "extent0.1"));
	sim_expect(s, DAX_REGION "dax_region/available_size", "402653184");
	assert_int_equal(s->n_violations, 0);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_a_claim),
		cmocka_unit_test(test_unclaimed_goes_at_once),
		cmocka_unit_test(test_rest_of_the_records),
		cmocka_unit_test(test_wrong_tag),
		cmocka_unit_test(test_hidden_group),
		cmocka_unit_test(test_device_retries),
		cmocka_unit_test(test_forced_release),
		cmocka_unit_test(test_cache_invalidation_fails),
		cmocka_unit_test(test_odd_records),
		cmocka_unit_test(test_region_updated),
		cmocka_unit_test(test_violation),
		cmocka_unit_test(test_no_violation_once_offline),
		cmocka_unit_test(test_disable_region),
		cmocka_unit_test(test_disable_region_in_use),
		cmocka_unit_test(test_oops),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests_name("engine: releasing", tests, NULL, NULL);
}
