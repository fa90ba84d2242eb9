/* SPDX-License-Identifier: GPL-2.0-or-later */
/* So many messages in an interval and no more: a flood from outside must not fill the journal. */
#pragma once

#include <dcdd/base.h>

struct ratelimit {
	usec_t interval;
	unsigned burst;
	usec_t begin;	     /* of the present interval */
	unsigned n;	     /* let through in it */
	uint64_t suppressed; /* since the last one let through */
};

/*
 * Whether one more may pass at @now. If so *@ret_suppressed is how many did not since the last
 * one that did.
 */
bool ratelimit_pass(struct ratelimit *limit, usec_t now, uint64_t *ret_suppressed);
