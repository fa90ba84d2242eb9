/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When scans begin: what is asked for later is not served too early, a flood of wishes does not
 * scan all the time, and a scan that fails, hangs or misses something is repeated ever more slowly.
 * With a real worker (this program, started again) on a fabricated sysfs, mostly an empty one.
 */
#include "scan_tree.h"

#include "release/scanner.h"
#include "worker/worker.h"

#define SCANS_MAX 512
#define NEVER (60 * USEC_PER_SEC) /* what has not come by then will not come */

struct run {
	struct event_base *base;
	struct scanner *scanner;
	struct tree tree;
	usec_t begin;
	unsigned n, n_errors;
	usec_t failed[SCANS_MAX]; /* µs since begin, when a failure was told */
	int error;		  /* of the last one */
	int32_t region_error;	  /* of the first region in the last good one, 0 */
	usec_t begun[SCANS_MAX];  /* µs since begin, of the good ones */
	uint64_t number[SCANS_MAX];
};

static void on_done(uint64_t number, int error, struct inventory *inventory, void *userdata)
{
	struct run *run = userdata;

	if (error < 0) {
		assert_true(run->n_errors < SCANS_MAX);
		run->failed[run->n_errors++] = now_usec(CLOCK_MONOTONIC) - run->begin;
		run->error = error;
		assert_null(inventory);
		return;
	}
	assert_true(run->n < SCANS_MAX);
	run->region_error = inventory->n_regions ? inventory->regions[0].error : 0;
	run->number[run->n] = number;
	run->begun[run->n++] = inventory->taken - run->begin;
	inventory_free(inventory);
}

static int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));
	char proc[PATH_MAX];

	assert_non_null(run);
	*state = run;
	tree_init(&run->tree);
	tree_mkdir(&run->tree, "proc");
	(void)snprintf(proc, sizeof(proc), "%s/proc", run->tree.path);
	run->base = event_base_new();
	assert_non_null(run->base);
	assert_int_equal(scanner_new(run->base, "/proc/self/exe", run->tree.path, proc, on_done,
				     run, &run->scanner),
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
	tree_done(&run->tree);
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

/* The loop, until there are as many good and failed scans as that. */
static void loop_until(struct run *run, unsigned n, unsigned n_errors)
{
	while (run->n < n || run->n_errors < n_errors) {
		assert_true(now_usec(CLOCK_MONOTONIC) - run->begin < NEVER);
		loop_for(run, 5 * USEC_PER_MSEC);
	}
}

static const char unreadable[] = "devices/system/memory/block_size_bytes";

/* Tried again after 50 ms, then after 100 ms, … */
static void test_failure_slows_down(void **state)
{
	struct run *run = *state;
	char why[PATH_MAX];

	tree_mkdir(&run->tree, unreadable);
	assert_string_equal(scanner_error_message(run->scanner), "");
	(void)scanner_request(run->scanner, true);
	for (unsigned i = 1; i < 6; i++) {
		/* Nobody who is in a hurry makes it faster. */
		(void)scanner_request(run->scanner, true);
		loop_until(run, 0, i);
	}
	for (unsigned i = 1; i < run->n_errors; i++)
		assert_true(run->failed[i] - run->failed[i - 1] >= (50 * USEC_PER_MSEC << (i - 1)));
	assert_int_equal(run->n, 0);
	assert_int_equal(run->error, -EISDIR);
	(void)snprintf(why, sizeof(why), "%s/%s: Is a directory", run->tree.path, unreadable);
	assert_string_equal(scanner_error_message(run->scanner), why);

	/* Good again: told, and the next failure begins with the short pause. */
	tree_remove(&run->tree, unreadable);
	loop_until(run, 1, 0);
	assert_string_equal(scanner_error_message(run->scanner), "");
	tree_mkdir(&run->tree, unreadable);
	run->n_errors = 0;
	(void)scanner_request(run->scanner, true);
	loop_until(run, 1, 3);
	tree_remove(&run->tree, unreadable);
	loop_until(run, 2, 3);
	loop_for(run, 300 * USEC_PER_MSEC);
	assert_int_equal(run->n, 2); /* nobody asked for more */
}

/* A worker that hangs is left behind, and another one takes over. */
static void test_timeout(void **state)
{
	struct run *run = *state;
	char why[] = "scan-timeout";

	tree_mkdir(&run->tree, "devices/system/memory");
	assert_int_equal(mkfifoat(run->tree.fd, unreadable, 0600),
			 0); /* open(2) waits for a writer */
	scanner_set_timeout(run->scanner, 150 * USEC_PER_MSEC);
	(void)scanner_request(run->scanner, true);
	loop_until(run, 0, 2);
	assert_int_equal(run->error, -ETIMEDOUT);
	/* Timers may be a little early; the pause of 50 ms alone would be much less. */
	assert_true(run->failed[0] >= 100 * USEC_PER_MSEC);
	assert_true(run->failed[1] - run->failed[0] >= 150 * USEC_PER_MSEC);
	assert_non_null(strstr(scanner_error_message(run->scanner), why));
	scanner_set_timeout(run->scanner, NEVER);
	tree_remove(&run->tree, unreadable);
	loop_until(run, 1, 0);
}

/* What could not be read is looked at again, by itself, without holding up anybody. */
static void test_a_broken_region_is_read_again(void **state)
{
	static const char broken[] = DAX_REGION "/extent0.1/offset";
	struct run *run = *state;
	unsigned n;

	make_host(&run->tree);
	tree_remove(&run->tree, broken);
	tree_mkdir(&run->tree, broken);
	(void)scanner_request(run->scanner, true);
	loop_until(run, 5, 0);
	assert_int_equal(run->n_errors, 0);
	assert_int_equal(run->region_error, -EISDIR);
	for (unsigned i = 1; i < 5; i++)
		assert_true(run->begun[i] - run->begun[i - 1] >= (50 * USEC_PER_MSEC << (i - 1)));
	/* By themselves the next eight would take 0.8 + 1.6 + … s: never, here. */
	for (unsigned i = 6; i <= 13; i++) {
		(void)scanner_request(run->scanner, true);
		loop_until(run, i, 0);
	}

	tree_remove(&run->tree, broken);
	tree_write(&run->tree, broken, "0x0");
	(void)scanner_request(run->scanner, true);
	n = run->n;
	loop_until(run, n + 1, 0);
	assert_int_equal(run->region_error, 0);
	n = run->n;
	loop_for(run, 300 * USEC_PER_MSEC);
	assert_int_equal(run->n, n);
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_for_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later_is_not_swallowed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_stream_of_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_flood_has_pauses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failure_slows_down, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_broken_region_is_read_again, setup,
						teardown),
	};

	if (argc == 4 && streq(argv[1], "--worker"))
		return worker_main(3, argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
