/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Birth and death of a release request. */
#include <dcdd/release.h>

struct release *release_new(uint64_t id, const struct group_key *key, const struct range *dpa,
			    usec_t traced)
{
	struct release *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->id = id;
	r->key = *key;
	r->dpa = *dpa;
	r->records = 1;
	r->first_record = r->last_record = traced;
	r->deadline = USEC_INFINITY;
	return r;
}

void release_free(struct release *release)
{
	if (!release)
		return;
	plan_done(&release->plan);
	free(release);
}
