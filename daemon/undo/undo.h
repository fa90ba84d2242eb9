/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The undo journal: for each release that changes the host, one file in the state directory with
 * everything as it was before. Recovery needs only that, because it compares and does not replay;
 * so that part is made durable before the first change (STEP_SAVE: undo_draft(), then
 * WORKER_PUBLISH), while the steps are appended as they are begun, for whoever reads it later and
 * for a daemon that was killed: the page cache outlives that, and a reboot outlives neither the
 * devices nor the need to put them back.
 *
 * A file is lines of JSON, each with a checksum that chains all before it; docs/reliability.md has
 * the format.
 */
#pragma once

#include <dcdd/release.h>

#define UNDO_VERSION 1
#define UNDO_NAME_MAX 128 /* of a journal file, with its suffix */
#define UNDO_SUFFIX ".undo"
#define UNDO_SUFFIX_NEW ".undo.new" /* a draft: nothing was changed yet */
#define UNDO_SUFFIX_BAD ".undo.bad" /* moved aside, as could not be read */
#define UNDO_SIZE_MAX (64 * MiB)    /* a larger file is garbage */
#define BOOT_ID_STRLEN 36

/* ---- undo_name.c: the file of a group ---- */

/* "mem0-5be13bce-ae34-4a77-b6c3-16df975fcf1a.undo", "mem0-0x0-0x10000000.undo". Returns @buf. */
char *undo_name(const struct group_key *key, char buf[static UNDO_NAME_MAX]);

/* The other way, from a name with any of the three suffixes. 0 or -EINVAL: not such a name. */
int undo_name_parse(const char *name, struct group_key *ret);

/* ---- undo_encode.c, undo_decode.c: pure ---- */

/* What a journal says. */
struct undo_record {
	struct group_key key;
	struct range dpa; /* of the first release record */
	char boot_id[BOOT_ID_STRLEN + 1];
	char region[DEV_NAME_MAX];
	uint64_t bytes;
	uint32_t n_extents;
	uint64_t records;
	usec_t first_record, last_record; /* CLOCK_MONOTONIC of that boot */
	char rule[RULE_NAME_MAX];
	struct plan plan; /* devices, ranges, blocks, known; brought up to date by the steps */
	/* From the lines behind: */
	size_t n_steps;			       /* begun */
	char rolling_back[RELEASE_REASON_MAX]; /* why; "" if it was going forward */
	char failed[RELEASE_REASON_MAX];       /* it had ended as failed, and why; "" if not */
	int32_t worker;			       /* pid that did the last step, 0 if unknown */
	uint64_t worker_started;	       /* its start time, field 22 of /proc/PID/stat */
	bool torn; /* the last line was cut off: what it was about had not begun */
};
void undo_record_done(struct undo_record *record);

/*
 * All that is known before the first step, as the text of a new file; and why it is being rolled
 * back, if it is. Caller frees *@ret. 0; -ENOMEM; -EINVAL: the plan's slices do not fit its arrays.
 */
int undo_encode(const struct release *release, const char *boot_id, char **ret, size_t *ret_size);

enum undo_note {
	UNDO_NOTE_STEP,		/* plan's step is about to be made, by process @worker */
	UNDO_NOTE_SKIPPED,	/* it was so already by another hand: not ours to put back */
	UNDO_NOTE_ROLLING_BACK, /* @text: why */
	UNDO_NOTE_FAILED,	/* @text: why */
	_UNDO_NOTE_MAX,
};

/*
 * Reads @size bytes of a file. 0; -ENOMEM; -EBADMSG: torn, truncated or garbage;
 * -EPROTONOSUPPORT: of another version. *@ret_error then says where and what (caller frees).
 * Lines behind the prior state may be cut off at the end of the file (record.torn), nowhere else.
 * A record of another boot is given out even if what follows its first line is not readable: only
 * key and boot_id are then set, and @ret_other_boot is true.
 */
int undo_decode(const char *data, size_t size, const char *boot_id, struct undo_record *ret,
		bool *ret_other_boot, char **ret_error);

/* ---- undo_store.c: the directory ---- */

struct undo_store;

/*
 * Opens @dir, made with mode 0700 if it is not there (its parent must be), and reads the kernel's
 * boot id from @proc. 0; -ENAMETOOLONG: a file in it would not fit WORKER_PATH_MAX; -EPERM: @dir
 * belongs to somebody else or others may write to it; or negative errno.
 */
int undo_store_open(const char *dir, const char *proc, struct undo_store **ret);
void undo_store_free(struct undo_store *store);
DEFINE_CLEANUP(struct undo_store *, undo_store_free);

/*
 * Writes the draft of the release's journal (mode 0600, over one that is left), not yet durable;
 * *@ret_path (UNDO_PATH_MAX) is what WORKER_PUBLISH is to be given. The notes so far of a journal
 * that exists already are replaced by the plan as it is now. 0 or negative errno; -EINVAL: it
 * could not be read again (a name that is none, blocks not in order, more than the limits).
 */
#define UNDO_PATH_MAX 192
int undo_draft(struct undo_store *store, const struct release *release,
	       char ret_path[static UNDO_PATH_MAX]);

/*
 * Appends one line to the release's journal. @step for the first two notes, @text for the others;
 * @worker is a pid or 0. Where only a draft exists, it is that which gets the line. 0; -ENOENT:
 * there is neither; -ESTALE: what has the journal's name is not what we wrote or read; -EIO: it is
 * shorter than that, or a line that was written only in part could not be cut off again; or other
 * negative errno.
 */
int undo_append(struct undo_store *store, const struct release *release, enum undo_note note,
		const struct step *step, int32_t worker, const char *text);

/* The release is whole: its journal, and a draft, are removed. 0, also if there is none. */
int undo_remove(struct undo_store *store, const struct group_key *key);

/* What undo_load() found. Strings and record live only for the call. */
struct undo_found {
	const char *name;	    /* of the file */
	struct undo_record *record; /* NULL if it could not be read; the callee may take its plan */
	bool has_key;		    /* @key is known, from the content or the name */
	struct group_key key;
	bool other_boot;   /* the host was booted since: the file is removed behind the call */
	bool moved;	   /* moved aside just now, or (false, record NULL) at an earlier start */
	const char *error; /* why it could not be read */
};
typedef void (*undo_found_t)(const struct undo_found *found, void *userdata);

/*
 * Looks at every journal in the directory, in the order of their names: removes drafts, moves
 * aside what cannot be read (NAME.undo.bad; if that fails, error says so), also reports those
 * moved aside before. Files of other names are left alone. 0 or negative errno of the directory.
 */
int undo_load(struct undo_store *store, undo_found_t found, void *userdata);

/* Removes the file moved aside for @key: the group was seen whole. 0, also if there is none. */
int undo_forget_bad(struct undo_store *store, const struct group_key *key);

/*
 * Whether the process is still there: 1 (and a pidfd in *@ret_pidfd), 0, or negative errno.
 */
int undo_worker_lives(const struct undo_record *record, const char *proc, int *ret_pidfd);
