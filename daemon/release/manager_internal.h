/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the manager share: manager.c, records.c, journal.c, recover.c, show.c. */
#pragma once

#include "manager.h"

#include "bursts.h"
#include "executors.h"
#include "machine.h"
#include "plan.h"
#include "queue.h"
#include "scanner.h"
#include "undo/undo.h"
#include "util/ratelimit.h"
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
	struct inventory *inventory;
	usec_t scanned;
	int scan_error; /* of the last scan, 0: none */
	struct event *timer;
	struct ratelimit warnings, losses;
	char hint[150]; /* as much as a reason has room for */

	struct unresolved unresolved[UNRESOLVED_MAX];
	size_t n_unresolved;
	uint64_t records, records_lost, records_bad;
	bool available, started, stopping, stopped;
};

/*
 * manager.c: what a machine is to be told (@hint_for: it may say that this one is free), doing what
 * it asks for in return, and what follows after all that may have changed a request.
 */
struct machine_input manager_input(struct manager *m, const struct release *hint_for);
void manager_apply(struct manager *m, struct entry *e, unsigned actions);
void manager_settle(struct manager *m);

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
/* What is left of one that failed, once. */
void manager_show_differences(struct manager *m, struct entry *e);
void manager_show_inventory(struct manager *m, const struct inventory *inv);
/* What of @inv cannot be read, and what can be again; @old is the one before, or NULL. */
void manager_show_unread(struct manager *m, const struct inventory *inv,
			 const struct inventory *old);

/* A rate-limited warning about a record. */
void manager_warn(struct manager *m, const struct dc_event *event, const char *id,
		  const char *format, ...) _printf_(4, 5);
