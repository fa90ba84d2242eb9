/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsing and comparing whole configuration files, for the tests of them. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/policy_text.h"

static inline int parse_bytes(const char *data, size_t size, struct policy *policy,
			      char **ret_error)
{
	_cleanup_fclose_ FILE *f = NULL;

	f = size ? fmemopen((void *)(uintptr_t)data, size, "r") : fopen("/dev/null", "re");
	assert_non_null(f);
	return policy_parse("f", f, policy, ret_error);
}

static inline int parse_text(const char *text, struct policy *policy, char **ret_error)
{
	return parse_bytes(text, strlen(text), policy, ret_error);
}

/* Parses over the defaults what must be right. */
static inline void parse_good(const char *text, struct policy *ret)
{
	_cleanup_free_ char *error = NULL;
	int r;

	policy_init(ret);
	r = parse_text(text, ret, &error);
	if (r < 0)
		fail_msg("%s\nfor\n%s", error ? error : strerror(-r), text);
	assert_null(error);
}

static inline void assert_same_policy(const struct policy *a, const struct policy *b)
{
	_cleanup_free_ char *ta = policy_text(a), *tb = policy_text(b);

	assert_string_equal(ta, tb);
}

static inline char *dump(const struct policy *policy)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(policy_dump(policy, f), 0);
	fclose(f);
	return text;
}

static inline void assert_dump_round_trip(const struct policy *policy)
{
	_cleanup_free_ char *text = dump(policy);
	struct policy again;

	parse_good(text, &again);
	assert_same_policy(policy, &again);
	policy_done(&again);
}
