/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator's object: building a fresh host, and what follows every change of it - /dev,
 * uevents, log, violations, waking who waits.
 */
#include <sys/eventfd.h>

#include "request.h"
#include "sim.h"
#include "uevent.h"

/* A uevent that the engine has asked for; sent when /dev is as the receiver will expect it. */
struct sim_pending {
	struct sim_pending *next;
	char *action, *devpath, *subsystem;
	char **env;
	size_t n_env;
};

static void pending_free(struct sim_pending *pending)
{
	for (size_t i = 0; i < pending->n_env; i++)
		free(pending->env[i]);
	free(pending->env);
	free(pending->action);
	free(pending->devpath);
	free(pending->subsystem);
	free(pending);
}

/* For what cannot be undone any more: the simulator is a test tool, it ends. */
static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "dcdsim: out of memory\n");
		abort();
	}
	return p;
}

/* ---- what the engine tells ---- */

static usec_t on_now(void *userdata _unused_)
{
	return now_usec(CLOCK_MONOTONIC);
}

void sim_uevent(struct sim *sim, const struct engine_uevent *event)
{
	struct sim_pending *pending = must(calloc(1, sizeof(*pending)));
	struct json_object *entry;

	pending->action = must(strdup(event->action));
	pending->devpath = must(strdup(event->devpath));
	pending->subsystem = must(strdup(event->subsystem));
	pending->env = must(calloc(event->n_env + 1, sizeof(*pending->env)));
	for (size_t i = 0; i < event->n_env; i++)
		pending->env[pending->n_env++] = must(strdup(event->env[i]));
	*sim->pending_tail = pending;
	sim->pending_tail = &pending->next;

	entry = log_entry(&sim->log, "uevent");
	log_add_string(entry, "action", event->action);
	log_add_string(entry, "devpath", event->devpath);
	log_add_string(entry, "subsystem", event->subsystem);
}

static void on_uevent(const struct engine_uevent *event, void *userdata)
{
	sim_uevent(userdata, event);
}

static void on_kmsg(const char *line, void *userdata)
{
	struct sim *sim = userdata;

	log_add_string(log_entry(&sim->log, "kernel"), "message", line);
}

static void on_violation(const char *message, void *userdata)
{
	struct sim *sim = userdata;

	log_add_string(log_entry(&sim->log, "violation"), "message", message);
	json_object_array_add(sim->violations, must(json_object_new_string(message)));
	sim->unacknowledged++;
	fprintf(stderr, "dcdsim: VIOLATION: %s\n", message);
}

static void on_trace(const struct engine_record *record, void *userdata)
{
	const struct dc_event *event = &record->event;
	struct sim *sim = userdata;
	struct probe_record *probe = must(calloc(1, sizeof(*probe)));
	struct json_object *entry;
	char tag[TAG_STRLEN + 1];

	/* Logged first: nobody can have seen it before it is in the log. */
	entry = log_entry(&sim->log, "record");
	log_add_number(entry, "event_type", event->type);
	log_add_string(entry, "memdev", event->memdev);
	log_add_string(entry, "tag", tag_format(&event->tag, tag));
	log_add_number(entry, "dpa", event->dpa.start);
	log_add_number(entry, "length", event->dpa.length);

	record_fill(probe, event);
	probe_emit(probe);
	free(probe);
}

static const struct engine_ops ops = {
	.now = on_now,
	.uevent = on_uevent,
	.kmsg = on_kmsg,
	.violation = on_violation,
	.trace = on_trace,
};

/* ---- after a change ---- */

/* Reads the attribute @file of dax device @name as text without its newline, "" if it is gone. */
static void read_attribute(struct sim *sim, const char *name, const char *file, char *ret,
			   size_t size)
{
	char buf[ENGINE_ATTR_MAX];
	char path[DEV_NAME_MAX * 2 + 32];
	ssize_t n;

	snprintf(path, sizeof(path), "bus/dax/devices/%s/%s", name, file);
	n = engine_attr_read(sim->engine, path, buf, sizeof(buf));
	if (n < 0)
		n = 0;
	if ((size_t)n >= size)
		n = (ssize_t)size - 1;
	memcpy(ret, buf, (size_t)n);
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

/* Makes /dev/@name what the tree says: a file of the device's size while it can be used. */
static void dev_follow(struct sim *sim, const char *name)
{
	char path[DEV_NAME_MAX + 32], target[256], size[32] = "0";
	struct engine_node node;
	const char *driver;
	ssize_t n;
	int r;

	snprintf(path, sizeof(path), "bus/dax/devices/%s", name);
	if (engine_lookup(sim->engine, path, &node) < 0) {
		host_dev_remove(&sim->host, name);
		return;
	}
	snprintf(path, sizeof(path), "bus/dax/devices/%s/driver", name);
	n = engine_readlink(sim->engine, path, target, sizeof(target));
	driver = n > 0 ? strrchr(target, '/') : NULL;
	if (driver && (streq(driver, "/device_dax") || streq(driver, "/fsdev_dax")))
		read_attribute(sim, name, "size", size, sizeof(size));
	r = host_dev_set(&sim->host, name, strtoull(size, NULL, 10));
	if (r < 0)
		fprintf(stderr, "dcdsim: /dev/%s: %s\n", name, strerror(-r));
}

void sim_settle(struct sim *sim)
{
	while (sim->pending) {
		struct sim_pending *pending = sim->pending;
		const char *name = strrchr(pending->devpath, '/');
		int r = 0;

		sim->pending = pending->next;
		if (!sim->pending)
			sim->pending_tail = &sim->pending;
		if (name && streq(pending->subsystem, "dax") && startswith(name, "/dax"))
			dev_follow(sim, name + 1);
		if (sim->settings.uevents && sim->host.uevents >= 0)
			r = uevent_send(sim->host.uevents, pending->action, pending->devpath,
					pending->subsystem, (const char *const *)pending->env,
					pending->n_env);
		if (r < 0)
			fprintf(stderr, "dcdsim: uevent %s@%s: %s\n", pending->action,
				pending->devpath, strerror(-r));
		pending_free(pending);
	}
	(void)pthread_cond_broadcast(&sim->changed);
}

int sim_wait(struct sim *sim, usec_t deadline)
{
	struct timespec ts = { .tv_sec = (time_t)(deadline / USEC_PER_SEC),
			       .tv_nsec = (long)(deadline % USEC_PER_SEC) * 1000 };

	if (deadline == USEC_INFINITY)
		return -pthread_cond_wait(&sim->changed, &sim->lock);
	return -pthread_cond_timedwait(&sim->changed, &sim->lock, &ts);
}

/* ---- a fresh host ---- */

static void settings_init(struct sim_settings *settings)
{
	*settings = (struct sim_settings){ .uevents = true };
}

int settings_parse(struct sim_settings *settings, struct json_object *object, char **ret_error)
{
	const struct {
		const char *key;
		unsigned *value;
	} numbers[] = {
		{ "rule_delay_ms", &settings->rule_delay_ms },
		{ "offline_ms", &settings->offline_ms },
		{ "online_ms", &settings->online_ms },
		{ "retry_ms", &settings->retry_ms },
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t value;

		if (request_number(object, numbers[i].key, *numbers[i].value, &value) < 0 ||
		    value > 3600000) {
			if (asprintf(ret_error, "%s: milliseconds are wanted", numbers[i].key) < 0)
				*ret_error = NULL;
			return -EINVAL;
		}
		*numbers[i].value = (unsigned)value;
	}
	if (request_bool(object, "uevents", settings->uevents, &settings->uevents) < 0 ||
	    request_bool(object, "log_io", settings->log_io, &settings->log_io) < 0) {
		*ret_error = strdup("uevents, log_io: true or false is wanted");
		return -EINVAL;
	}
	return 0;
}

/* Reads a setting that may be absent: -1 then. */
static int optional_bool(struct json_object *settings, const char *key, int *ret)
{
	bool value;

	*ret = -1;
	if (!settings || !json_object_object_get_ex(settings, key, NULL))
		return 0;
	if (request_bool(settings, key, false, &value) < 0)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int follow_device(const char *name, const struct engine_node *node _unused_, void *userdata)
{
	dev_follow(userdata, name);
	return 0;
}

static int forget_device(const char *name, const struct engine_node *node _unused_, void *userdata)
{
	struct sim *sim = userdata;

	host_dev_remove(&sim->host, name);
	return 0;
}

/* The nodes that libcxl wants to see before it believes in a memdev. */
static void memdevs_follow(struct sim *sim)
{
	for (unsigned i = 0; i < sim->n_memdevs; i++) {
		char name[DEV_NAME_MAX], path[DEV_NAME_MAX + 32], buf[ENGINE_ATTR_MAX + 1];
		unsigned major, minor;
		ssize_t n;
		int r;

		snprintf(name, sizeof(name), "mem%u", i);
		snprintf(path, sizeof(path), "bus/cxl/devices/%s/dev", name);
		n = engine_attr_read(sim->engine, path, buf, sizeof(buf) - 1);
		buf[n > 0 ? n : 0] = '\0';
		if (sscanf(buf, "%u:%u", &major, &minor) != 2)
			continue;
		r = host_dev_memdev(&sim->host, name, major, minor);
		if (r < 0)
			fprintf(stderr, "dcdsim: /dev/cxl/%s: %s\n", name, strerror(-r));
	}
}

int sim_reset(struct sim *sim, struct json_object *topology, enum engine_naming naming,
	      struct json_object *settings, char **ret_error)
{
	struct topology_options options = { .naming = naming };
	bool built_in = topology && json_object_is_type(topology, json_type_string);
	struct engine *e = NULL, *old = sim->engine;
	struct sim_settings fresh;
	unsigned n_memdevs;
	int r;

	settings_init(&fresh);
	options.auto_online = settings ? request_string(settings, "auto_online", NULL) : NULL;
	if (optional_bool(settings, "state_attr", &options.state_attr) < 0 ||
	    optional_bool(settings, "dax_cxl", &options.dax_cxl) < 0 ||
	    optional_bool(settings, "kernel_unmovable", &options.kernel_unmovable) < 0) {
		*ret_error = strdup("settings: true or false is wanted");
		return -EINVAL;
	}
	if (settings) {
		r = settings_parse(&fresh, settings, ret_error);
		if (r < 0)
			return r;
	}
	if (!topology)
		topology = sim->topology;
	r = topology_build(built_in ? NULL : topology, &options, &ops, sim, &e, &n_memdevs,
			   ret_error);
	/* What came up with the machine was there before anybody listened. */
	while (sim->pending) {
		struct sim_pending *pending = sim->pending;

		sim->pending = pending->next;
		pending_free(pending);
	}
	sim->pending_tail = &sim->pending;
	if (r < 0)
		return r;

	if (old)
		(void)engine_readdir(old, "bus/dax/devices", forget_device, sim);
	engine_free(old);
	sim->engine = e;
	sim->n_memdevs = n_memdevs;
	sim->naming = naming;
	if (built_in) {
		json_object_put(sim->topology);
		sim->topology = NULL;
	} else if (topology != sim->topology) {
		json_object_put(sim->topology);
		sim->topology = json_object_get(topology);
	}
	sim->settings = fresh;
	sim->generation++;
	sim->handled = sim->queued;
	if (sim->psi) {
		psi_set_present(sim->psi, true);
		(void)psi_set(sim->psi, (const unsigned[_PSI_KIND_MAX]){ 0 }, false);
	}
	sim->next_retry = USEC_INFINITY;
	(void)fault_clear(&sim->faults, 0);
	log_clear(&sim->log);
	json_object_put(sim->violations);
	sim->violations = must(json_object_new_array());
	memdevs_follow(sim);
	(void)engine_readdir(e, "bus/dax/devices", follow_device, sim);
	sim_settle(sim);
	return 0;
}

int sim_event_set(struct sim *sim, bool present, const char *index_field, char **ret_error)
{
	struct probe_names names;
	bool v10;
	int r = 0;

	(void)pthread_mutex_lock(&sim->lock);
	v10 = sim->naming == ENGINE_V10;
	(void)pthread_mutex_unlock(&sim->lock);

	(void)pthread_mutex_lock(&sim->probe_lock);
	names.tag = v10 ? "tag" : "uuid";
	names.index = index_field ? index_field : v10 ? "partition_id" : "updated_region_index";
	/* Redefining takes the event from its subscribers: only if something is different. */
	if (sim->event_present &&
	    (!present || !streq(names.index, sim->index_field) || names.tag != sim->tag_field)) {
		r = probe_remove(sim->host.trace);
		if (r < 0 &&
		    asprintf(ret_error, "cannot remove the trace event: %s", strerror(-r)) < 0)
			*ret_error = NULL;
		sim->event_present = r < 0;
	}
	if (r == 0 && present && !sim->event_present) {
		r = probe_define(sim->host.trace, &names, ret_error);
		sim->event_present = r == 0;
		sim->index_field = names.index;
		sim->tag_field = names.tag;
	}
	(void)pthread_mutex_unlock(&sim->probe_lock);
	return r;
}

int sim_init(struct sim *sim)
{
	pthread_condattr_t attributes;
	int r;

	*sim = (struct sim){ .next_retry = USEC_INFINITY, .quit_fd = -EBADF };
	sim->pending_tail = &sim->pending;
	settings_init(&sim->settings);
	r = log_init(&sim->log);
	if (r < 0)
		return r;
	sim->violations = must(json_object_new_array());
	(void)pthread_mutex_init(&sim->lock, NULL);
	(void)pthread_mutex_init(&sim->probe_lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&sim->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	sim->quit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return sim->quit_fd < 0 ? -errno : 0;
}

void sim_stop(struct sim *sim)
{
	(void)pthread_mutex_lock(&sim->lock);
	sim->stopping = true;
	(void)pthread_cond_broadcast(&sim->changed);
	(void)pthread_mutex_unlock(&sim->lock);
}

void sim_done(struct sim *sim)
{
	engine_free(sim->engine);
	while (sim->pending) {
		struct sim_pending *pending = sim->pending;

		sim->pending = pending->next;
		pending_free(pending);
	}
	(void)fault_clear(&sim->faults, 0);
	log_done(&sim->log);
	json_object_put(sim->violations);
	json_object_put(sim->topology);
	(void)pthread_cond_destroy(&sim->changed);
	(void)pthread_mutex_destroy(&sim->probe_lock);
	(void)pthread_mutex_destroy(&sim->lock);
	sim->quit_fd = safe_close(sim->quit_fd);
}
