/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list of cases that is made before the first of them is run: so that of those which are alike,
 * a class, one can be drawn by lot where there is no time for all of them.
 */
#pragma once

#include "matrix.h"

struct cases;

/* @size: of a case's argument. NULL if out of memory. */
struct cases *cases_new(size_t size);
void cases_free(struct cases *cases);

/* One more, with an argument that is all zero yet; NULL if out of memory. Moves no other. */
void *cases_add(struct cases *cases, void (*body)(struct matrix *m, void *argument));

/* Of the last one that was added: see matrix_case(). */
void cases_name(struct cases *cases, const char *format, ...) _printf_(2, 3);
void cases_point(struct cases *cases, const char *format, ...) _printf_(2, 3);
/* And what it belongs to; without this it is never left out. */
void cases_class(struct cases *cases, const char *format, ...) _printf_(2, 3);

/* matrix_case() for each, or, with --ci, for one of each class. */
void cases_run(const struct cases *cases, struct matrix *m);
