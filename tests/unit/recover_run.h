/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_run.h over two daemons: the first is killed, the next has nothing but its journal. */
#pragma once

#include "machine_run.h"

enum host_kind { HOST_BLOCKS, HOST_ATOMIC, HOST_DEVDAX, _HOST_KINDS };

static inline void make_host(struct run *run, enum host_kind kind)
{
	struct fake_device *dev = fake_add_group(&run->host, 1, 3, 2, "dax0.1");

	if (kind == HOST_ATOMIC)
		dev->state_attr = true;
	if (kind != HOST_DEVDAX)
		return;
	(void)str_copy(dev->driver, sizeof(dev->driver), "device_dax");
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++)
		run->host.blocks[b] = (struct fake_block){ 0 };
}

/* As begin(), with devdax to be freed too, and no second try. */
static inline void begin_killed(struct run *run)
{
	policy_init(&run->policy);
	run->policy.defaults.action[DAX_MODE_DEVDAX] = ACTION_FREE;
	run->policy.defaults.retries = 0;
	begin_as_set(run, 1);
}

/* Goes on until the release waits for the device or has ended, or the daemon is killed. */
static inline void settle(struct run *run)
{
	for (unsigned n = 0; !run->killed && release_state_is_active(run->r->state); n++) {
		assert_true(n < 100);
		pass_deadline(run);
	}
}

/* A new daemon, which knows what is on disk. */
static inline void restart(struct run *run)
{
	_cleanup_free_ char *error = NULL;
	struct undo_record record;
	bool other_boot;

	if (!run->disk)
		fail_msg("there is no journal");
	release_free(run->r);
	run->killed = run->ready = run->finished = false;
	run->steps = run->kill_at = 0;
	run->fail_at = 0;
	assert_int_equal(
		undo_decode(run->disk, run->disk_size, FAKE_BOOT_ID, &record, &other_boot, &error),
		0);
	assert_false(other_boot);
	run->r = release_new(2, &record.key, &record.dpa, run->now);
	if (!run->r)
		fail_msg("out of memory");
	run->r->plan = record.plan;
	record.plan = (struct plan){ 0 };
	undo_record_done(&record);
	run->r->decision.settings = run->policy.defaults;
}

static inline void recover(struct run *run)
{
	struct machine_input in;

	scan(run);
	in = input(run);
	pump(run, machine_recover(run->r, &in));
	settle(run);
}

static inline bool free_and_tidy(struct run *run)
{
	for (unsigned i = 0; i < run->host.n_devices; i++)
		if (run->host.devices[i].exists)
			return false;
	for (unsigned b = 0; b < FAKE_BLOCKS_MAX; b++)
		if (run->host.blocks[b].present)
			return false;
	return true;
}

/* Free, or as before, and the release says which. */
static inline void assert_whole(struct run *run)
{
	if (host_as_before(run)) {
		assert_int_equal(run->r->state, RELEASE_REFUSED);
		return;
	}
	assert_true(free_and_tidy(run));
	assert_int_equal(run->r->state, RELEASE_READY);
}

static inline void kill_at(struct run *run, enum host_kind kind, unsigned step)
{
	run->kill_at = step;
	make_host(run, kind);
	begin_killed(run);
	assert_true(run->killed);
}
