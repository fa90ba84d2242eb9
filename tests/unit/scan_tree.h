/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A /sys for the tests of the scan, as a kernel with one dynamic capacity device shows it, complete
 * enough for libcxl and libdaxctl: mem0, region0 of 4 GiB, tag A of two extents claimed by dax0.1
 * as system-ram (blocks 338, 339, 342), tag B in the gap claimed by dax0.2 as devdax, an untagged
 * extent that nobody claims, and the seed dax0.0.
 */
#pragma once

#include "tree.h"

#define TAG_A "5be13bce-ae34-4a77-b6c3-16df975fcf1a"
#define TAG_B "11111111-2222-3333-4444-555555555555"
#define NULL_TAG "00000000-0000-0000-0000-000000000000"
#define HPA UINT64_C(0xa90000000)

#define ROOT "devices/platform/ACPI0017:00/root0"
#define REGION ROOT "/decoder0.0/region0"
#define DAX_REGION REGION "/dax_region0"
#define ENDPOINT ROOT "/port1/endpoint2"
#define MEMDEV "devices/pci0000:0c/0000:0c:00.0/0000:0d:00.0/mem0"
#define MEMORY "devices/system/memory"
#define NODE "devices/system/node"

/* The attribute @name below @dir. */
static inline void put(const struct tree *t, const char *dir, const char *name, const char *text)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	tree_write(t, path, text);
}

/* A link @dir/@name to @target, which is a path from the root of the tree. */
static inline void put_link(const struct tree *t, const char *dir, const char *name,
			    const char *target)
{
	char path[PATH_MAX], up[PATH_MAX] = "", full[2 * PATH_MAX];

	for (const char *p = dir; p; p = strchr(p + 1, '/'))
		(void)strncat(up, "../", sizeof(up) - strlen(up) - 1);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)snprintf(full, sizeof(full), "%s%s", up, target);
	tree_link(t, path, full);
}

/* Attributes as { name, text } pairs, ended by NULL. */
static inline void put_all(const struct tree *t, const char *dir, const char *const (*list)[2])
{
	for (; (*list)[0]; list++)
		put(t, dir, (*list)[0], (*list)[1]);
}

static inline void put_extent(const struct tree *t, const char *name, const char *uuid,
			      const char *offset, const char *length)
{
	char dir[256];

	(void)snprintf(dir, sizeof(dir), DAX_REGION "/%s", name);
	put(t, dir, "offset", offset);
	put(t, dir, "length", length);
	if (uuid)
		put(t, dir, "uuid", uuid);
}

/* @ranges: start, end, page offset of each mapping, ended by NULL. */
static inline void put_device(const struct tree *t, const char *name, const char *dev,
			      const char *uuid, const char *driver, const char *size,
			      const char *const (*ranges)[3])
{
	char dir[256], sub[320], target[64];

	(void)snprintf(dir, sizeof(dir), DAX_REGION "/%s", name);
	put(t, dir, "size", size);
	put(t, dir, "uuid", uuid);
	put(t, dir, "dev", dev);
	put(t, dir, "align", "2097152");
	put(t, dir, "target_node", "1");
	put(t, dir, "numa_node", "-1");
	put(t, dir, "modalias", "dax:t0");
	if ((*ranges)[0])
		put(t, dir, "resource", (*ranges)[0]);
	for (unsigned i = 0; ranges[i][0]; i++) {
		(void)snprintf(sub, sizeof(sub), "%s/mapping%u", dir, i);
		put(t, sub, "start", ranges[i][0]);
		put(t, sub, "end", ranges[i][1]);
		put(t, sub, "page_offset", ranges[i][2]);
	}
	put_link(t, dir, "subsystem", "bus/dax");
	if (driver) {
		(void)snprintf(target, sizeof(target), "bus/dax/drivers/%s", driver);
		tree_mkdir(t, target);
		put_link(t, dir, "driver", target);
	}
	put_link(t, "bus/dax/devices", name, dir);
	(void)snprintf(sub, sizeof(sub), "dev/%s", name);
	tree_write(t, sub, "");
}

static inline void put_block(const struct tree *t, unsigned number, const char *state,
			     const char *zones)
{
	char dir[64];

	(void)snprintf(dir, sizeof(dir), MEMORY "/memory%u", number);
	put(t, dir, "state", state);
	put(t, dir, "valid_zones", zones);
}

static inline void put_memdev(const struct tree *t)
{
	static const char *const attributes[][2] = {
		{ "dev", "252:0" },
		{ "serial", "0x63" },
		{ "numa_node", "-1" },
		{ "firmware_version", "BWFW VERSION 00" },
		{ "payload_max", "2048" },
		{ "label_storage_size", "0" },
		{ "pmem/size", "0x0" },
		{ "ram/size", "0x0" },
		{ "dynamic_ram_1/size", "0x100000000" },
		{ NULL, NULL },
	};

	put_all(t, MEMDEV, attributes);
	put_link(t, MEMDEV, "subsystem", "bus/cxl");
	tree_mkdir(t, "bus/cxl/drivers/cxl_mem");
	put_link(t, MEMDEV, "driver", "bus/cxl/drivers/cxl_mem");
	put_link(t, "bus/cxl/devices", "mem0", MEMDEV);
	tree_write(t, "dev/cxl/mem0", "");
}

static inline void put_port(const struct tree *t, const char *name, const char *dir,
			    const char *uport)
{
	put(t, dir, "devtype", "cxl_port");
	put(t, dir, "modalias", "cxl:t3");
	put(t, dir, "decoders_committed", "1");
	put_link(t, dir, "subsystem", "bus/cxl");
	tree_mkdir(t, uport);
	put_link(t, dir, "uport", uport);
	tree_mkdir(t, "bus/cxl/drivers/cxl_port");
	put_link(t, dir, "driver", "bus/cxl/drivers/cxl_port");
	put_link(t, "bus/cxl/devices", name, dir);
}

static inline void put_decoders(const struct tree *t)
{
	static const char *const root[][2] = {
		{ "devtype", "cxl_decoder_root" },
		{ "start", "0xa90000000" },
		{ "size", "0x200000000" },
		{ "interleave_granularity", "256" },
		{ "interleave_ways", "1" },
		{ "locked", "0" },
		{ "cap_pmem", "1" },
		{ "cap_ram", "1" },
		{ "cap_type2", "1" },
		{ "cap_type3", "1" },
		{ "cap_dynamic_ram_1", "1" },
		{ "create_pmem_region", "region1" },
		{ "create_ram_region", "region1" },
		{ "create_dynamic_ram_1_region", "region1" },
		{ "qos_class", "0" },
		{ "target_list", "12" },
		{ "modalias", "cxl:t0" },
		{ NULL, NULL },
	};
	static const char *const endpoint[][2] = {
		{ "devtype", "cxl_decoder_endpoint" },
		{ "start", "0xa90000000" },
		{ "size", "0x100000000" },
		{ "interleave_granularity", "256" },
		{ "interleave_ways", "1" },
		{ "locked", "0" },
		{ "target_type", "expander" },
		{ "mode", "dynamic_ram_1" },
		{ "dpa_resource", "0x20000000" },
		{ "dpa_size", "0x0000000100000000" },
		{ "region", "region0" },
		{ "modalias", "cxl:t0" },
		{ NULL, NULL },
	};

	put_all(t, ROOT "/decoder0.0", root);
	put_link(t, ROOT "/decoder0.0", "subsystem", "bus/cxl");
	put_link(t, "bus/cxl/devices", "decoder0.0", ROOT "/decoder0.0");
	put_all(t, ENDPOINT "/decoder2.0", endpoint);
	put_link(t, ENDPOINT "/decoder2.0", "subsystem", "bus/cxl");
	put_link(t, "bus/cxl/devices", "decoder2.0", ENDPOINT "/decoder2.0");
}

static inline void put_region(const struct tree *t)
{
	static const char *const region[][2] = {
		{ "devtype", "cxl_region" },
		{ "mode", "dynamic_ram_1" },
		{ "resource", "0xa90000000" },
		{ "size", "0x100000000" },
		{ "interleave_granularity", "256" },
		{ "interleave_ways", "1" },
		{ "target0", "decoder2.0" },
		{ "commit", "1" },
		{ "locked", "0" },
		{ "uuid", "" },
		{ "modalias", "cxl:t6" },
		{ NULL, NULL },
	};
	static const char *const dax_region[][2] = {
		{ "devtype", "cxl_dax_region" },
		{ "modalias", "cxl:t8" },
		{ "dax_region/id", "0" },
		{ "dax_region/size", "4294967296" },
		{ "dax_region/align", "2097152" },
		{ "dax_region/available_size", "67108864" },
		{ "dax_region/create", "1" },
		{ "dax_region/seed", "" },
		{ NULL, NULL },
	};

	put_all(t, REGION, region);
	put_link(t, REGION, "subsystem", "bus/cxl");
	tree_mkdir(t, "bus/cxl/drivers/cxl_region");
	put_link(t, REGION, "driver", "bus/cxl/drivers/cxl_region");
	put_link(t, "bus/cxl/devices", "region0", REGION);
	put_all(t, DAX_REGION, dax_region);
	put_link(t, DAX_REGION, "subsystem", "bus/cxl");
	tree_mkdir(t, "bus/cxl/drivers/cxl_dax_region");
	put_link(t, DAX_REGION, "driver", "bus/cxl/drivers/cxl_dax_region");
	put_link(t, "bus/cxl/devices", "dax_region0", DAX_REGION);
}

static inline void put_dax(const struct tree *t)
{
	static const char *const none[][3] = { { NULL } };
	static const char *const a[][3] = {
		{ "0xa90000000", "0xa9fffffff", "0x0" },
		{ "0xab0000000", "0xab7ffffff", "0x10000" },
		{ NULL },
	};
	static const char *const b[][3] = {
		{ "0xaa0000000", "0xaafffffff", "0x0" },
		{ NULL },
	};

	put_extent(t, "extent0.1", TAG_A, "0x0", "0x10000000");
	put_extent(t, "extent0.2", TAG_A, "0x20000000", "0x8000000");
	put_extent(t, "extent0.3", TAG_B, "0x10000000", "0x10000000");
	put_extent(t, "extent0.4", NULL, "0x40000000", "0x4000000");
	put_device(t, "dax0.0", "254:0", NULL_TAG, NULL, "0", none);
	put_device(t, "dax0.1", "254:1", TAG_A, "kmem", "402653184", a);
	put_device(t, "dax0.2", "254:2", TAG_B, "device_dax", "268435456", b);
}

static inline void put_memory(const struct tree *t)
{
	put(t, MEMORY, "block_size_bytes", "8000000");
	put(t, MEMORY, "auto_online_blocks", "online_movable");
	put_block(t, 0, "online", "DMA");
	put_block(t, 337, "online", "Normal");
	put_block(t, 338, "online", "Movable");
	put_block(t, 339, "online", "Normal");
	put_block(t, 342, "offline", "Normal Movable");
	put_block(t, 343, "online", "Movable");
	put(t, NODE "/node0", "meminfo",
	    "Node 0 MemTotal:        3145728 kB\nNode 0 MemFree:         1048576 kB\n"
	    "Node 0 MemUsed:         2097152 kB\nNode 0 Active(anon):        500 kB\n"
	    "Node 0 Active(file):         100 kB\nNode 0 Inactive(file):       20 kB\n"
	    "Node 0 SReclaimable:           3 kB\nNode 0 SUnreclaim:          800 kB");
	put(t, NODE "/node1", "meminfo",
	    "Node 1 MemTotal:         393216 kB\nNode 1 MemFree:          393216 kB");
	put(t, NODE, "online", "0-1");
}

static inline void make_host(const struct tree *t)
{
	tree_mkdir(t, "proc");
	tree_mkdir(t, "bus/dax/devices");
	tree_mkdir(t, "devices/platform/ACPI0017:00");
	put_memdev(t);
	put_port(t, "root0", ROOT, "devices/platform/ACPI0017:00");
	put_port(t, "port1", ROOT "/port1", "devices/pci0000:0c");
	put_port(t, "endpoint2", ENDPOINT, MEMDEV);
	put_decoders(t);
	put_region(t);
	put_dax(t);
	put_memory(t);
}
