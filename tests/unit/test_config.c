/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration file: its syntax, what each mistake is answered with, how rules inherit, and
 * reading from what cannot be read.
 */
#include "tests/unit/config_parse.h"

static void test_syntax(_unused_ void **state)
{
	/* All of them set retries to 7 and nothing else. */
	static const char *const texts[] = {
		"[release]\nretries = 7\n",
		"[release]\nretries = 7",
		"[release]\nretries=7\n",
		"[release]\r\nretries = 7\r\n",
		"\xef\xbb\xbf[release]\nretries = 7\n",
		"\n\n# c\n; c\n [release] \n\t retries\t=\t7 \n\n",
		"[release] # c\nretries = 7 # c\n",
		"[release] ; c\nretries = 7 ; c\n",
		"[release]\nretries: 7\n",
		"# \x80\xff\x01 anything\n[release]\nretries = 7\t;\x80\n",
		"[daemon]\n[release]\nretries = 7\n",
		/* Not a continuation of the line above. */
		"[release]\nblock-timeout = 60s\n   retries = 7\n",
	};
	struct policy policy, expected;

	policy_init(&expected);
	expected.defaults.retries = 7;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		parse_good(texts[i], &policy);
		assert_same_policy(&policy, &expected);
		policy_done(&policy);
	}
}

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define X300 X60 X60 X60 X60 X60
#define X1020 X300 X300 X300 X60 X60

static const struct {
	const char *text, *error;
} mistakes[] = {
	/* sections */
	{ "[relase]\n", "f:1: unknown section [relase], did you mean [release]?" },
	{ "\n[deamon]\n", "f:2: unknown section [deamon], did you mean [daemon]?" },
	{ "[rules x]\n", "f:1: unknown section [rules x]; expected [daemon], [release] or [rule "
			 "NAME]" },
	{ "[rul]\n", "f:1: unknown section [rul], did you mean [rule NAME]?" },
	{ "[Release]\n", "f:1: unknown section [Release], did you mean [release]?" },
	{ "[]\n", "f:1: unknown section []; expected [daemon], [release] or [rule NAME]" },
	{ "[ release ]\n", "f:1: unknown section [ release ], did you mean [release]?" },
	{ "[something]\n", "f:1: unknown section [something]; expected [daemon], [release] or "
			   "[rule NAME]" },
	{ "[release\n", "f:1: expected [daemon], [release] or [rule NAME], alone on its line" },
	{ "[\n", "f:1: expected [daemon], [release] or [rule NAME], alone on its line" },
	{ "[release] retries = 1\n",
	  "f:1: expected [daemon], [release] or [rule NAME], alone on its line" },
	/* A ';' is a comment only behind a blank. */
	{ "[release];c\n", "f:1: expected [daemon], [release] or [rule NAME], alone on its line" },
	{ "[[release]]\n", "f:1: expected [daemon], [release] or [rule NAME], alone on its line" },
	{ "[release]\n\n[daemon]\n[release]\n",
	  "f:4: section [release] is there already, at line 1" },
	{ "[daemon]\n[daemon]\n", "f:2: section [daemon] is there already, at line 1" },
	{ "retries = 1\n", "f:1: expected a [section] before the first key" },
	{ "nonsense\n[release]\n", "f:1: expected a [section] before the first key" },
	/* rule names */
	{ "[rule]\n", "f:1: rule name \"\": expected 1 to 63 letters, digits and . _ -, and not "
		      "\"default\"" },
	{ "[rule default]\n",
	  "f:1: rule name \"default\": expected 1 to 63 letters, digits and . _ "
	  "-, and not \"default\"" },
	{ "[rule a b]\n", "f:1: rule name \"a b\": expected 1 to 63 letters, digits and . _ -, and "
			  "not \"default\"" },
	{ "[rule " X60 "xxxx]\n",
	  "f:1: rule name \"" X60 "xxxx\": expected 1 to 63 letters, digits and . _ -, and not "
	  "\"default\"" },
	{ "[rule a]\nmatch-tag=*\nretries=1\n[release]\n[rule a]\n",
	  "f:5: rule \"a\" is there already, at line 1" },
	/* keys */
	{ "[release]\nretrys = 1\n",
	  "f:2: unknown key \"retrys\" in [release], did you mean \"retries\"?" },
	{ "[daemon]\n\nsetle-time = 1s\n",
	  "f:3: unknown key \"setle-time\" in [daemon], did you mean \"settle-time\"?" },
	{ "[rule x]\nmatch-tga = *\n",
	  "f:2: unknown key \"match-tga\" in [rule], did you mean \"match-tag\"?" },
	{ "[rule x]\nheadrom = 1G\n",
	  "f:2: unknown key \"headrom\" in [rule], did you mean \"headroom\"?" },
	{ "[release]\nfsdve = keep\n",
	  "f:2: unknown key \"fsdve\" in [release], did you mean \"fsdev\"?" },
	{ "[release]\nfoo = 1\n",
	  "f:2: unknown key \"foo\" in [release]; dcdd.conf(5) lists what is expected there" },
	{ "[release]\n" X60 " = 1\n", "f:2: unknown key \"" X60 "\" in [release]; dcdd.conf(5) "
				      "lists what is expected there" },
	{ "[daemon]\nretries = 1\n", "f:2: key \"retries\" belongs in [release], not in [daemon]" },
	{ "[release]\nlog-level = info\n",
	  "f:2: key \"log-level\" belongs in [daemon], not in [release]" },
	{ "[release]\naction = free\n",
	  "f:2: key \"action\" belongs in [rule NAME], not in [release]" },
	{ "[rule x]\nqueue-max = 5\n",
	  "f:2: key \"queue-max\" belongs in [daemon], not in [rule]" },
	{ "[release]\nretries = 1\n# c\nretries = 1\n",
	  "f:4: key \"retries\" is set already, at line 2" },
	{ "[rule x]\nmatch-tag = *\nmatch-tag = 5*\n",
	  "f:3: key \"match-tag\" is set already, at line 2" },
	{ "[release]\nretries\n", "f:2: expected KEY = VALUE or a [section]" },
	{ "[release]\nretries\nretrys = 1\n", "f:2: expected KEY = VALUE or a [section]" },
	{ "[release]\nretries = 1\nheadroom", "f:3: expected KEY = VALUE or a [section]" },
	{ "[release]\n= 1\n",
	  "f:2: unknown key \"\" in [release]; dcdd.conf(5) lists what is expected there" },
	/* values */
	{ "[release]\nretries = three\n",
	  "f:2: retries = \"three\": expected a whole number from 0 to 1000" },
	{ "[release]\nretries = ; none\n",
	  "f:2: retries = \"\": expected a whole number from 0 to 1000" },
	{ "[release]\nretries = 1;x\n",
	  "f:2: retries = \"1;x\": expected a whole number from 0 to 1000" },
	{ "[release]\nretries = 1#x\n",
	  "f:2: retries = \"1#x\": expected a whole number from 0 to 1000" },
	{ "[daemon]\nsettle-time = 5\n",
	  "f:2: settle-time = \"5\": expected a time from 1ms to 1min "
	  "(a whole number with us, ms, s, min or h)" },
	{ "[daemon]\nsettle-time = 0\n",
	  "f:2: settle-time = \"0\": expected a time from 1ms to 1min "
	  "(a whole number with us, ms, s, min or h)" },
	{ "[daemon]\ntrace-buffer-size = 65000\n",
	  "f:2: trace-buffer-size = \"65000\": expected a size from 4K to 64M, in whole K (such as "
	  "64K or 1M)" },
	{ "[release]\nheadroom = 5%\n",
	  "f:2: headroom = \"5%\": expected a size from 0 to 1024T (a "
	  "whole number, of bytes or with K, M, G or T)" },
	{ "[release]\nheadroom-percent = 5\n",
	  "f:2: headroom-percent = \"5\": expected a percentage "
	  "from 0% to 100% (such as 5% or 2.5%)" },
	{ "[release]\ndevdax = yes\n", "f:2: devdax = \"yes\": expected free, keep or ask" },
	{ "[release]\noffline-method = all\n",
	  "f:2: offline-method = \"all\": expected auto, atomic or blocks" },
	{ "[rule x]\nmatch-mode = other\n",
	  "f:2: match-mode = \"other\": expected one or more, separated by blanks or commas, of unbound, "
	  "system-ram, devdax, fsdev or unclaimed" },
	{ "[rule x]\nmatch-tag = job-7\n",
	  "f:2: match-tag = \"job-7\": expected patterns of hexadecimal digits, dashes and "
	  "* ? [ ] ! ^, separated by blanks or commas, 1 to 159 characters in all" },
	{ "[daemon]\nlog-level = warn\n", "f:2: log-level = \"warn\": expected emerg, alert, crit, "
					  "err, warning, notice, info or debug" },
	/* bytes and lengths */
	{ "[release]\nretries = 1\x01\n",
	  "f:2: unexpected byte 0x01; expected printable ASCII outside comments" },
	{ "[release]\nretries = \xc3\xbc\n",
	  "f:2: unexpected byte 0xc3; expected printable ASCII outside comments" },
	{ "[release]\nretries = 1\r2\n",
	  "f:2: unexpected byte 0x0d; expected printable ASCII outside comments" },
	{ "[release]\n\xef\xbb\xbfretries = 1\n",
	  "f:2: unexpected byte 0xef; expected printable ASCII outside comments" },
	{ "[release]\nretries = " X300 "\n",
	  "f:2: key and value are too long; expected at most 198 bytes" },
	{ "[release]\n# " X1020 "xxx\n", "f:2: the line is too long; expected at most 1024 bytes" },
	/* contradictions: the line that made it one */
	{ "[release]\nbackoff-initial = 10min\n",
	  "f:2: backoff-initial = 10min is longer than backoff-max = 5min in [release]; expected at "
	  "most that" },
	{ "[release]\nbackoff-max = 1s\n\n# c\nbackoff-initial = 2s\n",
	  "f:5: backoff-initial = 2s is longer than backoff-max = 1s in [release]; expected at most "
	  "that" },
	{ "[release]\nbackoff-initial = 2s\nbackoff-max = 1s\n",
	  "f:3: backoff-initial = 2s is longer than backoff-max = 1s in [release]; expected at most "
	  "that" },
	{ "[release]\nbackoff-initial = 1001ms\nbackoff-max = 1s\n",
	  "f:3: backoff-initial = 1001ms is longer than backoff-max = 1s in [release]; expected at "
	  "most that" },
	{ "[release]\nrelease-timeout = 30s\n",
	  "f:2: block-timeout = 1min is longer than release-timeout = 30s in [release]; expected at "
	  "most that" },
	{ "[rule x]\nmatch-tag = *\nblock-timeout = 20min\n",
	  "f:3: block-timeout = 20min is longer than release-timeout = 15min in rule \"x\"; expected "
	  "at most that" },
	/* A rule that is wrong only with what [release] says behind it. */
	{ "[rule x]\nmatch-tag = *\nbackoff-initial = 2min\n[release]\nbackoff-max = 1min\n",
	  "f:3: backoff-initial = 2min is longer than backoff-max = 1min in rule \"x\"; expected at "
	  "most that" },
	{ "[rule x]\n[rule y]\n",
	  "f:1: rule \"x\" matches by nothing; expected at least one match- key" },
	{ "[rule x]\naction = free\n",
	  "f:1: rule \"x\" matches by nothing; expected at least one match- key" },
	{ "[release]\n[rule x]\nmatch-memdev = mem0\n",
	  "f:2: rule \"x\" changes nothing; expected action or a key of [release]" },
	{ "[rule x]\nmatch-memdev = mem0\naction = keep\nfsdev = free\nretries = 1\n",
	  "f:4: rule \"x\" has both action and fsdev; expected one of them" },
	{ "[rule x]\nmatch-memdev = mem0\nfsdev = free\naction = keep\n",
	  "f:4: rule \"x\" has both action and fsdev; expected one of them" },
	{ "[rule x]\nmatch-mode = devdax\nunbound = free\n",
	  "f:3: rule \"x\" sets unbound but matches only devdax; expected devdax or action" },
	{ "[rule x]\nunbound = free\nmatch-mode = devdax\n",
	  "f:3: rule \"x\" sets unbound but matches only devdax; expected devdax or action" },
	/* The first mistake counts. */
	{ "[release]\nretrys = 1\nretries = x\n[foo]\n",
	  "f:2: unknown key \"retrys\" in [release], did you mean \"retries\"?" },
};

static void test_mistakes(_unused_ void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		_cleanup_free_ char *error = NULL;
		struct policy policy;

		policy_init(&policy);
		if (parse_text(mistakes[i].text, &policy, &error) != -EINVAL)
			fail_msg("no error for\n%s", mistakes[i].text);
		assert_string_equal(error, mistakes[i].error);
		policy_done(&policy);
	}
}

static void test_nul_byte(_unused_ void **state)
{
	static const char data[] = "[release]\nretries = 1\n# a\0b\nretries = 2\n";
	_cleanup_free_ char *error = NULL;
	struct policy policy;

	policy_init(&policy);
	assert_int_equal(parse_bytes(data, sizeof(data) - 1, &policy, &error), -EINVAL);
	assert_string_equal(error, "f:3: the line contains a NUL byte; expected a text file");
	policy_done(&policy);
}

/* The longest line, comment included, and the longest key and value that are taken. */
static void test_longest_lines(_unused_ void **state)
{
	_cleanup_free_ char *text = NULL, *error = NULL;
	struct policy policy;

	assert_true(asprintf(&text, "[release]\n# %s%s\nretries%*s= 7\n", X1020, "xx", 188, "") >
		    0);
	parse_good(text, &policy);
	assert_int_equal(policy.defaults.retries, 7);
	policy_done(&policy);

	free(text);
	assert_true(asprintf(&text, "[release]\n\nretries%*s= 7\n", 189, "") > 0);
	policy_init(&policy);
	assert_int_equal(parse_text(text, &policy, &error), -EINVAL);
	assert_string_equal(error, "f:3: key and value are too long; expected at most 198 bytes");
	policy_done(&policy);
}

static void test_too_many_rules(_unused_ void **state)
{
	_cleanup_free_ char *text = NULL, *error = NULL;
	struct policy policy;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	for (int i = 0; i <= 1024; i++)
		fprintf(f, "[rule r%d]\nmatch-tag = %x\naction = keep\n", i, i);
	fclose(f);
	policy_init(&policy);
	assert_int_equal(parse_text(text, &policy, &error), -EINVAL);
	assert_string_equal(error, "f:3073: too many rules; expected at most 1024");
	policy_done(&policy);

	/* One less is fine. */
	*strstr(text, "[rule r1024]") = '\0';
	parse_good(text, &policy);
	assert_int_equal(policy.n_rules, 1024);
	assert_dump_round_trip(&policy);
	policy_done(&policy);
}

static void test_inheritance(_unused_ void **state)
{
	/* [release] in the middle: rules on both sides have what it says in the end. */
	static const char text[] = "[rule a]\n"
				   "match-tag = 5B*\n"
				   "match-memdev = mem0\n"
				   "match-region = region1\n"
				   "match-mode = devdax\n"
				   "action = free\n"
				   "retries = 9\n"
				   "recovery = resume\n"
				   "[release]\n"
				   "retries = 5\n"
				   "headroom = 1G\n"
				   "fsdev = free\n"
				   "[rule b]\n"
				   "match-memdev = mem1\n"
				   "action = keep\n"
				   "headroom-percent = 0%\n"
				   "[rule c]\n"
				   "match-tag = 1*\n"
				   "unbound = free\n"
				   "[rule d]\n"
				   "match-tag = 2*\n"
				   "action = free\n";
	const struct policy_rule *a, *b, *c;
	struct policy policy;

	parse_good(text, &policy);
	assert_int_equal(policy.n_rules, 4);
	a = &policy.rules[0];
	b = &policy.rules[1];
	c = &policy.rules[2];

	assert_string_equal(a->name, "a");
	assert_string_equal(a->tags, "5B*");
	assert_string_equal(a->memdevs, "mem0");
	assert_string_equal(a->regions, "region1");
	assert_int_equal(a->modes, 1U << DAX_MODE_DEVDAX);
	assert_int_equal(a->file, 0);
	assert_int_equal(a->line, 1);
	assert_int_equal(a->settings.retries, 9);
	assert_int_equal(a->settings.recovery, RECOVERY_RESUME);
	assert_int_equal(a->settings.headroom_bytes, GiB);
	assert_int_equal(a->settings.action[DAX_MODE_DEVDAX], ACTION_FREE);
	assert_int_equal(a->settings.action[DAX_MODE_UNBOUND], ACTION_KEEP);
	assert_int_equal(a->settings.action[DAX_MODE_FSDEV], ACTION_FREE);

	assert_string_equal(b->tags, "");
	assert_int_equal(b->modes, 0);
	assert_int_equal(b->line, 13);
	assert_int_equal(b->settings.retries, 5);
	assert_int_equal(b->settings.recovery, RECOVERY_ROLL_BACK);
	assert_int_equal(b->settings.headroom_permyriad, 0);
	assert_int_equal(b->settings.action[DAX_MODE_SYSTEM_RAM], ACTION_KEEP);
	assert_int_equal(b->settings.action[DAX_MODE_FSDEV], ACTION_KEEP);

	assert_int_equal(c->settings.action[DAX_MODE_UNBOUND], ACTION_FREE);
	assert_int_equal(c->settings.action[DAX_MODE_SYSTEM_RAM], ACTION_FREE);
	assert_int_equal(c->settings.action[DAX_MODE_DEVDAX], ACTION_KEEP);

	assert_int_equal(policy.rules[3].settings.action[DAX_MODE_DEVDAX], ACTION_FREE);
	/* Not even by a rule for every mode. */
	for (size_t i = 0; i < policy.n_rules; i++)
		assert_int_equal(policy.rules[i].settings.action[DAX_MODE_OTHER], ACTION_KEEP);
	assert_dump_round_trip(&policy);
	policy_done(&policy);
}

/* A second file over the first: it changes what the rules of the first inherit. */
static void test_second_file(_unused_ void **state)
{
	_cleanup_free_ char *error = NULL;
	struct policy policy;

	parse_good("[release]\nretries = 5\n[rule a]\nmatch-tag = *\nbackoff-initial = 2min\n",
		   &policy);
	assert_int_equal(parse_text("[release]\nretries = 6\n[rule b]\nmatch-tag = 0*\n"
				    "action = keep\n[rule c]\nmatch-tag = 1*\naction = keep\n",
				    &policy, &error),
			 0);
	assert_int_equal(policy.n_rules, 3);
	assert_string_equal(policy.rules[0].name, "b");
	assert_string_equal(policy.rules[1].name, "c");
	assert_string_equal(policy.rules[2].name, "a");
	assert_int_equal(policy.rules[1].file, 1);
	assert_int_equal(policy.rules[1].line, 6);
	assert_int_equal(policy.rules[2].file, 0);
	assert_int_equal(policy.rules[2].line, 3);
	assert_int_equal(policy.rules[2].settings.retries, 6);
	assert_int_equal(policy.rules[2].settings.backoff_initial, 2 * USEC_PER_MIN);
	assert_int_equal(policy.n_files, 2);
	assert_dump_round_trip(&policy);

	/* Its own line is blamed for what it does to a rule of the first file. */
	assert_int_equal(parse_text("[release]\n\nbackoff-max = 1min\n", &policy, &error), -EINVAL);
	assert_string_equal(error,
			    "f:3: backoff-initial = 2min is longer than backoff-max = 1min in "
			    "rule \"a\"; expected at most that");
	policy_done(&policy);
}

static void test_second_file_same_rule(_unused_ void **state)
{
	_cleanup_free_ char *error = NULL;
	struct policy policy;

	parse_good("\n\n[rule a]\nmatch-tag = *\nretries = 1\n", &policy);
	assert_int_equal(parse_text("\n[rule a]\n", &policy, &error), -EINVAL);
	assert_string_equal(error, "f:2: rule \"a\" is there already, at f:3");
	policy_done(&policy);
}

static void test_dump_errors(_unused_ void **state)
{
	struct policy policy;
	FILE *full;

	parse_good("[rule a]\nmatch-tag = *\nretries = 1\n", &policy);
	full = fopen("/dev/full", "we");
	assert_non_null(full);
	assert_int_equal(policy_dump(&policy, full), -EIO);
	/* Also where only what was written before the end fails. */
	clearerr(full);
	assert_int_equal(setvbuf(full, NULL, _IONBF, 0), 0);
	assert_int_equal(policy_dump(&policy, full), -EIO);
	clearerr(full);
	assert_int_equal(policy_rule_dump(&policy.rules[0], full), -EIO);
	fclose(full);
	policy_done(&policy);
}

/* Where everything is from stands in comments, whatever the path is made of. */
static void test_dump_origin(_unused_ void **state)
{
	static const char text[] = "[rule a]\nmatch-tag = *\nretries = 1\n";
	_cleanup_free_ char *error = NULL, *dumped = NULL, *path = NULL;
	_cleanup_fclose_ FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	struct policy policy, again;

	policy_init(&policy);
	dumped = dump(&policy);
	assert_non_null(strstr(dumped, "# The built-in defaults; there is no configuration file.\n"
				       "\n[daemon]\nsettle-time = 200ms\n"));
	free(dumped);

	assert_true(asprintf(&path, "/x\n[rule y]\n/%01000d", 0) > 0);
	assert_int_equal(policy_parse(path, f, &policy, &error), 0);
	dumped = dump(&policy);
	assert_non_null(strstr(dumped, "# From /x\\x0a[rule y]\\x0a/000"));
	assert_non_null(strstr(dumped, "\n\n[rule a]\n") ? NULL : dumped);
	assert_non_null(strstr(dumped, ":1\n[rule a]\nretries = 1\nmatch-tag = *\n"));
	parse_good(dumped, &again);
	assert_same_policy(&policy, &again);
	policy_done(&again);
	policy_done(&policy);
}

static ssize_t read_twice(void *cookie, char *buf, size_t size)
{
	static const char text[] = { '[', 'r', 'e', 'l', 'e', 'a', 's', 'e', ']', '\n' };
	int *calls = cookie;

	if ((*calls)++) {
		errno = EIO;
		return -1;
	}
	assert_true(size >= sizeof(text));
	memcpy(buf, text, sizeof(text));
	return (ssize_t)sizeof(text);
}

/* A file that ends in an error is not a file that ends. */
static void test_read_error(_unused_ void **state)
{
	_cleanup_free_ char *error = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	struct policy policy;
	int calls = 0;

	f = fopencookie(&calls, "r", (cookie_io_functions_t){ .read = read_twice });
	assert_non_null(f);
	policy_init(&policy);
	assert_int_equal(policy_parse("f", f, &policy, &error), -EIO);
	assert_null(error);
	assert_true(calls >= 2 && calls <= 10);
	policy_done(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),	       cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_nul_byte),       cmocka_unit_test(test_longest_lines),
		cmocka_unit_test(test_too_many_rules), cmocka_unit_test(test_inheritance),
		cmocka_unit_test(test_second_file),    cmocka_unit_test(test_second_file_same_rule),
		cmocka_unit_test(test_dump_errors),    cmocka_unit_test(test_dump_origin),
		cmocka_unit_test(test_read_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
