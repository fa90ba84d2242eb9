/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edit distance (Levenshtein, with a swap of two neighbours as one edit) between short words, for
 * error messages.
 */
#include "suggest.h"

#define WORD_MAX 32 /* longer than every word we know */

static size_t edit_distance(const char *a, const char *b)
{
	/* Three rows of the matrix: two above, one above, the present one. */
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	size_t n = strnlen(a, WORD_MAX + 1), m = strnlen(b, WORD_MAX + 1);

	if (n > WORD_MAX || m > WORD_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= m; j++)
		above[j] = before[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t d = above[j - 1] + (a[i - 1] != b[j - 1]);

			d = MIN(d, above[j] + 1);
			d = MIN(d, row[j - 1] + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = MIN(d, before[j - 2] + 1);
			row[j] = d;
		}
		before = above;
		above = row;
		row = oldest;
	}
	return above[m];
}

void suggest(const char *given, const char *word, const char **best, size_t *distance)
{
	size_t d = edit_distance(given, word);

	/* A third of the letters wrong is a different word. */
	if (d > MAX(strlen(word) / 3, (size_t)1) || (*best && d >= *distance))
		return;
	*best = word;
	*distance = d;
}
