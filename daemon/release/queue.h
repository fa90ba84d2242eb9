/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All release requests the daemon knows: the live ones in the order they were made, and the ended
 * ones it remembers. Bounded: a device that floods records cannot make it grow.
 */
#pragma once

#include <sys/queue.h>

#include <dcdd/release.h>

struct worker;

struct entry {
	struct release *release;
	uint64_t scan;	       /* the inventory scan it waits for */
	struct worker *worker; /* the one that does its step, also when stuck in it */
	/* As last shown to the outside, to tell what changed. */
	enum release_state shown_state;
	char shown_reason[RELEASE_REASON_MAX];
	TAILQ_ENTRY(entry) link;
};

TAILQ_HEAD(entry_list, entry);

struct queue {
	struct entry_list live, ended; /* oldest first */
	unsigned n_live, n_ended;
	uint64_t next_id;
};

void queue_init(struct queue *queue);
void queue_done(struct queue *queue);

/*
 * Adds a request. 0; -ENOMEM; -ENOBUFS if there are @max live ones. *@ret stays owned by the queue.
 */
int queue_add(struct queue *queue, unsigned max, const struct group_key *key,
	      const struct range *dpa, usec_t traced, struct entry **ret);

/* The live request, or the newest ended one, that a record for @key belongs to; or NULL. */
struct entry *queue_find_live(struct queue *queue, const struct group_key *key);
struct entry *queue_find_ended(struct queue *queue, const struct group_key *key);

struct entry *queue_find_id(struct queue *queue, uint64_t id);

/*
 * Moves an ended request behind the others. Beyond @max the oldest are forgotten, @forget is called
 * with the id of each; those that failed are kept longest.
 */
void queue_end(struct queue *queue, struct entry *entry, unsigned max,
	       void (*forget)(uint64_t id, void *userdata), void *userdata);
