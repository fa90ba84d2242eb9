/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Coalescing of inventory scans; see scanner.h. */
#include "scanner.h"

#include "worker/worker.h"

/* Longer than any scan takes; then the worker hangs in a read, and is left behind. */
#define SCAN_TIMEOUT_SEC 60
#define SCAN_RETRY_SEC 1

struct scanner {
	struct event_base *base;
	char *exe, *sysfs, *proc;
	scanner_done_t done;
	void *userdata;
	struct worker *worker;
	struct event *kick;    /* begin a scan */
	struct event *timeout; /* of the one under way */
	uint64_t number;       /* of the scan under way, or the last */
	bool running;
	bool wanted; /* one more, begun from now on */
};

static struct timeval to_timeval(usec_t usec)
{
	return (struct timeval){ .tv_sec = (time_t)(usec / USEC_PER_SEC),
				 .tv_usec = (suseconds_t)(usec % USEC_PER_SEC) };
}

static void kick_in(struct scanner *s, usec_t delay)
{
	struct timeval tv = to_timeval(delay);

	(void)event_add(s->kick, &tv);
}

static void scan_over(struct scanner *s, int error, struct inventory *inventory)
{
	s->running = false;
	(void)event_del(s->timeout);
	if (error < 0) {
		s->wanted = true;
		kick_in(s, SCAN_RETRY_SEC * USEC_PER_SEC);
	} else if (s->wanted) {
		kick_in(s, 0);
	}
	s->done(s->number, error, inventory, s->userdata);
}

static void on_reply(struct worker *w, struct worker_reply *reply, void *userdata)
{
	struct scanner *s = userdata;
	struct inventory *inventory = TAKE_PTR(reply->inventory);
	int error = reply->error;

	(void)w;
	if (error == -EPIPE || error == -EPROTO) {
		worker_free(s->worker);
		s->worker = NULL;
	}
	scan_over(s, error, inventory);
}

static void on_timeout(evutil_socket_t fd, short what, void *userdata)
{
	struct scanner *s = userdata;

	(void)fd;
	(void)what;
	worker_free(s->worker);
	s->worker = NULL;
	scan_over(s, -ETIMEDOUT, NULL);
}

static void on_kick(evutil_socket_t fd, short what, void *userdata)
{
	static const struct timeval limit = { .tv_sec = SCAN_TIMEOUT_SEC };
	static const struct worker_request request = { .op = WORKER_SCAN };
	struct scanner *s = userdata;
	int r = 0;

	(void)fd;
	(void)what;
	if (s->running || !s->wanted)
		return;
	s->wanted = false;
	s->running = true;
	s->number++;
	if (!s->worker)
		r = worker_new(s->base, s->exe, s->sysfs, s->proc, &s->worker);
	if (r >= 0)
		r = worker_submit(s->worker, &request, on_reply, s);
	if (r < 0) {
		scan_over(s, r, NULL);
		return;
	}
	(void)event_add(s->timeout, &limit);
}

int scanner_new(struct event_base *base, const char *exe, const char *sysfs, const char *proc,
		scanner_done_t done, void *userdata, struct scanner **ret)
{
	_cleanup_(scanner_freep) struct scanner *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->base = base;
	s->done = done;
	s->userdata = userdata;
	s->exe = strdup(exe);
	s->sysfs = strdup(sysfs);
	s->proc = strdup(proc);
	s->kick = event_new(base, -1, 0, on_kick, s);
	s->timeout = event_new(base, -1, 0, on_timeout, s);
	if (!s->exe || !s->sysfs || !s->proc || !s->kick || !s->timeout)
		return -ENOMEM;
	*ret = TAKE_PTR(s);
	return 0;
}

void scanner_free(struct scanner *s)
{
	if (!s)
		return;
	worker_free(s->worker);
	if (s->kick)
		event_free(s->kick);
	if (s->timeout)
		event_free(s->timeout);
	free(s->exe);
	free(s->sysfs);
	free(s->proc);
	free(s);
}

uint64_t scanner_request(struct scanner *s)
{
	s->wanted = true;
	if (!s->running) {
		/* From the loop, so that all who ask in this turn get the same scan. */
		kick_in(s, 0);
	}
	return s->number + 1;
}

void scanner_request_soon(struct scanner *s, usec_t delay)
{
	if (s->wanted)
		return;
	s->wanted = true;
	if (!s->running)
		kick_in(s, delay);
}
