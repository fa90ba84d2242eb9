/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test's end of the library below the daemon (tests/interpose): arming it, and telling what it
 * has seen.
 */
#pragma once

#include <stddef.h>

#include "tests/interpose/interpose.h"

/* Makes and maps the shared file. 0 or negative errno. */
int interpose_map(const char *path, struct interpose_shared **ret);
void interpose_unmap(struct interpose_shared *shared);

/* Nothing was seen, nothing is to happen. Only while no daemon runs with it. */
void interpose_reset(struct interpose_shared *shared, const char *state_dir);

/* How many entries of ops[] are there. */
uint32_t interpose_count(const struct interpose_shared *shared);

/* Whether more was seen than there is room for. */
bool interpose_overflow(const struct interpose_shared *shared);

const char *interpose_kind_to_string(enum interpose_kind kind);
const char *interpose_action_to_string(enum interpose_action action);

/*
 * "write memory339/state offline", "rename NAME.undo.new NAME.undo": what the operation is.
 * @general: with N for the numbers of blocks and devices, and FILE for a journal's name. Returns
 * @buf.
 */
#define INTERPOSE_TEXT_MAX 128
char *interpose_op_text(const struct interpose_shared *shared, const struct interpose_op *op,
			bool general, char buf[static INTERPOSE_TEXT_MAX]);
