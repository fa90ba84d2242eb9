/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pool of worker processes; see executors.h. */
#include "executors.h"

struct executors {
	struct event_base *base;
	char *exe, *sysfs, *proc;
	struct worker *idle[EXECUTORS_IDLE_MAX]; /* the one used last at the end */
	unsigned n_idle, max;
};

int executors_new(struct event_base *base, const char *exe, const char *sysfs, const char *proc,
		  struct executors **ret)
{
	_cleanup_(executors_freep) struct executors *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->base = base;
	x->max = 1;
	x->exe = strdup(exe);
	x->sysfs = strdup(sysfs);
	x->proc = strdup(proc);
	if (!x->exe || !x->sysfs || !x->proc)
		return -ENOMEM;
	*ret = TAKE_PTR(x);
	return 0;
}

static void keep_at_most(struct executors *x, unsigned max)
{
	while (x->n_idle > max)
		worker_free(x->idle[--x->n_idle]);
}

void executors_free(struct executors *x)
{
	if (!x)
		return;
	keep_at_most(x, 0);
	free(x->exe);
	free(x->sysfs);
	free(x->proc);
	free(x);
}

void executors_set_max(struct executors *x, unsigned max)
{
	x->max = MIN(max, (unsigned)EXECUTORS_IDLE_MAX);
	keep_at_most(x, x->max);
}

int executors_take(struct executors *x, struct worker **ret)
{
	while (x->n_idle > 0) {
		struct worker *worker = x->idle[--x->n_idle];

		if (worker_is_alive(worker)) {
			*ret = worker;
			return 0;
		}
		/* Died while it had nothing to do. */
		worker_free(worker);
	}
	return worker_new(x->base, x->exe, x->sysfs, x->proc, ret);
}

void executors_put(struct executors *x, struct worker *worker)
{
	if (!worker)
		return;
	if (worker_is_alive(worker) && !worker_is_busy(worker) && x->n_idle < x->max)
		x->idle[x->n_idle++] = worker;
	else
		worker_free(worker);
}

unsigned executors_n_idle(const struct executors *x)
{
	return x->n_idle;
}
