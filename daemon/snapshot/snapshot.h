/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that a decision looks at as one JSON document, for `dcdctl inventory --json` and, read back,
 * for `dcdctl policy test`: so that a policy can be tried on a host that is elsewhere.
 *
 * One object a line below its list, so that two documents can be compared line by line. Objects
 * name each other by name. Addresses and serial numbers are text, "0x…"; other numbers are numbers,
 * but any may be given as such a text, and those that not every JSON reader takes exactly (above
 * 2^53) are. What the order and the ranges of the objects tell by themselves (slices, who claims an
 * extent) is not written. Text that is not printable UTF-8 is escaped, see escape_text().
 */
#pragma once

#include <dcdd/policy.h>

#define SNAPSHOT_VERSION 1
#define SNAPSHOT_ZONE_MAX 64

struct snapshot {
	struct inventory *inventory;
	/* Of the host it was taken on, as in $TZ ("Europe/Berlin"); "" if that is not known. */
	char timezone[SNAPSHOT_ZONE_MAX];
	struct policy_facts facts; /* its arrays are the ones below */
	struct pressure_ceiling *ceilings;
	struct inhibitor *inhibitors;
	struct freed *freed;
	struct group_key *leaving;
};

/*
 * 0 and *@ret, a text with a newline at its end (caller frees); or -ENOMEM. The time zone is that
 * of this process, see snapshot_timezone().
 */
int snapshot_format(const struct inventory *inv, const struct policy_facts *facts, char **ret);

/*
 * Reads what snapshot_format() wrote, and what a person has changed in it: nothing is trusted.
 * Members it does not know are an error, those that have a sensible default may be left out. 0;
 * -EINVAL with *@ret_error saying where ("extents[3].hpa: expected …", "line 7: …" if it is no
 * JSON at all; caller frees), in one line of printable UTF-8; -ENOMEM. On error @ret holds nothing.
 */
int snapshot_parse(const char *text, size_t length, struct snapshot *ret, char **ret_error);
void snapshot_done(struct snapshot *snapshot);

/*
 * The time zone that localtime(3) uses here, by name: $TZ, else what the link @localtime
 * ("/etc/localtime") points to below .../zoneinfo/, "UTC" if there is none; "" if that does not
 * tell (no link, or a name too odd for snapshot_parse()). Returns @buf.
 */
char *snapshot_timezone(const char *localtime, char buf[static SNAPSHOT_ZONE_MAX]);

/* Whether @name may go into $TZ: it cannot make libc open anything but a zone. "" is fine. */
bool snapshot_timezone_valid(const char *name);
