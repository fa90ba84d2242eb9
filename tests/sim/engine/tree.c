/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree that /sys shows, walked, read and written. It is built at the first look after a
 * structural change and thrown away at the next one; values are always read live.
 */
#include "internal.h"

#define LINKS_MAX 16 /* followed in one path */

static struct eng_tree *tree_get(struct engine *e)
{
	if (!e->tree)
		e->tree = eng_tree_build(e);
	return e->tree;
}

static struct eng_node *lookup_child(struct eng_tree *t, struct eng_node *dir, const char *name,
				     size_t len)
{
	size_t lo = 0, hi = dir->n_children;

	if (eng_children_sort(t, dir) < 0)
		return NULL;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		struct eng_node *n = dir->children[mid];
		int c = strncmp(n->name, name, len);

		if (c == 0)
			c = n->name[len] != '\0';
		if (c == 0)
			return n;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int walk(struct engine *e, const char *path, bool follow, unsigned links,
		struct eng_node **ret)
{
	struct eng_tree *t = tree_get(e);
	struct eng_node *n;
	int r;

	if (!t)
		return -ENOMEM;
	n = eng_tree_root(t);
	for (;;) {
		size_t len;
		bool last;

		while (*path == '/')
			path++;
		if (!*path)
			break;
		len = strcspn(path, "/");
		last = path[len + strspn(path + len, "/")] == '\0';
		if (n->info.type != ENGINE_NODE_DIR)
			return -ENOTDIR;
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			n = n->parent ? n->parent : n;
		} else if (len != 1 || path[0] != '.') {
			n = lookup_child(t, n, path, len);
			if (!n)
				return -ENOENT;
			if (n->info.type == ENGINE_NODE_LINK && (!last || follow)) {
				if (links == 0)
					return -ELOOP;
				r = walk(e, n->text, true, links - 1, &n);
				if (r < 0)
					return r;
			}
		}
		path += len;
	}
	*ret = n;
	return 0;
}

int engine_lookup(struct engine *e, const char *path, struct engine_node *ret)
{
	struct eng_node *n;
	int r;

	r = walk(e, path, false, LINKS_MAX, &n);
	if (r < 0)
		return r;
	*ret = n->info;
	return 0;
}

int engine_readdir(struct engine *e, const char *path,
		   int (*fill)(const char *name, const struct engine_node *node, void *userdata),
		   void *userdata)
{
	struct eng_node *n;
	int r;

	r = walk(e, path, true, LINKS_MAX, &n);
	if (r < 0)
		return r;
	if (n->info.type != ENGINE_NODE_DIR)
		return -ENOTDIR;
	r = eng_children_sort(e->tree, n);
	for (size_t i = 0; r == 0 && i < n->n_children; i++)
		if (fill(n->children[i]->name, &n->children[i]->info, userdata) != 0)
			break;
	return r;
}

ssize_t engine_readlink(struct engine *e, const char *path, char *buf, size_t size)
{
	char from[512];
	struct eng_node *n;
	const char *rest;
	size_t common = 0, ups = 0, used = 0;
	int r;

	r = walk(e, path, false, LINKS_MAX, &n);
	if (r < 0)
		return r;
	if (n->info.type != ENGINE_NODE_LINK || size == 0)
		return -EINVAL;
	/* As sysfs: up to the nearest common directory, and down from there. */
	(void)eng_node_path(n->parent, from, sizeof(from));
	for (size_t i = 0;; i++) {
		bool a = from[i] == '\0' || from[i] == '/';
		bool b = n->text[i] == '\0' || n->text[i] == '/';

		if (a && b)
			common = i;
		if (from[i] == '\0' || from[i] != n->text[i])
			break;
	}
	for (const char *p = from + common; *p; p++)
		ups += *p == '/';
	rest = n->text + common;
	if (*rest == '/')
		rest++;
	buf[0] = '\0';
	for (; ups > 0 && used < size; ups--)
		used += (size_t)snprintf(buf + used, size - used, ups > 1 || *rest ? "../" : "..");
	if (used < size)
		used += (size_t)snprintf(buf + used, size - used, "%s", rest);
	return used < size ? (ssize_t)used : -ENAMETOOLONG;
}

/* ---- reading and writing ---- */

int engine_open(struct engine *e, const char *path, bool read, bool write)
{
	struct eng_node *n;
	int r;

	r = walk(e, path, true, LINKS_MAX, &n);
	if (r < 0)
		return r;
	if (n->info.type == ENGINE_NODE_DIR)
		return write ? -EISDIR : 0;
	/* kernfs looks at the mode bits also for root. */
	if ((read && !(n->info.mode & 0444)) || (write && !(n->info.mode & 0222)))
		return -EACCES;
	return 0;
}

ssize_t engine_attr_read(struct engine *e, const char *path, char *buf, size_t size)
{
	char text[ENGINE_ATTR_MAX];
	struct eng_node *n;
	ssize_t len;
	int r;

	r = engine_open(e, path, true, false);
	if (r < 0)
		return r;
	r = walk(e, path, true, LINKS_MAX, &n);
	if (r < 0)
		return r;
	if (n->info.type == ENGINE_NODE_DIR)
		return -EISDIR;
	if (!n->show)
		return -EIO;
	len = n->show(e, n, text, sizeof(text));
	if (len < 0)
		return len;
	len = MIN(len, (ssize_t)sizeof(text) - 1);
	len = MIN(len, (ssize_t)size);
	memcpy(buf, text, (size_t)len);
	return len;
}

ssize_t engine_attr_write(struct engine *e, const char *path, const char *buf, size_t size,
			  const struct engine_writer *writer)
{
	static const struct engine_writer nobody = { .id = 1 };
	char text[ENGINE_ATTR_MAX + 1];
	struct eng_node *n;
	ssize_t r;

	r = engine_open(e, path, false, true);
	if (r < 0)
		return r;
	r = walk(e, path, true, LINKS_MAX, &n);
	if (r < 0)
		return r;
	/* sysfs hands an empty write to nobody, and no more than a page of a long one. */
	if (size == 0)
		return 0;
	size = MIN(size, (size_t)ENGINE_ATTR_MAX);
	if (!n->store)
		return -EIO;
	memcpy(text, buf, size);
	text[size] = '\0';
	/* The tree may be gone afterwards: nothing of it is touched any more. */
	r = n->store(e, n, text, writer ? writer : &nobody);
	return r == 0 ? (ssize_t)size : r;
}
