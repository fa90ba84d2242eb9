/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Formats of recorded kernels and of probes are understood, odd ones are refused by name, and no
 * record, however wrong, is read beyond its bytes. Runs in the top folder, for tests/data.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <daemon/events/events.h>

#define V11 "tests/data/cxl_dynamic_capacity-v11.format"
#define V10 "tests/data/cxl_dynamic_capacity-v10.format"
#define UPROBE "tests/data/cxl_dynamic_capacity-uprobe.format"

static const struct tag some_tag = { .bytes = { 0x5b, 0xe1, 0x3b, 0xce, 0x4d, 0x0a, 0x4f, 0x8a,
						0x9c, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77 } };

/* Where the fields are in each of the files, by hand: not by the code under test. */
struct layout {
	const char *file;
	unsigned id;
	size_t memdev, host, serial, handle, type, index, dpa, length, tag, sequence, end;
};

static const struct layout v11 = { V11, 1517, 8, 12, 40, 52, 71, 74, 80, 88, 96, 112, 114 };
static const struct layout v10 = { V10, 1498, 8, 12, 40, 52, 71, 74, 80, 88, 96, 112, 114 };
static const struct layout uprobe = { UPROBE, 2326, 16, 20, 24, 32, 34, 35, 36, 44, 52, 68, 70 };

static char *read_text(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char *text = calloc(1, 16384);

	if (!f)
		fail_msg("cannot open %s: run the tests in the top folder", path);
	assert_non_null(text);
	assert_true(fread(text, 1, 16383, f) > 0);
	return text;
}

static struct record_format *format_of(const struct layout *layout)
{
	_cleanup_free_ char *text = read_text(layout->file), *error = NULL;
	struct record_format *format = NULL;
	int r = record_format_parse(text, strlen(text), &format, &error);

	if (r < 0)
		fail_msg("%s: %s", layout->file, error);
	assert_null(error);
	return format;
}

/* A record as the kernel would write it, in exactly as many bytes, so that ASan sees the edges. */
static uint8_t *record_of(const struct layout *l, const struct dc_event *event, size_t *ret_size)
{
	size_t n_memdev = strlen(event->memdev) + 1, n_host = strlen(event->host) + 1;
	size_t size = l->end + n_memdev + n_host;
	uint8_t *data = calloc(1, size);
	uint16_t id = (uint16_t)l->id;
	uint32_t where;

	assert_non_null(data);
	memcpy(data, &id, sizeof(id));
	where = (uint32_t)(n_memdev << 16 | l->end);
	memcpy(data + l->memdev, &where, sizeof(where));
	memcpy(data + l->end, event->memdev, n_memdev);
	where = (uint32_t)(n_host << 16 | (l->end + n_memdev));
	memcpy(data + l->host, &where, sizeof(where));
	memcpy(data + l->end + n_memdev, event->host, n_host);
	memcpy(data + l->serial, &event->serial, 8);
	memcpy(data + l->handle, &event->handle, 2);
	data[l->type] = event->type;
	data[l->index] = event->region_index;
	memcpy(data + l->dpa, &event->dpa.start, 8);
	memcpy(data + l->length, &event->dpa.length, 8);
	memcpy(data + l->tag, event->tag.bytes, 16);
	memcpy(data + l->sequence, &event->sequence, 2);
	*ret_size = size;
	return data;
}

static struct dc_event some_event(void)
{
	return (struct dc_event){
		.memdev = "mem0",
		.host = "0000:0d:00.0",
		.serial = UINT64_C(0x1122334455667788),
		.type = DC_EVENT_RELEASE,
		.region_index = 255,
		.sequence = 3,
		.handle = 0xbeef,
		.dpa = { .start = UINT64_C(0x40000000), .length = UINT64_C(0x10000000) },
		.tag = some_tag,
		.traced = 1234567,
	};
}

static void assert_event_equal(const struct dc_event *a, const struct dc_event *b)
{
	assert_string_equal(a->memdev, b->memdev);
	assert_string_equal(a->host, b->host);
	assert_int_equal(a->serial, b->serial);
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->region_index, b->region_index);
	assert_int_equal(a->sequence, b->sequence);
	assert_int_equal(a->handle, b->handle);
	assert_true(range_equal(&a->dpa, &b->dpa));
	assert_true(tag_equal(&a->tag, &b->tag));
	assert_int_equal(a->traced, b->traced);
}

static void test_decodes_each_layout(_unused_ void **state)
{
	static const struct layout *const layouts[] = { &v11, &v10, &uprobe };

	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		_cleanup_(record_format_freep) struct record_format *format = format_of(layouts[i]);
		struct dc_event in = some_event(), out;
		_cleanup_free_ uint8_t *data = NULL;
		size_t size;

		assert_int_equal(record_format_id(format), layouts[i]->id);
		data = record_of(layouts[i], &in, &size);
		assert_int_equal(record_decode(format, data, size, in.traced, &out), 0);
		assert_event_equal(&in, &out);
	}
}

/* Every value a byte can have, known or not, comes through as it is. */
static void test_every_event_type(_unused_ void **state)
{
	_cleanup_(record_format_freep) struct record_format *format = format_of(&v11);

	for (unsigned type = 0; type <= UINT8_MAX; type++) {
		struct dc_event in = some_event(), out;
		_cleanup_free_ uint8_t *data = NULL;
		size_t size;

		in.type = (uint8_t)type;
		in.region_index = (uint8_t)(255 - type);
		data = record_of(&v11, &in, &size);
		assert_int_equal(record_decode(format, data, size, in.traced, &out), 0);
		assert_event_equal(&in, &out);
	}
	assert_string_equal(dc_event_type_to_string(DC_EVENT_ADD), "add");
	assert_string_equal(dc_event_type_to_string(DC_EVENT_RELEASE), "release");
	assert_string_equal(dc_event_type_to_string(DC_EVENT_FORCED_RELEASE), "forced-release");
	assert_string_equal(dc_event_type_to_string(DC_EVENT_REGION_UPDATED), "region-updated");
	assert_string_equal(dc_event_type_to_string(4), "unknown");
	assert_string_equal(dc_event_type_to_string(255), "unknown");
}

/* The text with the first @from replaced by @to; NULL @to cuts the line that has it. */
static char *edited(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from), *rest;
	char *out = NULL;

	if (!at)
		fail_msg("\"%s\" is not in the format file", from);
	rest = at + strlen(from);
	if (!to) {
		while (at > text && at[-1] != '\n')
			at--;
		rest = strchr(rest, '\n');
		if (!rest)
			fail_msg("the line with \"%s\" has no end", from);
		rest++;
		to = "";
	}
	assert_true(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, rest) > 0);
	return out;
}

#define UUID_LINE "u8 uuid[16];\toffset:96;\tsize:16;"
#define MEMDEV_LINE "__data_loc char[] memdev;\toffset:8;\tsize:4;"

/* What is wrong with a format is said by name. */
static void test_refuses_odd_formats(_unused_ void **state)
{
	static const struct {
		const char *from, *to, *error;
	} cases[] = {
		{ "ID: 1517", NULL, "ID" },
		{ "ID: 1517", "ID: 0", "ID out of range" },
		{ "ID: 1517", "ID: -5", "ID out of range" },
		{ "ID: 1517", "ID: 65536", "ID out of range" },
		{ "ID: 1517", "ID: 1517\nID: 1518", "given twice" },
		{ " common_type;", NULL, "common_type is missing" },
		{ MEMDEV_LINE, NULL, "memdev is missing" },
		{ " event_type;", NULL, "event_type is missing" },
		{ " dpa_start;", NULL, "dpa_start is missing" },
		{ " length;", NULL, "length is missing" },
		{ UUID_LINE, NULL, "uuid is missing (also no tag)" },
		{ "u8 uuid[16]", "u8 uuid_v2[16]", "uuid is missing" },
		{ UUID_LINE, "u8 uuid[8];\toffset:96;\tsize:8;", "uuid: size 8" },
		{ UUID_LINE, "__data_loc u8[] uuid;\toffset:96;\tsize:4;", "uuid: size 4" },
		{ UUID_LINE, "u8 uuid[16];\toffset:96;\tsize:0;", "uuid: size 0" },
		{ UUID_LINE, "u8 uuid[16];\toffset:65530;\tsize:16;", "offset plus size" },
		{ UUID_LINE, "u8 uuid[16];\toffset:-1;\tsize:16;", "no offset" },
		{ UUID_LINE, "u8 uuid[16];\toffset:18446744073709551616;\tsize:16;", "no offset" },
		{ UUID_LINE, "u8 uuid[16];\toffset:96;\tsize:4294967312;", "no size" },
		{ UUID_LINE, "u8 uuid[16];\toffset:;\tsize:16;", "no offset" },
		{ UUID_LINE, "u8 uuid[16];\tsize:16;\toffset:96;", "no offset" },
		{ UUID_LINE, "u8 uuid[16];\toffset:0x60;\tsize:16;", "no offset" },
		{ UUID_LINE, "uuid;\toffset:96;\tsize:16;", "line 28: no type and name" },
		{ UUID_LINE, "uuid]16[;\toffset:96;\tsize:16;", "no type and name" },
		{ UUID_LINE, "u8 u\xffid[16];\toffset:96;\tsize:16;", "no type and name" },
		{ "size:16;\tsigned:0;\n\tfield:u16 sh", "size:16;\tsigned:2;\n\tfield:u16 sh",
		  "signed" },
		{ "size:16;\tsigned:0;\n\tfield:u16 sh", "size:16;\tsigned:0; x\n\tfield:u16 sh",
		  "unexpected text" },
		{ MEMDEV_LINE, "__data_loc char[] memdev;\toffset:8;\tsize:2;", "memdev: size 2" },
		{ MEMDEV_LINE, "u32 memdev;\toffset:8;\tsize:4;", "memdev is no string" },
		{ MEMDEV_LINE, "char memdev[4];\toffset:8;\tsize:4;", "memdev is no string" },
		{ "u64 length;\toffset:88;\tsize:8;", "u64 length;\toffset:88;\tsize:0;",
		  "length: size 0" },
		{ "u64 length;\toffset:88;\tsize:8;", "u64 length;\toffset:88;\tsize:3;",
		  "length: size 3" },
		{ "u64 length;\toffset:88;\tsize:8;", "u64 length;\toffset:88;\tsize:16;",
		  "length: size 16" },
		{ "u64 length;\toffset:88;\tsize:8;", "u8 length[8];\toffset:88;\tsize:8;",
		  "length: size 8, expected a number" },
		{ "u64 length;\toffset:88;\tsize:8;",
		  "__data_loc u8[] length;\toffset:88;\tsize:4;",
		  "length: size 4, expected a number" },
		{ "u8 event_type;\toffset:71;\tsize:1;", "u16 event_type;\toffset:71;\tsize:2;",
		  "event_type: size 2" },
		{ "u16 hostid;\toffset:72;\tsize:2;", "u64 length;\toffset:72;\tsize:8;",
		  "length appears twice" },
		{ "u16 hostid;\toffset:72;\tsize:2;", "u16 hostid", "no offset" },
	};
	_cleanup_free_ char *text = read_text(V11);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *odd = edited(text, cases[i].from, cases[i].to), *error = NULL;
		struct record_format *format = NULL;
		int r = record_format_parse(odd, strlen(odd), &format, &error);

		if (r != -EINVAL || format || !error || !strstr(error, cases[i].error))
			fail_msg("case %zu (%s -> %s): %d, \"%s\", expected \"%s\"", i,
				 cases[i].from, cases[i].to ? cases[i].to : "cut", r,
				 error ? error : "", cases[i].error);
	}
}

static void test_refuses_what_is_no_format(_unused_ void **state)
{
#define TEXT(s)                                                                                    \
	{                                                                                          \
		s, sizeof(s) - 1                                                                   \
	}
	static const struct {
		const char *text;
		size_t size;
	} cases[] = {
		TEXT(""),
		TEXT("\0\0\0\0"),
		TEXT("ID: 1"),
		TEXT("\xff\xfe\n\x80ID: 1\n"),
		TEXT("ID: 7\nformat:\n\tfield:"),
		TEXT("ID: 7\nprint fmt: \"\"\n\tfield:u8 uuid[16];\toffset:0;\tsize:16;\n"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* Not terminated: the size must be enough. */
		_cleanup_free_ char *text = malloc(MAX(cases[i].size, (size_t)1)), *error = NULL;
		struct record_format *format = NULL;

		assert_non_null(text);
		memcpy(text, cases[i].text, cases[i].size);
		assert_int_equal(record_format_parse(text, cases[i].size, &format, &error),
				 -EINVAL);
		assert_null(format);
		assert_non_null(error);
	}
}

/* Names that kernels used or may use, and what is optional. */
static void test_accepts_variants(_unused_ void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "updated_region_index;", "region_id;" },
		{ "updated_region_index;", "partition_id;" },
		{ "u8 uuid[16]", "uuid_t uuid" },
		{ "u8 uuid[16]", "u8 tag[16]" },
		{ "u8 uuid[16]", "u8 uuid[ ]" },
		{ "u8 uuid[16]", "unsigned char uuid[UUID_SIZE]" },
		{ "\tsigned:0;\n\tfield:u16 sh", "\n\tfield:u16 sh" },
		{ "u16 hostid;\toffset:72;\tsize:2;", "u16 hostid;\toffset:72;\tsize:0;" },
		/* With both names the newer counts, in either order. */
		{ "uuid_t hdr_uuid;", "uuid_t tag;" },
		{ "u16 sh_extent_seq;\toffset:112;\tsize:2;",
		  "u16 sh_extent_seq;\toffset:112;\tsize:2;\tsigned:0;\n\tfield:u8 tag[16];"
		  "\toffset:0;\tsize:16;" },
	};
	_cleanup_free_ char *text = read_text(V11);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *odd = edited(text, cases[i].from, cases[i].to), *error = NULL;
		_cleanup_(record_format_freep) struct record_format *format = NULL;
		struct dc_event in = some_event(), out;
		_cleanup_free_ uint8_t *data = NULL;
		size_t size;

		in.region_index = 2;
		if (record_format_parse(odd, strlen(odd), &format, &error) < 0)
			fail_msg("case %zu (%s): %s", i, cases[i].to, error);
		data = record_of(&v11, &in, &size);
		assert_int_equal(record_decode(format, data, size, in.traced, &out), 0);
		assert_event_equal(&in, &out);
	}
}

static void test_optional_fields(_unused_ void **state)
{
	static const char *const optional[] = { " host;", " serial;", " hdr_handle;",
						" updated_region_index;", " sh_extent_seq;" };
	_cleanup_free_ char *text = read_text(V11), *error = NULL;
	_cleanup_(record_format_freep) struct record_format *format = NULL;
	struct dc_event in = some_event(), out;
	_cleanup_free_ uint8_t *data = NULL;
	size_t size;

	for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
		char *cut = edited(text, optional[i], NULL);

		free(text);
		text = cut;
	}
	assert_int_equal(record_format_parse(text, strlen(text), &format, &error), 0);
	in.region_index = 7;
	data = record_of(&v11, &in, &size);
	assert_int_equal(record_decode(format, data, size, in.traced, &out), 0);

	in.host[0] = '\0';
	in.serial = 0;
	in.handle = 0;
	in.region_index = 255;
	in.sequence = 0;
	assert_event_equal(&in, &out);
}

/* __rel_loc: the place counts from the end of the field. */
static void test_relative_strings(_unused_ void **state)
{
	_cleanup_free_ char *text = read_text(V11), *error = NULL;
	_cleanup_free_ char *odd = edited(text, "__data_loc char[] memdev",
					  "__rel_loc char[] memdev");
	_cleanup_(record_format_freep) struct record_format *format = NULL;
	struct dc_event in = some_event(), out;
	_cleanup_free_ uint8_t *data = NULL;
	uint32_t where;
	size_t size;

	assert_int_equal(record_format_parse(odd, strlen(odd), &format, &error), 0);
	data = record_of(&v11, &in, &size);
	memcpy(&where, data + v11.memdev, 4);
	where -= (uint32_t)(v11.memdev + 4);
	memcpy(data + v11.memdev, &where, 4);
	assert_int_equal(record_decode(format, data, size, in.traced, &out), 0);
	assert_event_equal(&in, &out);

	/* The field's own place may push it out of the record. */
	where = (uint32_t)(5 << 16 | (size - 8));
	memcpy(data + v11.memdev, &where, 4);
	assert_int_equal(record_decode(format, data, size, 0, &out), -EBADMSG);
}

/* Any cut of a record is refused, and nothing behind the cut is read (ASan watches). */
static void test_refuses_every_truncation(_unused_ void **state)
{
	static const struct layout *const layouts[] = { &v11, &uprobe };

	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		_cleanup_(record_format_freep) struct record_format *format = format_of(layouts[i]);
		struct dc_event in = some_event(), out;
		_cleanup_free_ uint8_t *data = NULL;
		size_t size;

		data = record_of(layouts[i], &in, &size);
		for (size_t n = 0; n < size; n++) {
			_cleanup_free_ uint8_t *cut = malloc(MAX(n, (size_t)1));

			assert_non_null(cut);
			memcpy(cut, data, n);
			memset(&out, 0x5a, sizeof(out));
			assert_int_equal(record_decode(format, cut, n, 0, &out), -EBADMSG);
			assert_int_equal(out.type, 0x5a); /* untouched */
		}
	}
}

static void test_refuses_bad_strings(_unused_ void **state)
{
	_cleanup_(record_format_freep) struct record_format *format = format_of(&v11);
	struct dc_event in = some_event(), out;
	_cleanup_free_ uint8_t *good = NULL;
	size_t size;
	const struct {
		const char *what;
		uint32_t offset, length;
		const char *text; /* put at the offset of the name */
	} cases[] = {
		{ "no bytes", 114, 0, NULL },
		{ "offset at the end", 0, 1, NULL }, /* offset set to the size below */
		{ "offset outside", 0xffff, 5, NULL },
		{ "length outside", 114, 0xffff, NULL },
		{ "not terminated", 114, 4, NULL },
		{ "empty", 118, 1, NULL },
		{ "slash", 114, 5, "me/0" },
		{ "blank", 114, 5, "me 0" },
		{ "newline", 114, 5, "mem\n" },
		{ "not ASCII", 114, 5, "me\xc3\xa4" },
	};

	in.host[0] = '\0';
	good = record_of(&v11, &in, &size);
	assert_int_equal(record_decode(format, good, size, in.traced, &out), 0);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ uint8_t *data = malloc(size);
		uint32_t offset = cases[i].offset ? cases[i].offset : (uint32_t)size;
		uint32_t where = cases[i].length << 16 | offset;
		const char *problem = NULL;

		assert_non_null(data);
		memcpy(data, good, size);
		memcpy(data + v11.memdev, &where, 4);
		if (cases[i].text)
			memcpy(data + offset, cases[i].text, 4);
		if (record_decode_explain(format, data, size, 0, &out, &problem) != -EBADMSG)
			fail_msg("memdev: %s was accepted", cases[i].what);
		assert_non_null(strstr(problem, "memdev"));

		/* An empty host is a host without a name, all else is as bad as for memdev. */
		if (streq(cases[i].what, "empty"))
			continue;
		memcpy(data, good, size);
		memcpy(data + v11.host, &where, 4);
		if (cases[i].text) {
			uint32_t copy = 5U << 16 | 114;

			memcpy(data + offset, cases[i].text, 4);
			memcpy(data + v11.host, &copy, 4);
		}
		if (record_decode_explain(format, data, size, 0, &out, &problem) != -EBADMSG)
			fail_msg("host: %s was accepted", cases[i].what);
	}
}

/* A name fits with its terminator, or not at all: never cut. */
static void test_longest_name(_unused_ void **state)
{
	_cleanup_(record_format_freep) struct record_format *format = format_of(&v11);

	for (size_t n = DEV_NAME_MAX - 2; n <= DEV_NAME_MAX + 1; n++) {
		_cleanup_free_ uint8_t *data = calloc(1, 114 + n + 1);
		uint32_t where = (uint32_t)((n + 1) << 16 | 114);
		uint16_t id = 1517;
		struct dc_event out;
		int r;

		assert_non_null(data);
		memcpy(data, &id, 2);
		memcpy(data + v11.memdev, &where, 4);
		memcpy(data + v11.host, &where, 4);
		memset(data + 114, 'm', n);
		r = record_decode(format, data, 114 + n + 1, 0, &out);
		if (n < DEV_NAME_MAX) {
			assert_int_equal(r, 0);
			assert_int_equal(strlen(out.memdev), n);
		} else {
			assert_int_equal(r, -EBADMSG);
		}
	}
}

static void test_range_overflow(_unused_ void **state)
{
	static const struct {
		uint64_t start, length;
		int r;
	} cases[] = {
		{ UINT64_MAX, 0, 0 },
		{ UINT64_MAX - 1, 1, 0 },
		{ 0, UINT64_MAX, 0 },
		{ UINT64_MAX, 1, -EBADMSG },
		{ 1, UINT64_MAX, -EBADMSG },
		{ UINT64_MAX, UINT64_MAX, -EBADMSG },
		{ UINT64_C(1) << 63, UINT64_C(1) << 63, -EBADMSG },
	};
	_cleanup_(record_format_freep) struct record_format *format = format_of(&v11);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct dc_event in = some_event(), out;
		_cleanup_free_ uint8_t *data = NULL;
		size_t size;

		in.dpa = (struct range){ .start = cases[i].start, .length = cases[i].length };
		data = record_of(&v11, &in, &size);
		assert_int_equal(record_decode(format, data, size, in.traced, &out), cases[i].r);
		if (cases[i].r == 0)
			assert_event_equal(&in, &out);
	}
}

/* A foreign record is told from a bad one, even if it is shorter than ours. */
static void test_foreign_record(_unused_ void **state)
{
	_cleanup_(record_format_freep) struct record_format *format = format_of(&v11);
	uint8_t record[12] = { 0 };
	uint16_t id = 1518;
	struct dc_event out;

	memcpy(record, &id, sizeof(id));
	assert_int_equal(record_decode(format, record, sizeof(record), 0, &out), -ENOMSG);
	id = 1517;
	memcpy(record, &id, sizeof(id));
	assert_int_equal(record_decode(format, record, sizeof(record), 0, &out), -EBADMSG);
}

/* One after the other, each as it is, whatever the last one left behind. */
static void test_decodes_many(_unused_ void **state)
{
	_cleanup_(record_format_freep) struct record_format *format = format_of(&v11);
	struct dc_event in = some_event(), out;
	_cleanup_free_ uint8_t *data = NULL;
	size_t size;

	data = record_of(&v11, &in, &size);
	for (size_t i = 0; i < 100000; i++) {
		memcpy(data + v11.dpa, &i, sizeof(i));
		if (record_decode(format, data, size, i, &out) < 0 || out.dpa.start != i ||
		    out.traced != i)
			fail_msg("record %zu decoded wrong", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decodes_each_layout),
		cmocka_unit_test(test_every_event_type),
		cmocka_unit_test(test_refuses_odd_formats),
		cmocka_unit_test(test_refuses_what_is_no_format),
		cmocka_unit_test(test_accepts_variants),
		cmocka_unit_test(test_optional_fields),
		cmocka_unit_test(test_relative_strings),
		cmocka_unit_test(test_refuses_every_truncation),
		cmocka_unit_test(test_refuses_bad_strings),
		cmocka_unit_test(test_longest_name),
		cmocka_unit_test(test_range_overflow),
		cmocka_unit_test(test_foreign_record),
		cmocka_unit_test(test_decodes_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
