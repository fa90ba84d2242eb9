/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address ranges, half open, in bytes: DPA (device physical) or HPA (host physical) addresses. */
#pragma once

#include <dcdd/base.h>

/* start + length never exceeds UINT64_MAX in a range made by range_make(). */
struct range {
	uint64_t start;
	uint64_t length; /* bytes; 0 means empty */
};

/* Fills @ret; -ERANGE if start + length overflows. */
static inline int range_make(uint64_t start, uint64_t length, struct range *ret)
{
	if (length > UINT64_MAX - start)
		return -ERANGE;
	*ret = (struct range){ .start = start, .length = length };
	return 0;
}

/* First byte behind the range. */
static inline uint64_t range_end(const struct range *r)
{
	return r->start + r->length;
}

static inline bool range_overlaps(const struct range *a, const struct range *b)
{
	return a->length && b->length && a->start < range_end(b) && b->start < range_end(a);
}

/* Whether all of @b lies in @a; an empty @b does if its start does. */
static inline bool range_contains(const struct range *a, const struct range *b)
{
	return b->start >= a->start && range_end(b) <= range_end(a);
}

static inline bool range_equal(const struct range *a, const struct range *b)
{
	return a->start == b->start && a->length == b->length;
}
