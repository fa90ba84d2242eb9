/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Roll-back as convergence: not "undo what we think we did", but "compare the host with how it was
 * and write what differs". So it does not matter which step failed half-way, who else changed
 * something, or how often the roll-back itself is interrupted and begun again, by whichever daemon.
 */
#include "plan_internal.h"

struct diff {
	struct plan *plan;
	const struct inventory *inv;
	unsigned round;
	size_t ours;
};

static struct plan_difference *differs(struct diff *diff, enum difference_kind kind, uint32_t d)
{
	struct plan_difference *difference = &diff->plan->differences[diff->plan->n_differences++];

	*difference = (struct plan_difference){ .kind = kind, .device = d };
	diff->ours += plan_difference_is_ours(difference);
	return difference;
}

static void add_back(struct diff *diff, struct step step)
{
	struct steps *back = &diff->plan->back;

	back->items[back->n++] = step;
}

static struct plan_difference *block_differs(struct diff *diff, const struct plan_block *want,
					     const struct memory_block *have)
{
	struct plan_difference *difference = differs(diff, DIFF_BLOCK, want->device);

	difference->block = want->number;
	difference->want = want->state;
	difference->want_zone = want->zone;
	difference->absent = !have;
	if (have) {
		difference->have = have->state;
		difference->have_zone = have->zone;
	}
	return difference;
}

static bool any_online(const struct inventory *inv, const struct dax_device *dev)
{
	for (uint32_t i = 0; i < dev->n_blocks; i++)
		if (inv->blocks[dev->first_block + i].state != BLOCK_OFFLINE)
			return true;
	return false;
}

/*
 * Whether the device's own `state` brings its blocks back: what it took away comes no other way,
 * and it tells the truth again only if it was asked. What is there can be had one by one, too, if
 * that does not succeed; and must, if some is online already.
 */
static bool plug_absent(const struct plan_device *saved, const struct dax_device *dev)
{
	return saved->atomic || (dev->state[0] && dev->mode == DAX_MODE_SYSTEM_RAM);
}

static bool plug_present(const struct diff *diff, const struct plan_device *saved,
			 const struct dax_device *dev)
{
	return saved->atomic && diff->round % 4 != 3 && !any_online(diff->inv, dev);
}

/*
 * What brings the blocks of one device back, given that its driver is or will be bound; or that it
 * never will be (@leaked), then only those that are there.
 */
static void diff_blocks(struct diff *diff, const struct dax_device *dev, uint32_t d, bool leaked)
{
	const struct plan_device *saved = &diff->plan->devices[d];
	const bool absent_by_state = plug_absent(saved, dev);
	const bool present_by_state = plug_present(diff, saved, dev);
	bool plugged = false;

	for (size_t i = 0; i < diff->plan->n_blocks; i++) {
		const struct plan_block *want = &diff->plan->blocks[i];
		const struct memory_block *have;
		struct step step = { .device = d, .block = want->number, .zone = want->zone };

		if (want->device != d)
			continue;
		have = plan_find_block(diff->inv, dev, want->number);
		if (want->state != BLOCK_ONLINE) {
			/* Was offline; bound again, the kernel may have put it online by itself. */
			if (have && have->state == BLOCK_ONLINE) {
				block_differs(diff, want, have);
				step.kind = STEP_REOFFLINE;
				add_back(diff, step);
			}
			continue;
		}
		if (have && have->state == BLOCK_ONLINE && have->zone == want->zone)
			continue;
		block_differs(diff, want, have)->leaked = leaked && !have;
		if (leaked && !have)
			continue;

		if (have ? present_by_state : absent_by_state) {
			step.kind = STEP_PLUG;
			if (!plugged)
				add_back(diff, step);
			plugged = true;
			continue;
		}
		if (have && have->state == BLOCK_ONLINE) {
			step.kind = STEP_REOFFLINE;
			add_back(diff, step);
		}
		step.kind = STEP_ONLINE_BLOCK;
		add_back(diff, step);
	}
}

/* The device that claims any of what the saved one mapped, under whatever name. */
static const struct dax_device *find_claimer(const struct plan *plan, const struct inventory *inv,
					     const struct plan_device *saved)
{
	for (uint32_t i = 0; i < inv->n_devices; i++) {
		const struct dax_device *dev = &inv->devices[i];

		for (uint32_t m = 0; m < dev->n_mappings; m++)
			if (plan_device_maps(plan, saved,
					     &inv->mappings[dev->first_mapping + m].hpa))
				return dev;
	}
	return NULL;
}

/* Whether any of what it claimed is there to be claimed: the tag may have come back elsewhere. */
static bool has_extent(const struct plan *plan, const struct inventory *inv,
		       const struct plan_device *saved)
{
	for (uint32_t i = 0; i < inv->n_extents; i++)
		if (tag_equal(&inv->extents[i].tag, &saved->tag) &&
		    plan_device_maps(plan, saved, &inv->extents[i].hpa))
			return true;
	return false;
}

/* Memory that nobody claims, and that is in use: the kernel would hand it back all the same. */
static bool has_leftover(const struct plan *plan, const struct inventory *inv,
			 const struct plan_device *saved)
{
	for (uint32_t i = 0; i < inv->n_extents; i++)
		if (inv->extents[i].leftover && plan_device_maps(plan, saved, &inv->extents[i].hpa))
			return true;
	return false;
}

/*
 * `0` claims the first free untagged extent, whichever that is; so only where no other one is free
 * is it known to be the right one.
 */
static bool claim_is_certain(const struct plan *plan, const struct inventory *inv,
			     const struct plan_device *saved)
{
	if (!tag_is_null(&saved->tag))
		return true;
	for (uint32_t i = 0; i < inv->n_extents; i++) {
		const struct extent *e = &inv->extents[i];

		if (e->device == INVENTORY_NONE && tag_is_null(&e->tag) &&
		    streq(inv->regions[e->region].dax_region, saved->dax_region) &&
		    !plan_device_maps(plan, saved, &e->hpa))
			return false;
	}
	return true;
}

/* Which devices there are before one is created, so that ours can be told from them. */
static int remember_known(struct plan *plan, const struct inventory *inv)
{
	if (plan->known)
		return 0;
	plan->known = calloc((size_t)inv->n_devices + 1, sizeof(*plan->known));
	if (!plan->known)
		return -ENOMEM;
	for (uint32_t i = 0; i < inv->n_devices; i++)
		(void)str_copy(plan->known[plan->n_known++].name, DEV_NAME_MAX,
			       inv->devices[i].name);
	return 0;
}

static int diff_gone(struct diff *diff, uint32_t d)
{
	struct plan_device *saved = &diff->plan->devices[d];
	int r;

	/*
	 * Who destroyed it by another hand and left nothing in danger meant it so. Memory in use
	 * under nobody's claim is claimed again whoever did that, lest the kernel hand it back.
	 */
	if (find_claimer(diff->plan, diff->inv, saved) ||
	    !has_extent(diff->plan, diff->inv, saved) ||
	    (!saved->deleted && !has_leftover(diff->plan, diff->inv, saved))) {
		differs(diff, DIFF_REPLACED, d);
		return 0;
	}
	differs(diff, DIFF_GONE, d);
	if (!claim_is_certain(diff->plan, diff->inv, saved))
		return 0;
	r = remember_known(diff->plan, diff->inv);
	if (r < 0)
		return r;
	/* Saved first: a daemon after this one has to know the new device for what it is. */
	saved->creating = true;
	add_back(diff, (struct step){ .kind = STEP_SAVE, .device = d });
	add_back(diff, (struct step){ .kind = STEP_CREATE, .device = d });
	return 0;
}

/* What kmem left online when it was unbound keeps it from being bound ever again. */
static bool has_leaked(const struct inventory *inv, const struct dax_device *dev)
{
	for (uint32_t i = 0; i < dev->n_blocks; i++)
		if (inv->blocks[dev->first_block + i].state == BLOCK_ONLINE)
			return true;
	return false;
}

/* kmem takes a dynamic capacity device by bind only if it remembers the name. */
static void add_bind(struct diff *diff, uint32_t d)
{
	bool new_id = diff->plan->devices[d].mode == DAX_MODE_SYSTEM_RAM && diff->round % 2 == 1;

	add_back(diff, (struct step){ .kind = new_id ? STEP_NEW_ID : STEP_BIND, .device = d });
}

static int diff_device(struct diff *diff, uint32_t d)
{
	struct plan_device *saved = &diff->plan->devices[d];
	const struct dax_device *dev = plan_find_device(diff->plan, d, diff->inv);
	const char *driver;
	bool leaked = false;

	if (!dev)
		return diff_gone(diff, d);
	if (dev->size == 0) {
		if (find_claimer(diff->plan, diff->inv, saved) ||
		    !has_extent(diff->plan, diff->inv, saved)) {
			differs(diff, DIFF_REPLACED, d);
			return 0;
		}
		differs(diff, DIFF_UNCLAIMED, d);
		if (!claim_is_certain(diff->plan, diff->inv, saved))
			return 0;
		add_back(diff, (struct step){ .kind = STEP_CLAIM, .device = d });
	}

	driver = plan_driver_of(dev);
	if (!streq(driver, saved->driver) && driver[0]) {
		(void)str_copy(differs(diff, DIFF_OTHER_DRIVER, d)->driver, DEV_NAME_MAX, driver);
		return 0;
	}
	if (!streq(driver, saved->driver)) {
		leaked = has_leaked(diff->inv, dev);
		differs(diff, DIFF_DRIVER, d)->leaked = leaked;
		if (!leaked)
			add_bind(diff, d);
	}
	/* Of memory in use that nobody claims the inventory has no blocks: wait for the claim. */
	if (saved->mode == DAX_MODE_SYSTEM_RAM &&
	    (dev->size > 0 || !has_leftover(diff->plan, diff->inv, saved)))
		diff_blocks(diff, dev, d, leaked);
	return 0;
}

int plan_build_back(struct plan *plan, const struct inventory *inv, unsigned round)
{
	struct diff diff = { .plan = plan, .inv = inv, .round = round };

	free(plan->back.items);
	free(plan->differences);
	plan->n_differences = 0;
	/* Per device claim and bind, or save and create; per block two; plan_save_first(). */
	plan->back = (struct steps){
		.items = calloc(2 * (plan->n_devices + plan->n_blocks) + 1, sizeof(struct step)),
	};
	/* Per device its claim and its driver; per block one. */
	plan->differences = calloc(2 * plan->n_devices + plan->n_blocks + 1,
				   sizeof(struct plan_difference));
	if (!plan->back.items || !plan->differences)
		return -ENOMEM;
	for (uint32_t d = 0; d < plan->n_devices; d++) {
		int r = diff_device(&diff, d);

		if (r < 0)
			return r;
	}
	return (int)MIN(diff.ours, (size_t)INT32_MAX);
}

void plan_save_first(struct plan *plan)
{
	struct steps *back = &plan->back;

	if (back->items[0].kind == STEP_SAVE)
		return;
	memmove(back->items + 1, back->items, back->n * sizeof(*back->items));
	back->items[0] = (struct step){ .kind = STEP_SAVE, .device = back->items[1].device };
	back->n++;
}
