/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's end of the worker: starts the process, sends one request at a time, calls back with
 * the answer, and never waits for it. A worker stuck in the kernel is let go of; the pidfd that
 * stays on the loop reaps it when the kernel has let go of it too.
 */
#include <assert.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "inventory/scan.h"

#include "protocol.h"

#define WORKER_FD 3 /* the socket, in the worker */
#define CANCEL_REPEAT_USEC (100 * USEC_PER_MSEC)

/*
 * The process, from its start until it was waited for. Held by the loop alone, as it may outlive
 * the worker by far; *owner is who wants to know that it is gone, or NULL.
 */
struct child {
	pid_t pid; /* ours until it is reaped, so never another process */
	int pidfd; /* negative where there is none, as under valgrind: then a timer looks */
	struct event *exited;
	struct child **owner;
};

struct worker {
	struct event_base *base;
	struct child *child; /* NULL once it has exited */
	int32_t pid;
	int fd; /* negative: the worker is dead or broken */
	struct event *readable;
	struct event *timer; /* repeats a cancellation; tells of a death known before */
	uint64_t id;	     /* of the request under way, or the last */
	enum worker_op op;
	worker_done_t done; /* NULL: idle */
	void *userdata;
};

static void child_free(struct child *child)
{
	if (child->owner)
		*child->owner = NULL;
	if (child->exited)
		event_free(child->exited);
	(void)safe_close(child->pidfd);
	free(child);
}

/* Waits for the child if it has exited; whether it has. */
static bool child_reap(struct child *child)
{
	siginfo_t info = {};

	if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG) < 0)
		return errno != EINTR; /* ECHILD: nothing left to wait for */
	return info.si_pid != 0;
}

static void on_child_exited(evutil_socket_t fd, short what, void *userdata)
{
	struct child *child = userdata;

	(void)fd;
	(void)what;
	if (child_reap(child))
		child_free(child);
}

static void child_kill(struct child *child, int signal_number)
{
	if (child)
		(void)kill(child->pid, signal_number);
}

static int child_new(struct event_base *base, pid_t pid, struct child **owner)
{
	static const struct timeval look_every = { .tv_usec = 100000 };
	struct child *child = calloc(1, sizeof(*child));

	if (!child)
		return -ENOMEM;
	child->pid = pid;
	child->pidfd = pidfd_open(pid, 0);
	if (child->pidfd < 0 && errno != ENOSYS) {
		int r = -errno;

		free(child);
		return r;
	}
	child->exited = event_new(base, child->pidfd,
				  child->pidfd < 0 ? EV_PERSIST : EV_READ | EV_PERSIST,
				  on_child_exited, child);
	if (!child->exited || event_add(child->exited, child->pidfd < 0 ? &look_every : NULL) < 0) {
		child_free(child);
		return -ENOMEM;
	}
	child->owner = owner;
	*owner = child;
	return 0;
}

/*
 * The worker starts with default signals and no file but stdio and the socket. Nothing is blocked
 * but what cancels: it may be sent before the worker is ready to take it.
 */
static int spawn(const char *exe, const char *sysfs, const char *proc, int fd, pid_t *ret)
{
	char *const argv[] = { (char *)"dcdd-worker", (char *)"--worker", (char *)sysfs,
			       (char *)proc, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, blocked;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (r != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -r;
	}

	(void)sigfillset(&all);
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, WORKER_CANCEL_SIGNAL);
	(void)posix_spawnattr_setsigdefault(&attr, &all);
	(void)posix_spawnattr_setsigmask(&attr, &blocked);
	r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, fd, WORKER_FD);
	if (r == 0)
		r = posix_spawn_file_actions_addclosefrom_np(&actions, WORKER_FD + 1);
	if (r == 0)
		r = posix_spawn(ret, exe, &actions, &attr, argv, environ);

	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* No more use of the socket; the process ends when it sees that, or is told to. */
static void disconnect(struct worker *w)
{
	if (w->readable)
		event_free(w->readable);
	w->readable = NULL;
	w->fd = safe_close(w->fd);
}

/* Hands the answer over. The callback may submit the next request or free @w: nothing follows. */
static void finish(struct worker *w, struct worker_reply *reply)
{
	worker_done_t done = w->done;

	w->done = NULL;
	(void)event_del(w->timer);
	if (done)
		done(w, reply, w->userdata);
	else
		inventory_free(reply->inventory);
}

/* The answer to the request under way, complete. -EPROTO if it is not that. */
static int take_reply(struct worker *w, struct worker_reply *ret)
{
	_cleanup_close_ int inventory_fd = -EBADF;
	uint64_t id;
	int r;

	r = protocol_recv_reply(w->fd, MSG_DONTWAIT, &id, ret, &inventory_fd);
	if (r < 0)
		return r;
	if (!w->done || id != w->id)
		return -EPROTO;
	if ((inventory_fd >= 0) != (w->op == WORKER_SCAN && ret->error == 0))
		return -EPROTO;
	if (inventory_fd < 0)
		return 0;
	r = inventory_read(inventory_fd, &ret->inventory);
	if (r == -EBADMSG)
		return -EPROTO;
	if (r < 0)
		ret->error = r; /* ours, not the worker's */
	return 0;
}

static void on_readable(evutil_socket_t fd, short what, void *userdata)
{
	struct worker *w = userdata;
	struct worker_reply reply = {};
	int r;

	(void)fd;
	(void)what;
	r = take_reply(w, &reply);
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		/* One we cannot understand is of no use, and may be about to do anything. */
		if (r != -EPIPE)
			child_kill(w->child, SIGKILL);
		disconnect(w);
		reply = (struct worker_reply){ .error = r };
	}
	finish(w, &reply);
}

static void on_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct worker_reply died = { .error = -EPIPE };
	struct worker *w = userdata;

	(void)fd;
	(void)what;
	if (w->fd < 0)
		finish(w, &died);
	else
		child_kill(w->child, WORKER_CANCEL_SIGNAL);
}

int worker_new(struct event_base *base, const char *exe, const char *sysfs, const char *proc,
	       struct worker **ret)
{
	_cleanup_(worker_freep) struct worker *w = NULL;
	_cleanup_close_ int theirs = -EBADF;
	int pair[2], r;
	pid_t pid = 0;

	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->base = base;
	w->fd = -EBADF;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	w->fd = pair[0];
	theirs = pair[1];

	w->readable = event_new(base, w->fd, EV_READ | EV_PERSIST, on_readable, w);
	w->timer = event_new(base, -1, EV_PERSIST, on_timer, w);
	if (!w->readable || !w->timer || event_add(w->readable, NULL) < 0)
		return -ENOMEM;

	r = spawn(exe, sysfs, proc, theirs, &pid);
	if (r < 0)
		return r;
	w->pid = pid;
	r = child_new(base, pid, &w->child);
	if (r < 0) {
		/* Just started and idle: it dies of the signal at once. */
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
		return r;
	}
	*ret = TAKE_PTR(w);
	return 0;
}

bool worker_is_alive(const struct worker *w)
{
	return w->fd >= 0;
}

bool worker_is_busy(const struct worker *w)
{
	return w->done != NULL;
}

int32_t worker_pid(const struct worker *w)
{
	return w->pid;
}

int worker_submit(struct worker *w, const struct worker_request *request, worker_done_t done,
		  void *userdata)
{
	static const struct timeval at_once;
	int r;

	assert(done);
	if (w->done)
		return -EBUSY;
	if (w->fd < 0) {
		/* Died while idle; whoever asks learns it as if it had died over this request. */
		if (event_add(w->timer, &at_once) < 0)
			return -ENOMEM;
	} else {
		r = protocol_send_request(w->fd, w->id + 1, request, MSG_DONTWAIT);
		if (r < 0 && r != -EPIPE && r != -ECONNRESET)
			return r; /* if it died just now, the socket will say so */
	}
	w->id++;
	w->op = request->op;
	w->done = done;
	w->userdata = userdata;
	return 0;
}

void worker_cancel(struct worker *w)
{
	static const struct timeval repeat = { .tv_usec = CANCEL_REPEAT_USEC };

	if (!w->done || w->op == WORKER_SCAN || event_pending(w->timer, EV_TIMEOUT, NULL))
		return;
	child_kill(w->child, WORKER_CANCEL_SIGNAL);
	(void)event_add(w->timer, &repeat);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	disconnect(w);
	if (w->timer)
		event_free(w->timer);
	if (w->child) {
		/* A busy one does not look at its socket; it could wait in its write for ever. */
		if (w->done)
			child_kill(w->child, SIGKILL);
		w->child->owner = NULL;
	}
	free(w);
}

static int find_child(const struct event_base *base, const struct event *event, void *ret)
{
	(void)base;
	if (event_get_callback(event) != on_child_exited)
		return 0;
	*(struct child **)ret = event_get_callback_arg(event);
	return 1;
}

static int count_left(const struct event_base *base, const struct event *event, void *ret)
{
	(void)base;
	if (event_get_callback(event) == on_child_exited &&
	    !((const struct child *)event_get_callback_arg(event))->owner)
		++*(unsigned *)ret;
	return 0;
}

unsigned worker_count_left(struct event_base *base)
{
	unsigned n = 0;

	(void)event_base_foreach_event(base, count_left, &n);
	return n;
}

void worker_forget_all(struct event_base *base)
{
	struct child *child = NULL;

	while (event_base_foreach_event(base, find_child, &child) > 0) {
		child_kill(child, SIGKILL);
		(void)child_reap(child);
		child_free(child);
	}
}
