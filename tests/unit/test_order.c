/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose turn it is: by the time of the request, then size, then id; never one that waits for
 * something else, and no more at a time than the policy allows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "release/queue.h"

struct wanted {
	usec_t first_record;
	uint64_t bytes;
	enum release_wait wait;
	enum release_state state;
	bool turn;
};

static struct entry *add(struct queue *queue, const struct wanted *wanted)
{
	struct group_key key = { .memdev = "mem0" };
	struct range dpa = { 0, MiB };
	struct entry *entry;

	key.tag.bytes[0] = (uint8_t)(queue->next_id);
	assert_int_equal(queue_add(queue, 64, &key, &dpa, wanted->first_record, &entry), 0);
	entry->release->bytes = wanted->bytes;
	entry->release->wait = wanted->wait;
	entry->release->state = wanted->state;
	entry->release->turn = wanted->turn;
	return entry;
}

/* Adds them, in this order with the ids 1, 2, …; returns the id that has its turn, 0: none. */
static uint64_t next_of(const struct wanted *wanted, size_t n, unsigned concurrency)
{
	struct entry *next;
	struct queue queue;
	uint64_t id;

	queue_init(&queue);
	for (size_t i = 0; i < n; i++)
		(void)add(&queue, &wanted[i]);
	next = queue_next_turn(&queue, concurrency);
	id = next ? next->release->id : 0;
	queue_done(&queue);
	return id;
}

#define NEXT_OF(concurrency, ...)                                                                  \
	next_of((const struct wanted[]){ __VA_ARGS__ },                                            \
		sizeof((const struct wanted[]){ __VA_ARGS__ }) / sizeof(struct wanted),            \
		concurrency)

static void test_nobody_waits(void **state)
{
	struct queue queue;

	(void)state;
	queue_init(&queue);
	assert_null(queue_next_turn(&queue, 1));
	queue_done(&queue);
	assert_int_equal(NEXT_OF(1, { 5, 1, WAIT_SCAN, RELEASE_REQUESTED, false },
				 { 5, 1, WAIT_STEP, RELEASE_OFFLINING, false }),
			 0);
}

static void test_by_time_of_request(void **state)
{
	(void)state;
	assert_int_equal(NEXT_OF(1, { 7, 1, WAIT_TURN, RELEASE_REQUESTED, false },
				 { 5, 900, WAIT_TURN, RELEASE_REQUESTED, false },
				 { 6, 1, WAIT_TURN, RELEASE_REQUESTED, false }),
			 2);
}

static void test_then_by_size(void **state)
{
	(void)state;
	assert_int_equal(NEXT_OF(1, { 5, 300, WAIT_TURN, RELEASE_REQUESTED, false },
				 { 5, 100, WAIT_TURN, RELEASE_REQUESTED, false },
				 { 5, 200, WAIT_TURN, RELEASE_REQUESTED, false }),
			 2);
}

static void test_then_by_id(void **state)
{
	(void)state;
	assert_int_equal(NEXT_OF(1, { 5, 100, WAIT_TURN, RELEASE_REQUESTED, false },
				 { 5, 100, WAIT_TURN, RELEASE_REQUESTED, false }),
			 1);
}

/* One that is put off, is ready, or is stuck in the kernel without its turn keeps nobody waiting.
 */
static void test_who_waits_for_else_is_passed(void **state)
{
	(void)state;
	assert_int_equal(NEXT_OF(1, { 1, 1, WAIT_TIME, RELEASE_DEFERRED, false },
				 { 2, 1, WAIT_TIME, RELEASE_READY, false },
				 { 3, 1, WAIT_STEP, RELEASE_OFFLINING, false },
				 { 4, 1, WAIT_SCAN, RELEASE_REQUESTED, false },
				 { 9, 1, WAIT_TURN, RELEASE_REQUESTED, false }),
			 5);
}

/* What is to be put back waits like everybody else, and by the age of its request goes first. */
static void test_roll_back_by_its_age(void **state)
{
	(void)state;
	assert_int_equal(NEXT_OF(1, { 8, 1, WAIT_TURN, RELEASE_REQUESTED, false },
				 { 3, 1, WAIT_TURN, RELEASE_ROLLING_BACK, false }),
			 2);
}

static void test_concurrency(void **state)
{
	(void)state;
	for (unsigned limit = 0; limit < 5; limit++)
		assert_int_equal(NEXT_OF(limit, { 1, 1, WAIT_STEP, RELEASE_OFFLINING, true },
					 { 2, 1, WAIT_SCAN, RELEASE_DETACHING, true },
					 { 3, 1, WAIT_TIME, RELEASE_ROLLING_BACK, true },
					 { 4, 1, WAIT_TURN, RELEASE_REQUESTED, false }),
				 limit > 3 ? 4 : 0);
}

static void test_n_turns(void **state)
{
	static const struct wanted wanted[] = {
		{ 1, 1, WAIT_STEP, RELEASE_OFFLINING, true },
		{ 2, 1, WAIT_TURN, RELEASE_REQUESTED, false },
		{ 3, 1, WAIT_SCAN, RELEASE_REQUESTED, true },
	};
	struct queue queue;

	(void)state;
	queue_init(&queue);
	assert_int_equal(queue_n_turns(&queue), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		(void)add(&queue, &wanted[i]);
	assert_int_equal(queue_n_turns(&queue), 2);
	queue_done(&queue);
}

/* Recovered ones come with the time of their request, not of their journal's name. */
static void test_listed_by_time(void **state)
{
	static const usec_t times[] = { 5, 9, 5, 1, 7, 9 };
	static const uint64_t ids[] = { 4, 1, 3, 5, 2, 6 };
	struct queue queue;
	struct entry *entry;
	size_t n = 0;

	(void)state;
	queue_init(&queue);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		(void)add(&queue, &(struct wanted){ .first_record = times[i] });
	TAILQ_FOREACH(entry, &queue.live, link) {
		assert_true(n < ARRAY_SIZE(ids));
		assert_int_equal(entry->release->id, ids[n++]);
	}
	assert_int_equal(n, ARRAY_SIZE(ids));
	queue_done(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_waits),
		cmocka_unit_test(test_by_time_of_request),
		cmocka_unit_test(test_then_by_size),
		cmocka_unit_test(test_then_by_id),
		cmocka_unit_test(test_who_waits_for_else_is_passed),
		cmocka_unit_test(test_roll_back_by_its_age),
		cmocka_unit_test(test_concurrency),
		cmocka_unit_test(test_n_turns),
		cmocka_unit_test(test_listed_by_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
