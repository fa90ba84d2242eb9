/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a decision: which rule applies, and whether what must move has a place to go. */
#pragma once

#include <dcdd/policy.h>

/*
 * Walks the dax devices that claim an extent of the group, each once, in inventory order; *@cursor
 * starts at 0. NULL at the end. As tag_group_devices(), without a buffer that could be too small.
 */
const struct dax_device *group_next_device(const struct inventory *inv,
					   const struct tag_group *group, uint32_t *cursor);

/* match.c: the first rule that applies, NULL if none does. */
const struct policy_rule *policy_match(const struct inventory *inv, const struct tag_group *group,
				       const struct policy *policy);

/* headroom.c */
struct headroom {
	uint64_t must_move; /* bytes in use that must find a place, at most */
	uint64_t available; /* bytes free or reclaimable outside the group */
	uint64_t floor;	    /* bytes of them that must stay */
};

/*
 * What freeing the group would cost. False if there is nothing to check: no block of it is online,
 * or the nodes are not known.
 */
bool headroom_compute(const struct inventory *inv, const struct tag_group *group,
		      const struct release_settings *settings, struct headroom *ret);
bool headroom_suffices(const struct headroom *headroom);
