/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records in one sub-buffer of a trace ring buffer, as read from trace_pipe_raw.
 * libtraceevent's kbuffer knows the framing but trusts it; what goes in and comes out is bounded
 * here.
 */
#pragma once

#include <dcdd/base.h>

struct subbuffer;

struct subbuffer_record {
	const void *data; /* into the sub-buffer */
	size_t size;
	uint64_t traced_nsec; /* of the instance's trace clock */
};

/*
 * @size: bytes of a sub-buffer, @commit_size: bytes of the kernel's long, both as the instance's
 * events/header_page has it. 0, -EINVAL: a size that cannot be, or -ENOMEM.
 */
int subbuffer_new(size_t size, size_t commit_size, struct subbuffer **ret);
void subbuffer_free(struct subbuffer *sub);
DEFINE_CLEANUP(struct subbuffer *, subbuffer_free);

/* Where to read() the next sub-buffer to, and how much. */
void *subbuffer_space(struct subbuffer *sub, size_t *ret_size);

/*
 * Takes the @size bytes that were read there. *@ret_lost: records overwritten before this
 * sub-buffer, -1 if some were but their number is unknown. 0, or -EBADMSG: truncated.
 */
int subbuffer_load(struct subbuffer *sub, size_t size, int64_t *ret_lost);

/* Bytes in use of the one loaded, its header included. */
size_t subbuffer_used(const struct subbuffer *sub);

/* 1 and the next record; 0 at the end; -EBADMSG: it does not lie within the sub-buffer. */
int subbuffer_next(struct subbuffer *sub, struct subbuffer_record *ret);
