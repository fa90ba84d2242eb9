/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A difference between the host and how it was, in words, and the command that mends it. */
#include <stdarg.h>

#include "plan_internal.h"

bool plan_difference_is_ours(const struct plan_difference *difference)
{
	return difference->kind != DIFF_REPLACED && difference->kind != DIFF_OTHER_DRIVER;
}

const struct plan_difference *plan_first_difference(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_differences; i++)
		if (plan_difference_is_ours(&plan->differences[i]))
			return &plan->differences[i];
	return plan->n_differences > 0 ? &plan->differences[0] : NULL;
}

static void _printf_(3, 4) text(char *buf, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(buf, size, format, ap);
	va_end(ap);
}

#define TEXT(field, ...) text(field, sizeof(field), __VA_ARGS__)

static void block_words(bool absent, enum block_state state, enum block_zone zone, char *buf,
			size_t size)
{
	if (absent)
		text(buf, size, "absent");
	else if (state == BLOCK_ONLINE)
		text(buf, size, "online in %s", block_zone_to_string(zone));
	else
		text(buf, size, "%s", block_state_to_string(state));
}

#define MEMORY "/sys/devices/system/memory/memory"
#define DAX "/sys/bus/dax/devices/"
#define DRIVERS "/sys/bus/dax/drivers/"

static void leaked_command(const struct plan_device *dev, struct difference_text *ret)
{
	TEXT(ret->command,
	     "# none: %s lost its driver with memory online; only a reboot mends that", dev->name);
}

static void block_command(const struct plan *plan, const struct plan_difference *diff,
			  struct difference_text *ret)
{
	const struct plan_device *dev = &plan->devices[diff->device];
	const unsigned long long n = diff->block;
	const char *value = plan_zone_value(diff->want_zone);

	/* Without that attribute, the blocks come with the driver, which is bound before. */
	if (diff->leaked)
		leaked_command(dev, ret);
	else if (diff->absent && dev->atomic)
		TEXT(ret->command, "echo %s >" DAX "%s/state", value, dev->name);
	else if (diff->want != BLOCK_ONLINE)
		TEXT(ret->command, "echo offline >" MEMORY "%llu/state", n);
	else if (!diff->absent && diff->have == BLOCK_ONLINE)
		TEXT(ret->command,
		     "echo offline >" MEMORY "%llu/state && echo %s >" MEMORY "%llu/state", n,
		     value, n);
	else
		TEXT(ret->command, "echo %s >" MEMORY "%llu/state", value, n);
}

static void driver_text(const struct plan_device *dev, bool leaked, struct difference_text *ret)
{
	TEXT(ret->want, "bound to %s", dev->driver);
	TEXT(ret->have, "bound to no driver");
	if (leaked)
		leaked_command(dev, ret);
	else if (dev->mode == DAX_MODE_SYSTEM_RAM)
		TEXT(ret->command,
		     "echo %s >" DRIVERS "kmem/bind || echo %s >" DRIVERS "kmem/new_id", dev->name,
		     dev->name);
	else
		TEXT(ret->command, "echo %s >" DRIVERS "%s/bind", dev->name, dev->driver);
}

static void claim_want(const struct plan_device *dev, struct difference_text *ret)
{
	char tag[TAG_STRLEN + 1];

	TEXT(ret->want, "%llu bytes of %s", (unsigned long long)dev->size,
	     tag_is_null(&dev->tag) ? "no tag" : tag_format(&dev->tag, tag));
}

void plan_difference_text(const struct plan *plan, const struct plan_difference *diff,
			  struct difference_text *ret)
{
	const struct plan_device *dev = &plan->devices[diff->device];
	char tag[TAG_STRLEN + 1];

	*ret = (struct difference_text){ 0 };
	(void)str_copy(ret->object, sizeof(ret->object), dev->name);
	switch (diff->kind) {
	case DIFF_GONE:
		TEXT(ret->have, "destroyed");
		claim_want(dev, ret);
		TEXT(ret->command,
		     "d=/sys/bus/cxl/devices/%s/dax_region/create; echo 1 >$d && "
		     "echo %s >" DAX "$(cat $d)/uuid",
		     dev->dax_region, plan_claim_value(dev, tag));
		return;
	case DIFF_UNCLAIMED:
		TEXT(ret->have, "claims nothing");
		claim_want(dev, ret);
		TEXT(ret->command, "echo %s >" DAX "%s/uuid", plan_claim_value(dev, tag),
		     dev->name);
		return;
	case DIFF_REPLACED:
		TEXT(ret->have, "its memory or its name belongs to another allocation");
		claim_want(dev, ret);
		return;
	case DIFF_DRIVER:
		driver_text(dev, diff->leaked, ret);
		return;
	case DIFF_OTHER_DRIVER:
		TEXT(ret->have, "bound to %s", diff->driver);
		TEXT(ret->want, "bound to %s", dev->driver[0] ? dev->driver : "no driver");
		return;
	case DIFF_BLOCK:
		TEXT(ret->object, "memory%llu", (unsigned long long)diff->block);
		block_words(diff->absent, diff->have, diff->have_zone, ret->have,
			    sizeof(ret->have));
		block_words(false, diff->want, diff->want_zone, ret->want, sizeof(ret->want));
		block_command(plan, diff, ret);
		return;
	case _DIFF_KIND_MAX:
		return;
	}
}
