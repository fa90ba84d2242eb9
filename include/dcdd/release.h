/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One release request, from the device's record to its end: the plain data that the state machine
 * works on and that D-Bus, journal and CLI show. No function here does I/O.
 */
#pragma once

#include <dcdd/inventory.h>
#include <dcdd/plan.h>
#include <dcdd/policy.h>

#define RELEASE_REASON_MAX (DECISION_REASON_MAX + 128) /* and what came of it */

/* The D-Bus `State` strings are in release_state_to_string(). */
enum release_state {
	RELEASE_REQUESTED,    /* seen; being looked at, or waiting for its turn */
	RELEASE_HELD,	      /* a condition of the policy is not met yet */
	RELEASE_DRAINING,     /* only inhibitors and those who hold the device are in the way */
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

/* What a request waits for within its state. */
enum release_wait {
	WAIT_TIME, /* its deadline, a record or a change of the host */
	WAIT_SCAN, /* a fresh inventory */
	WAIT_TURN, /* the executor */
	WAIT_STEP, /* the answer to the step in hand */
	_RELEASE_WAIT_MAX,
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
	unsigned tries;			  /* attempts, and times it could not even be planned */

	char region[DEV_NAME_MAX];
	uint64_t bytes;	    /* of the group */
	uint32_t n_extents; /* of the group */

	struct policy_request request; /* what its decisions must know of it */
	struct decision decision;      /* the last one made */
	struct plan plan;	       /* of the attempt under way, or the last */

	/* The machine's own, of no meaning outside of it: */
	enum release_wait wait;
	char failure[RELEASE_REASON_MAX]; /* why the attempt under way is being rolled back */
	bool turn;			  /* has the executor */
	bool stopping;			  /* the daemon ends: no new attempt */
	bool cancelled;			  /* the step in hand was told to come back */
	bool stuck;			  /* and has not, in time */
	usec_t step_begun, cancelled_at;  /* the step in hand, and when it was told so */
	bool saved;			  /* its undo journal exists */
	bool recovered;			  /* made from the journal of a daemon before this one */
	bool blind;	 /* the journal could not be read: what was before is not known */
	bool finishing;	 /* free: only what is left of its devices is tidied away */
	int32_t orphan;	 /* pid of that daemon's worker while the kernel does not let go of it */
	unsigned rounds; /* of the roll-back */
	unsigned looks;	 /* while it is held: at what nobody tells of */
	unsigned backed_out; /* times it was decided otherwise before the first change */
	unsigned held_for;   /* conditions that are not met, a bit each */
	uint32_t cause;	     /* of the last failed attempt, to tell whether it is the same again */
	unsigned same;	     /* tries in a row that failed for it */
	uint64_t world;	     /* deferred: what the group looked like, to notice that it changed */
	unsigned checks;     /* for the outcome of the last record */
	usec_t settle_end;   /* the kernel has had its time to act on the last record */
	usec_t hold_until;   /* ended: further records only count until then */
};

/*
 * A new request for @key, from a record traced at @traced that named @dpa. NULL if out of memory.
 */
struct release *release_new(uint64_t id, const struct group_key *key, const struct range *dpa,
			    usec_t traced);

/* Frees what the request owns and itself. NULL is fine. */
void release_free(struct release *release);
DEFINE_CLEANUP(struct release *, release_free);

/* Strings for D-Bus, journal, CLI and tests. */
const char *release_state_to_string(enum release_state state);
int release_state_from_string(const char *s, enum release_state *ret);

/* Whether the request has ended. */
bool release_state_is_final(enum release_state state);

/* Whether it waits for conditions of the policy. */
bool release_state_is_held(enum release_state state);

/* Whether memory or devices of the group may be in a changed state now. */
bool release_state_is_active(enum release_state state);
