/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sub-buffers made by hand, good and cut: records, times and losses come out, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <daemon/events/subbuffer.h>

#define SIZE 4096
#define HEADER 16
#define LOST (UINT64_C(1) << 31)
#define LOST_STORED (UINT64_C(1) << 30)

/* The ring buffer's record header is a bit field of 5 + 27 bits, and so depends on byte order. */
static uint32_t event_header(uint32_t type_len, uint32_t delta)
{
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? type_len << 27 | delta
						      : delta << 5 | type_len;
}

struct page {
	uint8_t bytes[SIZE];
	size_t used;
};

static void page_begin(struct page *page, uint64_t nsec)
{
	memset(page, 0, sizeof(*page));
	memcpy(page->bytes, &nsec, sizeof(nsec));
	page->used = HEADER;
}

static void page_word(struct page *page, uint32_t word)
{
	assert_true(page->used + 4 <= SIZE);
	memcpy(page->bytes + page->used, &word, 4);
	page->used += 4;
}

/* A record of @words words, each @fill, @delta ns after the one before. */
static void page_record(struct page *page, uint32_t delta, size_t words, uint32_t fill)
{
	if (words <= 28) {
		page_word(page, event_header((uint32_t)words, delta));
	} else {
		page_word(page, event_header(0, delta));
		page_word(page, (uint32_t)(words * 4 + 4));
	}
	for (size_t i = 0; i < words; i++)
		page_word(page, fill);
}

static void page_commit(struct page *page, uint64_t flags)
{
	uint64_t commit = (page->used - HEADER) | flags;

	memcpy(page->bytes + 8, &commit, 8);
}

/* Puts the first @size bytes where the kernel's would go, and loads them. */
static int load(struct subbuffer *sub, const struct page *page, size_t size, int64_t *ret_lost)
{
	size_t room;
	void *space = subbuffer_space(sub, &room);

	assert_int_equal(room, SIZE);
	memcpy(space, page->bytes, MIN(size, room));
	return subbuffer_load(sub, size, ret_lost);
}

static void assert_record(struct subbuffer *sub, uint64_t nsec, size_t words, uint32_t fill)
{
	struct subbuffer_record record;
	uint32_t word;

	assert_int_equal(subbuffer_next(sub, &record), 1);
	assert_int_equal(record.traced_nsec, nsec);
	assert_int_equal(record.size, words * 4);
	for (size_t i = 0; i < words; i++) {
		memcpy(&word, (const uint8_t *)record.data + i * 4, 4);
		assert_int_equal(word, fill);
	}
}

static int setup(void **state)
{
	struct subbuffer *sub;

	assert_int_equal(subbuffer_new(SIZE, 8, &sub), 0);
	*state = sub;
	return 0;
}

static int teardown(void **state)
{
	subbuffer_free(*state);
	return 0;
}

static void test_records_and_times(void **state)
{
	struct subbuffer *sub = *state;
	struct subbuffer_record record;
	struct page page;
	int64_t lost = 99;

	page_begin(&page, 1000);
	page_record(&page, 0, 4, 0x11111111);
	page_record(&page, 500, 28, 0x22222222);
	page_record(&page, 7, 40, 0x33333333); /* long form */
	page_word(&page, event_header(30, 3)); /* time extend: 1 << 27 | 3 */
	page_word(&page, 1);
	page_record(&page, 1, 1, 0x44444444);
	page_commit(&page, 0);

	for (int again = 0; again < 2; again++) { /* nothing is left over from the last one */
		assert_int_equal(load(sub, &page, SIZE, &lost), 0);
		assert_int_equal(lost, 0);
		assert_int_equal(subbuffer_used(sub), page.used);
		assert_record(sub, 1000, 4, 0x11111111);
		assert_record(sub, 1500, 28, 0x22222222);
		assert_record(sub, 1507, 40, 0x33333333);
		assert_record(sub, 1507 + (1 << 27) + 3 + 1, 1, 0x44444444);
		assert_int_equal(subbuffer_next(sub, &record), 0);
		assert_int_equal(subbuffer_next(sub, &record), 0);
	}
}

static void test_empty(void **state)
{
	struct subbuffer *sub = *state;
	struct subbuffer_record record;
	struct page page;
	int64_t lost = 99;

	page_begin(&page, 1000);
	page_commit(&page, 0);
	assert_int_equal(load(sub, &page, SIZE, &lost), 0);
	assert_int_equal(lost, 0);
	assert_int_equal(subbuffer_next(sub, &record), 0);
}

static void test_full(void **state)
{
	struct subbuffer *sub = *state;
	struct subbuffer_record record;
	struct page page;
	int64_t lost;
	uint32_t n = 0;

	page_begin(&page, 0);
	while (page.used + 8 <= SIZE)
		page_record(&page, 1, 1, n++);
	page_commit(&page, 0);
	assert_int_equal(page.used, SIZE);
	assert_int_equal(load(sub, &page, SIZE, &lost), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_record(sub, i + 1, 1, i);
	assert_int_equal(subbuffer_next(sub, &record), 0);
}

static void test_losses(void **state)
{
	struct subbuffer *sub = *state;
	struct page page;
	uint64_t number = 77;
	int64_t lost;

	page_begin(&page, 1000);
	page_record(&page, 0, 4, 1);
	page_commit(&page, LOST | LOST_STORED);
	memcpy(page.bytes + page.used, &number, 8);
	assert_int_equal(load(sub, &page, SIZE, &lost), 0);
	assert_int_equal(lost, 77);
	assert_record(sub, 1000, 4, 1);

	page_commit(&page, LOST);
	assert_int_equal(load(sub, &page, SIZE, &lost), 0);
	assert_int_equal(lost, -1);
	assert_record(sub, 1000, 4, 1);
}

/* Fewer bytes than the header, the data or the number of lost records take. */
static void test_truncated(void **state)
{
	struct subbuffer *sub = *state;
	struct subbuffer_record record;
	struct page page;
	int64_t lost;

	page_begin(&page, 1000);
	page_record(&page, 0, 20, 1);
	page_commit(&page, LOST | LOST_STORED);
	for (size_t n = 0; n < page.used + 8; n++) {
		assert_int_equal(load(sub, &page, n, &lost), -EBADMSG);
		assert_int_equal(subbuffer_next(sub, &record), 0);
	}
	assert_int_equal(load(sub, &page, page.used + 8, &lost), 0);
	assert_record(sub, 1000, 20, 1);
	assert_int_equal(load(sub, &page, SIZE + 1, &lost), -EBADMSG);
}

/* A record that claims more than is committed, or a size that cannot be. */
static void test_record_outside(void **state)
{
	static const uint32_t sizes[] = { 0,	      1,	  3,	      16,	 4096,
					  0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff };
	struct subbuffer *sub = *state;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct subbuffer_record record;
		struct page page;
		int64_t lost;
		int r, n = 0;

		page_begin(&page, 1000);
		page_word(&page, event_header(0, 1));
		page_word(&page, sizes[i]);
		page_word(&page, 0x55555555);
		page_commit(&page, 0);
		assert_int_equal(load(sub, &page, SIZE, &lost), 0);
		while ((r = subbuffer_next(sub, &record)) > 0) {
			size_t room;
			const uint8_t *space = subbuffer_space(sub, &room);
			const uint8_t *data = record.data;

			assert_true(data >= space + HEADER);
			assert_true(record.size <= (size_t)(space + page.used - data));
			assert_true(n++ < 4);
		}
		if (sizes[i] >= 16)
			assert_int_equal(r, -EBADMSG);
		assert_int_equal(subbuffer_next(sub, &record), 0);
	}
}

static void test_impossible_sizes(_unused_ void **state)
{
	struct subbuffer *sub = NULL;

	assert_int_equal(subbuffer_new(0, 8, &sub), -EINVAL);
	assert_int_equal(subbuffer_new(100, 8, &sub), -EINVAL);
	assert_int_equal(subbuffer_new(SIZE_MAX, 8, &sub), -EINVAL);
	assert_int_equal(subbuffer_new(SIZE, 0, &sub), -EINVAL);
	assert_int_equal(subbuffer_new(SIZE, 3, &sub), -EINVAL);
	assert_null(sub);
	assert_int_equal(subbuffer_new(SIZE, 4, &sub), 0);
	subbuffer_free(sub);
	subbuffer_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_records_and_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_losses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_outside, setup, teardown),
		cmocka_unit_test(test_impossible_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
