/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean …?": the nearest of some known words, by edit distance. */
#pragma once

#include <dcdd/base.h>

/*
 * Keeps in *@best the word nearest to @given of all that this is called with; start with NULL and
 * *@distance 0. A word too different to be a slip of the finger is never taken.
 */
void suggest(const char *given, const char *word, const char **best, size_t *distance);
