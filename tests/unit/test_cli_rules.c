/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dcdctl policy explain, rules, add and remove: what is shown, what the daemon is asked, exit
 * statuses, and points in time as people type them.
 */
#include "cli_run.h"

static void test_explain(void **state)
{
	static const struct {
		enum verdict verdict;
		int status;
	} table[] = {
		{ VERDICT_NOTHING, 0 },
		{ VERDICT_FREE, 0 },
		{ VERDICT_WAIT, 7 },
		{ VERDICT_REFUSE, 6 },
	};
	struct fake *f = fake_get(state);
	_cleanup_free_ char *text = NULL;
	struct run r;
	json_object *j;

	need_program();
	f->decision.terminate = true;
	f->decision.n_conditions = 1;
	f->decision.conditions[0] = (struct condition){ .kind = CONDITION_WINDOW,
							.outcome = OUTCOME_REFUSE,
							.measured = "closed",
							.limit = "22:00-06:00",
							.text = "no window is open" };
	assert_int_equal(decision_explain(&f->decision, &text), 0);
	run(f, &r, "policy", "explain", FAKE_TAG_B);
	assert_int_equal(r.status, 6);
	assert_string_equal(r.err, "");
	assert_string_equal(r.out, text);

	run(f, &r, "policy", "--json", "explain", FAKE_TAG_B);
	assert_int_equal(r.status, 6);
	j = parse(&r);
	assert_json_string(j, "memdev", "mem1");
	assert_json_string(j, "verdict", "refuse");
	assert_json_string(j, "rule", "keep-db");
	assert_json_string(j, "text", text);
	assert_json_bool(j, "permanent", false);
	assert_json_bool(j, "draining", false);
	assert_json_bool(j, "terminate", true);
	assert_json_string(j, "conditions/0/kind", "window");
	assert_json_string(j, "conditions/0/text", "no window is open");
	json_object_put(j);

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		f->decision.verdict = table[i].verdict;
		run(f, &r, "policy", "explain", FAKE_TAG_B);
		assert_int_equal(r.status, table[i].status);
		assert_string_equal(r.err, "");
	}
	run(f, &r, "policy", "explain", "77");
	assert_int_equal(r.status, 5);
	assert_non_null(strstr(r.err, "no group of a live release 77"));
	run(f, &r, "policy", "explain", FAKE_TAG_UNKNOWN);
	assert_int_equal(r.status, 5);
	assert_string_equal(r.out, "");
}

static void test_rules(void **state)
{
	static char config[] = "[rule ram]\nmatch-mode = system-ram\naction = free\n";
	struct fake *f = fake_get(state);
	_cleanup_fclose_ FILE *file = fmemopen(config, strlen(config), "r");
	_cleanup_free_ char *error = NULL;
	struct run r;
	json_object *j;

	need_program();
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	assert_non_null(file);
	assert_int_equal(policy_parse("/x/dcdd.conf", file, &f->policy, &error), 0);
	assert_int_equal(policy_add_temporary(&f->policy, "held", "match-tag = *\naction = keep\n",
					      USEC_INFINITY, "uid 0, pid 7", &error),
			 0);
	assert_int_equal(policy_add_temporary(&f->policy, "timed", "match-tag = *\naction = keep\n",
					      1801382400000000, "uid 0", &error),
			 0);
	run(f, &r, "policy", "rules");
	assert_ok(&r);
	assert_int_equal(count_lines(r.out), 4);
	assert_string_equal(cell(r.out, 0, 3), "RULE");
	assert_string_equal(cell(r.out, 1, 0), "timed");
	assert_non_null(strstr(r.out, " 2027-01-31 08:00:00 "));
	assert_string_equal(cell(r.out, 2, 0), "held");
	assert_non_null(strstr(r.out, " uid 0, pid 7 "));
	assert_non_null(strstr(r.out, " its owner ends "));
	assert_non_null(strstr(r.out, "match-tag = *; action = keep\n"));
	assert_string_equal(cell(r.out, 3, 0), "ram");
	assert_string_equal(cell(r.out, 3, 1), "/x/dcdd.conf:1");
	assert_string_equal(cell(r.out, 3, 2), "-");
	run(f, &r, "policy", "rules", "--json");
	assert_ok(&r);
	j = parse(&r);
	assert_json_bool(j, "0/temporary", true);
	assert_json_string(j, "1/text", "match-tag = *\naction = keep\n");
	assert_json_number(j, "2/line", 1);
	json_object_put(j);
}

/* ---- add ---- */

static uint64_t ruled_until(const struct fake *f)
{
	const char *end = strstr(f->ruled, "} ");

	assert_non_null(end);
	return strtoull(end + 2, NULL, 10);
}

static void test_add(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;
	usec_t before;

	need_program();
	need_root();
	before = now_usec(CLOCK_REALTIME);
	run(f, &r, "policy", "add", "night", "--for=90min", "match-tag=5be1*", "action = keep",
	    "message=not a=b");
	assert_ok(&r);
	assert_string_equal(r.out, "");
	assert_non_null(
		startswith(f->ruled, "night {match-tag=5be1*\naction = keep\nmessage=not a=b\n} "));
	assert_null(strstr(f->ruled, " held"));
	assert_true(ruled_until(f) >= before + 90 * USEC_PER_MIN);
	assert_true(ruled_until(f) <= now_usec(CLOCK_REALTIME) + 90 * USEC_PER_MIN);

	/* With a command it is held, and no longer than until then. */
	run(f, &r, "policy", "add", "day", "--for=1h", "action=keep", "--", "sh", "-c",
	    "echo in; exit 5");
	assert_int_equal(r.status, 5);
	assert_string_equal(r.out, "in\n");
	assert_non_null(strstr(f->ruled, " held"));
	assert_true(ruled_until(f) != UINT64_MAX);
	assert_false(fake_lease_is_held(f));
	run(f, &r, "policy", "add", "day", "action=keep", "--", "true");
	assert_ok(&r);
	assert_true(ruled_until(f) == UINT64_MAX);

	f->rule_result = -EINVAL;
	f->error = "rule day:1: free, keep or ask is expected";
	run(f, &r, "policy", "add", "day", "action=maybe", "--", "echo", "run");
	assert_int_equal(r.status, 1);
	assert_string_equal(r.out, "");
	assert_string_equal(r.err, "dcdctl: rule day:1: free, keep or ask is expected\n");
}

static void test_add_and_wait(void **state)
{
	static const char *const args[] = { "dcdctl", "policy", "add", "day", "action=keep", NULL };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct fake *f = fake_get(state);
	struct running running;
	struct run r;

	need_program();
	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		running = run_start(&r, args);
		run_until(f, &running, &r, *r.out);
		assert_string_equal(r.out, "rule day is in force as long as this runs\n");
		assert_true(fake_lease_is_held(f));
		assert_int_equal(kill(running.pid, signals[i]), 0);
		run_finish(f, &running, &r);
		assert_ok(&r);
		assert_false(fake_lease_is_held(f));
	}
	/* Somebody removes it, or the daemon ends. */
	running = run_start(&r, args);
	run_until(f, &running, &r, *r.out);
	f->lease = safe_close(f->lease);
	run_finish(f, &running, &r);
	assert_int_equal(r.status, 1);
	assert_string_equal(r.err, "dcdctl: rule day is over: removed, or dcdd has ended\n");
}

static void test_remove(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	need_root();
	run(f, &r, "policy", "remove", "night");
	assert_ok(&r);
	assert_non_null(startswith(f->removed, "night uid 0, pid "));
	f->rule_result = -ENOENT;
	run(f, &r, "policy", "remove", "night");
	assert_int_equal(r.status, 5);
	assert_string_equal(r.err, "dcdctl: There is no temporary rule of that name\n");
}

/* ---- time ---- */

static void test_until(void **state)
{
	static const struct {
		const char *until;
		uint64_t seconds; /* 0: no such time */
	} table[] = {
		{ "2037-01-31", 2116969200 },
		{ "2037-01-31 UTC", 2116972800 },
		{ "2037-01-31 08:00", 2116998000 },
		{ "2037-01-31 08:00 UTC", 2117001600 },
		{ "2037-01-31 08:00:30", 2116998030 },
		{ "2037-07-31 08:00", 2132632800 }, /* summer time */
		{ "2036-02-29 12:00", 2087895600 },
		{ "@2116998000", 2116998000 },
		{ "2037-02-29", 0 },
		{ "2037-02-31", 0 },
		{ "2037-13-01", 0 },
		{ "2037-00-01", 0 },
		{ "2037-01-31 24:00", 0 },
		{ "2037-01-31 08:60", 0 },
		{ "2037-01-31 08:00:60", 0 },
		{ "2037-03-29 02:30", 0 }, /* left out by summer time */
		{ "2037-1-31", 0 },
		{ "2037-01-31 8:00", 0 },
		{ "2037-01-31T08:00", 0 },
		{ "2037-01-31 08:00 CET", 0 },
		{ "2037-01-31 08:00 ", 0 },
		{ " 2037-01-31", 0 },
		{ "25:00", 0 },
		{ "8:00", 0 },
		{ "", 0 },
		{ "@", 0 },
		{ "@-1", 0 },
		{ "@99999999999999999999", 0 },
		{ "tomorrow", 0 },
		{ "Monday", 0 },
		{ "mon 08:00", 0 },
		{ "Mon 8:00", 0 },
		{ "Mon 2037-01-31", 0 },
		{ "2020-01-01", 0 }, /* over */
	};
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	need_root();
	/* Central European time by its rule, so that no zone files are needed. */
	assert_int_equal(setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		f->ruled[0] = '\0';
		run(f, &r, "policy", "add", "a", "action=keep", "--until", table[i].until);
		if (r.status != (table[i].seconds ? 0 : 2))
			fail_msg("--until '%s': status %d: %s", table[i].until, r.status, r.err);
		if (!table[i].seconds)
			assert_string_equal(f->ruled, "");
		else if (ruled_until(f) != table[i].seconds * USEC_PER_SEC)
			fail_msg("--until '%s' is %llu", table[i].until,
				 (unsigned long long)ruled_until(f));
	}
}

/* A time of the day is the next such, however late it is. */
static void test_until_clock(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	need_root();
	for (unsigned hour = 0; hour < 24; hour++) {
		usec_t before = now_usec(CLOCK_REALTIME);
		char until[16];

		(void)snprintf(until, sizeof(until), "%02u:30 UTC", hour);
		run(f, &r, "policy", "add", "a", "action=keep", "--until", until);
		assert_ok(&r);
		assert_true(ruled_until(f) > before);
		assert_true(ruled_until(f) <= now_usec(CLOCK_REALTIME) + 24 * USEC_PER_HOUR);
		assert_int_equal(ruled_until(f) / USEC_PER_SEC % 86400, hour * 3600 + 1800);
	}
}

static void test_until_weekday(void **state)
{
	static const char *const days[] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	need_root();
	/* The first of January 1970 was a Thursday. */
	for (unsigned day = 0; day < ARRAY_SIZE(days); day++) {
		usec_t before = now_usec(CLOCK_REALTIME);
		char until[32];

		(void)snprintf(until, sizeof(until), "%s 09:00 UTC", days[day]);
		run(f, &r, "policy", "add", "a", "action=keep", "--until", until);
		assert_ok(&r);
		assert_true(ruled_until(f) > before);
		assert_true(ruled_until(f) <= now_usec(CLOCK_REALTIME) + 7 * 24 * USEC_PER_HOUR);
		assert_int_equal(ruled_until(f) / USEC_PER_SEC % (7 * 86400),
				 day * 86400 + 9 * 3600);
		(void)snprintf(until, sizeof(until), "%s UTC", days[day]);
		run(f, &r, "policy", "add", "a", "action=keep", "--until", until);
		assert_ok(&r);
		assert_int_equal(ruled_until(f) / USEC_PER_SEC % (7 * 86400), day * 86400);
	}
}

static void test_for(void **state)
{
	static const char *const bad[] = { "", "0", "8", "8d", "-1h", "1h30min", "9999999999999h" };
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		run(f, &r, "policy", "add", "a", "action=keep", "--for", bad[i]);
		if (r.status != 2)
			fail_msg("--for '%s': status %d", bad[i], r.status);
	}
	run(f, &r, "policy", "add", "a", "action=keep", "--for=1h", "--until=08:00");
	assert_int_equal(r.status, 2);
	assert_string_equal(f->ruled, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLI_TEST(test_explain),	     CLI_TEST(test_rules),	   CLI_TEST(test_add),
		CLI_TEST(test_add_and_wait), CLI_TEST(test_remove),	   CLI_TEST(test_until),
		CLI_TEST(test_until_clock),  CLI_TEST(test_until_weekday), CLI_TEST(test_for),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	(void)setenv("LC_ALL", "C", 1);
	return cmocka_run_group_tests_name("cli-rules", tests, NULL, NULL);
}
