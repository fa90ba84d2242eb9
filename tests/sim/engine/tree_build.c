/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building the tree that /sys shows, out of the host's objects: nodes and strings in an arena that
 * is thrown away with the tree. What is in the tree is in tree_cxl.c, tree_dax.c, tree_system.c.
 */
#include <stdarg.h>

#include "internal.h"

#define CHUNK_SIZE (64 * KiB)

struct chunk {
	struct chunk *next;
	size_t used;
	char data[] __attribute__((aligned(16)));
};

struct eng_tree {
	struct chunk *chunks;
	struct eng_node *root;
	bool failed; /* out of memory while building */
};

struct eng_node *eng_tree_root(const struct eng_tree *t)
{
	return t->root;
}

static void *arena_alloc(struct eng_tree *t, size_t size)
{
	struct chunk *c = t->chunks;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (!c || CHUNK_SIZE - c->used < size) {
		c = size <= CHUNK_SIZE ? calloc(1, sizeof(*c) + CHUNK_SIZE) : NULL;
		if (!c) {
			t->failed = true;
			return NULL;
		}
		c->next = t->chunks;
		t->chunks = c;
	}
	p = c->data + c->used;
	c->used += size;
	return p;
}

static const char *_printf_(2, 0) arena_vprintf(struct eng_tree *t, const char *format, va_list ap)
{
	char text[1024];
	char *copy;
	int n;

	n = vsnprintf(text, sizeof(text), format, ap);
	if (n < 0 || (size_t)n >= sizeof(text)) {
		t->failed = true;
		return "";
	}
	copy = arena_alloc(t, (size_t)n + 1);
	if (!copy)
		return "";
	memcpy(copy, text, (size_t)n + 1);
	return copy;
}

const char *eng_name(struct eng_tree *t, const char *format, ...)
{
	const char *text;
	va_list ap;

	va_start(ap, format);
	text = arena_vprintf(t, format, ap);
	va_end(ap);
	return text;
}

void eng_tree_free(struct eng_tree *t)
{
	if (!t)
		return;
	while (t->chunks) {
		struct chunk *c = t->chunks;

		t->chunks = c->next;
		free(c);
	}
	free(t);
}

static struct eng_node *node_add(struct eng_tree *t, struct eng_node *parent, const char *name,
				 enum engine_node_type type, mode_t mode)
{
	struct eng_node *n;

	if (!parent)
		return NULL;
	n = arena_alloc(t, sizeof(*n));
	if (!n)
		return NULL;
	n->name = name;
	n->parent = parent;
	n->info = (struct engine_node){ .type = type, .mode = mode };
	n->next = parent->first_child;
	parent->first_child = n;
	parent->n_children++;
	return n;
}

struct eng_node *eng_dir(struct eng_tree *t, struct eng_node *parent, const char *format, ...)
{
	const char *name;
	va_list ap;

	va_start(ap, format);
	name = arena_vprintf(t, format, ap);
	va_end(ap);
	return node_add(t, parent, name, ENGINE_NODE_DIR, 0755);
}

struct eng_node *eng_attr(struct eng_tree *t, struct eng_node *parent, const char *name,
			  mode_t mode, eng_show_t show, eng_store_t store, const void *obj,
			  unsigned arg)
{
	struct eng_node *n = node_add(t, parent, name, ENGINE_NODE_ATTR, mode);

	if (n) {
		n->show = show;
		n->store = store;
		n->obj = obj;
		n->arg = arg;
	}
	return n;
}

static ssize_t const_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	(void)e;
	return snprintf(buf, size, "%s\n", n->text);
}

void eng_const(struct eng_tree *t, struct eng_node *parent, const char *name, mode_t mode,
	       const char *format, ...)
{
	struct eng_node *n = eng_attr(t, parent, name, mode, const_show, NULL, NULL, 0);
	va_list ap;

	if (!n)
		return;
	va_start(ap, format);
	n->text = arena_vprintf(t, format, ap);
	va_end(ap);
}

void eng_link(struct eng_tree *t, struct eng_node *parent, const char *name, const char *format,
	      ...)
{
	size_t len = strlen(name) + 1;
	char *copy = arena_alloc(t, len);
	struct eng_node *n;
	va_list ap;

	if (!copy)
		return;
	n = node_add(t, parent, memcpy(copy, name, len), ENGINE_NODE_LINK, 0777);
	if (!n)
		return;
	va_start(ap, format);
	n->text = arena_vprintf(t, format, ap);
	va_end(ap);
}

static struct eng_node *find_child(const struct eng_node *dir, const char *name, size_t len)
{
	for (struct eng_node *n = dir->first_child; n; n = n->next)
		if (strncmp(n->name, name, len) == 0 && n->name[len] == '\0')
			return n;
	return NULL;
}

struct eng_node *eng_dir_at(struct eng_tree *t, const char *path)
{
	struct eng_node *dir = t->root;

	while (dir && *path) {
		size_t len = strcspn(path, "/");

		if (len > 0) {
			struct eng_node *child = find_child(dir, path, len);

			if (!child)
				child = eng_dir(t, dir, "%.*s", (int)len, path);
			dir = child;
		}
		path += len + (path[len] == '/');
	}
	return dir;
}

size_t eng_node_path(const struct eng_node *n, char *buf, size_t size)
{
	size_t used;
	int len;

	buf[0] = '\0';
	if (!n->parent)
		return 0;
	used = eng_node_path(n->parent, buf, size);
	len = snprintf(buf + used, size - used, "/%s", n->name);
	return MIN(used + (size_t)MAX(len, 0), size - 1);
}

static ssize_t uevent_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	(void)e;
	return snprintf(buf, size, "%s", n->text);
}

/* Writing an action makes the kernel send that uevent again: what udevadm trigger does. */
static ssize_t uevent_store(struct engine *e, const struct eng_node *n, const char *buf,
			    const struct engine_writer *w)
{
	static const char *const actions[] = { "add",	 "remove",  "change", "move",
					       "online", "offline", "bind",   "unbind" };
	const char *env[8];
	char lines[256], path[512];
	char *save = NULL;
	size_t count = 0;

	(void)w;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (!eng_sysfs_streq(actions[i], buf))
			continue;
		(void)str_copy(lines, sizeof(lines), n->text);
		for (char *line = strtok_r(lines, "\n", &save); line && count < 6;
		     line = strtok_r(NULL, "\n", &save))
			env[count++] = line;
		env[count++] = "SYNTH_UUID=0";
		env[count] = NULL;
		(void)eng_node_path(n->parent, path, sizeof(path));
		eng_uevent(e, actions[i], path, n->parent->text ? n->parent->text : "", env);
		return 0;
	}
	return -EINVAL;
}

void eng_devlinks(struct eng_tree *t, struct eng_node *dir, const char *subsystem,
		  const char *driver, const char *env)
{
	struct eng_node *n;

	if (!dir)
		return;
	/* Not every device is on a bus: mappings have an uevent file and nothing else. */
	dir->text = subsystem;
	if (subsystem)
		eng_link(t, dir, "subsystem", "/bus/%s", subsystem);
	if (driver)
		eng_link(t, dir, "driver", "/bus/%s/drivers/%s", subsystem, driver);
	n = eng_attr(t, dir, "uevent", 0644, uevent_show, uevent_store, NULL, 0);
	if (n) {
		size_t len = strlen(env) + 1;
		char *copy = arena_alloc(t, len);

		n->text = copy ? memcpy(copy, env, len) : "";
	}
}

static int by_name(const void *a, const void *b)
{
	const struct eng_node *x = *(struct eng_node *const *)a;
	const struct eng_node *y = *(struct eng_node *const *)b;

	return strcmp(x->name, y->name);
}

int eng_children_sort(struct eng_tree *t, struct eng_node *dir)
{
	size_t i = 0;

	if (dir->sorted)
		return 0;
	if (dir->n_children > 0) {
		size_t size = dir->n_children * sizeof(struct eng_node *);

		if (size <= CHUNK_SIZE) {
			dir->children = arena_alloc(t, size);
		} else {
			struct chunk *c = calloc(1, sizeof(*c) + size);

			/* A chunk of its own, behind the one that is being filled. */
			if (c) {
				c->used = CHUNK_SIZE;
				c->next = t->chunks->next;
				t->chunks->next = c;
				dir->children = (void *)c->data;
			}
		}
		if (!dir->children)
			return -ENOMEM;
		for (struct eng_node *n = dir->first_child; n; n = n->next)
			dir->children[i++] = n;
		qsort(dir->children, dir->n_children, sizeof(struct eng_node *), by_name);
	}
	dir->sorted = true;
	return 0;
}

struct eng_tree *eng_tree_build(struct engine *e)
{
	struct eng_tree *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->root = arena_alloc(t, sizeof(*t->root));
	if (t->root) {
		t->root->name = "";
		t->root->info = (struct engine_node){ .type = ENGINE_NODE_DIR, .mode = 0755 };
		eng_build_system(e, t);
		eng_build_cxl(e, t);
		eng_build_dax(e, t);
	}
	if (t->failed) {
		eng_tree_free(t);
		return NULL;
	}
	return t;
}
