/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory of the journals, and all that is written in it. Files are opened anew for each
 * line, and only what is still the file that we wrote or read gets one: nothing is kept open, and
 * what another hand put there stays as it is.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "util/sysfs.h"

#include "undo_internal.h"

/* The longest name that PATH in a request for WORKER_PUBLISH can end in. */
#define NAME_STRLEN (DEV_NAME_MAX + UNDO_RANGE_STRLEN + sizeof(UNDO_SUFFIX))

/* ---- the directory ---- */

static int read_boot_id(const char *proc, char buf[static BOOT_ID_STRLEN + 1])
{
	_cleanup_close_ int fd = -EBADF;
	char text[64]; /* with the newline that is cut off */
	struct tag tag;
	ssize_t n;

	fd = open(proc, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = sysfs_read(fd, "sys/kernel/random/boot_id", text, sizeof(text));
	if (n < 0)
		return (int)n;
	if (tag_parse(text, &tag) < 0)
		return -EBADMSG;
	return str_copy(buf, BOOT_ID_STRLEN + 1, text);
}

/* The name of a new directory is to be as durable as what will be in it. */
static int sync_parent(int fd)
{
	_cleanup_close_ int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0)
		return -errno;
	return fsync(parent) < 0 ? -errno : 0;
}

static int open_dir(const char *dir, int *ret)
{
	_cleanup_close_ int fd = -EBADF;
	bool made = mkdir(dir, 0700) == 0;
	struct stat st = { 0 };
	int r;

	if (!made && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	if (made) {
		r = sync_parent(fd);
		if (r < 0)
			return r;
	}
	*ret = take_fd(&fd);
	return 0;
}

int undo_store_open(const char *dir, const char *proc, struct undo_store **ret)
{
	_cleanup_(undo_store_freep) struct undo_store *store = calloc(1, sizeof(*store));
	char real[PATH_MAX];
	int r;

	if (!store)
		return -ENOMEM;
	store->fd = -EBADF;
	r = open_dir(dir, &store->fd);
	if (r < 0)
		return r;
	/* The worker takes no path with a "." or ".." in it, and has another working directory. */
	if (!realpath(dir, real))
		return -errno;
	_Static_assert(UNDO_PATH_MAX > NAME_STRLEN + 64, "room for a directory");
	if (strlen(real) > UNDO_PATH_MAX - NAME_STRLEN - 2)
		return -ENAMETOOLONG;
	(void)str_copy(store->dir, sizeof(store->dir), streq(real, "/") ? "" : real);

	store->proc = strdup(proc);
	if (!store->proc)
		return -ENOMEM;
	r = read_boot_id(proc, store->boot_id);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(store);
	return 0;
}

void undo_store_free(struct undo_store *store)
{
	if (!store)
		return;
	(void)safe_close(store->fd);
	free(store->proc);
	free(store->entries);
	free(store);
}

/* ---- what is known of each file ---- */

static struct undo_entry *find_entry(struct undo_store *store, const struct group_key *key)
{
	for (size_t i = 0; i < store->n_entries; i++)
		if (group_key_equal(&store->entries[i].key, key))
			return &store->entries[i];
	return NULL;
}

struct undo_entry *undo_store_entry(struct undo_store *store, const struct group_key *key)
{
	struct undo_entry *e = find_entry(store, key), *grown;

	if (e)
		return e;
	grown = reallocarray(store->entries, store->n_entries + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	store->entries = grown;
	e = &grown[store->n_entries++];
	*e = (struct undo_entry){ .key = *key };
	return e;
}

static void forget_entry(struct undo_store *store, const struct group_key *key)
{
	struct undo_entry *e = find_entry(store, key);

	if (e)
		*e = store->entries[--store->n_entries];
}

static bool is_file(const struct undo_file *file, const struct stat *st)
{
	return file->there && file->inode == st->st_ino;
}

/* The group's file name with @suffix; -EINVAL if its key is none that can be read again. */
static int file_name(const struct group_key *key, const char *suffix,
		     char buf[static UNDO_NAME_MAX])
{
	struct group_key again;
	size_t n;

	(void)undo_name(key, buf);
	if (undo_name_parse(buf, &again) < 0)
		return -EINVAL;
	n = strlen(buf) - strlen(UNDO_SUFFIX);
	return str_copy(buf + n, UNDO_NAME_MAX - n, suffix);
}

/* ---- a new journal ---- */

/* A journal that could not be read again would be of no use: better not to begin. */
static int encode_checked(const struct undo_store *store, const struct release *release,
			  char **ret_text, struct undo_end *ret_end)
{
	_cleanup_free_ char *text = NULL, *error = NULL;
	struct undo_record record;
	bool other_boot;
	size_t size;
	int r;

	r = undo_encode(release, store->boot_id, &text, &size);
	if (r < 0)
		return r;
	r = undo_decode_end(text, size, store->boot_id, &record, &other_boot, ret_end, &error);
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	undo_record_done(&record);
	*ret_text = TAKE_PTR(text);
	return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* A new file of this name, in place of what has it now. */
static int write_new(const struct undo_store *store, const char *name, const char *data,
		     size_t size, ino_t *ret_inode)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st = { 0 };
	int r;

	if (unlinkat(store->fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(store->fd, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return -errno;
	r = fchmod(fd, 0600) < 0 ? -errno : 0; /* whatever the umask is */
	if (r == 0)
		r = write_all(fd, data, size);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(store->fd, name, 0);
		return r;
	}
	*ret_inode = st.st_ino;
	return 0;
}

int undo_draft(struct undo_store *store, const struct release *release,
	       char ret_path[static UNDO_PATH_MAX])
{
	char name[UNDO_NAME_MAX], draft[UNDO_NAME_MAX];
	_cleanup_free_ char *text = NULL;
	struct undo_entry *e;
	struct undo_end end;
	ino_t inode = 0;
	struct stat st = { 0 };
	int r;

	r = file_name(&release->key, UNDO_SUFFIX, name);
	if (r == 0)
		r = file_name(&release->key, UNDO_SUFFIX_NEW, draft);
	if (r < 0)
		return r;
	r = encode_checked(store, release, &text, &end);
	if (r < 0)
		return r;
	e = undo_store_entry(store, &release->key);
	if (!e)
		return -ENOMEM;
	/* One that was published meanwhile is the journal, to which lines may have to be added yet.
	 */
	if (fstatat(store->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_file(&e->draft, &st))
		e->journal = e->draft;
	e->draft.there = false;
	r = write_new(store, draft, text, end.size, &inode);
	if (r < 0)
		return r;
	e->draft = (struct undo_file){ .there = true, .inode = inode, .end = end };
	(void)snprintf(ret_path, UNDO_PATH_MAX, "%.*s/%.*s", (int)(UNDO_PATH_MAX - NAME_STRLEN - 2),
		       store->dir, (int)NAME_STRLEN, name);
	return 0;
}

/* ---- more lines ---- */

static int open_file(const struct undo_store *store, const char *name, struct stat *ret_st)
{
	_cleanup_close_ int fd = openat(store->fd, name,
					O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
						O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st) < 0)
		return -errno;
	return S_ISREG(ret_st->st_mode) ? take_fd(&fd) : -ESTALE;
}

/*
 * Opens the journal, or its draft if there is none yet. Whether a draft was published is seen by
 * what has the journal's name: a worker that was given up may still do it.
 */
static int open_entry(const struct undo_store *store, struct undo_entry *e, struct stat *ret_st,
		      struct undo_file **ret_file)
{
	_cleanup_close_ int fd = -EBADF;
	char name[UNDO_NAME_MAX];

	(void)file_name(&e->key, UNDO_SUFFIX, name);
	fd = open_file(store, name, ret_st);
	if (fd >= 0 && is_file(&e->draft, ret_st)) {
		e->journal = e->draft;
		e->draft.there = false;
	}
	if (fd >= 0) {
		*ret_file = &e->journal;
		return is_file(&e->journal, ret_st) ? take_fd(&fd) : -ESTALE;
	}
	if (fd != -ENOENT || !e->draft.there)
		return fd;

	(void)file_name(&e->key, UNDO_SUFFIX_NEW, name);
	fd = open_file(store, name, ret_st);
	if (fd < 0)
		return fd;
	*ret_file = &e->draft;
	return is_file(&e->draft, ret_st) ? take_fd(&fd) : -ESTALE;
}

/* In one write(2), so that a process that is killed leaves a line whole or not at all. */
static int append_line(int fd, const struct stat *st, const struct undo_end *end, const char *line,
		       size_t size)
{
	ssize_t n;
	int r;

	if (end->size + size > UNDO_SIZE_MAX)
		return -EFBIG;
	/* A rest of a line that could not be written, or was being written by who was killed. */
	if ((uint64_t)st->st_size < end->size ||
	    ((uint64_t)st->st_size > end->size && ftruncate(fd, (off_t)end->size) < 0))
		return -EIO;
	n = write(fd, line, size);
	if (n == (ssize_t)size)
		return 0;
	r = n < 0 ? -errno : -EIO;
	/* If this fails, it is tried again with the next line. */
	if (ftruncate(fd, (off_t)end->size) < 0)
		return -EIO;
	return r;
}

int undo_append(struct undo_store *store, const struct release *release, enum undo_note note,
		const struct step *step, int32_t worker, const char *text)
{
	struct undo_entry *e = find_entry(store, &release->key);
	_cleanup_free_ char *line = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct undo_file *file;
	struct undo_end end;
	uint64_t started = 0;
	struct stat st = { 0 };
	size_t size;
	int r;

	if (!e)
		return -ENOENT;
	fd = open_entry(store, e, &st, &file);
	if (fd < 0)
		return fd;
	/* One that has ended is none that recovery would have to wait for. */
	if (worker > 0) {
		r = undo_process_started(store->proc, worker, &started);
		if (r == -ESRCH)
			worker = 0;
		else if (r < 0)
			return r;
	}
	end = file->end;
	r = undo_encode_note(note, &release->plan, step, worker, started, text, &end, &line, &size);
	if (r < 0)
		return r;
	r = append_line(fd, &st, &file->end, line, size);
	if (r == 0)
		file->end = end;
	return r;
}

/* ---- removing ---- */

static int remove_file(const struct undo_store *store, const struct group_key *key,
		       const char *suffix)
{
	char name[UNDO_NAME_MAX];
	int r;

	r = file_name(key, suffix, name);
	if (r < 0)
		return r;
	if (unlinkat(store->fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	r = -errno;
	/* What was moved aside may be anything. */
	if (r == -EISDIR && unlinkat(store->fd, name, AT_REMOVEDIR) == 0)
		return 0;
	return r;
}

int undo_remove(struct undo_store *store, const struct group_key *key)
{
	int r;

	/* In this order: a draft must not be published when the journal has gone already. */
	r = remove_file(store, key, UNDO_SUFFIX_NEW);
	if (r == 0)
		r = remove_file(store, key, UNDO_SUFFIX);
	if (r == 0)
		forget_entry(store, key);
	return r;
}

int undo_forget_bad(struct undo_store *store, const struct group_key *key)
{
	return remove_file(store, key, UNDO_SUFFIX_BAD);
}
