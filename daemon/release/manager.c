/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the state machines of all release requests; see manager.h. */
#include "manager_internal.h"

static struct machine_input input(struct manager *m, const struct release *r)
{
	/* Only an untagged extent can be in a hidden group. */
	if (tag_is_null(&r->key.tag))
		bursts_hint(&m->bursts, r->key.memdev, &r->key.dpa, m->hint, sizeof(m->hint));
	else
		m->hint[0] = '\0';
	return (struct machine_input){ .now = now_usec(CLOCK_MONOTONIC),
				       .policy = &m->policy,
				       .inventory = m->inventory,
				       .hint = m->hint };
}

static void rearm(struct manager *m)
{
	usec_t now = now_usec(CLOCK_MONOTONIC), next = USEC_INFINITY, delay;
	struct timeval tv;
	struct entry *e;

	TAILQ_FOREACH(e, &m->queue.live, link)
		next = MIN(next, e->release->deadline);
	if (next == USEC_INFINITY) {
		(void)event_del(m->timer);
		return;
	}
	delay = next > now ? next - now : 0;
	tv = usec_to_timeval(delay);
	(void)event_add(m->timer, &tv);
}

static void on_forget(uint64_t id, void *userdata)
{
	struct manager *m = userdata;

	bus_release_removed(m->bus, id);
}

static void on_step_reply(struct worker *w, struct worker_reply *reply, void *userdata);

/* Gives the step to the worker. The answer comes by on_step_reply(), or at once as an error. */
static int submit_step(struct manager *m, struct entry *e)
{
	struct worker_request request;
	int r;

	plan_step_request(&e->release->plan, machine_step(e->release), &request);
	if (m->executor && !worker_is_alive(m->executor)) {
		/* Died while it had nothing to do. */
		worker_free(m->executor);
		m->executor = NULL;
	}
	if (!m->executor) {
		r = worker_new(m->setup.base, m->exe, m->sysfs, m->proc, &m->executor);
		if (r < 0)
			return r;
	}
	r = worker_submit(m->executor, &request, on_step_reply, m);
	if (r >= 0)
		e->worker = m->executor;
	return r;
}

/* Does what the machine asked for. */
static void apply(struct manager *m, struct entry *e, unsigned actions)
{
	unsigned all = 0;

	for (;;) {
		all |= actions;
		if (actions & MACHINE_YIELD && m->turn == e)
			m->turn = NULL;
		if (actions & MACHINE_SCAN)
			e->scan = scanner_request(m->scanner, true);
		if (actions & MACHINE_CANCEL && e->worker)
			worker_cancel(e->worker);
		if (actions & MACHINE_ABANDON) {
			m->executor = NULL; /* stays with the entry */
			if (m->turn == e)
				m->turn = NULL;
		}
		if (actions & MACHINE_STEP) {
			int r = submit_step(m, e);

			if (r < 0) {
				struct worker_reply reply = { .error = r };
				struct machine_input in = input(m, e->release);

				(void)str_copy(reply.message, sizeof(reply.message),
					       "cannot run the worker process");
				manager_show_step(m, e->release, machine_step(e->release), &reply);
				actions = machine_step_done(e->release, &in, &reply);
				continue;
			}
		}
		break;
	}
	manager_show(m, e, all);
	if (all & MACHINE_FINISH)
		queue_end(&m->queue, e, m->policy.history_max, on_forget, m);
}

/* The executor goes to the request that has waited longest. */
static void give_turn(struct manager *m)
{
	struct entry *e, *next = NULL;

	do {
		next = NULL;
		if (m->turn)
			break;
		TAILQ_FOREACH(e, &m->queue.live, link) {
			if (e->release->wait == WAIT_TURN) {
				next = e;
				break;
			}
		}
		if (next) {
			struct machine_input in = input(m, next->release);

			m->turn = next;
			apply(m, next, machine_turn(next->release, &in));
		}
	} while (next);
}

/* At the end of everything that may have changed a request. */
static void settle(struct manager *m)
{
	give_turn(m);
	rearm(m);
	if (m->stopping && manager_n_active(m) == 0 && !m->stopped) {
		m->stopped = true;
		m->setup.stopped(m->setup.userdata);
	}
}

static struct entry *entry_of_worker(struct manager *m, struct worker *w)
{
	struct entry *e;

	TAILQ_FOREACH(e, &m->queue.live, link)
		if (e->worker == w && e->release->wait == WAIT_STEP)
			return e;
	return NULL;
}

static void on_step_reply(struct worker *w, struct worker_reply *reply, void *userdata)
{
	struct manager *m = userdata;
	struct entry *e = entry_of_worker(m, w);
	struct machine_input in;
	unsigned actions;

	if (!e)
		return;
	if (reply->error == -EPIPE || reply->error == -EPROTO)
		(void)str_copy(reply->message, sizeof(reply->message), "the worker process died");
	if (m->executor != w || reply->error == -EPIPE || reply->error == -EPROTO) {
		/* Left behind earlier, or of no use any more. */
		if (m->executor == w)
			m->executor = NULL;
		worker_free(w);
	}
	e->worker = NULL;
	manager_show_step(m, e->release, machine_step(e->release), reply);
	in = input(m, e->release);
	actions = machine_step_done(e->release, &in, reply);
	apply(m, e, actions);
	settle(m);
}

static void on_timer(evutil_socket_t fd, short what, void *userdata)
{
	struct manager *m = userdata;
	struct entry *e, *next;

	(void)fd;
	(void)what;
	for (e = TAILQ_FIRST(&m->queue.live); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (e->release->deadline <= now_usec(CLOCK_MONOTONIC)) {
			struct machine_input in = input(m, e->release);

			apply(m, e, machine_deadline(e->release, &in));
		}
	}
	settle(m);
}

/* Also if it failed: the daemon can answer, and goes on trying. */
static void first_scan_over(struct manager *m)
{
	if (m->started)
		return;
	m->started = true;
	m->setup.started(m->setup.userdata);
}

/* A group that could neither be freed nor put back, and is gone: so is what was wrong with it. */
static void look_at_failed(struct manager *m)
{
	struct entry *e;

	TAILQ_FOREACH(e, &m->queue.ended, link) {
		struct release *r = e->release;
		struct tag_group group;

		if (r->state != RELEASE_FAILED ||
		    inventory_find_group(m->inventory, &r->key, &r->dpa, &group) == 0)
			continue;
		plan_done(&r->plan);
		r->state = RELEASE_VANISHED;
		(void)str_copy(r->reason, sizeof(r->reason),
			       "its release had failed; the extents have gone by another hand");
		manager_show(m, e, 0);
	}
}

static void on_scan(uint64_t number, int error, struct inventory *inventory, void *userdata)
{
	struct manager *m = userdata;
	struct entry *e, *next;

	if (error < 0) {
		if (m->scan_error != error)
			report_error(m->setup.report,
				     "Cannot read the host's inventory, nothing can be freed until "
				     "then; trying again: %s",
				     strerror(-error));
		m->scan_error = error;
		return first_scan_over(m);
	}
	if (!m->inventory)
		manager_show_inventory(m, inventory);
	if (m->scan_error < 0)
		report_notice(m->setup.report, "The host's inventory can be read again");
	m->scan_error = 0;
	inventory_free(m->inventory);
	m->inventory = inventory;
	m->scanned = now_usec(CLOCK_MONOTONIC);

	records_scanned(m, number);
	look_at_failed(m);
	for (e = TAILQ_FIRST(&m->queue.live); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (e->release->wait == WAIT_TIME ||
		    (e->release->wait == WAIT_SCAN && e->scan <= number)) {
			struct machine_input in = input(m, e->release);

			apply(m, e, machine_scanned(e->release, &in));
		}
	}
	settle(m);
	bus_status_changed(m->bus);
	first_scan_over(m);
}

/* They wait for their devices and cost nothing; only live groups can be among them. */
static unsigned n_ready(const struct manager *m)
{
	const struct entry *e;
	unsigned n = 0;

	TAILQ_FOREACH(e, &m->queue.live, link)
		n += e->release->state == RELEASE_READY;
	return n;
}

void manager_begin(struct manager *m, const struct group_key *key, const struct unresolved *asked)
{
	const struct dc_event *event = &asked->event;
	struct machine_input in;
	struct entry *e;
	int r;

	r = queue_add(&m->queue, m->policy.queue_max + n_ready(m), key, &event->dpa, event->traced,
		      &e);
	if (r < 0) {
		manager_warn(m, event, DCDD_MESSAGE_BAD_RECORD, "Release request dropped: %s",
			     r == -ENOBUFS ? "queue-max requests are waiting already"
					   : strerror(-r));
		return;
	}
	in = input(m, e->release);
	if (asked->records > 1)
		(void)machine_record(e->release, &in, asked->records - 1, asked->last);
	apply(m, e, machine_begin(e->release, &in));
	settle(m);
}

void manager_again(struct manager *m, struct entry *e, const struct unresolved *asked)
{
	struct machine_input in = input(m, e->release);

	apply(m, e, machine_record(e->release, &in, asked->records, asked->last));
	settle(m);
}

int manager_new(const struct manager_setup *setup, struct policy *policy, struct manager **ret)
{
	_cleanup_(manager_freep) struct manager *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	queue_init(&m->queue);
	m->setup = *setup;
	m->warnings = (struct ratelimit){ .interval = 10 * USEC_PER_SEC, .burst = 20 };
	m->losses = (struct ratelimit){ .interval = 10 * USEC_PER_SEC, .burst = 2 };
	m->exe = strdup(setup->exe);
	m->sysfs = strdup(setup->sysfs);
	m->proc = strdup(setup->proc);
	m->timer = event_new(setup->base, -1, 0, on_timer, m);
	if (!m->exe || !m->sysfs || !m->proc || !m->timer)
		return -ENOMEM;
	r = scanner_new(setup->base, m->exe, m->sysfs, m->proc, on_scan, m, &m->scanner);
	if (r < 0)
		return r;
	m->policy = *policy;
	*policy = (struct policy){ 0 };
	(void)scanner_request(m->scanner, true);
	*ret = TAKE_PTR(m);
	return 0;
}

void manager_free(struct manager *m)
{
	struct entry *e;

	if (!m)
		return;
	TAILQ_FOREACH(e, &m->queue.live, link)
		if (e->worker != m->executor)
			worker_free(e->worker);
	worker_free(m->executor);
	scanner_free(m->scanner);
	queue_done(&m->queue);
	inventory_free(m->inventory);
	policy_done(&m->policy);
	if (m->timer)
		event_free(m->timer);
	free(m->exe);
	free(m->sysfs);
	free(m->proc);
	free(m);
}

void manager_set_bus(struct manager *m, struct bus *bus)
{
	m->bus = bus;
}

void manager_set_policy(struct manager *m, struct policy *policy)
{
	struct entry *e;

	policy_done(&m->policy);
	m->policy = *policy;
	*policy = (struct policy){ 0 };
	/* What was refused or put off by the old one may be asked and decided again at once. */
	TAILQ_FOREACH(e, &m->queue.ended, link)
		if (e->release->state == RELEASE_REFUSED)
			e->release->hold_until = 0;
	TAILQ_FOREACH(e, &m->queue.live, link)
		if (e->release->state == RELEASE_DEFERRED)
			e->release->deadline = 0;
	settle(m);
}

void manager_world_changed(struct manager *m)
{
	/* Our own steps make uevents by the dozen; each attempt looks at the host when it needs to.
	 */
	scanner_request_soon(m->scanner, m->turn ? 5 * USEC_PER_SEC : 200 * USEC_PER_MSEC);
}

unsigned manager_n_active(const struct manager *m)
{
	const struct entry *e;
	unsigned n = 0;

	TAILQ_FOREACH(e, &m->queue.live, link)
		n += release_state_is_active(e->release->state);
	return n;
}

void manager_stop(struct manager *m)
{
	struct entry *e, *next;

	m->stopping = true;
	for (e = TAILQ_FIRST(&m->queue.live); e; e = next) {
		struct machine_input in = input(m, e->release);

		next = TAILQ_NEXT(e, link);
		apply(m, e, machine_stop(e->release, &in));
	}
	settle(m);
}
