/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bus to test on: a private dbus-daemon, the daemon's real bus code over a hand-made host, and a
 * client in the same process. Both ends run on one loop, so nothing here is a matter of timing.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <systemd/sd-bus.h>

#include <dcdd/names.h>

#include "bus/bus.h"

#define FAKE_TAG_A "5be13bce-244d-4a4e-8ba7-a3ad3c4d9c01"
#define FAKE_TAG_B "0a0b0c0d-0102-4304-8506-0708090a0b0c"
#define FAKE_TAG_UNKNOWN "ffffffff-1111-4111-8111-111111111111"
#define FAKE_TIMEOUT_USEC (10 * USEC_PER_SEC)
#define FAKE_RELEASES_MAX 8

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
};

/* ---- the host ---- */

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

static const struct bus_ops fake_ops = {
	.inventory = fake_ops_inventory,
	.next_release = fake_ops_next,
	.find_release = fake_ops_find,
	.status = fake_ops_status,
	.explain = fake_ops_explain,
	.rescan = fake_ops_rescan,
};

/* ---- the bus ---- */

static inline bool fake_have_dbus(void)
{
	return access("/usr/bin/dbus-daemon", X_OK) == 0;
}

/*
 * Either everything is allowed, so that it is the daemon's own checks that are tested, or what a
 * distribution's system bus allows, and the shipped policy. The shipped activation file is there
 * too: who looks must not start a daemon by it (here that fails, which is told from not running).
 */
static inline void fake_bus_configure(const struct fake *f, FILE *file)
{
	static const char open_policy[] =
		"<allow user=\"*\"/><allow own=\"*\"/><allow send_type=\"method_call\"/>";
	static const char system_policy[] =
		"<allow user=\"*\"/><deny own=\"*\"/><deny send_type=\"method_call\"/>"
		"<allow send_destination=\"org.freedesktop.DBus\"/>";
	_cleanup_free_ char *dbus = realpath("dbus", NULL);

	if (!dbus)
		print_error("no folder dbus/: tests run in the top directory of the tree\n");
	assert_non_null(dbus);
	(void)fprintf(file,
		      "<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>"
		      "<limit name=\"max_replies_per_connection\">10000</limit>"
		      "<policy context=\"default\">%s"
		      "<allow send_type=\"signal\"/>"
		      "<allow send_requested_reply=\"true\" send_type=\"method_return\"/>"
		      "<allow send_requested_reply=\"true\" send_type=\"error\"/>"
		      "<allow receive_type=\"method_call\"/><allow receive_type=\"signal\"/>"
		      "<allow receive_type=\"method_return\"/><allow receive_type=\"error\"/>"
		      "</policy>",
		      f->address, f->shipped_policy ? system_policy : open_policy);
	if (f->shipped_policy)
		(void)fprintf(file, "<include>%s/org.dcdd1.conf</include>", dbus);
	(void)fprintf(file, "<servicedir>%s</servicedir></busconfig>\n", dbus);
}

/* Starts the bus daemon on the address of @f; again after fake_bus_kill(). */
static inline void fake_bus_start(struct fake *f)
{
	char config[96], pipe_fd[48], text[256];
	_cleanup_close_ int in = -EBADF, out = -EBADF;
	_cleanup_fclose_ FILE *file = NULL;
	int fds[2];

	/* A killed bus daemon leaves its socket behind. */
	(void)snprintf(config, sizeof(config), "%s/bus", f->dir);
	(void)unlink(config);
	(void)snprintf(config, sizeof(config), "%s/bus.conf", f->dir);
	file = fopen(config, "we");
	assert_non_null(file);
	fake_bus_configure(f, file);
	assert_int_equal(fflush(file), 0);

	assert_int_equal(pipe(fds), 0);
	in = fds[0];
	out = fds[1];
	assert_int_equal(fcntl(in, F_SETFD, FD_CLOEXEC), 0);
	(void)snprintf(pipe_fd, sizeof(pipe_fd), "--print-address=%d", out);
	(void)snprintf(text, sizeof(text), "--config-file=%s", config);
	f->daemon = fork();
	assert_true(f->daemon >= 0);
	if (f->daemon == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		/* It complains that it may not raise its limits. */
		(void)dup2(null, STDERR_FILENO);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/usr/bin/dbus-daemon", "dbus-daemon", "--nofork", "--nopidfile",
		      "--nosyslog", text, pipe_fd, NULL);
		_exit(127);
	}
	out = safe_close(out);
	/* The address is written when the bus listens. */
	assert_true(read(in, text, sizeof(text)) > 0);
}

static inline void fake_bus_kill(struct fake *f)
{
	if (f->daemon <= 0)
		return;
	(void)kill(f->daemon, SIGKILL);
	(void)waitpid(f->daemon, NULL, 0);
	f->daemon = 0;
}

static inline sd_bus *fake_connect(void)
{
	sd_bus *client = NULL;
	const char *name;

	assert_true(sd_bus_open_system(&client) >= 0);
	/* The bus daemon is another process: waiting for its greeting is safe. */
	assert_true(sd_bus_get_unique_name(client, &name) >= 0);
	return client;
}

/* Gives both ends a turn; waits 1 ms if the client has nothing to do. */
static inline void fake_turn(struct fake *f)
{
	int r = 0;

	(void)event_base_loop(f->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
	if (f->client)
		r = sd_bus_process(f->client, NULL);
	if (r <= 0)
		(void)poll(NULL, 0, 1);
}

/* Runs both ends until @condition holds; fails the test if it does not in time. */
#define fake_run_until(f, condition)                                                               \
	do {                                                                                       \
		usec_t _end = now_usec(CLOCK_MONOTONIC) + FAKE_TIMEOUT_USEC;                       \
                                                                                                   \
		while (!(condition)) {                                                             \
			if (now_usec(CLOCK_MONOTONIC) > _end)                                      \
				fail_msg("not within 10 s: %s", #condition);                       \
			fake_turn(f);                                                              \
		}                                                                                  \
	} while (0)

static inline void fake_run_for(struct fake *f, usec_t duration)
{
	usec_t end = now_usec(CLOCK_MONOTONIC) + duration;

	while (now_usec(CLOCK_MONOTONIC) < end)
		fake_turn(f);
}

static inline int fake_on_reply(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	(void)error;
	*(sd_bus_message **)userdata = sd_bus_message_ref(m);
	return 1;
}

/* Calls with both ends on the loop. The reply, which may be an error (caller unrefs). */
static inline sd_bus_message *fake_call(struct fake *f, sd_bus_message *call)
{
	_cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
	sd_bus_message *reply = NULL;

	assert_true(sd_bus_call_async(f->client, &slot, call, fake_on_reply, &reply,
				      FAKE_TIMEOUT_USEC) >= 0);
	fake_run_until(f, reply);
	return reply;
}

static inline sd_bus_message *fake_method(struct fake *f, const char *path, const char *interface,
					  const char *member, const char *types, ...)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	va_list ap;

	assert_true(sd_bus_message_new_method_call(f->client, &call, DCDD_BUS_NAME, path, interface,
						   member) >= 0);
	va_start(ap, types);
	if (types)
		assert_true(sd_bus_message_appendv(call, types, ap) >= 0);
	va_end(ap);
	return fake_call(f, call);
}

/* ---- set-up ---- */

static inline void fake_stop(struct fake *f)
{
	char path[96];

	bus_free(f->bus);
	sd_bus_flush_close_unref(f->client);
	if (f->base)
		event_base_free(f->base);
	fake_bus_kill(f);
	inventory_free(f->inventory);
	(void)snprintf(path, sizeof(path), "%s/bus.conf", f->dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/bus", f->dir);
	(void)unlink(path);
	(void)rmdir(f->dir);
	free(f);
}

static inline int fake_setup_policy(void **state, bool shipped_policy)
{
	struct fake *f;

	*state = NULL;
	if (!fake_have_dbus())
		return 0;
	f = calloc(1, sizeof(*f));
	assert_non_null(f);
	(void)str_copy(f->dir, sizeof(f->dir), "/tmp/dcdd-test-bus.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	/* Reachable for the client that is nobody. */
	assert_int_equal(chmod(f->dir, 0755), 0);
	(void)snprintf(f->address, sizeof(f->address), "unix:path=%s/bus", f->dir);
	assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", f->address, 1), 0);
	f->shipped_policy = shipped_policy;
	fake_bus_start(f);

	f->inventory = fake_inventory();
	f->status = (struct bus_status){
		.event_available = true,
		.records = 12,
		.records_lost = 1,
		.records_bad = 2,
		.last_scan = 1234567,
	};
	f->decision = (struct decision){
		.verdict = VERDICT_REFUSE,
		.rule = "keep-db",
		.reason = "memory48 is in zone Normal",
	};
	f->base = event_base_new();
	assert_non_null(f->base);
	assert_int_equal(bus_new(f->base, &fake_ops, f, &f->bus), 0);
	f->client = fake_connect();
	*state = f;
	return 0;
}

static inline int fake_setup(void **state)
{
	return fake_setup_policy(state, false);
}

static inline int fake_teardown(void **state)
{
	if (*state)
		fake_stop(*state);
	return 0;
}

/* At the start of each test. */
#define fake_get(state)                                                                            \
	({                                                                                         \
		if (!*(state)) {                                                                   \
			print_message("skipped: /usr/bin/dbus-daemon is not installed\n");         \
			skip();                                                                    \
		}                                                                                  \
		(struct fake *)*(state);                                                           \
	})
