/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a daemon before this one left behind: its undo journals become releases, and those that
 * failed stay out of bounds until their groups are seen whole. Where its worker is still in the
 * kernel, nothing is done before that has come back: it may be about to change what we look at.
 */
#include <limits.h>

#include "manager_internal.h"

/* Where there is no pidfd. */
#define ORPHAN_LOOK_USEC USEC_PER_SEC

/* A worker of that daemon, for as long as it lives. */
struct orphan {
	struct manager *manager;
	uint64_t release;
	struct undo_record who; /* worker and worker_started only */
	int pidfd;
	struct event *event;
	LIST_ENTRY(orphan) link;
};

static void orphan_free(struct orphan *orphan)
{
	LIST_REMOVE(orphan, link);
	if (orphan->event)
		event_free(orphan->event);
	(void)safe_close(orphan->pidfd);
	free(orphan);
}

void recover_done(struct manager *m)
{
	while (!LIST_EMPTY(&m->orphans))
		orphan_free(LIST_FIRST(&m->orphans));
}

static void on_orphan(evutil_socket_t fd, short what, void *userdata)
{
	struct orphan *orphan = userdata;
	struct manager *m = orphan->manager;
	struct entry *e = queue_find_id(&m->queue, orphan->release);
	struct machine_input in;
	int pidfd = -EBADF;

	(void)fd;
	(void)what;
	if (orphan->pidfd < 0 && undo_worker_lives(&orphan->who, m->proc, &pidfd) != 0) {
		(void)safe_close(pidfd);
		return;
	}
	report_notice(m->setup.report,
		      "Process %d, a worker of the dcdd before this one, has ended",
		      orphan->who.worker);
	orphan_free(orphan);
	if (!e || release_state_is_final(e->release->state))
		return; /* its extents have gone meanwhile */
	e->release->orphan = 0;
	in = manager_input(m, NULL);
	manager_apply(m, e, machine_recover(e->release, &in));
	manager_settle(m);
}

/* 0 or -ENOMEM. */
static int watch_orphan(struct manager *m, const struct undo_record *record, struct release *r)
{
	struct timeval look_every = usec_to_timeval(ORPHAN_LOOK_USEC);
	struct orphan *orphan;
	int pidfd = -EBADF;

	/* What cannot be told counts as alive. */
	if (undo_worker_lives(record, m->proc, &pidfd) == 0)
		return 0;
	orphan = calloc(1, sizeof(*orphan));
	if (!orphan) {
		(void)safe_close(pidfd);
		return -ENOMEM;
	}
	LIST_INSERT_HEAD(&m->orphans, orphan, link);
	orphan->manager = m;
	orphan->release = r->id;
	orphan->who.worker = record->worker;
	orphan->who.worker_started = record->worker_started;
	orphan->pidfd = pidfd;
	orphan->event = event_new(m->setup.base, pidfd < 0 ? -1 : pidfd,
				  pidfd < 0 ? EV_PERSIST : EV_READ | EV_PERSIST, on_orphan, orphan);
	if (!orphan->event || event_add(orphan->event, pidfd < 0 ? &look_every : NULL) < 0) {
		orphan_free(orphan);
		return -ENOMEM;
	}
	r->orphan = record->worker;
	return 0;
}

/* The rule that was in force, as it is now; if there is none of that name, the defaults. */
static void recall_rule(const struct manager *m, const char *name, struct decision *ret)
{
	*ret = (struct decision){ .verdict = VERDICT_FREE, .settings = m->policy.defaults };
	(void)str_copy(ret->rule, sizeof(ret->rule), "default");
	for (size_t i = 0; i < m->policy.n_rules; i++) {
		const struct policy_rule *rule = &m->policy.rules[i];

		if (!streq(rule->name, name))
			continue;
		(void)str_copy(ret->rule, sizeof(ret->rule), rule->name);
		ret->settings = rule->settings;
		return;
	}
}

/* Not counted against queue-max: it is there already, whatever the limit is now. */
static struct entry *add_release(struct manager *m, const struct undo_found *found,
				 const struct range *dpa, usec_t first_record)
{
	struct entry *e;
	int r = queue_add(&m->queue, UINT_MAX, &found->key, dpa,
			  MIN(first_record, now_usec(CLOCK_MONOTONIC)), &e);

	if (r < 0) {
		report_error(m->setup.report, "Cannot look after undo journal %s/%s: %s",
			     m->state_dir, found->name, strerror(-r));
		return NULL;
	}
	e->release->recovered = true;
	return e;
}

static void found_unreadable(struct manager *m, const struct undo_found *found)
{
	char why[RELEASE_REASON_MAX];
	struct machine_input in;
	struct entry *e;

	if (!found->has_key) {
		report_error(m->setup.report,
			     "Undo journal %s/%s cannot be read: %s. A release may be half done; "
			     "look for dax devices without driver and memory blocks that are "
			     "offline, then remove the file",
			     m->state_dir, found->name, found->error);
		return;
	}
	e = add_release(m, found, &found->key.dpa, USEC_INFINITY);
	if (!e)
		return;
	(void)snprintf(why, sizeof(why),
		       "undo journal %.90s%s cannot be read, so what was before is not known: "
		       "%.70s",
		       found->name, found->moved ? ", moved aside," : "", found->error);
	e->release->blind = true;
	in = manager_input(m, NULL);
	manager_apply(m, e, machine_recover_blind(e->release, &in, why));
}

static void found_journal(struct manager *m, const struct undo_found *found)
{
	struct undo_record *record = found->record;
	struct machine_input in = manager_input(m, NULL);
	struct entry *e = add_release(m, found, &record->dpa, record->first_record);
	struct release *r;

	if (!e)
		return;
	r = e->release;
	r->records = record->records;
	r->last_record = MIN(record->last_record, in.now);
	r->bytes = record->bytes;
	r->n_extents = record->n_extents;
	(void)str_copy(r->region, sizeof(r->region), record->region);
	recall_rule(m, record->rule, &r->decision);
	r->plan = record->plan;
	record->plan = (struct plan){ 0 };
	(void)str_copy(r->failure, sizeof(r->failure), record->rolling_back);
	r->saved = e->journal = true;
	r->entered = in.now;

	if (record->failed[0]) {
		r->state = e->noted_state = RELEASE_FAILED;
		r->hold_until = USEC_INFINITY;
		(void)str_copy(r->reason, sizeof(r->reason), record->failed);
		manager_apply(m, e, MACHINE_FINISH);
		return;
	}
	if (record->rolling_back[0])
		e->noted_state = RELEASE_ROLLING_BACK;
	if (watch_orphan(m, record, r) < 0) {
		r->orphan = record->worker; /* nothing is done then */
		report_error(m->setup.report,
			     "Cannot watch process %d, a worker of the dcdd before this one: out "
			     "of memory; restart dcdd when it has ended",
			     record->worker);
	}
	manager_apply(m, e, machine_recover(r, &in));
}

static void on_found(const struct undo_found *found, void *userdata)
{
	struct manager *m = userdata;
	char key[GROUP_KEY_STRLEN];

	if (found->other_boot)
		report_notice(m->setup.report,
			      "The release of %s was under way when the host went down; it was "
			      "booted since, so there is nothing to put back (undo journal %s)",
			      found->has_key ? group_key_format(&found->key, key) : "a group",
			      found->name);
	else if (found->record)
		found_journal(m, found);
	else
		found_unreadable(m, found);
}

int recover_load(struct manager *m)
{
	int r = undo_load(m->setup.undo, on_found, m);

	if (r < 0)
		report_error(m->setup.report, "Cannot read the undo journals in %s: %s",
			     m->state_dir, strerror(-r));
	return r;
}

/* A group that could neither be freed nor put back: is it whole again, or gone? */
static void look_at_failed(struct manager *m, struct entry *e)
{
	struct machine_input in = manager_input(m, NULL);
	struct release *r = e->release;
	size_t n = r->plan.n_differences;
	bool blind = r->blind;
	int error;

	if (!machine_thaw(r, &in)) {
		manager_show_differences(m, e);
		if (r->plan.n_differences != n)
			manager_show(m, e, 0);
		return;
	}
	error = blind ? undo_forget_bad(m->setup.undo, &r->key) : 0;
	if (error < 0)
		manager_warn(m, NULL, DCDD_MESSAGE_STATE,
			     "Cannot remove what was moved aside in %s: %s", m->state_dir,
			     strerror(-error));
	plan_done(&r->plan);
	manager_show(m, e, 0);
}

/* The hold is about a group: what comes to its place later is asked for anew. */
static void end_hold(struct manager *m, struct release *r)
{
	struct tag_group group;

	if (r->state == RELEASE_REFUSED && r->hold_until > now_usec(CLOCK_MONOTONIC) &&
	    inventory_find_group(m->inventory, &r->key, &r->dpa, &group) == -ENOENT)
		r->hold_until = 0;
}

void recover_scanned(struct manager *m)
{
	struct entry *e;

	TAILQ_FOREACH(e, &m->queue.ended, link) {
		if (e->release->state == RELEASE_FAILED)
			look_at_failed(m, e);
		end_hold(m, e->release);
		journal_settle(m, e);
	}
	TAILQ_FOREACH(e, &m->queue.live, link) {
		journal_settle(m, e);
	}
}
