/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers what the daemon and its workers do to sysfs and to the state directory, writes it down in
 * the shared file, and kills the daemon or fails the operation where the test wants it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record.h"

#define SYSFS "/sys/"
/* Below it, and not about the devices: tracefs; and what libcxl writes before each scan. */
#define TRACEFS "/sys/kernel/tracing/"
#define CXL_FLUSH "/sys/bus/cxl/flush"

static struct interpose_shared *shared;
static bool is_worker;

/* open() and its like are this library's own in here. */
__attribute__((constructor)) static void attach(int argc, char **argv, char **envp)
{
	const char *path = secure_getenv(INTERPOSE_ENV);
	void *map;
	int fd;

	(void)envp;
	if (!path)
		return;
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (map == MAP_FAILED)
		return;
	if (((struct interpose_shared *)map)->magic != INTERPOSE_MAGIC) {
		(void)munmap(map, sizeof(*shared));
		return;
	}
	is_worker = argc >= 2 && strcmp(argv[1], "--worker") == 0;
	shared = map;
	if (!is_worker)
		shared->daemon = getpid();
}

static bool begins_with(const char *path, const char *prefix)
{
	return strncmp(path, prefix, strlen(prefix)) == 0;
}

static enum place place_of(const char *path)
{
	size_t n = strlen(shared->state_dir);

	if (begins_with(path, SYSFS))
		return begins_with(path, TRACEFS) || strcmp(path, CXL_FLUSH) == 0 ? PLACE_ELSEWHERE
										  : PLACE_SYSFS;
	if (n == 0 || strncmp(path, shared->state_dir, n) != 0)
		return PLACE_ELSEWHERE;
	if (path[n] == '\0')
		return PLACE_STATE_DIR;
	return path[n] == '/' ? PLACE_STATE_FILE : PLACE_ELSEWHERE;
}

/* The file's path, "" if it has none. A path too long for @ret is none of ours. */
static void fd_path(int fd, char ret[static INTERPOSE_PATH_MAX])
{
	char link[64];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret, INTERPOSE_PATH_MAX - 1);
	ret[n < 0 ? 0 : n] = '\0';
}

enum place place_of_fd(int fd, char ret[static INTERPOSE_PATH_MAX])
{
	int saved = errno;

	ret[0] = '\0';
	if (!shared)
		return PLACE_ELSEWHERE;
	fd_path(fd, ret);
	errno = saved;
	return place_of(ret);
}

enum place place_of_path(int dir_fd, const char *path, char ret[static INTERPOSE_PATH_MAX])
{
	char dir[INTERPOSE_PATH_MAX] = "", cwd[PATH_MAX];
	int saved = errno, n;

	ret[0] = '\0';
	if (!shared || !path)
		return PLACE_ELSEWHERE;
	if (path[0] != '/') {
		if (dir_fd != AT_FDCWD)
			fd_path(dir_fd, dir);
		else if (getcwd(cwd, sizeof(cwd)) && strlen(cwd) < sizeof(dir))
			memcpy(dir, cwd, strlen(cwd) + 1);
	}
	if (path[0] == '/')
		n = snprintf(ret, INTERPOSE_PATH_MAX, "%s", path);
	else
		n = snprintf(ret, INTERPOSE_PATH_MAX, "%s/%s", dir, path);
	errno = saved;
	return n < INTERPOSE_PATH_MAX ? place_of(ret) : PLACE_ELSEWHERE;
}

/*
 * The daemon dies here and now, whichever process this is; a worker of it then dies of its
 * parent-death signal, and must not do anything more until that comes.
 */
_Noreturn static void die(void)
{
	shared->dead = true;
	(void)kill(is_worker ? shared->daemon : getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

static bool is_hit(enum interpose_kind kind, uint32_t number)
{
	if (shared->action == INTERPOSE_NOTHING || number < shared->at)
		return false;
	if (shared->action != INTERPOSE_FAIL)
		return number == shared->at;
	if (!(shared->kinds & 1u << kind))
		return false;
	return shared->count == 0 || shared->hits < shared->count;
}

struct record record_begin(enum interpose_kind kind, const char *path, const char *to)
{
	struct record record = { .action = INTERPOSE_NOTHING };
	uint32_t number;

	if (shared->dead)
		die();
	number = ++shared->n;
	if (number <= INTERPOSE_OPS_MAX) {
		record.op = &shared->ops[number - 1];
		*record.op = (struct interpose_op){ .kind = kind, .by_worker = is_worker };
		(void)snprintf(record.op->path, sizeof(record.op->path), "%s", path);
		(void)snprintf(record.op->to, sizeof(record.op->to), "%s", to ? to : "");
	}
	if (!is_hit(kind, number))
		return record;

	shared->hits++;
	record.action = shared->action;
	record.error = shared->error;
	if (record.action == INTERPOSE_KILL_BEFORE ||
	    (record.action == INTERPOSE_KILL_MIDDLE && kind != INTERPOSE_WRITE))
		die();
	if (record.action == INTERPOSE_SHORT && kind != INTERPOSE_WRITE)
		record.action = INTERPOSE_NOTHING;
	if (record.action == INTERPOSE_FAIL) {
		if (record.op) {
			record.op->error = -record.error;
			record.op->done = true;
		}
		errno = record.error;
	}
	return record;
}

void record_end(struct record *record, bool failed)
{
	if (record->op) {
		record->op->error = failed ? -errno : 0;
		record->op->done = true;
	}
	if (record->action == INTERPOSE_KILL_AFTER || record->action == INTERPOSE_KILL_MIDDLE)
		die();
}

void record_data(struct record *record, const void *data, size_t size)
{
	uint32_t at;

	if (!record->op)
		return;
	record->op->size = (uint32_t)size;
	at = atomic_fetch_add(&shared->data_used, (uint32_t)size);
	record->op->data = at;
	if (at + size <= INTERPOSE_DATA_MAX)
		memcpy(shared->data + at, data, size);
}
