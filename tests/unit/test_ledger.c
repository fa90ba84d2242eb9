/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ledger forgets after an hour, stays bounded, and never tells less than was freed. */
#include "tree.h"

#include "release/ledger.h"

#define START (10 * USEC_PER_HOUR)

static uint64_t sum(const struct ledger *ledger, const char *memdev)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < ledger->n; i++)
		if (!memdev || streq(ledger->entries[i].memdev, memdev))
			bytes += ledger->entries[i].bytes;
	return bytes;
}

/* Groups. */
static uint64_t count(const struct ledger *ledger, const char *memdev)
{
	uint64_t groups = 0;

	for (size_t i = 0; i < ledger->n; i++)
		if (!memdev || streq(ledger->entries[i].memdev, memdev))
			groups += 1 + (uint64_t)ledger->entries[i].more;
	return groups;
}

static void assert_sorted(const struct ledger *ledger)
{
	for (size_t i = 1; i < ledger->n; i++)
		assert_true(ledger->entries[i - 1].when <= ledger->entries[i].when);
}

static void test_hour(void **state)
{
	struct ledger ledger = { 0 };

	(void)state;
	ledger_prune(&ledger, START); /* of nothing */
	assert_int_equal(ledger_add(&ledger, START, "mem0", GiB), 0);
	assert_int_equal(ledger_add(&ledger, START + USEC_PER_MIN, "mem1", 2 * GiB), 0);
	assert_int_equal(ledger_add(&ledger, START + USEC_PER_MIN, "mem0", 4 * GiB), 0);
	assert_int_equal(ledger.n, 3);
	assert_int_equal(ledger.entries[0].when, START);
	assert_string_equal(ledger.entries[1].memdev, "mem1");
	assert_int_equal(ledger.entries[2].bytes, 4 * GiB);

	ledger_prune(&ledger, START + LEDGER_PERIOD - 1);
	assert_int_equal(ledger.n, 3);
	ledger_prune(&ledger, START + LEDGER_PERIOD);
	assert_int_equal(ledger.n, 2);
	assert_string_equal(ledger.entries[0].memdev, "mem1");
	assert_int_equal(sum(&ledger, "mem0"), 4 * GiB);
	ledger_prune(&ledger, START + USEC_PER_MIN + LEDGER_PERIOD);
	assert_int_equal(ledger.n, 0);
	ledger_prune(&ledger, USEC_INFINITY);
	ledger_done(&ledger);
	assert_int_equal(ledger.n, 0);
	assert_null(ledger.entries);
	ledger_done(&ledger);
}

/* What is long over makes room before anything is put together. */
static void test_adding_prunes(void **state)
{
	struct ledger ledger = { 0 };

	(void)state;
	for (unsigned i = 0; i < LEDGER_MAX; i++)
		assert_int_equal(ledger_add(&ledger, START, "mem0", GiB), 0);
	assert_int_equal(ledger.n, LEDGER_MAX);
	assert_int_equal(ledger_add(&ledger, START + LEDGER_PERIOD, "mem0", MiB), 0);
	assert_int_equal(ledger.n, 1);
	assert_int_equal(ledger.entries[0].bytes, MiB);
	ledger_done(&ledger);
}

/* The two oldest of one memdev become one that is as young as the younger. */
static void test_full(void **state)
{
	struct ledger ledger = { 0 };

	(void)state;
	assert_int_equal(ledger_add(&ledger, START, "single", GiB), 0);
	for (unsigned i = 1; i < LEDGER_MAX; i++)
		assert_int_equal(ledger_add(&ledger, START + i, i % 2 ? "odd" : "even", i), 0);
	assert_int_equal(ledger.n, LEDGER_MAX);

	assert_int_equal(ledger_add(&ledger, START + LEDGER_MAX, "new", 5), 0);
	assert_int_equal(ledger.n, LEDGER_MAX);
	assert_sorted(&ledger);
	assert_string_equal(ledger.entries[0].memdev, "single");
	assert_string_equal(ledger.entries[1].memdev, "even");
	assert_int_equal(ledger.entries[1].when, START + 2);
	assert_int_equal(ledger.entries[1].bytes, 2);
	assert_string_equal(ledger.entries[2].memdev, "odd");
	assert_int_equal(ledger.entries[2].when, START + 3);
	assert_int_equal(ledger.entries[2].bytes, 1 + 3);
	assert_int_equal(ledger.entries[1].more, 0);
	assert_int_equal(ledger.entries[2].more, 1);
	assert_int_equal(count(&ledger, NULL), LEDGER_MAX + 1);
	assert_string_equal(ledger.entries[LEDGER_MAX - 1].memdev, "new");
	assert_int_equal(ledger.entries[LEDGER_MAX - 1].when, START + LEDGER_MAX);
	ledger_done(&ledger);
}

/* As many memdevs as there is room: the sum of all is kept. */
static void test_full_of_memdevs(void **state)
{
	struct ledger ledger = { 0 };
	char name[DEV_NAME_MAX];

	(void)state;
	for (unsigned i = 0; i < LEDGER_MAX + 10; i++) {
		(void)snprintf(name, sizeof(name), "mem%u", i);
		assert_int_equal(ledger_add(&ledger, START + i, name, GiB), 0);
	}
	assert_int_equal(ledger.n, LEDGER_MAX);
	assert_true(sum(&ledger, NULL) == (LEDGER_MAX + 10) * GiB);
	assert_int_equal(count(&ledger, NULL), LEDGER_MAX + 10);
	assert_string_equal(ledger.entries[0].memdev, "mem10");
	assert_sorted(&ledger);
	ledger_done(&ledger);
}

static void test_sum_does_not_wrap(void **state)
{
	struct ledger ledger = { 0 };

	(void)state;
	for (unsigned i = 0; i < LEDGER_MAX + 1; i++)
		assert_int_equal(ledger_add(&ledger, START + i, "mem0", UINT64_MAX / 2 + 1), 0);
	assert_true(ledger.entries[0].bytes == UINT64_MAX);
	ledger.entries[0].more = UINT_MAX - 1;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ledger_add(&ledger, START + LEDGER_MAX + 1, "mem0", 1), 0);
		assert_int_equal(ledger.entries[0].more, UINT_MAX);
	}
	ledger_done(&ledger);
}

static void test_long_name(void **state)
{
	char name[2 * DEV_NAME_MAX];
	struct ledger ledger = { 0 };

	(void)state;
	memset(name, 'm', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(ledger_add(&ledger, START, name, 1), 0);
	assert_int_equal(strlen(ledger.entries[0].memdev), DEV_NAME_MAX - 1);
	ledger_done(&ledger);
}

/* Against a list without bounds: at any time, no sum of the last hour is less than it was. */
static void test_never_less(void **state)
{
	enum { ADDS = 20000, MEMDEVS = 5 };
	static const char *const memdevs[MEMDEVS] = { "mem0", "mem1", "mem2", "mem3", "mem10" };
	static struct freed all[ADDS];
	struct ledger ledger = { 0 };
	usec_t now = START;
	size_t first = 0;
	bool joined = false;

	(void)state;
	srandom(1);
	for (size_t n = 0; n < ADDS; n++) {
		uint64_t truth[MEMDEVS] = { 0 }, groups[MEMDEVS] = { 0 }, total = 0;
		size_t n_true = 0;

		/* Sometimes dense enough to be full, sometimes not. */
		now += (usec_t)random() % (n % 8000 < 5000 ? 2 * USEC_PER_SEC : 20 * USEC_PER_SEC);
		all[n] = (struct freed){ .when = now, .bytes = (uint64_t)random() };
		(void)str_copy(all[n].memdev, sizeof(all[n].memdev),
			       memdevs[random() % (random() % MEMDEVS + 1)]);
		assert_int_equal(ledger_add(&ledger, now, all[n].memdev, all[n].bytes), 0);
		assert_true(ledger.n <= LEDGER_MAX);
		if (n % 16)
			continue;

		while (all[first].when + LEDGER_PERIOD <= now)
			first++;
		for (size_t i = first; i <= n; i++) {
			n_true++;
			total += all[i].bytes;
			for (unsigned k = 0; k < MEMDEVS; k++)
				if (streq(all[i].memdev, memdevs[k])) {
					truth[k] += all[i].bytes;
					groups[k]++;
				}
		}
		for (unsigned k = 0; k < MEMDEVS; k++) {
			assert_true(sum(&ledger, memdevs[k]) >= truth[k]);
			assert_true(count(&ledger, memdevs[k]) >= groups[k]);
		}
		assert_true(sum(&ledger, NULL) >= total);
		assert_true(count(&ledger, NULL) >= n_true);
		assert_true(ledger.n >= MIN(n_true, (size_t)LEDGER_MAX - MEMDEVS));
		/* And no more, as long as nothing had to be put together. */
		joined = joined || n_true > LEDGER_MAX;
		if (!joined) {
			assert_true(sum(&ledger, NULL) == total);
			assert_true(count(&ledger, NULL) == n_true);
		}
		assert_sorted(&ledger);
	}
	assert_true(joined);
	ledger_done(&ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hour),
		cmocka_unit_test(test_adding_prunes),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_full_of_memdevs),
		cmocka_unit_test(test_sum_does_not_wrap),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_never_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
