/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Add records: collected until one comes without "More", then each tag of the chain becomes a group
 * or is refused. The untagged extents of one chain become one hidden group.
 */
#include "internal.h"

static bool tag_is_live(const struct engine *e, const struct tag *tag)
{
	for (size_t i = 0; i < e->n_groups; i++)
		if (tag_equal(&e->groups[i]->tag, tag))
			return true;
	return false;
}

static struct eng_group *group_new(struct eng_region *r, const struct tag *tag, size_t max)
{
	struct eng_group *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->region = r;
	g->tag = *tag;
	g->members = calloc(max, sizeof(*g->members));
	if (!g->members) {
		free(g);
		return NULL;
	}
	return g;
}

static int by_sequence(const void *a, const void *b)
{
	const struct eng_extent *x = *(struct eng_extent *const *)a;
	const struct eng_extent *y = *(struct eng_extent *const *)b;

	return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static bool is_sharable(const struct eng_region *r)
{
	return r->memdev->config.partitions[r->partition].sharable;
}

/* Whether the members, sorted, are numbered without a gap or a double. */
static bool sequence_is_dense(const struct engine *e, const struct eng_group *g)
{
	unsigned first = e->config.naming == ENGINE_V10 ? 1 : 0;

	for (size_t i = 0; i < g->n_members; i++)
		if (g->members[i]->sequence != first + i)
			return false;
	return true;
}

/*
 * Makes the group of staged[first]'s tag out of the chain and commits it. Extents outside the
 * group's region are left out, the others are taken all the same: what a v11 kernel does.
 * 0; -EEXIST, -EINVAL: refused with a log line; -ENXIO: no region, silent; others: rolled back.
 */
static int group_add(struct engine *e, struct eng_memdev *m, const struct tag *tag)
{
	const struct eng_chain *c = &m->chain;
	struct eng_group *g = NULL;
	struct eng_region *r = NULL;
	bool partial = false;
	char text[TAG_STRLEN + 1];
	int err = -ENXIO;

	tag_format(tag, text);
	for (size_t i = 0; i < c->n_staged && !r; i++)
		if (tag_equal(&c->staged[i].tag, tag))
			r = eng_region_at(e, m, c->staged[i].dpa.start);
	if (!r)
		return -ENXIO;
	if (!tag_is_null(tag) && tag_is_live(e, tag)) {
		eng_kmsg(e,
			 "cxl_pci %s: Tag %s: dropping group, tag already committed "
			 "(firmware/orchestrator bug)",
			 m->config.host, text);
		return -EEXIST;
	}
	g = group_new(r, tag, c->n_staged);
	if (!g)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_staged; i++) {
		const struct eng_staged *s = &c->staged[i];
		struct eng_extent *x;

		if (!tag_equal(&s->tag, tag))
			continue;
		if (s->dpa.start % ENG_ALIGN != 0 || s->dpa.length % ENG_ALIGN != 0 ||
		    s->dpa.length == 0) {
			eng_kmsg(e, "cxl_pci %s: Tag %s: dropping group, misaligned extent",
				 m->config.host, text);
			err = -EINVAL;
			goto refuse;
		}
		if (s->dpa.length > UINT64_MAX - s->dpa.start ||
		    eng_region_at(e, m, s->dpa.start) != r || !range_contains(&r->dpa, &s->dpa)) {
			partial = true;
			continue;
		}
		x = calloc(1, sizeof(*x));
		if (!x) {
			err = -ENOMEM;
			goto refuse;
		}
		*x = (struct eng_extent){
			.region = r,
			.group = g,
			.dpa = s->dpa,
			.tag = s->tag,
			.sequence = s->sequence,
		};
		g->members[g->n_members++] = x;
	}
	if (g->n_members == 0)
		goto refuse;
	if (!tag_is_null(tag) && is_sharable(r)) {
		qsort(g->members, g->n_members, sizeof(struct eng_extent *), by_sequence);
		if (!partial && !sequence_is_dense(e, g)) {
			eng_kmsg(e, "cxl_pci %s: Tag %s: dropping group, gap in sequence numbers",
				 m->config.host, text);
			err = -EINVAL;
			goto refuse;
		}
	}
	err = eng_group_commit(e, g);
	if (err < 0)
		goto refuse;
	for (size_t i = 0; i < g->n_members; i++)
		eng_device_accepted(m, &g->members[i]->dpa);
	if (partial)
		e->counters.groups_partial++;
	return 0;
refuse:
	eng_group_free(g);
	return err;
}

static void chain_reset(struct eng_memdev *m)
{
	/* What was accepted is no offer any more; all else goes back. */
	for (size_t i = 0; i < m->chain.n_staged; i++)
		eng_device_refused(m, &m->chain.staged[i].dpa);
	m->chain.n_staged = 0;
	m->chain.open = false;
	m->chain.overflow = false;
}

static int chain_close(struct engine *e, struct eng_memdev *m)
{
	struct eng_chain *c = &m->chain;
	int outcome = c->overflow ? ENGINE_ADD_REFUSED : ENGINE_ADDED;

	for (size_t i = 0; i < c->n_staged; i++) {
		const struct tag tag = c->staged[i].tag;

		if (c->staged[i].taken)
			continue;
		for (size_t j = i; j < c->n_staged; j++)
			if (tag_equal(&c->staged[j].tag, &tag))
				c->staged[j].taken = true;
		if (group_add(e, m, &tag) < 0) {
			e->counters.groups_refused++;
			outcome = ENGINE_ADD_REFUSED;
		} else {
			e->counters.groups_added++;
		}
	}
	chain_reset(m);
	return outcome;
}

int eng_handle_add(struct engine *e, struct eng_memdev *m, const struct engine_record *record)
{
	struct eng_chain *c = &m->chain;
	int r;

	if (!c->open) {
		c->open = true;
		c->started = eng_now(e);
	}
	if (!c->overflow && c->n_staged == ENG_CHAIN_MAX) {
		eng_kmsg(e, "cxl_pci %s: DC add chain exceeds %u extents; refusing staged extents",
			 m->config.host, ENG_CHAIN_MAX);
		for (size_t i = 0; i < c->n_staged; i++)
			eng_device_refused(m, &c->staged[i].dpa);
		c->n_staged = 0;
		c->overflow = true;
	}
	if (c->overflow) {
		eng_device_refused(m, &record->event.dpa);
	} else {
		r = eng_grow(&c->staged, c->n_staged, &c->max_staged, sizeof(*c->staged));
		if (r < 0)
			return r;
		c->staged[c->n_staged++] = (struct eng_staged){
			.dpa = record->event.dpa,
			.tag = record->event.tag,
			.sequence = record->event.sequence,
		};
	}
	return record->more ? ENGINE_STAGED : chain_close(e, m);
}

usec_t engine_next_timeout(const struct engine *e)
{
	usec_t next = USEC_INFINITY;

	for (size_t i = 0; i < e->n_memdevs; i++) {
		const struct eng_chain *c = &e->memdevs[i]->chain;

		if (c->open)
			next = MIN(next, usec_add(c->started, ENG_CHAIN_TIME));
	}
	return next;
}

void engine_tick(struct engine *e)
{
	usec_t now = eng_now(e);

	for (size_t i = 0; i < e->n_memdevs; i++) {
		struct eng_memdev *m = e->memdevs[i];

		if (!m->chain.open || now < usec_add(m->chain.started, ENG_CHAIN_TIME))
			continue;
		eng_kmsg(e, "cxl_pci %s: DC add chain timed out; refusing staged extents",
			 m->config.host);
		e->counters.chains_timed_out++;
		chain_reset(m);
	}
}
