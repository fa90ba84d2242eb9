/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control commands about the simulated host as a whole: fresh start, settings, state, log, and the
 * kernel modules' comings and goings.
 */
#include <sys/eventfd.h>

#include "control.h"
#include "request.h"

static int run_ping(struct sim *sim _unused_, struct json_object *request _unused_,
		    struct json_object *reply, char **ret_error _unused_)
{
	log_add_string(reply, "version", DCDD_VERSION);
	log_add_number(reply, "pid", (uint64_t)getpid());
	return 0;
}

static int parse_naming(const char *name, enum engine_naming *ret)
{
	if (streq(name, "v11"))
		*ret = ENGINE_V11;
	else if (streq(name, "v10"))
		*ret = ENGINE_V10;
	else
		return -EINVAL;
	return 0;
}

/* Refuses settings that no one knows. */
static int check_settings(struct json_object *settings, char **ret_error)
{
	const char *key;

	if (!json_object_is_type(settings, json_type_object))
		return command_error(ret_error, -EINVAL, "settings: an object is wanted");
	if (!request_has_only(
		    settings,
		    "rule_delay_ms offline_ms online_ms retry_ms uevents log_io state_attr "
		    "dax_cxl kernel_unmovable auto_online",
		    &key))
		return command_error(ret_error, -EINVAL, "settings: unknown key \"%s\"", key);
	return 0;
}

static int run_reset(struct sim *sim, struct json_object *request,
		     struct json_object *reply _unused_, char **ret_error)
{
	struct json_object *topology = NULL, *settings = NULL, *from_file = NULL;
	enum engine_naming naming = sim->naming;
	const char *name;
	int r;

	if (json_object_object_get_ex(request, "settings", &settings)) {
		r = check_settings(settings, ret_error);
		if (r < 0)
			return r;
	}
	if (json_object_object_get_ex(request, "topology", &topology)) {
		if (json_object_is_type(topology, json_type_string) &&
		    !streq(json_object_get_string(topology), "default")) {
			topology = from_file = json_object_from_file(
				json_object_get_string(topology));
			if (!topology)
				return command_error(ret_error, -EINVAL, "topology: %s",
						     json_util_get_last_err());
		}
		if (json_object_is_type(topology, json_type_object))
			(void)parse_naming(request_string(topology, "naming", ""), &naming);
	}
	name = request_string(request, "naming", NULL);
	if (name && parse_naming(name, &naming) < 0)
		r = command_error(ret_error, -EINVAL, "naming: v10 or v11 is wanted");
	else
		r = sim_reset(sim, topology, naming, settings, ret_error);
	json_object_put(from_file);
	if (r < 0)
		return r;
	(void)pthread_mutex_unlock(&sim->lock);
	r = sim_event_set(sim, true, NULL, ret_error);
	(void)pthread_mutex_lock(&sim->lock);
	return r;
}

static int set_auto_online(struct sim *sim, const char *policy, char **ret_error)
{
	int r = io_admin_write(sim, "devices/system/memory/auto_online_blocks", policy);

	return r < 0 ? command_error(ret_error, r, "auto_online: \"%s\": %s", policy, strerror(-r))
		     : 0;
}

static int set_node_used(struct sim *sim, struct json_object *used, char **ret_error)
{
	uint64_t node, bytes;
	int r;

	if (!json_object_is_type(used, json_type_object) ||
	    request_number(used, "node", 0, &node) < 0 ||
	    request_number(used, "bytes", 0, &bytes) < 0 || node > INT32_MAX)
		return command_error(ret_error, -EINVAL,
				     "node_used: {\"node\":N,\"bytes\":N} is wanted");
	r = engine_node_set_used(sim->engine, (int)node, bytes);
	return r < 0 ? command_error(ret_error, r, "node%ju: %s", (uintmax_t)node, strerror(-r))
		     : 0;
}

static int run_set(struct sim *sim, struct json_object *request, struct json_object *reply,
		   char **ret_error)
{
	struct sim_settings settings = sim->settings;
	const char *policy = request_string(request, "auto_online", NULL);
	struct json_object *used, *object;
	bool load;
	int r;

	r = settings_parse(&settings, request, ret_error);
	if (r == 0 && json_object_object_get_ex(request, "dax_cxl", NULL)) {
		if (request_bool(request, "dax_cxl", false, &load) < 0)
			return command_error(ret_error, -EINVAL,
					     "dax_cxl: true or false is wanted");
		r = engine_load_dax_cxl(sim->engine, load);
	}
	if (r == 0 && policy)
		r = set_auto_online(sim, policy, ret_error);
	if (r == 0 && json_object_object_get_ex(request, "node_used", &used))
		r = set_node_used(sim, used, ret_error);
	if (r < 0)
		return r;
	sim->settings = settings;
	sim->next_retry = USEC_INFINITY;
	object = json_object_new_object();
	log_add_number(object, "rule_delay_ms", settings.rule_delay_ms);
	log_add_number(object, "offline_ms", settings.offline_ms);
	log_add_number(object, "online_ms", settings.online_ms);
	log_add_number(object, "retry_ms", settings.retry_ms);
	log_add_bool(object, "uevents", settings.uevents);
	log_add_bool(object, "log_io", settings.log_io);
	json_object_object_add(reply, "settings", object);
	return 0;
}

static int run_state(struct sim *sim, struct json_object *request _unused_,
		     struct json_object *reply, char **ret_error _unused_)
{
	struct json_object *dump = engine_dump(sim->engine);

	if (!dump)
		return -ENOMEM;
	json_object_object_add(reply, "state", dump);
	return 0;
}

static int run_check(struct sim *sim, struct json_object *request _unused_,
		     struct json_object *reply _unused_, char **ret_error)
{
	char error[256];

	if (engine_invariants_hold(sim->engine, error, sizeof(error)))
		return 0;
	return command_error(ret_error, -EUCLEAN, "%s", error);
}

/* ---- snapshot: everything that can be read, into one number ---- */

struct snapshot {
	struct sim *sim;
	const char *dir;
	uint64_t hash;
	int depth;
};

static void snapshot_add(struct snapshot *snapshot, const void *data, size_t size)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < size; i++)
		snapshot->hash = (snapshot->hash ^ p[i]) * UINT64_C(0x100000001b3);
}

static int snapshot_entry(const char *name, const struct engine_node *node, void *userdata)
{
	struct snapshot *snapshot = userdata;
	struct engine *e = snapshot->sim->engine;
	_cleanup_free_ char *path = NULL;
	char buf[ENGINE_ATTR_MAX];
	ssize_t n = 0;

	if (asprintf(&path, "%s%s%s", snapshot->dir, snapshot->dir[0] ? "/" : "", name) < 0)
		return -ENOMEM;
	snapshot_add(snapshot, path, strlen(path) + 1);
	snapshot_add(snapshot, &node->mode, sizeof(node->mode));
	if (node->type == ENGINE_NODE_LINK) {
		n = engine_readlink(e, path, buf, sizeof(buf));
	} else if (node->type == ENGINE_NODE_ATTR) {
		n = engine_attr_read(e, path, buf, sizeof(buf));
	} else if (snapshot->depth < 32) {
		struct snapshot below = *snapshot;
		int r;

		below.dir = path;
		below.depth++;
		r = engine_readdir(e, path, snapshot_entry, &below);
		snapshot->hash = below.hash;
		return r;
	}
	if (n > 0)
		snapshot_add(snapshot, buf, (size_t)n);
	snapshot_add(snapshot, &n, sizeof(n));
	return 0;
}

static int run_snapshot(struct sim *sim, struct json_object *request, struct json_object *reply,
			char **ret_error _unused_)
{
	struct snapshot snapshot = { .sim = sim,
				     .dir = request_string(request, "path", ""),
				     .hash = UINT64_C(0xcbf29ce484222325) };
	char text[32];
	int r = engine_readdir(sim->engine, snapshot.dir, snapshot_entry, &snapshot);

	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%016jx", (uintmax_t)snapshot.hash);
	log_add_string(reply, "hash", text);
	return 0;
}

/* ---- log, violations ---- */

static int run_log(struct sim *sim, struct json_object *request, struct json_object *reply,
		   char **ret_error)
{
	const char *types = request_string(request, "types", NULL);
	uint64_t since, limit, wait_ms, next;
	struct json_object *entries;
	usec_t deadline;

	if (request_number(request, "since", 0, &since) < 0 ||
	    request_number(request, "limit", 1000000, &limit) < 0 ||
	    request_number(request, "wait_ms", 0, &wait_ms) < 0)
		return command_error(ret_error, -EINVAL,
				     "since, limit, wait_ms: numbers are wanted");
	deadline = usec_add(now_usec(CLOCK_MONOTONIC), MIN(wait_ms, 3600000U) * USEC_PER_MSEC);
	for (;;) {
		entries = log_select(&sim->log, since, types, limit, &next);
		if (json_object_array_length(entries) || sim->stopping ||
		    now_usec(CLOCK_MONOTONIC) >= deadline)
			break;
		json_object_put(entries);
		(void)sim_wait(sim, deadline);
	}
	json_object_object_add(reply, "entries", entries);
	log_add_number(reply, "next", next);
	return 0;
}

static int run_violations(struct sim *sim, struct json_object *request, struct json_object *reply,
			  char **ret_error)
{
	struct json_object *copy = NULL;
	bool ack;

	if (request_bool(request, "ack", false, &ack) < 0)
		return command_error(ret_error, -EINVAL, "ack: true or false is wanted");
	if (json_object_deep_copy(sim->violations, &copy, NULL) < 0)
		return -ENOMEM;
	json_object_object_add(reply, "violations", copy);
	if (ack)
		sim->unacknowledged = 0;
	log_add_number(reply, "unacknowledged", sim->unacknowledged);
	return 0;
}

static int run_quit(struct sim *sim, struct json_object *request _unused_,
		    struct json_object *reply _unused_, char **ret_error _unused_)
{
	sim->quit = true;
	return eventfd_write(sim->quit_fd, 1) < 0 ? -errno : 0;
}

/* ---- modules ---- */

static int run_event(struct sim *sim, struct json_object *request,
		     struct json_object *reply _unused_, char **ret_error)
{
	static const char *const fields[] = { "updated_region_index", "partition_id", "region_id" };
	const char *wanted = request_string(request, "index_field", NULL), *field = NULL;
	bool present;
	int r;

	if (request_bool(request, "present", true, &present) < 0)
		return command_error(ret_error, -EINVAL, "present: true or false is wanted");
	for (size_t i = 0; wanted && i < ARRAY_SIZE(fields); i++)
		if (streq(fields[i], wanted))
			field = fields[i];
	if (wanted && !field)
		return command_error(ret_error, -EINVAL, "index_field: unknown name");
	(void)pthread_mutex_unlock(&sim->lock);
	r = sim_event_set(sim, present, field, ret_error);
	(void)pthread_mutex_lock(&sim->lock);
	/* It comes and goes with the module that has it, and modules have uevents. */
	if (r >= 0)
		sim_uevent(sim, &(struct engine_uevent){ .action = present ? "add" : "remove",
							 .devpath = "/module/cxl_core",
							 .subsystem = "module" });
	return r;
}

static int run_region(struct sim *sim, struct json_object *request,
		      struct json_object *reply _unused_, char **ret_error)
{
	static const struct {
		const char *name;
		int (*run)(struct engine *e, const char *region);
	} actions[] = {
		{ "enable", engine_enable_region },
		{ "disable", engine_disable_region },
		{ "remove", engine_remove_region },
	};
	const char *region = request_string(request, "region", "region0");
	const char *action = request_string(request, "action", "");

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (streq(actions[i].name, action))
			return actions[i].run(sim->engine, region);
	return command_error(ret_error, -EINVAL, "action: enable, disable or remove is wanted");
}

const struct command host_commands[] = {
	{ "ping", "", false, run_ping },
	{ "reset", "topology naming settings", false, run_reset },
	{ "set",
	  "rule_delay_ms offline_ms online_ms retry_ms uevents log_io dax_cxl auto_online node_used",
	  true, run_set },
	{ "state", "", false, run_state },
	{ "check", "", false, run_check },
	{ "snapshot", "path", false, run_snapshot },
	{ "log", "since types limit wait_ms", false, run_log },
	{ "violations", "ack", false, run_violations },
	{ "quit", "", true, run_quit },
	{ "event", "present index_field", true, run_event },
	{ "region", "region action", true, run_region },
	{ .name = NULL },
};
