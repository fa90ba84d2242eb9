/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One operation that a wrapper stands in for, from its number to its result. */
#pragma once

#include <sys/types.h>

#include "interpose.h"

struct record {
	struct interpose_op *op; /* NULL: not one of those that count */
	enum interpose_action action;
	int error; /* INTERPOSE_FAIL: positive errno */
};

/* Where a path or descriptor leads. */
enum place {
	PLACE_ELSEWHERE,
	PLACE_SYSFS,
	PLACE_STATE_DIR,  /* the state directory itself */
	PLACE_STATE_FILE, /* below it */
};

/* Both leave errno alone. @ret gets the absolute path. */
enum place place_of_fd(int fd, char ret[static INTERPOSE_PATH_MAX]);
enum place place_of_path(int dir_fd, const char *path, char ret[static INTERPOSE_PATH_MAX]);

/*
 * Gives the operation its number and does what is to happen before it. If this returns
 * INTERPOSE_FAIL the wrapper fails with record.error, else it does its work, by half for
 * INTERPOSE_SHORT and INTERPOSE_KILL_MIDDLE, and calls record_end().
 */
struct record record_begin(enum interpose_kind kind, const char *path, const char *to);

/* The result, with errno if it is negative; then what is to happen afterwards. Keeps errno. */
void record_end(struct record *record, bool failed);

/* Keeps what was written. */
void record_data(struct record *record, const void *data, size_t size);
