/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fabricated /sys of scan_tree.h with a second device and region, for what goes wrong in one.
 */
#pragma once

#include "scan_host.h"

#define TAG_C "cccccccc-2222-3333-4444-555555555555"
#define REGION1 ROOT "/decoder0.0/region1"
#define DAX_REGION1 REGION1 "/dax_region1"
#define ENDPOINT1 ROOT "/port1/endpoint3"
#define MEMDEV1 "devices/pci0000:0c/0000:0c:00.0/0000:0e:00.0/mem1"

/* mem1 with region1 behind region0: tag C claimed by dax1.1 as system-ram, one block. */
static inline void put_second_region(const struct tree *t)
{
	static const char *const region[][2] = {
		{ "mode", "dynamic_ram_1" }, { "resource", "0xb90000000" }, { "size", "0x8000000" },
		{ "interleave_ways", "1" },  { "target0", "decoder3.0" },   { NULL, NULL },
	};
	static const char *const rest[][2] = {
		{ DAX_REGION1 "/dax_region/id", "1" },
		{ DAX_REGION1 "/extent1.1/uuid", TAG_C },
		{ DAX_REGION1 "/extent1.1/offset", "0x0" },
		{ DAX_REGION1 "/extent1.1/length", "0x8000000" },
		{ DAX_REGION1 "/dax1.1/uuid", TAG_C },
		{ DAX_REGION1 "/dax1.1/dev", "254:9" },
		{ DAX_REGION1 "/dax1.1/size", "134217728" },
		{ DAX_REGION1 "/dax1.1/mapping0/start", "0xb90000000" },
		{ DAX_REGION1 "/dax1.1/mapping0/end", "0xb97ffffff" },
		{ DAX_REGION1 "/dax1.1/mapping0/page_offset", "0" },
		{ ENDPOINT1 "/decoder3.0/dpa_resource", "0x0" },
		{ ENDPOINT1 "/decoder3.0/dpa_size", "0x8000000" },
		{ MEMDEV1 "/serial", "0x64" },
		{ NULL, NULL },
	};

	put_all(t, REGION1, region);
	for (size_t i = 0; rest[i][0]; i++)
		tree_write(t, rest[i][0], rest[i][1]);
	put_link(t, DAX_REGION1 "/dax1.1", "driver", "bus/dax/drivers/kmem");
	put_link(t, ENDPOINT1, "uport", MEMDEV1);
	put_link(t, "bus/cxl/devices", "region1", REGION1);
	put_link(t, "bus/cxl/devices", "dax_region1", DAX_REGION1);
	put_link(t, "bus/cxl/devices", "decoder3.0", ENDPOINT1 "/decoder3.0");
	put_link(t, "bus/cxl/devices", "mem1", MEMDEV1);
	put_block(t, 370, "online", "Movable");
}

static inline int setup_two(void **state)
{
	int r = setup(state);

	put_second_region(*state);
	return r;
}

#define TWO(name) cmocka_unit_test_setup_teardown(name, setup_two, teardown)
