/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What dcdctl prints: one JSON document, or a table; and how sizes, ages and tags look in it. */
#include <libsmartcols.h>

#include "cli.h"
#include "util/escape.h"

int output_no_memory(void)
{
	(void)fputs("dcdctl: out of memory\n", stderr);
	return CLI_EXIT_FAILURE;
}

int output_unusable(void)
{
	(void)fputs("dcdctl: dcdd answered something else than was asked for\n", stderr);
	return CLI_EXIT_FAILURE;
}

int output_json(json_object *document)
{
	const char *text = json_object_to_json_string_ext(
		document, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		return output_no_memory();
	(void)puts(text);
	return CLI_EXIT_OK;
}

#define OUTPUT_WIDTH 80

void output_wrapped(const char *text, unsigned column, unsigned indent)
{
	char escaped[2048], *rest = escaped, *word;
	bool first = true;

	escape_text(*text ? text : "-", escaped, sizeof(escaped));
	while ((word = strsep(&rest, " "))) {
		unsigned width = (unsigned)strlen(word);

		if (!first && column + 1 + width > OUTPUT_WIDTH) {
			(void)printf("\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			(void)putchar(' ');
			column++;
		}
		(void)fputs(word, stdout);
		column += width;
		first = false;
	}
	(void)putchar('\n');
}

int output_lines(const char *text)
{
	_cleanup_free_ char *copy = strdup(text), *escaped = malloc(strlen(text) * 4 + 4);
	char *rest = copy, *line;

	if (!copy || !escaped)
		return output_no_memory();
	while ((line = strsep(&rest, "\n")))
		/* Nothing is behind the last newline. */
		if (rest || *line)
			(void)puts(escape_text(line, escaped, strlen(line) * 4 + 4));
	return CLI_EXIT_OK;
}

struct table {
	struct libscols_table *scols;
	struct libscols_line *line;
};

struct table *table_new(const struct cli *cli, const struct column *columns, size_t n_columns)
{
	_cleanup_(table_freep) struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->scols = scols_new_table();
	if (!table->scols)
		return NULL;
	(void)scols_table_enable_noheadings(table->scols, cli->no_legend);
	/* Cells are escaped before they get there, see table_cell(). */
	(void)scols_table_enable_noencoding(table->scols, 1);
	for (size_t i = 0; i < n_columns; i++) {
		int flags = (columns[i].right ? SCOLS_FL_RIGHT : 0) |
			    (columns[i].wrap ? SCOLS_FL_WRAP : 0);

		if (!scols_table_new_column(table->scols, columns[i].name, 0, flags))
			return NULL;
	}
	return TAKE_PTR(table);
}

int table_row(struct table *table)
{
	table->line = scols_table_new_line(table->scols, NULL);
	return table->line ? 0 : -ENOMEM;
}

int table_cell(struct table *table, size_t column, const char *text)
{
	char escaped[8192];

	if (!text || !*text)
		text = "-";
	return scols_line_set_data(table->line, column,
				   escape_text(text, escaped, sizeof(escaped)));
}

int table_print(struct table *table)
{
	if (scols_print_table(table->scols) < 0) {
		(void)fputs("dcdctl: cannot print\n", stderr);
		return CLI_EXIT_FAILURE;
	}
	return CLI_EXIT_OK;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	scols_unref_table(table->scols);
	free(table);
}

char *cell_size(const struct cli *cli, uint64_t bytes, char buf[static SIZE_STRLEN])
{
	if (!cli->bytes)
		return format_bytes(bytes, buf);
	(void)snprintf(buf, SIZE_STRLEN, "%llu", (unsigned long long)bytes);
	return buf;
}

char *format_age(usec_t then, char buf[static AGE_STRLEN])
{
	usec_t now = now_usec(CLOCK_MONOTONIC);

	return format_duration(now > then ? now - then : 0, buf);
}

char *format_left(usec_t until, char buf[static AGE_STRLEN])
{
	usec_t now = now_usec(CLOCK_MONOTONIC);

	buf[0] = '\0';
	return until == USEC_INFINITY || until <= now ? buf : format_duration(until - now, buf);
}

const char *field_string(json_object *object, const char *key)
{
	json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return "";
	return json_object_get_string(value);
}

uint64_t field_uint64(json_object *object, const char *key)
{
	json_object *value;

	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_int))
		return 0;
	return json_object_get_uint64(value);
}

bool field_bool(json_object *object, const char *key)
{
	json_object *value;

	return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

json_object *field_array(json_object *object, const char *key, size_t *ret_length)
{
	json_object *value;

	*ret_length = 0;
	if (!json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_array))
		return NULL;
	*ret_length = json_object_array_length(value);
	return value;
}

int field_name_parts(json_object *object, const char *key, const char *const names[],
		     size_t n_names)
{
	json_object *array;
	size_t n;

	array = field_array(object, key, &n);
	for (size_t i = 0; i < n; i++) {
		json_object *parts = json_object_array_get_idx(array, i), *named;

		if (!json_object_is_type(parts, json_type_array))
			continue;
		named = json_object_new_object();
		if (!named)
			return -ENOMEM;
		for (size_t k = 0; k < n_names; k++)
			(void)json_object_object_add(
				named, names[k],
				json_object_get(json_object_array_get_idx(parts, k)));
		if (json_object_array_put_idx(array, i, named) < 0) {
			json_object_put(named);
			return -ENOMEM;
		}
	}
	return 0;
}

char *format_tag(json_object *object, char buf[static TAG_CELL_STRLEN])
{
	const char *tag = field_string(object, "tag");

	if (*tag)
		(void)snprintf(buf, TAG_CELL_STRLEN, "%s", tag);
	else
		(void)snprintf(buf, TAG_CELL_STRLEN, "- (DPA %#llx)",
			       (unsigned long long)field_uint64(object, "dpa_start"));
	return buf;
}
