/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The per-CPU readers of an instance's ring buffers, behind one epoll descriptor. That becomes
 * readable when any CPU has records; the loop watches it alone, so that one turn of the loop makes
 * one bounded, sorted batch, however many CPUs are busy.
 */
#pragma once

#include <tracefs.h>

#include "subbuffer.h"

struct readers;

struct readers_ops {
	/* One raw record; valid during the call. */
	void (*record)(const struct subbuffer_record *record, void *userdata);
	/* Records were lost: at least @lost, 0 if their number is unknown. */
	void (*lost)(uint64_t lost, void *userdata);
};

/* @instance must outlive the readers. 0 or negative errno. */
int readers_new(struct tracefs_instance *instance, const struct readers_ops *ops, void *userdata,
		struct readers **ret);
void readers_free(struct readers *readers);
DEFINE_CLEANUP(struct readers *, readers_free);

/* To be watched level-triggered. */
int readers_fd(const struct readers *readers);

/* Opens the CPUs that have no reader yet. 0 or negative errno (of the first that failed). */
int readers_scan(struct readers *readers);

/*
 * Whether a CPU could not be opened, or its reader failed and was closed: another scan, some time
 * later, is due. Not so for a CPU that has no buffer.
 */
bool readers_incomplete(const struct readers *readers);

/*
 * Reads about @max_bytes, one sub-buffer at a time in turn from the CPUs that have some: no busy
 * CPU keeps the others waiting. Records of a CPU come in order. What is left keeps the descriptor
 * readable.
 */
void readers_drain(struct readers *readers, size_t max_bytes);
