/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of the simulated host: what a kernel with dynamic capacity support does, as plain data
 * and functions. No I/O, no threads, no sleeping: the caller locks, and whoever serves the tree to
 * programs does the waiting. Everything a kernel would tell the world goes out through engine_ops.
 */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include <dcdd/event.h>

struct engine;
struct json_object;

/* ---- set up ---- */

/* Names and details that differ between versions of the kernel series. */
enum engine_naming {
	ENGINE_V11, /* dynamic_ram_1, null uuid of an unclaimed device, sequence numbers 0..n-1 */
	ENGINE_V10, /* dynamic_ram_a, uuid "0" of an unclaimed device, sequence numbers 1..n */
};

struct engine_config {
	enum engine_naming naming;
	uint64_t block_size;   /* of a memory block, bytes, a power of two */
	uint64_t window_start; /* HPA of the root decoder's window */
	uint64_t window_size;  /* bytes */
	uint64_t boot_memory;  /* bytes of system memory on node 0: 2 GiB below 4 GiB, rest above */
	unsigned cpus;	       /* for devices/system/cpu */
	bool state_attribute;  /* kernel 7.3: daxN.M/state while bound to kmem */
	bool dax_cxl;	       /* module dax_cxl is loaded: regions get a dax region */
	bool kernel_unmovable; /* a block that comes online in a kernel zone gets unmovable pages */
	char auto_online[20];  /* auto_online_blocks: offline, online, online_kernel, online_movable
				*/
};

/* What a v11 kernel in QEMU had: 128 MiB blocks, window at 0xa90000000, policy offline. */
void engine_config_init(struct engine_config *ret);

/*
 * As a kernel sends it. For "dax" devices /dev/daxN.M is there from "add" to "remove", bound or
 * not, and for every memdev /dev/cxl/memN (which libcxl and libdaxctl insist on: they stat() them).
 */
struct engine_uevent {
	const char *action;	/* "add", "remove", "bind", "unbind", "online", "offline" */
	const char *devpath;	/* "/devices/..." without /sys */
	const char *subsystem;	/* "dax", "memory", "node", "cxl", "memory_tiering", "drivers",
				   "module" */
	const char *const *env; /* further "KEY=value" (DEVTYPE, DEVNAME, DRIVER, MAJOR, ...) */
	size_t n_env;
};

struct engine_record;

/* Called from within engine functions; must not call back into the engine. Any may be NULL. */
struct engine_ops {
	usec_t (*now)(void *userdata); /* CLOCK_MONOTONIC; NULL: time stands still at 0 */
	void (*uevent)(const struct engine_uevent *event, void *userdata);
	void (*kmsg)(const char *line, void *userdata); /* without time stamp and newline */
	void (*violation)(const char *message, void *userdata);
	void (*trace)(const struct engine_record *record, void *userdata);
};

/* Copies @config and @ops. 0, -EINVAL: block size or window make no sense, -ENOMEM. */
int engine_new(const struct engine_config *config, const struct engine_ops *ops, void *userdata,
	       struct engine **ret);
/* NULL is fine. Sends no uevents. */
void engine_free(struct engine *e);
DEFINE_CLEANUP(struct engine *, engine_free);

#define ENGINE_PARTITIONS_MAX 8
#define ENGINE_DECODERS 4 /* per endpoint: that many regions can a memdev have */

/* A dynamic capacity partition of a memdev. */
struct engine_partition_config {
	uint64_t dpa, size; /* bytes, multiples of 2 MiB */
	bool sharable;	    /* its tagged extents carry sequence numbers */
};

struct engine_memdev_config {
	uint64_t serial;
	char host[DEV_NAME_MAX]; /* PCI address; "": 0000:0d:00.0 for mem0, 0000:0e:00.0, ... */
	struct engine_partition_config partitions[ENGINE_PARTITIONS_MAX];
	unsigned n_partitions;
	bool force_takes; /* a forced release takes the extents although the host ignores it */
};

/* Adds memN, its endpoint and decoders. Returns N, or -EINVAL, -ENOSPC, -ENOMEM. */
int engine_add_memdev(struct engine *e, const struct engine_memdev_config *config);

struct engine_region_config {
	char memdev[DEV_NAME_MAX];
	unsigned partition; /* index */
	uint64_t offset;    /* of the region in the partition, bytes */
	uint64_t size;	    /* bytes; 0: the rest of the partition */
	uint64_t hpa;	    /* 0: the first free place of the window, 256 MiB aligned */
	int target_node;    /* 0: 1 + the region's number */
};

/*
 * Adds regionN on the memdev's first free decoder and, with dax_cxl, dax_regionN and daxN.0.
 * Returns N, or -ENODEV: no such memdev; -EINVAL; -ENOSPC: window or decoders used up; -EBUSY:
 * DPA or HPA overlaps another region; -ENOMEM.
 */
int engine_add_region(struct engine *e, const struct engine_region_config *config);

/*
 * Unbinds the region's driver (`cxl disable-region`): all dax devices go, every extent goes back to
 * the device. A device that is older than its extents and still claims them oopses a kernel, which
 * counts as a violation here. -ENODEV: no such region or not bound; -EAGAIN: a blocked writer holds
 * the memory hotplug lock (here and in the next three).
 */
int engine_disable_region(struct engine *e, const char *region);
/* Binds it again: dax_regionN and daxN.0 come back. -ENODEV, -EBUSY: is bound. */
int engine_enable_region(struct engine *e, const char *region);
/* Disables and removes it. -ENODEV. */
int engine_remove_region(struct engine *e, const char *region);
/* Loads or unloads dax_cxl; unloading does to each region's dax part what disabling it does. */
int engine_load_dax_cxl(struct engine *e, bool load);

/* ---- the device's side ---- */

/* An extent as the device names it. */
struct engine_extent_spec {
	struct range dpa; /* absolute */
	struct tag tag;
	uint16_t sequence;
};

/* One record in a memdev's event log. */
struct engine_record {
	struct dc_event event; /* event.traced is set when it is traced */
	bool more;	       /* the CXL "More" bit: not in the trace record */
};

enum {
	ENGINE_ADD_OPEN = 1 << 0, /* "More" is set in the last record too: the chain stays open */
};

/*
 * The device offers extents: one add record each, as one chain. -ENODEV: no such memdev;
 * -ERANGE: outside its partitions; -EEXIST: overlaps an extent it has offered or given;
 * -EINVAL: empty range; -ENOMEM. On error nothing is queued.
 */
int engine_device_add(struct engine *e, const char *memdev,
		      const struct engine_extent_spec *extents, size_t n, unsigned flags);

/*
 * The device asks for DPA ranges (parts of extents will do), one release record each, and keeps
 * wanting them until they are back. The tag is passed as it is, right or wrong. -ENODEV;
 * -EINVAL: "cannot release extent with non-existing DPA range"; -ENOMEM. On error nothing is
 * queued.
 */
int engine_device_release(struct engine *e, const char *memdev,
			  const struct engine_extent_spec *extents, size_t n);
/* The same as a forced release. With force_takes the device has them back at once. */
int engine_device_forced_release(struct engine *e, const char *memdev,
				 const struct engine_extent_spec *extents, size_t n);
/* "Region Configuration Updated" for partition @index. */
int engine_device_region_updated(struct engine *e, const char *memdev, uint8_t index);
/* Any record at all, unchecked; memdev, host, serial and handle of @record are filled in. */
int engine_device_record(struct engine *e, const char *memdev, const struct engine_record *record);
/* Asks again for what is wanted and not back: one release record each. Returns how many. */
int engine_device_retry(struct engine *e, const char *memdev);
/* How many releases are wanted and not fulfilled. 0 if there is no such memdev. */
size_t engine_device_wanted(const struct engine *e, const char *memdev);
void engine_device_set_force_takes(struct engine *e, const char *memdev, bool takes);

/* ---- the host's side of the records ---- */

enum engine_outcome {
	ENGINE_STAGED = 1, /* add: collected, chain still open */
	ENGINE_ADDED, /* add: chain closed, all its groups are there (see counters for partly) */
	ENGINE_ADD_REFUSED, /* add: chain closed, at least one group was refused */
	ENGINE_RELEASED,    /* release: the whole group went back */
	ENGINE_BUSY,	    /* release: -EBUSY, nothing changed */
	ENGINE_NO_MATCH,    /* release: matches no extent, -EINVAL */
	ENGINE_NO_REGION,   /* release: no region there; answered, the device has it back */
	ENGINE_IGNORED,	    /* forced release, region update */
	ENGINE_FAILED,	    /* unknown type, or cache invalidation failed; nothing changed */
};

/*
 * Takes the oldest record out of the memdevs' logs and traces it (engine_ops.trace), which a kernel
 * does *before* it acts on it. Returns 1, or 0 if there is none. The caller then waits as long
 * as it likes and calls engine_record_handle(); records must be handled in the order traced.
 */
int engine_record_trace(struct engine *e, struct engine_record *ret);
/* Applies the kernel's rules to it. An enum engine_outcome, which no program on the host can see.
 */
int engine_record_handle(struct engine *e, const struct engine_record *record);
/* Trace and handle all of them, without delay: for tests. Returns the last outcome, 0 if none. */
int engine_run_records(struct engine *e);

/* When the first open add chain times out (20 s after its first record); USEC_INFINITY: none. */
usec_t engine_next_timeout(const struct engine *e);
/* Drops chains whose time is over by engine_ops.now(). To be called at engine_next_timeout(). */
void engine_tick(struct engine *e);

/* ---- the simulator's own hand: no rule of a kernel, and no violation of anybody ---- */

/* Turns daxN.M/state (7.3) on or off. */
void engine_set_state_attribute(struct engine *e, bool present);
/*
 * Takes the group of extent @name ("extent0.1") by force, with whatever claims it: drivers unbound,
 * memory removed even if it is online, claims dropped; the devices stay, with size 0. -ENOENT.
 */
int engine_take_extent(struct engine *e, const char *name);
/* Unbinds, empties and, if it is not daxN.0, deletes dax device @name, online or not. -ENOENT. */
int engine_take_device(struct engine *e, const char *name);

/* ---- faults inside the rules (faults on single writes are the business of the caller) ---- */

/* The @nth extent that is put into the tree from now on fails with @error: its group rolls back. */
void engine_fail_extent(struct engine *e, unsigned nth, int error);
/* Cache invalidation before a release fails with @error (negative errno) until set to 0. */
void engine_fail_invalidate(struct engine *e, int error);

enum engine_block_flag {
	ENGINE_BLOCK_UNMOVABLE, /* offline fails with -EBUSY */
	ENGINE_BLOCK_PINNED,	/* offline retries until it is cleared or a signal comes */
};

/* Sets what is in a present block. -ENOENT. Forgotten when the block goes or comes online anew. */
int engine_block_set(struct engine *e, uint64_t number, enum engine_block_flag flag, bool on);

/*
 * Memory in use on a node, bytes. Offlining moves it to other nodes; if it does not fit
 * anywhere the offline retries as with a pinned page. -ENOENT: no such node; -ENOSPC: more than
 * the node has online.
 */
int engine_node_set_used(struct engine *e, int node, uint64_t used);

/*
 * The node's pool of huge pages of @size bytes (2 MiB or 1 GiB). Offlining takes free ones apart
 * and moves those in use to free ones of another node; one of 2 MiB is made anew there, if there is
 * room. -ENOENT: no such node; -EINVAL: no such size, or more free than there are; -ENOSPC: does
 * not fit.
 */
int engine_node_set_huge_pages(struct engine *e, int node, uint64_t size, uint64_t total,
			       uint64_t free_pages);

/* ---- the tree: what /sys shows ---- */

enum engine_node_type {
	ENGINE_NODE_DIR,
	ENGINE_NODE_ATTR,
	ENGINE_NODE_LINK,
};

struct engine_node {
	enum engine_node_type type;
	mode_t mode; /* permission bits as sysfs has them: 0444, 0644, 0200, 0400, 0755, 0777 */
};

#define ENGINE_ATTR_MAX 4096 /* no attribute is longer */

/*
 * Paths are relative to /sys, with or without a leading slash ("" and "/" are its root). Symlinks
 * in the middle are followed, and at the end too except by lookup and readlink. All return
 * -ENOENT, -ENOTDIR or -ELOOP for a path that leads nowhere. Directories below which the caller
 * will want to mount something (kernel/tracing, fs/cgroup) exist and are empty.
 */
int engine_lookup(struct engine *e, const char *path, struct engine_node *ret);
/* Calls @fill for each entry in a stable order, "." and ".." left out, until it returns nonzero. */
int engine_readdir(struct engine *e, const char *path,
		   int (*fill)(const char *name, const struct engine_node *node, void *userdata),
		   void *userdata);
/* The target as sysfs shows it ("../../../devices/..."), terminated. Returns its length. -EINVAL.
 */
ssize_t engine_readlink(struct engine *e, const char *path, char *buf, size_t size);
/* open(2) of an attribute by root: -EACCES without a read or write bit in its mode, -EISDIR. */
int engine_open(struct engine *e, const char *path, bool read, bool write);
/* The whole text, not terminated. Returns its length, or the errno of the attribute. */
ssize_t engine_attr_read(struct engine *e, const char *path, char *buf, size_t size);

/* Who writes: needed for writes that can block. */
struct engine_writer {
	uint64_t id;	/* unique among the writes under way, never 0 */
	bool signalled; /* a signal is pending for the writer */
};

/*
 * engine_attr_write(): the write does not return now. It holds or waits for the memory hotplug
 * lock. The caller waits for a signal to the writer or for any change in the engine, then calls
 * again with the same arguments (and signalled set, if so) until another result comes. A
 * writer that goes away is one that was signalled: the last call must always be made.
 */
#define ENGINE_BLOCKS ((ssize_t)SSIZE_MAX)

/*
 * One write(2). Returns @size, a negative errno, or ENGINE_BLOCKS. @writer NULL: like id 1, not
 * signalled, for tests.
 */
ssize_t engine_attr_write(struct engine *e, const char *path, const char *buf, size_t size,
			  const struct engine_writer *writer);

/* ---- what tests look at ---- */

struct engine_counters {
	uint64_t traced; /* records */
	uint64_t groups_added, groups_refused, groups_partial, groups_rolled_back;
	uint64_t chains_timed_out;
	uint64_t releases_granted, releases_busy, releases_unmatched;
	uint64_t forced_ignored;
	uint64_t extents_returned; /* to a device, by whatever way */
	uint64_t blocks_leaked;	   /* left behind by an unbind of kmem */
	uint64_t oopses;	   /* region removed under a claim older than its extents */
	uint64_t violations;	   /* memory handed back while online, plus the oopses */
};

const struct engine_counters *engine_counters(const struct engine *e);

/* True, or false with the first thing that is wrong in @ret_error. */
bool engine_invariants_hold(const struct engine *e, char *ret_error, size_t size);

/*
 * The whole host, in a deterministic order. Caller owns it (json_object_put()). NULL: no memory.
 * { "memdevs": [{name, serial, host, offered, given: [{dpa, length, tag, state}], wanted}],
 *   "regions": [{name, memdev, enabled, dax_region, hpa, size, dpa, target_node, available,
 *                seed, youngest,
 *                "extents": [{name, offset, length, tag, dpa, sequence, group, use_count}],
 *                "devices": [{name, size, uuid, driver, state?, mappings: [{start, end,
 *                             page_offset, extent}]}]}],
 *   "blocks": [{number, state, zone, node, device, leaked, unmovable, pinned}],
 *   "nodes": [{id, total, used, huge_pages: [{size, total, free}]}], "dax_cxl": bool,
 *   "drivers": {name: [remembered ids]}, "auto_online": ..., "counters": {...},
 *   "violations": [messages] }
 */
struct json_object *engine_dump(const struct engine *e);
