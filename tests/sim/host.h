/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The namespaces of the simulated host, its /dev, and the command that runs in it.
 */
#pragma once

#include <sys/types.h>

#include <dcdd/base.h>

struct host {
	char dir[32];	/* /run/dcdsim: holds the mount points and, by default, the socket */
	char sys[64];	/* where the FUSE tree is mounted on our side */
	char dev[64];	/* where the private /dev is, on our side */
	char trace[64]; /* the tracefs directory, on our side */
	char psi[64];	/* the file for /proc/pressure/memory, on our side; "": there is none */
	int channel;	/* to the child until it runs the command */
	pid_t pid;	/* the child, later the command */
	int uevents;	/* uevent_send() socket in the child's network namespace */
};

/*
 * Gives the caller a private mount namespace, makes the directories, mounts the private /dev and
 * finds tracefs. Must be called before any thread exists, as host_fork(). 0 or negative errno; the
 * functions here print what failed.
 */
int host_prepare(struct host *host);

/* Forks the child that will be the command; it waits for host_enter(). */
int host_fork(struct host *host, const char *control, char **argv);

/* The tree is mounted and served: lets the child enter its namespaces. Fills host->uevents. */
int host_enter(struct host *host);

/* Lets the child run the command. */
int host_run(struct host *host);

/* /dev/@name of @size bytes is there, with that size, from now on. 0 or negative errno. */
int host_dev_set(const struct host *host, const char *name, uint64_t size);
/* /dev/cxl/@name is a character device of that number, which nobody can open. */
int host_dev_memdev(const struct host *host, const char *name, unsigned major, unsigned minor);

/* /dev/@name is gone. Who has it open or mapped keeps an empty file: SIGBUS at the next touch. */
void host_dev_remove(const struct host *host, const char *name);

/*
 * Ends every child of the caller and, the caller being their subreaper, whatever the command left
 * running. Nobody may be blocked in the tree uninterruptibly.
 */
void host_kill(void);

/* Undoes the mounts, removes the directories. */
void host_cleanup(struct host *host);
