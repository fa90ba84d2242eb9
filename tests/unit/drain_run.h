/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real processes to be watched and ended, and a /proc of our own that says of them what the real
 * one says, but for their cgroups.
 */
#pragma once

#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "watch_run.h"

#include "util/process.h"
#include "watch/drain.h"

#define QUIET (50 * USEC_PER_MSEC)
#define GRACE (100 * USEC_PER_MSEC)
#define SIGNALS_MAX 16

struct run {
	struct event_base *base;
	struct drain *drain;
	struct tree proc;
	unsigned ended, due, signalled;
	int32_t last_ended, last_due;
	struct {
		int32_t pid;
		int signal, error;
	} signals[SIGNALS_MAX];
	bool free_within;
};

static inline void drop(struct run *run)
{
	drain_free(run->drain);
	run->drain = NULL;
}

static inline void on_ended(const struct holder *holder, void *userdata)
{
	struct run *run = userdata;

	run->ended++;
	run->last_ended = holder->pid;
	if (run->free_within)
		drop(run);
}

static inline void on_due(const struct holder *holder, void *userdata)
{
	struct run *run = userdata;

	run->due++;
	run->last_due = holder->pid;
	if (run->free_within)
		drop(run);
}

static inline void on_signalled(const struct holder *holder, int signal, int error, void *userdata)
{
	struct run *run = userdata;

	assert_true(run->signalled < SIGNALS_MAX);
	run->signals[run->signalled].pid = holder->pid;
	run->signals[run->signalled].signal = signal;
	run->signals[run->signalled++].error = error;
	if (run->free_within)
		drop(run);
}

static const struct drain_ops ops = {
	.ended = on_ended,
	.due = on_due,
	.signalled = on_signalled,
};

static inline int setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	*state = run;
	tree_init(&run->proc);
	run->base = event_base_new();
	assert_non_null(run->base);
	assert_int_equal(drain_new(run->base, run->proc.path, &ops, run, &run->drain), 0);
	return 0;
}

static inline int teardown(void **state)
{
	struct run *run = *state;

	drain_free(run->drain);
	event_base_free(run->base);
	tree_done(&run->proc);
	free(run);
	return 0;
}

static inline void assert_signal(const struct run *run, unsigned i, int32_t pid, int signal,
				 int error)
{
	assert_true(i < run->signalled);
	assert_int_equal(run->signals[i].pid, pid);
	assert_int_equal(run->signals[i].signal, signal);
	assert_int_equal(run->signals[i].error, error);
}

/* Nothing is told. */
static inline void assert_quiet(struct run *run, usec_t usec)
{
	unsigned ended = run->ended, due = run->due, signalled = run->signalled;

	loop_for(run->base, usec);
	assert_int_equal(run->ended, ended);
	assert_int_equal(run->due, due);
	assert_int_equal(run->signalled, signalled);
}

/* ---- processes ---- */

enum temper {
	OBEYS,	  /* SIGTERM ends it */
	STUBBORN, /* it does not */
	COUNTS,	  /* nor here, but a byte is written for each */
};

struct process {
	pid_t child; /* ours: it, or its parent */
	int out;     /* what it writes */
	struct holder holder;
};

static int out_fd; /* of the process that handles the signal */

static inline void on_term(int signal)
{
	(void)signal;
	if (write(out_fd, "T", 1) < 0)
		_exit(1);
}

static inline void be_process(enum temper temper, int out)
{
	int32_t pid = getpid();

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	out_fd = out;
	if (temper == STUBBORN)
		(void)signal(SIGTERM, SIG_IGN);
	if (temper == COUNTS)
		(void)signal(SIGTERM, on_term);
	if (write(out, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	for (;;)
		(void)pause();
}

/* The cgroup that our /proc has for @pid from now on. */
static inline void put_in_cgroup(const struct run *run, int32_t pid, const char *cgroup)
{
	char path[32], text[256];

	(void)snprintf(path, sizeof(path), "%d/cgroup", (int)pid);
	(void)snprintf(text, sizeof(text), "1:name=systemd:/a.service\n0::%s\n", cgroup);
	tree_write(&run->proc, path, text);
}

/* What is known of @pid: and our /proc says the same. */
static inline void find_process(const struct run *run, int32_t pid, const char *cgroup,
				struct holder *ret)
{
	char path[32], target[32];
	int fd;

	*ret = (struct holder){ .pid = pid, .open = true, .unit = "of-no-meaning.service" };
	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(process_start(fd, &ret->start), 0);
	(void)close(fd);

	put_in_cgroup(run, pid, cgroup);
	(void)snprintf(path, sizeof(path), "%d/stat", (int)pid);
	(void)snprintf(target, sizeof(target), "/proc/%d/stat", (int)pid);
	tree_link(&run->proc, path, target);
}

static inline struct process start_any(const struct run *run, bool child, enum temper temper,
				       const char *cgroup)
{
	struct process process = { 0 };
	int out[2];
	int32_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	process.child = fork();
	assert_true(process.child >= 0);
	if (process.child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (child || fork() == 0)
			be_process(temper, out[1]);
		(void)wait(NULL);
		_exit(0);
	}
	(void)close(out[1]);
	process.out = out[0];
	assert_int_equal(read(out[0], &pid, sizeof(pid)), sizeof(pid));
	find_process(run, pid, cgroup, &process.holder);
	return process;
}

/* In "/system.slice/victim.service", and nobody's child of ours. */
static inline struct process start(const struct run *run, enum temper temper)
{
	return start_any(run, false, temper, "/system.slice/victim.service");
}

static inline bool lives(const struct process *process)
{
	return kill(process->holder.pid, 0) == 0;
}

static inline void end(const struct process *process)
{
	(void)kill(process->holder.pid, SIGKILL);
	assert_int_equal(waitpid(process->child, NULL, 0), process->child);
	(void)close(process->out);
}

/* The same for one that has ended. */
static inline void reap(const struct process *process)
{
	assert_int_equal(waitpid(process->child, NULL, 0), process->child);
	assert_false(lives(process));
	(void)close(process->out);
}

static inline struct release_settings terminate(const char *units)
{
	struct release_settings settings = {
		.holders = HOLDERS_TERMINATE,
		.terminate_grace = GRACE,
	};

	assert_int_equal(
		str_copy(settings.terminate_units, sizeof(settings.terminate_units), units), 0);
	return settings;
}
