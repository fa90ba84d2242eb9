/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Coalescing of inventory scans; see scanner.h. */
#include "scanner.h"

#include "worker/worker.h"

/* Longer than any scan takes; then the worker hangs in a read, and is left behind. */
#define SCAN_TIMEOUT_USEC USEC_PER_MIN
/* After a failure, most of which are over at once; doubles up to the longest. */
#define SCAN_RETRY_USEC (50 * USEC_PER_MSEC)
#define SCAN_RETRY_MAX_USEC USEC_PER_MIN
/* Between two scans that nothing urgent waits for; or as long as the last one took. */
#define SCAN_PAUSE_USEC (20 * USEC_PER_MSEC)

/* A scan that hangs leaves its worker behind; with so many of them no more are begun. */
#define LEFT_MAX 8

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
	bool wanted, urgent; /* one more, begun from now on */
	/* Wishes for later: 0 is none. Two, so that the newest is not served too early, nor the
	 * oldest put off by every new one. */
	usec_t due, due_next;
	usec_t begun;	    /* when the last one began */
	usec_t pause_until; /* nothing that is not urgent begins before */
	usec_t retry_at;    /* nothing at all does, after a failure */
	usec_t reread_at;   /* a scan begins then or before, after one that missed something; 0 */
	usec_t retry_delay; /* of both */
	usec_t limit;	    /* for one scan */
	char error[sizeof(((struct worker_reply *)0)->message)];
};

/* When the next scan may begin; USEC_INFINITY: none is wanted. */
static usec_t next_begin(const struct scanner *s, usec_t now)
{
	usec_t at = USEC_INFINITY;

	if (s->wanted)
		at = s->urgent ? now : MAX(now, s->pause_until);
	if (s->due > 0)
		at = MIN(at, MAX(s->due, s->pause_until));
	if (s->reread_at > 0)
		at = MIN(at, MAX(s->reread_at, s->pause_until));
	return at == USEC_INFINITY ? at : MAX(at, s->retry_at);
}

static void arm(struct scanner *s)
{
	usec_t now = now_usec(CLOCK_MONOTONIC), at = next_begin(s, now);
	struct timeval tv;

	if (s->running || at == USEC_INFINITY)
		return;
	tv = usec_to_timeval(at > now ? at - now : 0);
	(void)event_add(s->kick, &tv);
}

static bool is_whole(const struct inventory *inventory)
{
	for (uint32_t i = 0; i < inventory->n_regions; i++)
		if (inventory->regions[i].error < 0)
			return false;
	return true;
}

/* When to try again: ever more slowly, as long as it does not get better. */
static void plan_retry(struct scanner *s, usec_t now, int error, const struct inventory *inventory)
{
	s->retry_at = s->reread_at = 0;
	if (inventory && is_whole(inventory)) {
		s->retry_delay = 0;
		return;
	}
	s->retry_delay = s->retry_delay == 0 ? SCAN_RETRY_USEC
					     : MIN(2 * s->retry_delay, SCAN_RETRY_MAX_USEC);
	if (error < 0) {
		s->retry_at = now + s->retry_delay;
		s->wanted = true;
	} else {
		s->reread_at = now + s->retry_delay;
	}
}

static void scan_over(struct scanner *s, int error, struct inventory *inventory,
		      const char *message)
{
	usec_t now = now_usec(CLOCK_MONOTONIC);

	s->running = false;
	(void)event_del(s->timeout);
	s->pause_until = now + MAX(SCAN_PAUSE_USEC, now - s->begun);
	plan_retry(s, now, error, inventory);
	s->error[0] = '\0';
	if (error < 0)
		(void)str_copy(s->error, sizeof(s->error), *message ? message : strerror(-error));
	arm(s);
	s->done(s->number, error, inventory, s->userdata);
}

static void on_reply(struct worker *w, struct worker_reply *reply, void *userdata)
{
	struct scanner *s = userdata;
	struct inventory *inventory = TAKE_PTR(reply->inventory);
	const char *message = reply->message;
	int error = reply->error;

	(void)w;
	if (error == -EPIPE || error == -EPROTO) {
		message = error == -EPIPE ? "the worker ended in the middle of it"
					  : "the worker's answer made no sense";
		worker_free(s->worker);
		s->worker = NULL;
	}
	scan_over(s, error, inventory, message);
}

static void on_timeout(evutil_socket_t fd, short what, void *userdata)
{
	struct scanner *s = userdata;

	(void)fd;
	(void)what;
	worker_free(s->worker);
	s->worker = NULL;
	scan_over(s, -ETIMEDOUT, NULL, "it took longer than scan-timeout");
}

static void on_kick(evutil_socket_t fd, short what, void *userdata)
{
	static const struct worker_request request = { .op = WORKER_SCAN };
	struct scanner *s = userdata;
	struct timeval limit;
	int r = 0;

	(void)fd;
	(void)what;
	if (s->running)
		return;
	s->begun = now_usec(CLOCK_MONOTONIC);
	if (next_begin(s, s->begun) > s->begun) {
		/* libevent's clock is coarse, and may be early. */
		arm(s);
		return;
	}
	s->wanted = s->urgent = false;
	s->running = true;
	s->number++;
	if (s->due > 0 && s->due <= s->begun) {
		s->due = s->due_next;
		s->due_next = 0;
	}
	if (!s->worker && worker_count_left(s->base) >= LEFT_MAX) {
		scan_over(s, -EBUSY, NULL,
			  "too many worker processes hang in the kernel; waiting for one to end");
		return;
	}
	if (!s->worker)
		r = worker_new(s->base, s->exe, s->sysfs, s->proc, &s->worker);
	if (r >= 0)
		r = worker_submit(s->worker, &request, on_reply, s);
	if (r < 0) {
		scan_over(s, r, NULL, "");
		return;
	}
	limit = usec_to_timeval(s->limit);
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
	s->limit = SCAN_TIMEOUT_USEC;
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

void scanner_set_timeout(struct scanner *s, usec_t timeout)
{
	s->limit = timeout;
}

const char *scanner_error_message(const struct scanner *s)
{
	return s->error;
}

uint64_t scanner_request(struct scanner *s, bool urgent)
{
	s->wanted = true;
	s->urgent |= urgent;
	/* From the loop, so that all who ask in this turn get the same scan. */
	arm(s);
	return s->number + 1;
}

void scanner_request_soon(struct scanner *s, usec_t delay)
{
	usec_t at = usec_add(now_usec(CLOCK_MONOTONIC), delay);

	if (s->due == 0)
		s->due = at;
	else
		s->due_next = MAX(s->due_next, at);
	arm(s);
}
