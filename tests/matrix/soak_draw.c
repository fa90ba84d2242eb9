/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the dice to a script. Only seed, number of the round and the scripts before it go in, never
 * what daemon or simulator did: so a seed replays the sequence, and a round can be drawn without
 * being run.
 */
#include "soak_dice.h"

/* ---- capacity ---- */

static bool seed_is_taken(const struct soak_slot *slots, unsigned slot)
{
	for (unsigned i = 0; i < SOAK_SLOTS; i++)
		for (size_t k = 0; streq(soak_region(i), soak_region(slot)) && k < slots[i].n_units;
		     k++)
			if (slots[i].units[k].seed)
				return true;
	return false;
}

/* Where the i-th extent of a slot is, from its beginning; three never overlap. */
static struct sim_extent draw_extent(struct dice *dice, unsigned layout, unsigned i)
{
	switch (layout) {
	case 0: /* side by side */
		return (struct sim_extent){ .dpa = i * 256 * MiB, .length = 256 * MiB };
	case 1: /* with gaps */
		return (struct sim_extent){ .dpa = i * 384 * MiB,
					    .length = (1 + below(dice, 2)) * 128 * MiB };
	default: /* no whole number of blocks: part of it never becomes memory */
		return (struct sim_extent){ .dpa = i * 336 * MiB,
					    .length = 300 * MiB + below(dice, 18) * 2 * MiB };
	}
}

static void draw_tag(struct dice *dice, char ret[static TAG_STRLEN + 1])
{
	struct tag tag;

	for (size_t i = 0; i < sizeof(tag.bytes); i++)
		tag.bytes[i] = (uint8_t)roll(dice);
	tag.bytes[6] = (tag.bytes[6] & 0x0f) | 0x40;
	tag.bytes[8] = (tag.bytes[8] & 0x3f) | 0x80;
	(void)tag_format(&tag, ret);
}

static const unsigned use_weights[_SOAK_USE_MAX] = {
	[SOAK_MOVABLE] = 66, [SOAK_KERNEL] = 4, [SOAK_MIXED] = 12,  [SOAK_OFFLINE] = 3,
	[SOAK_DEVDAX] = 7,   [SOAK_FSDEV] = 3,	[SOAK_UNBOUND] = 3, [SOAK_UNCLAIMED] = 2,
};

/*
 * `0` in a device's uuid claims the first free untagged extent of the region, whichever that is. So
 * untagged ones come only where none is free: none stays unclaimed, and none comes (@at_rest) while
 * one might just have been freed.
 */
static void draw_slot(struct dice *dice, struct soak_slot *slots, unsigned slot, bool at_rest)
{
	/* The second device's partition begins at 256 MiB, the third region's at 4 GiB. */
	static const uint64_t begin[SOAK_SLOTS] = {
		0, GiB, 2 * GiB, 256 * MiB, 1280 * MiB, 4 * GiB
	};
	bool tagged = percent(dice, 70) || !at_rest;
	unsigned n = 1 + below(dice, SOAK_EXTENTS), layout = below(dice, 4);
	struct soak_slot *to = &slots[slot];

	*to = (struct soak_slot){ .n_units = tagged ? 1 : n };
	for (unsigned i = 0; i < n; i++) {
		struct soak_unit *u = &to->units[tagged ? 0 : i];
		struct sim_extent extent = draw_extent(dice, layout, i);

		extent.dpa += begin[slot];
		u->extents[u->n_extents++] = extent;
	}
	for (unsigned i = 0; i < to->n_units; i++) {
		struct soak_unit *u = &to->units[i];

		u->used = true;
		u->slot = slot;
		u->index = i;
		if (tagged)
			draw_tag(dice, u->tag);
		u->use = weighed(dice, use_weights, ARRAY_SIZE(use_weights));
		u->held = u->use == SOAK_DEVDAX && percent(dice, 20);
		if (!tagged && u->use == SOAK_UNCLAIMED)
			u->use = SOAK_UNBOUND;
		u->seed = u->use != SOAK_UNCLAIMED && percent(dice, 10) &&
			  !seed_is_taken(slots, slot);
	}
}

/* ---- circumstances ---- */

static void draw_era(struct dice *dice, unsigned round, struct soak_era *ret)
{
	static const char *const policies[] = { "offline", "offline", "offline", "online_movable",
						"online_kernel" };
	static const unsigned slow[] = { 0, 0, 0, 2, 8 };

	*ret = (struct soak_era){
		.v10 = percent(dice, 15),
		.state_attr = percent(dice, 30),
		.kernel_unmovable = percent(dice, 60),
		.calm = round / SOAK_ERA % 2 == 0,
		.auto_online = PICK(dice, policies),
		.offline_ms = PICK(dice, slow),
		.online_ms = PICK(dice, slow),
		.rule_delay_ms = percent(dice, 30) ? 10 : 0,
	};
}

static void draw_config(struct dice *dice, struct soak_config *ret)
{
	static const char *const methods[] = { "auto", "auto", "blocks", "atomic" };
	static const unsigned settle[] = { 1, 5, 20 };
	unsigned uses = 0;

	if (percent(dice, 96))
		uses |= 1U << SOAK_MOVABLE | 1U << SOAK_KERNEL | 1U << SOAK_MIXED |
			1U << SOAK_OFFLINE;
	if (percent(dice, 75))
		uses |= 1U << SOAK_DEVDAX;
	if (percent(dice, 65))
		uses |= 1U << SOAK_FSDEV;
	if (percent(dice, 75))
		uses |= 1U << SOAK_UNBOUND;
	*ret = (struct soak_config){
		.free_uses = uses,
		.retries = below(dice, 3),
		.concurrency = 1 + below(dice, 3),
		.block_timeout_ms = percent(dice, 70) ? 1000 : 3000,
		.settle_ms = PICK(dice, settle),
		.refuse_hold_ms = percent(dice, 80) ? 1 : 30000,
		.method = PICK(dice, methods),
		.resume = percent(dice, 25),
	};
}

/* ---- events ---- */

struct drawing {
	struct dice dice;
	struct soak_script *script;
	struct soak_slot *slots;
	struct soak_unit *asked[3];
	size_t n_asked;
	bool dead, forced;
};

static struct soak_event *add_event(struct drawing *d, enum soak_kind kind, enum soak_when when,
				    const struct soak_unit *u)
{
	struct soak_script *script = d->script;
	struct soak_event *event;

	if (script->n_events == SOAK_EVENTS)
		return NULL;
	event = &script->events[script->n_events++];
	*event = (struct soak_event){
		.kind = kind,
		.when = when,
		.ms = when == AFTER_MS ? 1 + below(&d->dice, 30) : 0,
		.slot = u ? u->slot : 0,
		.unit = u ? u->index : 0,
		.block = below(&d->dice, SOAK_BLOCKS),
		.number = below(&d->dice, 1000),
		.interval_ms = below(&d->dice, 15),
	};
	return event;
}

static void add_ask(struct drawing *d, struct soak_unit *u, enum soak_when when)
{
	struct soak_event *event = add_event(d, EVENT_ASK, when, u);

	if (event)
		event->number = percent(&d->dice, 25) ? 2 + below(&d->dice, 4) : 1;
	u->asked = u->touched = true;
}

/* Anything that may happen at any time. */
static const enum soak_kind anytime[] = {
	EVENT_ONLINE,
	EVENT_ONLINE,
	EVENT_OFFLINE,
	EVENT_OFFLINE,
	EVENT_ADD,
	EVENT_PIN,
	EVENT_FLOOD,
	EVENT_UNMOVABLE,
	EVENT_FORCED_RELEASE,
	EVENT_GARBAGE,
	EVENT_WRONG_TAG,
	EVENT_RETRY,
	EVENT_INVALIDATE,
	EVENT_MODULE,
	EVENT_AUTO_ONLINE,
	EVENT_RELOAD,
	EVENT_RESCAN,
	EVENT_RELOAD_BAD,
	EVENT_REGION_UPDATED,
	EVENT_PAUSE,
	EVENT_ASK,
	EVENT_ASK,
	EVENT_KILL_WORKERS,
	EVENT_ADD,
};
/* What only a hand does that knows the daemon's to be still. */
static const enum soak_kind at_hang[] = {
	EVENT_ONLINE, EVENT_OFFLINE, EVENT_DESTROY, EVENT_DESTROY,	EVENT_OTHER_DRIVER,
	EVENT_ASK,    EVENT_REGION,  EVENT_PIN,	    EVENT_KILL_WORKERS, EVENT_DESTROY_FORCED,
};
static const enum soak_kind harmless[] = { EVENT_GARBAGE, EVENT_WRONG_TAG, EVENT_REGION_UPDATED,
					   EVENT_ADD,	  EVENT_RETRY,	   EVENT_RESCAN };
static const enum soak_kind fatal[] = { EVENT_KILL, EVENT_KILL, EVENT_KILL, EVENT_TERM };

/*
 * Whether there is time between the daemon's last look and the kernel's unbind. Who brings memory
 * online then leaks it by the kernel's own hand, and nothing in user space can prevent that.
 */
static bool may_slip_in(const struct soak_script *script)
{
	for (size_t i = 0; i < script->n_faults; i++)
		if (script->faults[i].place == AT_UNBIND &&
		    !streq(script->faults[i].action, "short"))
			return true;
	return false;
}

static void draw_event(struct drawing *d, enum soak_kind kind, enum soak_when when)
{
	struct soak_unit *u = d->asked[below(&d->dice, (unsigned)d->n_asked)];

	/* The one whose write hangs. */
	if (when == AT_HANG)
		u = d->asked[0];
	if (d->forced && (kind == EVENT_ASK || kind == EVENT_RETRY))
		return; /* whoever asks now gets memory in use, and not by the daemon's hand */
	if (kind == EVENT_ADD) {
		unsigned slot = below(&d->dice, SOAK_SLOTS);

		if (d->slots[slot].n_units > 0)
			return;
		draw_slot(&d->dice, d->slots, slot, false);
		u = &d->slots[slot].units[0];
	}
	if (kind == EVENT_REGION && u->slot != SOAK_SLOT_REGION2)
		kind = EVENT_DESTROY;
	if (kind == EVENT_ONLINE && may_slip_in(d->script))
		kind = EVENT_OFFLINE;
	if (kind == EVENT_DESTROY_FORCED) {
		/* Only memory can be in use without a claim. And all of the group's are one. */
		if (d->script->retry_ms || u->use != SOAK_MOVABLE || !u->tag[0])
			return;
		d->forced = d->script->fresh_after = true;
	}
	if (kind == EVENT_ASK)
		add_ask(d, u, when);
	else
		(void)add_event(d, kind, when, u);
}

static void draw_death(struct drawing *d, enum soak_when when)
{
	(void)add_event(d, PICK(&d->dice, fatal), when, NULL);
	d->dead = true;
}

static void draw_events(struct drawing *d)
{
	struct soak_script *script = d->script;
	bool dies = !script->era.calm && !script->quiet && percent(&d->dice, 45);
	unsigned n;

	for (size_t i = 0; i < d->n_asked; i++)
		add_ask(d, d->asked[i], i == 0 ? NOW : (enum soak_when)below(&d->dice, AT_HANG));
	if (script->waits) {
		n = below(&d->dice, 3);
		for (unsigned i = 0; i < n; i++)
			draw_event(d, PICK(&d->dice, at_hang), AT_HANG);
		if (dies && percent(&d->dice, 70))
			draw_death(d, AT_HANG);
		(void)add_event(d, EVENT_LET_GO, AT_HANG, NULL);
	}
	n = below(&d->dice, 4);
	for (unsigned i = 0; i < n; i++) {
		if (dies && !d->dead && percent(&d->dice, 40))
			draw_death(d, (enum soak_when)below(&d->dice, AT_HANG));
		if (d->dead && percent(&d->dice, 50)) {
			(void)add_event(d, EVENT_START, NOW, NULL);
			d->dead = false;
			dies = percent(&d->dice, 40);
		}
		draw_event(d, script->quiet ? PICK(&d->dice, harmless) : PICK(&d->dice, anytime),
			   (enum soak_when)below(&d->dice, AT_HANG));
	}
	if (dies && !d->dead)
		draw_death(d, AFTER_MS);
}

/* Up to three units to ask for, the first one most of the time one that is memory in use. */
static void draw_asked(struct drawing *d)
{
	struct soak_unit *all[SOAK_SLOTS * SOAK_UNITS];
	unsigned n = 0, wanted = 1 + (below(&d->dice, 3) == 0) + (below(&d->dice, 6) == 0);

	for (unsigned i = 0; i < SOAK_SLOTS; i++)
		for (size_t k = 0; k < d->slots[i].n_units; k++)
			all[n++] = &d->slots[i].units[k];
	while (d->n_asked < wanted && n > 0) {
		unsigned at = below(&d->dice, n);

		if (d->n_asked == 0 && all[at]->use > SOAK_MIXED && percent(&d->dice, 70))
			at = below(&d->dice, n);
		d->asked[d->n_asked++] = all[at];
		all[at] = all[--n];
	}
}

static void draw_faults(struct drawing *d)
{
	static const unsigned numbers[] = { 0, 1, 1, 1, 2, 3 };
	struct soak_script *script = d->script;
	unsigned n = PICK(&d->dice, numbers);

	script->waits = percent(&d->dice, 45);
	if (script->waits)
		soak_draw_hang(&d->dice, d->asked[0], &script->faults[script->n_faults++]);
	if (percent(&d->dice, 40)) {
		soak_draw_both_ways(&d->dice, d->asked[0], &script->faults[script->n_faults],
				    &script->faults[script->n_faults + 1]);
		script->n_faults += 2;
	}
	for (unsigned i = 0; i < n && script->n_faults < SOAK_FAULTS; i++)
		soak_draw_fault(&d->dice, d->asked[below(&d->dice, (unsigned)d->n_asked)],
				&script->faults[script->n_faults++]);
}

void soak_draw(uint64_t seed, unsigned round, struct soak_slot slots[SOAK_SLOTS],
	       struct soak_era *era, struct soak_config *config, struct soak_script *ret)
{
	struct drawing d = {
		.dice = { .state = seed * UINT64_C(0xd1342543de82ef95) + round },
		.script = ret,
		.slots = slots,
	};
	bool any = false;

	*ret = (struct soak_script){ .round = round, .new_era = round % SOAK_ERA == 0 };
	(void)roll(&d.dice);
	if (ret->new_era) {
		draw_era(&d.dice, round, era);
		memset(slots, 0, SOAK_SLOTS * sizeof(*slots));
	}
	if (ret->new_era || percent(&d.dice, 20)) {
		draw_config(&d.dice, config);
		ret->new_config = true;
	}
	ret->era = *era;
	ret->config = *config;
	ret->quiet = percent(&d.dice, 15);
	for (unsigned i = 0; i < SOAK_SLOTS; i++)
		any |= slots[i].n_units > 0;
	for (unsigned i = 0; i < SOAK_SLOTS; i++) {
		if (slots[i].n_units > 0 || !percent(&d.dice, any ? 40 : 70 + 30 * (i == 5)))
			continue;
		draw_slot(&d.dice, slots, i, true);
		ret->added |= 1U << i;
		any = true;
	}
	/* Repeats are counted only, and not answered anew, while a refusal is held. */
	if (config->refuse_hold_ms > 1000 && percent(&d.dice, 30))
		ret->retry_ms = 30 + below(&d.dice, 100);
	draw_asked(&d);
	if (!ret->quiet)
		draw_faults(&d);
	draw_events(&d);
}

void soak_script_end(const struct soak_script *script, struct soak_slot slots[SOAK_SLOTS])
{
	for (unsigned i = 0; i < SOAK_SLOTS; i++) {
		bool touched = script->fresh_after;

		for (size_t k = 0; k < slots[i].n_units; k++)
			touched |= slots[i].units[k].touched;
		if (touched)
			slots[i] = (struct soak_slot){ 0 };
	}
}
