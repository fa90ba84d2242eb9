/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the interposer and the model of the disk; see kill_selftest.h. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dcdd/base.h>

#include "kill_disk.h"
#include "kill_interpose.h"
#include "kill_selftest.h"

#define CHILD "--self-test-child"
#define PARENT "--self-test-parent"
#define WORKER "--worker" /* by which the interposer knows one */

struct selftest {
	char dir[64], state[80];
	char library[PATH_MAX], program[PATH_MAX];
	struct interpose_shared *shared;
	unsigned failed;
};

#define CHECK(t, condition)                                                                        \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("self-test: %s:%d: not so: %s\n", __FILE__, __LINE__, #condition);  \
			(t)->failed++;                                                             \
		}                                                                                  \
	} while (0)

/* ---- what the child does: the life of one file ---- */

static const enum interpose_kind life[] = {
	INTERPOSE_CREATE, INTERPOSE_WRITE,     INTERPOSE_FSYNC,
	INTERPOSE_RENAME, INTERPOSE_FSYNC_DIR, INTERPOSE_OPEN,
	INTERPOSE_WRITE,  INTERPOSE_UNLINK,    INTERPOSE_FSYNC_DIR,
};

/* How many states a power cut behind each of them can leave. */
static const size_t life_variants[] = {
	2, /* there, or not */
	5, /* not; there and empty, torn, zeroed, whole */
	2, /* not; there and whole */
	3, /* neither name, the old one, the new one */
	1, /* the new one */
	1, 4, 5, 1,
};

/* Exit status: 0, or errno of the first thing that failed. */
static int live(const char *dir)
{
	_cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -EBADF, more = -EBADF;
	ssize_t n;

	if (dir_fd < 0)
		return errno;
	fd = openat(dir_fd, "a.new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	n = write(fd, "hell", 4);
	if (n != 4)
		return n < 0 ? errno : 200;
	if (fsync(fd) < 0 || renameat(dir_fd, "a.new", dir_fd, "a") < 0 || fsync(dir_fd) < 0)
		return errno;
	more = openat(dir_fd, "a", O_WRONLY | O_APPEND | O_CLOEXEC);
	if (more < 0)
		return errno;
	if (write(more, "o, world", 8) != 8)
		return errno;
	if (unlinkat(dir_fd, "a", 0) < 0 || fsync(dir_fd) < 0)
		return errno;
	return 0;
}

_Noreturn static void exec_self(const struct selftest *t, const char *role)
{
	(void)setenv("LD_PRELOAD", t->library, 1);
	(void)execl(t->program, t->program, role, t->state, (char *)NULL);
	_exit(127);
}

/* A daemon whose worker does it all: is killed by it, or comes back with its status. */
static int have_it_lived(const char *program, const char *dir)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return errno;
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)execl(program, program, WORKER, dir, (char *)NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 201;
	return WEXITSTATUS(status);
}

/* ---- and what is seen of it ---- */

static int text_of(const struct selftest *t, const char *name, char ret[static 64])
{
	char path[160];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", t->state, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, ret, 63);
	(void)close(fd);
	ret[n < 0 ? 0 : n] = '\0';
	return 0;
}

static bool has(const struct selftest *t, const char *name, const char *text)
{
	char found[64];
	int r = text_of(t, name, found);

	return text ? r == 0 && streq(found, text) : r == -ENOENT;
}

static void empty(const struct selftest *t)
{
	static const char *const names[] = { "a", "a.new", "outside" };
	char path[160];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", t->state, names[i]);
		(void)unlink(path);
	}
}

/* Runs the child; its status as a shell has it. */
static int run(struct selftest *t, const char *role, enum interpose_action action, uint32_t at,
	       int error)
{
	int status;
	pid_t pid;

	empty(t);
	interpose_reset(t->shared, t->state);
	t->shared->action = action;
	t->shared->at = at;
	t->shared->error = error;
	t->shared->count = 1;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		exec_self(t, role);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void test_numbers(struct selftest *t, const char *role, bool by_worker)
{
	CHECK(t, run(t, role, INTERPOSE_NOTHING, 0, 0) == 0);
	CHECK(t, interpose_count(t->shared) == ARRAY_SIZE(life));
	CHECK(t, !interpose_overflow(t->shared));
	for (uint32_t i = 0; i < MIN(interpose_count(t->shared), ARRAY_SIZE(life)); i++) {
		const struct interpose_op *op = &t->shared->ops[i];

		CHECK(t, op->kind == life[i]);
		CHECK(t, op->done && op->error == 0 && op->by_worker == by_worker);
	}
}

static void test_kills(struct selftest *t, const char *role)
{
	CHECK(t, run(t, role, INTERPOSE_KILL_BEFORE, 1, 0) == 128 + SIGKILL);
	CHECK(t, has(t, "a.new", NULL));
	CHECK(t, run(t, role, INTERPOSE_KILL_MIDDLE, 2, 0) == 128 + SIGKILL);
	CHECK(t, has(t, "a.new", "he"));
	CHECK(t, run(t, role, INTERPOSE_KILL_BEFORE, 4, 0) == 128 + SIGKILL);
	CHECK(t, has(t, "a.new", "hell") && has(t, "a", NULL));
	CHECK(t, run(t, role, INTERPOSE_KILL_AFTER, 4, 0) == 128 + SIGKILL);
	CHECK(t, has(t, "a", "hell") && has(t, "a.new", NULL));
	CHECK(t, interpose_count(t->shared) == 4 && t->shared->dead);
	CHECK(t, run(t, role, INTERPOSE_KILL_BEFORE, 8, 0) == 128 + SIGKILL);
	CHECK(t, has(t, "a", "hello, world"));
}

static void test_errors(struct selftest *t)
{
	CHECK(t, run(t, CHILD, INTERPOSE_FAIL, 1, ENOSPC) == ENOSPC);
	CHECK(t, has(t, "a.new", NULL));
	CHECK(t, run(t, CHILD, INTERPOSE_FAIL, 2, ENOSPC) == ENOSPC);
	CHECK(t, has(t, "a.new", ""));
	CHECK(t, run(t, CHILD, INTERPOSE_SHORT, 2, 0) == 200);
	CHECK(t, has(t, "a.new", "he"));
	CHECK(t, run(t, CHILD, INTERPOSE_FAIL, 3, EIO) == EIO);
	CHECK(t, run(t, CHILD, INTERPOSE_FAIL, 5, EIO) == EIO);
	CHECK(t, has(t, "a", "hell"));
	CHECK(t, run(t, CHILD, INTERPOSE_FAIL, 8, EIO) == EIO);
	CHECK(t, t->shared->hits == 1 && has(t, "a", "hello, world"));
}

/* ---- the model of the disk ---- */

/* What it would be without a power cut is what it is; after each step as many ways as expected. */
static void test_model(struct selftest *t)
{
	for (uint32_t k = 1; k <= ARRAY_SIZE(life); k++) {
		struct disk_variant variants[DISK_VARIANTS_MAX];
		struct disk *disk = disk_new();
		size_t n;

		CHECK(t, run(t, CHILD, INTERPOSE_KILL_AFTER, k, 0) == 128 + SIGKILL);
		CHECK(t, interpose_count(t->shared) == k);
		for (uint32_t i = 0; i < k; i++)
			CHECK(t, disk_apply(disk, t->shared, &t->shared->ops[i]) == 0);
		CHECK(t, disk_compare(disk, t->state) == 0);
		n = disk_variants(disk, variants, DISK_VARIANTS_MAX);
		CHECK(t, n == life_variants[k - 1]);
		disk_free(disk);
	}
}

static bool has_variant(struct selftest *t, struct disk *disk, const char *name, const char *text)
{
	struct disk_variant variants[DISK_VARIANTS_MAX];
	size_t n = disk_variants(disk, variants, DISK_VARIANTS_MAX);

	for (size_t i = 0; i < n; i++) {
		CHECK(t, disk_restore(disk, &variants[i], t->state) == 0);
		if (has(t, name, text))
			return true;
	}
	return false;
}

/* Behind the append that no fsync followed; and behind the rename that none followed. */
static void test_cuts(struct selftest *t)
{
	struct disk *disk = disk_new();

	CHECK(t, run(t, CHILD, INTERPOSE_KILL_AFTER, 7, 0) == 128 + SIGKILL);
	for (uint32_t i = 0; i < 7; i++)
		CHECK(t, disk_apply(disk, t->shared, &t->shared->ops[i]) == 0);
	CHECK(t, has_variant(t, disk, "a", "hell"));
	CHECK(t, has_variant(t, disk, "a", "hello, w"));
	CHECK(t, has_variant(t, disk, "a", "hello, world"));
	CHECK(t, !has_variant(t, disk, "a", ""));
	CHECK(t, !has_variant(t, disk, "a", NULL));
	disk_free(disk);

	disk = disk_new();
	CHECK(t, run(t, CHILD, INTERPOSE_KILL_AFTER, 4, 0) == 128 + SIGKILL);
	for (uint32_t i = 0; i < 4; i++)
		CHECK(t, disk_apply(disk, t->shared, &t->shared->ops[i]) == 0);
	CHECK(t, has_variant(t, disk, "a", "hell"));
	CHECK(t, has_variant(t, disk, "a", NULL));
	CHECK(t, has_variant(t, disk, "a.new", "hell"));
	CHECK(t, !has_variant(t, disk, "a", ""));
	/* Something that nobody recorded is noticed. */
	CHECK(t, disk_restore(disk, &(struct disk_variant){ .names = 3, .data = DISK_KEPT },
			      t->state) == 0);
	CHECK(t, disk_compare(disk, t->state) == 0);
	empty(t);
	CHECK(t, disk_compare(disk, t->state) == -EUCLEAN);
	disk_free(disk);
}

/* ---- the frame ---- */

static bool set_up(struct selftest *t, const char *program)
{
	char path[PATH_MAX], *slash;
	int r;

	(void)str_copy(t->dir, sizeof(t->dir), "/tmp/dcdd-selftest-XXXXXX");
	if (!realpath(program, t->program) || !mkdtemp(t->dir))
		return false;
	(void)snprintf(t->state, sizeof(t->state), "%s/state", t->dir);
	/* Beside tests/matrix, where this program is. */
	(void)str_copy(path, sizeof(path), t->program);
	for (unsigned i = 0; i < 2 && (slash = strrchr(path, '/')); i++)
		*slash = '\0';
	(void)str_copy(path + strlen(path), sizeof(path) - strlen(path), "/libinterpose.so");
	if (!realpath(path, t->library) || mkdir(t->state, 0700) < 0)
		return false;
	(void)snprintf(path, sizeof(path), "%s/shared", t->dir);
	r = interpose_map(path, &t->shared);
	return r >= 0 && setenv(INTERPOSE_ENV, path, 1) == 0;
}

static void tear_down(struct selftest *t)
{
	char path[PATH_MAX];

	interpose_unmap(t->shared);
	(void)unsetenv(INTERPOSE_ENV);
	if (t->state[0]) {
		empty(t);
		(void)rmdir(t->state);
	}
	(void)snprintf(path, sizeof(path), "%s/shared", t->dir);
	(void)unlink(path);
	(void)rmdir(t->dir);
}

int selftest_run(const char *program)
{
	struct selftest t = { .failed = 0 };

	if (set_up(&t, program)) {
		test_numbers(&t, CHILD, false);
		test_numbers(&t, PARENT, true);
		test_kills(&t, CHILD);
		test_kills(&t, PARENT);
		test_errors(&t);
		test_model(&t);
		test_cuts(&t);
	} else {
		printf("self-test: cannot set up: %m\n");
		t.failed++;
	}
	tear_down(&t);
	return t.failed > 0;
}

bool selftest_wanted(int argc, char **argv)
{
	static const char *const roles[] = { "--self-test", CHILD, PARENT, WORKER };

	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(roles); i++)
		if (streq(argv[1], roles[i]))
			return true;
	return false;
}

int selftest_main(int argc, char **argv)
{
	int r;

	if (argc == 3 && (streq(argv[1], CHILD) || streq(argv[1], WORKER)))
		return live(argv[2]);
	if (argc == 3 && streq(argv[1], PARENT))
		return have_it_lived(argv[0], argv[2]);
	r = selftest_run(argv[0]);
	printf("self-test: %s\n", r == 0 ? "ok" : "failed");
	return r;
}
