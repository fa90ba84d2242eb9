/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes the text of a format file and the bytes of records. Input: the text up to the first NUL,
 * then a record. With no text the format of a recorded kernel is taken, so that records are
 * decoded from the first input on.
 */
#include <daemon/events/events.h>

static const char recorded[] =
	"name: cxl_dynamic_capacity\nID: 1517\nformat:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
	"\tfield:__data_loc char[] memdev;\toffset:8;\tsize:4;\tsigned:0;\n"
	"\tfield:__data_loc char[] host;\toffset:12;\tsize:4;\tsigned:0;\n"
	"\tfield:u64 serial;\toffset:40;\tsize:8;\tsigned:0;\n"
	"\tfield:u16 hdr_handle;\toffset:52;\tsize:2;\tsigned:0;\n"
	"\tfield:u8 event_type;\toffset:71;\tsize:1;\tsigned:0;\n"
	"\tfield:u8 updated_region_index;\toffset:74;\tsize:1;\tsigned:0;\n"
	"\tfield:u64 dpa_start;\toffset:80;\tsize:8;\tsigned:0;\n"
	"\tfield:u64 length;\toffset:88;\tsize:8;\tsigned:0;\n"
	"\tfield:u8 uuid[16];\toffset:96;\tsize:16;\tsigned:0;\n"
	"\tfield:u16 sh_extent_seq;\toffset:112;\tsize:2;\tsigned:0;\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy in exactly @size bytes, so that a read beyond is seen. */
static void *exact_copy(const void *data, size_t size)
{
	void *copy = malloc(MAX(size, (size_t)1));

	if (!copy)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	return copy;
}

static void check_name(const char name[static DEV_NAME_MAX])
{
	if (strnlen(name, DEV_NAME_MAX) == DEV_NAME_MAX || strchr(name, '/'))
		abort();
}

static void decode(const struct record_format *format, const uint8_t *data, size_t size)
{
	_cleanup_free_ uint8_t *record = exact_copy(data, size);
	const char *problem = NULL;
	struct dc_event event;
	int r;

	r = record_decode_explain(format, record, size, 42, &event, &problem);
	if (r < 0) {
		if ((r != -EBADMSG && r != -ENOMSG) || !problem)
			abort();
		return;
	}
	check_name(event.memdev);
	check_name(event.host);
	if (event.memdev[0] == '\0' || range_end(&event.dpa) < event.dpa.start ||
	    event.traced != 42)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, '\0', size) : NULL;
	size_t text_size = nul ? (size_t)(nul - data) : size;
	_cleanup_(record_format_freep) struct record_format *format = NULL;
	_cleanup_free_ char *text = NULL, *error = NULL;
	int r;

	if (text_size == 0) {
		r = record_format_parse(recorded, sizeof(recorded) - 1, &format, &error);
		if (r < 0)
			abort();
	} else {
		text = exact_copy(data, text_size);
		r = record_format_parse(text, text_size, &format, &error);
		if (r < 0) {
			if (format || (r == -EINVAL && !error))
				abort();
			return 0;
		}
		if (record_format_id(format) == 0 || record_format_id(format) > UINT16_MAX)
			abort();
	}
	if (nul)
		decode(format, nul + 1, size - text_size - 1);
	return 0;
}
