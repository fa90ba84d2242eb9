/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker: a process of its own for everything that can block in the kernel. It takes one
 * request at a time from a socket, does it, answers, and ends when the socket closes. A signal
 * (worker_cancel()) interrupts the write it is blocked in.
 */
#pragma once

#include <signal.h>

#include <event2/event.h>

#include <dcdd/inventory.h>

#define WORKER_PATH_MAX 192
#define WORKER_VALUE_MAX 64

#define WORKER_CANCEL_SIGNAL SIGUSR1

enum worker_op {
	WORKER_WRITE, /* write value to path, both relative to the sysfs root */
	WORKER_SCAN,  /* inventory_scan() */
	/*
	 * Makes a file durable: path is absolute; PATH.new, which is there already, is fsynced and
	 * renamed to PATH, and the directory fsynced. Cancellable like a write.
	 */
	WORKER_PUBLISH,
};

/*
 * What a device must still look like for a write about it, or about one of its memory blocks, to be
 * made. The guard in the worker (guard.h) refuses unless the device was read, right before the
 * write, as this one; and, for what could hand memory back, every byte of every mapping as absent
 * or offline.
 */
struct guard_expect {
	char device[DEV_NAME_MAX];
	struct tag tag;
	uint64_t size;		    /* 0: claims nothing any more; tag and mapping are ignored */
	struct range first_mapping; /* the one with the lowest start */
};

struct worker_request {
	enum worker_op op;
	char path[WORKER_PATH_MAX];   /* "devices/system/memory/memory338/state" */
	char value[WORKER_VALUE_MAX]; /* "offline" */
	/* Attribute (or symlink: then its target's last component) read before and after; "": none.
	 */
	char watch[WORKER_PATH_MAX];
	/*
	 * If not "": do nothing and answer -EALREADY when the watch already reads so. The write is
	 * not judged then: -EALREADY comes before any refusal by the guard.
	 */
	char skip_if[WORKER_VALUE_MAX];
	struct guard_expect expect; /* the device that the write is about; create has none */
};

struct worker_reply {
	int error;	/* 0 or negative errno of the write or scan; see guard.h for the guard's */
	usec_t elapsed; /* in the write itself */
	char before[WORKER_VALUE_MAX], after[WORKER_VALUE_MAX]; /* watch; "" if unreadable/absent */
	/* Why, naming the object: if the guard refused, or the scan failed. */
	char message[160];
	struct inventory *inventory; /* WORKER_SCAN only; the callback takes it over */
};

/* ---- client.c: the daemon's end ---- */

struct worker;

typedef void (*worker_done_t)(struct worker *w, struct worker_reply *reply, void *userdata);

/*
 * Starts a worker: `@exe --worker SYSFS PROC` with the socket as fd 3, stdio as it is here, no
 * other file, and default signals. @sysfs and @proc are its roots. SIGCHLD must not be ignored. 0
 * or negative errno.
 */
int worker_new(struct event_base *base, const char *exe, const char *sysfs, const char *proc,
	       struct worker **ret);

/* False once its socket is closed: then it takes no request any more. */
bool worker_is_alive(const struct worker *w);
bool worker_is_busy(const struct worker *w);
int32_t worker_pid(const struct worker *w);

/*
 * Hands over one request; @done is called once from the loop, never from here: with the answer,
 * with -EPIPE if the worker died, or with -EPROTO if its answer made no sense (it is killed then).
 * @done may submit the next request or free the worker. A worker that died stays dead and answers
 * every request with -EPIPE: free it and make a new one.
 *
 * 0; -EBUSY: one is under way; other negative errno: it was not sent, and @done is not called.
 */
int worker_submit(struct worker *w, const struct worker_request *request, worker_done_t done,
		  void *userdata);

/*
 * Interrupts the write or publication under way: signals now and every 100 ms until the answer is
 * there. The answer then is mostly -EINTR, but may be success. Does nothing if idle or scanning.
 */
void worker_cancel(struct worker *w);

/*
 * Closes the socket: an idle worker ends at once, a busy one is killed and ends when the kernel
 * lets go of it. Never waits: the process is reaped from the loop when it has ended. No callback
 * comes any more.
 */
void worker_free(struct worker *w);
DEFINE_CLEANUP(struct worker *, worker_free);

/* How many that worker_free() was called for have not ended yet. */
unsigned worker_count_left(struct event_base *base);

/*
 * Before event_base_free(): kills what worker_free() left running on @base, reaps what has ended,
 * and frees what is kept for the rest (which init reaps). Workers not freed yet lose their process
 * too, and are still to be freed.
 */
void worker_forget_all(struct event_base *base);

/* ---- process.c: the worker's end ---- */

/*
 * main() of `dcdd --worker SYSFS PROC`, with @fd the socket (3); returns the exit status. Must be
 * called before anything else is set up: no other thread, no signal handler.
 */
int worker_main(int fd, const char *sysfs, const char *proc);
