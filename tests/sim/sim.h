/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator's one big object: the rule engine and what surrounds it. One mutex guards all of
 * it; FUSE threads, control connections and the event thread take turns.
 */
#pragma once

#include <limits.h>
#include <pthread.h>

#include "engine/engine.h"
#include "fault.h"
#include "host.h"
#include "log.h"
#include "probe.h"
#include "psi.h"

struct sim_settings {
	unsigned rule_delay_ms;
	unsigned offline_ms, online_ms; /* per block */
	unsigned retry_ms;
	bool uevents;
	bool log_io; /* not only writes */
};

/* How the kernel's rule ended for one record; kept for the request that caused it. */
struct sim_outcome {
	struct dc_event event;
	enum engine_outcome outcome;
};

#define SIM_OUTCOMES 4096 /* a power of two */

struct sim_pending; /* a uevent on its way out */
struct io_call;	    /* a file operation that waits */

struct sim {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* broadcast after every change; CLOCK_MONOTONIC */

	/* All of these are guarded by the lock. */
	struct engine *engine;
	struct json_object *topology; /* in force; NULL: the built-in one */
	enum engine_naming naming;
	unsigned n_memdevs;
	uint64_t generation; /* of the engine; an operation begun in an older one ends */
	bool stopping;
	bool quit; /* the control socket wants COMMAND to end */
	struct sim_settings settings;
	struct log log;
	struct faults faults;
	struct json_object *violations; /* array of texts */
	unsigned unacknowledged;
	struct io_call *calls; /* waiting */
	uint64_t last_writer;
	struct sim_pending *pending, **pending_tail;
	uint64_t queued, handled; /* records: given to the engine, and done */
	struct sim_outcome outcomes[SIM_OUTCOMES];
	usec_t next_retry;

	/* Guarded by its own lock, because removing an event takes long. */
	pthread_mutex_t probe_lock;
	bool event_present;
	const char *index_field, *tag_field; /* as defined */

	/* Set before there are threads. */
	struct host host;
	struct psi *psi; /* NULL: the machine has none */
	enum engine_naming start_naming;
	int quit_fd; /* eventfd: wakes main() */
};

/* ---- sim.c ---- */

int sim_init(struct sim *sim);
void sim_done(struct sim *sim);

/*
 * Builds a fresh host and swaps it in. @topology: NULL keeps the one in force, a string "default"
 * is the built-in one. @settings: object with keys of the `set` command, or NULL. Lock held.
 * 0 or negative errno with *@ret_error (caller frees) saying what is wrong; then nothing changed.
 */
int sim_reset(struct sim *sim, struct json_object *topology, enum engine_naming naming,
	      struct json_object *settings, char **ret_error);

/* Reads the settings that can change at any time out of @object over what @settings holds. */
int settings_parse(struct sim_settings *settings, struct json_object *object, char **ret_error);

/* A uevent, logged now and sent by sim_settle(). Under the lock. */
void sim_uevent(struct sim *sim, const struct engine_uevent *event);

/* After anything that may have changed the engine: /dev and uevents follow, waiters wake. */
void sim_settle(struct sim *sim);

/* Waits for a change, at most until @deadline. Returns -ETIMEDOUT then, else 0. */
int sim_wait(struct sim *sim, usec_t deadline);

/* Defines the trace event with the names in force, or removes it. Lock not held. */
int sim_event_set(struct sim *sim, bool present, const char *index_field, char **ret_error);

/* Ends everything that waits. Lock not held. */
void sim_stop(struct sim *sim);

/* ---- topology.c ---- */

/* Settings that only a new engine can take. */
struct topology_options {
	enum engine_naming naming;
	int state_attr, dax_cxl, kernel_unmovable; /* -1: as the topology says */
	const char *auto_online;		   /* NULL: the same */
};

/*
 * Builds an engine from a topology object, NULL: the built-in one. 0 or negative errno with
 * *@ret_error saying what is wrong.
 */
int topology_build(struct json_object *topology, const struct topology_options *options,
		   const struct engine_ops *ops, void *userdata, struct engine **ret,
		   unsigned *ret_memdevs, char **ret_error);

/* ---- records.c ---- */

/* Thread: traces the records in the devices' logs and lets the rules act on them. */
void *records_main(void *userdata);

/*
 * Waits until the record with number @ticket (sim->queued when it was the last) is handled. Lock
 * held. 0 or -ECANCELED: there was a reset or the end.
 */
int records_wait(struct sim *sim, uint64_t ticket);

/* Emits a record with the defaults of a real one around @event. */
void record_fill(struct probe_record *record, const struct dc_event *event);

/* 0, -EBUSY, …: what the device is told; "added", "busy", …: what happened. */
int outcome_to_error(enum engine_outcome outcome);
const char *rule_outcome_to_string(enum engine_outcome outcome);

/* ---- io.c ---- */

/* A file operation under way. */
struct io_call {
	struct sim *sim;
	struct io_call *next;
	uint64_t generation;
	int32_t pid; /* of the caller, 0: the control socket */
	char comm[32];
	bool admin;	  /* another hand: no faults */
	bool interrupted; /* a signal came */
	unsigned hangs;	  /* the fault it hangs in, or 0 */
	bool released;	  /* told to go on … */
	int error;	  /* … with this negative errno, or 0: as if nothing was */
};

/* A signal came for the caller: usable as the body of a FUSE interrupt callback. No lock held. */
void io_interrupt(struct io_call *call);

/* The lock is held for all of these; they let go of it while they wait. */
int io_open(struct io_call *call, const char *path, bool read, bool write);
/* Before a directory is listed, a symlink is read: 0, or the negative errno to fail with. */
int io_enter(struct io_call *call, enum fault_op op, const char *path);
ssize_t io_read(struct io_call *call, const char *path, char *buf, size_t size);
ssize_t io_write(struct io_call *call, const char *path, const char *buf, size_t size);

/* A write by the admin's hand: a whole text. 0 or negative errno. Lock held. */
int io_admin_write(struct sim *sim, const char *path, const char *value);

/* ---- vanish.c ---- */

/*
 * Takes away what @path belongs to, as another admin and the device would: blocks offline, unbind,
 * size 0, delete; for the whole group then the device's release. Lock held. 0 or negative errno.
 */
int vanish(struct sim *sim, const char *path, bool whole_group);

/* ---- control.c ---- */

struct control;

/* Listens at @path and serves in threads. 0 or negative errno. */
int control_start(struct sim *sim, const char *path, struct control **ret);
/* Closes all connections and waits for their threads. */
void control_stop(struct control *control);

/* ---- fs.c ---- */

struct fs;

/* Mounts the tree at sim->host.sys and serves it in threads. 0 or negative errno. */
int fs_start(struct sim *sim, struct fs **ret);
/* Unmounts and ends the threads. All users must be gone. */
void fs_stop(struct fs *fs);
