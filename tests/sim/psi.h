/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/pressure/memory of the simulated host: averages that are set, and triggers that behave as
 * the kernel's (Documentation/accounting/psi.rst). A file that FUSE serves, because only that can
 * be polled for.
 */
#pragma once

#include <stddef.h>

#include <dcdd/base.h>

struct psi;

enum psi_kind {
	PSI_SOME,
	PSI_FULL,
	_PSI_KIND_MAX,
};

/* One that somebody has set up. */
struct psi_trigger {
	enum psi_kind kind;
	unsigned threshold_us, window_us;
	uint64_t fired; /* how often */
};

/* Serves the file at @path, which must be there, in threads. 0 or negative errno. */
int psi_start(const char *path, struct psi **ret);
/* All users must be gone. NULL is fine. */
void psi_stop(struct psi *psi);

/*
 * Sets the averages, in 1/10000 of time. With @fire every trigger whose threshold these reach
 * fires now; how many did is returned.
 */
unsigned psi_set(struct psi *psi, const unsigned averages[static _PSI_KIND_MAX], bool fire);
/* The averages. */
void psi_get(struct psi *psi, unsigned ret_averages[static _PSI_KIND_MAX]);

/* Whether the kernel has PSI: without, reading, writing and polling fail as they do there. */
void psi_set_present(struct psi *psi, bool present);
bool psi_is_present(struct psi *psi);

/* Up to @max of the triggers there are; returns how many there are. */
size_t psi_triggers(struct psi *psi, struct psi_trigger *ret, size_t max);
