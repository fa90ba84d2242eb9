/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The frame's own view of itself; programs include matrix.h only.
 */
#pragma once

#include "tests/scenario/scenario.h"

#include "matrix.h"

#define MATRIX_POINTS_MAX 512

/* A line of the table. */
struct matrix_point {
	char *name;
	unsigned counts[_MATRIX_OUTCOME_MAX];
};

struct matrix {
	const struct matrix_program *program;
	struct scenario *s;

	/* From the command line. */
	bool ci, list;
	unsigned only;	      /* --case N, or 0 */
	unsigned part, parts; /* --part K/N */
	const char *match;    /* --match GLOB, or NULL */
	uint64_t seed;

	/* The case under way. */
	const struct matrix_mode *mode;
	const struct host *empty, *unclaimed, *before;
	struct json_object *state_before; /* the simulator's, or NULL */
	bool counted;
	bool unmendable;
	enum matrix_outcome outcome;
	char why[4096];

	/* All of them. */
	unsigned n_cases; /* numbered */
	unsigned n_run, n_missed, n_problems, n_violations;
	struct matrix_point points[MATRIX_POINTS_MAX];
	size_t n_points;
	unsigned totals[_MATRIX_OUTCOME_MAX];
};

/* Between cases: no daemon, no faults, empty directories. */
void matrix_clean(struct matrix *m);

/* At the end of the program: a daemon through many releases leaves nothing, nor does it grow. */
void matrix_check_leaks(struct matrix *m);
