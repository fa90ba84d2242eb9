/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pool of worker processes: who is kept, who is not, and that one stuck in the kernel holds up
 * nobody. With real workers (this program, started again).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "worker_fixture.h"

#include "release/executors.h"

static struct executors *pool(struct fixture *f)
{
	struct executors *x;

	assert_int_equal(executors_new(f->base, "/proc/self/exe", f->tree.path, "/proc", &x), 0);
	return x;
}

static struct worker *take(struct executors *x)
{
	struct worker *worker;

	assert_int_equal(executors_take(x, &worker), 0);
	assert_true(worker_is_alive(worker));
	assert_false(worker_is_busy(worker));
	return worker;
}

static void test_used_again(void **state)
{
	struct fixture *f = *state;
	struct executors *x = pool(f);
	struct worker *a = take(x);
	int32_t pid = worker_pid(a);

	assert_int_equal(executors_n_idle(x), 0);
	executors_put(x, a);
	assert_int_equal(executors_n_idle(x), 1);
	a = take(x);
	assert_int_equal(worker_pid(a), pid);
	executors_put(x, a);
	executors_free(x);
	assert_true(loop_until(f, is_gone, pid));
}

static void test_no_more_than_max_are_kept(void **state)
{
	struct fixture *f = *state;
	struct executors *x = pool(f);
	struct worker *workers[4];
	int32_t pids[4];

	executors_set_max(x, 3);
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i] = take(x);
		pids[i] = worker_pid(workers[i]);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(pids[i], pids[j]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(workers); i++)
		executors_put(x, workers[i]);
	assert_int_equal(executors_n_idle(x), 3);
	assert_true(loop_until(f, is_gone, pids[3]));

	/* The limit was made smaller. */
	executors_set_max(x, 1);
	assert_int_equal(executors_n_idle(x), 1);
	assert_true(loop_until(f, is_gone, pids[2]));
	assert_true(loop_until(f, is_gone, pids[1]));
	assert_int_not_equal(process_state(pids[0]), 0);
	executors_free(x);
	assert_true(loop_until(f, is_gone, pids[0]));
}

static bool is_dead(struct fixture *f, int unused)
{
	(void)unused;
	return !worker_is_alive(f->worker);
}

/* The fixture's worker is put into the pool, and killed there. */
static void test_dead_ones_are_not_lent(void **state)
{
	struct fixture *f = *state;
	struct executors *x = pool(f);
	int32_t pid = worker_pid(f->worker);
	struct worker *other;

	executors_put(x, f->worker);
	assert_int_equal(executors_n_idle(x), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_true(loop_until(f, is_dead, 0));
	other = take(x);
	f->worker = NULL; /* freed by the pool */
	assert_int_not_equal(worker_pid(other), pid);
	assert_int_equal(executors_n_idle(x), 0);
	executors_put(x, other);
	executors_free(x);
}

/* The same when it is given back. */
static void test_dead_ones_are_not_kept(void **state)
{
	struct fixture *f = *state;
	struct executors *x = pool(f);

	assert_int_equal(kill(worker_pid(f->worker), SIGKILL), 0);
	assert_true(loop_until(f, is_dead, 0));
	executors_put(x, f->worker);
	f->worker = NULL;
	assert_int_equal(executors_n_idle(x), 0);
	executors_put(x, NULL);
	executors_free(x);
}

/* Others have their work done while one does not come back; when it does, it is of use again. */
static void test_stuck_one_holds_up_nobody(void **state)
{
	struct fixture *f = *state;
	struct executors *x = pool(f);
	struct worker *stuck = f->worker;
	int32_t stuck_pid = worker_pid(stuck);
	struct worker_request write = request_write(BLOCK(3), "offline");
	char drain[4096];

	block_worker(f);
	f->worker = take(x);
	assert_int_not_equal(worker_pid(f->worker), stuck_pid);
	assert_int_equal(do_request(f, &write), 0);
	assert_attribute(f, BLOCK(3), "offline");
	assert_true(worker_is_busy(stuck));
	executors_put(x, f->worker);

	f->n_replies = 0;
	while (read(f->fifo_fd, drain, sizeof(drain)) > 0)
		;
	assert_true(loop_until(f, has_replies, 1));
	executors_set_max(x, 2);
	executors_put(x, stuck);
	assert_int_equal(executors_n_idle(x), 2);
	f->worker = take(x);
	assert_int_equal(worker_pid(f->worker), stuck_pid);
	executors_free(x);
}

/* One that is busy is never lent to somebody else. */
static void test_busy_ones_are_not_kept(void **state)
{
	struct fixture *f = *state;
	struct executors *x = pool(f);
	int32_t pid = worker_pid(f->worker);

	block_worker(f);
	executors_put(x, f->worker);
	f->worker = NULL;
	assert_int_equal(executors_n_idle(x), 0);
	assert_true(loop_until(f, is_gone, pid));
	executors_free(x);
}

static void test_cannot_start(void **state)
{
	struct fixture *f = *state;
	struct executors *x;
	struct worker *worker;

	assert_int_equal(executors_new(f->base, "/nonexistent/dcdd", f->tree.path, "/proc", &x), 0);
	assert_int_equal(executors_take(x, &worker), -ENOENT);
	executors_free(x);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		WORKER_TEST(test_used_again),
		WORKER_TEST(test_no_more_than_max_are_kept),
		WORKER_TEST(test_dead_ones_are_not_lent),
		WORKER_TEST(test_dead_ones_are_not_kept),
		WORKER_TEST(test_stuck_one_holds_up_nobody),
		WORKER_TEST(test_busy_ones_are_not_kept),
		WORKER_TEST(test_cannot_start),
	};

	if (argc == 4 && streq(argv[1], "--worker"))
		return worker_main(3, argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
