/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The soak's parts. A round is a script, drawn from seed and number alone, so that the same seed
 * makes the same sequence whatever the daemon does meanwhile; a model that knows what each object
 * may have become by the hands of others; and a judge that compares host, daemon and model.
 *
 * A *unit* is what one release is about: a tagged group, or one untagged extent. What a round has
 * touched is taken out at its end, the rest stays for later ones and must not change.
 */
#pragma once

#include <dcdd/inventory.h>

#include "tests/scenario/scenario.h"

#include "matrix.h"

#define SOAK_SLOTS 6	    /* places for capacity, each 1 GiB of DPA */
#define SOAK_SLOT_REGION2 5 /* the one in the region that is disabled now and then */
#define SOAK_UNITS 3	    /* of a slot: one tagged group, or a chain of untagged extents */
#define SOAK_EXTENTS 3	    /* of a unit */
#define SOAK_BLOCKS 8	    /* of a unit */
#define SOAK_FAULTS 4	    /* of a round */
#define SOAK_EVENTS 12	    /* of a round */
#define SOAK_TEXT_MAX 256
#define SOAK_WHY_MAX 1024
#define SOAK_ERA 20 /* rounds on the same host, before a fresh one */

/* ---- what is drawn ---- */

/* What stands on a unit when the admin has claimed it. */
enum soak_use {
	SOAK_MOVABLE, /* system-ram, online in the movable zone */
	SOAK_KERNEL,  /* in a kernel zone */
	SOAK_MIXED,   /* some blocks movable, some offline */
	SOAK_OFFLINE, /* bound to kmem, nothing online */
	SOAK_DEVDAX,
	SOAK_FSDEV,
	SOAK_UNBOUND,
	SOAK_UNCLAIMED,
	_SOAK_USE_MAX,
};

/* Bits: what a memory block may be, what a device may be bound to, where a claim may have gone. */
enum {
	BLOCK_IS_ABSENT = 1,
	BLOCK_IS_OFFLINE = 2,
	BLOCK_IS_MOVABLE = 4,
	BLOCK_IS_KERNEL = 8,
	BLOCK_IS_CHANGING = 16,
};
enum { DRIVER_NONE = 1, DRIVER_KMEM = 2, DRIVER_DEVDAX = 4, DRIVER_FSDEV = 8 };
enum { CLAIM_HELD = 1, CLAIM_FREE = 2, CLAIM_GONE = 4 };

struct soak_block {
	uint64_t number;
	unsigned may;		/* BLOCK_IS_* */
	bool pinned, unmovable; /* by bad luck */
};

enum soak_verdict { SOAK_GONE, SOAK_FREE, SOAK_WHOLE, SOAK_HALF };

struct soak_unit {
	/* Drawn: */
	bool used;
	unsigned slot, index;
	char tag[TAG_STRLEN + 1]; /* "": untagged */
	struct sim_extent extents[SOAK_EXTENTS];
	size_t n_extents;
	enum soak_use use;
	bool seed;  /* by daxN.0, which can never be deleted */
	bool held;  /* a process has it open */
	bool asked; /* the device asked for it in this round */
	bool touched;
	/* What is so, and what may become so by others' hands: */
	bool present;		   /* it was added */
	bool heard;		   /* a record that asks for it was traced in this round */
	uint64_t since;		   /* in the simulator's log: it was there by then */
	char device[DEV_NAME_MAX]; /* "" if unclaimed */
	struct soak_block blocks[SOAK_BLOCKS];
	size_t n_blocks;
	unsigned drivers, claims;  /* DRIVER_*, CLAIM_* */
	bool may_free;		   /* asked for, and the policy allowed it */
	bool forced;		   /* destroyed with memory online, by another hand */
	enum soak_verdict verdict; /* of this round's end */
	bool failed;		   /* and its release has, truthfully */
	pid_t holder;
};

struct soak_slot {
	struct soak_unit units[SOAK_UNITS];
	size_t n_units; /* 0: empty */
};

/* The daemon's configuration, as far as it matters to the model. */
struct soak_config {
	unsigned free_uses; /* 1 << enum soak_use: the ones the policy frees */
	unsigned retries, concurrency;
	unsigned block_timeout_ms, settle_ms, refuse_hold_ms;
	const char *method;
	bool resume;
};

/* A fresh host. */
struct soak_era {
	bool v10, state_attr, kernel_unmovable;
	bool calm; /* no restarts: what a daemon loses shows only if it lives */
	const char *auto_online;
	unsigned offline_ms, online_ms, rule_delay_ms;
};

enum soak_fault_place {
	AT_BLOCK,	 /* memoryN/state */
	AT_ANY_BLOCK,	 /* of whatever unit */
	AT_ZONES,	 /* memoryN/valid_zones */
	AT_SIZE,	 /* daxN.M/size */
	AT_UUID,	 /* daxN.M/uuid */
	AT_MAPPING,	 /* daxN.M/mapping0/start */
	AT_DEVICE_STATE, /* daxN.M/state */
	AT_UNBIND,
	AT_BIND,
	AT_NEW_ID,
	AT_DELETE,
	AT_CREATE,
	AT_EXTENT,    /* extentN.K/offset */
	AT_AVAILABLE, /* dax_region/available_size */
	_SOAK_PLACE_MAX,
};

struct soak_fault {
	unsigned slot, unit, block;
	enum soak_fault_place place;
	const char *op, *action, *error;
	const char *value; /* glob on what is written, or NULL */
	unsigned nth, count, ms;
	bool device_only; /* of vanish and after */
	unsigned id;	  /* the simulator's; 0: not there, or not any more */
	unsigned hits;
};

enum soak_kind {
	EVENT_ASK,
	EVENT_ONLINE,
	EVENT_OFFLINE,
	EVENT_DESTROY,
	EVENT_DESTROY_FORCED,
	EVENT_OTHER_DRIVER,
	EVENT_REGION,
	EVENT_ADD,
	EVENT_PIN,
	EVENT_UNMOVABLE,
	EVENT_FLOOD,
	EVENT_GARBAGE,
	EVENT_FORCED_RELEASE,
	EVENT_WRONG_TAG,
	EVENT_REGION_UPDATED,
	EVENT_MODULE,
	EVENT_INVALIDATE,
	EVENT_AUTO_ONLINE,
	EVENT_RETRY,
	EVENT_RELOAD,
	EVENT_RELOAD_BAD,
	EVENT_RESCAN,
	EVENT_PAUSE,
	EVENT_KILL_WORKERS,
	EVENT_KILL,
	EVENT_TERM,
	EVENT_START,
	EVENT_LET_GO, /* of what hangs in the fault that the script waits for */
	_SOAK_KIND_MAX,
};

enum soak_when { NOW, AFTER_MS, AT_HANG, _SOAK_WHEN_MAX };

struct soak_event {
	enum soak_kind kind;
	enum soak_when when;
	unsigned ms;
	unsigned slot, unit, block;
	unsigned number, interval_ms; /* of records; or which of several things */
};

struct soak_script {
	unsigned round;
	bool new_era;
	struct soak_era era;
	bool new_config;
	struct soak_config config;
	unsigned added; /* bits: slots filled at the beginning */
	struct soak_fault faults[SOAK_FAULTS];
	size_t n_faults;
	bool waits; /* fault 0 hangs, and what is AT_HANG waits for that */
	struct soak_event events[SOAK_EVENTS];
	size_t n_events;
	unsigned retry_ms;
	bool quiet;	  /* nothing happens that keeps a release from succeeding */
	bool fresh_after; /* what was done can be mended by a fresh host only */
};

/* ---- soak_draw.c: from the dice to a script ---- */

/* The slots as the script leaves them is up to soak_script_end(). Pure. */
void soak_draw(uint64_t seed, unsigned round, struct soak_slot slots[SOAK_SLOTS],
	       struct soak_era *era, struct soak_config *config, struct soak_script *ret);
/* Empties what the round has touched. */
void soak_script_end(const struct soak_script *script, struct soak_slot slots[SOAK_SLOTS]);

/* ---- soak_text.c: a script for a person ---- */

const char *soak_use_to_string(enum soak_use use);
char *soak_unit_text(const struct soak_unit *unit, char buf[static SOAK_TEXT_MAX]);
char *soak_fault_text(const struct soak_fault *fault, char buf[static SOAK_TEXT_MAX]);
char *soak_event_text(const struct soak_event *event, char buf[static SOAK_TEXT_MAX]);
void soak_print_script(FILE *f, const struct soak_script *script,
		       const struct soak_slot slots[SOAK_SLOTS]);
/* A number over all of it: equal seeds, equal numbers. */
uint64_t soak_script_hash(const struct soak_script *script, uint64_t hash);

/* ---- the run ---- */

struct soak_life {
	pid_t pid;
	unsigned rounds; /* that it has lived through */
	unsigned fds;	 /* at rest after the first of them */
	uint64_t rss_kib;
};

struct soak {
	struct scenario *s;
	uint64_t seed;
	bool verbose;
	struct soak_slot slots[SOAK_SLOTS];
	struct soak_era era;
	struct soak_config config;
	struct soak_script script;
	struct soak_life life;
	/* Of the round under way: */
	uint64_t since;		    /* the simulator's log, when it began */
	off_t log_begin;	    /* the daemon's, the same */
	uint64_t last_id;	    /* the daemon's highest release id then */
	unsigned free_uses;	    /* by any configuration that was in force in it */
	unsigned config_file;	    /* the number that the harness gave it */
	bool hang_hit, hang_missed; /* whether what AT_HANG waits for has come */
	int done[SOAK_EVENTS];	    /* what became of the events: 0, or negative errno */
	const char *region_off;	    /* the region that is disabled, or NULL */
	bool spoilt;		    /* a finding: the host is made anew before the next round */
	/* Sums: */
	unsigned outcomes[_MATRIX_OUTCOME_MAX];
	unsigned violations, problems;
	unsigned rounds, starts, kills, mended, unmended;
};

/* What went wrong, once each, with round, script and the daemon's log of it. */
void soak_problem(struct soak *k, const char *format, ...) _printf_(2, 3);

/* ---- soak_host.c: what is there, and the model of it ---- */

struct soak_seen {
	unsigned extents;	   /* of the unit that are there */
	unsigned claimed;	   /* of them, claimed */
	char device[DEV_NAME_MAX]; /* by this one; the last of several */
	unsigned devices;	   /* by so many */
	unsigned driver;	   /* DRIVER_*, of it */
	unsigned blocks[SOAK_BLOCKS];
	bool leaked[SOAK_BLOCKS]; /* memory under nobody's driver */
	bool old_device; /* the one that claimed it is there, with size 0, and can be deleted */
};

struct json_object *soak_state(struct soak *k); /* caller puts */
const char *soak_memdev(unsigned slot);
const char *soak_region(unsigned slot);
void soak_see(struct json_object *state, const struct soak_unit *unit, struct soak_seen *ret);
/* What it is, whether it may be or not; @why (SOAK_WHY_MAX) if half. */
enum soak_verdict soak_judge(const struct soak_unit *unit, const struct soak_seen *seen, char *why);
/* "absent", "offline", "online in movable": as the daemon says it. */
const char *soak_block_text(unsigned bit);
/* The first free device of size 0 that is no daxN.0, or whose claim is no unit's; "" if none. */
void soak_find_stray(struct soak *k, struct json_object *state, char ret[static DEV_NAME_MAX]);
/* Whether the daemon, or another hand, tried to delete that device in this round and could not. */
bool soak_may_stray(struct soak *k, const char *device);
/* Whether the daemon wrote to anything of the unit's in this round. */
bool soak_was_touched(struct soak *k, const struct soak_unit *unit);

#define soak_foreach_unit(u, k)                                                                    \
	for (unsigned slot_ = 0; slot_ < SOAK_SLOTS; slot_++)                                      \
		for (struct soak_unit *u = (k)->slots[slot_].units;                                \
		     u < (k)->slots[slot_].units + (k)->slots[slot_].n_units; u++)                 \
			if (u->present)

/* ---- soak_admin.c: another hand, and what it changes in the model ---- */

void soak_new_host(struct soak *k);
/* The device adds what the slot holds, and the admin claims it. */
void soak_add(struct soak *k, unsigned slot);
/* 0 or the negative errno that the hand got. */
int soak_online(struct soak *k, struct soak_unit *unit, const struct soak_event *event);
int soak_offline(struct soak *k, struct soak_unit *unit, struct soak_block *block);
int soak_destroy(struct soak *k, struct soak_unit *unit);
int soak_destroy_forced(struct soak *k, struct soak_unit *unit);
int soak_bind_other(struct soak *k, struct soak_unit *unit);
int soak_disable_region(struct soak *k, unsigned slot);
/* It may have been destroyed by another hand, and (@group) taken back by the device. */
void soak_widen_destroyed(struct soak_unit *unit, bool group);
/* The admin takes the unit out of use and the device takes it back. */
void soak_retire(struct soak *k, struct soak_unit *unit);

/* ---- soak_events.c: what happens in a round ---- */

void soak_place_faults(struct soak *k);
void soak_do(struct soak *k, size_t event);
/* Widens the model by what has vanished so far. */
void soak_see_faults(struct soak *k);
/* Bad luck ends; what hangs goes on. */
void soak_calm(struct soak *k);

/* ---- soak_daemon.c: its lives ---- */

void soak_daemon_start(struct soak *k);
void soak_daemon_end(struct soak *k, int signal);
void soak_daemon_reload(struct soak *k, bool good);
void soak_daemon_kill_workers(struct soak *k);
/* After a finding: it is killed, with its journals and its tracefs instance. */
void soak_daemon_bury(struct soak *k);
/* Waits until nothing is under way any more. False if that takes longer than @seconds. */
bool soak_settle(struct soak *k, double seconds);
/* At rest: descriptors, memory and processes are what they were. */
void soak_check_life(struct soak *k);
/* After its end: no process, no tracefs instance, no journal. */
void soak_check_death(struct soak *k);
/* The daemon's log of the round. Caller frees. */
char *soak_log_text(struct soak *k);
off_t soak_log_size(struct soak *k);
void soak_forget_logs(struct soak *k);
/* The daemon's highest release id. */
uint64_t soak_last_id(struct soak *k);
/* Of the unit: its latest release made in this round (caller puts), or NULL. */
struct json_object *soak_release(struct soak *k, const struct soak_unit *unit);

/* ---- soak_judge.c: the end of a round ---- */

/* Whether a record of this round that asks for a unit may have led to nothing. */
bool soak_may_be_unheard(const struct soak *k);
/* Judges every unit by host, daemon and model, and counts those that were asked for. */
void soak_judge_round(struct soak *k);
/* What failed is mended by its own commands, what is free is collected, the rest taken out. */
void soak_clear_away(struct soak *k);

/* ---- soak_left.c: a failed release's list ---- */

/* Whether it says what is so, and all that may not be so. Else @why (SOAK_WHY_MAX). */
bool soak_leftovers_true(struct json_object *state, const struct soak_unit *unit,
			 const struct soak_seen *seen, struct json_object *release, char *why);
/* Runs its commands, and those of what is left then, until the daemon sees it whole. */
bool soak_mend(struct soak *k, const struct soak_unit *unit);
