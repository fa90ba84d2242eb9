/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a daemon is to do while it is killed: scripts, and the operations that each consists of when
 * nothing comes between, which are what the kill matrix is generated from.
 */
#pragma once

#include "kill_disk.h"
#include "kill_run.h"

/* An operation of a script's reference run. */
struct point {
	char text[INTERPOSE_TEXT_MAX];
	char general[INTERPOSE_TEXT_MAX];
	enum interpose_kind kind;
	/* What a power cut behind it may leave: */
	struct disk_variant variants[DISK_VARIANTS_MAX];
	size_t n_variants;
};

struct script {
	const char *name;
	const struct matrix_mode *mode;
	/* Fails once with EIO, so that everything is rolled back: */
	const char *fault_path, *fault_value;
	/*
	 * A daemon was killed before the first operation with this general text; the script is what
	 * the next one does about it.
	 */
	const char *killed_before;
	/*
	 * And another hand destroyed the device while its memory was online. That cannot be mended,
	 * which takes several seconds to find out, with operations in varying order.
	 */
	bool destroyed;
	/* Its reference run: */
	struct point *points;
	uint32_t n_points, first_kill;
};

#define N_SCRIPTS 11
#define N_WHOLE_SCRIPTS 10 /* the first ones: free or as before, whatever happens */
extern struct script scripts[N_SCRIPTS];

/*
 * Outside of any case: records the reference runs, twice, since numbers must mean something. @show:
 * prints the operations.
 */
void scripts_record(struct matrix *m, struct run *run, bool show);
void scripts_free(void);

/* The host, and what happened to it before the daemon that the script is about. */
void script_prepare(struct matrix *m, struct run *run, const struct script *script);

/* That daemon. */
enum run_end script_run(struct run *run, const struct script *script,
			const struct run_order *order);

/* The state directory as it is now, durable; what the daemon did to it since; whether that is all.
 */
struct disk *script_disk(struct matrix *m);
void script_disk_follow(struct matrix *m, struct run *run, struct disk *disk);
DEFINE_CLEANUP(struct disk *, disk_free);
