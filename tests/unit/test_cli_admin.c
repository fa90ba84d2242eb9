/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dcdctl approve, deny, reload and inhibit: what the daemon is asked, and commands that run as long
 * as something is held for them.
 */
#include "cli_run.h"

static void test_answers(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	need_root();
	fake_release(f, 3, FAKE_TAG_A, RELEASE_HELD);
	run(f, &r, "approve", "5BE13BCE-244D-4A4E-8BA7-A3AD3C4D9C01");
	assert_ok(&r);
	assert_string_equal(r.out, "");
	assert_non_null(startswith(f->answered, "3 yes '' uid 0, pid "));
	run(f, &r, "deny", FAKE_TAG_A);
	assert_ok(&r);
	assert_non_null(startswith(f->answered, "3 no '' "));
	run(f, &r, "deny", FAKE_TAG_A, "not on my watch");
	assert_ok(&r);
	assert_non_null(startswith(f->answered, "3 no 'not on my watch' "));

	run(f, &r, "approve", FAKE_TAG_UNKNOWN);
	assert_int_equal(r.status, 5);
	f->answer_result = -EBADE;
	run(f, &r, "approve", FAKE_TAG_A);
	assert_int_equal(r.status, 1);
	assert_string_equal(r.err, "dcdctl: This release does not wait for an answer\n");
}

static void test_reload(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	need_root();
	run(f, &r, "reload");
	assert_ok(&r);
	assert_int_equal(f->reloads, 1);
	f->reload_result = -EINVAL;
	f->error = "/etc/dcdd/dcdd.conf:3: a size is expected";
	run(f, &r, "reload");
	assert_int_equal(r.status, 1);
	assert_string_equal(r.err, "dcdctl: /etc/dcdd/dcdd.conf:3: a size is expected\n");
	assert_string_equal(r.out, "");
}

static void test_inhibitors(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;
	json_object *j;

	need_program();
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	f->n_inhibitors = 1;
	f->inhibitors[0] = (struct inhibitor){ .mode = INHIBIT_DELAY,
					       .scope = "5be1*",
					       .who = "backup",
					       .why = "nightly\x1b[2J",
					       .uid = 7,
					       .pid = 4711,
					       .since = 1801382400000000 };
	run(f, &r, "inhibitors", "--no-legend");
	assert_ok(&r);
	assert_string_equal(cell(r.out, 0, 0), "backup");
	assert_string_equal(cell(r.out, 0, 1), "7");
	assert_string_equal(cell(r.out, 0, 2), "4711");
	assert_string_equal(cell(r.out, 0, 3), "5be1*");
	assert_string_equal(cell(r.out, 0, 4), "delay");
	assert_non_null(strstr(r.out, " 2027-01-31 08:00:00 nightly\\x1b[2J\n"));
	run(f, &r, "inhibitors", "--json");
	assert_ok(&r);
	j = parse(&r);
	assert_json_number(j, "0/since", 1801382400000000);
	assert_json_string(j, "0/mode", "delay");
	json_object_put(j);
}

/* ---- commands ---- */

static void test_inhibit(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	need_root();
	/* What the daemon gave is not the command's: ls has nothing open but its folder. */
	run(f, &r, "inhibit", "--", "/bin/ls", "/proc/self/fd");
	assert_ok(&r);
	assert_string_equal(r.out, "0\n1\n2\n3\n");
	assert_non_null(startswith(f->inhibited, "* 'ls' 'no reason given' block uid 0 pid "));
	assert_false(fake_lease_is_held(f));

	/* Nor are the signals that dcdctl waits for kept from it. */
	run(f, &r, "inhibit", "--", "grep", "SigBlk", "/proc/self/status");
	assert_ok(&r);
	assert_string_equal(r.out, "SigBlk:\t0000000000000000\n");

	run(f, &r, "inhibit", "--scope=5be1*", "--who=backup", "--why", "--", "--mode=delay", "--",
	    "sh", "-c", "exit 42");
	assert_int_equal(r.status, 42);
	assert_non_null(startswith(f->inhibited, "5be1* 'backup' '--' delay "));
	run(f, &r, "inhibit", "--", "sh", "-c", "kill -KILL $$");
	assert_int_equal(r.status, 137);
	run(f, &r, "inhibit", "--", "/nonexistent");
	assert_int_equal(r.status, 127);
	assert_string_equal(r.err, "dcdctl: cannot run /nonexistent: No such file or directory\n");
	run(f, &r, "inhibit", "--", "/etc");
	assert_int_equal(r.status, 126);

	/* Nothing runs that could not be protected. */
	f->inhibit_result = -ENOBUFS;
	run(f, &r, "inhibit", "--", "echo", "run");
	assert_int_equal(r.status, 1);
	assert_string_equal(r.out, "");
}

/* What the command leaves behind does not hold the lease. */
static void test_inhibit_background(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;
	pid_t left;

	need_program();
	need_root();
	run(f, &r, "inhibit", "--", "sh", "-c", "sleep 100 >/dev/null 2>&1 & echo $!");
	assert_ok(&r);
	left = (pid_t)strtol(r.out, NULL, 10);
	assert_true(left > 1);
	assert_int_equal(kill(left, 0), 0);
	assert_false(fake_lease_is_held(f));
	assert_int_equal(kill(left, SIGKILL), 0);
}

#define WAITS "trap 'exit 9' TERM; echo ready; while :; do sleep 0.02; done"

static void test_inhibit_signals(void **state)
{
	static const char *const args[] = { "dcdctl", "inhibit", "--", "sh", "-c", WAITS, NULL };
	struct fake *f = fake_get(state);
	struct running running;
	struct run r;

	need_program();
	need_root();
	running = run_start(&r, args);
	run_until(f, &running, &r, *r.out);
	assert_true(fake_lease_is_held(f));
	/* Of the terminal's both get one; the command decides. */
	assert_int_equal(kill(running.pid, SIGINT), 0);
	for (unsigned i = 0; i < 50; i++)
		run_turn(f, &running, &r);
	assert_true(fake_lease_is_held(f));
	assert_int_equal(kill(running.pid, SIGTERM), 0);
	run_finish(f, &running, &r);
	assert_int_equal(r.status, 9);
	assert_string_equal(r.err, "");
	assert_false(fake_lease_is_held(f));
}

/* The daemon is gone: the command goes on, and somebody is told that it does without. */
static void test_inhibit_lost(void **state)
{
	static const char *const args[] = { "dcdctl", "inhibit", "--", "sh", "-c", WAITS, NULL };
	struct fake *f = fake_get(state);
	struct running running;
	struct run r;

	need_program();
	need_root();
	running = run_start(&r, args);
	run_until(f, &running, &r, *r.out);
	f->lease = safe_close(f->lease);
	run_until(f, &running, &r, *r.err);
	assert_string_equal(r.err, "dcdctl: the inhibitor is over: removed, or dcdd has ended\n");
	assert_int_equal(kill(running.pid, SIGTERM), 0);
	run_finish(f, &running, &r);
	assert_int_equal(r.status, 9);
	assert_int_equal(count_lines(r.err), 1);
}

static void test_not_root(void **state)
{
	static const char *const verbs[][6] = {
		{ "dcdctl", "approve", FAKE_TAG_A, NULL },
		{ "dcdctl", "reload", NULL },
		{ "dcdctl", "inventory", "--json", NULL },
		{ "dcdctl", "inhibit", "--", "echo", "run", NULL },
		{ "dcdctl", "policy", "add", "a", "action=keep", NULL },
		{ "dcdctl", "policy", "remove", "a", NULL },
	};
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		struct running running;

		/* The real uid is what the child has after exec. */
		assert_int_equal(setresuid(65534, 65534, 0), 0);
		running = run_start(&r, verbs[i]);
		assert_int_equal(setresuid(0, 0, 0), 0);
		run_finish(f, &running, &r);
		assert_int_equal(r.status, 4);
		assert_string_equal(r.out, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLI_TEST(test_answers),
		CLI_TEST(test_reload),
		CLI_TEST(test_inhibitors),
		CLI_TEST(test_inhibit),
		CLI_TEST(test_inhibit_background),
		CLI_TEST(test_inhibit_signals),
		CLI_TEST(test_inhibit_lost),
		CLI_TEST(test_not_root),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	(void)setenv("LC_ALL", "C", 1);
	return cmocka_run_group_tests_name("cli-admin", tests, NULL, NULL);
}
