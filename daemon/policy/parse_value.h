/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values with units, as people write them in a configuration file, and back. Every format_ form
 * gives a text that its parse_ form reads as exactly the same value.
 */
#pragma once

#include <dcdd/base.h>

#define VALUE_STRLEN 32 /* room for any of the texts below and its terminator */

/*
 * All of them take the whole string, without blanks. 0; -EINVAL: not of this form; -ERANGE: does
 * not fit the type. @ret is left alone on error.
 */

/* Decimal digits only: no sign, no other base. */
int parse_count(const char *s, uint64_t *ret);
/* Bytes: a count, alone or with K, M, G or T (powers of 1024). */
int parse_size(const char *s, uint64_t *ret);
/* A count with us, ms, s, min or h; the unit must be there except for 0. */
int parse_time(const char *s, usec_t *ret);
/* The same, or "infinity": USEC_INFINITY. */
int parse_wait(const char *s, usec_t *ret);
/* "5%", "2.5%", "0.25%": at most two decimals, so that it is a whole number of 1/10000. */
int parse_permyriad(const char *s, unsigned *ret);
/* Decimal or, with 0x, hexadecimal. */
int parse_serial(const char *s, uint64_t *ret);

/* With the largest unit that loses nothing. Return @buf. */
char *format_size(uint64_t bytes, char buf[static VALUE_STRLEN]);
char *format_time(usec_t usec, char buf[static VALUE_STRLEN]);
char *format_wait(usec_t usec, char buf[static VALUE_STRLEN]);
char *format_permyriad(unsigned permyriad, char buf[static VALUE_STRLEN]);

/* For a sentence: "1.5G", "512M"; cut to one decimal, never shown as more than it is. */
char *format_size_short(uint64_t bytes, char buf[static VALUE_STRLEN]);
