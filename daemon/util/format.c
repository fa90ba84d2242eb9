/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes and durations for people. */
#include "format.h"

char *format_bytes(uint64_t bytes, char buf[static FORMAT_BYTES_STRLEN])
{
	static const char units[] = "BKMGTPE";
	unsigned shift = 0, tenths;
	size_t i = 0;

	while (i + 2 < sizeof(units) && bytes >> shift >= 1024) {
		shift += 10;
		i++;
	}
	/* The ten highest of the lower bits are enough for one digit, and cannot overflow. */
	tenths = shift ? (unsigned)(bytes >> (shift - 10) & 1023) * 10 / 1024 : 0;
	if (tenths)
		(void)snprintf(buf, FORMAT_BYTES_STRLEN, "%u.%u%c", (unsigned)(bytes >> shift),
			       tenths, units[i]);
	else
		(void)snprintf(buf, FORMAT_BYTES_STRLEN, "%u%c", (unsigned)(bytes >> shift),
			       units[i]);
	return buf;
}

char *format_duration(usec_t duration, char buf[static FORMAT_DURATION_STRLEN])
{
	unsigned long long s = duration / USEC_PER_SEC;

	if (s < 60)
		(void)snprintf(buf, FORMAT_DURATION_STRLEN, "%llus", s);
	else if (s < 3600)
		(void)snprintf(buf, FORMAT_DURATION_STRLEN, "%llumin %llus", s / 60, s % 60);
	else if (s < 86400)
		(void)snprintf(buf, FORMAT_DURATION_STRLEN, "%lluh %llumin", s / 3600,
			       s % 3600 / 60);
	else
		(void)snprintf(buf, FORMAT_DURATION_STRLEN, "%llud %lluh", s / 86400,
			       s % 86400 / 3600);
	return buf;
}
