/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process that an undo journal names: whether it is still there, and is still that one. */
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "undo_fixture.h"

static void keep_record(const struct undo_found *found, void *userdata)
{
	struct undo_record *record = userdata;

	*record = *found->record;
	memset(&found->record->plan, 0, sizeof(found->record->plan));
}

static void test_worker(void **state)
{
	struct state_dir *s = *state;
	struct undo_record record;
	int fd = -EBADF;
	pid_t child;

	fd = pidfd_open(getpid(), 0);
	if (fd < 0) {
		print_message("skipped: pidfd_open: %s\n", strerror(errno)); /* under valgrind */
		skip();
	}
	(void)close(fd);
	fd = -EBADF;
	(void)str_copy(s->proc, sizeof(s->proc), "/proc");
	open_store(s);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also if the test fails */
		(void)pause();
		_exit(0);
	}
	make_draft(s);
	publish_draft(s);
	assert_int_equal(note_step(s, child), 0);
	assert_int_equal(undo_load(s->store, keep_record, &record), 0);
	assert_int_equal(record.worker, child);
	assert_true(record.worker_started > 0);
	assert_int_equal(undo_worker_lives(&record, "/proc", &fd), 1);
	assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	(void)close(fd);
	fd = -EBADF;

	/* Another process with that pid is not it. */
	record.worker_started++;
	assert_int_equal(undo_worker_lives(&record, "/proc", &fd), 0);
	record.worker_started--;
	/* Ended, but not waited for: it does nothing any more. */
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)child, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	assert_int_equal(undo_worker_lives(&record, "/proc", &fd), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(undo_worker_lives(&record, "/proc", &fd), 0);
	record.worker = 0;
	assert_int_equal(undo_worker_lives(&record, "/proc", &fd), 0);
	record.worker = getpid();
	assert_true(undo_worker_lives(&record, "/nonexistent", &fd) < 0);
	assert_int_equal(fd, -EBADF);
	plan_done(&record.plan);

	/* One that is gone when its step is noted is none to wait for. */
	assert_int_equal(note_step(s, child), 0);
	assert_int_equal(undo_load(s->store, keep_record, &record), 0);
	assert_int_equal(record.n_steps, 2);
	assert_int_equal(record.worker, 0);
	plan_done(&record.plan);
}

/* What stat says, whatever the process calls itself. */
static void test_process_started(void **state)
{
	static const char behind[] = "1 1 1 0 -1 4194560 5 0 0 0 1 2 0 0 20 0 1 0 987654 44 55";
	static const struct {
		const char *start;
		int r;
	} cases[] = {
		{ "7 (dcdd-worker) S ", 0 }, { "7 (a) Z 1 (b) S ) D ", 0 },
		{ "7 (dcdd) Z ", -ESRCH },   { "7 (dcdd) X ", -ESRCH },
		{ "7 (dcdd)", -EBADMSG },    { "", -EBADMSG },
	};
	struct state_dir *s = *state;
	uint64_t started;
	char line[256];

	assert_int_equal(undo_process_started(s->proc, 7, &started), -ESRCH);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		(void)snprintf(line, sizeof(line), "%s%s", cases[i].start,
			       strchr(cases[i].start, ' ') ? behind : "");
		tree_write(&s->tree, "proc/7/stat", line);
		started = 0;
		assert_int_equal(undo_process_started(s->proc, 7, &started), cases[i].r);
		assert_int_equal(started, cases[i].r ? 0 : 987654);
	}
	tree_write(&s->tree, "proc/7/stat", "7 (dcdd) S 1 2 3");
	assert_int_equal(undo_process_started(s->proc, 7, &started), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STATE_TEST(test_worker),
		STATE_TEST(test_process_started),
	};

	return cmocka_run_group_tests_name("undo_process", tests, NULL, NULL);
}
