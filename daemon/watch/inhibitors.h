/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who says "not now": the inhibitors in force, each as long as its descriptor is open. */
#pragma once

#include <event2/event.h>

#include <dcdd/policy.h>

#define INHIBITORS_MAX 1024
#define INHIBITORS_PER_UID_MAX 128 /* root has no such limit */

struct inhibitors;

/* @over: one is gone; it is in the list no more. From the event loop; may free @inhibitors. */
int inhibitors_new(struct event_base *base,
		   void (*over)(const struct inhibitor *inhibitor, void *userdata), void *userdata,
		   struct inhibitors **ret);
void inhibitors_free(struct inhibitors *inhibitors);
DEFINE_CLEANUP(struct inhibitors *, inhibitors_free);

/*
 * Adds a copy of @inhibitor, with an id of its own. *@ret_fd: the owner's end (caller's). 0;
 * -ENOBUFS: too many; -EINVAL: no such mode; or scope, who or why is empty or not UTF-8 without
 * control characters; others.
 */
int inhibitors_add(struct inhibitors *inhibitors, const struct inhibitor *inhibitor, int *ret_fd);

/* All of them, oldest first; valid until the next change. */
const struct inhibitor *inhibitors_list(const struct inhibitors *inhibitors, size_t *ret_n);
