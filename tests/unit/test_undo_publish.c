/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Journals made durable by a real worker process: what it does and in which order, what it refuses,
 * and that a disk which does not answer can be given up on. This program has an fsync() of its own,
 * which the worker, being the same program, uses too.
 */
#include <sys/syscall.h>

#include "undo/undo.h"

#include "undo_plan.h"
#include "worker_fixture.h"

#define ENV_HOW "DCDD_TEST_FSYNC"     /* "eio-file", "hang-dir", … */
#define ENV_LOG "DCDD_TEST_FSYNC_LOG" /* what was synced, and whether the journal was there yet */
#define ENV_JOURNAL "DCDD_TEST_JOURNAL"

static void log_sync(bool is_dir)
{
	const char *log = getenv(ENV_LOG), *journal = getenv(ENV_JOURNAL);
	char line[2] = { is_dir ? 'D' : 'F', journal && access(journal, F_OK) == 0 ? '+' : '-' };
	int fd = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -EBADF;

	if (fd < 0)
		return;
	if (write(fd, line, sizeof(line)) != (ssize_t)sizeof(line))
		abort();
	(void)close(fd);
}

int fsync(int fd)
{
	const char *how = getenv(ENV_HOW);
	struct stat st;
	bool this;

	if (fstat(fd, &st) < 0)
		return -1;
	log_sync(S_ISDIR(st.st_mode));
	this = how && streq(strchr(how, '-') + 1, S_ISDIR(st.st_mode) ? "dir" : "file");
	if (this && startswith(how, "eio")) {
		errno = EIO;
		return -1;
	}
	if (this && startswith(how, "swap")) {
		char draft[UNDO_PATH_MAX + 8];

		(void)snprintf(draft, sizeof(draft), "%.191s.new", getenv(ENV_JOURNAL));
		(void)unlink(draft);
		(void)close(open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	} else if (this) {
		return pause(); /* until a signal: EINTR */
	}
	return (int)syscall(SYS_fsync, fd);
}

/* ---- fixture: the worker's, a store, and a draft ---- */

struct publishing {
	struct fixture f;
	struct undo_store *store;
	struct release *release;
	char path[UNDO_PATH_MAX]; /* what is to be published */
	char draft[UNDO_PATH_MAX + 8];
	char log[128];
};

static void restart_worker(struct publishing *p, const char *how)
{
	worker_free(p->f.worker);
	p->f.worker = NULL;
	assert_int_equal(setenv(ENV_HOW, how, 1), 0);
	start_worker(&p->f);
	assert_int_equal(unsetenv(ENV_HOW), 0);
	(void)unlink(p->log);
}

static int publishing_setup(void **state)
{
	struct publishing *p = checked(calloc(1, sizeof(*p)));
	char dir[128];
	void *f;

	assert_int_equal(worker_setup(&f), 0);
	p->f = *(struct fixture *)f;
	free(f);
	(void)snprintf(dir, sizeof(dir), "%s/state", p->f.tree.path);
	(void)snprintf(p->log, sizeof(p->log), "%s/log", p->f.tree.path);
	assert_int_equal(undo_store_open(dir, "/proc", &p->store), 0);
	p->release = random_release(7);
	assert_int_equal(undo_draft(p->store, p->release, p->path), 0);
	(void)snprintf(p->draft, sizeof(p->draft), "%s.new", p->path);
	assert_int_equal(setenv(ENV_LOG, p->log, 1), 0);
	assert_int_equal(setenv(ENV_JOURNAL, p->path, 1), 0);
	restart_worker(p, "none-at-all");
	*state = p;
	return 0;
}

static int publishing_teardown(void **state)
{
	struct publishing *p = *state;
	struct fixture *f = checked(malloc(sizeof(*f)));
	void *own = f;

	undo_store_free(p->store);
	release_free(p->release);
	*f = p->f;
	free(p);
	return worker_teardown(&own);
}

#define PUBLISH_TEST(f) cmocka_unit_test_setup_teardown(f, publishing_setup, publishing_teardown)

static struct worker_request request_publish(const char *path)
{
	struct worker_request r = { .op = WORKER_PUBLISH };

	assert_int_equal(str_copy(r.path, sizeof(r.path), path), 0);
	return r;
}

static int do_publish(struct publishing *p, const char *path)
{
	struct worker_request r = request_publish(path);

	return do_request(&p->f, &r);
}

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void expect_log(struct publishing *p, const char *expected)
{
	char log[64] = "";

	if (exists(p->log))
		tree_read(&p->f.tree, "log", log, sizeof(log));
	assert_string_equal(log, expected);
}

static void check_found(const struct undo_found *found, void *userdata)
{
	const struct release *r = userdata;

	assert_non_null(found->record);
	assert_int_equal(found->record->n_steps, 1);
	assert_null(compare_plans(&r->plan, &found->record->plan));
}

/* ---- tests ---- */

/* The content, then the name, then the name's durability. */
static void test_publishes(void **state)
{
	struct worker_request r = request_write(BLOCK(3), "offline");
	const struct step step = { .kind = STEP_SAVE };
	struct publishing *p = *state;

	assert_int_equal(do_publish(p, p->path), 0);
	expect_log(p, "F-D+");
	assert_false(exists(p->draft));
	assert_string_equal(p->f.reply.message, "");
	assert_true(p->f.reply.elapsed < PATIENCE_SEC * USEC_PER_SEC);
	assert_int_equal(undo_append(p->store, p->release, UNDO_NOTE_STEP, &step,
				     worker_pid(p->f.worker), NULL),
			 0);
	assert_int_equal(undo_load(p->store, check_found, p->release), 0);

	/* Once is once; and over the one before. */
	assert_int_equal(do_publish(p, p->path), -ENOENT);
	assert_int_equal(undo_draft(p->store, p->release, p->path), 0);
	assert_int_equal(do_publish(p, p->path), 0);
	assert_false(exists(p->draft));
	/* And the worker still writes to sysfs. */
	assert_int_equal(do_request(&p->f, &r), 0);
}

static void test_refuses(void **state)
{
	static const char *const paths[] = {
		"",
		"x.undo",
		"state/x.undo",
		"/",
		"/.undo",
		"%s/state/.undo",
		"%s/state/x",
		"%s/state/x.undo.new",
		"%s/state/x.undo/",
		"%s/state/x.undo.bad",
		"%s/state/../state/x.undo",
		"%s/state/..undo/../x.undo",
		"%s/../x.undo",
		"%s/state/./x.undo",
		"%s/state//x.undo",
		"%s/state/x.undO",
		"%s/state/xundo",
	};
	struct publishing *p = *state;
	char path[WORKER_PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const char *rest = startswith(paths[i], "%s");

		(void)snprintf(path, sizeof(path), "%s%s", rest ? p->f.tree.path : "",
			       rest ? rest : paths[i]);
		/* There is what it could rename. */
		tree_write(&p->f.tree, "state/x.new", "");
		tree_write(&p->f.tree, "state/x.undo.new", "");
		tree_write(&p->f.tree, "state/.undo.new", "");
		if (do_publish(p, path) != -EPERM)
			fail_msg("published: \"%s\"", path);
		assert_non_null(strstr(p->f.reply.message, "never published"));
		assert_int_equal(p->f.reply.elapsed, 0);
	}
	expect_log(p, "");
	(void)snprintf(path, sizeof(path), "%s/state/x.undo", p->f.tree.path);
	assert_int_equal(do_publish(p, path), 0);
}

/* What is there instead of a draft. None of it hangs the worker, and none becomes a journal. */
static void test_odd_drafts(void **state)
{
	struct publishing *p = *state;
	char path[WORKER_PATH_MAX];

	assert_int_equal(unlink(p->draft), 0);
	assert_int_equal(do_publish(p, p->path), -ENOENT);
	assert_int_equal(symlink("/etc/hostname", p->draft), 0);
	assert_int_equal(do_publish(p, p->path), -ELOOP);
	assert_int_equal(unlink(p->draft), 0);
	assert_int_equal(mkfifo(p->draft, 0600), 0);
	assert_int_equal(do_publish(p, p->path), -EINVAL);
	assert_int_equal(unlink(p->draft), 0);
	assert_int_equal(mkdir(p->draft, 0700), 0);
	assert_int_equal(do_publish(p, p->path), -EINVAL);
	assert_int_equal(rmdir(p->draft), 0);
	assert_false(exists(p->path));
	expect_log(p, "");

	(void)snprintf(path, sizeof(path), "%s/none/x.undo", p->f.tree.path);
	assert_int_equal(do_publish(p, path), -ENOENT);
	/* A directory has the journal's name. */
	assert_int_equal(undo_draft(p->store, p->release, p->path), 0);
	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_int_equal(do_publish(p, p->path), -EISDIR);
	assert_true(exists(p->draft));
}

static void test_disk_errors(void **state)
{
	struct publishing *p = *state;

	restart_worker(p, "eio-file");
	assert_int_equal(do_publish(p, p->path), -EIO);
	expect_log(p, "F-"); /* what may not be on the disk does not get the name */
	assert_true(exists(p->draft) && !exists(p->path));
	restart_worker(p, "eio-dir");
	assert_int_equal(do_publish(p, p->path), -EIO);
	expect_log(p, "F-D+");
	assert_true(!exists(p->draft) && exists(p->path));
}

/* What has the draft's name by then is not what was made durable. */
static void test_replaced_meanwhile(void **state)
{
	struct publishing *p = *state;

	restart_worker(p, "swap-file");
	assert_int_equal(do_publish(p, p->path), -ESTALE);
	assert_true(exists(p->draft) && !exists(p->path));
}

/* Sends the worker into an fsync() that does not return, and waits until it is in it. */
static bool log_has(struct fixture *f, int size)
{
	struct stat st;

	return fstatat(f->tree.fd, "log", &st, 0) == 0 && st.st_size >= size;
}

static void test_cancel(void **state)
{
	static const struct {
		const char *how, *log;
	} cases[] = { { "hang-file", "F-" }, { "hang-dir", "F-D+" } };
	struct publishing *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct worker_request r = request_publish(p->path);

		restart_worker(p, cases[i].how);
		submit(&p->f, &r);
		assert_true(loop_until(&p->f, log_has, (int)strlen(cases[i].log)));
		(void)usleep(20000);
		(void)event_base_loop(p->f.base, EVLOOP_NONBLOCK);
		assert_int_equal(p->f.n_replies, 0);
		worker_cancel(p->f.worker);
		assert_true(loop_until(&p->f, has_replies, 1));
		assert_int_equal(p->f.reply.error, -EINTR);
		assert_true(p->f.reply.elapsed >= 10000);
		expect_log(p, cases[i].log);
		/* Also here nothing is lost: a request that comes next is not cancelled. */
		r = request_write(BLOCK(3), "offline");
		assert_int_equal(do_request(&p->f, &r), 0);
	}
	assert_true(exists(p->path));
}

/* Cancelled at any moment: an answer, and either the draft or the journal. */
static void test_cancel_at_any_moment(void **state)
{
	struct publishing *p = *state;

	for (unsigned i = 0; i < 200; i++) {
		struct worker_request r = request_publish(p->path);

		assert_int_equal(undo_draft(p->store, p->release, p->path), 0);
		submit(&p->f, &r);
		if (i % 3)
			(void)usleep(i % 50 * 5);
		worker_cancel(p->f.worker);
		assert_true(loop_until(&p->f, has_replies, 1));
		assert_true(p->f.reply.error == 0 || p->f.reply.error == -EINTR);
		assert_true(p->f.reply.error < 0 || !exists(p->draft));
		assert_true(exists(p->draft) || exists(p->path));
	}
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		PUBLISH_TEST(test_publishes),
		PUBLISH_TEST(test_refuses),
		PUBLISH_TEST(test_odd_drafts),
		PUBLISH_TEST(test_disk_errors),
		PUBLISH_TEST(test_replaced_meanwhile),
		PUBLISH_TEST(test_cancel),
		PUBLISH_TEST(test_cancel_at_any_moment),
	};

	if (argc == 4 && streq(argv[1], "--worker"))
		return worker_main(3, argv[2], argv[3]);
	return cmocka_run_group_tests_name("undo_publish", tests, NULL, NULL);
}
