/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The time zone by name: windows in local time mean the time of the host that the snapshot is of,
 * not of the one where a policy is tried.
 */
#include <limits.h>

#include "snapshot/snapshot.h"

bool snapshot_timezone_valid(const char *name)
{
	/* As in tzset(3): names below zoneinfo/, and POSIX' "CET-1CEST,M3.5.0,M10.5.0/3". */
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_+-/,.<>:";

	if (name[0] == '/' || name[0] == '.' || name[0] == ':' || strstr(name, ".."))
		return false;
	return strlen(name) < SNAPSHOT_ZONE_MAX && name[strspn(name, allowed)] == '\0';
}

char *snapshot_timezone(const char *localtime, char buf[static SNAPSHOT_ZONE_MAX])
{
	static const char zoneinfo[] = "/zoneinfo/";
	const char *name = getenv("TZ");
	char target[PATH_MAX];

	if (name && *name == ':')
		name++;
	if (name && *name == '\0')
		name = "UTC";
	if (!name) {
		ssize_t n = readlink(localtime, target, sizeof(target) - 1);

		if (n < 0) {
			name = errno == ENOENT ? "UTC" : "";
		} else {
			target[n] = '\0';
			name = strstr(target, zoneinfo);
			name = name ? name + strlen(zoneinfo) : "";
		}
	}
	if (!snapshot_timezone_valid(name))
		name = "";
	(void)str_copy(buf, SNAPSHOT_ZONE_MAX, name);
	return buf;
}
