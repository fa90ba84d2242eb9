/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads a journal line by line; see undo_reader.c. */
#pragma once

#include <json-c/json.h>

#include "undo_internal.h"

struct reader {
	const char *data;
	size_t size;
	struct undo_end end; /* of the last line that is whole */
	unsigned line;	     /* its number */
	bool cut_off;	     /* there is something behind it, without the end of a line */
	json_object *object; /* what it says */
	const char *bad;     /* the first member of it that is not as it must be, or NULL */
	char **error;	     /* set with every failure but -ENOMEM; the caller frees it */
};

/* Says what is wrong with the line. Returns @error, or -ENOMEM. */
int reader_fail(struct reader *rd, int error, const char *format, ...) _printf_(3, 4);

/* The next line: 1; 0 at the end, or where it is cut off (rd->cut_off); or negative. */
int reader_next(struct reader *rd);

/* Says that rd->bad is what is wrong. */
int reader_refuse(struct reader *rd);

/*
 * The members of the line. What is missing, or is not what it must be, is noted in rd->bad, which
 * the caller looks at when it has read all; what is returned then is of no meaning, but of the
 * right form.
 */
bool reader_has(const struct reader *rd, const char *key);
json_object *reader_member(struct reader *rd, const char *key, json_type type);
void reader_note_bad(struct reader *rd, const char *key);
uint64_t reader_u64(struct reader *rd, const char *key, uint64_t max);
int32_t reader_i32(struct reader *rd, const char *key);
const char *reader_string(struct reader *rd, const char *key);
void reader_text(struct reader *rd, const char *key, char *buf, size_t size);
void reader_name(struct reader *rd, const char *key, bool optional, char buf[static DEV_NAME_MAX]);
void reader_dax_name(struct reader *rd, const char *key, char buf[static DEV_NAME_MAX]);
struct range reader_range(struct reader *rd, const char *key);
struct tag reader_tag(struct reader *rd, const char *key);
bool reader_flag(struct reader *rd, const char *key); /* absent is false */
enum block_state reader_block_state(struct reader *rd, const char *key);
enum block_zone reader_block_zone(struct reader *rd, const char *key);
enum step_kind reader_step_kind(struct reader *rd, const char *key);

/* The same for a value that is an element of the array @key. */
uint64_t reader_check_u64(struct reader *rd, const char *key, json_object *value, uint64_t max);
void reader_check_dax_name(struct reader *rd, const char *key, json_object *value,
			   char buf[static DEV_NAME_MAX]);
struct range reader_check_range(struct reader *rd, const char *key, json_object *value);
