/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an undo journal must not be: names that are no group's, other versions and boots, garbage,
 * and files with right checksums that are still not to be believed.
 */
#include "undo_text.h"

/* ---- names ---- */

static void test_names(void **state)
{
	char name[UNDO_NAME_MAX], other[UNDO_NAME_MAX];
	struct group_key key = { .memdev = "mem0" }, got;

	(void)state;
	assert_int_equal(tag_parse(TAG, &key.tag), 0);
	assert_string_equal(undo_name(&key, name), "mem0-" TAG ".undo");
	assert_int_equal(undo_name_parse("mem0-" TAG ".undo.bad", &got), 0);
	assert_true(group_key_equal(&key, &got));
	key = (struct group_key){ .memdev = "mem0", .dpa = { 0, 0x10000000 } };
	assert_string_equal(undo_name(&key, name), "mem0-0x0-0x10000000.undo");

	for (uint64_t seed = 1; seed < 2000; seed++) {
		struct release *r = random_release(seed);

		(void)undo_name(&r->key, name);
		memset(&got, 0xff, sizeof(got));
		assert_int_equal(undo_name_parse(name, &got), 0);
		assert_true(group_key_equal(&r->key, &got));
		(void)snprintf(other, sizeof(other), "%.100s.new", name);
		assert_int_equal(undo_name_parse(other, &got), 0);
		assert_true(group_key_equal(&r->key, &got));
		release_free(r);
	}
}

static void test_names_refused(void **state)
{
	static const char *const bad[] = {
		"",
		".undo",
		"-.undo",
		"mem0.undo",
		"mem0-.undo",
		"mem0--.undo",
		"mem0-" TAG,
		"mem0-" TAG ".und",
		"mem0-" TAG ".undo.",
		"mem0-" TAG ".undo.old",
		"mem0-" TAG ".undo.bad.bad",
		"-" TAG ".undo",
		TAG ".undo",
		"../x-" TAG ".undo",
		"..-" TAG ".undo",
		"a/b-" TAG ".undo",
		"mem 0-" TAG ".undo",
		"mem0\n-" TAG ".undo",
		"mem0-5BE13BCE-ae34-4a77-b6c3-16df975fcf1a.undo",
		"mem0-00000000-0000-0000-0000-000000000000.undo",
		"mem0-5be13bce-ae34-4a77-b6c3-16df975fcf1.undo",
		"mem0-0x0.undo",
		"mem0-0-0x10.undo",
		"mem0-0x00-0x10.undo",
		"mem0-0x0-0x1G.undo",
		"mem0-0X0-0x10.undo",
		"mem0-0xffffffffffffffff-0x1.undo",
		"mem0-0x0-0x10000000000000000.undo",
		"a-name-of-a-memdev-that-is-longer-than-any-of-them-may-be-" TAG ".undo",
	};
	char longest[512];
	struct group_key key;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (undo_name_parse(bad[i], &key) != -EINVAL)
			fail_msg("\"%s\" is a name", bad[i]);
	memset(longest, 'm', sizeof(longest));
	(void)str_copy(longest + 400, sizeof(longest) - 400, "-" TAG ".undo");
	assert_int_equal(undo_name_parse(longest, &key), -EINVAL);
}

/* ---- versions and boots ---- */

static void test_other_version(void **state)
{
	struct undo_record record;
	struct forged f = { 0 };
	bool other;

	(void)state;
	forge(&f,
	      "{\"dcdd-undo\":2,\"boot\":\"" BOOT "\",\"memdev\":\"mem0\",\"tag\":\"" TAG "\"}");
	assert_int_equal(decode(f.text, f.size, &record, &other), -EPROTONOSUPPORT);
	/* With members that we do not know, or a checksum that we do not know. */
	f.size = 0;
	forge(&f, "{\"dcdd-undo\":2,\"what\":true}");
	assert_int_equal(decode(f.text, f.size, &record, &other), -EPROTONOSUPPORT);
	f.size = 0;
	forge_bytes(&f, "{\"dcdd-undo\":3,\"sha256\":\"00\"}\nmore\n", 36);
	assert_int_equal(decode(f.text, f.size, &record, &other), -EPROTONOSUPPORT);
	/* But not without one for our own. */
	f.size = 0;
	forge_bytes(&f, "{\"dcdd-undo\":1,\"x\":\"\"}\n", 24);
	assert_int_equal(decode(f.text, f.size, &record, &other), -EBADMSG);
	f.size = 0;
	forge(&f, "{\"dcdd-undo\":\"1\"}");
	assert_int_equal(decode(f.text, f.size, &record, &other), -EBADMSG);
}

static void test_other_boot(void **state)
{
	static const char *const first[] = { "{\"dcdd-undo\":1,\"boot\":\"" BOOT_BEFORE
					     "\",\"memdev\":\"mem0\",\"tag\":\"" TAG "\"}",
					     "{\"dcdd-undo\":9,\"boot\":\"" BOOT_BEFORE
					     "\",\"memdev\":\"mem0\",\"tag\":\"" TAG "\"}" };
	struct undo_record record;
	struct forged f;
	bool other;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
		struct tag tag;

		f.size = 0;
		forge(&f, first[i]);
		forge_bytes(&f, "\0\0\0\0garbage", 11);
		assert_int_equal(decode(f.text, f.size, &record, &other), 0);
		assert_true(other);
		assert_string_equal(record.boot_id, BOOT_BEFORE);
		assert_string_equal(record.key.memdev, "mem0");
		assert_int_equal(tag_parse(TAG, &tag), 0);
		assert_true(tag_equal(&record.key.tag, &tag));
		assert_null(record.plan.devices);
		undo_record_done(&record);
	}
	/* All of it is there: then all of it is given out. */
	f.size = 0;
	forge(&f, first[0]);
	forge(&f, RELEASE);
	forge(&f, DEVICE);
	forge(&f, BLOCKS);
	forge(&f, END);
	assert_int_equal(decode(f.text, f.size, &record, &other), 0);
	assert_true(other);
	assert_int_equal(record.plan.n_blocks, 4);
	undo_record_done(&record);
	/* A first line that is not right says nothing of a boot. */
	f.text[20] ^= 1;
	assert_int_equal(decode(f.text, f.size, &record, &other), -EBADMSG);
}

/* ---- garbage ---- */

static void test_garbage(void **state)
{
	static const char *const texts[] = { "",
					     "\n",
					     "\n\n\n",
					     "{}",
					     "{}\n",
					     "[]\n",
					     "null\n",
					     "1\n",
					     "hello\n",
					     ",\"sum\":\"00000000\"}\n",
					     "{,\"sum\":\"00000000\"}\n" };
	struct undo_record record;
	uint64_t seed = 42;
	bool other;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(decode(texts[i], strlen(texts[i]), &record, &other), -EBADMSG);
	for (unsigned i = 0; i < 2000; i++) {
		char bytes[300];
		size_t n = below(&seed, sizeof(bytes));

		for (size_t k = 0; k < n; k++)
			bytes[k] = (char)(i % 2 ? next_random(&seed)
						: (uint64_t) "{}[]\":,0123\n dcundo-"[below(&seed,
											    19)]);
		assert_int_equal(decode(bytes, n, &record, &other), -EBADMSG);
	}
}

/* With right checksums, and still not to be believed: lines in place of one that is right. */
static void test_forged(void **state)
{
	static const struct {
		unsigned line; /* which of the five */
		const char *text;
	} cases[] = {
		{ 0, "[1]" },
		{ 0, "{\"dcdd-undo\":1}" },
		{ 0, "{\"dcdd-undo\":1,\"boot\":\"x\",\"memdev\":\"mem0\",\"tag\":\"" TAG "\"}" },
		{ 0, "{\"dcdd-undo\":1,\"boot\":\"" BOOT "\",\"memdev\":\"../m\",\"tag\":\"" TAG
		     "\"}" },
		{ 0,
		  "{\"dcdd-undo\":1,\"boot\":\"" BOOT "\",\"memdev\":\"\",\"tag\":\"" TAG "\"}" },
		{ 0, "{\"dcdd-undo\":1,\"boot\":\"" BOOT "\",\"memdev\":\"mem0\",\"tag\":\"" TAG
		     "\",\"dpa\":\"0x0+0x1\"}" },
		{ 0, "{\"dcdd-undo\":1,\"boot\":\"" BOOT
		     "\",\"memdev\":\"mem0\",\"tag\":\"00000000-0000-0000-0000-000000000000\"}" },
		{ 0, "{\"dcdd-undo\":1,\"boot\":\"" BOOT
		     "\",\"memdev\":\"mem0\",\"dpa\":\"0xffffffffffffffff+0x1\"}" },
		{ 0, "{\"dcdd-undo\":1,\"boot\":\"" BOOT "\",\"memdev\":\"mem0\"}" },
		{ 1, "{\"region\":\"region0\"}" },
		{ 1, DEVICE },
		{ 2, DEVICE_WITH("\"../../x\"", "[\"0x1000+0x1000\"]") },
		{ 2, DEVICE_WITH("\"dax0.1/..\"", "[\"0x1000+0x1000\"]") },
		{ 2, DEVICE_WITH("\"dax0.1\\u0000\"", "[\"0x1000+0x1000\"]") },
		{ 2, DEVICE_WITH("\"\"", "[\"0x1000+0x1000\"]") },
		{ 2, DEVICE_WITH("7", "[\"0x1000+0x1000\"]") },
		{ 2, DEVICE_WITH("null", "[\"0x1000+0x1000\"]") },
		{ 2, DEVICE_WITH("\"dax0.11111111111111111111111111111111111111\"",
				 "[\"0x1000+0x1000\"]") },
		{ 2, DEVICE_WITH("\"dax0.1\"", "[\"0x1000+0x0\"]") },
		{ 2, DEVICE_WITH("\"dax0.1\"", "[\"0x01000+0x1000\"]") },
		{ 2, DEVICE_WITH("\"dax0.1\"", "[\"0x1000\"]") },
		{ 2, DEVICE_WITH("\"dax0.1\"", "[4096]") },
		{ 2, DEVICE_WITH("\"dax0.1\"", "[null]") },
		{ 2, DEVICE_WITH("\"dax0.1\"", "[[[\"0x1000+0x1000\"]]]") },
		{ 2, DEVICE_WITH("\"dax0.1\"", "\"0x1000+0x1000\"") },
		{ 2, DEVICE_WITH("\"dax0.1\"", "[\"0x1000+0x1000\",\"0x1fff+0x10\"]") },
		{ 2, DEVICE_WITH("\"dax0.1\"", "[\"0x9000+0x1000\",\"0x1000+0x1000\"]") },
		{ 2, DEVICE_WITH("\"dax0.1\"", "[\"0xfffffffffffff000+0x1001\"]") },
		{ 2, "{\"device\":\"dax0.1\"}" },
		{ 2, END },
		{ 3, "{\"blocks\":[338],\"device\":0,\"state\":\"online\",\"zone\":\"movable\"}" },
		{ 3,
		  "{\"blocks\":[341,338],\"device\":0,\"state\":\"online\",\"zone\":\"movable\"}" },
		{ 3,
		  "{\"blocks\":[-4,-1],\"device\":0,\"state\":\"online\",\"zone\":\"movable\"}" },
		{ 3,
		  "{\"blocks\":[338.0,341],\"device\":0,\"state\":\"online\",\"zone\":\"movable\"}" },
		{ 3,
		  "{\"blocks\":[338,341],\"device\":1,\"state\":\"online\",\"zone\":\"movable\"}" },
		{ 3,
		  "{\"blocks\":[338,341],\"device\":-1,\"state\":\"online\",\"zone\":\"movable\"}" },
		{ 3, "{\"blocks\":[338,341],\"device\":4294967296,\"state\":\"online\",\"zone\":"
		     "\"movable\"}" },
		{ 3,
		  "{\"blocks\":[338,341],\"device\":0,\"state\":\"invalid\",\"zone\":\"movable\"}" },
		{ 3,
		  "{\"blocks\":[338,341],\"device\":0,\"state\":\"online\",\"zone\":\"invalid\"}" },
		{ 3,
		  "{\"blocks\":[0,18446744073709551615],\"device\":0,\"state\":\"online\",\"zone\":"
		  "\"movable\"}" },
		{ 3,
		  "{\"blocks\":[0,1048576],\"device\":0,\"state\":\"online\",\"zone\":\"movable\"}" },
		{ 3, "{\"known\":[\"dax0.1\",\"/\"]}" },
		{ 3, "{\"known\":{}}" },
		{ 4, END_WITH(2, 1, 4, 0) },
		{ 4, END_WITH(1, 0, 4, 0) },
		{ 4, END_WITH(1, 1, 5, 0) },
		{ 4, END_WITH(1, 1, 4, 1) },
		{ 4, END_WITH(1, 1, 18446744073709551615, 0) },
		{ 4, "{\"end\":\"prior state\"}" },
		/* A second one: */
		{ 4, BLOCKS },
		{ 4,
		  "{\"blocks\":[341,345],\"device\":0,\"state\":\"online\",\"zone\":\"kernel\"}" },
		{ 4, "{\"blocks\":[1,2],\"device\":0,\"state\":\"online\",\"zone\":\"kernel\"}" },
		/* Behind the end: */
		{ 5, BLOCKS },
		{ 5, END },
		{ 5, "{\"x\":1}" },
		{ 5, "{\"step\":\"unknown\",\"device\":0}" },
		{ 5, "{\"step\":\"delete\",\"device\":1}" },
		{ 5, "{\"step\":\"delete\"}" },
		{ 5, "{\"step\":\"offline-block\",\"device\":0}" },
		{ 5,
		  "{\"step\":\"delete\",\"device\":0,\"worker\":4294967297,\"worker-started\":1}" },
		{ 5, "{\"step\":\"delete\",\"device\":0,\"worker\":1}" },
		{ 5, "{\"skipped\":\"offline-block\",\"device\":0,\"block\":337}" },
		{ 5, "{\"skipped\":\"offline-block\",\"device\":0,\"block\":342}" },
		{ 5, "{\"skipped\":\"unplug\",\"device\":4096}" },
		{ 5, "{\"failed\":\"a\\nb\"}" },
		{ 5, "{\"failed\":7}" },
	};
	static const char *const lines[] = { FIRST, RELEASE, DEVICE, BLOCKS, END };
	struct undo_record record;
	struct forged f;
	bool other;

	(void)state;
	forge_all(&f);
	assert_int_equal(decode(f.text, f.size, &record, &other), 0);
	assert_int_equal(record.plan.n_blocks, 4);
	assert_int_equal(record.plan.blocks[3].number, 341);
	undo_record_done(&record);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool twice = cases[i].line == 4 && startswith(cases[i].text, "{\"blocks");

		f.size = 0;
		for (unsigned k = 0; k < ARRAY_SIZE(lines); k++) {
			if (k == cases[i].line)
				forge(&f, cases[i].text);
			if (k != cases[i].line || twice)
				forge(&f, lines[k]);
		}
		if (cases[i].line == 5)
			forge(&f, cases[i].text);
		if (decode(f.text, f.size, &record, &other) != -EBADMSG)
			fail_msg("taken: %s", cases[i].text);
		/* For what it says, not for what no longer fits behind it. */
		if (bad_line != cases[i].line + 1)
			fail_msg("taken until line %u: %s", bad_line, cases[i].text);
	}
}

/* No more than the limits, together with what was there before. */
static void test_limits(void **state)
{
	char line[256], *text, *error = NULL;
	struct release *r = random_release(1);
	struct undo_record record;
	struct forged f = { 0 };
	size_t size;
	bool other;

	(void)state;
	forge(&f, FIRST);
	forge(&f, RELEASE);
	forge(&f, DEVICE);
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(line, sizeof(line),
			       "{\"blocks\":[%u,%u],\"device\":0,\"state\":\"online\","
			       "\"zone\":\"kernel\"}",
			       i * (UNDO_BLOCKS_MAX / 2), (i + 1) * (UNDO_BLOCKS_MAX / 2) - 1);
		forge(&f, line);
	}
	forge(&f, END);
	assert_int_equal(decode(f.text, f.size, &record, &other), -EBADMSG);
	assert_int_equal(bad_line, 6);

	/* As many devices as there may be, and one more. */
	plan_done(&r->plan);
	r->plan.n_devices = UNDO_DEVICES_MAX + 1;
	r->plan.devices = checked(calloc(r->plan.n_devices, sizeof(*r->plan.devices)));
	for (size_t i = 0; i < r->plan.n_devices; i++)
		(void)str_copy(r->plan.devices[i].name, DEV_NAME_MAX, "dax0.1");
	assert_int_equal(undo_encode(r, BOOT, &text, &size), 0);
	assert_int_equal(decode(text, size, &record, &other), -EBADMSG);
	free(text);
	r->plan.n_devices--;
	assert_int_equal(undo_encode(r, BOOT, &text, &size), 0);
	assert_int_equal(decode(text, size, &record, &other), 0);
	assert_int_equal(record.plan.n_devices, UNDO_DEVICES_MAX);
	undo_record_done(&record);
	free(text);

	/* Slices that reach beyond are no plan at all. */
	r->plan.devices[5].n_ranges = 1;
	assert_int_equal(undo_encode(r, BOOT, &text, &size), -EINVAL);
	release_free(r);

	/* Larger than any journal: not even looked at. */
	assert_int_equal(undo_decode("", UNDO_SIZE_MAX + 1, BOOT, &record, &other, &error),
			 -EBADMSG);
	assert_non_null(strstr(error, "too large"));
	free(error);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	      cmocka_unit_test(test_names_refused),
		cmocka_unit_test(test_other_version), cmocka_unit_test(test_other_boot),
		cmocka_unit_test(test_garbage),	      cmocka_unit_test(test_forged),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("undo_garbage", tests, NULL, NULL);
}
