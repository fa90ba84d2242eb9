/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of a directory that a power cut hits; see kill_disk.h. It is small on purpose: few
 * files, few changes, everything in fixed arrays that complain when they are full.
 */
#include <fcntl.h>

#include <dcdd/base.h>

#include "kill_disk_file.h"

#define NAMES_MAX 64
#define CHANGES_MAX 16 /* of names, between two fsyncs of the directory */
#define ALL_SUBSETS 4  /* so many changes are tried in all combinations, more of them in order */
#define FILES_MAX 64

struct name {
	char name[INTERPOSE_PATH_MAX];
	struct disk_file *file;
};

struct names {
	struct name items[NAMES_MAX];
	size_t n;
};

/* "" @remove: only the addition; "" @add: only the removal; both: a rename. */
struct change_of_names {
	char remove[INTERPOSE_PATH_MAX], add[INTERPOSE_PATH_MAX];
	struct disk_file *file;
};

struct disk {
	struct disk_file files[FILES_MAX]; /* a later one with the same inode number took it over */
	size_t n_files;
	struct names durable;
	struct change_of_names changes[CHANGES_MAX]; /* since */
	size_t n_changes;
};

/* ---- names ---- */

static struct name *names_find(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (streq(names->items[i].name, name))
			return &names->items[i];
	return NULL;
}

static void names_remove(struct names *names, const char *name)
{
	struct name *found = names_find(names, name);

	if (found)
		*found = names->items[--names->n];
}

static int names_set(struct names *names, const char *name, struct disk_file *file)
{
	struct name *found = names_find(names, name);

	if (!found) {
		if (names->n >= NAMES_MAX)
			return -ENOBUFS;
		found = &names->items[names->n++];
		(void)str_copy(found->name, sizeof(found->name), name);
	}
	found->file = file;
	return 0;
}

static int change_names(struct disk *disk, const char *remove, const char *add,
			struct disk_file *file)
{
	struct change_of_names *c;

	if (disk->n_changes >= CHANGES_MAX)
		return -ENOBUFS;
	c = &disk->changes[disk->n_changes++];
	*c = (struct change_of_names){ .file = file };
	(void)str_copy(c->remove, sizeof(c->remove), remove);
	(void)str_copy(c->add, sizeof(c->add), add);
	return 0;
}

static int apply_names(const struct disk *disk, uint32_t kept, struct names *ret)
{
	*ret = disk->durable;
	for (size_t i = 0; i < disk->n_changes; i++) {
		const struct change_of_names *c = &disk->changes[i];
		int r;

		if (!(kept & 1u << i))
			continue;
		if (c->remove[0])
			names_remove(ret, c->remove);
		r = c->add[0] ? names_set(ret, c->add, c->file) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static uint32_t all_changes(const struct disk *disk)
{
	return (1u << disk->n_changes) - 1;
}

/* ---- the whole ---- */

struct disk *disk_new(void)
{
	return calloc(1, sizeof(struct disk));
}

void disk_free(struct disk *disk)
{
	for (size_t i = 0; disk && i < disk->n_files; i++)
		disk_file_done(&disk->files[i]);
	free(disk);
}

static struct disk_file *file_new(struct disk *disk, uint64_t inode)
{
	struct disk_file *file;

	if (disk->n_files >= FILES_MAX)
		return NULL;
	file = &disk->files[disk->n_files++];
	*file = (struct disk_file){ .inode = inode };
	return file;
}

static struct disk_file *file_find(struct disk *disk, uint64_t inode)
{
	for (size_t i = disk->n_files; i > 0; i--)
		if (disk->files[i - 1].inode == inode)
			return &disk->files[i - 1];
	return NULL;
}

static int load_one(int dir_fd, const char *name, void *userdata)
{
	struct disk *disk = userdata;
	struct disk_content content;
	struct disk_file *file;
	uint64_t inode;
	int r = disk_read(dir_fd, name, &content, &inode);

	if (r < 0)
		return r;
	file = file_new(disk, inode);
	if (!file) {
		free(content.data);
		return -ENOBUFS;
	}
	file->durable = content;
	return names_set(&disk->durable, name, file);
}

int disk_load(struct disk *disk, const char *dir)
{
	return disk_for_each(dir, load_one, disk);
}

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The file of an operation on a descriptor. One that has no name any more is there all the same. */
static int apply_content(struct disk *disk, const struct interpose_shared *shared,
			 const struct interpose_op *op)
{
	struct disk_file *file = file_find(disk, op->inode);

	if (!file)
		return -EINVAL;
	switch (op->kind) {
	case INTERPOSE_OPEN:
		return op->truncated ? disk_file_change(file, 0, NULL, 0) : 0;
	case INTERPOSE_WRITE:
		if (op->size == 0)
			return 0;
		if ((uint64_t)op->data + op->size > INTERPOSE_DATA_MAX)
			return -EINVAL;
		return disk_file_change(file, op->offset, shared->data + op->data, op->size);
	case INTERPOSE_TRUNCATE:
		return disk_file_change(file, op->offset, NULL, 0);
	default:
		return disk_file_sync(file);
	}
}

static int sync_names(struct disk *disk)
{
	struct names names;
	int r = apply_names(disk, all_changes(disk), &names);

	if (r < 0)
		return r;
	disk->durable = names;
	disk->n_changes = 0;
	return 0;
}

/* Of a name that must be there now. */
static int apply_name(struct disk *disk, const struct interpose_op *op)
{
	struct names now;
	struct name *found;
	int r = apply_names(disk, all_changes(disk), &now);

	if (r < 0)
		return r;
	found = names_find(&now, base(op->path));
	if (!found)
		return -EINVAL;
	switch (op->kind) {
	case INTERPOSE_RENAME:
		return change_names(disk, found->name, base(op->to), found->file);
	case INTERPOSE_LINK:
		return change_names(disk, "", base(op->to), found->file);
	default:
		return change_names(disk, found->name, "", NULL);
	}
}

int disk_apply(struct disk *disk, const struct interpose_shared *shared,
	       const struct interpose_op *op)
{
	struct disk_file *file;

	/* What did not come back was not made: the killed one is not in the system call. */
	if (!op->done || op->error < 0)
		return 0;
	switch (op->kind) {
	case INTERPOSE_SYSFS:
	case INTERPOSE_MKDIR: /* the directory's own name is taken for durable */
		return 0;
	case INTERPOSE_CREATE:
		file = file_new(disk, op->inode);
		if (!file)
			return -ENOBUFS;
		return change_names(disk, "", base(op->path), file);
	case INTERPOSE_OPEN:
	case INTERPOSE_WRITE:
	case INTERPOSE_TRUNCATE:
	case INTERPOSE_FSYNC:
		return apply_content(disk, shared, op);
	case INTERPOSE_FSYNC_DIR:
		return sync_names(disk);
	default:
		return apply_name(disk, op);
	}
}

struct comparison {
	struct names names;
	size_t found;
};

static int compare_one(int dir_fd, const char *name, void *userdata)
{
	struct comparison *c = userdata;
	const struct name *ours = names_find(&c->names, name);
	struct disk_content there, here;
	uint64_t inode;
	bool same;
	int r;

	if (!ours)
		return -EUCLEAN;
	r = disk_read(dir_fd, name, &there, &inode);
	if (r < 0)
		return r;
	r = disk_file_content(ours->file, DISK_KEPT, &here);
	if (r >= 0) {
		same = here.size == there.size &&
		       memcmp(here.data ?: "", there.data, here.size) == 0;
		free(here.data);
		c->found++;
		r = same ? 0 : -EUCLEAN;
	}
	free(there.data);
	return r;
}

int disk_compare(const struct disk *disk, const char *dir)
{
	struct comparison c = {};
	int r = apply_names(disk, all_changes(disk), &c.names);

	if (r >= 0)
		r = disk_for_each(dir, compare_one, &c);
	if (r < 0)
		return r;
	return c.found == c.names.n ? 0 : -EUCLEAN;
}

static bool is_changed(const struct disk *disk, const char *name)
{
	for (size_t i = 0; i < disk->n_changes; i++)
		if (streq(disk->changes[i].remove, name) || streq(disk->changes[i].add, name))
			return true;
	return false;
}

bool disk_has_durable(const struct disk *disk, const char *suffix)
{
	for (size_t i = 0; i < disk->durable.n; i++) {
		const struct name *name = &disk->durable.items[i];
		size_t n = strlen(name->name), m = strlen(suffix);

		if (n >= m && streq(name->name + n - m, suffix) && name->file->durable.size > 0 &&
		    !is_changed(disk, name->name))
			return true;
	}
	return false;
}

static bool same_contents(const struct disk_file *a, enum disk_data mode_a,
			  const struct disk_file *b, enum disk_data mode_b)
{
	struct disk_content x = {}, y = {};
	bool same = disk_file_content(a, mode_a, &x) == 0 &&
		    disk_file_content(b, mode_b, &y) == 0 && x.size == y.size &&
		    (x.size == 0 || memcmp(x.data, y.data, x.size) == 0);

	free(x.data);
	free(y.data);
	return same;
}

static bool same_variant(const struct disk *disk, const struct disk_variant *a,
			 const struct disk_variant *b)
{
	struct names x, y;

	if (apply_names(disk, a->names, &x) < 0 || apply_names(disk, b->names, &y) < 0 ||
	    x.n != y.n)
		return false;
	for (size_t i = 0; i < x.n; i++) {
		const struct name *other = names_find(&y, x.items[i].name);

		if (!other || !same_contents(x.items[i].file, a->data, other->file, b->data))
			return false;
	}
	return true;
}

static size_t add_variant(const struct disk *disk, const struct disk_variant *variant,
			  struct disk_variant *ret, size_t n, size_t max)
{
	for (size_t i = 0; i < n; i++)
		if (same_variant(disk, &ret[i], variant))
			return n;
	if (n < max)
		ret[n++] = *variant;
	return n;
}

size_t disk_variants(const struct disk *disk, struct disk_variant *ret, size_t max)
{
	bool subsets = disk->n_changes <= ALL_SUBSETS;
	uint32_t end = subsets ? all_changes(disk) : (uint32_t)disk->n_changes;
	size_t n = 0;

	for (uint32_t i = 0; i <= end; i++)
		for (enum disk_data data = 0; data < _DISK_DATA_MAX; data++) {
			struct disk_variant v = { .names = subsets ? i : (1u << i) - 1,
						  .data = data };

			n = add_variant(disk, &v, ret, n, max);
		}
	return n;
}

const char *disk_data_to_string(enum disk_data data)
{
	static const char *const names[] = { "lost", "torn", "zeroed", "kept" };

	return data < ARRAY_SIZE(names) ? names[data] : "unknown";
}

int disk_restore(const struct disk *disk, const struct disk_variant *variant, const char *dir)
{
	_cleanup_close_ int dir_fd = -EBADF;
	struct names names;
	int r = apply_names(disk, variant->names, &names);

	if (r >= 0)
		r = disk_remove_all(dir);
	if (r < 0)
		return r;
	if (names.n == 0)
		return 0;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	for (size_t i = 0; i < names.n; i++) {
		struct disk_content content;

		r = disk_file_content(names.items[i].file, variant->data, &content);
		if (r < 0)
			return r;
		r = disk_write(dir_fd, names.items[i].name, &content);
		free(content.data);
		if (r < 0)
			return r;
	}
	return 0;
}
