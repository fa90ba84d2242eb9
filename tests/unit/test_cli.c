/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program dcdctl against the daemon's real bus code: what it prints, as text and as JSON, and
 * its exit statuses. Runs $BUILD/dcdctl.
 */
#include <json-c/json.h>

#include "bus_fake.h"
#include "util/format.h"

struct run {
	int status;
	char out[65536], err[4096];
};

static const char *program(void)
{
	static char path[512];
	const char *build = getenv("BUILD");

	(void)snprintf(path, sizeof(path), "%s/dcdctl", build ? build : "build");
	return path;
}

#define need_program()                                                                             \
	do {                                                                                       \
		if (access(program(), X_OK) < 0) {                                                 \
			print_message("skipped: %s is not built\n", program());                    \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static void run_read(int *fd, char *buf, size_t size)
{
	size_t used = strlen(buf);
	ssize_t n = read(*fd, buf + used, size - used - 1);

	if (n > 0)
		buf[used + (size_t)n] = '\0';
	else if (n == 0 || errno != EAGAIN)
		*fd = safe_close(*fd);
}

/* Runs dcdctl with @args (NULL at the end) while the daemon's end of @f, which may be NULL, runs.
 */
static void run_args(struct fake *f, struct run *ret, const char *const args[])
{
	int out[2], err[2], status, null;
	usec_t end = now_usec(CLOCK_MONOTONIC) + FAKE_TIMEOUT_USEC;
	pid_t pid;

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC | O_NONBLOCK), 0);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(err[1], STDERR_FILENO);
		execv(program(), (char *const *)args);
		_exit(127);
	}
	(void)close(null);
	(void)close(out[1]);
	(void)close(err[1]);
	while (out[0] >= 0 || err[0] >= 0) {
		if (now_usec(CLOCK_MONOTONIC) > end) {
			(void)kill(pid, SIGKILL);
			fail_msg("dcdctl does not end");
		}
		if (f)
			fake_turn(f);
		else
			(void)poll(NULL, 0, 1);
		if (out[0] >= 0)
			run_read(&out[0], ret->out, sizeof(ret->out));
		if (err[0] >= 0)
			run_read(&err[0], ret->err, sizeof(ret->err));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	ret->status = WEXITSTATUS(status);
}

#define run(f, ret, ...) run_args(f, ret, (const char *const[]){ "dcdctl", __VA_ARGS__, NULL })

static void assert_ok(const struct run *r)
{
	if (r->status != 0 || *r->err)
		fail_msg("status %d, stderr: %s", r->status, r->err);
}

static void fill_releases(struct fake *f)
{
	struct release *r;
	usec_t now = now_usec(CLOCK_MONOTONIC);

	r = fake_release(f, 1, FAKE_TAG_A, RELEASE_READY);
	r->retry_wanted = true;
	r->entered = now + USEC_PER_SEC; /* of another clock, or a future one: "0s" */
	(void)str_copy(r->reason, sizeof(r->reason), "free, the device must ask again");
	r = fake_release(f, 2, "", RELEASE_DEFERRED);
	r->entered = 0; /* as long ago as can be */
	r->plan.n_blocks = 0;
	(void)str_copy(r->reason, sizeof(r->reason), "held by pid 1 \x1b[2J");
	r = fake_release(f, 3, FAKE_TAG_B, RELEASE_REFUSED);
	r->entered = now;
}

/* Column @n (from 0) of line @line of a table, cells being separated by white space. */
static const char *cell(const char *text, unsigned line, unsigned n)
{
	static char buf[128];
	const char *p = text;

	while (line--) {
		p = strchr(p, '\n');
		if (!p)
			return "(no such line)";
		p++;
	}
	for (;;) {
		size_t length;

		p += strspn(p, " ");
		length = strcspn(p, " \n");
		if (length == 0)
			return "(no such cell)";
		if (n-- == 0) {
			(void)snprintf(buf, sizeof(buf), "%.*s", (int)length, p);
			return buf;
		}
		p += length;
	}
}

static unsigned count_lines(const char *text)
{
	unsigned n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

static json_object *parse(const struct run *r)
{
	json_object *document = json_tokener_parse(r->out);

	if (!document)
		fail_msg("no JSON: %s", r->out);
	return document;
}

/* A member, along a path of keys and indexes: "devices/0/name". */
static json_object *at(json_object *object, const char *path)
{
	char buf[128], *rest = buf, *key;

	(void)snprintf(buf, sizeof(buf), "%s", path);
	while ((key = strsep(&rest, "/"))) {
		if (json_object_is_type(object, json_type_array))
			object = json_object_array_get_idx(object, strtoul(key, NULL, 10));
		else if (!json_object_object_get_ex(object, key, &object))
			object = NULL;
		if (!object)
			fail_msg("no %s (of %s)", key, path);
	}
	return object;
}

static void assert_json_string(json_object *object, const char *path, const char *expected)
{
	assert_true(json_object_is_type(at(object, path), json_type_string));
	assert_string_equal(json_object_get_string(at(object, path)), expected);
}

static void assert_json_number(json_object *object, const char *path, uint64_t expected)
{
	assert_true(json_object_is_type(at(object, path), json_type_int));
	assert_true(json_object_get_uint64(at(object, path)) == expected);
}

static void assert_json_bool(json_object *object, const char *path, bool expected)
{
	assert_true(json_object_is_type(at(object, path), json_type_boolean));
	assert_int_equal(json_object_get_boolean(at(object, path)), expected);
}

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

static void test_releases(void **state)
{
	struct fake *f = fake_get(state);
	char age[FORMAT_DURATION_STRLEN];
	struct run r;

	need_program();
	fill_releases(f);
	/* Of the second one; its last unit may have gone on when dcdctl looks. */
	format_duration(now_usec(CLOCK_MONOTONIC), age);
	age[strcspn(age, " ")] = '\0';
	run(f, &r, "releases");
	assert_ok(&r);
	assert_int_equal(count_lines(r.out), 3);
	assert_string_equal(cell(r.out, 0, 0), "TAG");
	assert_string_equal(cell(r.out, 0, 6), "REASON");
	assert_string_equal(cell(r.out, 1, 0), FAKE_TAG_A);
	assert_string_equal(cell(r.out, 1, 1), "mem0");
	assert_string_equal(cell(r.out, 1, 2), "ready");
	assert_string_equal(cell(r.out, 1, 3), "0s");
	assert_string_equal(cell(r.out, 1, 4), "1/3");
	assert_string_equal(cell(r.out, 1, 5), "3");
	assert_non_null(strstr(r.out, "free, the device must ask again\n"));
	/* Untagged, without blocks, and with a reason that would clear the screen. */
	assert_non_null(strstr(r.out, "- (DPA 0x40000000) "));
	assert_string_equal(cell(r.out, 2, 0), "-");
	assert_non_null(strstr(r.out, age));
	assert_non_null(strstr(r.out, "held by pid 1 \\x1b[2J\n"));
	assert_null(strchr(r.out, '\x1b'));

	run(f, &r, "releases", "--all", "--no-legend");
	assert_ok(&r);
	assert_int_equal(count_lines(r.out), 3);
	assert_string_equal(cell(r.out, 2, 2), "refused");

	/* A tag shows what has ended as well, whatever its case. */
	run(f, &r, "releases", "0A0B0C0D-0102-4304-8506-0708090A0B0C", "--no-legend");
	assert_ok(&r);
	assert_int_equal(count_lines(r.out), 1);
	assert_string_equal(cell(r.out, 0, 2), "refused");
	run(f, &r, "releases", FAKE_TAG_UNKNOWN);
	assert_int_equal(r.status, 5);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, FAKE_TAG_UNKNOWN));
}

static void test_releases_json(void **state)
{
	struct fake *f = fake_get(state);
	struct plan_device device = { .name = "dax0.1" };
	struct run r;
	json_object *j;

	need_program();
	run(f, &r, "releases", "--json");
	assert_ok(&r);
	j = parse(&r);
	assert_true(json_object_is_type(j, json_type_array));
	assert_int_equal(json_object_array_length(j), 0);
	json_object_put(j);

	fill_releases(f);
	f->releases[0].plan.devices = &device;
	f->releases[0].plan.n_devices = 1;
	run(f, &r, "releases", "--json");
	assert_ok(&r);
	j = parse(&r);
	assert_int_equal(json_object_array_length(j), 2);
	assert_json_string(j, "0/path", "/org/dcdd1/release/1");
	assert_json_number(j, "0/id", 1);
	assert_json_string(j, "0/tag", FAKE_TAG_A);
	assert_json_string(j, "0/state", "ready");
	assert_json_bool(j, "0/retry_wanted", true);
	assert_json_number(j, "0/deadline", UINT64_MAX);
	assert_json_number(j, "0/blocks_offline", 1);
	assert_json_string(j, "0/devices/0", "dax0.1");
	assert_json_string(j, "1/tag", "");
	assert_json_string(j, "1/reason", "held by pid 1 \\x1b[2J");
	json_object_put(j);

	run(f, &r, "-a", "releases", "--json");
	assert_ok(&r);
	j = parse(&r);
	assert_int_equal(json_object_array_length(j), 3);
	json_object_put(j);
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

/* ---- the command line ---- */

static void test_usage(void **state)
{
	static const char *const bad[][4] = {
		{ "dcdctl", NULL },
		{ "dcdctl", "frobnicate", NULL },
		{ "dcdctl", "status", "--frobnicate", NULL },
		{ "dcdctl", "status", "x", NULL },
		{ "dcdctl", "status", "--all", NULL },
		{ "dcdctl", "status", "--no-legend", NULL },
		{ "dcdctl", "groups", "--all", NULL },
		{ "dcdctl", "groups", "not-a-tag", NULL },
		{ "dcdctl", "--json=yes", "status", NULL },
		{ "dcdctl", "frobnicate", "--help", NULL },
	};
	static const char *const extra[] = { "dcdctl", "groups", FAKE_TAG_A, FAKE_TAG_B, NULL };
	struct run r;

	(void)state;
	need_program();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		run_args(NULL, &r, bad[i]);
		assert_int_equal(r.status, 2);
		assert_string_equal(r.out, "");
		assert_non_null(strstr(r.err, "Try 'dcdctl --help'"));
	}
	run_args(NULL, &r, extra);
	assert_int_equal(r.status, 2);
}

static void test_help_and_version(void **state)
{
	static const char *const words[] = { "status", "releases",    "groups",	 "--json",
					     "--all",  "--no-legend", "--bytes", "Exit status" };
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
	run(NULL, &r, "--version");
	assert_ok(&r);
	assert_string_equal(r.out, "dcdctl " DCDD_VERSION "\n");
}

/* ---- failures ---- */

static void test_not_running(void **state)
{
	struct fake *f = fake_get(state);
	static const char *const verb[] = { "status", "releases", "groups" };
	struct run r;

	need_program();
	bus_free(f->bus);
	f->bus = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(verb); i++) {
		run(f, &r, verb[i]);
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

#define CLI_TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLI_TEST(test_status),	      CLI_TEST(test_releases),
		CLI_TEST(test_releases_json), CLI_TEST(test_groups),
		cmocka_unit_test(test_usage), cmocka_unit_test(test_help_and_version),
		CLI_TEST(test_not_running),   cmocka_unit_test(test_no_bus),
		CLI_TEST(test_odd_answers),   CLI_TEST(test_output_fails),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	(void)setenv("LC_ALL", "C", 1);
	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
