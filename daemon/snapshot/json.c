/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text to JSON, more strictly than the library: it takes the last of two members of one name, and
 * does not tell the line of an error.
 */
#include <limits.h>

#include "snapshot/reader.h"

#define DEPTH_MAX 16 /* of lists and objects in each other */
#define NAMES_MAX 64 /* of one object: more than any kind has */
#define LENGTH_MAX (INT_MAX - 1)

static size_t line_of(const char *text, size_t offset)
{
	size_t line = 1;

	for (size_t i = 0; i < offset; i++)
		line += text[i] == '\n';
	return line;
}

/* Where the first character is that JSON has nowhere; @length if there is none. */
static size_t find_control(const char *text, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == 0x7f || (c < 0x20 && c != '\n' && c != '\t' && c != '\r'))
			break;
	}
	return i;
}

struct name {
	const char *text;
	size_t length;
};

struct level {
	bool object;
	bool name_next; /* the next string is the name of a member */
	unsigned n;
	struct name names[NAMES_MAX];
};

static bool is_twice(struct level *level, const struct name *name)
{
	for (unsigned i = 0; i < level->n; i++)
		if (level->names[i].length == name->length &&
		    memcmp(level->names[i].text, name->text, name->length) == 0)
			return true;
	/* Beyond that there are names that no kind of object has, which is found later. */
	if (level->n < NAMES_MAX)
		level->names[level->n++] = *name;
	return false;
}

/* The offset of the quote that ends the string which begins at @start. */
static size_t end_of_string(const char *text, size_t length, size_t start)
{
	size_t i;

	for (i = start + 1; i < length && text[i] != '"'; i++)
		if (text[i] == '\\')
			i++;
	return MIN(i, length);
}

/*
 * @text is JSON no deeper than DEPTH_MAX. Where the first name is that its object has already, or
 * one with an escape, behind which such a name could hide; @length if there is none.
 */
static size_t find_twice(const char *text, size_t length)
{
	struct level levels[DEPTH_MAX + 1] = { 0 }, *level = levels;

	for (size_t i = 0; i < length; i++) {
		size_t end;

		switch (text[i]) {
		case '{':
		case '[':
			if (level == &levels[DEPTH_MAX])
				return i;
			level++;
			level->object = level->name_next = text[i] == '{';
			level->n = 0;
			break;
		case '}':
		case ']':
			if (level > levels)
				level--;
			break;
		case ',':
			level->name_next = level->object;
			break;
		case '"':
			end = end_of_string(text, length, i);
			if (level->name_next) {
				struct name name = { text + i + 1, end - i - 1 };

				if (memchr(name.text, '\\', name.length) || is_twice(level, &name))
					return i;
				level->name_next = false;
			}
			i = end;
			break;
		default:
			break;
		}
	}
	return length;
}

int snap_json(struct reader *reader, const char *text, size_t length, json_object **ret)
{
	_cleanup_json_ json_object *document = NULL;
	enum json_tokener_error error;
	json_tokener *tokener;
	size_t offset;

	if (length > LENGTH_MAX)
		return snap_fail(reader, NULL, "longer than %d bytes", LENGTH_MAX);
	offset = find_control(text, length);
	if (offset < length)
		return snap_fail(reader, NULL, "line %zu: a control character",
				 line_of(text, offset));

	tokener = json_tokener_new_ex(DEPTH_MAX);
	if (!tokener)
		return -ENOMEM;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	document = json_tokener_parse_ex(tokener, text, (int)length);
	error = json_tokener_get_error(tokener);
	offset = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	if (error == json_tokener_continue)
		return snap_fail(reader, NULL, "line %zu: the text ends within the document",
				 line_of(text, length));
	if (error != json_tokener_success)
		return snap_fail(reader, NULL, "line %zu: no JSON: %s",
				 line_of(text, MIN(offset, length)),
				 json_tokener_error_desc(error));
	for (; offset < length; offset++)
		if (!strchr(" \t\r\n", text[offset]))
			return snap_fail(reader, NULL, "line %zu: more behind the document",
					 line_of(text, offset));

	offset = find_twice(text, length);
	if (offset < length)
		return snap_fail(reader, NULL,
				 "line %zu: a member that its object has already, or a name that "
				 "is escaped",
				 line_of(text, offset));
	*ret = TAKE_PTR(document);
	return 0;
}
