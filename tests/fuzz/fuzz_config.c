/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target for the configuration file: no input crashes the parser, an error always says
 * where, and what was read survives printing and reading again.
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

/* "fuzz:LINE: …", one printable line, and no line that the input does not have. */
static void check_error(const char *error, const uint8_t *data, size_t size)
{
	unsigned long line, lines = 1;
	char *rest;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	if (!error || !startswith(error, "fuzz:"))
		abort();
	line = strtoul(error + strlen("fuzz:"), &rest, 10);
	if (line < 1 || line > lines || !startswith(rest, ": ") || !rest[2])
		abort();
	for (const char *c = error; *c; c++)
		if ((*c < 0x20 && *c != '\t') || *c > 0x7e)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *error = NULL, *dump = NULL, *before = NULL, *after = NULL;
	struct policy policy, again;
	size_t dump_size;
	FILE *f;
	int r;

	if (size == 0)
		return 0;
	r = parse(data, size, &policy, &error);
	if (r == -EINVAL)
		check_error(error, data, size);
	else if (r != 0 || error)
		abort();
	if (r == 0) {
		f = open_memstream(&dump, &dump_size);
		if (!f || policy_dump(&policy, f) < 0)
			abort();
		fclose(f);
		if (parse(dump, dump_size, &again, &error) < 0)
			abort();
		before = policy_text(&policy);
		after = policy_text(&again);
		if (!streq(before, after))
			abort();
		policy_done(&again);
	}
	policy_done(&policy);
	return 0;
}
