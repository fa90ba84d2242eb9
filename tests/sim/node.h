/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The paths that the kernel has looked up in the FUSE tree, and how often.
 */
#pragma once

#include <pthread.h>
#include <sys/queue.h>

#include <dcdd/base.h>

/*
 * A path that the kernel knows. Its address is the FUSE node id. The kernel locks an inode for the
 * duration of a write, uninterruptibly, where sysfs does not: so a file in which a write is under
 * way is given another node to whoever looks it up meanwhile.
 */
struct node {
	char *path; /* below /sys, without a leading slash; "" is the root */
	uint64_t lookups;
	unsigned writes;
	bool retired; /* in the list instead of the table */
	LIST_ENTRY(node) link;
};

LIST_HEAD(node_list, node);

/* All of them. */
struct nodes {
	pthread_mutex_t lock; /* of what follows */
	void *table;	      /* tsearch() by path */
	struct node_list retired;
	struct node root;
};

int nodes_init(struct nodes *nodes);
void nodes_done(struct nodes *nodes);

/*
 * Finds or makes the node of @path and counts one lookup; a @regular file in which a write is under
 * way gets a new one. Takes over @path. NULL: no memory.
 */
struct node *node_get(struct nodes *nodes, char *path, bool regular);

/* Takes back @lookups; the last one frees it. */
void node_forget(struct nodes *nodes, struct node *node, uint64_t lookups);

/* Around a write. */
void node_write_begin(struct nodes *nodes, struct node *node);
void node_write_end(struct nodes *nodes, struct node *node);

/*
 * Whether @path is of the tree's frame: what comes and goes with regions, if at all. Paths through
 * them are long and walked thousands of times in one look at the host, so the kernel may remember
 * them; what is in them is asked of the engine all the same, so a name that is gone leads nowhere.
 */
bool path_is_frame(const char *path);
