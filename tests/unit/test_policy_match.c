/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_decide(): which rule applies. */
#include "tests/unit/policy_check.h"

/* A rule of one key that frees a devdax, which [release] keeps: whether it applies shows. */
#define APPLIES(name_, modes_, key, ...)                                                           \
	{                                                                                          \
		.name = name_, .conf = "[rule r]\n" key "\naction = free\n", .modes = modes_,      \
		.verdict = VERDICT_FREE, .rule = "r", __VA_ARGS__                                  \
	}
#define APPLIES_NOT(name_, modes_, key, ...)                                                       \
	{                                                                                          \
		.name = name_, .conf = "[rule r]\n" key "\naction = free\n", .modes = modes_,      \
		.verdict = VERDICT_REFUSE, .reason = "is in mode", __VA_ARGS__                     \
	}

static const struct test_case cases[] = {
	/* ---- rules ---- */
	{ .name = "rule by tag",
	  .conf = "[rule r]\nmatch-tag = 5be13bce-*\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_FREE,
	  .rule = "r" },
	{ .name = "rule by tag, capitals",
	  .conf = "[rule r]\nmatch-tag = 5BE13BCE-*-0*A\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_FREE,
	  .rule = "r" },
	{ .name = "rule by tag, brackets",
	  .conf = "[rule r]\nmatch-tag = [4-6]be13bc[!0]-?*-*\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_FREE,
	  .rule = "r" },
	{ .name = "rule by another tag",
	  .conf = "[rule r]\nmatch-tag = 5be13bcf-*\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_REFUSE },
	{ .name = "rule by a tag's beginning only",
	  .conf = "[rule r]\nmatch-tag = 5be13bce\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_REFUSE },
	{ .name = "untagged is the null tag",
	  .conf = "[rule r]\nmatch-tag = 00000000-0000-0000-0000-000000000000\naction = free\n",
	  .modes = "d",
	  .flags = UNTAGGED,
	  .verdict = VERDICT_FREE,
	  .rule = "r" },
	{ .name = "untagged matches *",
	  .conf = "[rule r]\nmatch-tag = *\naction = free\n",
	  .modes = "d",
	  .flags = UNTAGGED,
	  .verdict = VERDICT_FREE,
	  .rule = "r" },
	{ .name = "rule by device",
	  .conf = "[rule r]\nmatch-memdev = mem0\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_FREE,
	  .rule = "r" },
	{ .name = "rule by another device",
	  .conf = "[rule r]\nmatch-memdev = mem01\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_REFUSE },
	{ .name = "rule by device, which is not known",
	  .conf = "[rule r]\nmatch-memdev = mem0\naction = free\n",
	  .modes = "d",
	  .flags = NO_MEMDEV,
	  .verdict = VERDICT_REFUSE },
	{ .name = "rule by region",
	  .conf = "[rule r]\nmatch-region = region0\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_FREE,
	  .rule = "r" },
	{ .name = "rule by another region",
	  .conf = "[rule r]\nmatch-region = region1\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_REFUSE },
	{ .name = "rule by mode",
	  .conf = "[rule r]\nmatch-mode = devdax\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_FREE,
	  .rule = "r" },
	{ .name = "rule by another mode",
	  .conf = "[rule r]\nmatch-mode = unbound\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_REFUSE },
	{ .name = "rule by mode, two devices in it",
	  .conf = "[rule r]\nmatch-mode = devdax\naction = free\n",
	  .modes = "dd",
	  .verdict = VERDICT_FREE,
	  .rule = "r",
	  .reason = "its 2 dax devices can be freed: no memory block is online" },
	{ .name = "rule by mode, one of two devices in it",
	  .conf = "[rule r]\nmatch-mode = devdax\naction = free\n",
	  .modes = "dd"
		   "s",
	  .verdict = VERDICT_REFUSE,
	  .reason = "dax0.1 is in mode devdax, which [release] keeps" },
	{ .name = "all matches must hold",
	  .conf = "[rule r]\nmatch-memdev = mem0\nmatch-region = region1\naction = free\n",
	  .modes = "d",
	  .verdict = VERDICT_REFUSE },
	{ .name = "the first rule counts: keep",
	  .conf = "[rule a]\nmatch-tag = 5*\naction = keep\n[rule b]\nmatch-tag = *\naction = "
		  "free\n",
	  .modes = "s",
	  .blocks = { "mmm" },
	  .verdict = VERDICT_REFUSE,
	  .rule = "a",
	  .reason = "dax0.1 is in mode system-ram, which rule \"a\" keeps; \"system-ram = free\" "
		    "there would allow its release" },
	{ .name = "the first rule counts: free",
	  .conf = "[rule a]\nmatch-tag = 5*\naction = free\n[rule b]\nmatch-tag = *\naction = "
		  "keep\n",
	  .modes = "d",
	  .verdict = VERDICT_FREE,
	  .rule = "a" },
	{ .name = "the second rule, if the first does not match",
	  .conf = "[rule a]\nmatch-tag = 6*\naction = keep\n[rule b]\nmatch-tag = *\naction = "
		  "free\n",
	  .modes = "d",
	  .verdict = VERDICT_FREE,
	  .rule = "b" },
	{ .name = "a rule without action has that of [release]",
	  .conf = "[rule a]\nmatch-tag = *\nretries = 9\n",
	  .modes = "d",
	  .verdict = VERDICT_REFUSE,
	  .rule = "a",
	  .reason = "dax0.1 is in mode devdax, which rule \"a\" keeps" },
	/* ---- lists ---- */
	APPLIES("one of several tags", "d", "match-tag = 1* 5be13bce-* 7*"),
	APPLIES("one of several tags, by commas", "d", "match-tag = 1*,2*, 5be13bce-*"),
	APPLIES_NOT("none of several tags", "d", "match-tag = 1* 2* 3*"),
	APPLIES("one of several devices", "d", "match-memdev = mem7, mem0"),
	APPLIES("devices by pattern", "d", "match-memdev = mem[0-3]"),
	APPLIES_NOT("devices by another pattern", "d", "match-memdev = mem[1-3] mem?? pmem*"),
	APPLIES("a device by its serial number", "d", "match-memdev = 4711"),
	APPLIES("a device by its serial number in hex", "d", "match-memdev = 0x1267"),
	APPLIES_NOT("another serial number", "d", "match-memdev = 4712"),
	APPLIES_NOT("a serial number is no pattern and no beginning", "d",
		    "match-memdev = 471 47110 mem4711"),
	APPLIES_NOT("a serial number in hex is not one in decimal", "d", "match-memdev = 0x4711"),
	APPLIES_NOT("a serial number, but the device is not known", "d", "match-memdev = 4711",
		    .flags = NO_MEMDEV),
	APPLIES("one of several regions", "d", "match-region = region7 region0"),
	APPLIES("regions by pattern", "d", "match-region = region?"),
	APPLIES_NOT("regions by another pattern", "d", "match-region = region??"),
	/* ---- nodes ---- */
	APPLIES("its node", "d", "match-node = 1"),
	APPLIES("one of several nodes", "d", "match-node = 0 1"),
	APPLIES("both devices are on the nodes", "dd", "match-node = 1, 2", .node = { 1, 2 }),
	APPLIES_NOT("another node", "d", "match-node = 2"),
	APPLIES_NOT("one of two devices is elsewhere", "dd", "match-node = 1", .node = { 1, 2 }),
	{ .name = "nobody claims it, so it is on no node of the rule",
	  .conf = "[rule r]\nmatch-node = 1\naction = keep\n",
	  .modes = "",
	  .verdict = VERDICT_NOTHING },
	/* ---- partitions ---- */
	APPLIES("its partition", "d", "match-partition = 2"),
	APPLIES("one of several partitions", "d", "match-partition = 1 2"),
	APPLIES("its partition, as older kernels say it", "d", "match-partition = 1",
		.flags = PARTITION_A),
	APPLIES_NOT("another partition", "d", "match-partition = 1"),
	APPLIES_NOT("the kernel does not say which partition", "d",
		    "match-partition = 1 2 3 4 5 6 7 8", .flags = NO_PARTITION),
	/* ---- modes ---- */
	APPLIES("one of several modes", "d", "match-mode = devdax fsdev"),
	APPLIES("each device in one of the modes", "fd", "match-mode = devdax, fsdev"),
	APPLIES_NOT("one device in none of the modes", "fdu", "match-mode = devdax fsdev"),
	{ .name = "unclaimed, and nobody claims it",
	  .conf = "[rule r]\nmatch-mode = unclaimed\nretries = 1\n",
	  .modes = "",
	  .verdict = VERDICT_NOTHING,
	  .rule = "r" },
	{ .name = "unclaimed or devdax, and nobody claims it",
	  .conf = "[rule r]\nmatch-mode = devdax unclaimed\naction = keep\n",
	  .modes = "",
	  .verdict = VERDICT_NOTHING,
	  .rule = "r" },
	APPLIES("unclaimed or devdax, and a devdax claims it", "d",
		"match-mode = unclaimed devdax"),
	APPLIES_NOT("unclaimed or fsdev, and a devdax claims it", "d",
		    "match-mode = unclaimed fsdev"),
	/* ---- sharable ---- */
	APPLIES("sharable", "d", "match-sharable = yes", .flags = SHARABLE),
	APPLIES_NOT("sharable, but it is not", "d", "match-sharable = yes", .flags = NOT_SHARABLE),
	APPLIES("not known to be unshared counts as sharable", "d", "match-sharable = yes"),
	APPLIES("not sharable", "d", "match-sharable = no", .flags = NOT_SHARABLE),
	APPLIES_NOT("not sharable, but it is", "d", "match-sharable = no", .flags = SHARABLE),
	APPLIES_NOT("not known to be unshared", "d", "match-sharable = no"),
	/* ---- size: a device claims 384M of the group ---- */
	APPLIES("within the sizes", "d", "match-size = 256M-1G"),
	APPLIES("the bounds are in it: below", "d", "match-size = 384M-1G"),
	APPLIES("the bounds are in it: above", "d", "match-size = 1M-384M"),
	APPLIES_NOT("too small", "d", "match-size = 385M-1G"),
	APPLIES_NOT("too large", "d", "match-size = 1M-383M"),
	APPLIES("at most", "d", "match-size = -384M"),
	APPLIES_NOT("at most, but it is more", "d", "match-size = -383M"),
	APPLIES("at least", "d", "match-size = 384M-"),
	APPLIES_NOT("at least, but it is less", "d", "match-size = 385M-"),
	APPLIES("the group's size, not a device's", "dd", "match-size = 768M-768M"),
	APPLIES("what nobody claims of the group counts as well", "d", "match-size = 384M-384M",
		.flags = ONE_CLAIMS),
	/* ---- extents: two for each device ---- */
	APPLIES("as many extents", "d", "match-extents = 2-4"),
	APPLIES("as many extents: the upper bound", "d", "match-extents = 1-2"),
	APPLIES_NOT("too many extents", "d", "match-extents = 1-1"),
	APPLIES_NOT("too few extents", "d", "match-extents = 3-"),
	APPLIES("extents of all devices", "dd", "match-extents = 4-4"),
	APPLIES_NOT("extents of all devices are more", "dd", "match-extents = -3"),
	/* ---- who wants it ---- */
	APPLIES("the device asked", "d", "match-origin = device"),
	APPLIES("an admin asked", "d", "match-origin = admin",
		.request = { .origin = ORIGIN_ADMIN }),
	APPLIES_NOT("the device asked, not an admin", "d", "match-origin = admin"),
	APPLIES_NOT("an admin asked, not the device", "d", "match-origin = device",
		    .request = { .origin = ORIGIN_ADMIN }),
	/* ---- several keys ---- */
	APPLIES("all keys match", "d",
		"match-tag = 5*\nmatch-memdev = 0x1267\nmatch-region = region*\nmatch-node = 1\n"
		"match-partition = 2\nmatch-mode = devdax\nmatch-sharable = no\nmatch-size = 1M-1G\n"
		"match-extents = 2-2\nmatch-origin = device",
		.flags = NOT_SHARABLE),
	APPLIES_NOT("all keys but the last match", "d",
		    "match-tag = 5*\nmatch-memdev = 0x1267\nmatch-region = region*\n"
		    "match-node = 1\nmatch-partition = 2\nmatch-mode = devdax\n"
		    "match-sharable = no\nmatch-size = 1M-1G\nmatch-extents = 2-2\n"
		    "match-origin = admin",
		    .flags = NOT_SHARABLE),
	{ .name = "a rule frees one mode and keeps another",
	  .conf = "[rule r]\nmatch-tag = *\ndevdax = free\nfsdev = keep\n",
	  .modes = "df",
	  .verdict = VERDICT_REFUSE,
	  .rule = "r",
	  .reason = "dax0.2 is in mode fsdev" },
	{ .name = "a rule's action is for the modes that it matches",
	  .conf = "[rule r]\nmatch-mode = devdax fsdev\naction = free\n",
	  .modes = "dfd",
	  .verdict = VERDICT_FREE,
	  .rule = "r" },
	{ .name = "[release] behind a rule is inherited all the same",
	  .conf = "[rule r]\nmatch-tag = *\nretries = 1\n" ALL_FREE,
	  .modes = "dfu",
	  .verdict = VERDICT_FREE,
	  .rule = "r" },
};

TEST_TABLE(cases);

/* The settings of the rule that matched go with the decision. */
static void test_settings_in_force(_unused_ void **state)
{
	static const struct test_case c = {
		.conf = "[rule a]\nmatch-tag = 6*\nretries = 8\n"
			"[rule b]\nmatch-tag = 5*\nretries = 9\noffline-method = blocks\n"
			"holders = refuse\nwindows = Mon 08:00-09:00\nrate-groups = 3\n"
			"[release]\nretries = 7\nblock-timeout = 3s\nholders-wait = 1h\n",
		.modes = "s",
	};
	struct policy_facts facts = case_facts(&c);
	struct policy_request request = { 0 };
	struct decision decision;
	struct policy policy;
	struct host host;

	host_build(&c, &host);
	parse(c.conf, &policy);
	policy_decide(&host.inv, &host.group, &policy, &facts, &request, &decision);
	assert_string_equal(decision.rule, "b");
	assert_string_equal(decision.rule_source, "conf:4");
	assert_int_equal(decision.settings.retries, 9);
	assert_int_equal(decision.settings.method, OFFLINE_BLOCKS);
	assert_int_equal(decision.settings.block_timeout, 3 * USEC_PER_SEC);
	assert_int_equal(decision.settings.holders, HOLDERS_REFUSE);
	assert_int_equal(decision.settings.holders_wait, USEC_PER_HOUR);
	assert_int_equal(decision.settings.windows.n, 1);
	assert_int_equal(decision.settings.rate_groups, 3);

	/* The other tag, which no rule matches. */
	host.group.first_extent = host.inv.n_extents - 1;
	host.group.n_extents = 1;
	policy_decide(&host.inv, &host.group, &policy, &facts, &request, &decision);
	assert_string_equal(decision.rule, "default");
	assert_string_equal(decision.rule_source, "");
	assert_int_equal(decision.settings.retries, 7);
	assert_int_equal(decision.settings.method, OFFLINE_AUTO);
	assert_int_equal(decision.settings.holders, HOLDERS_WAIT);
	assert_int_equal(decision.settings.windows.n, 0);
	assert_int_equal(decision.verdict, VERDICT_NOTHING);
	policy_done(&policy);
}

/* One that is set at run time is before those of the file, the newest first, until it is removed.
 */
static void test_temporary_rules(_unused_ void **state)
{
	static const struct test_case c = {
		.conf = "[rule file]\nmatch-tag = *\naction = free\n",
		.modes = "d",
	};
	static const struct {
		const char *add, *remove, *rule;
		enum verdict verdict;
	} steps[] = {
		{ NULL, NULL, "file", VERDICT_FREE },	{ "keep", NULL, "keep", VERDICT_REFUSE },
		{ "free", NULL, "free", VERDICT_FREE }, { "ask", NULL, "ask", VERDICT_WAIT },
		{ NULL, "free", "ask", VERDICT_WAIT },	{ NULL, "ask", "keep", VERDICT_REFUSE },
		{ NULL, "keep", "file", VERDICT_FREE },
	};
	struct policy_facts facts = case_facts(&c);
	struct policy_request request = { 0 };
	struct decision decision;
	struct policy policy;
	struct host host;
	struct asked asked = { &host.inv, &policy, &facts, &request };
	char text[64], flaw[2048];

	host_build(&c, &host);
	parse(c.conf, &policy);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		_cleanup_free_ char *error = NULL;

		if (steps[i].add) {
			snprintf(text, sizeof(text), "match-tag = 5*\naction = %s\n", steps[i].add);
			if (policy_add_temporary(&policy, steps[i].add, text, USEC_INFINITY,
						 "tester", &error) < 0)
				fail_msg("%s", error ? error : steps[i].add);
		}
		if (steps[i].remove)
			assert_int_equal(policy_remove_temporary(&policy, steps[i].remove), 0);
		policy_decide(&host.inv, &host.group, &policy, &facts, &request, &decision);
		assert_string_equal(decision.rule, steps[i].rule);
		assert_int_equal(decision.verdict, steps[i].verdict);
		if (decision_flaw(&asked, &decision, flaw, sizeof(flaw)))
			fail_msg("step %zu: %s", i, flaw);
		if (!streq(decision.rule, "file"))
			assert_non_null(strstr(decision.rule_source, "tester"));
	}
	policy_done(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_settings_in_force),
		cmocka_unit_test(test_temporary_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
