/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ties the release requests to the world: takes records, keeps the inventory, runs each request's
 * state machine, lets as many of them change the host at a time as the policy allows, keeps their
 * undo journals, and tells report and bus. All decisions are made elsewhere.
 */
#pragma once

#include <event2/event.h>

#include "bus/bus.h"
#include "report/report.h"
#include "undo/undo.h"

struct manager;

struct manager_setup {
	struct event_base *base;
	struct report *report;
	const char *exe;   /* of the worker */
	const char *sysfs; /* "/sys" */
	const char *proc;  /* "/proc" */
	struct undo_store *undo;
	const char *state_dir; /* where that is, for messages */
	/* The first inventory is there (once), and: nothing is in a changed state any more, after
	 * manager_stop() (once). */
	void (*started)(void *userdata);
	void (*stopped)(void *userdata);
	/*
	 * Reads the configuration again and calls manager_set_policy(). 0, or a negative errno and
	 * *@ret_error says why (caller frees, may be NULL): then the old one stays.
	 */
	int (*reload)(char **ret_error, void *userdata);
	void *userdata;
};

/*
 * Takes over @policy's content, takes up what the undo journals say was left half done, and asks
 * for the first scan. 0 or negative errno.
 */
int manager_new(const struct manager_setup *setup, struct policy *policy, struct manager **ret);
void manager_free(struct manager *m);
DEFINE_CLEANUP(struct manager *, manager_free);

/* Where changes are shown from now on; NULL: nowhere. Not owned. */
void manager_set_bus(struct manager *m, struct bus *bus);

/* What the bus asks of us; userdata is the manager. */
extern const struct bus_ops manager_bus_ops;

/*
 * Replaces the policy (taken over), but for its temporary rules. Requests that wait are decided by
 * it at once, those under way finish by what they began with. 0; -ENOMEM, and the old one stays.
 */
int manager_set_policy(struct manager *m, struct policy *policy);

/* The one in force. */
const struct policy *manager_policy(const struct manager *m);

/* From the intake. */
void manager_record(struct manager *m, const struct dc_event *event);
void manager_lost(struct manager *m, uint64_t lost);
void manager_bad_record(struct manager *m, const char *message);
void manager_available(struct manager *m, bool available);

/* A uevent says that something of ours changed. */
void manager_world_changed(struct manager *m);

/* Rolls back what is under way, starts nothing new, then calls stopped(). */
void manager_stop(struct manager *m);

/* Requests in a changed state now. */
unsigned manager_n_active(const struct manager *m);
/* Those that have ended in one, and whose groups are left alone until they are seen whole. */
unsigned manager_n_failed(const struct manager *m);

/* A stop took too long: says for each of them what is left, and where it hangs. */
void manager_show_left(struct manager *m);
