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

/* SIGKILL is not sent by the time alone, but by being asked for again. */
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
	loop_until(run->base, &run->due, 1);
	assert_true(now_usec(CLOCK_MONOTONIC) - begin >= GRACE);
	assert_int_equal(run->last_due, p.holder.pid);
	assert_quiet(run, 2 * GRACE);
	assert_true(lives(&p));
	assert_int_equal(run->signalled, 1);

	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_int_equal(run->signalled, 2);
	assert_signal(run, 0, p.holder.pid, SIGTERM, 0);
	assert_signal(run, 1, p.holder.pid, SIGKILL, 0);
	/* Once, though it is still watched: its end comes from the event loop. */
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_int_equal(run->signalled, 2);
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

	settings.terminate_grace = 10 * GRACE;
	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
		assert_int_equal(drain_watch(run->drain, holders, 3), 0);
		loop_for(run->base, GRACE / 5);
		assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	}
	loop_until(run->base, &run->due, 1);
	assert_int_equal(run->signalled, 1);
	assert_int_equal(drain_watch(run->drain, holders, 3), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(run->due, 1);
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
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_quiet(run, QUIET);
	settings.terminate_grace = 0;
	assert_int_equal(drain_terminate(run->drain, &q.holder, &settings), 0);
	loop_until(run->base, &run->due, 1);
	assert_int_equal(run->last_due, q.holder.pid);
	assert_int_equal(run->signalled, 2);
	assert_int_equal(drain_terminate(run->drain, &q.holder, &settings), 0);
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(run->last_ended, q.holder.pid);
	assert_quiet(run, QUIET);
	assert_true(lives(&p));
	reap(&q);
	end(&p);
}

/* ---- what changes in the grace ---- */

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

/* Of the settings of now, but from SIGTERM on: what has passed has passed. */
static void test_longer_grace(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct process p = start(run, STUBBORN);
	usec_t begin = now_usec(CLOCK_MONOTONIC);

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	loop_until(run->base, &run->due, 1);
	/* Over by what it was. */
	settings.terminate_grace = now_usec(CLOCK_MONOTONIC) - begin + 3 * GRACE;
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_int_equal(run->signalled, 1);
	loop_until(run->base, &run->due, 2);
	assert_true(now_usec(CLOCK_MONOTONIC) - begin >= settings.terminate_grace);

	/* None at all by now. */
	settings.terminate_grace = USEC_INFINITY;
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_quiet(run, 2 * GRACE);
	assert_int_equal(run->signalled, 1);
	settings.terminate_grace = GRACE;
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_signal(run, 1, p.holder.pid, SIGKILL, 0);
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(run->due, 2);
	reap(&p);
}

static void test_shorter_grace(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct process p = start(run, STUBBORN), q = start(run, STUBBORN);
	const struct holder holders[] = { p.holder, q.holder };

	settings.terminate_grace = USEC_PER_HOUR;
	assert_int_equal(drain_watch(run->drain, holders, 2), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_int_equal(drain_terminate(run->drain, &q.holder, &settings), 0);
	assert_quiet(run, 2 * QUIET);
	settings.terminate_grace = QUIET;
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_signal(run, 2, p.holder.pid, SIGKILL, 0);
	/* The rest of it, which is some, or this test's machine is slow and it is none. */
	settings.terminate_grace = 4 * GRACE;
	assert_int_equal(drain_terminate(run->drain, &q.holder, &settings), 0);
	if (run->signalled == 3) {
		loop_until(run->base, &run->due, 1);
		assert_int_equal(run->last_due, q.holder.pid);
		assert_int_equal(drain_terminate(run->drain, &q.holder, &settings), 0);
	}
	assert_signal(run, 3, q.holder.pid, SIGKILL, 0);
	loop_until(run->base, &run->ended, 2);
	reap(&p);
	reap(&q);
}

/* A rule that says otherwise by now is followed; what was begun is not begun anew after it. */
static void test_rule_changed_in_the_grace(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct release_settings other = terminate("other.service"), wait = settings;
	struct process p = start(run, COUNTS);
	char text[8];

	wait.holders = HOLDERS_WAIT;
	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	/* Not yet due: nothing could not be sent, either. */
	other.terminate_grace = USEC_PER_HOUR;
	assert_int_equal(drain_terminate(run->drain, &p.holder, &other), -EPERM);
	assert_int_equal(run->signalled, 1);
	other.terminate_grace = GRACE;
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);

	loop_until(run->base, &run->due, 1);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &other), -EPERM);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &wait), -EPERM);
	assert_quiet(run, 2 * GRACE);
	/* The same error is told once. */
	assert_int_equal(run->signalled, 2);
	assert_signal(run, 1, p.holder.pid, SIGKILL, -EPERM);
	assert_true(lives(&p));

	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_signal(run, 2, p.holder.pid, SIGKILL, 0);
	loop_until(run->base, &run->ended, 1);
	assert_int_equal(run->due, 1);
	assert_int_equal(read(p.out, text, sizeof(text)), 1);
	reap(&p);
}

/* Each of what is told may be the end of the drain. */
static void test_freed_within(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct process p = start(run, STUBBORN);

	run->free_within = true;
	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_null(run->drain);
	assert_quiet(run, 2 * GRACE);

	/* The same when the grace is over. */
	run->free_within = false;
	assert_int_equal(drain_new(run->base, run->proc.path, &ops, run, &run->drain), 0);
	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	run->free_within = true;
	loop_until(run->base, &run->due, 1);
	assert_null(run->drain);
	assert_quiet(run, 2 * GRACE);
	assert_true(lives(&p));

	/* And with SIGKILL. */
	run->free_within = false;
	assert_int_equal(drain_new(run->base, run->proc.path, &ops, run, &run->drain), 0);
	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	loop_until(run->base, &run->due, 2);
	run->free_within = true;
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_signal(run, 3, p.holder.pid, SIGKILL, 0);
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
	/* The same error is told once. */
	assert_int_equal(run->signalled, 1);
	assert_signal(run, 0, p.holder.pid, SIGTERM, -EPERM);
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
	loop_until(run->base, &run->due, 1);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), -EPERM);
	assert_signal(run, 1, p.holder.pid, SIGKILL, -EPERM);
	assert_quiet(run, 2 * GRACE);
	assert_true(lives(&p));

	/* Back again: it has had its grace. */
	put_in_cgroup(run, p.holder.pid, "/system.slice/victim.service");
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	loop_until(run->base, &run->ended, 1);
	assert_signal(run, 2, p.holder.pid, SIGKILL, 0);
	assert_int_equal(read(p.out, text, sizeof(text)), 1);
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
	assert_int_equal(run->signalled, 3);
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

/* A signal cannot be sent, since it cannot be looked whether it may be: that is told. */
static void test_no_descriptors(void **state)
{
	struct run *run = *state;
	struct release_settings settings = terminate("victim.service");
	struct process p = start(run, STUBBORN);
	struct rlimit old;

	assert_int_equal(drain_watch(run->drain, &p.holder, 1), 0);
	old = limit_fds(0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), -EMFILE);
	unlimit_fds(&old);
	assert_signal(run, 0, p.holder.pid, SIGTERM, -EMFILE);
	assert_quiet(run, 2 * GRACE);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_signal(run, 1, p.holder.pid, SIGTERM, 0);
	loop_until(run->base, &run->due, 1);
	old = limit_fds(0);
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), -EMFILE);
	unlimit_fds(&old);
	assert_signal(run, 2, p.holder.pid, SIGKILL, -EMFILE);
	assert_true(lives(&p));
	assert_int_equal(drain_terminate(run->drain, &p.holder, &settings), 0);
	assert_signal(run, 3, p.holder.pid, SIGKILL, 0);
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
		TEST(test_longer_grace),
		TEST(test_shorter_grace),
		TEST(test_rule_changed_in_the_grace),
		TEST(test_freed_within),
		TEST(test_not_named),
		TEST(test_moved_before),
		TEST(test_moved_in_the_grace),
		TEST(test_never_these),
		TEST(test_not_watched),
		TEST(test_unreadable),
		TEST(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
