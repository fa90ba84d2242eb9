/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decision about one group: pure, over an inventory and the policy. Each check is a function
 * that leaves the verdict alone if it has nothing against freeing; the order is that of the list at
 * the end, refusals before waits.
 */
#include <inttypes.h>
#include <stdarg.h>

#include "util/escape.h"
#include "decide.h"
#include "parse_value.h"

/* What every check looks at, and where it puts its answer. */
struct question {
	const struct inventory *inv;
	const struct tag_group *group;
	const struct policy_rule *rule; /* NULL: none matched */
	struct decision *ret;
};

/* Whether it said no. */
typedef bool (*check_t)(const struct question *q);

static bool answer(const struct question *q, enum verdict verdict, const char *format, ...)
	_printf_(3, 4);

/* Gives the verdict; always true, so that a check can return it. */
static bool answer(const struct question *q, enum verdict verdict, const char *format, ...)
{
	va_list ap;

	q->ret->verdict = verdict;
	va_start(ap, format);
	(void)vsnprintf(q->ret->reason, sizeof(q->ret->reason), format, ap);
	va_end(ap);
	return true;
}

#define FOREACH_DEVICE(q, device)                                                                  \
	for (uint32_t _cursor = 0; (device = group_next_device((q)->inv, (q)->group, &_cursor));)

#define FOREACH_BLOCK(q, device, block)                                                            \
	for (uint32_t _i = 0; _i < (device)->n_blocks &&                                           \
			      (block = &(q)->inv->blocks[(device)->first_block + _i], true);       \
	     _i++)

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Something of its region was not seen: a device that claims it, or another extent of it. */
static bool check_read(const struct question *q)
{
	const struct region *region = &q->inv->regions[q->group->region];
	char text[64];

	if (region->error == 0)
		return false;
	return answer(q, VERDICT_WAIT, "%s could not be read (%s), so not all of %s is known",
		      region->error_path, strerror_r(-region->error, text, sizeof(text)),
		      region->name);
}

static bool check_claimed(const struct question *q)
{
	uint32_t cursor = 0;

	uint64_t leftover;

	if (group_next_device(q->inv, q->group, &cursor))
		return false;
	if (!tag_group_is_free(q->inv, q->group, &leftover) && leftover != UINT64_MAX)
		return answer(q, VERDICT_REFUSE,
			      "memory%" PRIu64 " is still in use although no dax device claims the "
			      "group: left behind by an unbind; take it offline before the device "
			      "asks again, or the kernel hands back memory in use",
			      leftover);
	return answer(q, VERDICT_NOTHING,
		      "no dax device claims any of its %u extent%s, so the kernel releases %s by "
		      "itself",
		      q->group->n_extents, plural(q->group->n_extents),
		      q->group->n_extents == 1 ? "it" : "them");
}

static bool check_action(const struct question *q)
{
	const struct dax_device *device;
	char where[RULE_NAME_MAX + 16];

	if (q->rule)
		(void)snprintf(where, sizeof(where), "rule \"%s\"", q->rule->name);
	else
		(void)snprintf(where, sizeof(where), "[release]");

	FOREACH_DEVICE(q, device)
	{
		const char *mode = dax_mode_to_string(device->mode);

		if (device->mode >= DAX_MODE_OTHER)
			return answer(q, VERDICT_REFUSE,
				      "%s is bound to the driver \"%s\", which dcdd does not know; "
				      "no setting allows to free it",
				      device->name, device->driver);
		if (q->ret->settings.action[device->mode] != ACTION_FREE)
			return answer(q, VERDICT_REFUSE,
				      "%s is in mode %s, which %s keeps; \"%s = free\" %s would "
				      "allow its release",
				      device->name, mode, where, mode,
				      q->rule ? "there" : "there or in a rule");
	}
	return false;
}

static bool check_kernel_zone(const struct question *q)
{
	const struct dax_device *device;
	const struct memory_block *block;

	FOREACH_DEVICE(q, device)
	FOREACH_BLOCK(q, device, block)
	if (block->state == BLOCK_ONLINE && block->zone == ZONE_KERNEL)
		return answer(q, VERDICT_REFUSE,
			      "memory%" PRIu64 " of %s is online in zone %s, not "
			      "Movable, and may never go offline",
			      block->number, device->name, block_zone_to_string(block->zone));
	return false;
}

static bool check_foreign(const struct question *q)
{
	const struct dax_device *device;
	const struct memory_block *block;

	FOREACH_DEVICE(q, device)
	FOREACH_BLOCK(q, device, block)
	if (block->foreign && block->state == BLOCK_ONLINE)
		return answer(q, VERDICT_REFUSE,
			      "memory%" PRIu64 " is online and reaches beyond %s, "
			      "into memory that is not part of the release",
			      block->number, device->name);
	return false;
}

/*
 * kmem was unbound while its blocks were online: the kernel keeps them until it is booted again,
 * and nobody can be sure that they stay offline.
 */
static bool check_left_behind(const struct question *q)
{
	const struct dax_device *device;
	const struct memory_block *block;

	FOREACH_DEVICE(q, device)
	{
		if (device->mode == DAX_MODE_SYSTEM_RAM)
			continue;
		FOREACH_BLOCK(q, device, block)
		if (!block->foreign)
			return answer(q, VERDICT_REFUSE,
				      "memory%" PRIu64 " of %s is still there (%s) although "
				      "the device is in mode %s: left behind by its driver "
				      "until the next reboot",
				      block->number, device->name,
				      block_state_to_string(block->state),
				      dax_mode_to_string(device->mode));
	}
	return false;
}

/* First byte behind; a range that runs over the end of the address space ends there. */
static uint64_t range_limit(const struct range *r)
{
	return r->length > UINT64_MAX - r->start ? UINT64_MAX : r->start + r->length;
}

/*
 * The first byte of @range that no extent of the group covers; the range's end if all are. The
 * extents are sorted by address, so one pass is enough.
 */
static uint64_t first_uncovered(const struct question *q, const struct range *range)
{
	uint64_t at = range->start, limit = range_limit(range);

	for (uint32_t i = 0; i < q->group->n_extents && at < limit; i++) {
		const struct range *hpa = &q->inv->extents[q->group->first_extent + i].hpa;

		if (hpa->start <= at && range_limit(hpa) > at)
			at = range_limit(hpa);
	}
	return MIN(at, limit);
}

static bool check_outside(const struct question *q)
{
	const struct dax_device *device;

	FOREACH_DEVICE(q, device)
	for (uint32_t i = 0; i < device->n_mappings; i++) {
		const struct range *hpa = &q->inv->mappings[device->first_mapping + i].hpa;
		uint64_t at = first_uncovered(q, hpa);

		if (at < range_limit(hpa))
			return answer(q, VERDICT_REFUSE,
				      "%s also claims memory outside the group, from address "
				      "0x%" PRIx64 " of its mapping 0x%" PRIx64 "+0x%" PRIx64,
				      device->name, at, hpa->start, hpa->length);
	}
	return false;
}

/* Mappings that were not all seen could hide blocks that are online. */
static bool check_whole(const struct question *q)
{
	const struct dax_device *device;

	FOREACH_DEVICE(q, device)
	{
		uint64_t mapped = 0;

		for (uint32_t i = 0; i < device->n_mappings; i++)
			if (__builtin_add_overflow(
				    mapped, q->inv->mappings[device->first_mapping + i].hpa.length,
				    &mapped))
				mapped = UINT64_MAX;
		if (mapped != device->size) {
			char size[VALUE_STRLEN], seen[VALUE_STRLEN];

			return answer(q, VERDICT_WAIT,
				      "%s has a size of %s but %s are seen in its mappings",
				      device->name, format_size_short(device->size, size),
				      format_size_short(mapped, seen));
		}
		if (device->mode == DAX_MODE_SYSTEM_RAM && q->inv->block_size == 0)
			return answer(q, VERDICT_WAIT,
				      "%s is in mode system-ram but the size of the host's memory "
				      "blocks could not be read",
				      device->name);
	}
	return false;
}

static bool check_blocks_known(const struct question *q)
{
	const struct dax_device *device;
	const struct memory_block *block;

	FOREACH_DEVICE(q, device)
	FOREACH_BLOCK(q, device, block)
	{
		if (block->state != BLOCK_ONLINE && block->state != BLOCK_OFFLINE)
			return answer(q, VERDICT_WAIT,
				      "memory%" PRIu64 " of %s is in state %s, neither "
				      "online nor offline",
				      block->number, device->name,
				      block_state_to_string(block->state));
		if (block->state == BLOCK_ONLINE && block->zone != ZONE_MOVABLE)
			return answer(q, VERDICT_WAIT,
				      "memory%" PRIu64 " of %s is online in zone %s, where "
				      "Movable was expected",
				      block->number, device->name,
				      block_zone_to_string(block->zone));
	}
	return false;
}

/* Who cannot be looked into may hold what is not system RAM, and would lose it. */
static bool check_unseen(const struct question *q)
{
	const struct dax_device *device;

	if (q->inv->n_unseen == 0 || q->ret->settings.ignore_unseen)
		return false;
	FOREACH_DEVICE(q, device)
	if (device->mode != DAX_MODE_SYSTEM_RAM)
		return answer(q, VERDICT_WAIT,
			      "%u process%s cannot be looked into, so whether /dev/%s is in use is "
			      "not known; \"ignore-unseen-processes = yes\" would take it for idle",
			      q->inv->n_unseen, q->inv->n_unseen == 1 ? "" : "es", device->name);
	return false;
}

static bool check_holders(const struct question *q)
{
	const struct dax_device *device;

	FOREACH_DEVICE(q, device)
	{
		const struct holder *holder;
		char raw[sizeof(holder->comm) + 1], comm[4 * sizeof(holder->comm) + 4];
		char others[48] = "";

		if (device->n_holders == 0)
			continue;
		holder = &q->inv->holders[device->first_holder];
		/* A process names itself: anything may be in there. */
		memcpy(raw, holder->comm, sizeof(holder->comm));
		raw[sizeof(holder->comm)] = '\0';
		if (device->n_holders > 1)
			(void)snprintf(others, sizeof(others), " and %u more process%s",
				       device->n_holders - 1, device->n_holders == 2 ? "" : "es");
		return answer(q, VERDICT_WAIT, "/dev/%s is %s by process %" PRId32 " (%s)%s",
			      device->name, holder->mapped ? "mapped" : "held open", holder->pid,
			      escape_text(raw, comm, sizeof(comm)), others);
	}
	return false;
}

static bool check_headroom(const struct question *q)
{
	char move[VALUE_STRLEN], available[VALUE_STRLEN], floor[VALUE_STRLEN];
	struct headroom headroom;

	if (!headroom_compute(q->inv, q->group, &q->ret->settings, &headroom) ||
	    headroom_suffices(&headroom))
		return false;
	return answer(q, VERDICT_WAIT,
		      "%s in use must move to the rest of the host, which has %s available and "
		      "must keep %s (headroom)",
		      format_size_short(headroom.must_move, move),
		      format_size_short(headroom.available, available),
		      format_size_short(headroom.floor, floor));
}

static void grant(const struct question *q)
{
	uint32_t n_devices = 0, n_online = 0;
	const struct dax_device *device, *first = NULL;
	const struct memory_block *block;
	char name[DEV_NAME_MAX + 32];

	FOREACH_DEVICE(q, device)
	{
		if (!first)
			first = device;
		n_devices++;
		FOREACH_BLOCK(q, device, block)
		if (block->state == BLOCK_ONLINE)
			n_online++;
	}
	if (n_devices == 1)
		(void)snprintf(name, sizeof(name), "%s (%s)", first->name,
			       dax_mode_to_string(first->mode));
	else
		(void)snprintf(name, sizeof(name), "its %u dax devices", n_devices);
	if (n_online)
		(void)answer(q, VERDICT_FREE,
			     "%s can be freed: %u memory block%s online, all in zone Movable", name,
			     n_online, n_online == 1 ? " is" : "s are");
	else
		(void)answer(q, VERDICT_FREE, "%s can be freed: no memory block is online", name);
}

void policy_decide(const struct inventory *inv, const struct tag_group *group,
		   const struct policy *policy, struct decision *ret)
{
	static const check_t checks[] = {
		check_read,
		check_claimed,
		/* refuse */
		check_action,
		check_kernel_zone,
		check_foreign,
		check_left_behind,
		check_outside,
		/* wait */
		check_whole,
		check_blocks_known,
		check_holders,
		check_unseen,
		check_headroom,
	};
	struct question q = { .inv = inv, .group = group, .ret = ret };

	*ret = (struct decision){ 0 };
	q.rule = policy_match(inv, group, policy);
	ret->settings = q.rule ? q.rule->settings : policy->defaults;
	(void)str_copy(ret->rule, sizeof(ret->rule), q.rule ? q.rule->name : "default");

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (checks[i](&q))
			return;
	grant(&q);
}
