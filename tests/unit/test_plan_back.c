/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The comparison of the host with how it was: what differs, whose doing that is, in which words and
 * with which command it is told, and what is left of a way that was begun.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "fake_host.h"
#include "release/plan.h"

struct fixture {
	struct fake_host host;
	struct inventory *inv;
	struct plan plan;
};

static void rescan(struct fixture *f)
{
	inventory_free(f->inv);
	f->inv = fake_inventory(&f->host);
	assert_non_null(f->inv);
}

static void get_group(struct fixture *f, struct tag_group *ret)
{
	const struct group_key key = { .memdev = "mem0", .tag = f->host.extents[0].tag };
	const struct range dpa = f->host.extents[0].offset;

	assert_int_equal(inventory_find_group(f->inv, &key, &dpa, ret), 0);
}

static void begin(struct fixture *f)
{
	struct release_settings settings = { .method = OFFLINE_AUTO };
	struct tag_group group;

	rescan(f);
	get_group(f, &group);
	assert_int_equal(plan_build(f->inv, &group, &settings, &f->plan), 0);
}

static int compare(struct fixture *f)
{
	rescan(f);
	return plan_build_back(&f->plan, f->inv, 0);
}

static void end(struct fixture *f)
{
	plan_done(&f->plan);
	inventory_free(f->inv);
}

static void assert_text(struct fixture *f, size_t i, const char *object, const char *have,
			const char *want, const char *command)
{
	struct difference_text text;

	assert_true(i < f->plan.n_differences);
	plan_difference_text(&f->plan, &f->plan.differences[i], &text);
	assert_string_equal(text.object, object);
	assert_string_equal(text.have, have);
	assert_string_equal(text.want, want);
	assert_string_equal(text.command, command);
}

static void assert_steps(const struct steps *steps, const enum step_kind *kinds, size_t n)
{
	assert_int_equal(steps->n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(steps->items[i].kind, kinds[i]);
}
#define ASSERT_STEPS(steps, ...)                                                                   \
	assert_steps(steps, (const enum step_kind[]){ __VA_ARGS__ },                               \
		     ARRAY_SIZE(((const enum step_kind[]){ __VA_ARGS__ })))

#define BLOCK0 "memory338"
#define STATE0 "/sys/devices/system/memory/memory338/state"
#define CREATE "/sys/bus/cxl/devices/dax_region0/dax_region/create"
#define TAG1 "01010101-0101-0101-0101-010101010101"

static void test_nothing_differs(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	(void)fake_add_group(&f.host, 1, 2, 2, "dax0.1");
	begin(&f);
	assert_int_equal(compare(&f), 0);
	assert_int_equal(f.plan.n_differences, 0);
	assert_int_equal(f.plan.back.n, 0);
	assert_null(plan_first_difference(&f.plan));
	end(&f);
}

static void test_blocks(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	(void)fake_add_group(&f.host, 1, 1, 4, "dax0.1");
	f.host.blocks[2].online = false;
	f.host.blocks[3].zone = ZONE_KERNEL;
	begin(&f);
	f.host.blocks[0].online = false;
	f.host.blocks[1].zone = ZONE_KERNEL;
	f.host.blocks[2].online = true;
	f.host.blocks[3].present = false;
	assert_int_equal(compare(&f), 4);
	assert_text(&f, 0, BLOCK0, "offline", "online in movable", "echo online_movable >" STATE0);
	assert_text(&f, 1, "memory339", "online in kernel", "online in movable",
		    "echo offline >/sys/devices/system/memory/memory339/state && "
		    "echo online_movable >/sys/devices/system/memory/memory339/state");
	assert_text(&f, 2, "memory340", "online in movable", "offline",
		    "echo offline >/sys/devices/system/memory/memory340/state");
	assert_text(&f, 3, "memory341", "absent", "online in kernel",
		    "echo online_kernel >/sys/devices/system/memory/memory341/state");
	ASSERT_STEPS(&f.plan.back, STEP_ONLINE_BLOCK, STEP_REOFFLINE, STEP_ONLINE_BLOCK,
		     STEP_REOFFLINE, STEP_ONLINE_BLOCK);
	end(&f);
}

/* What an unplug took away comes back by one write. */
static void test_plug(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	fake_add_group(&f.host, 1, 1, 3, "dax0.1")->state_attr = true;
	begin(&f);
	ASSERT_STEPS(&f.plan.forward, STEP_SAVE, STEP_UNPLUG, STEP_UNBIND, STEP_SIZE_ZERO,
		     STEP_DELETE);
	for (unsigned b = 0; b < 3; b++)
		f.host.blocks[b] = (struct fake_block){ 0 };
	assert_int_equal(compare(&f), 3);
	ASSERT_STEPS(&f.plan.back, STEP_PLUG);
	assert_text(&f, 0, BLOCK0, "absent", "online in movable",
		    "echo online_movable >/sys/bus/dax/devices/dax0.1/state");

	/* Bound again, they are there: the same, so that `state` tells the truth; or else by hand.
	 */
	fake_plug(&f.host, &f.host.devices[0], true, false, ZONE_NONE);
	assert_int_equal(compare(&f), 3);
	ASSERT_STEPS(&f.plan.back, STEP_PLUG);
	assert_int_equal(plan_build_back(&f.plan, f.inv, 3), 3);
	ASSERT_STEPS(&f.plan.back, STEP_ONLINE_BLOCK, STEP_ONLINE_BLOCK, STEP_ONLINE_BLOCK);
	f.host.blocks[1].online = true;
	f.host.blocks[1].zone = ZONE_MOVABLE;
	assert_int_equal(compare(&f), 2);
	ASSERT_STEPS(&f.plan.back, STEP_ONLINE_BLOCK, STEP_ONLINE_BLOCK);
	end(&f);
}

static void test_device(void **state)
{
	struct fixture f = { 0 };
	struct fake_device *dev;

	(void)state;
	dev = fake_add_group(&f.host, 1, 1, 1, "dax0.1");
	begin(&f);
	f.host.blocks[0] = (struct fake_block){ 0 };
	dev->driver[0] = '\0';
	assert_int_equal(compare(&f), 2);
	assert_text(&f, 0, "dax0.1", "bound to no driver", "bound to kmem",
		    "echo dax0.1 >/sys/bus/dax/drivers/kmem/bind || "
		    "echo dax0.1 >/sys/bus/dax/drivers/kmem/new_id");
	ASSERT_STEPS(&f.plan.back, STEP_BIND, STEP_ONLINE_BLOCK);
	dev->claimed = false;
	assert_int_equal(compare(&f), 3);
	assert_text(&f, 0, "dax0.1", "claims nothing", "134217728 bytes of " TAG1,
		    "echo " TAG1 " >/sys/bus/dax/devices/dax0.1/uuid");
	ASSERT_STEPS(&f.plan.back, STEP_CLAIM, STEP_BIND, STEP_ONLINE_BLOCK);
	end(&f);
}

/* Another hand's doing is told, and left alone. */
static void test_other_hand(void **state)
{
	struct fixture f = { 0 };
	struct fake_device *dev;

	(void)state;
	dev = fake_add_group(&f.host, 1, 1, 1, "dax0.1");
	begin(&f);
	f.host.blocks[0] = (struct fake_block){ 0 };
	(void)str_copy(dev->driver, sizeof(dev->driver), "device_dax");
	assert_int_equal(compare(&f), 0);
	assert_text(&f, 0, "dax0.1", "bound to device_dax", "bound to kmem", "");
	assert_int_equal(f.plan.back.n, 0);
	assert_false(plan_difference_is_ours(plan_first_difference(&f.plan)));

	/* Its name, for something else. */
	f.host.extents[1] = (struct fake_extent){
		.live = true,
		.tag = fake_tag(9),
		.offset = { .start = 20 * FAKE_BLOCK_SIZE, .length = FAKE_BLOCK_SIZE },
	};
	f.host.n_extents = 2;
	dev->tag = fake_tag(9);
	dev->first_extent = 1;
	assert_int_equal(compare(&f), 0);
	assert_int_equal(f.plan.differences[0].kind, DIFF_REPLACED);

	/* Its memory, under another name. */
	dev->tag = fake_tag(1);
	dev->first_extent = 0;
	(void)str_copy(dev->name, sizeof(dev->name), "dax0.5");
	assert_int_equal(compare(&f), 0);
	assert_int_equal(f.plan.differences[0].kind, DIFF_REPLACED);
	assert_int_equal(f.plan.back.n, 0);

	/* Destroyed, and nothing is in danger. */
	dev->exists = false;
	assert_int_equal(compare(&f), 0);
	assert_int_equal(f.plan.differences[0].kind, DIFF_REPLACED);
	end(&f);
}

static void test_gone(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	(void)fake_add_group(&f.host, 1, 1, 1, "dax0.1");
	begin(&f);
	f.host.devices[0].exists = false; /* and its block is online */
	assert_int_equal(compare(&f), 1);
	ASSERT_STEPS(&f.plan.back, STEP_SAVE, STEP_CREATE);
	assert_true(f.plan.devices[0].creating);
	assert_text(&f, 0, "dax0.1", "destroyed", "134217728 bytes of " TAG1,
		    "d=" CREATE "; echo 1 >$d && "
		    "echo " TAG1 " >/sys/bus/dax/devices/$(cat $d)/uuid");
	assert_int_equal(fake_create(&f.host), 0);
	assert_int_equal(compare(&f), 2);
	assert_string_equal(f.plan.devices[0].name, "dax0.101");
	assert_string_equal(f.plan.devices[0].was, "dax0.1");
	ASSERT_STEPS(&f.plan.back, STEP_CLAIM, STEP_BIND);

	/* Claimed, it is safe from being handed back; nothing more can be done. */
	assert_int_equal(fake_claim(&f.host, &f.host.devices[1], TAG1), 0);
	assert_int_equal(compare(&f), 1);
	assert_text(
		&f, 0, "dax0.101", "bound to no driver", "bound to kmem",
		"# none: dax0.101 lost its driver with memory online; only a reboot mends that");
	assert_int_equal(f.plan.back.n, 0);
	end(&f);
}

/* Of what leaked, the blocks that are there come back, and only they. */
static void test_leaked(void **state)
{
	struct fixture f = { 0 };
	struct fake_device *dev;

	(void)state;
	dev = fake_add_group(&f.host, 1, 1, 3, "dax0.1");
	begin(&f);
	dev->driver[0] = '\0';
	f.host.blocks[1].online = false;
	f.host.blocks[2].present = false;
	assert_int_equal(compare(&f), 3);
	ASSERT_STEPS(&f.plan.back, STEP_ONLINE_BLOCK);
	assert_int_equal(f.plan.back.items[0].block, fake_first_block() + 1);
	assert_text(&f, 1, "memory339", "offline", "online in movable",
		    "echo online_movable >/sys/devices/system/memory/memory339/state");
	assert_text(&f, 2, "memory340", "absent", "online in movable",
		    "# none: dax0.1 lost its driver with memory online; only a reboot mends that");
	end(&f);
}

/* An empty one under the old name does not hide ours that has the claim already. */
static void test_created_before_an_empty_namesake(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	(void)fake_add_group(&f.host, 1, 1, 1, "dax0.1");
	begin(&f);
	f.host.devices[0].exists = f.host.devices[0].claimed = false;
	f.plan.devices[0].deleted = true;
	rescan(&f);
	f.host.blocks[0].online = true;
	assert_int_equal(compare(&f), 1);
	assert_int_equal(fake_create(&f.host), 0);
	assert_int_equal(fake_claim(&f.host, &f.host.devices[1], TAG1), 0);
	f.host.devices[0].exists = true;
	f.host.devices[0].driver[0] = '\0';
	assert_int_equal(compare(&f), 1);
	assert_string_equal(f.plan.devices[0].name, "dax0.101");
	assert_int_equal(f.plan.differences[0].kind, DIFF_DRIVER);
	end(&f);
}

/* An empty device that was there before, or in use, is not taken for the one created. */
static void test_created_is_not_mistaken(void **state)
{
	struct fixture f = { 0 };

	(void)state;
	(void)fake_add_group(&f.host, 1, 1, 1, "dax0.1");
	assert_int_equal(fake_create(&f.host), 0);
	begin(&f);
	f.host.devices[0].exists = false;
	assert_int_equal(compare(&f), 1);
	assert_int_equal(compare(&f), 1);
	assert_string_equal(f.plan.devices[0].name, "dax0.1");
	ASSERT_STEPS(&f.plan.back, STEP_SAVE, STEP_CREATE);
	end(&f);
}

/* `0` claims whichever untagged extent is free first: not written where that may be another one. */
static void test_untagged_claim(void **state)
{
	struct fixture f = { 0 };
	struct fake_device *dev;

	(void)state;
	dev = fake_add_group(&f.host, 0, 1, 1, "dax0.1");
	(void)fake_add_group(&f.host, 0, 1, 1, "dax0.2");
	begin(&f);
	dev->claimed = false;
	dev->driver[0] = '\0';
	f.host.blocks[0] = (struct fake_block){ 0 };
	assert_true(compare(&f) > 0);
	assert_int_equal(f.plan.back.items[0].kind, STEP_CLAIM);
	f.host.devices[1].exists = f.host.devices[1].claimed = false;
	assert_true(compare(&f) > 0);
	assert_int_equal(f.plan.back.n, 0);
	end(&f);
}

static void test_finish(void **state)
{
	struct fixture f = { 0 };
	struct fake_device *dev;

	(void)state;
	dev = fake_add_group(&f.host, 1, 1, 1, "dax0.1");
	begin(&f);
	rescan(&f);
	assert_int_equal(plan_build_finish(&f.plan, f.inv), 0);
	dev->claimed = false;
	dev->driver[0] = '\0';
	f.host.blocks[0] = (struct fake_block){ 0 };
	rescan(&f);
	assert_int_equal(plan_build_finish(&f.plan, f.inv), 1);
	ASSERT_STEPS(&f.plan.forward, STEP_DELETE);
	dev->exists = false;
	rescan(&f);
	assert_int_equal(plan_build_finish(&f.plan, f.inv), 0);
	end(&f);
}

static int resume(struct fixture *f)
{
	struct tag_group group;

	rescan(f);
	get_group(f, &group);
	return plan_build_resume(&f->plan, f->inv, &group);
}

static void test_resume(void **state)
{
	struct fixture f = { 0 };
	struct fake_device *dev;

	(void)state;
	dev = fake_add_group(&f.host, 1, 1, 2, "dax0.1");
	begin(&f);
	f.host.blocks[0].online = false;
	assert_int_equal(resume(&f), 0);
	ASSERT_STEPS(&f.plan.forward, STEP_OFFLINE_BLOCK, STEP_UNBIND, STEP_SIZE_ZERO, STEP_DELETE);
	assert_int_equal(f.plan.forward.items[0].block, fake_first_block() + 1);
	assert_int_equal(f.plan.blocks_total, 2);
	assert_int_equal(f.plan.blocks_offline, 1);
	for (unsigned b = 0; b < 2; b++)
		f.host.blocks[b] = (struct fake_block){ 0 };
	dev->driver[0] = '\0';
	assert_int_equal(resume(&f), 0);
	ASSERT_STEPS(&f.plan.forward, STEP_SIZE_ZERO, STEP_DELETE);
	(void)str_copy(dev->driver, sizeof(dev->driver), "device_dax");
	assert_int_equal(resume(&f), -ESTALE);
	dev->driver[0] = '\0';
	(void)str_copy(dev->name, sizeof(dev->name), "dax0.6");
	assert_int_equal(resume(&f), -ESTALE);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_differs),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_plug),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_other_hand),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_leaked),
		cmocka_unit_test(test_created_before_an_empty_namesake),
		cmocka_unit_test(test_created_is_not_mistaken),
		cmocka_unit_test(test_untagged_claim),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_resume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
