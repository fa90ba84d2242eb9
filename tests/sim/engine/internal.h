/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated host's data and what the files of the engine offer each other. Objects are heap
 * allocated and point at each other; whoever adds, removes or rebinds one calls
 * eng_structure_changed(), after which the tree is built anew at the next look.
 */
#pragma once

#include "engine.h"

#define ENG_ALIGN (2 * MiB)	/* of extents and dax devices */
#define ENG_PAGE UINT64_C(4096) /* unit of page_offset */
#define ENG_CHAIN_MAX 100	/* extents in an add chain */
#define ENG_CHAIN_TIME (20 * USEC_PER_SEC)
#define ENG_DAX_MAJOR 254
#define ENG_HOST_BRIDGE 12 /* bus number of the one host bridge: pci0000:0c */

#define ENG_ROOT_PATH "/devices/platform/ACPI0017:00/root0"
#define ENG_DAX_NAME_MAX 32

/* ---- the device's side ---- */

enum eng_given_state {
	ENG_OFFERED, /* in an add record that the host has not answered */
	ENG_GIVEN,   /* accepted by the host */
};

/* An extent as the device remembers it. */
struct eng_given {
	struct range dpa;
	struct tag tag;
	enum eng_given_state state;
};

/* A DPA range the device has asked for and not got back. */
struct eng_wanted {
	struct range dpa;
	struct tag tag;
};

struct eng_staged {
	struct range dpa;
	struct tag tag;
	uint16_t sequence;
	bool taken; /* put into a group while the chain is being closed */
};

/* Add records collected until one comes without "More". */
struct eng_chain {
	struct eng_staged *staged;
	size_t n_staged, max_staged;
	usec_t started;
	bool open;
	bool overflow; /* more than the limit: everything up to the end of the chain is dropped */
};

struct eng_memdev {
	unsigned id;
	struct engine_memdev_config config;
	struct eng_given *given; /* sorted by DPA, disjoint */
	size_t n_given, max_given;
	struct eng_wanted *wanted; /* in the order asked */
	size_t n_wanted, max_wanted;
	struct eng_chain chain;
	uint16_t next_handle;
	uint64_t decoders; /* bits of the endpoint decoders in use */
};

/* ---- extents and groups ---- */

struct eng_region;

struct eng_extent {
	struct eng_region *region;
	struct eng_group *group;
	unsigned k;	  /* of extentN.K */
	uint64_t arrival; /* host-wide, grows: order of arrival */
	struct range dpa;
	struct tag tag;
	uint16_t sequence;
	unsigned use_count; /* claims: ranges of dax devices over it */
};

/* What goes back to the device together: a tag, or the untagged extents of one chain. */
struct eng_group {
	uint64_t id; /* host-wide, grows */
	struct eng_region *region;
	struct tag tag;		     /* null: the hidden group of untagged extents */
	struct eng_extent **members; /* in sequence order */
	size_t n_members;
	size_t expected; /* how many it was committed with */
};

/* ---- dax ---- */

enum eng_driver {
	ENG_DRIVER_NONE,
	ENG_KMEM,
	ENG_DEVICE_DAX,
	ENG_FSDEV_DAX,
	_ENG_DRIVER_MAX,
};

/* What daxN.M/state says; it is not told when somebody changes single blocks. */
enum eng_kmem_state {
	ENG_UNPLUGGED,
	ENG_STATE_OFFLINE,
	ENG_STATE_ONLINE,
	ENG_STATE_ONLINE_KERNEL,
	ENG_STATE_ONLINE_MOVABLE,
	_ENG_KMEM_STATE_MAX,
};

struct eng_mapping {
	struct range hpa;
	uint64_t page_offset; /* in pages */
	struct eng_extent *extent;
	bool plugged; /* its whole blocks are reserved and added by kmem */
};

struct eng_device {
	struct eng_region *region;
	unsigned m;	  /* of daxN.M */
	unsigned minor;	  /* of /dev/daxN.M */
	uint64_t arrival; /* on the scale of extent.arrival: which is older */
	enum eng_driver driver;
	enum eng_kmem_state state; /* while bound to kmem */
	struct tag tag;		   /* claimed; null if none or untagged */
	struct eng_mapping *mappings;
	size_t n_mappings;
	bool memmap_on_memory;
};

struct eng_region {
	unsigned id;
	struct eng_memdev *memdev;
	unsigned partition, decoder;
	struct range hpa, dpa;
	int target_node;
	bool enabled; /* bound to cxl_region: dax_regionN exists */
	bool dax;     /* dax_regionN is bound to cxl_dax_region: extents and devices can be */
	struct eng_extent **extents; /* sorted by DPA, disjoint */
	size_t n_extents, max_extents;
	uint8_t *k_used; /* k_used[K]: extentN.K exists; [0] is never used */
	size_t max_k;
	size_t lowest_k;	     /* no smaller number is free */
	struct eng_device **devices; /* sorted by M */
	size_t n_devices;
	struct eng_device *seed, *youngest;
};

/* ---- memory ---- */

enum eng_block_state {
	ENG_BLOCK_OFFLINE,
	ENG_BLOCK_ONLINE,
	ENG_BLOCK_GOING_OFFLINE,
};

enum eng_zone {
	ENG_ZONE_NONE,	/* offline */
	ENG_ZONE_MIXED, /* online, of several zones: memory0 */
	ENG_ZONE_DMA32,
	ENG_ZONE_NORMAL,
	ENG_ZONE_MOVABLE,
};

enum eng_online_type {
	ENG_MMOP_OFFLINE,
	ENG_MMOP_ONLINE,
	ENG_MMOP_ONLINE_KERNEL,
	ENG_MMOP_ONLINE_MOVABLE,
};

struct eng_block {
	uint64_t number;
	enum eng_block_state state;
	enum eng_zone zone;
	int node;
	struct eng_device *device;    /* that plugged it; NULL: boot memory, or leaked */
	char owner[ENG_DAX_NAME_MAX]; /* its name, kept when it leaks */
	bool leaked; /* kmem could not remove it: its range stays reserved for ever */
	bool unmovable, pinned;
	enum eng_zone restore; /* taken offline by the atomic unplug under way, from this zone */
};

#define ENG_HUGE_SIZES 2

/* A pool of huge pages. */
struct eng_huge {
	uint64_t total, free; /* pages */
};

struct eng_node_info {
	int id;
	bool present;			      /* nodeN is there: has memory blocks, or is node 0 */
	uint64_t used;			      /* bytes, huge pages left out */
	struct eng_huge huge[ENG_HUGE_SIZES]; /* 2 MiB, 1 GiB; their bytes are taken as well */
};

/* ---- the host ---- */

struct eng_id {
	char name[ENG_DAX_NAME_MAX];
};

/* Names that a dax driver remembers from new_id. */
struct eng_ids {
	struct eng_id *ids;
	size_t n_ids;
};

struct eng_tree;

struct engine {
	struct engine_config config;
	struct engine_ops ops;
	void *userdata;
	struct engine_counters counters;

	struct eng_memdev **memdevs; /* by id */
	size_t n_memdevs;
	struct eng_region **regions; /* sorted by id */
	size_t n_regions;
	struct eng_group **groups; /* in order of commit */
	size_t n_groups, max_groups;
	struct eng_block **blocks; /* sorted by number */
	size_t n_blocks;
	struct eng_node_info *nodes; /* sorted by id */
	size_t n_nodes;
	struct eng_ids ids[_ENG_DRIVER_MAX];
	char **violations;
	size_t n_violations;

	struct engine_record *log; /* records of all devices that are not traced yet, a queue */
	size_t log_head, n_log, max_log;

	bool dax_cxl;
	enum eng_online_type auto_online;
	uint64_t next_arrival, next_group;
	uint64_t hotplug_writer;     /* who holds the memory hotplug lock across calls; 0: nobody */
	struct eng_block *offlining; /* the block that writer is stuck with */
	unsigned fail_extent_nth;
	int fail_extent_error, fail_invalidate_error;

	struct eng_tree *tree; /* NULL: to be built */
};

/* ---- engine.c ---- */

void eng_structure_changed(struct engine *e);
usec_t eng_now(const struct engine *e);
void eng_kmsg(struct engine *e, const char *format, ...) _printf_(2, 3);
/* Counts and reports. */
void eng_violation(struct engine *e, const char *format, ...) _printf_(2, 3);
/* @env: NULL-terminated, or NULL. */
void eng_uevent(struct engine *e, const char *action, const char *devpath, const char *subsystem,
		const char *const *env);
/* Makes room for one more element behind @n in a growing array. 0 or -ENOMEM. */
int eng_grow(void *array_p, size_t n, size_t *max, size_t element);
/* Like kstrtoull(s, 0, ret): one number, a newline may follow. 0, -EINVAL, -ERANGE. */
int eng_parse_u64(const char *s, uint64_t *ret);
/* Like sysfs_streq(): equal up to one trailing newline. */
bool eng_sysfs_streq(const char *a, const char *b);

struct eng_memdev *eng_find_memdev(const struct engine *e, const char *name);
struct eng_region *eng_find_region(const struct engine *e, const char *name);
/* "dynamic_ram_1", "dynamic_ram_a": what this version calls partition @index. */
void eng_mode_name(const struct engine *e, unsigned index, char *buf, size_t size);

/* ---- topology.c ---- */

#define ENG_PATH_MAX 192

/* "/devices/platform/.../regionN", ".../dax_regionN". Return @buf. */
char *eng_region_path(const struct eng_region *r, char buf[static ENG_PATH_MAX]);
char *eng_dax_region_path(const struct eng_region *r, char buf[static ENG_PATH_MAX]);
void eng_region_free(struct eng_region *r);
/* Drivers cxl_region and cxl_dax_region; 0 or negative errno. */
int eng_region_unbind(struct engine *e, struct eng_region *r);
int eng_region_bind(struct engine *e, struct eng_region *r);
int eng_dax_region_unbind(struct engine *e, struct eng_region *r);
int eng_dax_region_bind(struct engine *e, struct eng_region *r);

/* ---- device.c ---- */

/* The host's answers: what it took and what it did not, what it gives back. */
void eng_device_accepted(struct eng_memdev *m, const struct range *dpa);
void eng_device_refused(struct eng_memdev *m, const struct range *dpa);
void eng_device_returned(struct engine *e, struct eng_memdev *m, const struct range *dpa);
void eng_memdev_free(struct eng_memdev *m);

/* ---- extent.c ---- */

/* The region whose decoder maps DPA @dpa, if its dax side is there to take or give extents. */
struct eng_region *eng_region_at(const struct engine *e, const struct eng_memdev *m, uint64_t dpa);
/* Puts all of a new group's extents into the tree and takes the group over, or does nothing. */
int eng_group_commit(struct engine *e, struct eng_group *g);
/* Gives a group back to the device and frees it. Checks that its memory is not online. */
void eng_group_return(struct engine *e, struct eng_group *g);
void eng_group_free(struct eng_group *g);
struct range eng_extent_hpa(const struct eng_extent *x);
char *eng_extent_name(const struct eng_extent *x, char buf[static ENG_DAX_NAME_MAX]);
uint64_t eng_region_available(const struct eng_region *r);

/* ---- chain.c ---- */

/* An add record: an enum engine_outcome, or -ENOMEM. */
int eng_handle_add(struct engine *e, struct eng_memdev *m, const struct engine_record *record);

/* ---- daxdev.c ---- */

char *eng_device_name(const struct eng_device *d, char buf[static ENG_DAX_NAME_MAX]);
char *eng_device_path(const struct eng_device *d, char buf[static ENG_PATH_MAX]);
uint64_t eng_device_size(const struct eng_device *d);
struct eng_device *eng_find_device(const struct engine *e, const char *name);
/* Adds daxN.M with the lowest free M. */
int eng_device_create(struct engine *e, struct eng_region *r, bool memmap_on_memory,
		      struct eng_device **ret);
/* Gives the claim up: size 0. */
void eng_device_unclaim(struct engine *e, struct eng_device *d);
/* Unbinds, gives up the claim and removes it, daxN.0 too. */
void eng_device_destroy(struct engine *e, struct eng_device *d, bool force);
void eng_device_free(struct eng_device *d);
/* The attributes' rules: 0 or negative errno. */
int eng_create_store(struct engine *e, struct eng_region *r, const char *buf);
int eng_delete_store(struct engine *e, struct eng_region *r, const char *buf);
int eng_uuid_store(struct engine *e, struct eng_device *d, const char *buf);
int eng_size_store(struct engine *e, struct eng_device *d, const char *buf);
int eng_memmap_store(struct engine *e, struct eng_device *d, const char *buf);

/* ---- driver.c ---- */

const char *eng_driver_name(enum eng_driver driver);
/* Uevent of a dax device with DEVNAME, DRIVER, MODALIAS, MAJOR, MINOR. */
void eng_device_uevent(struct engine *e, const struct eng_device *d, const char *action);
void eng_driver_detach(struct engine *e, struct eng_device *d, bool force);
/* Writes to drivers/X/...: 0, negative errno, ENGINE_BLOCKS. */
ssize_t eng_bind_store(struct engine *e, enum eng_driver driver, const char *buf,
		       const struct engine_writer *w);
ssize_t eng_unbind_store(struct engine *e, enum eng_driver driver, const char *buf,
			 const struct engine_writer *w);
ssize_t eng_new_id_store(struct engine *e, enum eng_driver driver, const char *buf,
			 const struct engine_writer *w);
ssize_t eng_remove_id_store(struct engine *e, enum eng_driver driver, const char *buf);

/* ---- kmem.c ---- */

int eng_kmem_probe(struct engine *e, struct eng_device *d);
/* @force: the simulator takes it, online or not; else what is online leaks. */
void eng_kmem_remove(struct engine *e, struct eng_device *d, bool force);
const char *eng_kmem_state_name(enum eng_kmem_state state);
ssize_t eng_state_store(struct engine *e, struct eng_device *d, const char *buf,
			const struct engine_writer *w);

/* ---- memblock.c ---- */

struct eng_block *eng_find_block(const struct engine *e, uint64_t number);
struct range eng_block_range(const struct engine *e, const struct eng_block *b);
const char *eng_block_state_name(enum eng_block_state state);
const char *eng_zone_name(enum eng_zone zone);
/* -EINVAL: none of offline, online, online_kernel, online_movable. */
int eng_online_type_parse(const char *s, enum eng_online_type *ret);
const char *eng_online_type_name(enum eng_online_type type);
/* The zone an offline block would come online in. */
enum eng_zone eng_zone_for(const struct engine *e, const struct eng_block *b,
			   enum eng_online_type type);
/* Adds the blocks of a whole-block range and onlines them as @type says. 0 or -errno. */
int eng_blocks_add(struct engine *e, const struct range *hpa, int node, struct eng_device *d,
		   enum eng_online_type type);
/*
 * Removes the blocks of a range; all must be offline, -EBUSY and a log line otherwise, unless
 * @force.
 */
int eng_blocks_remove(struct engine *e, const struct range *hpa, bool force);
/* Puts it back online in a zone it was in. */
void eng_block_online(struct engine *e, struct eng_block *b, enum eng_zone zone);
/* Online for new: what lay in it before is gone. */
void eng_block_online_anew(struct engine *e, struct eng_block *b, enum eng_online_type type);
/* 0, -EINVAL: is offline; -EBUSY: unmovable; -EINTR; ENGINE_BLOCKS. The caller has the lock. */
ssize_t eng_block_offline(struct engine *e, struct eng_block *b, const struct engine_writer *w);
/* A write to memoryN/state: 0, negative errno, ENGINE_BLOCKS. */
ssize_t eng_block_state_store(struct engine *e, struct eng_block *b, const char *buf,
			      const struct engine_writer *w);
/* The memory hotplug lock: 0, -EINTR, or ENGINE_BLOCKS. */
ssize_t eng_hotplug_lock(struct engine *e, const struct engine_writer *w);
/* Keeps the lock if @result is ENGINE_BLOCKS. Returns @result. */
ssize_t eng_hotplug_unlock(struct engine *e, const struct engine_writer *w, ssize_t result);
struct eng_node_info *eng_find_node(const struct engine *e, int id);
/* -ENOMEM or 0. */
int eng_need_node(struct engine *e, int id);
/* Whoever is stuck with the lock loses it; the block is online again. */
void eng_hotplug_break(struct engine *e);

/* ---- node_memory.c ---- */

/* Bytes of a page of pool @index. */
uint64_t eng_huge_size(unsigned index);
/* Bytes online on a node. */
uint64_t eng_node_total(const struct engine *e, int id);
/* Bytes that are not free, the pools' included. */
uint64_t eng_node_taken(const struct eng_node_info *n);
/* What a write to nr_hugepages does: as near to @total as can be. */
void eng_node_set_pool(struct engine *e, struct eng_node_info *n, unsigned index, uint64_t total);
/* Makes what is on @n fit into @left bytes, by moving it to other nodes. False: it cannot, and
 * nothing changed. */
bool eng_node_shrink(struct engine *e, struct eng_node_info *n, uint64_t left);
/* The same by dropping what does not fit: its memory is gone. */
void eng_node_cut(struct eng_node_info *n, uint64_t left);

/* ---- memblock.c ---- */

int eng_boot_memory(struct engine *e);

/* ---- tree_build.c ---- */

struct eng_node;
typedef ssize_t (*eng_show_t)(struct engine *e, const struct eng_node *n, char *buf, size_t size);
/* @buf is terminated. 0, negative errno, ENGINE_BLOCKS. */
typedef ssize_t (*eng_store_t)(struct engine *e, const struct eng_node *n, const char *buf,
			       const struct engine_writer *w);

/* A file, directory or link of the tree. Lives in the tree's arena. */
struct eng_node {
	const char *name;
	struct eng_node *parent;
	struct engine_node info;
	eng_show_t show;
	eng_store_t store;
	const void *obj; /* what show and store work on */
	unsigned arg;
	const char *text;      /* of a constant attribute, target of a link, subsystem of a dir */
	struct eng_node *next; /* among the parent's children, while building */
	struct eng_node **children;
	size_t n_children;
	struct eng_node *first_child;
	bool sorted;
};

/* Building. All take a NULL parent and then do nothing; running out of memory is noted. */
struct eng_node *eng_dir(struct eng_tree *t, struct eng_node *parent, const char *format, ...)
	_printf_(3, 4);
/* The directory @path below the root, made if it is not there. */
struct eng_node *eng_dir_at(struct eng_tree *t, const char *path);
struct eng_node *eng_attr(struct eng_tree *t, struct eng_node *parent, const char *name,
			  mode_t mode, eng_show_t show, eng_store_t store, const void *obj,
			  unsigned arg);
/* An attribute whose text does not change while the tree lives. A newline is added. */
void eng_const(struct eng_tree *t, struct eng_node *parent, const char *name, mode_t mode,
	       const char *format, ...) _printf_(5, 6);
/* @path: of the target, from the root of the tree. */
void eng_link(struct eng_tree *t, struct eng_node *parent, const char *name, const char *format,
	      ...) _printf_(4, 5);
/* A string that lives as long as the tree. */
const char *eng_name(struct eng_tree *t, const char *format, ...) _printf_(2, 3);
/* What makes a directory a device: links subsystem (and driver), uevent with @env lines. */
void eng_devlinks(struct eng_tree *t, struct eng_node *dir, const char *subsystem,
		  const char *driver, const char *env);
/* The whole tree of the host as it is now. NULL: no memory. */
struct eng_tree *eng_tree_build(struct engine *e);
void eng_tree_free(struct eng_tree *t);
struct eng_node *eng_tree_root(const struct eng_tree *t);
/* Makes dir->children the sorted array of them, at the first look into the directory. 0, -ENOMEM.
 */
int eng_children_sort(struct eng_tree *t, struct eng_node *dir);
/* The path of @n from the root, with a leading slash; "" for the root. Returns its length. */
size_t eng_node_path(const struct eng_node *n, char *buf, size_t size);

/* ---- tree_cxl.c, tree_dax.c, tree_system.c ---- */

void eng_build_cxl(struct engine *e, struct eng_tree *t);
void eng_build_dax(struct engine *e, struct eng_tree *t);
void eng_build_system(struct engine *e, struct eng_tree *t);
