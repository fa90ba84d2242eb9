/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the state machines of all release requests; see manager.h. */
#include <sys/random.h>

#include "manager_internal.h"

struct machine_input manager_input(struct manager *m, const struct release *r)
{
	struct machine_input in = { .now = now_usec(CLOCK_MONOTONIC),
				    .policy = &m->policy,
				    .inventory = m->inventory };

	/* Only to spread retries: nothing is lost if there is none. */
	if (getrandom(&in.random, sizeof(in.random), GRND_NONBLOCK) < 0)
		in.random = 0;
	/* Only an untagged extent can be in a hidden group. */
	if (r && tag_is_null(&r->key.tag)) {
		bursts_hint(&m->bursts, r->key.memdev, &r->key.dpa, m->hint, sizeof(m->hint));
		in.hint = m->hint;
	}
	return in;
}

struct machine_input manager_input_deciding(struct manager *m, const struct release *r)
{
	struct machine_input in = manager_input(m, r);

	in.facts = facts_take(m, r);
	return in;
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

/*
 * Gives the step to a worker. The answer comes by on_step_reply(); or it is not made: then a
 * negative errno, and *@ret_refusal is the answer.
 */
static int submit_step(struct manager *m, struct entry *e, struct worker_reply *ret_refusal)
{
	struct worker_request request;
	struct worker *worker;
	int r;

	plan_step_request(&e->release->plan, machine_step(e->release), &request);
	r = executors_take(m->executors, &worker);
	if (r >= 0) {
		r = journal_begin_step(m, e, worker, &request, ret_refusal);
		if (r < 0) {
			executors_put(m->executors, worker);
			return r;
		}
		r = worker_submit(worker, &request, on_step_reply, m);
		if (r < 0)
			executors_put(m->executors, worker);
	}
	if (r < 0) {
		*ret_refusal = (struct worker_reply){ .error = r };
		(void)snprintf(ret_refusal->message, sizeof(ret_refusal->message),
			       "cannot run the worker process: %s", strerror(-r));
		return r;
	}
	e->worker = worker;
	return 0;
}

/* The answer to the step in hand, for the machine and the journal. */
static unsigned step_done(struct manager *m, struct entry *e, const struct worker_reply *reply)
{
	struct release *r = e->release;
	struct step *step = machine_step(r);
	struct machine_input in = manager_input(m, e->release);
	bool back = r->state == RELEASE_ROLLING_BACK;
	unsigned actions;

	manager_show_step(m, r, step, reply);
	actions = machine_step_done(r, &in, reply);
	journal_step_over(m, e, step, back);
	return actions;
}

void manager_apply(struct manager *m, struct entry *e, unsigned actions)
{
	unsigned all = 0;

	for (;;) {
		struct worker_reply refusal;

		all |= actions;
		if (actions & MACHINE_SCAN)
			e->scan = scanner_request(m->scanner, true);
		if (actions & MACHINE_CANCEL && e->worker)
			worker_cancel(e->worker);
		if (!(actions & MACHINE_STEP) || submit_step(m, e, &refusal) >= 0)
			break;
		actions = step_done(m, e, &refusal);
	}
	if (all & MACHINE_TERMINATE)
		facts_terminate(m, e->release);
	if (all & MACHINE_WOULD)
		manager_show_would(m, e->release);
	facts_count(m, e, all);
	/* Shown first: a daemon killed in between recovers it once more, and shows it then. */
	manager_show(m, e, all);
	journal_settle(m, e);
	if (all & MACHINE_FINISH)
		queue_end(&m->queue, e, m->policy.history_max, on_forget, m);
}

static void give_turns(struct manager *m)
{
	struct entry *e;

	while ((e = queue_next_turn(&m->queue, m->policy.concurrency))) {
		struct machine_input in = manager_input_deciding(m, e->release);

		manager_apply(m, e, machine_turn(e->release, &in));
	}
}

void manager_settle(struct manager *m)
{
	unsigned leaving = manager_n_active(m);

	/* What was on its way out counts for reserve, rate and headroom of others no more. */
	if (leaving < m->was_leaving)
		manager_reconsider(m, false);
	m->was_leaving = leaving;
	give_turns(m);
	facts_settle(m);
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

	if (!e)
		return;
	if (reply->error == -EPIPE || reply->error == -EPROTO)
		(void)str_copy(reply->message, sizeof(reply->message), "the worker process died");
	e->worker = NULL;
	executors_put(m->executors, w);
	manager_apply(m, e, step_done(m, e, reply));
	manager_settle(m);
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
			struct machine_input in = manager_input(m, e->release);

			manager_apply(m, e, machine_deadline(e->release, &in));
		}
	}
	manager_settle(m);
}

/* Also if it failed: the daemon can answer, and goes on trying. */
static void first_scan_over(struct manager *m)
{
	if (m->started)
		return;
	m->started = true;
	m->setup.started(m->setup.userdata);
}

static void scan_failed(struct manager *m, int error)
{
	const char *message = scanner_error_message(m->scanner);

	if (m->scan_error != error)
		report_error(m->setup.report,
			     "Cannot read the host's inventory, nothing can be freed until then; "
			     "trying again: %s",
			     message[0] ? message : strerror(-error));
	m->scan_error = error;
}

static void on_scan(uint64_t number, int error, struct inventory *inventory, void *userdata)
{
	struct manager *m = userdata;
	struct entry *e, *next;

	if (error < 0) {
		scan_failed(m, error);
		return first_scan_over(m);
	}
	if (!m->inventory)
		manager_show_inventory(m, inventory);
	if (m->scan_error < 0)
		report_notice(m->setup.report, "The host's inventory can be read again");
	m->scan_error = 0;
	sharing_annotate(m->facts.sharing, inventory);
	manager_show_unread(m, inventory, m->inventory);
	inventory_free(m->inventory);
	m->inventory = inventory;
	m->scanned = now_usec(CLOCK_MONOTONIC);

	recover_scanned(m);
	records_scanned(m, number);
	for (e = TAILQ_FIRST(&m->queue.live); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (e->release->wait == WAIT_TIME ||
		    (e->release->wait == WAIT_SCAN && e->scan <= number)) {
			struct machine_input in = manager_input_deciding(m, e->release);

			manager_apply(m, e, machine_scanned(e->release, &in));
		}
	}
	manager_settle(m);
	bus_status_changed(m->bus);
	first_scan_over(m);
}

/*
 * Those that are ready wait for their devices and cost nothing, and what was left by a daemon
 * before this one is there anyway; only live groups can be among either.
 */
static unsigned n_not_counted(const struct manager *m)
{
	const struct entry *e;
	unsigned n = 0;

	TAILQ_FOREACH(e, &m->queue.live, link)
		n += e->release->state == RELEASE_READY || e->release->recovered;
	return n;
}

void manager_begin(struct manager *m, const struct group_key *key, const struct unresolved *asked)
{
	const struct dc_event *event = &asked->event;
	struct machine_input in;
	struct entry *e;
	int r;

	r = queue_add(&m->queue, m->policy.queue_max + n_not_counted(m), key, &event->dpa,
		      event->traced, &e);
	if (r < 0) {
		manager_warn(m, event, DCDD_MESSAGE_BAD_RECORD, "Release request dropped: %s",
			     r == -ENOBUFS ? "queue-max requests are waiting already"
					   : strerror(-r));
		return;
	}
	journal_inherit(m, e);
	in = manager_input(m, e->release);
	if (asked->records > 1)
		(void)machine_record(e->release, &in, asked->records - 1, asked->last);
	manager_apply(m, e, machine_begin(e->release, &in));
	manager_settle(m);
}

void manager_again(struct manager *m, struct entry *e, const struct unresolved *asked)
{
	struct machine_input in = manager_input(m, e->release);

	manager_apply(m, e, machine_record(e->release, &in, asked->records, asked->last));
	manager_settle(m);
}

static int recover(struct manager *m)
{
	if (m->policy.dry_run) {
		report_warning(m->setup.report,
			       "This is a dry run: nothing will be changed, and what undo journals "
			       "in %s may say was left half done is not put back",
			       m->state_dir);
		return 0;
	}
	return recover_load(m);
}

static void take_policy(struct manager *m, struct policy *policy)
{
	policy_done(&m->policy);
	m->policy = *policy;
	*policy = (struct policy){ 0 };
	executors_set_max(m->executors, m->policy.concurrency);
	scanner_set_timeout(m->scanner, m->policy.scan_timeout);
	facts_policy_changed(m);
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
	m->decisions = (struct ratelimit){ .interval = 10 * USEC_PER_SEC, .burst = 50 };
	LIST_INIT(&m->orphans);
	LIST_INIT(&m->rule_leases);
	m->proc = strdup(setup->proc);
	m->state_dir = strdup(setup->state_dir);
	m->timer = event_new(setup->base, -1, 0, on_timer, m);
	if (!m->proc || !m->state_dir || !m->timer)
		return -ENOMEM;
	r = executors_new(setup->base, setup->exe, setup->sysfs, setup->proc, &m->executors);
	if (r >= 0)
		r = scanner_new(setup->base, setup->exe, setup->sysfs, setup->proc, on_scan, m,
				&m->scanner);
	if (r >= 0)
		r = facts_new(m);
	if (r < 0)
		return r;
	take_policy(m, policy);
	r = recover(m);
	if (r < 0)
		return r;
	(void)scanner_request(m->scanner, true);
	*ret = TAKE_PTR(m);
	return 0;
}

void manager_free(struct manager *m)
{
	struct entry *e;

	if (!m)
		return;
	TAILQ_FOREACH(e, &m->queue.live, link) {
		worker_free(e->worker);
	}
	executors_free(m->executors);
	recover_done(m);
	hands_done(m);
	facts_done(m);
	scanner_free(m->scanner);
	queue_done(&m->queue);
	inventory_free(m->inventory);
	policy_done(&m->policy);
	if (m->timer)
		event_free(m->timer);
	free(m->proc);
	free(m->state_dir);
	free(m);
}

void manager_set_bus(struct manager *m, struct bus *bus)
{
	m->bus = bus;
}

int manager_set_policy(struct manager *m, struct policy *policy)
{
	int r = policy_move_temporary(policy, &m->policy);

	if (r < 0)
		return r;
	if (policy->dry_run != m->policy.dry_run)
		report_warning(m->setup.report,
			       "dry-run = %s takes effect when dcdd is started again: what a "
			       "daemon before it left half done is looked after then",
			       policy->dry_run ? "yes" : "no");
	policy->dry_run = m->policy.dry_run;
	take_policy(m, policy);
	manager_reconsider(m, true);
	manager_settle(m);
	return 0;
}

const struct policy *manager_policy(const struct manager *m)
{
	return &m->policy;
}

void manager_reconsider(struct manager *m, bool policy)
{
	struct entry *e, *next;

	/* What was refused by the old rules may be asked again at once. */
	TAILQ_FOREACH(e, &m->queue.ended, link)
		if (policy && e->release->state == RELEASE_REFUSED)
			e->release->hold_until = 0;

	for (e = TAILQ_FIRST(&m->queue.live); e; e = next) {
		struct machine_input in = manager_input_deciding(m, e->release);

		next = TAILQ_NEXT(e, link);
		manager_apply(m, e, machine_reconsider(e->release, &in, policy));
	}
}

void manager_world_changed(struct manager *m)
{
	/* Our own steps make uevents by the dozen; each attempt looks at the host when it needs to.
	 */
	scanner_request_soon(m->scanner,
			     queue_n_turns(&m->queue) > 0 ? 5 * USEC_PER_SEC : 200 * USEC_PER_MSEC);
}

unsigned manager_n_active(const struct manager *m)
{
	const struct entry *e;
	unsigned n = 0;

	TAILQ_FOREACH(e, &m->queue.live, link)
		n += release_state_is_active(e->release->state);
	return n;
}

unsigned manager_n_failed(const struct manager *m)
{
	const struct entry *e;
	unsigned n = 0;

	TAILQ_FOREACH(e, &m->queue.ended, link)
		n += e->release->state == RELEASE_FAILED;
	return n;
}

void manager_stop(struct manager *m)
{
	struct entry *e, *next;

	m->stopping = true;
	for (e = TAILQ_FIRST(&m->queue.live); e; e = next) {
		struct machine_input in = manager_input(m, e->release);

		next = TAILQ_NEXT(e, link);
		manager_apply(m, e, machine_stop(e->release, &in));
	}
	manager_settle(m);
}
