/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event loop; see loop.h. */
#include "loop.h"

#include <signal.h>
#include <stdarg.h>
#include <systemd/sd-daemon.h>

struct loop {
	struct event_base *base;
	struct loop_ops ops;
	void *userdata;
	struct event *sigterm, *sigint, *sighup;
	struct event *watchdog; /* NULL if the service manager wants none */
	struct event *timeout;	/* of the stop */
	int status;
	bool stopping;
};

static void on_stop_signal(evutil_socket_t fd, short what, void *userdata)
{
	struct loop *loop = userdata;

	(void)fd;
	(void)what;
	if (loop->stopping) /* it is being done already; nothing is gained by haste */
		return;
	loop->stopping = true;
	loop->ops.stop(loop->userdata);
}

static void on_hup(evutil_socket_t fd, short what, void *userdata)
{
	struct loop *loop = userdata;

	(void)fd;
	(void)what;
	if (!loop->stopping)
		loop->ops.reload(loop->userdata);
}

static void on_timeout(evutil_socket_t fd, short what, void *userdata)
{
	struct loop *loop = userdata;

	(void)fd;
	(void)what;
	loop->ops.timeout(loop->userdata);
}

/* From the loop itself and not from beside it: a loop that hangs must be noticed. */
static void on_watchdog(evutil_socket_t fd, short what, void *userdata)
{
	(void)fd;
	(void)what;
	(void)userdata;
	(void)sd_notify(0, "WATCHDOG=1");
}

static int watch_signal(struct loop *loop, int signal, event_callback_fn callback,
			struct event **ret)
{
	*ret = evsignal_new(loop->base, signal, callback, loop);
	if (!*ret)
		return -ENOMEM;
	return event_add(*ret, NULL) < 0 ? -ENOMEM : 0;
}

static int start_watchdog(struct loop *loop)
{
	struct timeval tv;
	uint64_t usec;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	loop->watchdog = event_new(loop->base, -1, EV_PERSIST, on_watchdog, loop);
	tv = usec_to_timeval(usec / 2);
	if (!loop->watchdog || event_add(loop->watchdog, &tv) < 0)
		return -ENOMEM;
	return 0;
}

int loop_new(const struct loop_ops *ops, void *userdata, struct loop **ret)
{
	_cleanup_(loop_freep) struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	loop->ops = *ops;
	loop->userdata = userdata;
	loop->base = event_base_new();
	if (!loop->base)
		return -ENOMEM;
	/* A worker or bus that dies is told by the call, not by a signal. */
	(void)signal(SIGPIPE, SIG_IGN);
	r = watch_signal(loop, SIGTERM, on_stop_signal, &loop->sigterm);
	if (r >= 0)
		r = watch_signal(loop, SIGINT, on_stop_signal, &loop->sigint);
	if (r >= 0)
		r = watch_signal(loop, SIGHUP, on_hup, &loop->sighup);
	if (r >= 0)
		r = start_watchdog(loop);
	if (r < 0)
		return r;
	loop->timeout = event_new(loop->base, -1, 0, on_timeout, loop);
	if (!loop->timeout)
		return -ENOMEM;
	*ret = TAKE_PTR(loop);
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	free_event(loop->sigterm);
	free_event(loop->sigint);
	free_event(loop->sighup);
	free_event(loop->watchdog);
	free_event(loop->timeout);
	if (loop->base)
		event_base_free(loop->base);
	free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

int loop_run(struct loop *loop)
{
	if (event_base_dispatch(loop->base) < 0)
		return -EIO;
	return loop->status;
}

void loop_exit(struct loop *loop, int status)
{
	loop->status = status;
	(void)event_base_loopbreak(loop->base);
}

void loop_ready(struct loop *loop)
{
	(void)loop;
	(void)sd_notify(0, "READY=1");
}

void loop_status(struct loop *loop, const char *format, ...)
{
	char text[256];
	va_list ap;

	(void)loop;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)sd_notifyf(0, "STATUS=%s", text);
}

void loop_reloading(struct loop *loop)
{
	(void)loop;
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			 (unsigned long long)now_usec(CLOCK_MONOTONIC));
}

void loop_stopping(struct loop *loop, usec_t timeout)
{
	struct timeval tv = usec_to_timeval(timeout);

	/* stop-timeout may be longer than what the service manager allows by itself. */
	(void)sd_notifyf(
		0, "STOPPING=1\nSTATUS=Rolling back what is under way\nEXTEND_TIMEOUT_USEC=%llu",
		(unsigned long long)usec_add(timeout, 10 * USEC_PER_SEC));
	(void)event_add(loop->timeout, &tv);
}
