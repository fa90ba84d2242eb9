/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program `dcdctl policy test` on files: what it prints, its exit statuses, and that it needs
 * neither a bus nor anything of the host it runs on. Runs $BUILD/dcdctl.
 */
#include "cli_run.h"
#include "snapshot_host.h"

#define TAG_RAM "5be13bce-0000-4000-8000-00000000000a"
#define TAG_DEVDAX "5be13bce-0000-4000-8000-00000000000b"

#define FREE_DEVDAX "[release]\ndevdax = free\n"

/* 14:00 on Monday, 2026-11-23 in Tokyo, 05:00 UTC. */
#define REALTIME "1795410000000000"

/*
 * Two groups that are claimed, one as memory and one by a process, and an extent that is not. Each
 * is two blocks long.
 */
static const char host[] =
	"{\"version\": 1, \"timezone\": \"Asia/Tokyo\", \"block_size\": 134217728,\n"
	"\"memdevs\": [{\"name\": \"mem0\", \"serial\": \"0x2a\"}],\n"
	"\"regions\": [{\"name\": \"region0\", \"memdev\": \"mem0\", \"mode\": \"dynamic_ram_1\",\n"
	"  \"hpa\": {\"start\": \"0x100000000\", \"length\": \"0x40000000\"},\n"
	"  \"dpa\": {\"start\": 0, \"length\": \"0x40000000\"}}],\n"
	"\"extents\": [\n"
	" {\"name\": \"extent0.0\", \"region\": \"region0\", \"tag\": \"" TAG_RAM "\",\n"
	"  \"hpa\": {\"start\": \"0x100000000\", \"length\": \"0x10000000\"},\n"
	"  \"dpa\": {\"start\": \"0x0\", \"length\": \"0x10000000\"}},\n"
	" {\"name\": \"extent0.1\", \"region\": \"region0\", \"tag\": \"" TAG_DEVDAX "\",\n"
	"  \"hpa\": {\"start\": \"0x110000000\", \"length\": \"0x10000000\"},\n"
	"  \"dpa\": {\"start\": \"0x10000000\", \"length\": \"0x10000000\"}},\n"
	" {\"name\": \"extent0.2\", \"region\": \"region0\", \"tag\": \"\",\n"
	"  \"hpa\": {\"start\": \"0x120000000\", \"length\": \"0x10000000\"},\n"
	"  \"dpa\": {\"start\": \"0x20000000\", \"length\": \"0x10000000\"}}],\n"
	"\"devices\": [\n"
	" {\"name\": \"dax0.1\", \"region\": \"region0\", \"mode\": \"system-ram\", \"driver\": \"kmem\",\n"
	"  \"tag\": \"" TAG_RAM "\", \"size\": 268435456, \"target_node\": 1,\n"
	"  \"mappings\": [{\"hpa\": {\"start\": \"0x100000000\", \"length\": \"0x10000000\"}}],\n"
	"  \"blocks\": [{\"number\": 32, \"state\": \"online\", \"zone\": \"movable\"},\n"
	"   {\"number\": 33, \"state\": \"online\", \"zone\": \"movable\"}]},\n"
	" {\"name\": \"dax0.2\", \"region\": \"region0\", \"mode\": \"devdax\",\n"
	"  \"driver\": \"device_dax\", \"tag\": \"" TAG_DEVDAX "\", \"size\": 268435456,\n"
	"  \"target_node\": 1,\n"
	"  \"mappings\": [{\"hpa\": {\"start\": \"0x110000000\", \"length\": \"0x10000000\"}}],\n"
	"  \"holders\": [{\"pid\": 4711, \"start\": 5, \"open\": true, \"comm\": \"qemu\"}]}],\n"
	"\"nodes\": [{\"id\": 0, \"total\": \"0x1000000000\", \"free\": \"0x800000000\"},\n"
	" {\"id\": 1, \"total\": \"0x10000000\", \"free\": \"0xc000000\"}],\n"
	"\"facts\": {\"now_usec\": 5000000, \"realtime_usec\": " REALTIME "}}\n";

struct files {
	char dir[32], config[64], inventory[64];
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	struct files *files = calloc(1, sizeof(*files));

	assert_non_null(files);
	(void)str_copy(files->dir, sizeof(files->dir), "/tmp/dcdd-policy-XXXXXX");
	assert_non_null(mkdtemp(files->dir));
	(void)snprintf(files->config, sizeof(files->config), "%s/test.conf", files->dir);
	(void)snprintf(files->inventory, sizeof(files->inventory), "%s/host.json", files->dir);
	write_file(files->inventory, host);
	/* None of this is to matter. */
	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent", 1), 0);
	assert_int_equal(setenv("TZ", "America/New_York", 1), 0);
	*state = files;
	return 0;
}

static int teardown(void **state)
{
	struct files *files = *state;

	(void)unlink(files->config);
	(void)unlink(files->inventory);
	assert_int_equal(rmdir(files->dir), 0);
	free(files);
	return unsetenv("DBUS_SYSTEM_BUS_ADDRESS") | unsetenv("TZ");
}

/* Runs it with this configuration, and with what is behind it as options. */
#define test_policy(files, ret, text, ...)                                                         \
	do {                                                                                       \
		write_file((files)->config, text);                                                 \
		run(NULL, ret, "policy", "test", "--config", (files)->config, "--inventory",       \
		    (files)->inventory, ##__VA_ARGS__);                                            \
	} while (0)

static void expect(const struct run *r, int status, const char *const texts[])
{
	if (r->status != status || *r->err)
		fail_msg("status %d instead of %d, stderr: %s, stdout: %s", r->status, status,
			 r->err, r->out);
	for (; *texts; texts++)
		if (!strstr(r->out, *texts))
			fail_msg("no \"%s\" in: %s", *texts, r->out);
}

#define expect_texts(r, status, ...) expect(r, status, (const char *const[]){ __VA_ARGS__, NULL })

static void test_verdicts(void **state)
{
	struct files *files = *state;
	struct run r;

	need_program();
	test_policy(files, &r, "", "--tag", TAG_RAM);
	expect_texts(&r, 0, TAG_RAM " on mem0, 256M\nfree: ", "\nrule: default", "\nheadroom: met");
	/* As people type it. */
	test_policy(files, &r, "", "--tag", "5BE13BCE-0000-4000-8000-00000000000A", "--bytes");
	expect_texts(&r, 0, TAG_RAM " on mem0, 268435456\nfree: ");
	test_policy(files, &r, "", "--tag", TAG_DEVDAX);
	expect_texts(&r, 6, TAG_DEVDAX " on mem0, 256M\nrefuse: ", "devdax = free");
	test_policy(files, &r, FREE_DEVDAX, "--tag", TAG_DEVDAX);
	expect_texts(&r, 7, TAG_DEVDAX " on mem0, 256M\nwait: ", "4711", "qemu");
	test_policy(files, &r, FREE_DEVDAX "holders = refuse\n", "--tag", TAG_DEVDAX);
	expect_texts(&r, 6, "\nrefuse: ", "4711");
	test_policy(files, &r, "[release]\nsystem-ram = keep\nmessage = not on weekdays\n", "--tag",
		    TAG_RAM);
	expect_texts(&r, 6, "\nrefuse: ", "not on weekdays");
	test_policy(files, &r, "[release]\nheadroom = 1T\n", "--tag", TAG_RAM);
	expect_texts(&r, 7, "\nheadroom: wait");
}

/* All groups, the worst of them in the exit status: refused, would wait, free. */
static void test_all_groups(void **state)
{
	struct files *files = *state;
	struct run r;

	need_program();
	test_policy(files, &r, FREE_DEVDAX);
	expect_texts(&r, 7, "untagged DPA 0x20000000+0x10000000 on mem0, 256M\nnothing: ",
		     "\n\n" TAG_RAM " on mem0, 256M\nfree: ",
		     "\n\n" TAG_DEVDAX " on mem0, 256M\nwait: ");
	test_policy(files, &r, FREE_DEVDAX "system-ram = keep\n");
	expect_texts(&r, 6, "\nrefuse: ", "\nwait: ");
	test_policy(files, &r, "[rule mine]\nmatch-mode = devdax\naction = keep\n");
	expect_texts(&r, 6, "\nrefuse: ", "\nfree: ", "\nrule: mine");
	write_file(files->inventory, "{\"version\": 1, \"block_size\": 0, \"facts\": "
				     "{\"now_usec\": 1, \"realtime_usec\": 1}}");
	test_policy(files, &r, "");
	assert_int_equal(r.status, 5);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, "dcdctl: there is no group in "));
	test_policy(files, &r, "", "--json");
	assert_int_equal(r.status, 5);
	assert_non_null(startswith(r.out, "["));
	assert_non_null(strstr(r.err, "dcdctl: there is no group in "));
}

static void test_json(void **state)
{
	struct files *files = *state;
	json_object *document;
	struct run r;
	char source[128];

	need_program();
	test_policy(files, &r, FREE_DEVDAX "[rule kept]\nmatch-tag = *0a\naction = keep\n",
		    "--json");
	assert_int_equal(r.status, 6);
	assert_string_equal(r.err, "");
	document = parse(&r);
	assert_int_equal(json_object_array_length(document), 3);
	assert_json_string(document, "0/tag", "");
	assert_json_number(document, "0/dpa_start", 0x20000000);
	assert_json_string(document, "0/verdict", "nothing");
	assert_json_string(document, "1/tag", TAG_RAM);
	assert_json_string(document, "1/memdev", "mem0");
	assert_json_string(document, "1/region", "region0");
	assert_json_number(document, "1/bytes", 268435456);
	assert_json_string(document, "1/verdict", "refuse");
	assert_json_string(document, "1/rule", "kept");
	(void)snprintf(source, sizeof(source), "%s:3", files->config);
	assert_json_string(document, "1/rule_source", source);
	assert_json_bool(document, "1/permanent", true);
	assert_json_string(document, "2/tag", TAG_DEVDAX);
	assert_json_string(document, "2/verdict", "wait");
	assert_json_bool(document, "2/permanent", false);
	assert_json_bool(document, "2/draining", true);
	assert_json_string(document, "2/conditions/0/kind", "state");
	assert_json_string(document, "2/conditions/0/outcome", "met");
	assert_int_equal(json_object_array_length(at(document, "2/conditions")), _CONDITION_MAX);
	assert_json_string(document, "2/conditions/8/kind", "holders");
	assert_json_string(document, "2/conditions/8/outcome", "wait");
	assert_non_null(
		strstr(json_object_get_string(at(document, "2/conditions/8/text")), "4711"));
	assert_non_null(strstr(json_object_get_string(at(document, "2/text")), "wait: "));
	json_object_put(document);
}

static void test_options(void **state)
{
	static const char asks[] = "[release]\nsystem-ram = ask\n";
	static const char admin[] = "[rule admins]\nmatch-origin = admin\naction = free\n"
				    "[rule device]\nmatch-origin = device\naction = keep\n";
	struct files *files = *state;
	struct run r;

	need_program();
	test_policy(files, &r, asks, "--tag", TAG_RAM);
	expect_texts(&r, 7, "\napproval: wait");
	test_policy(files, &r, asks, "--tag", TAG_RAM, "--approved");
	expect_texts(&r, 0, "\napproval: met");
	test_policy(files, &r, admin, "--tag", TAG_RAM);
	expect_texts(&r, 6, "\nrule: device");
	test_policy(files, &r, admin, "--tag", TAG_RAM, "--origin", "device");
	expect_texts(&r, 6, "\nrule: device");
	test_policy(files, &r, admin, "--tag", TAG_RAM, "--origin=admin");
	expect_texts(&r, 0, "\nrule: admins");
}

#define need_zone()                                                                                \
	do {                                                                                       \
		if (access("/usr/share/zoneinfo/Asia/Tokyo", R_OK) < 0) {                          \
			print_message("skipped: no tzdata here\n");                                \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

/* Local time is that of the host in the snapshot, in Tokyo; this one says it is in New York. */
static void test_time(void **state)
{
	static const char nights[] = "[release]\nwindows = Mon..Fri 22:00-06:00\n";
	static const char utc[] = "[release]\nwindows = Mon 04:00-06:00 UTC\n";
	struct files *files = *state;
	struct run r;

	need_program();
	need_zone();
	test_policy(files, &r, nights, "--tag", TAG_RAM);
	expect_texts(&r, 7, "\nwindow: wait");
	test_policy(files, &r, nights, "--tag", TAG_RAM, "--at", "2026-11-23 22:00");
	expect_texts(&r, 0, "\nwindow: met");
	test_policy(files, &r, nights, "--tag", TAG_RAM, "--at", "2026-11-23 21:59:59");
	expect_texts(&r, 7, "\nwindow: wait");
	test_policy(files, &r, nights, "--tag", TAG_RAM, "--at", "2026-11-23 13:00 UTC");
	expect_texts(&r, 0, "\nwindow: met");
	test_policy(files, &r, utc, "--tag", TAG_RAM);
	expect_texts(&r, 0, "\nwindow: met");
	test_policy(files, &r, utc, "--tag", TAG_RAM, "--at", "2026-11-23 15:00:00");
	expect_texts(&r, 7, "\nwindow: wait");
	test_policy(files, &r, nights, "--tag", TAG_RAM, "--at", "soon");
	assert_int_equal(r.status, 2);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, "--at: 'soon' is no time: 'YYYY-MM-DD[ HH:MM[:SS]]', 'Mon"));
	test_policy(files, &r, nights, "--tag", TAG_RAM, "--at", "2026-02-30");
	assert_int_equal(r.status, 2);
	assert_non_null(strstr(r.err, "--at: there is no time '2026-02-30'"));
}

/* A copy of the host above with @from replaced. */
static void change_host(const struct files *files, const char *from, const char *to)
{
	_cleanup_free_ char *text = NULL;
	const char *found = strstr(host, from);

	assert_non_null(found);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(found - host), host, to,
			     found + strlen(from)) > 0);
	write_file(files->inventory, text);
}

static void test_time_zones(void **state)
{
	static const char nights[] = "[release]\nwindows = Mon..Fri 22:00-06:00\n";
	struct files *files = *state;
	char expected[256];
	struct run r;

	need_program();
	change_host(files, "Asia/Tokyo", "Mars/Olympus");
	test_policy(files, &r, nights, "--tag", TAG_RAM);
	(void)snprintf(expected, sizeof(expected),
		       "dcdctl: %s: timezone: \"Mars/Olympus\" is not known here, is tzdata "
		       "installed?\n",
		       files->inventory);
	assert_string_equal(r.err, expected);
	assert_int_equal(r.status, 1);
	/* Where no local time is needed, it does not matter. */
	test_policy(files, &r, "", "--tag", TAG_RAM);
	expect_texts(&r, 0, "free: ");
	/* POSIX' form: the clock is 9 hours before UTC, so this is 14:00, too. */
	change_host(files, "Asia/Tokyo", "XYZ-9");
	test_policy(files, &r, "[release]\nwindows = Mon 14:00-14:01\n", "--tag", TAG_RAM);
	expect_texts(&r, 0, "free: ");
	/* Midnight in New York. */
	change_host(files, "Asia/Tokyo", "");
	test_policy(files, &r, "[release]\nwindows = Mon 00:00-00:01\n", "--tag", TAG_RAM);
	assert_int_equal(r.status, 0);
	assert_string_equal(r.err, "dcdctl: the snapshot does not tell the host's time zone, that "
				   "of this host is taken\n");
}

/* Fails with just @first and @second on stderr. */
static void expect_failure(const struct run *r, int status, const char *first, const char *second)
{
	char expected[512];

	(void)snprintf(expected, sizeof(expected), "dcdctl: %s%s\n", first, second);
	if (r->status != status || !streq(r->err, expected) || *r->out)
		fail_msg("status %d, stdout: %s, stderr: %s, not: %s", r->status, r->out, r->err,
			 expected);
}

static void test_errors(void **state)
{
	struct files *files = *state;
	char line[128];
	struct run r;

	need_program();
	test_policy(files, &r, "[release]\nsystem-ram = free\nheadrom = 1G\n");
	(void)snprintf(line, sizeof(line), "dcdctl: %s:3: ", files->config);
	assert_int_equal(r.status, 1);
	assert_string_equal(r.out, "");
	assert_non_null(startswith(r.err, line));
	assert_non_null(strstr(r.err, "headroom"));

	test_policy(files, &r, "", "--tag", "5be13bce-0000-4000-8000-0000000000ff");
	expect_failure(&r, 5, "no group with tag 5be13bce-0000-4000-8000-0000000000ff in ",
		       files->inventory);
	test_policy(files, &r, "", "--json", "--tag", "5be13bce-0000-4000-8000-0000000000ff");
	expect_failure(&r, 5, "no group with tag 5be13bce-0000-4000-8000-0000000000ff in ",
		       files->inventory);

	change_host(files, "\"state\": \"online\"", "\"state\": \"up\"");
	test_policy(files, &r, "");
	expect_failure(&r, 1, files->inventory,
		       ": devices[0].blocks[0].state: expected one of offline, online, "
		       "going-offline, unknown, not \"up\"");
	change_host(files, "\"state\": \"online\"", "\"state\": online");
	test_policy(files, &r, "");
	expect_failure(&r, 1, files->inventory, ": line 20: no JSON: unexpected character");

	assert_int_equal(unlink(files->inventory), 0);
	test_policy(files, &r, "");
	expect_failure(&r, 1, files->inventory, ": No such file or directory");
	write_file(files->inventory, host);
	assert_int_equal(unlink(files->config), 0);
	run(NULL, &r, "policy", "test", "--config", files->config, "--inventory", files->inventory);
	assert_int_equal(r.status, 1);
	assert_non_null(strstr(r.err, files->config));
	run(NULL, &r, "policy", "test", "--config", "/dev/null", "--inventory", "-");
	expect_failure(&r, 1, "standard input: line 1: the text ends within the document", "");
}

/* Both groups are memory, and @tag is being freed. */
static void write_leaving(const struct files *files, const char *tag)
{
	_cleanup_free_ char *facts = NULL;

	assert_true(
		asprintf(&facts,
			 "\"system-ram\", \"blocks\": [{\"number\": 34, \"state\": \"online\", "
			 "\"zone\": \"movable\"}, {\"number\": 35, \"state\": \"online\", "
			 "\"zone\": \"movable\"}],\n  \"driver\": \"kmem\", \"tag\": \"" TAG_DEVDAX
			 "\", \"size\": 268435456,\n  \"target_node\": 1,\n"
			 "  \"mappings\": [{\"hpa\": {\"start\": \"0x110000000\", \"length\": "
			 "\"0x10000000\"}}]}],\n"
			 "\"nodes\": [{\"id\": 0, \"total\": 4294967296, \"free\": 2147483648}],\n"
			 "\"facts\": {\"leaving\": [{\"memdev\": \"mem0\", \"tag\": \"%s\"}], "
			 "\"now_usec\": 5000000, \"realtime_usec\": " REALTIME "}}\n",
			 tag) > 0);
	change_host(files, strstr(host, "\"devdax\""), facts);
}

/* A group that was being freed does not stand in its own way; another one does. */
static void test_leaving(void **state)
{
	static const char reserve[] = "[release]\nreserve-host = 256M\n";
	struct files *files = *state;
	struct run r;

	need_program();
	write_leaving(files, TAG_RAM);
	test_policy(files, &r, reserve, "--tag", TAG_RAM);
	expect_texts(&r, 0, "\nreserve: met, 256M");
	write_leaving(files, TAG_DEVDAX);
	test_policy(files, &r, reserve, "--tag", TAG_RAM);
	expect_texts(&r, 7, "\nreserve: wait, 0");
}

/* The program decides as the daemon's code does, about hosts of all kinds. */
static void test_same_decisions(void **state)
{
	struct files *files = *state;
	struct policy policy;
	size_t groups = 0;

	need_program();
	policy_init(&policy);
	for (uint64_t seed = 1; seed <= 20; seed++) {
		_cleanup_(inventory_freep) struct inventory *inv = random_host(seed);
		const struct policy_request request = { 0 };
		_cleanup_free_ char *text = NULL;
		struct random_facts facts;
		json_object *document;
		struct tag_group group;
		uint32_t cursor = 0;
		struct run r;
		size_t i = 0;

		random_facts(seed, &facts);
		/* Of these it leaves out the group itself, see below. */
		facts.facts.n_leaving = 0;
		assert_int_equal(snapshot_format(inv, &facts.facts, &text), 0);
		write_file(files->inventory, text);
		test_policy(files, &r, "", "--json");
		document = parse(&r);
		for (; inventory_next_group(inv, &cursor, &group); i++) {
			_cleanup_free_ char *explained = NULL;
			static struct decision decision;
			char path[32];

			policy_decide(inv, &group, &policy, &facts.facts, &request, &decision);
			assert_int_equal(decision_explain(&decision, &explained), 0);
			(void)snprintf(path, sizeof(path), "%zu/text", i);
			assert_json_string(document, path, explained);
		}
		assert_int_equal(json_object_array_length(document), i);
		json_object_put(document);
		groups += i;
	}
	assert_true(groups > 200);
	policy_done(&policy);
}

/* The other end of it: what the daemon gives is printed as it is, if a terminal is safe from it. */
static void test_inventory(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	f->snapshot = host;
	run(f, &r, "inventory", "--json");
	assert_ok(&r);
	assert_string_equal(r.out, host);
	run(f, &r, "inventory");
	assert_ok(&r);
	assert_string_equal(r.out, host);
	f->snapshot = "{\033[2J}\n";
	run(f, &r, "inventory", "--json");
	assert_int_equal(r.status, 1);
	assert_string_equal(r.out, "");
	assert_string_equal(r.err, "dcdctl: dcdd answered something else than was asked for\n");
	f->snapshot_result = -EAGAIN;
	run(f, &r, "inventory", "--json");
	assert_int_equal(r.status, 1);
	assert_string_equal(r.out, "");
	assert_true(*r.err);
}

#define POLICY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		POLICY_TEST(test_verdicts),	  POLICY_TEST(test_all_groups),
		POLICY_TEST(test_json),		  POLICY_TEST(test_options),
		POLICY_TEST(test_time),		  POLICY_TEST(test_time_zones),
		POLICY_TEST(test_errors),	  POLICY_TEST(test_leaving),
		POLICY_TEST(test_same_decisions), CLI_TEST(test_inventory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
