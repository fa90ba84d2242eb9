/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the keys of a control request: numbers that may be text with a unit, tags, lists.
 */
#pragma once

#include <json-c/json.h>

#include <dcdd/tag.h>

/* "256M", "0x1000", "4096": 0, or -EINVAL, -ERANGE. */
int parse_size(const char *text, uint64_t *ret);

/* The text under @key, @fallback if it is not there or not text. Belongs to @request. */
const char *request_string(struct json_object *request, const char *key, const char *fallback);

/* The number under @key, @fallback if it is not there; -EINVAL if it is not a number. */
int request_number(struct json_object *request, const char *key, uint64_t fallback, uint64_t *ret);

/* The same for true and false. */
int request_bool(struct json_object *request, const char *key, bool fallback, bool *ret);

/* The tag under @key, the null tag if it is not there; -EINVAL. */
int request_tag(struct json_object *request, const char *key, struct tag *ret);

/*
 * Whether every key of @request is "cmd", "id" or a word of the space-separated @keys; if not,
 * *@ret_key is one that is not.
 */
bool request_has_only(struct json_object *request, const char *keys, const char **ret_key);
