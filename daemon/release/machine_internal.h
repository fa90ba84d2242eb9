/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the state machine share. machine.c is what happens to a request,
 * machine_steps.c its steps, machine_back.c its way back, machine_state.c how it changes state. All
 * return actions, see machine.h.
 */
#pragma once

#include "machine.h"

#define MACHINE_STOPPING "dcdd is stopping"

/* ---- machine_state.c ---- */

void machine_reason(struct release *r, const char *format, ...) _printf_(2, 3);
void machine_enter(struct release *r, const struct machine_input *in, enum release_state state);

unsigned machine_wait_for(struct release *r, enum release_wait wait, unsigned actions);
/* Both give the executor back, if the request has it. */
unsigned machine_yield(struct release *r);
unsigned machine_wait_until(struct release *r, usec_t deadline);

/* Ends the request. @hold: how long further records of the group only count. */
unsigned machine_finish(struct release *r, const struct machine_input *in, enum release_state state,
			usec_t hold);
unsigned machine_finish_gone(struct release *r, const struct machine_input *in);
unsigned machine_finish_vanished(struct release *r, const struct machine_input *in,
				 const char *while_what);

/*
 * Why the attempt has failed, as a number: the back-off begins anew when it is another reason than
 * the last time.
 */
void machine_note_cause(struct release *r, uint32_t cause);

/* Not now: the host is as it was. Tries again after a back-off, or gives up. */
unsigned machine_postpone(struct release *r, const struct machine_input *in, const char *why);

/* The attempt has failed: put everything back, beginning with a look at what there is. */
unsigned machine_fail(struct release *r, const struct machine_input *in, const char *format, ...)
	_printf_(3, 4);

/* The group is there, nothing claims it, and the kernel has had its time to release it. */
unsigned machine_become_ready(struct release *r, const struct machine_input *in);
unsigned machine_wait_for_outcome(struct release *r, const struct machine_input *in);

/* ---- machine_hold.c ---- */

/*
 * The decision said not now: waits for what it waits for. @look: it was made on an inventory that
 * has just come, not because something else has changed.
 */
unsigned machine_hold(struct release *r, const struct machine_input *in, bool look);
/* The back-off before the try with the number @n (from 1), a little spread. */
usec_t machine_backoff(const struct release *r, const struct machine_input *in, unsigned n);
/*
 * What of the group decides whether another attempt may end differently, as a number that differs
 * if any of it does; never 0.
 */
uint64_t machine_world(const struct release *r, const struct inventory *inv);

/* ---- machine_steps.c ---- */

/* Begins the step at the cursor of the way forward or back. */
unsigned machine_run_step(struct release *r, const struct machine_input *in);
/* The same forward, but looks at the host before the first that detaches and behind the last. */
unsigned machine_advance(struct release *r, const struct machine_input *in);

/* ---- machine_back.c ---- */

/* A fresh inventory is there for a request that is rolled back, with its group or without. */
unsigned machine_back_scanned(struct release *r, const struct machine_input *in,
			      const struct tag_group *group);
unsigned machine_back_gone(struct release *r, const struct machine_input *in);

/*
 * The group is free: by the last step, by one that failed and had its effect all the same, or by
 * another hand; that is as whole as before, and nothing is gained by claiming it once more. What is
 * left of its devices is deleted, tried once, and it is ready.
 */
unsigned machine_free(struct release *r, const struct machine_input *in);
