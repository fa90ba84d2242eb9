/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file of the model of a disk (kill_disk.h): its content as it is durable, and what was done
 * since. */
#pragma once

#include "kill_disk.h"

struct disk_content {
	char *data;
	size_t size;
};

/* A write, or with @data NULL a truncation. */
struct disk_change {
	uint64_t offset;
	char *data;
	size_t size;
};

struct disk_file {
	uint64_t inode;
	struct disk_content durable;
	struct disk_change *changes; /* since */
	size_t n_changes;
};

/* What it holds if of what was done since, @data is left. Caller frees ret->data. */
int disk_file_content(const struct disk_file *file, enum disk_data data, struct disk_content *ret);

/* @data NULL: a truncation to @offset. */
int disk_file_change(struct disk_file *file, uint64_t offset, const char *data, size_t size);

/* All of it is durable. */
int disk_file_sync(struct disk_file *file);
void disk_file_done(struct disk_file *file);

/* ---- real directories ---- */

/* Calls @each for every regular file; its errors end it. A directory that is not there is empty. */
int disk_for_each(const char *dir, int (*each)(int dir_fd, const char *name, void *userdata),
		  void *userdata);
int disk_read(int dir_fd, const char *name, struct disk_content *ret, uint64_t *ret_inode);
int disk_write(int dir_fd, const char *name, const struct disk_content *content);
int disk_remove_all(const char *dir);
