/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lines of a journal, each with the checksum that chains all before it, and what their members
 * hold: checked for type, length and form before anybody uses it.
 */
#include <stdarg.h>
#include <zlib.h>

#include "util/escape.h"
#include "worker/attr.h"

#include "undo_reader.h"

#define LINE_DEPTH                                                                                 \
	4 /* an object with an array in it, and some more to be told "makes no sense"              \
	   */

int reader_fail(struct reader *rd, int error, const char *format, ...)
{
	char *what = NULL;
	va_list ap;
	int n;

	free(*rd->error);
	*rd->error = NULL;
	va_start(ap, format);
	n = vasprintf(&what, format, ap);
	va_end(ap);
	if (n < 0)
		return -ENOMEM;
	n = asprintf(rd->error, "line %u: %s", rd->line, what);
	free(what);
	if (n < 0) {
		*rd->error = NULL;
		return -ENOMEM;
	}
	return error;
}

/* ---- lines ---- */

/* @size bytes that must be one JSON object and nothing else. */
static int parse_object(const char *text, size_t size, json_object **ret)
{
	json_tokener *tokener = json_tokener_new_ex(LINE_DEPTH);
	json_object *object;
	bool whole;

	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, text, (int)size);
	whole = json_tokener_get_error(tokener) == json_tokener_success &&
		json_tokener_get_parse_end(tokener) == size &&
		json_object_is_type(object, json_type_object);
	json_tokener_free(tokener);
	if (!whole) {
		json_object_put(object);
		return -EBADMSG;
	}
	*ret = object;
	return 0;
}

/* Whether a line of @size bytes ends in the checksum that it must have. */
static bool sum_is_right(uint32_t before, const char *line, size_t size)
{
	char tail[UNDO_SUM_STRLEN + 1];

	if (size < UNDO_SUM_STRLEN)
		return false;
	before = (uint32_t)crc32_z(before, (const Bytef *)line, size - UNDO_SUM_STRLEN);
	(void)snprintf(tail, sizeof(tail), UNDO_SUM_BEFORE "%0*x" UNDO_SUM_BEHIND, UNDO_SUM_DIGITS,
		       (unsigned)before);
	return memcmp(line + size - UNDO_SUM_STRLEN, tail, UNDO_SUM_STRLEN) == 0;
}

static bool has_sum(const char *line, size_t size)
{
	return size >= UNDO_SUM_STRLEN && memcmp(line + size - UNDO_SUM_STRLEN, UNDO_SUM_BEFORE,
						 sizeof(UNDO_SUM_BEFORE) - 1) == 0;
}

/* A first line that has no checksum of our kind may be of a version that has another. */
static int refuse_sum(struct reader *rd, const char *line, size_t size)
{
	json_object *object = NULL, *version = NULL;
	bool foreign = false;

	if (rd->line == 1 && !has_sum(line, size) && parse_object(line, size, &object) == 0) {
		foreign = json_object_object_get_ex(object, "dcdd-undo", &version) &&
			  json_object_is_type(version, json_type_int) &&
			  json_object_get_int64(version) != UNDO_VERSION;
		json_object_put(object);
	}
	if (foreign)
		return reader_fail(rd, -EPROTONOSUPPORT, "of another version than %d",
				   UNDO_VERSION);
	return reader_fail(rd, -EBADMSG, "the checksum is not right");
}

/* The next line: 1; 0 at the end, or where it is cut off (rd->cut_off); or negative. */
int reader_next(struct reader *rd)
{
	const char *line = rd->data + rd->end.size, *end;
	size_t left = rd->size - rd->end.size, size;
	int r;

	json_object_put(rd->object);
	rd->object = NULL;
	rd->bad = NULL;
	rd->line++;
	if (left == 0)
		return 0;
	end = memchr(line, '\n', left);
	if (!end) {
		rd->cut_off = true;
		return 0;
	}
	size = (size_t)(end - line);
	if (!sum_is_right(rd->end.sum, line, size))
		return refuse_sum(rd, line, size);
	r = parse_object(line, size, &rd->object);
	if (r < 0)
		return r == -ENOMEM ? r : reader_fail(rd, r, "is no JSON object");
	rd->end.sum = (uint32_t)crc32_z(rd->end.sum, (const Bytef *)line, size + 1);
	rd->end.size += size + 1;
	return 1;
}

/* ---- members: each of these notes in rd->bad what is not as it must be ---- */

void reader_note_bad(struct reader *rd, const char *key)
{
	if (!rd->bad)
		rd->bad = key;
}

json_object *reader_member(struct reader *rd, const char *key, json_type type)
{
	json_object *value;

	if (json_object_object_get_ex(rd->object, key, &value) && json_object_is_type(value, type))
		return value;
	reader_note_bad(rd, key);
	return NULL;
}

bool reader_has(const struct reader *rd, const char *key)
{
	return json_object_object_get_ex(rd->object, key, NULL);
}

int reader_refuse(struct reader *rd)
{
	return reader_fail(rd, -EBADMSG, "\"%s\" is missing or makes no sense", rd->bad);
}

uint64_t reader_check_u64(struct reader *rd, const char *key, json_object *value, uint64_t max)
{
	if (json_object_is_type(value, json_type_int) && json_object_get_int64(value) >= 0 &&
	    json_object_get_uint64(value) <= max)
		return json_object_get_uint64(value);
	reader_note_bad(rd, key);
	return 0;
}

uint64_t reader_u64(struct reader *rd, const char *key, uint64_t max)
{
	return reader_check_u64(rd, key, reader_member(rd, key, json_type_int), max);
}

int32_t reader_i32(struct reader *rd, const char *key)
{
	int64_t value = json_object_get_int64(reader_member(rd, key, json_type_int));

	if (value >= INT32_MIN && value <= INT32_MAX)
		return (int32_t)value;
	reader_note_bad(rd, key);
	return 0;
}

/* A string without a NUL in it, or "". */
static const char *check_string(struct reader *rd, const char *key, json_object *value)
{
	if (json_object_is_type(value, json_type_string) &&
	    strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value))
		return json_object_get_string(value);
	reader_note_bad(rd, key);
	return "";
}

const char *reader_string(struct reader *rd, const char *key)
{
	return check_string(rd, key, reader_member(rd, key, json_type_string));
}

void reader_text(struct reader *rd, const char *key, char *buf, size_t size)
{
	char clean[RELEASE_REASON_MAX];
	const char *text = reader_string(rd, key);

	/* It goes to log and terminal: nothing in it that we would not have written. */
	if (str_copy(buf, size, text) < 0 || !streq(escape_text(text, clean, sizeof(clean)), text))
		reader_note_bad(rd, key);
}

/* A kernel name; @optional: or nothing. */
void reader_name(struct reader *rd, const char *key, bool optional, char buf[static DEV_NAME_MAX])
{
	reader_text(rd, key, buf, DEV_NAME_MAX);
	if (!(optional && !*buf) && !undo_name_is_plain(buf))
		reader_note_bad(rd, key);
}

void reader_check_dax_name(struct reader *rd, const char *key, json_object *value,
			   char buf[static DEV_NAME_MAX])
{
	if (str_copy(buf, DEV_NAME_MAX, check_string(rd, key, value)) < 0 || !attr_is_dax_name(buf))
		reader_note_bad(rd, key);
}

void reader_dax_name(struct reader *rd, const char *key, char buf[static DEV_NAME_MAX])
{
	reader_check_dax_name(rd, key, reader_member(rd, key, json_type_string), buf);
}

struct range reader_check_range(struct reader *rd, const char *key, json_object *value)
{
	struct range range = { 0 };

	if (undo_range_parse(check_string(rd, key, value), &range) < 0)
		reader_note_bad(rd, key);
	return range;
}

struct range reader_range(struct reader *rd, const char *key)
{
	return reader_check_range(rd, key, reader_member(rd, key, json_type_string));
}

struct tag reader_tag(struct reader *rd, const char *key)
{
	struct tag tag = { 0 };

	if (tag_parse(reader_string(rd, key), &tag) < 0)
		reader_note_bad(rd, key);
	return tag;
}

/* Absent is false. */
bool reader_flag(struct reader *rd, const char *key)
{
	json_object *value = reader_has(rd, key) ? reader_member(rd, key, json_type_boolean) : NULL;

	return value && json_object_get_boolean(value);
}

enum block_state reader_block_state(struct reader *rd, const char *key)
{
	const char *s = reader_string(rd, key);

	for (unsigned i = 0; i < _BLOCK_STATE_MAX; i++)
		if (streq(s, block_state_to_string((enum block_state)i)))
			return (enum block_state)i;
	reader_note_bad(rd, key);
	return BLOCK_UNKNOWN;
}

enum block_zone reader_block_zone(struct reader *rd, const char *key)
{
	const char *s = reader_string(rd, key);

	for (unsigned i = 0; i < _BLOCK_ZONE_MAX; i++)
		if (streq(s, block_zone_to_string((enum block_zone)i)))
			return (enum block_zone)i;
	reader_note_bad(rd, key);
	return ZONE_UNKNOWN;
}

enum step_kind reader_step_kind(struct reader *rd, const char *key)
{
	const char *s = reader_string(rd, key);

	for (unsigned i = 0; i < _STEP_KIND_MAX; i++)
		if (streq(s, step_kind_to_string((enum step_kind)i)))
			return (enum step_kind)i;
	reader_note_bad(rd, key);
	return _STEP_KIND_MAX;
}
