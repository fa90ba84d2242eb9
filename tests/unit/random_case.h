/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random hosts, facts and requests for policy_decide(). Mostly well, so that every verdict comes
 * up. */
#pragma once

#include <limits.h>

#include "tests/unit/random_policy.h"

/* A case, and what it points to. */
struct random_case {
	struct test_case c;
	char modes[DEVICES + 1], blocks[DEVICES][4], other[3];
	struct pressure_ceiling ceilings[4];
	struct inhibitor inhibitors[2];
	struct freed freed[3];
	struct group_key leaving;
};

static inline uint64_t random_bytes(uint64_t *seed)
{
	switch (random_u64(seed) % 6) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX - random_u64(seed) % 3;
	case 2:
		return random_u64(seed);
	default:
		return random_u64(seed) % (64 * BLOCK);
	}
}

#define RANDOM_OF(seed, ...)                                                                       \
	(((const uint64_t[]){ __VA_ARGS__ })[random_u64(seed) %                                    \
					     ARRAY_SIZE(((const uint64_t[]){ __VA_ARGS__ }))])

static inline void random_devices(uint64_t *seed, unsigned rare, struct random_case *r)
{
	size_t n = random_u64(seed) % 16 ? 1 + random_u64(seed) % DEVICES : 0;

	for (size_t i = 0; i < n; i++) {
		size_t n_blocks = random_u64(seed) % 4;

		r->modes[i] = one_in(seed, 3) ? "sdfu"[random_u64(seed) % 4] : 's';
		if (one_in(seed, 10 * rare))
			r->modes[i] = 'o';
		if (r->modes[i] != 's' && !one_in(seed, 6 * rare))
			n_blocks = 0;
		for (size_t b = 0; b < n_blocks; b++)
			r->blocks[i][b] = one_in(seed, 6 * rare) ? "kog?nzFOK"[random_u64(seed) % 9]
								 : 'm';
		/* Where nothing is certain, what is shared with others is not counted exactly. */
		for (size_t b = 0; r->c.flags & BROKEN && b < n_blocks; b++)
			if (r->blocks[i][b] == 'F' || r->blocks[i][b] == 'K')
				r->blocks[i][b] = 'm';
		r->c.blocks[i] = r->blocks[i];
		r->c.node[i] = (int)(random_u64(seed) % 4);
		if (!one_in(seed, 6))
			continue;
		r->c.holders[i] = (struct holder){
			.device = (uint32_t)i,
			.pid = (int32_t)RANDOM_OF(seed, 9, 9, 10, 1, OWN_PID),
			.start = random_u64(seed) % 3,
			.mapped = one_in(seed, 2),
			.mounted = one_in(seed, 4),
			.comm = "worker",
			.cgroup = "/user.slice/session-1.scope",
			.unit = "session-1.scope",
			.path = "/mnt",
			.fstype = "famfs",
		};
		if (one_in(seed, 2)) {
			(void)str_copy(r->c.holders[i].unit, HOLDER_UNIT_MAX, "batch@3.service");
			(void)str_copy(r->c.holders[i].cgroup, HOLDER_PATH_MAX,
				       "/system.slice/batch@3.service");
		}
	}
}

static inline unsigned random_flags(uint64_t *seed, unsigned rare)
{
	unsigned flags = 0;

	if (one_in(seed, 2 * rare))
		flags |= (unsigned)RANDOM_OF(seed, OUTSIDE, MERGED, CUT, NO_BLOCK_SIZE, ONE_CLAIMS,
					     WRAPS, LEFTOVER, BROKEN, BROKEN, NO_NODES);
	flags |= one_in(seed, 6) ? UNTAGGED : 0;
	flags |= one_in(seed, 2 * rare) ? UNSEEN : 0;
	flags |= one_in(seed, 2 * rare) ? NO_PSI : 0;
	flags |= one_in(seed, 3) ? MEMMAP : 0;
	flags |= (unsigned)RANDOM_OF(seed, 0, SHARABLE, NOT_SHARABLE);
	flags |= (unsigned)RANDOM_OF(seed, 0, PARTITION_A, NO_PARTITION);
	return flags;
}

static inline void random_facts(uint64_t *seed, unsigned rare, struct random_case *r)
{
	struct policy_facts *facts = &r->c.facts;

	/* None of them is exactly one of the ceilings of random_policy.h. */
	facts->pressure_some = (unsigned)RANDOM_OF(seed, 0, 100, 700, 1500, 3000);
	facts->pressure_full = (unsigned)RANDOM_OF(seed, 0, 100, 700, 1500, 3000);
	for (unsigned i = 0; i < 4; i++)
		if (one_in(seed, 2))
			r->ceilings[facts->n_ceilings++] = (struct pressure_ceiling){
				.full = i >= 2,
				.permyriad = (const unsigned[]){ 1000, 2000, 500, 1000 }[i],
				.exceeded = RANDOM_OF(seed, 0, 0, NOW, NOW - 5 * USEC_PER_SEC,
						      NOW - 7 * USEC_PER_SEC, NOW - USEC_PER_MIN,
						      1),
			};
	while (facts->n_inhibitors < 2 && one_in(seed, 2 * rare))
		r->inhibitors[facts->n_inhibitors++] = (struct inhibitor){
			.mode = one_in(seed, 2) ? INHIBIT_BLOCK : INHIBIT_DELAY,
			.scope = { "*57"[random_u64(seed) % 3], '*' },
			.who = "backup",
			.why = "runs",
		};
	while (facts->n_freed < 3 && one_in(seed, 2)) {
		struct freed *freed = &r->freed[facts->n_freed++];

		freed->when = NOW - random_u64(seed) % (60 * USEC_PER_MIN);
		freed->bytes = RANDOM_OF(seed, BLOCK, 2 * BLOCK, GiB, UINT64_MAX) -
			       random_u64(seed) % 2;
		(void)str_copy(freed->memdev, DEV_NAME_MAX, one_in(seed, 2) ? "mem0" : "mem1");
		freed->more = RANDOM_OF(seed, 0, 0, 1, 2, UINT_MAX);
	}
	if (r->c.other && one_in(seed, 2))
		facts->n_leaving = 1;
	(void)str_copy(r->leaving.memdev, sizeof(r->leaving.memdev), "mem0");
	assert_int_equal(tag_parse(OTHER_TAG, &r->leaving.tag), 0);
	facts->ceilings = r->ceilings;
	facts->inhibitors = r->inhibitors;
	facts->freed = r->freed;
	facts->leaving = &r->leaving;
}

/* Just so long ago that it makes a difference; or it was met. */
static inline usec_t random_since(uint64_t *seed, unsigned rare)
{
	if (!one_in(seed, 1 + rare))
		return 0;
	return NOW - RANDOM_OF(seed, 1, USEC_PER_MIN - 1, USEC_PER_MIN, 5 * USEC_PER_MIN,
			       10 * USEC_PER_MIN, 60 * USEC_PER_MIN, 120 * USEC_PER_MIN);
}

static inline void random_case(uint64_t *seed, struct random_case *r)
{
	/* How much is not as it should be differs from case to case. */
	unsigned rare = 1 + (unsigned)(random_u64(seed) % 16);
	bool full = one_in(seed, 3); /* or there is room for everything */

	*r = (struct random_case){ .c.flags = random_flags(seed, rare) };
	r->c.modes = r->modes;
	random_devices(seed, rare, r);
	if (!(r->c.flags & OUTSIDE) && one_in(seed, 2)) {
		r->other[0] = "mmo"[random_u64(seed) % 3];
		r->other[1] = "mok"[random_u64(seed) % 3];
		r->c.other = r->other;
		r->c.flags |= one_in(seed, 4) ? OTHER_BROKEN : 0;
		r->c.other_node = 1 + (int)(random_u64(seed) % 3);
	}
	for (int i = 0; full && i < 4 && !one_in(seed, 4); i++)
		r->c.nodes[i] = (struct numa_node)NODE(i, random_bytes(seed) | 1,
						       random_bytes(seed), random_bytes(seed));
	random_facts(seed, rare, r);
	r->c.request.origin = one_in(seed, 4) ? ORIGIN_ADMIN : ORIGIN_DEVICE;
	r->c.request.approval = one_in(seed, 3)	   ? APPROVAL_GIVEN
				: one_in(seed, 20) ? APPROVAL_DENIED
						   : APPROVAL_NONE;
	for (unsigned k = 0; k < _CONDITION_MAX; k++)
		r->c.request.since[k] = random_since(seed, rare);
	r->c.request.blocked = random_since(seed, rare);
}
