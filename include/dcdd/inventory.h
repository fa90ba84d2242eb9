/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host has, as plain data: a cache of the kernel's truth, taken by one scan.
 *
 * Flat arrays of fixed-size elements that name each other by index, without a pointer in an
 * element: so an inventory can be sent between processes, compared, and built by hand in a test.
 * Sources: Documentation/ABI/testing/{sysfs-bus-cxl,sysfs-bus-dax,sysfs-devices-memory}.
 */
#pragma once

#include <sys/types.h>

#include <dcdd/event.h>

#define INVENTORY_NONE UINT32_MAX /* an index that points nowhere */
#define INVENTORY_PATH_MAX 128

struct memdev {
	char name[DEV_NAME_MAX]; /* "mem0" */
	uint64_t serial;
};

/* A CXL region over a dynamic capacity partition, with the endpoint decoder that maps it. */
struct region {
	char name[DEV_NAME_MAX];       /* "region0" */
	char dax_region[DEV_NAME_MAX]; /* "dax_region0", "" if there is none (dax_cxl not loaded) */
	char mode[DEV_NAME_MAX];       /* "dynamic_ram_1", older kernels "dynamic_ram_a" */
	char decoder[DEV_NAME_MAX];    /* "decoder2.0" */
	uint32_t memdev;	       /* index */
	int32_t id;		       /* N of daxN.M */
	struct range hpa;
	struct range dpa;   /* what the decoder maps; no interleave: DPA = dpa.start + offset */
	uint64_t available; /* bytes accepted and unclaimed (dax_region/available_size) */
	uint32_t first_extent, n_extents; /* slice of extents[] */
	uint32_t first_device, n_devices; /* slice of devices[] */
	/*
	 * Negative errno if something below the region could not be read, 0: then its extents and
	 * devices may be incomplete, and nothing is to be concluded from what is not here.
	 */
	int32_t error;
	char error_path[INVENTORY_PATH_MAX]; /* of what, below the sysfs root */
};

/*
 * A live extent (dax_regionN/extentN.K). The name is no identity: K is recycled. Within a region
 * sorted by tag, then offset: the extents of one tag are one slice.
 */
struct extent {
	char name[DEV_NAME_MAX];
	uint32_t region;
	uint32_t device; /* the dax device that claims it, by range, or INVENTORY_NONE */
	struct tag tag;
	struct range hpa;
	struct range dpa;
	/*
	 * No device claims it, and still a memory block below it is not offline: kmem was unbound
	 * while that was online. The kernel would hand it back to the device all the same.
	 */
	bool leftover;
	uint64_t leftover_block; /* the first such block's number */
	/*
	 * Whether other hosts may have it, too: 1, 0, or -1 if that is not known. sysfs does not
	 * say; it is known of untagged ones (they cannot be shared) and of those whose add record
	 * was seen.
	 */
	int32_t sharable;
};

/* What stands behind a dax device. Order is not significance; strings in dax_mode_to_string(). */
enum dax_mode {
	DAX_MODE_UNBOUND,    /* claimed, no driver */
	DAX_MODE_SYSTEM_RAM, /* driver kmem */
	DAX_MODE_DEVDAX,     /* driver device_dax: /dev/daxX.Y */
	DAX_MODE_FSDEV,	     /* driver fsdev_dax: famfs and the like */
	DAX_MODE_OTHER,	     /* a driver we do not know */
	_DAX_MODE_MAX,
};

struct dax_device {
	char name[DEV_NAME_MAX];   /* "dax0.1" */
	char driver[DEV_NAME_MAX]; /* "" if unbound */
	char state[DEV_NAME_MAX];  /* the 7.3 attribute `state`, "" if the kernel has none */
	uint32_t region;
	enum dax_mode mode;
	struct tag tag; /* claimed tag, null if none or untagged */
	uint64_t size;	/* bytes, 0: claims nothing */
	uint64_t align; /* bytes */
	int32_t target_node;
	int32_t memmap_on_memory;	    /* 1, 0, or -1 if the kernel does not say */
	uint32_t dev_major, dev_minor;	    /* of /dev/daxX.Y */
	uint32_t first_mapping, n_mappings; /* slice of mappings[], sorted by start */
	uint32_t first_block, n_blocks;	    /* slice of blocks[], sorted by number */
	uint32_t first_holder, n_holders;   /* slice of holders[] */
};

/* daxN.M/mappingK, in HPA. */
struct mapping {
	struct range hpa;
	uint64_t page_offset; /* in pages, as the kernel has it */
};

enum block_state {
	BLOCK_OFFLINE,
	BLOCK_ONLINE,
	BLOCK_GOING_OFFLINE,
	BLOCK_UNKNOWN, /* unreadable or a word we do not know: never treated as offline */
	_BLOCK_STATE_MAX,
};

/* The zone an online block is in. Only "Movable" can be relied on to go offline. */
enum block_zone {
	ZONE_NONE, /* offline, or several */
	ZONE_MOVABLE,
	ZONE_KERNEL, /* Normal, DMA, DMA32, HighMem */
	ZONE_UNKNOWN,
	_BLOCK_ZONE_MAX,
};

/* A memory block that exists and overlaps a mapping of a device bound to kmem (or leaked by it). */
struct memory_block {
	uint64_t number; /* memoryN; HPA = number * block_size */
	enum block_state state;
	enum block_zone zone;
	uint32_t device;
	bool foreign; /* reaches beyond the device's mappings: shared with memory not ours */
};

#define HOLDER_UNIT_MAX 64
#define HOLDER_PATH_MAX 128

/* A process that has /dev/daxX.Y open or mapped, or a mount of it. */
struct holder {
	uint32_t device;
	int32_t pid;	/* of a mount: a process in whose mount namespace it is */
	uint64_t start; /* of the process, clock ticks since boot (field 22 of /proc/PID/stat), 0:
			   unknown */
	bool open, mapped;
	bool mounted; /* a mount, and no process: famfs and the like */
	char comm[16];
	char unit[HOLDER_UNIT_MAX];   /* systemd unit, "" if it is in none */
	char cgroup[HOLDER_PATH_MAX]; /* path in the unified hierarchy, cut if it is longer */
	char path[HOLDER_PATH_MAX];   /* mounted: where; cut if it is longer */
	char fstype[16];	      /* mounted: "famfs" */
};

/* nodeN/meminfo, in bytes. */
struct numa_node {
	int32_t id;
	uint64_t total, free;
	uint64_t reclaimable; /* file pages and slab that can be dropped */
};

/* nodeN/hugepages/hugepages-SIZEkB. */
struct huge_pages {
	int32_t node;	      /* id */
	uint64_t size;	      /* bytes of one */
	uint64_t total, free; /* pages */
};

struct inventory {
	uint64_t block_size; /* bytes of a memory block, 0 if the host has no memory hotplug */
	usec_t taken;	     /* CLOCK_MONOTONIC, when the scan began */
	char auto_online[DEV_NAME_MAX]; /* auto_online_blocks */

	struct memdev *memdevs;
	struct region *regions; /* only those in a dynamic capacity mode */
	struct extent *extents;
	struct dax_device *devices; /* of those regions */
	struct mapping *mappings;
	struct memory_block *blocks;
	struct holder *holders;
	struct numa_node *nodes;
	struct huge_pages *hugepages; /* pools that are not empty; by node, then size */
	uint32_t n_memdevs, n_regions, n_extents, n_devices, n_mappings, n_blocks, n_holders,
		n_nodes, n_hugepages;

	/*
	 * Processes that a security module keeps us from looking into although we are privileged:
	 * holders may be missing.
	 */
	uint32_t n_unseen;
};

/* Frees the arrays and the struct. NULL is fine. */
void inventory_free(struct inventory *inv);
DEFINE_CLEANUP(struct inventory *, inventory_free);

/*
 * A tag group: all extents of one tag, or one untagged extent (which may belong to a hidden group
 * that the kernel does not show). A view into an inventory, valid as long as that is.
 */
struct tag_group {
	uint32_t region;
	uint32_t first_extent, n_extents; /* slice of extents[] */
};

/* Identity of what a device wants back: (memdev, tag), or (memdev, DPA range) if untagged. */
struct group_key {
	char memdev[DEV_NAME_MAX];
	struct tag tag;
	struct range dpa; /* all zero if the tag is not null */
};

void group_key_from_event(const struct dc_event *event, struct group_key *ret);
bool group_key_equal(const struct group_key *a, const struct group_key *b);

/* "5be13bce-… on mem0", "untagged DPA 0x0+0x10000000 on mem0". Returns @buf. */
#define GROUP_KEY_STRLEN (DEV_NAME_MAX + 64)
char *group_key_format(const struct group_key *key, char buf[static GROUP_KEY_STRLEN]);

/*
 * Finds the live group. 0, or -ENODEV: no such memdev; -ENXIO: no region of it maps @dpa
 * (@dpa is the range of the record; for tagged keys a length of 0 skips that check);
 * -EIO: a region it may be in could not be read (inventory_unread() says what);
 * -ENOENT: no live extent with that tag (untagged: overlapping that range).
 */
int inventory_find_group(const struct inventory *inv, const struct group_key *key,
			 const struct range *dpa, struct tag_group *ret);

/* The first region of @memdev that could not be read, or NULL. */
const struct region *inventory_unread(const struct inventory *inv, const char *memdev);

/*
 * Walks all groups in order; *@cursor starts at 0. Returns false at the end.
 */
bool inventory_next_group(const struct inventory *inv, uint32_t *cursor, struct tag_group *ret);

/* Sum of the extents' lengths, bytes. */
uint64_t tag_group_bytes(const struct inventory *inv, const struct tag_group *group);

/* The group's own key. */
void tag_group_key(const struct inventory *inv, const struct tag_group *group,
		   struct group_key *ret);

/*
 * The dax devices that claim any extent of the group, each once, in inventory order: writes up to
 * @max indexes into @ret and returns how many there are.
 */
size_t tag_group_devices(const struct inventory *inv, const struct tag_group *group, uint32_t *ret,
			 size_t max);

/*
 * Whether the group may be handed back: no device claims it, and no memory of it is in use.
 * *@ret_leftover (may be NULL) is the block that is, if that is what is wrong, else UINT64_MAX.
 */
bool tag_group_is_free(const struct inventory *inv, const struct tag_group *group,
		       uint64_t *ret_leftover);

/*
 * The number of the dynamic capacity partition that a region is over, from its mode: 1 for
 * "dynamic_ram_1", older kernels' "dynamic_ram_a"; 0 if that does not say.
 */
unsigned region_partition(const struct region *region);

/* Whether the group may be shared with other hosts: 1, 0 or -1; its extents agree, or it is -1. */
int tag_group_sharable(const struct inventory *inv, const struct tag_group *group);

/* HPA range of a block. */
struct range memory_block_range(const struct inventory *inv, const struct memory_block *block);

/* One table each, used by D-Bus, journal, CLI and tests. The _from_ forms return -EINVAL. */
const char *dax_mode_to_string(enum dax_mode mode); /* "unbound", "system-ram", "devdax", … */
int dax_mode_from_string(const char *s, enum dax_mode *ret);
const char *block_state_to_string(enum block_state state);
const char *block_zone_to_string(enum block_zone zone);
