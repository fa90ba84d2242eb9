/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The intake on the real ring buffer: records in order, in bounded batches, with every loss
 * counted. Needs root and tracefs, else skipped.
 */
#include "intake_fixture.h"

static void test_one_record(void **state)
{
	struct context *c = *state;
	const struct dc_event *e;
	usec_t before, after;
	char text[256];

	need_tracefs();
	define_or_fail("uuid", false);
	start(c, 64);
	assert_true(intake_is_available(c->intake));
	read_file(text, sizeof(text), instance_path("trace_clock"));
	assert_non_null(strstr(text, "[mono]"));
	read_file(text, sizeof(text), instance_path("buffer_percent"));
	assert_string_equal(text, "0\n");

	before = now_usec(CLOCK_MONOTONIC);
	fire(1);
	after = now_usec(CLOCK_MONOTONIC);
	expect_records(c, 1);

	e = &c->seen[0];
	assert_string_equal(e->memdev, "mem3");
	assert_string_equal(e->host, "0000:0d:00.0");
	assert_int_equal(e->serial, 1);
	assert_int_equal(e->type, DC_EVENT_RELEASE);
	assert_int_equal(e->region_index, 255);
	assert_int_equal(e->sequence, 5);
	assert_int_equal(e->handle, 77);
	assert_int_equal(e->dpa.start, UINT64_C(0x40000000));
	assert_int_equal(e->dpa.length, UINT64_C(0x10000000));
	assert_int_equal(e->tag.bytes[15], 16);
	assert_true(e->traced >= before && e->traced <= after);
	assert_int_equal(c->n_on + c->n_off + c->n_bad + c->n_lost_calls, 0);
}

/* A lone record wakes the loop although the buffer is far from half full, and then it is quiet. */
static void test_wakes_and_rests(void **state)
{
	struct context *c = *state;
	size_t never = 0;

	need_tracefs();
	define_or_fail("uuid", false);
	start(c, 256);
	for (uint64_t i = 0; i < 20; i++) {
		usec_t begin = now_usec(CLOCK_MONOTONIC);

		fire(i);
		expect_records(c, i + 1);
		/* What is meant is "never". */
		assert_true(now_usec(CLOCK_MONOTONIC) - begin < 10 * USEC_PER_SEC);
	}
	/* The test's own tick is every 50 ms. */
	assert_true(run_until(c, &never, 1, 500 * USEC_PER_MSEC) < 20);
	assert_serials(c, 0);
}

static void test_sorted_across_cpus(void **state)
{
	struct context *c = *state;
	cpu_set_t all, one;
	uint64_t serial = 0;

	need_tracefs();
	define_or_fail("uuid", false);
	start(c, 64);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	if (CPU_COUNT(&all) < 2) {
		print_message("skipped: one CPU only\n");
		skip();
	}
	for (int round = 0; round < 10; round++)
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, &all))
				continue;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
			fire(serial++);
		}
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	expect_records(c, serial);
	assert_serials(c, 0);
}

static void stay_on_this_cpu(cpu_set_t *ret_before)
{
	cpu_set_t one;

	assert_int_equal(sched_getaffinity(0, sizeof(*ret_before), ret_before), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

/* A turn of the loop takes a bounded batch, and nothing of a flood is forgotten. */
static void test_bounded_batches(void **state)
{
	const size_t n = 5000;
	struct context *c = *state;
	cpu_set_t all;

	need_tracefs();
	define_or_fail("uuid", false);
	start(c, 2048);
	/* Batches of several CPUs are sorted each for itself, so that the order needs one CPU. */
	stay_on_this_cpu(&all);
	for (uint64_t i = 0; i < n; i++)
		fire(i);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	assert_true(event_base_loop(c->base, EVLOOP_NONBLOCK | EVLOOP_ONCE) >= 0);
	assert_true(c->n_seen >= 1 && c->n_seen <= 2500);
	expect_records(c, n);
	assert_serials(c, 0);
	assert_int_equal(c->n_lost_calls, 0);
}

/* What the ring buffer overwrote is counted: nothing disappears in silence. */
static void test_overrun(void **state)
{
	const size_t n = 5000;
	struct context *c = *state;
	cpu_set_t all;

	need_tracefs();
	define_or_fail("uuid", false);
	start(c, 16);
	stay_on_this_cpu(&all);
	for (uint64_t i = 0; i < n; i++)
		fire(i);
	(void)run_until(c, &c->n_seen, n, 300 * USEC_PER_MSEC);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);

	assert_true(c->n_seen > 0 && c->n_seen < n);
	assert_true(c->n_lost_calls > 0);
	assert_int_equal(c->n_seen + c->lost, n);
	assert_int_equal(c->seen[c->n_seen - 1].serial, n - 1); /* the newest are kept */
}

static void test_records_of_other_events(void **state)
{
	struct context *c = *state;

	need_tracefs();
	define_or_fail("uuid", false);
	start(c, 64);
	assert_int_equal(write_file("not ours", "%s", instance_path("trace_marker")), 0);
	(void)run_until(c, &c->n_bad, 1, TIMEOUT_USEC);
	assert_int_equal(c->n_bad, 1);
	assert_non_null(strstr(c->bad, "another event's id"));
	fire(1);
	expect_records(c, 1);
}

static void test_bad_record(void **state)
{
	struct context *c = *state;
	struct payload payload = { .memdev = "../mem0", .host = "h" };

	need_tracefs();
	define_or_fail("uuid", false);
	start(c, 64);
	traced_call(&payload);
	fire(1);
	expect_records(c, 1);
	assert_int_equal(c->n_bad, 1);
	assert_non_null(strstr(c->bad, "memdev"));
}

/* Another sub-buffer size under our hands: nothing torn, nothing twice. */
static void test_subbuffer_size_changes(void **state)
{
	static const char *const sizes[] = { "16", "4", "64" };
	struct context *c = *state;

	need_tracefs();
	if (access(TRACING "/buffer_subbuf_size_kb", F_OK) < 0) {
		print_message("skipped: the kernel has no buffer_subbuf_size_kb (before 6.8)\n");
		skip();
	}
	define_or_fail("uuid", false);
	start(c, 256);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(write_file(sizes[i], "%s", instance_path("buffer_subbuf_size_kb")),
				 0);
		c->n_seen = 0;
		for (uint64_t serial = 0; serial < 500; serial++)
			fire(serial); /* more than 16 KiB of records, less than a batch */
		expect_records(c, 500);
		assert_serials(c, 0);
	}
	assert_int_equal(c->n_lost_calls + c->n_bad, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_one_record),
		TEST(test_wakes_and_rests),
		TEST(test_sorted_across_cpus),
		TEST(test_bounded_batches),
		TEST(test_overrun),
		TEST(test_records_of_other_events),
		TEST(test_bad_record),
		TEST(test_subbuffer_size_changes),
	};

	prepare();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
