/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group that most scenarios about trouble are about: TAG_A of mem0, three extents of two blocks
 * each without gaps between them, so that its blocks count from BLOCK0; all of it is one device's,
 * online in the movable zone.
 */
#pragma once

#include <dcdd/base.h>

#include "harness.h"

#define BLOCK0 (UINT64_C(0xa90000000) / (128 * MiB)) /* 338 */
#define N_BLOCKS 6
#define A_EXTENTS EXTENT(0, 256 * MiB), EXTENT(256 * MiB, 256 * MiB), EXTENT(512 * MiB, 256 * MiB)

/* One try, so that what a test sees is the end. */
#define ONCE "[release]\nretries = 0\n"

static inline char *block_path(unsigned i, char buf[static 96])
{
	(void)snprintf(buf, 96, "devices/system/memory/memory%llu/state",
		       (unsigned long long)BLOCK0 + i);
	return buf;
}

/* Returns the device's name, dax0.1. */
static inline const char *claim_a(struct scenario *s)
{
	return SIM_RAM(s, "mem0", TAG_A, A_EXTENTS);
}

/*
 * The device asks for it, and the release stands still in block @i, which is on its way offline,
 * until sim_release_hang() of what is returned.
 */
static inline unsigned hold_at_block(struct scenario *s, unsigned i)
{
	char path[96];
	unsigned fault = sim_fault(s, block_path(i, path), "'value':'offline','action':'hang'");

	assert_int_equal(sim_release(s, "mem0", TAG_A), -EBUSY);
	sim_fault_wait(s, fault, 1);
	return fault;
}

/* Waits for that end of TAG_A's release, with @why in its reason. Returns it (caller puts). */
static inline struct json_object *wait_end(struct scenario *s, const char *state, const char *why)
{
	struct json_object *r = release_wait(s, TAG_A, state, 60);

	if (!strstr(member_string(r, "Reason"), why))
		scenario_fail(s, "the reason is \"%s\", without \"%s\"", member_string(r, "Reason"),
			      why);
	return r;
}

#define assert_end(s, state, why) ((void)json_object_put(wait_end(s, state, why)))
