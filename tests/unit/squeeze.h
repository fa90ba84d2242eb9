/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real memory pressure in a cgroup of our own: a process in it reads a file that is larger than the
 * memory it may use, over and over. Needs root, a unified hierarchy that can be written to, and
 * a limit there or in the old hierarchy's memory controller.
 */
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "tree.h"

#define SQUEEZE_LIMIT "8388608"
#define SQUEEZE_FILE (64 * MiB)

struct squeeze {
	char unified[128]; /* cgroup directory, "" if there is none */
	char old[128];	   /* of the old memory controller, "" if not needed or not there */
	char pressure[160];
	pid_t child;
};

static inline int squeeze_write(const char *dir, const char *name, const char *text)
{
	char path[192];
	int fd, r = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	(void)close(fd);
	return r;
}

/* A cgroup with PSI. False if there can be none. */
static inline bool squeeze_init(struct squeeze *ret)
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	*ret = (struct squeeze){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "%s/cgroup.controllers", roots[i]);
		if (access(path, F_OK) < 0)
			continue;
		(void)snprintf(ret->unified, sizeof(ret->unified), "%s/dcdd-test-%d", roots[i],
			       (int)getpid());
		if (mkdir(ret->unified, 0755) < 0)
			break;
		(void)snprintf(ret->pressure, sizeof(ret->pressure), "%s/memory.pressure",
			       ret->unified);
		if (access(ret->pressure, F_OK) == 0)
			return true;
		(void)rmdir(ret->unified);
		break;
	}
	ret->unified[0] = '\0';
	return false;
}

static inline bool squeeze_limit(struct squeeze *squeeze)
{
	if (squeeze_write(squeeze->unified, "memory.max", SQUEEZE_LIMIT) == 0)
		return true;
	(void)snprintf(squeeze->old, sizeof(squeeze->old), "/sys/fs/cgroup/memory/dcdd-test-%d",
		       (int)getpid());
	if (mkdir(squeeze->old, 0755) == 0) {
		if (squeeze_write(squeeze->old, "memory.limit_in_bytes", SQUEEZE_LIMIT) == 0)
			return true;
		(void)rmdir(squeeze->old);
	}
	squeeze->old[0] = '\0';
	return false;
}

/* Inside: a file whose pages must come from a disk again each time. */
static inline void squeeze_child(const struct squeeze *squeeze, int ready)
{
	static char buf[MiB];
	int fd;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (squeeze_write(squeeze->unified, "cgroup.procs", "0") < 0 ||
	    (*squeeze->old && squeeze_write(squeeze->old, "cgroup.procs", "0") < 0))
		_exit(1);
	fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		_exit(1);
	for (uint64_t n = 0; n < SQUEEZE_FILE; n += sizeof(buf))
		if (write(fd, buf, sizeof(buf)) != (ssize_t)sizeof(buf))
			_exit(1);
	if (fsync(fd) < 0 || write(ready, "", 1) != 1)
		_exit(1);
	for (;;) {
		ssize_t n;

		(void)lseek(fd, 0, SEEK_SET);
		do
			n = read(fd, buf, sizeof(buf));
		while (n > 0);
		if (n < 0)
			_exit(1);
	}
}

/* Begins with it. False if that is not possible here. */
static inline bool squeeze_begin(struct squeeze *squeeze)
{
	struct statfs fs;
	int ready[2];
	char byte;
	bool good;

	if (statfs("/var/tmp", &fs) < 0 || fs.f_type == 0x01021994 /* tmpfs */)
		return false;
	if (!*squeeze->old && !squeeze_limit(squeeze))
		return false;
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	squeeze->child = fork();
	assert_true(squeeze->child >= 0);
	if (squeeze->child == 0)
		squeeze_child(squeeze, ready[1]);
	(void)close(ready[1]);
	good = read(ready[0], &byte, 1) == 1;
	(void)close(ready[0]);
	return good;
}

static inline void squeeze_end(struct squeeze *squeeze)
{
	if (squeeze->child <= 0)
		return;
	(void)kill(squeeze->child, SIGKILL);
	assert_int_equal(waitpid(squeeze->child, NULL, 0), squeeze->child);
	squeeze->child = 0;
}

static inline void squeeze_done(struct squeeze *squeeze)
{
	squeeze_end(squeeze);
	if (*squeeze->old)
		(void)rmdir(squeeze->old);
	if (*squeeze->unified)
		(void)rmdir(squeeze->unified);
	*squeeze->old = *squeeze->unified = '\0';
}
