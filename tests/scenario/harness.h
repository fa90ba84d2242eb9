/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What scenario tests are written with: the real daemon on the simulated host, one fresh host,
 * bus and daemon per test, and checks of the whole host afterwards. Runs inside dcdsim
 * (`dcdsim -- test_x`); docs/testing.md shows how to write one.
 *
 * Unless a return value says otherwise, a function that cannot do what it is asked fails the test.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <json-c/json.h>
#include <sys/types.h>

#include <dcdd/range.h>

/* Tags for tests that do not care which. */
#define TAG_A "5be13bce-ae34-4a77-b6c3-16df975fcf1a"
#define TAG_B "0e1c3b5d-7f9a-4bbd-8f20-2a4c6e8f1b3d"
#define TAG_C "c3d2a1f0-1122-4334-9556-778899aabbcc"

DEFINE_CLEANUP(struct json_object *, json_object_put);
#define _cleanup_json_ _cleanup_(json_object_putp)

/* ---- scenario.c: the frame of a test ---- */

struct scenario;

/* How a test wants to begin; all zero: built-in topology, v11 names, default config, daemon up. */
struct scenario_options {
	const char *topology; /* path or JSON object of the sim's `reset`, NULL: "default" */
	const char *naming;   /* "v10" or "v11", NULL: "v11" */
	const char *settings; /* JSON object with the sim's settings, '…' for "…" is fine */
	const char *config;   /* text of the configuration file, NULL: an empty file */
	bool no_daemon;	      /* the test starts it itself with daemon_start() */
	bool no_bus;	      /* no D-Bus daemon; the daemon runs with --no-bus */
};

int scenario_setup(void **state);
int scenario_teardown(void **state);
void scenario_run(void **state, void (*body)(struct scenario *s));

/* Defines a test: SCENARIO(name) { …uses s… } and lists it: scenario_test(name). */
#define SCENARIO(name)                                                                             \
	static void name##_body(struct scenario *s);                                               \
	static void name(void **state)                                                             \
	{                                                                                          \
		scenario_run(state, name##_body);                                                  \
	}                                                                                          \
	static void name##_body(struct scenario *s _unused_)

#define scenario_test(name) cmocka_unit_test_setup_teardown(name, scenario_setup, scenario_teardown)
/* @options: a struct scenario_options that outlives the test. */
#define scenario_test_with(name, options)                                                          \
	cmocka_unit_test_prestate_setup_teardown(name, scenario_setup, scenario_teardown,          \
						 (void *)(uintptr_t)(options))

/* Fails the test with a message and the caller's place. Does not return. */
#define scenario_fail(s, ...) scenario_fail_at(s, __FILE__, __LINE__, __VA_ARGS__)
_Noreturn void scenario_fail_at(struct scenario *s, const char *file, int line, const char *format,
				...) _printf_(4, 5);

/* Skips the test and says why. Does not return. */
_Noreturn void scenario_skip(struct scenario *s, const char *reason);

/* A directory of the test's own, removed at its end; and a file in it with @text. Owned by @s. */
const char *scenario_dir(const struct scenario *s);
const char *scenario_file(struct scenario *s, const char *name, const char *text);

/*
 * Where the daemons of the test keep their undo journals, below scenario_dir(); and how many files
 * are there whose name ends in @suffix (".undo", "" for all).
 */
const char *scenario_state_dir(const struct scenario *s);
unsigned scenario_journals(const struct scenario *s, const char *suffix);
/* A whole host has no journal, and the teardown checks that. Here one is to be left at the end. */
void scenario_keeps_journal(struct scenario *s);

/*
 * @seconds stretched by $DCDD_TEST_SLOW (a factor, for sanitizers and valgrind), as a point in time
 * of CLOCK_MONOTONIC; and whether it is over. Sleeps 5 ms if it is not.
 */
usec_t deadline_in(double seconds);
bool deadline_passed(usec_t deadline);

/* ---- sim.c: the control socket ---- */

/*
 * One request, JSON by printf rules; '…' strings are fine. sim_request() returns the reply in
 * *@ret (caller puts), also one with "ok":false, or negative errno without one. sim_do() takes
 * only "ok":true.
 */
int sim_request(struct scenario *s, struct json_object **ret, const char *format, ...)
	_printf_(3, 4);
struct json_object *sim_do(struct scenario *s, const char *format, ...) _printf_(2, 3);
/* The same when the reply does not matter. */
void sim_ok(struct scenario *s, const char *format, ...) _printf_(2, 3);

/* Members of a JSON object; a missing one fails the test. */
const char *member_string(struct json_object *object, const char *key);
int64_t member_int(struct json_object *object, const char *key);
bool member_bool(struct json_object *object, const char *key);
struct json_object *member(struct json_object *object, const char *key);

/* "EBUSY" -> -EBUSY, JSON 0 -> 0: as the simulator writes results. */
int member_error(struct json_object *object, const char *key);

/* ---- hands.c: what device, admin and bad luck do ---- */

/* A fresh host. @settings as in scenario_options, or NULL. */
void sim_reset(struct scenario *s, const char *settings);
void sim_set(struct scenario *s, const char *settings);

struct sim_extent {
	uint64_t dpa, length;
	unsigned sequence; /* sharable groups only */
};

#define EXTENT(dpa_, length_)                                                                      \
	{                                                                                          \
		.dpa = (dpa_), .length = (length_)                                                 \
	}
#define EXTENT_SEQ(dpa_, length_, sequence_)                                                       \
	{                                                                                          \
		.dpa = (dpa_), .length = (length_), .sequence = (sequence_)                        \
	}

/*
 * The device offers @n extents in one chain; @tag NULL: untagged. sim_add() fails the test if the
 * kernel takes any of them not; sim_try_add() returns the first error.
 */
int sim_try_add(struct scenario *s, const char *memdev, const char *tag,
		const struct sim_extent *extents, size_t n);
void sim_add(struct scenario *s, const char *memdev, const char *tag,
	     const struct sim_extent *extents, size_t n);
/* sim_add(…) with the extents written down: SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB)). */
#define SIM_ADD(s, memdev, tag, ...)                                                               \
	sim_add(s, memdev, tag, (const struct sim_extent[]){ __VA_ARGS__ },                        \
		ARRAY_SIZE(((const struct sim_extent[]){ __VA_ARGS__ })))

/*
 * The admin claims the tag (NULL: the first free untagged extent) of @memdev with a new device.
 * @driver "kmem", "device_dax", "fsdev_dax", "none"; @zone "movable", "kernel", "offline".
 * Returns the device's name, owned by @s.
 */
const char *sim_claim(struct scenario *s, const char *memdev, const char *tag, const char *driver,
		      const char *zone);

/* SIM_ADD() and sim_claim() of a system-ram device in the movable zone, in one. */
#define SIM_RAM(s, memdev, tag, ...)                                                               \
	({                                                                                         \
		SIM_ADD(s, memdev, tag, __VA_ARGS__);                                              \
		sim_claim(s, memdev, tag, "kmem", "movable");                                      \
	})

/*
 * The device asks for every extent of @tag back, and its kernel's answer: 0 if all are gone now,
 * else the negative errno of the first record refused. The host learns nothing of that answer.
 */
int sim_release(struct scenario *s, const char *memdev, const char *tag);
/* One untagged (or one named) extent. */
int sim_release_extent(struct scenario *s, const char *memdev, const char *tag, uint64_t dpa,
		       uint64_t length);
/* @count times, @interval_ms apart; does not wait for the kernel. */
void sim_release_often(struct scenario *s, const char *memdev, const char *tag, unsigned count,
		       unsigned interval_ms);
/* The device repeats all that was refused. */
void sim_retry(struct scenario *s);

/* Raw records that no rule acts on. @fields: JSON object by the names of the event's fields. */
void sim_trace(struct scenario *s, const char *fields);
void sim_flood(struct scenario *s, unsigned event_type, unsigned count);
/* The module with the trace event comes or goes. */
void sim_event(struct scenario *s, bool present);

/*
 * Bad luck for operations on @path (glob). @rest: further members of the request by printf rules,
 * "'value':'offline','action':'errno','error':'EIO'". Returns its number.
 */
unsigned sim_fault(struct scenario *s, const char *path, const char *rest, ...) _printf_(3, 4);
/* The common one: the @nth write of @value to @path fails with @error ("EBUSY"); @count 0: and all
 * later ones. */
unsigned sim_fault_errno(struct scenario *s, const char *path, const char *value, const char *error,
			 unsigned nth, unsigned count);
void sim_fault_clear(struct scenario *s);
/* How often a fault was hit so far; sim_fault_wait() waits for @hits. */
unsigned sim_fault_hits(struct scenario *s, unsigned fault);
void sim_fault_wait(struct scenario *s, unsigned fault, unsigned hits);
/* What hangs because of it goes on, and is carried out. */
void sim_release_hang(struct scenario *s, unsigned fault);

void sim_pin(struct scenario *s, uint64_t block, bool pinned);
void sim_unmovable(struct scenario *s, uint64_t block, bool unmovable);

/* Another hand writes below /sys: 0 or the negative errno it got. */
int sim_write(struct scenario *s, const char *path, const char *value);

/*
 * What a file shows, without the newline: @path below /sys or, with a slash at its start, anywhere.
 * -ENOENT and so on.
 */
int sysfs_get(const char *path, char *ret, size_t size);
void sysfs_assert(struct scenario *s, const char *path, const char *value);

/*
 * The simulator's log from @since on: array of entries of the comma separated @types (caller
 * puts). sim_log_next(): the number the next entry will have, to be used as @since.
 */
struct json_object *sim_log(struct scenario *s, uint64_t since, const char *types);
uint64_t sim_log_next(struct scenario *s);
/*
 * Writes that others than the simulator's own hand made since @since: with paths that match the
 * glob @path, @value (NULL: any), successful ones only or all.
 */
unsigned sim_writes(struct scenario *s, uint64_t since, const char *path, const char *value,
		    bool only_successful);

/* ---- host.c: the whole host, before and after ---- */

struct host;

/* Everything the simulator knows and everything /sys shows. Owned by @s. */
struct host *host_save(struct scenario *s);

/*
 * The same in milliseconds, for thousands of cases: of what /sys shows there is only one line, a
 * hash, so a difference that nothing but a file shows is noticed, but not named.
 */
struct host *host_save_quick(struct scenario *s);

/* How many lines differ; they are printed if @print. Both must be saved in the same way. */
size_t host_compare(const struct host *before, const struct host *after, bool print);
/* Lines that match one of the NULL-ended globs (16 at most, or NULL) may differ. */
size_t host_compare_except(const struct host *before, const struct host *after,
			   const char *const *except, bool print);

/*
 * Takes a fresh look and fails the test, with the difference, if there is one. Every test must do
 * this at least once: with the host before there was any capacity if all of it was released, with
 * the host before the device asked if it was refused or rolled back.
 */
#define host_assert_same(s, before) host_assert_same_at(s, before, NULL, __FILE__, __LINE__)
/*
 * The same, but lines "path = value" that match one of the globs may differ. A glob that no
 * differing line matches is a failure as well, so that exceptions do not outlive their reason.
 */
#define host_assert_same_except(s, before, ...)                                                    \
	host_assert_same_at(s, before, (const char *const[]){ __VA_ARGS__, NULL }, __FILE__,       \
			    __LINE__)
void host_assert_same_at(struct scenario *s, const struct host *before, const char *const *except,
			 const char *file, int line);

/* The device that a region made last, nobody once it is deleted, even if others are left. */
#define HOST_YOUNGEST "*/dax_region/create = *", "*.youngest = *"

/* For a test that has nothing to compare, and why. */
void host_not_compared(struct scenario *s, const char *reason);

/* No extent of the tag and no dax device that claims it is left. */
#define host_assert_gone(s, tag) host_assert_gone_at(s, tag, __FILE__, __LINE__)
void host_assert_gone_at(struct scenario *s, const char *tag, const char *file, int line);

/* Nothing has been handed back while in use. Every teardown checks it as well. */
#define host_assert_no_violation(s) host_assert_no_violation_at(s, __FILE__, __LINE__)
void host_assert_no_violation_at(struct scenario *s, const char *file, int line);

/* Violations not acknowledged, printed; negative errno if the simulator does not answer. */
int host_violations(struct scenario *s);

/* For tests that make them happen: those so far fail nothing any more. */
void host_acknowledge_violations(struct scenario *s);

/* ---- daemon.c: the daemon under test ---- */

/*
 * Starts `$BUILD/dcdd --config FILE --runtime-dir DIR --state-dir DIR` with $DCDD_WRAPPER before
 * it, stderr to a file. daemon_start() waits until it is ready; daemon_launch() does not. @config
 * NULL: the scenario's. @argument: one more argument, or NULL.
 */
void daemon_start(struct scenario *s, const char *config);
/* @config of a daemon without --config: it reads what daemon_mounts() has put in place. */
extern const char DAEMON_SYSTEM_CONFIG[];
/* Another text for the daemon's configuration file, and SIGHUP. */
void daemon_reload(struct scenario *s, const char *config);
void daemon_launch(struct scenario *s, const char *config, const char *argument);
void daemon_wait_ready(struct scenario *s);

/*
 * Daemons started from now on live in a mount namespace of their own, where this shell command was
 * run first. NULL: no more.
 */
void daemon_mounts(struct scenario *s, const char *shell_command);

pid_t daemon_pid(const struct scenario *s);
/* Whether it is still running; if it is not, its end is kept for daemon_wait(). */
bool daemon_alive(struct scenario *s);

/*
 * Sends @signal and waits for the end. 0 or its exit status; 128 + N for a signal N; fails the test
 * if it does not end in time. daemon_stop() accepts only 0, and nothing from a sanitizer.
 */
int daemon_kill(struct scenario *s, int signal);
int daemon_wait(struct scenario *s);
void daemon_stop(struct scenario *s);
/* SIGKILL, and waits until its workers have ended too: what they hung in is not done. */
void daemon_crash(struct scenario *s);

/* What it wrote to stderr so far, all daemons of this test. Owned by the caller. */
char *daemon_log(struct scenario *s);
bool daemon_log_has(struct scenario *s, const char *text);
void daemon_wait_log(struct scenario *s, const char *text);

/* Resident set of the daemon, in KiB. */
uint64_t daemon_rss_kib(struct scenario *s);

/* How often its thread has gone to sleep so far, that is: how often it was woken up. */
uint64_t daemon_wakeups(struct scenario *s);

/* ---- bus.c: what the daemon says of itself ---- */

/* DBUS_SYSTEM_BUS_ADDRESS of the test's own bus. */
const char *bus_address(const struct scenario *s);

/*
 * org.dcdd1.Manager.ListReleases: array of objects by property name (caller puts), live ones first.
 */
struct json_object *bus_releases(struct scenario *s);
/* A property of the Manager, as JSON (caller puts). */
struct json_object *bus_manager_property(struct scenario *s, const char *name);
uint64_t manager_u64(struct scenario *s, const char *name);
bool manager_bool(struct scenario *s, const char *name);

/* Waits until the daemon has looked at the host and nothing makes it look again. */
void manager_wait_idle(struct scenario *s);

/* The latest release of @tag (caller puts), NULL if there is none. */
struct json_object *release_find(struct scenario *s, const char *tag);

/*
 * Waits until the latest release of @tag is in @state, and returns it (caller puts). Fails at once
 * if it has ended in another state or the daemon has died. (One that was waited for to its end
 * before does not count: the tag may be in use again.)
 */
#define release_wait(s, tag, state, seconds)                                                       \
	release_wait_at(s, tag, 0, state, seconds, __FILE__, __LINE__)
/* Of the untagged extent that begins at @dpa. */
#define release_wait_untagged(s, dpa, state, seconds)                                              \
	release_wait_at(s, "", dpa, state, seconds, __FILE__, __LINE__)
struct json_object *release_wait_at(struct scenario *s, const char *tag, uint64_t dpa,
				    const char *state, double seconds, const char *file, int line);
/* The same when only the state matters. */
#define release_wait_state(s, tag, state, seconds)                                                 \
	((void)json_object_put(release_wait(s, tag, state, seconds)))

/*
 * What a failed release's list of what is not as it was says: how many entries; that there is one
 * for @object, like this; and its commands, run one by one as an admin would. One that does not
 * succeed fails the test.
 */
size_t release_leftovers(struct json_object *release);
void release_assert_leftover(struct scenario *s, struct json_object *release, const char *object,
			     const char *have, const char *want);
void release_mend(struct scenario *s, struct json_object *release);

/*
 * The end of a group that is free: the device asks again, gets it, and the whole host is as it was
 * @before the capacity came.
 */
#define release_collect(s, tag, before) release_collect_at(s, tag, before, NULL, __FILE__, __LINE__)
/* With exceptions as of host_assert_same_except(). */
#define release_collect_except(s, tag, before, ...)                                                \
	release_collect_at(s, tag, before, (const char *const[]){ __VA_ARGS__, NULL }, __FILE__,   \
			   __LINE__)
void release_collect_at(struct scenario *s, const char *tag, const struct host *before,
			const char *const *except, const char *file, int line);

/* Waits for a condition that is neither a state nor a line of the log. */
#define WAIT_FOR(s, condition, seconds)                                                            \
	do {                                                                                       \
		usec_t deadline_ = deadline_in(seconds);                                           \
		while (!(condition))                                                               \
			if (deadline_passed(deadline_))                                            \
				scenario_fail(s, "did not come true: %s", #condition);             \
	} while (0)

/* ---- process.c: other processes ---- */

/* Whether there are processes on this machine that we, though root, cannot look into. */
bool unseen_processes(void);

/* A process that has /dev/@device open, and mapped if @map. Its comm is "holder". */
pid_t holder_start(struct scenario *s, const char *device, bool map);
void holder_stop(struct scenario *s, pid_t pid);

/*
 * Runs a shell command with $BUILD in the PATH and the test's bus. Returns its exit status and what
 * it wrote to stdout and stderr (caller frees; may be NULL).
 */
int command(struct scenario *s, char **ret_output, const char *format, ...) _printf_(3, 4);
