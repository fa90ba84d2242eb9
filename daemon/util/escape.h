/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text from kernel, device or bus made fit for a log line, a terminal or a D-Bus string: one
 * line, no control characters, valid UTF-8.
 */
#pragma once

#include <dcdd/base.h>

/*
 * Copies @s into @buf of @size bytes (at least 4), always terminated. Control characters and bytes
 * that are not UTF-8 become \xNN; what is clean stays as it is, so escaping twice changes nothing.
 * What does not fit is cut at a character and ends in "...". Returns @buf.
 */
char *escape_text(const char *s, char *buf, size_t size);
