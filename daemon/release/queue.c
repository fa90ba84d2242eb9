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
	TAILQ_INSERT_TAIL(&queue->live, entry, link);
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

static struct entry *oldest_to_forget(struct queue *queue)
{
	struct entry *entry;

	TAILQ_FOREACH(entry, &queue->ended, link)
		if (entry->release->state != RELEASE_FAILED)
			return entry;
	return TAILQ_FIRST(&queue->ended);
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

		TAILQ_REMOVE(&queue->ended, old, link);
		queue->n_ended--;
		forget(old->release->id, userdata);
		entry_free(old);
	}
}
