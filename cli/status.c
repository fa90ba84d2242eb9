/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl status: the daemon on one screen. */
#include <dcdd/release.h>

#include "cli.h"
#include "util/escape.h"

static bool is_waiting(json_object *release)
{
	return field_bool(release, "retry_wanted");
}

static bool has_failed(json_object *release)
{
	return streq(field_string(release, "state"), release_state_to_string(RELEASE_FAILED));
}

/* Adds to the document, as @key, what only the list of releases knows: those that are @wanted. */
static int add_chosen(json_object *status, const char *key, json_object *releases,
		      bool (*wanted)(json_object *release))
{
	json_object *chosen = json_object_new_array();

	if (!chosen)
		return -ENOMEM;
	for (size_t i = 0; i < json_object_array_length(releases); i++) {
		json_object *release = json_object_array_get_idx(releases, i);

		if (wanted(release) &&
		    json_object_array_add(chosen, json_object_get(release)) < 0) {
			json_object_put(chosen);
			return -ENOMEM;
		}
	}
	if (json_object_object_add(status, key, chosen) < 0) {
		json_object_put(chosen);
		return -ENOMEM;
	}
	return 0;
}

static int add_releases(json_object *status, json_object *releases)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < json_object_array_length(releases); i++)
		r = release_name_parts(json_object_array_get_idx(releases, i));
	if (r >= 0)
		r = add_chosen(status, "waiting_for_device", releases, is_waiting);
	if (r >= 0)
		r = add_chosen(status, "held", releases, release_is_held);
	return r < 0 ? r : add_chosen(status, "failed", releases, has_failed);
}

static void print_failed(json_object *status)
{
	json_object *failed;
	size_t n;

	failed = field_array(status, "failed", &n);
	if (n == 0)
		return;
	(void)printf("Failed:    %zu (!), left as it is until somebody mends it:\n", n);
	for (size_t i = 0; i < n; i++) {
		json_object *release = json_object_array_get_idx(failed, i);
		char tag[TAG_CELL_STRLEN], memdev[64], safe[TAG_CELL_STRLEN];

		(void)printf("           %s on %s, see dcdctl show %llu\n",
			     escape_text(format_tag(release, tag), safe, sizeof(safe)),
			     escape_text(field_string(release, "memdev"), memdev, sizeof(memdev)),
			     (unsigned long long)field_uint64(release, "id"));
	}
}

static void print_held(json_object *status)
{
	json_object *held;
	size_t n;

	held = field_array(status, "held", &n);
	if (n == 0)
		return;
	(void)printf("Held:      %zu, by conditions of the policy:\n", n);
	for (size_t i = 0; i < n; i++) {
		json_object *release = json_object_array_get_idx(held, i);
		char tag[TAG_CELL_STRLEN], memdev[64], safe[TAG_CELL_STRLEN], unmet[UNMET_STRLEN],
			text[UNMET_STRLEN], age[AGE_STRLEN], left[AGE_STRLEN];

		format_left(field_uint64(release, "deadline"), left);
		escape_text(release_unmet(release, unmet), text, sizeof(text));
		(void)printf("           %s on %s, for %s%s%s%s%s\n",
			     escape_text(format_tag(release, tag), safe, sizeof(safe)),
			     escape_text(field_string(release, "memdev"), memdev, sizeof(memdev)),
			     format_age(field_uint64(release, "entered"), age),
			     *left ? ", at most for another " : "", left, *text ? ": " : "", text);
	}
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
	if (field_bool(status, "dry_run"))
		(void)puts("Dry run:   it decides, and changes nothing on the host");
	(void)printf("Event:     %s:%s %s\n", DCDD_TRACE_SYSTEM, DCDD_TRACE_EVENT,
		     field_bool(status, "event_available") ? "available"
							   : "not available (no CXL dynamic "
							     "capacity driver loaded?)");
	(void)printf("Records:   %llu, lost %llu%s, undecodable %llu%s\n",
		     (unsigned long long)field_uint64(status, "records"), (unsigned long long)lost,
		     lost ? " (!)" : "", (unsigned long long)bad, bad ? " (!)" : "");
	(void)printf("Groups:    %llu, %s accepted, %s claimed",
		     (unsigned long long)field_uint64(status, "group_count"),
		     cell_size(cli, field_uint64(status, "total_bytes"), total),
		     cell_size(cli, field_uint64(status, "claimed_bytes"), claimed));
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
			     cell_size(cli, field_uint64(release, "bytes"), size),
			     format_age(field_uint64(release, "entered"), age));
	}
	print_held(status);
	print_failed(status);
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
	if (add_releases(status, releases) < 0)
		return output_no_memory();
	if (cli->json)
		return output_json(status);
	print_status(cli, status);
	return CLI_EXIT_OK;
}
