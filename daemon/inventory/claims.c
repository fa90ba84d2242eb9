/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The claims on a host's memory, in order; see claims.h. */
#include "inventory/claims.h"

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return (x->hpa.start > y->hpa.start) - (x->hpa.start < y->hpa.start);
}

int inventory_claims(const struct inventory *inv, struct claim **ret, uint32_t *ret_n)
{
	/* One more than 0, which calloc() may not like. */
	struct claim *claims = calloc((size_t)inv->n_mappings + 1, sizeof(*claims));
	uint32_t n = 0;

	if (!claims)
		return -ENOMEM;
	for (uint32_t i = 0; i < inv->n_devices; i++)
		for (uint32_t k = 0; k < inv->devices[i].n_mappings; k++) {
			const struct mapping *m = &inv->mappings[inv->devices[i].first_mapping + k];

			if (m->hpa.length)
				claims[n++] = (struct claim){ .hpa = m->hpa, .device = i };
		}
	qsort(claims, n, sizeof(*claims), compare_claims);
	*ret = claims;
	*ret_n = n;
	return 0;
}

uint32_t claims_first_behind(const struct claim *claims, uint32_t n, uint64_t start)
{
	uint32_t first = 0, end = n;

	while (first < end) {
		uint32_t middle = first + (end - first) / 2;

		if (range_end(&claims[middle].hpa) <= start)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}
