/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A script in words: what is printed when a round fails, and what two runs of one seed have in
 * common. Nothing in it depends on the run.
 */
#include "soak.h"

static const char *const uses[_SOAK_USE_MAX] = {
	[SOAK_MOVABLE] = "movable memory", [SOAK_KERNEL] = "kernel memory",
	[SOAK_MIXED] = "partly offline",   [SOAK_OFFLINE] = "offline memory",
	[SOAK_DEVDAX] = "devdax",	   [SOAK_FSDEV] = "fsdev",
	[SOAK_UNBOUND] = "unbound",	   [SOAK_UNCLAIMED] = "unclaimed",
};

static const char *const places[_SOAK_PLACE_MAX] = {
	[AT_BLOCK] = "a block's state",
	[AT_ANY_BLOCK] = "any block's state",
	[AT_ZONES] = "valid_zones",
	[AT_SIZE] = "size",
	[AT_UUID] = "uuid",
	[AT_MAPPING] = "mapping0/start",
	[AT_DEVICE_STATE] = "dax state",
	[AT_UNBIND] = "unbind",
	[AT_BIND] = "bind",
	[AT_NEW_ID] = "new_id",
	[AT_DELETE] = "delete",
	[AT_CREATE] = "create",
	[AT_EXTENT] = "extent offset",
	[AT_AVAILABLE] = "available_size",
};

static const char *const kinds[_SOAK_KIND_MAX] = {
	[EVENT_ASK] = "the device asks for",
	[EVENT_ONLINE] = "another hand onlines a block of",
	[EVENT_OFFLINE] = "another hand offlines a block of",
	[EVENT_DESTROY] = "another hand destroys, offline first,",
	[EVENT_DESTROY_FORCED] = "another hand destroys with its memory online",
	[EVENT_OTHER_DRIVER] = "another hand binds another driver to",
	[EVENT_REGION] = "another hand disables the region of",
	[EVENT_ADD] = "capacity arrives:",
	[EVENT_PIN] = "a page is pinned in",
	[EVENT_UNMOVABLE] = "a page cannot be moved in",
	[EVENT_FLOOD] = "a flood of records",
	[EVENT_GARBAGE] = "a record of nonsense",
	[EVENT_FORCED_RELEASE] = "a forced release record for",
	[EVENT_WRONG_TAG] = "a release record with a foreign tag for",
	[EVENT_REGION_UPDATED] = "a region-updated record",
	[EVENT_MODULE] = "the trace event goes and comes",
	[EVENT_INVALIDATE] = "caches cannot be invalidated",
	[EVENT_AUTO_ONLINE] = "another hand changes auto_online_blocks",
	[EVENT_RETRY] = "the device repeats what was refused",
	[EVENT_RELOAD] = "SIGHUP",
	[EVENT_RELOAD_BAD] = "SIGHUP with a bad configuration",
	[EVENT_RESCAN] = "dcdctl rescan",
	[EVENT_PAUSE] = "SIGSTOP and SIGCONT",
	[EVENT_KILL_WORKERS] = "SIGKILL to the workers",
	[EVENT_KILL] = "SIGKILL to the daemon",
	[EVENT_TERM] = "SIGTERM to the daemon",
	[EVENT_START] = "the daemon is started",
	[EVENT_LET_GO] = "what hangs goes on",
};

const char *soak_use_to_string(enum soak_use use)
{
	return use < _SOAK_USE_MAX ? uses[use] : "?";
}

char *soak_unit_text(const struct soak_unit *unit, char buf[static SOAK_TEXT_MAX])
{
	size_t n = (size_t)snprintf(buf, SOAK_TEXT_MAX, "%u.%u %s %s", unit->slot, unit->index,
				    unit->tag[0] ? unit->tag : "untagged",
				    soak_use_to_string(unit->use));

	for (size_t i = 0; i < unit->n_extents && n < SOAK_TEXT_MAX; i++)
		n += (size_t)snprintf(buf + n, SOAK_TEXT_MAX - n, " %lluM+%lluM",
				      (unsigned long long)(unit->extents[i].dpa / MiB),
				      (unsigned long long)(unit->extents[i].length / MiB));
	if (n < SOAK_TEXT_MAX)
		(void)snprintf(buf + n, SOAK_TEXT_MAX - n, "%s%s",
			       unit->seed ? ", by the seed" : "", unit->held ? ", held" : "");
	return buf;
}

char *soak_fault_text(const struct soak_fault *f, char buf[static SOAK_TEXT_MAX])
{
	char error[32] = "";

	if (streq(f->action, "errno"))
		(void)snprintf(error, sizeof(error), " %s", f->error);
	else if (streq(f->action, "vanish") || streq(f->action, "after"))
		(void)snprintf(error, sizeof(error), " %s", f->device_only ? "device" : "group");
	(void)snprintf(buf, SOAK_TEXT_MAX,
		       "%s of %s%s%s of %u.%u (block %u): %s%s, nth %u, count %u, "
		       "%u ms",
		       f->op, places[f->place], f->value ? " " : "", f->value ? f->value : "",
		       f->slot, f->unit, f->block, f->action, error, f->nth, f->count, f->ms);
	return buf;
}

char *soak_event_text(const struct soak_event *e, char buf[static SOAK_TEXT_MAX])
{
	char when[32] = "";

	if (e->when == AFTER_MS)
		(void)snprintf(when, sizeof(when), "after %u ms: ", e->ms);
	(void)snprintf(buf, SOAK_TEXT_MAX, "%s%s %u.%u (block %u, number %u, interval %u ms)",
		       e->when == AT_HANG ? "while it hangs: " : when, kinds[e->kind], e->slot,
		       e->unit, e->block, e->number, e->interval_ms);
	return buf;
}

static void print_slots(FILE *f, const struct soak_script *script,
			const struct soak_slot slots[SOAK_SLOTS])
{
	char text[SOAK_TEXT_MAX];

	for (unsigned i = 0; i < SOAK_SLOTS; i++)
		for (size_t k = 0; k < slots[i].n_units; k++)
			(void)fprintf(f, "  %s %s\n", script->added & 1U << i ? "new " : "has ",
				      soak_unit_text(&slots[i].units[k], text));
}

void soak_print_script(FILE *f, const struct soak_script *script,
		       const struct soak_slot slots[SOAK_SLOTS])
{
	const struct soak_config *c = &script->config;
	const struct soak_era *e = &script->era;
	char text[SOAK_TEXT_MAX];

	(void)fprintf(f, "round %u%s%s%s\n", script->round, script->new_era ? ", fresh host" : "",
		      script->quiet ? ", quiet" : "",
		      script->fresh_after ? ", fresh host after it" : "");
	(void)fprintf(f,
		      "  host: %s%s%s, auto_online %s, offline %u ms, online %u ms, rule %u ms\n",
		      e->v10 ? "v10" : "v11", e->state_attr ? ", state" : "",
		      e->kernel_unmovable ? ", kernel zone unmovable" : "", e->auto_online,
		      e->offline_ms, e->online_ms, e->rule_delay_ms);
	(void)fprintf(
		f,
		"  config%s: frees 0x%x, %s, retries %u, concurrency %u, block-timeout %u ms, "
		"settle %u ms, hold %u ms, %s\n",
		script->new_config ? ", new" : "", c->free_uses, c->method, c->retries,
		c->concurrency, c->block_timeout_ms, c->settle_ms, c->refuse_hold_ms,
		c->resume ? "resume" : "roll back");
	if (script->retry_ms)
		(void)fprintf(f, "  the device repeats itself every %u ms\n", script->retry_ms);
	print_slots(f, script, slots);
	for (size_t i = 0; i < script->n_faults; i++)
		(void)fprintf(f, "  fault %zu: %s\n", i, soak_fault_text(&script->faults[i], text));
	for (size_t i = 0; i < script->n_events; i++)
		(void)fprintf(f, "  %2zu. %s\n", i + 1, soak_event_text(&script->events[i], text));
}

/* FNV-1a. */
static uint64_t add_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t soak_script_hash(const struct soak_script *script, uint64_t hash)
{
	char text[SOAK_TEXT_MAX];

	for (size_t i = 0; i < script->n_faults; i++)
		hash = add_text(hash, soak_fault_text(&script->faults[i], text));
	for (size_t i = 0; i < script->n_events; i++)
		hash = add_text(hash, soak_event_text(&script->events[i], text));
	return (hash ^ script->config.free_uses ^ script->added << 8) * UINT64_C(0x100000001b3);
}
