/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When scans begin: what is asked for later is not served too early, a flood of wishes does not
 * scan all the time, and a scan that fails is repeated ever more slowly. With a real worker (this
 * program, started again) on an empty sysfs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "release/scanner.h"
#include "worker/worker.h"

#define SCANS_MAX 512

struct run {
	struct event_base *base;
	struct scanner *scanner;
	char root[64];
	usec_t begin;
	unsigned n, n_errors;
	usec_t begun[SCANS_MAX]; /* µs since begin, of the good ones */
	uint64_t number[SCANS_MAX];
};

static void on_done(uint64_t number, int error, struct inventory *inventory, void *userdata)
{
	struct run *run = userdata;

	if (error < 0) {
		run->n_errors++;
		return;
	}
	assert_true(run->n < SCANS_MAX);
	run->number[run->n] = number;
	run->begun[run->n++] = inventory->taken - run->begin;
	inventory_free(inventory);
}

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	*state = run;
	(void)str_copy(run->root, sizeof(run->root), "/tmp/dcdd-scanner-XXXXXX");
	assert_non_null(mkdtemp(run->root));
	run->base = event_base_new();
	assert_non_null(run->base);
	assert_int_equal(scanner_new(run->base, "/proc/self/exe", run->root, "/proc", on_done, run,
				     &run->scanner),
			 0);
	run->begin = now_usec(CLOCK_MONOTONIC);
	return 0;
}

static int teardown(void **state)
{
	struct run *run = *state;

	scanner_free(run->scanner);
	worker_forget_all(run->base);
	event_base_free(run->base);
	(void)rmdir(run->root);
	free(run);
	return 0;
}

static void loop_for(struct run *run, usec_t usec)
{
	struct timeval tv = { .tv_sec = (time_t)(usec / USEC_PER_SEC),
			      .tv_usec = (suseconds_t)(usec % USEC_PER_SEC) };

	(void)event_base_loopexit(run->base, &tv);
	assert_true(event_base_dispatch(run->base) >= 0);
}

static void test_one_for_all(void **state)
{
	struct run *run = *state;
	uint64_t number = scanner_request(run->scanner, true);

	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(scanner_request(run->scanner, true), number);
	loop_for(run, 500 * USEC_PER_MSEC);
	assert_int_equal(run->n, 1);
	assert_int_equal(run->number[0], number);
}

/* What is to appear in 200 ms is looked at then, whoever scans before. */
static void test_later_is_not_swallowed(void **state)
{
	struct run *run = *state;

	scanner_request_soon(run->scanner, 200 * USEC_PER_MSEC);
	loop_for(run, 10 * USEC_PER_MSEC);
	(void)scanner_request(run->scanner, true);
	loop_for(run, 2 * USEC_PER_SEC);
	assert_int_equal(run->n, 2);
	assert_true(run->begun[0] < 200 * USEC_PER_MSEC);
	assert_true(run->begun[1] >= 200 * USEC_PER_MSEC);
}

/* The newest wish is not served by a scan that begins too early for it, nor put off for ever. */
static void test_a_stream_of_later(void **state)
{
	struct run *run = *state;
	usec_t last = 0;

	for (unsigned i = 0; i < 50; i++) {
		scanner_request_soon(run->scanner, 100 * USEC_PER_MSEC);
		last = now_usec(CLOCK_MONOTONIC) - run->begin;
		loop_for(run, 10 * USEC_PER_MSEC);
	}
	loop_for(run, 1 * USEC_PER_SEC);
	assert_true(run->n >= 3);
	assert_true(run->n <= 12);
	assert_true(run->begun[run->n - 1] >= last + 100 * USEC_PER_MSEC);
}

/* Nothing urgent: there is a pause between two scans, however many are asked for. */
static void test_a_flood_has_pauses(void **state)
{
	struct run *run = *state;

	for (unsigned i = 0; i < 400; i++) {
		(void)scanner_request(run->scanner, false);
		loop_for(run, USEC_PER_MSEC);
	}
	loop_for(run, 200 * USEC_PER_MSEC);
	assert_true(run->n >= 2);
	for (unsigned i = 1; i < run->n; i++)
		assert_true(run->begun[i] - run->begun[i - 1] >= 20 * USEC_PER_MSEC);
}

/* A sysfs that cannot be read: tried again after a second, then after two. */
static void test_failure_slows_down(void **state)
{
	struct run *run = *state;

	assert_int_equal(rmdir(run->root), 0);
	(void)scanner_request(run->scanner, true);
	loop_for(run, 2500 * USEC_PER_MSEC);
	assert_int_equal(run->n, 0);
	assert_int_equal(run->n_errors, 2);
	assert_int_equal(mkdir(run->root, 0700), 0);
	loop_for(run, 2 * USEC_PER_SEC);
	assert_int_equal(run->n, 1);
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_for_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later_is_not_swallowed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_stream_of_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_flood_has_pauses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure_slows_down, setup, teardown),
	};

	if (argc == 4 && streq(argv[1], "--worker"))
		return worker_main(3, argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
