/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conditions of a decision, the main case of each: met, waiting, refused when its time is over;
 * and what they come to together.
 */
#include "tests/unit/condition_world.h"

static void hold(struct world *w, bool mapped)
{
	w->devices[0].n_holders = w->inv.n_holders = 1;
	w->holders[0] = (struct holder){ .pid = 4711,
					 .open = true,
					 .mapped = mapped,
					 .comm = "postgres",
					 .unit = "postgresql.service",
					 .cgroup = "/system.slice/postgresql.service" };
}

static void test_all_met(_unused_ void **state)
{
	struct world w;

	world_init(&w);
	expect(&w, VERDICT_FREE, "dax0.1 (system-ram) can be freed: 2 memory blocks are online");
	for (unsigned i = 0; i < _CONDITION_MAX; i++) {
		assert_int_equal(condition(&w, i)->outcome, OUTCOME_MET);
		assert_true(*w.decision.conditions[i].measured && *w.decision.conditions[i].limit);
		assert_int_equal(w.request.since[i], 0);
	}
	assert_int_equal(w.decision.again, USEC_INFINITY);
}

static void test_keep_message(_unused_ void **state)
{
	struct world w;

	world_init(&w);
	w.policy.defaults.action[DAX_MODE_SYSTEM_RAM] = ACTION_KEEP;
	expect(&w, VERDICT_REFUSE, "which [release] keeps; \"system-ram = free\"");
	assert_true(w.decision.permanent);
	(void)str_copy(w.policy.defaults.message, RULE_TEXT_MAX, "quarter end\n");
	expect(&w, VERDICT_REFUSE,
	       "dax0.1 is in mode system-ram, which [release] keeps: quarter end\\x0a");
	assert_int_equal(w.decision.n_conditions, 0);
}

static void test_state(_unused_ void **state)
{
	struct world w;

	world_init(&w);
	w.region.error = -EIO;
	(void)str_copy(w.region.error_path, INVENTORY_PATH_MAX, "bus/x");
	/* Another rule may apply to what was not seen. */
	w.policy.defaults.action[DAX_MODE_SYSTEM_RAM] = ACTION_KEEP;
	expect_wait(&w, CONDITION_STATE, USEC_PER_MIN,
		    "bus/x could not be read (Input/output error), so not all of region0 is known",
		    "; waited 1min (state-wait)");
	world_init(&w);
	w.blocks[1].state = BLOCK_GOING_OFFLINE;
	expect(&w, VERDICT_WAIT, "memory9 of dax0.1 is in state going-offline");
	assert_true(w.decision.unsignalled);
	w.policy.defaults.state_wait = 0;
	expect(&w, VERDICT_REFUSE, "; not waited for (state-wait = 0)");
}

static void test_ask(_unused_ void **state)
{
	_cleanup_free_ char *text = NULL;
	struct world w;

	world_init(&w);
	w.policy.defaults.action[DAX_MODE_SYSTEM_RAM] = ACTION_ASK;
	(void)str_copy(w.policy.defaults.message, RULE_TEXT_MAX, "call 555");
	expect_wait(&w, CONDITION_APPROVAL, USEC_PER_HOUR,
		    "[release] asks for approval before dax0.1 (system-ram) is freed: call 555",
		    "; waited 1h (ask-timeout)");
	assert_false(w.decision.unsignalled);
	w.policy.defaults.ask_outcome = ACTION_FREE;
	expect(&w, VERDICT_FREE, "can be freed");
	/* It is free because nobody answered, and stays so although something else is not met. */
	w.blocks[0].state = BLOCK_UNKNOWN;
	expect(&w, VERDICT_WAIT, "in state unknown");
	assert_null(strstr(w.decision.reason, "more condition"));
	assert_true(condition_is_news(&w.decision.conditions[CONDITION_APPROVAL]));
	assert_int_equal(decision_explain(&w.decision, &text), 0);
	assert_non_null(strstr(text, "\napproval: met, none (limit: given): nobody answered within "
				     "1h (ask-timeout), and ask-outcome = free\n"));
	w.request.approval = APPROVAL_DENIED;
	(void)str_copy(w.request.answer, RULE_TEXT_MAX, "not on my watch");
	expect(&w, VERDICT_REFUSE, "denied it: not on my watch (and 1 more condition is not met)");
	w.request.approval = APPROVAL_GIVEN;
	w.blocks[0].state = BLOCK_ONLINE;
	expect(&w, VERDICT_FREE, "can be freed");
	assert_true(condition_is_news(&w.decision.conditions[CONDITION_APPROVAL]));
	assert_int_equal(w.request.since[CONDITION_APPROVAL], 0);
}

static void test_window(_unused_ void **state)
{
	struct world w;

	world_init(&w);
	/* 1970-01-01 10:00 UTC is a Thursday. */
	w.policy.defaults.windows = (struct time_windows){
		.items = { { .days = 1 << 3, .utc = true, .begin = 22 * 60, .end = 23 * 60 } },
		.n = 1,
	};
	expect_wait(&w, CONDITION_WINDOW, USEC_PER_HOUR,
		    "no time window is open, the next opens Thu 1970-01-01", "(windows-wait)");
	assert_int_equal(condition(&w, CONDITION_WINDOW)->again_wall, 22 * USEC_PER_HOUR);
	w.facts.realtime = 22 * USEC_PER_HOUR;
	expect(&w, VERDICT_FREE, "can be freed");
}

static void test_rate(_unused_ void **state)
{
	struct freed freed[] = {
		{ .when = NOW - 30 * USEC_PER_MIN, .memdev = "mem1", .bytes = 3 * BLOCK },
		{ .when = NOW - 50 * USEC_PER_MIN, .memdev = "mem0", .bytes = BLOCK },
		{ .when = NOW - 60 * USEC_PER_MIN, .memdev = "mem0", .bytes = 99 * BLOCK },
	};
	struct world w;

	world_init(&w);
	w.facts.freed = freed;
	w.facts.n_freed = ARRAY_SIZE(freed);
	w.policy.defaults.rate_bytes = 6 * BLOCK;
	expect(&w, VERDICT_FREE, "can be freed");
	w.policy.defaults.rate_bytes--;
	w.policy.defaults.rate_wait = USEC_PER_MIN;
	expect_wait(&w, CONDITION_RATE, USEC_PER_MIN, "512M was freed on the host in the last hour",
		    "(rate-wait)");
	world_init(&w);
	w.facts.freed = freed;
	w.facts.n_freed = ARRAY_SIZE(freed);
	w.policy.defaults.rate_bytes = 5 * BLOCK;
	expect(&w, VERDICT_WAIT, "(rate-bytes)");
	/* When the older one does not count any more. */
	assert_int_equal(w.decision.again, NOW + 10 * USEC_PER_MIN);
	w.policy.defaults.rate_groups = 1;
	expect(&w, VERDICT_WAIT, "(rate-bytes)");
	assert_int_equal(w.decision.again, NOW + 30 * USEC_PER_MIN);
	w.policy.defaults.rate_bytes = w.policy.defaults.rate_groups = 0;
	w.policy.defaults.rate_memdev_groups = 1;
	expect(&w, VERDICT_WAIT, "1 group was freed from mem0");
	assert_int_equal(w.decision.again, NOW + 10 * USEC_PER_MIN);
	/* Both at once: when the later one is. */
	(void)str_copy(freed[0].memdev, DEV_NAME_MAX, "mem0");
	w.policy.defaults.rate_bytes = 5 * BLOCK;
	expect(&w, VERDICT_WAIT, "(rate-bytes)");
	assert_int_equal(w.decision.again, NOW + 30 * USEC_PER_MIN);
	w.policy.defaults.rate_memdev_bytes = BLOCK;
	expect(&w, VERDICT_REFUSE, "more than the 128M that may be freed from mem0");
}

static void test_reserve(_unused_ void **state)
{
	struct group_key leaving[2] = { 0 };
	struct world w;

	world_init(&w);
	w.policy.defaults.reserve_node = w.policy.defaults.reserve_host = BLOCK;
	expect(&w, VERDICT_FREE, "can be freed");
	(void)str_copy(leaving[0].memdev, DEV_NAME_MAX, "mem0");
	leaving[0].tag = w.extents[0].tag; /* itself does not count */
	w.facts.leaving = leaving;
	w.facts.n_leaving = 1;
	expect(&w, VERDICT_FREE, "can be freed");
	w.facts.n_leaving = 2;
	leaving[1] = leaving[0];
	leaving[1].tag = w.extents[1].tag;
	expect_wait(&w, CONDITION_RESERVE, 10 * USEC_PER_MIN,
		    "without this group's 256M, 0 of dynamic capacity stay online on node 1, "
		    "which must keep 128M (reserve-node)",
		    "(reserve-wait)");
	w.policy.defaults.reserve_node = 0;
	expect(&w, VERDICT_REFUSE, "on the host, which must keep 128M (reserve-host)");
	/* What is offline already takes nothing away. */
	w.blocks[0].state = w.blocks[1].state = BLOCK_OFFLINE;
	expect(&w, VERDICT_FREE, "can be freed");
}

static void test_headroom(_unused_ void **state)
{
	struct group_key leaving = { .memdev = "mem0" };
	struct world w;

	world_init(&w);
	w.policy.defaults.headroom_bytes = 2 * GiB;
	expect(&w, VERDICT_FREE, "can be freed");
	/* The rest of node 1 was room for the 128M in use there; it goes, too. */
	leaving.tag = w.extents[1].tag;
	w.facts.leaving = &leaving;
	w.facts.n_leaving = 1;
	expect_wait(&w, CONDITION_HEADROOM, 10 * USEC_PER_MIN,
		    "128M in use must move to the rest of the host, which has 2G available and "
		    "must keep 2G (headroom)",
		    "(headroom-wait)");
	assert_string_equal(condition(&w, CONDITION_HEADROOM)->measured, "1.8G available after");
	assert_string_equal(condition(&w, CONDITION_HEADROOM)->limit, "at least 2G");
	w.policy.defaults.headroom_bytes = 0;
	w.policy.defaults.node_headroom_bytes = 2 * GiB - BLOCK;
	expect(&w, VERDICT_FREE, "can be freed");
	w.policy.defaults.node_headroom_bytes++;
	expect(&w, VERDICT_WAIT, "above what each of them must keep (node-headroom)");
}

static void test_pressure(_unused_ void **state)
{
	struct pressure_ceiling ceiling = { .permyriad = 1000, .exceeded = NOW - 1 };
	struct world w;

	world_init(&w);
	w.policy.defaults.pressure_some = 1000;
	expect_wait(&w, CONDITION_PRESSURE, 10 * USEC_PER_MIN, "(no PSI)", "(pressure-wait)");
	world_init(&w);
	w.policy.defaults.pressure_some = 1000;
	w.facts.pressure_known = true;
	w.facts.pressure_some = 1000;
	expect(&w, VERDICT_FREE, "can be freed");
	w.facts.pressure_some++;
	expect(&w, VERDICT_WAIT, "memory pressure (some) is 10.01%, more than 10%");
	/* The kernel's word counts where there is one. */
	w.facts.ceilings = &ceiling;
	w.facts.n_ceilings = 1;
	expect(&w, VERDICT_WAIT, "memory pressure (some) was over 10% in the last 10s");
	assert_int_equal(w.decision.again, NOW - 1 + 10 * USEC_PER_SEC);
	assert_false(w.decision.unsignalled);
	w.facts.now = w.decision.again;
	expect(&w, VERDICT_FREE, "can be freed");
}

static void test_inhibitors(_unused_ void **state)
{
	struct inhibitor inhibitors[] = {
		{ .mode = INHIBIT_DELAY, .scope = "*", .who = "backup", .why = "nearly", .pid = 7 },
		{ .mode = INHIBIT_BLOCK, .scope = "0101*", .who = "raid\n", .why = "no", .pid = 8 },
		{ .mode = INHIBIT_BLOCK, .scope = "02*", .who = "x", .why = "other tag" },
	};
	struct world w;

	world_init(&w);
	w.facts.inhibitors = inhibitors;
	w.facts.n_inhibitors = 3;
	expect_wait(&w, CONDITION_INHIBITORS, USEC_PER_HOUR,
		    "blocked by raid\\x0a (process 8) and 1 more: no", "(inhibit-wait)");
	world_init(&w);
	w.facts.inhibitors = inhibitors;
	w.facts.n_inhibitors = 1;
	inhibitors[0].pid = 0;
	expect(&w, VERDICT_WAIT, "delayed by backup: nearly");
	inhibitors[0].pid = 7;
	expect(&w, VERDICT_WAIT, "delayed by backup (process 7): nearly");
	assert_true(w.decision.draining);
	assert_int_equal(w.decision.deadline, NOW + USEC_PER_MIN);
	w.facts.now += USEC_PER_MIN;
	w.blocks[0].state = BLOCK_UNKNOWN;
	/* Its time is over; it does not begin again while something else is waited for. */
	for (int i = 0; i < 3; i++, w.facts.now++) {
		expect(&w, VERDICT_WAIT, "in state unknown");
		assert_int_equal(condition(&w, CONDITION_INHIBITORS)->outcome, OUTCOME_MET);
		assert_true(condition_is_news(condition(&w, CONDITION_INHIBITORS)));
		assert_false(w.decision.draining);
	}
}

static void test_holders(_unused_ void **state)
{
	struct world w;

	world_init(&w);
	hold(&w, true);
	expect_wait(&w, CONDITION_HOLDERS, 10 * USEC_PER_MIN,
		    "/dev/dax0.1 is mapped by process 4711 (postgres) of postgresql.service",
		    "; waited 10min (holders-wait)");
	w.policy.defaults.holders_wait = USEC_INFINITY;
	w.facts.now = USEC_INFINITY;
	expect(&w, VERDICT_WAIT, "mapped");
	assert_true(w.decision.draining && w.decision.unsignalled && !w.decision.terminate);
	w.policy.defaults.holders = HOLDERS_REFUSE;
	expect(&w, VERDICT_REFUSE, "; holders = refuse");
	w.policy.defaults.holders = HOLDERS_TERMINATE;
	(void)str_copy(w.policy.defaults.terminate_units, RULE_TEXT_MAX, "a.service,postgres*");
	expect(&w, VERDICT_WAIT, "mapped");
	assert_true(w.decision.terminate);
	w.blocks[0].state = BLOCK_UNKNOWN;
	expect(&w, VERDICT_WAIT, "in state unknown");
	assert_false(w.decision.terminate);
	w.blocks[0].state = BLOCK_ONLINE;
	w.holders[0].mounted = true;
	(void)str_copy(w.holders[0].path, HOLDER_PATH_MAX, "/mnt/\x1b");
	(void)str_copy(w.holders[0].fstype, sizeof(w.holders[0].fstype), "famfs");
	expect(&w, VERDICT_WAIT, "/dev/dax0.1 is mounted at /mnt/\\x1b (famfs), seen from");
	assert_false(w.decision.terminate);
	w.devices[0].n_holders = 0;
	w.inv.n_unseen = 1;
	expect(&w, VERDICT_FREE, "can be freed");
}

static void test_may_terminate(_unused_ void **state)
{
	struct release_settings s = { .holders = HOLDERS_TERMINATE };
	struct holder h = { .pid = 12,
			    .unit = "foo\\x2dbar.service",
			    .cgroup = "/system.slice/foo\\x2dbar.service" };

	assert_false(policy_may_terminate(&s, &h, OWN_PID));
	(void)str_copy(s.terminate_units, RULE_TEXT_MAX, "x foo\\x2dbar.service");
	assert_true(policy_may_terminate(&s, &h, OWN_PID));
	assert_false(policy_may_terminate(&s, &h, 12));
	h.pid = 1;
	assert_false(policy_may_terminate(&s, &h, OWN_PID));
	h.pid = 12;
	s.holders = HOLDERS_WAIT;
	assert_false(policy_may_terminate(&s, &h, OWN_PID));
	s.holders = HOLDERS_TERMINATE;
	(void)str_copy(s.terminate_units, RULE_TEXT_MAX, "/system.slice/*");
	assert_true(policy_may_terminate(&s, &h, OWN_PID));
	/* The end of a cut path is not known. */
	(void)str_copy(s.terminate_units, RULE_TEXT_MAX, "/*.service");
	assert_true(policy_may_terminate(&s, &h, OWN_PID));
	memset(h.cgroup, '/', sizeof(h.cgroup) - 1);
	memcpy(h.cgroup + sizeof(h.cgroup) - 9, ".service", 9);
	assert_false(policy_may_terminate(&s, &h, OWN_PID));
	(void)str_copy(s.terminate_units, RULE_TEXT_MAX, "/*");
	assert_true(policy_may_terminate(&s, &h, OWN_PID));
	/* A process in no unit. */
	h = (struct holder){ .pid = 12 };
	(void)str_copy(s.terminate_units, RULE_TEXT_MAX, "*");
	assert_false(policy_may_terminate(&s, &h, OWN_PID));
}

static void test_feasible(_unused_ void **state)
{
	struct world w;

	world_init(&w);
	w.group.n_extents = 1;
	w.inv.n_hugepages = 2;
	w.huge[0] = (struct huge_pages){ .node = 0, .size = GiB, .total = 4, .free = 1 };
	w.huge[1] = (struct huge_pages){ .node = 1, .size = GiB, .total = 3, .free = 1 };
	/* A block of the node stays. */
	expect(&w, VERDICT_FREE, "can be freed");
	w.nodes[1].total = 2 * BLOCK;
	expect(&w, VERDICT_REFUSE,
	       "all memory of node 1 leaves with the group, and for the 2 huge pages of 1G in use "
	       "there, the other nodes have 1 free");
	assert_true(w.decision.permanent);
	w.huge[0].free = 2;
	expect(&w, VERDICT_FREE, "can be freed");
	w.huge[0].free = 1;
	w.huge[0].size = w.huge[1].size = 2 * MiB;
	expect(&w, VERDICT_FREE, "can be freed");

	world_init(&w);
	w.blocks[1].foreign = true;
	w.blocks[1].state = BLOCK_OFFLINE;
	expect(&w, VERDICT_FREE, "can be freed");
	w.devices[0].memmap_on_memory = 1;
	expect(&w, VERDICT_REFUSE, "memory9 begins in dax0.1 and reaches beyond it");
	w.blocks[1].number = 7;
	expect(&w, VERDICT_FREE, "can be freed");

	world_init(&w);
	w.extents[0].device = INVENTORY_NONE;
	expect(&w, VERDICT_NOTHING, "no dax device claims its extent");
	assert_int_equal(w.decision.n_conditions, 0);
}

static void test_match(_unused_ void **state)
{
	struct policy_rule rule = {
		.name = "r",
		.tags = "7*, 0101*",
		.memdevs = "mem9 0x4711",
		.regions = "region[0-3]",
		.nodes = { 3, 1 },
		.n_nodes = 2,
		.partitions = 1u << 1,
		.modes = 1u << DAX_MODE_SYSTEM_RAM,
		.sharable = 1,
		.size = { 2 * BLOCK, 2 * BLOCK },
		.extents = { 1, 1 },
		.origin = ORIGIN_ADMIN,
		.file = 0,
		.line = 12,
	};
	char file[] = "/etc/dcdd/dcdd.conf", *files[] = { file };
	struct world w;

	world_init(&w);
	w.policy.rules = &rule;
	w.policy.n_rules = w.policy.n_files = 1;
	w.policy.files = files;
	rule.settings = w.policy.defaults;
	w.request.origin = ORIGIN_ADMIN;
	w.extents[0].sharable = -1;
	decide(&w);
	assert_string_equal(w.decision.rule, "r");
	assert_string_equal(w.decision.rule_source, "/etc/dcdd/dcdd.conf:12");

#define NO_MATCH(change, back)                                                                     \
	do {                                                                                       \
		change;                                                                            \
		decide(&w);                                                                        \
		assert_string_equal(w.decision.rule, "default");                                   \
		assert_string_equal(w.decision.rule_source, "");                                   \
		back;                                                                              \
		decide(&w);                                                                        \
		assert_string_equal(w.decision.rule, "r");                                         \
	} while (0)
	NO_MATCH(rule.tags[0] = rule.tags[4] = 'x', rule.tags[4] = '0');
	NO_MATCH(w.memdev.serial++, w.memdev.serial--);
	NO_MATCH(w.region.name[6] = '4', w.region.name[6] = '2');
	NO_MATCH(w.devices[0].target_node = 2, w.devices[0].target_node = 3);
	NO_MATCH(w.region.mode[12] = '2', w.region.mode[12] = '1');
	NO_MATCH(w.devices[0].mode = DAX_MODE_DEVDAX, w.devices[0].mode = DAX_MODE_SYSTEM_RAM);
	NO_MATCH(w.extents[0].sharable = 0, w.extents[0].sharable = 1);
	NO_MATCH(rule.size.max--, rule.size.max++);
	NO_MATCH(rule.extents.min++, rule.extents.min--);
	NO_MATCH(w.request.origin = ORIGIN_DEVICE, w.request.origin = ORIGIN_ADMIN);
	rule.sharable = 0;
	NO_MATCH(w.extents[0].sharable = -1, w.extents[0].sharable = 0);

	rule.temporary = true;
	(void)str_copy(rule.who, sizeof(rule.who), "root");
	decide(&w);
	assert_string_equal(w.decision.rule_source, "temporary, by root");
}

static void test_explain(_unused_ void **state)
{
	_cleanup_free_ char *text = NULL;
	struct world w;
	unsigned lines = 0;

	world_init(&w);
	hold(&w, false);
	w.policy.defaults.reserve_host = GiB;
	expect(&w, VERDICT_WAIT,
	       "(reserve-host); waits at most 10min (reserve-wait) (and 1 more condition is not "
	       "met)");
	assert_int_equal(decision_explain(&w.decision, &text), 0);
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 2 + _CONDITION_MAX);
	assert_non_null(strstr(text, "wait: without this group's 256M, 128M of dynamic"));
	assert_non_null(strstr(text, "\nrule: default\n"));
	assert_non_null(strstr(text, "\nholders: wait, 1 holder (limit: none): /dev/dax0.1 is "
				     "held open by process 4711 (postgres) of "
				     "postgresql.service; waits at most 10min (holders-wait)\n"));
	assert_non_null(strstr(text, "\npressure: met, not known (limit: none)\n"));
	assert_false(condition_is_news(&w.decision.conditions[CONDITION_PRESSURE]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_met),	 cmocka_unit_test(test_keep_message),
		cmocka_unit_test(test_state),	 cmocka_unit_test(test_ask),
		cmocka_unit_test(test_window),	 cmocka_unit_test(test_rate),
		cmocka_unit_test(test_reserve),	 cmocka_unit_test(test_headroom),
		cmocka_unit_test(test_pressure), cmocka_unit_test(test_inhibitors),
		cmocka_unit_test(test_holders),	 cmocka_unit_test(test_may_terminate),
		cmocka_unit_test(test_feasible), cmocka_unit_test(test_match),
		cmocka_unit_test(test_explain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
