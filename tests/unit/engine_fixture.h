/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A simulated host for the tests of its rules: v11 naming, mem0 with a 4 GiB partition, region0 at
 * 0xa90000000, block 338 is its first. What the engine tells the world is kept as text.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <json-c/json.h>

#include <tests/sim/engine/engine.h>

#define TAG_A "5be13bce-ae34-4a77-b6c3-16df975fcf1a"
#define TAG_B "11111111-2222-3333-4444-555555555555"
#define UNTAGGED "00000000-0000-0000-0000-000000000000"
#define DAX_REGION "bus/cxl/devices/dax_region0/"
#define HPA UINT64_C(0xa90000000)

#define TEXT_MAX (64 * KiB)

struct sim {
	struct engine *e;
	char kmsg[TEXT_MAX];	/* lines */
	char uevents[TEXT_MAX]; /* "add /devices/..." lines */
	unsigned n_uevents, n_traced, n_violations;
	struct engine_record last_traced;
	usec_t now;
};

static inline void sim_append(char *text, const char *a, const char *b)
{
	size_t used = strlen(text);

	/* A long random run overflows it on purpose: then the oldest half goes. */
	if (used + strlen(a) + strlen(b) + 3 > TEXT_MAX) {
		memmove(text, text + used / 2, used - used / 2 + 1);
		used = strlen(text);
	}
	(void)snprintf(text + used, TEXT_MAX - used, "%s%s%s\n", a, *b ? " " : "", b);
}

static inline usec_t sim_now(void *userdata)
{
	return ((struct sim *)userdata)->now;
}

static inline void sim_uevent(const struct engine_uevent *event, void *userdata)
{
	struct sim *s = userdata;

	s->n_uevents++;
	sim_append(s->uevents, event->action, event->devpath);
}

static inline void sim_kmsg(const char *line, void *userdata)
{
	sim_append(((struct sim *)userdata)->kmsg, line, "");
}

static inline void sim_violation(const char *message, void *userdata)
{
	(void)message;
	((struct sim *)userdata)->n_violations++;
}

static inline void sim_trace(const struct engine_record *record, void *userdata)
{
	struct sim *s = userdata;

	s->n_traced++;
	s->last_traced = *record;
}

/* A host without memdevs. */
static inline struct sim *sim_new_bare(const struct engine_config *config)
{
	static const struct engine_ops ops = {
		.now = sim_now,
		.uevent = sim_uevent,
		.kmsg = sim_kmsg,
		.violation = sim_violation,
		.trace = sim_trace,
	};
	struct sim *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->now = USEC_PER_SEC;
	assert_int_equal(engine_new(config, &ops, s, &s->e), 0);
	return s;
}

/* The default host, with @config's settings. @sharable: of the partition. */
static inline struct sim *sim_new_with(const struct engine_config *config, bool sharable)
{
	const struct engine_memdev_config memdev = {
		.serial = 99,
		.partitions = { { .dpa = 0, .size = 4 * GiB, .sharable = sharable } },
		.n_partitions = 1,
	};
	const struct engine_region_config region = { .memdev = "mem0" };
	struct sim *s = sim_new_bare(config);

	assert_int_equal(engine_add_memdev(s->e, &memdev), 0);
	assert_int_equal(engine_add_region(s->e, &region), 0);
	return s;
}

static inline struct sim *sim_new(void)
{
	struct engine_config config;

	engine_config_init(&config);
	return sim_new_with(&config, false);
}

static inline void sim_check(struct sim *s)
{
	char error[256];

	if (!engine_invariants_hold(s->e, error, sizeof(error)))
		fail_msg("invariant: %s", error);
}

static inline void sim_free(struct sim *s)
{
	sim_check(s);
	engine_free(s->e);
	free(s);
}

/* Each write is by a process of its own, without a signal. */
static inline ssize_t sim_write(struct sim *s, const char *path, const char *value)
{
	return engine_attr_write(s->e, path, value, strlen(value), NULL);
}

static inline ssize_t sim_write_by(struct sim *s, const char *path, const char *value, uint64_t id,
				   bool signalled)
{
	const struct engine_writer w = { .id = id, .signalled = signalled };

	return engine_attr_write(s->e, path, value, strlen(value), &w);
}

static inline void sim_ok(struct sim *s, const char *path, const char *value)
{
	ssize_t r = sim_write(s, path, value);

	if (r != (ssize_t)strlen(value))
		fail_msg("'%s' to %s: %zd (%s)", value, path, r, r < 0 ? strerror((int)-r) : "");
}

/* What an attribute reads, without the last newline; "-ERRNO" text if it cannot be read. */
static inline const char *sim_read(struct sim *s, const char *path)
{
	static char text[4][ENGINE_ATTR_MAX];
	static unsigned turn;
	char *buf = text[turn++ % 4];
	ssize_t len = engine_attr_read(s->e, path, buf, ENGINE_ATTR_MAX - 1);

	if (len < 0) {
		(void)snprintf(buf, ENGINE_ATTR_MAX, "-%s", strerrorname_np((int)-len));
		return buf;
	}
	buf[len] = '\0';
	if (len > 0 && buf[len - 1] == '\n')
		buf[len - 1] = '\0';
	return buf;
}

static inline void sim_expect(struct sim *s, const char *path, const char *want)
{
	const char *got = sim_read(s, path);

	if (!streq(got, want))
		fail_msg("%s is '%s', not '%s'", path, got, want);
}

static inline bool sim_exists(struct sim *s, const char *path)
{
	return engine_open(s->e, path, false, false) == 0;
}

/* "0:256,512:128:SEQ" in MiB -> specs. Returns how many. */
static inline size_t sim_specs(const char *text, const char *tag, struct engine_extent_spec *ret,
			       size_t max)
{
	size_t n = 0;

	for (const char *p = text; *p; n++) {
		char *end;

		assert_true(n < max);
		ret[n] = (struct engine_extent_spec){ 0 };
		assert_int_equal(tag_parse(tag, &ret[n].tag), 0);
		ret[n].dpa.start = strtoull(p, &end, 10) * MiB;
		ret[n].dpa.length = strtoull(end + 1, &end, 10) * MiB;
		if (*end == ':')
			ret[n].sequence = (uint16_t)strtoul(end + 1, &end, 10);
		p = end + (*end == ',');
	}
	return n;
}

/* The device offers extents and the host acts on it: the last outcome. */
static inline int sim_add(struct sim *s, const char *tag, const char *extents)
{
	struct engine_extent_spec specs[128];
	size_t n = sim_specs(extents, tag, specs, ARRAY_SIZE(specs));

	assert_int_equal(engine_device_add(s->e, "mem0", specs, n, 0), 0);
	return engine_run_records(s->e);
}

static inline int sim_release(struct sim *s, const char *tag, const char *extents)
{
	struct engine_extent_spec specs[128];
	size_t n = sim_specs(extents, tag, specs, ARRAY_SIZE(specs));

	assert_int_equal(engine_device_release(s->e, "mem0", specs, n), 0);
	return engine_run_records(s->e);
}

/* The whole host as text, without its counters and what the device wishes: what can be seen. */
static inline char *sim_snapshot(struct sim *s)
{
	struct json_object *dump = engine_dump(s->e);
	struct json_object *memdevs;
	char *text;

	assert_non_null(dump);
	json_object_object_del(dump, "counters");
	assert_true(json_object_object_get_ex(dump, "memdevs", &memdevs));
	for (size_t i = 0; i < json_object_array_length(memdevs); i++)
		json_object_object_del(json_object_array_get_idx(memdevs, i), "wanted");
	text = strdup(json_object_to_json_string(dump));
	assert_non_null(text);
	json_object_put(dump);
	return text;
}

/* Claims tag @tag with a new device, or dax0.0, and binds it to kmem. */
static inline void sim_claim_kmem(struct sim *s, const char *device, const char *tag)
{
	char path[128];

	if (!streq(device, "dax0.0"))
		sim_ok(s, DAX_REGION "dax_region/create", "1");
	(void)snprintf(path, sizeof(path), "bus/dax/devices/%s/uuid", device);
	sim_ok(s, path, tag);
	sim_ok(s, "bus/dax/drivers/kmem/new_id", device);
}

static inline void sim_block(struct sim *s, unsigned number, const char *state)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "devices/system/memory/memory%u/state", number);
	sim_ok(s, path, state);
}
