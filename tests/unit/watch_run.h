/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of what waits for the kernel: an event loop that runs until something is so, or for a
 * while in which something must not happen; and a process that has no descriptors left.
 */
#pragma once

#include <dirent.h>
#include <event2/event.h>
#include <sys/resource.h>

#include "tree.h"

#define NEVER (60 * USEC_PER_SEC) /* what has not come by then will not come */

/* The loop for @usec. */
static inline void loop_for(struct event_base *base, usec_t usec)
{
	struct timeval tv = usec_to_timeval(usec);

	assert_int_equal(event_base_loopexit(base, &tv), 0);
	assert_true(event_base_dispatch(base) >= 0);
}

/* The loop until *@counter is at least @n. */
static inline void loop_until(struct event_base *base, const unsigned *counter, unsigned n)
{
	usec_t begin = now_usec(CLOCK_MONOTONIC);

	while (*counter < n) {
		assert_true(now_usec(CLOCK_MONOTONIC) - begin < NEVER);
		loop_for(base, 2 * USEC_PER_MSEC);
	}
}

static inline unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

/* From now on only @spare (at most 7) more descriptors can be had. */
static inline struct rlimit limit_fds(unsigned spare)
{
	struct rlimit old, limit;
	int fds[8], last = -1;

	for (unsigned i = 0; i <= spare; i++) {
		fds[i] = last = dup(STDOUT_FILENO);
		assert_true(last >= 0);
	}
	for (unsigned i = 0; i <= spare; i++)
		(void)close(fds[i]);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = old;
	limit.rlim_cur = (rlim_t)last;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return old;
}

static inline void unlimit_fds(const struct rlimit *old)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, old), 0);
}
