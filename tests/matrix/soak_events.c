/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a script's lines do. Each is done whatever came of the ones before it; one that finds
 * nothing to act on (the device is gone by now) is told so by the kernel, as an admin would be.
 */
#include <signal.h>

#include "soak.h"

#define HANG_SECONDS 1.0

/* ---- bad luck ---- */

static struct soak_unit *unit_of(struct soak *k, unsigned slot, unsigned unit)
{
	return &k->slots[slot].units[unit];
}

/* The glob that the simulator compares with the real path, and with what is written, if it is. */
static void fault_place(const struct soak_unit *u, const struct soak_fault *f, char *path,
			size_t size, char *value, size_t value_size)
{
	const char *device = u->device[0] ? u->device : "dax*";
	uint64_t block = u->n_blocks ? u->blocks[f->block % u->n_blocks].number : 0;

	(void)snprintf(value, value_size, "%s", f->value ? f->value : "");
	switch (f->place) {
	case AT_BLOCK:
		(void)snprintf(path, size, "*/memory%llu/state", (unsigned long long)block);
		return;
	case AT_ANY_BLOCK:
		(void)snprintf(path, size, "*/memory*/state");
		return;
	case AT_ZONES:
		(void)snprintf(path, size, "*/memory%llu/valid_zones", (unsigned long long)block);
		return;
	case AT_SIZE:
		(void)snprintf(path, size, "*/%s/size", device);
		return;
	case AT_UUID:
		(void)snprintf(path, size, "*/dax*/uuid");
		return;
	case AT_MAPPING:
		(void)snprintf(path, size, "*/%s/mapping0/start", device);
		return;
	case AT_DEVICE_STATE:
		(void)snprintf(path, size, "*/%s/state", device);
		return;
	case AT_UNBIND:
		(void)snprintf(path, size, "*/drivers/*/unbind");
		(void)snprintf(value, value_size, "%s", device);
		return;
	case AT_BIND:
		(void)snprintf(path, size, "*/drivers/*/bind");
		return;
	case AT_NEW_ID:
		(void)snprintf(path, size, "*/drivers/*/new_id");
		return;
	case AT_DELETE:
		(void)snprintf(path, size, "*/dax_region/delete");
		return;
	case AT_CREATE:
		(void)snprintf(path, size, "*/dax_region/create");
		return;
	case AT_EXTENT:
		(void)snprintf(path, size, "*/extent*/offset");
		return;
	default:
		(void)snprintf(path, size, "*/dax_region/available_size");
		return;
	}
}

void soak_place_faults(struct soak *k)
{
	for (size_t i = 0; i < k->script.n_faults; i++) {
		struct soak_fault *f = &k->script.faults[i];
		char path[128], value[64], glob[96] = "";

		fault_place(unit_of(k, f->slot, f->unit), f, path, sizeof(path), value,
			    sizeof(value));
		if (value[0])
			(void)snprintf(glob, sizeof(glob), ",'value':'%s'", value);
		f->id = sim_fault(k->s, path,
				  "'op':'%s','action':'%s','error':'%s','nth':%u,'count':%u,"
				  "'ms':%u,'what':'%s'%s",
				  f->op, f->action, f->error, f->nth, f->count, f->ms,
				  f->device_only ? "device" : "group", glob);
	}
}

static void widen(struct soak *k, const struct soak_fault *f)
{
	struct soak_slot *slot = &k->slots[f->slot];

	for (size_t i = 0; i < slot->n_units; i++)
		if (!f->device_only || i == f->unit)
			soak_widen_destroyed(&slot->units[i], !f->device_only);
}

static void let_move(struct soak *k)
{
	soak_foreach_unit(u, k)
	{
		for (size_t i = 0; i < u->n_blocks; i++) {
			struct soak_block *b = &u->blocks[i];
			_cleanup_json_ struct json_object *reply = NULL;

			if (b->pinned)
				(void)sim_request(k->s, &reply, "{'cmd':'unpin','block':%llu}",
						  (unsigned long long)b->number);
			json_object_put(reply);
			reply = NULL;
			if (b->unmovable)
				(void)sim_request(k->s, &reply,
						  "{'cmd':'unmovable','block':%llu,'value':false}",
						  (unsigned long long)b->number);
			b->pinned = b->unmovable = false;
		}
	}
}

void soak_see_faults(struct soak *k)
{
	for (size_t i = 0; i < k->script.n_faults; i++) {
		struct soak_fault *f = &k->script.faults[i];
		unsigned hits = f->id ? sim_fault_hits(k->s, f->id) : 0;

		f->hits = MAX(f->hits, hits);
		if (hits > 0 && (streq(f->action, "vanish") || streq(f->action, "after")))
			widen(k, f);
	}
}

void soak_calm(struct soak *k)
{
	let_move(k);
	soak_see_faults(k);
	for (size_t i = 0; i < k->script.n_faults; i++)
		k->script.faults[i].id = 0;
	sim_fault_clear(k->s);
	sim_ok(k->s, "{'cmd':'fail-invalidate'}");
	sim_ok(k->s, "{'cmd':'set','retry_ms':0,'auto_online':'%s'}", k->era.auto_online);
	if (k->region_off) {
		sim_ok(k->s, "{'cmd':'region','region':'%s','action':'enable'}", k->region_off);
		k->region_off = NULL;
	}
}

/* Whether the daemon's hand is held where the script wants it. Waits for that once a round. */
static bool wait_for_hang(struct soak *k)
{
	usec_t deadline = deadline_in(HANG_SECONDS);

	while (!k->hang_hit && !k->hang_missed) {
		if (sim_fault_hits(k->s, k->script.faults[0].id) > 0)
			k->hang_hit = true;
		else if (!daemon_alive(k->s) || deadline_passed(deadline))
			k->hang_missed = true;
	}
	return k->hang_hit;
}

/* ---- the device ---- */

/* A request about the unit's extents; one that is not there any more is refused, which is fine. */
static int ask(struct soak *k, const struct soak_unit *u, const char *cmd, unsigned count,
	       unsigned interval_ms)
{
	_cleanup_json_ struct json_object *reply = NULL;
	char extents[256] = "", tag[64] = "";
	size_t n = 0;

	for (size_t i = 0; i < u->n_extents; i++)
		n += (size_t)snprintf(extents + n, sizeof(extents) - n,
				      "%s{'dpa':%llu,'length':%llu}", i ? "," : "",
				      (unsigned long long)u->extents[i].dpa,
				      (unsigned long long)u->extents[i].length);
	if (u->tag[0])
		(void)snprintf(tag, sizeof(tag), "'tag':'%s',", u->tag);
	(void)sim_request(k->s, &reply,
			  "{'cmd':'%s','memdev':'%s',%s'extents':[%s],'count':%u,"
			  "'interval_ms':%u,'wait':false}",
			  cmd, soak_memdev(u->slot), tag, extents, count, interval_ms);
	return reply && member_bool(reply, "ok") ? 0 : -ENOENT;
}

/* A release of the unit's memory, by a tag that nobody has: means nothing. */
static void wrong_tag(struct soak *k, const struct soak_unit *u)
{
	sim_ok(k->s,
	       "{'cmd':'trace','memdev':'%s','event_type':1,'uuid':'%s','dpa_start':%llu,"
	       "'length':%llu}",
	       soak_memdev(u->slot), TAG_C, (unsigned long long)u->extents[0].dpa,
	       (unsigned long long)u->extents[0].length);
}

/* Of memory that is not there, or of a device that is not. (Part of an extent would mean it.) */
static void garbage(struct soak *k, unsigned number)
{
	bool known = number % 2;

	sim_ok(k->s,
	       "{'cmd':'trace','memdev':'%s','event_type':%u,'dpa_start':'%s','length':%u,"
	       "'updated_region_index':%u,'hdr_handle':%u}",
	       known ? "mem0" : "mem77", number % 7, known ? "0xfffffffffffff000" : "0", number,
	       number % 256, number);
}

static void module(struct soak *k)
{
	sim_event(k->s, false);
	(void)usleep(5000);
	sim_event(k->s, true);
}

/* ---- the rest ---- */

static void change_policy(struct soak *k, unsigned number)
{
	k->config.free_uses ^= number % 4 ? 1U << SOAK_DEVDAX : 1U << SOAK_MOVABLE;
	soak_daemon_reload(k, true);
}

static void change_auto_online(struct soak *k, unsigned number)
{
	static const char *const policies[] = { "offline", "online", "online_movable",
						"online_kernel" };

	sim_ok(k->s, "{'cmd':'set','auto_online':'%s'}", policies[number % ARRAY_SIZE(policies)]);
}

static int flag_block(struct soak *k, struct soak_unit *u, const struct soak_event *e)
{
	_cleanup_json_ struct json_object *reply = NULL;
	struct soak_block *b = &u->blocks[e->block % MAX(u->n_blocks, (size_t)1)];
	bool pin = e->kind == EVENT_PIN;

	if (u->n_blocks == 0)
		return -ENOENT;
	if (pin)
		b->pinned = true;
	else
		b->unmovable = true;
	return sim_request(k->s, &reply, "{'cmd':'%s','block':%llu}", pin ? "pin" : "unmovable",
			   (unsigned long long)b->number);
}

static void pause_daemon(struct soak *k, unsigned ms)
{
	pid_t pid = daemon_pid(k->s);

	if (!daemon_alive(k->s) || kill(pid, SIGSTOP) < 0)
		return;
	(void)usleep(ms * 1000);
	(void)kill(pid, SIGCONT);
}

/* Needs the daemon's hand to be held, since it knows what is there and acts upon it. */
static int meddle(struct soak *k, struct soak_unit *u, enum soak_kind kind)
{
	if (!k->hang_hit)
		return -EAGAIN;
	switch (kind) {
	case EVENT_DESTROY:
		return soak_destroy(k, u);
	case EVENT_DESTROY_FORCED:
		return soak_destroy_forced(k, u);
	case EVENT_OTHER_DRIVER:
		return soak_bind_other(k, u);
	default:
		return soak_disable_region(k, u->slot);
	}
}

static int do_event(struct soak *k, struct soak_unit *u, const struct soak_event *e)
{
	int r;

	switch (e->kind) {
	case EVENT_ASK:
		r = ask(k, u, "release", e->number, e->interval_ms);
		u->heard = u->heard || r == 0;
		return r;
	case EVENT_FORCED_RELEASE:
		return ask(k, u, "forced-release", 1, 0);
	case EVENT_ONLINE:
		return soak_online(k, u, e);
	case EVENT_OFFLINE:
		return u->n_blocks == 0 ? -ENOENT
					: soak_offline(k, u, &u->blocks[e->block % u->n_blocks]);
	case EVENT_DESTROY:
	case EVENT_DESTROY_FORCED:
	case EVENT_OTHER_DRIVER:
	case EVENT_REGION:
		return meddle(k, u, e->kind);
	case EVENT_ADD:
		soak_add(k, e->slot);
		return 0;
	case EVENT_PIN:
	case EVENT_UNMOVABLE:
		return flag_block(k, u, e);
	case EVENT_FLOOD:
		sim_flood(k->s, e->number % 6, 100 + 3 * e->number);
		return 0;
	case EVENT_GARBAGE:
		garbage(k, e->number);
		return 0;
	case EVENT_WRONG_TAG:
		wrong_tag(k, u);
		return 0;
	case EVENT_REGION_UPDATED:
		sim_ok(k->s, "{'cmd':'region-updated','index':%u}", e->number % 4);
		return 0;
	case EVENT_MODULE:
		module(k);
		return 0;
	case EVENT_INVALIDATE:
		sim_ok(k->s, "{'cmd':'fail-invalidate','error':'ENXIO'}");
		return 0;
	case EVENT_AUTO_ONLINE:
		change_auto_online(k, e->number);
		return 0;
	case EVENT_RETRY:
		sim_ok(k->s, "{'cmd':'retry','wait':false}");
		return 0;
	case EVENT_RELOAD:
		change_policy(k, e->number);
		return 0;
	case EVENT_RELOAD_BAD:
		soak_daemon_reload(k, false);
		return 0;
	case EVENT_RESCAN:
		return daemon_alive(k->s) ? command(k->s, NULL, "dcdctl rescan") : -ESRCH;
	case EVENT_PAUSE:
		pause_daemon(k, 1 + e->number % 30);
		return 0;
	case EVENT_KILL_WORKERS:
		soak_daemon_kill_workers(k);
		return 0;
	case EVENT_KILL:
		soak_daemon_end(k, SIGKILL);
		return 0;
	case EVENT_TERM:
		soak_daemon_end(k, SIGTERM);
		return 0;
	case EVENT_START:
		soak_daemon_start(k);
		return 0;
	case EVENT_LET_GO:
		if (k->script.faults[0].id)
			sim_release_hang(k->s, k->script.faults[0].id);
		return 0;
	case _SOAK_KIND_MAX:
		break;
	}
	return -EINVAL;
}

void soak_do(struct soak *k, size_t event)
{
	const struct soak_event *e = &k->script.events[event];
	char text[SOAK_TEXT_MAX];

	if (e->when == AFTER_MS)
		(void)usleep(e->ms * 1000);
	else if (e->when == AT_HANG)
		(void)wait_for_hang(k);
	k->done[event] = do_event(k, unit_of(k, e->slot, e->unit), e);
	if (k->verbose)
		printf("  %2zu. %s: %d\n", event + 1, soak_event_text(e, text), k->done[event]);
}
