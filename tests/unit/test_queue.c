/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of requests, the memory of untagged adds, and the message limiter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "release/bursts.h"
#include "release/queue.h"
#include "util/ratelimit.h"

static struct group_key tagged(const char *memdev, uint8_t n)
{
	struct group_key key = { 0 };

	(void)str_copy(key.memdev, sizeof(key.memdev), memdev);
	memset(key.tag.bytes, n, sizeof(key.tag.bytes));
	return key;
}

static struct group_key untagged(const char *memdev, uint64_t start, uint64_t length)
{
	struct group_key key = { .dpa = { start, length } };

	(void)str_copy(key.memdev, sizeof(key.memdev), memdev);
	return key;
}

static struct entry *add(struct queue *queue, const struct group_key *key)
{
	struct entry *entry;

	assert_int_equal(queue_add(queue, 8, key, &key->dpa, 1, &entry), 0);
	return entry;
}

static void test_find(void **state)
{
	struct group_key a = tagged("mem0", 1), other_memdev = tagged("mem1", 1),
			 other_tag = tagged("mem0", 2), u = untagged("mem0", 0x1000, 0x1000),
			 part = untagged("mem0", 0x1800, 0x100),
			 beside = untagged("mem0", 0x2000, 0x1000);
	struct queue queue;
	struct entry *e, *v;

	(void)state;
	queue_init(&queue);
	e = add(&queue, &a);
	v = add(&queue, &u);
	assert_int_not_equal(e->release->id, v->release->id);
	assert_ptr_equal(queue_find_live(&queue, &a), e);
	assert_null(queue_find_live(&queue, &other_memdev));
	assert_null(queue_find_live(&queue, &other_tag));
	/* Whatever part of an untagged extent the device names, the whole is meant. */
	assert_ptr_equal(queue_find_live(&queue, &part), v);
	assert_null(queue_find_live(&queue, &beside));
	assert_ptr_equal(queue_find_id(&queue, v->release->id), v);
	assert_null(queue_find_id(&queue, 99));
	queue_done(&queue);
}

static void test_full(void **state)
{
	struct queue queue;
	struct entry *entry;

	(void)state;
	queue_init(&queue);
	for (uint8_t i = 1; i <= 8; i++) {
		struct group_key key = tagged("mem0", i);

		(void)add(&queue, &key);
	}
	{
		struct group_key key = tagged("mem0", 9);

		assert_int_equal(queue_add(&queue, 8, &key, &key.dpa, 1, &entry), -ENOBUFS);
	}
	queue_done(&queue);
}

static void note_forgotten(uint64_t id, void *userdata)
{
	uint64_t *sum = userdata;

	*sum = *sum * 10 + id;
}

static void test_history_keeps_failed_longest(void **state)
{
	struct queue queue;
	uint64_t forgotten = 0;

	(void)state;
	queue_init(&queue);
	for (uint8_t i = 1; i <= 5; i++) {
		struct group_key key = tagged("mem0", i);
		struct entry *entry = add(&queue, &key);

		entry->release->state = i == 1 ? RELEASE_FAILED : RELEASE_RELEASED;
		queue_end(&queue, entry, 2, note_forgotten, &forgotten);
		assert_null(queue_find_live(&queue, &key));
		assert_ptr_equal(queue_find_ended(&queue, &key), entry);
	}
	assert_int_equal(forgotten, 234);
	assert_int_equal(queue.n_ended, 2);
	assert_int_equal(queue.n_live, 0);
	queue_done(&queue);
}

/* They keep their groups from being touched: forgotten, they would not. */
static void test_failed_are_never_forgotten(void **state)
{
	struct queue queue;
	uint64_t forgotten = 0;

	(void)state;
	queue_init(&queue);
	for (uint8_t i = 1; i <= 5; i++) {
		struct group_key key = tagged("mem0", i);
		struct entry *entry = add(&queue, &key);

		entry->release->state = i == 5 ? RELEASE_REFUSED : RELEASE_FAILED;
		queue_end(&queue, entry, 2, note_forgotten, &forgotten);
	}
	assert_int_equal(forgotten, 5);
	assert_int_equal(queue.n_ended, 4);
	/* Seen whole, one is forgotten like any other. */
	TAILQ_FIRST(&queue.ended)->release->state = RELEASE_REFUSED;
	{
		struct group_key key = tagged("mem0", 6);
		struct entry *entry = add(&queue, &key);

		entry->release->state = RELEASE_FAILED;
		queue_end(&queue, entry, 2, note_forgotten, &forgotten);
	}
	assert_int_equal(forgotten, 51);
	assert_int_equal(queue.n_ended, 4);
	queue_done(&queue);
}

/* Of two ended requests for one group the newer counts. */
static void test_ended_newest_first(void **state)
{
	struct group_key key = tagged("mem0", 1);
	uint64_t forgotten = 0;
	struct queue queue;
	struct entry *entry = NULL;

	(void)state;
	queue_init(&queue);
	for (int i = 0; i < 2; i++) {
		entry = add(&queue, &key);
		entry->release->state = RELEASE_REFUSED;
		queue_end(&queue, entry, 8, note_forgotten, &forgotten);
	}
	assert_ptr_equal(queue_find_ended(&queue, &key), entry);
	queue_done(&queue);
}

static void record(struct bursts *bursts, uint64_t start, usec_t traced, uint8_t type, uint8_t tag)
{
	struct dc_event event = {
		.memdev = "mem0", .type = type, .dpa = { start, 0x100 }, .traced = traced
	};

	memset(event.tag.bytes, tag, sizeof(event.tag.bytes));
	bursts_add(bursts, &event);
}

static void test_bursts(void **state)
{
	static struct bursts bursts;
	struct range first = { 0x1000, 0x100 }, alone = { 0x9000, 0x100 },
		     never = { 0xf000, 0x100 };
	char hint[256];

	(void)state;
	bursts = (struct bursts){ 0 };
	record(&bursts, 0x1000, 1000, DC_EVENT_ADD, 0);
	record(&bursts, 0x2000, 5000, DC_EVENT_ADD, 0);
	record(&bursts, 0x3000, 6000, DC_EVENT_ADD, 7); /* tagged: its own group */
	record(&bursts, 0x4000, 7000, DC_EVENT_RELEASE, 0);
	record(&bursts, 0x5000, 8000, DC_EVENT_ADD, 0);
	record(&bursts, 0x9000, 60 * USEC_PER_SEC, DC_EVENT_ADD, 0);

	bursts_hint(&bursts, "mem0", &first, hint, sizeof(hint));
	assert_non_null(strstr(hint, "0x2000"));
	assert_non_null(strstr(hint, "0x5000"));
	assert_null(strstr(hint, "0x1000"));
	assert_null(strstr(hint, "0x3000"));
	assert_null(strstr(hint, "0x4000"));
	assert_null(strstr(hint, "0x9000"));
	bursts_hint(&bursts, "mem0", &alone, hint, sizeof(hint));
	assert_non_null(strstr(hint, "alone"));
	bursts_hint(&bursts, "mem0", &never, hint, sizeof(hint));
	assert_non_null(strstr(hint, "not seen"));
	bursts_hint(&bursts, "mem1", &first, hint, sizeof(hint));
	assert_non_null(strstr(hint, "not seen"));
}

/* A ring that has gone round, and a hint longer than its buffer. */
static void test_bursts_many(void **state)
{
	static struct bursts bursts;
	char hint[64];

	(void)state;
	bursts = (struct bursts){ 0 };
	for (uint64_t i = 0; i < 3 * BURST_RECORDS + 7; i++)
		record(&bursts, i * 0x1000, 1000 + i, DC_EVENT_ADD, 0);
	for (uint64_t i = 0; i < 3 * BURST_RECORDS + 7; i++) {
		struct range dpa = { i * 0x1000, 0x100 };

		bursts_hint(&bursts, "mem0", &dpa, hint, sizeof(hint));
		assert_true(strlen(hint) < sizeof(hint));
		assert_int_equal(strstr(hint, "hidden group with") != NULL,
				 i >= 2 * BURST_RECORDS + 7);
	}
}

static void test_ratelimit(void **state)
{
	struct ratelimit limit = { .interval = 100, .burst = 2 };
	uint64_t suppressed;

	(void)state;
	assert_true(ratelimit_pass(&limit, 1000, &suppressed));
	assert_true(ratelimit_pass(&limit, 1001, &suppressed));
	assert_false(ratelimit_pass(&limit, 1002, &suppressed));
	assert_false(ratelimit_pass(&limit, 1099, &suppressed));
	assert_true(ratelimit_pass(&limit, 1100, &suppressed));
	assert_int_equal(suppressed, 2);
	assert_true(ratelimit_pass(&limit, 1101, &suppressed));
	assert_int_equal(suppressed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_history_keeps_failed_longest),
		cmocka_unit_test(test_failed_are_never_forgotten),
		cmocka_unit_test(test_ended_newest_first),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_bursts_many),
		cmocka_unit_test(test_ratelimit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
