/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which untagged extents came together; see bursts.h. */
#include "bursts.h"

void bursts_add(struct bursts *bursts, const struct dc_event *event)
{
	struct burst_record *record = &bursts->records[bursts->next];

	if (event->type != DC_EVENT_ADD || !tag_is_null(&event->tag))
		return;
	(void)str_copy(record->memdev, sizeof(record->memdev), event->memdev);
	record->dpa = event->dpa;
	record->traced = event->traced;
	bursts->next = (bursts->next + 1) % BURST_RECORDS;
	bursts->n = MIN(bursts->n + 1, (size_t)BURST_RECORDS);
}

/* @i counts from the oldest. */
static const struct burst_record *record_at(const struct bursts *bursts, size_t i)
{
	return &bursts->records[(bursts->next + BURST_RECORDS - bursts->n + i) % BURST_RECORDS];
}

static bool same_burst(const struct burst_record *a, const struct burst_record *b)
{
	return streq(a->memdev, b->memdev) && usec_add(a->traced, BURST_GAP_USEC) >= b->traced;
}

void bursts_hint(const struct bursts *bursts, const char *memdev, const struct range *dpa,
		 char *ret, size_t size)
{
	size_t found = bursts->n, first, last, used;
	unsigned named = 0;

	/* The newest record for it counts: the same range may have come and gone before. */
	for (size_t i = bursts->n; i-- > 0 && found == bursts->n;) {
		const struct burst_record *record = record_at(bursts, i);

		if (streq(record->memdev, memdev) && range_overlaps(&record->dpa, dpa))
			found = i;
	}
	if (found == bursts->n) {
		(void)snprintf(ret, size,
			       "likely held by a hidden group, as untagged extents added in one "
			       "chain are released together (their add records were not seen)");
		return;
	}
	for (first = found; first > 0; first--)
		if (!same_burst(record_at(bursts, first - 1), record_at(bursts, first)))
			break;
	for (last = found; last + 1 < bursts->n; last++)
		if (!same_burst(record_at(bursts, last), record_at(bursts, last + 1)))
			break;

	used = (size_t)snprintf(ret, size, "likely in one hidden group with");
	for (size_t i = first; i <= last; i++) {
		const struct burst_record *record = record_at(bursts, i);
		char text[64];
		size_t n;

		if (i == found)
			continue;
		n = (size_t)snprintf(text, sizeof(text), "%s DPA 0x%llx+0x%llx", named ? "," : "",
				     (unsigned long long)record->dpa.start,
				     (unsigned long long)record->dpa.length);
		/* Whole entries only, and room to say that there are more. */
		if (used + n + sizeof(" and 255 more") > size) {
			(void)snprintf(ret + used, used < size ? size - used : 0, " and %zu more",
				       last - i + (found > i ? 0 : 1));
			return;
		}
		memcpy(ret + used, text, n + 1);
		used += n;
		named++;
	}
	if (named == 0)
		(void)snprintf(ret, size,
			       "it came alone, so the device or the kernel's log has to say why");
}
