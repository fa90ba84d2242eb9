/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which dax device claims which bytes: all mappings of a host in order of their addresses. */
#pragma once

#include <dcdd/inventory.h>

struct claim {
	struct range hpa;
	uint32_t device; /* index */
};

/*
 * Those of the devices' slices of mappings[] that are not empty, sorted by start; two of them may
 * overlap, which is for the caller to find. 0 and *@ret (caller frees), or -ENOMEM.
 */
int inventory_claims(const struct inventory *inv, struct claim **ret, uint32_t *ret_n);

/* The first of them, disjoint, that ends behind @start; @n if none does. */
uint32_t claims_first_behind(const struct claim *claims, uint32_t n, uint64_t start);
