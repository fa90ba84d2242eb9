/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounded use of libtraceevent's kbuffer; see subbuffer.h. */
#include <event-parse.h>
#include <kbuffer.h>

#include "subbuffer.h"

#define SIZE_MIN_BYTES ((size_t)1 << 10)
#define SIZE_MAX_BYTES ((size_t)16 << 20)

/* kbuffer reads up to two words of a record header before it looks where the data end. */
#define SLACK 16

#define TIMESTAMP_SIZE 8
#define COMMIT_BYTES_MASK ((UINT64_C(1) << 27) - 1)
#define COMMIT_LOST_STORED (UINT64_C(1) << 30)

struct subbuffer {
	struct kbuffer *kbuf;
	uint8_t *bytes;
	size_t size, commit_size;
	const uint8_t *data_end, *last; /* of the sub-buffer loaded, of the record returned */
	bool started;
};

int subbuffer_new(size_t size, size_t commit_size, struct subbuffer **ret)
{
	_cleanup_(subbuffer_freep) struct subbuffer *sub = NULL;

	if (size < SIZE_MIN_BYTES || size > SIZE_MAX_BYTES ||
	    (commit_size != sizeof(uint32_t) && commit_size != sizeof(uint64_t)))
		return -EINVAL;

	sub = calloc(1, sizeof(*sub));
	if (!sub)
		return -ENOMEM;
	sub->size = size;
	sub->commit_size = commit_size;
	sub->bytes = calloc(1, size + SLACK);
	sub->kbuf = kbuffer_alloc(commit_size == 4 ? KBUFFER_LSIZE_4 : KBUFFER_LSIZE_8,
				  __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? KBUFFER_ENDIAN_BIG
									 : KBUFFER_ENDIAN_LITTLE);
	if (!sub->bytes || !sub->kbuf)
		return -ENOMEM;
	*ret = TAKE_PTR(sub);
	return 0;
}

void subbuffer_free(struct subbuffer *sub)
{
	if (!sub)
		return;
	kbuffer_free(sub->kbuf);
	free(sub->bytes);
	free(sub);
}

void *subbuffer_space(struct subbuffer *sub, size_t *ret_size)
{
	*ret_size = sub->size;
	return sub->bytes;
}

int subbuffer_load(struct subbuffer *sub, size_t size, int64_t *ret_lost)
{
	size_t header = TIMESTAMP_SIZE + sub->commit_size, used;
	uint64_t commit = 0;
	uint32_t commit32;

	sub->data_end = sub->bytes; /* until this one is known to be good */
	sub->started = false;
	if (size < header || size > sub->size)
		return -EBADMSG;

	if (sub->commit_size == sizeof(commit32)) {
		memcpy(&commit32, sub->bytes + TIMESTAMP_SIZE, sizeof(commit32));
		commit = commit32;
	} else {
		memcpy(&commit, sub->bytes + TIMESTAMP_SIZE, sizeof(commit));
	}

	used = header + (size_t)(commit & COMMIT_BYTES_MASK);
	if (used > size)
		return -EBADMSG;
	/* The number of lost records stands behind the data. */
	if ((commit & COMMIT_LOST_STORED) && sub->commit_size > size - used)
		return -EBADMSG;
	if (kbuffer_load_subbuffer(sub->kbuf, sub->bytes) < 0)
		return -EBADMSG;

	sub->data_end = sub->bytes + used;
	*ret_lost = kbuffer_missed_events(sub->kbuf);
	return 0;
}

size_t subbuffer_used(const struct subbuffer *sub)
{
	return (size_t)(sub->data_end - sub->bytes);
}

int subbuffer_next(struct subbuffer *sub, struct subbuffer_record *ret)
{
	unsigned long long nsec = 0;
	const uint8_t *data;
	int size;

	if (sub->data_end == sub->bytes)
		return 0;
	data = sub->started ? kbuffer_next_event(sub->kbuf, &nsec)
			    : kbuffer_read_event(sub->kbuf, &nsec);
	if (!data)
		return 0;

	size = kbuffer_event_size(sub->kbuf);
	if (data < sub->bytes || data > sub->data_end || size < 0 || size > sub->data_end - data ||
	    (sub->started && data <= sub->last)) {
		sub->data_end = sub->bytes;
		return -EBADMSG;
	}
	sub->started = true;
	sub->last = data;
	*ret = (struct subbuffer_record){
		.data = data,
		.size = (size_t)size,
		.traced_nsec = nsec,
	};
	return 1;
}
