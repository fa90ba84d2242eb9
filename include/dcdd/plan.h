/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan of one release attempt: the ordered steps that free a group, each with what undoes it.
 * Built from an inventory by a pure function; the executor takes one step at a time.
 */
#pragma once

#include <dcdd/inventory.h>

enum step_kind {
	STEP_OFFLINE_BLOCK, /* memoryN/state <- offline */
	STEP_UNPLUG,	    /* daxX.Y/state <- unplugged: all blocks of the device at once */
	STEP_UNBIND,	    /* drivers/D/unbind <- daxX.Y */
	STEP_SIZE_ZERO,	    /* daxX.Y/size <- 0: the claim is given back */
	STEP_DELETE,	    /* dax_region/delete <- daxX.Y; never daxX.0 */
	_STEP_KIND_MAX,
};

enum step_state {
	STEP_PENDING,
	STEP_RUNNING,
	STEP_DONE,
	STEP_SKIPPED, /* found to be so already, by another hand: not ours to undo */
	STEP_UNDOING,
	STEP_UNDONE,
	STEP_STUCK, /* could not be undone */
	_STEP_STATE_MAX,
};

/* A device as it was before the first step: what roll-back has to restore. */
struct plan_device {
	char name[DEV_NAME_MAX];
	char driver[DEV_NAME_MAX]; /* "" if it was unbound */
	char dax_region[DEV_NAME_MAX];
	enum dax_mode mode;
	struct tag tag;
	uint64_t size;
	struct range first_mapping; /* with size and tag: recognises a reused name */
	char state[DEV_NAME_MAX];   /* 7.3: "online_movable"… to go back to, else "" */
};

struct step {
	enum step_kind kind;
	enum step_state state;
	uint32_t device;      /* index into plan.devices */
	uint64_t block;	      /* number, for STEP_OFFLINE_BLOCK */
	enum block_zone zone; /* the block was online in, for the same */
	int error;	      /* negative errno of the last try, 0 */
	usec_t elapsed;	      /* the kernel took for it */
};

struct plan {
	struct plan_device *devices;
	size_t n_devices;
	struct step *steps;
	size_t n_steps;
	size_t cursor;		 /* the step under way, or the next */
	uint32_t n_blocks;	 /* to be taken offline */
	uint32_t blocks_offline; /* of them, offline by now */
};

void plan_done(struct plan *plan);

const char *step_kind_to_string(enum step_kind kind);
