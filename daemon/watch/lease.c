/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases; see lease.h. The owner gets the end that is read from: so it cannot keep us busy with
 * what it writes, and learns of our end by an end of file. We keep the other one, which is never
 * written to, and on which the kernel reports an error when nobody can read any more.
 */
#include <fcntl.h>

#include "watch/lease.h"

struct lease {
	void (*over)(struct lease *lease, void *userdata);
	void *userdata;
	int fd;
	struct event *event;
};

static void on_over(evutil_socket_t fd, short what, void *userdata)
{
	struct lease *lease = userdata;

	(void)fd;
	(void)what;
	lease->over(lease, lease->userdata);
}

int lease_new(struct event_base *base, void (*over)(struct lease *lease, void *userdata),
	      void *userdata, struct lease **ret, int *ret_fd)
{
	_cleanup_(lease_freep) struct lease *lease = calloc(1, sizeof(*lease));
	_cleanup_close_ int theirs = -EBADF;
	int fds[2];

	if (!lease)
		return -ENOMEM;
	lease->fd = -EBADF;
	lease->over = over;
	lease->userdata = userdata;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	theirs = fds[0];
	lease->fd = fds[1];
	/* This end is never readable; the error is reported as that. */
	lease->event = event_new(base, lease->fd, EV_READ, on_over, lease);
	if (!lease->event || event_add(lease->event, NULL) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(lease);
	*ret_fd = take_fd(&theirs);
	return 0;
}

void lease_free(struct lease *lease)
{
	if (!lease)
		return;
	if (lease->event)
		event_free(lease->event);
	(void)safe_close(lease->fd);
	free(lease);
}
