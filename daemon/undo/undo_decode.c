/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the lines of a journal to the plan that they tell of. Nothing in it is believed: every
 * count, order and index is checked before it is used, so that what comes out is a plan that the
 * machine may work with.
 */
#include <inttypes.h>
#include <zlib.h>

#include "undo_reader.h"

/* What becomes of it. */
struct decoder {
	struct reader reader;
	struct undo_record *record;
	size_t room_devices, room_ranges, room_blocks;
	bool *unplugged; /* per device: STEP_UNPLUG was skipped */
};

/* ---- prior state ---- */

/* Room for @more elements of @size bytes in *@items, which holds @n. */
static int reserve(void **items, size_t size, size_t n, size_t more, size_t *room)
{
	size_t want = MAX(n + more, 2 * *room);
	void *grown;

	if (n + more <= *room)
		return 0;
	want = MAX(want, (size_t)8);
	grown = reallocarray(*items, want, size);
	if (!grown)
		return -ENOMEM;
	memset((char *)grown + n * size, 0, (want - n) * size); /* padding too */
	*items = grown;
	*room = want;
	return 0;
}

#define RESERVE(items, n, more, room)                                                              \
	({                                                                                         \
		void *_items = items;                                                              \
		int _r = reserve(&_items, sizeof(*(items)), n, more, room);                        \
		(items) = _items;                                                                  \
		_r;                                                                                \
	})

static int decode_first(struct decoder *d)
{
	struct reader *rd = &d->reader;
	struct undo_record *record = d->record;
	struct tag boot;
	uint64_t version;

	version = reader_u64(rd, "dcdd-undo", UINT64_MAX);
	if (rd->bad)
		return reader_refuse(rd);
	reader_text(rd, "boot", record->boot_id, sizeof(record->boot_id));
	if (tag_parse(record->boot_id, &boot) < 0)
		reader_note_bad(rd, "boot");
	reader_name(rd, "memdev", false, record->key.memdev);
	if (reader_has(rd, "tag")) {
		record->key.tag = reader_tag(rd, "tag");
		if (tag_is_null(&record->key.tag) || reader_has(rd, "dpa"))
			reader_note_bad(rd, "tag");
	} else {
		record->key.dpa = reader_range(rd, "dpa");
	}
	if (version != UNDO_VERSION)
		return reader_fail(rd, -EPROTONOSUPPORT,
				   "of version %" PRIu64 ", this dcdd reads %d", version,
				   UNDO_VERSION);
	return rd->bad ? reader_refuse(rd) : 0;
}

static int decode_release(struct decoder *d)
{
	struct reader *rd = &d->reader;
	struct undo_record *record = d->record;

	reader_name(rd, "region", true, record->region);
	record->dpa = reader_range(rd, "record-dpa");
	record->bytes = reader_u64(rd, "bytes", UINT64_MAX);
	record->n_extents = (uint32_t)reader_u64(rd, "extents", UINT32_MAX);
	record->records = reader_u64(rd, "records", UINT64_MAX);
	record->first_record = reader_u64(rd, "first-record", UINT64_MAX);
	record->last_record = reader_u64(rd, "last-record", UINT64_MAX);
	reader_text(rd, "rule", record->rule, sizeof(record->rule));
	record->plan.blocks_total = (uint32_t)reader_u64(rd, "blocks-online", UNDO_BLOCKS_MAX);
	return rd->bad ? reader_refuse(rd) : 0;
}

/* Sorted, none empty, none touching the one before from within. */
static int decode_ranges(struct decoder *d, struct plan_device *dev)
{
	struct reader *rd = &d->reader;
	json_object *array = reader_member(rd, "ranges", json_type_array);
	struct plan *plan = &d->record->plan;
	size_t n = array ? json_object_array_length(array) : 0;
	uint64_t end = 0;

	if (n > UNDO_RANGES_MAX - plan->n_ranges)
		return reader_fail(rd, -EBADMSG, "too many ranges");
	if (RESERVE(plan->ranges, plan->n_ranges, n, &d->room_ranges) < 0)
		return -ENOMEM;
	dev->first_range = (uint32_t)plan->n_ranges;
	dev->n_ranges = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		struct range range = reader_check_range(rd, "ranges",
							json_object_array_get_idx(array, i));

		if (range.length == 0 || range.start < end)
			reader_note_bad(rd, "ranges");
		end = range_end(&range);
		plan->ranges[plan->n_ranges++] = range;
	}
	return 0;
}

static int decode_device(struct decoder *d)
{
	struct reader *rd = &d->reader;
	struct plan *plan = &d->record->plan;
	struct plan_device *dev;
	int r;

	if (plan->n_devices == UNDO_DEVICES_MAX)
		return reader_fail(rd, -EBADMSG, "too many devices");
	if (RESERVE(plan->devices, plan->n_devices, 1, &d->room_devices) < 0)
		return -ENOMEM;
	dev = &plan->devices[plan->n_devices];
	reader_dax_name(rd, "device", dev->name);
	reader_name(rd, "driver", true, dev->driver);
	if (dax_mode_from_string(reader_string(rd, "mode"), &dev->mode) < 0)
		reader_note_bad(rd, "mode");
	dev->tag = reader_tag(rd, "uuid");
	dev->size = reader_u64(rd, "size", UINT64_MAX);
	dev->align = reader_u64(rd, "align", UINT64_MAX);
	dev->target_node = reader_i32(rd, "node");
	reader_name(rd, "dax-region", true, dev->dax_region);
	dev->atomic = reader_flag(rd, "atomic");
	dev->deleted = reader_flag(rd, "deleted");
	dev->creating = reader_flag(rd, "creating");
	if (reader_has(rd, "was"))
		reader_dax_name(rd, "was", dev->was);
	dev->first_mapping = reader_range(rd, "first-mapping");
	r = decode_ranges(d, dev);
	if (r < 0)
		return r;
	plan->n_devices++;
	return rd->bad ? reader_refuse(rd) : 0;
}

static int decode_blocks(struct decoder *d)
{
	struct reader *rd = &d->reader;
	json_object *numbers = reader_member(rd, "blocks", json_type_array);
	struct plan *plan = &d->record->plan;
	struct plan_block block = { 0 };
	uint64_t first, last;

	if (numbers && json_object_array_length(numbers) != 2)
		rd->bad = "blocks";
	if (!numbers || rd->bad)
		return reader_refuse(rd);
	first = reader_check_u64(rd, "blocks", json_object_array_get_idx(numbers, 0), UINT64_MAX);
	last = reader_check_u64(rd, "blocks", json_object_array_get_idx(numbers, 1), UINT64_MAX);
	block.device = (uint32_t)reader_u64(rd, "device", UINT32_MAX);
	block.state = reader_block_state(rd, "state");
	block.zone = reader_block_zone(rd, "zone");
	if (rd->bad)
		return reader_refuse(rd);
	if (block.device >= plan->n_devices)
		return reader_fail(rd, -EBADMSG, "no such device");
	if (last < first ||
	    (plan->n_blocks > 0 && first <= plan->blocks[plan->n_blocks - 1].number))
		return reader_fail(rd, -EBADMSG, "the blocks are not in order");
	if (last - first >= UNDO_BLOCKS_MAX - plan->n_blocks)
		return reader_fail(rd, -EBADMSG, "too many blocks");
	if (RESERVE(plan->blocks, plan->n_blocks, (size_t)(last - first) + 1, &d->room_blocks) < 0)
		return -ENOMEM;
	for (uint64_t i = 0; i <= last - first; i++) {
		struct plan_block *b = &plan->blocks[plan->n_blocks++];

		b->number = first + i;
		b->device = block.device;
		b->state = block.state;
		b->zone = block.zone;
	}
	return 0;
}

static int decode_known(struct decoder *d)
{
	struct reader *rd = &d->reader;
	json_object *names = reader_member(rd, "known", json_type_array);
	struct plan *plan = &d->record->plan;
	size_t n = names ? json_object_array_length(names) : 0;

	if (plan->known)
		return reader_fail(rd, -EBADMSG, "the names for a second time");
	if (n > UNDO_KNOWN_MAX)
		return reader_fail(rd, -EBADMSG, "too many names");
	plan->known = calloc(n + 1, sizeof(*plan->known));
	if (!plan->known)
		return -ENOMEM;
	for (; plan->n_known < n; plan->n_known++)
		reader_check_dax_name(rd, "known", json_object_array_get_idx(names, plan->n_known),
				      plan->known[plan->n_known].name);
	return rd->bad ? reader_refuse(rd) : 0;
}

static int decode_end(struct decoder *d)
{
	struct reader *rd = &d->reader;
	const struct plan *plan = &d->record->plan;
	uint64_t devices = reader_u64(rd, "devices", UINT64_MAX);
	uint64_t ranges = reader_u64(rd, "ranges", UINT64_MAX);
	uint64_t blocks = reader_u64(rd, "blocks", UINT64_MAX);
	uint64_t names = reader_u64(rd, "names", UINT64_MAX);

	if (rd->bad)
		return reader_refuse(rd);
	if (devices != plan->n_devices || ranges != plan->n_ranges || blocks != plan->n_blocks ||
	    names != plan->n_known)
		return reader_fail(rd, -EBADMSG, "the counts do not match the lines before");
	return 0;
}

/* All up to the line that says it is the end of it. */
static int decode_prior_state(struct decoder *d)
{
	struct reader *rd = &d->reader;
	int r;

	for (;;) {
		r = reader_next(rd);
		if (r == 0)
			return reader_fail(rd, -EBADMSG,
					   "cut off; what was before the release is not complete");
		if (r < 0)
			return r;
		if (rd->line == 2)
			r = decode_release(d);
		else if (reader_has(rd, "end"))
			return decode_end(d);
		else if (reader_has(rd, "blocks"))
			r = decode_blocks(d);
		else if (reader_has(rd, "known"))
			r = decode_known(d);
		else
			r = decode_device(d);
		if (r < 0)
			return r;
	}
}

/* ---- the notes behind it ---- */

static struct plan_block *find_block(const struct plan *plan, uint64_t number)
{
	size_t low = 0, high = plan->n_blocks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (plan->blocks[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < plan->n_blocks && plan->blocks[low].number == number ? &plan->blocks[low]
									  : NULL;
}

/* Device and block that a step is about. */
static int decode_step(struct decoder *d, const char *key, struct step *ret)
{
	struct reader *rd = &d->reader;
	*ret = (struct step){ .kind = reader_step_kind(rd, key),
			      .device = (uint32_t)reader_u64(rd, "device", UINT32_MAX) };
	if (ret->kind == STEP_OFFLINE_BLOCK || ret->kind == STEP_REOFFLINE ||
	    ret->kind == STEP_ONLINE_BLOCK)
		ret->block = reader_u64(rd, "block", UINT64_MAX);
	if (rd->bad)
		return reader_refuse(rd);
	if (ret->kind != STEP_SAVE && ret->device >= d->record->plan.n_devices)
		return reader_fail(rd, -EBADMSG, "no such device");
	return 0;
}

static int decode_begun(struct decoder *d)
{
	struct reader *rd = &d->reader;
	struct undo_record *record = d->record;
	struct step step;
	int r;

	r = decode_step(d, "step", &step);
	if (r < 0)
		return r;
	record->worker = 0;
	record->worker_started = 0;
	if (reader_has(rd, "worker")) {
		record->worker = (int32_t)reader_u64(rd, "worker", INT32_MAX);
		record->worker_started = reader_u64(rd, "worker-started", UINT64_MAX);
		if (rd->bad)
			return reader_refuse(rd);
	}
	if (step.kind == STEP_DELETE)
		record->plan.devices[step.device].deleted = true;
	else if (step.kind == STEP_CREATE)
		record->plan.devices[step.device].creating = true;
	record->failed[0] = '\0'; /* it was not its end */
	record->n_steps++;
	return 0;
}

/* As the machine does: what another hand took offline stays so. */
static int decode_skipped(struct decoder *d)
{
	struct reader *rd = &d->reader;
	struct plan_block *block;
	struct step step;
	int r;

	r = decode_step(d, "skipped", &step);
	if (r < 0)
		return r;
	if (step.kind == STEP_UNPLUG)
		d->unplugged[step.device] = true; /* all at once, at the end */
	if (step.kind == STEP_OFFLINE_BLOCK) {
		block = find_block(&d->record->plan, step.block);
		if (!block)
			return reader_fail(rd, -EBADMSG, "no such block");
		block->state = BLOCK_OFFLINE;
	}
	return 0;
}

static int decode_note(struct decoder *d)
{
	struct reader *rd = &d->reader;
	struct undo_record *record = d->record;

	if (reader_has(rd, "step"))
		return decode_begun(d);
	if (reader_has(rd, "skipped"))
		return decode_skipped(d);
	if (reader_has(rd, "rolling-back")) {
		reader_text(rd, "rolling-back", record->rolling_back, sizeof(record->rolling_back));
		record->failed[0] = '\0';
	} else {
		reader_text(rd, "failed", record->failed, sizeof(record->failed));
	}
	return rd->bad ? reader_refuse(rd) : 0;
}

static int decode_notes(struct decoder *d)
{
	struct reader *rd = &d->reader;
	struct plan *plan = &d->record->plan;
	int r;

	d->unplugged = calloc(plan->n_devices + 1, sizeof(*d->unplugged));
	if (!d->unplugged)
		return -ENOMEM;
	while ((r = reader_next(rd)) > 0) {
		r = decode_note(d);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < plan->n_blocks; i++)
		if (d->unplugged[plan->blocks[i].device])
			plan->blocks[i].state = BLOCK_OFFLINE;
	d->record->torn = rd->cut_off;
	return 0;
}

/* ---- the whole ---- */

void undo_record_done(struct undo_record *record)
{
	plan_done(&record->plan);
	memset(record, 0, sizeof(*record));
}

/* A record of which no more than the first line is of use. */
static void keep_first_line(struct undo_record *record)
{
	struct group_key key = record->key;
	char boot_id[BOOT_ID_STRLEN + 1];

	(void)str_copy(boot_id, sizeof(boot_id), record->boot_id);
	undo_record_done(record);
	memcpy(&record->key, &key, sizeof(key));
	(void)str_copy(record->boot_id, sizeof(record->boot_id), boot_id);
}

static int decode_all(struct decoder *d, const char *boot_id, bool *ret_other_boot)
{
	struct reader *rd = &d->reader;
	int r;

	r = reader_next(rd);
	if (r == 0)
		return reader_fail(rd, -EBADMSG, rd->cut_off ? "cut off" : "the file is empty");
	if (r > 0)
		r = decode_first(d);
	if (r < 0 && (r != -EPROTONOSUPPORT || rd->bad || !rd->object))
		return r;
	/* Of whatever version: what it is about has gone with that boot. */
	*ret_other_boot = !streq(d->record->boot_id, boot_id);
	if (r == 0)
		r = decode_prior_state(d);
	if (r == 0)
		r = decode_notes(d);
	if (r < 0 && r != -ENOMEM && *ret_other_boot) {
		keep_first_line(d->record);
		free(*rd->error);
		*rd->error = NULL;
		r = 0;
	}
	return r;
}

int undo_decode_end(const char *data, size_t size, const char *boot_id, struct undo_record *ret,
		    bool *ret_other_boot, struct undo_end *ret_end, char **ret_error)
{
	struct undo_record record;
	char *error = NULL;
	struct decoder d = {
		.reader = { .data = data,
			    .size = size,
			    .end.sum = (uint32_t)crc32_z(0, NULL, 0),
			    .error = &error },
		.record = &record,
	};
	bool other_boot = false;
	int r;

	memset(&record, 0, sizeof(record)); /* padding too: keys are compared as memory */
	r = size > UNDO_SIZE_MAX ? reader_fail(&d.reader, -EBADMSG, "the file is too large")
				 : decode_all(&d, boot_id, &other_boot);
	json_object_put(d.reader.object);
	free(d.unplugged);
	if (r < 0) {
		undo_record_done(&record);
		*ret_error = error;
		return r;
	}
	*ret = record;
	*ret_other_boot = other_boot;
	*ret_end = d.reader.end;
	return 0;
}

int undo_decode(const char *data, size_t size, const char *boot_id, struct undo_record *ret,
		bool *ret_other_boot, char **ret_error)
{
	struct undo_end end;

	return undo_decode_end(data, size, boot_id, ret, ret_other_boot, &end, ret_error);
}
