/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes are watched, and whose end is told. */
#include "drain_run.h"

#include <pthread.h>
#include <sys/syscall.h>

/* ---- watching ---- */

static void test_end_is_told(void **state)
{
	struct run *run = *state;
	struct process a = start(run, OBEYS), b = start(run, OBEYS), c = start(run, OBEYS);
	const struct holder holders[] = { c.holder, a.holder, b.holder };

	assert_int_equal(drain_watch(run->drain, holders, 3), 0);
	assert_quiet(run, QUIET);
	end(&b);
	assert_int_equal(run->ended, 0); /* from the loop only */
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(run->last_ended, b.holder.pid);
	assert_quiet(run, QUIET);
	end(&a);
	loop_until(run->base, &run->ended, 2);
	assert_int_equal(run->last_ended, a.holder.pid);
	end(&c);
	loop_until(run->base, &run->ended, 3);
	assert_quiet(run, QUIET);
}

/* It holds nothing any more, although nobody has asked for its status. */
static void test_zombie(void **state)
{
	struct run *run = *state;
	struct process p = start_any(run, true, OBEYS, "/");

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(kill(p.holder.pid, SIGKILL), 0);
	loop_until(run->base, &run->ended, 1);
	assert_true(lives(&p));
	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	loop_until(run->base, &run->ended, 2);
	end(&p);
}

static void test_gone_already(void **state)
{
	struct run *run = *state;
	struct process gone = start(run, OBEYS), other = start(run, OBEYS);
	struct holder holders[2];
	unsigned before;

	end(&gone);
	holders[0] = gone.holder;
	/* The pid was given to another process since. */
	holders[1] = other.holder;
	holders[1].start--;
	before = count_fds();
	assert_int_equal(drain_watch(run->drain, holders, 2), 0);
	assert_int_equal(count_fds(), before);
	assert_int_equal(run->ended, 0); /* not from within */
	loop_until(run->base, &run->ended, 2);
	assert_quiet(run, QUIET);

	/* Or is taken back before it is told. */
	assert_int_equal(drain_watch(run->drain, holders, 2), 0);
	assert_int_equal(drain_watch(run->drain, NULL, 0), 0);
	assert_quiet(run, QUIET);
	end(&other);
	assert_quiet(run, QUIET);
}

/* A pid that only a thread has, which no process descriptor can be had for. */
static void *be_thread(void *arg)
{
	int *fds = arg;
	int32_t tid = (int32_t)syscall(SYS_gettid);
	char byte;

	assert_int_equal(write(fds[1], &tid, sizeof(tid)), sizeof(tid));
	assert_int_equal(read(fds[2], &byte, 1), 0);
	return NULL;
}

static void test_thread(void **state)
{
	struct run *run = *state;
	struct holder holder;
	pthread_t thread;
	int fds[4];
	int32_t tid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(pipe2(fds + 2, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&thread, NULL, be_thread, fds), 0);
	assert_int_equal(read(fds[0], &tid, sizeof(tid)), sizeof(tid));
	find_process(run, tid, "/", &holder);
	assert_int_equal(drain_watch(run->drain, &holder, 1), 0);
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(close(fds[3]), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(close(fds[i]), 0);
}

/* Mounts, what is not known well enough, and one process that holds several devices. */
static void test_left_out(void **state)
{
	struct run *run = *state;
	struct process p = start(run, OBEYS);
	struct holder holders[6];
	unsigned before = count_fds();

	for (size_t i = 0; i < ARRAY_SIZE(holders); i++)
		holders[i] = p.holder;
	holders[0].start = 0;
	holders[1].mounted = true;
	holders[2].pid = 0;
	holders[3].pid = -1;
	holders[5].device = 1;
	assert_int_equal(drain_watch(run->drain, holders, 4), 0);
	assert_int_equal(count_fds(), before);
	assert_quiet(run, QUIET);
	assert_int_equal(drain_watch(run->drain, holders, 6), 0);
	assert_int_equal(count_fds(), before + 1);
	end(&p);
	loop_until(run->base, &run->ended, 1);
	assert_quiet(run, QUIET);
	assert_int_equal(count_fds(), before - 1); /* and what the process wrote to */
}

static void test_exactly_these(void **state)
{
	struct run *run = *state;
	struct process a = start(run, OBEYS), b = start(run, OBEYS), c = start(run, OBEYS);
	const struct holder first[] = { a.holder, b.holder }, second[] = { b.holder, c.holder };
	unsigned before = count_fds();

	assert_int_equal(drain_watch(run->drain, first, 2), 0);
	assert_int_equal(drain_watch(run->drain, second, 2), 0);
	assert_int_equal(count_fds(), before + 2);
	end(&a);
	assert_quiet(run, QUIET);
	end(&c);
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(run->last_ended, c.holder.pid);
	assert_int_equal(drain_watch(run->drain, NULL, 0), 0);
	end(&b);
	assert_quiet(run, QUIET);
}

static void test_freed_in_ended(void **state)
{
	struct run *run = *state;
	struct process a = start(run, OBEYS), b = start(run, OBEYS);
	const struct holder holders[] = { a.holder, b.holder };

	run->free_within = true;
	assert_int_equal(drain_watch(run->drain, holders, 2), 0);
	end(&a);
	end(&b);
	loop_until(run->base, &run->ended, 1);
	assert_null(run->drain);
	assert_quiet(run, QUIET);
}

/* ---- limits ---- */

static void test_too_many(void **state)
{
	struct run *run = *state;
	struct holder holders[DRAIN_MAX + 10];
	struct process p = start(run, OBEYS);

	for (int i = 0; i < DRAIN_MAX + 9; i++)
		holders[i] = (struct holder){ .pid = INT32_MAX - i, .start = 1 };
	holders[DRAIN_MAX + 9] = p.holder;
	/* What is watched stays, whatever else is wanted. */
	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_watch(run->drain, holders, DRAIN_MAX + 10), -ENOBUFS);
	loop_until(run->base, &run->ended, DRAIN_MAX - 1);
	assert_quiet(run, QUIET);
	end(&p);
	loop_until(run->base, &run->ended, DRAIN_MAX);
	assert_int_equal(run->last_ended, p.holder.pid);
}

static void test_no_descriptors(void **state)
{
	struct run *run = *state;
	struct process p[4];
	struct holder holders[4];
	struct rlimit old;
	unsigned before;
	int r;

	for (unsigned i = 0; i < 4; i++) {
		p[i] = start(run, OBEYS);
		holders[i] = p[i].holder;
	}
	before = count_fds();
	assert_int_equal(drain_watch(run->drain, holders, 1), 0);
	/* One for a process, and two for looking at it. */
	old = limit_fds(4);
	r = drain_watch(run->drain, holders, 4);
	unlimit_fds(&old);
	assert_int_equal(r, -EMFILE);
	assert_int_equal(count_fds(), before + 3);
	assert_quiet(run, QUIET); /* none of them was taken for gone */
	assert_int_equal(drain_watch(run->drain, holders, 4), 0);
	for (unsigned i = 0; i < 4; i++)
		end(&p[i]);
	loop_until(run->base, &run->ended, 4);
}

static void test_no_proc(void **state)
{
	struct run *run = *state;
	struct drain *drain = NULL;
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/nowhere", run->proc.path);
	assert_int_equal(drain_new(run->base, path, &ops, run, &drain), -ENOENT);
	assert_null(drain);
}

/* ---- the real /proc ---- */

static void test_real_proc(void **state)
{
	struct run *run = *state;
	struct process p = start(run, OBEYS), q = start(run, OBEYS);
	const struct holder holders[] = { p.holder, q.holder };
	struct release_settings settings = terminate("/*");
	struct holder now = { 0 };
	int fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	drop(run);
	assert_int_equal(drain_new(run->base, "/proc", &ops, run, &run->drain), 0);
	assert_int_equal(drain_watch(run->drain, holders, 2), 0);
	end(&p);
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(run->last_ended, p.holder.pid);
	assert_int_equal(drain_watch(run->drain, holders, 2), 0);
	loop_until(run->base, &run->ended, 2);
	assert_int_equal(run->last_ended, p.holder.pid);

	assert_true(fd >= 0);
	process_describe(fd, &now);
	assert_int_equal(close(fd), 0);
	if (!*now.cgroup) {
		end(&q);
		print_message("skipped: no unified hierarchy of cgroups here\n");
		skip();
	}
	assert_int_equal(drain_terminate(run->drain, &q.holder, &settings), 0);
	loop_until(run->base, &run->ended, 3);
	assert_int_equal(run->last_ended, q.holder.pid);
	reap(&q);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_end_is_told),	   TEST(test_zombie),	 TEST(test_gone_already),
		TEST(test_thread),	   TEST(test_left_out),	 TEST(test_exactly_these),
		TEST(test_freed_in_ended), TEST(test_too_many),	 TEST(test_no_descriptors),
		TEST(test_no_proc),	   TEST(test_real_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
