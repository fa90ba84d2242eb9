/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Undo journals found at a start: those that count, those of another boot, and everything else
 * that can be in that directory under such a name.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "undo_fixture.h"

static void make_journal(struct state_dir *s)
{
	make_draft(s);
	publish_draft(s);
}

static void test_empty(void **state)
{
	struct state_dir *s = *state;

	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 0);
}

static void test_drafts_go(void **state)
{
	static const char *const others[] = { "notes", ".undo.hidden", "x.undo.new",
					      "mem0.undo.new", "mem0.undo.new.old" };
	struct state_dir *s = *state;

	make_journal(s);
	make_draft(s);
	tree_write(&s->tree, "state/mem7-0x0-0x1000.undo.new", "half of a d");
	tree_mkdir(&s->tree, "state/mem8-0x0-0x1000.undo.new");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		tree_write(&s->tree, below_state(others[i]), "of somebody else");
	(void)load_one(s);
	assert_false(state_has(s, s->draft));
	assert_false(state_has(s, "mem7-0x0-0x1000.undo.new"));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_true(state_has(s, others[i]));
}

static void test_other_boot(void **state)
{
	struct state_dir *s = *state;

	make_journal(s);
	tree_write(&s->tree, "proc/sys/kernel/random/boot_id", BOOT_BEFORE);
	open_store(s);
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 1);
	assert_true(s->found[0].other_boot && s->found[0].has_record && s->found[0].has_key);
	assert_false(state_has(s, s->name));
	assert_int_equal(note_step(s, 0), -ENOENT);
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 0);
}

/* Moved aside, reported now and at each start, until the group was seen whole. */
static void test_bad(void **state)
{
	struct state_dir *s = *state;
	char content[64];

	tree_write(&s->tree, below_state(s->name), "garbage");
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 1);
	assert_string_equal(s->found[0].name, s->name);
	assert_true(s->found[0].moved && s->found[0].has_key && !s->found[0].has_record);
	assert_non_null(strstr(s->found[0].error, "line 1: "));
	assert_false(state_has(s, s->name));
	tree_read(&s->tree, below_state(s->bad), content, sizeof(content));
	assert_string_equal(content, "garbage\n");
	for (unsigned i = 0; i < 2; i++) {
		open_store(s);
		assert_int_equal(load(s), 0);
		assert_int_equal(s->n_found, 1);
		assert_string_equal(s->found[0].name, s->bad);
		assert_true(s->found[0].has_key && !s->found[0].moved && !s->found[0].has_record);
	}
	assert_int_equal(undo_forget_bad(s->store, &s->release->key), 0);
	assert_false(state_has(s, s->bad));
	assert_int_equal(undo_forget_bad(s->store, &s->release->key), 0);
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 0);

	/* A second bad one takes the place of the first, and is reported once. */
	tree_write(&s->tree, below_state(s->name), "new garbage");
	tree_write(&s->tree, below_state(s->bad), "old garbage");
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 1);
	assert_true(s->found[0].moved);
	tree_read(&s->tree, below_state(s->bad), content, sizeof(content));
	assert_string_equal(content, "new garbage\n");
}

/* One expects @error of the file that has the journal's name, and that it is moved. */
static void expect_bad(struct state_dir *s, const char *error)
{
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 1);
	assert_true(s->found[0].moved && s->found[0].has_key && !s->found[0].has_record);
	if (!strstr(s->found[0].error, error))
		fail_msg("\"%s\", not \"%s\"", s->found[0].error, error);
	assert_false(state_has(s, s->name));
	assert_true(state_has(s, s->bad));
	assert_int_equal(undo_forget_bad(s->store, &s->release->key), 0);
	assert_false(state_has(s, s->bad));
}

static void test_odd_files(void **state)
{
	const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "socket.undo" };
	struct state_dir *s = *state;
	char before[PATH_MAX];
	int fd;

	tree_write_bytes(&s->tree, below_state(s->name), "", 0);
	expect_bad(s, "empty");
	tree_mkdir(&s->tree, below_state(s->name));
	expect_bad(s, "not a regular file");
	assert_int_equal(mkfifoat(s->tree.fd, below_state(s->name), 0600), 0);
	expect_bad(s, "not a regular file");
	tree_link(&s->tree, below_state(s->name), "nowhere");
	expect_bad(s, "not a regular file");

	/* Not even a link to a good one. */
	make_journal(s);
	assert_int_equal(renameat(s->tree.fd, below_state(s->name), s->tree.fd, "good"), 0);
	tree_link(&s->tree, below_state(s->name), "../good");
	expect_bad(s, "not a regular file");

	/* Larger than any journal, without taking as much memory. */
	tree_write(&s->tree, below_state(s->name), "{");
	assert_int_equal(truncate(s->expected, (off_t)UNDO_SIZE_MAX + 1), 0);
	expect_bad(s, "is larger than");
	tree_write(&s->tree, below_state(s->name), "{");
	assert_int_equal(truncate(s->expected, (off_t)UNDO_SIZE_MAX), 0);
	expect_bad(s, "line 1: ");

	/* One that others may have written. */
	make_journal(s);
	assert_int_equal(chmod(s->expected, 0620), 0);
	expect_bad(s, "others may write");
	if (geteuid() == 0) {
		make_journal(s);
		assert_int_equal(chown(s->expected, 1, 1), 0);
		expect_bad(s, "somebody else");
	}

	/* Names that say of no group, and one that is nearly too long to be moved. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(s->path), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(chdir(before), 0);
	(void)close(fd);
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 1);
	assert_true(s->found[0].moved && !s->found[0].has_key);
	assert_true(state_has(s, "socket.undo.bad"));
}

static void test_name_too_long_to_move(void **state)
{
	struct state_dir *s = *state;
	char name[NAME_MAX + 1];

	memset(name, 'n', NAME_MAX);
	(void)str_copy(name + NAME_MAX - 5, 6, ".undo");
	tree_write(&s->tree, below_state(name), "x");
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 1);
	assert_false(s->found[0].moved || s->found[0].has_key);
	assert_non_null(strstr(s->found[0].error, "could not be moved aside"));
	assert_true(state_has(s, name));
}

static void test_cannot_move(void **state)
{
	struct state_dir *s = *state;

	tree_write(&s->tree, below_state(s->name), "garbage");
	tree_write(&s->tree, below_state(s->bad), "");
	tree_remove(&s->tree, below_state(s->bad));
	tree_mkdir(&s->tree, below_state(s->bad));
	assert_int_equal(load(s), 0);
	assert_true(s->n_found >= 1);
	assert_false(s->found[0].moved);
	assert_true(s->found[0].has_key);
	assert_non_null(strstr(s->found[0].error, "line 1: "));
	assert_non_null(strstr(s->found[0].error, "could not be moved aside"));
	assert_true(state_has(s, s->name));
}

/* A good journal under the name of another group, or of none, is not to be acted on. */
static void test_wrong_name(void **state)
{
	struct state_dir *s = *state;

	make_journal(s);
	assert_int_equal(linkat(s->tree.fd, below_state(s->name), s->tree.fd,
				"state/mem0-0x0-0x1000.undo", 0),
			 0);
	assert_int_equal(linkat(s->tree.fd, below_state(s->name), s->tree.fd, "state/copy.undo", 0),
			 0);
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct found *f = &s->found[i];

		if (streq(f->name, s->name)) {
			assert_true(f->has_record);
			assert_null(f->differs);
			continue;
		}
		assert_true(f->moved && !f->has_record);
		assert_int_equal(f->has_key, !streq(f->name, "copy.undo"));
		assert_non_null(strstr(f->error, s->name));
	}
	assert_true(state_has(s, "copy.undo.bad"));
	assert_true(state_has(s, "mem0-0x0-0x1000.undo.bad"));
}

/* One bit of damage anywhere in the prior state: aside it goes, and the daemon comes up. */
static void test_damaged(void **state)
{
	struct state_dir *s = *state;
	char content[8192];
	off_t size;

	make_journal(s);
	size = state_stat(s, s->name).st_size;
	assert_true(size < (off_t)sizeof(content));
	tree_read(&s->tree, below_state(s->name), content, sizeof(content));
	for (off_t at = 0; at < size; at += 37) {
		content[at] ^= 4;
		tree_write_bytes(&s->tree, below_state(s->name), content, (size_t)size);
		assert_int_equal(chmod(s->expected, 0600), 0);
		expect_bad(s, "line ");
		content[at] ^= 4;
	}
	tree_write_bytes(&s->tree, below_state(s->name), content, (size_t)size);
	assert_int_equal(chmod(s->expected, 0600), 0);
	(void)load_one(s);
}

/* Neither files nor memory are held for what was found. */
static void test_many(void **state)
{
	struct state_dir *s = *state;
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

	for (unsigned i = 0; i < 10; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "mem%u-0x0-0x1000.undo", i);
		tree_write(&s->tree, below_state(name), "x");
	}
	make_journal(s);
	assert_int_equal(load(s), 0);
	assert_int_equal(s->n_found, 11);
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(after, before + 1);
	(void)close(before);
	(void)close(after);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		STATE_TEST(test_empty),	      STATE_TEST(test_drafts_go),
		STATE_TEST(test_other_boot),  STATE_TEST(test_bad),
		STATE_TEST(test_odd_files),   STATE_TEST(test_name_too_long_to_move),
		STATE_TEST(test_cannot_move), STATE_TEST(test_wrong_name),
		STATE_TEST(test_damaged),     STATE_TEST(test_many),
	};

	return cmocka_run_group_tests_name("undo_load", tests, NULL, NULL);
}
