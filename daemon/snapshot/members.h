/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The members of each kind of object in a snapshot: one table, from which they are both written
 * and read.
 */
#pragma once

#include "snapshot/snapshot.h"

enum member_type {
	MEMBER_TEXT,	/* char[] */
	MEMBER_WORD,	/* char[], a path component, or empty */
	MEMBER_NAME,	/* char[], a path component */
	MEMBER_ADDRESS, /* uint64_t, as "0x…" */
	MEMBER_U64,
	MEMBER_U32,
	MEMBER_I32,
	MEMBER_TIME,	/* usec_t, a point in time */
	MEMBER_PERCENT, /* unsigned, 1/10000; "2.5%" */
	MEMBER_BOOL,
	MEMBER_SIDE,   /* bool: one of two words */
	MEMBER_MAYBE,  /* int32_t, 1, 0 or -1; true, false or null */
	MEMBER_ERRNO,  /* int32_t, 0 or negative; null, "EIO", or the number if it has no name */
	MEMBER_TAG,    /* "" is the null tag */
	MEMBER_RANGE,  /* {"start": …, "length": …} */
	MEMBER_WORDS,  /* an enum */
	MEMBER_MEMDEV, /* uint32_t, index of a memdev; null is none */
	MEMBER_REGION, /* uint32_t, index of a region */
	/* Nothing by themselves, written and read by who knows what is in them: */
	MEMBER_LIST,
	MEMBER_OTHER,
};

struct member {
	const char *name;
	enum member_type type;
	bool optional; /* then as in a zeroed element; MEMBER_MAYBE: -1 */
	size_t offset, size;
	int64_t min;			     /* MEMBER_I32 */
	const char *(*word)(unsigned value); /* MEMBER_WORDS, MEMBER_SIDE */
	unsigned n_words;
};

/* A kind of object. */
struct kind {
	const struct member *members;
	size_t n_members;
	size_t size; /* of the C struct */
};

extern const struct kind kind_memdev, kind_region, kind_extent, kind_device, kind_mapping,
	kind_block, kind_holder, kind_node, kind_huge_pages, kind_ceiling, kind_inhibitor,
	kind_freed, kind_leaving;
/* The document, of struct inventory; and its member "facts". */
extern const struct kind kind_document, kind_facts;

/* No point in time is later: the end of the year 9999. */
#define MEMBER_TIME_MAX UINT64_C(253402300799999999)
