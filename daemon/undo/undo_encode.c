/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A release's prior state as the text of a journal, and the lines that are added to it. Numbers are
 * decimal, addresses hexadecimal, and equal neighbours of the memory blocks share a line: it is for
 * a person too, who may have to put things back by hand.
 */
#include <zlib.h>

#include <json-c/json.h>

#include "util/escape.h"

#include "undo_internal.h"

/* The text so far, and the line that is being made. */
struct writer {
	char *data;
	size_t size, room;
	uint32_t sum;
	json_object *line;
	int error; /* the first one; from then on nothing is done any more */
};

static void writer_done(struct writer *w)
{
	free(w->data);
	json_object_put(w->line);
}

static void append(struct writer *w, const char *data, size_t size)
{
	if (w->error < 0)
		return;
	if (!w->data || size > w->room - w->size) {
		size_t room = MAX(2 * w->room, w->size + size);
		char *grown = realloc(w->data, room);

		if (!grown) {
			w->error = -ENOMEM;
			return;
		}
		w->data = grown;
		w->room = room;
	}
	memcpy(w->data + w->size, data, size);
	w->size += size;
	w->sum = (uint32_t)crc32_z(w->sum, (const Bytef *)data, size);
}

static void line_begin(struct writer *w)
{
	if (w->error == 0) {
		w->line = json_object_new_object();
		w->error = w->line ? 0 : -ENOMEM;
	}
}

/* Takes @value over. */
static void put(struct writer *w, json_object *object, const char *key, json_object *value)
{
	if (w->error < 0 || !value || json_object_object_add(object, key, value) < 0) {
		json_object_put(value);
		w->error = w->error < 0 ? w->error : -ENOMEM;
	}
}

static void put_in_array(struct writer *w, json_object *array, json_object *value)
{
	if (w->error < 0 || !array || !value || json_object_array_add(array, value) < 0) {
		json_object_put(value);
		w->error = w->error < 0 ? w->error : -ENOMEM;
	}
}

static void put_string(struct writer *w, const char *key, const char *value)
{
	put(w, w->line, key, json_object_new_string(value));
}

/* What is not a name: one line of clean text, whatever it was. */
static void put_text(struct writer *w, const char *key, const char *value, size_t size)
{
	char clean[RELEASE_REASON_MAX];

	put_string(w, key, escape_text(value, clean, MIN(size, sizeof(clean))));
}

static void put_u64(struct writer *w, const char *key, uint64_t value)
{
	put(w, w->line, key, json_object_new_uint64(value));
}

static void put_flag(struct writer *w, const char *key, bool value)
{
	if (value)
		put(w, w->line, key, json_object_new_boolean(true));
}

static json_object *new_range(const struct range *range)
{
	char text[UNDO_RANGE_STRLEN];

	return json_object_new_string(undo_range_format(range, text));
}

static void put_tag(struct writer *w, const char *key, const struct tag *tag)
{
	char text[TAG_STRLEN + 1];

	put_string(w, key, tag_format(tag, text));
}

static void line_end(struct writer *w)
{
	char tail[UNDO_SUM_STRLEN + 2];
	const char *text;
	size_t size = 0;

	text = w->line ? json_object_to_json_string_length(
				 w->line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
				 &size)
		       : NULL;
	if (w->error == 0 && !text)
		w->error = -ENOMEM;
	if (w->error == 0) {
		append(w, text, size - 1); /* without the brace, which the checksum is put before */
		(void)snprintf(tail, sizeof(tail), UNDO_SUM_BEFORE "%0*x" UNDO_SUM_BEHIND "\n",
			       UNDO_SUM_DIGITS, (unsigned)w->sum);
		append(w, tail, strlen(tail));
	}
	json_object_put(w->line);
	w->line = NULL;
}

/* These members, and the checksum, are the same in every version. */
static void encode_first(struct writer *w, const struct group_key *key, const char *boot_id)
{
	line_begin(w);
	put_u64(w, "dcdd-undo", UNDO_VERSION);
	put_string(w, "boot", boot_id);
	put_string(w, "memdev", key->memdev);
	if (tag_is_null(&key->tag))
		put(w, w->line, "dpa", new_range(&key->dpa));
	else
		put_tag(w, "tag", &key->tag);
	line_end(w);
}

static void encode_release(struct writer *w, const struct release *r)
{
	line_begin(w);
	put_string(w, "region", r->region);
	put(w, w->line, "record-dpa", new_range(&r->dpa));
	put_u64(w, "bytes", r->bytes);
	put_u64(w, "extents", r->n_extents);
	put_u64(w, "records", r->records);
	put_u64(w, "first-record", r->first_record);
	put_u64(w, "last-record", r->last_record);
	put_text(w, "rule", r->decision.rule, sizeof(r->decision.rule));
	put_u64(w, "blocks-online", r->plan.blocks_total);
	line_end(w);
}

static void encode_device(struct writer *w, const struct plan *plan, const struct plan_device *dev)
{
	json_object *ranges;

	if (dev->first_range > plan->n_ranges ||
	    dev->n_ranges > plan->n_ranges - dev->first_range) {
		w->error = -EINVAL;
		return;
	}
	line_begin(w);
	put_string(w, "device", dev->name);
	put_string(w, "driver", dev->driver);
	put_string(w, "mode", dax_mode_to_string(dev->mode));
	put_tag(w, "uuid", &dev->tag);
	put_u64(w, "size", dev->size);
	put_u64(w, "align", dev->align);
	put(w, w->line, "node", json_object_new_int(dev->target_node));
	put_string(w, "dax-region", dev->dax_region);
	put_flag(w, "atomic", dev->atomic);
	put_flag(w, "deleted", dev->deleted);
	put_flag(w, "creating", dev->creating);
	if (dev->was[0])
		put_string(w, "was", dev->was);
	put(w, w->line, "first-mapping", new_range(&dev->first_mapping));

	ranges = json_object_new_array();
	for (uint32_t i = 0; i < dev->n_ranges; i++)
		put_in_array(w, ranges, new_range(&plan->ranges[dev->first_range + i]));
	put(w, w->line, "ranges", ranges);
	line_end(w);
}

static bool block_follows(const struct plan_block *a, const struct plan_block *b)
{
	return b->number == a->number + 1 && b->device == a->device && b->state == a->state &&
	       b->zone == a->zone;
}

/* A run of equal neighbours; returns how many blocks it is. */
static size_t encode_blocks(struct writer *w, const struct plan_block *blocks, size_t n)
{
	json_object *numbers = json_object_new_array();
	size_t k = 1;

	while (k < n && block_follows(&blocks[k - 1], &blocks[k]))
		k++;
	line_begin(w);
	put_in_array(w, numbers, json_object_new_uint64(blocks[0].number));
	put_in_array(w, numbers, json_object_new_uint64(blocks[k - 1].number));
	put(w, w->line, "blocks", numbers);
	put_u64(w, "device", blocks[0].device);
	put_string(w, "state", block_state_to_string(blocks[0].state));
	put_string(w, "zone", block_zone_to_string(blocks[0].zone));
	line_end(w);
	return k;
}

static void encode_known(struct writer *w, const struct plan *plan)
{
	json_object *names;

	if (!plan->known)
		return;
	names = json_object_new_array();
	line_begin(w);
	for (size_t i = 0; i < plan->n_known; i++)
		put_in_array(w, names, json_object_new_string(plan->known[i].name));
	put(w, w->line, "known", names);
	line_end(w);
}

/* So that a file cut off between two lines is not taken for a smaller group. */
static void encode_end(struct writer *w, const struct plan *plan)
{
	size_t n_ranges = 0;

	for (size_t i = 0; i < plan->n_devices; i++)
		n_ranges += plan->devices[i].n_ranges;
	line_begin(w);
	put_string(w, "end", "prior state");
	put_u64(w, "devices", plan->n_devices);
	put_u64(w, "ranges", n_ranges);
	put_u64(w, "blocks", plan->n_blocks);
	put_u64(w, "names", plan->n_known);
	line_end(w);
}

static void encode_text_note(struct writer *w, const char *key, const char *text)
{
	line_begin(w);
	put_text(w, key, text && *text ? text : "for a reason not known", RELEASE_REASON_MAX);
	line_end(w);
}

static int writer_take(struct writer *w, char **ret, size_t *ret_size)
{
	if (w->error == 0) {
		*ret = TAKE_PTR(w->data);
		*ret_size = w->size;
	}
	writer_done(w);
	return w->error;
}

int undo_encode(const struct release *release, const char *boot_id, char **ret, size_t *ret_size)
{
	const struct plan *plan = &release->plan;
	struct writer w = { .sum = (uint32_t)crc32_z(0, NULL, 0) };

	encode_first(&w, &release->key, boot_id);
	encode_release(&w, release);
	for (size_t i = 0; i < plan->n_devices && w.error == 0; i++)
		encode_device(&w, plan, &plan->devices[i]);
	for (size_t i = 0; i < plan->n_blocks && w.error == 0;)
		i += encode_blocks(&w, plan->blocks + i, plan->n_blocks - i);
	encode_known(&w, plan);
	encode_end(&w, plan);
	/* A journal made anew in the middle of a roll-back is not one that goes forward. */
	if (release->state == RELEASE_ROLLING_BACK)
		encode_text_note(&w, "rolling-back", release->failure);
	return writer_take(&w, ret, ret_size);
}

static void encode_step(struct writer *w, const char *key, const struct plan *plan,
			const struct step *step, int32_t worker, uint64_t worker_started)
{
	if (!step || (step->device >= plan->n_devices && step->kind != STEP_SAVE)) {
		w->error = -EINVAL;
		return;
	}
	line_begin(w);
	put_string(w, key, step_kind_to_string(step->kind));
	put_u64(w, "device", step->device);
	if (step->kind == STEP_OFFLINE_BLOCK || step->kind == STEP_REOFFLINE ||
	    step->kind == STEP_ONLINE_BLOCK)
		put_u64(w, "block", step->block);
	else if (step->kind != STEP_SAVE)
		put_string(w, "name", plan->devices[step->device].name); /* for a person */
	if (worker > 0) {
		put_u64(w, "worker", (uint64_t)worker);
		put_u64(w, "worker-started", worker_started);
	}
	line_end(w);
}

int undo_encode_note(enum undo_note note, const struct plan *plan, const struct step *step,
		     int32_t worker, uint64_t worker_started, const char *text,
		     struct undo_end *end, char **ret, size_t *ret_size)
{
	struct writer w = { .sum = end->sum };
	int r;

	switch (note) {
	case UNDO_NOTE_STEP:
		encode_step(&w, "step", plan, step, worker, worker_started);
		break;
	case UNDO_NOTE_SKIPPED:
		encode_step(&w, "skipped", plan, step, 0, 0);
		break;
	case UNDO_NOTE_ROLLING_BACK:
		encode_text_note(&w, "rolling-back", text);
		break;
	case UNDO_NOTE_FAILED:
		encode_text_note(&w, "failed", text);
		break;
	case _UNDO_NOTE_MAX:
		return -EINVAL;
	}
	r = writer_take(&w, ret, ret_size);
	if (r == 0)
		*end = (struct undo_end){ .size = end->size + *ret_size, .sum = w.sum };
	return r;
}
