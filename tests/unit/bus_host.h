/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hand-made host for the tests on the bus: what struct bus_ops is asked for comes from plain
 * data that a test changes as it likes.
 */
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>
#include <systemd/sd-bus.h>

#include <dcdd/names.h>

#include "bus/bus.h"

#define FAKE_TAG_A "5be13bce-244d-4a4e-8ba7-a3ad3c4d9c01"
#define FAKE_TAG_B "0a0b0c0d-0102-4304-8506-0708090a0b0c"
#define FAKE_TAG_UNKNOWN "ffffffff-1111-4111-8111-111111111111"
#define FAKE_RELEASES_MAX 16

struct fake {
	char dir[64];	     /* of the bus: socket and configuration */
	char address[128];   /* of the bus */
	bool shipped_policy; /* with dbus/org.dcdd1.conf, else everything is allowed */
	pid_t daemon;
	struct event_base *base;
	struct bus *bus;
	sd_bus *client;

	struct inventory *inventory; /* handed out; NULL before the first scan */
	struct release releases[FAKE_RELEASES_MAX];
	size_t n_releases;
	struct bus_status status;
	struct decision decision;
	int explain_result;
	struct group_key explained; /* what explain() was last asked for */
	unsigned explains, rescans;

	/* What the last call of the kind was given, as one text; and how it ends. */
	char answered[256], inhibited[512], ruled[512], removed[128];
	int answer_result, reload_result, snapshot_result, inhibit_result, rule_result;
	const char *error, *snapshot; /* *@ret_error of reload() and add_rule(); the document */
	unsigned reloads;
	int lease; /* our end of the last lease that was handed out, -EBADF: none */
	struct inhibitor inhibitors[4];
	size_t n_inhibitors;
	struct policy policy;
};

static inline struct tag fake_tag(const char *s)
{
	struct tag tag;

	assert_int_equal(tag_parse(s, &tag), 0);
	return tag;
}

#define FAKE_ARRAY(type, ...)                                                                      \
	({                                                                                         \
		const type _a[] = { __VA_ARGS__ };                                                 \
		type *_p = malloc(sizeof(_a));                                                     \
                                                                                                   \
		assert_non_null(_p);                                                               \
		memcpy(_p, _a, sizeof(_a));                                                        \
		_p;                                                                                \
	})

/*
 * mem0/region0: an untagged, unclaimed extent; tag A, two extents with a gap, claimed by dax0.1 as
 * system RAM, 2 of 3 blocks online. mem1/region1: tag B, claimed by dax1.1 as devdax and held.
 */
static inline struct inventory *fake_inventory(void)
{
	struct inventory *inv = calloc(1, sizeof(*inv));
	const struct tag a = fake_tag(FAKE_TAG_A), b = fake_tag(FAKE_TAG_B);

	assert_non_null(inv);
	inv->block_size = 128 * MiB;
	inv->taken = 1234567;
	inv->n_memdevs = 2;
	inv->memdevs = FAKE_ARRAY(struct memdev, { .name = "mem0", .serial = 1 },
				  { .name = "mem1", .serial = 2 });
	inv->n_regions = 2;
	inv->regions = FAKE_ARRAY(struct region,
				  { .name = "region0",
				    .dax_region = "dax_region0",
				    .memdev = 0,
				    .id = 0,
				    .hpa = { 4 * GiB, 4 * GiB },
				    .dpa = { 0, 4 * GiB },
				    .first_extent = 0,
				    .n_extents = 3,
				    .first_device = 0,
				    .n_devices = 1 },
				  { .name = "region1",
				    .dax_region = "dax_region1",
				    .memdev = 1,
				    .id = 1,
				    .hpa = { 8 * GiB, 4 * GiB },
				    .dpa = { 0, 4 * GiB },
				    .first_extent = 3,
				    .n_extents = 1,
				    .first_device = 1,
				    .n_devices = 1 });
	inv->n_extents = 4;
	inv->extents = FAKE_ARRAY(struct extent,
				  { .name = "extent0.1",
				    .region = 0,
				    .device = INVENTORY_NONE,
				    .hpa = { 4 * GiB, 256 * MiB },
				    .dpa = { 0, 256 * MiB } },
				  { .name = "extent0.2",
				    .region = 0,
				    .device = 0,
				    .tag = a,
				    .hpa = { 5 * GiB, 256 * MiB },
				    .dpa = { 1 * GiB, 256 * MiB } },
				  { .name = "extent0.3",
				    .region = 0,
				    .device = 0,
				    .tag = a,
				    .hpa = { 6 * GiB, 128 * MiB },
				    .dpa = { 2 * GiB, 128 * MiB } },
				  { .name = "extent1.1",
				    .region = 1,
				    .device = 1,
				    .tag = b,
				    .hpa = { 8 * GiB, 512 * MiB },
				    .dpa = { 0, 512 * MiB } });
	inv->n_mappings = 3;
	inv->mappings = FAKE_ARRAY(struct mapping, { .hpa = { 5 * GiB, 256 * MiB } },
				   { .hpa = { 6 * GiB, 128 * MiB } },
				   { .hpa = { 8 * GiB, 512 * MiB } });
	inv->n_blocks = 3;
	inv->blocks = FAKE_ARRAY(
		struct memory_block,
		{ .number = 40, .state = BLOCK_ONLINE, .zone = ZONE_MOVABLE, .device = 0 },
		{ .number = 41, .state = BLOCK_OFFLINE, .zone = ZONE_NONE, .device = 0 },
		{ .number = 48, .state = BLOCK_UNKNOWN, .zone = ZONE_UNKNOWN, .device = 0 });
	inv->n_holders = 1;
	inv->holders = FAKE_ARRAY(struct holder,
				  { .device = 1, .pid = 4711, .open = true, .comm = "db" });
	inv->n_devices = 2;
	inv->devices = FAKE_ARRAY(struct dax_device,
				  { .name = "dax0.1",
				    .driver = "kmem",
				    .region = 0,
				    .mode = DAX_MODE_SYSTEM_RAM,
				    .tag = a,
				    .size = 384 * MiB,
				    .target_node = 1,
				    .first_mapping = 0,
				    .n_mappings = 2,
				    .first_block = 0,
				    .n_blocks = 3 },
				  { .name = "dax1.1",
				    .driver = "device_dax",
				    .region = 1,
				    .mode = DAX_MODE_DEVDAX,
				    .tag = b,
				    .size = 512 * MiB,
				    .target_node = 2,
				    .first_mapping = 2,
				    .n_mappings = 1,
				    .first_block = 3,
				    .first_holder = 0,
				    .n_holders = 1 });
	return inv;
}

/* Appends a release of @tag ("": untagged) on mem0 with plausible values. */
static inline struct release *fake_release(struct fake *f, uint64_t id, const char *tag,
					   enum release_state state)
{
	struct release *r;

	assert_true(f->n_releases < FAKE_RELEASES_MAX);
	r = &f->releases[f->n_releases++];
	*r = (struct release){
		.id = id,
		.key = { .memdev = "mem0", .dpa = { 0, 256 * MiB } },
		.dpa = { 1 * GiB, 256 * MiB },
		.state = state,
		.reason = "memory41 goes offline",
		.records = 3,
		.first_record = 1000,
		.last_record = 3000,
		.entered = 2000,
		.deadline = USEC_INFINITY,
		.attempts = 1,
		.region = "region0",
		.bytes = 384 * MiB,
		.n_extents = 2,
		.decision = { .verdict = VERDICT_FREE, .rule = "default" },
		.plan = { .n_blocks = 3, .blocks_offline = 1 },
	};
	if (*tag) {
		r->key.tag = fake_tag(tag);
		r->key.dpa = (struct range){ 0 };
	}
	return r;
}

/*
 * Makes @r one that failed with block 40 offline and block 41 in the wrong zone, both of dax0.1,
 * and
 * @n - 2 more that are absent. Caller frees by plan_done().
 */
static inline void fake_fail(struct release *r, size_t n)
{
	r->state = RELEASE_FAILED;
	r->plan.devices = FAKE_ARRAY(struct plan_device, { .name = "dax0.1",
							   .driver = "kmem",
							   .dax_region = "dax_region0",
							   .mode = DAX_MODE_SYSTEM_RAM,
							   .tag = r->key.tag,
							   .size = 384 * MiB });
	r->plan.n_devices = 1;
	r->plan.differences = calloc(n, sizeof(*r->plan.differences));
	assert_non_null(r->plan.differences);
	r->plan.n_differences = n;
	for (size_t i = 0; i < n; i++)
		r->plan.differences[i] = (struct plan_difference){
			.kind = DIFF_BLOCK,
			.block = 40 + i,
			.absent = i > 1,
			.have = i == 1 ? BLOCK_ONLINE : BLOCK_OFFLINE,
			.have_zone = i == 1 ? ZONE_KERNEL : ZONE_NONE,
			.want = BLOCK_ONLINE,
			.want_zone = ZONE_MOVABLE,
		};
}

static inline const struct inventory *fake_ops_inventory(void *userdata)
{
	return ((struct fake *)userdata)->inventory;
}

static inline const struct release *fake_ops_next(void **cursor, void *userdata)
{
	struct fake *f = userdata;
	struct release *next = *cursor ? (struct release *)*cursor + 1 : f->releases;

	if (next >= f->releases + f->n_releases)
		return NULL;
	*cursor = next;
	return next;
}

static inline const struct release *fake_ops_find(uint64_t id, void *userdata)
{
	struct fake *f = userdata;

	for (size_t i = 0; i < f->n_releases; i++)
		if (f->releases[i].id == id)
			return &f->releases[i];
	return NULL;
}

static inline void fake_ops_status(struct bus_status *ret, void *userdata)
{
	*ret = ((struct fake *)userdata)->status;
}

static inline int fake_ops_explain(const struct group_key *key, struct decision *ret,
				   void *userdata)
{
	struct fake *f = userdata;

	f->explains++;
	f->explained = *key;
	*ret = f->decision;
	return f->explain_result;
}

static inline int fake_ops_rescan(void *userdata)
{
	((struct fake *)userdata)->rescans++;
	return 0;
}

static inline int fake_ops_answer(uint64_t id, bool approve, const char *why, const char *who,
				  void *userdata)
{
	struct fake *f = userdata;

	(void)snprintf(f->answered, sizeof(f->answered), "%llu %s '%s' %s", (unsigned long long)id,
		       approve ? "yes" : "no", why, who);
	return f->answer_result;
}

static inline int fake_error(const struct fake *f, int result, char **ret_error)
{
	*ret_error = NULL;
	if (result < 0 && f->error) {
		*ret_error = strdup(f->error);
		assert_non_null(*ret_error);
	}
	return result;
}

static inline int fake_ops_reload(char **ret_error, void *userdata)
{
	struct fake *f = userdata;

	f->reloads++;
	return fake_error(f, f->reload_result, ret_error);
}

static inline int fake_ops_snapshot(char **ret, void *userdata)
{
	struct fake *f = userdata;

	if (f->snapshot_result < 0)
		return f->snapshot_result;
	*ret = strdup(f->snapshot);
	assert_non_null(*ret);
	return 0;
}

/* The daemon's end of the one before is closed: a test looks at one at a time. */
static inline int fake_lease(struct fake *f)
{
	int fds[2];

	f->lease = safe_close(f->lease);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	f->lease = fds[0];
	return fds[1];
}

/* Whether somebody has the other end. */
static inline bool fake_lease_is_held(const struct fake *f)
{
	char c;

	return f->lease >= 0 && read(f->lease, &c, 1) < 0 && errno == EAGAIN;
}

static inline int fake_ops_inhibit(const struct inhibitor *inhibitor, int *ret_fd, void *userdata)
{
	struct fake *f = userdata;

	(void)snprintf(f->inhibited, sizeof(f->inhibited), "%s '%s' '%s' %s uid %u pid %d",
		       inhibitor->scope, inhibitor->who, inhibitor->why,
		       inhibit_mode_to_string(inhibitor->mode), inhibitor->uid, inhibitor->pid);
	if (f->inhibit_result < 0)
		return f->inhibit_result;
	*ret_fd = fake_lease(f);
	return 0;
}

static inline const struct inhibitor *fake_ops_inhibitors(size_t *ret_n, void *userdata)
{
	struct fake *f = userdata;

	*ret_n = f->n_inhibitors;
	return f->inhibitors;
}

static inline int fake_ops_add_rule(const char *name, const char *text, usec_t until,
				    const char *who, int *ret_fd, char **ret_error, void *userdata)
{
	struct fake *f = userdata;

	(void)snprintf(f->ruled, sizeof(f->ruled), "%s {%s} %llu %s%s", name, text,
		       (unsigned long long)until, who, ret_fd ? " held" : "");
	if (f->rule_result >= 0 && ret_fd)
		*ret_fd = fake_lease(f);
	return fake_error(f, f->rule_result, ret_error);
}

static inline int fake_ops_remove_rule(const char *name, const char *who, void *userdata)
{
	struct fake *f = userdata;

	(void)snprintf(f->removed, sizeof(f->removed), "%s %s", name, who);
	return f->rule_result;
}

static inline const struct policy *fake_ops_policy(void *userdata)
{
	return &((struct fake *)userdata)->policy;
}

static const struct bus_ops fake_ops = {
	.inventory = fake_ops_inventory,
	.next_release = fake_ops_next,
	.find_release = fake_ops_find,
	.status = fake_ops_status,
	.explain = fake_ops_explain,
	.rescan = fake_ops_rescan,
	.answer = fake_ops_answer,
	.reload = fake_ops_reload,
	.snapshot = fake_ops_snapshot,
	.inhibit = fake_ops_inhibit,
	.inhibitors = fake_ops_inhibitors,
	.add_rule = fake_ops_add_rule,
	.remove_rule = fake_ops_remove_rule,
	.policy = fake_ops_policy,
};
