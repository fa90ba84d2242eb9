/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small host, a policy that frees everything, and decisions about it one after another. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/decide.h"

#define BLOCK (128 * MiB)
#define NOW (10 * USEC_PER_HOUR)
#define OWN_PID 4242

/* dax0.1 is two blocks of node 1 in one extent; dax0.2 one block of it in an extent behind. */
struct world {
	struct inventory inv;
	struct tag_group group;
	struct memdev memdev;
	struct region region;
	struct extent extents[2];
	struct dax_device devices[2];
	struct mapping mappings[2];
	struct memory_block blocks[3];
	struct holder holders[2];
	struct numa_node nodes[2];
	struct huge_pages huge[2];
	struct policy policy;
	struct policy_facts facts;
	struct policy_request request;
	struct decision decision;
};

static inline void world_init(struct world *w)
{
	struct release_settings *s = &w->policy.defaults;

	*w = (struct world){
		.inv = { .block_size = BLOCK,
			 .memdevs = &w->memdev,
			 .n_memdevs = 1,
			 .regions = &w->region,
			 .n_regions = 1,
			 .extents = w->extents,
			 .n_extents = 2,
			 .devices = w->devices,
			 .n_devices = 2,
			 .mappings = w->mappings,
			 .n_mappings = 2,
			 .blocks = w->blocks,
			 .n_blocks = 3,
			 .holders = w->holders,
			 .nodes = w->nodes,
			 .n_nodes = 2,
			 .hugepages = w->huge },
		.group = { .n_extents = 1 },
		.memdev = { .name = "mem0", .serial = 0x4711 },
		.region = { .name = "region0",
			    .mode = "dynamic_ram_1",
			    .n_extents = 2,
			    .n_devices = 2,
			    .dpa.length = GiB,
			    .hpa = { .start = GiB, .length = GiB } },
		.nodes = { { .id = 0, .total = 4 * GiB, .free = 2 * GiB },
			   { .id = 1, .total = 3 * BLOCK, .free = 2 * BLOCK } },
		.facts = { .now = NOW, .realtime = NOW, .own_pid = OWN_PID },
	};
	for (uint32_t i = 0; i < 2; i++) {
		struct range hpa = { .start = GiB + i * 2 * BLOCK, .length = (2 - i) * BLOCK };

		w->extents[i] = (struct extent){ .device = i,
						 .hpa = hpa,
						 .dpa = { .start = i * 2 * BLOCK,
							  .length = hpa.length } };
		memset(&w->extents[i].tag, (int)i + 1, sizeof(w->extents[i].tag));
		w->devices[i] = (struct dax_device){ .mode = DAX_MODE_SYSTEM_RAM,
						     .size = hpa.length,
						     .target_node = 1,
						     .first_mapping = i,
						     .n_mappings = 1,
						     .first_block = 2 * i,
						     .n_blocks = 2 - i };
		snprintf(w->devices[i].name, sizeof(w->devices[i].name), "dax0.%u", i + 1);
		snprintf(w->extents[i].name, sizeof(w->extents[i].name), "extent0.%u", i + 1);
		w->mappings[i].hpa = hpa;
	}
	for (uint32_t i = 0; i < 3; i++)
		w->blocks[i] = (struct memory_block){ .number = 8 + i,
						      .state = BLOCK_ONLINE,
						      .zone = ZONE_MOVABLE,
						      .device = i / 2 };
	s->ask_timeout = s->windows_wait = s->inhibit_wait = USEC_PER_HOUR;
	s->state_wait = s->inhibit_delay_max = USEC_PER_MIN;
	s->headroom_wait = s->pressure_wait = s->holders_wait = s->rate_wait = s->reserve_wait =
		10 * USEC_PER_MIN;
	s->ask_outcome = ACTION_KEEP;
	s->pressure_settle = 10 * USEC_PER_SEC;
}

/* As the daemon does it: decides, and remembers since when what was not met. */
static inline void decide(struct world *w)
{
	policy_decide(&w->inv, &w->group, &w->policy, &w->facts, &w->request, &w->decision);
	policy_request_update(&w->request, &w->decision, w->facts.now);
}

static inline const struct condition *condition(const struct world *w, enum condition_kind kind)
{
	assert_int_equal(w->decision.n_conditions, _CONDITION_MAX);
	assert_int_equal(w->decision.conditions[kind].kind, kind);
	return &w->decision.conditions[kind];
}

static inline void expect(struct world *w, enum verdict verdict, const char *reason)
{
	decide(w);
	if (w->decision.verdict != verdict || !strstr(w->decision.reason, reason))
		fail_msg("got %s: %s\nnot %s: %s", verdict_to_string(w->decision.verdict),
			 w->decision.reason, verdict_to_string(verdict), reason);
}

/* It waits until @wait is over, and is refused then with the name of the key. */
static inline void expect_wait(struct world *w, enum condition_kind kind, usec_t wait,
			       const char *reason, const char *waited)
{
	expect(w, VERDICT_WAIT, reason);
	assert_int_equal(condition(w, kind)->outcome, OUTCOME_WAIT);
	assert_int_equal(condition(w, kind)->deadline, NOW + wait);
	assert_int_equal(w->decision.deadline, NOW + wait);
	assert_int_equal(w->request.since[kind], NOW);
	w->facts.now = NOW + wait - 1;
	expect(w, VERDICT_WAIT, reason);
	assert_int_equal(w->decision.deadline, NOW + wait);
	w->facts.now = NOW + wait;
	expect(w, VERDICT_REFUSE, waited);
	assert_non_null(strstr(w->decision.reason, reason));
	assert_false(w->decision.permanent);
	assert_int_equal(w->decision.deadline, USEC_INFINITY);
}
