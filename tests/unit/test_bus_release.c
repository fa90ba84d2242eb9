/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Release objects on a private bus: properties, paths, the list of what is left over of a failed
 * one, and every signal.
 */
#include "bus_client.h"
#include "release/plan.h"

static void test_release_properties(void **state)
{
	struct fake *f = fake_get(state);
	struct release *r = fake_release(f, 1, FAKE_TAG_A, RELEASE_ROLLING_BACK);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *devices = NULL;
	_cleanup_free_ char *text = NULL;
	struct plan_device list[] = { { .name = "dax0.1" }, { .name = "dax0.2" } };
	const char *i = DCDD_INTERFACE_RELEASE;

	r->plan.devices = list;
	r->plan.n_devices = 2;
	assert_int_equal(get_uint64(f, RELEASE_1, i, "Id"), 1);
	assert_text(f, RELEASE_1, i, "Tag", FAKE_TAG_A);
	assert_text(f, RELEASE_1, i, "Memdev", "mem0");
	assert_text(f, RELEASE_1, i, "Region", "region0");
	assert_int_equal(get_uint64(f, RELEASE_1, i, "DpaStart"), 1 * GiB);
	assert_int_equal(get_uint64(f, RELEASE_1, i, "DpaLength"), 256 * MiB);
	assert_text(f, RELEASE_1, i, "State", "rolling-back");
	assert_text(f, RELEASE_1, i, "Reason", "memory41 goes offline");
	assert_false(get_bool(f, RELEASE_1, i, "RetryWanted"));
	assert_int_equal(get_uint64(f, RELEASE_1, i, "Records"), 3);
	assert_int_equal(get_uint64(f, RELEASE_1, i, "FirstRecord"), 1000);
	assert_int_equal(get_uint64(f, RELEASE_1, i, "LastRecord"), 3000);
	assert_int_equal(get_uint64(f, RELEASE_1, i, "Entered"), 2000);
	assert_true(get_uint64(f, RELEASE_1, i, "Deadline") == UINT64_MAX);
	assert_int_equal(get_uint32(f, RELEASE_1, i, "Attempts"), 1);
	assert_int_equal(get_uint64(f, RELEASE_1, i, "Bytes"), 384 * MiB);
	assert_int_equal(get_uint32(f, RELEASE_1, i, "Extents"), 2);
	assert_int_equal(get_uint32(f, RELEASE_1, i, "Blocks"), 3);
	assert_int_equal(get_uint32(f, RELEASE_1, i, "BlocksOffline"), 1);
	assert_text(f, RELEASE_1, i, "Rule", "default");
	devices = get_property(f, RELEASE_1, i, "Devices", "as");
	text = dump(devices);
	assert_string_equal(text, "['dax0.1''dax0.2']");
	assert_false(get_bool(f, RELEASE_1, i, "Recovered"));
	r->recovered = true;
	assert_true(get_bool(f, RELEASE_1, i, "Recovered"));
}

/* ---- what is left over ---- */

static char *get_leftovers(struct fake *f, const char *path)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = get_property(
		f, path, DCDD_INTERFACE_RELEASE, "Leftovers", "a(ssss)");

	return dump(m);
}

static void test_leftovers(void **state)
{
	struct fake *f = fake_get(state);
	struct release *r = fake_release(f, 1, FAKE_TAG_A, RELEASE_FAILED);
	_cleanup_free_ char *expected = NULL, *failed = NULL, *back = NULL;
	struct difference_text text[2] = { 0 };

	fake_fail(r, ARRAY_SIZE(text));
	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		plan_difference_text(&r->plan, &r->plan.differences[i], &text[i]);
	assert_true(asprintf(&expected, "[('%s''%s''%s''%s')('%s''%s''%s''%s')]", text[0].object,
			     text[0].have, text[0].want, text[0].command, text[1].object,
			     text[1].have, text[1].want, text[1].command) > 0);
	assert_non_null(strstr(expected, "('memory40''"));
	failed = get_leftovers(f, RELEASE_1);
	assert_string_equal(failed, expected);
	assert_int_equal(get_uint32(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "LeftoverCount"), 2);

	/* While it is rolled back, the same list is what will be mended yet. */
	r->state = RELEASE_ROLLING_BACK;
	back = get_leftovers(f, RELEASE_1);
	assert_string_equal(back, "[]");
	assert_int_equal(get_uint32(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "LeftoverCount"), 0);
	plan_done(&r->plan);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

/* A message of more than 32 MiB would cost the daemon its connection to the system bus. */
static void test_leftovers_are_bounded(void **state)
{
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *list = NULL, *all = NULL, *managed = NULL;
	_cleanup_free_ char *one = NULL, *last = NULL, *listed = NULL, *properties = NULL,
			    *objects = NULL;
	struct heard changed = { 0 };

	for (uint64_t id = 1; id <= 10; id++)
		fake_fail(fake_release(f, id, FAKE_TAG_A, RELEASE_FAILED), 10000);
	assert_int_equal(get_uint32(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "LeftoverCount"), 10000);
	one = get_leftovers(f, RELEASE_1);
	assert_int_equal(count(one, "('memory"), 1024);
	assert_non_null(strstr(one, "('memory1063'"));
	assert_null(strstr(one, "('memory1064'"));

	list = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ListReleases", NULL);
	assert_no_error(list);
	listed = dump(list);
	assert_int_equal(count(listed, "('memory"), 8 * 1024);
	assert_int_equal(count(listed, "LeftoverCount=10000 ;"), 10);
	assert_int_equal(count(listed, "Leftovers=[];"), 2);
	/* What is not in the list is had from the object. */
	last = get_leftovers(f, "/org/dcdd1/release/10");
	assert_int_equal(count(last, "('memory"), 1024);

	/* Nor do they come where nobody asked for them. */
	all = fake_method(f, RELEASE_1, "org.freedesktop.DBus.Properties", "GetAll", "s",
			  DCDD_INTERFACE_RELEASE);
	assert_no_error(all);
	properties = dump(all);
	assert_non_null(strstr(properties, "LeftoverCount=10000 ;"));
	assert_null(strstr(properties, "Leftovers="));
	managed = fake_method(f, DCDD_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager",
			      "GetManagedObjects", NULL);
	assert_no_error(managed);
	objects = dump(managed);
	assert_int_equal(count(objects, "LeftoverCount=10000 ;"), 10);
	assert_null(strstr(objects, "Leftovers="));

	listen_to(f, RELEASE_1, "org.freedesktop.DBus.Properties", "PropertiesChanged", &changed);
	bus_release_changed(f->bus, &f->releases[0]);
	fake_run_until(f, changed.n == 1);
	assert_non_null(strstr(changed.last, "LeftoverCount=10000 ;"));
	assert_null(strstr(changed.last, "Leftovers="));
	assert_non_null(strstr(changed.last, "['Leftovers''Conditions']"));
	free(changed.last);
	for (size_t i = 0; i < f->n_releases; i++)
		plan_done(&f->releases[i].plan);
}

/* ---- conditions ---- */

static char *get_conditions(struct fake *f, const char *path)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = get_property(
		f, path, DCDD_INTERFACE_RELEASE, "Conditions", "a(sssss)");

	return dump(m);
}

/* A held release with @n conditions, the last of which is not met. */
static struct release *add_held(struct fake *f, uint64_t id, unsigned n)
{
	struct release *r = fake_release(f, id, FAKE_TAG_A, RELEASE_HELD);

	r->decision.n_conditions = n;
	for (unsigned i = 0; i < n; i++) {
		struct condition *c = &r->decision.conditions[i];

		c->kind = (enum condition_kind)i;
		c->outcome = i + 1 == n ? OUTCOME_WAIT : OUTCOME_MET;
		(void)snprintf(c->measured, sizeof(c->measured), "measured %u", i);
		(void)snprintf(c->limit, sizeof(c->limit), "limit %u", i);
		(void)snprintf(c->text, sizeof(c->text), "text %u\n", i);
	}
	return r;
}

static void test_conditions(void **state)
{
	struct fake *f = fake_get(state);
	struct release *r = add_held(f, 1, 3);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *all = NULL;
	_cleanup_free_ char *text = NULL, *properties = NULL, *none = NULL;
	struct heard changed = { 0 };

	(void)str_copy(r->decision.rule_source, sizeof(r->decision.rule_source), "/x:3");
	r->deadline = 5; /* when it is looked at next */
	r->decision.deadline = 7000;
	text = get_conditions(f, RELEASE_1);
	assert_string_equal(text, "[('state''met''measured 0''limit 0''text 0\\x0a')"
				  "('approval''met''measured 1''limit 1''text 1\\x0a')"
				  "('window''wait''measured 2''limit 2''text 2\\x0a')]");
	assert_text(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "State", "held");
	assert_text(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "RuleSource", "/x:3");
	assert_int_equal(get_uint64(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "Deadline"), 7000);
	r->state = RELEASE_DEFERRED;
	assert_int_equal(get_uint64(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "Deadline"), 5);
	r->state = RELEASE_DRAINING;
	assert_text(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "State", "draining");
	assert_int_equal(get_uint64(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "Deadline"), 7000);

	/* Only for who asks for them; a change says that they are others. */
	all = fake_method(f, RELEASE_1, "org.freedesktop.DBus.Properties", "GetAll", "s",
			  DCDD_INTERFACE_RELEASE);
	assert_no_error(all);
	properties = dump(all);
	assert_null(strstr(properties, "Conditions="));
	listen_to(f, RELEASE_1, "org.freedesktop.DBus.Properties", "PropertiesChanged", &changed);
	bus_release_changed(f->bus, r);
	fake_run_until(f, changed.n == 1);
	assert_non_null(strstr(changed.last, "'Conditions'"));
	free(changed.last);

	r->decision.n_conditions = 0;
	none = get_conditions(f, RELEASE_1);
	assert_string_equal(none, "[]");
}

/* So many releases that a list does not have room for the conditions of all of them. */
static struct release *many;
static size_t n_many;

static const struct release *next_of_many(void **cursor, void *userdata)
{
	struct release *next = *cursor ? (struct release *)*cursor + 1 : many;

	(void)userdata;
	if (next >= many + n_many)
		return NULL;
	*cursor = next;
	return next;
}

static void test_conditions_are_bounded(void **state)
{
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *list = NULL;
	_cleanup_free_ char *listed = NULL;
	struct bus_ops ops = fake_ops;

	n_many = 8192 / _CONDITION_MAX + 2;
	many = calloc(n_many, sizeof(*many));
	assert_non_null(many);
	for (size_t i = 0; i < n_many; i++) {
		f->n_releases = 0;
		many[i] = *add_held(f, i + 1, _CONDITION_MAX);
	}
	ops.next_release = next_of_many;
	bus_free(f->bus);
	f->bus = NULL;
	assert_int_equal(bus_new(f->base, &ops, f, &f->bus), 0);
	list = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ListReleases", NULL);
	assert_no_error(list);
	listed = dump(list);
	assert_int_equal(count(listed, "Conditions=["), n_many);
	/* None of those that do not fit, rather than some. */
	assert_int_equal(count(listed, "Conditions=[];"), 2);
	assert_int_equal(count(listed, "'text 0\\x0a'"), n_many - 2);
	bus_free(f->bus);
	f->bus = NULL;
	free(many);
}

/* ---- paths, odd text ---- */

static void test_release_paths(void **state)
{
	static const char *const none[] = {
		"/org/dcdd1/release/2",	  "/org/dcdd1/release/01",
		"/org/dcdd1/release/0",	  "/org/dcdd1/release/1_",
		"/org/dcdd1/release",	  "/org/dcdd1/release/18446744073709551617",
		"/org/dcdd1/release/1/1",
	};
	struct fake *f = fake_get(state);

	fake_release(f, 1, FAKE_TAG_A, RELEASE_OFFLINING);
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = fake_method(
			f, none[i], "org.freedesktop.DBus.Properties", "Get", "ss",
			DCDD_INTERFACE_RELEASE, "Id");

		if (!sd_bus_message_is_method_error(reply, NULL))
			fail_msg("%s answers", none[i]);
	}
}

/* Text that is not UTF-8 would make the bus cut the connection. */
static void test_hostile_text(void **state)
{
	struct fake *f = fake_get(state);
	struct release *r = fake_release(f, 1, FAKE_TAG_A, RELEASE_REFUSED);

	(void)snprintf(r->reason, sizeof(r->reason), "held by \xff\xfe\x1b[2J \"db\n\"");
	memset(r->region, 0x80, sizeof(r->region) - 1);
	bus_release_finished(f->bus, r);
	assert_text(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "Reason",
		    "held by \\xff\\xfe\\x1b[2J \"db\\x0a\"");
	memset(r->reason, 0x01, sizeof(r->reason) - 1);
	assert_text(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "Version", DCDD_VERSION);
	assert_int_equal(get_uint64(f, RELEASE_1, DCDD_INTERFACE_RELEASE, "Id"), 1);
}

/* ---- signals ---- */

static void test_release_signals(void **state)
{
	struct fake *f = fake_get(state);
	struct heard ready = { 0 }, finished = { 0 };
	struct release *r = fake_release(f, 1, FAKE_TAG_A, RELEASE_READY);

	listen_to(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ReleaseReady", &ready);
	listen_to(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "ReleaseFinished", &finished);
	bus_release_ready(f->bus, r);
	fake_run_until(f, ready.n == 1);
	assert_string_equal(ready.last, "/org/dcdd1 '" FAKE_TAG_A "''mem0'402653184 ");
	r->state = RELEASE_RELEASED;
	(void)str_copy(r->reason, sizeof(r->reason), "the extents are gone");
	bus_release_finished(f->bus, r);
	fake_run_until(f, finished.n == 1);
	assert_string_equal(finished.last,
			    "/org/dcdd1 '" FAKE_TAG_A "''released''the extents are gone'");
	assert_int_equal(ready.n, 1);
	free(ready.last);
	free(finished.last);
}

static void test_object_manager(void **state)
{
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ char *text = NULL;
	struct heard added = { 0 }, removed = { 0 };
	struct release *r;

	listen_to(f, DCDD_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager", "InterfacesAdded",
		  &added);
	listen_to(f, DCDD_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved",
		  &removed);
	r = fake_release(f, 1, FAKE_TAG_A, RELEASE_REQUESTED);
	bus_release_added(f->bus, r);
	fake_run_until(f, added.n == 1);
	assert_non_null(strstr(added.last, "'" RELEASE_1 "'["));
	assert_non_null(strstr(added.last, "org.dcdd1.Release=[Id=1 ;Tag='" FAKE_TAG_A "';"));

	fake_release(f, 2, FAKE_TAG_B, RELEASE_REQUESTED);
	reply = fake_method(f, DCDD_OBJECT_PATH, "org.freedesktop.DBus.ObjectManager",
			    "GetManagedObjects", NULL);
	assert_no_error(reply);
	text = dump(reply);
	assert_non_null(strstr(text, RELEASE_1 "=["));
	assert_non_null(strstr(text, "/org/dcdd1/release/2=["));
	assert_non_null(strstr(text, "Tag='" FAKE_TAG_B "'"));

	/* Announced when it is forgotten already: the object itself cannot be asked any more. */
	f->n_releases = 0;
	bus_release_removed(f->bus, 1);
	fake_run_until(f, removed.n == 1);
	assert_non_null(strstr(removed.last, "'" RELEASE_1 "'["));
	assert_non_null(strstr(removed.last, "'org.dcdd1.Release'"));
	free(added.last);
	free(removed.last);
}

static void test_properties_changed(void **state)
{
	struct fake *f = fake_get(state);
	struct heard changed = { 0 };
	struct release *r = fake_release(f, 1, FAKE_TAG_A, RELEASE_REQUESTED);
	usec_t begin;

	listen_to(f, RELEASE_1, "org.freedesktop.DBus.Properties", "PropertiesChanged", &changed);
	bus_release_added(f->bus, r);
	fake_run_for(f, 50 * USEC_PER_MSEC);
	assert_int_equal(changed.n, 0);

	/* Each transition by itself, with the state it had then. */
	r->state = RELEASE_OFFLINING;
	bus_release_changed(f->bus, r);
	r->state = RELEASE_DETACHING;
	bus_release_changed(f->bus, r);
	fake_run_until(f, changed.n == 2);
	assert_non_null(strstr(changed.last, "'org.dcdd1.Release'["));
	assert_non_null(strstr(changed.last, "State='detaching';"));
	/* What cannot change is not announced. */
	assert_null(strstr(changed.last, "DpaStart"));

	/* Counters together. */
	begin = now_usec(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < 1000; i++) {
		r->records++;
		bus_release_changed(f->bus, r);
	}
	fake_run_until(f, changed.n > 2);
	/* What is meant is "never". */
	assert_true(now_usec(CLOCK_MONOTONIC) - begin < 10 * USEC_PER_SEC);
	fake_run_for(f, 300 * USEC_PER_MSEC);
	assert_int_equal(changed.n, 3);
	assert_non_null(strstr(changed.last, "Records=1003 ;"));

	/* Forgotten before it was announced. */
	r->records++;
	bus_release_changed(f->bus, r);
	f->n_releases = 0;
	bus_release_removed(f->bus, 1);
	fake_run_for(f, 300 * USEC_PER_MSEC);
	assert_int_equal(changed.n, 3);
	free(changed.last);
}

#define BUS_TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUS_TEST(test_release_properties),
		BUS_TEST(test_leftovers),
		BUS_TEST(test_leftovers_are_bounded),
		BUS_TEST(test_release_paths),
		BUS_TEST(test_hostile_text),
		BUS_TEST(test_release_signals),
		BUS_TEST(test_conditions),
		BUS_TEST(test_conditions_are_bounded),
		BUS_TEST(test_object_manager),
		BUS_TEST(test_properties_changed),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("bus-release", tests, NULL, NULL);
}
