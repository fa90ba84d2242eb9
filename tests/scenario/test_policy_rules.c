/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people do with the policy of a daemon that runs: rules for a while, why a decision is as it
 * is, and the same decision elsewhere.
 */
#include "installed.h"

#define EXIT_REFUSED 6 /* dcdctl(1) */
#define EXIT_WAIT 7
#define EXIT_NO_SUCH_OBJECT 5

static const struct scenario_options at_once = { .config = AT_ONCE };
static const struct scenario_options keeps = { .config = AT_ONCE "system-ram = keep\n" };

/* ---- rules for a while ---- */

/* The rule at that place of the list (caller puts), NULL if it is shorter. */
static struct json_object *rule_at(struct scenario *s, size_t i)
{
	_cleanup_json_ struct json_object *list = NULL;
	_cleanup_free_ char *output = NULL;

	assert_int_equal(command(s, &output, "dcdctl policy rules --json"), 0);
	list = json_tokener_parse(output);
	assert_true(json_object_is_type(list, json_type_array));
	return json_object_get(json_object_array_get_idx(list, i));
}

static void assert_rule(struct scenario *s, size_t i, const char *name, const char *text)
{
	_cleanup_json_ struct json_object *rule = rule_at(s, i);

	assert_non_null(rule);
	assert_string_equal(member_string(rule, "name"), name);
	assert_true(member_bool(rule, "temporary"));
	assert_non_null(strstr(member_string(rule, "who"), "uid 0, pid "));
	assert_non_null(strstr(member_string(rule, "text"), text));
}

static void assert_no_rule(struct scenario *s, size_t i)
{
	_cleanup_json_ struct json_object *rule = rule_at(s, i);

	assert_null(rule);
}

/* Asked for; kept by that rule, which the reason and `explain` name. */
static void assert_kept(struct scenario *s, const char *rule, const struct host *before)
{
	_cleanup_free_ char *output = NULL;
	char text[128];

	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	(void)snprintf(text, sizeof(text), "which rule \"%s\" keeps", rule);
	assert_refused(s, TAG_A, text, before);
	assert_int_equal(command(s, &output, "dcdctl policy explain " TAG_A), EXIT_REFUSED);
	(void)snprintf(text, sizeof(text), "\nrule: %s (temporary, by uid 0, pid ", rule);
	if (!strstr(output, text))
		scenario_fail(s, "\"%s\" is not in:\n%s", text, output);
}

SCENARIO(rule_lasts_as_long_as_the_command)
{
	struct host *empty = host_save(s), *before;

	RAM(s);
	before = host_save(s);
	hold_begin(s, "policy add quiet match-tag=5be13bce-* action=keep message='ask Ann'");
	daemon_wait_log(s, "Temporary rule \"quiet\" set by uid 0, pid ");
	assert_rule(s, 0, "quiet", "match-tag = 5be13bce-*\naction = keep\n");
	assert_kept(s, "quiet", before);
	assert_true(daemon_log_has(s, "keeps: ask Ann"));

	/* It is nobody's file. */
	daemon_reload(s, AT_ONCE "retries = 7\n");
	daemon_wait_log(s, "The new configuration is in force");
	assert_rule(s, 0, "quiet", "action = keep\n");
	assert_kept(s, "quiet", before);

	assert_int_equal(hold_end(s), HOLD_STATUS);
	daemon_wait_log(s, "Temporary rule \"quiet\" is over: who set it has let go of it");
	assert_no_rule(s, 0);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_goes_on(s, TAG_A, empty);
}

SCENARIO(rule_ends_at_its_time)
{
	struct host *before = host_save(s);

	RAM(s);
	manager_wait_idle(s);
	assert_int_equal(command(s, NULL,
				 "dcdctl policy add later --for 3s match-tag='*' action=ask "
				 "message='not before Monday'"),
			 0);
	assert_rule(s, 0, "later", "action = ask\n");
	ask_and_wait(s, TAG_A, "held", "not before Monday");
	assert_false(daemon_log_has(s, "is over"));
	assert_goes_on(s, TAG_A, before);
	assert_true(daemon_log_has(s, "Temporary rule \"later\" is over: its time has come"));
	assert_no_rule(s, 0);
}

/* With a command and a time: whichever is first, here the time. */
SCENARIO(rule_ends_before_the_command)
{
	struct host *before = host_save(s);

	RAM(s);
	manager_wait_idle(s);
	hold_begin(s, "policy add both --for 3s match-tag='*' action=ask");
	ask_and_wait(s, TAG_A, "held", "rule \"both\" asks");
	assert_goes_on(s, TAG_A, before);
	assert_true(daemon_log_has(s, "Temporary rule \"both\" is over: its time has come"));
	assert_int_equal(hold_end(s), HOLD_STATUS);
}

SCENARIO(rule_ends_with_a_killed_client)
{
	struct host *before = host_save(s);
	_cleanup_free_ char *pid = NULL;

	RAM(s);
	assert_int_equal(command(s, &pid,
				 "dcdctl policy add gone match-tag='*' action=ask >/dev/null 2>&1 "
				 "& echo $!"),
			 0);
	daemon_wait_log(s, "Temporary rule \"gone\" set by");
	ask_and_wait(s, TAG_A, "held", "rule \"gone\" asks");
	assert_quiet(s);
	assert_int_equal(kill(atoi(pid), SIGKILL), 0);
	assert_goes_on(s, TAG_A, before);
	assert_true(daemon_log_has(s, "Temporary rule \"gone\" is over: who set it has let go"));
	assert_no_rule(s, 0);
}

/* By another hand; the command is none of that hand's business. */
SCENARIO(rule_is_removed)
{
	struct host *before = host_save(s);

	RAM(s);
	hold_begin(s, "policy add quiet match-tag='*' action=ask");
	ask_and_wait(s, TAG_A, "held", "rule \"quiet\" asks");
	assert_quiet(s);
	assert_int_equal(command(s, NULL, "dcdctl policy remove quiet"), 0);
	assert_true(daemon_log_has(s, "Temporary rule \"quiet\" is over: removed by uid 0, pid "));
	assert_goes_on(s, TAG_A, before);
	assert_int_equal(hold_end(s), HOLD_STATUS);
	assert_int_equal(command(s, NULL, "grep 'rule quiet is over' %s/hold.log", scenario_dir(s)),
			 0);
	assert_int_equal(command(s, NULL, "dcdctl policy remove quiet"), EXIT_NO_SUCH_OBJECT);
}

/* In front of those of files, and the newest in front of all. */
SCENARIO(newest_rule_is_the_first)
{
	struct host *empty = host_save(s), *before;

	RAM(s);
	before = host_save(s);
	assert_int_equal(
		command(s, NULL, "dcdctl policy add may --for 1h match-tag='*' action=free"), 0);
	assert_int_equal(
		command(s, NULL, "dcdctl policy add not --for 1h match-tag='5*' action=keep"), 0);
	assert_rule(s, 0, "not", "action = keep\n");
	assert_rule(s, 1, "may", "action = free\n");
	assert_kept(s, "not", before);
	assert_int_equal(command(s, NULL, "dcdctl policy remove not"), 0);
	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	assert_goes_on(s, TAG_A, empty);
}

/* Without its rule the command is not run. */
SCENARIO(rule_is_not_taken)
{
	static const struct {
		const char *arguments, *message;
	} wrong[] = {
		{ "bad match-tag='*' acton=keep", "did you mean \"action\"?" },
		{ "bad action=keep", "match" },
		{ "bad match-tag='*' action=keep holders=terminate", "terminate-units" },
		{ "there match-tag='*' action=keep", "There is a temporary rule of that name" },
		{ "bad --until='@1' match-tag='*' action=keep", "" },
	};
	struct host *before = host_save(s);

	assert_int_equal(
		command(s, NULL, "dcdctl policy add there --for 1h match-tag='*' action=keep"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_free_ char *output = NULL;

		assert_int_not_equal(command(s, &output, "dcdctl policy add %s -- touch %s/ran",
					     wrong[i].arguments, scenario_dir(s)),
				     0);
		if (!strstr(output, wrong[i].message))
			scenario_fail(s, "%s: \"%s\" is not in:\n%s", wrong[i].arguments,
				      wrong[i].message, output);
		assert_int_not_equal(command(s, NULL, "test -e %s/ran", scenario_dir(s)), 0);
	}
	assert_no_rule(s, 1);
	host_assert_same(s, before);
}

/* ---- why, and the same elsewhere ---- */

#define THREE                                                                                      \
	"[daemon]\nsettle-time = 50ms\nlog-level = debug\n"                                        \
	"[release]\nwindows = 00:00-24:00\npressure-some = 10%\nrate-bytes = 100G\n"               \
	"reserve-host = 128M\nnode-headroom = 64M\n" NO_LOOKS                                      \
	"[rule ask]\nmatch-tag = 5be13bce-*\naction = ask\nmessage = ask Ann\n"                    \
	"[rule keep]\nmatch-tag = 0e1c3b5d-*\naction = keep\nmessage = mine\n"

/* A decision of each kind; "nothing claims it" is the fourth. */
static const struct {
	const char *tag, *verdict, *rule, *state;
	int status;
	size_t n_conditions;
} three[] = {
	{ TAG_A, "wait", "ask", "held", EXIT_WAIT, 9 },
	{ TAG_B, "refuse", "keep", "refused", EXIT_REFUSED, 0 },
	{ TAG_C, "free", "default", "ready", 0, 9 },
};

static void start_three(struct scenario *s)
{
	installed_prepare(s);
	installed_write(s, ETC "dcdd.conf", THREE);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
	for (size_t i = 0; i < ARRAY_SIZE(three); i++)
		(void)SIM_RAM(s, "mem0", three[i].tag, EXTENT(i * GiB, 256 * MiB));
	manager_wait_idle(s);
}

static void explain(struct scenario *s, const char *tag, int status, char **ret)
{
	assert_int_equal(command(s, ret, "dcdctl policy explain %s", tag), status);
}

/* Each line of it is in the journal, as one about the release of @tag. */
static void assert_in_journal(struct scenario *s, const char *tag, char *text)
{
	char *save = NULL, expected[640];
	unsigned n = 0;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save), n++) {
		(void)snprintf(expected, sizeof(expected), "Release of %s on mem0: %s [tag=", tag,
			       l);
		if (!daemon_log_has(s, expected))
			scenario_fail(s, "not in the journal: %s", expected);
	}
	assert_true(n >= 2);
}

static void assert_json(struct scenario *s, size_t i, const char *text)
{
	_cleanup_json_ struct json_object *decision = NULL;
	struct json_object *conditions;
	_cleanup_free_ char *output = NULL;

	assert_int_equal(command(s, &output, "dcdctl policy explain %s --json", three[i].tag),
			 three[i].status);
	decision = json_tokener_parse(output);
	assert_string_equal(member_string(decision, "verdict"), three[i].verdict);
	assert_string_equal(member_string(decision, "rule"), three[i].rule);
	assert_string_equal(member_string(decision, "memdev"), "mem0");
	assert_string_equal(member_string(decision, "text"), text);
	conditions = member(decision, "conditions");
	assert_int_equal(json_object_array_length(conditions), three[i].n_conditions);
	for (size_t j = 0; j < three[i].n_conditions; j++) {
		struct json_object *condition = json_object_array_get_idx(conditions, j);
		char line[512];

		(void)snprintf(
			line, sizeof(line), "\n%s: %s, %s (limit: %s)",
			member_string(condition, "kind"), member_string(condition, "outcome"),
			member_string(condition, "measured"), member_string(condition, "limit"));
		assert_non_null(strstr(text, line));
	}
}

SCENARIO(explained_as_in_the_journal)
{
	struct host *before;
	uint64_t since;

	start_three(s);
	before = host_save(s);
	since = sim_log_next(s);
	for (size_t i = 0; i < ARRAY_SIZE(three); i++) {
		_cleanup_free_ char *text = NULL;

		explain(s, three[i].tag, three[i].status, &text);
		assert_true(startswith(text, three[i].verdict));
		assert_json(s, i, text);
		/* Asking changes nothing; then it is asked for. */
		assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
		host_assert_same(s, before);
		assert_int_equal(sim_release(s, "mem0", three[i].tag), -EBUSY);
		release_wait_state(s, three[i].tag, three[i].state, 15);
		assert_in_journal(s, three[i].tag, text);
	}
	{
		_cleanup_free_ char *text = NULL;

		explain(s, TAG_C, 0, &text);
		assert_true(startswith(text, "nothing: "));
	}
	assert_int_equal(
		command(s, NULL, "dcdctl policy explain d0000000-0000-4000-8000-000000000001"),
		EXIT_NO_SUCH_OBJECT);
}

/* Its first line names the group, which who asks about one group knows. */
static const char *second_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end ? end + 1 : "";
}

SCENARIO(same_verdict_elsewhere)
{
	_cleanup_free_ char *all = NULL;
	struct host *before;
	const char *file;
	char options[256];

	start_three(s);
	before = host_save(s);
	file = scenario_file(s, "three.conf", THREE);
	assert_int_equal(command(s, NULL, "dcdctl inventory --json >%s/host.json", scenario_dir(s)),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(three); i++) {
		_cleanup_free_ char *here = NULL, *installed_one = NULL, *piped = NULL;

		explain(s, three[i].tag, three[i].status, &here);
		/* With the files of the host, every word. */
		(void)snprintf(options, sizeof(options),
			       "policy test --inventory=%s/host.json --tag=%s", scenario_dir(s),
			       three[i].tag);
		assert_int_equal(inside(s, &installed_one, "dcdctl", options), three[i].status);
		assert_string_equal(second_line(installed_one), here);
		assert_true(startswith(installed_one, three[i].tag));

		/* With another that says the same, all but where the rule stands. */
		assert_int_equal(command(s, &piped,
					 "dcdctl inventory --json | dcdctl policy test --config %s "
					 "--inventory - --tag %s",
					 file, three[i].tag),
				 three[i].status);
		assert_int_equal(
			strncmp(second_line(piped), here, (size_t)(second_line(here) - here)), 0);
		assert_string_equal(second_line(second_line(second_line(piped))),
				    second_line(second_line(here)));
	}
	/* Of all the worst, and by another policy another one. */
	assert_int_equal(command(s, &all, "dcdctl policy test --config %s --inventory %s/host.json",
				 file, scenario_dir(s)),
			 EXIT_REFUSED);
	for (size_t i = 0; i < ARRAY_SIZE(three); i++)
		assert_non_null(strstr(all, three[i].tag));
	file = scenario_file(s, "empty.conf", "");
	assert_int_equal(command(s, NULL, "dcdctl policy test --config %s --inventory %s/host.json",
				 file, scenario_dir(s)),
			 0);
	file = scenario_file(s, "wrong.conf", "[release]\nretrys = 3\n");
	assert_int_equal(command(s, NULL, "dcdctl policy test --config %s --inventory %s/host.json",
				 file, scenario_dir(s)),
			 1);
	host_assert_same(s, before);
}

/* And without the host: the daemon has ended, and is not asked. */
SCENARIO(same_verdict_without_a_daemon)
{
	struct host *before;
	const char *file;

	start_three(s);
	before = host_save(s);
	file = scenario_file(s, "three.conf", THREE);
	assert_int_equal(command(s, NULL, "dcdctl inventory --json >%s/host.json", scenario_dir(s)),
			 0);
	daemon_stop(s);
	for (size_t i = 0; i < ARRAY_SIZE(three); i++)
		assert_int_equal(command(s, NULL,
					 "dcdctl policy test --config %s --inventory %s/host.json "
					 "--tag %s",
					 file, scenario_dir(s), three[i].tag),
				 three[i].status);
	assert_int_equal(command(s, NULL,
				 "dcdctl policy test --config %s --inventory %s/host.json --tag "
				 "%s --approved",
				 file, scenario_dir(s), TAG_A),
			 0);
	assert_int_equal(command(s, NULL, "dcdctl policy explain " TAG_A), 3);
	host_assert_same(s, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scenario_test_with(rule_lasts_as_long_as_the_command, &at_once),
		scenario_test_with(rule_ends_at_its_time, &at_once),
		scenario_test_with(rule_ends_before_the_command, &at_once),
		scenario_test_with(rule_ends_with_a_killed_client, &at_once),
		scenario_test_with(rule_is_removed, &at_once),
		scenario_test_with(newest_rule_is_the_first, &keeps),
		scenario_test_with(rule_is_not_taken, &at_once),
		scenario_test_with(explained_as_in_the_journal, &installed),
		scenario_test_with(same_verdict_elsewhere, &installed),
		scenario_test_with(same_verdict_without_a_daemon, &installed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
