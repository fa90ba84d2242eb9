/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker as the daemon has it, for tests: a real child process (the test program, started again)
 * on a fabricated sysfs with one device, of blocks 3 to 9, of which two are there. memory3 is an
 * ordinary file; the state of memory9 is a FIFO with a full pipe, so that a write to it blocks
 * until a signal comes.
 */
#pragma once

#include <dirent.h>
#include <signal.h>

#include "tree.h"

#include "worker/worker.h"

#define BLOCK(n) TREE_MEMORY "/memory" #n "/state"
#define DEVICE TREE_DAX_REGION "/dax0.1"
#define PATIENCE_SEC 20 /* for what takes milliseconds, on a slow machine */

struct fixture {
	struct tree tree;
	struct event_base *base;
	struct worker *worker;
	int fifo_fd; /* the reading end of the attribute that blocks */
	/* The last answer: */
	struct worker_reply reply;
	unsigned n_replies;
};

/* ---- helpers ---- */

static inline int count_fds(pid_t pid)
{
	char path[64];
	DIR *dir;
	int n = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	(void)closedir(dir);
	return n;
}

/* The state letter of /proc/PID/stat, or 0 if there is no such process. */
static inline char process_state(pid_t pid)
{
	char path[64], line[256] = "";
	const char *p;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	p = fgets(line, sizeof(line), f);
	(void)fclose(f);
	p = p ? strrchr(line, ')') : NULL;
	return p && p[1] ? p[2] : 0;
}

static inline void on_done(struct worker *w, struct worker_reply *reply, void *userdata)
{
	struct fixture *f = userdata;

	(void)w;
	assert_false(worker_is_busy(w));
	f->reply = *reply;
	f->n_replies++;
}

/* Runs the loop until @condition holds; fails the test when patience ends. */
static inline bool loop_until(struct fixture *f, bool (*condition)(struct fixture *, int), int arg)
{
	usec_t end = now_usec(CLOCK_MONOTONIC) + PATIENCE_SEC * USEC_PER_SEC;

	while (!condition(f, arg)) {
		if (now_usec(CLOCK_MONOTONIC) > end)
			return false;
		(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
		(void)usleep(200);
	}
	return true;
}

static inline bool has_replies(struct fixture *f, int n)
{
	return f->n_replies >= (unsigned)n;
}

static inline bool is_gone(struct fixture *f, int pid)
{
	(void)f;
	return process_state(pid) == 0;
}

/* Waiting in the kernel: for a request, or in its write. */
static inline bool is_asleep(struct fixture *f, int pid)
{
	(void)f;
	return process_state(pid) == 'S';
}

/* About the one device, as the daemon makes all of them. */
static inline struct worker_request request_write(const char *path, const char *value)
{
	struct worker_request r = {
		.op = WORKER_WRITE,
		.expect = { .device = "dax0.1",
			    .size = 0x38000000,
			    .first_mapping = { .start = 0x18000000, .length = 0x38000000 } },
	};

	assert_int_equal(str_copy(r.path, sizeof(r.path), path), 0);
	assert_int_equal(str_copy(r.value, sizeof(r.value), value), 0);
	return r;
}

static inline struct worker_request request_watched(const char *path, const char *value,
						    const char *watch, const char *skip_if)
{
	struct worker_request r = request_write(path, value);

	assert_int_equal(str_copy(r.watch, sizeof(r.watch), watch), 0);
	assert_int_equal(str_copy(r.skip_if, sizeof(r.skip_if), skip_if), 0);
	return r;
}

static inline void submit(struct fixture *f, const struct worker_request *request)
{
	f->n_replies = 0;
	assert_int_equal(worker_submit(f->worker, request, on_done, f), 0);
	assert_true(worker_is_busy(f->worker));
}

static inline int do_request(struct fixture *f, const struct worker_request *request)
{
	submit(f, request);
	assert_true(loop_until(f, has_replies, 1));
	return f->reply.error;
}

static inline void assert_attribute(const struct fixture *f, const char *path, const char *text)
{
	char content[64];

	tree_read(&f->tree, path, content, sizeof(content));
	assert_string_equal(content, text);
}

static inline void start_worker(struct fixture *f)
{
	assert_int_equal(worker_new(f->base, "/proc/self/exe", f->tree.path, "/proc", &f->worker),
			 0);
	assert_true(worker_pid(f->worker) > 0);
}

/* memory9/state: what is written there waits until somebody reads it. */
static inline void make_blocking_attribute(struct fixture *f)
{
	static const char zeros[4096];

	tree_mkdir(&f->tree, TREE_MEMORY "/memory9");
	assert_int_equal(mkfifoat(f->tree.fd, BLOCK(9), 0600), 0);
	f->fifo_fd = openat(f->tree.fd, BLOCK(9), O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_true(f->fifo_fd >= 0);
	while (write(f->fifo_fd, zeros, sizeof(zeros)) > 0)
		;
	while (write(f->fifo_fd, zeros, 1) > 0)
		;
	assert_int_equal(errno, EAGAIN);
}

/* Sends the worker into a write that does not return. */
static inline void block_worker(struct fixture *f)
{
	struct worker_request r = request_watched(BLOCK(9), "offline", BLOCK(3), "");

	submit(f, &r);
	/* Asleep may also mean that it has not received it yet: give it time to. */
	(void)usleep(20000);
	assert_true(loop_until(f, is_asleep, worker_pid(f->worker)));
	assert_int_equal(f->n_replies, 0);
}

/* Untagged, over blocks 3 to 9. */
static inline void make_device(struct fixture *f)
{
	tree_write(&f->tree, DEVICE "/size", "939524096");
	tree_write(&f->tree, DEVICE "/uuid", "0");
	tree_write(&f->tree, DEVICE "/state", "unplugged");
	tree_write(&f->tree, DEVICE "/mapping0/start", "0x18000000");
	tree_write(&f->tree, DEVICE "/mapping0/end", "0x4fffffff");
	tree_link(&f->tree, "bus/dax/devices/dax0.1", "../../../" DEVICE);
}

static inline int worker_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	tree_init(&f->tree);
	tree_write(&f->tree, TREE_MEMORY "/block_size_bytes", "8000000");
	tree_write(&f->tree, BLOCK(3), "online");
	f->fifo_fd = -EBADF;
	make_blocking_attribute(f);
	make_device(f);
	f->base = event_base_new();
	assert_non_null(f->base);
	start_worker(f);
	*state = f;
	return 0;
}

static inline int worker_teardown(void **state)
{
	struct fixture *f = *state;
	int32_t pid = f->worker ? worker_pid(f->worker) : 0;

	worker_free(f->worker);
	if (pid > 0)
		assert_true(loop_until(f, is_gone, pid)); /* also: no zombie */
	worker_forget_all(f->base);
	event_base_free(f->base);
	(void)safe_close(f->fifo_fd);
	tree_done(&f->tree);
	free(f);
	return 0;
}

#define WORKER_TEST(f) cmocka_unit_test_setup_teardown(f, worker_setup, worker_teardown)
