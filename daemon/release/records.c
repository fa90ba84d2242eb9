/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From trace records to release requests: which group a record means, whether it is a new request
 * or one more of an old one. The inventory may be older than the record, so a group that is not
 * known is looked for once more in a fresh one before anything is said.
 */
#include <dcdd/names.h>

#include "manager_internal.h"

/* After the first granted record of a group the kernel refuses the rest of the device's list. */
#define TRAILING_USEC USEC_PER_MIN

/*
 * Once for each group, so that a device that repeats itself does not push others out. @scanned: it
 * was looked for in that scan already, and its region could not be read; such scans are repeated
 * without being asked for.
 */
static void hold_back(struct manager *m, const struct unresolved *asked,
		      const struct group_key *key, uint64_t scanned)
{
	struct unresolved *u;

	for (u = m->unresolved; u < m->unresolved + m->n_unresolved; u++) {
		struct group_key other;

		group_key_from_event(&u->event, &other);
		if (group_key_equal(&other, key) && range_equal(&u->event.dpa, &asked->event.dpa)) {
			u->records += asked->records;
			u->last = MAX(u->last, asked->last);
			return;
		}
	}
	if (m->n_unresolved >= UNRESOLVED_MAX) {
		manager_warn(m, &asked->event, DCDD_MESSAGE_BAD_RECORD,
			     "Release record dropped: too many of them name groups that are not "
			     "known");
		return;
	}
	*u = *asked;
	u->scan = scanned > 0 ? scanned + 1 : scanner_request(m->scanner, false);
	m->n_unresolved++;
}

static void report_unknown(struct manager *m, const struct dc_event *event,
			   const struct group_key *key, int error)
{
	char text[GROUP_KEY_STRLEN];

	(void)group_key_format(key, text);
	m->records_bad++;
	if (error == -ENODEV)
		manager_warn(m, event, DCDD_MESSAGE_BAD_RECORD,
			     "Ignoring a release record: there is no memory device %s here",
			     event->memdev);
	else if (error == -ENXIO)
		manager_warn(m, event, DCDD_MESSAGE_BAD_RECORD,
			     "Ignoring a release record for %s: no dynamic capacity region maps "
			     "DPA 0x%llx+0x%llx",
			     text, (unsigned long long)event->dpa.start,
			     (unsigned long long)event->dpa.length);
	else
		manager_warn(m, event, DCDD_MESSAGE_BAD_RECORD,
			     "Ignoring a release record for %s: no live extent matches its tag and "
			     "DPA 0x%llx+0x%llx: it is gone already, or the kernel refuses it",
			     text, (unsigned long long)event->dpa.start,
			     (unsigned long long)event->dpa.length);
}

/* The kernel looks a record up by range and tag; the range alone being elsewhere is no match. */
static bool group_has_dpa(const struct inventory *inv, const struct tag_group *group,
			  const struct range *dpa)
{
	for (uint32_t i = 0; i < group->n_extents; i++)
		if (range_overlaps(&inv->extents[group->first_extent + i].dpa, dpa))
			return true;
	return false;
}

/* A request for the same group that has ended says something about this record. */
static bool belongs_to_ended(struct manager *m, struct entry *e, const struct unresolved *asked,
			     bool known)
{
	const struct dc_event *event = &asked->event;
	struct release *r = e->release;
	usec_t now = now_usec(CLOCK_MONOTONIC);

	if (r->state == RELEASE_FAILED) {
		manager_warn(m, event, DCDD_MESSAGE_FAILED,
			     "Not freeing a group whose last release failed half-way: %s",
			     r->reason);
	} else if (r->state == RELEASE_RELEASED || r->state == RELEASE_VANISHED) {
		if (known || now >= usec_add(r->last_record, TRAILING_USEC))
			return false;
	} else if (now >= r->hold_until) {
		return false;
	}
	r->records += asked->records;
	r->last_record = MAX(r->last_record, asked->last);
	manager_show(m, e, 0);
	return true;
}

/* @scanned: the number of the scan that was waited for, 0 if none was yet. */
static void resolve(struct manager *m, const struct unresolved *asked, uint64_t scanned)
{
	const struct dc_event *event = &asked->event;
	struct tag_group group;
	struct group_key key;
	struct entry *e;
	int r = -ENOENT;

	group_key_from_event(event, &key);
	e = queue_find_live(&m->queue, &key);
	if (e) {
		manager_again(m, e, asked);
		return;
	}
	if (m->inventory) {
		r = inventory_find_group(m->inventory, &key, &event->dpa, &group);
		if (r == 0 && !group_has_dpa(m->inventory, &group, &event->dpa))
			r = -ENOENT;
	}
	if (r == -EIO || (r < 0 && scanned == 0)) {
		hold_back(m, asked, &key, scanned);
		return;
	}
	e = queue_find_ended(&m->queue, &key);
	if (e && e->release->state == RELEASE_FAILED && scanned == 0) {
		/* It may be whole by now: claims and memory change without any event. */
		hold_back(m, asked, &key, scanned);
		return;
	}
	if (e && belongs_to_ended(m, e, asked, r == 0))
		return;
	if (r < 0) {
		report_unknown(m, event, &key, r);
		return;
	}
	if (m->stopping)
		return;
	tag_group_key(m->inventory, &group, &key);
	manager_begin(m, &key, asked);
}

void records_scanned(struct manager *m, uint64_t number)
{
	struct unresolved old[UNRESOLVED_MAX];
	size_t n = m->n_unresolved;

	memcpy(old, m->unresolved, n * sizeof(*old));
	m->n_unresolved = 0;
	for (size_t i = 0; i < n; i++) {
		if (old[i].scan <= number)
			resolve(m, &old[i], number);
		else
			m->unresolved[m->n_unresolved++] = old[i];
	}
}

void manager_record(struct manager *m, const struct dc_event *event)
{
	const struct unresolved asked = { .event = *event, .records = 1, .last = event->traced };

	m->records++;
	switch (event->type) {
	case DC_EVENT_ADD:
		bursts_add(&m->bursts, event);
		sharing_record(m->facts.sharing, event);
		/* The extents appear some milliseconds after the record, and without a uevent. */
		scanner_request_soon(m->scanner, m->policy.settle_time);
		break;
	case DC_EVENT_RELEASE:
		resolve(m, &asked, 0);
		break;
	case DC_EVENT_FORCED_RELEASE:
		manager_warn(m, event, DCDD_MESSAGE_EVENT,
			     "%s takes capacity back by force: the kernel ignores this, the memory "
			     "may be gone all the same",
			     event->memdev);
		scanner_request_soon(m->scanner, m->policy.settle_time);
		break;
	case DC_EVENT_REGION_UPDATED:
		scanner_request_soon(m->scanner, m->policy.settle_time);
		break;
	default:
		m->records_bad++;
		manager_warn(m, event, DCDD_MESSAGE_BAD_RECORD,
			     "Ignoring a record of %s with unknown event type %u", event->memdev,
			     event->type);
		break;
	}
	bus_status_changed(m->bus);
}

void manager_lost(struct manager *m, uint64_t lost)
{
	uint64_t suppressed;

	m->records_lost += MAX(lost, (uint64_t)1);
	if (ratelimit_pass(&m->losses, now_usec(CLOCK_MONOTONIC), &suppressed))
		report_full(m->setup.report, LOG_WARNING, DCDD_MESSAGE_LOST, NULL,
			    "The trace buffer lost records, %llu so far; looking at the whole host "
			    "again. A release request among them has to be repeated by its device",
			    (unsigned long long)m->records_lost);
	/* What the lost records led to may still be on its way. */
	(void)scanner_request(m->scanner, false);
	scanner_request_soon(m->scanner, m->policy.settle_time);
	bus_status_changed(m->bus);
}

void manager_bad_record(struct manager *m, const char *message)
{
	m->records_bad++;
	manager_warn(m, NULL, DCDD_MESSAGE_BAD_RECORD, "Ignoring a trace record: %s", message);
	bus_status_changed(m->bus);
}

void manager_available(struct manager *m, bool available)
{
	m->available = available;
	if (available)
		report_notice(m->setup.report, "Subscribed to trace event %s:%s", DCDD_TRACE_SYSTEM,
			      DCDD_TRACE_EVENT);
	else
		report_warning(m->setup.report,
			       "Trace event %s:%s does not exist (no CXL driver with dynamic "
			       "capacity loaded?); waiting for it",
			       DCDD_TRACE_SYSTEM, DCDD_TRACE_EVENT);
	(void)scanner_request(m->scanner, false);
	bus_status_changed(m->bus);
}
