/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time windows. One is open whenever the clock on the wall shows a time in it: an hour that comes
 * twice, when summer time ends, is in it twice, and one that is left out never is. So a moment is
 * looked at through the offset of local time from UTC that holds then, and nothing is asked of
 * mktime(3), which has no answer for such hours.
 */
#include <dcdd/policy.h>

#define MINUTES_PER_DAY 1440
#define SEC_PER_MIN INT64_C(60)
#define SEC_PER_DAY INT64_C(86400)
/* Two weeks: the next day of the week may be one on which the clock leaves the window out. */
#define SEARCH_DAYS 15
#define ALL_DAYS 0x7f

static const char *const day_names[7] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };

/* ---- text ---- */

static void skip_blanks(const char **s)
{
	while (**s == ' ' || **s == '\t')
		(*s)++;
}

static bool take(const char **s, const char *what)
{
	const char *rest = startswith(*s, what);

	if (rest)
		*s = rest;
	return rest;
}

static int take_day(const char **s, unsigned *ret)
{
	for (unsigned day = 0; day < ARRAY_SIZE(day_names); day++)
		if (take(s, day_names[day])) {
			*ret = day;
			return 0;
		}
	return -EINVAL;
}

/* "Mon..Fri,Sun"; "Fri..Mon" goes over the end of the week. */
static int take_days(const char **s, uint8_t *ret)
{
	uint8_t days = 0;

	do {
		unsigned first, last;

		if (take_day(s, &first) < 0)
			return -EINVAL;
		last = first;
		if (take(s, "..") && take_day(s, &last) < 0)
			return -EINVAL;
		for (unsigned day = first;; day = (day + 1) % 7) {
			days |= (uint8_t)(1U << day);
			if (day == last)
				break;
		}
	} while (take(s, ","));
	*ret = days;
	return 0;
}

/* Two digits. */
static int take_number(const char **s, unsigned *ret)
{
	const char *p = *s;

	for (int i = 0; i < 2; i++)
		if (p[i] < '0' || p[i] > '9')
			return -EINVAL;
	*ret = (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
	*s += 2;
	return 0;
}

/* "22:00", minutes of the day; 24:00 is the end of it. */
static int take_time(const char **s, uint16_t *ret)
{
	unsigned hour, minute, minutes;

	if (take_number(s, &hour) < 0 || !take(s, ":") || take_number(s, &minute) < 0)
		return -EINVAL;
	minutes = hour * 60 + minute;
	if (minute > 59 || minutes > MINUTES_PER_DAY)
		return -EINVAL;
	*ret = (uint16_t)minutes;
	return 0;
}

static int take_window(const char **s, struct time_window *ret)
{
	struct time_window window = { .days = ALL_DAYS };
	const char *after;

	skip_blanks(s);
	if (**s < '0' || **s > '9') {
		if (take_days(s, &window.days) < 0 || (**s != ' ' && **s != '\t'))
			return -EINVAL;
		skip_blanks(s);
	}
	if (take_time(s, &window.begin) < 0 || !take(s, "-") || take_time(s, &window.end) < 0 ||
	    window.begin == MINUTES_PER_DAY)
		return -EINVAL;
	after = *s;
	skip_blanks(s);
	if (*s != after)
		window.utc = take(s, "UTC");
	skip_blanks(s);
	*ret = window;
	return 0;
}

int time_windows_parse(const char *s, struct time_windows *ret)
{
	struct time_windows windows = { .n = 0 };

	skip_blanks(&s);
	while (*s || windows.n) {
		if (windows.n == WINDOWS_MAX || take_window(&s, &windows.items[windows.n++]) < 0)
			return -EINVAL;
		if (!*s)
			break;
		if (!take(&s, ","))
			return -EINVAL;
	}
	*ret = windows;
	return 0;
}

/* Runs of three and more as a range. Empty for all days. */
static size_t format_days(uint8_t days, char *buf, size_t size)
{
	size_t n = 0;

	if ((days & ALL_DAYS) == ALL_DAYS)
		return 0;
	for (unsigned day = 0; day < 7; day++) {
		unsigned last = day;

		if (!(days & 1U << day))
			continue;
		while (last + 1 < 7 && days & 1U << (last + 1))
			last++;
		if (last < day + 2)
			last = day;
		n += (size_t)snprintf(buf + n, size - n, "%s%s%s%s", n ? "," : "", day_names[day],
				      last > day ? ".." : "", last > day ? day_names[last] : "");
		day = last;
	}
	n += (size_t)snprintf(buf + n, size - n, " ");
	return n;
}

char *time_windows_format(const struct time_windows *windows, char buf[static TIME_WINDOWS_STRLEN])
{
	const size_t size = TIME_WINDOWS_STRLEN;
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < windows->n && i < WINDOWS_MAX; i++) {
		const struct time_window *w = &windows->items[i];

		if (i)
			n += (size_t)snprintf(buf + n, size - n, ", ");
		n += format_days(w->days, buf + n, size - n);
		n += (size_t)snprintf(buf + n, size - n, "%02d:%02d-%02d:%02d%s", w->begin / 60,
				      w->begin % 60, w->end / 60, w->end % 60,
				      w->utc ? " UTC" : "");
	}
	return buf;
}

/* ---- time ---- */

/* Seconds that the clock on the wall is ahead of UTC at @t. */
static int64_t offset_at(int64_t t, bool utc)
{
	time_t when = (time_t)t;
	struct tm tm;

	/* Fails only for years beyond what an int holds. */
	if (utc || !localtime_r(&when, &tm))
		return 0;
	return tm.tm_gmtoff;
}

/* What the clock on the wall shows at @t: the day of the week, and the second of the day. */
static unsigned wall_time(int64_t t, int64_t offset, int64_t *ret_second)
{
	int64_t wall = t + offset, day = wall / SEC_PER_DAY;

	if (wall % SEC_PER_DAY < 0)
		day--;
	*ret_second = wall - day * SEC_PER_DAY;
	/* 1970-01-01 was a Thursday. */
	return (unsigned)(((day + 3) % 7 + 7) % 7);
}

static bool on_day(const struct time_window *window, unsigned day)
{
	return window->days & 1U << day;
}

static bool window_open(const struct time_window *window, int64_t t)
{
	int64_t begin = window->begin * SEC_PER_MIN, end = window->end * SEC_PER_MIN, second;
	unsigned day = wall_time(t, offset_at(t, window->utc), &second);

	if (window->begin < window->end)
		return on_day(window, day) && second >= begin && second < end;
	/* Since today, or since yesterday. */
	return (on_day(window, day) && second >= begin) ||
	       (on_day(window, (day + 6) % 7) && second < end);
}

/* Seconds from @t until the window opens, if the clock on the wall is left to itself. */
static int64_t until_begin(const struct time_window *window, int64_t t, int64_t offset)
{
	int64_t second;
	unsigned day = wall_time(t, offset, &second);

	for (unsigned i = 0; i <= 7; i++) {
		int64_t wait = i * SEC_PER_DAY + window->begin * SEC_PER_MIN - second;

		if (wait > 0 && on_day(window, (day + i) % 7))
			return wait;
	}
	return INT64_MAX; /* on no day */
}

/* The first moment after @low that has not its offset; @high is such a one. */
static int64_t find_change(int64_t low, int64_t high)
{
	int64_t offset = offset_at(low, false);

	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (offset_at(middle, false) == offset)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/*
 * When a window that is closed at @t opens, INT64_MAX if not within SEARCH_DAYS. Goes day by day,
 * since the offset does not change twice in one, and from each change on looks anew: the clock may
 * have been moved into the window.
 */
static int64_t next_opening(const struct time_window *window, int64_t t)
{
	const int64_t end = t + SEARCH_DAYS * SEC_PER_DAY;

	while (t < end) {
		int64_t offset = offset_at(t, window->utc);
		int64_t wait = until_begin(window, t, offset);
		int64_t next = t + MIN(wait, SEC_PER_DAY);

		if (offset_at(next, window->utc) != offset) {
			t = find_change(t, next);
			if (window_open(window, t))
				return t;
		} else if (wait <= SEC_PER_DAY) {
			return next;
		} else {
			t = next;
		}
	}
	return INT64_MAX;
}

bool time_windows_open(const struct time_windows *windows, usec_t realtime, usec_t *ret_opens)
{
	int64_t t = (int64_t)(realtime / USEC_PER_SEC), opens = INT64_MAX;

	if (windows->n == 0)
		return true;
	for (unsigned i = 0; i < windows->n; i++)
		if (window_open(&windows->items[i], t))
			return true;
	if (!ret_opens)
		return false;
	for (unsigned i = 0; i < windows->n; i++) {
		int64_t next = next_opening(&windows->items[i], t);

		opens = MIN(opens, next);
	}
	*ret_opens = opens == INT64_MAX ? USEC_INFINITY : (usec_t)opens * USEC_PER_SEC;
	return false;
}
