/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One record of the kernel's trace event cxl:cxl_dynamic_capacity, decoded. The kernel traces the
 * record before it acts on it: it says what the device asked, never what became of it.
 * Layout behind it: CXL 3.1, 8.2.9.2.1.6 "Dynamic Capacity Event Record".
 */
#pragma once

#include <dcdd/range.h>
#include <dcdd/tag.h>

/* Room for a kernel device name ("mem0", "0000:0d:00.0", "dax_region12") and its terminator. */
#define DEV_NAME_MAX 40

enum dc_event_type {
	DC_EVENT_ADD = 0,
	DC_EVENT_RELEASE = 1,
	DC_EVENT_FORCED_RELEASE = 2,
	DC_EVENT_REGION_UPDATED = 3,
};

struct dc_event {
	char memdev[DEV_NAME_MAX]; /* "mem0" */
	char host[DEV_NAME_MAX];   /* PCI address of the device */
	uint64_t serial;	   /* of the device */
	uint8_t type;		   /* enum dc_event_type, or a value we do not know */
	uint8_t region_index;	   /* 255 unless type is DC_EVENT_REGION_UPDATED */
	uint16_t sequence;	   /* place in a sharable group, 0 if not sharable */
	uint16_t handle;	   /* event record handle, for correlation with the kernel's log */
	struct range dpa;	   /* the extent named by the record */
	struct tag tag;		   /* null if untagged */
	usec_t traced;		   /* when the kernel traced it, CLOCK_MONOTONIC */
};

/* "add", "release", "forced-release", "region-updated", or "unknown". */
const char *dc_event_type_to_string(uint8_t type);
