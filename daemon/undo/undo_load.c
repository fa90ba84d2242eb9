/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon finds in the state directory at its start. A name there may be of anything: a
 * journal, a draft that nobody needs any more, garbage, a FIFO. Whatever it is, the daemon comes
 * up, and says what it could not read.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "util/sysfs.h"

#include "undo_internal.h"

/* What moving aside adds to a name. */
#define MORE_BAD (&UNDO_SUFFIX_BAD[sizeof(UNDO_SUFFIX) - 1])

struct file_name {
	char *name;
	bool reported;
};

struct listing {
	struct file_name *files;
	size_t n;
};

static void listing_done(struct listing *listing)
{
	for (size_t i = 0; i < listing->n; i++)
		free(listing->files[i].name);
	free(listing->files);
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	return n > k && streq(name + n - k, suffix);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct file_name *)a)->name, ((const struct file_name *)b)->name);
}

/* All names with one of the suffixes, sorted: the directory changes while we go through them. */
static int list_files(const struct undo_store *store, struct listing *listing)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const char *name;
	int r;

	r = sysfs_open_list(store->fd, ".", &dir);
	if (r < 0)
		return r;
	while ((r = sysfs_next(dir, &name)) > 0) {
		struct file_name *grown;

		if (!has_suffix(name, UNDO_SUFFIX) && !has_suffix(name, UNDO_SUFFIX_NEW) &&
		    !has_suffix(name, UNDO_SUFFIX_BAD))
			continue;
		grown = reallocarray(listing->files, listing->n + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		listing->files = grown;
		grown[listing->n] = (struct file_name){ .name = strdup(name) };
		if (!grown[listing->n].name)
			return -ENOMEM;
		listing->n++;
	}
	if (listing->n > 0)
		qsort(listing->files, listing->n, sizeof(*listing->files), by_name);
	return r;
}

/* What is wrong with the file, for a person. Returns -EBADMSG, or -ENOMEM. */
static int _printf_(2, 3) complain(char **ret_error, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(ret_error, format, ap);
	va_end(ap);
	if (n < 0) {
		*ret_error = NULL;
		return -ENOMEM;
	}
	return -EBADMSG;
}

static bool is_shortage(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/* The bytes of @fd, to its end, which may not be where it was said to be. */
static int read_all(int fd, size_t size, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *data = malloc(size + 1);
	size_t n = 0;

	if (!data)
		return -ENOMEM;
	for (;;) {
		ssize_t k = read(fd, data + n, size + 1 - n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -errno;
		if (k == 0)
			break;
		n += (size_t)k;
		if (n > size)
			return -EAGAIN;
	}
	*ret = TAKE_PTR(data);
	*ret_size = n;
	return 0;
}

/* 0; -EBADMSG with *@ret_error; or a shortage, which says nothing of the file. */
static int read_file(const struct undo_store *store, const char *name, char **ret, size_t *ret_size,
		     ino_t *ret_inode, char **ret_error)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	int r;

	/* Before it is opened: that alone means something to a FIFO or a device. */
	if (fstatat(store->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return complain(ret_error, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return complain(ret_error, "is not a regular file");
	fd = openat(store->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;
	if (r < 0)
		return is_shortage(r) ? r : complain(ret_error, "%s", strerror(-r));
	if (!S_ISREG(st.st_mode))
		return complain(ret_error, "is not a regular file");
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return complain(ret_error, "belongs to somebody else, or others may write to it");
	if (st.st_size > (off_t)UNDO_SIZE_MAX)
		return complain(ret_error, "is larger than %llu bytes",
				(unsigned long long)UNDO_SIZE_MAX);
	r = read_all(fd, (size_t)st.st_size, ret, ret_size);
	if (r < 0)
		return is_shortage(r) ? r : complain(ret_error, "%s", strerror(-r));
	*ret_inode = st.st_ino;
	return 0;
}

/* Reads a journal, whose name must be that of the group it is about. As read_file(). */
static int read_journal(struct undo_store *store, const char *name, struct undo_record *ret,
			bool *ret_other_boot, struct undo_file *ret_file, char **ret_error)
{
	_cleanup_free_ char *data = NULL;
	char right[UNDO_NAME_MAX];
	size_t size = 0;
	int r;

	r = read_file(store, name, &data, &size, &ret_file->inode, ret_error);
	if (r < 0)
		return r;
	r = undo_decode_end(data, size, store->boot_id, ret, ret_other_boot, &ret_file->end,
			    ret_error);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	if (!streq(name, undo_name(&ret->key, right))) {
		undo_record_done(ret);
		return complain(ret_error, "is about what %s would be the file of", right);
	}
	ret_file->there = true;
	return 0;
}

/* NAME.bad; *@error gets longer if that does not work. */
static bool move_aside(const struct undo_store *store, const char *name, char **error)
{
	char bad[NAME_MAX + sizeof(UNDO_SUFFIX_BAD)];
	char *longer;

	(void)snprintf(bad, sizeof(bad), "%s%s", name, MORE_BAD);
	if (renameat(store->fd, name, store->fd, bad) == 0)
		return true;
	if (asprintf(&longer, "%s; and it could not be moved aside: %s", *error ? *error : "",
		     strerror(errno)) >= 0) {
		free(*error);
		*error = longer;
	}
	return false;
}

/* So that it is not reported again, as one that was moved at an earlier start. */
static void mark_reported(struct listing *listing, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < listing->n; i++)
		if (strncmp(listing->files[i].name, name, n) == 0 &&
		    streq(listing->files[i].name + n, MORE_BAD))
			listing->files[i].reported = true;
}

static int load_journal(struct undo_store *store, struct listing *listing, const char *name,
			undo_found_t callback, void *userdata)
{
	_cleanup_free_ char *error = NULL;
	struct undo_found found = { .name = name };
	struct undo_record record;
	struct undo_file file = { 0 };
	struct undo_entry *e;
	int r;

	r = read_journal(store, name, &record, &found.other_boot, &file, &error);
	if (r < 0 && r != -EBADMSG)
		return r;
	if (r < 0) {
		found.has_key = undo_name_parse(name, &found.key) == 0;
		found.moved = move_aside(store, name, &error);
		found.error = error;
		mark_reported(listing, name);
		callback(&found, userdata);
		return 0;
	}
	found.record = &record;
	found.has_key = true;
	found.key = record.key;
	e = found.other_boot ? NULL : undo_store_entry(store, &record.key);
	if (e)
		*e = (struct undo_entry){ .key = record.key, .journal = file };
	if (e || found.other_boot)
		callback(&found, userdata);
	undo_record_done(&record);
	if (found.other_boot)
		(void)unlinkat(store->fd, name,
			       0); /* else it is found once more, and that is all */
	return e || found.other_boot ? 0 : -ENOMEM;
}

static void load_bad(const char *name, undo_found_t callback, void *userdata)
{
	struct undo_found found = { .name = name,
				    .error = "could not be read at an earlier start" };

	found.has_key = undo_name_parse(name, &found.key) == 0;
	callback(&found, userdata);
}

int undo_load(struct undo_store *store, undo_found_t found, void *userdata)
{
	_cleanup_(listing_done) struct listing listing = { 0 };
	struct group_key key;
	int r;

	r = list_files(store, &listing);
	for (size_t i = 0; i < listing.n && r == 0; i++) {
		const struct file_name *file = &listing.files[i];

		if (has_suffix(file->name, UNDO_SUFFIX_NEW)) {
			/* Nothing was changed yet. One with a name that is not ours is not ours. */
			if (undo_name_parse(file->name, &key) == 0)
				(void)unlinkat(store->fd, file->name, 0);
		} else if (has_suffix(file->name, UNDO_SUFFIX)) {
			r = load_journal(store, &listing, file->name, found, userdata);
		} else if (!file->reported) {
			load_bad(file->name, found, userdata);
		}
	}
	return r;
}
