/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the state machine of one release against the host in memory (fake_host.h): the manager,
 * the worker with its guard and the kernel in one loop, with a clock of its own and faults on
 * demand.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_host.h"
#include "release/machine.h"
#include "release/plan.h"
#include "undo/undo.h"

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
	bool fail_effect, fail_for_ever;
	unsigned interfere_permille; /* another hand changes a block before a write */
	unsigned retry_permille;     /* the device retries */
	unsigned seed;
	struct policy_facts facts;
	int save_error; /* of the undo journal */
	char *disk;	/* its content; NULL: there is none */
	size_t disk_size;
	/* A kill: pump() comes back before the step with this number (from 1), or right behind it.
	 */
	unsigned kill_at, steps;
	bool kill_behind, killed;
};

#define FAKE_BOOT_ID "01234567-89ab-4cde-8f01-23456789abcd"

static inline unsigned draw(struct run *run, unsigned n)
{
	return (unsigned)rand_r(&run->seed) % n;
}

static inline struct machine_input input(struct run *run)
{
	run->facts.now = run->now;
	run->facts.realtime = run->now;
	return (struct machine_input){ .now = run->now,
				       .policy = &run->policy,
				       .inventory = run->inv,
				       .facts = &run->facts,
				       .hint = "" };
}

static inline void scan(struct run *run)
{
	inventory_free(run->inv);
	run->inv = fake_inventory(&run->host);
	assert_non_null(run->inv);
	run->inv->taken = run->now;
}

static inline void interfere(struct run *run)
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

/* The undo journal: what a daemon after this one would read. */
static inline int save(struct run *run)
{
	if (run->save_error < 0)
		return run->save_error;
	free(run->disk);
	run->disk = NULL;
	assert_int_equal(undo_encode(run->r, FAKE_BOOT_ID, &run->disk, &run->disk_size), 0);
	return 0;
}

/* The worker with its guard, and the kernel. */
static inline void do_write(struct run *run, const struct worker_request *req,
			    struct worker_reply *reply)
{
	struct fake_host *h = &run->host;
	bool fail = run->fail_at > 0 && (h->writes + 1 == run->fail_at ||
					 (run->fail_for_ever && h->writes >= run->fail_at));

	*reply = (struct worker_reply){ .elapsed = 1000 };
	if (req->op == WORKER_PUBLISH) {
		reply->error = save(run);
		return;
	}
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
static inline void pump(struct run *run, unsigned actions)
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
			run->killed = ++run->steps == run->kill_at;
			if (!run->killed || run->kill_behind)
				do_write(run, &request, &reply);
			if (run->killed)
				return;
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

static inline void pass_deadline(struct run *run)
{
	struct machine_input in;

	assert_true(run->r->deadline != USEC_INFINITY);
	run->now = MAX(run->now, run->r->deadline);
	in = input(run);
	pump(run, machine_deadline(run->r, &in));
}

/* With the policy as it is set. */
static inline void begin_as_set(struct run *run, uint8_t tag)
{
	struct group_key key = { .memdev = "mem0", .tag = fake_tag(tag) };
	struct range dpa = { 0 };
	struct machine_input in;

	run->now = USEC_PER_HOUR;
	run->before = run->host;
	run->r = release_new(1, &key, &dpa, run->now);
	assert_non_null(run->r);
	in = input(run);
	pump(run, machine_begin(run->r, &in));
}

static inline void begin(struct run *run, uint8_t tag)
{
	policy_init(&run->policy);
	begin_as_set(run, tag);
}

/* One group of three blocks as dax0.1, in system RAM, and the policy as built in; to
 * begin_as_set(). */
static inline void set_ram(struct run *run)
{
	(void)fake_add_group(&run->host, 1, 1, 3, "dax0.1");
	policy_init(&run->policy);
}

/* The same as an idle devdax device, which the policy frees. */
static inline void set_devdax(struct run *run)
{
	set_ram(run);
	(void)str_copy(run->host.devices[0].driver, DEV_NAME_MAX, "device_dax");
	memset(run->host.blocks, 0, sizeof(run->host.blocks));
	run->policy.defaults.action[DAX_MODE_DEVDAX] = ACTION_FREE;
}

static inline void end(struct run *run)
{
	assert_int_equal(run->host.violations, 0);
	release_free(run->r);
	inventory_free(run->inv);
	policy_done(&run->policy);
	free(run->disk);
}

static inline bool device_as_before(const struct fake_device *a, const struct fake_device *b)
{
	return a->exists == b->exists && a->claimed == b->claimed && streq(a->driver, b->driver);
}

static inline bool host_as_before(const struct run *run)
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

static inline bool group_is_free(const struct run *run)
{
	const struct fake_device *dev = &run->host.devices[0];

	return !dev->claimed && !dev->driver[0] && !fake_any_online(&run->host, dev);
}
