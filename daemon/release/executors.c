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
	_cleanup_(executors_freep) struct executors *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->base = base;
	pool->max = 1;
	pool->exe = strdup(exe);
	pool->sysfs = strdup(sysfs);
	pool->proc = strdup(proc);
	if (!pool->exe || !pool->sysfs || !pool->proc)
		return -ENOMEM;
	*ret = TAKE_PTR(pool);
	return 0;
}

static void keep_at_most(struct executors *pool, unsigned max)
{
	while (pool->n_idle > max)
		worker_free(pool->idle[--pool->n_idle]);
}

void executors_free(struct executors *pool)
{
	if (!pool)
		return;
	keep_at_most(pool, 0);
	free(pool->exe);
	free(pool->sysfs);
	free(pool->proc);
	free(pool);
}

void executors_set_max(struct executors *pool, unsigned max)
{
	pool->max = MIN(max, (unsigned)EXECUTORS_IDLE_MAX);
	keep_at_most(pool, pool->max);
}

int executors_take(struct executors *pool, struct worker **ret)
{
	while (pool->n_idle > 0) {
		struct worker *worker = pool->idle[--pool->n_idle];

		if (worker_is_alive(worker)) {
			*ret = worker;
			return 0;
		}
		/* Died while it had nothing to do. */
		worker_free(worker);
	}
	return worker_new(pool->base, pool->exe, pool->sysfs, pool->proc, ret);
}

void executors_put(struct executors *pool, struct worker *worker)
{
	if (!worker)
		return;
	if (worker_is_alive(worker) && !worker_is_busy(worker) && pool->n_idle < pool->max)
		pool->idle[pool->n_idle++] = worker;
	else
		worker_free(worker);
}

unsigned executors_n_idle(const struct executors *pool)
{
	return pool->n_idle;
}
