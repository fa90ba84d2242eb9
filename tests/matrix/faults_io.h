/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a daemon does to /sys, as the simulator saw it, operation by operation; and which of all
 * these stand for the rest where there are too many.
 */
#pragma once

#include "matrix.h"

/* One operation of the daemon on /sys. */
struct io {
	char *op, *path;
	char *value;	/* of a write, else NULL */
	unsigned nth;	/* of its like since the daemon was ready */
	unsigned scans; /* that were begun before it */
	int64_t pid;
	bool worker; /* by a process that changes the host as well, so a check before a change */
	bool behind; /* the failure that leads to the roll-back */
	bool chosen;
};

struct recording {
	struct io *items;
	size_t n;
};

void recording_done(struct recording *recording);

/* Adds an entry of the simulator's log. */
void recording_add(struct scenario *s, struct recording *recording, struct json_object *entry);

/*
 * Marks as chosen: every change; every operation of a worker, which checks before a change; of the
 * others, which are looks at the whole host, one of a kind, of each look if @each_scan. @all:
 * simply everything.
 */
void recording_choose(struct recording *recording, bool all, bool each_scan);

/* Whether it changes the host. */
bool io_is_change(const struct io *io);

/* "write memoryN/state offline" */
void io_kind(const struct io *io, char *ret, size_t size);
