/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl status: the daemon on one screen. */
#include <dcdd/release.h>

#include "cli.h"
#include "util/escape.h"

/* Adds to the document what only the list of releases knows: which wait for their device. */
static int add_waiting(json_object *status, json_object *releases)
{
	json_object *waiting = json_object_new_array();

	if (!waiting)
		return -ENOMEM;
	for (size_t i = 0; i < json_object_array_length(releases); i++) {
		json_object *release = json_object_array_get_idx(releases, i);

		if (field_bool(release, "retry_wanted") &&
		    json_object_array_add(waiting, json_object_get(release)) < 0) {
			json_object_put(waiting);
			return -ENOMEM;
		}
	}
	if (json_object_object_add(status, "waiting_for_device", waiting) < 0) {
		json_object_put(waiting);
		return -ENOMEM;
	}
	return 0;
}

static void print_status(const struct cli *cli, json_object *status)
{
	char total[SIZE_STRLEN], claimed[SIZE_STRLEN], version[64], age[AGE_STRLEN];
	uint64_t lost = field_uint64(status, "records_lost"),
		 bad = field_uint64(status, "records_bad"),
		 scan = field_uint64(status, "last_scan");
	json_object *waiting;
	size_t n;

	(void)printf("dcdd:      %s, running\n",
		     escape_text(field_string(status, "version"), version, sizeof(version)));
	(void)printf("Event:     %s:%s %s\n", DCDD_TRACE_SYSTEM, DCDD_TRACE_EVENT,
		     field_bool(status, "event_available") ? "available"
							   : "not available (no CXL dynamic "
							     "capacity driver loaded?)");
	(void)printf("Records:   %llu, lost %llu%s, undecodable %llu%s\n",
		     (unsigned long long)field_uint64(status, "records"), (unsigned long long)lost,
		     lost ? " (!)" : "", (unsigned long long)bad, bad ? " (!)" : "");
	(void)printf("Groups:    %llu, %s accepted, %s claimed",
		     (unsigned long long)field_uint64(status, "group_count"),
		     format_size(cli, field_uint64(status, "total_bytes"), total),
		     format_size(cli, field_uint64(status, "claimed_bytes"), claimed));
	if (scan)
		(void)printf(" (as of %s ago)\n", format_age(scan, age));
	else
		(void)printf(" (not scanned yet)\n");
	waiting = field_array(status, "waiting_for_device", &n);
	(void)printf("Releases:  %llu live, %zu free and waiting for the device to ask again\n",
		     (unsigned long long)field_uint64(status, "release_count"), n);
	for (size_t i = 0; i < n; i++) {
		json_object *release = json_object_array_get_idx(waiting, i);
		char tag[TAG_CELL_STRLEN], size[SIZE_STRLEN], memdev[64], safe[TAG_CELL_STRLEN];

		(void)printf("           %s on %s, %s, since %s\n",
			     escape_text(format_tag(release, tag), safe, sizeof(safe)),
			     escape_text(field_string(release, "memdev"), memdev, sizeof(memdev)),
			     format_size(cli, field_uint64(release, "bytes"), size),
			     format_age(field_uint64(release, "entered"), age));
	}
}

int verb_status(struct cli *cli)
{
	_cleanup_json_ json_object *status = NULL, *releases = NULL;
	int r;

	r = client_call(cli, "org.freedesktop.DBus.Properties", "GetAll", DCDD_INTERFACE_MANAGER,
			&status);
	if (r == CLI_EXIT_OK)
		r = client_call(cli, DCDD_INTERFACE_MANAGER, "ListReleases", NULL, &releases);
	if (r != CLI_EXIT_OK)
		return r;
	if (!json_object_is_type(status, json_type_object) ||
	    !json_object_is_type(releases, json_type_array))
		return output_unusable();
	if (add_waiting(status, releases) < 0)
		return output_no_memory();
	if (cli->json)
		return output_json(status);
	print_status(cli, status);
	return CLI_EXIT_OK;
}
