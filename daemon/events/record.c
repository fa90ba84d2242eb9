/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes + format -> struct dc_event. Names, offsets and sizes of the fields differ between kernel
 * versions and are taken from the format once; decoding a record is then a few bounded copies.
 */
#include <stdarg.h>

#include "events.h"
#include "format.h"

enum field {
	FIELD_COMMON_TYPE,
	FIELD_MEMDEV,
	FIELD_HOST,
	FIELD_SERIAL,
	FIELD_EVENT_TYPE,
	FIELD_REGION_INDEX,
	FIELD_SEQUENCE,
	FIELD_HANDLE,
	FIELD_DPA_START,
	FIELD_LENGTH,
	FIELD_TAG,
	_FIELD_MAX,
};

enum field_kind {
	KIND_UINT,   /* host byte order, up to `size` bytes */
	KIND_BYTES,  /* exactly `size` bytes */
	KIND_STRING, /* __data_loc or __rel_loc char[]: a u32 that says where the text is */
};

static const struct field_spec {
	const char *names[3]; /* the newest first */
	enum field_kind kind;
	uint32_t size;
	bool required;
} specs[_FIELD_MAX] = {
	[FIELD_COMMON_TYPE] = { { "common_type" }, KIND_UINT, 2, true },
	[FIELD_MEMDEV] = { { "memdev" }, KIND_STRING, 4, true },
	[FIELD_HOST] = { { "host" }, KIND_STRING, 4, false },
	[FIELD_SERIAL] = { { "serial" }, KIND_UINT, 8, false },
	[FIELD_EVENT_TYPE] = { { "event_type" }, KIND_UINT, 1, true },
	[FIELD_REGION_INDEX] = { { "updated_region_index", "partition_id", "region_id" },
				 KIND_UINT,
				 1,
				 false },
	[FIELD_SEQUENCE] = { { "sh_extent_seq" }, KIND_UINT, 2, false },
	[FIELD_HANDLE] = { { "hdr_handle" }, KIND_UINT, 2, false },
	[FIELD_DPA_START] = { { "dpa_start" }, KIND_UINT, 8, true },
	[FIELD_LENGTH] = { { "length" }, KIND_UINT, 8, true },
	[FIELD_TAG] = { { "uuid", "tag" }, KIND_BYTES, sizeof(struct tag), true },
};

/* Where a field is; absent if the size is 0. */
struct slot {
	uint32_t offset, size;
	bool relative; /* a string's place counts from the end of the field, not of the record */
};

struct record_format {
	unsigned id;
	size_t min_size; /* bytes up to the end of the last field we use */
	struct slot slots[_FIELD_MAX];
};

static int _printf_(2, 3) set_error(char **ret_error, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(ret_error, format, ap);
	va_end(ap);
	if (n < 0) {
		*ret_error = NULL;
		return -ENOMEM;
	}
	return -EINVAL;
}

static bool type_begins(const struct format_field *field, const char *word)
{
	size_t n = strlen(word);

	return field->type_len >= n && memcmp(field->type, word, n) == 0;
}

/* Fills @slot; -EINVAL with an error if the field is not of a kind and size that we can decode. */
static int slot_from_field(const struct field_spec *spec, const struct format_field *field,
			   struct slot *slot, char **ret_error)
{
	bool relative = type_begins(field, "__rel_loc");
	bool dynamic = relative || type_begins(field, "__data_loc");
	int len = (int)field->name_len;

	switch (spec->kind) {
	case KIND_STRING:
		if (!dynamic || field->array || !memmem(field->type, field->type_len, "char", 4))
			return set_error(ret_error,
					 "field %.*s is no string: expected __data_loc char[]", len,
					 field->name);
		if (field->size != spec->size)
			return set_error(ret_error, "field %.*s: size %u, expected %u", len,
					 field->name, field->size, spec->size);
		break;
	case KIND_BYTES:
		if (dynamic || field->size != spec->size)
			return set_error(ret_error,
					 "field %.*s: size %u, expected %u bytes in place", len,
					 field->name, field->size, spec->size);
		break;
	case KIND_UINT:
		if (dynamic || field->array || field->size == 0 || field->size > spec->size ||
		    (field->size & (field->size - 1)) != 0)
			return set_error(ret_error,
					 "field %.*s: size %u, expected a number of %u bytes", len,
					 field->name, field->size, spec->size);
		break;
	}
	*slot = (struct slot){
		.offset = field->offset,
		.size = field->size,
		.relative = relative,
	};
	return 0;
}

/*
 * Takes @field over if it is one that we want. @ranks remembers under which of its names each was
 * found, so that the newest wins and the same name twice is an error.
 */
static int take_field(struct record_format *format, uint8_t ranks[static _FIELD_MAX],
		      const struct format_field *field, char **ret_error)
{
	for (size_t i = 0; i < _FIELD_MAX; i++) {
		const struct field_spec *spec = &specs[i];

		for (uint8_t n = 0; n < ARRAY_SIZE(spec->names) && spec->names[n]; n++) {
			if (!format_field_is(field, spec->names[n]))
				continue;
			if (ranks[i] == n)
				return set_error(ret_error, "field %s appears twice",
						 spec->names[n]);
			if (ranks[i] < n)
				return 0;
			ranks[i] = n;
			return slot_from_field(spec, field, &format->slots[i], ret_error);
		}
	}
	return 0;
}

int record_format_parse(const char *text, size_t size, struct record_format **ret, char **ret_error)
{
	_cleanup_(record_format_freep) struct record_format *format = NULL;
	uint8_t ranks[_FIELD_MAX];
	struct format_reader reader;
	struct format_field field;
	const char *problem = NULL;
	int r;

	*ret_error = NULL;
	format = calloc(1, sizeof(*format));
	if (!format)
		return -ENOMEM;

	memset(ranks, UINT8_MAX, sizeof(ranks));
	format_reader_init(&reader, text, size);
	while ((r = format_next_field(&reader, &field, &problem)) > 0) {
		r = take_field(format, ranks, &field, ret_error);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return set_error(ret_error, "line %u: %s", reader.line, problem);
	if (reader.id == 0)
		return set_error(ret_error, "no line with the event's ID");
	format->id = reader.id;

	for (size_t i = 0; i < _FIELD_MAX; i++) {
		const struct slot *slot = &format->slots[i];

		if (slot->size == 0 && specs[i].required)
			return set_error(ret_error, "field %s is missing%s%s%s", specs[i].names[0],
					 specs[i].names[1] ? " (also no " : "",
					 specs[i].names[1] ? specs[i].names[1] : "",
					 specs[i].names[1] ? ")" : "");
		format->min_size = MAX(format->min_size, (size_t)slot->offset + slot->size);
	}

	*ret = TAKE_PTR(format);
	return 0;
}

void record_format_free(struct record_format *format)
{
	free(format);
}

unsigned record_format_id(const struct record_format *format)
{
	return format->id;
}

/* memcpy: the fields of an event defined by a probe are packed and not aligned. */
static uint64_t load_uint(const uint8_t *data, const struct slot *slot, uint64_t absent)
{
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (slot->size) {
	case 1:
		return data[slot->offset];
	case 2:
		memcpy(&u16, data + slot->offset, sizeof(u16));
		return u16;
	case 4:
		memcpy(&u32, data + slot->offset, sizeof(u32));
		return u32;
	case 8:
		memcpy(&u64, data + slot->offset, sizeof(u64));
		return u64;
	}
	return absent;
}

/*
 * Copies the text that the u32 at @slot points to: length << 16 | offset. Only what can be a name
 * is let through, as it ends up in messages and is compared with names of directories.
 */
static bool load_string(const uint8_t *data, size_t size, const struct slot *slot,
			char ret[static DEV_NAME_MAX])
{
	uint32_t where;
	size_t offset, length;

	memcpy(&where, data + slot->offset, sizeof(where));
	offset = (where & 0xffff) + (slot->relative ? (size_t)slot->offset + slot->size : 0);
	length = where >> 16;
	if (length == 0 || offset > size || length > size - offset)
		return false;

	for (size_t i = 0; i < MIN(length, (size_t)DEV_NAME_MAX); i++) {
		char c = (char)data[offset + i];

		ret[i] = c;
		if (c == '\0')
			return true;
		if (c <= ' ' || c > '~' || c == '/')
			return false;
	}
	return false;
}

int record_decode_explain(const struct record_format *format, const void *data, size_t size,
			  usec_t traced, struct dc_event *ret, const char **ret_problem)
{
	const struct slot *slots = format->slots, *type = &slots[FIELD_COMMON_TYPE];
	struct dc_event event;

	if (size < (size_t)type->offset + type->size) {
		*ret_problem = "shorter than its header";
		return -EBADMSG;
	}
	if (load_uint(data, type, 0) != format->id) {
		*ret_problem = "another event's id";
		return -ENOMSG;
	}
	if (size < format->min_size) {
		*ret_problem = "shorter than its format says";
		return -EBADMSG;
	}
	if (!load_string(data, size, &slots[FIELD_MEMDEV], event.memdev) || !event.memdev[0]) {
		*ret_problem = "memdev is not a name within the record";
		return -EBADMSG;
	}
	event.host[0] = '\0';
	if (slots[FIELD_HOST].size && !load_string(data, size, &slots[FIELD_HOST], event.host)) {
		*ret_problem = "host is not a name within the record";
		return -EBADMSG;
	}
	if (range_make(load_uint(data, &slots[FIELD_DPA_START], 0),
		       load_uint(data, &slots[FIELD_LENGTH], 0), &event.dpa) < 0) {
		*ret_problem = "dpa_start plus length overflows";
		return -EBADMSG;
	}
	event.serial = load_uint(data, &slots[FIELD_SERIAL], 0);
	event.type = (uint8_t)load_uint(data, &slots[FIELD_EVENT_TYPE], 0);
	event.region_index = (uint8_t)load_uint(data, &slots[FIELD_REGION_INDEX], UINT8_MAX);
	event.sequence = (uint16_t)load_uint(data, &slots[FIELD_SEQUENCE], 0);
	event.handle = (uint16_t)load_uint(data, &slots[FIELD_HANDLE], 0);
	memcpy(event.tag.bytes, (const uint8_t *)data + slots[FIELD_TAG].offset,
	       sizeof(event.tag.bytes));
	event.traced = traced;

	*ret = event;
	return 0;
}

int record_decode(const struct record_format *format, const void *data, size_t size, usec_t traced,
		  struct dc_event *ret)
{
	const char *ignored;

	return record_decode_explain(format, data, size, traced, ret, &ignored);
}
