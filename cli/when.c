/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Points in time as people type them: strictly, since a wrong one frees memory at the wrong time.
 */
#include "when.h"

/* The latest second taken: the year 9999 has not begun in any zone. */
#define SECONDS_MAX INT64_C(253370678400)

/* Takes @n digits from *@s and what stands behind them, if that is @behind (0: nothing is). */
static int take_number(const char **s, unsigned n, char behind, int *ret)
{
	int number = 0;

	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return -EINVAL;
		number = number * 10 + (**s - '0');
	}
	if (behind && *(*s)++ != behind)
		return -EINVAL;
	*ret = number;
	return 0;
}

static int take_date(const char **s, struct tm *tm)
{
	int r = take_number(s, 4, '-', &tm->tm_year);

	if (r >= 0)
		r = take_number(s, 2, '-', &tm->tm_mon);
	if (r >= 0)
		r = take_number(s, 2, 0, &tm->tm_mday);
	if (r < 0)
		return r;
	if (tm->tm_year < 1970 || tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 ||
	    tm->tm_mday > 31)
		return -ERANGE;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return 0;
}

static int take_clock(const char **s, struct tm *tm)
{
	int r = take_number(s, 2, ':', &tm->tm_hour);

	if (r >= 0)
		r = take_number(s, 2, 0, &tm->tm_min);
	if (r >= 0 && **s == ':') {
		(*s)++;
		r = take_number(s, 2, 0, &tm->tm_sec);
	}
	if (r < 0)
		return r;
	return tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 59 ? -ERANGE : 0;
}

/* A day that its month does not have, or an hour that summer time leaves out, is no time. */
static int to_usec(const struct tm *tm, bool utc, usec_t *ret)
{
	struct tm copy = *tm;
	time_t t;

	copy.tm_isdst = -1;
	t = utc ? timegm(&copy) : mktime(&copy);
	if (copy.tm_mday != tm->tm_mday || copy.tm_hour != tm->tm_hour ||
	    copy.tm_min != tm->tm_min || t < 0 || t >= SECONDS_MAX)
		return -ERANGE;
	*ret = (usec_t)t * USEC_PER_SEC;
	return 0;
}

/* Takes "Mon" to "Sun" and returns its tm_wday, -1: that is no day. */
static int take_weekday(const char **s)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

	for (int i = 0; i < (int)ARRAY_SIZE(days); i++) {
		const char *rest = startswith(*s, days[i]);

		if (rest && (!*rest || *rest == ' ')) {
			*s = rest;
			return i;
		}
	}
	return -1;
}

/* The day of @now, or one after it; it has the clock's time of @tm. Returns its tm_wday. */
static int set_day(struct tm *tm, usec_t now, bool utc, int days)
{
	time_t seconds = (time_t)(now / USEC_PER_SEC);
	struct tm day;

	if (!(utc ? gmtime_r(&seconds, &day) : localtime_r(&seconds, &day)))
		return -ERANGE;
	/* Noon is on every day; the month's end is not our business. */
	day.tm_mday += days;
	day.tm_hour = 12;
	day.tm_min = day.tm_sec = 0;
	day.tm_isdst = -1;
	if ((utc ? timegm(&day) : mktime(&day)) < 0)
		return -ERANGE;
	tm->tm_year = day.tm_year;
	tm->tm_mon = day.tm_mon;
	tm->tm_mday = day.tm_mday;
	return day.tm_wday;
}

/* The next time that it is so late, on a @weekday if that is not -1. */
static int next_clock(struct tm *tm, int weekday, usec_t now, bool utc, usec_t *ret)
{
	/* Beyond a week, for an hour that summer time leaves out. */
	for (int days = 0; days <= 14; days++) {
		int r = set_day(tm, now, utc, days);

		if (r < 0)
			return r;
		if (weekday >= 0 && r != weekday)
			continue;
		if (to_usec(tm, utc, ret) >= 0 && *ret > now)
			return 0;
	}
	return -ERANGE;
}

static int parse_seconds(const char *s, usec_t *ret)
{
	int64_t seconds = 0;

	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		seconds = seconds * 10 + (*s - '0');
		if (seconds >= SECONDS_MAX)
			return -ERANGE;
	}
	*ret = (usec_t)seconds * USEC_PER_SEC;
	return 0;
}

int when_parse(const char *s, usec_t now, usec_t *ret)
{
	struct tm tm = { 0 };
	bool dated, utc;
	usec_t when = 0;
	int weekday, r = 0;

	if (*s == '@')
		return parse_seconds(s + 1, ret);
	weekday = take_weekday(&s);
	dated = weekday < 0 && strlen(s) > 4 && s[4] == '-';
	if (dated)
		r = take_date(&s, &tm);
	if (r >= 0 && (dated || weekday >= 0)) {
		/* Without one it is midnight. */
		if (*s == ' ' && s[1] >= '0' && s[1] <= '9') {
			s++;
			r = take_clock(&s, &tm);
		}
	} else if (r >= 0) {
		r = take_clock(&s, &tm);
	}
	if (r < 0)
		return r;
	utc = streq(s, " UTC");
	if (*s && !utc)
		return -EINVAL;
	r = dated ? to_usec(&tm, utc, &when) : next_clock(&tm, weekday, now, utc, &when);
	if (r >= 0)
		*ret = when;
	return r;
}

char *when_format(usec_t realtime, char buf[static WHEN_STRLEN])
{
	time_t seconds = (time_t)(realtime / USEC_PER_SEC);
	struct tm tm;

	if (realtime / USEC_PER_SEC >= SECONDS_MAX || !localtime_r(&seconds, &tm) ||
	    strftime(buf, WHEN_STRLEN, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(buf, WHEN_STRLEN, "never");
	return buf;
}
