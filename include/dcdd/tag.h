/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tag of a dynamic capacity extent: 16 bytes, shown as a UUID (CXL 3.1, 8.2.9.2.1.6).
 * The null tag means "untagged".
 */
#pragma once

#include <dcdd/base.h>

#define TAG_STRLEN 36 /* characters of the text form, without the terminator */

struct tag {
	uint8_t bytes[16];
};

/*
 * Parses the 36 character form, upper or lower case, and nothing behind it.
 * Returns 0, or -EINVAL and leaves @ret alone.
 */
int tag_parse(const char *s, struct tag *ret);

/* Writes the lower case text form and a terminator. Returns @buf. */
char *tag_format(const struct tag *tag, char buf[static TAG_STRLEN + 1]);

bool tag_is_null(const struct tag *tag);
bool tag_equal(const struct tag *a, const struct tag *b);

/* <0, 0, >0 by byte order, as memcmp(). */
int tag_compare(const struct tag *a, const struct tag *b);
