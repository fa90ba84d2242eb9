/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the undo journal share: the limits of a record, its checksums, and the store.
 *
 * Each line is one JSON object whose last member is "sum": CRC-32 (that of zlib), eight lower case
 * digits, over all of the file before it and the line itself up to the comma before "sum".
 */
#pragma once

#include <sys/types.h>

#include "undo.h"

/* Far beyond any host; what a garbled or malicious file can make us allocate. */
#define UNDO_DEVICES_MAX 4096
#define UNDO_RANGES_MAX (1U << 20)
#define UNDO_BLOCKS_MAX (1U << 20)
#define UNDO_KNOWN_MAX (1U << 16)

/* Around the checksum at the end of a line. */
#define UNDO_SUM_BEFORE ",\"sum\":\""
#define UNDO_SUM_DIGITS 8
#define UNDO_SUM_BEHIND "\"}"
#define UNDO_SUM_STRLEN                                                                            \
	(sizeof(UNDO_SUM_BEFORE) - 1 + UNDO_SUM_DIGITS + sizeof(UNDO_SUM_BEHIND) - 1)

/* ---- undo_name.c ---- */

/* Whether @name can be a kernel object's: no '/', no "..", nothing that a shell or path minds. */
bool undo_name_is_plain(const char *name);

/* "0xa90000000+0x8000000", and back: 0 or -EINVAL. */
#define UNDO_RANGE_STRLEN 38
char *undo_range_format(const struct range *range, char buf[static UNDO_RANGE_STRLEN]);
int undo_range_parse(const char *s, struct range *ret);

/* ---- undo_encode.c ---- */

/* Where a file ends, so that a line can be put behind it. */
struct undo_end {
	size_t size;
	uint32_t sum; /* of all of it */
};

/* One note as a line; *@end is moved behind it. Caller frees *@ret. 0, -EINVAL or -ENOMEM. */
int undo_encode_note(enum undo_note note, const struct plan *plan, const struct step *step,
		     int32_t worker, uint64_t worker_started, const char *text,
		     struct undo_end *end, char **ret, size_t *ret_size);

/* ---- undo_decode.c ---- */

/* undo_decode(), and where the last line ends that is whole. */
int undo_decode_end(const char *data, size_t size, const char *boot_id, struct undo_record *ret,
		    bool *ret_other_boot, struct undo_end *ret_end, char **ret_error);

/* ---- undo_process.c ---- */

/* Start time of process @pid, field 22 of its stat; -ESRCH: it is not there or has ended. */
int undo_process_started(const char *proc, int32_t pid, uint64_t *ret);

/* ---- undo_store.c ---- */

/* A file that was written or read: lines are added only to what is still that one. */
struct undo_file {
	bool there;
	ino_t inode;
	struct undo_end end;
};

struct undo_entry {
	struct group_key key;
	struct undo_file journal, draft;
};

struct undo_store {
	int fd; /* the directory */
	char dir[UNDO_PATH_MAX];
	char *proc;
	char boot_id[BOOT_ID_STRLEN + 1];
	struct undo_entry *entries;
	size_t n_entries;
};

/* The entry of @key, a new one if there is none. NULL if out of memory. */
struct undo_entry *undo_store_entry(struct undo_store *store, const struct group_key *key);
