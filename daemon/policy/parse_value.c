/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes, times and percentages: text to number and back, in whole numbers. */
#include <inttypes.h>
#include <limits.h>

#include "parse_value.h"

struct unit {
	const char *suffix;
	uint64_t factor;
};

/* Largest first, for printing. */
static const struct unit size_units[] = {
	{ "T", UINT64_C(1) << 40 }, { "G", GiB }, { "M", MiB }, { "K", KiB }, { "", 1 },
};

static const struct unit time_units[] = {
	{ "h", USEC_PER_HOUR },
	{ "min", USEC_PER_MIN },
	{ "s", USEC_PER_SEC },
	{ "ms", USEC_PER_MSEC },
	{ "us", 1 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The digits *@s begins with; moves *@s behind them. */
static int take_digits(const char **s, uint64_t *ret)
{
	const char *p = *s;
	uint64_t value = 0;

	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	*s = p;
	*ret = value;
	return 0;
}

static int parse_with_unit(const char *s, const struct unit *units, size_t n_units, uint64_t *ret)
{
	uint64_t value;
	int r;

	r = take_digits(&s, &value);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n_units; i++)
		if (streq(s, units[i].suffix)) {
			if (__builtin_mul_overflow(value, units[i].factor, &value))
				return -ERANGE;
			*ret = value;
			return 0;
		}
	return -EINVAL;
}

int parse_count(const char *s, uint64_t *ret)
{
	uint64_t value;
	int r;

	r = take_digits(&s, &value);
	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	*ret = value;
	return 0;
}

int parse_size(const char *s, uint64_t *ret)
{
	return parse_with_unit(s, size_units, ARRAY_SIZE(size_units), ret);
}

int parse_time(const char *s, usec_t *ret)
{
	if (streq(s, "0")) {
		*ret = 0;
		return 0;
	}
	return parse_with_unit(s, time_units, ARRAY_SIZE(time_units), ret);
}

int parse_wait(const char *s, usec_t *ret)
{
	if (streq(s, "infinity")) {
		*ret = USEC_INFINITY;
		return 0;
	}
	return parse_time(s, ret);
}

int parse_permyriad(const char *s, unsigned *ret)
{
	uint64_t value;
	int r;

	r = take_digits(&s, &value);
	if (r < 0)
		return r;
	if (value > UINT_MAX / 100 - 1)
		return -ERANGE;
	value *= 100;
	if (*s == '.') {
		s++;
		if (!is_digit(*s))
			return -EINVAL;
		value += (uint64_t)(*s++ - '0') * 10;
		if (is_digit(*s))
			value += (uint64_t)(*s++ - '0');
	}
	if (!streq(s, "%"))
		return -EINVAL;
	*ret = (unsigned)value;
	return 0;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int parse_serial(const char *s, uint64_t *ret)
{
	const char *p = startswith(s, "0x");
	uint64_t value = 0;

	if (!p)
		return parse_count(s, ret);
	if (!*p)
		return -EINVAL;
	for (; *p; p++) {
		if (hex_digit(*p) < 0)
			return -EINVAL;
		if (__builtin_mul_overflow(value, 16, &value))
			return -ERANGE;
		value += (uint64_t)hex_digit(*p);
	}
	*ret = value;
	return 0;
}

static char *format_with_unit(uint64_t value, const struct unit *units, size_t n_units, char *buf)
{
	size_t i = 0;

	/* The last unit has the factor 1 and takes anything. */
	while (i < n_units - 1 && (value == 0 || value % units[i].factor))
		i++;
	(void)snprintf(buf, VALUE_STRLEN, "%" PRIu64 "%s", value / units[i].factor,
		       value ? units[i].suffix : "");
	return buf;
}

char *format_size(uint64_t bytes, char buf[static VALUE_STRLEN])
{
	return format_with_unit(bytes, size_units, ARRAY_SIZE(size_units), buf);
}

char *format_time(usec_t usec, char buf[static VALUE_STRLEN])
{
	return format_with_unit(usec, time_units, ARRAY_SIZE(time_units), buf);
}

char *format_wait(usec_t usec, char buf[static VALUE_STRLEN])
{
	if (usec != USEC_INFINITY)
		return format_time(usec, buf);
	(void)str_copy(buf, VALUE_STRLEN, "infinity");
	return buf;
}

char *format_permyriad(unsigned permyriad, char buf[static VALUE_STRLEN])
{
	unsigned whole = permyriad / 100, rest = permyriad % 100;

	if (rest == 0)
		(void)snprintf(buf, VALUE_STRLEN, "%u%%", whole);
	else if (rest % 10 == 0)
		(void)snprintf(buf, VALUE_STRLEN, "%u.%u%%", whole, rest / 10);
	else
		(void)snprintf(buf, VALUE_STRLEN, "%u.%02u%%", whole, rest);
	return buf;
}

char *format_size_short(uint64_t bytes, char buf[static VALUE_STRLEN])
{
	size_t i = 0;
	uint64_t whole, tenths;

	while (i < ARRAY_SIZE(size_units) - 1 && bytes < size_units[i].factor)
		i++;
	whole = bytes / size_units[i].factor;
	/* factor <= 1T, so the product fits. */
	tenths = bytes % size_units[i].factor * 10 / size_units[i].factor;
	if (tenths)
		(void)snprintf(buf, VALUE_STRLEN, "%" PRIu64 ".%" PRIu64 "%s", whole, tenths,
			       size_units[i].suffix);
	else
		(void)snprintf(buf, VALUE_STRLEN, "%" PRIu64 "%s", whole, size_units[i].suffix);
	return buf;
}
