/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the policy's conditions share: a release is held, nothing happens, it goes on.
 */
#pragma once

#include <dcdd/base.h>

#include "harness.h"

/*
 * Waking up is fine where a look at intervals is documented; these are the tests of what needs
 * none, so the intervals are out of reach.
 */
#define NO_LOOKS "backoff-initial = 1h\nbackoff-max = 1h\n"

static inline void assert_says(struct scenario *s, struct json_object *release, const char *text)
{
	const char *reason = member_string(release, "Reason");

	if (!reason || !strstr(reason, text))
		scenario_fail(s, "the reason is \"%s\", without \"%s\"", reason ? reason : "",
			      text);
}

/* The device asks, and the release is in @state with a reason that has @text. Nothing is written.
 */
static inline void ask_and_wait(struct scenario *s, const char *tag, const char *state,
				const char *text)
{
	uint64_t since = sim_log_next(s);
	_cleanup_json_ struct json_object *release = NULL;

	assert_int_equal(sim_release(s, "mem0", tag), -EBUSY);
	release = release_wait(s, tag, state, 10);
	assert_says(s, release, text);
	assert_int_equal(sim_writes(s, since, "*", NULL, false), 0);
}

/* What is held must not wake up by itself: hardly more than the other hands' doings. */
#define QUIET_WAKEUPS 3
#define QUIET_TRIES 8

/*
 * Whoever polls is seen in each second. Several of them, since looks may still be due: while a
 * release changes the host, uevents are followed up seconds later.
 */
static inline void assert_quiet(struct scenario *s)
{
	uint64_t n = UINT64_MAX;

	manager_wait_idle(s);
	for (unsigned i = 0; i < QUIET_TRIES && n > QUIET_WAKEUPS; i++) {
		uint64_t before;

		(void)usleep(200 * 1000);
		before = daemon_wakeups(s);
		(void)sleep(1);
		n = daemon_wakeups(s) - before;
	}
	if (n > QUIET_WAKEUPS)
		scenario_fail(s, "the daemon woke up %llu times in a second, with nothing to do",
			      (unsigned long long)n);
}

/* It ends refused, with @text in its reason, and the host as it was @before. */
static inline void assert_refused(struct scenario *s, const char *tag, const char *text,
				  const struct host *before)
{
	_cleanup_json_ struct json_object *release = release_wait(s, tag, "refused", 15);

	assert_says(s, release, text);
	host_assert_same(s, before);
}

/* It goes on by itself, the device asks again, and the host is as @before the capacity came. */
static inline void assert_goes_on(struct scenario *s, const char *tag, const struct host *before)
{
	release_wait_state(s, tag, "ready", 15);
	release_collect(s, tag, before);
}
