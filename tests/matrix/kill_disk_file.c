/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the model of a disk; see kill_disk_file.h. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <dcdd/base.h>

#include "kill_disk_file.h"

#define WRITES_MAX 512 /* of a file, between two fsyncs */
#define CONTENT_MAX (1 * MiB)

/* ---- contents ---- */

static int content_write(struct disk_content *content, uint64_t offset, const char *data,
			 size_t size)
{
	size_t end = (size_t)offset + size;
	char *grown;

	if (offset > CONTENT_MAX || size > CONTENT_MAX)
		return -EFBIG;
	if (end > content->size) {
		grown = realloc(content->data, end);
		if (!grown)
			return -ENOMEM;
		memset(grown + content->size, 0, end - content->size);
		content->data = grown;
		content->size = end;
	}
	if (size > 0 && data && content->data)
		memcpy(content->data + offset, data, size);
	return 0;
}

static int content_truncate(struct disk_content *content, uint64_t size)
{
	if (size > content->size)
		return content_write(content, size, NULL, 0);
	content->size = (size_t)size;
	return 0;
}

int disk_file_content(const struct disk_file *file, enum disk_data data, struct disk_content *ret)
{
	struct disk_content content = {};
	size_t total = 0, left;
	int r = content_write(&content, 0, file->durable.data, file->durable.size);

	for (size_t i = 0; i < file->n_changes; i++)
		total += file->changes[i].size;
	left = data == DISK_LOST ? 0 : data == DISK_TORN ? total / 2 : total;
	for (size_t i = 0; i < file->n_changes && data != DISK_LOST && r >= 0; i++) {
		const struct disk_change *c = &file->changes[i];
		size_t n = MIN(c->size, left);

		if (!c->data)
			r = content_truncate(&content, c->offset);
		else if (n > 0)
			r = content_write(&content, c->offset, data == DISK_ZEROED ? NULL : c->data,
					  n);
		left -= n;
		if (data == DISK_TORN && left == 0 && total > 0)
			break;
	}
	if (r < 0) {
		free(content.data);
		return r;
	}
	*ret = content;
	return 0;
}

static void forget_changes(struct disk_file *file)
{
	for (size_t i = 0; i < file->n_changes; i++)
		free(file->changes[i].data);
	free(file->changes);
	file->changes = NULL;
	file->n_changes = 0;
}

int disk_file_change(struct disk_file *file, uint64_t offset, const char *data, size_t size)
{
	struct disk_change *c;

	if (file->n_changes >= WRITES_MAX)
		return -ENOBUFS;
	c = reallocarray(file->changes, file->n_changes + 1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	file->changes = c;
	c += file->n_changes;
	*c = (struct disk_change){ .offset = offset, .size = size };
	if (data) {
		c->data = malloc(size + 1);
		if (!c->data)
			return -ENOMEM;
		memcpy(c->data, data, size);
	}
	file->n_changes++;
	return 0;
}

int disk_file_sync(struct disk_file *file)
{
	struct disk_content content;
	int r = disk_file_content(file, DISK_KEPT, &content);

	if (r < 0)
		return r;
	free(file->durable.data);
	file->durable = content;
	forget_changes(file);
	return 0;
}

void disk_file_done(struct disk_file *file)
{
	forget_changes(file);
	free(file->durable.data);
}

/* ---- real directories ---- */

int disk_read(int dir_fd, const char *name, struct disk_content *ret, uint64_t *ret_inode)
{
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct disk_content content = {};
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > (off_t)CONTENT_MAX)
		return -EFBIG;
	content.data = malloc((size_t)st.st_size + 1);
	if (!content.data)
		return -ENOMEM;
	n = read(fd, content.data, (size_t)st.st_size);
	if (n != st.st_size) {
		free(content.data);
		return -EIO;
	}
	content.size = (size_t)n;
	*ret = content;
	*ret_inode = st.st_ino;
	return 0;
}

int disk_for_each(const char *dir, int (*each)(int dir_fd, const char *name, void *userdata),
		  void *userdata)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (r >= 0 && (entry = readdir(d)))
		if (entry->d_type == DT_REG)
			r = each(dirfd(d), entry->d_name, userdata);
	(void)closedir(d);
	return r;
}

static int remove_one(int dir_fd, const char *name, void *userdata)
{
	(void)userdata;
	return unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
}

int disk_write(int dir_fd, const char *name, const struct disk_content *content)
{
	_cleanup_close_ int fd = openat(dir_fd, name,
					O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	if (content->size > 0 && write(fd, content->data, content->size) != (ssize_t)content->size)
		return -EIO;
	return 0;
}

int disk_remove_all(const char *dir)
{
	return disk_for_each(dir, remove_one, NULL);
}
