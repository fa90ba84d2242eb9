/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the program $BUILD/dcdctl against the daemon's real bus code, and looks at what it printed.
 */
#pragma once

#include <limits.h>

#include <json-c/json.h>

#include "bus_fake.h"

struct run {
	int status;
	char out[1 << 20], err[4096];
};

static inline const char *program(void)
{
	static char path[512];
	const char *build = getenv("BUILD");

	(void)snprintf(path, sizeof(path), "%s/dcdctl", build ? build : "build");
	return path;
}

#define need_program()                                                                             \
	do {                                                                                       \
		if (access(program(), X_OK) < 0) {                                                 \
			print_message("skipped: %s is not built\n", program());                    \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static inline void run_read(int *fd, char *buf, size_t size)
{
	size_t used = strlen(buf);
	ssize_t n = read(*fd, buf + used, size - used - 1);

	if (n > 0)
		buf[used + (size_t)n] = '\0';
	else if (n == 0 || errno != EAGAIN)
		*fd = safe_close(*fd);
}

/* One that was begun, and may run on. */
struct running {
	pid_t pid;
	int out, err;
	usec_t end; /* when the test gives up */
};

static inline struct running run_start(struct run *ret, const char *const args[])
{
	struct running running = { .end = now_usec(CLOCK_MONOTONIC) + FAKE_TIMEOUT_USEC };
	int out[2], err[2], null;

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	/* Our ends only. */
	assert_int_equal(fcntl(out[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(err[0], F_SETFL, O_NONBLOCK), 0);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	running.pid = fork();
	assert_true(running.pid >= 0);
	if (running.pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(err[1], STDERR_FILENO);
		/* What whoever started the test has open is not dcdctl's. */
		(void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
		execv(program(), (char *const *)args);
		_exit(127);
	}
	(void)close(null);
	(void)close(out[1]);
	(void)close(err[1]);
	running.out = out[0];
	running.err = err[0];
	return running;
}

/* Takes what it has printed by now; @f (may be NULL) gets a turn. */
static inline void run_turn(struct fake *f, struct running *running, struct run *ret)
{
	if (now_usec(CLOCK_MONOTONIC) > running->end) {
		(void)kill(running->pid, SIGKILL);
		fail_msg("dcdctl does not end, or go on: %s%s", ret->out, ret->err);
	}
	if (f)
		fake_turn(f);
	else
		(void)poll(NULL, 0, 1);
	if (running->out >= 0)
		run_read(&running->out, ret->out, sizeof(ret->out));
	if (running->err >= 0)
		run_read(&running->err, ret->err, sizeof(ret->err));
}

#define run_until(f, running, ret, condition)                                                      \
	do {                                                                                       \
		while (!(condition))                                                               \
			run_turn(f, running, ret);                                                 \
	} while (0)

static inline void run_finish(struct fake *f, struct running *running, struct run *ret)
{
	int status;

	run_until(f, running, ret, running->out < 0 && running->err < 0);
	assert_int_equal(waitpid(running->pid, &status, 0), running->pid);
	assert_true(WIFEXITED(status));
	ret->status = WEXITSTATUS(status);
}

/* Runs dcdctl with @args (NULL at the end) while the daemon's end of @f, which may be NULL, runs.
 */
static inline void run_args(struct fake *f, struct run *ret, const char *const args[])
{
	struct running running = run_start(ret, args);

	run_finish(f, &running, ret);
}

#define run(f, ret, ...) run_args(f, ret, (const char *const[]){ "dcdctl", __VA_ARGS__, NULL })

#define need_root()                                                                                \
	do {                                                                                       \
		if (geteuid() != 0) {                                                              \
			print_message("skipped: only root may\n");                                 \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static inline void assert_ok(const struct run *r)
{
	if (r->status != 0 || *r->err)
		fail_msg("status %d, stderr: %s", r->status, r->err);
}

static inline void fill_releases(struct fake *f)
{
	struct release *r;
	usec_t now = now_usec(CLOCK_MONOTONIC);

	r = fake_release(f, 1, FAKE_TAG_A, RELEASE_READY);
	r->retry_wanted = true;
	r->entered = now + USEC_PER_SEC; /* of another clock, or a future one: "0s" */
	(void)str_copy(r->reason, sizeof(r->reason), "free, the device must ask again");
	r = fake_release(f, 2, "", RELEASE_DEFERRED);
	r->entered = 0; /* as long ago as can be */
	r->plan.n_blocks = 0;
	(void)str_copy(r->reason, sizeof(r->reason), "held by pid 1 \x1b[2J");
	r = fake_release(f, 3, FAKE_TAG_B, RELEASE_REFUSED);
	r->entered = now;
}

/* Column @n (from 0) of line @line of a table, cells being separated by white space. */
static inline const char *cell(const char *text, unsigned line, unsigned n)
{
	static char buf[128];
	const char *p = text;

	while (line--) {
		p = strchr(p, '\n');
		if (!p)
			return "(no such line)";
		p++;
	}
	for (;;) {
		size_t length;

		p += strspn(p, " ");
		length = strcspn(p, " \n");
		if (length == 0)
			return "(no such cell)";
		if (n-- == 0) {
			(void)snprintf(buf, sizeof(buf), "%.*s", (int)length, p);
			return buf;
		}
		p += length;
	}
}

static inline unsigned count_lines(const char *text)
{
	unsigned n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

static inline json_object *parse(const struct run *r)
{
	json_object *document = json_tokener_parse(r->out);

	if (!document)
		fail_msg("no JSON: %s", r->out);
	return document;
}

/* A member, along a path of keys and indexes: "devices/0/name". */
static inline json_object *at(json_object *object, const char *path)
{
	char buf[128], *rest = buf, *key;

	(void)snprintf(buf, sizeof(buf), "%s", path);
	while ((key = strsep(&rest, "/"))) {
		if (json_object_is_type(object, json_type_array))
			object = json_object_array_get_idx(object, strtoul(key, NULL, 10));
		else if (!json_object_object_get_ex(object, key, &object))
			object = NULL;
		if (!object)
			fail_msg("no %s (of %s)", key, path);
	}
	return object;
}

static inline void assert_json_string(json_object *object, const char *path, const char *expected)
{
	assert_true(json_object_is_type(at(object, path), json_type_string));
	assert_string_equal(json_object_get_string(at(object, path)), expected);
}

static inline void assert_json_number(json_object *object, const char *path, uint64_t expected)
{
	assert_true(json_object_is_type(at(object, path), json_type_int));
	assert_true(json_object_get_uint64(at(object, path)) == expected);
}

static inline void assert_json_bool(json_object *object, const char *path, bool expected)
{
	assert_true(json_object_is_type(at(object, path), json_type_boolean));
	assert_int_equal(json_object_get_boolean(at(object, path)), expected);
}

#define CLI_TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)
