/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the manager share: manager.c, records.c, show.c. */
#pragma once

#include "manager.h"

#include "bursts.h"
#include "machine.h"
#include "plan.h"
#include "queue.h"
#include "scanner.h"
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

struct manager {
	struct manager_setup setup;
	char *exe, *sysfs, *proc;
	struct policy policy;
	struct bus *bus;
	struct queue queue;
	struct bursts bursts;
	struct scanner *scanner;
	struct worker *executor;
	struct entry *turn; /* has the executor */
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

/* manager.c: a request is made by records of one group, or asked for once more. */
void manager_begin(struct manager *m, const struct group_key *key, const struct unresolved *asked);
void manager_again(struct manager *m, struct entry *e, const struct unresolved *asked);

/* records.c: a new inventory is there for the records that waited for one. */
void records_scanned(struct manager *m, uint64_t number);

/* show.c: tells report and bus what is new about a request. */
void manager_show(struct manager *m, struct entry *e, unsigned actions);
void manager_show_step(struct manager *m, const struct release *r, const struct step *step,
		       const struct worker_reply *reply);
void manager_show_inventory(struct manager *m, const struct inventory *inv);

/* A rate-limited warning about a record. */
void manager_warn(struct manager *m, const struct dc_event *event, const char *id,
		  const char *format, ...) _printf_(4, 5);
