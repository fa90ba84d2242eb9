/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of release requests; see queue.h. */
#include "queue.h"

static struct entry *entry_free(struct entry *entry)
{
	if (entry) {
		release_free(entry->release);
		free(entry);
	}
	return NULL;
}

static void list_done(struct entry_list *list)
{
	struct entry *entry;

	while ((entry = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, entry, link);
		entry_free(entry);
	}
}

void queue_init(struct queue *queue)
{
	*queue = (struct queue){ .next_id = 1 };
	TAILQ_INIT(&queue->live);
	TAILQ_INIT(&queue->ended);
}

void queue_done(struct queue *queue)
{
	list_done(&queue->live);
	list_done(&queue->ended);
}

/*
 * Keys are equal by (memdev, tag). Of untagged extents the device may name any part, and the kernel
 * takes it for the whole.
 */
static bool key_matches(const struct group_key *a, const struct group_key *b)
{
	if (!streq(a->memdev, b->memdev) || !tag_equal(&a->tag, &b->tag))
		return false;
	return !tag_is_null(&a->tag) || range_overlaps(&a->dpa, &b->dpa);
}

/* Behind all whose devices asked before; mostly that is the end. */
static void insert_live(struct queue *queue, struct entry *entry)
{
	struct entry *before;

	TAILQ_FOREACH_REVERSE(before, &queue->live, entry_list, link)
	if (before->release->first_record <= entry->release->first_record) {
		TAILQ_INSERT_AFTER(&queue->live, before, entry, link);
		return;
	}
	TAILQ_INSERT_HEAD(&queue->live, entry, link);
}

int queue_add(struct queue *queue, unsigned max, const struct group_key *key,
	      const struct range *dpa, usec_t traced, struct entry **ret)
{
	struct entry *entry;

	if (queue->n_live >= max)
		return -ENOBUFS;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->release = release_new(queue->next_id, key, dpa, traced);
	if (!entry->release) {
		entry_free(entry);
		return -ENOMEM;
	}
	queue->next_id++;
	entry->shown_state = _RELEASE_STATE_MAX;
	insert_live(queue, entry);
	queue->n_live++;
	*ret = entry;
	return 0;
}

struct entry *queue_find_live(struct queue *queue, const struct group_key *key)
{
	struct entry *entry;

	TAILQ_FOREACH(entry, &queue->live, link)
		if (key_matches(&entry->release->key, key))
			return entry;
	return NULL;
}

struct entry *queue_find_ended(struct queue *queue, const struct group_key *key)
{
	struct entry *entry;

	TAILQ_FOREACH_REVERSE(entry, &queue->ended, entry_list, link)
	if (key_matches(&entry->release->key, key))
		return entry;
	return NULL;
}

struct entry *queue_find_id(struct queue *queue, uint64_t id)
{
	struct entry *entry;

	TAILQ_FOREACH(entry, &queue->live, link)
		if (entry->release->id == id)
			return entry;
	TAILQ_FOREACH(entry, &queue->ended, link)
		if (entry->release->id == id)
			return entry;
	return NULL;
}

static bool goes_before(const struct release *a, const struct release *b)
{
	if (a->first_record != b->first_record)
		return a->first_record < b->first_record;
	if (a->bytes != b->bytes)
		return a->bytes < b->bytes;
	return a->id < b->id;
}

struct entry *queue_next_turn(struct queue *queue, unsigned concurrency)
{
	struct entry *entry, *next = NULL;

	if (queue_n_turns(queue) >= concurrency)
		return NULL;
	TAILQ_FOREACH(entry, &queue->live, link)
		if (entry->release->wait == WAIT_TURN &&
		    (!next || goes_before(entry->release, next->release)))
			next = entry;
	return next;
}

unsigned queue_n_turns(const struct queue *queue)
{
	const struct entry *entry;
	unsigned n = 0;

	TAILQ_FOREACH(entry, &queue->live, link)
		n += entry->release->turn;
	return n;
}

static struct entry *oldest_to_forget(struct queue *queue)
{
	struct entry *entry;

	TAILQ_FOREACH(entry, &queue->ended, link)
		if (entry->release->state != RELEASE_FAILED && !entry->journal)
			return entry;
	return NULL;
}

void queue_end(struct queue *queue, struct entry *entry, unsigned max,
	       void (*forget)(uint64_t id, void *userdata), void *userdata)
{
	TAILQ_REMOVE(&queue->live, entry, link);
	queue->n_live--;
	/* What it did is told; what it would take to put it back only a failed one still needs. */
	if (entry->release->state != RELEASE_FAILED)
		plan_done(&entry->release->plan);
	TAILQ_INSERT_TAIL(&queue->ended, entry, link);
	queue->n_ended++;

	while (queue->n_ended > max) {
		struct entry *old = oldest_to_forget(queue);

		if (!old)
			break;
		TAILQ_REMOVE(&queue->ended, old, link);
		queue->n_ended--;
		forget(old->release->id, userdata);
		entry_free(old);
	}
}
