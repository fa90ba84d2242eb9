/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that have a file open or mapped until they are ended. */
#pragma once

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tree.h"

static inline void say_ready(int fd)
{
	if (write(fd, "", 1) != 1)
		_exit(1);
}

/* A process that runs @hold, says that it is ready, and waits to be ended. */
static inline pid_t start_holder(void (*hold)(const char *path), const char *path)
{
	int ready[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)prctl(PR_SET_NAME, "dax holder");
		hold(path);
		say_ready(ready[1]);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return child;
}

static inline void end_holder(pid_t child)
{
	(void)kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static inline void hold_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		_exit(1);
	/* Left open: that is what it is for. */
}

static inline void hold_mapped(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	void *memory;

	if (fd < 0 || ftruncate(fd, 8192) < 0)
		_exit(1);
	memory = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		_exit(1);
	(void)close(fd);
}

static inline void hold_both(const char *path)
{
	hold_mapped(path);
	hold_open(path);
	hold_open(path);
}
