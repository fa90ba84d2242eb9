/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verifies an inventory that came from another process before anything indexes into it. Names are
 * looked at too, because paths are built from them.
 */
#include "inventory/scan.h"

static bool is_terminated(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

/* A single path component, or empty. */
static bool is_word(const char s[static DEV_NAME_MAX])
{
	return is_terminated(s, DEV_NAME_MAX) && !strchr(s, '/') && !streq(s, ".") &&
	       !streq(s, "..");
}

static bool is_name(const char s[static DEV_NAME_MAX])
{
	return is_word(s) && s[0] != '\0';
}

static bool is_range(const struct range *r)
{
	return r->length <= UINT64_MAX - r->start;
}

/* A byte that is neither 0 nor 1 must not even be looked at as a bool. */
static bool is_bool(const bool *b)
{
	unsigned char byte;

	memcpy(&byte, b, sizeof(byte));
	return byte <= 1;
}

static bool is_slice(uint64_t first, uint64_t n, uint32_t total)
{
	return first + n <= total;
}

static bool check_memdevs(const struct inventory *inv)
{
	for (uint32_t i = 0; i < inv->n_memdevs; i++)
		if (!is_name(inv->memdevs[i].name))
			return false;
	return true;
}

static bool is_printable(const char *s, size_t size)
{
	for (; size > 0 && *s; s++, size--)
		if (*s < 0x20 || *s > 0x7e)
			return false;
	return size > 0;
}

/* An error comes with what could not be read. Only then may the memdev be unknown. */
static bool check_region_error(const struct inventory *inv, const struct region *r)
{
	if (r->error > 0 || !is_printable(r->error_path, sizeof(r->error_path)) ||
	    (r->error < 0) != (r->error_path[0] != '\0'))
		return false;
	if (r->memdev != INVENTORY_NONE)
		return r->memdev < inv->n_memdevs;
	return r->error < 0 && r->n_extents == 0 && r->n_devices == 0;
}

/* Slices follow each other without a gap, so that each extent and device has its one place. */
static bool check_regions(const struct inventory *inv)
{
	uint32_t extent = 0, device = 0;

	for (uint32_t i = 0; i < inv->n_regions; i++) {
		const struct region *r = &inv->regions[i];

		if (!is_name(r->name) || !is_word(r->dax_region) || !is_word(r->mode) ||
		    !is_word(r->decoder) || !check_region_error(inv, r) || !is_range(&r->hpa) ||
		    !is_range(&r->dpa))
			return false;
		if (r->first_extent != extent || r->first_device != device ||
		    !is_slice(r->first_extent, r->n_extents, inv->n_extents) ||
		    !is_slice(r->first_device, r->n_devices, inv->n_devices))
			return false;
		for (uint32_t k = 0; k < r->n_extents; k++)
			if (inv->extents[extent + k].region != i)
				return false;
		for (uint32_t k = 0; k < r->n_devices; k++)
			if (inv->devices[device + k].region != i)
				return false;
		extent += r->n_extents;
		device += r->n_devices;
	}
	return extent == inv->n_extents && device == inv->n_devices;
}

static bool check_extents(const struct inventory *inv)
{
	for (uint32_t i = 0; i < inv->n_extents; i++) {
		const struct extent *e = &inv->extents[i];

		if (!is_name(e->name) || !is_range(&e->hpa) || !is_range(&e->dpa) ||
		    (e->device != INVENTORY_NONE && e->device >= inv->n_devices) ||
		    !is_bool(&e->leftover) || e->sharable < -1 || e->sharable > 1)
			return false;
		if (i > 0 && e[-1].region == e->region) {
			int order = tag_compare(&e[-1].tag, &e->tag);

			if (order > 0 || (order == 0 && (e[-1].dpa.start > e->dpa.start ||
							 range_overlaps(&e[-1].dpa, &e->dpa))))
				return false;
		}
	}
	return true;
}

/* A pid that is not positive means a group of processes, or all, to those who send signals. */
static bool check_holder(const struct holder *h)
{
	if (h->pid <= 0 || !is_bool(&h->open) || !is_bool(&h->mapped) || !is_bool(&h->mounted) ||
	    !is_terminated(h->comm, sizeof(h->comm)) || !is_terminated(h->unit, sizeof(h->unit)) ||
	    !is_terminated(h->cgroup, sizeof(h->cgroup)) ||
	    !is_terminated(h->path, sizeof(h->path)) ||
	    !is_terminated(h->fstype, sizeof(h->fstype)))
		return false;
	/* A mount is somewhere, and neither has a descriptor nor a mapping; nothing else has a
	 * path. */
	return h->mounted ? h->path[0] && !h->open && !h->mapped : !h->path[0] && !h->fstype[0];
}

static bool check_device_parts(const struct inventory *inv, uint32_t index)
{
	const struct dax_device *d = &inv->devices[index];

	for (uint32_t i = 0; i < d->n_mappings; i++) {
		const struct mapping *m = &inv->mappings[d->first_mapping + i];

		if (!is_range(&m->hpa) || (i > 0 && m[-1].hpa.start > m->hpa.start))
			return false;
	}
	for (uint32_t i = 0; i < d->n_blocks; i++) {
		const struct memory_block *b = &inv->blocks[d->first_block + i];

		if (b->device != index || (unsigned)b->state >= _BLOCK_STATE_MAX ||
		    (unsigned)b->zone >= _BLOCK_ZONE_MAX || !is_bool(&b->foreign) ||
		    (i > 0 && b[-1].number >= b->number))
			return false;
	}
	for (uint32_t i = 0; i < d->n_holders; i++) {
		const struct holder *h = &inv->holders[d->first_holder + i];

		if (h->device != index || !check_holder(h))
			return false;
	}
	return true;
}

static bool check_devices(const struct inventory *inv)
{
	uint32_t mapping = 0, block = 0, holder = 0;

	for (uint32_t i = 0; i < inv->n_devices; i++) {
		const struct dax_device *d = &inv->devices[i];

		if (!is_name(d->name) || !is_word(d->driver) || !is_word(d->state) ||
		    (unsigned)d->mode >= _DAX_MODE_MAX || d->memmap_on_memory < -1 ||
		    d->memmap_on_memory > 1)
			return false;
		if (d->first_mapping != mapping || d->first_block != block ||
		    d->first_holder != holder ||
		    !is_slice(d->first_mapping, d->n_mappings, inv->n_mappings) ||
		    !is_slice(d->first_block, d->n_blocks, inv->n_blocks) ||
		    !is_slice(d->first_holder, d->n_holders, inv->n_holders) ||
		    !check_device_parts(inv, i))
			return false;
		mapping += d->n_mappings;
		block += d->n_blocks;
		holder += d->n_holders;
	}
	return mapping == inv->n_mappings && block == inv->n_blocks && holder == inv->n_holders;
}

/* In order, and no more of them than there are bytes to count. */
static bool check_hugepages(const struct inventory *inv)
{
	for (uint32_t i = 0; i < inv->n_hugepages; i++) {
		const struct huge_pages *h = &inv->hugepages[i];

		if (h->node < 0 || h->size == 0 || h->total == 0 || h->free > h->total ||
		    h->total > HUGE_BYTES_MAX / h->size)
			return false;
		if (i > 0 &&
		    (h[-1].node > h->node || (h[-1].node == h->node && h[-1].size >= h->size)))
			return false;
	}
	return true;
}

int inventory_check(const struct inventory *inv)
{
	if (!is_word(inv->auto_online) || !check_memdevs(inv) || !check_regions(inv) ||
	    !check_extents(inv) || !check_devices(inv) || !check_hugepages(inv))
		return -EBADMSG;
	return 0;
}
