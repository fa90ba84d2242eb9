/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this folder share: the connection, and the interfaces it exports. */
#pragma once

#include <systemd/sd-bus.h>

#include <dcdd/names.h>

#include "bus.h"

#define BUS_RELEASE_PREFIX DCDD_OBJECT_PATH "/release"
#define BUS_RELEASE_PATH_MAX (sizeof(BUS_RELEASE_PREFIX) + 1 + 20)

#define BUS_ERROR_NOT_ALLOWED "org.dcdd1.Error.NotAllowed"
#define BUS_ERROR_NO_SUCH_TAG "org.dcdd1.Error.NoSuchTag"
#define BUS_ERROR_INVALID "org.dcdd1.Error.Invalid"
#define BUS_ERROR_NOT_READY "org.dcdd1.Error.NotReady"
#define BUS_ERROR_NO_SUCH_RULE "org.dcdd1.Error.NoSuchRule"
#define BUS_ERROR_BAD_STATE "org.dcdd1.Error.BadState"
#define BUS_ERROR_BUSY "org.dcdd1.Error.Busy"
#define BUS_ERROR_EXISTS "org.dcdd1.Error.Exists"
#define BUS_ERROR_LIMIT_EXCEEDED "org.dcdd1.Error.LimitExceeded"

/* What was last announced of a release: tells a change of state from a change of a counter. */
struct bus_shown {
	uint64_t id;
	enum release_state state;
	bool dirty; /* changed since, to be announced by the next flush */
};

struct bus {
	struct event_base *base;
	const struct bus_ops *ops;
	void *userdata;

	sd_bus *conn;	       /* NULL while there is no connection */
	sd_bus_slot *manager;  /* what is exported; dropped before the connection is drained, */
	sd_bus_slot *releases; /* so that no call reaches an owner that is going away */
	sd_bus_slot *enumerator;
	struct event *io;
	int io_fd;	     /* what io waits on, -EBADF: it does not wait */
	short io_what;	     /* EV_READ, EV_WRITE */
	struct event *timer; /* sd-bus' own deadline; without a connection: the next try */
	struct event *flush; /* announces what changed since the last time */

	bool dispatching; /* below sd_bus_process(): its end re-arms */
	bool lost;	  /* the connection is to be dropped as soon as that is safe */

	struct bus_shown *shown; /* sorted by id */
	size_t n_shown, size_shown;
	bool status_dirty;
};

/* ---- bus.c ---- */

/* Where the connection is used, at the end: waits for what sd-bus waits for now. */
void bus_rearm(struct bus *bus);

/* Drops the connection if @error says it is gone, at the next safe moment. Any @error is fine. */
void bus_check(struct bus *bus, int error);

/* Appends a string that came from outside: only valid UTF-8 may go on the bus. */
int bus_append_text(sd_bus_message *m, const char *s);
/* The same as a {sv}. */
int bus_append_text_entry(sd_bus_message *m, const char *key, const char *value);
/* The same of a text of several lines, of any length: its newlines are kept. */
int bus_append_lines_entry(sd_bus_message *m, const char *key, const char *value);

/* ---- bus_changes.c ---- */

void bus_changes_flush(struct bus *bus);
void bus_changes_done(struct bus *bus);

/* ---- bus_caller.c ---- */

struct bus_caller {
	uint32_t uid;
	int32_t pid;		 /* 0: not known */
	char who[RULE_NAME_MAX]; /* "uid 0, pid 4711" */
};

/* The sender of a method call that only root may make. Else an error for it. */
int bus_require_root(sd_bus_message *m, struct bus_caller *ret, sd_bus_error *ret_error);

/*
 * Checks an argument: at least @min and fewer than @size bytes, and nothing in it that is not for
 * a line of text. 0, or an error that names it by @what.
 */
int bus_check_text(const char *s, size_t min, size_t size, const char *what,
		   sd_bus_error *ret_error);
/* The same, with newlines and tabs. */
int bus_check_lines(const char *s, size_t size, const char *what, sd_bus_error *ret_error);

/* What an errno of an operation means to its caller. */
struct bus_failure {
	int error; /* negative errno; 0 ends a table */
	const char *name, *message;
};

/* The error for @error, by the first entry of @table that has it; @detail (may be NULL) is said
 * instead of its message. */
int bus_fail(int error, const struct bus_failure *table, const char *detail,
	     sd_bus_error *ret_error);

/* ---- bus_tags.c ---- */

/* Reads the tag that is the next argument. 0, or an error. */
int bus_read_tag(sd_bus_message *m, struct tag *ret, sd_bus_error *ret_error);
/* An error: "No @what with tag …". */
int bus_no_such_tag(const struct tag *tag, const char *what, sd_bus_error *ret_error);
/* The group with that tag, on whatever memdev: a tag is live at most once on a host. */
bool bus_find_group(const struct inventory *inv, const struct tag *tag, struct group_key *ret);

/* A release is named by its tag or, since what is untagged has none, by its number. */
struct bus_which {
	bool by_id;
	uint64_t id;
	struct tag tag;
};

int bus_read_which(sd_bus_message *m, struct bus_which *ret, sd_bus_error *ret_error);
/* Sets and returns the error. */
int bus_no_such_release(const struct bus_which *which, sd_bus_error *ret_error);
/* The release of that name that has not ended; NULL: there is none. */
const struct release *bus_find_live(struct bus *bus, const struct bus_which *which);

/* ---- methods of the Manager, by topic ---- */

typedef int bus_method(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);

/* bus_lists.c */
bus_method bus_method_list_releases, bus_method_list_groups, bus_method_get_release_by_tag;
/* bus_explain.c */
bus_method bus_method_explain;
/* bus_admin.c */
bus_method bus_method_approve, bus_method_deny, bus_method_reload, bus_method_rescan,
	bus_method_snapshot;
/* bus_inhibit.c */
bus_method bus_method_inhibit, bus_method_list_inhibitors;
/* bus_rules.c */
bus_method bus_method_add_rule, bus_method_hold_rule, bus_method_remove_rule, bus_method_list_rules;

/* What a message may grow to: the bus cuts off who sends more than 32 MiB. */
#define BUS_SNAPSHOT_MAX (30 * MiB)
#define BUS_RULES_LIST_MAX 4096
/* Text of a temporary rule. */
#define BUS_RULE_TEXT_MAX 8192

/* ---- bus_manager.c, bus_groups.c, bus_release.c ---- */

/* Both export on bus->conn and fill in the slots. 0 or negative errno. */
int bus_manager_export(struct bus *bus);
int bus_manager_emit_changed(struct bus *bus);
int bus_manager_emit_ready(struct bus *bus, const struct release *release);
int bus_manager_emit_finished(struct bus *bus, const struct release *release);

/* Appends one a{sv}. */
int bus_group_append(sd_bus_message *m, const struct inventory *inv, const struct tag_group *group);

int bus_release_export(struct bus *bus);
/* "/org/dcdd1/release/N". Returns @buf. */
char *bus_release_path(uint64_t id, char buf[static BUS_RELEASE_PATH_MAX]);
int bus_release_emit_added(struct bus *bus, uint64_t id);
int bus_release_emit_removed(struct bus *bus, uint64_t id);
int bus_release_emit_changed(struct bus *bus, uint64_t id);
/* How many entries of the long properties a list may still have. */
struct bus_room {
	size_t leftovers, conditions;
};

/* Appends the properties as an a{sv}, and Path. *@room becomes less by what was appended. */
int bus_release_append(sd_bus_message *m, const struct release *release, struct bus_room *room);

/* ---- bus_explain.c ---- */

/* Of all of one ListReleases() together. */
#define BUS_CONDITIONS_LIST_MAX 8192

/* Appends the first @max of them as a(sssss). */
int bus_conditions_append(sd_bus_message *m, const struct decision *decision, size_t max);

/* ---- bus_leftovers.c ---- */

/* Entries of one release, and of all of one ListReleases() together: what a message may grow to. */
#define BUS_LEFTOVERS_MAX 1024
#define BUS_LEFTOVERS_LIST_MAX (8 * BUS_LEFTOVERS_MAX)

/* What keeps a failed release from being whole: how many there are in all; 0 in other states. */
size_t bus_leftover_count(const struct release *release);

/* Appends the first @max of them as a(ssss). */
int bus_leftovers_append(sd_bus_message *m, const struct release *release, size_t max);
