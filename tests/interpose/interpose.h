/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the library below the daemon (LD_PRELOAD) and the test that drives it share: a file mapped
 * by both. In it every operation of the daemon and its workers that outlives them, a write to sysfs
 * or a change of the state directory, gets a number and an entry, and the test says what is to
 * happen at which number.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The environment variable with the path of the shared file. Without it nothing happens. */
#define INTERPOSE_ENV "DCDD_INTERPOSE"

#define INTERPOSE_MAGIC UINT32_C(0x44494e54)
#define INTERPOSE_OPS_MAX 2048
#define INTERPOSE_DATA_MAX (4u << 20)
#define INTERPOSE_PATH_MAX 192

/* In the order of interpose_kind_to_string(). */
enum interpose_kind {
	INTERPOSE_SYSFS,     /* write to an attribute of a device, driver or memory block */
	INTERPOSE_MKDIR,     /* the state directory itself is made */
	INTERPOSE_CREATE,    /* open() made the file */
	INTERPOSE_OPEN,	     /* open() for writing of one that is there */
	INTERPOSE_WRITE,     /* at @offset, @size bytes at @data */
	INTERPOSE_TRUNCATE,  /* to @offset bytes */
	INTERPOSE_FSYNC,     /* of a file */
	INTERPOSE_FSYNC_DIR, /* of the directory */
	INTERPOSE_RENAME,    /* path to @to */
	INTERPOSE_LINK,	     /* the same file gets the name @to */
	INTERPOSE_UNLINK,
	_INTERPOSE_KIND_MAX,
};

/* All kinds that concern the state directory, as a mask. */
#define INTERPOSE_STATE_KINDS (((1u << _INTERPOSE_KIND_MAX) - 1) & ~(1u << INTERPOSE_SYSFS))

enum interpose_action {
	INTERPOSE_NOTHING,
	INTERPOSE_KILL_BEFORE, /* SIGKILL to the daemon instead of the operation */
	INTERPOSE_KILL_MIDDLE, /* a write to a file is made by half, any other not at all */
	INTERPOSE_KILL_AFTER,  /* the operation is made, nobody is told its result */
	INTERPOSE_FAIL,	       /* it is not made and fails with @error */
	INTERPOSE_SHORT,       /* a write to a file is made by half and says so */
};

struct interpose_op {
	uint32_t kind;
	bool by_worker;
	bool done;	/* it has come back, with: */
	bool truncated; /* INTERPOSE_OPEN: and what was in it is gone */
	int32_t error;	/* negative errno, or 0 */
	uint64_t inode;
	uint64_t offset;
	uint32_t data, size; /* slice of interpose_shared.data, of what was written */
	char path[INTERPOSE_PATH_MAX];
	char to[INTERPOSE_PATH_MAX];
};

struct interpose_shared {
	uint32_t magic;
	char state_dir[INTERPOSE_PATH_MAX]; /* absolute, without symlinks */

	/* Set by the test while no daemon runs: */
	uint32_t action;
	uint32_t at;	/* number of the operation, from 1 */
	uint32_t count; /* so many from there on; 0: all */
	uint32_t kinds; /* INTERPOSE_FAIL: of those only, others do not use up the count */
	int32_t error;	/* INTERPOSE_FAIL: positive errno */

	/* Set by the library: */
	_Atomic int32_t daemon; /* its pid */
	_Atomic uint32_t n;	/* operations begun; more than INTERPOSE_OPS_MAX: entries lost */
	_Atomic uint32_t hits;	/* how often the action was taken */
	_Atomic bool dead;	/* the daemon was killed: nobody goes on */
	_Atomic uint32_t data_used; /* more than INTERPOSE_DATA_MAX: data lost */

	struct interpose_op ops[INTERPOSE_OPS_MAX];
	char data[INTERPOSE_DATA_MAX];
};
