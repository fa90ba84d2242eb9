/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What decisions look at besides the inventory: collects it for them, and lets the world wake us
 * when it changes for a request that waits, so that nothing has to be polled.
 */
#include <signal.h>

#include "manager_internal.h"

#define PRESSURE_FILE "/pressure/memory"

static void on_exceeded(void *userdata)
{
	/* What waits looks again when it has been quiet for long enough; others ask when it
	 * matters. */
	(void)userdata;
}

static void on_wallclock(void *userdata)
{
	struct manager *m = userdata;

	manager_reconsider(m, hands_expire(m));
	manager_settle(m);
}

/*
 * One has ended, or had its time to: it may have had children with the same device open, have let
 * go, or something else be in the way by now. Only a scan can tell.
 */
static void on_holder(const struct holder *holder, void *userdata)
{
	struct manager *m = userdata;

	(void)holder;
	(void)scanner_request(m->scanner, true);
}

static void on_signalled(const struct holder *holder, int signal, int error, void *userdata)
{
	struct manager *m = userdata;
	const char *name = signal == SIGKILL ? "SIGKILL" : "SIGTERM";

	if (error < 0)
		report_full(m->setup.report, LOG_WARNING, DCDD_MESSAGE_TERMINATE, NULL,
			    "Process %d%s%s holds a dax device and could not be sent %s: %s",
			    holder->pid, holder->unit[0] ? " of " : "", holder->unit, name,
			    strerror(-error));
	else
		report_full(m->setup.report, LOG_NOTICE, DCDD_MESSAGE_TERMINATE, NULL,
			    "Process %d%s%s holds a dax device that is to be freed: sent %s",
			    holder->pid, holder->unit[0] ? " of " : "", holder->unit, name);
}

static const struct drain_ops drain_ops = {
	.ended = on_holder,
	.due = on_holder,
	.signalled = on_signalled,
};

int facts_new(struct manager *m)
{
	struct manager_facts *f = &m->facts;
	_cleanup_free_ char *path = NULL;
	int r;

	if (asprintf(&path, "%s" PRESSURE_FILE, m->proc) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = pressure_new(m->setup.base, path, on_exceeded, m, &f->pressure);
	if (r >= 0)
		r = wallclock_new(m->setup.base, "/etc/localtime", on_wallclock, m, &f->wallclock);
	if (r >= 0)
		r = drain_new(m->setup.base, m->proc, &drain_ops, m, &f->drain);
	if (r >= 0)
		r = inhibitors_new(m->setup.base, hands_inhibitor_over, m, &f->inhibitors);
	if (r >= 0)
		r = sharing_new(&f->sharing);
	return r;
}

void facts_done(struct manager *m)
{
	struct manager_facts *f = &m->facts;

	pressure_free(f->pressure);
	wallclock_free(f->wallclock);
	drain_free(f->drain);
	inhibitors_free(f->inhibitors);
	sharing_free(f->sharing);
	ledger_done(&f->ledger);
}

/* Others that take memory off the host at this moment. */
static bool is_leaving(const struct release *r)
{
	return r->state == RELEASE_OFFLINING || r->state == RELEASE_DETACHING;
}

static void take_leaving(struct manager *m, const struct release *r, struct policy_facts *facts)
{
	struct manager_facts *f = &m->facts;
	const struct entry *e;

	TAILQ_FOREACH(e, &m->queue.live, link) {
		const struct release *other = e->release;

		if (other == r || !is_leaving(other) || facts->n_leaving == LEAVING_MAX)
			continue;
		f->leaving[facts->n_leaving++] = other->key;
		if (e->counted == other->attempts)
			continue; /* it stands in the ledger */
		f->freed[facts->n_freed] = (struct freed){ .when = other->started,
							   .bytes = other->bytes };
		(void)str_copy(f->freed[facts->n_freed].memdev,
			       sizeof(f->freed[facts->n_freed].memdev), other->key.memdev);
		facts->n_freed++;
	}
}

const struct policy_facts *facts_take(struct manager *m, const struct release *r)
{
	struct manager_facts *f = &m->facts;
	struct policy_facts *facts = &f->now;

	*facts = (struct policy_facts){ .now = now_usec(CLOCK_MONOTONIC),
					.realtime = now_usec(CLOCK_REALTIME),
					.freed = f->freed,
					.leaving = f->leaving,
					.own_pid = getpid() };
	facts->pressure_known = pressure_read(f->pressure, &facts->pressure_some,
					      &facts->pressure_full) >= 0;
	facts->ceilings = pressure_ceilings(f->pressure, &facts->n_ceilings);
	facts->inhibitors = inhibitors_list(f->inhibitors, &facts->n_inhibitors);
	ledger_prune(&f->ledger, facts->now);
	if (f->ledger.n > 0)
		memcpy(f->freed, f->ledger.entries, f->ledger.n * sizeof(f->freed[0]));
	facts->n_freed = f->ledger.n;
	take_leaving(m, r, facts);
	return facts;
}

void facts_policy_changed(struct manager *m)
{
	_cleanup_free_ struct pressure_ceiling *wanted = NULL;
	size_t n = 0;
	int r = pressure_wanted(&m->policy, &wanted, &n);

	if (r >= 0)
		r = pressure_watch(m->facts.pressure, wanted, n);
	if (r < 0)
		report_warning(m->setup.report,
			       "Cannot watch memory pressure: %s; rules with pressure-some or "
			       "pressure-full go by its average at the time of the decision",
			       strerror(-r));
}

/* A try that has freed its group counts from now on, once. */
void facts_count(struct manager *m, struct entry *e, unsigned actions)
{
	const struct release *r = e->release;

	/* Not what was put back, and goes by another hand then. */
	if (r->attempts == e->counted ||
	    !(actions & MACHINE_READY ||
	      (r->state == RELEASE_RELEASED && release_state_is_active(e->shown_state))))
		return;
	e->counted = r->attempts;
	if (ledger_add(&m->facts.ledger, now_usec(CLOCK_MONOTONIC), r->key.memdev, r->bytes) < 0)
		report_warning(m->setup.report,
			       "Out of memory: %llu bytes freed on %s do not count for the rate",
			       (unsigned long long)r->bytes, r->key.memdev);
}

static bool waits_for_holders(const struct release *r)
{
	return release_state_is_held(r->state) && r->request.since[CONDITION_HOLDERS] > 0;
}

/* Calls @found for each holder of the group's devices. */
static void each_holder(struct manager *m, const struct release *r,
			void (*found)(struct manager *m, const struct release *r,
				      const struct holder *holder, void *userdata),
			void *userdata)
{
	const struct inventory *inv = m->inventory;
	uint32_t devices[PLAN_DEVICES_MAX];
	struct tag_group group;
	size_t n;

	if (!inv || inventory_find_group(inv, &r->key, &r->dpa, &group) < 0)
		return;
	n = tag_group_devices(inv, &group, devices, ARRAY_SIZE(devices));
	for (size_t i = 0; i < MIN(n, ARRAY_SIZE(devices)); i++) {
		const struct dax_device *device = &inv->devices[devices[i]];

		for (uint32_t h = 0; h < device->n_holders; h++)
			found(m, r, &inv->holders[device->first_holder + h], userdata);
	}
}

struct watched {
	struct holder *holders;
	size_t n, size;
	bool short_of_memory;
};

static void watch_holder(struct manager *m, const struct release *r, const struct holder *holder,
			 void *userdata)
{
	struct watched *w = userdata;

	(void)m;
	(void)r;
	if (w->n == w->size) {
		size_t size = MAX(2 * w->size, (size_t)16);
		struct holder *larger = reallocarray(w->holders, size, sizeof(*larger));

		if (!larger) {
			w->short_of_memory = true;
			return;
		}
		w->holders = larger;
		w->size = size;
	}
	w->holders[w->n++] = *holder;
}

static void settle_drain(struct manager *m)
{
	struct watched w = { 0 };
	struct entry *e;
	int r;

	TAILQ_FOREACH(e, &m->queue.live, link)
		if (waits_for_holders(e->release))
			each_holder(m, e->release, watch_holder, &w);
	if (w.n > 0 || m->facts.draining) {
		r = w.short_of_memory ? -ENOMEM : drain_watch(m->facts.drain, w.holders, w.n);
		/* Without it their end is noticed by the look at intervals. */
		if (r < 0)
			manager_warn(m, NULL, DCDD_MESSAGE_STATE,
				     "Cannot wait for all processes that hold a dax device: %s; "
				     "looking at intervals",
				     strerror(-r));
		m->facts.draining = w.n > 0;
	}
	free(w.holders);
}

static void settle_wallclock(struct manager *m)
{
	usec_t at = policy_next_expiry(&m->policy);
	const struct entry *e;
	bool wanted = at != USEC_INFINITY;
	int r;

	TAILQ_FOREACH(e, &m->queue.live, link) {
		const struct release *release = e->release;

		/* One that waits for a scan is decided by that. */
		if (!release_state_is_held(release->state) || release->wait != WAIT_TIME ||
		    release->request.since[CONDITION_WINDOW] == 0)
			continue;
		/* Also if no window is found: with another time zone there may be one. */
		wanted = true;
		at = MIN(at, release->decision.again_wall);
	}
	if (!wanted) {
		wallclock_disarm(m->facts.wallclock);
		return;
	}
	r = wallclock_arm(m->facts.wallclock, at);
	if (r < 0)
		manager_warn(m, NULL, DCDD_MESSAGE_STATE, "Cannot wait for a time of the day: %s",
			     strerror(-r));
}

void facts_settle(struct manager *m)
{
	settle_drain(m);
	settle_wallclock(m);
}

static void terminate_holder(struct manager *m, const struct release *r,
			     const struct holder *holder, void *userdata)
{
	(void)userdata;
	if (!policy_may_terminate(&r->decision.settings, holder, getpid()))
		return;
	/* What comes of it is told by on_signalled(), or the process has gone by itself. */
	(void)drain_terminate(m->facts.drain, holder, &r->decision.settings);
}

void facts_terminate(struct manager *m, const struct release *r)
{
	settle_drain(m);
	each_holder(m, r, terminate_holder, NULL);
}
