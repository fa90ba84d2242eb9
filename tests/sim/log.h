/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator's record of what happened, in order: what tests check against and what the log
 * command shows. Bounded; the oldest entries go first. The caller serialises all calls.
 */
#pragma once

#include <json-c/json.h>

#include <dcdd/base.h>

struct log {
	struct json_object **entries; /* a ring */
	size_t first, n;
	uint64_t next; /* sequence number of the next entry, from 1 */
};

int log_init(struct log *log);
void log_done(struct log *log);

/* Forgets the entries; sequence numbers go on. */
void log_clear(struct log *log);

/*
 * Starts a new entry of @type and returns it for further keys; it stays the log's. Never NULL:
 * running out of memory ends the simulator, here and in the log_add_ functions.
 */
struct json_object *log_entry(struct log *log, const char *type);

void log_add_string(struct json_object *entry, const char *key, const char *value);
void log_add_number(struct json_object *entry, const char *key, uint64_t value);
void log_add_bool(struct json_object *entry, const char *key, bool value);
/* @error: 0 or a negative errno; stored as 0 or its name ("EBUSY"). */
void log_add_error(struct json_object *entry, int error);

/*
 * The entries with seq >= @since and, unless @types is NULL, of a type in the comma-separated
 * list, at most @limit of them, as a new array. *@ret_next: what to ask for next.
 */
struct json_object *log_select(const struct log *log, uint64_t since, const char *types,
			       size_t limit, uint64_t *ret_next);

/* "EBUSY" for -EBUSY or EBUSY, "0" for 0, "EUNKNOWN" if it has no name. */
const char *error_name(int error);
/* 0 and fills @ret with the negative errno of "EBUSY"; -EINVAL. */
int error_from_name(const char *name, int *ret);
