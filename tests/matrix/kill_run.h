/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs of the daemon above the interposer: with everything that outlives it numbered and written
 * down, and its death, or an error, at the number that a case wants.
 */
#pragma once

#include "matrix.h"
#include "kill_interpose.h"

/* What the interposer is to do, at which operation; all zero: only to write down. */
struct run_order {
	enum interpose_action action;
	uint32_t at;	/* number of the operation, from 1 */
	int error;	/* INTERPOSE_FAIL: positive errno */
	uint32_t count; /* INTERPOSE_FAIL: so many from there on; 0: all */
	uint32_t kinds; /* INTERPOSE_FAIL: mask of interpose_kind; 0: all of the state directory */
};

struct run;

/* Once for all cases of a program. A failing harness function in here ends the program. */
struct run *run_new(struct matrix *m);
void run_free(struct run *run);

/* What the last daemon did. */
struct interpose_shared *run_shared(struct run *run);

enum run_end {
	RUN_SETTLED, /* it runs, and has nothing to do any more */
	RUN_KILLED,  /* as ordered; its workers have gone too */
	RUN_REFUSED, /* it ended before it was ready, because of the error that was ordered */
};

/*
 * Starts the daemon on the case's host, lets the device @ask, and waits until the daemon has
 * settled or ended as ordered. Any other end fails the case.
 */
enum run_end run_daemon(struct run *run, const struct run_order *order, bool ask);

/* SIGKILL from outside, now; waits until it and its workers are gone. */
void run_kill(struct run *run);

/* The worker's state may have it outlive the daemon: the same without waiting for that. */
void run_kill_only(struct run *run);

/* Another boot of the host from now on, by its boot id only. */
void run_reboot(struct run *run);

/*
 * Outside of any case: runs @body and cleans up as after one. Fails the program if the body does.
 */
void run_aside(struct run *run, void (*body)(struct scenario *s, void *userdata), void *userdata);
