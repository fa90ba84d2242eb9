/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side: what it has offered and given to the host, what it wants back, and the event
 * records it writes. It learns what became of a record only from the host's answers.
 */
#include "internal.h"

void eng_memdev_free(struct eng_memdev *m)
{
	if (!m)
		return;
	free(m->given);
	free(m->wanted);
	free(m->chain.staged);
	free(m);
}

/* Index of the first extent that ends behind @start. */
static size_t given_lower(const struct eng_memdev *m, uint64_t start)
{
	size_t lo = 0, hi = m->n_given;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (range_end(&m->given[mid].dpa) <= start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct eng_given *given_overlapping(struct eng_memdev *m, const struct range *dpa)
{
	size_t i = given_lower(m, dpa->start);

	return i < m->n_given && range_overlaps(&m->given[i].dpa, dpa) ? &m->given[i] : NULL;
}

/* Whether every byte of @dpa is in extents the host has accepted. */
static bool given_covers(const struct eng_memdev *m, const struct range *dpa)
{
	uint64_t at = dpa->start;

	for (size_t i = given_lower(m, at); i < m->n_given && at < range_end(dpa); i++) {
		const struct eng_given *g = &m->given[i];

		if (g->state != ENG_GIVEN || g->dpa.start > at)
			return false;
		at = range_end(&g->dpa);
	}
	return at >= range_end(dpa);
}

static int given_insert(struct eng_memdev *m, const struct engine_extent_spec *x)
{
	size_t at = given_lower(m, x->dpa.start);

	if (eng_grow(&m->given, m->n_given, &m->max_given, sizeof(*m->given)) < 0)
		return -ENOMEM;
	memmove(&m->given[at + 1], &m->given[at], (m->n_given - at) * sizeof(*m->given));
	m->given[at] = (struct eng_given){ .dpa = x->dpa, .tag = x->tag, .state = ENG_OFFERED };
	m->n_given++;
	return 0;
}

/* Drops the extent that is exactly @dpa; returns whether there was one. */
static bool given_remove(struct eng_memdev *m, const struct range *dpa)
{
	size_t i = given_lower(m, dpa->start);

	if (i >= m->n_given || !range_equal(&m->given[i].dpa, dpa))
		return false;
	m->n_given--;
	memmove(&m->given[i], &m->given[i + 1], (m->n_given - i) * sizeof(*m->given));
	return true;
}

/* Forgets the wishes that are fulfilled: nothing, or not all of it, is with the host any more. */
static void wanted_forget(struct eng_memdev *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n_wanted; i++)
		if (given_covers(m, &m->wanted[i].dpa))
			m->wanted[kept++] = m->wanted[i];
	m->n_wanted = kept;
}

static int wanted_add(struct eng_memdev *m, const struct engine_extent_spec *x)
{
	for (size_t i = 0; i < m->n_wanted; i++)
		if (range_equal(&m->wanted[i].dpa, &x->dpa) &&
		    tag_equal(&m->wanted[i].tag, &x->tag))
			return 0;
	if (eng_grow(&m->wanted, m->n_wanted, &m->max_wanted, sizeof(*m->wanted)) < 0)
		return -ENOMEM;
	m->wanted[m->n_wanted++] = (struct eng_wanted){ .dpa = x->dpa, .tag = x->tag };
	return 0;
}

void eng_device_accepted(struct eng_memdev *m, const struct range *dpa)
{
	struct eng_given *g = given_overlapping(m, dpa);

	if (g && range_equal(&g->dpa, dpa))
		g->state = ENG_GIVEN;
}

void eng_device_refused(struct eng_memdev *m, const struct range *dpa)
{
	struct eng_given *g = given_overlapping(m, dpa);

	/* A raw record may name what was accepted long ago: that stays. */
	if (g && g->state == ENG_OFFERED)
		(void)given_remove(m, dpa);
}

void eng_device_returned(struct engine *e, struct eng_memdev *m, const struct range *dpa)
{
	if (given_remove(m, dpa))
		e->counters.extents_returned++;
	wanted_forget(m);
}

/* Room for @n more records, so that a chain is queued whole or not at all. */
static int log_reserve(struct engine *e, size_t n)
{
	if (e->log_head > 0) {
		memmove(e->log, e->log + e->log_head, e->n_log * sizeof(*e->log));
		e->log_head = 0;
	}
	while (e->max_log - e->n_log < n) {
		int r = eng_grow(&e->log, e->max_log, &e->max_log, sizeof(*e->log));

		if (r < 0)
			return r;
	}
	return 0;
}

static void log_push(struct engine *e, struct eng_memdev *m, const struct engine_record *record)
{
	struct engine_record *slot = &e->log[e->log_head + e->n_log++];

	*slot = *record;
	(void)snprintf(slot->event.memdev, sizeof(slot->event.memdev), "mem%u", m->id);
	memcpy(slot->event.host, m->config.host, sizeof(slot->event.host));
	slot->event.serial = m->config.serial;
	slot->event.handle = ++m->next_handle;
}

static void log_extents(struct engine *e, struct eng_memdev *m, enum dc_event_type type,
			const struct engine_extent_spec *extents, size_t n, bool open)
{
	for (size_t i = 0; i < n; i++) {
		struct engine_record record = {
			.event = {
				.type = (uint8_t)type,
				.region_index = 255,
				.sequence = extents[i].sequence,
				.dpa = extents[i].dpa,
				.tag = extents[i].tag,
			},
			/* Releases are single records; only adds are chained. */
			.more = type == DC_EVENT_ADD && (i + 1 < n || open),
		};

		log_push(e, m, &record);
	}
}

static bool in_partitions(const struct eng_memdev *m, const struct range *dpa)
{
	for (unsigned i = 0; i < m->config.n_partitions; i++) {
		struct range part = {
			.start = m->config.partitions[i].dpa,
			.length = m->config.partitions[i].size,
		};

		if (range_contains(&part, dpa))
			return true;
	}
	return false;
}

int engine_device_add(struct engine *e, const char *memdev,
		      const struct engine_extent_spec *extents, size_t n, unsigned flags)
{
	struct eng_memdev *m = eng_find_memdev(e, memdev);
	size_t done;
	int r;

	if (!m)
		return -ENODEV;
	r = log_reserve(e, n);
	if (r < 0)
		return r;
	for (done = 0; done < n; done++) {
		const struct range *dpa = &extents[done].dpa;

		if (dpa->length == 0 || dpa->length > UINT64_MAX - dpa->start)
			r = -EINVAL;
		else if (!in_partitions(m, dpa))
			r = -ERANGE;
		else if (given_overlapping(m, dpa))
			r = -EEXIST;
		else
			r = given_insert(m, &extents[done]);
		if (r < 0)
			break;
	}
	if (r < 0) {
		while (done-- > 0)
			(void)given_remove(m, &extents[done].dpa);
		return r;
	}
	log_extents(e, m, DC_EVENT_ADD, extents, n, flags & ENGINE_ADD_OPEN);
	return 0;
}

static int device_release(struct engine *e, const char *memdev,
			  const struct engine_extent_spec *extents, size_t n,
			  enum dc_event_type type)
{
	struct eng_memdev *m = eng_find_memdev(e, memdev);
	int r;

	if (!m)
		return -ENODEV;
	for (size_t i = 0; i < n; i++) {
		const struct range *dpa = &extents[i].dpa;

		if (dpa->length == 0 || dpa->length > UINT64_MAX - dpa->start ||
		    !given_covers(m, dpa))
			return -EINVAL;
	}
	r = log_reserve(e, n);
	for (size_t i = 0; i < n && r >= 0 && type == DC_EVENT_RELEASE; i++)
		r = wanted_add(m, &extents[i]);
	if (r < 0)
		return r;
	log_extents(e, m, type, extents, n, false);
	return 0;
}

int engine_device_release(struct engine *e, const char *memdev,
			  const struct engine_extent_spec *extents, size_t n)
{
	return device_release(e, memdev, extents, n, DC_EVENT_RELEASE);
}

int engine_device_forced_release(struct engine *e, const char *memdev,
				 const struct engine_extent_spec *extents, size_t n)
{
	int r = device_release(e, memdev, extents, n, DC_EVENT_FORCED_RELEASE);
	struct eng_memdev *m = eng_find_memdev(e, memdev);

	if (r < 0 || !m->config.force_takes)
		return r;
	for (size_t i = 0; i < n; i++) {
		struct eng_given *g;

		while ((g = given_overlapping(m, &extents[i].dpa))) {
			struct range dpa = g->dpa;

			eng_device_returned(e, m, &dpa);
		}
	}
	return 0;
}

int engine_device_region_updated(struct engine *e, const char *memdev, uint8_t index)
{
	struct engine_record record = {
		.event = { .type = DC_EVENT_REGION_UPDATED, .region_index = index },
	};
	struct eng_memdev *m = eng_find_memdev(e, memdev);

	if (m && index < m->config.n_partitions)
		record.event.dpa = (struct range){
			.start = m->config.partitions[index].dpa,
			.length = m->config.partitions[index].size,
		};
	return engine_device_record(e, memdev, &record);
}

int engine_device_record(struct engine *e, const char *memdev, const struct engine_record *record)
{
	struct eng_memdev *m = eng_find_memdev(e, memdev);
	int r;

	if (!m)
		return -ENODEV;
	r = log_reserve(e, 1);
	if (r < 0)
		return r;
	log_push(e, m, record);
	return 0;
}

int engine_device_retry(struct engine *e, const char *memdev)
{
	struct eng_memdev *m = eng_find_memdev(e, memdev);
	int r;

	if (!m)
		return -ENODEV;
	r = log_reserve(e, m->n_wanted);
	if (r < 0)
		return r;
	for (size_t i = 0; i < m->n_wanted; i++) {
		struct engine_extent_spec x = { .dpa = m->wanted[i].dpa, .tag = m->wanted[i].tag };

		log_extents(e, m, DC_EVENT_RELEASE, &x, 1, false);
	}
	return (int)m->n_wanted;
}

size_t engine_device_wanted(const struct engine *e, const char *memdev)
{
	const struct eng_memdev *m = eng_find_memdev(e, memdev);

	return m ? m->n_wanted : 0;
}

void engine_device_set_force_takes(struct engine *e, const char *memdev, bool takes)
{
	struct eng_memdev *m = eng_find_memdev(e, memdev);

	if (m)
		m->config.force_takes = takes;
}

int engine_record_trace(struct engine *e, struct engine_record *ret)
{
	if (e->n_log == 0)
		return 0;
	*ret = e->log[e->log_head++];
	e->n_log--;
	ret->event.traced = eng_now(e);
	e->counters.traced++;
	if (e->ops.trace)
		e->ops.trace(ret, e->userdata);
	return 1;
}

int engine_run_records(struct engine *e)
{
	struct engine_record record;
	int outcome = 0;

	while (engine_record_trace(e, &record) > 0) {
		outcome = engine_record_handle(e, &record);
		if (outcome < 0)
			break;
	}
	return outcome;
}
