/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan of one release attempt: the ordered steps that free a group, each with what undoes it.
 * Built from an inventory by a pure function; the executor takes one step at a time.
 */
#pragma once

#include <dcdd/inventory.h>

enum step_kind {
	/* Forward, in the order a plan has them: */
	STEP_OFFLINE_BLOCK, /* memoryN/state <- offline */
	STEP_UNPLUG,	    /* daxX.Y/state <- unplugged: all blocks of the device at once */
	STEP_UNBIND,	    /* drivers/D/unbind <- daxX.Y */
	STEP_SIZE_ZERO,	    /* daxX.Y/size <- 0: the claim is given back */
	STEP_DELETE,	    /* dax_region/delete <- daxX.Y; never daxX.0 */
	/* Back, in the order a roll-back has them: */
	STEP_CLAIM,	   /* daxX.Y/uuid <- tag */
	STEP_BIND,	   /* drivers/D/bind <- daxX.Y */
	STEP_NEW_ID,	   /* drivers/kmem/new_id <- daxX.Y, if bind does not take it */
	STEP_PLUG,	   /* daxX.Y/state <- online_movable or online_kernel */
	STEP_REOFFLINE,	   /* memoryN/state <- offline: it came back in the wrong zone */
	STEP_ONLINE_BLOCK, /* memoryN/state <- online_movable or online_kernel */
	_STEP_KIND_MAX,
};

enum step_state {
	STEP_PENDING,
	STEP_RUNNING,
	STEP_DONE,
	STEP_SKIPPED, /* found to be so already, by another hand */
	STEP_ERROR,
	_STEP_STATE_MAX,
};

/* A device as it was before the first step: what roll-back has to restore. */
struct plan_device {
	char name[DEV_NAME_MAX];
	char driver[DEV_NAME_MAX]; /* "" if it was unbound */
	char dax_region[DEV_NAME_MAX];
	enum dax_mode mode;
	struct tag tag;
	uint64_t size;		    /* bytes */
	struct range first_mapping; /* HPA; with size and tag: recognises a reused name */
	bool atomic;		    /* taken offline by its own `state` attribute */
};

/* A memory block as it was before the first step. */
struct plan_block {
	uint64_t number;
	uint32_t device; /* index into plan.devices */
	enum block_state state;
	enum block_zone zone;
};

struct step {
	enum step_kind kind;
	enum step_state state;
	uint32_t device;      /* index into plan.devices */
	uint64_t block;	      /* number, for the block steps */
	enum block_zone zone; /* to come back online in, for STEP_PLUG and STEP_ONLINE_BLOCK */
	int error;	      /* negative errno of the last try, 0 */
	usec_t elapsed;	      /* the kernel took for it */
};

struct steps {
	struct step *items;
	size_t n;
	size_t cursor; /* the step under way, or the next; n: all are behind us */
};

struct plan {
	struct plan_device *devices;
	size_t n_devices;
	struct plan_block *blocks; /* all of the devices', sorted by number */
	size_t n_blocks;
	struct steps forward;
	struct steps back;	 /* of the roll-back round under way */
	uint32_t blocks_total;	 /* that were online */
	uint32_t blocks_offline; /* of them, offline by now */
};

/* Frees what the plan owns and zeroes it. */
void plan_done(struct plan *plan);

const char *step_kind_to_string(enum step_kind kind);
