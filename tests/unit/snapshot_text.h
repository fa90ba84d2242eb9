/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A snapshot as a person may write it, for the tests of its reader. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "snapshot/snapshot.h"

/* One device, which claims one of two extents. All that may be left out is. */
#define FACTS "\"facts\": {\"now_usec\": 5000000, \"realtime_usec\": 1790000000000000"
static const char small[] =
	"{\"version\": 1, \"block_size\": \"0x8000000\",\n"
	"\"memdevs\": [{\"name\": \"mem0\"}],\n"
	"\"regions\": [{\"name\": \"region0\", \"memdev\": \"mem0\", \"mode\": \"dynamic_ram_1\",\n"
	"  \"hpa\": {\"start\": \"0x100000000\", \"length\": \"0x40000000\"},\n"
	"  \"dpa\": {\"start\": 0, \"length\": 1073741824}}],\n"
	"\"extents\": [{\"name\": \"extent0.0\", \"region\": \"region0\",\n"
	"  \"tag\": \"5be13bce-0000-4000-8000-00000000000A\",\n"
	"  \"hpa\": {\"start\": \"0x100000000\", \"length\": \"0x10000000\"},\n"
	"  \"dpa\": {\"start\": \"0x0\", \"length\": \"0x10000000\"}},\n"
	" {\"name\": \"extent0.1\", \"region\": \"region0\", \"tag\": \"\",\n"
	"  \"hpa\": {\"start\": \"0x120000000\", \"length\": \"0x10000000\"},\n"
	"  \"dpa\": {\"start\": \"0x20000000\", \"length\": \"0x10000000\"}}],\n"
	"\"devices\": [{\"name\": \"dax0.1\", \"region\": \"region0\", \"mode\": \"system-ram\",\n"
	"  \"tag\": \"5be13bce-0000-4000-8000-00000000000a\", \"size\": 268435456,\n"
	"  \"target_node\": 1,\n"
	"  \"mappings\": [{\"hpa\": {\"start\": \"0x100000000\", \"length\": \"0x10000000\"}}],\n"
	"  \"blocks\": [{\"number\": 32, \"state\": \"online\", \"zone\": \"movable\"},\n"
	"   {\"number\": 33, \"state\": \"offline\", \"zone\": \"none\"}],\n"
	"  \"holders\": [{\"pid\": 7}]}],\n"
	"\"nodes\": [{\"id\": 0, \"total\": 4096, \"free\": 1024}],\n" FACTS "}}";

static inline void parse_ok(const char *text, struct snapshot *ret)
{
	_cleanup_free_ char *error = NULL;
	int r = snapshot_parse(text, strlen(text), ret, &error);

	if (r != 0)
		fail_msg("%d: %s, in: %s", r, error ? error : "no message", text);
	assert_null(error);
}
