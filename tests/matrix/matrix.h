/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fault, kill and soak matrices are written with: thousands of cases in one process, each
 * on a fresh simulated host with the real daemon, each judged by what is left of the host. Runs
 * inside dcdsim (`dcdsim -- faults`). Everything of tests/scenario/harness.h may be used in a case;
 * a function there that fails ends the case, not the program.
 */
#pragma once

#include "tests/scenario/harness.h"

/* How a case ended. */
enum matrix_outcome {
	MATRIX_FREE,	  /* nothing claims the group, nothing is left of its devices; granted */
	MATRIX_AS_BEFORE, /* the whole host is as it was before the device asked */
	MATRIX_FAILED,	  /* state `failed`, and its list says exactly what differs */
	MATRIX_HALF,	  /* anything else: a bug */
	_MATRIX_OUTCOME_MAX,
};

const char *matrix_outcome_to_string(enum matrix_outcome outcome);

/* ---- matrix.c: the frame ---- */

struct matrix;

struct matrix_program {
	const char *name;
	const char *usage; /* of what `other` takes, "" or whole lines; may be NULL */
	/* An argument that is none of --ci --case --match --part --seed --list. */
	bool (*option)(const char *argument, void *userdata); /* false: wrong usage; may be NULL */
	/* Calls matrix_case() for each. A failing harness function in here ends the program. */
	void (*run)(struct matrix *m, void *userdata);
};

/*
 * The whole of main(): arguments, bus, run, table, leaks, "cases=N …". Returns the exit status: 0;
 * 1 if there was a half, a violation or a leak; 2 wrong usage; 70 no simulated host here.
 */
int matrix_main(int argc, char **argv, const struct matrix_program *program, void *userdata);

struct scenario *matrix_scenario(struct matrix *m);
bool matrix_is_ci(const struct matrix *m);    /* --ci: what fits into `make check` */
uint64_t matrix_seed(const struct matrix *m); /* --seed N, else a fixed one; printed at the end */

/* xorshift64* from the seed; the same numbers for the same seed, whatever cases are left out. */
uint64_t matrix_random(uint64_t *state);

/*
 * One case, numbered from 1 in the order of the calls. @point: its line in the table ("write
 * memoryN/state offline"). @name: what it is, for a person and for --match. @body makes the host
 * and the daemon, lets something happen and ends with matrix_judge() or matrix_count(); a body that
 * does neither is a half. Not run (and false) if --case or --match chose others.
 *
 * After it the daemon, if one runs, is ended (now and then by SIGTERM, which has to end well, else
 * by SIGKILL), and everything it left in its directories is removed.
 */
bool matrix_case(struct matrix *m, const char *point, const char *name,
		 void (*body)(struct matrix *m, void *argument), void *argument);

/*
 * A body that is no case: run whatever was chosen, not counted; the program ends if it ends badly.
 * For finding out what there is to be done to later ones.
 */
void matrix_prepare(struct matrix *m, void (*body)(struct matrix *m, void *argument),
		    void *argument);

/* Whether the next matrix_case() would be run; saves preparing what it will not need. */
bool matrix_wants(const struct matrix *m, const char *name);

/* The case ended like this, @why if half. matrix_judge() calls it. Once per case. */
void matrix_count(struct matrix *m, enum matrix_outcome outcome, const char *why, ...)
	_printf_(3, 4);

/*
 * What was to be injected did not come to pass: judged all the same, but counted. More than 5 % of
 * these fail the program.
 */
void matrix_missed(struct matrix *m);

/* Fails the program at its end (a leak), whatever the cases were. */
void matrix_problem(struct matrix *m, const char *format, ...) _printf_(2, 3);

/* ---- matrix_host.c: the reference group ---- */

/* 3 extents, 12 blocks of 128 MiB, one device in each of the modes. */
struct matrix_mode {
	const char *name;     /* "blocks", "atomic", "devdax" */
	const char *settings; /* of the simulator */
	const char *driver;
	const char *zone;   /* or NULL */
	const char *config; /* what the daemon's configuration has in it for this mode */
	const char *plug;   /* written to the device's `state` once it is there, or NULL */
};
extern const struct matrix_mode matrix_modes[];
extern const size_t matrix_n_modes;

#define MATRIX_TAG TAG_A
#define MATRIX_N_BLOCKS 12
#define MATRIX_DEVICE "dax0.1"

/* Number of the group's memory block @i < MATRIX_N_BLOCKS; there are gaps between the extents. */
uint64_t matrix_block(unsigned i);

/* Short times, no retries; what every case's daemon has, before mode->config. */
extern const char matrix_config[];

/* A fresh host with the reference group claimed, and pictures of it: empty, unclaimed, claimed. */
void matrix_host(struct matrix *m, const struct matrix_mode *mode);

/* As the host is now is how it is to be "as before"; for a case that makes its own host. */
void matrix_set_before(struct matrix *m);

/* ---- matrix_daemon.c: the daemon of a case ---- */

/*
 * Starts the daemon on the case's host and waits until it is ready. @environment: NULL-ended
 * "NAME=value" of its own, or NULL. Its state directory is the case's; a second start in a case
 * finds what the first left. matrix_daemon_launch() does not wait.
 */
void matrix_daemon_start(struct matrix *m, const char *const *environment);
void matrix_daemon_launch(struct matrix *m, const char *const *environment);

/* `scenario_state_dir()`, and how many files whose name ends in @suffix are in it. */
const char *matrix_state_dir(struct matrix *m);
unsigned matrix_state_files(struct matrix *m, const char *suffix);

/* Open descriptors of the daemon; processes that came from it, itself not counted. */
unsigned matrix_daemon_fds(struct matrix *m);
unsigned matrix_daemon_workers(struct matrix *m);

/* The device asks for the group, which is in use. */
void matrix_ask(struct matrix *m);

/*
 * Waits until the daemon has nothing under way any more: it has looked at the host, and each
 * release is ready, or has ended. @must: there has to be one of MATRIX_TAG. Fails the case if that
 * takes longer than @seconds.
 */
void matrix_settle(struct matrix *m, bool must, double seconds);

/* ---- matrix_judge.c: the checker ---- */

/*
 * What the host, the daemon and the simulator say at the end; counts the case. What the daemon says
 * of the group's latest release must fit: ready or released if it is free, not these and not
 * `failed` if it is as before. With no daemon running only the host counts. Clears all faults.
 */
void matrix_judge(struct matrix *m);

/*
 * In this case no command can make the host as it was before: of a failed release only the list
 * counts, not that what it says to do is of help.
 */
void matrix_unmendable(struct matrix *m);
