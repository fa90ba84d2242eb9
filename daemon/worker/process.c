/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker's end: receives a request, does it, answers. It decides nothing and remembers
 * nothing. It lives as long as the daemon: its socket tells it when that goes, and a parent-death
 * signal ends it where it cannot listen, inside a write.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "inventory/scan.h"
#include "util/sysfs.h"

#include "attr.h"
#include "guard.h"
#include "protocol.h"
#include "publish.h"

/* The daemon repeats a cancellation until it has its answer. */
#define READ_BACK_TRIES 3

struct process {
	int fd; /* the daemon */
	int sysfs_fd;
	const char *sysfs, *proc;
};

/* Only there so that the signal makes a system call return. */
static void on_cancel(int signal_number)
{
	(void)signal_number;
}

static int block_cancel(bool block)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, WORKER_CANCEL_SIGNAL);
	return sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL) < 0 ? -errno : 0;
}

/*
 * SIGTERM and its like are for the daemon, which then finishes or rolls back with this worker's
 * help; a terminal or a service manager sends them to the whole group.
 */
static int setup_signals(void)
{
	static const int ignored[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGPIPE };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct sigaction cancel = { .sa_handler = on_cancel }; /* no SA_RESTART */
	int r;

	r = block_cancel(true);
	if (r < 0)
		return r;
	if (sigaction(WORKER_CANCEL_SIGNAL, &cancel, NULL) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		if (sigaction(ignored[i], &ignore, NULL) < 0)
			return -errno;
	return 0;
}

/* The parent is who made the socket. It may have died before the signal was asked for. */
static int setup_parent_death(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	return peer.pid == getppid() ? 0 : -ESRCH;
}

/*
 * Reads what the request watches: an attribute, or where a symlink leads. "" if it cannot be read.
 * Returns -EINTR if that was because of a cancellation, else 0.
 */
static int read_watch(int sysfs_fd, const char *path, char buf[static WORKER_VALUE_MAX])
{
	_cleanup_close_ int dir_fd = -EBADF;
	const char *name;
	int r;

	buf[0] = '\0';
	if (!*path)
		return 0;
	dir_fd = attr_open_parent(sysfs_fd, path, &name);
	if (dir_fd < 0)
		return dir_fd == -EINTR ? -EINTR : 0;

	r = sysfs_read_link(dir_fd, name, buf, WORKER_VALUE_MAX);
	if (r == -EINVAL) /* no symlink */
		r = attr_read(dir_fd, name, buf, WORKER_VALUE_MAX);
	if (r < 0)
		buf[0] = '\0';
	return r == -EINTR ? -EINTR : 0;
}

/* All of this may be interrupted by a cancellation. */
static int write_cancellable(const struct process *p, const struct worker_request *request,
			     struct worker_reply *reply)
{
	int r;

	r = read_watch(p->sysfs_fd, request->watch, reply->before);
	if (r < 0)
		return r;
	if (*request->skip_if && streq(reply->before, request->skip_if))
		return -EALREADY;
	return sysfs_write(p->sysfs_fd, request->path, request->value, &request->expect,
			   &reply->elapsed, reply->message, sizeof(reply->message));
}

static void do_write(const struct process *p, const struct worker_request *request,
		     struct worker_reply *reply)
{
	int r = -EINTR;

	/* One that came too late for the request before is taken here, and interrupts nothing. */
	(void)block_cancel(false);
	reply->error = write_cancellable(p, request, reply);
	/*
	 * The result of the write stands, whatever becomes of reading back. A cancellation is meant
	 * for one or the other: only a read that hangs meets a second and a third.
	 */
	for (unsigned i = 0; i < READ_BACK_TRIES && r == -EINTR; i++)
		r = read_watch(p->sysfs_fd, request->watch, reply->after);
	(void)block_cancel(true);
}

static void do_publish(const struct worker_request *request, struct worker_reply *reply)
{
	(void)block_cancel(false);
	reply->error = publish(request->path, &reply->elapsed, reply->message,
			       sizeof(reply->message));
	(void)block_cancel(true);
}

/* Scans into a sealed memory file: what the daemon maps or reads cannot change any more. */
static int do_scan(const struct process *p, struct worker_reply *reply, int *ret_fd)
{
	_cleanup_(inventory_freep) struct inventory *inventory = NULL;
	_cleanup_close_ int fd = -EBADF;
	usec_t begin = now_usec(CLOCK_MONOTONIC);
	int r;

	r = inventory_scan(p->sysfs, p->proc, &inventory, reply->message, sizeof(reply->message));
	reply->elapsed = now_usec(CLOCK_MONOTONIC) - begin;
	if (r < 0)
		return r;

	fd = memfd_create("dcdd-inventory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	r = inventory_write(inventory, fd);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int serve_one(const struct process *p)
{
	_cleanup_close_ int inventory_fd = -EBADF;
	struct worker_request request;
	struct worker_reply reply = {};
	uint64_t id;
	int r;

	r = protocol_recv_request(p->fd, 0, &id, &request);
	if (r < 0)
		return r;
	switch (request.op) {
	case WORKER_WRITE:
		do_write(p, &request, &reply);
		break;
	case WORKER_SCAN:
		reply.error = do_scan(p, &reply, &inventory_fd);
		break;
	case WORKER_PUBLISH:
		do_publish(&request, &reply);
		break;
	}
	return protocol_send_reply(p->fd, id, &reply, inventory_fd, 0);
}

int worker_main(int fd, const char *sysfs, const char *proc)
{
	struct process p = { .fd = fd, .sysfs_fd = -EBADF, .sysfs = sysfs, .proc = proc };
	int r;

	r = setup_signals();
	if (r >= 0)
		r = setup_parent_death(fd);
	if (r < 0)
		return EXIT_FAILURE;
	(void)prctl(PR_SET_NAME, "dcdd-worker");

	p.sysfs_fd = open(sysfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p.sysfs_fd < 0)
		return EXIT_FAILURE;
	do
		r = serve_one(&p);
	while (r >= 0);
	(void)safe_close(p.sysfs_fd);
	return r == -EPIPE ? EXIT_SUCCESS : EXIT_FAILURE;
}
