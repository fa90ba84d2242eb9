/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The admin's hand: makes hosts, claims what arrives, meddles with what the daemon works on, and
 * takes things out of use at the end of a round. What it did is what the model has to allow.
 */
#include "soak.h"

#define BLOCK_SIZE (128 * MiB)
#define RETIRE_TRIES 4

/* Three regions: two of the first device, one of the second; soak_region() has who is where. */
static const char topology[] =
	"{'naming':'%s','window_size':'32G','boot_memory':'3G',"
	"'state_attr':%s,'kernel_unmovable':%s,'memdevs':["
	"{'serial':99,'host':'0000:0d:00.0','partitions':[{'dpa':0,'size':'4G'},"
	"{'dpa':'4G','size':'2G'}],'regions':[{'partition':0,'hpa':'0xa90000000',"
	"'target_node':1},{'partition':1,'target_node':2}]},"
	"{'serial':100,'host':'0000:0e:00.0','partitions':[{'dpa':'256M','size':'4G'}],"
	"'regions':[{'partition':0,'target_node':3}]}]}";

static const char *yes_no(bool value)
{
	return value ? "true" : "false";
}

void soak_new_host(struct soak *k)
{
	const struct soak_era *e = &k->era;
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, topology, e->v10 ? "v10" : "v11", yes_no(e->state_attr),
		     yes_no(e->kernel_unmovable)) < 0)
		text = NULL;
	if (!text)
		scenario_fail(k->s, "out of memory");
	/* By the command's own key the naming counts also if it is the one it was. */
	sim_ok(k->s, "{'cmd':'reset','topology':%s,'naming':'%s'}", text, e->v10 ? "v10" : "v11");
	sim_ok(k->s,
	       "{'cmd':'set','offline_ms':%u,'online_ms':%u,'rule_delay_ms':%u,'auto_online':'%s'}",
	       e->offline_ms, e->online_ms, e->rule_delay_ms, e->auto_online);
	k->s->violations_expected = 0;
	k->region_off = NULL;
	soak_foreach_unit(u, k) u->present = false;
}

/* ---- capacity arrives ---- */

static uint64_t region_hpa(struct soak *k, struct json_object *state, unsigned slot,
			   uint64_t *ret_dpa)
{
	struct json_object *regions = member(state, "regions");

	for (size_t i = 0; i < json_object_array_length(regions); i++) {
		struct json_object *region = json_object_array_get_idx(regions, i);

		if (!streq(member_string(region, "name"), soak_region(slot)))
			continue;
		*ret_dpa = json_object_get_uint64(member(region, "dpa"));
		return json_object_get_uint64(member(region, "hpa"));
	}
	scenario_fail(k->s, "no %s", soak_region(slot));
}

/* The whole blocks below the extents: what kmem makes of them, if it is bound. */
static void find_blocks(struct soak *k, struct json_object *state, struct soak_unit *u)
{
	uint64_t dpa = 0, hpa = region_hpa(k, state, u->slot, &dpa);

	u->n_blocks = 0;
	for (size_t i = 0; i < u->n_extents; i++) {
		uint64_t start = hpa + u->extents[i].dpa - dpa;
		uint64_t first = (start + BLOCK_SIZE - 1) / BLOCK_SIZE;
		uint64_t end = (start + u->extents[i].length) / BLOCK_SIZE;

		for (uint64_t n = first; n < end && u->n_blocks < SOAK_BLOCKS; n++)
			u->blocks[u->n_blocks++] = (struct soak_block){ .number = n };
	}
}

static const char *driver_of(enum soak_use use)
{
	switch (use) {
	case SOAK_FSDEV:
		return "fsdev_dax";
	case SOAK_DEVDAX:
	case SOAK_UNBOUND:
	case SOAK_UNCLAIMED:
		return "none";
	default:
		return "kmem";
	}
}

/*
 * device_dax/new_id would bind every device that is claimed and unbound, also of other units, and
 * the new_id of the others every one that ever had a name they remember.
 */
static void bind_alone(struct soak *k, const struct soak_unit *u)
{
	if (u->use == SOAK_DEVDAX &&
	    sim_write(k->s, "bus/dax/drivers/device_dax/bind", u->device) < 0)
		scenario_fail(k->s, "device_dax does not take %s", u->device);
	if (u->use == SOAK_UNBOUND) {
		(void)sim_write(k->s, "bus/dax/drivers/kmem/remove_id", u->device);
		(void)sim_write(k->s, "bus/dax/drivers/fsdev_dax/remove_id", u->device);
	}
}

static void claim(struct soak *k, struct soak_unit *u)
{
	_cleanup_json_ struct json_object *reply = NULL;
	bool online = u->use == SOAK_MOVABLE || u->use == SOAK_KERNEL || u->use == SOAK_MIXED;
	const char *zone = u->use == SOAK_KERNEL ? "kernel" : online ? "movable" : "offline";
	char tag[64] = "", seed[64] = "", path[128], value[32];

	if (u->tag[0])
		(void)snprintf(tag, sizeof(tag), ",'tag':'%s'", u->tag);
	if (u->seed)
		(void)snprintf(seed, sizeof(seed), ",'device':'dax%s.0'",
			       soak_region(u->slot) + strlen("region"));
	/* Where devices have a state, it is what says that they are memory. */
	reply = sim_do(k->s, "{'cmd':'claim','region':'%s','driver':'%s','zone':'%s'%s%s}",
		       soak_region(u->slot), driver_of(u->use),
		       k->era.state_attr ? "offline" : zone, tag, seed);
	(void)str_copy(u->device, sizeof(u->device), member_string(reply, "device"));
	bind_alone(k, u);
	if (!online || !k->era.state_attr)
		return;
	(void)snprintf(path, sizeof(path), "bus/dax/devices/%s/state", u->device);
	(void)snprintf(value, sizeof(value), "online_%s", zone);
	if (sim_write(k->s, path, value) < 0)
		scenario_fail(k->s, "%s does not take %s", path, value);
}

static char *block_path(uint64_t number, char buf[static 96])
{
	(void)snprintf(buf, 96, "devices/system/memory/memory%llu/state",
		       (unsigned long long)number);
	return buf;
}

/* Every second one, so that whole and half sections of a device come about. */
static void take_some_offline(struct soak *k, const struct soak_unit *u)
{
	char path[96];

	for (size_t i = 0; i < u->n_blocks; i += 2)
		if (sim_write(k->s, block_path(u->blocks[i].number, path), "offline") < 0)
			scenario_fail(k->s, "%s does not go offline", path);
}

static void add_unit(struct soak *k, struct soak_unit *u)
{
	_cleanup_json_ struct json_object *state = NULL;
	struct soak_seen seen;

	if (u->use != SOAK_UNCLAIMED)
		claim(k, u);
	state = soak_state(k);
	find_blocks(k, state, u);
	if (u->use == SOAK_MIXED) {
		take_some_offline(k, u);
		json_object_put(state);
		state = soak_state(k);
	}
	soak_see(state, u, &seen);
	if (seen.extents != u->n_extents || seen.claimed != (u->device[0] ? u->n_extents : 0) ||
	    !streq(seen.device, u->device))
		scenario_fail(k->s, "%s is not what was to be claimed", u->device);
	u->present = true;
	u->drivers = seen.driver;
	u->claims = u->device[0] ? CLAIM_HELD : CLAIM_FREE;
	for (size_t i = 0; i < u->n_blocks; i++)
		u->blocks[i].may = seen.blocks[i];
	if (u->held)
		u->holder = holder_start(k->s, u->device, u->index % 2);
}

void soak_add(struct soak *k, unsigned slot)
{
	struct soak_slot *to = &k->slots[slot];
	struct sim_extent all[SOAK_UNITS * SOAK_EXTENTS];
	size_t n = 0;

	for (size_t i = 0; i < to->n_units; i++)
		for (size_t e = 0; e < to->units[i].n_extents; e++)
			all[n++] = to->units[i].extents[e];
	/* The claim has a zone of its own; only what the daemon binds again is left to the policy.
	 */
	sim_set(k->s, "{'auto_online':'offline'}");
	sim_add(k->s, soak_memdev(slot), to->units[0].tag[0] ? to->units[0].tag : NULL, all, n);
	for (size_t i = 0; i < to->n_units; i++)
		add_unit(k, &to->units[i]);
	for (size_t i = 0; i < to->n_units; i++)
		to->units[i].since = sim_log_next(k->s);
	sim_ok(k->s, "{'cmd':'set','auto_online':'%s'}", k->era.auto_online);
}

/* ---- meddling ---- */

int soak_online(struct soak *k, struct soak_unit *u, const struct soak_event *event)
{
	static const struct {
		const char *value;
		unsigned bits;
	} ways[] = {
		{ "online_movable", BLOCK_IS_MOVABLE },
		{ "online_movable", BLOCK_IS_MOVABLE },
		{ "online_kernel", BLOCK_IS_KERNEL },
		{ "online", BLOCK_IS_MOVABLE | BLOCK_IS_KERNEL },
	};
	unsigned way = event->number % ARRAY_SIZE(ways);
	struct soak_block *b = &u->blocks[event->block % MAX(u->n_blocks, (size_t)1)];
	char path[96];
	int r;

	if (u->n_blocks == 0)
		return -ENOENT;
	r = sim_write(k->s, block_path(b->number, path), ways[way].value);
	if (r == 0)
		b->may |= ways[way].bits;
	return r;
}

int soak_offline(struct soak *k, struct soak_unit *u _unused_, struct soak_block *b)
{
	char path[96];
	int r;

	if (b->pinned)
		return -EBUSY; /* the hand would try for ever */
	r = sim_write(k->s, block_path(b->number, path), "offline");
	if (r == 0)
		b->may |= BLOCK_IS_OFFLINE;
	return r;
}

static bool is_online(unsigned bit)
{
	return bit & (BLOCK_IS_MOVABLE | BLOCK_IS_KERNEL | BLOCK_IS_CHANGING);
}

/* Where the unit is claimed now, by whatever name; all its memory offline. */
static int offline_all(struct soak *k, struct soak_unit *u, struct soak_seen *ret)
{
	_cleanup_json_ struct json_object *state = soak_state(k);
	int r;

	soak_see(state, u, ret);
	if (ret->claimed == 0)
		return -ENODEV;
	for (size_t i = 0; i < u->n_blocks; i++) {
		if (!is_online(ret->blocks[i]))
			continue;
		r = soak_offline(k, u, &u->blocks[i]);
		if (r < 0)
			return r;
	}
	json_object_put(state);
	state = soak_state(k);
	soak_see(state, u, ret);
	for (size_t i = 0; i < u->n_blocks; i++)
		if (is_online(ret->blocks[i]))
			return -EAGAIN; /* somebody else's hand is at it */
	return 0;
}

static const char *driver_name(unsigned bit)
{
	return bit == DRIVER_KMEM ? "kmem" : bit == DRIVER_DEVDAX ? "device_dax" : "fsdev_dax";
}

static int unbind(struct soak *k, struct soak_unit *u, const struct soak_seen *seen)
{
	char path[96];
	int r;

	if (seen->driver == DRIVER_NONE)
		return 0;
	(void)snprintf(path, sizeof(path), "bus/dax/drivers/%s/unbind", driver_name(seen->driver));
	r = sim_write(k->s, path, seen->device);
	if (r == 0)
		u->drivers |= DRIVER_NONE;
	return r;
}

static int size_zero(struct soak *k, struct soak_unit *u, const char *device)
{
	char path[96];
	int r;

	(void)snprintf(path, sizeof(path), "bus/dax/devices/%s/size", device);
	r = sim_write(k->s, path, "0");
	if (r == 0)
		u->claims |= CLAIM_FREE;
	return r;
}

static int delete_device(struct soak *k, const struct soak_unit *u, const char *device)
{
	char path[128];
	int r;

	(void)snprintf(path, sizeof(path), "bus/cxl/devices/dax_%s/dax_region/delete",
		       soak_region(u->slot));
	r = sim_write(k->s, path, device);
	/* That one never can be. */
	return r == -EBUSY && streq(strchr(device, '.'), ".0") ? 0 : r;
}

void soak_widen_destroyed(struct soak_unit *u, bool group)
{
	u->drivers |= DRIVER_NONE;
	u->claims |= CLAIM_FREE | (group ? CLAIM_GONE : 0);
	for (size_t i = 0; i < u->n_blocks; i++)
		u->blocks[i].may |= BLOCK_IS_OFFLINE;
}

int soak_destroy(struct soak *k, struct soak_unit *u)
{
	struct soak_seen seen;
	int r;

	r = offline_all(k, u, &seen);
	if (r == 0)
		r = unbind(k, u, &seen);
	if (r == 0)
		r = size_zero(k, u, seen.device);
	if (r == 0)
		r = delete_device(k, u, seen.device);
	return r;
}

/* What `daxctl destroy-device -f` does. */
int soak_destroy_forced(struct soak *k, struct soak_unit *u)
{
	_cleanup_json_ struct json_object *state = NULL;
	bool any = false;
	struct soak_seen seen;
	int r;

	/* Answered when the kernel has acted on all records before it; else one of those that ask
	 * for the unit would get memory in use. */
	sim_ok(k->s, "{'cmd':'region-updated','index':0}");
	state = soak_state(k);
	soak_see(state, u, &seen);
	for (size_t i = 0; i < u->n_blocks; i++)
		any |= is_online(seen.blocks[i]);
	if (seen.claimed == 0 || !any)
		return -ENODEV;
	u->forced = true;
	r = unbind(k, u, &seen);
	if (r == 0)
		r = size_zero(k, u, seen.device);
	if (r == 0)
		r = delete_device(k, u, seen.device);
	return r;
}

int soak_bind_other(struct soak *k, struct soak_unit *u)
{
	struct soak_seen seen;
	int r;

	r = offline_all(k, u, &seen);
	if (r == 0)
		r = unbind(k, u, &seen);
	if (r == 0)
		r = sim_write(k->s, "bus/dax/drivers/device_dax/bind", seen.device);
	if (r == 0)
		u->drivers |= DRIVER_DEVDAX;
	return r;
}

/* As cxl-disable-region does, with everything of it taken out of use first. */
int soak_disable_region(struct soak *k, unsigned slot)
{
	_cleanup_json_ struct json_object *reply = NULL;
	int r;

	soak_foreach_unit(u, k)
	{
		struct soak_seen seen;

		if (!streq(soak_region(u->slot), soak_region(slot)))
			continue;
		r = offline_all(k, u, &seen);
		if (r == 0)
			r = unbind(k, u, &seen);
		if (r == 0)
			r = size_zero(k, u, seen.device);
		if (r < 0 && r != -ENODEV)
			return r;
	}
	reply = sim_do(k->s, "{'cmd':'region','region':'%s','action':'disable'}",
		       soak_region(slot));
	k->region_off = soak_region(slot);
	soak_foreach_unit(u, k) if (streq(soak_region(u->slot), soak_region(slot)))
		soak_widen_destroyed(u, true);
	return 0;
}

/* ---- the end ---- */

static int take_out(struct soak *k, struct soak_unit *u)
{
	_cleanup_json_ struct json_object *state = soak_state(k);
	struct soak_seen seen;
	int r = 0;

	soak_see(state, u, &seen);
	for (size_t i = 0; i < u->n_blocks; i++)
		if (seen.blocks[i] != BLOCK_IS_ABSENT)
			sim_unmovable(k->s, u->blocks[i].number, false);
	if (seen.claimed > 0) {
		r = offline_all(k, u, &seen);
		if (r == 0)
			r = unbind(k, u, &seen);
		if (r == 0)
			r = size_zero(k, u, seen.device);
		if (r == 0)
			r = delete_device(k, u, seen.device);
	}
	if (seen.old_device && (r == 0 || r == -ENODEV))
		(void)delete_device(k, u, u->device);
	return r;
}

void soak_retire(struct soak *k, struct soak_unit *u)
{
	int r = -EAGAIN;

	if (u->holder > 0)
		holder_stop(k->s, u->holder);
	u->holder = 0;
	for (unsigned i = 0; i < RETIRE_TRIES && r < 0; i++)
		r = take_out(k, u);
	if (r < 0)
		soak_problem(k, "%s cannot be taken out of use: %s", u->device, strerror(-r));
}
