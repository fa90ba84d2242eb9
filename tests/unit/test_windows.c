/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time windows: their text both ways, when they are open and when the next one opens, over
 * midnights, weeks, and the hours that summer time takes out and puts in twice.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dcdd/policy.h>

/* Rules that need no database: central Europe, and a zone that is half an hour off. */
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define LORD_HOWE "LHT-10:30LHDT-11,M10.1.0,M4.1.0"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"

#define FOUR "01:00-02:00,01:00-02:00,01:00-02:00,01:00-02:00"

static void set_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

/* "2026-11-23 21:59:59" in UTC. */
static usec_t utc(const char *text)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);

	assert_non_null(end);
	assert_int_equal(*end, '\0');
	return (usec_t)timegm(&tm) * USEC_PER_SEC;
}

static char *utc_text(usec_t when, char buf[static 32])
{
	time_t t = (time_t)(when / USEC_PER_SEC);
	struct tm tm;

	if (when == USEC_INFINITY) {
		(void)str_copy(buf, 32, "never");
		return buf;
	}
	assert_non_null(gmtime_r(&t, &tm));
	assert_true(strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm) > 0);
	return buf;
}

static struct time_windows parse(const char *text)
{
	struct time_windows windows;

	if (time_windows_parse(text, &windows) != 0)
		fail_msg("\"%s\" is not read", text);
	return windows;
}

static void test_text(_unused_ void **state)
{
	static const struct {
		const char *text, *again; /* NULL: the same */
	} cases[] = {
		{ "", NULL },
		{ "  ", "" },
		{ "22:00-06:00", NULL },
		{ "00:00-24:00", NULL },
		{ "00:00-00:00", NULL },
		{ "23:59-00:01 UTC", NULL },
		{ "Mon 08:00-12:00", NULL },
		{ "Mon..Fri 22:00-06:00", NULL },
		{ "Mon,Tue,Wed,Thu,Fri 22:00-06:00", "Mon..Fri 22:00-06:00" },
		{ "Fri..Mon 22:00-06:00", "Mon,Fri..Sun 22:00-06:00" },
		{ "Sun..Sun 22:00-06:00", "Sun 22:00-06:00" },
		{ "Sat..Sun 01:00-02:00", "Sat,Sun 01:00-02:00" },
		{ "Sat,Mon,Sat 01:00-02:00", "Mon,Sat 01:00-02:00" },
		{ "Mon..Sun 01:00-02:00", "01:00-02:00" },
		{ "Tue..Mon 01:00-02:00", "01:00-02:00" },
		{ "Mon..Tue,Thu..Sat 01:00-02:00", "Mon,Tue,Thu..Sat 01:00-02:00" },
		{ " Mon \t 22:00-06:00 \t UTC ", "Mon 22:00-06:00 UTC" },
		{ "Mon..Fri 22:00-06:00,Sat,Sun 00:00-24:00 UTC",
		  "Mon..Fri 22:00-06:00, Sat,Sun 00:00-24:00 UTC" },
		{ FOUR "," FOUR, "01:00-02:00, 01:00-02:00, 01:00-02:00, 01:00-02:00, "
				 "01:00-02:00, 01:00-02:00, 01:00-02:00, 01:00-02:00" },
		{ "01:00-02:00, 03:00-04:00,05:00-06:00 ,07:00-08:00 UTC , 09:00-10:00",
		  "01:00-02:00, 03:00-04:00, 05:00-06:00, 07:00-08:00 UTC, 09:00-10:00" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *again = cases[i].again ? cases[i].again : cases[i].text;
		struct time_windows windows = parse(cases[i].text);
		char buf[TIME_WINDOWS_STRLEN];

		assert_string_equal(time_windows_format(&windows, buf), again);
		windows = parse(buf);
		assert_string_equal(time_windows_format(&windows, buf), again);
	}
}

static void test_bad_text(_unused_ void **state)
{
	static const char *const texts[] = {
		",",
		"Mon",
		"Mon ",
		"22:00",
		"22:00-",
		"-06:00",
		"22:00-6:00",
		"2:00-06:00",
		"22-06",
		"22:00 - 06:00",
		"22:60-06:00",
		"22:00-06:60",
		"24:00-06:00",
		"24:01-06:00",
		"22:00-24:01",
		"25:00-06:00",
		"22:00-06:00:00",
		"22:00-06:00,",
		",22:00-06:00",
		"22:00-06:00,,01:00-02:00",
		"22:00-06:00 01:00-02:00",
		"22:00-06:00UTC",
		"22:00-06:00 utc",
		"22:00-06:00 CET",
		"22:00-06:00 UTC UTC",
		"Mon22:00-06:00",
		"mon 22:00-06:00",
		"Monday 22:00-06:00",
		"Mon.Fri 22:00-06:00",
		"Mon-Fri 22:00-06:00",
		"Mon... Fri 22:00-06:00",
		"Mon.. 22:00-06:00",
		"..Fri 22:00-06:00",
		"Mon, Tue 22:00-06:00",
		"Mon,,Tue 22:00-06:00",
		"Foo 22:00-06:00",
		"+1:00-06:00",
		"1:00-2:00,1:00-2:00",
	};

	struct time_windows windows;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		windows.n = 77;

		if (time_windows_parse(texts[i], &windows) != -EINVAL)
			fail_msg("\"%s\" is read", texts[i]);
		assert_int_equal(windows.n, 77);
	}
	/* one more than there may be */
	assert_int_equal(time_windows_parse(FOUR "," FOUR ",01:00-02:00", &windows), -EINVAL);
}

/* The longest that can be printed. */
static void test_longest(_unused_ void **state)
{
	struct time_windows windows = { .n = WINDOWS_MAX };
	char buf[TIME_WINDOWS_STRLEN];
	struct time_windows again;

	for (unsigned days = 1; days < 128; days++) {
		for (unsigned i = 0; i < WINDOWS_MAX; i++)
			windows.items[i] = (struct time_window){ (uint8_t)days, true, 1380, 1439 };
		time_windows_format(&windows, buf);
		assert_true(strlen(buf) < sizeof(buf) - 1);
		again = parse(buf);
		assert_int_equal(again.n, WINDOWS_MAX);
		for (unsigned i = 0; i < WINDOWS_MAX; i++) {
			assert_int_equal(again.items[i].days, days);
			assert_int_equal(again.items[i].begin, 1380);
			assert_int_equal(again.items[i].end, 1439);
			assert_true(again.items[i].utc);
		}
	}
}

struct moment {
	const char *zone, *windows;
	const char *now;   /* UTC */
	const char *opens; /* UTC; NULL: it is open */
};

static void assert_moments(const struct moment *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct moment *c = &cases[i];
		struct time_windows windows = parse(c->windows);
		usec_t now = utc(c->now), opens = 12345;
		char buf[32];

		set_zone(c->zone);
		if (time_windows_open(&windows, now, &opens)) {
			if (c->opens)
				fail_msg("%s: \"%s\" is open at %s", c->zone, c->windows, c->now);
			assert_int_equal(opens, 12345);
			assert_true(time_windows_open(&windows, now, NULL));
			continue;
		}
		if (!c->opens || !streq(utc_text(opens, buf), c->opens))
			fail_msg("%s: \"%s\" at %s opens %s, not %s", c->zone, c->windows, c->now,
				 utc_text(opens, buf), c->opens ? c->opens : "at once");
		assert_false(time_windows_open(&windows, now, NULL));
	}
}

/* 2026-11-23 is a Monday. */
static void test_plain(_unused_ void **state)
{
	static const struct moment cases[] = {
		{ "UTC0", "", "2026-11-23 12:00:00", NULL },
		{ "UTC0", "08:00-12:00", "2026-11-23 07:59:59", "2026-11-23 08:00:00" },
		{ "UTC0", "08:00-12:00", "2026-11-23 08:00:00", NULL },
		{ "UTC0", "08:00-12:00", "2026-11-23 11:59:59", NULL },
		{ "UTC0", "08:00-12:00", "2026-11-23 12:00:00", "2026-11-24 08:00:00" },
		/* all of the day, in both ways to say it */
		{ "UTC0", "Tue 00:00-24:00", "2026-11-23 23:59:59", "2026-11-24 00:00:00" },
		{ "UTC0", "Tue 00:00-24:00", "2026-11-24 23:59:59", NULL },
		{ "UTC0", "Tue 00:00-24:00", "2026-11-25 00:00:00", "2026-12-01 00:00:00" },
		{ "UTC0", "Tue 00:00-00:00", "2026-11-24 23:59:59", NULL },
		{ "UTC0", "Tue 00:00-00:00", "2026-11-25 00:00:00", "2026-12-01 00:00:00" },
		{ "UTC0", "Tue 12:00-12:00", "2026-11-25 11:59:59", NULL },
		{ "UTC0", "Tue 12:00-12:00", "2026-11-25 12:00:00", "2026-12-01 12:00:00" },
		/* over midnight: the day is that on which it begins */
		{ "UTC0", "Mon..Fri 22:00-06:00", "2026-11-23 05:59:59", "2026-11-23 22:00:00" },
		{ "UTC0", "Mon..Fri 22:00-06:00", "2026-11-23 22:00:00", NULL },
		{ "UTC0", "Mon..Fri 22:00-06:00", "2026-11-28 05:59:59", NULL },
		{ "UTC0", "Mon..Fri 22:00-06:00", "2026-11-28 06:00:00", "2026-11-30 22:00:00" },
		{ "UTC0", "Sun 22:00-06:00", "2026-11-23 03:00:00", NULL },
		{ "UTC0", "Sun 22:00-06:00", "2026-11-24 03:00:00", "2026-11-29 22:00:00" },
		/* several */
		{ "UTC0", "Wed 01:00-02:00, Tue 23:00-23:30, Fri 00:00-24:00",
		  "2026-11-24 12:00:00", "2026-11-24 23:00:00" },
		{ "UTC0", "Wed 01:00-02:00, Tue 23:00-23:30, Fri 00:00-24:00",
		  "2026-11-24 23:30:00", "2026-11-25 01:00:00" },
		{ "UTC0", "Wed 01:00-02:00, Tue 23:00-23:30, Fri 00:00-24:00",
		  "2026-11-25 02:00:00", "2026-11-27 00:00:00" },
		/* once a week, the moment after it was */
		{ "UTC0", "Mon 12:00-12:01", "2026-11-23 12:01:00", "2026-11-30 12:00:00" },
		/* another zone, and UTC in it */
		{ BERLIN, "22:00-06:00", "2026-11-23 20:59:59", "2026-11-23 21:00:00" },
		{ BERLIN, "22:00-06:00", "2026-11-24 04:59:59", NULL },
		{ BERLIN, "22:00-06:00", "2026-11-24 05:00:00", "2026-11-24 21:00:00" },
		{ BERLIN, "22:00-06:00 UTC", "2026-11-23 21:59:59", "2026-11-23 22:00:00" },
		{ BERLIN, "Tue 00:00-01:00", "2026-11-23 23:00:00", NULL },
		{ BERLIN, "Tue 00:00-01:00 UTC", "2026-11-23 23:00:00", "2026-11-24 00:00:00" },
		{ NEW_YORK, "Mon 23:00-24:00", "2026-11-24 04:00:00", NULL },
		{ NEW_YORK, "Mon 23:00-24:00", "2026-11-24 05:00:00", "2026-12-01 04:00:00" },
		/* the beginning of time, in a zone where it is still the year before */
		{ NEW_YORK, "Wed 20:00-21:00", "1970-01-01 01:30:00", NULL },
		{ NEW_YORK, "Thu 20:00-21:00", "1970-01-01 02:00:00", "1970-01-02 01:00:00" },
	};

	assert_moments(cases, ARRAY_SIZE(cases));
}

/* Berlin leaves out 02:00-03:00 on 2026-03-29 (at 01:00 UTC). */
static void test_left_out(_unused_ void **state)
{
	static const struct moment cases[] = {
		{ BERLIN, "01:00-04:00", "2026-03-29 00:59:59", NULL },
		{ BERLIN, "01:00-04:00", "2026-03-29 01:00:00", NULL },
		{ BERLIN, "01:00-04:00", "2026-03-29 01:59:59", NULL },
		{ BERLIN, "01:00-04:00", "2026-03-29 02:00:00", "2026-03-29 23:00:00" },
		/* begins in it: open as soon as the clock shows more */
		{ BERLIN, "02:30-05:00", "2026-03-29 00:59:59", "2026-03-29 01:00:00" },
		{ BERLIN, "02:30-05:00", "2026-03-29 01:00:00", NULL },
		/* lies in it: not on that day */
		{ BERLIN, "02:10-02:50", "2026-03-28 12:00:00", "2026-03-30 00:10:00" },
		{ BERLIN, "Sun 02:10-02:50", "2026-03-28 12:00:00", "2026-04-05 00:10:00" },
		/* ends in it */
		{ BERLIN, "01:00-02:30", "2026-03-29 00:59:59", NULL },
		{ BERLIN, "01:00-02:30", "2026-03-29 01:00:00", "2026-03-29 23:00:00" },
		/* from the day before into it */
		{ BERLIN, "Sat 22:00-02:30", "2026-03-29 00:59:59", NULL },
		{ BERLIN, "Sat 22:00-02:30", "2026-03-29 01:00:00", "2026-04-04 20:00:00" },
		/* behind it, seen from far before: its offset is the new one */
		{ BERLIN, "Wed 12:00-13:00", "2026-03-26 12:00:00", "2026-04-01 10:00:00" },
		/* UTC does not care */
		{ BERLIN, "01:30-02:30 UTC", "2026-03-29 01:00:00", "2026-03-29 01:30:00" },
		/* half an hour: 02:00-02:30 on 2026-10-04 (2026-10-03 15:30 UTC) */
		{ LORD_HOWE, "02:10-02:20", "2026-10-03 15:00:00", "2026-10-04 15:10:00" },
		{ LORD_HOWE, "02:15-02:45", "2026-10-03 15:00:00", "2026-10-03 15:30:00" },
	};

	assert_moments(cases, ARRAY_SIZE(cases));
}

/* In Berlin 02:00-03:00 comes twice on 2026-10-25 (from 00:00 and from 01:00 UTC). */
static void test_twice(_unused_ void **state)
{
	static const struct moment cases[] = {
		{ BERLIN, "02:10-02:50", "2026-10-25 00:09:59", "2026-10-25 00:10:00" },
		{ BERLIN, "02:10-02:50", "2026-10-25 00:49:59", NULL },
		{ BERLIN, "02:10-02:50", "2026-10-25 00:50:00", "2026-10-25 01:10:00" },
		{ BERLIN, "02:10-02:50", "2026-10-25 01:10:00", NULL },
		{ BERLIN, "02:10-02:50", "2026-10-25 01:50:00", "2026-10-26 01:10:00" },
		/* over all of it: one long night */
		{ BERLIN, "22:00-06:00", "2026-10-25 00:30:00", NULL },
		{ BERLIN, "22:00-06:00", "2026-10-25 01:30:00", NULL },
		{ BERLIN, "22:00-06:00", "2026-10-25 04:59:59", NULL },
		{ BERLIN, "22:00-06:00", "2026-10-25 05:00:00", "2026-10-25 21:00:00" },
		/* closed at 02:30 the first time; the clock is then put back before that */
		{ BERLIN, "Sun 01:00-02:30", "2026-10-25 00:30:00", "2026-10-25 01:00:00" },
		{ BERLIN, "Sun 01:00-02:30", "2026-10-25 01:29:59", NULL },
		{ BERLIN, "Sun 01:00-02:30", "2026-10-25 01:30:00", "2026-11-01 00:00:00" },
		/* behind it, seen from far before */
		{ BERLIN, "Wed 12:00-13:00", "2026-10-22 12:00:00", "2026-10-28 11:00:00" },
		/* on the last day of the search, behind a change: a week and an hour */
		{ BERLIN, "Sat 23:00-24:00", "2026-10-24 22:00:00", "2026-10-31 22:00:00" },
	};

	assert_moments(cases, ARRAY_SIZE(cases));
}

static uint64_t random_u64(uint64_t *state)
{
	/* xorshift64*: the same sequence on every machine. */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

/* The definition, by the library's own calendar. */
static bool naive_open(const struct time_windows *windows, usec_t when)
{
	time_t t = (time_t)(when / USEC_PER_SEC);

	if (windows->n == 0)
		return true;
	for (unsigned i = 0; i < windows->n; i++) {
		const struct time_window *w = &windows->items[i];
		int minute, today, yesterday;
		struct tm tm;

		assert_non_null(w->utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm));
		minute = tm.tm_hour * 60 + tm.tm_min;
		today = (tm.tm_wday + 6) % 7;
		yesterday = (tm.tm_wday + 5) % 7;
		if (w->end > w->begin) {
			if (w->days >> today & 1 && minute >= w->begin && minute < w->end)
				return true;
		} else if ((w->days >> today & 1 && minute >= w->begin) ||
			   (w->days >> yesterday & 1 && minute < w->end)) {
			return true;
		}
	}
	return false;
}

/* What it says is open is; and nothing between now and what it says opens next is. */
static void test_random(_unused_ void **state)
{
	static const char *const zones[] = { "UTC0", BERLIN, LORD_HOWE, NEW_YORK };
	uint64_t seed = 20261122;
	unsigned found = 0;

	for (int round = 0; round < 400; round++) {
		struct time_windows windows = { .n = 1 + random_u64(&seed) % 3 };
		usec_t begin, opens = 0, minute;

		set_zone(zones[random_u64(&seed) % ARRAY_SIZE(zones)]);
		for (unsigned i = 0; i < windows.n; i++)
			windows.items[i] = (struct time_window){
				.days = (uint8_t)(1 + random_u64(&seed) % 127),
				.utc = random_u64(&seed) % 4 == 0,
				.begin = (uint16_t)(random_u64(&seed) % 1440),
				.end = (uint16_t)(random_u64(&seed) % 1441),
			};
		/* Around the changes of spring and autumn. */
		begin = utc(round & 1 ? "2026-03-02 00:00:00" : "2026-09-28 00:00:00") +
			random_u64(&seed) % (60 * 86400) * USEC_PER_SEC;
		if (time_windows_open(&windows, begin, &opens) != naive_open(&windows, begin))
			fail_msg("round %d", round);
		if (naive_open(&windows, begin))
			continue;
		minute = begin / USEC_PER_MIN * USEC_PER_MIN + USEC_PER_MIN;
		while (!naive_open(&windows, minute))
			minute += USEC_PER_MIN;
		if (opens != minute)
			fail_msg("round %d: %" PRIu64 " is not %" PRIu64, round, opens, minute);
		found++;
	}
	assert_true(found > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	 cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_longest),	 cmocka_unit_test(test_plain),
		cmocka_unit_test(test_left_out), cmocka_unit_test(test_twice),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
