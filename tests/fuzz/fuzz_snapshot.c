/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target for inventory snapshots: no input crashes the reader, an error is one printable
 * line, what is taken is sound and survives being written and read again, and deciding about it
 * comes to an end.
 */
#include "inventory/scan.h"
#include "snapshot/snapshot.h"
#include "util/escape.h"

#define GROUPS_MAX 16 /* decisions are not what this is for */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const char *error)
{
	char safe[4096];

	if (!error || !*error || strlen(error) >= sizeof(safe) / 4 ||
	    !streq(escape_text(error, safe, sizeof(safe)), error))
		abort();
}

static void decide(const struct snapshot *snapshot)
{
	const struct policy_request request = { .origin = ORIGIN_DEVICE };
	const struct inventory *inv = snapshot->inventory;
	struct policy policy;
	struct tag_group group;
	uint32_t cursor = 0;

	policy_init(&policy);
	for (unsigned i = 0; i < GROUPS_MAX && inventory_next_group(inv, &cursor, &group); i++) {
		static struct decision decision;
		_cleanup_free_ char *text = NULL;

		policy_decide(inv, &group, &policy, &snapshot->facts, &request, &decision);
		if ((unsigned)decision.verdict >= _VERDICT_MAX ||
		    decision_explain(&decision, &text) < 0)
			abort();
	}
	policy_done(&policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *error = NULL, *text = NULL, *again = NULL;
	struct snapshot snapshot, copy;
	int r;

	r = snapshot_parse((const char *)data, size, &snapshot, &error);
	if (r == -EINVAL) {
		check_error(error);
		return 0;
	}
	if (r != 0 || error || inventory_check(snapshot.inventory) != 0)
		abort();
	if (snapshot_format(snapshot.inventory, &snapshot.facts, &text) < 0 ||
	    snapshot_parse(text, strlen(text), &copy, &error) < 0 ||
	    snapshot_format(copy.inventory, &copy.facts, &again) < 0 || !streq(text, again))
		abort();
	decide(&snapshot);
	snapshot_done(&snapshot);
	snapshot_done(&copy);
	return 0;
}
