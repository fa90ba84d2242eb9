/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dcdctl and the real daemon: what an orchestrator's script would read and act on. Each verb's
 * output in all its forms is tested with a daemon that is made up, in the unit tests.
 */
#include <dcdd/base.h>

#include "harness.h"

#define EXIT_NOT_RUNNING 3 /* dcdctl(1) */
#define EXIT_NO_SUCH_OBJECT 5

static const struct scenario_options no_daemon = { .no_daemon = true };

/* stdout of `dcdctl @arguments`, which must succeed, as JSON (caller puts). */
static struct json_object *dcdctl_json(struct scenario *s, const char *arguments)
{
	_cleanup_free_ char *output = NULL;
	struct json_object *document;
	int r = command(s, &output, "dcdctl %s --json", arguments);

	if (r != 0)
		scenario_fail(s, "dcdctl %s: exit status %d:\n%s", arguments, r, output);
	document = json_tokener_parse(output);
	if (!document)
		scenario_fail(s, "dcdctl %s: no JSON:\n%s", arguments, output);
	return document;
}

/* The only element of an array. */
static struct json_object *only(struct scenario *s, struct json_object *array)
{
	if (!json_object_is_type(array, json_type_array) || json_object_array_length(array) != 1)
		scenario_fail(s, "no array of one: %s", json_object_to_json_string(array));
	return json_object_array_get_idx(array, 0);
}

static void assert_group(struct scenario *s, bool claimed)
{
	_cleanup_json_ struct json_object *groups = dcdctl_json(s, "groups");
	struct json_object *group = only(s, groups);

	assert_string_equal(member_string(group, "tag"), TAG_A);
	assert_string_equal(member_string(group, "memdev"), "mem0");
	assert_int_equal(member_int(group, "bytes"), 384 * MiB);
	assert_int_equal(json_object_array_length(member(group, "extents")), 2);
	assert_int_equal(member_bool(group, "claimed"), claimed);
	assert_int_equal(json_object_array_length(member(group, "devices")), claimed ? 1 : 0);
	if (claimed)
		assert_string_equal(member_string(only(s, member(group, "devices")), "mode"),
				    "system-ram");
}

static void assert_waiting(struct scenario *s)
{
	_cleanup_json_ struct json_object *releases = dcdctl_json(s, "releases");
	_cleanup_json_ struct json_object *status = dcdctl_json(s, "status");
	struct json_object *const both[] = {
		only(s, releases),
		only(s, member(status, "waiting_for_device")),
	};

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		assert_string_equal(member_string(both[i], "tag"), TAG_A);
		assert_string_equal(member_string(both[i], "state"), "ready");
		assert_true(member_bool(both[i], "retry_wanted"));
		assert_int_equal(member_int(both[i], "bytes"), 384 * MiB);
	}
	assert_true(member_bool(status, "event_available"));
}

SCENARIO(script_follows_a_release)
{
	struct host *before = host_save(s);
	_cleanup_json_ struct json_object *nothing = NULL, *ended = NULL;
	_cleanup_free_ char *text = NULL;

	(void)SIM_RAM(s, "mem0", TAG_A, EXTENT(0, 256 * MiB), EXTENT(512 * MiB, 128 * MiB));
	WAIT_FOR(s, manager_u64(s, "ClaimedBytes") == 384 * MiB, 10);
	assert_group(s, true);
	nothing = dcdctl_json(s, "releases");
	assert_int_equal(json_object_array_length(nothing), 0);
	assert_int_equal(command(s, NULL, "dcdctl releases " TAG_A), EXIT_NO_SUCH_OBJECT);

	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release_wait_state(s, TAG_A, "ready", 10);
	assert_group(s, false);
	assert_waiting(s);
	assert_int_equal(command(s, &text, "dcdctl status"), 0);
	assert_non_null(strstr(text, "1 free and waiting for the device to ask again"));
	assert_non_null(strstr(text, TAG_A));

	release_collect(s, TAG_A, before);
	ended = dcdctl_json(s, "releases --all");
	assert_string_equal(member_string(only(s, ended), "state"), "released");
	assert_false(member_bool(only(s, ended), "retry_wanted"));
}

SCENARIO(no_daemon_is_running)
{
	struct host *before = host_save(s);
	static const char *const verbs[] = { "status", "releases --json", "groups --json" };

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		_cleanup_free_ char *text = NULL;

		assert_int_equal(command(s, &text, "dcdctl %s", verbs[i]), EXIT_NOT_RUNNING);
		assert_non_null(strstr(text, "not running"));
	}
	host_assert_same(s, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test(script_follows_a_release),
		scenario_test_with(no_daemon_is_running, &no_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
