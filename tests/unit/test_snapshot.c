/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots: what is written is read back whole, and nothing else gets through. */
#include "snapshot_host.h"
#include "snapshot_text.h"

#define ROUNDS 300

static void test_round_trip(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
		_cleanup_(inventory_freep) struct inventory *inv = random_host(seed);
		_cleanup_free_ char *text = NULL, *again = NULL;
		struct random_facts facts;
		struct snapshot snapshot;

		random_facts(seed, &facts);
		assert_int_equal(snapshot_format(inv, &facts.facts, &text), 0);
		parse_ok(text, &snapshot);
		assert_same_inventory(inv, snapshot.inventory);
		assert_same_facts(&facts.facts, &snapshot.facts);
		assert_int_equal(inventory_check(snapshot.inventory), 0);
		assert_int_equal(snapshot_format(snapshot.inventory, &snapshot.facts, &again), 0);
		assert_string_equal(text, again);
		snapshot_done(&snapshot);
	}
}

/* A decision about the copy is the one about the host itself. */
static void test_decisions(void **state)
{
	size_t groups = 0;
	struct policy policy;

	(void)state;
	policy_init(&policy);
	for (uint64_t seed = 1; seed <= ROUNDS / 10; seed++) {
		_cleanup_(inventory_freep) struct inventory *inv = random_host(seed);
		_cleanup_free_ char *text = NULL;
		const struct policy_request request = { 0 };
		struct random_facts facts;
		struct snapshot snapshot;
		struct tag_group group;
		uint32_t cursor = 0;

		random_facts(seed, &facts);
		assert_int_equal(snapshot_format(inv, &facts.facts, &text), 0);
		parse_ok(text, &snapshot);
		while (inventory_next_group(inv, &cursor, &group)) {
			_cleanup_free_ char *here = NULL, *there = NULL;
			static struct decision decision;

			policy_decide(inv, &group, &policy, &facts.facts, &request, &decision);
			assert_int_equal(decision_explain(&decision, &here), 0);
			policy_decide(snapshot.inventory, &group, &policy, &snapshot.facts,
				      &request, &decision);
			assert_int_equal(decision_explain(&decision, &there), 0);
			assert_string_equal(here, there);
			groups++;
		}
		snapshot_done(&snapshot);
	}
	assert_true(groups > ROUNDS);
	policy_done(&policy);
}

static void test_defaults(void **state)
{
	struct snapshot s;
	const struct inventory *inv;

	(void)state;
	parse_ok(small, &s);
	inv = s.inventory;
	assert_true(inv->block_size == 128 * MiB);
	assert_int_equal(inv->n_extents, 2);
	/* Sorted, the untagged one first; and claimed by range. */
	assert_string_equal(inv->extents[0].name, "extent0.1");
	assert_int_equal(inv->extents[0].device, INVENTORY_NONE);
	assert_int_equal(inv->extents[1].device, 0);
	assert_int_equal(inv->extents[1].sharable, -1);
	assert_false(inv->extents[1].leftover);
	assert_true(inv->extents[1].hpa.start == UINT64_C(0x100000000));
	assert_int_equal(inv->devices[0].memmap_on_memory, -1);
	assert_int_equal(inv->devices[0].mode, DAX_MODE_SYSTEM_RAM);
	assert_int_equal(inv->n_blocks, 2);
	assert_int_equal(inv->blocks[0].state, BLOCK_ONLINE);
	assert_int_equal(inv->blocks[0].zone, ZONE_MOVABLE);
	assert_false(inv->blocks[0].foreign);
	assert_int_equal(inv->holders[0].pid, 7);
	assert_int_equal(inv->regions[0].error, 0);
	assert_int_equal(inv->n_hugepages, 0);
	assert_false(s.facts.pressure_known);
	assert_true(s.facts.now == 5 * USEC_PER_SEC);
	assert_int_equal(s.facts.n_inhibitors, 0);
	assert_string_equal(s.timezone, "");
	snapshot_done(&s);
	assert_null(s.inventory);
}

/* Names of the kernel and of processes may be any bytes. */
static void test_odd_text(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = NULL;
	_cleanup_free_ char *text = NULL, *again = NULL;
	const struct policy_facts facts = { .now = 1, .realtime = UINT64_MAX };
	struct snapshot s;

	(void)state;
	parse_ok(small, &s);
	inv = TAKE_PTR(s.inventory);
	snapshot_done(&s);
	(void)str_copy(inv->holders[0].comm, sizeof(inv->holders[0].comm), "\xff\"\\\n");
	/* Fills its array, and would not if it were escaped. */
	(void)str_copy(inv->holders[0].unit, sizeof(inv->holders[0].unit),
		       "0123456789012345678901234567890123456789012345678901234567890\x1b\x1b");
	inv->regions[0].error = -4000;
	(void)str_copy(inv->regions[0].error_path, INVENTORY_PATH_MAX, "x");
	assert_int_equal(snapshot_format(inv, &facts, &text), 0);
	assert_non_null(strstr(text, "\"comm\": \"\\\\xff\\\"\\\\\\\\x0a\""));
	assert_non_null(strstr(text, "\"error\": 4000"));
	parse_ok(text, &s);
	assert_string_equal(s.inventory->holders[0].comm, "\\xff\"\\\\x0a");
	assert_string_equal(s.inventory->holders[0].unit,
			    "012345678901234567890123456789012345678901234567890123456789...");
	assert_int_equal(s.inventory->regions[0].error, -4000);
	/* A clock that is set to nonsense does not make it unreadable. */
	assert_true(s.facts.realtime == UINT64_C(253402300799999999));
	assert_int_equal(snapshot_format(s.inventory, &s.facts, &again), 0);
	assert_string_equal(text, again);
	snapshot_done(&s);
}

/* What JSON readers do not take exactly is text; and lists are one object a line. */
static void test_form(void **state)
{
	struct memdev memdevs[] = { { "mem0", UINT64_MAX }, { "mem1", 1 } };
	struct numa_node node = { .id = 0, .total = (UINT64_C(1) << 53) + 1, .free = 4096 };
	const struct inventory inv = {
		.memdevs = memdevs,
		.n_memdevs = 2,
		.nodes = &node,
		.n_nodes = 1,
	};
	const struct policy_facts facts = { .now = 3, .pressure_some = 1205 };
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_int_equal(setenv("TZ", "Europe/Berlin", 1), 0);
	assert_int_equal(snapshot_format(&inv, &facts, &text), 0);
	assert_int_equal(unsetenv("TZ"), 0);
	assert_string_equal(text,
			    "{\n"
			    "  \"version\": 1,\n"
			    "  \"timezone\": \"Europe/Berlin\",\n"
			    "  \"taken_usec\": 0,\n"
			    "  \"block_size\": 0,\n"
			    "  \"auto_online\": \"\",\n"
			    "  \"unseen_processes\": 0,\n"
			    "  \"memdevs\": [\n"
			    "    {\"name\": \"mem0\", \"serial\": \"0xffffffffffffffff\"},\n"
			    "    {\"name\": \"mem1\", \"serial\": \"0x1\"}\n"
			    "  ],\n"
			    "  \"regions\": [],\n"
			    "  \"extents\": [],\n"
			    "  \"devices\": [],\n"
			    "  \"nodes\": [\n"
			    "    {\"id\": 0, \"total\": \"0x20000000000001\", \"free\": 4096, "
			    "\"reclaimable\": 0}\n"
			    "  ],\n"
			    "  \"huge_pages\": [],\n"
			    "  \"facts\": {\n"
			    "    \"now_usec\": 3,\n"
			    "    \"realtime_usec\": 0,\n"
			    "    \"pressure_known\": false,\n"
			    "    \"pressure_some\": \"12.05%\",\n"
			    "    \"pressure_full\": \"0.00%\",\n"
			    "    \"own_pid\": 0,\n"
			    "    \"ceilings\": [],\n"
			    "    \"inhibitors\": [],\n"
			    "    \"freed\": [],\n"
			    "    \"leaving\": []\n"
			    "  }\n"
			    "}\n");
}

static void test_truncated(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = random_host(3);
	_cleanup_free_ char *text = NULL;
	struct random_facts facts;
	size_t length;

	(void)state;
	random_facts(3, &facts);
	assert_int_equal(snapshot_format(inv, &facts.facts, &text), 0);
	length = strlen(text) - 1; /* the newline at the end is none of it */
	for (size_t i = 0; i < length; i += i < 2000 ? 1 : 97) {
		_cleanup_free_ char *error = NULL, *cut = malloc(i + 1);
		struct snapshot s;

		/* A copy, so that reading behind its end is noticed. */
		assert_non_null(cut);
		memcpy(cut, text, i);
		assert_int_equal(snapshot_parse(cut, i, &s, &error), -EINVAL);
		assert_non_null(error);
	}
}

/* Whatever is changed by chance is refused with a message, or gives a sound inventory. */
static void test_garbage(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = NULL;
	_cleanup_free_ char *text = NULL;
	struct random_state r = { .state = 4711 };
	struct random_facts facts;
	unsigned taken = 0, refused = 0;
	struct snapshot s;
	size_t length;

	(void)state;
	parse_ok(small, &s);
	inv = TAKE_PTR(s.inventory);
	snapshot_done(&s);
	random_facts(4, &facts);
	assert_int_equal(snapshot_format(inv, &facts.facts, &text), 0);
	length = strlen(text);
	for (unsigned i = 0; i < 20000; i++) {
		_cleanup_free_ char *error = NULL, *changed = strdup(text);
		uint32_t from = random_below(&r, (uint32_t)length);
		int status;

		assert_non_null(changed);
		if (random_below(&r, 2))
			changed[from] = (char)random_next(&r);
		else
			changed[from] = changed[random_below(&r, (uint32_t)length)];
		status = snapshot_parse(changed, length, &s, &error);
		if (status == 0) {
			assert_int_equal(inventory_check(s.inventory), 0);
			snapshot_done(&s);
			taken++;
		} else {
			assert_int_equal(status, -EINVAL);
			assert_non_null(error);
			refused++;
		}
	}
	assert_true(taken > 100);
	assert_true(refused > 100);
}

static void test_timezone(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} names[] = {
		{ "", true },
		{ "UTC", true },
		{ "America/Argentina/Buenos_Aires", true },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", true },
		{ "<+03>-3", true },
		{ "/etc/passwd", false },
		{ ":Europe/Berlin", false },
		{ "../../etc/passwd", false },
		{ "Europe/../../x", false },
		{ "a b", false },
		{ "a\n", false },
		{ "0123456789012345678901234567890123456789012345678901234567890123", false },
	};
	char zone[SNAPSHOT_ZONE_MAX], dir[] = "/tmp/dcdd-zone-XXXXXX", link[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (snapshot_timezone_valid(names[i].name) != names[i].valid)
			fail_msg("%s", names[i].name);

	assert_non_null(mkdtemp(dir));
	(void)snprintf(link, sizeof(link), "%s/localtime", dir);
	assert_int_equal(setenv("TZ", ":Asia/Tokyo", 1), 0);
	assert_string_equal(snapshot_timezone(link, zone), "Asia/Tokyo");
	assert_int_equal(setenv("TZ", "", 1), 0);
	assert_string_equal(snapshot_timezone(link, zone), "UTC");
	assert_int_equal(setenv("TZ", "/tmp/zone", 1), 0);
	assert_string_equal(snapshot_timezone(link, zone), "");
	assert_int_equal(unsetenv("TZ"), 0);
	assert_string_equal(snapshot_timezone(link, zone), "UTC");
	assert_int_equal(symlink("../usr/share/zoneinfo/Europe/Berlin", link), 0);
	assert_string_equal(snapshot_timezone(link, zone), "Europe/Berlin");
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink("/elsewhere", link), 0);
	assert_string_equal(snapshot_timezone(link, zone), "");
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_defaults),   cmocka_unit_test(test_odd_text),
		cmocka_unit_test(test_form),	   cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_garbage),	   cmocka_unit_test(test_timezone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
