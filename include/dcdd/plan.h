/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan of one release attempt: the ordered steps that free a group, each with what undoes it.
 * Built from an inventory by a pure function; the executor takes one step at a time.
 */
#pragma once

#include <dcdd/inventory.h>

enum step_kind {
	STEP_SAVE, /* the undo journal <- this plan, durable; either way, before what needs it */
	/* Forward, in the order a plan has them: */
	STEP_OFFLINE_BLOCK, /* memoryN/state <- offline */
	STEP_UNPLUG,	    /* daxX.Y/state <- unplugged: all blocks of the device at once */
	STEP_UNBIND,	    /* drivers/D/unbind <- daxX.Y */
	STEP_SIZE_ZERO,	    /* daxX.Y/size <- 0: the claim is given back */
	STEP_DELETE,	    /* dax_region/delete <- daxX.Y; never daxX.0 */
	/* Back, in the order a roll-back has them: */
	STEP_CREATE,	   /* dax_region/create <- 1: in place of a device that was destroyed */
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
	uint64_t size;			/* bytes */
	uint64_t align;			/* bytes; for a person, the kernel chooses it again */
	int32_t target_node;		/* the same */
	struct range first_mapping;	/* HPA; with size and tag: recognises a reused name */
	uint32_t first_range, n_ranges; /* slice of plan.ranges: all that it mapped, HPA */
	bool atomic;			/* taken offline by its own `state` attribute */
	/* What has become of it by our hand: */
	bool unbound;		/* STEP_UNBIND is done, or need not be done any more */
	bool given_back;	/* STEP_SIZE_ZERO, the same */
	bool deleted;		/* STEP_DELETE was begun */
	bool creating;		/* STEP_CREATE was begun: one not in plan.known may be ours */
	char was[DEV_NAME_MAX]; /* its name before it was destroyed, "" if it has it still */
};

/* A memory block as it was before the first step. */
struct plan_block {
	uint64_t number;
	uint32_t device; /* index into plan.devices */
	enum block_state state;
	enum block_zone zone;
};

/* The name of a dax device that was there before one was created. */
struct plan_name {
	char name[DEV_NAME_MAX];
};

enum difference_kind {
	DIFF_GONE,	   /* the device was destroyed, its memory is claimed by nobody */
	DIFF_UNCLAIMED,	   /* it is there, and claims nothing */
	DIFF_REPLACED,	   /* its name or its memory belongs to another allocation: not ours */
	DIFF_DRIVER,	   /* it is bound to nothing, was to its driver */
	DIFF_OTHER_DRIVER, /* another hand bound it to another one: not ours */
	DIFF_BLOCK,	   /* the block's state or zone */
	_DIFF_KIND_MAX,
};

/* One way in which the host is not as it was. */
struct plan_difference {
	enum difference_kind kind;
	uint32_t device;       /* index into plan.devices */
	uint64_t block;	       /* DIFF_BLOCK: number */
	bool leaked;	       /* DIFF_DRIVER, DIFF_BLOCK: it does not come back before a boot */
	bool absent;	       /* DIFF_BLOCK: it is not there at all */
	enum block_state have; /* DIFF_BLOCK: else this, and this zone if online */
	enum block_zone have_zone;
	enum block_state want;
	enum block_zone want_zone;
	char driver[DEV_NAME_MAX]; /* DIFF_OTHER_DRIVER: the one it has */
};

/* The same for a person. */
struct difference_text {
	char object[DEV_NAME_MAX]; /* "memory339", "dax0.1" */
	char have[96], want[96];   /* "offline", "online in movable" */
	char command[256];	   /* a shell line that mends it, "" or a comment if none does */
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
	struct range *ranges; /* HPA, see plan_device.first_range */
	size_t n_ranges;
	struct plan_name *known; /* when STEP_CREATE was planned; NULL before */
	size_t n_known;
	struct plan_difference *differences; /* that the last comparison found */
	size_t n_differences;
	struct steps forward;
	struct steps back;	 /* of the roll-back round under way */
	uint32_t blocks_total;	 /* that were online */
	uint32_t blocks_offline; /* of them, offline by now */
};

/* Frees what the plan owns and zeroes it. */
void plan_done(struct plan *plan);

const char *step_kind_to_string(enum step_kind kind);
