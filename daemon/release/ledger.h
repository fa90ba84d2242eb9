/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was freed in the last hour, for rules that limit the rate. Plain data; kept in memory only,
 * so a new daemon begins with an empty one. Bounded: when it is full, the two oldest entries of one
 * memdev become one with the bytes and groups of both and the time of the younger, so that no limit
 * is ever passed because of it. (If each is of another memdev, the two oldest of all do, as the
 * younger's: then this is so only for the limits of the host.)
 */
#pragma once

#include <dcdd/policy.h>

#define LEDGER_MAX 1024
#define LEDGER_PERIOD USEC_PER_HOUR

struct ledger {
	struct freed *entries; /* oldest first */
	size_t n;
};

void ledger_done(struct ledger *ledger);
/* @now is not before that of the last one. Prunes first. 0 or -ENOMEM. */
int ledger_add(struct ledger *ledger, usec_t now, const char *memdev, uint64_t bytes);
/* Forgets what is older than LEDGER_PERIOD. */
void ledger_prune(struct ledger *ledger, usec_t now);
