/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl inventory: the daemon's snapshot as it is. It has no other form than JSON. */
#include "cli.h"

/* Made by the daemon without a control character; whatever answered, a terminal is safe from it. */
static bool is_document(json_object *snapshot)
{
	if (!json_object_is_type(snapshot, json_type_string))
		return false;
	for (const char *c = json_object_get_string(snapshot); *c; c++)
		if (((unsigned char)*c < 0x20 && *c != '\n') || *c == 0x7f)
			return false;
	return true;
}

int verb_inventory(struct cli *cli)
{
	_cleanup_json_ json_object *snapshot = NULL;
	int status;

	status = client_call(cli, DCDD_INTERFACE_MANAGER, "Snapshot", NULL, &snapshot);
	if (status != CLI_EXIT_OK)
		return status;
	if (!is_document(snapshot))
		return output_unusable();
	/* run_verb() looks whether it could be written. */
	(void)fputs(json_object_get_string(snapshot), stdout);
	return CLI_EXIT_OK;
}
