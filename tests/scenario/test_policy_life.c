/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a configuration: found in its directories, refused, replaced while releases wait and
 * run, and tried without doing anything.
 */
#include <sys/wait.h>

#include "installed.h"
#include "six_blocks.h"

#define DROP_IN(name) ETC D name

static void start(struct scenario *s, const char *main_file)
{
	installed_prepare(s);
	installed_write(s, ETC "dcdd.conf", main_file);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
}

static void reload_with(struct scenario *s, const char *main_file)
{
	installed_write(s, ETC "dcdd.conf", main_file);
	installed_reload(s);
}

/* ---- where it is ---- */

/* The rules in force are those, by "NAME FILE" and in that order. */
static void assert_rules(struct scenario *s, const char *const *rules, size_t n)
{
	_cleanup_free_ char *output = NULL;
	_cleanup_json_ struct json_object *list = NULL;

	assert_int_equal(command(s, &output, "dcdctl policy rules --json"), 0);
	list = json_tokener_parse(output);
	assert_true(json_object_is_type(list, json_type_array));
	for (size_t i = 0; i < MAX(n, json_object_array_length(list)); i++) {
		struct json_object *rule = json_object_array_get_idx(list, i);
		char text[256] = "none";

		if (rule)
			(void)snprintf(text, sizeof(text), "%s %s", member_string(rule, "name"),
				       member_string(rule, "file"));
		assert_string_equal(text, i < n ? rules[i] : "none");
	}
}

static void write_vendor_files(struct scenario *s)
{
	/* The main file: the first of three. */
	installed_write(s, USR "dcdd.conf", "[release]\nsystem-ram = keep\n");
	installed_write(s, RUN "dcdd.conf",
			AT_ONCE "[rule main]\nmatch-tag = 0e1c3b5d-*\naction = ask\n");
	/* One file in the place of another. */
	installed_write(s, USR D "10-first.conf",
			"[rule vendor]\nmatch-tag = *\naction = keep\nmessage = by the vendor\n");
	installed_write(s, RUN D "10-first.conf",
			"[rule runtime]\nmatch-tag = 5be13bce-*\naction = keep\n"
			"message = until the next boot\n");
	/* Nothing in its place, in both ways. */
	installed_write(s, USR D "20-null.conf", "[rule null]\nmatch-tag = *\naction = keep\n");
	installed_write(s, RUN D "30-empty.conf", "[rule empty]\nmatch-tag = *\naction = keep\n");
	installed_write(s, DROP_IN("30-empty.conf"), "");
	installed_write(s, USR D "40-last.conf", "[release]\nmessage = Ann knows\n");
	/* No drop-ins. */
	installed_write(s, USR D "50-note.txt", "not for the daemon");
	installed_write(s, USR D ".hidden.conf", "not for the daemon");
}

SCENARIO(drop_ins_are_masked)
{
	static const char *const masked[] = {
		"runtime /run/dcdd/dcdd.conf.d/10-first.conf",
		"main /run/dcdd/dcdd.conf",
	};
	static const char *const unmasked[] = {
		"vendor /usr/lib/dcdd/dcdd.conf.d/10-first.conf",
		"null /usr/lib/dcdd/dcdd.conf.d/20-null.conf",
		"main /run/dcdd/dcdd.conf",
	};
	char root[96];
	struct host *before;

	installed_prepare(s);
	write_vendor_files(s);
	assert_int_equal(command(s, NULL, "ln -s /dev/null %s/" DROP_IN("20-null.conf"),
				 installed_root(s, root)),
			 0);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
	assert_rules(s, masked, ARRAY_SIZE(masked));
	RAM(s);
	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(1024 * MiB, 256 * MiB));
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_refused(s, TAG_A, "until the next boot", before);
	ask_and_wait(s, TAG_B, "held", "Ann knows");

	installed_remove(s, DROP_IN("20-null.conf"));
	installed_remove(s, RUN D "10-first.conf");
	installed_reload(s);
	assert_rules(s, unmasked, ARRAY_SIZE(unmasked));
	assert_refused(s, TAG_B, "by the vendor", before);
	assert_true(daemon_log_has(s, "New configuration: rule runtime: removed"));
	assert_true(daemon_log_has(s, "New configuration: rule vendor: added"));
	assert_true(daemon_log_has(s, "New configuration: rule null: added"));

	/* An administrator's own main file hides the other two. */
	installed_remove(s, USR D "20-null.conf");
	reload_with(s, "[release]\nsystem-ram = ask\n");
	assert_rules(s, unmasked, 1);
	assert_true(daemon_log_has(s, "New configuration: rule main: removed"));
	assert_true(daemon_log_has(s, "New configuration: [release] system-ram: free -> ask"));
}

/* ---- one that is wrong ---- */

struct wrong {
	const char *drop_in, *message;
};

static const struct wrong wrong[] = {
	{ "[release]\nretrys = 3\n",
	  DROP_IN("50-wrong.conf") ":2: unknown key \"retrys\" in [release], did you mean "
				   "\"retries\"?" },
	{ "[relaese]\n", DROP_IN("50-wrong.conf") ":1: unknown section" },
	{ "\n[daemon]\nsettle-time = 5\n", DROP_IN("50-wrong.conf") ":3: settle-time = \"5\"" },
	/* Each file is right by itself. */
	{ "[release]\nbackoff-initial = 10min\n",
	  DROP_IN("50-wrong.conf") ":2: backoff-initial = 10min is longer than backoff-max = "
				   "5min" },
	{ "[rule twice]\nmatch-tag = b*\naction = keep\n", DROP_IN("50-wrong.conf") ":1: " },
};

static const char right[] = "[release]\nbackoff-max = 5min\n"
			    "[rule twice]\nmatch-tag = a*\naction = keep\n";

SCENARIO(wrong_configuration_is_refused)
{
	struct host *before = host_save(s);
	uint64_t since = sim_log_next(s);
	char root[96];

	installed_prepare(s);
	installed_write(s, ETC "dcdd.conf", right);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_free_ char *output = NULL;
		char message[256];

		installed_write(s, DROP_IN("50-wrong.conf"), wrong[i].drop_in);
		daemon_launch(s, DAEMON_SYSTEM_CONFIG, NULL);
		assert_int_equal(daemon_wait(s), 78);
		(void)snprintf(message, sizeof(message), "Bad configuration: /%s",
			       wrong[i].message);
		daemon_wait_log(s, message);
		/* It could have been known before. */
		assert_int_equal(command(s, &output, "dcdd --check-config --root=%s",
					 installed_root(s, root)),
				 1);
		assert_non_null(strstr(output, wrong[i].message));
	}
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	host_assert_same(s, before);
}

SCENARIO(configuration_that_cannot_be_read)
{
	struct host *before = host_save(s);
	char root[96];

	installed_prepare(s);
	assert_int_equal(
		command(s, NULL, "mkdir %s/" DROP_IN("50-dir.conf"), installed_root(s, root)), 0);
	daemon_launch(s, DAEMON_SYSTEM_CONFIG, NULL);
	assert_int_equal(daemon_wait(s), 78);
	assert_true(
		daemon_log_has(s, "Bad configuration: /" DROP_IN("50-dir.conf") " is a directory"));
	host_assert_same(s, before);
}

/* All of the new one or nothing of it: one file would free what is held, the other is wrong. */
SCENARIO(wrong_reload_changes_nothing)
{
	static const char message[] = "/" DROP_IN("50-wrong.conf") ":2: unknown key \"retrys\"";
	_cleanup_free_ char *output = NULL;
	struct host *before = host_save(s);

	start(s, AT_ONCE "system-ram = ask\n");
	RAM(s);
	ask_and_wait(s, TAG_A, "held", "asks for approval");
	installed_write(s, DROP_IN("10-right.conf"), "[release]\nsystem-ram = free\n");
	installed_write(s, DROP_IN("50-wrong.conf"), "[release]\nretrys = 3\n");
	installed_signal(s);
	daemon_wait_log(s, "Keeping the old configuration: /" DROP_IN("50-wrong.conf") ":2: ");
	assert_int_equal(command(s, &output, "dcdctl reload"), 1);
	if (!strstr(output, message))
		scenario_fail(s, "\"%s\" is not in: %s", message, output);
	release_wait_state(s, TAG_A, "held", 1);
	assert_int_equal(command(s, NULL, "dcdctl policy explain " TAG_A), 7);
	assert_false(daemon_log_has(s, "New configuration"));

	installed_remove(s, DROP_IN("50-wrong.conf"));
	installed_signal(s);
	assert_goes_on(s, TAG_A, before);
	assert_true(daemon_log_has(s, "New configuration: [release] system-ram: ask -> free"));
	assert_true(daemon_log_has(s, "The new configuration is in force"));
}

/* ---- one that is replaced ---- */

SCENARIO(held_release_is_decided_again)
{
	struct host *before;

	start(s, AT_ONCE "system-ram = ask\n[rule a]\nmatch-tag = 5be13bce-*\nretries = 1\n"
			 "[rule gone]\nmatch-tag = a*\naction = keep\n");
	RAM(s);
	before = host_save(s);
	ask_and_wait(s, TAG_A, "held", "asks for approval");
	assert_quiet(s);
	reload_with(s, "[daemon]\nlog-level = debug\n"
		       "[rule new]\nmatch-tag = b*\naction = keep\n"
		       "[rule a]\nmatch-tag = 5be13bce-*\naction = keep\nmessage = not any more\n");
	assert_refused(s, TAG_A, "not any more", before);
	assert_true(daemon_log_has(s, "New configuration: [daemon] log-level: info -> debug"));
	assert_true(daemon_log_has(s, "New configuration: [release] system-ram: ask -> free"));
	assert_true(daemon_log_has(s, "New configuration: [release] backoff-initial: 1h -> "));
	assert_true(daemon_log_has(s, "New configuration: rule a: action: not set -> keep"));
	assert_true(daemon_log_has(s, "New configuration: rule a: retries: 1 -> not set"));
	assert_true(daemon_log_has(s, "New configuration: rule gone: removed"));
	assert_true(daemon_log_has(s, "New configuration: rule new: added"));
}

/* What failed, with the next try in an hour, and what was refused, not to be asked for one more. */
SCENARIO(deferred_and_refused_are_decided_again)
{
	_cleanup_json_ struct json_object *release = NULL;
	struct host *empty = host_save(s), *before;

	start(s, "[daemon]\nrefuse-hold = 1h\n[release]\n" NO_LOOKS
		 "[rule b]\nmatch-tag = 0e1c3b5d-*\naction = keep\n");
	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(1024 * MiB, 256 * MiB));
	RAM(s);
	before = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	assert_refused(s, TAG_B, "which rule \"b\" keeps", before);
	(void)sim_fault_errno(s, "*/memory339/state", "offline", "EBUSY", 1, 1);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release = release_wait(s, TAG_A, "deferred", 15);
	assert_says(s, release, "memory339");
	host_assert_same(s, before);
	assert_quiet(s);

	reload_with(s, "[daemon]\nrefuse-hold = 1h\n[release]\n" NO_LOOKS);
	release_wait_state(s, TAG_A, "ready", 15);
	assert_int_equal(sim_release(s, "mem0", TAG_A), 0);
	release_wait_state(s, TAG_A, "released", 15);
	assert_int_equal(sim_release(s, "mem0", TAG_B), -EBUSY);
	assert_goes_on(s, TAG_B, empty);
}

/* By nothing of the new one: neither what may be freed nor how long it may take. */
SCENARIO(running_release_ends_as_it_began)
{
	struct host *before = host_save(s);
	struct host *with;
	unsigned fault;

	start(s, AT_ONCE);
	(void)claim_a(s);
	fault = hold_at_block(s, 2);
	reload_with(s, AT_ONCE "system-ram = keep\nblock-timeout = 100ms\n"
			       "release-timeout = 100ms\nretries = 0\n");
	assert_true(daemon_log_has(s, "New configuration: [release] system-ram: free -> keep"));
	assert_true(daemon_log_has(s, "New configuration: [release] block-timeout: "));
	(void)usleep(500 * 1000);
	release_wait_state(s, TAG_A, "offlining", 1);
	sim_release_hang(s, fault);
	assert_goes_on(s, TAG_A, before);

	(void)claim_a(s);
	with = host_save(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_refused(s, TAG_A, "keeps", with);
}

/* ---- one that is only tried ---- */

static void assert_dry(struct scenario *s, uint64_t since, const struct host *before)
{
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
	host_assert_same(s, before);
}

#define DRY "[daemon]\ndry-run = yes\nsettle-time = 50ms\nrefuse-hold = 0\n[release]\n" NO_LOOKS

SCENARIO(dry_run_says_what_it_would_do)
{
	static const char *const steps[] = {
		"would do: undo journal: save",	      "would do: memory338: offline-block",
		"would do: memory340: offline-block", "would do: dax0.1: unbind",
		"would do: dax0.1: size-zero",	      "would do: dax0.1: delete",
	};
	_cleanup_json_ struct json_object *release = NULL;
	struct host *before;
	uint64_t since;

	start(s, DRY "[rule b]\nmatch-tag = 0e1c3b5d-*\naction = ask\n");
	RAM(s);
	(void)SIM_RAM(s, "mem0", TAG_B, EXTENT(1024 * MiB, 256 * MiB));
	before = host_save(s);
	since = sim_log_next(s);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	release = release_wait(s, TAG_A, "refused", 15);
	assert_says(s, release, "dry run: would free it in 7 steps");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (!daemon_log_has(s, steps[i]))
			scenario_fail(s, "it does not say \"%s\"", steps[i]);
	assert_dry(s, since, before);
	assert_int_equal(scenario_journals(s, ""), 0);
	assert_true(manager_bool(s, "DryRun"));

	/* It waits as always; and that it is one does not change before the next start. */
	ask_and_wait(s, TAG_B, "held", "asks for approval");
	reload_with(s, AT_ONCE);
	assert_true(daemon_log_has(s, "dry-run = no takes effect when dcdd is started again"));
	json_object_put(release);
	release = release_wait(s, TAG_B, "refused", 15);
	assert_says(s, release, "dry run: would free it");
	assert_dry(s, since, before);
}

#define UNIT "dcdd-test-dry.service"

SCENARIO(dry_run_ends_nobody)
{
	struct host *before;
	uint64_t since;
	pid_t pid;

	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB));
	pid = holder_start(s, sim_claim(s, "mem0", TAG_A, "device_dax", "offline"), true);
	enter_unit(s, pid, UNIT);
	start(s, DRY "devdax = free\nholders = terminate\nterminate-units = dcdd-test-*\n"
		     "terminate-grace = 100ms\nholders-wait = 1s\n"
		     "ignore-unseen-processes = yes\n");
	before = host_save(s);
	since = sim_log_next(s);
	ask_and_wait(s, TAG_A, "draining", "which is to be terminated");
	release_wait_state(s, TAG_A, "refused", 15);
	assert_dry(s, since, before);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_false(daemon_log_has(s, "sent SIG"));
	holder_stop(s, pid);
	leave_unit(s, UNIT);
}

/* What a daemon before it left half done is left so, and is put back by the one after it. */
SCENARIO(dry_run_leaves_the_undo_journals)
{
	struct host *whole, *half;
	_cleanup_free_ char *sums = NULL, *now = NULL;
	uint64_t since;

	start(s, AT_ONCE);
	(void)claim_a(s);
	whole = host_save(s);
	(void)hold_at_block(s, 3);
	daemon_crash(s);
	sim_fault_clear(s);
	half = host_save(s);
	assert_true(host_compare(whole, half, false) > 0);
	assert_int_equal(command(s, &sums, "cksum %s/*.undo", scenario_state_dir(s)), 0);

	installed_write(s, ETC "dcdd.conf", DRY);
	since = sim_log_next(s);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
	daemon_wait_log(s, "This is a dry run");
	manager_wait_idle(s);
	assert_dry(s, since, half);
	assert_int_equal(command(s, &now, "cksum %s/*.undo", scenario_state_dir(s)), 0);
	assert_string_equal(now, sums);
	daemon_stop(s);

	installed_write(s, ETC "dcdd.conf", AT_ONCE);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
	release_wait_state(s, TAG_A, "refused", 15);
	host_assert_same(s, whole);
}

/* ---- one that is looked at ---- */

/* Of files in two directories, with rules in both. */
static void write_some(struct scenario *s)
{
	installed_write(s, USR "dcdd.conf",
			"[release]\nheadroom = 1G\nwindows = Mon..Fri 22:00-06:00, Sun "
			"00:00-24:00\n"
			"[rule main]\nmatch-tag = a*\nmatch-mode = devdax fsdev\naction = ask\n"
			"message = ask Ann\n");
	installed_write(s, DROP_IN("20-b.conf"),
			"[daemon]\nconcurrency = 2\n[release]\nheadroom = 2G\npressure-some = "
			"12.5%\nholders = terminate\nterminate-units = batch-*.scope\n"
			"[rule b]\nmatch-size = 1G-64G\nmatch-sharable = no\nretries = 9\n");
	installed_write(s, DROP_IN("10-a.conf"),
			"[rule a]\nmatch-memdev = mem1 0x1c0ffee5\nmatch-node = 2,3\n"
			"system-ram = keep\n");
}

SCENARIO(configuration_is_checked)
{
	_cleanup_free_ char *here = NULL, *there = NULL, *wrong_one = NULL, *right_one = NULL;
	struct host *before = host_save(s);
	char root[96], expected[512];
	const char *file;

	installed_prepare(s);
	write_some(s);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
	assert_int_equal(inside(s, &here, "dcdd", "--check-config"), 0);
	assert_string_equal(here, "/usr/lib/dcdd/dcdd.conf: ok\n"
				  "/etc/dcdd/dcdd.conf.d/10-a.conf: ok\n"
				  "/etc/dcdd/dcdd.conf.d/20-b.conf: ok\n");
	assert_int_equal(
		command(s, &there, "dcdd --check-config --root=%s", installed_root(s, root)), 0);
	(void)snprintf(expected, sizeof(expected),
		       "%s/usr/lib/dcdd/dcdd.conf: ok\n%s/etc/dcdd/dcdd.conf.d/10-a.conf: ok\n"
		       "%s/etc/dcdd/dcdd.conf.d/20-b.conf: ok\n",
		       root, root, root);
	assert_string_equal(there, expected);

	file = scenario_file(s, "right.conf", "[release]\nretries = 4\n");
	assert_int_equal(command(s, &right_one, "dcdd --check-config %s", file), 0);
	(void)snprintf(expected, sizeof(expected), "%s: ok\n", file);
	assert_string_equal(right_one, expected);
	file = scenario_file(s, "wrong.conf", "[release]\n\nretries = many\n");
	assert_int_equal(command(s, &wrong_one, "dcdd --check-config %s", file), 1);
	(void)snprintf(expected, sizeof(expected), "%s:3: retries = \"many\"", file);
	assert_non_null(strstr(wrong_one, expected));
	/* The daemon has noticed nothing of all that. */
	assert_false(daemon_log_has(s, "onfiguration"));
	host_assert_same(s, before);
}

/* A dump, read in place of the files that it is of, says the same to all who read it. */
SCENARIO(dump_reads_back)
{
	_cleanup_free_ char *dump = NULL, *again = NULL, *lines = NULL;
	struct host *before = host_save(s);
	const char *file;

	installed_prepare(s);
	write_some(s);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
	assert_int_equal(inside(s, &dump, "dcdd", "--dump-config"), 0);
	assert_non_null(strstr(dump, "# From /etc/dcdd/dcdd.conf.d/20-b.conf\n"));
	assert_non_null(strstr(dump, "\nheadroom = 2G\n"));
	assert_non_null(strstr(dump, "\nterminate-units = batch-*.scope\n"));
	assert_non_null(strstr(dump, "\n# /etc/dcdd/dcdd.conf.d/10-a.conf:1\n[rule a]\n"));
	file = scenario_file(s, "dump.conf", dump);
	assert_int_equal(command(s, NULL, "dcdd --check-config %s", file), 0);
	assert_int_equal(command(s, &again,
				 "dcdd --dump-config -c %s >%s.again && grep -v '^#' %s >%s.lines "
				 "&& grep -v '^#' %s.again | cmp - %s.lines",
				 file, file, file, file, file, file),
			 0);
	assert_int_equal(command(s, &lines, "grep -c = %s.lines", file), 0);
	assert_true(atoi(lines) > 60);

	installed_remove(s, USR "dcdd.conf");
	installed_remove(s, DROP_IN("10-a.conf"));
	installed_remove(s, DROP_IN("20-b.conf"));
	reload_with(s, dump);
	assert_true(daemon_log_has(s, "New configuration: it says the same as the old one"));
	/* And one that does not would be noticed. */
	installed_write(s, DROP_IN("20-b.conf"), "[release]\nheadroom = 3G\n");
	installed_reload(s);
	assert_true(daemon_log_has(s, "New configuration: [release] headroom: 2G -> 3G"));
	host_assert_same(s, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test_with(drop_ins_are_masked, &installed),
		scenario_test_with(wrong_configuration_is_refused, &installed),
		scenario_test_with(configuration_that_cannot_be_read, &installed),
		scenario_test_with(wrong_reload_changes_nothing, &installed),
		scenario_test_with(held_release_is_decided_again, &installed),
		scenario_test_with(deferred_and_refused_are_decided_again, &installed),
		scenario_test_with(running_release_ends_as_it_began, &installed),
		scenario_test_with(dry_run_says_what_it_would_do, &installed),
		scenario_test_with(dry_run_ends_nobody, &installed),
		scenario_test_with(dry_run_leaves_the_undo_journals, &installed),
		scenario_test_with(configuration_is_checked, &installed),
		scenario_test_with(dump_reads_back, &installed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
