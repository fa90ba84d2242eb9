/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One release request, from the device's record to its end: the plain data that the state machine
 * works on and that D-Bus, journal and CLI show. No function here does I/O.
 */
#pragma once

#include <dcdd/inventory.h>
#include <dcdd/plan.h>
#include <dcdd/policy.h>

#define RELEASE_REASON_MAX 256

/* The D-Bus `State` strings are in release_state_to_string(). */
enum release_state {
	RELEASE_REQUESTED,    /* seen; being looked at, or waiting for its turn */
	RELEASE_OFFLINING,    /* memory blocks go offline, one by one or device by device */
	RELEASE_DETACHING,    /* unbind, size 0, delete */
	RELEASE_READY,	      /* free: the device must ask again for the kernel to release it */
	RELEASE_ROLLING_BACK, /* putting back what was done */
	RELEASE_DEFERRED,     /* as before; will be tried again after a back-off */
	/* The ends: */
	RELEASE_RELEASED, /* the kernel gave the extents back, seen */
	RELEASE_REFUSED,  /* left in use, by policy or because it could not be freed; whole */
	RELEASE_VANISHED, /* extents went away by another hand before we freed them */
	RELEASE_FAILED,	  /* could neither finish nor roll back: an admin must look */
	_RELEASE_STATE_MAX,
};

struct release {
	uint64_t id; /* unique in this process, from 1 */
	struct group_key key;
	struct range dpa; /* of the first record */
	enum release_state state;
	char reason[RELEASE_REASON_MAX]; /* why it is in this state, for a person */
	bool retry_wanted;		 /* the device must repeat its release for it to happen */

	uint64_t records;		  /* release records coalesced into this request */
	usec_t first_record, last_record; /* when they were traced */
	usec_t entered;			  /* when the state was entered */
	usec_t deadline;		  /* when the state ends by itself, USEC_INFINITY: never */
	usec_t started;			  /* when the first change of this attempt was made, or 0 */
	unsigned attempts;		  /* attempts that touched the host */

	char region[DEV_NAME_MAX];
	uint64_t bytes;	    /* of the group */
	uint32_t n_extents; /* of the group */

	struct decision decision; /* the last one made */
	struct plan plan;	  /* of the attempt under way, or the last */
};

const char *release_state_to_string(enum release_state state);
int release_state_from_string(const char *s, enum release_state *ret);

/* Whether the request has ended. */
bool release_state_is_final(enum release_state state);

/* Whether memory or devices of the group may be in a changed state now. */
bool release_state_is_active(enum release_state state);
