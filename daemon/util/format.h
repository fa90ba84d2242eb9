/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sizes and durations for people: short, and never more than there is. */
#pragma once

#include <dcdd/base.h>

/* "0B", "1.5G", "128M": powers of 1024, one digit behind the point, rounded down. Returns @buf. */
#define FORMAT_BYTES_STRLEN 16
char *format_bytes(uint64_t bytes, char buf[static FORMAT_BYTES_STRLEN]);

/* "0s", "3s", "12min 5s", "2h 10min", "4d 3h"; rounded down. Returns @buf. */
#define FORMAT_DURATION_STRLEN 32
char *format_duration(usec_t duration, char buf[static FORMAT_DURATION_STRLEN]);
