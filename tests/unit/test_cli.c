/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program dcdctl against the daemon's real bus code: what it prints, as text and as JSON, and
 * its exit statuses. Runs $BUILD/dcdctl.
 */
#include "cli_run.h"

/* ---- verbs ---- */

static void test_status(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;
	json_object *j;

	need_program();
	fill_releases(f);
	f->status.last_scan = now_usec(CLOCK_MONOTONIC) + USEC_PER_MIN;
	run(f, &r, "status");
	assert_ok(&r);
	assert_string_equal(r.out,
			    "dcdd:      " DCDD_VERSION ", running\n"
			    "Event:     cxl:cxl_dynamic_capacity available\n"
			    "Records:   12, lost 1 (!), undecodable 2 (!)\n"
			    "Groups:    3, 1.1G accepted, 896M claimed (as of 0s ago)\n"
			    "Releases:  2 live, 1 free and waiting for the device to ask again\n"
			    "           " FAKE_TAG_A " on mem0, 384M, since 0s\n");

	run(f, &r, "--json", "status");
	assert_ok(&r);
	j = parse(&r);
	assert_json_string(j, "version", DCDD_VERSION);
	assert_json_bool(j, "event_available", true);
	assert_json_number(j, "records", 12);
	assert_json_number(j, "records_lost", 1);
	assert_json_number(j, "records_bad", 2);
	assert_json_number(j, "group_count", 3);
	assert_json_number(j, "release_count", 2);
	assert_json_number(j, "total_bytes", 1152 * MiB);
	assert_json_number(j, "claimed_bytes", 896 * MiB);
	assert_json_number(j, "last_scan", f->status.last_scan);
	assert_int_equal(json_object_array_length(at(j, "waiting_for_device")), 1);
	assert_json_string(j, "waiting_for_device/0/tag", FAKE_TAG_A);
	json_object_put(j);

	f->status = (struct bus_status){ 0 };
	f->n_releases = 0;
	inventory_free(f->inventory);
	f->inventory = NULL;
	run(f, &r, "status");
	assert_ok(&r);
	assert_non_null(strstr(r.out, "cxl:cxl_dynamic_capacity not available"));
	assert_non_null(strstr(r.out, "0, lost 0, undecodable 0\n"));
	assert_non_null(strstr(r.out, "not scanned yet"));
	assert_non_null(strstr(r.out, "0 live, 0 free"));
}

static void test_status_failed(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;
	json_object *j;

	need_program();
	fake_fail(fake_release(f, 12, FAKE_TAG_A, RELEASE_FAILED), 2);
	run(f, &r, "status");
	assert_ok(&r);
	assert_non_null(strstr(r.out, "Failed:    1 (!), left as it is until somebody mends it:\n"
				      "           " FAKE_TAG_A " on mem0, see dcdctl show 12\n"));
	run(f, &r, "status", "--json");
	assert_ok(&r);
	j = parse(&r);
	assert_int_equal(json_object_array_length(at(j, "failed")), 1);
	assert_json_number(j, "failed/0/id", 12);
	assert_json_string(j, "failed/0/leftovers/1/object", "memory41");
	json_object_put(j);
	plan_done(&f->releases[0].plan);
}

static void test_groups(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;
	json_object *j;

	need_program();
	run(f, &r, "groups");
	assert_ok(&r);
	assert_int_equal(count_lines(r.out), 4);
	assert_string_equal(cell(r.out, 0, 7), "ONLINE");
	assert_non_null(strstr(r.out, "- (DPA 0)"));
	assert_string_equal(cell(r.out, 2, 0), FAKE_TAG_A);
	assert_string_equal(cell(r.out, 2, 2), "region0");
	assert_string_equal(cell(r.out, 2, 3), "384M");
	assert_string_equal(cell(r.out, 2, 4), "2");
	assert_string_equal(cell(r.out, 2, 5), "dax0.1");
	assert_string_equal(cell(r.out, 2, 6), "system-ram");
	assert_string_equal(cell(r.out, 2, 7), "256M");
	assert_string_equal(cell(r.out, 3, 6), "devdax");
	assert_string_equal(cell(r.out, 3, 7), "-");

	run(f, &r, "groups", "-b", "--no-legend", FAKE_TAG_A);
	assert_ok(&r);
	assert_int_equal(count_lines(r.out), 1);
	assert_string_equal(cell(r.out, 0, 3), "402653184");
	assert_string_equal(cell(r.out, 0, 7), "268435456");

	run(f, &r, "groups", "--json");
	assert_ok(&r);
	j = parse(&r);
	assert_int_equal(json_object_array_length(j), 3);
	assert_json_bool(j, "0/claimed", false);
	assert_int_equal(json_object_array_length(at(j, "0/devices")), 0);
	assert_json_number(j, "1/bytes", 384 * MiB);
	assert_json_string(j, "1/extents/1/name", "extent0.3");
	assert_json_number(j, "1/extents/1/dpa_start", 2 * GiB);
	assert_json_number(j, "1/extents/1/length", 128 * MiB);
	assert_json_number(j, "1/devices/0/blocks_online", 2);
	assert_json_number(j, "1/devices/0/target_node", 1);
	assert_json_number(j, "2/devices/0/holders", 1);
	json_object_put(j);

	run(f, &r, "groups", FAKE_TAG_UNKNOWN);
	assert_int_equal(r.status, 5);
}

/* "--" is no operand; what stands behind it is, though it looks like an option. */
static void test_double_dash(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	run(f, &r, "groups", "--no-legend", "--", FAKE_TAG_A);
	assert_ok(&r);
	assert_int_equal(count_lines(r.out), 1);
	run(f, &r, "groups", "--", "--no-legend");
	assert_int_equal(r.status, 2);
}

static void test_rescan(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	run(f, &r, "rescan");
	if (geteuid() == 0) {
		assert_ok(&r);
		assert_int_equal(f->rescans, 1);
	} else {
		assert_int_equal(r.status, 4);
		assert_int_equal(f->rescans, 0);
	}
	assert_string_equal(r.out, "");
}

/* ---- the command line ---- */

static void test_usage(void **state)
{
	static const char *const bad[][5] = {
		{ "dcdctl", NULL },
		{ "dcdctl", "frobnicate", NULL },
		{ "dcdctl", "status", "--frobnicate", NULL },
		{ "dcdctl", "status", "x", NULL },
		{ "dcdctl", "status", "--all", NULL },
		{ "dcdctl", "status", "--no-legend", NULL },
		{ "dcdctl", "groups", "--all", NULL },
		{ "dcdctl", "rescan", "--json", NULL },
		{ "dcdctl", "rescan", "--bytes", NULL },
		{ "dcdctl", "rescan", "5be1", NULL },
		{ "dcdctl", "show", NULL },
		{ "dcdctl", "show", "", NULL },
		{ "dcdctl", "show", "5be", NULL },
		{ "dcdctl", "show", "-7", NULL },
		{ "dcdctl", "show", "5be13bce2", NULL },
		{ "dcdctl", "show", "5be1-", NULL },
		{ "dcdctl", "show", "5beg", NULL },
		{ "dcdctl", "show", FAKE_TAG_A "0", NULL },
		{ "dcdctl", "groups", "not-a-tag", NULL },
		{ "dcdctl", "--json=yes", "status", NULL },
		{ "dcdctl", "frobnicate", "--help", NULL },
		{ "dcdctl", "policy", NULL },
		{ "dcdctl", "policy", "frobnicate", NULL },
		{ "dcdctl", "policy explain", FAKE_TAG_A, NULL },
		{ "dcdctl", "policy", "explain", NULL },
		{ "dcdctl", "policy", "remove", NULL },
		{ "dcdctl", "approve", NULL },
		{ "dcdctl", "approve", "5be1", NULL },
		{ "dcdctl", "deny", NULL },
		{ "dcdctl", "reload", "--json", NULL },
		{ "dcdctl", "reload", "now", NULL },
		{ "dcdctl", "inventory", "--config=x", NULL },
		{ "dcdctl", "inhibit", NULL },
		{ "dcdctl", "inhibit", "--", NULL },
		{ "dcdctl", "inhibit", "true", NULL },
		{ "dcdctl", "status", "--", "true" },
	};
	static const char *const extra[][6] = {
		{ "dcdctl", "groups", FAKE_TAG_A, FAKE_TAG_B, NULL },
		{ "dcdctl", "show", FAKE_TAG_A, "1", NULL },
		{ "dcdctl", "inhibit", "true", "--", "true" },
		{ "dcdctl", "deny", FAKE_TAG_A, "too", "late" },
		{ "dcdctl", "policy", "explain", "x", NULL },
		{ "dcdctl", "policy", "rules", "x", NULL },
		{ "dcdctl", "policy", "explain", FAKE_TAG_A, "--until=08:00" },
		{ "dcdctl", "policy", "add", "night", NULL },
		{ "dcdctl", "policy", "add", "night", "action" },
		{ "dcdctl", "policy", "add", "night", "=keep" },
		{ "dcdctl", "policy", "add", "night", "action=keep\naction=free" },
		{ "dcdctl", "policy", "remove", "a", "b" },
		{ "dcdctl", "policy", "test", "--origin=nobody", NULL },
		{ "dcdctl", "policy", "test", "--tag=5be1", NULL },
		{ "dcdctl", "inhibit", "--mode=maybe", "--", "true" },
	};
	struct run r;

	(void)state;
	need_program();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		run_args(NULL, &r, bad[i]);
		assert_int_equal(r.status, 2);
		assert_string_equal(r.out, "");
		assert_non_null(strstr(r.err, "Try 'dcdctl --help'"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(extra); i++) {
		run_args(NULL, &r, extra[i]);
		assert_int_equal(r.status, 2);
	}
}

static void test_help_and_version(void **state)
{
	static const char *const words[] = {
		"status",	 "releases",	   "groups",	  "show TAG|ID",  "rescan",
		"reload",	 "approve",	   "deny",	  "inhibit ",	  "inhibitors",
		"inventory",	 "policy explain", "policy test", "policy rules", "policy add",
		"policy remove", "--json",	   "--all",	  "--no-legend",  "--bytes",
		"Exit status",
	};
	struct run r;

	(void)state;
	need_program();
	run(NULL, &r, "--help");
	assert_ok(&r);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strstr(r.out, words[i]))
			fail_msg("--help says nothing about %s", words[i]);
	run(NULL, &r, "releases", "--help");
	assert_ok(&r);
	assert_non_null(strstr(r.out, "Usage: dcdctl releases"));
	assert_non_null(strstr(r.out, "--all"));
	run(NULL, &r, "groups", "-h");
	assert_ok(&r);
	assert_null(strstr(r.out, "--all"));
	run(NULL, &r, "rescan", "-h");
	assert_ok(&r);
	assert_null(strstr(r.out, "--json"));
	run(NULL, &r, "policy", "explain", "--help");
	assert_ok(&r);
	assert_non_null(startswith(r.out, "Usage: dcdctl policy explain TAG|ID [OPTION...]\n"));
	run(NULL, &r, "policy", "--help");
	assert_ok(&r);
	assert_non_null(strstr(r.out, "policy explain"));
	assert_null(strstr(r.out, "releases"));
	run(NULL, &r, "inhibit", "-h");
	assert_ok(&r);
	assert_non_null(strstr(r.out, "--scope"));
	run(NULL, &r, "--version");
	assert_ok(&r);
	assert_string_equal(r.out, "dcdctl " DCDD_VERSION "\n");
}

/* Fails for an option in @help that the manual does not have. */
static void assert_documented(const char *manual, const char *help)
{
	for (const char *p = help; (p = strstr(p, "--"));) {
		char option[64];
		size_t n = strspn(p + 2, "abcdefghijklmnopqrstuvwxyz-");

		p += 2;
		if (n == 0)
			continue;
		(void)snprintf(option, sizeof(option), "Fl -%.*s", (int)n, p);
		if (!strstr(manual, option))
			fail_msg("dcdctl.1 has no %s", option);
		p += n;
	}
}

static void test_manual(void **state)
{
	static const char *const verbs[] = {
		"status",      "releases",     "show",	     "groups",
		"inventory",   "rescan",       "reload",     "approve",
		"deny",	       "inhibit",      "inhibitors", "policy explain",
		"policy test", "policy rules", "policy add", "policy remove",
	};
	_cleanup_fclose_ FILE *file = fopen("man/dcdctl.1", "re");
	static char manual[1 << 16];
	struct run r;

	(void)state;
	need_program();
	assert_non_null(file);
	assert_true(fread(manual, 1, sizeof(manual) - 1, file) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		char item[64], first[32], *second;

		(void)snprintf(item, sizeof(item), ".It Cm %s", verbs[i]);
		if (!strstr(manual, item))
			fail_msg("dcdctl.1 has no item %s", verbs[i]);
		(void)str_copy(first, sizeof(first), verbs[i]);
		second = strchr(first, ' ');
		if (second)
			*second++ = '\0';
		run(NULL, &r, first, second ? second : "--help", second ? "--help" : NULL);
		assert_ok(&r);
		assert_documented(manual, strstr(r.out, "Options:"));
	}
}

/* ---- failures ---- */

static void test_not_running(void **state)
{
	struct fake *f = fake_get(state);
	static const char *const verb[][4] = {
		{ "status" },
		{ "releases" },
		{ "groups" },
		{ "rescan" },
		{ "show", "1" },
		{ "inventory", "--json" },
		{ "approve", FAKE_TAG_A },
		{ "deny", FAKE_TAG_A },
		{ "reload" },
		{ "inhibitors" },
		{ "inhibit", "--", "echo", "no" },
		{ "policy", "rules" },
		{ "policy", "explain", FAKE_TAG_A },
		{ "policy", "remove", "night" },
		{ "policy", "add", "night", "action=keep" },
	};
	struct run r;

	need_program();
	bus_free(f->bus);
	f->bus = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(verb); i++) {
		run(f, &r, verb[i][0], verb[i][1], verb[i][2], verb[i][3]);
		assert_int_equal(r.status, 3);
		assert_string_equal(r.out, "");
		assert_string_equal(r.err,
				    "dcdctl: dcdd is not running (no owner of org.dcdd1 on the "
				    "system bus); start it with systemctl start dcdd\n");
	}
}

static void test_no_bus(void **state)
{
	struct run r;

	(void)state;
	need_program();
	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1), 0);
	run(NULL, &r, "status");
	assert_int_equal(r.status, 1);
	assert_non_null(strstr(r.err, "cannot connect to the system bus"));
}

/* An impostor, or a daemon of another time: nothing it answers is taken for granted. */
static int on_odd_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *const *answer = userdata;

	(void)error;
	if (sd_bus_message_get_expect_reply(m) <= 0)
		return 0;
	if (answer[0][0] == '!')
		return sd_bus_reply_method_errorf(m, answer[0] + 1, "no\x1b[2J");
	if (streq(answer[0], "s"))
		return sd_bus_reply_method_return(m, "s", answer[1]);
	if (streq(answer[0], "a{sv}"))
		return sd_bus_reply_method_return(m, "a{sv}", 2, answer[1], "s", "\x1b[2J", "Tag",
						  "u", 7);
	if (streq(answer[0], "aa{sv}"))
		return sd_bus_reply_method_return(m, "aa{sv}", 1, 2, answer[1], "s", "\x1b[2J",
						  "Tag", "u", 7);
	return sd_bus_reply_method_return(m, "");
}

static void test_odd_answers(void **state)
{
	static const struct {
		const char *answer[2];
		const char *verb;
		int status;
	} table[] = {
		{ { "s", "x" }, "status", 1 },
		{ { "s", "x" }, "releases", 1 },
		{ { "s", "x" }, "groups", 1 },
		{ { "", "" }, "releases", 1 },
		{ { "a{sv}", "Version" }, "status", 1 },
		{ { "aa{sv}", "State" }, "releases", 0 },
		{ { "aa{sv}", "Memdev" }, "groups", 0 },
		{ { "aa{sv}", "a key that is none" }, "groups", 1 },
		{ { "!org.freedesktop.DBus.Error.AccessDenied", "" }, "groups", 4 },
		{ { "!org.dcdd1.Error.NotAllowed", "" }, "groups", 4 },
		{ { "!org.dcdd1.Error.NotAllowed", "" }, "rescan", 4 },
		{ { "!org.dcdd1.Error.NoSuchTag", "" }, "groups", 5 },
		{ { "!org.freedesktop.DBus.Error.UnknownObject", "" }, "groups", 5 },
		{ { "!org.freedesktop.DBus.Error.UnknownMethod", "" }, "groups", 1 },
		{ { "!org.freedesktop.DBus.Error.NoMemory", "" }, "status", 1 },
	};
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	bus_free(f->bus);
	f->bus = NULL;
	/* The client end of the fixture takes the name: its loop is served by fake_turn(). */
	fake_run_until(f, sd_bus_request_name(f->client, DCDD_BUS_NAME, 0) >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;

		assert_true(sd_bus_add_object(f->client, &slot, DCDD_OBJECT_PATH, on_odd_call,
					      (void *)table[i].answer) >= 0);
		run(f, &r, table[i].verb);
		if (r.status != table[i].status)
			fail_msg("%s after %s %s: status %d: %s", table[i].verb, table[i].answer[0],
				 table[i].answer[1], r.status, r.err);
		assert_true((r.status == 0) == (*r.err == '\0'));
		assert_null(strchr(r.out, '\x1b'));
		assert_null(strchr(r.err, '\x1b'));
	}
}

/* Full disk: what was asked for is not there, so this is no success. */
static void test_output_fails(void **state)
{
	struct fake *f = fake_get(state);
	int status;
	pid_t pid;

	need_program();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(full, STDOUT_FILENO);
		(void)dup2(full, STDERR_FILENO);
		execl(program(), "dcdctl", "groups", NULL);
		_exit(127);
	}
	fake_run_until(f, waitpid(pid, &status, WNOHANG) == pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLI_TEST(test_status),	       CLI_TEST(test_status_failed),
		CLI_TEST(test_groups),	       CLI_TEST(test_rescan),
		CLI_TEST(test_double_dash),    cmocka_unit_test(test_usage),
		cmocka_unit_test(test_manual), cmocka_unit_test(test_help_and_version),
		CLI_TEST(test_not_running),    cmocka_unit_test(test_no_bus),
		CLI_TEST(test_odd_answers),    CLI_TEST(test_output_fails),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	(void)setenv("LC_ALL", "C", 1);
	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
