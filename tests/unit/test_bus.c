/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The D-Bus interface over a private bus: every property, method, error and signal, and the
 * shipped introspection data and bus policy against the live ones.
 */
#include "bus_client.h"
#include "introspect.h"

/* ---- introspection ---- */

static char *read_text(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char *text = calloc(1, 65536);

	if (!file)
		print_error("%s: %m (tests run in the top directory of the tree)\n", path);
	assert_non_null(file);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, file) > 0);
	return text;
}

static void assert_introspection(struct fake *f, const char *path, const char *interface,
				 const char *shipped)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ char *file = read_text(shipped);
	struct introspect expected, live;
	const char *xml;

	reply = fake_method(f, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
	assert_no_error(reply);
	assert_true(sd_bus_message_read(reply, "s", &xml) > 0);
	introspect_parse(file, interface, &expected);
	introspect_parse(xml, interface, &live);
	assert_true(live.n > 10);
	assert_string_equal(live.text, expected.text);
	introspect_done(&expected);
	introspect_done(&live);
}

static void test_introspection_is_shipped(void **state)
{
	struct fake *f = fake_get(state);

	fake_release(f, 1, FAKE_TAG_A, RELEASE_OFFLINING);
	assert_introspection(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER,
			     "dbus/org.dcdd1.Manager.xml");
	assert_introspection(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "dbus/org.dcdd1.Release.xml");
}

/* ---- Manager ---- */

static void test_manager_properties(void **state)
{
	struct fake *f = fake_get(state);
	const char *path = DCDD_OBJECT_PATH, *interface = DCDD_INTERFACE_MANAGER;

	fake_release(f, 1, FAKE_TAG_A, RELEASE_OFFLINING);
	fake_release(f, 2, FAKE_TAG_B, RELEASE_REQUESTED);
	fake_release(f, 3, FAKE_TAG_A, RELEASE_REFUSED);
	assert_text(f, path, interface, "Version", DCDD_VERSION);
	assert_true(get_bool(f, path, interface, "EventAvailable"));
	assert_int_equal(get_uint32(f, path, interface, "GroupCount"), 3);
	assert_int_equal(get_uint32(f, path, interface, "ReleaseCount"), 2);
	assert_int_equal(get_uint64(f, path, interface, "Records"), 12);
	assert_int_equal(get_uint64(f, path, interface, "RecordsLost"), 1);
	assert_int_equal(get_uint64(f, path, interface, "RecordsBad"), 2);
	assert_int_equal(get_uint64(f, path, interface, "TotalBytes"), 1152 * MiB);
	assert_int_equal(get_uint64(f, path, interface, "ClaimedBytes"), 896 * MiB);
	assert_int_equal(get_uint64(f, path, interface, "LastScan"), 1234567);
	assert_false(get_bool(f, path, interface, "DryRun"));
	f->policy.dry_run = 1;
	assert_true(get_bool(f, path, interface, "DryRun"));

	inventory_free(f->inventory);
	f->inventory = NULL;
	f->status.event_available = false;
	assert_false(get_bool(f, path, interface, "EventAvailable"));
	assert_int_equal(get_uint32(f, path, interface, "GroupCount"), 0);
	assert_int_equal(get_uint64(f, path, interface, "TotalBytes"), 0);
}

static void test_list_releases(void **state)
{
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *empty = NULL, *reply = NULL;
	_cleanup_free_ char *none = NULL, *text = NULL;
	struct plan_device device = { .name = "dax0.1" };
	struct release *r;

	empty = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ListReleases", NULL);
	assert_no_error(empty);
	none = dump(empty);
	assert_string_equal(none, "[]");

	r = fake_release(f, 7, FAKE_TAG_A, RELEASE_READY);
	r->retry_wanted = true;
	r->plan.devices = &device;
	r->plan.n_devices = 1;
	fake_release(f, 8, "", RELEASE_DEFERRED)->recovered = true;
	reply = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ListReleases", NULL);
	assert_no_error(reply);
	assert_string_equal(sd_bus_message_get_signature(reply, true), "aa{sv}");
	text = dump(reply);
	assert_string_equal(
		text,
		"[[Path='/org/dcdd1/release/7';Id=7 ;Tag='" FAKE_TAG_A "';Memdev='mem0';"
		"Region='region0';DpaStart=1073741824 ;DpaLength=268435456 ;State='ready';"
		"Reason='memory41 goes offline';RetryWanted=true ;Records=3 ;FirstRecord=1000 ;"
		"LastRecord=3000 ;Entered=2000 ;Deadline=18446744073709551615 ;Attempts=1 ;"
		"Bytes=402653184 ;Extents=2 ;Blocks=3 ;BlocksOffline=1 ;Rule='default';"
		"RuleSource='';Devices=['dax0.1'];Recovered=false ;LeftoverCount=0 ;Leftovers=[];"
		"Conditions=[];]"
		"[Path='/org/dcdd1/release/8';Id=8 ;Tag='';Memdev='mem0';"
		"Region='region0';DpaStart=1073741824 ;DpaLength=268435456 ;State='deferred';"
		"Reason='memory41 goes offline';RetryWanted=false ;Records=3 ;FirstRecord=1000 ;"
		"LastRecord=3000 ;Entered=2000 ;Deadline=18446744073709551615 ;Attempts=1 ;"
		"Bytes=402653184 ;Extents=2 ;Blocks=3 ;BlocksOffline=1 ;Rule='default';"
		"RuleSource='';Devices=[];Recovered=true ;LeftoverCount=0 ;Leftovers=[];"
		"Conditions=[];]]");
}

static void test_list_groups(void **state)
{
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL, *empty = NULL;
	_cleanup_free_ char *text = NULL, *none = NULL;

	reply = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ListGroups", NULL);
	assert_no_error(reply);
	assert_string_equal(sd_bus_message_get_signature(reply, true), "aa{sv}");
	text = dump(reply);
	assert_string_equal(
		text,
		"[[Tag='';Memdev='mem0';Region='region0';DpaStart=0 ;DpaEnd=268435456 ;"
		"Bytes=268435456 ;ClaimedBytes=0 ;Claimed=false ;"
		"Extents=[('extent0.1'0 268435456 )];Devices=[];]"
		"[Tag='" FAKE_TAG_A "';Memdev='mem0';Region='region0';DpaStart=1073741824 ;"
		"DpaEnd=2281701376 ;Bytes=402653184 ;ClaimedBytes=402653184 ;Claimed=true ;"
		"Extents=[('extent0.2'1073741824 268435456 )('extent0.3'2147483648 134217728 )];"
		/* The block of unknown state counts as online. */
		"Devices=[[Name='dax0.1';Mode='system-ram';Driver='kmem';Bytes=402653184 ;"
		"TargetNode=1 ;Blocks=3 ;BlocksOnline=2 ;OnlineBytes=268435456 ;Holders=0 ;]];]"
		"[Tag='" FAKE_TAG_B "';Memdev='mem1';Region='region1';DpaStart=0 ;"
		"DpaEnd=536870912 ;Bytes=536870912 ;ClaimedBytes=536870912 ;Claimed=true ;"
		"Extents=[('extent1.1'0 536870912 )];"
		"Devices=[[Name='dax1.1';Mode='devdax';Driver='device_dax';Bytes=536870912 ;"
		"TargetNode=2 ;Blocks=0 ;BlocksOnline=0 ;OnlineBytes=0 ;Holders=1 ;]];]]");

	inventory_free(f->inventory);
	f->inventory = NULL;
	empty = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ListGroups", NULL);
	assert_no_error(empty);
	none = dump(empty);
	assert_string_equal(none, "[]");
}

static void assert_tag_error(struct fake *f, const char *method, const char *tag, const char *error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = fake_method(
		f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, method, "s", tag);

	assert_error(reply, error);
}

static void test_bad_tags(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"5be13bce",
		"5be13bce-244d-4a4e-8ba7-a3ad3c4d9c0g",
		FAKE_TAG_A "0",
		FAKE_TAG_A "\n",
		"00000000-0000-0000-0000-000000000000",
	};
	struct fake *f = fake_get(state);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_tag_error(f, "GetReleaseByTag", bad[i], "org.dcdd1.Error.Invalid");
		assert_tag_error(f, "Explain", bad[i], "org.dcdd1.Error.Invalid");
	}
}

static void test_get_release_by_tag(void **state)
{
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	const char *path;

	fake_release(f, 5, "", RELEASE_OFFLINING);
	fake_release(f, 9, FAKE_TAG_A, RELEASE_OFFLINING);
	fake_release(f, 4, FAKE_TAG_A, RELEASE_REFUSED);
	reply = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "GetReleaseByTag", "s",
			    FAKE_TAG_A);
	assert_no_error(reply);
	assert_true(sd_bus_message_read(reply, "o", &path) > 0);
	assert_string_equal(path, "/org/dcdd1/release/9");
	assert_tag_error(f, "GetReleaseByTag", FAKE_TAG_B, "org.dcdd1.Error.NoSuchTag");
}

static void test_explain(void **state)
{
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ char *text = NULL, *lines = NULL, *expected = NULL;
	struct tag b = fake_tag(FAKE_TAG_B);

	(void)str_copy(f->decision.rule_source, sizeof(f->decision.rule_source), "/a/dcdd.conf:7");
	f->decision.permanent = f->decision.terminate = true;
	f->decision.n_conditions = 2;
	f->decision.conditions[0] = (struct condition){
		.kind = CONDITION_HEADROOM,
		.outcome = OUTCOME_MET,
		.measured = "4G available after",
		.limit = "at least 2G",
		.text = "enough stays",
	};
	f->decision.conditions[1] = (struct condition){
		.kind = CONDITION_HOLDERS,
		.outcome = OUTCOME_REFUSE,
		.measured = "1 process",
		.limit = "none",
		.text = "dax1.1 is held by \x1b[2J",
	};
	reply = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "Explain", "s",
			    FAKE_TAG_B);
	assert_no_error(reply);
	text = dump(reply);
	/* The text is the one that all have, with its newlines, and nothing else that is odd. */
	assert_int_equal(decision_explain(&f->decision, &lines), 0);
	assert_non_null(strchr(lines, '\n'));
	assert_true(
		asprintf(
			&expected,
			"[Memdev='mem1';Verdict='refuse';Rule='keep-db';"
			"RuleSource='/a/dcdd.conf:7';Reason='memory48 is in zone Normal';"
			"Permanent=true ;Draining=false ;Terminate=true ;Conditions=[('headroom''met''4G available after''at least 2G'"
			"'enough stays')('holders''refuse''1 process''none'"
			"'dax1.1 is held by \\x1b[2J')];Text='%.20s",
			lines) > 0);
	assert_non_null(startswith(text, expected));
	assert_non_null(strchr(text, '\n'));
	assert_null(strchr(text, '\x1b'));
	assert_true(tag_equal(&f->explained.tag, &b));
	assert_string_equal(f->explained.memdev, "mem1");

	assert_tag_error(f, "Explain", FAKE_TAG_UNKNOWN, "org.dcdd1.Error.NoSuchTag");
	f->explain_result = -ENOENT;
	assert_tag_error(f, "Explain", FAKE_TAG_B, "org.dcdd1.Error.NoSuchTag");
	f->explain_result = -ENOMEM;
	assert_tag_error(f, "Explain", FAKE_TAG_B, "org.freedesktop.DBus.Error.NoMemory");
	inventory_free(f->inventory);
	f->inventory = NULL;
	assert_tag_error(f, "Explain", FAKE_TAG_B, "org.dcdd1.Error.NotReady");
}

/* What is untagged can be named by the number of its release only. */
static void test_explain_by_number(void **state)
{
	struct fake *f = fake_get(state);
	struct release *untagged = fake_release(f, 5, "", RELEASE_HELD);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

	fake_release(f, 6, FAKE_TAG_B, RELEASE_REFUSED);
	reply = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "Explain", "s", "5");
	assert_no_error(reply);
	assert_int_equal(f->explains, 1);
	assert_true(group_key_equal(&f->explained, &untagged->key));

	assert_tag_error(f, "Explain", "6", "org.dcdd1.Error.NoSuchTag");
	assert_tag_error(f, "Explain", "7", "org.dcdd1.Error.NoSuchTag");
	assert_tag_error(f, "Explain", "0", "org.dcdd1.Error.Invalid");
	assert_tag_error(f, "Explain", "5 ", "org.dcdd1.Error.Invalid");
	assert_int_equal(f->explains, 1);
	f->explain_result = -ENOENT;
	assert_tag_error(f, "Explain", "5", "org.dcdd1.Error.NoSuchTag");
}

static void test_rescan(void **state)
{
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *allowed = NULL, *denied = NULL;

	if (geteuid() != 0) {
		print_message("skipped: needs root, to be it and not to be it\n");
		skip();
	}
	allowed = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "Rescan", NULL);
	assert_no_error(allowed);
	assert_int_equal(f->rescans, 1);

	fake_become(f, 65534);
	denied = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "Rescan", NULL);
	assert_error(denied, "org.dcdd1.Error.NotAllowed");
	assert_int_equal(f->rescans, 1);
	/* Reading is everybody's. */
	assert_text(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "Version", DCDD_VERSION);
}

static int setup_shipped_policy(void **state)
{
	return fake_setup_policy(state, true);
}

/* dbus/org.dcdd1.conf on a bus that denies what it does not name. */
static void test_shipped_policy(void **state)
{
	static const struct {
		const char *path, *interface, *member;
	} reads[] = {
		{ DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ListReleases" },
		{ DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ListGroups" },
		{ DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ListInhibitors" },
		{ DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ListRules" },
		{ DCDD_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects" },
		{ DCDD_OBJECT_PATH, "org.freedesktop.DBus.Introspectable", "Introspect" },
		{ DCDD_OBJECT_PATH, "org.freedesktop.DBus.Peer", "Ping" },
	};
	static const char *const roots[] = { "Approve", "Deny",	    "Reload",
					     "Rescan",	"Snapshot", "Inhibit",
					     "AddRule", "HoldRule", "RemoveRule" };
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *allowed = NULL, *path = NULL,
							*explained = NULL;

	if (geteuid() != 0) {
		print_message("skipped: needs root, to be it and not to be it\n");
		skip();
	}
	allowed = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "Rescan", NULL);
	assert_no_error(allowed);
	assert_int_equal(f->rescans, 1);

	fake_become(f, 65534);
	fake_release(f, 1, FAKE_TAG_A, RELEASE_OFFLINING);
	for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
		_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = fake_method(
			f, reads[i].path, reads[i].interface, reads[i].member, NULL);

		assert_no_error(reply);
	}
	assert_text(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "State", "offlining");
	path = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "GetReleaseByTag", "s",
			   FAKE_TAG_A);
	assert_no_error(path);
	explained = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "Explain", "s",
				FAKE_TAG_A);
	assert_no_error(explained);
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		_cleanup_(sd_bus_message_unrefp) sd_bus_message *denied = fake_method(
			f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, roots[i], NULL);

		assert_error(denied, "org.freedesktop.DBus.Error.AccessDenied");
	}
	assert_int_equal(f->rescans, 1);

	/* Nobody else can pretend to be the daemon, not even when the name is free. */
	bus_free(f->bus);
	f->bus = NULL;
	fake_run_for(f, 50 * USEC_PER_MSEC);
	assert_int_equal(sd_bus_request_name(f->client, DCDD_BUS_NAME, 0), -EACCES);
}

static void test_manager_changed(void **state)
{
	struct fake *f = fake_get(state);
	struct heard changed = { 0 };

	listen_to(f, DCDD_OBJECT_PATH, "org.freedesktop.DBus.Properties", "PropertiesChanged",
		  &changed);
	f->status.records = 13;
	for (unsigned i = 0; i < 100; i++)
		bus_status_changed(f->bus);
	fake_run_until(f, changed.n > 0);
	fake_run_for(f, 300 * USEC_PER_MSEC);
	assert_int_equal(changed.n, 1);
	assert_non_null(strstr(changed.last, "'org.dcdd1.Manager'["));
	assert_non_null(strstr(changed.last, ";Records=13 ;"));
	assert_non_null(strstr(changed.last, "EventAvailable=true ;"));
	free(changed.last);
}

#define BUS_TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUS_TEST(test_introspection_is_shipped),
		BUS_TEST(test_manager_properties),
		BUS_TEST(test_list_releases),
		BUS_TEST(test_list_groups),
		BUS_TEST(test_bad_tags),
		BUS_TEST(test_get_release_by_tag),
		BUS_TEST(test_explain),
		BUS_TEST(test_explain_by_number),
		BUS_TEST(test_rescan),
		cmocka_unit_test_setup_teardown(test_shipped_policy, setup_shipped_policy,
						fake_teardown),
		BUS_TEST(test_manager_changed),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
