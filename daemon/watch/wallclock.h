/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A point in time by the clock on the wall, which can be set, and whose time zone can change: both
 * are noticed without polling (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET; inotify on the link).
 */
#pragma once

#include <event2/event.h>

#include <dcdd/base.h>

struct wallclock;

/*
 * @changed: the time has come, the clock was set, or the time zone has changed; the wallclock is
 * not armed any more. Called only while it is armed, from the event loop; may free the wallclock.
 * tzset() is called whenever the zone has changed, armed or not. @localtime: "/etc/localtime". 0
 * or negative errno (-ENOENT: it has no directory).
 */
int wallclock_new(struct event_base *base, const char *localtime, void (*changed)(void *userdata),
		  void *userdata, struct wallclock **ret);
void wallclock_free(struct wallclock *clock);
DEFINE_CLEANUP(struct wallclock *, wallclock_free);

/* Arms it for @realtime (CLOCK_REALTIME, µs), instead of what it was armed for; USEC_INFINITY: only
 * for the clock and the zone. 0 or negative errno. */
int wallclock_arm(struct wallclock *clock, usec_t realtime);
/* @changed is not called from now on. */
void wallclock_disarm(struct wallclock *clock);
