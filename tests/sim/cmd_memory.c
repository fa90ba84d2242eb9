/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control commands about what the simulated host's memory is used for: huge pages, pressure. */
#include "control.h"
#include "psi.h"
#include "request.h"

#define TRIGGERS_MAX 64

static int run_hugepages(struct sim *sim, struct json_object *request,
			 struct json_object *reply _unused_, char **ret_error)
{
	uint64_t node, size, total, free_pages;
	int r;

	if (request_number(request, "node", 0, &node) < 0 || node > INT32_MAX)
		return command_error(ret_error, -EINVAL, "node: a number is wanted");
	if (request_number(request, "size", 2 * MiB, &size) < 0)
		return command_error(ret_error, -EINVAL, "size: 2M or 1G is wanted");
	r = command_number(request, "total", &total, ret_error);
	if (r < 0)
		return r;
	if (request_number(request, "free", total, &free_pages) < 0)
		return command_error(ret_error, -EINVAL, "free: a number of pages is wanted");
	r = engine_node_set_huge_pages(sim->engine, (int)node, size, total, free_pages);
	return r < 0 ? command_error(ret_error, r, "node%ju: %s", (uintmax_t)node, strerror(-r))
		     : 0;
}

/* A percentage with up to two digits behind the point, in 1/10000; *@ret stays if it is absent. */
static int request_percent(struct json_object *request, const char *key, unsigned *ret)
{
	struct json_object *value;
	double percent;

	if (!json_object_object_get_ex(request, key, &value))
		return 0;
	if (json_object_is_type(value, json_type_string)) {
		const char *text = json_object_get_string(value);
		char *end;

		percent = strtod(text, &end);
		if (end == text || *end)
			return -EINVAL;
	} else if (json_object_is_type(value, json_type_int) ||
		   json_object_is_type(value, json_type_double)) {
		percent = json_object_get_double(value);
	} else {
		return -EINVAL;
	}
	if (!(percent >= 0 && percent <= 100))
		return -ERANGE;
	*ret = (unsigned)(percent * 100 + 0.5);
	return 0;
}

static int add_triggers(struct psi *psi, struct json_object *reply)
{
	struct json_object *array = json_object_new_array();
	struct psi_trigger list[TRIGGERS_MAX];
	size_t n = psi_triggers(psi, list, ARRAY_SIZE(list));

	if (!array)
		return -ENOMEM;
	json_object_object_add(reply, "triggers", array);
	for (size_t i = 0; i < MIN(n, ARRAY_SIZE(list)); i++) {
		struct json_object *entry = json_object_new_object();

		log_add_string(entry, "kind", list[i].kind == PSI_SOME ? "some" : "full");
		log_add_number(entry, "threshold_us", list[i].threshold_us);
		log_add_number(entry, "window_us", list[i].window_us);
		log_add_number(entry, "fired", list[i].fired);
		if (json_object_array_add(array, entry) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int run_pressure(struct sim *sim, struct json_object *request, struct json_object *reply,
			char **ret_error)
{
	unsigned averages[_PSI_KIND_MAX];
	bool fire, present;

	if (!sim->psi)
		return command_error(ret_error, -EOPNOTSUPP, "the machine's kernel has no PSI");
	psi_get(sim->psi, averages);
	if (request_percent(request, "some", &averages[PSI_SOME]) < 0 ||
	    request_percent(request, "full", &averages[PSI_FULL]) < 0)
		return command_error(ret_error, -EINVAL, "some, full: 0 to 100 is wanted");
	if (request_bool(request, "fire", true, &fire) < 0 ||
	    request_bool(request, "present", psi_is_present(sim->psi), &present) < 0)
		return command_error(ret_error, -EINVAL, "fire, present: true or false is wanted");
	psi_set_present(sim->psi, present);
	log_add_number(reply, "fired", psi_set(sim->psi, averages, fire));
	return add_triggers(sim->psi, reply);
}

const struct command memory_commands[] = {
	{ "hugepages", "node size total free", true, run_hugepages },
	{ "pressure", "some full fire present", true, run_pressure },
	{ .name = NULL },
};
