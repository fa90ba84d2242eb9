/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * org.dcdd1 on the system bus: the Manager at /org/dcdd1 and one object per release. Vtables and
 * thin method bodies only; everything they show or ask for comes through struct bus_ops.
 */
#pragma once

#include <event2/event.h>

#include <dcdd/release.h>

struct bus;

/* Point-in-time figures for the Manager's properties. */
struct bus_status {
	bool event_available; /* the kernel's trace event exists and is subscribed to */
	uint64_t records, records_lost, records_bad;
	usec_t last_scan; /* CLOCK_MONOTONIC, 0: none yet */
};

struct bus_ops {
	const struct inventory *(*inventory)(void *userdata); /* NULL before the first scan */
	/* Releases, live ones first, then the ended that are remembered; *@cursor starts at NULL.
	 */
	const struct release *(*next_release)(void **cursor, void *userdata);
	const struct release *(*find_release)(uint64_t id, void *userdata);
	void (*status)(struct bus_status *ret, void *userdata);
	/*
	 * Decides as if the device had asked now (of a live request: as it would be decided now);
	 * touches nothing. -ENOENT: no such group.
	 */
	int (*explain)(const struct group_key *key, struct decision *ret, void *userdata);
	int (*rescan)(void *userdata);
	/*
	 * A person's answer to a release whose rule asks. @why: in their own words, may be "".
	 * -ENOENT: no such live release; -EALREADY: it was answered so; -EBADE: it does not wait
	 * for an answer.
	 */
	int (*answer)(uint64_t id, bool approve, const char *why, const char *who, void *userdata);
	/* -EINVAL: the files are wrong, *@ret_error says where (caller frees); the old stays in
	 * force. */
	int (*reload)(char **ret_error, void *userdata);
	/* See snapshot_format(). -EAGAIN before the first scan. */
	int (*snapshot)(char **ret, void *userdata);
	/* As inhibitors_add(); id and since are filled in by the callee. */
	int (*inhibit)(const struct inhibitor *inhibitor, int *ret_fd, void *userdata);
	const struct inhibitor *(*inhibitors)(size_t *ret_n, void *userdata);
	/*
	 * As policy_add_temporary(). @ret_fd not NULL: the rule lasts as long as the descriptor
	 * (caller's) is open, and no longer than @until.
	 */
	int (*add_rule)(const char *name, const char *text, usec_t until, const char *who,
			int *ret_fd, char **ret_error, void *userdata);
	int (*remove_rule)(const char *name, const char *who, void *userdata); /* 0 or -ENOENT */
	const struct policy *(*policy)(void *userdata);			       /* in force */
};

/*
 * Connects to the system bus ($DBUS_SYSTEM_BUS_ADDRESS is honoured), exports the objects and
 * takes the name. -EEXIST: somebody else owns it. Otherwise negative errno.
 */
int bus_new(struct event_base *base, const struct bus_ops *ops, void *userdata, struct bus **ret);

/* A release came to be, changed, or is forgotten: PropertiesChanged, signals. @bus may be NULL. */
void bus_release_added(struct bus *bus, const struct release *release);
void bus_release_changed(struct bus *bus, const struct release *release);
void bus_release_removed(struct bus *bus, uint64_t id);
/* Ready or ended: the signals ReleaseReady and ReleaseFinished. */
void bus_release_ready(struct bus *bus, const struct release *release);
void bus_release_finished(struct bus *bus, const struct release *release);
/* Figures of bus_status or the groups changed. */
void bus_status_changed(struct bus *bus);

void bus_free(struct bus *bus);
DEFINE_CLEANUP(struct bus *, bus_free);
