/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reference group on a fresh host, in each of the modes, and the pictures that the checker
 * compares with.
 */
#include "matrix_internal.h"

#define EXTENT_SIZE (512 * MiB)
#define BLOCK_SIZE (128 * MiB)
#define BLOCK0 (UINT64_C(0xa90000000) / BLOCK_SIZE)

static const struct sim_extent extents[] = {
	EXTENT(0, EXTENT_SIZE),
	EXTENT(1024 * MiB, EXTENT_SIZE),
	EXTENT(2048 * MiB, EXTENT_SIZE),
};

const struct matrix_mode matrix_modes[] = {
	{ .name = "blocks", .driver = "kmem", .zone = "movable" },
	{
		.name = "atomic",
		.settings = "{'state_attr':true}",
		.driver = "kmem",
		.zone = "offline",
		.plug = "online_movable",
	},
	{
		.name = "devdax",
		.driver = "device_dax",
		.config = "devdax = free\nignore-unseen-processes = yes\n",
	},
};
const size_t matrix_n_modes = ARRAY_SIZE(matrix_modes);

uint64_t matrix_block(unsigned i)
{
	const unsigned per_extent = EXTENT_SIZE / BLOCK_SIZE;

	return BLOCK0 + extents[i / per_extent].dpa / BLOCK_SIZE + i % per_extent;
}

void matrix_host(struct matrix *m, const struct matrix_mode *mode)
{
	struct scenario *s = m->s;

	m->mode = mode;
	sim_reset(s, mode->settings);
	m->empty = host_save_quick(s);
	sim_add(s, "mem0", MATRIX_TAG, extents, ARRAY_SIZE(extents));
	m->unclaimed = host_save_quick(s);
	(void)sim_claim(s, "mem0", MATRIX_TAG, mode->driver, mode->zone);
	if (mode->plug && sim_write(s, "bus/dax/devices/" MATRIX_DEVICE "/state", mode->plug) != 0)
		scenario_fail(s, "cannot plug " MATRIX_DEVICE);
	matrix_set_before(m);
}

void matrix_set_before(struct matrix *m)
{
	_cleanup_json_ struct json_object *reply = sim_do(m->s, "{'cmd':'state'}");

	json_object_put(m->state_before);
	m->state_before = json_object_get(member(reply, "state"));
	m->before = host_save_quick(m->s);
}

void matrix_ask(struct matrix *m)
{
	int r = sim_release(m->s, "mem0", MATRIX_TAG);

	if (r != -EBUSY)
		scenario_fail(m->s, "the kernel's answer to the release is %s, not EBUSY",
			      r ? strerrorname_np(-r) : "yes");
}
