/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Roll-back as convergence: not "undo what we think we did", but "compare the host with how it was
 * and write what differs". So it does not matter which step failed half-way, who else changed
 * something, or how often the roll-back itself is interrupted and begun again.
 */
#include "plan.h"

#include <stdarg.h>

struct diff {
	struct plan *plan;
	unsigned round;
	size_t n; /* differences found */
	char *why;
	size_t size;
};

static void differs(struct diff *diff, const char *format, ...) _printf_(2, 3);

static void differs(struct diff *diff, const char *format, ...)
{
	va_list ap;

	if (diff->n++ > 0)
		return;
	va_start(ap, format);
	(void)vsnprintf(diff->why, diff->size, format, ap);
	va_end(ap);
}

static void add_back(struct diff *diff, struct step step)
{
	struct steps *back = &diff->plan->back;

	back->items[back->n++] = step;
}

static const struct dax_device *find_device(const struct inventory *inv, const char *name)
{
	for (uint32_t i = 0; i < inv->n_devices; i++)
		if (streq(inv->devices[i].name, name))
			return &inv->devices[i];
	return NULL;
}

static const struct memory_block *find_block(const struct inventory *inv,
					     const struct dax_device *dev, uint64_t number)
{
	for (uint32_t i = 0; i < dev->n_blocks; i++)
		if (inv->blocks[dev->first_block + i].number == number)
			return &inv->blocks[dev->first_block + i];
	return NULL;
}

/* What brings the blocks of one device back, given that its driver is or will be bound. */
static void diff_blocks(struct diff *diff, const struct inventory *inv,
			const struct dax_device *dev, uint32_t d)
{
	const struct plan_device *saved = &diff->plan->devices[d];
	bool plugged = false;

	for (size_t i = 0; i < diff->plan->n_blocks; i++) {
		const struct plan_block *want = &diff->plan->blocks[i];
		const struct memory_block *have;
		struct step step = { .device = d, .block = want->number, .zone = want->zone };

		if (want->device != d)
			continue;
		have = find_block(inv, dev, want->number);
		if (want->state != BLOCK_ONLINE) {
			/* It was offline; bound again, the kernel may have put it online by itself.
			 */
			if (have && have->state == BLOCK_ONLINE) {
				differs(diff, "memory%llu is online, was offline",
					(unsigned long long)want->number);
				step.kind = STEP_REOFFLINE;
				add_back(diff, step);
			}
			continue;
		}
		if (have && have->state == BLOCK_ONLINE && have->zone == want->zone)
			continue;
		differs(diff, "memory%llu is %s, was online in %s",
			(unsigned long long)want->number,
			!have			      ? "absent"
			: have->state == BLOCK_ONLINE ? block_zone_to_string(have->zone)
						      : block_state_to_string(have->state),
			block_zone_to_string(want->zone));

		/* Blocks that an unplug took away come back only by the device's `state`. */
		if (!have && saved->atomic && !plugged) {
			plugged = true;
			step.kind = STEP_PLUG;
			add_back(diff, step);
			continue;
		}
		if (!have && saved->atomic)
			continue;
		if (have && have->state == BLOCK_ONLINE) {
			step.kind = STEP_REOFFLINE;
			add_back(diff, step);
		}
		step.kind = STEP_ONLINE_BLOCK;
		add_back(diff, step);
	}
}

static void diff_device(struct diff *diff, const struct inventory *inv, uint32_t d)
{
	const struct plan_device *saved = &diff->plan->devices[d];
	const struct dax_device *dev = find_device(inv, saved->name);
	struct range first;
	const char *driver;

	if (!dev) {
		differs(diff, "%s does not exist any more", saved->name);
		return;
	}
	first = plan_first_mapping(inv, dev);
	if (dev->size == 0) {
		differs(diff, "%s gave its claim back", saved->name);
		add_back(diff, (struct step){ .kind = STEP_CLAIM, .device = d });
	} else if (dev->size != saved->size || !tag_equal(&dev->tag, &saved->tag) ||
		   !range_equal(&first, &saved->first_mapping)) {
		/* Somebody else's allocation under the old name: hands off. */
		differs(diff, "%s is another allocation now", saved->name);
		return;
	}

	driver = dev->mode == DAX_MODE_UNBOUND ? "" : dev->driver;
	if (!streq(driver, saved->driver)) {
		differs(diff, "%s is bound to '%s', was bound to '%s'", saved->name, driver,
			saved->driver);
		if (driver[0])
			return; /* by another hand */
		/* kmem takes a dynamic capacity device by bind only if it remembers the name. */
		add_back(diff, (struct step){ .kind = saved->mode == DAX_MODE_SYSTEM_RAM &&
								      diff->round % 2 == 1
							      ? STEP_NEW_ID
							      : STEP_BIND,
					      .device = d });
	}
	if (saved->mode == DAX_MODE_SYSTEM_RAM)
		diff_blocks(diff, inv, dev, d);
}

int plan_build_back(struct plan *plan, const struct inventory *inv, unsigned round, char *ret_why,
		    size_t size)
{
	struct diff diff = { .plan = plan, .round = round, .why = ret_why, .size = size };

	if (size > 0)
		ret_why[0] = '\0';
	free(plan->back.items);
	/* Per device claim and bind, per block two. */
	plan->back = (struct steps){
		.items = calloc(2 * (plan->n_devices + plan->n_blocks) + 1, sizeof(struct step)),
	};
	if (!plan->back.items)
		return -ENOMEM;
	for (uint32_t d = 0; d < plan->n_devices; d++)
		diff_device(&diff, inv, d);
	return (int)MIN(diff.n, (size_t)INT32_MAX);
}
