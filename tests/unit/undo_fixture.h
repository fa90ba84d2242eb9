/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A state directory and what the store needs of /proc, in a temporary tree; and a list of what
 * undo_load() found.
 */
#pragma once

#include <sys/mount.h>

#include "tree.h"

#include "undo/undo_internal.h"

#include "undo_plan.h"

#define FOUND_MAX 16

struct found {
	char name[NAME_MAX + 1];
	bool has_record, has_key, other_boot, moved;
	char error[256];
	size_t n_steps;
	bool torn;
	const char *differs; /* from the release it should be of */
};

struct state_dir {
	struct tree tree;
	char path[128], proc[128];
	struct undo_store *store;
	struct release *release;
	char name[UNDO_NAME_MAX], draft[UNDO_NAME_MAX], bad[UNDO_NAME_MAX]; /* of its files */
	char expected[UNDO_PATH_MAX];
	/* undo_load(): */
	struct found found[FOUND_MAX];
	size_t n_found;
};

static inline void open_store(struct state_dir *s)
{
	undo_store_free(s->store);
	s->store = NULL;
	assert_int_equal(undo_store_open(s->path, s->proc, &s->store), 0);
}

static inline int state_dir_setup(void **state)
{
	struct state_dir *s = checked(calloc(1, sizeof(*s)));
	size_t base;

	tree_init(&s->tree);
	tree_write(&s->tree, "proc/sys/kernel/random/boot_id", BOOT);
	(void)snprintf(s->path, sizeof(s->path), "%s/state", s->tree.path);
	(void)snprintf(s->proc, sizeof(s->proc), "%s/proc", s->tree.path);
	open_store(s);

	s->release = random_release(11);
	(void)undo_name(&s->release->key, s->name);
	base = strlen(s->name) - strlen(UNDO_SUFFIX);
	(void)snprintf(s->draft, sizeof(s->draft), "%.*s" UNDO_SUFFIX_NEW, (int)base, s->name);
	(void)snprintf(s->bad, sizeof(s->bad), "%.*s" UNDO_SUFFIX_BAD, (int)base, s->name);
	(void)snprintf(s->expected, sizeof(s->expected), "%.60s/%.100s", s->path, s->name);
	*state = s;
	return 0;
}

static inline int state_dir_teardown(void **state)
{
	struct state_dir *s = *state;

	undo_store_free(s->store);
	release_free(s->release);
	(void)umount2(s->path, MNT_DETACH); /* left there by a test that failed */
	tree_done(&s->tree);
	free(s);
	return 0;
}

#define STATE_TEST(f) cmocka_unit_test_setup_teardown(f, state_dir_setup, state_dir_teardown)

/* "state/NAME", below the tree. */
static inline const char *below_state(const char *name)
{
	static char path[NAME_MAX + 16];

	(void)snprintf(path, sizeof(path), "state/%s", name);
	return path;
}

static inline bool state_has(const struct state_dir *s, const char *name)
{
	return faccessat(s->tree.fd, below_state(name), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline struct stat state_stat(const struct state_dir *s, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(s->tree.fd, below_state(name), &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static inline void make_draft(struct state_dir *s)
{
	char path[UNDO_PATH_MAX] = "";

	assert_int_equal(undo_draft(s->store, s->release, path), 0);
	assert_string_equal(path, s->expected);
}

/* What the worker does, without the waiting for the disk. */
static inline void publish_draft(struct state_dir *s)
{
	char from[NAME_MAX + 16], to[NAME_MAX + 16];

	(void)str_copy(from, sizeof(from), below_state(s->draft));
	(void)str_copy(to, sizeof(to), below_state(s->name));
	assert_int_equal(renameat(s->tree.fd, from, s->tree.fd, to), 0);
}

static inline int note_text(struct state_dir *s, const char *text)
{
	return undo_append(s->store, s->release, UNDO_NOTE_ROLLING_BACK, NULL, 0, text);
}

static inline int note_step(struct state_dir *s, int32_t worker)
{
	const struct step step = { .kind = STEP_SAVE };

	return undo_append(s->store, s->release, UNDO_NOTE_STEP, &step, worker, NULL);
}

static inline void on_found(const struct undo_found *found, void *userdata)
{
	struct state_dir *s = userdata;
	struct found *f = &s->found[s->n_found++];

	assert_true(s->n_found <= FOUND_MAX);
	*f = (struct found){ .has_record = found->record != NULL,
			     .has_key = found->has_key,
			     .other_boot = found->other_boot,
			     .moved = found->moved };
	(void)str_copy(f->name, sizeof(f->name), found->name);
	(void)str_copy(f->error, sizeof(f->error), found->error ? found->error : "");
	assert_int_equal(found->error != NULL, found->record == NULL);
	if (found->has_key && found->record)
		assert_true(group_key_equal(&found->key, &found->record->key));
	if (!found->record)
		return;
	f->n_steps = found->record->n_steps;
	f->torn = found->record->torn;
	f->differs = compare_record(s->release, found->record);
	if (s->n_found % 2) { /* the callee may take the plan, and need not */
		plan_done(&found->record->plan);
		assert_null(found->record->plan.devices);
	}
}

static inline int load(struct state_dir *s)
{
	s->n_found = 0;
	return undo_load(s->store, on_found, s);
}

/* Loads, and expects the release's journal and nothing else. */
static inline const struct found *load_one(struct state_dir *s)
{
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 1);
	assert_string_equal(s->found[0].name, s->name);
	assert_string_equal(s->found[0].error, "");
	assert_true(s->found[0].has_record && s->found[0].has_key);
	assert_null(s->found[0].differs);
	return &s->found[0];
}
