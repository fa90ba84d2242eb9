/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of objects, as a table or as JSON. */
#include <dcdd/names.h>

#include "cli.h"

static bool is_wanted(const struct cli *cli, const struct listing *listing, json_object *object)
{
	if (cli->tag)
		return streq(field_string(object, "tag"), cli->tag);
	return !listing->wanted || listing->wanted(cli, object);
}

static json_object *choose(const struct cli *cli, const struct listing *listing, json_object *all)
{
	_cleanup_json_ json_object *chosen = json_object_new_array();

	for (size_t i = 0; chosen && i < json_object_array_length(all); i++) {
		json_object *object = json_object_array_get_idx(all, i);

		if (!is_wanted(cli, listing, object))
			continue;
		if ((listing->prepare && listing->prepare(object) < 0) ||
		    json_object_array_add(chosen, json_object_get(object)) < 0)
			return NULL;
	}
	return TAKE_PTR(chosen);
}

int list_run(struct cli *cli, const struct listing *listing)
{
	_cleanup_json_ json_object *all = NULL, *chosen = NULL;
	_cleanup_(table_freep) struct table *table = NULL;
	int r;

	r = client_call(cli, DCDD_INTERFACE_MANAGER, listing->method, NULL, &all);
	if (r != CLI_EXIT_OK)
		return r;
	if (!json_object_is_type(all, json_type_array))
		return output_unusable();
	chosen = choose(cli, listing, all);
	if (!chosen)
		return output_no_memory();
	if (cli->tag && json_object_array_length(chosen) == 0) {
		(void)fprintf(stderr, "dcdctl: %s %s\n", listing->none, cli->tag);
		return CLI_EXIT_NO_SUCH_OBJECT;
	}
	if (cli->json)
		return output_json(chosen);

	table = table_new(cli, listing->columns, listing->n_columns);
	if (!table)
		return output_no_memory();
	for (size_t i = 0; i < json_object_array_length(chosen); i++)
		if (listing->add(cli, table, json_object_array_get_idx(chosen, i)) < 0)
			return output_no_memory();
	return table_print(table);
}
