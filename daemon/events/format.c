/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strict reader of the field lines in a tracefs `format` file; see format.h for the why. */
#include "format.h"

void format_reader_init(struct format_reader *reader, const char *text, size_t size)
{
	*reader = (struct format_reader){ .p = text, .end = text + size };
}

bool format_field_is(const struct format_field *field, const char *name)
{
	return strlen(name) == field->name_len && memcmp(field->name, name, field->name_len) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* Steps over blanks, then over @word; false, and *@p stays, if something else is there. */
static bool accept(const char **p, const char *end, const char *word)
{
	const char *q = *p;
	size_t n = strlen(word);

	while (q < end && is_blank(*q))
		q++;
	if ((size_t)(end - q) < n || memcmp(q, word, n) != 0)
		return false;
	*p = q + n;
	return true;
}

/* A decimal number of at most @max: no sign, nothing that wraps. */
static bool accept_number(const char **p, const char *end, uint32_t max, uint32_t *ret)
{
	const char *q = *p;
	uint64_t value = 0;

	while (q < end && is_blank(*q))
		q++;
	if (q == end || *q < '0' || *q > '9')
		return false;
	for (; q < end && *q >= '0' && *q <= '9'; q++) {
		value = value * 10 + (uint64_t)(*q - '0');
		if (value > max)
			return false;
	}
	*p = q;
	*ret = (uint32_t)value;
	return true;
}

/* "u64 serial", "u8 uuid[16]", "__data_loc char[] memdev": splits what is between p and end. */
static bool parse_declaration(const char *p, const char *end, struct format_field *ret)
{
	const char *name_end;

	for (const char *q = p; q < end; q++)
		if ((*q < ' ' || *q > '~') && *q != '\t')
			return false;
	while (p < end && is_blank(*p))
		p++;
	while (end > p && is_blank(end[-1]))
		end--;

	ret->array = end > p && end[-1] == ']';
	if (ret->array) {
		end--;
		while (end > p && end[-1] != '[')
			end--;
		if (end == p)
			return false;
		end--;
		while (end > p && is_blank(end[-1]))
			end--;
	}

	name_end = end;
	while (end > p && is_word(end[-1]))
		end--;
	ret->name = end;
	ret->name_len = (size_t)(name_end - end);
	while (end > p && is_blank(end[-1]))
		end--;
	ret->type = p;
	ret->type_len = (size_t)(end - p);
	return ret->name_len > 0 && ret->type_len > 0;
}

static int parse_field(const char *p, const char *end, struct format_field *ret,
		       const char **ret_problem)
{
	const char *semicolon = memchr(p, ';', (size_t)(end - p));
	uint32_t ignored;

	if (!semicolon || !parse_declaration(p, semicolon, ret)) {
		*ret_problem = "no type and name";
		return -EINVAL;
	}
	p = semicolon + 1;
	if (!accept(&p, end, "offset:") ||
	    !accept_number(&p, end, FORMAT_RECORD_MAX, &ret->offset) || !accept(&p, end, ";")) {
		*ret_problem = "no offset, or one out of range";
		return -EINVAL;
	}
	if (!accept(&p, end, "size:") || !accept_number(&p, end, FORMAT_RECORD_MAX, &ret->size) ||
	    !accept(&p, end, ";")) {
		*ret_problem = "no size, or one out of range";
		return -EINVAL;
	}
	if (ret->size > FORMAT_RECORD_MAX - ret->offset) {
		*ret_problem = "offset plus size out of range";
		return -EINVAL;
	}
	/* The sign is no matter of layout, but what stands there must be one. */
	if (accept(&p, end, "signed:") &&
	    (!accept_number(&p, end, 1, &ignored) || !accept(&p, end, ";"))) {
		*ret_problem = "signed is neither 0 nor 1";
		return -EINVAL;
	}
	while (p < end && is_blank(*p))
		p++;
	if (p != end) {
		*ret_problem = "unexpected text at the end";
		return -EINVAL;
	}
	return 0;
}

int format_next_field(struct format_reader *reader, struct format_field *ret,
		      const char **ret_problem)
{
	while (reader->p < reader->end) {
		const char *p = reader->p;
		const char *newline = memchr(p, '\n', (size_t)(reader->end - p));
		const char *end = newline ? newline : reader->end;

		reader->p = newline ? newline + 1 : reader->end;
		reader->line++;

		if (accept(&p, end, "print fmt:"))
			break;
		if (accept(&p, end, "ID:")) {
			uint32_t id;

			/* common_type, which carries the id, has 16 bits. */
			if (reader->id || !accept_number(&p, end, UINT16_MAX, &id) || id == 0) {
				*ret_problem = "ID out of range or given twice";
				return -EINVAL;
			}
			reader->id = id;
			continue;
		}
		if (accept(&p, end, "field:")) {
			int r = parse_field(p, end, ret, ret_problem);

			return r < 0 ? r : 1;
		}
	}
	reader->p = reader->end;
	return 0;
}
