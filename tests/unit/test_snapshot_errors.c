/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots that a person got wrong: each is refused, and the message says where and why. */
#include "snapshot_text.h"

/* The first @from of the document above, replaced. */
static char *edit(const char *from, const char *to)
{
	const char *at = strstr(small, from);
	char *text;

	if (!at)
		fail_msg("not in the document: %s", from);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(at - small), small, to, at + strlen(from)) >
		    0);
	return text;
}

static void expect_error(const char *text, size_t length, const char *expected)
{
	_cleanup_free_ char *error = NULL;
	struct snapshot s;
	int r = snapshot_parse(text, length, &s, &error);

	if (r != -EINVAL || !error || !streq(error, expected))
		fail_msg("%d: %s\ninstead of: %s\nin: %s", r, error ? error : "no message",
			 expected, text);
	assert_null(s.inventory);
}

struct mistake {
	const char *from, *to, *error;
};

static void expect_mistakes(const struct mistake *mistakes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *text = edit(mistakes[i].from, mistakes[i].to);

		expect_error(text, strlen(text), mistakes[i].error);
	}
}

static void test_syntax(void **state)
{
	static const struct mistake mistakes[] = {
		{ "\"dax0.1\"", "'dax0.1'", "line 13: no JSON: unexpected character" },
		{ FACTS "}}", FACTS "}", "line 21: the text ends within the document" },
		{ FACTS "}}", FACTS "}}}", "line 21: no JSON: unexpected character" },
		{ FACTS "}}", FACTS "}}\n\n1", "line 23: no JSON: unexpected character" },
		{ "\"online\"", "\"on\001line\"", "line 17: a control character" },
		{ "\"online\"", "\"on\177line\"", "line 17: a control character" },
		{ "\"online\"", "\"\xff\"", "line 17: no JSON: invalid utf-8 string" },
		{ "\"id\": 0", "\"id\": 0, \"id\": 0",
		  "line 20: a member that its object has already, or a name that is escaped" },
		{ "\"id\": 0", "\"\\u0069d\": 0",
		  "line 20: a member that its object has already, or a name that is escaped" },
		{ "\"pid\": 7", "\"pid\": [[[[[[[[[[[[[[[[[7]]]]]]]]]]]]]]]]]",
		  "line 19: no JSON: nesting too deep" },
		{ "\"pid\": 7", "\"pid\": 7,", "line 19: no JSON: unexpected character" },
		{ "\"pid\": 7", "\"pid\": /* no */ 7", "line 19: no JSON: unexpected character" },
	};
	_cleanup_free_ char *zero = strdup(small);

	(void)state;
	expect_mistakes(mistakes, ARRAY_SIZE(mistakes));
	expect_error("", 0, "line 1: the text ends within the document");
	expect_error("[1]", 3, "expected a snapshot, {…}");
	expect_error("null\n", 5, "expected a snapshot, {…}");
	assert_non_null(zero);
	*strchr(zero, '\n') = '\0';
	expect_error(zero, strlen(small), "line 1: a control character");
}

static void test_members(void **state)
{
	static const struct mistake mistakes[] = {
		{ "\"version\": 1, ", "", "version: is missing: is this a snapshot?" },
		{ "\"version\": 1", "\"version\": 2",
		  "version: expected 1, the only one that is known here" },
		{ "\"version\": 1", "\"version\": \"1\"",
		  "version: expected 1, the only one that is known here" },
		{ "\"memdevs\"", "\"memdev\"",
		  "unknown member \"memdev\"; did you mean \"memdevs\"?" },
		{ "\"target_node\"", "\"target_mode\"",
		  "devices[0]: unknown member \"target_mode\"; did you mean \"target_node\"?" },
		{ "{\"pid\": 7}", "{\"pid\": 7, \"wxyz\": 1}",
		  "devices[0].holders[0]: unknown member \"wxyz\"" },
		{ "{\"pid\": 7}", "{}", "devices[0].holders[0].pid: is missing" },
		{ "{\"pid\": 7}", "7", "devices[0].holders[0]: expected an object, {…}" },
		{ "\"holders\": [{\"pid\": 7}]", "\"holders\": 7",
		  "devices[0].holders: expected a list, not 7" },
		{ "\"nodes\": [", "\"nodes\": null, \"huge_pages\": [",
		  "nodes: expected a list, not null" },
		{ FACTS "}", "\"facts\": 1", "facts: expected an object, {…}" },
		{ ",\n" FACTS "}", "", "facts: is missing" },
		{ "\"start\": 0, \"length\": 1073741824", "\"start\": 0",
		  "regions[0].dpa.length: is missing" },
	};

	(void)state;
	expect_mistakes(mistakes, ARRAY_SIZE(mistakes));
}

static void test_values(void **state)
{
	static const struct mistake mistakes[] = {
		{ "\"0x8000000\"", "-1",
		  "block_size: expected a number from 0 on, or \"0x…\", not -1" },
		{ "\"0x8000000\"", "18446744073709551616",
		  "block_size: expected a number from 0 on, or \"0x…\", not "
		  "18446744073709551615" },
		{ "\"0x8000000\"", "1.5",
		  "block_size: expected a number from 0 on, or \"0x…\", not 1.5" },
		{ "\"0x8000000\"", "\"128M\"",
		  "block_size: expected a number from 0 on, or \"0x…\", not \"128M\"" },
		{ "\"0x8000000\"", "\"0x\"",
		  "block_size: expected a number from 0 on, or \"0x…\", not \"0x\"" },
		{ "\"0x8000000\"", "\"0x10000000000000000\"",
		  "block_size: expected a number from 0 on, or \"0x…\", not "
		  "\"0x10000000000000000\"" },
		{ "\"0x8000000\"", "\"0x1\\u0000\"",
		  "block_size: expected a number from 0 on, or \"0x…\", not \"0x1\"" },
		{ "\"mem0\"}", "\"\"}", "memdevs[0].name: expected a name, it is empty" },
		{ "\"mem0\"}", "\"..\"}",
		  "memdevs[0].name: expected a name without '/', not \"..\"" },
		{ "\"mem0\"}", "\"a/b\"}",
		  "memdevs[0].name: expected a name without '/', not \"a/b\"" },
		{ "\"mem0\"}", "7}", "memdevs[0].name: expected text, not 7" },
		{ "\"mem0\"}", "\"me\\nm0\"}",
		  "memdevs[0].name: expected printable text, not \"me\\x0am0\"" },
		{ "\"mem0\"}", "\"0123456789012345678901234567890123456789\"}",
		  "memdevs[0].name: longer than 39 bytes" },
		{ "{\"name\": \"mem0\"}", "{\"name\": \"mem0\"}, {\"name\": \"mem0\"}",
		  "memdevs[1].name: \"mem0\" is the name of memdevs[0], too" },
		{ "\"memdev\": \"mem0\"", "\"memdev\": \"mem1\"",
		  "regions[0].memdev: expected the name of one of memdevs, not \"mem1\"" },
		{ "\"memdev\": \"mem0\"", "\"memdev\": 0",
		  "regions[0].memdev: expected the name of one of memdevs, not 0" },
		{ "\"memdev\": \"mem0\"", "\"memdev\": null",
		  "regions[0].memdev: is null, but there is no \"error\"" },
		{ "\"mode\": \"dynamic_ram_1\"", "\"mode\": \"m\", \"error\": \"EIO\"",
		  "regions[0].error_path: expected what could not be read, if there is an "
		  "\"error\", else nothing" },
		{ "\"mode\": \"dynamic_ram_1\"", "\"mode\": \"m\", \"error_path\": \"x\"",
		  "regions[0].error_path: expected what could not be read, if there is an "
		  "\"error\", else nothing" },
		{ "\"mode\": \"dynamic_ram_1\"", "\"mode\": \"m\", \"error\": -5",
		  "regions[0].error: expected null, or an error by name (\"EIO\"), not -5" },
		{ "\"mode\": \"dynamic_ram_1\"", "\"mode\": \"m\", \"error\": \"EFOO\"",
		  "regions[0].error: expected null, or an error by name (\"EIO\"), not \"EFOO\"" },
		{ "\"memdev\": \"mem0\"",
		  "\"memdev\": null, \"error\": \"EIO\", \"error_path\": \"x\"",
		  "extents[0].region: nothing below \"region0\" can be known, its memdev is not" },
		{ "\"region\": \"region0\"", "\"region\": \"region1\"",
		  "extents[0].region: expected the name of one of regions, not \"region1\"" },
		{ "\"region\": \"region0\"", "\"region\": null",
		  "extents[0].region: expected the name of one of regions, not null" },
		{ "00000000000A", "00000000000X",
		  "extents[0].tag: expected a UUID, or \"\", not "
		  "\"5be13bce-0000-4000-8000-00000000000X\"" },
		{ "\"tag\": \"\"", "\"tag\": null",
		  "extents[1].tag: expected a UUID, or \"\", not null" },
		{ "\"tag\": \"\"", "\"tag\": \"\", \"sharable\": 1",
		  "extents[1].sharable: expected true, false or null, not 1" },
		{ "\"tag\": \"\"", "\"tag\": \"\", \"leftover\": null",
		  "extents[1].leftover: expected true or false, not null" },
		{ "\"0x20000000\"", "\"0xfffffffff0000001\"",
		  "extents[1].dpa: ends beyond the last address" },
		{ "\"system-ram\"", "\"systemram\"",
		  "devices[0].mode: expected one of unbound, system-ram, devdax, fsdev, other, not "
		  "\"systemram\"" },
		{ "\"online\"", "\"up\"",
		  "devices[0].blocks[0].state: expected one of offline, online, going-offline, "
		  "unknown, not \"up\"" },
		{ "\"movable\"", "[1]",
		  "devices[0].blocks[0].zone: expected one of none, movable, kernel, unknown, not "
		  "a list" },
		{ "\"target_node\": 1", "\"target_node\": -2",
		  "devices[0].target_node: expected -1 to 2147483647, not -2" },
		{ "\"target_node\": 1", "\"target_node\": \"1\"",
		  "devices[0].target_node: expected a number, not \"1\"" },
		{ "\"target_node\": 1", "\"target_node\": 1, \"dev_minor\": 4294967296",
		  "devices[0].dev_minor: expected at most 4294967295, not 4294967296" },
		{ "\"number\": 33", "\"number\": 32", "devices: dax0.1 has block 32 twice" },
		{ "\"pid\": 7", "\"pid\": 2147483648",
		  "devices[0].holders[0].pid: expected 1 to 2147483647, not 2147483648" },
		{ "\"pid\": 7", "\"pid\": 7, \"mounted\": true",
		  "devices[0].holders[0]: a mount has a \"path\", and is neither \"open\" nor "
		  "\"mapped\"" },
		{ "\"pid\": 7", "\"pid\": 7, \"fstype\": \"famfs\"",
		  "devices[0].holders[0]: \"path\" and \"fstype\" are of a mount only, \"mounted\" "
		  "is not true" },
		{ "\"nodes\"",
		  "\"huge_pages\": [{\"node\": 0, \"size\": 0, \"total\": 1, \"free\": 0}], "
		  "\"nodes\"",
		  "huge_pages[0]: expected some pages (\"total\") of some bytes (\"size\"), and no "
		  "more than there is memory" },
		{ "\"nodes\"",
		  "\"huge_pages\": [{\"node\": 0, \"size\": 4, \"total\": 1, \"free\": 2}], "
		  "\"nodes\"",
		  "huge_pages[0]: more are \"free\" than there are" },
		{ "\"now_usec\": 5000000", "\"now_usec\": 253402300800000000",
		  "facts.now_usec: expected at most 253402300799999999, not "
		  "253402300800000000" },
		{ "\"block_size\"", "\"timezone\": \"/etc/passwd\", \"block_size\"",
		  "timezone: expected a time zone's name, not \"/etc/passwd\"" },
		{ "\"block_size\"", "\"timezone\": 1, \"block_size\"",
		  "timezone: expected text, not 1" },
	};

	(void)state;
	expect_mistakes(mistakes, ARRAY_SIZE(mistakes));
}

static void test_facts(void **state)
{
	static const struct mistake mistakes[] = {
		{ FACTS, FACTS ", \"pressure_some\": 5",
		  "facts.pressure_some: expected a percentage, \"0%\" to \"100%\", not 5" },
		{ FACTS, FACTS ", \"pressure_full\": \"100.01%\"",
		  "facts.pressure_full: expected a percentage, \"0%\" to \"100%\", not "
		  "\"100.01%\"" },
		{ FACTS, FACTS ", \"ceilings\": [{\"kind\": \"all\", \"limit\": \"5%\"}]",
		  "facts.ceilings[0].kind: expected one of some, full, not \"all\"" },
		{ FACTS,
		  FACTS ", \"ceilings\": [{\"kind\": \"some\", \"limit\": \"5%\", "
			"\"exceeded_usec\": 5000001}]",
		  "facts.ceilings[0].exceeded_usec: 5000001 is after facts.now_usec, 5000000" },
		{ FACTS,
		  FACTS ", \"freed\": [{\"when_usec\": 1, \"memdev\": \"m\", \"bytes\": 1}, "
			"{\"when_usec\": 5000001, \"memdev\": \"m\", \"bytes\": 1}]",
		  "facts.freed[1].when_usec: 5000001 is after facts.now_usec, 5000000" },
		{ FACTS,
		  FACTS ", \"freed\": [{\"when_usec\": 1, \"memdev\": \"m\", \"bytes\": 1, "
			"\"more\": 4294967296}]",
		  "facts.freed[0].more: expected at most 4294967295, not "
		  "4294967296" },
		{ FACTS, FACTS ", \"inhibitors\": [{\"mode\": \"block\", \"scope\": \"*\"}]",
		  "facts.inhibitors[0].who: is missing" },
		{ FACTS,
		  FACTS ", \"inhibitors\": [{\"mode\": \"never\", \"scope\": \"*\", \"who\": \"\", "
			"\"why\": \"\", \"since_usec\": 1}]",
		  "facts.inhibitors[0].mode: expected one of block, delay, not \"never\"" },
		{ FACTS, FACTS ", \"leaving\": [{\"memdev\": \"mem0\", \"tag\": \"\"}]",
		  "facts.leaving[0].dpa: expected the range of what has no tag" },
		{ FACTS,
		  FACTS ", \"leaving\": [{\"memdev\": \"mem0\", "
			"\"tag\": \"5be13bce-0000-4000-8000-00000000000a\", "
			"\"dpa\": {\"start\": 0, \"length\": 1}}]",
		  "facts.leaving[0].dpa: expected none (0, 0) beside a tag" },
	};

	(void)state;
	expect_mistakes(mistakes, ARRAY_SIZE(mistakes));
}

/* Objects that are fine by themselves. */
static void test_contradictions(void **state)
{
	static const struct mistake mistakes[] = {
		{ "\"tag\": \"\",\n  \"hpa\": {\"start\": \"0x120000000\", \"length\": "
		  "\"0x10000000\"},\n  \"dpa\": {\"start\": \"0x20000000\"",
		  "\"tag\": \"5be13bce-0000-4000-8000-00000000000a\",\n  \"hpa\": {\"start\": "
		  "\"0x108000000\", \"length\": \"0x10000000\"},\n  \"dpa\": {\"start\": "
		  "\"0x8000000\"",
		  "extents: extent0.0 and extent0.1 have one tag and overlap in \"dpa\"" },
		{ "\"mappings\": [",
		  "\"mappings\": [{\"hpa\": {\"start\": \"0x108000000\", "
		  "\"length\": \"0x8000000\"}}, ",
		  "devices: dax0.1 and dax0.1 both have a mapping of 0x108000000" },
		{ "\"devices\": [",
		  "\"devices\": [{\"name\": \"dax0.2\", \"region\": \"region0\", \"mode\": \"devdax\", "
		  "\"tag\": \"\", \"size\": 4096, \"target_node\": 1, \"mappings\": [{\"hpa\": "
		  "{\"start\": \"0x10ffff000\", \"length\": 4096}}]}, ",
		  "devices: dax0.1 and dax0.2 both have a mapping of 0x10ffff000" },
		/* Of one extent each has a part. */
		{ "\"devices\": [{\"name\": \"dax0.1\", \"region\": \"region0\", \"mode\": "
		  "\"system-ram\",\n  \"tag\": \"5be13bce-0000-4000-8000-00000000000a\", \"size\": "
		  "268435456,\n  \"target_node\": 1,\n  \"mappings\": [{\"hpa\": {\"start\": "
		  "\"0x100000000\", \"length\": \"0x10000000\"}}]",
		  "\"devices\": [{\"name\": \"dax0.2\", \"region\": \"region0\", \"mode\": \"devdax\", "
		  "\"tag\": \"\", \"size\": 4096, \"target_node\": 1, \"mappings\": [{\"hpa\": "
		  "{\"start\": \"0x100000000\", \"length\": 4096}}]}, {\"name\": \"dax0.1\", "
		  "\"region\": \"region0\", \"mode\": \"devdax\", \"tag\": \"\", \"size\": 4096, "
		  "\"target_node\": 1, \"mappings\": [{\"hpa\": {\"start\": \"0x100001000\", "
		  "\"length\": 4096}}]",
		  "devices: dax0.2 and dax0.1 both have a mapping of extent0.0" },
		{ "\"nodes\"",
		  "\"huge_pages\": [{\"node\": 0, \"size\": 4, \"total\": 1, \"free\": 0}, "
		  "{\"node\": 0, \"size\": 4, \"total\": 2, \"free\": 0}], \"nodes\"",
		  "huge_pages: two are of node 0 and of 4 bytes" },
		{ "{\"id\": 0,", "{\"id\": 0, \"total\": 1, \"free\": 1}, {\"id\": 0,",
		  "nodes: two have the id 0" },
	};

	(void)state;
	expect_mistakes(mistakes, ARRAY_SIZE(mistakes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),	       cmocka_unit_test(test_members),
		cmocka_unit_test(test_values),	       cmocka_unit_test(test_facts),
		cmocka_unit_test(test_contradictions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
