/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory pressure (PSI, Documentation/accounting/psi.rst): the kernel wakes us when a ceiling is
 * exceeded, by a trigger for each; nothing is polled, and nothing tells that it is over.
 */
#pragma once

#include <event2/event.h>

#include <dcdd/policy.h>

struct pressure;

/*
 * @path: "/proc/pressure/memory". @exceeded is called after a ceiling's `exceeded` was set to now;
 * and after the kernel took a trigger away, whose ceiling then is not watched any more. From the
 * event loop; may free @pressure. As long as a ceiling stays exceeded, it is called every 2 s.
 */
int pressure_new(struct event_base *base, const char *path, void (*exceeded)(void *userdata),
		 void *userdata, struct pressure **ret);
void pressure_free(struct pressure *pressure);
DEFINE_CLEANUP(struct pressure *, pressure_free);

/*
 * Watches exactly these ceilings from now on (`exceeded` of @wanted is not looked at; a ceiling
 * that was watched before keeps its own). One whose average is over it already when it is new
 * counts as exceeded now. 0, or the first error, and then those are watched that can be:
 * -EOPNOTSUPP: the host has no PSI; -EINVAL: a ceiling is 0 or more than 100 %; others (of the
 * descriptors, of which each ceiling takes two, or of reading the averages).
 */
int pressure_watch(struct pressure *pressure, const struct pressure_ceiling *wanted, size_t n);

/* Those that are watched; valid until the next pressure_watch(). */
const struct pressure_ceiling *pressure_ceilings(const struct pressure *pressure, size_t *ret_n);

/* The averages over 10 s, in 1/10000 of time, read now. 0; -EOPNOTSUPP: no PSI; -EBADMSG; others.
 */
int pressure_read(const struct pressure *pressure, unsigned *ret_some, unsigned *ret_full);

/*
 * The distinct ceilings that the rules of @policy (and its defaults) have. 0 or -ENOMEM; *@ret is
 * the caller's to free.
 */
int pressure_wanted(const struct policy *policy, struct pressure_ceiling **ret, size_t *ret_n);
