/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is ended, by which signals, and who is not. */
#include "drain_run.h"

/* ---- the way of it ---- */

static void test_obeys(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("other.service victim.service");
	struct process p = start(run, OBEYS);

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(run->signalled, 1);
	assert_signal(run, 0, p.holder.pid, SIGTERM, 0);
	assert_quiet(run, 2 * GRACE);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), -ESRCH);
	reap(&p);
}

static void test_stubborn(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.*");
	struct process p = start(run, STUBBORN);
	usec_t begin = now_usec(CLOCK_MONOTONIC);

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_int_equal(run->signalled, 1);
	assert_true(lives(&p));
	loop_until(run->base, &run->signalled, 2);
	/* libevent's clock is coarse: it may be a few ms early. */
	assert_true(now_usec(CLOCK_MONOTONIC) - begin >= GRACE - 20 * USEC_PER_MSEC);
	assert_signal(run, 0, p.holder.pid, SIGTERM, 0);
	assert_signal(run, 1, p.holder.pid, SIGKILL, 0);
	loop_until(run->base, &run->ended, 1);
	assert_quiet(run, 2 * GRACE);
	reap(&p);
}

/* Being asked for again, or watched again, does not begin it anew. */
static void test_begun_once(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct process a = start(run, OBEYS), p = start(run, COUNTS), z = start(run, OBEYS);
	const struct holder holders[] = { a.holder, p.holder, z.holder };
	char text[8];

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
		assert_int_equal(drain_watch(run->drain, holders, 3), 0);
		loop_for(run->base, GRACE / 5);
		assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	}
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(run->signalled, 2);
	assert_signal(run, 1, p.holder.pid, SIGKILL, 0);
	assert_int_equal(read(p.out, text, sizeof(text)), 1);
	reap(&p);
	end(&a);
	end(&z);
}

static void test_no_grace(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct process p = start(run, STUBBORN), q = start(run, STUBBORN);
	const struct holder holders[] = { p.holder, q.holder };

	assert_int_equal(drain_watch(run->drain, holders, 2), 0);
	settings.terminate_grace = USEC_INFINITY;
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_quiet(run, QUIET);
	settings.terminate_grace = 0;
	assert_int_equal(drain_terminate(run->drain, &q.holder, &settings), 0);
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(run->last_ended, q.holder.pid);
	assert_quiet(run, QUIET);
	assert_true(lives(&p));
	reap(&q);
	end(&p);
}

/* It is not in the way any more: it is let live. */
static void test_let_go_in_the_grace(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct process p = start(run, STUBBORN);

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_int_equal(drain_watch(run->drain, NULL, 0), 0);
	assert_quiet(run, 3 * GRACE);
	assert_true(lives(&p));
	end(&p);
}

static void test_freed_in_signalled(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct process p = start(run, STUBBORN);

	run->free_within = true;
	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_null(run->drain);
	assert_quiet(run, 2 * GRACE);
	assert_true(lives(&p));

	/* The same when SIGKILL is told. */
	run->free_within = false;
	assert_int_equal(drain_new(run->base, run->proc.path, &ops, run, &run->drain), 0);
	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	run->free_within = true;
	loop_until(run->base, &run->signalled, 3);
	assert_signal(run, 2, p.holder.pid, SIGKILL, 0);
	assert_null(run->drain);
	reap(&p);
}

/* ---- who may not be ended ---- */

static void test_not_named(void **state)
{
	static const char *const units[] = {
		"",
		"other.service",
		"victim",
		"/system.slice/other.service",
		"a.service",
		"system.slice",
		"/victim*",				/* a cgroup is matched from its root */
		"before.service of-no-meaning.service", /* what the scan had said */
	};
	struct run *run = *state;
	struct process p = start(run, OBEYS);
	struct release_settings settings;

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		settings = terminate(units[i]);
		assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), -EPERM);
	}
	settings = terminate("victim.service");
	settings.holders = HOLDERS_WAIT;
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), -EPERM);
	assert_quiet(run, 2 * GRACE);
	assert_true(lives(&p));
	end(&p);
}

/* Of now, and not of when it was found. */
static void test_moved_before(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct process p = start(run, OBEYS);

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	put_in_cgroup(run, p.holder.pid, "/system.slice/sshd.service");
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), -EPERM);
	/* No longer told at all. */
	put_in_cgroup(run, p.holder.pid, "");
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), -EPERM);
	assert_quiet(run, 2 * GRACE);
	assert_true(lives(&p));

	put_in_cgroup(run, p.holder.pid, "/system.slice/victim.service/sub");
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	loop_until(run->base, &run->ended, 1);
	reap(&p);
}

static void test_moved_in_the_grace(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("/system.slice/victim.*");
	struct process p = start(run, COUNTS);
	char text[8];

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	put_in_cgroup(run, p.holder.pid, "/system.slice/sshd.service");
	loop_until(run->base, &run->signalled, 2);
	assert_signal(run, 1, p.holder.pid, SIGKILL, -EPERM);
	assert_quiet(run, 2 * GRACE);
	assert_true(lives(&p));

	/* Back again: it is begun with anew. */
	put_in_cgroup(run, p.holder.pid, "/system.slice/victim.service");
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	loop_until(run->base, &run->ended, 1);
	assert_signal(run, 2, p.holder.pid, SIGTERM, 0);
	assert_signal(run, 3, p.holder.pid, SIGKILL, 0);
	assert_int_equal(read(p.out, text, sizeof(text)), 2);
	reap(&p);
}

/* Which no pattern can name, since the daemon would end with it. */
static void test_never_these(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("* /*");
	struct process child = start_any(run, true, OBEYS, "/system.slice/victim.service");
	struct holder holders[3];

	holders[0] = child.holder;
	find_process(run, getpid(), "/system.slice/victim.service", &holders[1]);
	find_process(run, 1, "/system.slice/victim.service", &holders[2]);
	assert_int_equal(drain_watch(run->drain, holders, ARRAY_SIZE(holders)), 0);
	assert_int_equal(drain_terminate(run->drain, &holders[0], &settings), -EPERM);
	assert_int_equal(drain_terminate(run->drain, &holders[1], &settings), -EPERM);
	assert_int_equal(drain_terminate(run->drain, &holders[2], &settings), -EPERM);
	assert_quiet(run, 2 * GRACE);
	assert_true(lives(&child));
	end(&child);
	loop_until(run->base, &run->ended, 1);
}

static void test_not_watched(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("* /*");
	struct process p = start(run, OBEYS);
	struct holder other = p.holder;

	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), -ESRCH);
	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	other.start++;
	assert_int_equal(drain_terminate(run->drain, &other, &settings), -ESRCH);
	other.start -= 2;
	assert_int_equal(drain_terminate(run->drain, &other, &settings), -ESRCH);
	/* Gone, which is about to be told. */
	assert_int_equal(drain_watch(run->drain, &other, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &other, &settings), -ESRCH);
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(run->signalled, 0);
	assert_true(lives(&p));
	end(&p);
}

/* What /proc says of it is not understood: it is left alone. */
static void test_unreadable(void **state)
{
	static const struct {
		const char *stat;
		int r;
	} cases[] = {
		{ "", -EBADMSG },
		{ "12 (x", -EBADMSG },
		{ "12 (x) S", -EBADMSG },
		{ "12 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 -1", -EBADMSG },
		{ "12 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 5", -ESRCH },
		/* A name may have anything in it. */
		{ "12 (1) S 1 (2) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 5", -ESRCH },
	};
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct process p = start(run, OBEYS);
	char path[32];

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	(void)snprintf(path, sizeof(path), "%d/stat", (int)p.holder.pid);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		tree_remove(&run->proc, path);
		tree_write(&run->proc, path, cases[i].stat);
		assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), cases[i].r);
	}
	assert_quiet(run, QUIET);
	assert_true(lives(&p));
	end(&p);
}

/* SIGKILL cannot be sent, since it cannot be looked whether it may be: that is told. */
static void test_no_descriptors_in_the_grace(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct process p = start(run, STUBBORN);
	struct rlimit old;

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	old = limit_fds(0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), -EMFILE);
	unlimit_fds(&old);
	assert_quiet(run, 2 * GRACE);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	old = limit_fds(0);
	loop_until(run->base, &run->signalled, 2);
	unlimit_fds(&old);
	assert_signal(run, 1, p.holder.pid, SIGKILL, -EMFILE);
	assert_true(lives(&p));
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	loop_until(run->base, &run->ended, 1);
	reap(&p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_obeys),
		TEST(test_stubborn),
		TEST(test_begun_once),
		TEST(test_no_grace),
		TEST(test_let_go_in_the_grace),
		TEST(test_freed_in_signalled),
		TEST(test_not_named),
		TEST(test_moved_before),
		TEST(test_moved_in_the_grace),
		TEST(test_never_these),
		TEST(test_not_watched),
		TEST(test_unreadable),
		TEST(test_no_descriptors_in_the_grace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
