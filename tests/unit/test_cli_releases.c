/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dcdctl releases and dcdctl show: as text, as JSON, and how a release is named.
 */
#include "cli_run.h"
#include "release/plan.h"
#include "util/format.h"

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
	assert_string_equal(cell(r.out, 0, 0), "ID");
	assert_string_equal(cell(r.out, 0, 8), "UNMET");
	assert_string_equal(cell(r.out, 0, 9), "REASON");
	assert_string_equal(cell(r.out, 1, 0), "1");
	assert_string_equal(cell(r.out, 1, 1), FAKE_TAG_A);
	assert_string_equal(cell(r.out, 1, 2), "mem0");
	assert_string_equal(cell(r.out, 1, 3), "ready");
	assert_string_equal(cell(r.out, 1, 4), "0s");
	assert_string_equal(cell(r.out, 1, 5), "-");
	assert_string_equal(cell(r.out, 1, 6), "1/3");
	assert_string_equal(cell(r.out, 1, 7), "3");
	assert_string_equal(cell(r.out, 1, 8), "-");
	assert_non_null(strstr(r.out, "free, the device must ask again\n"));
	/* Untagged, without blocks, and with a reason that would clear the screen. */
	assert_non_null(strstr(r.out, "- (DPA 0x40000000) "));
	assert_string_equal(cell(r.out, 2, 1), "-");
	assert_non_null(strstr(r.out, age));
	assert_non_null(strstr(r.out, "held by pid 1 \\x1b[2J\n"));
	assert_null(strchr(r.out, '\x1b'));

	run(f, &r, "releases", "--all", "--no-legend");
	assert_ok(&r);
	assert_int_equal(count_lines(r.out), 3);
	assert_string_equal(cell(r.out, 2, 3), "refused");

	/* A tag shows what has ended as well, whatever its case. */
	run(f, &r, "releases", "0A0B0C0D-0102-4304-8506-0708090A0B0C", "--no-legend");
	assert_ok(&r);
	assert_int_equal(count_lines(r.out), 1);
	assert_string_equal(cell(r.out, 0, 3), "refused");
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

/* What failed is shown without being asked for: somebody has to do something about it. */
static void test_releases_failed(void **state)
{
	struct fake *f = fake_get(state);
	struct difference_text text;
	struct release *failed;
	struct run r;
	json_object *j;

	need_program();
	fake_release(f, 1, FAKE_TAG_B, RELEASE_REFUSED);
	failed = fake_release(f, 2, FAKE_TAG_A, RELEASE_FAILED);
	fake_fail(failed, 2);
	run(f, &r, "releases", "--no-legend");
	assert_ok(&r);
	assert_int_equal(count_lines(r.out), 1);
	assert_string_equal(cell(r.out, 0, 0), "2");
	assert_string_equal(cell(r.out, 0, 3), "failed");

	run(f, &r, "releases", "--json", "--all");
	assert_ok(&r);
	j = parse(&r);
	assert_json_number(j, "0/leftover_count", 0);
	assert_int_equal(json_object_array_length(at(j, "0/leftovers")), 0);
	assert_json_number(j, "1/leftover_count", 2);
	assert_int_equal(json_object_array_length(at(j, "1/leftovers")), 2);
	plan_difference_text(&failed->plan, &failed->plan.differences[1], &text);
	assert_json_string(j, "1/leftovers/1/object", "memory41");
	assert_json_string(j, "1/leftovers/1/have", text.have);
	assert_json_string(j, "1/leftovers/1/want", text.want);
	assert_json_string(j, "1/leftovers/1/command", text.command);
	json_object_put(j);
	plan_done(&failed->plan);
}

/* ---- held ---- */

/* Held by two of three conditions until in an hour and a half. */
static struct release *add_held(struct fake *f, uint64_t id, const char *tag)
{
	struct release *release = fake_release(f, id, tag, RELEASE_HELD);
	struct decision *decision = &release->decision;
	usec_t now = now_usec(CLOCK_MONOTONIC);

	release->entered = now + USEC_PER_HOUR;
	release->deadline = 1;
	decision->deadline = now + 90 * USEC_PER_MIN + 30 * USEC_PER_SEC;
	(void)str_copy(decision->rule, sizeof(decision->rule), "night");
	(void)str_copy(decision->rule_source, sizeof(decision->rule_source), "/x/dcdd.conf:7");
	(void)str_copy(release->reason, sizeof(release->reason), "the window is closed");
	decision->n_conditions = 3;
	decision->conditions[0] = (struct condition){ .kind = CONDITION_HEADROOM,
						      .outcome = OUTCOME_MET,
						      .measured = "4G available after",
						      .limit = "at least 2G",
						      .text = "enough stays" };
	decision->conditions[1] = (struct condition){ .kind = CONDITION_WINDOW,
						      .outcome = OUTCOME_WAIT,
						      .measured = "closed",
						      .limit = "22:00-06:00",
						      .text = "no window is open; the next one "
							      "opens at 22:00, which is long from "
							      "now\x1b[2J" };
	decision->conditions[2] = (struct condition){ .kind = CONDITION_HOLDERS,
						      .outcome = OUTCOME_WAIT,
						      .text = "dax0.1 is held by pid 4711 (db)" };
	return release;
}

static void test_held(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;
	json_object *j;

	need_program();
	add_held(f, 1, FAKE_TAG_A);
	add_held(f, 2, FAKE_TAG_B)->state = RELEASE_DRAINING;
	fake_release(f, 3, "", RELEASE_OFFLINING);
	run(f, &r, "releases", "--no-legend");
	assert_ok(&r);
	assert_string_equal(cell(r.out, 0, 3), "held");
	assert_non_null(strstr(r.out, " 1h 30min "));
	assert_non_null(strstr(r.out, " window, holders "));
	assert_string_equal(cell(r.out, 1, 3), "draining");

	run(f, &r, "status");
	assert_ok(&r);
	assert_non_null(strstr(r.out,
			       "Held:      2, by conditions of the policy:\n"
			       "           " FAKE_TAG_A " on mem0, for 0s, at most for another "
			       "1h 30min: window, holders\n"
			       "           " FAKE_TAG_B " on mem0, "));
	run(f, &r, "status", "--json");
	assert_ok(&r);
	j = parse(&r);
	assert_int_equal(json_object_array_length(at(j, "held")), 2);
	assert_json_string(j, "held/0/tag", FAKE_TAG_A);
	assert_json_string(j, "held/0/conditions/1/kind", "window");
	assert_json_bool(j, "dry_run", false);
	json_object_put(j);

	f->n_releases = 0;
	run(f, &r, "status");
	assert_ok(&r);
	assert_null(strstr(r.out, "Held:"));
	assert_null(strstr(r.out, "Dry run:"));
	f->policy.dry_run = 1;
	run(f, &r, "status");
	assert_non_null(strstr(r.out, "Dry run:   it decides, and changes nothing on the host\n"));
}

static void test_show_held(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;
	json_object *j;

	need_program();
	add_held(f, 1, FAKE_TAG_A);
	run(f, &r, "show", "1");
	assert_ok(&r);
	assert_non_null(strstr(r.out, "  State:     held for 0s, at most for another 1h 30min\n"));
	assert_non_null(strstr(r.out, "  Rule:      night (/x/dcdd.conf:7)\n"));
	assert_non_null(strstr(
		r.out, "\nConditions of its rule, when they were last looked at:\n"
		       "  met     headroom    4G available after, at least 2G\n"
		       "  wait    window      no window is open; the next one opens at 22:00, "
		       "which is\n"
		       "                      long from now\\x1b[2J\n"
		       "  wait    holders     dax0.1 is held by pid 4711 (db)\n"));
	run(f, &r, "show", "1", "--json");
	assert_ok(&r);
	j = parse(&r);
	assert_json_string(j, "state", "held");
	assert_json_string(j, "rule_source", "/x/dcdd.conf:7");
	assert_json_number(j, "deadline", f->releases[0].decision.deadline);
	assert_json_string(j, "conditions/0/kind", "headroom");
	assert_json_string(j, "conditions/0/outcome", "met");
	assert_json_string(j, "conditions/0/measured", "4G available after");
	assert_json_string(j, "conditions/0/limit", "at least 2G");
	assert_json_string(j, "conditions/2/text", "dax0.1 is held by pid 4711 (db)");
	json_object_put(j);
}

/* ---- show ---- */

static void test_show(void **state)
{
	struct fake *f = fake_get(state);
	struct release *release;
	usec_t now = now_usec(CLOCK_MONOTONIC);
	struct run r;

	need_program();
	release = fake_release(f, 7, FAKE_TAG_A, RELEASE_READY);
	release->retry_wanted = true;
	release->recovered = true;
	/* In the future, so that all ages are 0s. */
	release->entered = release->first_record = release->last_record = now + USEC_PER_HOUR;
	(void)str_copy(release->reason, sizeof(release->reason),
		       "free; the kernel keeps no request, so the device must ask again, and this "
		       "is long enough to be wrapped\x1b[2J");
	run(f, &r, "show", "7");
	assert_ok(&r);
	assert_string_equal(
		r.out,
		"Release 7: " FAKE_TAG_A " on mem0\n"
		"  State:     ready for 0s\n"
		"  Reason:    free; the kernel keeps no request, so the device must ask again,\n"
		"             and this is long enough to be wrapped\\x1b[2J\n"
		"  Wanted:    the device has to ask again\n"
		"  Asked:     3 times, first 0s ago, last 0s ago\n"
		"  Group:     384M in 2 extents of region0\n"
		"  Devices:   -\n"
		"  Blocks:    1 of 3 taken offline\n"
		"  Attempts:  1\n"
		"  Rule:      default\n"
		"  Recovered: begun by a dcdd that was killed, and taken over from its undo\n"
		"             journal\n");
}

static void assert_width(const char *text, const char *longer)
{
	for (const char *end; (end = strchr(text, '\n')); text = end + 1)
		if (end - text > 80 && !startswith(text, longer))
			fail_msg("wider than 80: %.*s", (int)(end - text), text);
}

static void test_show_failed(void **state)
{
	static const char head[] =
		"\nNot as before: 3 objects. What mends it, to be run as root:\n\n  memory40: ";
	static const char foot[] = "\ndcdd leaves the group alone until it sees it whole; dcdctl "
				   "rescan makes it look.\n";
	struct fake *f = fake_get(state);
	struct release *failed = fake_release(f, 2, FAKE_TAG_A, RELEASE_FAILED);
	struct run r;

	need_program();
	fake_fail(failed, 3);
	run(f, &r, "show", "2");
	assert_ok(&r);
	assert_non_null(strstr(r.out, "  State:     failed for "));
	assert_non_null(strstr(r.out, head));
	for (size_t i = 0; i < 3; i++) {
		struct difference_text text;
		char line[512];

		plan_difference_text(&failed->plan, &failed->plan.differences[i], &text);
		(void)snprintf(line, sizeof(line), "\n  %s: %s now, %s before\n    %s\n",
			       text.object, text.have, text.want,
			       *text.command
				       ? text.command
				       : "(no command: another hand's doing, or beyond repair)");
		if (!strstr(r.out, line))
			fail_msg("no line%sin:\n%s", line, r.out);
	}
	assert_non_null(strstr(r.out, foot));
	/* Commands are to be copied: only they may be longer. */
	assert_width(r.out, "    echo ");
	plan_done(&failed->plan);
}

static void test_show_json(void **state)
{
	struct fake *f = fake_get(state);
	struct release *failed = fake_release(f, 2, FAKE_TAG_A, RELEASE_FAILED);
	struct run r;
	json_object *j;

	need_program();
	fake_fail(failed, 2);
	failed->recovered = true;
	run(f, &r, "show", "--json", FAKE_TAG_A);
	assert_ok(&r);
	j = parse(&r);
	assert_true(json_object_is_type(j, json_type_object));
	assert_json_number(j, "id", 2);
	assert_json_bool(j, "recovered", true);
	assert_json_number(j, "leftover_count", 2);
	assert_json_string(j, "leftovers/0/object", "memory40");
	json_object_put(j);
	plan_done(&failed->plan);
}

/* More than one message has: the list leaves them out, the object has the first 1024. */
static void test_show_many(void **state)
{
	struct fake *f = fake_get(state);
	struct run r;

	need_program();
	for (uint64_t id = 1; id <= 10; id++)
		fake_fail(fake_release(f, id, FAKE_TAG_A, RELEASE_FAILED), 1025);
	run(f, &r, "show", "10");
	assert_ok(&r);
	assert_non_null(strstr(r.out, "Not as before: 1025 objects."));
	assert_non_null(strstr(r.out, "\n  memory1063: "));
	assert_null(strstr(r.out, "\n  memory1064: "));
	assert_non_null(strstr(r.out, "\n  and 1 more, which are shown when these are mended\n"));
	for (size_t i = 0; i < f->n_releases; i++)
		plan_done(&f->releases[i].plan);
}

static void test_show_names(void **state)
{
	static const char digits[] = "50120000-244d-4a4e-8ba7-a3ad3c4d9c01";
	struct fake *f = fake_get(state);
	struct release *other;
	struct run r;

	need_program();
	fake_release(f, 5, FAKE_TAG_A, RELEASE_OFFLINING);
	fake_release(f, 3, FAKE_TAG_A, RELEASE_REFUSED);
	fake_release(f, 2, FAKE_TAG_B, RELEASE_REFUSED);
	fake_release(f, 1, "", RELEASE_DEFERRED);
	fake_release(f, 6, digits, RELEASE_REFUSED);

	/* Of one tag the one that is not over; upper case is the same. */
	run(f, &r, "show", "5be1");
	assert_ok(&r);
	assert_non_null(startswith(r.out, "Release 5: " FAKE_TAG_A " on mem0\n"));
	run(f, &r, "show", "5BE13BCE-244D");
	assert_ok(&r);
	assert_non_null(startswith(r.out, "Release 5: "));
	run(f, &r, "show", "3");
	assert_ok(&r);
	assert_non_null(startswith(r.out, "Release 3: "));
	run(f, &r, "show", "1");
	assert_ok(&r);
	assert_non_null(startswith(r.out, "Release 1: - (DPA 0x40000000) on mem0\n"));
	/* A number is an ID, never a tag's beginning; behind the hyphen it is no number. */
	run(f, &r, "show", "50120000");
	assert_int_equal(r.status, 5);
	assert_string_equal(r.out, "");
	run(f, &r, "show", "50120000-");
	assert_ok(&r);
	assert_non_null(startswith(r.out, "Release 6: "));
	run(f, &r, "show", "99999999999999999999999");
	assert_int_equal(r.status, 5);
	run(f, &r, "show", FAKE_TAG_UNKNOWN);
	assert_int_equal(r.status, 5);
	assert_non_null(strstr(r.err, "no release " FAKE_TAG_UNKNOWN));

	/* If all are over, the latest; if one has failed, that, though another came after it. */
	f->releases[0].state = RELEASE_RELEASED;
	f->releases[1].id = 8;
	run(f, &r, "show", "5be1");
	assert_ok(&r);
	assert_non_null(startswith(r.out, "Release 8: "));
	f->releases[0].state = RELEASE_FAILED;
	run(f, &r, "show", "5be1");
	assert_ok(&r);
	assert_non_null(startswith(r.out, "Release 5: "));

	/* Another tag that begins so, then the same tag on another device. */
	other = fake_release(f, 9, "5be13bce-244d-4a4e-8ba7-a3ad3c4d9c02", RELEASE_REFUSED);
	run(f, &r, "show", "5be13bce");
	assert_int_equal(r.status, 5);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, "several tags"));
	run(f, &r, "show", FAKE_TAG_A);
	assert_ok(&r);
	other->key.tag = fake_tag(FAKE_TAG_A);
	(void)str_copy(other->key.memdev, sizeof(other->key.memdev), "mem1");
	run(f, &r, "show", FAKE_TAG_A);
	assert_int_equal(r.status, 5);
}

/* An answer of another daemon: an id, and nothing else that is as it should be. */
static int on_odd_list(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)userdata;
	(void)error;
	if (sd_bus_message_get_expect_reply(m) <= 0)
		return 0;
	return sd_bus_reply_method_return(m, "aa{sv}", 1, 5, "Id", "t", (uint64_t)4, "Memdev", "s",
					  "\x1b[2J", "Devices", "au", 1, 7, "Leftovers", "a(s)", 1,
					  "\x1b[2J", "LeftoverCount", "t", (uint64_t)1);
}

static void test_show_odd_answers(void **state)
{
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
	struct run r;

	need_program();
	bus_free(f->bus);
	f->bus = NULL;
	fake_run_until(f, sd_bus_request_name(f->client, DCDD_BUS_NAME, 0) >= 0);
	assert_true(sd_bus_add_object(f->client, &slot, DCDD_OBJECT_PATH, on_odd_list, NULL) >= 0);
	run(f, &r, "show", "4");
	assert_ok(&r);
	assert_non_null(startswith(r.out, "Release 4: - (DPA 0) on \\x1b[2J\n"));
	assert_null(strchr(r.out, '\x1b'));
	run(f, &r, "show", "4", "--json");
	assert_ok(&r);
	json_object_put(parse(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLI_TEST(test_releases),	 CLI_TEST(test_releases_json),
		CLI_TEST(test_releases_failed),	 CLI_TEST(test_show),
		CLI_TEST(test_show_failed),	 CLI_TEST(test_show_json),
		CLI_TEST(test_show_many),	 CLI_TEST(test_show_names),
		CLI_TEST(test_show_odd_answers), CLI_TEST(test_held),
		CLI_TEST(test_show_held),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	(void)setenv("LC_ALL", "C", 1);
	return cmocka_run_group_tests_name("cli-releases", tests, NULL, NULL);
}
