/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ties together what was read from a snapshot, and names the objects that contradict each other.
 * What is checked here a second time only serves the message: inventory_check() has the last word.
 */
#include <inttypes.h>

#include "inventory/claims.h"
#include "inventory/scan.h"
#include "snapshot/reader.h"

/* Two devices, or one twice, on the same bytes; an extent that two devices claim parts of. */
static int tell_claims(struct reader *reader, const struct inventory *inv)
{
	_cleanup_free_ struct claim *claims = NULL;
	const struct dax_device *devices = inv->devices;
	uint32_t n;
	int r;

	r = inventory_claims(inv, &claims, &n);
	if (r < 0)
		return r;
	for (uint32_t i = 1; i < n; i++)
		if (range_overlaps(&claims[i - 1].hpa, &claims[i].hpa))
			return snap_fail(reader, NULL,
					 "devices: %s and %s both have a mapping of 0x%" PRIx64,
					 devices[claims[i - 1].device].name,
					 devices[claims[i].device].name, claims[i].hpa.start);
	for (uint32_t e = 0; e < inv->n_extents; e++) {
		const struct extent *extent = &inv->extents[e];
		uint32_t c = claims_first_behind(claims, n, extent->hpa.start);

		/* The claims are disjoint and sorted: those over the extent follow each other. */
		for (; c + 1 < n && range_overlaps(&claims[c + 1].hpa, &extent->hpa); c++)
			if (claims[c].device != claims[c + 1].device)
				return snap_fail(reader, NULL,
						 "devices: %s and %s both have a mapping of %s",
						 devices[claims[c].device].name,
						 devices[claims[c + 1].device].name, extent->name);
	}
	return 0;
}

/* inventory_link() refused with -EAGAIN; by then all is sorted. */
static int tell_torn(struct reader *reader, const struct inventory *inv)
{
	int r;

	for (uint32_t i = 1; i < inv->n_extents; i++) {
		const struct extent *a = &inv->extents[i - 1], *b = &inv->extents[i];

		if (a->region == b->region && tag_equal(&a->tag, &b->tag) &&
		    range_overlaps(&a->dpa, &b->dpa))
			return snap_fail(reader, NULL,
					 "extents: %s and %s have one tag and overlap in \"dpa\"",
					 a->name, b->name);
	}
	r = tell_claims(reader, inv);
	return r < 0 ? r : snap_fail(reader, NULL, "the objects contradict each other");
}

static int check_blocks(struct reader *reader, const struct inventory *inv)
{
	for (uint32_t i = 1; i < inv->n_blocks; i++) {
		const struct memory_block *a = &inv->blocks[i - 1], *b = &inv->blocks[i];

		if (a->device == b->device && a->number == b->number)
			return snap_fail(reader, NULL, "devices: %s has block %" PRIu64 " twice",
					 inv->devices[a->device].name, a->number);
	}
	return 0;
}

static int check_huge_pages(struct reader *reader, const struct inventory *inv)
{
	for (uint32_t i = 1; i < inv->n_hugepages; i++) {
		const struct huge_pages *a = &inv->hugepages[i - 1], *b = &inv->hugepages[i];

		if (a->node == b->node && a->size == b->size)
			return snap_fail(reader, NULL,
					 "huge_pages: two are of node %" PRId32 " and of %" PRIu64
					 " bytes",
					 a->node, a->size);
	}
	return 0;
}

static int check_nodes(struct reader *reader, const struct inventory *inv)
{
	for (uint32_t i = 1; i < inv->n_nodes; i++)
		if (inv->nodes[i - 1].id == inv->nodes[i].id)
			return snap_fail(reader, NULL, "nodes: two have the id %" PRId32,
					 inv->nodes[i].id);
	return 0;
}

int snap_link(struct reader *reader, struct inventory *inv)
{
	int r;

	r = inventory_link(inv);
	if (r == -EAGAIN)
		return tell_torn(reader, inv);
	if (r == 0)
		r = check_blocks(reader, inv);
	if (r == 0)
		r = check_nodes(reader, inv);
	if (r == 0)
		r = check_huge_pages(reader, inv);
	if (r < 0)
		return r;
	r = inventory_check(inv);
	if (r == -EBADMSG)
		return snap_fail(reader, NULL, "the objects contradict each other");
	return r;
}
