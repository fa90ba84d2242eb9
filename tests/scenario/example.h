/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the example policies share: each is installed as it is, and only its times are
 * shortened by a drop-in behind it.
 */
#pragma once

#include "installed.h"

static const struct scenario_options large_blocks = {
	.topology = "tests/sim/topologies/large-blocks.json",
	.no_daemon = true,
};

#define SHORTER "90-test.conf"

/* What comes before anything is decided; shorter in all tests. */
#define SOON "[daemon]\nsettle-time = 50ms\nrefuse-hold = 0\n[release]\n"

/* For what nobody tells of. */
#define LOOKS "backoff-initial = 200ms\nbackoff-max = 1s\n"

/*
 * conf/examples/@example.conf as drop-in @name, between the shipped dcdd.conf and one with the
 * lines @shorter of [release]. The daemon is still to be started.
 */
static inline void install(struct scenario *s, const char *example, const char *name,
			   const char *shorter)
{
	char text[1024], root[96];
	_cleanup_free_ char *output = NULL;

	installed_prepare(s);
	(void)snprintf(text, sizeof(text), SOON "%s%s", shorter,
		       /* Where root may not look into all processes that is not what is tested. */
		       unseen_processes() ? "ignore-unseen-processes = yes\n" : "");
	installed_write(s, ETC D SHORTER, text);
	if (command(s, &output,
		    "cp conf/dcdd.conf %s/" ETC " && cp conf/examples/%s.conf %s/" ETC D "%s",
		    installed_root(s, root), example, root, name) != 0)
		scenario_fail(s, "cannot install %s.conf: %s", example, output);
}

static inline void start(struct scenario *s, const char *example, const char *name,
			 const char *shorter)
{
	install(s, example, name, shorter);
	daemon_start(s, DAEMON_SYSTEM_CONFIG);
}

static inline bool is_explained(struct scenario *s, const char *tag, int status, const char *text)
{
	_cleanup_free_ char *output = NULL;
	int r = command(s, &output, "dcdctl policy explain %s", tag);

	return r == status && strstr(output, text);
}

/* `policy explain` says @text of @tag, with that exit status, as soon as it has seen the group. */
#define assert_explained(s, tag, status, text) WAIT_FOR(s, is_explained(s, tag, status, text), 15)

/* assert_goes_on() where another group is there, which is older than the one that goes. */
static inline void goes_on_beside(struct scenario *s, const char *tag, const struct host *before)
{
	release_wait_state(s, tag, "ready", 15);
	release_collect_except(s, tag, before, HOST_YOUNGEST);
}

/* The device gets it, and the request is over. */
static inline void collect(struct scenario *s, const char *memdev, const char *tag)
{
	release_wait_state(s, tag, "ready", 15);
	assert_int_equal(sim_release(s, memdev, tag), 0);
	release_wait_state(s, tag, "released", 15);
}

/* The release's state ends by itself in that time, of which some has passed. */
static inline void assert_deadline(struct scenario *s, const char *tag, unsigned seconds)
{
	_cleanup_json_ struct json_object *release = release_find(s, tag);
	usec_t deadline = (usec_t)member_int(release, "Deadline"), now = now_usec(CLOCK_MONOTONIC);
	double left = ((double)deadline - (double)now) / 1e6;

	/* A back-off may be a quarter shorter. */
	if (left > seconds || left < 0.7 * seconds)
		scenario_fail(s, "it ends in %.1f s, not in %u", left, seconds);
}

/* What is done with a group by `dcdctl policy test` in other circumstances. */
struct offline_case {
	const char *tag, *options;
	int status;
};

static inline void assert_offline(struct scenario *s, const struct offline_case *cases, size_t n)
{
	const char *dir = scenario_dir(s);

	manager_wait_idle(s); /* it has seen all groups */
	assert_int_equal(command(s, NULL, "dcdctl inventory --json >%s/host.json", dir), 0);
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *output = NULL;
		char arguments[256];
		int r;

		(void)snprintf(arguments, sizeof(arguments),
			       "policy test --inventory=%s/host.json --tag=%s %s", dir,
			       cases[i].tag, cases[i].options);
		r = inside(s, &output, "dcdctl", arguments);
		if (r != cases[i].status)
			scenario_fail(s, "%s: exit status %d, not %d:\n%s", arguments, r,
				      cases[i].status, output);
	}
}

static inline const char *claim_devdax(struct scenario *s, const char *tag)
{
	SIM_ADD(s, "mem0", tag, EXTENT(0, 256 * MiB));
	return sim_claim(s, "mem0", tag, "device_dax", "offline");
}
