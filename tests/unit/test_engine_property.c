/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated host under random operations: after each one the invariants hold, one that was
 * refused has changed nothing, and memory was handed back while online exactly when the engine
 * says so. ENGINE_SEED=N runs one other seed, ENGINE_OPS=N that many operations.
 */
#include "engine_fixture.h"

#define SLOT (64 * MiB) /* half a block: claims need not be whole blocks */
#define SLOTS 32	/* in the partition; the region ends before the last four */
#define DEVICES 4
#define FIRST_BLOCK 338
#define BLOCKS 14

struct run {
	struct sim *s;
	uint64_t random;
	uint64_t seed;
	unsigned op;
	uint8_t tag[SLOTS]; /* which tag was last offered there */
	/* A write that blocks, to be finished some time. */
	bool stuck;
	char stuck_path[96], stuck_value[24];
	uint64_t next_writer, writer;
	/* Seen in all runs together. */
	unsigned blocked, interrupted, refused;
};

static uint64_t next_random(struct run *r)
{
	/* xorshift64* */
	r->random ^= r->random >> 12;
	r->random ^= r->random << 25;
	r->random ^= r->random >> 27;
	return r->random * UINT64_C(2685821657736338717);
}

static unsigned pick(struct run *r, unsigned n)
{
	return (unsigned)((next_random(r) >> 33) % n);
}

static struct tag tag_number(unsigned n)
{
	struct tag tag = { 0 };

	/* 0 is the null tag. */
	if (n > 0)
		memset(tag.bytes, (int)(0x10 + n), sizeof(tag.bytes));
	return tag;
}

static struct json_object *member(struct json_object *obj, const char *key)
{
	struct json_object *value = NULL;

	assert_true(json_object_object_get_ex(obj, key, &value));
	return value;
}

static uint64_t number(struct json_object *obj, const char *key)
{
	return json_object_get_uint64(member(obj, key));
}

/* What can be seen on the host: the dump without counters and what only the device knows. */
static struct json_object *visible(struct run *r)
{
	struct json_object *dump = engine_dump(r->s->e);

	assert_non_null(dump);
	json_object_object_del(dump, "counters");
	json_object_object_del(dump, "violations");
	json_object_object_del(dump, "memdevs");
	return dump;
}

/* Online blocks under the extents that @before has and @after has not, counted once per extent. */
static unsigned handed_back_online(struct json_object *before, struct json_object *after)
{
	struct json_object *old = member(json_object_array_get_idx(member(before, "regions"), 0),
					 "extents");
	struct json_object *new = member(json_object_array_get_idx(member(after, "regions"), 0),
					 "extents");
	/* A region that goes leaves its blocks as they were; so the state is that of before. */
	struct json_object *blocks = member(before, "blocks");
	unsigned n = 0;

	for (size_t i = 0; i < json_object_array_length(old); i++) {
		struct json_object *x = json_object_array_get_idx(old, i);
		struct range hpa = { .start = HPA + number(x, "offset"),
				     .length = number(x, "length") };
		bool stays = false;

		for (size_t j = 0; j < json_object_array_length(new); j++)
			stays |= number(json_object_array_get_idx(new, j), "offset") ==
				 number(x, "offset");
		for (size_t j = 0; !stays && j < json_object_array_length(blocks); j++) {
			struct json_object *b = json_object_array_get_idx(blocks, j);
			struct range range = { .start = number(b, "number") * 128 * MiB,
					       .length = 128 * MiB };

			n += range_overlaps(&hpa, &range) &&
			     !streq(json_object_get_string(member(b, "state")), "offline");
		}
	}
	return n;
}

/* ---- operations; each returns what the kernel answered, 0 if there is no answer ---- */

static ssize_t do_write(struct run *r, const char *path, const char *value)
{
	const struct engine_writer w = { .id = ++r->next_writer };
	ssize_t res = engine_attr_write(r->s->e, path, value, strlen(value), &w);

	/* Who only waits for the lock is let go: it holds nothing. */
	if (res == ENGINE_BLOCKS && !r->stuck) {
		r->stuck = true;
		r->writer = w.id;
		(void)str_copy(r->stuck_path, sizeof(r->stuck_path), path);
		(void)str_copy(r->stuck_value, sizeof(r->stuck_value), value);
		r->blocked++;
	}
	return res == ENGINE_BLOCKS ? 0 : res;
}

static ssize_t op_stuck(struct run *r)
{
	const struct engine_writer w = { .id = r->writer, .signalled = pick(r, 2) };
	ssize_t res;

	if (!r->stuck)
		return 0;
	res = engine_attr_write(r->s->e, r->stuck_path, r->stuck_value, strlen(r->stuck_value), &w);
	if (res != ENGINE_BLOCKS)
		r->stuck = false;
	r->interrupted += res == -EINTR;
	/* Going offline is over: that is a change, whatever the answer. */
	return 0;
}

static ssize_t op_add(struct run *r)
{
	struct engine_extent_spec specs[3];
	unsigned tag = pick(r, 6), n = 1 + pick(r, 3);

	for (unsigned i = 0; i < n; i++) {
		unsigned slot = pick(r, SLOTS);
		unsigned len = 1 + pick(r, 4);

		specs[i] = (struct engine_extent_spec){
			.dpa = { .start = slot * SLOT, .length = len * SLOT },
			.tag = tag_number(pick(r, 20) ? tag : pick(r, 6)),
		};
		if (pick(r, 40) == 0)
			specs[i].dpa.length -= 4096;
	}
	if (pick(r, 15) == 0)
		engine_fail_extent(r->s->e, 1 + pick(r, 3), -ENOMEM);
	/* The device refuses to offer nonsense, which is no answer of the kernel. */
	if (engine_device_add(r->s->e, "mem0", specs, n, pick(r, 15) ? 0 : ENGINE_ADD_OPEN) == 0)
		for (unsigned i = 0; i < n; i++)
			for (uint64_t at = specs[i].dpa.start; at < range_end(&specs[i].dpa);
			     at += SLOT)
				r->tag[at / SLOT] = (uint8_t)tag;
	(void)engine_run_records(r->s->e);
	engine_fail_extent(r->s->e, 0, 0);
	return 0;
}

static ssize_t op_release(struct run *r)
{
	unsigned slot = pick(r, SLOTS);
	struct engine_record record = {
		.event = {
			.type = pick(r, 20) ? DC_EVENT_RELEASE : (uint8_t)pick(r, 6),
			.dpa = { .start = slot * SLOT, .length = SLOT },
			.tag = tag_number(pick(r, 10) ? r->tag[slot] : pick(r, 6)),
		},
	};
	int outcome;

	assert_int_equal(engine_device_record(r->s->e, "mem0", &record), 0);
	outcome = engine_run_records(r->s->e);
	assert_true(outcome > 0);
	if (outcome == ENGINE_BUSY)
		return -EBUSY;
	return outcome == ENGINE_NO_MATCH ? -EINVAL : 0;
}

static ssize_t op_claim(struct run *r)
{
	char path[64], text[TAG_STRLEN + 1];
	struct tag tag = tag_number(pick(r, 8) ? r->tag[pick(r, SLOTS)] : pick(r, 6));

	(void)snprintf(path, sizeof(path), "bus/dax/devices/dax0.%u/uuid", pick(r, DEVICES));
	return do_write(r, path, tag_format(&tag, text));
}

static ssize_t op_size(struct run *r)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "bus/dax/devices/dax0.%u/size", pick(r, DEVICES));
	return do_write(r, path, pick(r, 5) ? "0" : "134217728");
}

static ssize_t op_create(struct run *r)
{
	if (sim_exists(r->s, "bus/dax/devices/dax0.3"))
		return 0;
	return do_write(r, DAX_REGION "dax_region/create", "1");
}

static ssize_t op_delete(struct run *r)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "dax0.%u", pick(r, DEVICES));
	return do_write(r, DAX_REGION "dax_region/delete", name);
}

static ssize_t op_driver(struct run *r)
{
	static const char *const drivers[] = { "kmem", "kmem", "device_dax", "fsdev_dax" };
	static const char *const files[] = { "bind", "unbind", "remove_id" };
	char path[64], name[16];

	(void)snprintf(path, sizeof(path), "bus/dax/drivers/%s/%s", drivers[pick(r, 4)],
		       files[pick(r, 3)]);
	(void)snprintf(name, sizeof(name), "dax0.%u", pick(r, DEVICES));
	return do_write(r, path, name);
}

/* Apart, because it succeeds or fails with what it remembers and binds mixed. */
static ssize_t op_new_id(struct run *r)
{
	char path[64], name[16];

	(void)snprintf(path, sizeof(path), "bus/dax/drivers/%s/new_id",
		       pick(r, 4) ? "kmem" : "fsdev_dax");
	(void)snprintf(name, sizeof(name), "dax0.%u", pick(r, DEVICES));
	return do_write(r, path, name);
}

/* A block that is there, or any number if there is none. */
static unsigned pick_block(struct run *r)
{
	unsigned first = pick(r, BLOCKS);
	char path[64];

	for (unsigned i = 0; i < BLOCKS; i++) {
		unsigned n = FIRST_BLOCK + (first + i) % BLOCKS;

		(void)snprintf(path, sizeof(path), "devices/system/memory/memory%u", n);
		if (sim_exists(r->s, path))
			return n;
	}
	return FIRST_BLOCK + first;
}

static ssize_t op_block(struct run *r)
{
	static const char *const states[] = { "offline",	"offline", "online_movable",
					      "online_movable", "online",  "online_kernel" };
	char path[64];

	(void)snprintf(path, sizeof(path), "devices/system/memory/memory%u/state", pick_block(r));
	return do_write(r, path, states[pick(r, ARRAY_SIZE(states))]);
}

static ssize_t op_state(struct run *r)
{
	static const char *const states[] = { "unplugged", "online_movable", "online_movable",
					      "online", "offline" };
	char path[64];

	(void)snprintf(path, sizeof(path), "bus/dax/devices/dax0.%u/state", pick(r, DEVICES));
	return do_write(r, path, states[pick(r, ARRAY_SIZE(states))]);
}

static ssize_t op_flags(struct run *r)
{
	(void)engine_block_set(r->s->e, pick_block(r),
			       pick(r, 3) ? ENGINE_BLOCK_PINNED : ENGINE_BLOCK_UNMOVABLE,
			       pick(r, 3) > 0);
	(void)engine_node_set_used(r->s->e, (int)pick(r, 2), pick(r, 4) * 100 * MiB);
	(void)engine_node_set_huge_pages(r->s->e, (int)pick(r, 2), pick(r, 4) ? 2 * MiB : GiB,
					 pick(r, 40), pick(r, 20));
	return 0;
}

static ssize_t op_policy(struct run *r)
{
	static const char *const policies[] = { "offline", "online", "online_kernel",
						"online_movable" };

	return do_write(r, "devices/system/memory/auto_online_blocks", policies[pick(r, 4)]);
}

static ssize_t op_time(struct run *r)
{
	r->s->now += pick(r, 25) * USEC_PER_SEC;
	engine_tick(r->s->e);
	return 0;
}

static ssize_t op_region(struct run *r)
{
	/* Rare, and never off for long: most of the rules are about a region that is there. */
	if (pick(r, 12) == 0)
		(void)(pick(r, 2) ? engine_disable_region(r->s->e, "region0")
				  : engine_load_dax_cxl(r->s->e, false));
	else if (sim_exists(r->s, "bus/cxl/devices/region0/driver"))
		(void)engine_load_dax_cxl(r->s->e, true);
	else
		(void)engine_enable_region(r->s->e, "region0");
	return 0;
}

static const struct {
	const char *name;
	ssize_t (*run)(struct run *r);
	unsigned weight;
} operations[] = {
	{ "add", op_add, 14 },	    { "release", op_release, 18 }, { "claim", op_claim, 18 },
	{ "size", op_size, 6 },	    { "create", op_create, 6 },	   { "delete", op_delete, 2 },
	{ "driver", op_driver, 8 }, { "new_id", op_new_id, 10 },   { "block", op_block, 30 },
	{ "state", op_state, 6 },   { "flags", op_flags, 8 },	   { "policy", op_policy, 1 },
	{ "time", op_time, 2 },	    { "region", op_region, 2 },	   { "stuck", op_stuck, 8 },
};

static size_t pick_operation(struct run *r)
{
	unsigned sum = 0, at;
	size_t i = 0;

	for (size_t j = 0; j < ARRAY_SIZE(operations); j++)
		sum += operations[j].weight;
	at = pick(r, sum);
	while (at >= operations[i].weight)
		at -= operations[i++].weight;
	return i;
}

static void one_operation(struct run *r)
{
	struct json_object *before = visible(r), *after;
	uint64_t violations = r->s->n_violations, oopses = engine_counters(r->s->e)->oopses;
	size_t op = pick_operation(r);
	ssize_t res = operations[op].run(r);
	unsigned expected;
	char error[256];

	if (!engine_invariants_hold(r->s->e, error, sizeof(error)))
		fail_msg("seed %ju, operation %u (%s): %s", (uintmax_t)r->seed, r->op,
			 operations[op].name, error);
	after = visible(r);
	if (res < 0) {
		r->refused++;
		if (!json_object_equal(before, after))
			fail_msg(
				"seed %ju, operation %u (%s): failed with %zd and changed:\n%s\n%s",
				(uintmax_t)r->seed, r->op, operations[op].name, res,
				json_object_to_json_string(before),
				json_object_to_json_string(after));
	}
	expected = handed_back_online(before, after);
	oopses = engine_counters(r->s->e)->oopses - oopses;
	if (r->s->n_violations - violations != expected + oopses)
		fail_msg("seed %ju, operation %u (%s): %ju violations, %u expected",
			 (uintmax_t)r->seed, r->op, operations[op].name,
			 (uintmax_t)(r->s->n_violations - violations), expected + (unsigned)oopses);
	json_object_put(before);
	json_object_put(after);
	r->op++;
}

static void add_counters(struct engine_counters *sum, const struct engine_counters *c)
{
	/* A struct of nothing but uint64_t. */
	const uint64_t *from = (const uint64_t *)c;
	uint64_t *to = (uint64_t *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

/* One host, @ops operations. Adds what happened to @sum and @total. */
static void run_seed(uint64_t seed, unsigned ops, struct engine_counters *sum, struct run *total)
{
	const struct engine_memdev_config memdev = {
		.partitions = { { .size = SLOTS * SLOT } },
		.n_partitions = 1,
	};
	const struct engine_region_config region = {
		.memdev = "mem0",
		.size = (SLOTS - 4) * SLOT,
	};
	struct run r = { .seed = seed, .random = seed * 2 + 1 };
	struct engine_config config;

	print_message("seed %ju\n", (uintmax_t)seed);
	engine_config_init(&config);
	config.boot_memory = 256 * MiB; /* little, so that nodes fill up and dumps are short */
	config.state_attribute = seed % 2;
	r.s = sim_new_bare(&config);
	assert_int_equal(engine_add_memdev(r.s->e, &memdev), 0);
	assert_int_equal(engine_add_region(r.s->e, &region), 0);
	while (r.op < ops)
		one_operation(&r);
	add_counters(sum, engine_counters(r.s->e));
	total->blocked += r.blocked;
	total->interrupted += r.interrupted;
	total->refused += r.refused;
	sim_free(r.s);
}

static void test_random_operations(void **state)
{
	const char *seed = getenv("ENGINE_SEED"), *ops = getenv("ENGINE_OPS");
	unsigned n = ops ? (unsigned)strtoul(ops, NULL, 0) : 400;
	struct engine_counters sum = { 0 };
	struct run total = { 0 };

	(void)state;
	if (seed) {
		run_seed(strtoull(seed, NULL, 0), n, &sum, &total);
		return;
	}
	for (uint64_t i = 1; i <= 40; i++)
		run_seed(i, n, &sum, &total);
	if (ops)
		return;
	print_message(
		"blocked %u, interrupted %u, refused %u; %ju groups added, %ju refused, %ju partly, "
		"%ju rolled back, %ju chains timed out; releases %ju granted, %ju busy, %ju "
		"unmatched, %ju forced; %ju blocks leaked, %ju violations, %ju oopses\n",
		total.blocked, total.interrupted, total.refused, (uintmax_t)sum.groups_added,
		(uintmax_t)sum.groups_refused, (uintmax_t)sum.groups_partial,
		(uintmax_t)sum.groups_rolled_back, (uintmax_t)sum.chains_timed_out,
		(uintmax_t)sum.releases_granted, (uintmax_t)sum.releases_busy,
		(uintmax_t)sum.releases_unmatched, (uintmax_t)sum.forced_ignored,
		(uintmax_t)sum.blocks_leaked, (uintmax_t)sum.violations, (uintmax_t)sum.oopses);
	/* All of it must have happened, or the run says nothing. */
	assert_true(total.blocked > 10 && total.interrupted > 10 && total.refused > 100);
	assert_true(sum.groups_added > 100 && sum.groups_refused > 100);
	assert_true(sum.groups_partial > 10 && sum.groups_rolled_back > 5);
	assert_true(sum.chains_timed_out > 2);
	assert_true(sum.releases_granted > 100 && sum.releases_busy > 100);
	assert_true(sum.releases_unmatched > 100);
	assert_true(sum.forced_ignored > 5 && sum.extents_returned > 100);
	assert_true(sum.blocks_leaked > 10 && sum.violations > 10 && sum.oopses > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations),
	};

	return cmocka_run_group_tests_name("engine: properties", tests, NULL, NULL);
}
