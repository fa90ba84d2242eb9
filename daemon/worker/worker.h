/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker: a process of its own for everything that can block in the kernel. It takes one
 * request at a time from a socket, does it, answers, and ends when the socket closes. A signal
 * (worker_cancel()) interrupts the write it is blocked in.
 */
#pragma once

#include <event2/event.h>

#include <dcdd/inventory.h>

#define WORKER_PATH_MAX 192
#define WORKER_VALUE_MAX 64

enum worker_op {
	WORKER_WRITE, /* write value to path, both relative to the sysfs root */
	WORKER_SCAN,  /* inventory_scan() */
};

/*
 * What a device must still look like for a destructive write to be made. The guard in the worker
 * (guard.h) refuses unless the device matches and every byte of every mapping was read, right
 * before the write, as absent or offline.
 */
struct guard_expect {
	char device[DEV_NAME_MAX];
	struct tag tag;
	uint64_t size;
	struct range first_mapping;
};

struct worker_request {
	enum worker_op op;
	char path[WORKER_PATH_MAX];   /* "devices/system/memory/memory338/state" */
	char value[WORKER_VALUE_MAX]; /* "offline" */
	/* Attribute (or symlink: then its target's last component) read before and after; "": none.
	 */
	char watch[WORKER_PATH_MAX];
	/* If not "": do nothing and answer -EALREADY when the watch already reads so. */
	char skip_if[WORKER_VALUE_MAX];
	struct guard_expect expect; /* used if the write is destructive */
};

struct worker_reply {
	int error;	/* 0 or negative errno of the write or scan; see guard.h for the guard's */
	usec_t elapsed; /* in the write itself */
	char before[WORKER_VALUE_MAX], after[WORKER_VALUE_MAX]; /* watch; "" if unreadable/absent */
	char message[160];	     /* if the guard refused: why, naming the object */
	struct inventory *inventory; /* WORKER_SCAN only; the callback takes it over */
};

/* ---- client.c: the daemon's end ---- */

struct worker;

typedef void (*worker_done_t)(struct worker *w, struct worker_reply *reply, void *userdata);

/*
 * Starts a worker: `@exe --worker` with the socket as fd 3. @sysfs and @proc are its roots.
 * 0 or negative errno.
 */
int worker_new(struct event_base *base, const char *exe, const char *sysfs, const char *proc,
	       struct worker **ret);

bool worker_is_busy(const struct worker *w);
int32_t worker_pid(const struct worker *w);

/*
 * Hands over one request; @done is called once from the loop: with the answer, or -EPIPE if the
 * worker died. -EBUSY: one is under way.
 */
int worker_submit(struct worker *w, const struct worker_request *request, worker_done_t done,
		  void *userdata);

/*
 * Interrupts the write under way: signals now and every 100 ms until the answer is there. The
 * answer then is mostly -EINTR, but may be success. Does nothing if idle.
 */
void worker_cancel(struct worker *w);

/*
 * Closes the socket: an idle worker ends at once, a blocked one when the kernel lets go of it.
 * Never waits. No callback comes any more.
 */
void worker_free(struct worker *w);
DEFINE_CLEANUP(struct worker *, worker_free);

/* ---- process.c: the worker's end ---- */

/* main() of `dcdd --worker`; returns the exit status. */
int worker_main(int fd, const char *sysfs, const char *proc);
