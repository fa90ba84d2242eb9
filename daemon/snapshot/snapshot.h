/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that a decision looks at as one JSON document, for `dcdctl inventory --json` and, read back,
 * for `dcdctl policy test`: so that a policy can be tried on a host that is elsewhere.
 */
#pragma once

#include <dcdd/policy.h>

struct snapshot {
	struct inventory *inventory;
	struct policy_facts facts; /* its arrays are the ones below */
	struct pressure_ceiling *ceilings;
	struct inhibitor *inhibitors;
	struct freed *freed;
	struct group_key *leaving;
};

/* 0 and *@ret, a text with a newline at its end (caller frees); or -ENOMEM. */
int snapshot_format(const struct inventory *inv, const struct policy_facts *facts, char **ret);

/*
 * Reads what snapshot_format() wrote, and what a person has changed in it: nothing is trusted.
 * Members it does not know are an error, those that have a sensible default may be left out. 0;
 * -EINVAL with *@ret_error saying where ("extents[3].hpa: expected …", caller frees); -ENOMEM.
 */
int snapshot_parse(const char *text, size_t length, struct snapshot *ret, char **ret_error);
void snapshot_done(struct snapshot *snapshot);
