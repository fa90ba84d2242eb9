/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was freed in the last hour; see ledger.h. */
#include <limits.h>

#include "release/ledger.h"

void ledger_done(struct ledger *ledger)
{
	free(ledger->entries);
	*ledger = (struct ledger){ 0 };
}

void ledger_prune(struct ledger *ledger, usec_t now)
{
	size_t old = 0;

	while (old < ledger->n && usec_add(ledger->entries[old].when, LEDGER_PERIOD) <= now)
		old++;
	if (old == 0)
		return;
	ledger->n -= old;
	memmove(ledger->entries, ledger->entries + old, ledger->n * sizeof(*ledger->entries));
}

/* The next entry of the same memdev behind @i, or n. */
static size_t next_of_memdev(const struct ledger *ledger, size_t i)
{
	size_t k = i + 1;

	while (k < ledger->n && !streq(ledger->entries[k].memdev, ledger->entries[i].memdev))
		k++;
	return k;
}

static void join(struct ledger *ledger, size_t older, size_t younger)
{
	const struct freed *from = &ledger->entries[older];
	struct freed *to = &ledger->entries[younger];
	uint64_t more = (uint64_t)from->more + to->more + 1;

	to->bytes = from->bytes > UINT64_MAX - to->bytes ? UINT64_MAX : from->bytes + to->bytes;
	to->more = (unsigned)MIN(more, (uint64_t)UINT_MAX);
	ledger->n--;
	memmove(&ledger->entries[older], &ledger->entries[older + 1],
		(ledger->n - older) * sizeof(*to));
}

/* Makes room for one more in a full ledger. */
static void shrink(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->n; i++) {
		size_t k = next_of_memdev(ledger, i);

		if (k < ledger->n) {
			join(ledger, i, k);
			return;
		}
	}
	/* As many memdevs as entries: what was freed in all at least stays what it is. */
	join(ledger, 0, 1);
}

int ledger_add(struct ledger *ledger, usec_t now, const char *memdev, uint64_t bytes)
{
	struct freed *entries;

	ledger_prune(ledger, now);
	entries = reallocarray(ledger->entries, MIN(ledger->n + 1, (size_t)LEDGER_MAX),
			       sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	ledger->entries = entries;
	if (ledger->n >= LEDGER_MAX)
		shrink(ledger);
	entries[ledger->n] = (struct freed){ .when = now, .bytes = bytes };
	(void)str_copy(entries[ledger->n].memdev, sizeof(entries->memdev), memdev);
	ledger->n++;
	return 0;
}
