/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace event cxl:cxl_dynamic_capacity, made of a uprobe on a function of this program: so a
 * record emitted here is a real one in the real ring buffers, with the kernel's field names.
 */
#pragma once

#include <dcdd/base.h>

/* One record. The first two are C strings; the rest has the kernel's types. */
struct probe_record {
	char memdev[40];
	char host[40];
	int32_t log;
	uint8_t hdr_uuid[16];
	uint64_t serial;
	uint32_t hdr_flags;
	uint16_t hdr_handle;
	uint16_t hdr_related_handle;
	uint64_t hdr_timestamp;
	uint8_t hdr_length;
	uint8_t hdr_maint_op_class;
	uint8_t hdr_maint_op_sub_class;
	uint16_t hdr_ld_id;
	uint8_t hdr_head_id;
	uint8_t event_type;
	uint16_t hostid;
	uint8_t updated_region_index;
	uint64_t dpa_start;
	uint64_t length;
	uint8_t uuid[16];
	uint16_t sh_extent_seq;
};

/* How the fields whose names changed between kernel versions are called. */
struct probe_names {
	const char *tag;   /* "uuid" or "tag" */
	const char *index; /* "updated_region_index", "partition_id" or "region_id" */
};

/* A field of struct probe_record, for setting it by name. @size 0 marks the end of the table. */
struct probe_field {
	const char *name;
	const char *type; /* as uprobe_events(5) has it */
	size_t offset, size;
};

extern const struct probe_field probe_fields[];

/*
 * Defines the event below the tracefs directory @tracefs. 0 or negative errno; *@ret_error (caller
 * frees) then says what failed.
 */
int probe_define(const char *tracefs, const struct probe_names *names, char **ret_error);

/* Takes the event from every subscriber and removes it. 0 (also if there was none) or -errno. */
int probe_remove(const char *tracefs);

/* Puts one record into the ring buffers of whoever subscribed. */
void probe_emit(const struct probe_record *record);
