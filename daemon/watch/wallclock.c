/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock on the wall; see wallclock.h. */
#include <sys/inotify.h>
#include <sys/timerfd.h>

#include "watch/wallclock.h"

/* What a change of the link looks like: removed, made, put in its place, or a file written anew. */
#define ZONE_EVENTS                                                                                \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR)
/* Something was missed, or the directory has gone. */
#define ZONE_LOST (IN_Q_OVERFLOW | IN_IGNORED)

struct wallclock {
	void (*changed)(void *userdata);
	void *userdata;
	char *name; /* of the link in its directory */
	int timer_fd, zone_fd;
	struct event *timer, *zone;
	bool armed;
	bool was_set; /* told by timerfd_settime(), and so by no read any more */
};

static void tell(struct wallclock *clock)
{
	if (!clock->armed)
		return;
	wallclock_disarm(clock);
	/* Last: it may free the clock. */
	clock->changed(clock->userdata);
}

static void on_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct wallclock *clock = userdata;
	uint64_t ticks;

	(void)what;
	/* ECANCELED is that the clock was set. */
	if (!clock->was_set && read(fd, &ticks, sizeof(ticks)) < 0 && errno != ECANCELED)
		return;
	tell(clock);
}

/* Takes what there is to read; whether any of it is about the link. */
static bool read_zone_events(const struct wallclock *clock)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(clock->zone_fd, buf, sizeof(buf));
	bool found = false;

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const void *)(buf + at);

		if ((event->mask & ZONE_LOST) || (event->len && streq(event->name, clock->name)))
			found = true;
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	return found;
}

static void on_zone(evutil_socket_t fd, short what, void *userdata)
{
	struct wallclock *clock = userdata;

	(void)fd;
	(void)what;
	if (!read_zone_events(clock))
		return;
	tzset();
	tell(clock);
}

/* Watches the directory, because the link is replaced and never changed. */
static int watch_zone(struct wallclock *clock, const char *localtime)
{
	const char *slash = strrchr(localtime, '/');
	_cleanup_free_ char *directory = NULL;

	clock->name = strdup(slash ? slash + 1 : localtime);
	directory = slash ? strndup(localtime, (size_t)(slash + 1 - localtime)) : strdup(".");
	if (!clock->name || !directory)
		return -ENOMEM;
	clock->zone_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (clock->zone_fd < 0 || inotify_add_watch(clock->zone_fd, directory, ZONE_EVENTS) < 0)
		return -errno;
	return 0;
}

int wallclock_new(struct event_base *base, const char *localtime, void (*changed)(void *userdata),
		  void *userdata, struct wallclock **ret)
{
	_cleanup_(wallclock_freep) struct wallclock *clock = calloc(1, sizeof(*clock));
	int r;

	if (!clock)
		return -ENOMEM;
	clock->zone_fd = -EBADF;
	clock->changed = changed;
	clock->userdata = userdata;
	clock->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (clock->timer_fd < 0)
		return -errno;
	r = watch_zone(clock, localtime);
	if (r < 0)
		return r;
	clock->timer = event_new(base, clock->timer_fd, EV_READ | EV_PERSIST, on_timer, clock);
	clock->zone = event_new(base, clock->zone_fd, EV_READ | EV_PERSIST, on_zone, clock);
	if (!clock->timer || !clock->zone || event_add(clock->timer, NULL) < 0 ||
	    event_add(clock->zone, NULL) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(clock);
	return 0;
}

void wallclock_free(struct wallclock *clock)
{
	if (!clock)
		return;
	if (clock->timer)
		event_free(clock->timer);
	if (clock->zone)
		event_free(clock->zone);
	(void)safe_close(clock->timer_fd);
	(void)safe_close(clock->zone_fd);
	free(clock->name);
	free(clock);
}

int wallclock_arm(struct wallclock *clock, usec_t realtime)
{
	struct itimerspec at = { 0 };

	/* 0 would disarm it. The kernel takes what is too far away for the end of all time. */
	realtime = MAX(realtime, (usec_t)1);
	at.it_value.tv_sec = (time_t)(realtime / USEC_PER_SEC);
	at.it_value.tv_nsec = (long)(realtime % USEC_PER_SEC * 1000);
	if (timerfd_settime(clock->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at,
			    NULL) < 0) {
		if (errno != ECANCELED)
			return -errno;
		/*
		 * It is armed, but the clock was set since it was before, which nobody has read yet
		 * and nobody can read now.
		 */
		clock->was_set = true;
		event_active(clock->timer, EV_READ, 0);
	}
	clock->armed = true;
	return 0;
}

void wallclock_disarm(struct wallclock *clock)
{
	static const struct itimerspec never = { 0 };

	(void)timerfd_settime(clock->timer_fd, 0, &never, NULL);
	clock->was_set = false;
	clock->armed = false;
}
