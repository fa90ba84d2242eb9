/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All release requests the daemon knows: the live ones in the order the devices asked, and the
 * ended ones it remembers. Bounded: a device that floods records cannot make it grow.
 */
#pragma once

#include <sys/queue.h>

#include <dcdd/release.h>

struct worker;

struct entry {
	struct release *release;
	uint64_t scan;	       /* the inventory scan it waits for */
	struct worker *worker; /* the one that does its step, also when stuck in it */
	bool journal;	       /* an undo journal of it, or the draft of one, may be there */
	/* As last shown to the outside or the journal, to tell what changed. */
	enum release_state shown_state, noted_state;
	char shown_reason[RELEASE_REASON_MAX];
	bool shown_differences;
	uint64_t shown_decision; /* what of it was told: see manager_show_decision() */
	unsigned counted;	 /* attempts that stand in the ledger */
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
 * Adds a request, by its place in time. 0; -ENOMEM; -ENOBUFS if there are @max live ones. *@ret
 * stays owned by the queue.
 */
int queue_add(struct queue *queue, unsigned max, const struct group_key *key,
	      const struct range *dpa, usec_t traced, struct entry **ret);

/* The live request, or the newest ended one, that a record for @key belongs to; or NULL. */
struct entry *queue_find_live(struct queue *queue, const struct group_key *key);
struct entry *queue_find_ended(struct queue *queue, const struct group_key *key);

struct entry *queue_find_id(struct queue *queue, uint64_t id);

/*
 * Whose turn it is to change the host: of those that wait for it the one whose device asked first,
 * of several at once the one with the least memory, then the one with the lowest id. NULL if none
 * waits, or @concurrency of them have the turn already.
 */
struct entry *queue_next_turn(struct queue *queue, unsigned concurrency);

/* How many have the turn. */
unsigned queue_n_turns(const struct queue *queue);

/*
 * Moves an ended request behind the others. Beyond @max the oldest are forgotten, @forget is called
 * with the id of each. Those that failed are kept in any case, as long as they are: they keep
 * their groups from being touched. So are those whose journal could not be removed yet.
 */
void queue_end(struct queue *queue, struct entry *entry, unsigned max,
	       void (*forget)(uint64_t id, void *userdata), void *userdata);
