/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real kernel uevents, sent into the network namespace of the simulated host and nowhere else.
 */
#pragma once

#include <dcdd/base.h>

/* A socket for uevent_send() in the network namespace of the caller, or negative errno. */
int uevent_socket(void);

/*
 * Sends one uevent: @environment holds @n "KEY=VALUE" strings beyond ACTION, DEVPATH and
 * SUBSYSTEM. The kernel adds SEQNUM. 0 or negative errno.
 */
int uevent_send(int fd, const char *action, const char *devpath, const char *subsystem,
		const char *const *environment, size_t n);
