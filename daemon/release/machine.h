/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state machine of one release request: pure functions from (request, what happened) to
 * (changed request, what to do next). No I/O, no clock of its own, no knowledge of other requests.
 * docs/architecture.md has the picture.
 */
#pragma once

#include <dcdd/release.h>

#include "worker/worker.h"

/* What the caller has to do; a set of bits. */
enum machine_action {
	MACHINE_SCAN = 1 << 0,	  /* call machine_scanned() with an inventory begun from now on */
	MACHINE_TURN = 1 << 1,	  /* call machine_turn() when the executor is free */
	MACHINE_STEP = 1 << 2,	  /* do machine_step() and call machine_step_done() */
	MACHINE_CANCEL = 1 << 3,  /* interrupt the step in hand */
	MACHINE_ABANDON = 1 << 4, /* leave the worker in its step; others may have a new one */
	MACHINE_YIELD = 1 << 5,	  /* the executor is not needed any more */
	MACHINE_READY = 1 << 6,	  /* announce: free, the device must ask again */
	MACHINE_FINISH = 1 << 7,  /* announce: ended */
	/* End the processes that hold its devices, as far as its rule says so. */
	MACHINE_TERMINATE = 1 << 8,
	MACHINE_WOULD = 1 << 9, /* dry run: tell what its plan would do */
};

/* What the machine may look at. */
struct machine_input {
	usec_t now; /* CLOCK_MONOTONIC */
	const struct policy *policy;
	const struct inventory *inventory; /* the newest; NULL if there is none yet */
	/*
	 * For this release: `leaving` and `freed` are about others. For machine_scanned(), _turn()
	 * and _reconsider(), which decide; the others do not look at it.
	 */
	const struct policy_facts *facts;
	uint32_t random;  /* spreads what would happen at the same time; 0: exactly then */
	const char *hint; /* for a person, if a free group is not released; may be NULL */
};

/* After it was told to come back, this long until a worker counts as stuck in the kernel. */
#define MACHINE_CANCEL_GRACE_USEC (10 * USEC_PER_SEC)
/* The same for daxX.Y/state: the kernel's own roll-back took 19 s where it was measured. */
#define MACHINE_ATOMIC_GRACE_USEC (45 * USEC_PER_SEC)
/* Rounds of compare-and-write before a roll-back is given up as failed. */
#define MACHINE_BACK_ROUNDS 8
/* Of them, those that do not go on without the undo journal. */
#define MACHINE_SAVE_ROUNDS 3
/* Looks at whether a free group was released, after each record: 0.2, 0.8, 3.2, 12.8 s by default.
 */
#define MACHINE_READY_CHECKS 4
/* An undo journal that took longer than this: looks at the host again before the first change. */
#define MACHINE_SAVE_SLOW_USEC (500 * USEC_PER_MSEC)
/* When what could not be read is looked at again. */
#define MACHINE_UNREAD_USEC (500 * USEC_PER_MSEC)
/* An inventory this young is fresh enough to begin changing the host on. */
#define MACHINE_FRESH_USEC (100 * USEC_PER_MSEC)

/* A new request was made. */
unsigned machine_begin(struct release *r, const struct machine_input *in);

/* @records more release records for the group, the last one traced at @traced. */
unsigned machine_record(struct release *r, const struct machine_input *in, uint64_t records,
			usec_t traced);

/* in->inventory is new; to be told to every request that waits for a scan or for time. */
unsigned machine_scanned(struct release *r, const struct machine_input *in);

/*
 * What decisions look at besides the inventory has changed (an inhibitor, the clock, …): one that
 * is held is decided anew, at once. @policy: its rules have, or what a person said of this release;
 * then so is one that is deferred, which had its conditions met.
 */
unsigned machine_reconsider(struct release *r, const struct machine_input *in, bool policy);

/* The executor is free and it is this request's turn. */
unsigned machine_turn(struct release *r, const struct machine_input *in);

/* The step to do now, after MACHINE_STEP. */
struct step *machine_step(struct release *r);

/* The worker's answer to it. */
unsigned machine_step_done(struct release *r, const struct machine_input *in,
			   const struct worker_reply *reply);

/* r->deadline has passed. */
unsigned machine_deadline(struct release *r, const struct machine_input *in);

/*
 * A release that a daemon before this one left half done: r->plan, r->key and what is shown are
 * from its journal, r->recovered is set, r->failure is why it was being rolled back, if it was.
 * Rolls back, finishes or resumes it. With r->orphan set it only waits; call it again when that
 * process has ended and r->orphan is 0.
 */
unsigned machine_recover(struct release *r, const struct machine_input *in);

/*
 * The same where the journal could not be read (r->blind): nothing is known of what was before, so
 * nothing is changed; ends as failed with @why.
 */
unsigned machine_recover_blind(struct release *r, const struct machine_input *in, const char *why);

/*
 * in->inventory is new, and @r has failed: looks whether the group is whole again by another hand.
 * If so the release is not failed any more, and true is returned; its reason says what was seen.
 */
bool machine_thaw(struct release *r, const struct machine_input *in);

/* The daemon is to end: finish what cannot be left half done, roll back what can, start nothing. */
unsigned machine_stop(struct release *r, const struct machine_input *in);
