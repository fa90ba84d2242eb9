/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state machine of a release against a host in memory: the main job, each step failing in each
 * way, and random interference, after which the host is free or as before and nothing was ever
 * handed back while online.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_host.h"
#include "release/machine.h"
#include "release/plan.h"

struct run {
	struct fake_host host;
	struct fake_host before;
	struct policy policy;
	struct release *r;
	struct inventory *inv;
	usec_t now;
	bool ready, finished;
	/* Faults: the write with this number gets the error, with or without its effect. */
	unsigned fail_at;
	int fail_error;
	bool fail_effect;
	unsigned interfere_permille; /* another hand changes a block before a write */
	unsigned retry_permille;     /* the device retries */
	unsigned seed;
};

static unsigned draw(struct run *run, unsigned n)
{
	return (unsigned)rand_r(&run->seed) % n;
}

static struct machine_input input(struct run *run)
{
	return (struct machine_input){
		.now = run->now, .policy = &run->policy, .inventory = run->inv, .hint = ""
	};
}

static void scan(struct run *run)
{
	inventory_free(run->inv);
	run->inv = fake_inventory(&run->host);
	assert_non_null(run->inv);
	run->inv->taken = run->now;
}

static void interfere(struct run *run)
{
	unsigned b = draw(run, FAKE_BLOCKS_MAX);
	struct fake_block *block = &run->host.blocks[b];

	if (!block->present || draw(run, 1000) >= run->interfere_permille)
		return;
	block->online = !block->online;
	block->zone = block->online ? ZONE_MOVABLE : ZONE_NONE;
	/* What another hand did is no business of roll-back: "before" has it so, too. */
	run->before.blocks[b].online = block->online;
	run->before.blocks[b].zone = block->zone;
}

/* The worker with its guard, and the kernel. */
static void do_write(struct run *run, const struct worker_request *req, struct worker_reply *reply)
{
	struct fake_host *h = &run->host;
	bool fail = run->fail_at > 0 && h->writes + 1 == run->fail_at;

	*reply = (struct worker_reply){ .elapsed = 1000 };
	interfere(run);
	fake_watch(h, req, reply->before, sizeof(reply->before));
	if (req->skip_if[0] && streq(reply->before, req->skip_if)) {
		reply->error = -EALREADY;
	} else if ((strstr(req->path, "/unbind") || strstr(req->path, "/size")) &&
		   fake_find(h, req->expect.device) &&
		   fake_any_online(h, fake_find(h, req->expect.device))) {
		reply->error = -EBUSY;
	} else if (fail && !run->fail_effect) {
		h->writes++;
		reply->error = run->fail_error;
	} else {
		reply->error = fake_write(h, req);
		if (fail)
			reply->error = run->fail_error;
	}
	fake_watch(h, req, reply->after, sizeof(reply->after));
	if (draw(run, 1000) < run->retry_permille) {
		struct tag tag = run->r->key.tag;

		(void)fake_release(h, &tag);
	}
}

/* Does what the machine asks for until it waits for time or has ended. */
static void pump(struct run *run, unsigned actions)
{
	for (unsigned n = 0; actions; n++) {
		struct machine_input in;

		assert_true(n < 10000);
		run->now += 100;
		run->ready |= (actions & MACHINE_READY) != 0;
		run->finished |= (actions & MACHINE_FINISH) != 0;
		if (actions & MACHINE_STEP) {
			struct worker_request request;
			struct worker_reply reply;

			plan_step_request(&run->r->plan, machine_step(run->r), &request);
			do_write(run, &request, &reply);
			in = input(run);
			actions = machine_step_done(run->r, &in, &reply);
		} else if (actions & MACHINE_SCAN) {
			scan(run);
			in = input(run);
			actions = machine_scanned(run->r, &in);
		} else if (actions & MACHINE_TURN) {
			in = input(run);
			actions = machine_turn(run->r, &in);
		} else {
			actions = 0;
		}
	}
}

static void pass_deadline(struct run *run)
{
	struct machine_input in;

	assert_true(run->r->deadline != USEC_INFINITY);
	run->now = MAX(run->now, run->r->deadline);
	in = input(run);
	pump(run, machine_deadline(run->r, &in));
}

static void begin(struct run *run, uint8_t tag)
{
	struct group_key key = { .memdev = "mem0", .tag = fake_tag(tag) };
	struct range dpa = { 0 };
	struct machine_input in;

	policy_init(&run->policy);
	run->now = USEC_PER_HOUR;
	run->before = run->host;
	run->r = release_new(1, &key, &dpa, run->now);
	assert_non_null(run->r);
	in = input(run);
	pump(run, machine_begin(run->r, &in));
}

static void end(struct run *run)
{
	assert_int_equal(run->host.violations, 0);
	release_free(run->r);
	inventory_free(run->inv);
	policy_done(&run->policy);
}

static bool device_as_before(const struct fake_device *a, const struct fake_device *b)
{
	return a->exists == b->exists && a->claimed == b->claimed && streq(a->driver, b->driver);
}

static bool host_as_before(const struct run *run)
{
	for (unsigned i = 0; i < run->host.n_devices; i++)
		if (!device_as_before(&run->host.devices[i], &run->before.devices[i]))
			return false;
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++) {
		const struct fake_block *x = &run->host.blocks[b], *y = &run->before.blocks[b];

		if (x->present != y->present || x->online != y->online || x->zone != y->zone)
			return false;
	}
	return true;
}

static bool group_is_free(const struct run *run)
{
	const struct fake_device *dev = &run->host.devices[0];

	return !dev->claimed && !dev->driver[0] && !fake_any_online(&run->host, dev);
}

static void test_main_job(void **state)
{
	struct run run = { 0 };
	struct machine_input in;
	struct tag tag = fake_tag(1);

	(void)state;
	(void)fake_add_group(&run.host, 1, 3, 4, "dax0.1");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_true(run.ready);
	assert_true(run.r->retry_wanted);
	assert_true(group_is_free(&run));
	assert_false(run.host.devices[0].exists);
	assert_int_equal(run.r->plan.blocks_offline, 12);
	assert_int_equal(run.host.writes, 12 + 3);

	assert_true(fake_release(&run.host, &tag));
	in = input(&run);
	pump(&run, machine_record(run.r, &in, 1, run.now));
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_RELEASED);
	assert_true(run.finished);
	assert_false(run.r->retry_wanted);
	end(&run);
}

static void test_initial_device_is_not_deleted(void **state)
{
	struct run run = { 0 };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 2, "dax0.0");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_true(run.host.devices[0].exists);
	assert_int_equal(run.host.writes, 2 + 2);
	end(&run);
}

static void test_atomic(void **state)
{
	struct run run = { 0 };

	(void)state;
	fake_add_group(&run.host, 1, 2, 8, "dax0.1")->state_attr = true;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_int_equal(run.host.writes, 1 + 3);
	assert_int_equal(run.r->plan.blocks_offline, 16);
	end(&run);
}

/* The attribute is not trusted when single blocks were changed behind its back. */
static void test_atomic_not_when_stale(void **state)
{
	struct run run = { 0 };

	(void)state;
	fake_add_group(&run.host, 1, 1, 4, "dax0.1")->state_attr = true;
	run.host.blocks[1].online = false;
	run.host.blocks[1].zone = ZONE_NONE;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_int_equal(run.host.writes, 3 + 3);
	end(&run);
}

static void test_atomic_rolls_back(void **state)
{
	struct run run = { .fail_at = 2, .fail_error = -EIO };

	(void)state;
	fake_add_group(&run.host, 1, 2, 8, "dax0.1")->state_attr = true;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	assert_true(host_as_before(&run));
	end(&run);
}

static void test_kernel_zone_touches_nothing(void **state)
{
	struct run run = { 0 };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 4, "dax0.1");
	run.host.blocks[2].zone = ZONE_KERNEL;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, "memory"));
	assert_int_equal(run.host.writes, 0);
	end(&run);
}

static void test_unclaimed_is_left_to_the_kernel(void **state)
{
	struct run run = { 0 };
	struct tag tag = fake_tag(1);

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	run.host.devices[0].claimed = false;
	run.host.devices[0].driver[0] = '\0';
	run.host.blocks[0].present = false;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_REQUESTED);
	assert_true(fake_release(&run.host, &tag));
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_RELEASED);
	assert_int_equal(run.host.writes, 0);
	end(&run);
}

static void test_unclaimed_and_never_released(void **state)
{
	struct run run = { 0 };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	run.host.devices[0].claimed = false;
	run.host.devices[0].driver[0] = '\0';
	run.host.blocks[0].present = false;
	begin(&run, 1);
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_non_null(strstr(run.r->reason, "did not act"));
	end(&run);
}

/* The kernel acts later than the settle time, and there is no event that says so. */
static void test_released_late(void **state)
{
	struct run run = { 0 };
	struct tag tag = fake_tag(1);
	unsigned looks = 0;

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_true(fake_release(&run.host, &tag));
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_RELEASED);
	end(&run);

	/* It never does: looking ends, too. */
	run = (struct run){ 0 };
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	begin(&run, 1);
	for (; run.r->deadline != USEC_INFINITY; looks++)
		pass_deadline(&run);
	assert_int_equal(looks, MACHINE_READY_CHECKS);
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

static void test_held_waits_then_refuses(void **state)
{
	struct run run = { 0 };
	struct policy_rule rule = { .name = "all", .mode = -1 };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	(void)str_copy(run.host.devices[0].driver, DEV_NAME_MAX, "device_dax");
	run.host.blocks[0].present = false;
	run.host.devices[0].holder = 4711;
	begin(&run, 1);
	/* The defaults keep devdax; a rule that frees it still waits for the holder. */
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_int_equal(run.host.writes, 0);
	end(&run);

	run = (struct run){ .host = run.before };
	policy_init(&run.policy);
	rule.settings = run.policy.defaults;
	rule.settings.action[DAX_MODE_DEVDAX] = ACTION_FREE;
	run.policy.rules = malloc(sizeof(rule));
	assert_non_null(run.policy.rules);
	*run.policy.rules = rule;
	run.policy.n_rules = 1;
	{
		struct group_key key = { .memdev = "mem0", .tag = fake_tag(1) };
		struct range dpa = { 0 };
		struct machine_input in;

		run.now = USEC_PER_HOUR;
		run.r = release_new(1, &key, &dpa, run.now);
		assert_non_null(run.r);
		in = input(&run);
		pump(&run, machine_begin(run.r, &in));
	}
	for (unsigned i = 0; i < run.policy.defaults.retries; i++) {
		assert_int_equal(run.r->state, RELEASE_DEFERRED);
		assert_non_null(strstr(run.r->reason, "4711"));
		pass_deadline(&run);
	}
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_int_equal(run.host.writes, 0);
	end(&run);
}

static void test_back_off_doubles_and_ends(void **state)
{
	struct run run = { 0 };
	usec_t last = 0;

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 3, "dax0.1");
	run.host.blocks[1].pinned = true;
	begin(&run, 1);
	for (unsigned i = 0; i < run.policy.defaults.retries; i++) {
		usec_t wait = run.r->deadline - run.now;

		assert_int_equal(run.r->state, RELEASE_DEFERRED);
		assert_true(host_as_before(&run));
		assert_true(wait > last);
		last = wait;
		pass_deadline(&run);
	}
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_true(host_as_before(&run));
	assert_non_null(strstr(run.r->reason, "Device or resource busy"));
	end(&run);
}

static void test_deferred_succeeds_later(void **state)
{
	struct run run = { 0 };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 3, "dax0.1");
	run.host.blocks[1].pinned = true;
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	run.host.blocks[1].pinned = false;
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/*
 * The unbind fails, the blocks come back online, and then somebody destroys the device by force and
 * leaves them behind: the group is claimed by nobody and must not be called free.
 */
static void test_left_behind_is_not_free(void **state)
{
	struct run run = { .fail_at = 4, .fail_error = -EIO };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 3, "dax0.1");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	assert_true(host_as_before(&run));
	run.host.devices[0].exists = false;
	pass_deadline(&run);
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_non_null(strstr(run.r->reason, "still in use"));
	assert_false(run.ready);
	end(&run);
}

/* The claim was given up although the write failed: free is free, nothing is claimed back. */
static void test_failed_with_its_effect(void **state)
{
	struct run run = { .fail_at = 5, .fail_error = -EPIPE, .fail_effect = true };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 3, "dax0.1");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	assert_int_equal(run.host.writes, 5);
	assert_true(group_is_free(&run));
	end(&run);
}

/* Others' scans do not use up the looks at the outcome. */
static void test_looks_are_its_own(void **state)
{
	struct run run = { 0 };
	struct machine_input in;

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.1");
	begin(&run, 1);
	in = input(&run);
	pump(&run, machine_record(run.r, &in, 1, run.now));
	pass_deadline(&run);
	for (unsigned i = 0; i < 100; i++) {
		scan(&run);
		in = input(&run);
		assert_int_equal(machine_scanned(run.r, &in), 0);
	}
	assert_true(run.r->deadline != USEC_INFINITY);
	assert_int_equal(run.r->state, RELEASE_READY);
	end(&run);
}

/* A retry of yesterday is no reason to take away what somebody uses today. */
static void test_old_retry_is_over(void **state)
{
	struct run run = { 0 };
	struct machine_input in;

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 1, "dax0.0");
	begin(&run, 1);
	assert_int_equal(run.r->state, RELEASE_READY);
	in = input(&run);
	pump(&run, machine_record(run.r, &in, 1, run.now));
	pass_deadline(&run);
	run.now += 24 * USEC_PER_HOUR;
	run.host.devices[0].claimed = true;
	(void)str_copy(run.host.devices[0].driver, DEV_NAME_MAX, "kmem");
	run.host.blocks[0] =
		(struct fake_block){ .present = true, .online = true, .zone = ZONE_MOVABLE };
	scan(&run);
	in = input(&run);
	pump(&run, machine_scanned(run.r, &in));
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_true(run.host.blocks[0].online);
	end(&run);
}

/* One write that takes all blocks of a device has the time of all of them. */
static void test_atomic_has_the_time_of_its_blocks(void **state)
{
	struct run run = { 0 };
	struct group_key key = { .memdev = "mem0", .tag = fake_tag(1) };
	struct range dpa = { 0 };
	struct machine_input in;

	(void)state;
	fake_add_group(&run.host, 1, 2, 5, "dax0.1")->state_attr = true;
	policy_init(&run.policy);
	run.now = USEC_PER_HOUR;
	run.r = release_new(1, &key, &dpa, run.now);
	assert_non_null(run.r);
	scan(&run);
	in = input(&run);
	(void)machine_begin(run.r, &in);
	(void)machine_scanned(run.r, &in);
	assert_int_equal(machine_turn(run.r, &in), MACHINE_STEP);
	assert_int_equal(machine_step(run.r)->kind, STEP_UNPLUG);
	assert_int_equal(run.r->deadline - run.now, 10 * run.policy.defaults.block_timeout);
	end(&run);
}

static void test_stop_rolls_back(void **state)
{
	struct run run = { 0 };
	struct group_key key = { .memdev = "mem0", .tag = fake_tag(1) };
	struct range dpa = { 0 };
	struct machine_input in;
	struct worker_reply reply = { .error = -EINTR };
	unsigned actions;

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 4, "dax0.1");
	policy_init(&run.policy);
	run.now = USEC_PER_HOUR;
	run.before = run.host;
	run.r = release_new(1, &key, &dpa, run.now);
	assert_non_null(run.r);
	scan(&run);
	in = input(&run);
	(void)machine_begin(run.r, &in);
	actions = machine_scanned(run.r, &in);
	assert_int_equal(actions, MACHINE_TURN);
	actions = machine_turn(run.r, &in);
	assert_int_equal(actions, MACHINE_STEP);
	run.host.blocks[0].online = false;
	run.host.blocks[0].zone = ZONE_NONE;
	actions = machine_stop(run.r, &in);
	assert_int_equal(actions, MACHINE_CANCEL);
	pump(&run, machine_step_done(run.r, &in, &reply));
	assert_int_equal(run.r->state, RELEASE_REFUSED);
	assert_true(host_as_before(&run));
	end(&run);
}

static void test_step_deadline_cancels_then_abandons(void **state)
{
	struct run run = { 0 };
	struct group_key key = { .memdev = "mem0", .tag = fake_tag(1) };
	struct range dpa = { 0 };
	struct machine_input in;
	struct worker_reply reply = { .error = 0, .after = "offline" };

	(void)state;
	(void)fake_add_group(&run.host, 1, 1, 2, "dax0.1");
	policy_init(&run.policy);
	run.now = USEC_PER_HOUR;
	run.before = run.host;
	run.r = release_new(1, &key, &dpa, run.now);
	assert_non_null(run.r);
	scan(&run);
	in = input(&run);
	(void)machine_begin(run.r, &in);
	(void)machine_scanned(run.r, &in);
	assert_int_equal(machine_turn(run.r, &in), MACHINE_STEP);
	assert_int_equal(run.r->deadline - run.now, run.policy.defaults.block_timeout);
	run.now = in.now = run.r->deadline;
	assert_int_equal(machine_deadline(run.r, &in), MACHINE_CANCEL);
	run.now = in.now = run.r->deadline;
	assert_int_equal(machine_deadline(run.r, &in), MACHINE_ABANDON);
	assert_int_equal(run.r->deadline, USEC_INFINITY);
	/* Much later the kernel comes back, and had even done it: still everything is put back. */
	run.host.blocks[0].online = false;
	run.host.blocks[0].zone = ZONE_NONE;
	pump(&run, machine_step_done(run.r, &in, &reply));
	assert_int_equal(run.r->state, RELEASE_DEFERRED);
	assert_true(host_as_before(&run));
	end(&run);
}

/* Every write of the main job, failing with and without its effect, with every errno. */
static void test_every_step_failing(void **state)
{
	static const int errors[] = { -EBUSY,  -EINTR,	-EAGAIN, -EIO,	  -ENOMEM,
				      -EINVAL, -ENOENT, -EACCES, -ENODEV, -EPIPE };
	const unsigned writes = 6 + 3;

	(void)state;
	for (unsigned at = 1; at <= writes; at++) {
		for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
			for (unsigned variant = 0; variant < 8; variant++) {
				struct run run = { .fail_at = at, .fail_error = errors[e] };
				struct fake_device *dev;

				run.fail_effect = variant & 1;
				dev = fake_add_group(&run.host, 1, 3, 2, "dax0.1");
				dev->remembered = variant & 2;
				run.host.auto_online_kernel = variant & 4;
				begin(&run, 1);
				if (run.r->state == RELEASE_READY)
					assert_true(group_is_free(&run));
				else if (run.r->state == RELEASE_DEFERRED)
					assert_true(host_as_before(&run));
				else
					fail_msg("write %u, %s, variant %u: %s: %s", at,
						 strerror(-errors[e]), variant,
						 release_state_to_string(run.r->state),
						 run.r->reason);
				/* The last write is the deletion, which may fail. */
				if (at < writes && !run.fail_effect)
					assert_int_equal(run.r->state, RELEASE_DEFERRED);
				end(&run);
			}
		}
	}
}

/* Random errors and other hands. Whatever the end, it must be true. */
static void test_random_interference(void **state)
{
	unsigned ends[_RELEASE_STATE_MAX] = { 0 };

	(void)state;
	for (unsigned seed = 1; seed <= 20000; seed++) {
		struct run run = { .seed = seed };

		(void)fake_add_group(&run.host, 1, 1 + draw(&run, 3), 1 + draw(&run, 5), "dax0.1");
		run.host.devices[0].state_attr = draw(&run, 4) == 0;
		run.host.devices[0].remembered = draw(&run, 2);
		run.interfere_permille = draw(&run, 2) * 100;
		run.retry_permille = draw(&run, 2) * 50;
		run.fail_at = draw(&run, 12);
		run.fail_error = -EIO;
		run.fail_effect = draw(&run, 2);
		begin(&run, 1);
		for (unsigned i = 0; i < 10 && !release_state_is_final(run.r->state) &&
				     run.r->deadline != USEC_INFINITY;
		     i++)
			pass_deadline(&run);
		ends[run.r->state]++;
		switch (run.r->state) {
		case RELEASE_READY:
		case RELEASE_RELEASED:
			if (!group_is_free(&run))
				fail_msg("seed %u: %s, but not free", seed, run.r->reason);
			break;
		case RELEASE_VANISHED:
			/* Its claim was given back, then the device was quicker than the roll-back.
			 */
			if (run.host.extents[0].live || !group_is_free(&run))
				fail_msg("seed %u: not gone: %s", seed, run.r->reason);
			break;
		case RELEASE_FAILED:
			if (host_as_before(&run) && run.interfere_permille == 0)
				fail_msg("seed %u: failed, but whole: %s", seed, run.r->reason);
			break;
		case RELEASE_DEFERRED:
		case RELEASE_REFUSED:
			/* With other hands at work "before" is not defined block by block. */
			if (run.interfere_permille == 0 && !host_as_before(&run))
				fail_msg("seed %u: not as before: %s", seed, run.r->reason);
			break;
		default:
			fail_msg("seed %u: stopped in %s", seed,
				 release_state_to_string(run.r->state));
		}
		end(&run);
	}
	/* The mix reaches what it is meant to reach. */
	assert_true(ends[RELEASE_READY] > 100);
	assert_true(ends[RELEASE_RELEASED] > 100);
	assert_true(ends[RELEASE_REFUSED] + ends[RELEASE_DEFERRED] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_main_job),
		cmocka_unit_test(test_initial_device_is_not_deleted),
		cmocka_unit_test(test_atomic),
		cmocka_unit_test(test_atomic_not_when_stale),
		cmocka_unit_test(test_atomic_rolls_back),
		cmocka_unit_test(test_kernel_zone_touches_nothing),
		cmocka_unit_test(test_unclaimed_is_left_to_the_kernel),
		cmocka_unit_test(test_unclaimed_and_never_released),
		cmocka_unit_test(test_released_late),
		cmocka_unit_test(test_held_waits_then_refuses),
		cmocka_unit_test(test_back_off_doubles_and_ends),
		cmocka_unit_test(test_deferred_succeeds_later),
		cmocka_unit_test(test_left_behind_is_not_free),
		cmocka_unit_test(test_failed_with_its_effect),
		cmocka_unit_test(test_looks_are_its_own),
		cmocka_unit_test(test_old_retry_is_over),
		cmocka_unit_test(test_atomic_has_the_time_of_its_blocks),
		cmocka_unit_test(test_stop_rolls_back),
		cmocka_unit_test(test_step_deadline_cancels_then_abandons),
		cmocka_unit_test(test_every_step_failing),
		cmocka_unit_test(test_random_interference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
