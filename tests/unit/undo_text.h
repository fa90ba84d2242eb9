/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small journal line by line, and the decoder with what it complains of: for tests of its format.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "undo/undo_internal.h"

#include "undo_plan.h"

#define FIRST "{\"dcdd-undo\":1,\"boot\":\"" BOOT "\",\"memdev\":\"mem0\",\"tag\":\"" TAG "\"}"
#define TAG "5be13bce-ae34-4a77-b6c3-16df975fcf1a"
#define RELEASE                                                                                    \
	"{\"region\":\"region0\",\"record-dpa\":\"0x0+0x100\",\"bytes\":1,\"extents\":1,"          \
	"\"records\":1,\"first-record\":1,\"last-record\":2,\"rule\":\"default\","                 \
	"\"blocks-online\":0}"
#define DEVICE_WITH(name, ranges)                                                                  \
	"{\"device\":" name ",\"driver\":\"kmem\",\"mode\":\"system-ram\",\"uuid\":\"" TAG "\","   \
	"\"size\":4096,\"align\":4096,\"node\":1,\"dax-region\":\"dax_region0\","                  \
	"\"first-mapping\":\"0x1000+0x1000\",\"ranges\":" ranges "}"
#define DEVICE DEVICE_WITH("\"dax0.1\"", "[\"0x1000+0x1000\"]")
#define BLOCKS "{\"blocks\":[338,341],\"device\":0,\"state\":\"online\",\"zone\":\"movable\"}"
#define END_WITH(d, r, b, n)                                                                       \
	"{\"end\":\"prior state\",\"devices\":" #d ",\"ranges\":" #r ",\"blocks\":" #b             \
	",\"names\":" #n "}"
#define END END_WITH(1, 1, 4, 0)

static unsigned bad_line; /* that decode() was told of */

static inline int decode(const void *data, size_t size, struct undo_record *ret, bool *ret_other)
{
	/* In exactly as many bytes, so that a read beyond is seen. */
	char *copy = checked(malloc(MAX(size, (size_t)1))), *error = NULL;
	int r;

	memcpy(copy, data, size);
	*ret_other = false;
	r = undo_decode(copy, size, BOOT, ret, ret_other, &error);
	if (r < 0) {
		assert_non_null(error);
		assert_int_equal(sscanf(error, "line %u: ", &bad_line), 1);
	} else {
		assert_null(error);
	}
	free(error);
	free(copy);
	return r;
}

static inline void forge_all(struct forged *f)
{
	static const char *const lines[] = { FIRST, RELEASE, DEVICE, BLOCKS, END };

	f->size = 0;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		forge(f, lines[i]);
}
