/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a snapshot's JSON: errors that say where, one value by its table, and how names become
 * indexes.
 */
#pragma once

#include <json-c/json.h>

#include "snapshot/members.h"

static inline void snapshot_json_putp(json_object **object)
{
	json_object_put(*object);
}
#define _cleanup_json_ _cleanup_(snapshot_json_putp)

/* Where a value is in the document: a member of what is above, or an element of a list there. */
struct spot {
	const struct spot *above; /* NULL: this is the document */
	const char *name;	  /* NULL: an element */
	size_t index;
};

struct reader {
	char *error; /* what is wrong, once something is */
	/* Names to indexes; json-c's objects are hash tables. */
	json_object *memdevs, *regions;
};

/* Notes what is wrong at @at (NULL: no place). Returns -EINVAL, or -ENOMEM. */
int snap_fail(struct reader *reader, const struct spot *at, const char *format, ...) _printf_(3, 4);

/*
 * Reads the members of @kind that are one value into @ret (zeroed by the caller); those that @kind
 * does not know are an error. 0, -EINVAL or -ENOMEM, as all below.
 */
int snap_members(struct reader *reader, const struct spot *at, json_object *object,
		 const struct kind *kind, void *ret);

/* One value into @element. In value.c. */
int snap_value(struct reader *reader, const struct spot *at, json_object *value,
	       const struct member *member, void *element);

/* Text as JSON, strictly: nothing around it, no member twice. In json.c. */
int snap_json(struct reader *reader, const char *text, size_t length, json_object **ret);

/*
 * inventory_link() and inventory_check() on what has been read, and which objects it is if they
 * refuse. In link.c.
 */
int snap_link(struct reader *reader, struct inventory *inv);
