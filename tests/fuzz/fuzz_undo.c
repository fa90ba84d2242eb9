/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target for the undo journal: no input crashes the decoder, what it accepts is within
 * bounds and in order, and survives being written and read again. Input: a byte that says whether
 * the lines get right checksums (else hardly any would ever be accepted), then a file.
 */
#include "tests/unit/undo_plan.h"
#include "undo/undo_internal.h"
#include "worker/attr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* @data with a checksum at the end of each line that could have one. */
static char *with_sums(const uint8_t *data, size_t size, size_t *ret_size)
{
	size_t lines = 1, n = 0, begin = 0;
	char *text;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	text = checked(malloc(size + lines * (UNDO_SUM_STRLEN + 1) + 1));
	for (size_t i = 0; i < size; i++) {
		if (data[i] != '\n' || n == begin || text[n - 1] != '}') {
			text[n++] = (char)data[i];
		} else {
			uint32_t sum = (uint32_t)crc32_z(0, (const Bytef *)text, n - 1);

			n += (size_t)sprintf(text + n - 1,
					     UNDO_SUM_BEFORE "%08x" UNDO_SUM_BEHIND "\n",
					     (unsigned)sum) -
			     1;
		}
		if (data[i] == '\n')
			begin = n;
	}
	*ret_size = n;
	return text;
}

/* Exactly @size bytes, so that a read beyond is seen. */
static char *as_it_is(const uint8_t *data, size_t size)
{
	char *text = checked(malloc(MAX(size, (size_t)1)));

	memcpy(text, data, size);
	return text;
}

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool is_text(const char *s, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!s[i])
			return true;
		if ((unsigned char)s[i] < 0x20)
			return false;
	}
	return false;
}

static void check_device(const struct plan *plan, const struct plan_device *dev)
{
	uint64_t end = 0;

	check(attr_is_dax_name(dev->name) && (!dev->was[0] || attr_is_dax_name(dev->was)));
	check(!dev->driver[0] || undo_name_is_plain(dev->driver));
	check(!dev->dax_region[0] || undo_name_is_plain(dev->dax_region));
	check((unsigned)dev->mode < _DAX_MODE_MAX);
	check(dev->first_range <= plan->n_ranges &&
	      dev->n_ranges <= plan->n_ranges - dev->first_range);
	for (uint32_t i = 0; i < dev->n_ranges; i++) {
		const struct range *range = &plan->ranges[dev->first_range + i];

		check(range->length > 0 && range->start >= end && range_end(range) > range->start);
		end = range_end(range);
	}
}

static void check_record(const struct undo_record *record)
{
	const struct plan *plan = &record->plan;
	char name[UNDO_NAME_MAX];
	struct group_key key;

	check(undo_name_parse(undo_name(&record->key, name), &key) == 0);
	check(group_key_equal(&key, &record->key));
	check(is_text(record->boot_id, sizeof(record->boot_id)));
	check(is_text(record->rule, sizeof(record->rule)));
	check(is_text(record->rolling_back, sizeof(record->rolling_back)));
	check(is_text(record->failed, sizeof(record->failed)));
	check(!record->region[0] || undo_name_is_plain(record->region));
	check(record->worker >= 0);
	check(plan->n_devices <= UNDO_DEVICES_MAX && plan->n_blocks <= UNDO_BLOCKS_MAX);
	for (size_t i = 0; i < plan->n_devices; i++)
		check_device(plan, &plan->devices[i]);
	for (size_t i = 0; i < plan->n_blocks; i++) {
		const struct plan_block *b = &plan->blocks[i];

		check(b->device < plan->n_devices && (unsigned)b->state < _BLOCK_STATE_MAX &&
		      (unsigned)b->zone < _BLOCK_ZONE_MAX);
		check(i == 0 || b->number > b[-1].number);
	}
	for (size_t i = 0; i < plan->n_known; i++)
		check(attr_is_dax_name(plan->known[i].name));
}

/* Takes the record's plan. */
static void check_again(struct undo_record *record)
{
	_cleanup_(release_freep) struct release *r = checked(calloc(1, sizeof(*r)));
	_cleanup_free_ char *text = NULL, *error = NULL;
	struct undo_record again;
	bool other = false;
	size_t size;

	r->key = record->key;
	r->dpa = record->dpa;
	memcpy(r->region, record->region, sizeof(r->region));
	r->bytes = record->bytes;
	r->n_extents = record->n_extents;
	r->records = record->records;
	r->first_record = record->first_record;
	r->last_record = record->last_record;
	memcpy(r->decision.rule, record->rule, sizeof(r->decision.rule));
	r->plan = record->plan;
	memset(&record->plan, 0, sizeof(record->plan));
	check(undo_encode(r, BOOT, &text, &size) == 0);
	check(undo_decode(text, size, BOOT, &again, &other, &error) == 0 && !other);
	check(!compare_record(r, &again));
	undo_record_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = NULL, *error = NULL;
	struct undo_record record;
	bool other = false;
	size_t n = size - 1;
	int r;

	if (size == 0)
		return 0;
	text = data[0] & 1 ? with_sums(data + 1, n, &n) : as_it_is(data + 1, n);
	r = undo_decode(text, n, BOOT, &record, &other, &error);
	if (r < 0) {
		check((r == -EBADMSG || r == -EPROTONOSUPPORT) && error);
		return 0;
	}
	check(!error && other == !streq(record.boot_id, BOOT));
	check_record(&record);
	check_again(&record);
	undo_record_done(&record);
	return 0;
}
