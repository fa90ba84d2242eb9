/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad luck on order: which open, read or write of the simulated /sys goes wrong, and how. Plain
 * data and matching; the file system carries it out. The caller serialises all calls.
 */
#pragma once

#include <json-c/json.h>

#include <dcdd/base.h>

enum fault_op {
	FAULT_WRITE = 1 << 0,
	FAULT_READ = 1 << 1,
	FAULT_OPEN = 1 << 2,
	FAULT_LIST = 1 << 3, /* a directory is opened to be listed */
	FAULT_LINK = 1 << 4, /* a symlink is read, also on the way to a file behind it */
	FAULT_ANY = FAULT_WRITE | FAULT_READ | FAULT_OPEN | FAULT_LIST | FAULT_LINK,
};

enum fault_action {
	FAULT_NONE,
	FAULT_ERRNO,		    /* fails with .error, after .ms */
	FAULT_DELAY,		    /* waits .ms, then goes on */
	FAULT_HANG,		    /* until a signal or told to go on */
	FAULT_HANG_UNINTERRUPTIBLE, /* until told to go on */
	FAULT_VANISH,		    /* the object goes away before the operation */
	FAULT_AFTER,		    /* the object goes away after the operation */
	FAULT_SHORT,		    /* one byte less than asked */
	_FAULT_ACTION_MAX,
};

struct fault {
	struct fault *next;
	unsigned id;
	char *path;	       /* glob on the path below /sys */
	char *value;	       /* glob on what is written, or NULL */
	unsigned op;	       /* enum fault_op bits */
	uint64_t nth, count;   /* hits matches nth … nth + count - 1; count 0: all from nth */
	uint64_t matched, hit; /* so far */
	enum fault_action action;
	int error; /* negative errno */
	unsigned ms;
	bool whole_group; /* vanish: the tag group, not the device */
};

struct faults {
	struct fault *first;
	unsigned last_id;
};

/*
 * Adds what the JSON request says (README.md, "Bad luck"). 0 and *@ret_id, or -EINVAL and
 * *@ret_error (static) says which key.
 */
int fault_add(struct faults *faults, struct json_object *request, unsigned *ret_id,
	      const char **ret_error);

/*
 * Counts one operation on the file @path; @value is NULL unless written. Fills @ret with a copy of
 * the fault that hits it (its strings are the list's, do not use them), action FAULT_NONE if none
 * does.
 */
void fault_match(struct faults *faults, enum fault_op op, const char *path, const char *value,
		 struct fault *ret);

/* Removes fault @id, 0: all. -ENOENT: no such. */
int fault_clear(struct faults *faults, unsigned id);

/* A new array describing all. */
struct json_object *fault_list(const struct faults *faults);

const char *fault_action_to_string(enum fault_action action);
/* Of one operation: "write". */
const char *fault_op_to_string(enum fault_op op);
