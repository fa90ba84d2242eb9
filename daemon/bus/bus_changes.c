/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is announced, and when. A new state goes out at once, so that each transition is one
 * PropertiesChanged; counters (records, blocks offline) are collected for a moment, so that a
 * device that floods the daemon with records does not flood the bus as well.
 */
#include "bus_internal.h"

#define FLUSH_MSEC 200

static void flush_soon(struct bus *bus)
{
	const struct timeval tv = { .tv_usec = FLUSH_MSEC * 1000 };

	if (!evtimer_pending(bus->flush, NULL))
		(void)evtimer_add(bus->flush, &tv);
}

/* Index of the first entry whose id is not below @id. */
static size_t shown_position(const struct bus *bus, uint64_t id)
{
	size_t lo = 0, hi = bus->n_shown;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bus->shown[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct bus_shown *shown_find(struct bus *bus, uint64_t id)
{
	size_t i = shown_position(bus, id);

	return i < bus->n_shown && bus->shown[i].id == id ? &bus->shown[i] : NULL;
}

static void shown_insert(struct bus *bus, uint64_t id, enum release_state state)
{
	size_t i = shown_position(bus, id);

	if (i < bus->n_shown && bus->shown[i].id == id) {
		bus->shown[i].state = state;
		return;
	}
	if (bus->n_shown == bus->size_shown) {
		size_t size = bus->size_shown ? bus->size_shown * 2 : 16;
		struct bus_shown *p = reallocarray(bus->shown, size, sizeof(*p));

		/* Without an entry every change is announced at once: correct, only more. */
		if (!p)
			return;
		bus->shown = p;
		bus->size_shown = size;
	}
	memmove(&bus->shown[i + 1], &bus->shown[i], (bus->n_shown - i) * sizeof(*bus->shown));
	bus->shown[i] = (struct bus_shown){ .id = id, .state = state };
	bus->n_shown++;
}

void bus_changes_flush(struct bus *bus)
{
	(void)event_del(bus->flush);
	for (size_t i = 0; i < bus->n_shown; i++) {
		if (!bus->shown[i].dirty)
			continue;
		bus->shown[i].dirty = false;
		if (bus->conn)
			bus_check(bus, bus_release_emit_changed(bus, bus->shown[i].id));
	}
	if (bus->status_dirty && bus->conn)
		bus_check(bus, bus_manager_emit_changed(bus));
	bus->status_dirty = false;
}

void bus_changes_done(struct bus *bus)
{
	free(bus->shown);
	bus->shown = NULL;
	bus->n_shown = bus->size_shown = 0;
}

void bus_status_changed(struct bus *bus)
{
	if (!bus)
		return;
	bus->status_dirty = true;
	flush_soon(bus);
}

void bus_release_added(struct bus *bus, const struct release *release)
{
	if (!bus)
		return;
	shown_insert(bus, release->id, release->state);
	if (bus->conn)
		bus_check(bus, bus_release_emit_added(bus, release->id));
	bus_status_changed(bus); /* ReleaseCount */
	bus_rearm(bus);
}

void bus_release_changed(struct bus *bus, const struct release *release)
{
	struct bus_shown *shown;

	if (!bus)
		return;
	shown = shown_find(bus, release->id);
	if (shown && shown->state == release->state) {
		shown->dirty = true;
		flush_soon(bus);
		return;
	}
	if (shown) {
		shown->dirty = false;
		if (release_state_is_final(shown->state) != release_state_is_final(release->state))
			bus_status_changed(bus); /* ReleaseCount */
		shown->state = release->state;
	}
	if (bus->conn)
		bus_check(bus, bus_release_emit_changed(bus, release->id));
	bus_rearm(bus);
}

void bus_release_removed(struct bus *bus, uint64_t id)
{
	struct bus_shown *shown;

	if (!bus)
		return;
	shown = shown_find(bus, id);
	if (shown) {
		size_t i = (size_t)(shown - bus->shown);

		memmove(shown, shown + 1, (bus->n_shown - i - 1) * sizeof(*shown));
		bus->n_shown--;
	}
	if (bus->conn)
		bus_check(bus, bus_release_emit_removed(bus, id));
	bus_status_changed(bus);
	bus_rearm(bus);
}

void bus_release_ready(struct bus *bus, const struct release *release)
{
	if (!bus || !bus->conn)
		return;
	bus_check(bus, bus_manager_emit_ready(bus, release));
	bus_rearm(bus);
}

void bus_release_finished(struct bus *bus, const struct release *release)
{
	if (!bus || !bus->conn)
		return;
	bus_check(bus, bus_manager_emit_finished(bus, release));
	bus_rearm(bus);
}
