/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_decide(): what no random host and no random policy may break. */
#include "tests/unit/policy_host.h"

static uint64_t random_u64(uint64_t *state)
{
	/* xorshift64*: the same sequence on every machine. */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static bool one_in(uint64_t *seed, unsigned n)
{
	return random_u64(seed) % n == 0;
}

static uint64_t random_bytes(uint64_t *seed)
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

/* Mostly well, so that every verdict comes up. */
static void random_case(uint64_t *seed, struct test_case *ret, char letters[DEVICES][4],
			char modes[DEVICES + 1])
{
	size_t n = random_u64(seed) % (DEVICES + 1);

	*ret = (struct test_case){ .modes = modes };
	memset(modes, 0, DEVICES + 1);
	for (size_t i = 0; i < n; i++) {
		size_t n_blocks = random_u64(seed) % 4;

		modes[i] = one_in(seed, 3) ? "sdfuo"[random_u64(seed) % 5] : 's';
		for (size_t b = 0; b < n_blocks; b++)
			letters[i][b] = one_in(seed, 12) ? "kog?nzFOK"[random_u64(seed) % 9] : 'm';
		letters[i][n_blocks] = '\0';
		ret->blocks[i] = letters[i];
		ret->node[i] = (int)(random_u64(seed) % 4);
		if (one_in(seed, 8))
			ret->holders[i] = (struct holder){ .device = (uint32_t)i,
							   .pid = (int32_t)(i + 1),
							   .mapped = one_in(seed, 2) };
	}
	if (!one_in(seed, 3))
		for (int i = 0; i < 4; i++)
			ret->nodes[i] = (struct numa_node)NODE(
				i, random_bytes(seed) | 1, random_bytes(seed), random_bytes(seed));
	if (one_in(seed, 6) && n)
		ret->flags = 1u << random_u64(seed) % 8;
}

static void random_policy(uint64_t *seed, struct policy *ret)
{
	policy_init(ret);
	for (unsigned m = 0; m < DAX_MODE_OTHER; m++)
		ret->defaults.action[m] = one_in(seed, 4) ? ACTION_KEEP : ACTION_FREE;
	ret->defaults.headroom_bytes = one_in(seed, 2) ? 0 : random_bytes(seed);
	ret->defaults.headroom_permyriad = one_in(seed, 2) ? 0 : random_u64(seed) % 10001;
	ret->n_rules = random_u64(seed) % 3;
	ret->rules = ret->n_rules ? calloc(ret->n_rules, sizeof(*ret->rules)) : NULL;
	for (size_t i = 0; i < ret->n_rules; i++) {
		struct policy_rule *rule = &ret->rules[i];

		snprintf(rule->name, sizeof(rule->name), "r%zu", i);
		rule->mode = one_in(seed, 2) ? -1 : (int)(random_u64(seed) % DAX_MODE_OTHER);
		if (one_in(seed, 3))
			(void)str_copy(rule->tag_glob, sizeof(rule->tag_glob),
				       one_in(seed, 2) ? "5*" : "0*");
		if (one_in(seed, 4))
			(void)str_copy(rule->region, sizeof(rule->region), "region1");
		rule->settings = ret->defaults;
		if (rule->mode >= 0)
			rule->settings.action[rule->mode] = (enum policy_action)one_in(seed, 2);
	}
}

/*
 * The balance of headroom in numbers that cannot overflow, the other way round: what is in use on
 * the whole host must fit into what stays, less what can be dropped, and leave the floor.
 */
static bool oracle_room(const struct host *host, const struct release_settings *settings)
{
	__int128 must_move = 0, room = 0, total = 0, floor, unlisted = 0, online = 0;
	const struct inventory *inv = &host->inv;

	for (uint32_t b = 0; b < inv->n_blocks; b++)
		if (inv->blocks[b].state == BLOCK_ONLINE)
			online += BLOCK;
	if (!online || !inv->n_nodes)
		return true;
	unlisted = online;
	for (uint32_t i = 0; i < inv->n_nodes; i++) {
		const struct numa_node *node = &inv->nodes[i];
		__int128 size = node->total, leaving = 0, used;

		for (uint32_t b = 0; b < inv->n_blocks; b++)
			if (inv->blocks[b].state == BLOCK_ONLINE &&
			    inv->devices[inv->blocks[b].device].target_node == node->id)
				leaving += BLOCK;
		leaving = MIN(leaving, size);
		unlisted -= leaving;
		used = MAX(size - (__int128)node->free, 0);
		total += size - leaving;
		must_move += used < leaving ? used : leaving;
		if (leaving == 0)
			room += MIN((__int128)node->free + node->reclaimable, size);
		else
			room += used <= leaving ? size - leaving : size - used;
	}
	must_move += unlisted;
	/* The sum of all nodes is more than 64 bits can say: the daemon's view ends there. */
	total = MIN(total, (__int128)UINT64_MAX);
	floor = MAX((__int128)settings->headroom_bytes,
		    total * settings->headroom_permyriad / 10000);
	return room >= must_move + floor;
}

/* What must hold for a group that is to be freed. */
static void check_free(const struct host *host, const struct decision *decision)
{
	const struct inventory *inv = &host->inv;

	assert_true(inv->n_devices > 0);
	for (uint32_t i = 0; i < inv->n_devices; i++) {
		assert_int_not_equal(inv->devices[i].mode, DAX_MODE_OTHER);
		assert_int_equal(decision->settings.action[inv->devices[i].mode], ACTION_FREE);
	}
	assert_int_equal(inv->n_holders, 0);
	for (uint32_t b = 0; b < inv->n_blocks; b++) {
		const struct memory_block *block = &inv->blocks[b];

		assert_true(block->state == BLOCK_OFFLINE ||
			    (block->state == BLOCK_ONLINE && block->zone == ZONE_MOVABLE &&
			     !block->foreign));
		assert_true(block->foreign ||
			    inv->devices[block->device].mode == DAX_MODE_SYSTEM_RAM);
	}
	/* Each mapping is one of the group's extents. */
	for (uint32_t m = 0; m < inv->n_mappings; m++) {
		bool found = false;

		for (uint32_t e = 0; e < host->group.n_extents; e++)
			if (range_equal(&inv->mappings[m].hpa, &inv->extents[e].hpa))
				found = true;
		assert_true(found);
	}
	assert_true(oracle_room(host, &decision->settings));
}

static void test_properties(_unused_ void **state)
{
	unsigned count[_VERDICT_MAX] = { 0 };
	uint64_t seed = 20261122;

	for (int round = 0; round < 200000; round++) {
		struct decision decision, again;
		char letters[DEVICES][4], modes[DEVICES + 1];
		struct host host, before;
		struct policy policy;
		struct test_case c;

		random_case(&seed, &c, letters, modes);
		memset(&host, 0, sizeof(host));
		host_build(&c, &host);
		random_policy(&seed, &policy);
		memcpy(&before, &host, sizeof(host));

		policy_decide(&host.inv, &host.group, &policy, &decision);
		policy_decide(&host.inv, &host.group, &policy, &again);
		assert_memory_equal(&host, &before, sizeof(host));
		assert_int_equal(decision.verdict, again.verdict);
		assert_string_equal(decision.reason, again.reason);
		assert_string_equal(decision.rule, again.rule);

		assert_true((unsigned)decision.verdict < _VERDICT_MAX);
		count[decision.verdict]++;
		assert_reason_is_sentence(decision.reason);
		assert_int_equal(decision.verdict == VERDICT_NOTHING, host.inv.n_devices == 0);
		if (decision.verdict == VERDICT_FREE)
			check_free(&host, &decision);
		policy_done(&policy);
	}
	/* None of the above was true for want of cases. */
	for (size_t i = 0; i < ARRAY_SIZE(count); i++)
		assert_true(count[i] > 5000);
}

/* The longest names there can be do not cut a reason. */
static void test_longest_names(_unused_ void **state)
{
	static const struct test_case hosts[] = {
		{ .modes = "d" },
		{ .modes = "o" },
		{ .modes = "s", .blocks = { "k" } },
		{ .modes = "s", .blocks = { "F" } },
		{ .modes = "s", .blocks = { "?" } },
		{ .modes = "s", .blocks = { "z" } },
		{ .modes = "s", .flags = OUTSIDE },
		{ .modes = "s", .flags = CUT },
		{ .modes = "s", .flags = NO_BLOCK_SIZE },
		{ .modes = "s", .blocks = { "mmm" } },
		{ .modes = "s", .blocks = { "mmm" }, .nodes = { NODE(1, UINT64_MAX, 0, 0) } },
		{ .modes = "u", .blocks = { "o" }, .conf = ALL_FREE },
		{ .modes = "d",
		  .conf = ALL_FREE,
		  .holders = { { .pid = INT32_MAX, .mapped = true } } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		struct decision decision;
		struct policy policy;
		struct host host;

		host_build(&hosts[i], &host);
		parse(hosts[i].conf, &policy);
		/* A rule that matches all and changes nothing, with the longest name. */
		policy.rules = calloc(1, sizeof(*policy.rules));
		assert_non_null(policy.rules);
		policy.n_rules = 1;
		policy.rules[0].mode = -1;
		policy.rules[0].settings = policy.defaults;
		memset(policy.rules[0].name, 'r', RULE_NAME_MAX - 1);
		memset(host.devices[0].name, 'd', DEV_NAME_MAX - 1);
		memset(host.devices[0].driver, 'v', DEV_NAME_MAX - 1);
		for (uint32_t b = 0; b < host.inv.n_blocks; b++)
			host.blocks[b].number = UINT64_MAX;
		for (uint32_t m = 0; m < host.inv.n_mappings; m++)
			if (hosts[i].flags & OUTSIDE)
				host.mappings[m].hpa.start = UINT64_MAX - (UINT64_C(1) << 60);
		if (host.inv.n_holders)
			memset(host.holders[0].comm, '\n', sizeof(host.holders[0].comm));
		policy_decide(&host.inv, &host.group, &policy, &decision);
		assert_reason_is_sentence(decision.reason);
		assert_int_equal(strlen(decision.rule), RULE_NAME_MAX - 1);
		policy_done(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_properties),
		cmocka_unit_test(test_longest_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
