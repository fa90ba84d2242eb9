/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Only one dcdd writes to a host. */
#pragma once

#include <dcdd/base.h>

/*
 * Takes the lock @dir/lock, making @dir if it is missing; it is held until *@ret_fd is closed.
 * 0; -EBUSY: another dcdd has it, *@ret_pid is its process id or 0; negative errno of mkdir/open.
 */
int host_lock(const char *dir, int *ret_fd, int32_t *ret_pid);

/*
 * The same by a lock on the directory of tracefs' instances, which is one for the whole host,
 * whatever runtime directory or mount namespace a daemon was given. 0, also if there is no tracefs;
 * -EBUSY; negative errno.
 */
int host_lock_tracefs(int *ret_fd);
