/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of the intake share: a uprobe event, of a system of its own, on a function of the
 * test program puts records with the kernel's field names into the real ring buffers; and an intake
 * that notes what it said.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <daemon/events/events.h>

#define TRACING "/sys/kernel/tracing"
#define EVENT "cxl_dynamic_capacity"
#define TIMEOUT_USEC (10 * USEC_PER_SEC)

#if defined(__x86_64__)
#define ARG0 "%di"
#elif defined(__aarch64__)
#define ARG0 "%x0"
#endif

struct payload {
	char memdev[40];
	char host[40];
	uint64_t serial;
	uint64_t dpa_start, length;
	uint8_t uuid[16];
	uint16_t sequence, handle;
	uint8_t type, index;
};

/* The probe sits on its first instruction. Not static: nothing may change how it is called. */
void traced_call(const struct payload *payload);
__attribute__((noinline)) void traced_call(const struct payload *payload)
{
	__asm__ volatile("" : : "r"(payload) : "memory");
}

static char test_system[32], test_instance[32];
static const char *skip_reason;

/* ---- tracefs by hand ---- */

static inline int write_file(const char *value, const char *format, ...) _printf_(2, 3);
static inline int write_file(const char *value, const char *format, ...)
{
	_cleanup_close_ int fd = -EBADF;
	char path[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

static inline void read_file(char *buf, size_t size, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	if (!f)
		fail_msg("cannot open %s", path);
	buf[fread(buf, 1, size - 1, f)] = '\0';
}

static inline const char *instance_path(const char *file)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), TRACING "/instances/%s/%s", test_instance, file);
	return path;
}

/* Where in the file of this program the traced function is. */
static inline uint64_t function_offset(void)
{
	_cleanup_fclose_ FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t at = (uint64_t)(uintptr_t)traced_call;
	char line[1024];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t start, end, offset;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64, &start, &end, &offset) ==
			    3 &&
		    at >= start && at < end)
			return at - start + offset;
	}
	fail_msg("the traced function is in no mapping");
	return 0;
}

/* Defines the event, with the tag under the name @tag, and an unused field in front if @extra. */
static inline int define_event(const char *tag, bool extra)
{
#ifdef ARG0
	const struct {
		const char *name, *type;
		size_t offset;
	} fields[] = {
		{ "memdev", "string", offsetof(struct payload, memdev) },
		{ "host", "string", offsetof(struct payload, host) },
		{ "serial", "u64", offsetof(struct payload, serial) },
		{ "hdr_handle", "u16", offsetof(struct payload, handle) },
		{ "event_type", "u8", offsetof(struct payload, type) },
		{ "updated_region_index", "u8", offsetof(struct payload, index) },
		{ "dpa_start", "u64", offsetof(struct payload, dpa_start) },
		{ "length", "u64", offsetof(struct payload, length) },
		{ tag, "u8[16]", offsetof(struct payload, uuid) },
		{ "sh_extent_seq", "u16", offsetof(struct payload, sequence) },
	};
	char program[256], *text = NULL;
	size_t size;
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	FILE *f = open_memstream(&text, &size);
	int r;

	assert_true(n > 0 && f);
	program[n] = '\0';
	fprintf(f, "p:%s/" EVENT " %s:0x%" PRIx64, test_system, program, function_offset());
	if (extra)
		fprintf(f, " extra=+0(%s):u32", ARG0);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		fprintf(f, " %s=+%zu(%s):%s", fields[i].name, fields[i].offset, ARG0,
			fields[i].type);
	fprintf(f, "\n");
	assert_int_equal(fclose(f), 0);
	r = write_file(text, TRACING "/uprobe_events");
	free(text);
	return r;
#else
	(void)tag;
	(void)extra;
	return -ENOTSUP;
#endif
}

/* An event in use cannot be removed: disabled first. */
static inline void undefine_event(void)
{
	char text[96];

	(void)write_file("0", TRACING "/instances/%s/events/%s/" EVENT "/enable", test_instance,
			 test_system);
	(void)snprintf(text, sizeof(text), "-:%s/" EVENT "\n", test_system);
	(void)write_file(text, TRACING "/uprobe_events");
}

/* Takes the lowest free id by another event, so that the one under test gets a new id. */
static inline void occupy_id(void)
{
	_cleanup_free_ char *text = NULL;
	char program[256];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	assert_true(n > 0);
	program[n] = '\0';
	assert_true(asprintf(&text, "p:%s/other %s:0x%" PRIx64 "\n", test_system, program,
			     function_offset()) > 0);
	assert_int_equal(write_file(text, TRACING "/uprobe_events"), 0);
}

static inline void free_id(void)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "-:%s/other\n", test_system);
	(void)write_file(text, TRACING "/uprobe_events");
}

static inline void fire(uint64_t serial)
{
	struct payload payload = {
		.memdev = "mem3",
		.host = "0000:0d:00.0",
		.serial = serial,
		.dpa_start = UINT64_C(0x40000000),
		.length = UINT64_C(0x10000000),
		.uuid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
		.sequence = 5,
		.handle = 77,
		.type = DC_EVENT_RELEASE,
		.index = 255,
	};

	traced_call(&payload);
}

/* ---- the intake under test, and what it said ---- */

#define SEEN_MAX 20000

struct context {
	struct event_base *base;
	struct intake *intake;
	struct dc_event *seen;
	size_t n_seen, n_bad, n_lost_calls, n_on, n_off;
	uint64_t lost;
	char bad[256];
	bool refresh_in_callback;
};

static inline void on_record(const struct dc_event *event, void *userdata)
{
	struct context *c = userdata;

	assert_true(c->n_seen < SEEN_MAX);
	c->seen[c->n_seen++] = *event;
	if (c->refresh_in_callback)
		intake_refresh(c->intake);
}

static inline void on_lost(uint64_t lost, void *userdata)
{
	struct context *c = userdata;

	c->n_lost_calls++;
	c->lost += lost;
}

static inline void on_available(bool available, void *userdata)
{
	struct context *c = userdata;

	if (available)
		c->n_on++;
	else
		c->n_off++;
	assert_int_equal(intake_is_available(c->intake), available);
}

static inline void on_bad_record(const char *message, void *userdata)
{
	struct context *c = userdata;

	c->n_bad++;
	(void)str_copy(c->bad, sizeof(c->bad), message);
}

static const struct intake_ops ops = {
	.record = on_record,
	.lost = on_lost,
	.available = on_available,
	.bad_record = on_bad_record,
};

static inline void start(struct context *c, size_t buffer_kib)
{
	_cleanup_free_ char *error = NULL;
	int r = intake_new(c->base, test_instance, test_system, EVENT, buffer_kib, &ops, c,
			   &c->intake, &error);

	if (r < 0)
		fail_msg("intake_new: %d, %s", r, error ? error : "");
	assert_null(error);
}

static inline void on_tick(_unused_ evutil_socket_t fd, _unused_ short what,
			   _unused_ void *userdata)
{
}

/* Runs the loop until *@counter reaches @n, at most @timeout; returns the turns it took. */
static inline size_t run_until(struct context *c, const size_t *counter, size_t n, usec_t timeout)
{
	static const struct timeval tick = { .tv_usec = 50000 };
	struct event *timer = event_new(c->base, -1, EV_PERSIST, on_tick, NULL);
	usec_t deadline = now_usec(CLOCK_MONOTONIC) + timeout;
	size_t turns = 0;

	assert_non_null(timer);
	assert_int_equal(event_add(timer, &tick), 0);
	while (*counter < n && now_usec(CLOCK_MONOTONIC) < deadline) {
		assert_true(event_base_loop(c->base, EVLOOP_ONCE) >= 0);
		turns++;
	}
	event_free(timer);
	return turns;
}

static inline void expect_records(struct context *c, size_t n)
{
	(void)run_until(c, &c->n_seen, n, TIMEOUT_USEC);
	if (c->n_seen != n)
		fail_msg("%zu records came, expected %zu (bad: %zu %s)", c->n_seen, n, c->n_bad,
			 c->bad);
}

static inline void assert_serials(const struct context *c, uint64_t first)
{
	for (size_t i = 0; i < c->n_seen; i++)
		assert_int_equal(c->seen[i].serial, first + i);
}

static inline bool instance_exists(void)
{
	return access(instance_path("trace_clock"), F_OK) == 0;
}

static inline int setup(void **state)
{
	struct context *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->seen = calloc(SEEN_MAX, sizeof(*c->seen));
	c->base = event_base_new();
	assert_non_null(c->seen);
	assert_non_null(c->base);
	*state = c;
	return 0;
}

static inline int teardown(void **state)
{
	struct context *c = *state;
	bool left;

	intake_free(c->intake);
	left = !skip_reason && instance_exists();
	if (left)
		(void)rmdir(instance_path(""));
	if (!skip_reason) {
		undefine_event();
		free_id();
	}
	event_base_free(c->base);
	free(c->seen);
	free(c);
	if (left)
		print_error("the trace instance was not removed\n");
	return left ? -1 : 0;
}

static inline void need_tracefs(void)
{
	if (skip_reason) {
		print_message("skipped: %s\n", skip_reason);
		skip();
	}
}

static inline void define_or_fail(const char *tag, bool extra)
{
	int r = define_event(tag, extra);

	if (r < 0)
		fail_msg("cannot define the uprobe event: %s", strerror(-r));
}

/* First in main(): names of this process's own, and whether the tests can run at all. */
static inline void prepare(void)
{
	(void)snprintf(test_system, sizeof(test_system), "dcddtest%d", (int)getpid());
	(void)snprintf(test_instance, sizeof(test_instance), "dcddtest%d", (int)getpid());
#ifndef ARG0
	skip_reason = "no uprobe argument register known for this architecture";
#endif
	if (skip_reason)
		return;
	if (geteuid() != 0)
		skip_reason = "not root";
	else if (access(TRACING "/uprobe_events", W_OK) < 0)
		skip_reason = "no " TRACING "/uprobe_events (tracefs not mounted, or no uprobes)";
}
