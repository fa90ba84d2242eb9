/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of recent untagged add records. The kernel makes one hidden group of all untagged extents
 * that came in one chain, and shows nowhere which they are; add records that came close together
 * are the only hint there is.
 */
#pragma once

#include <dcdd/event.h>

#define BURST_RECORDS 256
/* Records further apart than this are not taken for one chain (the kernel allows it 20 s in all).
 */
#define BURST_GAP_USEC USEC_PER_SEC

struct burst_record {
	char memdev[DEV_NAME_MAX];
	struct range dpa;
	usec_t traced;
};

struct bursts {
	struct burst_record records[BURST_RECORDS]; /* ring */
	size_t next, n;
};

void bursts_add(struct bursts *bursts, const struct dc_event *event);

/*
 * Writes "likely in one hidden group with DPA 0x…, DPA 0x…" into @ret of @size bytes, or why that
 * is likely where no record of it was seen. @dpa: an untagged extent of @memdev.
 */
void bursts_hint(const struct bursts *bursts, const char *memdev, const struct range *dpa,
		 char *ret, size_t size);
