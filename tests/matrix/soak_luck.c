/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bad luck of a round: which operations fail, hang, are late, or find their object gone. */
#include "soak_dice.h"

static const char *const errors[] = { "EBUSY",	"EINTR",  "EAGAIN", "EIO",   "ENOMEM",
				      "ENOENT", "EACCES", "ENODEV", "EINVAL" };

/* What the daemon writes on its way: whatever is hit there is in the middle of a release. */
static const enum soak_fault_place writes[] = { AT_BLOCK,  AT_BLOCK, AT_BLOCK,	AT_ANY_BLOCK,
						AT_UNBIND, AT_SIZE,  AT_DELETE, AT_BIND,
						AT_NEW_ID, AT_UUID,  AT_CREATE, AT_DEVICE_STATE };
static const enum soak_fault_place reads[] = { AT_BLOCK,   AT_ZONES,  AT_SIZE,	   AT_UUID,
					       AT_MAPPING, AT_EXTENT, AT_AVAILABLE };

static const char *draw_value(struct dice *dice, enum soak_fault_place place)
{
	static const char *const values[] = { "offline", "offline", "online*" };

	return place == AT_BLOCK || place == AT_ANY_BLOCK ? PICK(dice, values) : NULL;
}

void soak_draw_fault(struct dice *dice, const struct soak_unit *u, struct soak_fault *ret)
{
	static const char *const actions[] = { "errno", "errno", "errno", "errno",
					       "delay", "short", "hang",  "vanish",
					       "after", "errno", "delay", "hang-uninterruptible" };
	static const unsigned nths[] = { 1, 1, 1, 2, 3, 5 }, counts[] = { 1, 1, 1, 2, 3, 0 };
	bool write = percent(dice, 70);

	*ret = (struct soak_fault){
		.slot = u->slot,
		.unit = u->index,
		.block = below(dice, 4),
		.place = write ? PICK(dice, writes) : PICK(dice, reads),
		.op = write		  ? "write"
		      : percent(dice, 80) ? "read"
					  : "open",
		.action = PICK(dice, actions),
		.error = PICK(dice, errors),
		.nth = PICK(dice, nths),
		.count = PICK(dice, counts),
		.ms = percent(dice, 30) ? 1 + below(dice, 40) : 0,
		.device_only = percent(dice, 50),
	};
	ret->value = write ? draw_value(dice, ret->place) : NULL;
	/* Whom would it take away, of whatever any unit it is? And what cannot be read for ever is
	 * never decided. */
	if ((streq(ret->action, "vanish") || streq(ret->action, "after")) &&
	    (ret->place == AT_ANY_BLOCK || ret->place == AT_AVAILABLE || ret->place == AT_CREATE ||
	     ret->place == AT_EXTENT || ret->place == AT_NEW_ID || ret->place == AT_BIND ||
	     ret->place == AT_UUID || ret->place == AT_DELETE || streq(ret->op, "open")))
		ret->action = "errno";
	if (!write && ret->count == 0)
		ret->count = 4;
	/* Once, or the rest of the round is about nothing else. */
	if (startswith(ret->action, "hang"))
		ret->count = 1;
	if (streq(ret->action, "delay") && ret->ms == 0)
		ret->ms = 20;
}

void soak_draw_hang(struct dice *dice, const struct soak_unit *u, struct soak_fault *ret)
{
	static const enum soak_fault_place places[] = { AT_BLOCK, AT_BLOCK,  AT_BLOCK,
							AT_BLOCK, AT_UNBIND, AT_SIZE };

	*ret = (struct soak_fault){
		.slot = u->slot,
		.unit = u->index,
		.block = below(dice, 4),
		.place = PICK(dice, places),
		.op = "write",
		.action = percent(dice, 90) ? "hang" : "hang-uninterruptible",
		.error = "EIO",
		.nth = 1,
		.count = 1,
	};
	ret->value = ret->place == AT_BLOCK ? (percent(dice, 85) ? "offline" : "online*") : NULL;
}

void soak_draw_both_ways(struct dice *dice, const struct soak_unit *u, struct soak_fault *forth,
			 struct soak_fault *back)
{
	static const enum soak_fault_place forward[] = { AT_ANY_BLOCK, AT_ANY_BLOCK, AT_UNBIND,
							 AT_SIZE, AT_SIZE };
	static const enum soak_fault_place backward[] = { AT_ANY_BLOCK, AT_ANY_BLOCK,
							  AT_BIND,	AT_NEW_ID,
							  AT_BLOCK,	AT_DEVICE_STATE };
	static const char *const actions[] = {
		"errno", "errno", "errno", "errno", "short", "hang"
	};
	static const unsigned counts[] = { 1, 2, 4, 0, 0, 0 };

	*forth = (struct soak_fault){
		.slot = u->slot,
		.unit = u->index,
		.place = PICK(dice, forward),
		.op = "write",
		.action = "errno",
		.error = PICK(dice, errors),
		.nth = 1,
		.count = percent(dice, 50) ? 1 : 0,
	};
	if (forth->place == AT_ANY_BLOCK) {
		forth->nth = 2 + below(dice, 3);
		forth->value = "offline";
	}
	*back = (struct soak_fault){
		.slot = u->slot,
		.unit = u->index,
		.block = below(dice, 4),
		.place = forth->place == AT_ANY_BLOCK ? AT_ANY_BLOCK : PICK(dice, backward),
		.op = "write",
		.action = PICK(dice, actions),
		.error = PICK(dice, errors),
		.nth = 1 + below(dice, 2),
	};
	if (forth->place == AT_UNBIND)
		back->place = AT_ANY_BLOCK; /* it is still bound */
	back->count = streq(back->action, "hang") ? 1 : PICK(dice, counts);
	back->value = back->place == AT_BLOCK || back->place == AT_ANY_BLOCK ? "online*" : NULL;
}
