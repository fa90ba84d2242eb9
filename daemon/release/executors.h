/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker processes that make the steps. A release borrows one for each step; one that does not
 * come back from the kernel is simply never given back, and holds up nobody else.
 */
#pragma once

#include "worker/worker.h"

/* Idle ones that are kept, whatever the limit. */
#define EXECUTORS_IDLE_MAX 16

struct executors;

/* Starts nothing yet. @exe, @sysfs, @proc are as for worker_new(). 0 or -ENOMEM. */
int executors_new(struct event_base *base, const char *exe, const char *sysfs, const char *proc,
		  struct executors **ret);
/* Ends the idle ones; those that are lent are their borrowers' to free. */
void executors_free(struct executors *pool);
DEFINE_CLEANUP(struct executors *, executors_free);

/* No more than @max idle ones are kept from now on. */
void executors_set_max(struct executors *pool, unsigned max);

/* An idle worker that lives, else a new one. 0 or negative errno of worker_new(). */
int executors_take(struct executors *pool, struct worker **ret);

/* It is kept for the next one who asks if it lives and is idle; else it is freed. NULL is fine. */
void executors_put(struct executors *pool, struct worker *worker);

unsigned executors_n_idle(const struct executors *pool);
