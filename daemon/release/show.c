/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the manager tells the journal and the bus, and what the bus may ask of it. */
#include <stdarg.h>

#include "manager_internal.h"

/* Lines about one release that failed. */
#define DIFFERENCES_SHOWN 64

static int state_level(enum release_state state)
{
	switch (state) {
	case RELEASE_FAILED:
		return LOG_CRIT;
	case RELEASE_REFUSED:
	case RELEASE_DEFERRED:
	case RELEASE_ROLLING_BACK:
	case RELEASE_VANISHED:
		return LOG_WARNING;
	case RELEASE_READY:
	case RELEASE_RELEASED:
	case RELEASE_HELD:
	case RELEASE_DRAINING:
		return LOG_NOTICE;
	default:
		return LOG_INFO;
	}
}

static const char *state_message(enum release_state state)
{
	switch (state) {
	case RELEASE_READY:
		return DCDD_MESSAGE_READY;
	case RELEASE_REFUSED:
		return DCDD_MESSAGE_REFUSED;
	case RELEASE_RELEASED:
		return DCDD_MESSAGE_RELEASED;
	case RELEASE_FAILED:
		return DCDD_MESSAGE_FAILED;
	default:
		return DCDD_MESSAGE_STATE;
	}
}

static struct report_fields release_fields(const struct release *r)
{
	return (struct report_fields){
		.tag = tag_is_null(&r->key.tag) ? NULL : &r->key.tag,
		.memdev = r->key.memdev,
		.region = r->region[0] ? r->region : NULL,
		.state = release_state_to_string(r->state),
		.reason = r->reason,
		.rule = r->decision.rule[0] ? r->decision.rule : NULL,
		.release = r->id,
		.bytes = r->bytes,
		.elapsed = now_usec(CLOCK_MONOTONIC) - r->first_record,
	};
}

static void report_state(struct manager *m, const struct release *r)
{
	struct report_fields fields = release_fields(r);
	char key[GROUP_KEY_STRLEN];

	report_full(m->setup.report, state_level(r->state), state_message(r->state), &fields,
		    "Release of %s: %s: %s", group_key_format(&r->key, key),
		    release_state_to_string(r->state), r->reason);
}

void manager_show(struct manager *m, struct entry *e, unsigned actions)
{
	const struct release *r = e->release;
	bool new = e->shown_state == _RELEASE_STATE_MAX;
	bool state = e->shown_state != r->state;
	bool reason = !streq(e->shown_reason, r->reason);

	manager_show_decision(m, e);
	/* Reasons change with every step; by themselves they are news only where one waits long. */
	if (state || (reason && (r->state == RELEASE_READY || actions & MACHINE_ABANDON)))
		report_state(m, r);
	e->shown_state = r->state;
	(void)str_copy(e->shown_reason, sizeof(e->shown_reason), r->reason);

	if (r->state == RELEASE_FAILED)
		manager_show_differences(m, e);
	if (new)
		bus_release_added(m->bus, r);
	else
		bus_release_changed(m->bus, r);
	if (actions & MACHINE_READY)
		bus_release_ready(m->bus, r);
	if (actions & MACHINE_FINISH)
		bus_release_finished(m->bus, r);
}

/* What of a decision is news if it changes; measured values change all the time. */
static uint64_t decision_shape(const struct decision *d)
{
	uint64_t shape = d->verdict + 1;

	for (unsigned i = 0; i < d->n_conditions; i++)
		shape = shape << 4 | (d->conditions[i].outcome + 1);
	for (const char *c = d->rule; *c; c++)
		shape = shape * 31 + (unsigned char)*c;
	return shape;
}

/* Of decision_explain(): the verdict, the rule, then a line for each condition. */
static int line_level(const struct decision *d, unsigned line)
{
	const struct condition *c;

	if (line < 2 || line - 2 >= d->n_conditions)
		return LOG_INFO;
	/* That nothing is asked for is told to those who ask. */
	c = &d->conditions[line - 2];
	return !condition_is_news(c) && streq(c->limit, CONDITION_NO_LIMIT) ? LOG_DEBUG : LOG_INFO;
}

void manager_show_decision(struct manager *m, struct entry *e)
{
	const struct release *r = e->release;
	struct report_fields fields = release_fields(r);
	_cleanup_free_ char *text = NULL;
	uint64_t shape, suppressed;
	char key[GROUP_KEY_STRLEN];
	char *line, *rest;

	if (!r->decision.reason[0])
		return; /* none was made; what a journal recalls is only the rule */
	shape = decision_shape(&r->decision);
	/* One that is held back for being one of too many is told with the next that is not. */
	if (shape == e->shown_decision ||
	    !ratelimit_pass(&m->decisions, now_usec(CLOCK_MONOTONIC), &suppressed) ||
	    decision_explain(&r->decision, &text) < 0)
		return;
	e->shown_decision = shape;
	fields.reason = NULL;
	if (suppressed > 0)
		report_full(m->setup.report, LOG_INFO, DCDD_MESSAGE_DECISION, &fields,
			    "%llu decisions were not told, to keep the journal readable",
			    (unsigned long long)suppressed);
	rest = text;
	for (unsigned i = 0; (line = strsep(&rest, "\n")) && *line; i++)
		report_full(m->setup.report, line_level(&r->decision, i), DCDD_MESSAGE_DECISION,
			    &fields, "Release of %s: %s", group_key_format(&r->key, key), line);
}

void manager_show_would(struct manager *m, const struct release *r)
{
	struct report_fields fields = release_fields(r);
	char key[GROUP_KEY_STRLEN], step[STEP_TEXT_MAX];

	for (size_t i = 0; i < MIN(r->plan.forward.n, (size_t)DIFFERENCES_SHOWN); i++)
		report_full(m->setup.report, LOG_INFO, DCDD_MESSAGE_STEP, &fields,
			    "Dry run: release of %s: would do: %s", group_key_format(&r->key, key),
			    plan_step_text(&r->plan, &r->plan.forward.items[i], step));
	if (r->plan.forward.n > DIFFERENCES_SHOWN)
		report_full(m->setup.report, LOG_INFO, DCDD_MESSAGE_STEP, &fields,
			    "Dry run: and %zu steps more", r->plan.forward.n - DIFFERENCES_SHOWN);
}

static void report_difference(struct manager *m, const struct release *r,
			      const struct plan_difference *difference)
{
	struct report_fields fields = release_fields(r);
	struct difference_text text;

	fields.reason = NULL; /* of the whole; each line has its own */
	if (difference->device < r->plan.n_devices)
		fields.dax = r->plan.devices[difference->device].name;
	plan_difference_text(&r->plan, difference, &text);
	report_full(m->setup.report, LOG_ERR, DCDD_MESSAGE_FAILED, &fields,
		    "%s: %s; it was: %s%s%s", text.object, text.have, text.want,
		    text.command[0] ? "; to mend it: " : "", text.command);
}

void manager_show_differences(struct manager *m, struct entry *e)
{
	const struct release *r = e->release;
	struct report_fields fields = release_fields(r);

	if (e->shown_differences || r->plan.n_differences == 0)
		return;
	e->shown_differences = true;
	for (size_t i = 0; i < MIN(r->plan.n_differences, (size_t)DIFFERENCES_SHOWN); i++)
		report_difference(m, r, &r->plan.differences[i]);
	fields.reason = NULL;
	if (r->plan.n_differences > DIFFERENCES_SHOWN)
		report_full(m->setup.report, LOG_ERR, DCDD_MESSAGE_FAILED, &fields, "and %zu more",
			    r->plan.n_differences - DIFFERENCES_SHOWN);
}

/* What a release that is half done is at. Returns @buf. */
static char *show_place(struct release *r, char *buf, size_t size)
{
	char step[STEP_TEXT_MAX];

	if (r->wait == WAIT_STEP)
		(void)snprintf(buf, size, "at %s", plan_step_text(&r->plan, machine_step(r), step));
	else if (r->orphan > 0)
		(void)snprintf(buf, size, "waiting for process %d of the dcdd before this one",
			       r->orphan);
	else if (r->wait == WAIT_TURN)
		(void)str_copy(buf, size, "waiting for its turn");
	else
		(void)str_copy(buf, size, "waiting for the inventory");
	return buf;
}

void manager_show_left(struct manager *m)
{
	struct entry *e;

	TAILQ_FOREACH(e, &m->queue.live, link) {
		struct release *r = e->release;
		struct report_fields fields = release_fields(r);
		char key[GROUP_KEY_STRLEN], place[STEP_TEXT_MAX + 8];

		if (!release_state_is_active(r->state))
			continue;
		report_full(m->setup.report, LOG_ERR, DCDD_MESSAGE_FAILED, &fields,
			    "Left half done: release of %s, %s, %s; %u of %u memory blocks are "
			    "offline by our hand",
			    group_key_format(&r->key, key), release_state_to_string(r->state),
			    show_place(r, place, sizeof(place)), r->plan.blocks_offline,
			    r->plan.blocks_total);
	}
}

void manager_show_step(struct manager *m, const struct release *r, const struct step *step,
		       const struct worker_reply *reply)
{
	struct report_fields fields = release_fields(r);
	char text[STEP_TEXT_MAX], object[DEV_NAME_MAX];

	if (step->kind != STEP_SAVE)
		fields.dax = r->plan.devices[step->device].name;
	fields.elapsed = reply->elapsed;
	(void)plan_step_text(&r->plan, step, text);
	(void)plan_step_object(&r->plan, step, object);
	if (reply->error == 0)
		report_full(m->setup.report, LOG_INFO, DCDD_MESSAGE_STEP, &fields, "%s (%.1f ms)",
			    text, (double)reply->elapsed / 1e3);
	else if (reply->error == -EALREADY)
		report_full(m->setup.report, LOG_INFO, DCDD_MESSAGE_STEP, &fields,
			    "%s: it is so already", text);
	else
		report_full(m->setup.report, LOG_WARNING, DCDD_MESSAGE_STEP, &fields,
			    "%s failed after %.1f ms: %s", text, (double)reply->elapsed / 1e3,
			    reply->message[0] ? reply->message : strerror(-reply->error));
}

void manager_show_inventory(struct manager *m, const struct inventory *inv)
{
	uint64_t bytes = 0;

	if (inv->n_regions == 0) {
		report_warning(
			m->setup.report,
			inv->n_memdevs == 0
				? "No CXL memory device found; waiting for one. Are cxl_acpi, "
				  "cxl_pci and cxl_mem loaded, and what does \"cxl list -M\" "
				  "say?"
				: "No dynamic capacity region found; waiting for one. It is "
				  "created with mode dynamic_ram over a partition of a memory "
				  "device, and needs dax_cxl loaded");
		return;
	}
	for (uint32_t i = 0; i < inv->n_extents; i++)
		bytes += inv->extents[i].hpa.length;
	report_info(m->setup.report,
		    "Memory devices: %u, dynamic capacity regions: %u, extents: %u (%llu MiB)",
		    inv->n_memdevs, inv->n_regions, inv->n_extents,
		    (unsigned long long)(bytes / MiB));
}

static const struct region *find_region(const struct inventory *inv, const char *name)
{
	for (uint32_t i = 0; inv && i < inv->n_regions; i++)
		if (streq(inv->regions[i].name, name))
			return &inv->regions[i];
	return NULL;
}

void manager_show_unread(struct manager *m, const struct inventory *inv,
			 const struct inventory *old)
{
	for (uint32_t i = 0; i < inv->n_regions; i++) {
		const struct region *region = &inv->regions[i];
		const struct region *was = find_region(old, region->name);
		const struct report_fields fields = { .region = region->name };
		int32_t old_error = was ? was->error : 0;

		if (region->error == old_error)
			continue;
		if (region->error < 0)
			report_full(m->setup.report, LOG_WARNING, DCDD_MESSAGE_EVENT, &fields,
				    "Cannot read all of %s, its groups have to wait: %s: %s",
				    region->name, region->error_path, strerror(-region->error));
		else
			report_full(m->setup.report, LOG_NOTICE, DCDD_MESSAGE_EVENT, &fields,
				    "%s can be read again", region->name);
	}
}

void manager_warn(struct manager *m, const struct dc_event *event, const char *id,
		  const char *format, ...)
{
	struct report_fields fields = { 0 };
	uint64_t suppressed;
	char text[512];
	va_list ap;

	if (!ratelimit_pass(&m->warnings, now_usec(CLOCK_MONOTONIC), &suppressed))
		return;
	if (event) {
		fields.memdev = event->memdev;
		fields.tag = tag_is_null(&event->tag) ? NULL : &event->tag;
	}
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (suppressed > 0)
		report_full(m->setup.report, LOG_WARNING, id, &fields,
			    "%s (and %llu more messages were suppressed)", text,
			    (unsigned long long)suppressed);
	else
		report_full(m->setup.report, LOG_WARNING, id, &fields, "%s", text);
}

static const struct inventory *op_inventory(void *userdata)
{
	struct manager *m = userdata;

	return m->inventory;
}

static const struct release *op_next_release(void **cursor, void *userdata)
{
	struct manager *m = userdata;
	struct entry *e = *cursor;

	if (!e)
		e = TAILQ_FIRST(&m->queue.live);
	else
		e = TAILQ_NEXT(e, link);
	/* From the last live one on to the ended ones. */
	if (!e && (!*cursor || *cursor == TAILQ_LAST(&m->queue.live, entry_list)))
		e = TAILQ_FIRST(&m->queue.ended);
	*cursor = e;
	return e ? e->release : NULL;
}

static const struct release *op_find_release(uint64_t id, void *userdata)
{
	struct manager *m = userdata;
	struct entry *e = queue_find_id(&m->queue, id);

	return e ? e->release : NULL;
}

static void op_status(struct bus_status *ret, void *userdata)
{
	struct manager *m = userdata;

	*ret = (struct bus_status){ .event_available = m->available,
				    .records = m->records,
				    .records_lost = m->records_lost,
				    .records_bad = m->records_bad,
				    .last_scan = m->scanned };
}

static int op_rescan(void *userdata)
{
	struct manager *m = userdata;

	(void)scanner_request(m->scanner, false);
	return 0;
}

const struct bus_ops manager_bus_ops = {
	.inventory = op_inventory,
	.next_release = op_next_release,
	.find_release = op_find_release,
	.status = op_status,
	.explain = hands_explain,
	.rescan = op_rescan,
	.answer = hands_answer,
	.reload = hands_reload,
	.snapshot = hands_snapshot,
	.inhibit = hands_inhibit,
	.inhibitors = hands_inhibitors,
	.add_rule = hands_add_rule,
	.remove_rule = hands_remove_rule,
	.policy = hands_policy,
};
