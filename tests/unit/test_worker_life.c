/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker's life and death: cancelled in a write that blocks, killed, let go of, orphaned; what
 * it inherits, and that nothing of it is left behind.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "worker_fixture.h"

/* ---- cancelling ---- */

static void test_cancel(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_watched(BLOCK(3), "offline", BLOCK(3), "");

	block_worker(f);
	worker_cancel(f->worker);
	assert_true(loop_until(f, has_replies, 1));
	assert_int_equal(f->reply.error, -EINTR);
	assert_string_equal(f->reply.before, "online");
	assert_string_equal(f->reply.after,
			    "online"); /* read after the signal, not cut off by it */

	assert_int_equal(do_request(f, &r), 0);
	assert_string_equal(f->reply.after, "offline");
}

/* A signal that comes before the write has begun is lost; the next one, 100 ms later, is not. */
static void test_cancel_repeats(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_write(BLOCK(9), "offline");

	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(kill(worker_pid(f->worker), SIGSTOP), 0);
		submit(f, &r);
		worker_cancel(f->worker);
		worker_cancel(f->worker);
		assert_int_equal(kill(worker_pid(f->worker), SIGCONT), 0);
		assert_true(loop_until(f, has_replies, 1));
		assert_int_equal(f->reply.error, -EINTR);
	}
}

/* Cancellations at every moment, also too late, and no request that was not cancelled suffers. */
static void test_late_cancel_harms_nobody(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_watched(BLOCK(3), "offline", BLOCK(3), "");

	for (unsigned i = 0; i < 500; i++) {
		submit(f, &r);
		if (i % 3)
			(void)usleep(i % 50 * 5);
		worker_cancel(f->worker);
		assert_true(loop_until(f, has_replies, 1));
		assert_true(f->reply.error == 0 || f->reply.error == -EINTR);
		worker_cancel(f->worker); /* idle: nothing */

		/* As late as it gets: pending when the next request is received. */
		assert_int_equal(kill(worker_pid(f->worker), WORKER_CANCEL_SIGNAL), 0);
		assert_int_equal(do_request(f, &r), 0);
		assert_string_equal(f->reply.after, "offline");
	}
}

/* ^C at a terminal and a service manager's SIGTERM reach the whole group. */
static void test_ignores_stop_signals(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	struct fixture *f = *state;
	struct worker_request r = request_write(BLOCK(3), "offline");

	assert_int_equal(do_request(f, &r), 0); /* it is up */
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		assert_int_equal(kill(worker_pid(f->worker), signals[i]), 0);
	assert_int_equal(do_request(f, &r), 0);
	block_worker(f);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		assert_int_equal(kill(worker_pid(f->worker), signals[i]), 0);
	(void)usleep(50000);
	(void)event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_int_equal(f->n_replies, 0);
	assert_int_equal(process_state(worker_pid(f->worker)), 'S');
}

/* ---- ends ---- */

static void test_killed_while_busy(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_write(BLOCK(3), "offline");

	block_worker(f);
	assert_int_equal(kill(worker_pid(f->worker), SIGKILL), 0);
	assert_true(loop_until(f, has_replies, 1));
	assert_int_equal(f->reply.error, -EPIPE);
	assert_false(worker_is_busy(f->worker));
	assert_true(loop_until(f, is_gone, worker_pid(f->worker)));

	/* Dead is dead; nothing is sent to a process that got the pid since. */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(do_request(f, &r), -EPIPE);
		worker_cancel(f->worker);
	}
}

static void test_killed_while_idle(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_write(BLOCK(3), "offline");

	assert_int_equal(do_request(f, &r), 0);
	f->n_replies = 0;
	assert_int_equal(kill(worker_pid(f->worker), SIGKILL), 0);
	assert_true(loop_until(f, is_gone, worker_pid(f->worker)));
	assert_int_equal(f->n_replies, 0);
	assert_int_equal(do_request(f, &r), -EPIPE);
	assert_attribute(f, BLOCK(3), "offline");
}

static void test_free_while_blocked(void **state)
{
	struct fixture *f = *state;
	int32_t pid = worker_pid(f->worker);
	usec_t begin;

	block_worker(f);
	begin = now_usec(CLOCK_MONOTONIC);
	worker_free(f->worker);
	/* What is meant is "never". */
	assert_true(now_usec(CLOCK_MONOTONIC) - begin < 10 * USEC_PER_SEC);
	f->worker = NULL;
	assert_true(loop_until(f, is_gone, pid));
	assert_int_equal(f->n_replies, 0); /* no callback for it */
	/* Reaped, so there is nothing to wait for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* A stopped process shows what a stuck one does: it does not end, and nobody waits for it. */
static void test_forget_all(void **state)
{
	struct fixture *f = *state;
	int32_t pid = worker_pid(f->worker);
	int fds = count_fds(getpid());

	block_worker(f);
	worker_free(f->worker);
	f->worker = NULL;
	worker_forget_all(f->base);
	assert_int_equal(event_base_get_num_events(f->base, EVENT_BASE_COUNT_ADDED), 0);
	assert_int_equal(count_fds(getpid()), fds - 2); /* socket and pidfd */
	(void)waitpid(pid, NULL, 0);			/* killed; reaped by then or now */
	assert_int_equal(process_state(pid), 0);
}

/* Neither order of freeing leaves anything behind. */
static void test_forget_before_free(void **state)
{
	struct fixture *f = *state;
	int32_t pid = worker_pid(f->worker);

	worker_forget_all(f->base);
	(void)waitpid(pid, NULL, 0);
	assert_true(loop_until(f, is_gone, pid));
	worker_cancel(f->worker);
	worker_free(f->worker);
	f->worker = NULL;
}

static void test_exe_missing(void **state)
{
	struct fixture *f = *state;
	struct worker *w = NULL;
	int fds = count_fds(getpid());

	assert_int_equal(worker_new(f->base, "/nonexistent", f->tree.path, "/proc", &w), -ENOENT);
	assert_null(w);
	assert_int_equal(count_fds(getpid()), fds);
}

/* The worker cannot start: no such sysfs. It ends, and the request says so. */
static void test_root_missing(void **state)
{
	struct fixture *f = *state;
	struct worker *w = f->worker;
	struct worker_request r = request_write(BLOCK(3), "offline");
	int32_t pid;

	f->worker = NULL;
	assert_int_equal(worker_new(f->base, "/proc/self/exe", "/nonexistent", "/proc", &f->worker),
			 0);
	pid = worker_pid(f->worker);
	assert_int_equal(do_request(f, &r), -EPIPE);
	worker_free(f->worker);
	f->worker = w;
	assert_true(loop_until(f, is_gone, pid));
}

/* A daemon that dies, and its worker: idle, or blocked in a write. */
static void parent_dies(struct fixture *f, bool blocked)
{
	int32_t pid = 0;
	int pipe_fd[2];
	pid_t daemon;

	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	/* So that we can see the orphan end, whoever would be its new parent. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	daemon = fork();
	assert_true(daemon >= 0);
	if (daemon == 0) {
		struct fixture own = { .tree = f->tree, .base = event_base_new() };

		start_worker(&own);
		if (blocked) {
			block_worker(&own);
		} else {
			struct worker_request r = request_write(BLOCK(3), "offline");

			assert_int_equal(do_request(&own, &r), 0);
		}
		pid = worker_pid(own.worker);
		if (write(pipe_fd[1], &pid, sizeof(pid)) == sizeof(pid))
			(void)raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(read(pipe_fd[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	assert_int_equal(waitpid(pid, NULL, 0), pid); /* does not return while it lives */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	(void)close(pipe_fd[0]);
	(void)close(pipe_fd[1]);
}

static void test_ends_with_parent(void **state)
{
	struct fixture *f = *state;

	(void)alarm(PATIENCE_SEC);
	parent_dies(f, false);
	parent_dies(f, true);
	(void)alarm(0);
}

/* What the daemon has open, blocked or ignored is no business of the worker. */
static void test_inherits_nothing(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_write(BLOCK(3), "offline");
	char path[64], line[256], name[32] = "";
	int extra = fcntl(STDERR_FILENO, F_DUPFD, 100); /* not close-on-exec */
	unsigned long long blocked = 0, caught = 0;
	sigset_t all, old;
	FILE *status;

	assert_true(extra >= 100);
	worker_free(f->worker);
	(void)sigfillset(&all);
	assert_int_equal(sigprocmask(SIG_SETMASK, &all, &old), 0);
	start_worker(f);
	assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
	assert_int_equal(do_request(f, &r), 0);
	/* stdio, socket, sysfs root, and the two dots. */
	assert_int_equal(count_fds(worker_pid(f->worker)), 3 + 1 + 1 + 2);

	(void)snprintf(path, sizeof(path), "/proc/%d/status", worker_pid(f->worker));
	status = fopen(path, "re");
	assert_non_null(status);
	while (fgets(line, sizeof(line), status)) {
		(void)sscanf(line, "Name: %31s", name);
		(void)sscanf(line, "SigBlk: %llx", &blocked);
		(void)sscanf(line, "SigCgt: %llx", &caught);
	}
	(void)fclose(status);
	(void)close(extra);
	assert_string_equal(name, "dcdd-worker");
	assert_int_equal(blocked, 1ULL << (WORKER_CANCEL_SIGNAL - 1));
	assert_true(caught & 1ULL << (WORKER_CANCEL_SIGNAL - 1));
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		WORKER_TEST(test_cancel),
		WORKER_TEST(test_cancel_repeats),
		WORKER_TEST(test_late_cancel_harms_nobody),
		WORKER_TEST(test_ignores_stop_signals),
		WORKER_TEST(test_killed_while_busy),
		WORKER_TEST(test_killed_while_idle),
		WORKER_TEST(test_free_while_blocked),
		WORKER_TEST(test_forget_all),
		WORKER_TEST(test_forget_before_free),
		WORKER_TEST(test_exe_missing),
		WORKER_TEST(test_root_missing),
		WORKER_TEST(test_ends_with_parent),
		WORKER_TEST(test_inherits_nothing),
	};

	if (argc == 4 && streq(argv[1], "--worker"))
		return worker_main(3, argv[2], argv[3]);
	return cmocka_run_group_tests_name("worker_life", tests, NULL, NULL);
}
