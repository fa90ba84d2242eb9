/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table behind FUSE node ids. A node lives until the kernel forgets its last lookup.
 */
#include <search.h>

#include "node.h"

static void node_free(void *userdata)
{
	struct node *node = userdata;

	free(node->path);
	free(node);
}

static int node_compare(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->path, ((const struct node *)b)->path);
}

int nodes_init(struct nodes *nodes)
{
	*nodes = (struct nodes){ .root.path = strdup("") };
	LIST_INIT(&nodes->retired);
	(void)pthread_mutex_init(&nodes->lock, NULL);
	return nodes->root.path ? 0 : -ENOMEM;
}

void nodes_done(struct nodes *nodes)
{
	tdestroy(nodes->table, node_free);
	while (!LIST_EMPTY(&nodes->retired)) {
		struct node *node = LIST_FIRST(&nodes->retired);

		LIST_REMOVE(node, link);
		node_free(node);
	}
	(void)pthread_mutex_destroy(&nodes->lock);
	free(nodes->root.path);
}

struct node *node_get(struct nodes *nodes, char *path, bool regular)
{
	struct node key = { .path = path }, **found, *node = NULL;

	(void)pthread_mutex_lock(&nodes->lock);
	found = tfind(&key, &nodes->table, node_compare);
	if (found && regular && (*found)->writes) {
		struct node *busy = *found;

		busy->retired = true;
		LIST_INSERT_HEAD(&nodes->retired, busy, link);
		(void)tdelete(busy, &nodes->table, node_compare);
		found = NULL;
	}
	if (found) {
		node = *found;
		free(path);
	} else {
		node = calloc(1, sizeof(*node));
		if (node) {
			node->path = path;
			if (!tsearch(node, &nodes->table, node_compare)) {
				free(node);
				node = NULL;
			}
		}
		if (!node)
			free(path);
	}
	if (node)
		node->lookups++;
	(void)pthread_mutex_unlock(&nodes->lock);
	return node;
}

void node_forget(struct nodes *nodes, struct node *node, uint64_t lookups)
{
	if (node == &nodes->root)
		return;
	(void)pthread_mutex_lock(&nodes->lock);
	node->lookups -= MIN(lookups, node->lookups);
	if (node->lookups == 0) {
		if (node->retired)
			LIST_REMOVE(node, link);
		else
			(void)tdelete(node, &nodes->table, node_compare);
		node_free(node);
	}
	(void)pthread_mutex_unlock(&nodes->lock);
}

void node_write_begin(struct nodes *nodes, struct node *node)
{
	(void)pthread_mutex_lock(&nodes->lock);
	node->writes++;
	(void)pthread_mutex_unlock(&nodes->lock);
}

void node_write_end(struct nodes *nodes, struct node *node)
{
	(void)pthread_mutex_lock(&nodes->lock);
	node->writes--;
	(void)pthread_mutex_unlock(&nodes->lock);
}

bool path_is_frame(const char *path)
{
	static const char *const comers[] = { "dax", "memory", "node", "extent", "mapping" };

	for (const char *name = path; name; name = strchr(name, '/')) {
		name += *name == '/';
		for (size_t i = 0; i < ARRAY_SIZE(comers); i++) {
			const char *rest = startswith(name, comers[i]);

			if (rest && *rest >= '0' && *rest <= '9')
				return false;
		}
	}
	return true;
}
