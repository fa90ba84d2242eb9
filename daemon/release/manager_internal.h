/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the manager share: manager.c, records.c, journal.c, recover.c, show.c. */
#pragma once

#include "manager.h"

#include "bursts.h"
#include "executors.h"
#include "ledger.h"
#include "machine.h"
#include "plan.h"
#include "queue.h"
#include "scanner.h"
#include "sharing.h"
#include "undo/undo.h"
#include "util/ratelimit.h"
#include "watch/drain.h"
#include "watch/inhibitors.h"
#include "watch/lease.h"
#include "watch/pressure.h"
#include "watch/wallclock.h"
#include "worker/worker.h"

/* Records whose group is not known yet: the inventory may be older than they. */
#define UNRESOLVED_MAX 64

struct unresolved {
	struct dc_event event; /* the first one */
	uint64_t records;      /* that name the same group */
	usec_t last;	       /* when the last of them was traced */
	uint64_t scan;	       /* that can tell */
};

/* See recover.c. */
LIST_HEAD(orphan_list, orphan);
/* See hands.c. */
LIST_HEAD(rule_lease_list, rule_lease);

/* Releases that take memory off the host at the same time; more of them can only be stuck ones. */
#define LEAVING_MAX 64

/* What the decisions look at besides the inventory. */
struct manager_facts {
	struct pressure *pressure; /* NULL: the host has no PSI */
	struct wallclock *wallclock;
	struct drain *drain;
	struct inhibitors *inhibitors;
	struct sharing *sharing;
	struct ledger ledger;
	bool draining; /* processes are watched */
	/* For one decision. */
	struct freed freed[LEDGER_MAX + LEAVING_MAX];
	struct group_key leaving[LEAVING_MAX];
	struct policy_facts now;
};

struct manager {
	struct manager_setup setup;
	char *proc, *state_dir;
	struct policy policy;
	struct bus *bus;
	struct queue queue;
	struct bursts bursts;
	struct scanner *scanner;
	struct executors *executors;
	struct orphan_list orphans;
	struct rule_lease_list rule_leases;
	struct manager_facts facts;
	struct inventory *inventory;
	usec_t scanned;
	int scan_error; /* of the last scan, 0: none */
	struct event *timer;
	unsigned was_leaving; /* requests in a changed state when it was last settled */
	struct ratelimit warnings, losses, decisions;
	char hint[150]; /* as much as a reason has room for */

	struct unresolved unresolved[UNRESOLVED_MAX];
	size_t n_unresolved;
	uint64_t records, records_lost, records_bad;
	bool available, started, stopping, stopped;
};

/*
 * manager.c: what the machine of @r (NULL: of one that is not made yet) is to be told, doing what
 * it asks for in return, and what follows after all that may have changed a request. Only what may
 * come to a decision needs the facts, which take a look at /proc and a walk over all requests.
 */
struct machine_input manager_input(struct manager *m, const struct release *r);
struct machine_input manager_input_deciding(struct manager *m, const struct release *r);
void manager_apply(struct manager *m, struct entry *e, unsigned actions);
void manager_settle(struct manager *m);

/* What the decisions look at has changed, or the policy: see machine_reconsider(). */
void manager_reconsider(struct manager *m, bool policy);

/* facts.c: */
int facts_new(struct manager *m);
void facts_done(struct manager *m);
/* For a decision about @r, or about a group that nobody asks for (NULL). Valid until the next call.
 */
const struct policy_facts *facts_take(struct manager *m, const struct release *r);
/* The policy in force has changed: other ceilings are to be watched. */
void facts_policy_changed(struct manager *m);
/* A request may have come to another state: what it waits for is watched, what it freed counts. */
void facts_settle(struct manager *m);
void facts_count(struct manager *m, struct entry *e, unsigned actions);
/* Ends the processes that hold the group's devices, as far as its rule says so. */
void facts_terminate(struct manager *m, const struct release *r);

/* hands.c: what people and their programs may ask of us. */
int hands_answer(uint64_t id, bool approve, const char *why, const char *who, void *userdata);
int hands_reload(char **ret_error, void *userdata);
int hands_snapshot(char **ret, void *userdata);
int hands_inhibit(const struct inhibitor *inhibitor, int *ret_fd, void *userdata);
const struct inhibitor *hands_inhibitors(size_t *ret_n, void *userdata);
int hands_add_rule(const char *name, const char *text, usec_t until, const char *who, int *ret_fd,
		   char **ret_error, void *userdata);
int hands_remove_rule(const char *name, const char *who, void *userdata);
const struct policy *hands_policy(void *userdata);
int hands_explain(const struct group_key *key, struct decision *ret, void *userdata);
/* An inhibitor is over. */
void hands_inhibitor_over(const struct inhibitor *inhibitor, void *userdata);
/* Temporary rules whose time has come end; whether there were any. */
bool hands_expire(struct manager *m);
void hands_done(struct manager *m);

/* A request is made by records of one group, or asked for once more. */
void manager_begin(struct manager *m, const struct group_key *key, const struct unresolved *asked);
void manager_again(struct manager *m, struct entry *e, const struct unresolved *asked);

/* records.c: a new inventory is there for the records that waited for one. */
void records_scanned(struct manager *m, uint64_t number);

/*
 * journal.c: a step is about to be made by @worker. Completes @request. 0; or a negative errno, and
 * it is not to be made: *@ret_refusal is the answer to it.
 */
int journal_begin_step(struct manager *m, struct entry *e, const struct worker *worker,
		       struct worker_request *request, struct worker_reply *ret_refusal);
/* The step, forward or @back, has been answered, and the machine has been told. */
void journal_step_over(struct manager *m, struct entry *e, const struct step *step, bool back);
/* The request may have come to another state: the journal learns it, or is not needed any more. */
void journal_settle(struct manager *m, struct entry *e);

/*
 * A new request for a group: a journal that an ended one could not remove is its own now, so that
 * nobody removes what is written over it.
 */
void journal_inherit(struct manager *m, struct entry *e);

/* recover.c: makes requests of what the directory holds; 0 or negative errno, which is reported. */
int recover_load(struct manager *m);
void recover_done(struct manager *m);
/* A new inventory is there: what had failed may be whole again. */
void recover_scanned(struct manager *m);

/* show.c: tells report and bus what is new about a request. */
void manager_show(struct manager *m, struct entry *e, unsigned actions);
void manager_show_step(struct manager *m, const struct release *r, const struct step *step,
		       const struct worker_reply *reply);
/* What was decided, with all its conditions, when that is news. */
void manager_show_decision(struct manager *m, struct entry *e);
/* What a dry run would have done. */
void manager_show_would(struct manager *m, const struct release *r);
/* What is left of one that failed, once. */
void manager_show_differences(struct manager *m, struct entry *e);
void manager_show_inventory(struct manager *m, const struct inventory *inv);
/* What of @inv cannot be read, and what can be again; @old is the one before, or NULL. */
void manager_show_unread(struct manager *m, const struct inventory *inv,
			 const struct inventory *old);

/* A rate-limited warning about a record. */
void manager_warn(struct manager *m, const struct dc_event *event, const char *id,
		  const char *format, ...) _printf_(4, 5);
