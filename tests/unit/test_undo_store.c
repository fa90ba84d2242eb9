/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing undo journals: modes, drafts, lines that are added, and what another hand or a full disk
 * does to them.
 */
#include <signal.h>
#include <sys/resource.h>

#include "undo_fixture.h"

/* ---- the directory ---- */

static void test_open_makes_it(void **state)
{
	struct state_dir *s = *state;
	struct stat st;

	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	open_store(s); /* again */
}

static int try_open(struct state_dir *s, const char *name)
{
	struct undo_store *store = NULL;
	char path[PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s", s->tree.path, name);
	r = undo_store_open(path, s->proc, &store);
	assert_int_equal(r < 0, store == NULL);
	undo_store_free(store);
	return r;
}

static void test_open_refuses(void **state)
{
	struct state_dir *s = *state;
	char deep[120];

	tree_write(&s->tree, "file", "");
	assert_int_equal(try_open(s, "file"), -ENOTDIR);
	assert_int_equal(try_open(s, "no/such"), -ENOENT);
	tree_mkdir(&s->tree, "open");
	assert_int_equal(fchmodat(s->tree.fd, "open", 0755, 0), 0);
	assert_int_equal(try_open(s, "open"), 0);
	assert_int_equal(fchmodat(s->tree.fd, "open", 0775, 0), 0);
	assert_int_equal(try_open(s, "open"), -EPERM);
	assert_int_equal(fchmodat(s->tree.fd, "open", 0702, 0), 0);
	assert_int_equal(try_open(s, "open"), -EPERM);
	if (geteuid() == 0) {
		assert_int_equal(fchmodat(s->tree.fd, "open", 0700, 0), 0);
		assert_int_equal(fchownat(s->tree.fd, "open", 1, 1, 0), 0);
		assert_int_equal(try_open(s, "open"), -EPERM);
	}

	/* Every name that a file can get must fit into a request, or none does. */
	memset(deep, 'd', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(try_open(s, deep), -ENAMETOOLONG);
	deep[60] = '\0';
	assert_int_equal(try_open(s, deep), 0);

	tree_write(&s->tree, "proc/sys/kernel/random/boot_id", "not-a-boot-id");
	assert_int_equal(try_open(s, "state"), -EBADMSG);
	tree_remove(&s->tree, "proc/sys/kernel/random/boot_id");
	assert_int_equal(try_open(s, "state"), -ENOENT);
	tree_remove(&s->tree, "proc");
	assert_int_equal(try_open(s, "state"), -ENOENT);
}

/* The worker takes plain absolute paths only, so that is what it gets. */
static void test_path_is_plain(void **state)
{
	struct state_dir *s = *state;
	char path[UNDO_PATH_MAX], odd[PATH_MAX], before[PATH_MAX];

	tree_link(&s->tree, "link", "state");
	(void)snprintf(odd, sizeof(odd), "%s/./proc/..//link/", s->tree.path);
	undo_store_free(s->store);
	assert_int_equal(undo_store_open(odd, s->proc, &s->store), 0);
	assert_int_equal(undo_draft(s->store, s->release, path), 0);
	assert_string_equal(path, s->expected);

	undo_store_free(s->store);
	s->store = NULL;
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(s->tree.path), 0);
	assert_int_equal(undo_store_open("state", s->proc, &s->store), 0);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(undo_draft(s->store, s->release, path), 0);
	assert_string_equal(path, s->expected);
	assert_true(state_has(s, s->draft));
}

/* ---- drafts ---- */

static void test_draft(void **state)
{
	static const mode_t masks[] = { 0, 022, 0777 };
	struct state_dir *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		mode_t before = umask(masks[i]);
		struct stat st;

		make_draft(s);
		(void)umask(before);
		st = state_stat(s, s->draft);
		assert_int_equal(st.st_mode, S_IFREG | 0600);
		assert_false(state_has(s, s->name)); /* it is not for the store to publish it */
	}
	publish_draft(s);
	assert_int_equal(load_one(s)->n_steps, 0);
}

/* Whatever has the draft's name is replaced, and never written to. */
static void test_draft_over_another(void **state)
{
	struct state_dir *s = *state;
	char path[UNDO_PATH_MAX], content[64];

	tree_write(&s->tree, "victim", "precious");
	tree_link(&s->tree, below_state(s->draft), "../victim");
	make_draft(s);
	tree_read(&s->tree, "victim", content, sizeof(content));
	assert_string_equal(content, "precious\n");
	tree_remove(&s->tree, below_state(s->draft));

	assert_int_equal(mkfifoat(s->tree.fd, below_state(s->draft), 0600), 0);
	make_draft(s);
	assert_true(S_ISREG(state_stat(s, s->draft).st_mode));
	tree_remove(&s->tree, below_state(s->draft));

	tree_mkdir(&s->tree, below_state(s->draft));
	assert_int_equal(undo_draft(s->store, s->release, path), -EISDIR);
}

/* What could not be read again is found out before anything is changed. */
static void test_draft_must_be_readable(void **state)
{
	struct state_dir *s = *state;
	char path[UNDO_PATH_MAX];

	assert_true(s->release->plan.n_blocks > 1);
	s->release->plan.blocks[1].number = s->release->plan.blocks[0].number;
	assert_int_equal(undo_draft(s->store, s->release, path), -EINVAL);
	assert_false(state_has(s, s->draft));
	s->release->plan.n_blocks = 0;
	(void)str_copy(s->release->plan.devices[0].name, DEV_NAME_MAX, "../dax0.1");
	assert_int_equal(undo_draft(s->store, s->release, path), -EINVAL);
	s->release->plan.n_devices = 0;
	(void)str_copy(s->release->key.memdev, DEV_NAME_MAX, "../mem0");
	assert_int_equal(undo_draft(s->store, s->release, path), -EINVAL);
	assert_int_equal(undo_remove(s->store, &s->release->key), -EINVAL);
}

/* ---- lines that are added ---- */

static void test_append(void **state)
{
	struct state_dir *s = *state;
	off_t size;

	assert_int_equal(note_step(s, 0), -ENOENT); /* no journal */
	make_draft(s);
	assert_int_equal(note_step(s, 0), 0); /* the draft has it */
	publish_draft(s);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(note_step(s, 0), 0);
	assert_int_equal(note_text(s, "because"), 0);
	assert_int_equal(load_one(s)->n_steps, 6);

	/* By the store of the next daemon, where the one before stopped. */
	open_store(s);
	assert_int_equal(note_step(s, 0), -ENOENT); /* not looked at yet */
	assert_int_equal(load_one(s)->n_steps, 6);
	assert_int_equal(note_step(s, 0), 0);
	assert_int_equal(load_one(s)->n_steps, 7);

	/* Of no meaning: nothing is written. */
	size = state_stat(s, s->name).st_size;
	assert_int_equal(undo_append(s->store, s->release, UNDO_NOTE_STEP, NULL, 0, NULL), -EINVAL);
	assert_int_equal(state_stat(s, s->name).st_size, size);
}

/* While a new draft is not published, the journal before it is the one that counts. */
static void test_append_while_publishing(void **state)
{
	struct state_dir *s = *state;

	make_draft(s);
	publish_draft(s);
	assert_int_equal(note_step(s, 0), 0);
	make_draft(s);
	assert_int_equal(note_step(s, 0), 0);
	assert_int_equal(note_step(s, 0), 0);
	publish_draft(s); /* late: the notes are replaced by the plan as it was when it was made */
	assert_int_equal(note_step(s, 0), 0);
	assert_int_equal(load_one(s)->n_steps, 1);

	/* Published and not noticed before the next one is drafted, which then fails. */
	make_draft(s);
	publish_draft(s);
	make_draft(s);
	tree_remove(&s->tree, below_state(s->draft));
	assert_int_equal(note_step(s, 0), 0);
	assert_int_equal(load_one(s)->n_steps, 1);
}

static void test_append_not_to_another_file(void **state)
{
	struct state_dir *s = *state;
	char content[64];

	make_draft(s);
	publish_draft(s);
	assert_int_equal(renameat(s->tree.fd, below_state(s->name), s->tree.fd, "kept"), 0);
	assert_int_equal(note_step(s, 0), -ENOENT);
	tree_write(&s->tree, below_state(s->name), "another");
	assert_int_equal(note_step(s, 0), -ESTALE);
	tree_read(&s->tree, below_state(s->name), content, sizeof(content));
	assert_string_equal(content, "another\n");
	tree_remove(&s->tree, below_state(s->name));
	tree_link(&s->tree, below_state(s->name), "../kept");
	assert_int_equal(note_step(s, 0), -ELOOP);
	tree_remove(&s->tree, below_state(s->name));
	assert_int_equal(mkfifoat(s->tree.fd, below_state(s->name), 0600), 0);
	assert_int_equal(note_step(s, 0), -ENXIO);
	tree_remove(&s->tree, below_state(s->name));
	assert_int_equal(renameat(s->tree.fd, "kept", s->tree.fd, below_state(s->name)), 0);
	assert_int_equal(note_step(s, 0), 0);

	/* Shorter than we left it: what we would add makes no sense any more. */
	assert_int_equal(truncate(s->expected, 100), 0);
	assert_int_equal(note_step(s, 0), -EIO);
}

/* A piece of a line at the end, as a daemon that was killed may leave: it goes. */
static void test_append_cuts(void **state)
{
	struct state_dir *s = *state;
	int fd;

	make_draft(s);
	publish_draft(s);
	assert_int_equal(note_step(s, 0), 0);
	fd = open(s->expected, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "{\"step\":\"del", 12), 12);
	(void)close(fd);
	open_store(s);
	assert_true(load_one(s)->torn);
	assert_int_equal(note_step(s, 0), 0);
	assert_false(load_one(s)->torn);
	assert_int_equal(s->found[0].n_steps, 2);
}

/* ---- no room ---- */

static void limit_file_size(rlim_t size)
{
	const struct rlimit limit = { .rlim_cur = size, .rlim_max = RLIM_INFINITY };

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A file that may not get longer: a write of half a line, and then none. */
static void test_short_writes(void **state)
{
	struct state_dir *s = *state;
	void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
	char path[UNDO_PATH_MAX];
	off_t size;
	int r;

	make_draft(s);
	publish_draft(s);
	size = state_stat(s, s->name).st_size;
	for (rlim_t room = 0; room < 40; room++) {
		limit_file_size((rlim_t)size + room);
		r = note_step(s, 0);
		limit_file_size(RLIM_INFINITY);
		assert_int_equal(r, room ? -EIO : -EFBIG);
		assert_int_equal(state_stat(s, s->name).st_size, size);
	}
	assert_int_equal(note_step(s, 0), 0);
	limit_file_size((rlim_t)size / 2);
	r = undo_draft(s->store, s->release, path);
	limit_file_size(RLIM_INFINITY);
	assert_int_equal(r, -EFBIG);
	assert_false(state_has(s, s->draft));
	assert_int_equal(note_step(s, 0), 0); /* to the journal there is */
	assert_int_equal(load_one(s)->n_steps, 2);
	(void)signal(SIGXFSZ, before);
}

/* A file system of its own for the state directory; false if we may not. */
static bool mount_state(struct state_dir *s)
{
	if (mount("tmpfs", s->path, "tmpfs", 0, "size=64k,mode=0700") == 0) {
		open_store(s);
		return true;
	}
	print_message("skipped: cannot mount a file system: %s\n", strerror(errno));
	return false;
}

static void fill(struct state_dir *s, off_t leave)
{
	static const char zeros[4096];
	int fd = openat(s->tree.fd, "state/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	off_t size = 0;
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = write(fd, zeros, sizeof(zeros))) > 0)
		size += n;
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(ftruncate(fd, size - leave), 0);
	(void)close(fd);
}

static void test_full(void **state)
{
	struct state_dir *s = *state;
	char path[UNDO_PATH_MAX];
	size_t n = 0;
	int r;

	if (!mount_state(s))
		skip();
	make_draft(s);
	publish_draft(s);
	fill(s, 0);
	while ((r = note_text(s, "a line that is somewhat long, so that the page is soon full")) ==
	       0)
		n++;
	assert_true(r == -ENOSPC || r == -EIO);
	assert_true(n < 100);
	r = undo_draft(s->store, s->release, path);
	assert_int_equal(r, -ENOSPC);
	assert_false(state_has(s, s->draft));
	assert_false(load_one(s)->torn); /* nothing of the line that did not fit is left */
	tree_remove(&s->tree, "state/filler");
	assert_int_equal(note_step(s, 0), 0);
	assert_int_equal(load_one(s)->n_steps, 1);
	undo_store_free(s->store);
	s->store = NULL;
	assert_int_equal(umount(s->path), 0);
}

static void test_read_only(void **state)
{
	struct state_dir *s = *state;
	char path[UNDO_PATH_MAX];

	if (!mount_state(s))
		skip();
	make_draft(s);
	publish_draft(s);
	tree_write(&s->tree, "state/garbage.undo", "garbage");
	assert_int_equal(mount("tmpfs", s->path, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=64k"), 0);
	assert_int_equal(undo_draft(s->store, s->release, path), -EROFS);
	assert_int_equal(note_step(s, 0), -EROFS);
	assert_int_equal(undo_remove(s->store, &s->release->key), -EROFS);
	/* It is not moved, and that is said; what can be read is read all the same. */
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 2);
	assert_string_equal(s->found[0].name, "garbage.undo");
	assert_false(s->found[0].moved);
	assert_non_null(strstr(s->found[0].error, "could not be moved aside: Read-only"));
	assert_null(s->found[1].differs);
	undo_store_free(s->store);
	s->store = NULL;
	assert_int_equal(umount(s->path), 0);
}

/* The same for who is not root, and is bound by modes. */
static void test_unwritable(void **state)
{
	struct state_dir *s = *state;
	char path[UNDO_PATH_MAX];

	if (geteuid() == 0) {
		print_message("skipped: modes do not bind root; test_read_only is for it\n");
		skip();
	}
	assert_int_equal(chmod(s->path, 0500), 0);
	assert_int_equal(undo_draft(s->store, s->release, path), -EACCES);
	assert_int_equal(chmod(s->path, 0700), 0);
}

/* ---- removing ---- */

static void test_remove(void **state)
{
	struct state_dir *s = *state;
	const struct group_key *key = &s->release->key;

	assert_int_equal(undo_remove(s->store, key), 0); /* there is none */
	make_draft(s);
	assert_int_equal(undo_remove(s->store, key), 0);
	assert_false(state_has(s, s->draft));
	make_draft(s);
	publish_draft(s);
	make_draft(s);
	assert_int_equal(undo_remove(s->store, key), 0);
	assert_false(state_has(s, s->draft) || state_has(s, s->name));
	assert_int_equal(undo_remove(s->store, key), 0);
	assert_int_equal(note_step(s, 0), -ENOENT);
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 0);
	tree_mkdir(&s->tree, below_state(s->name));
	assert_int_equal(undo_remove(s->store, key), 0); /* empty: also gone */
	tree_mkdir(&s->tree, "state/other");
}

/* Several groups do not get into each other's way. */
static void test_groups(void **state)
{
	struct state_dir *s = *state;
	struct release *releases[8];
	char path[UNDO_PATH_MAX], draft[UNDO_PATH_MAX + 8];

	for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
		releases[i] = random_release(100 + i);
		assert_int_equal(undo_draft(s->store, releases[i], path), 0);
		(void)snprintf(draft, sizeof(draft), "%s.new", path);
		assert_int_equal(rename(draft, path), 0);
	}
	for (size_t round = 0; round < 3; round++)
		for (size_t i = 0; i < ARRAY_SIZE(releases); i++)
			if (i % 2)
				assert_int_equal(undo_append(s->store, releases[i],
							     UNDO_NOTE_FAILED, NULL, 0, "no"),
						 0);
			else
				assert_int_equal(undo_remove(s->store, &releases[i]->key), 0);
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, ARRAY_SIZE(releases) / 2);
	for (size_t i = 0; i < s->n_found; i++) {
		assert_true(s->found[i].has_record);
		if (i > 0)
			assert_true(strcmp(s->found[i - 1].name, s->found[i].name) < 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(releases); i++)
		release_free(releases[i]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STATE_TEST(test_open_makes_it),
		STATE_TEST(test_open_refuses),
		STATE_TEST(test_path_is_plain),
		STATE_TEST(test_draft),
		STATE_TEST(test_draft_over_another),
		STATE_TEST(test_draft_must_be_readable),
		STATE_TEST(test_append),
		STATE_TEST(test_append_while_publishing),
		STATE_TEST(test_append_not_to_another_file),
		STATE_TEST(test_append_cuts),
		STATE_TEST(test_short_writes),
		STATE_TEST(test_full),
		STATE_TEST(test_read_only),
		STATE_TEST(test_unwritable),
		STATE_TEST(test_remove),
		STATE_TEST(test_groups),
	};

	return cmocka_run_group_tests_name("undo_store", tests, NULL, NULL);
}
