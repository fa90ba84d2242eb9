/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc says of one process, into the fields of a struct holder: for the scan that finds it,
 * and for those who look once more before they signal it.
 */
#pragma once

#include <dcdd/inventory.h>

/*
 * Fills in start, comm, unit and cgroup of the process whose directory in /proc is @fd (O_PATH is
 * enough); 0 or "" for what cannot be read, mostly because it has ended.
 */
void process_describe(int fd, struct holder *holder);

/*
 * Field 22 of its `stat`: 0 and the start, in clock ticks since boot; or negative errno, -EBADMSG
 * if that is not understood. A pid is used again, a pid with its start is not.
 */
int process_start(int fd, uint64_t *ret);

/*
 * The unit of the system manager that a cgroup belongs to: the first component of @path that is
 * not a slice, if it is named like a unit ("/user.slice/user-0.slice/session-3.scope/x" is in
 * session-3.scope). "" if there is none, or its name does not fit: half a name is another unit.
 */
void cgroup_unit(const char *path, char ret[static HOLDER_UNIT_MAX]);
