/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The undo journal as bytes: what is written is read again, and nothing else is ever taken for it.
 * Every prefix and every flipped bit of a journal is tried.
 */
#include "undo_text.h"

/* ---- what is written is read ---- */

static void test_round_trip(void **state)
{
	struct undo_record record;
	const char *what;
	bool other;

	(void)state;
	for (uint64_t seed = 1; seed < 3000; seed++) {
		struct release *r = random_release(seed);
		char *text = NULL, *again = NULL;
		size_t size, size_again;

		assert_int_equal(undo_encode(r, BOOT, &text, &size), 0);
		assert_int_equal(decode(text, size, &record, &other), 0);
		assert_false(other || record.torn);
		what = compare_record(r, &record);
		if (what)
			fail_msg("seed %llu: %s", (unsigned long long)seed, what);
		assert_int_equal(record.n_steps, 0);
		assert_string_equal(record.rolling_back, "");
		assert_string_equal(record.failed, "");
		/* One text for one plan, and of printable lines only. */
		assert_int_equal(undo_encode(r, BOOT, &again, &size_again), 0);
		assert_int_equal(size, size_again);
		assert_memory_equal(text, again, size);
		for (size_t i = 0; i < size; i++)
			assert_true(text[i] == '\n' || (unsigned char)text[i] >= 0x20);
		undo_record_done(&record);
		release_free(r);
		free(text);
		free(again);
	}
}

/* A journal with @n_notes notes behind it; seed 5 or so is of a few hundred bytes. */
static struct release *make_journal(uint64_t seed, unsigned n_notes, char **ret, size_t *ret_size,
				    size_t ret_ends[static 8])
{
	struct release *r = random_release(seed);
	struct undo_end end = { 0 };
	char *text, *error = NULL;
	struct undo_record record;
	bool other;
	size_t size;

	assert_true(n_notes < 8);
	assert_int_equal(undo_encode(r, BOOT, &text, &size), 0);
	assert_int_equal(undo_decode_end(text, size, BOOT, &record, &other, &end, &error), 0);
	undo_record_done(&record);
	assert_int_equal(end.size, size);
	ret_ends[0] = size;
	for (unsigned i = 0; i < n_notes; i++) {
		const struct step step = { .kind = i == 0 ? STEP_SAVE : STEP_DELETE };
		char *line;
		size_t n;

		assert_int_equal(undo_encode_note(i == 2 ? UNDO_NOTE_ROLLING_BACK : UNDO_NOTE_STEP,
						  &r->plan, &step, 4711, 99, "why not", &end, &line,
						  &n),
				 0);
		text = checked(realloc(text, size + n));
		memcpy(text + size, line, n);
		size += n;
		free(line);
		ret_ends[i + 1] = size;
		assert_int_equal(end.size, size);
	}
	*ret = text;
	*ret_size = size;
	return r;
}

/* A seed whose plan has devices, ranges, blocks and names. */
static uint64_t full_seed(void)
{
	for (uint64_t seed = 1;; seed++) {
		struct release *r = random_release(seed);
		const struct plan *p = &r->plan;
		bool full = p->n_devices > 1 && p->n_blocks > 5 && p->n_ranges > 1 &&
			    p->n_known > 0 && !p->devices[0].deleted;

		release_free(r);
		if (full)
			return seed;
	}
}

static void test_truncated_everywhere(void **state)
{
	struct undo_record record;
	size_t size, ends[8];
	struct release *r;
	char *text;
	bool other;

	(void)state;
	r = make_journal(full_seed(), 4, &text, &size, ends);
	for (size_t n = 0; n <= size; n++) {
		size_t whole = 0;
		int e = decode(text, n, &record, &other);

		if (n < ends[0]) {
			assert_int_equal(e, -EBADMSG);
			continue;
		}
		while (whole < 4 && ends[whole + 1] <= n)
			whole++;
		assert_int_equal(e, 0);
		assert_false(other);
		assert_int_equal(record.torn, n != ends[whole]);
		/* Notes: save, delete, rolling back, delete. */
		assert_int_equal(record.n_steps, whole < 3 ? whole : whole - 1);
		assert_string_equal(record.rolling_back, whole >= 3 ? "why not" : "");
		assert_int_equal(record.plan.devices[0].deleted, whole >= 2);
		assert_int_equal(record.worker, whole >= 1 ? 4711 : 0);
		record.plan.devices[0].deleted = false;
		assert_null(compare_record(r, &record));
		undo_record_done(&record);
	}
	release_free(r);
	free(text);
}

static void test_every_bit(void **state)
{
	size_t size, ends[8], refused = 0, torn = 0;
	struct undo_record record;
	struct release *r;
	char *text;
	bool other;

	(void)state;
	r = make_journal(full_seed(), 2, &text, &size, ends);
	r->plan.devices[0].deleted = true; /* as the second note says */
	for (size_t bit = 0; bit < 8 * size; bit++) {
		int e;

		text[bit / 8] ^= (char)(1 << bit % 8);
		e = decode(text, size, &record, &other);
		text[bit / 8] ^= (char)(1 << bit % 8);
		if (e < 0) {
			assert_true(e == -EBADMSG || e == -EPROTONOSUPPORT);
			refused++;
			continue;
		}
		/* Only the last newline: then the last line does not count, the rest is as it was.
		 */
		assert_int_equal(bit / 8, size - 1);
		assert_true(record.torn);
		assert_false(other);
		assert_int_equal(record.n_steps, 1);
		record.plan.devices[0].deleted = true;
		assert_null(compare_record(r, &record));
		undo_record_done(&record);
		torn++;
	}
	assert_int_equal(torn, 8);
	assert_int_equal(refused, 8 * size - 8);
	release_free(r);
	free(text);
}

/* Lines left out, swapped or repeated are all noticed: each sum is over all that is before it. */
static void test_lines_moved(void **state)
{
	struct undo_record record;
	size_t size, ends[8];
	struct release *r;
	char *text, *moved;
	bool other;

	(void)state;
	r = make_journal(full_seed(), 3, &text, &size, ends);
	moved = checked(malloc(2 * size));
	for (size_t from = 0; from < size;) {
		size_t n = (size_t)((char *)memchr(text + from, '\n', size - from) - text) + 1 -
			   from;

		memcpy(moved, text, from);
		memcpy(moved + from, text + from + n, size - from - n);
		/* Without the last, it is a shorter journal. */
		if (from + n < size)
			assert_int_equal(decode(moved, size - n, &record, &other), -EBADMSG);
		memcpy(moved, text, from + n);
		memcpy(moved + from + n, text + from, size - from);
		assert_int_equal(decode(moved, size + n, &record, &other), -EBADMSG);
		from += n;
	}
	free(moved);
	release_free(r);
	free(text);
}

/* ---- notes ---- */

static void add_note(struct forged *f, const struct plan *plan, enum undo_note note,
		     const struct step *step, const char *text)
{
	struct undo_end end = { .size = f->size,
				.sum = (uint32_t)crc32(0, (const Bytef *)f->text, (uInt)f->size) };
	char *line;
	size_t n;

	assert_int_equal(undo_encode_note(note, plan, step, 7, 8, text, &end, &line, &n), 0);
	forge_bytes(f, line, n);
	free(line);
}

static void test_notes(void **state)
{
	struct undo_record record;
	struct plan_device device = { .name = "dax0.1" };
	const struct plan plan = { .devices = &device, .n_devices = 1 };
	struct step step = { .kind = STEP_OFFLINE_BLOCK, .block = 339 };
	struct forged f;
	bool other;

	(void)state;
	forge_all(&f);
	add_note(&f, &plan, UNDO_NOTE_STEP, &step, NULL);
	add_note(&f, &plan, UNDO_NOTE_SKIPPED, &step, NULL);
	add_note(&f, &plan, UNDO_NOTE_ROLLING_BACK, NULL, "memory340:\x1b offline\n: \xff");
	step = (struct step){ .kind = STEP_CREATE };
	add_note(&f, &plan, UNDO_NOTE_STEP, &step, NULL);
	add_note(&f, &plan, UNDO_NOTE_FAILED, NULL, "no way");
	assert_int_equal(decode(f.text, f.size, &record, &other), 0);
	assert_int_equal(record.n_steps, 2);
	assert_int_equal(record.worker, 7);
	assert_int_equal(record.worker_started, 8);
	assert_string_equal(record.rolling_back, "memory340:\\x1b offline\\x0a: \\xff");
	assert_string_equal(record.failed, "no way");
	assert_true(record.plan.devices[0].creating);
	assert_false(record.plan.devices[0].deleted);
	assert_int_equal(record.plan.n_blocks, 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(record.plan.blocks[i].state,
				 i == 1 ? BLOCK_OFFLINE : BLOCK_ONLINE);
	undo_record_done(&record);

	/* Another hand unplugged all of the device; and what failed went on. */
	step = (struct step){ .kind = STEP_UNPLUG };
	add_note(&f, &plan, UNDO_NOTE_SKIPPED, &step, NULL);
	step = (struct step){ .kind = STEP_DELETE };
	add_note(&f, &plan, UNDO_NOTE_STEP, &step, NULL);
	assert_int_equal(decode(f.text, f.size, &record, &other), 0);
	assert_string_equal(record.failed, "");
	assert_true(record.plan.devices[0].deleted);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(record.plan.blocks[i].state, BLOCK_OFFLINE);
	undo_record_done(&record);

	/* Of no meaning: refused when it is written. */
	step = (struct step){ .kind = STEP_DELETE, .device = 1 };
	assert_int_equal(undo_encode_note(UNDO_NOTE_STEP, &plan, &step, 0, 0, NULL,
					  &(struct undo_end){ 0 }, &(char *){ NULL }, &f.size),
			 -EINVAL);
	assert_int_equal(undo_encode_note(UNDO_NOTE_STEP, &plan, NULL, 0, 0, NULL,
					  &(struct undo_end){ 0 }, &(char *){ NULL }, &f.size),
			 -EINVAL);
}

/* Every kind of step can be noted and read. */
static void test_every_step(void **state)
{
	struct plan_device device = { .name = "dax0.1" };
	const struct plan plan = { .devices = &device, .n_devices = 1 };
	struct undo_record record;
	struct forged f;
	bool other;

	(void)state;
	for (unsigned kind = 0; kind < _STEP_KIND_MAX; kind++) {
		struct step step = { .kind = (enum step_kind)kind, .block = 340 };

		forge_all(&f);
		add_note(&f, &plan, UNDO_NOTE_STEP, &step, NULL);
		add_note(&f, &plan, UNDO_NOTE_SKIPPED, &step, NULL);
		if (decode(f.text, f.size, &record, &other) < 0)
			fail_msg("step %u", kind);
		assert_int_equal(record.n_steps, 1);
		undo_record_done(&record);
	}
}

/* A journal that is made anew while it goes back still says so. */
static void test_rolling_back_is_kept(void **state)
{
	struct release *r = random_release(3);
	struct undo_record record;
	char *text;
	size_t size;
	bool other;

	(void)state;
	r->state = RELEASE_ROLLING_BACK;
	(void)str_copy(r->failure, sizeof(r->failure), "memory7: busy");
	assert_int_equal(undo_encode(r, BOOT, &text, &size), 0);
	assert_int_equal(decode(text, size, &record, &other), 0);
	assert_string_equal(record.rolling_back, "memory7: busy");
	assert_null(compare_record(r, &record));
	undo_record_done(&record);
	free(text);
	/* The longest reason there can be, whole. */
	memset(r->failure, 'w', sizeof(r->failure) - 1);
	assert_int_equal(undo_encode(r, BOOT, &text, &size), 0);
	assert_int_equal(decode(text, size, &record, &other), 0);
	assert_string_equal(record.rolling_back, r->failure);
	undo_record_done(&record);
	release_free(r);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncated_everywhere),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_lines_moved),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_every_step),
		cmocka_unit_test(test_rolling_back_is_kept),
	};

	return cmocka_run_group_tests_name("undo_format", tests, NULL, NULL);
}
