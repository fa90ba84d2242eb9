/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a power cut leaves of a directory. Follows the operations that the interposer recorded and
 * keeps two things apart: what was made durable (a file's content by its fsync, names by an fsync
 * of the directory) and what was done since, of which a cut may leave all, nothing or a part. It is
 * harsher than file systems are: names may survive without those before them, and without the
 * content of their file.
 */
#pragma once

#include <stddef.h>

#include "tests/interpose/interpose.h"

struct disk;

struct disk *disk_new(void); /* NULL if out of memory */
void disk_free(struct disk *disk);

/* Everything in @dir, regular files only, is durable. 0 or negative errno. */
int disk_load(struct disk *disk, const char *dir);

/*
 * One operation more. 0; -ENOMEM; -EINVAL: it does not fit what was before, something was not
 * recorded.
 */
int disk_apply(struct disk *disk, const struct interpose_shared *shared,
	       const struct interpose_op *op);

/*
 * Without a power cut the directory would be as @dir is. 0; -EUCLEAN: it is not, something was not
 * recorded; or negative errno.
 */
int disk_compare(const struct disk *disk, const char *dir);

/* Whether a file whose name ends in @suffix, with something in it, survives whatever happens. */
bool disk_has_durable(const struct disk *disk, const char *suffix);

/* What becomes of the content that was not made durable. */
enum disk_data {
	DISK_LOST,   /* as of the last fsync */
	DISK_TORN,   /* the first half of the bytes arrived */
	DISK_ZEROED, /* room was made for all, nothing arrived */
	DISK_KEPT,
	_DISK_DATA_MAX,
};

const char *disk_data_to_string(enum disk_data data);

/* One way in which it can end. */
struct disk_variant {
	uint32_t names; /* bit N: the Nth change of names since the last fsync is kept */
	enum disk_data data;
};

/* Those that differ in what is on the disk then, at most @max of them. How many. */
#define DISK_VARIANTS_MAX 128
size_t disk_variants(const struct disk *disk, struct disk_variant *ret, size_t max);

/* Makes @dir so. 0 or negative errno. */
int disk_restore(const struct disk *disk, const struct disk_variant *variant, const char *dir);
