/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target for the configuration file and for the text of a temporary rule: no input
 * crashes the parser, an error always says where, and what was read survives printing and reading
 * again.
 */
#include "tests/unit/policy_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int parse(const void *data, size_t size, struct policy *ret, char **ret_error)
{
	/* Opened for reading only: the data are not written to. */
	FILE *f = fmemopen((void *)(uintptr_t)data, size, "r");
	int r;

	if (!f)
		abort();
	policy_init(ret);
	r = policy_parse("fuzz", f, ret, ret_error);
	fclose(f);
	return r;
}

/* "PATH:LINE: …", one printable line, and no line that the input does not have. */
static void check_error(const char *path, const char *error, const uint8_t *data, size_t size)
{
	unsigned long line, lines = 1;
	const char *rest;
	char *end;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	rest = error ? startswith(error, path) : NULL;
	if (!rest || *rest != ':')
		abort();
	line = strtoul(rest + 1, &end, 10);
	if (line < 1 || line > lines || !startswith(end, ": ") || !end[2])
		abort();
	for (const char *c = error; *c; c++)
		if ((*c < 0x20 && *c != '\t') || *c > 0x7e)
			abort();
}

static void assert_same(const struct policy *a, const struct policy *b)
{
	_cleanup_free_ char *before = policy_text(a), *after = policy_text(b);

	if (!streq(before, after))
		abort();
}

static void no_difference(_unused_ const char *text, _unused_ void *userdata)
{
	abort();
}

static void check_line(const char *text, void *userdata)
{
	int *n = userdata;

	if (!*text || strchr(text, '\n'))
		abort();
	(*n)++;
}

static void check_differences(const struct policy *policy, const struct policy *again)
{
	struct policy defaults;
	int n = 0;

	if (policy_diff(policy, again, no_difference, NULL) != 0)
		abort();
	policy_init(&defaults);
	if (policy_diff(policy, &defaults, check_line, &n) != n)
		abort();
	policy_done(&defaults);
}

static void check_dump(const struct policy *policy)
{
	_cleanup_free_ char *error = NULL, *dump = NULL;
	struct policy again;
	size_t size;
	FILE *f;

	f = open_memstream(&dump, &size);
	if (!f || policy_dump(policy, f) < 0)
		abort();
	fclose(f);
	if (parse(dump, size, &again, &error) < 0)
		abort();
	assert_same(policy, &again);
	check_differences(policy, &again);
	policy_done(&again);
}

static void check_file(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *error = NULL;
	struct policy policy;
	int r = parse(data, size, &policy, &error);

	if (r == -EINVAL)
		check_error("fuzz", error, data, size);
	else if (r != 0 || error)
		abort();
	if (r == 0)
		check_dump(&policy);
	policy_done(&policy);
}

/* The same bytes as what stands in a section. */
static void check_rule(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *error = NULL, *dump = NULL;
	char *text = calloc(1, size + 1); /* not strndup(): the bytes have no end of their own */
	struct policy policy, again;
	size_t dump_size;
	FILE *f;
	int r;

	if (!text)
		abort();
	memcpy(text, data, size);
	policy_init(&policy);
	policy_init(&again);
	r = policy_add_temporary(&policy, "fuzz", text, USEC_INFINITY, "", &error);
	if (r == -EINVAL)
		check_error("rule fuzz", error, data, size);
	else if (r != 0 || error)
		abort();
	if (r == 0) {
		f = open_memstream(&dump, &dump_size);
		if (!f || policy_rule_dump(&policy.rules[0], f) < 0)
			abort();
		fclose(f);
		if (policy_add_temporary(&again, "fuzz", dump, USEC_INFINITY, "", &error) < 0)
			abort();
	}
	assert_same(&policy, &again);
	policy_done(&again);
	policy_done(&policy);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	check_file(data, size);
	check_rule(data, size);
	return 0;
}
