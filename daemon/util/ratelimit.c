/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See ratelimit.h. */
#include "ratelimit.h"

bool ratelimit_pass(struct ratelimit *limit, usec_t now, uint64_t *ret_suppressed)
{
	if (now - limit->begin >= limit->interval || limit->begin == 0) {
		limit->begin = now;
		limit->n = 0;
	}
	if (limit->n >= limit->burst) {
		limit->suppressed++;
		return false;
	}
	limit->n++;
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
