/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of keys that are not one number or word, where they come to stand, and the message that
 * answers a wrong value of each type.
 */
#include "tests/unit/config_keys.h"

#define A150                                                                                       \
	"aaaaaaaaaa aaaaaaaaaa aaaaaaaaaa aaaaaaaaaa aaaaaaaaaa aaaaaaaaaa aaaaaaaaaa "            \
	"aaaaaaaaaa aaaaaaaaaa aaaaaaaaaa aaaaaaaaaa aaaaaaaaaa aaaaaaaaaa aaaaaa"

/* What is not one number or word. */
static void test_compound_values(_unused_ void **state)
{
	static const struct {
		const char *key, *value;
		const char *printed; /* NULL: not taken; "=": as it is */
	} cases[] = {
		{ "message", "Ask the storage team, #room 7; they know; 50% off!", NULL },
		{ "message", "Ask the storage team (room 7): \"they\" know", "=" },
		{ "message", "a;b#c", "=" },
		{ "message", "= x = y", "=" },
		{ "message", "[release]", "=" },

		{ "terminate-units", "batch-*.service", "=" },
		{ "terminate-units", "a@b\\x2dc.service,d.scope  /user.slice/* , e?[!f^].slice",
		  "a@b\\x2dc.service d.scope /user.slice/* e?[!f^].slice" },
		{ "terminate-units", "user.slice/a", NULL },
		{ "terminate-units", "a$b.service", NULL },

		{ "windows", "Mon..Fri 22:00-06:00,Sat,Sun 00:00-24:00 UTC",
		  "Mon..Fri 22:00-06:00, Sat,Sun 00:00-24:00 UTC" },
		{ "windows", "Mon", NULL },
		{ "windows", "25:00-26:00", NULL },
		/* 8 windows that fit a line in the short form of the file, but not as printed */
		{ "windows",
		  "Fri..Mon 01:00-02:00,Fri..Mon 01:00-02:00,Fri..Mon 01:00-02:00,"
		  "Fri..Mon 01:00-02:00,Fri..Mon 01:00-02:00,Fri..Mon 01:00-02:00,"
		  "Fri..Mon 01:00-02:00,Fri..Mon 01:00-02:00",
		  NULL },
		{ "windows",
		  "Mon 01:00-02:00,Mon 01:00-02:00,Mon 01:00-02:00,Mon 01:00-02:00,"
		  "Mon 01:00-02:00,Mon 01:00-02:00,Mon 01:00-02:00,Mon 01:00-02:00",
		  "Mon 01:00-02:00, Mon 01:00-02:00, Mon 01:00-02:00, Mon 01:00-02:00, "
		  "Mon 01:00-02:00, Mon 01:00-02:00, Mon 01:00-02:00, Mon 01:00-02:00" },

		{ "match-tag", "5be13bce-*", "=" },
		{ "match-tag", "5B*\t,, ?[!0-9a-f]^* ,", "5B* ?[!0-9a-f]^*" },
		{ "match-tag", A150, "=" },
		{ "match-tag", "job-7", NULL },
		{ "match-tag", ", ,", NULL },
		{ "match-memdev", "mem0", "=" },
		{ "match-memdev", "mem0,mem1 mem[2-5] 4711 0x1aB",
		  "mem0 mem1 mem[2-5] 4711 0x1aB" },
		{ "match-memdev", "0x1g", NULL },
		{ "match-memdev", "1.5", NULL },
		{ "match-memdev", "18446744073709551616", NULL },
		{ "match-memdev", "a/b", NULL },
		{ "match-region", "region0,region1*", "region0 region1*" },
		{ "match-region", "region/0", NULL },

		{ "match-node", "0", "=" },
		{ "match-node", "3,1 , 0 1023", "3 1 0 1023" },
		{ "match-node", "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", "=" },
		{ "match-node", "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", NULL },
		{ "match-node", "1024", NULL },
		{ "match-node", "-1", NULL },
		{ "match-node", "1 2 1", NULL },
		{ "match-node", "1 01", NULL },
		{ "match-node", "1-3", NULL },
		{ "match-node", ",", NULL },
		/* a list as long as no list is, whose end is wrong */
		{ "match-node", "1 " A150 A150, NULL },

		{ "match-partition", "8,1 3", "1 3 8" },
		{ "match-partition", "0", NULL },
		{ "match-partition", "9", NULL },
		{ "match-partition", "2 2", NULL },
		{ "match-partition", "1 4294967298", NULL },
		{ "match-partition", "1 " A150 A150, NULL },

		{ "match-mode", "unclaimed,devdax , system-ram", "system-ram devdax unclaimed" },
		{ "match-mode", "devdax devdax", NULL },
		{ "match-mode", "devdax other", NULL },
		{ "match-mode", ", ,", NULL },

		{ "match-size", "1G-64G", "=" },
		{ "match-size", "-64G", "=" },
		{ "match-size", "1024M-", "1G-" },
		{ "match-size", "4G", "=" },
		{ "match-size", "4G-4G", "4G" },
		{ "match-size", "1-1024T", "=" },
		{ "match-size", "-", NULL },
		{ "match-size", "0-4G", NULL },
		{ "match-size", "0", NULL },
		{ "match-size", "1025T-", NULL },
		{ "match-size", "-1025T", NULL },
		{ "match-size", "4G-1G", NULL },
		{ "match-size", "1G - 2G", NULL },
		{ "match-size", "1G-2G-3G", NULL },
		{ "match-size", "00000000000000000000000000000000001-2", NULL },
		{ "match-size", "--2G", NULL },
		{ "match-extents", "1-4", "=" },
		{ "match-extents", "2-", "=" },
		{ "match-extents", "-4", "=" },
		{ "match-extents", "3", "=" },
		{ "match-extents", "1000000", "=" },
		{ "match-extents", "1000001", NULL },
		{ "match-extents", "0", NULL },
		{ "match-extents", "1K", NULL },
		{ "match-extents", "4-3", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct config_key *key = find_key(cases[i].key);
		const char *printed = cases[i].printed;
		char buf[TIME_WINDOWS_STRLEN];
		struct policy_rule rule;

		/* Directly, since a file cannot hold all of them. */
		policy_rule_init(&rule, "x");
		if (!printed) {
			struct policy_rule before = rule;

			if (config_key_parse(key, cases[i].value, rule_key_base(&rule, key)) !=
			    -EINVAL)
				fail_msg("%s = %s is taken", key->name, cases[i].value);
			assert_memory_equal(&rule, &before, sizeof(rule));
			continue;
		}
		if (streq(printed, "="))
			printed = cases[i].value;
		if (config_key_parse(key, cases[i].value, rule_key_base(&rule, key)) != 0)
			fail_msg("%s = %s is not taken", key->name, cases[i].value);
		assert_string_equal(config_key_format(key, rule_key_base_const(&rule, key), buf),
				    printed);
		assert_key_reads(key, cases[i].value, printed);
	}
}

/* Where the values of a rule come to stand. */
static void test_rule_fields(_unused_ void **state)
{
	static const char text[] = "[rule x]\n"
				   "match-tag = 5B*, 6?\n"
				   "match-memdev = mem0 0x10\n"
				   "match-region = region1\n"
				   "match-node = 3 1\n"
				   "match-partition = 1 4\n"
				   "match-mode = devdax unclaimed\n"
				   "match-sharable = no\n"
				   "match-size = 1G-2G\n"
				   "match-extents = -7\n"
				   "match-origin = admin\n"
				   "action = ask\n"
				   "message = why\n"
				   "windows = Sat 10:00-11:30 UTC\n";
	const struct policy_rule *rule;
	struct policy_rule unset;
	struct policy policy;

	parse_good(text, &policy);
	rule = &policy.rules[0];
	assert_string_equal(rule->tags, "5B* 6?");
	assert_string_equal(rule->memdevs, "mem0 0x10");
	assert_string_equal(rule->regions, "region1");
	assert_int_equal(rule->n_nodes, 2);
	assert_int_equal(rule->nodes[0], 3);
	assert_int_equal(rule->nodes[1], 1);
	assert_int_equal(rule->partitions, 1 << 1 | 1 << 4);
	assert_int_equal(rule->modes, 1 << DAX_MODE_DEVDAX | 1 << MODE_UNCLAIMED);
	assert_int_equal(rule->sharable, 0);
	assert_true(rule->size.min == GiB && rule->size.max == 2 * GiB);
	assert_true(rule->extents.min == 0 && rule->extents.max == 7);
	assert_int_equal(rule->origin, ORIGIN_ADMIN);
	assert_int_equal(rule->action, ACTION_ASK);
	assert_int_equal(rule->settings.action[DAX_MODE_DEVDAX], ACTION_ASK);
	assert_int_equal(rule->settings.action[DAX_MODE_SYSTEM_RAM], ACTION_FREE);
	assert_string_equal(rule->settings.message, "why");
	assert_int_equal(rule->settings.windows.n, 1);
	assert_int_equal(rule->settings.windows.items[0].days, 1 << 5);
	assert_int_equal(rule->settings.windows.items[0].begin, 600);
	assert_int_equal(rule->settings.windows.items[0].end, 690);
	assert_true(rule->settings.windows.items[0].utc);
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		char line[64];

		snprintf(line, sizeof(line), "\n%s = ", config_keys[i].name);
		assert_true(rule_gives(rule, &config_keys[i]) == !!strstr(text, line));
	}
	policy_done(&policy);

	/* One that says nothing matches everything. */
	policy_rule_init(&unset, "y");
	assert_string_equal(unset.name, "y");
	assert_true(unset.until == USEC_INFINITY);
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		char buf[CONFIG_VALUE_STRLEN];

		assert_false(rule_gives(&unset, &config_keys[i]));
		if (config_keys[i].section == SECTION_RULE)
			assert_string_equal(config_key_format(&config_keys[i], &unset, buf), "");
	}
	assert_int_equal(unset.sharable, -1);
	assert_true(unset.size.min == 0 && unset.size.max == UINT64_MAX);
	assert_true(unset.extents.min == 0 && unset.extents.max == UINT64_MAX);
	assert_int_equal(unset.origin, -1);
	assert_int_equal(unset.action, -1);
}

/* One of each type, whole; the line is counted over all that a file may hold before it. */
static void test_messages(_unused_ void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "# c\n\n[daemon]\n\nsettle-time = 2min\n",
		  "f:5: settle-time = \"2min\": expected a time from 1ms to 1min (a whole number "
		  "with us, ms, s, min or h)" },
		/* The kernel says every two seconds that pressure goes on: less would be calm. */
		{ "[release]\npressure-settle = 2999ms\n",
		  "f:2: pressure-settle = \"2999ms\": expected a time from 3s to 1h (a whole number "
		  "with us, ms, s, min or h)" },
		{ "[release]\nask-timeout = forever\n",
		  "f:2: ask-timeout = \"forever\": expected a time from 100ms to 8760h (a whole "
		  "number with us, ms, s, min or h), or infinity" },
		{ "[release]\n\n\nreserve-host = 1P\n",
		  "f:4: reserve-host = \"1P\": expected a size from 0 to 1024T (a whole number, of "
		  "bytes or with K, M, G or T)" },
		{ "[daemon]\ntrace-buffer-size = 65000\n",
		  "f:2: trace-buffer-size = \"65000\": expected a size from 4K to 64M, in whole K "
		  "(such as 64K or 1M)" },
		{ "[release]\nrate-groups = 501\n",
		  "f:2: rate-groups = \"501\": expected a whole number from 0 to 500" },
		{ "[release]\npressure-full = 101%\n",
		  "f:2: pressure-full = \"101%\": expected a percentage from 0% to 100% (such as 5% "
		  "or 2.5%)" },
		{ "[release]\nnode-headroom-percent = 100.01%\n",
		  "f:2: node-headroom-percent = \"100.01%\": expected a percentage from 0% to 100% "
		  "(such as 5% or 2.5%)" },
		{ "[daemon]\ndry-run = true\n", "f:2: dry-run = \"true\": expected yes or no" },
		{ "[daemon]\nlog-level = warn\n",
		  "f:2: log-level = \"warn\": expected emerg, alert, crit, err, warning, notice, "
		  "info or debug" },
		{ "[release]\nfsdev = no\n", "f:2: fsdev = \"no\": expected free, keep or ask" },
		{ "[release]\nask-outcome = ask\n",
		  "f:2: ask-outcome = \"ask\": expected free or keep" },
		{ "[release]\noffline-method = all\n",
		  "f:2: offline-method = \"all\": expected auto, atomic or blocks" },
		{ "[release]\nrecovery = undo\n",
		  "f:2: recovery = \"undo\": expected roll-back or resume" },
		{ "[release]\nholders = kill\n",
		  "f:2: holders = \"kill\": expected wait, refuse or terminate" },
		{ "[rule x]\nmatch-origin = host\n",
		  "f:2: match-origin = \"host\": expected device or admin" },
		{ "[release]\nmessage = a\tb\n",
		  "f:2: message = \"a\tb\": expected a text of at most 159 printable characters "
		  "that does not begin with # or ;" },
		{ "[release]\nterminate-units = (a)\n",
		  "f:2: terminate-units = \"(a)\": expected patterns on systemd units or, beginning "
		  "with /, on cgroups, separated by blanks or commas, at most 159 characters in all" },
		{ "[rule x]\nmatch-tag = job-7\n",
		  "f:2: match-tag = \"job-7\": expected patterns of hexadecimal digits, dashes and "
		  "* ? [ ] ! ^, separated by blanks or commas, 1 to 159 characters in all" },
		{ "[rule x]\nmatch-memdev = 0x\n",
		  "f:2: match-memdev = \"0x\": expected device names (such as mem0 or mem*) or "
		  "serial numbers, separated by blanks or commas, 1 to 159 characters in all" },
		{ "[rule x]\nmatch-region = a/b\n",
		  "f:2: match-region = \"a/b\": expected device names (such as region0 or region*), "
		  "separated by blanks or commas, 1 to 159 characters in all" },
		{ "[release]\nwindows = weekend\n",
		  "f:2: windows = \"weekend\": expected at most 8 windows such as \"Mon..Fri "
		  "22:00-06:00, Sat,Sun 00:00-24:00 UTC\", at most 180 characters in all" },
		{ "[rule x]\nmatch-node = all\n",
		  "f:2: match-node = \"all\": expected at most 16 different node numbers from 0 to "
		  "1023, separated by blanks or commas" },
		{ "[rule x]\nmatch-partition = 0\n",
		  "f:2: match-partition = \"0\": expected different partition numbers from 1 to 8, "
		  "separated by blanks or commas" },
		{ "[rule x]\nmatch-mode = other\n",
		  "f:2: match-mode = \"other\": expected one or more, separated by blanks or commas, of "
		  "unbound, system-ram, devdax, fsdev or unclaimed" },
		{ "[rule x]\nmatch-size = big\n",
		  "f:2: match-size = \"big\": expected a size from 1 to 1024T (such as 4G) or a "
		  "range of them (such as 1G-64G, 1G- or -64G)" },
		{ "[rule x]\nmatch-extents = 0\n",
		  "f:2: match-extents = \"0\": expected a whole number from 1 to 1000000 or a range "
		  "of them (such as 1-4, 2- or -4)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *error = NULL;
		struct policy policy;

		policy_init(&policy);
		if (parse_text(cases[i].text, &policy, &error) != -EINVAL)
			fail_msg("no error for\n%s", cases[i].text);
		assert_string_equal(error, cases[i].error);
		policy_done(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compound_values),
		cmocka_unit_test(test_rule_fields),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
