/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Something that lasts as long as somebody holds a file descriptor: the other end of a pipe. When
 * the last copy of it is closed, by hand or because its process ended, the lease is over.
 */
#pragma once

#include <event2/event.h>

#include <dcdd/base.h>

struct lease;

/*
 * *@ret_fd (close-on-exec, the caller's) is what the owner gets; it reads as an end of file when
 * the lease is freed. @over is called once, from the event loop; it may free the lease. 0 or
 * negative errno.
 */
int lease_new(struct event_base *base, void (*over)(struct lease *lease, void *userdata),
	      void *userdata, struct lease **ret, int *ret_fd);
void lease_free(struct lease *lease);
DEFINE_CLEANUP(struct lease *, lease_free);
