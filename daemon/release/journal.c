/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the undo journal is told, and when: all that was before the first change, each step before
 * it is made, and that the host is whole again. A journal that cannot be written keeps a release
 * from beginning or going on, and never one from being rolled back.
 */
#include "manager_internal.h"

static void journal_warn(struct manager *m, const struct release *r, const char *what, int error)
{
	char key[GROUP_KEY_STRLEN];

	manager_warn(m, NULL, DCDD_MESSAGE_STATE, "Release of %s: cannot %s in %s: %s",
		     group_key_format(&r->key, key), what, m->state_dir, strerror(-error));
}

static int refuse(const struct manager *m, int error, struct worker_reply *ret)
{
	*ret = (struct worker_reply){ .error = error };
	(void)snprintf(ret->message, sizeof(ret->message), "cannot write to %.100s: %s",
		       m->state_dir, strerror(-error));
	return error;
}

int journal_begin_step(struct manager *m, struct entry *e, const struct worker *worker,
		       struct worker_request *request, struct worker_reply *ret_refusal)
{
	const struct step *step = machine_step(e->release);
	bool needed;
	int r;

	if (step->kind == STEP_SAVE) {
		char path[UNDO_PATH_MAX];

		r = undo_draft(m->setup.undo, e->release, path);
		if (r < 0)
			return refuse(m, r, ret_refusal);
		e->journal = true; /* perhaps published although the worker says that it failed */
		if (str_copy(request->path, sizeof(request->path), path) < 0)
			return refuse(m, -ENAMETOOLONG, ret_refusal);
		return 0;
	}
	if (e->release->state == RELEASE_ROLLING_BACK && !e->release->saved)
		return 0; /* nothing was changed, and another hand's doing has no journal */
	r = undo_append(m->setup.undo, e->release, UNDO_NOTE_STEP, step, worker_pid(worker), NULL);
	/*
	 * What was before is there all the same, and nothing else is needed to put it back; nor is
	 * anything to be put back once a device is deleted.
	 */
	needed = e->release->state != RELEASE_ROLLING_BACK && step->kind != STEP_DELETE;
	if (r < 0 && needed)
		return refuse(m, r, ret_refusal);
	if (r < 0)
		journal_warn(m, e->release, "note a step", r);
	return 0;
}

static void append(struct manager *m, const struct entry *e, enum undo_note note,
		   const struct step *step, const char *text)
{
	int r;

	if (!e->release->saved)
		return;
	r = undo_append(m->setup.undo, e->release, note, step, 0, text);
	if (r < 0)
		journal_warn(m, e->release, "add to the undo journal", r);
}

void journal_step_over(struct manager *m, struct entry *e, const struct step *step, bool back)
{
	if (!back && step->state == STEP_SKIPPED)
		append(m, e, UNDO_NOTE_SKIPPED, step, NULL);
}

void journal_settle(struct manager *m, struct entry *e)
{
	struct release *r = e->release;
	int error;

	if (e->journal && !release_state_is_active(r->state) && r->state != RELEASE_FAILED) {
		error = undo_remove(m->setup.undo, &r->key);
		if (error < 0) {
			/* Tried again with the next inventory, or compared at the next start. */
			journal_warn(m, r, "remove the undo journal", error);
			return;
		}
		e->journal = r->saved = false;
		e->noted_state = r->state;
		return;
	}
	if (e->noted_state == r->state)
		return;
	e->noted_state = r->state;
	if (r->state == RELEASE_ROLLING_BACK)
		append(m, e, UNDO_NOTE_ROLLING_BACK, NULL, r->failure);
	else if (r->state == RELEASE_FAILED)
		append(m, e, UNDO_NOTE_FAILED, NULL, r->reason);
}

void journal_inherit(struct manager *m, struct entry *e)
{
	struct entry *old;

	TAILQ_FOREACH(old, &m->queue.ended, link) {
		if (!old->journal || !group_key_equal(&old->release->key, &e->release->key))
			continue;
		old->journal = false;
		e->journal = true;
	}
}
