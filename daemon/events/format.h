/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the text of a tracefs `format` file, field by field (Documentation/trace/events.rst).
 *
 * Why not tep_parse_format() of libtraceevent: given malformed text it leaks, dereferences NULL and
 * lets numbers wrap silently (seen in 1.8.4 with a fuzzer), and it also parses the print
 * format, which has nothing for us. The field lines are trivial, so they are read here, strictly.
 */
#pragma once

#include <dcdd/base.h>

/* Fields end at or before this offset; far above any real record, far below an overflow. */
#define FORMAT_RECORD_MAX 65536U

/* One `field:` line. The pointers go into the text and are not terminated. */
struct format_field {
	const char *type, *name;
	size_t type_len, name_len;
	uint32_t offset, size; /* bytes; their sum is at most FORMAT_RECORD_MAX */
	bool array;	       /* the name is followed by [N] or [] */
};

struct format_reader {
	const char *p, *end;
	unsigned line; /* number of the line read last, for messages */
	unsigned id;   /* from the `ID:` line, 0 until it was seen */
};

void format_reader_init(struct format_reader *reader, const char *text, size_t size);

/*
 * Goes to the next field. 1 if there is one; 0 at the end, which is the line `print fmt:` or that
 * of the text; -EINVAL with *@ret_problem, a static text, if a line is not what it should be.
 * Lines that are neither field nor ID are skipped: they say nothing about the layout.
 */
int format_next_field(struct format_reader *reader, struct format_field *ret,
		      const char **ret_problem);

bool format_field_is(const struct format_field *field, const char *name);
