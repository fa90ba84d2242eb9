/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What changes something, over a private bus: who may, what is refused before anything is asked,
 * what each failure is called, and leases that last as long as their descriptor.
 */
#include "bus_client.h"

#define NAME_64 "0123456789012345678901234567890123456789012345678901234567890123"
#define TEXT_160 NAME_64 NAME_64 "01234567890123456789012345678901"
#define NEVER UINT64_MAX

/* A call of the Manager that succeeds. */
#define call_ok(f, ...)                                                                            \
	({                                                                                         \
		sd_bus_message *_reply = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER,  \
						     __VA_ARGS__);                                 \
		assert_no_error(_reply);                                                           \
		_reply;                                                                            \
	})
#define call_done(f, ...) sd_bus_message_unref(call_ok(f, __VA_ARGS__))

/* One that fails by org.dcdd1.Error.@error, with @message or, if that is NULL, any. */
#define call_fails(f, error, message, ...)                                                         \
	do {                                                                                       \
		sd_bus_message *_reply = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER,  \
						     __VA_ARGS__);                                 \
		const char *_message = message;                                                    \
                                                                                                   \
		assert_error(_reply, "org.dcdd1.Error." error);                                    \
		if (_message)                                                                      \
			assert_error_says(_reply, "org.dcdd1.Error." error, _message);             \
		sd_bus_message_unref(_reply);                                                      \
	} while (0)

#define get_as_root(state)                                                                         \
	({                                                                                         \
		struct fake *_f = fake_get(state);                                                 \
                                                                                                   \
		if (geteuid() != 0) {                                                              \
			print_message("skipped: needs root, to be it and not to be it\n");         \
			skip();                                                                    \
		}                                                                                  \
		_f;                                                                                \
	})

/* How the daemon calls us. */
static const char *own_name(void)
{
	static char name[64];

	(void)snprintf(name, sizeof(name), "uid 0, pid %d", getpid());
	return name;
}

static usec_t in_an_hour(void)
{
	return now_usec(CLOCK_REALTIME) + USEC_PER_HOUR;
}

static void test_only_root(void **state)
{
	struct fake *f = get_as_root(state);

	fake_release(f, 1, FAKE_TAG_A, RELEASE_HELD);
	fake_become(f, 65534);
	call_fails(f, "NotAllowed", "Only root may call Approve", "Approve", "s", FAKE_TAG_A);
	call_fails(f, "NotAllowed", NULL, "Deny", "ss", FAKE_TAG_A, "");
	call_fails(f, "NotAllowed", NULL, "Reload", NULL);
	call_fails(f, "NotAllowed", NULL, "Rescan", NULL);
	call_fails(f, "NotAllowed", NULL, "Snapshot", NULL);
	call_fails(f, "NotAllowed", NULL, "Inhibit", "ssss", "*", "a", "b", "block");
	call_fails(f, "NotAllowed", NULL, "AddRule", "sst", "a", "action = keep", in_an_hour());
	call_fails(f, "NotAllowed", NULL, "HoldRule", "sst", "a", "action = keep", NEVER);
	call_fails(f, "NotAllowed", NULL, "RemoveRule", "s", "a");
	/* Nor is it said what is wrong with what they ask for. */
	call_fails(f, "NotAllowed", NULL, "Approve", "s", "no tag");
	assert_string_equal(f->answered, "");
	assert_string_equal(f->inhibited, "");
	assert_string_equal(f->ruled, "");
	assert_string_equal(f->removed, "");
	assert_int_equal(f->reloads + f->rescans, 0);
	call_done(f, "ListInhibitors", NULL);
	call_done(f, "ListRules", NULL);
}

/* ---- answers ---- */

static void test_answers(void **state)
{
	struct fake *f = get_as_root(state);
	char expected[128];

	fake_release(f, 3, FAKE_TAG_B, RELEASE_HELD);
	fake_release(f, 4, FAKE_TAG_A, RELEASE_HELD);
	fake_release(f, 2, FAKE_TAG_A, RELEASE_REFUSED);
	call_done(f, "Approve", "s", FAKE_TAG_A);
	(void)snprintf(expected, sizeof(expected), "4 yes '' %s", own_name());
	assert_string_equal(f->answered, expected);
	call_done(f, "Deny", "ss", FAKE_TAG_B, "not on my watch");
	(void)snprintf(expected, sizeof(expected), "3 no 'not on my watch' %s", own_name());
	assert_string_equal(f->answered, expected);
	call_done(f, "Deny", "ss", FAKE_TAG_B, "");
	/* What is untagged has only its number. */
	call_done(f, "Approve", "s", "3");
	(void)snprintf(expected, sizeof(expected), "3 yes '' %s", own_name());
	assert_string_equal(f->answered, expected);

	f->answered[0] = '\0';
	call_fails(f, "Invalid", NULL, "Approve", "s", "x");
	call_fails(f, "Invalid", NULL, "Deny", "ss", "", "");
	call_fails(f, "Invalid", NULL, "Approve", "s", "00000000-0000-0000-0000-000000000000");
	call_fails(f, "Invalid", NULL, "Approve", "s", "0");
	call_fails(f, "Invalid", NULL, "Approve", "s", "3x");
	call_fails(f, "Invalid", NULL, "Approve", "s", "99999999999999999999");
	call_fails(f, "NoSuchTag", "No live release has the number 7", "Approve", "s", "7");
	call_fails(f, "NoSuchTag", NULL, "Approve", "s", "2"); /* it has ended */
	call_fails(f, "Invalid", "The reason has a control character", "Deny", "ss", FAKE_TAG_B,
		   "a\nb");
	call_fails(f, "Invalid", "The reason is too long: at most 159 bytes are expected", "Deny",
		   "ss", FAKE_TAG_B, TEXT_160);
	call_fails(f, "NoSuchTag", "No live release with tag " FAKE_TAG_UNKNOWN, "Approve", "s",
		   FAKE_TAG_UNKNOWN);
	/* Nobody waits for an answer to what is over. */
	f->releases[1].state = RELEASE_VANISHED;
	call_fails(f, "NoSuchTag", NULL, "Approve", "s", FAKE_TAG_A);
	assert_string_equal(f->answered, "");

	f->answer_result = -EALREADY;
	call_fails(f, "BadState", "That answer was given already", "Approve", "s", FAKE_TAG_B);
	f->answer_result = -EBADE;
	call_fails(f, "BadState", "This release does not wait for an answer", "Approve", "s",
		   FAKE_TAG_B);
	f->answer_result = -ENOENT;
	call_fails(f, "NoSuchTag", NULL, "Approve", "s", FAKE_TAG_B);
}

/* ---- reload, snapshot ---- */

static void test_reload(void **state)
{
	struct fake *f = get_as_root(state);
	sd_bus_message *reply;

	call_done(f, "Reload", NULL);
	assert_int_equal(f->reloads, 1);
	f->reload_result = -EINVAL;
	f->error = "/etc/dcdd/dcdd.conf:3: \x1b[2Ja size is expected";
	call_fails(f, "Invalid", "/etc/dcdd/dcdd.conf:3: \\x1b[2Ja size is expected", "Reload",
		   NULL);
	f->error = NULL;
	call_fails(f, "Invalid", "The configuration is wrong; the old one stays", "Reload", NULL);
	f->reload_result = -ESHUTDOWN;
	call_fails(f, "Busy", NULL, "Reload", NULL);
	f->reload_result = -ENOMEM;
	reply = fake_method(f, DCDD_OBJECT_PATH, DCDD_INTERFACE_MANAGER, "Reload", NULL);
	assert_error(reply, "org.freedesktop.DBus.Error.NoMemory");
	sd_bus_message_unref(reply);
}

static void test_snapshot(void **state)
{
	struct fake *f = get_as_root(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_free_ char *large = malloc(30 * MiB + 2);
	const char *json;

	f->snapshot = "{\n\"a\": 1\n}\n";
	reply = call_ok(f, "Snapshot", NULL);
	assert_true(sd_bus_message_read(reply, "s", &json) > 0);
	assert_string_equal(json, f->snapshot);
	f->snapshot_result = -EAGAIN;
	call_fails(f, "NotReady", "The host has not been scanned yet", "Snapshot", NULL);

	/* The bus would cut the daemon off for a larger one. */
	f->snapshot_result = 0;
	assert_non_null(large);
	memset(large, ' ', 30 * MiB + 1);
	large[30 * MiB + 1] = '\0';
	f->snapshot = large;
	call_fails(f, "LimitExceeded", NULL, "Snapshot", NULL);
	large[30 * MiB] = '\0';
	call_done(f, "Snapshot", NULL);
}

/* ---- inhibitors ---- */

static void test_inhibit(void **state)
{
	struct fake *f = get_as_root(state);
	sd_bus_message *reply;
	char expected[128];
	int fd;

	reply = call_ok(f, "Inhibit", "ssss", "5be1*", "backup", "nightly run", "delay");
	(void)snprintf(expected, sizeof(expected),
		       "5be1* 'backup' 'nightly run' delay uid 0 pid %d", getpid());
	assert_string_equal(f->inhibited, expected);
	/* The client has the only copy: the daemon has given away its own. */
	assert_true(sd_bus_message_read(reply, "h", &fd) > 0);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_true(fake_lease_is_held(f));
	sd_bus_message_unref(reply);
	fake_run_until(f, !fake_lease_is_held(f));

	f->inhibited[0] = '\0';
	call_fails(f, "Invalid", "scope is empty", "Inhibit", "ssss", "", "a", "b", "block");
	call_fails(f, "Invalid", "who is empty", "Inhibit", "ssss", "*", "", "b", "block");
	call_fails(f, "Invalid", "why is empty", "Inhibit", "ssss", "*", "a", "", "block");
	call_fails(f, "Invalid", "mode is neither 'block' nor 'delay'", "Inhibit", "ssss", "*", "a",
		   "b", "");
	call_fails(f, "Invalid", NULL, "Inhibit", "ssss", "*", "a", "b", "Block");
	call_fails(f, "Invalid", NULL, "Inhibit", "ssss", NAME_64, "a", "b", "block");
	call_fails(f, "Invalid", NULL, "Inhibit", "ssss", "*", NAME_64, "b", "block");
	call_fails(f, "Invalid", NULL, "Inhibit", "ssss", "*", "a", TEXT_160, "block");
	call_fails(f, "Invalid", "why has a control character", "Inhibit", "ssss", "*", "a", "b\t",
		   "block");
	/* U+009B begins a terminal's command as well. */
	call_fails(f, "Invalid", NULL, "Inhibit", "ssss", "*", "a\xc2\x9b", "b", "block");
	assert_string_equal(f->inhibited, "");
	call_done(f, "Inhibit", "ssss", &NAME_64[1], &NAME_64[1], &TEXT_160[1], "block");

	f->inhibit_result = -ENOBUFS;
	call_fails(f, "LimitExceeded", NULL, "Inhibit", "ssss", "*", "a", "b", "block");
	f->inhibit_result = -EINVAL;
	call_fails(f, "Invalid", NULL, "Inhibit", "ssss", "*", "a", "b", "block");
}

static void test_list_inhibitors(void **state)
{
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *none = NULL, *reply = NULL;
	_cleanup_free_ char *empty = NULL, *text = NULL;

	none = call_ok(f, "ListInhibitors", NULL);
	empty = dump(none);
	assert_string_equal(empty, "[]");
	f->n_inhibitors = 2;
	f->inhibitors[0] = (struct inhibitor){ .mode = INHIBIT_DELAY,
					       .scope = "*",
					       .who = "backup",
					       .why = "nightly",
					       .uid = 7,
					       .pid = 4711,
					       .since = 1801382400000000 };
	f->inhibitors[1] =
		(struct inhibitor){ .scope = "a*", .who = "b", .why = "c", .pid = 0, .since = 1 };
	reply = call_ok(f, "ListInhibitors", NULL);
	assert_string_equal(sd_bus_message_get_signature(reply, true), "aa{sv}");
	text = dump(reply);
	assert_string_equal(text, "[[Scope='*';Who='backup';Why='nightly';Mode='delay';Uid=7 ;"
				  "Pid=4711 ;Since=1801382400000000 ;]"
				  "[Scope='a*';Who='b';Why='c';Mode='block';Uid=0 ;Pid=0 ;"
				  "Since=1 ;]]");
}

/* ---- rules ---- */

static void test_add_rule(void **state)
{
	struct fake *f = get_as_root(state);
	_cleanup_free_ char *longest = malloc(8193);
	usec_t until = in_an_hour();
	sd_bus_message *reply;
	char expected[256];

	call_done(f, "AddRule", "sst", "night", "match-tag = a*\n\taction = keep\n", until);
	(void)snprintf(expected, sizeof(expected),
		       "night {match-tag = a*\n\taction = keep\n} %llu %s",
		       (unsigned long long)until, own_name());
	assert_string_equal(f->ruled, expected);
	reply = call_ok(f, "HoldRule", "sst", "day", "action = keep", NEVER);
	(void)snprintf(expected, sizeof(expected), "day {action = keep} %llu %s held",
		       (unsigned long long)NEVER, own_name());
	assert_string_equal(f->ruled, expected);
	assert_true(fake_lease_is_held(f));
	sd_bus_message_unref(reply);
	fake_run_until(f, !fake_lease_is_held(f));

	f->ruled[0] = '\0';
	assert_non_null(longest);
	memset(longest, 'a', 8192);
	longest[8192] = '\0';
	call_fails(f, "Invalid", "The rule's name is empty", "AddRule", "sst", "", "a = b", until);
	call_fails(f, "Invalid", NULL, "AddRule", "sst", NAME_64, "a = b", until);
	call_fails(f, "Invalid", NULL, "AddRule", "sst", "a\n", "a = b", until);
	call_fails(f, "Invalid", "The rule is empty", "AddRule", "sst", "a", "", until);
	call_fails(f, "Invalid", NULL, "AddRule", "sst", "a", "a = b\n\x1b[2J", until);
	call_fails(f, "Invalid", NULL, "AddRule", "sst", "a", "a = b\r\nc = d", until);
	call_fails(f, "Invalid", "The rule is too long: at most 8191 bytes are expected", "AddRule",
		   "sst", "a", longest, until);
	call_fails(f, "Invalid", "A rule that nobody holds needs a time when it ends", "AddRule",
		   "sst", "a", "a = b", NEVER);
	call_fails(f, "Invalid", "The rule would be over already", "AddRule", "sst", "a", "a = b",
		   now_usec(CLOCK_REALTIME) - USEC_PER_MIN);
	call_fails(f, "Invalid", NULL, "HoldRule", "sst", "a", "a = b", (uint64_t)0);
	assert_string_equal(f->ruled, "");
	longest[8191] = '\0';
	call_done(f, "AddRule", "sst", "a", longest, until);

	f->rule_result = -EINVAL;
	f->error = "rule a:1: a \x01 is expected";
	call_fails(f, "Invalid", "rule a:1: a \\x01 is expected", "HoldRule", "sst", "a", "a = b",
		   until);
	f->error = NULL;
	f->rule_result = -EEXIST;
	call_fails(f, "Exists", NULL, "HoldRule", "sst", "a", "a = b", until);
	f->rule_result = -E2BIG;
	call_fails(f, "LimitExceeded", NULL, "AddRule", "sst", "a", "a = b", until);
}

static void test_remove_rule(void **state)
{
	struct fake *f = get_as_root(state);
	char expected[128];

	call_done(f, "RemoveRule", "s", "night");
	(void)snprintf(expected, sizeof(expected), "night %s", own_name());
	assert_string_equal(f->removed, expected);
	f->rule_result = -ENOENT;
	call_fails(f, "NoSuchRule", "There is no temporary rule of that name", "RemoveRule", "s",
		   "night");
}

static void test_list_rules(void **state)
{
	static char config[] = "[rule ram]\nmatch-mode = system-ram\nheadroom = 2G\naction = free\n"
			       "[rule rest]\nmatch-tag = *\naction = keep\n";
	struct fake *f = fake_get(state);
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *none = NULL, *reply = NULL;
	_cleanup_free_ char *empty = NULL, *text = NULL, *error = NULL;
	_cleanup_fclose_ FILE *file = fmemopen(config, strlen(config), "r");

	none = call_ok(f, "ListRules", NULL);
	empty = dump(none);
	assert_string_equal(empty, "[]");
	assert_non_null(file);
	if (policy_parse("/x/dcdd.conf", file, &f->policy, &error) < 0)
		fail_msg("%s", error);
	assert_int_equal(policy_add_temporary(&f->policy, "now", "match-tag = *\naction = keep\n",
					      1234, "uid 0", &error),
			 0);
	reply = call_ok(f, "ListRules", NULL);
	assert_string_equal(sd_bus_message_get_signature(reply, true), "aa{sv}");
	text = dump(reply);
	/* In the order in which they are tried. */
	assert_non_null(startswith(text, "[[Name='now';Temporary=true ;Until=1234 ;Who='uid 0';"
					 "File='';Line=0 ;Text='match-tag = *\naction = keep\n';]"
					 "[Name='ram';Temporary=false ;"
					 "Until=18446744073709551615 ;Who='';File='/x/dcdd.conf';"
					 "Line=1 ;Text='"));
	assert_non_null(strstr(text, "match-mode = system-ram\n"));
	assert_non_null(strstr(text, "headroom = 2G\n"));
	assert_non_null(strstr(text, "[Name='rest';"));
	assert_non_null(strstr(text, "Line=5 ;Text='match-tag = *\naction = keep\n';]]"));
}

#define BUS_TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUS_TEST(test_only_root),  BUS_TEST(test_answers),
		BUS_TEST(test_reload),	   BUS_TEST(test_snapshot),
		BUS_TEST(test_inhibit),	   BUS_TEST(test_list_inhibitors),
		BUS_TEST(test_add_rule),   BUS_TEST(test_remove_rule),
		BUS_TEST(test_list_rules),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("bus-admin", tests, NULL, NULL);
}
