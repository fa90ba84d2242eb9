/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Points in time as people type them. */
#pragma once

#include <dcdd/base.h>

/*
 * "2027-01-31", "2027-01-31 08:00", "2027-01-31 08:00:30"; "08:00", "Mon", "Mon 08:00" for the next
 * time that it is so after @now; local time, or with " UTC" behind it that; or "@1801382400",
 * seconds since 1970. *@ret is CLOCK_REALTIME, as @now is. 0; -EINVAL: not of this form; -ERANGE:
 * there is no such time.
 */
int when_parse(const char *s, usec_t now, usec_t *ret);

/* The same for a message. */
#define WHEN_FORMS                                                                                 \
	"'YYYY-MM-DD[ HH:MM[:SS]]', 'Mon[ HH:MM[:SS]]' or 'HH:MM[:SS]', each with ' UTC' behind "  \
	"it or without, or '@SECONDS'"

/* "2027-01-31 08:00:30", local time. Returns @buf. */
#define WHEN_STRLEN 40
char *when_format(usec_t realtime, char buf[static WHEN_STRLEN]);
