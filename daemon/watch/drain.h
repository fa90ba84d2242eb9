/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes that hold dax devices: waits for their end by pidfd, and ends them where a rule
 * says so. A process is what it was if its start time is; a pid alone is not trusted.
 */
#pragma once

#include <event2/event.h>

#include <dcdd/policy.h>

#define DRAIN_MAX 256 /* processes watched at a time; each takes a descriptor */

struct drain;

/* @holder is what drain_watch() was given, and valid in the call only. All may free the drain. */
struct drain_ops {
	/* A watched process has ended, or is not what it was; it is not watched any more. */
	void (*ended)(const struct holder *holder, void *userdata);
	/*
	 * The grace after SIGTERM is over, and it is still there: drain_terminate() would send
	 * SIGKILL. Look whether it has to; until then nothing is done. Called once for each grace.
	 */
	void (*due)(const struct holder *holder, void *userdata);
	/*
	 * From within drain_terminate(): it was sent SIGTERM or SIGKILL (@error is 0), or could not
	 * be (a negative errno, which is told when it is not that of the last time).
	 */
	void (*signalled)(const struct holder *holder, int signal, int error, void *userdata);
};

/* @proc: "/proc". @ops must live as long. 0 or negative errno. */
int drain_new(struct event_base *base, const char *proc, const struct drain_ops *ops,
	      void *userdata, struct drain **ret);
void drain_free(struct drain *drain);
DEFINE_CLEANUP(struct drain *, drain_free);

/*
 * Watches exactly these from now on, by (pid, start); mounts and those with an unknown start are
 * left out, duplicates are fine. Those that were watched keep what was begun with them. One that
 * has gone already is told by ended() from the event loop, not from within. 0; or the first error,
 * after having watched as many as possible: -ENOMEM; -ENOBUFS: more than DRAIN_MAX; others (out of
 * descriptors). Nobody tells of those that are not watched then.
 */
int drain_watch(struct drain *drain, const struct holder *holders, size_t n);

/*
 * One step towards the end of a watched process, by @settings, which may be others than the last
 * time: SIGTERM if nothing was begun; then nothing until their grace is over, counted from SIGTERM,
 * which due() tells; from then on SIGKILL, once. To be called after a look at the host that found
 * it to be in the way, and again after each. What was begun stays begun when this fails.
 *
 * Each time the process is looked at once more: start time, that policy_may_terminate() still says
 * so by its cgroup of now, and not process 1 or this one or a child of this one. 0; -ESRCH: not
 * watched or gone; -EPERM: not to be ended; others. On error nothing was sent.
 */
int drain_terminate(struct drain *drain, const struct holder *holder,
		    const struct release_settings *settings);
