/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main job, watched: one tag group is freed and released, a second cannot be freed and is put
 * back. Everything that is printed was observed, in the simulated kernel's log or on D-Bus; what
 * was expected and did not happen ends the demo with a failure. Run by tests/demo/run.
 */
#include <dcdd/base.h>

#include "tests/scenario/harness.h"

#include <inttypes.h>

struct story {
	struct scenario *s;
	usec_t begin;
	uint64_t next; /* log entry */
	char state[32];
	uint64_t released_bytes;
	unsigned released_extents, rolled_back;
};

static void tell_at(const struct story *story, usec_t usec, const char *who, const char *format,
		    ...) _printf_(4, 5);

static void tell_at(const struct story *story, usec_t usec, const char *who, const char *format,
		    ...)
{
	usec_t since = usec > story->begin ? usec - story->begin : 0;
	va_list ap;

	printf("%4" PRIu64 ".%03" PRIu64 " s  %-7s ", since / USEC_PER_SEC,
	       since % USEC_PER_SEC / USEC_PER_MSEC, who);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	(void)fflush(stdout);
}

#define tell(story, who, ...) tell_at(story, now_usec(CLOCK_MONOTONIC), who, __VA_ARGS__)

/* "devices/system/memory/memory338/state" -> "memory338/state". */
static const char *last_two(const char *path)
{
	const char *p = path + strlen(path);

	for (int slashes = 0; p > path; p--)
		if (p[-1] == '/' && ++slashes == 2)
			break;
	return p;
}

static void tell_write(struct story *story, struct json_object *entry)
{
	const char *error = "ok";
	struct json_object *result;

	/* What the simulator did as the administrator's hand is told where it is done. */
	if (member_int(entry, "pid") == 0 ||
	    /* libcxl does this whenever it looks at the host: it waits, and changes nothing. */
	    streq(member_string(entry, "path"), "bus/cxl/flush"))
		return;
	result = member(entry, "error");
	if (json_object_is_type(result, json_type_string))
		error = json_object_get_string(result);
	tell_at(story, (usec_t)member_int(entry, "usec"), "sysfs", "%s <- %-16s %s (%.1f ms)",
		last_two(member_string(entry, "path")), member_string(entry, "value"), error,
		(double)member_int(entry, "elapsed_us") / 1e3);
}

static void tell_outcome(struct story *story, struct json_object *entry)
{
	int error = member_error(entry, "error");
	usec_t usec = (usec_t)member_int(entry, "usec");
	uint64_t length = (uint64_t)member_int(entry, "length");

	if (!streq(member_string(entry, "event"), "release"))
		return;
	if (error == -EBUSY)
		tell_at(story, usec, "kernel",
			"refuses the release of DPA 0x%" PRIx64 ": EBUSY, in use",
			(uint64_t)member_int(entry, "dpa"));
	else if (error == 0)
		tell_at(story, usec, "kernel",
			"releases the group: DPA 0x%" PRIx64 "+%" PRIu64 " MiB and all others",
			(uint64_t)member_int(entry, "dpa"), length / MiB);
}

static void tell_log(struct story *story)
{
	_cleanup_json_ struct json_object *log = sim_log(story->s, story->next,
							 "write,outcome,violation");

	for (size_t i = 0; i < json_object_array_length(log); i++) {
		struct json_object *entry = json_object_array_get_idx(log, i);
		const char *type = member_string(entry, "type");

		story->next = (uint64_t)member_int(entry, "seq") + 1;
		if (streq(type, "write"))
			tell_write(story, entry);
		else if (streq(type, "outcome"))
			tell_outcome(story, entry);
		else
			tell_at(story, (usec_t)member_int(entry, "usec"), "FATAL", "%s",
				member_string(entry, "message"));
	}
}

/* Follows the release of @tag, telling what happens, until it is in @state. */
static void follow(struct story *story, const char *tag, const char *state)
{
	usec_t deadline = deadline_in(30);

	for (;;) {
		_cleanup_json_ struct json_object *release = release_find(story->s, tag);
		const char *now = release ? member_string(release, "State") : "";

		tell_log(story);
		if (release && !streq(now, story->state)) {
			tell(story, "dcdd", "%s: %s", now, member_string(release, "Reason"));
			(void)str_copy(story->state, sizeof(story->state), now);
		}
		if (streq(now, state))
			return;
		if (deadline_passed(deadline))
			scenario_fail(story->s, "the release came to '%s', not to '%s'", now,
				      state);
	}
}

static void expect(struct story *story, bool condition, const char *what)
{
	if (!condition)
		scenario_fail(story->s, "not observed: %s", what);
}

static void free_a_group(struct story *story)
{
	struct scenario *s = story->s;
	const char *device;
	uint64_t since;
	int r;

	printf("\nA group that can be freed\n\n");
	tell(story, "device", "offers 256 + 128 + 128 MiB, tag %s", TAG_A);
	SIM_ADD(s, "mem0", TAG_A, EXTENT(0, 256 * MiB), EXTENT(512 * MiB, 128 * MiB),
		EXTENT(1024 * MiB, 128 * MiB));
	device = sim_claim(s, "mem0", TAG_A, "kmem", "movable");
	tell(story, "admin", "claims it as %s and brings 4 memory blocks online", device);

	since = story->next = sim_log_next(s);
	tell(story, "device", "asks for it back");
	r = sim_release(s, "mem0", TAG_A);
	expect(story, r == -EBUSY, "the kernel's refusal");
	follow(story, TAG_A, "ready");
	expect(story, sim_writes(s, since, "*/memory*/state", "offline", true) == 4,
	       "four memory blocks going offline");
	expect(story, sim_writes(s, since, "*/kmem/unbind", device, true) == 1, "the unbind");
	expect(story, sim_writes(s, since, "*/size", "0", true) == 1, "the claim given back");

	story->next = sim_log_next(s);
	tell(story, "device", "asks again");
	sim_retry(s);
	follow(story, TAG_A, "released");
	host_assert_gone(s, TAG_A);
	{
		_cleanup_json_ struct json_object *release = release_find(s, TAG_A);

		story->released_bytes = (uint64_t)member_int(release, "Bytes");
		story->released_extents = (unsigned)member_int(release, "Extents");
	}
	expect(story, story->released_bytes == 512 * MiB && story->released_extents == 3,
	       "512 MiB in 3 extents");
	tell(story, "host", "no extent and no device of the tag is left");
}

static void fail_a_group(struct story *story)
{
	struct scenario *s = story->s;
	struct host *before;
	const char *device;
	uint64_t since, block = UINT64_C(0xa90000000) / (128 * MiB) + 18;

	printf("\nA group with a memory block that cannot go offline\n\n");
	story->state[0] = '\0';
	tell(story, "device", "offers 512 MiB, tag %s", TAG_B);
	SIM_ADD(s, "mem0", TAG_B, EXTENT(2048 * MiB, 512 * MiB));
	device = sim_claim(s, "mem0", TAG_B, "kmem", "movable");
	tell(story, "admin", "claims it as %s and brings 4 memory blocks online", device);
	sim_unmovable(s, block, true);
	tell(story, "admin", "an unmovable page settles in memory%" PRIu64, block);
	before = host_save(s);

	since = story->next = sim_log_next(s);
	tell(story, "device", "asks for it back");
	expect(story, sim_release(s, "mem0", TAG_B) == -EBUSY, "the kernel's refusal");
	follow(story, TAG_B, "refused");
	expect(story, sim_writes(s, since, "*/memory*/state", "offline", true) > 0,
	       "blocks going offline before the one that cannot");
	expect(story,
	       sim_writes(s, since, "*/memory*/state", "online_movable", true) ==
		       sim_writes(s, since, "*/memory*/state", "offline", true),
	       "each of them coming back");
	expect(story, sim_writes(s, since, "*/unbind", NULL, false) == 0, "no unbind");
	host_assert_same(s, before);
	story->rolled_back++;
	tell(story, "host", "everything is as it was before the device asked");
}

SCENARIO(demo)
{
	struct story story = { .s = s, .begin = now_usec(CLOCK_MONOTONIC) };

	tell(&story, "host",
	     "memory device mem0, region0 at 0xa90000000 with 4 GiB of dynamic capacity");
	tell(&story, "dcdd", "running, process %d", (int)daemon_pid(s));
	free_a_group(&story);
	fail_a_group(&story);
	daemon_stop(s);
	host_assert_no_violation(s);
	printf("\ndemo: released %" PRIu64
	       " bytes in %u extents, rolled back %u group, violations %d\n",
	       story.released_bytes, story.released_extents, story.rolled_back, host_violations(s));
}

int main(void)
{
	static const struct scenario_options options = {
		.settings = "{'offline_ms':30,'online_ms':10,'rule_delay_ms':5}",
		.config = "[release]\nretries = 0\n",
	};
	const struct CMUnitTest tests[] = { scenario_test_with(demo, &options) };

	return cmocka_run_group_tests(tests, NULL, NULL) == 0 ? 0 : 1;
}
