/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Brings D-Bus introspection XML into a comparable form: one line per member, argument and
 * annotation of one interface, sorted. Understands what introspection data consists of, no more.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dcdd/base.h>

#define INTROSPECT_LINES_MAX 256

struct introspect {
	char *lines[INTROSPECT_LINES_MAX];
	size_t n;
	char *text; /* the lines joined, sorted */
};

static inline void introspect_done(struct introspect *i)
{
	for (size_t k = 0; k < i->n; k++)
		free(i->lines[k]);
	free(i->text);
}

static inline bool introspect_attribute(const char *tag, const char *end, const char *name,
					char ret[static 128])
{
	char pattern[32];
	const char *p, *q;

	(void)snprintf(pattern, sizeof(pattern), " %s=\"", name);
	p = strstr(tag, pattern);
	ret[0] = '\0';
	if (!p || p >= end)
		return false;
	p += strlen(pattern);
	q = strchr(p, '"');
	assert_non_null(q);
	assert_true(q - p < 128);
	memcpy(ret, p, (size_t)(q - p));
	ret[q - p] = '\0';
	return true;
}

static inline int introspect_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void introspect_line(struct introspect *i, const char *tag, const char *end,
				   const char *member, const char *what, unsigned argument)
{
	char name[128], type[128], access_mode[128], direction[128], value[128];
	char place[8] = "";

	(void)introspect_attribute(tag, end, "name", name);
	(void)introspect_attribute(tag, end, "type", type);
	(void)introspect_attribute(tag, end, "access", access_mode);
	(void)introspect_attribute(tag, end, "direction", direction);
	(void)introspect_attribute(tag, end, "value", value);
	/* The order of arguments counts, that of members does not. */
	if (streq(what, "arg"))
		(void)snprintf(place, sizeof(place), "%u", argument);
	assert_true(i->n < INTROSPECT_LINES_MAX);
	assert_true(asprintf(&i->lines[i->n++], "%s %s%s name=%s type=%s access=%s dir=%s val=%s",
			     member, what, place, name, type, access_mode, direction, value) > 0);
}

/* Collects interface @interface of @xml. Lines begin with the member they belong to. */
static inline void introspect_parse(const char *xml, const char *interface, struct introspect *ret)
{
	static const char *const members[] = { "method", "signal", "property" };
	char member[160] = "", name[128];
	bool inside = false;
	size_t size = 0;
	FILE *out;
	unsigned argument = 0;

	*ret = (struct introspect){ 0 };
	for (const char *p = xml; (p = strchr(p, '<'));) {
		const char *end;
		bool is_member = false;

		if (startswith(p, "<!--")) {
			p = strstr(p, "-->");
			assert_non_null(p);
			continue;
		}
		end = strchr(p, '>');
		assert_non_null(end);
		if (startswith(p, "<interface")) {
			assert_true(introspect_attribute(p, end, "name", name));
			inside = streq(name, interface);
		} else if (startswith(p, "</interface")) {
			inside = false;
		}
		for (size_t k = 0; inside && k < ARRAY_SIZE(members); k++) {
			const char *rest = startswith(p + 1, members[k]);

			if (!rest || *rest != ' ')
				continue;
			assert_true(introspect_attribute(p, end, "name", name));
			(void)snprintf(member, sizeof(member), "%s %s", members[k], name);
			introspect_line(ret, p, end, member, "itself", 0);
			is_member = true;
			argument = 0;
		}
		if (inside && !is_member && startswith(p, "<arg "))
			introspect_line(ret, p, end, member, "arg", argument++);
		if (inside && startswith(p, "<annotation "))
			introspect_line(ret, p, end, member, "annotation", 0);
		p = end;
	}
	qsort(ret->lines, ret->n, sizeof(*ret->lines), introspect_compare);
	out = open_memstream(&ret->text, &size);
	assert_non_null(out);
	for (size_t k = 0; k < ret->n; k++)
		(void)fprintf(out, "%s\n", ret->lines[k]);
	assert_int_equal(fclose(out), 0);
}
