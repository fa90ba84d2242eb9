/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the members of one object of a snapshot by its table; says where an error is. */
#include <stdarg.h>

#include "policy/suggest.h"
#include "snapshot/reader.h"
#include "util/escape.h"

#define NAME_STRLEN 64

static void write_spot(FILE *f, const struct spot *at)
{
	if (at->above)
		write_spot(f, at->above);
	if (at->name)
		(void)fprintf(f, "%s%s", at->above && at->above->above ? "." : "", at->name);
	else if (at->above)
		(void)fprintf(f, "[%zu]", at->index);
}

int snap_fail(struct reader *reader, const struct spot *at, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	va_list ap;
	FILE *f;

	f = open_memstream(&text, &size);
	if (!f)
		return -ENOMEM;
	/* The document itself has no name. */
	if (at && at->above) {
		write_spot(f, at);
		(void)fputs(": ", f);
	}
	va_start(ap, format);
	(void)vfprintf(f, format, ap);
	va_end(ap);
	if (fclose(f) != 0)
		return -ENOMEM;
	free(reader->error);
	reader->error = TAKE_PTR(text);
	return -EINVAL;
}

static const struct member *find_member(const struct kind *kind, const char *name)
{
	for (size_t i = 0; i < kind->n_members; i++)
		if (streq(kind->members[i].name, name))
			return &kind->members[i];
	return NULL;
}

static int unknown_member(struct reader *reader, const struct spot *at, const struct kind *kind,
			  const char *name)
{
	char safe[NAME_STRLEN];
	const char *best = NULL;
	size_t distance = 0;

	escape_text(name, safe, sizeof(safe));
	for (size_t i = 0; i < kind->n_members; i++)
		suggest(safe, kind->members[i].name, &best, &distance);
	if (best)
		return snap_fail(reader, at, "unknown member \"%s\"; did you mean \"%s\"?", safe,
				 best);
	return snap_fail(reader, at, "unknown member \"%s\"", safe);
}

int snap_members(struct reader *reader, const struct spot *at, json_object *object,
		 const struct kind *kind, void *ret)
{
	if (!json_object_is_type(object, json_type_object))
		return snap_fail(reader, at, "expected an object, {…}");
	json_object_object_foreach(object, key, unused)
	{
		(void)unused;
		if (!find_member(kind, key))
			return unknown_member(reader, at, kind, key);
	}
	for (size_t i = 0; i < kind->n_members; i++) {
		const struct member *member = &kind->members[i];
		const struct spot spot = { .above = at, .name = member->name };
		json_object *value;
		int r = 0;

		if (json_object_object_get_ex(object, member->name, &value))
			r = snap_value(reader, &spot, value, member, ret);
		else if (!member->optional)
			return snap_fail(reader, &spot, "is missing");
		else if (member->type == MEMBER_MAYBE)
			memcpy((char *)ret + member->offset, &(int32_t){ -1 }, sizeof(int32_t));
		if (r < 0)
			return r;
	}
	return 0;
}
