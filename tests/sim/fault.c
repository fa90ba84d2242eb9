/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of faults: parsing, matching, counting.
 */
#include <fnmatch.h>

#include "fault.h"
#include "log.h"
#include "request.h"

static const char *const action_names[_FAULT_ACTION_MAX] = {
	[FAULT_NONE] = "none",
	[FAULT_ERRNO] = "errno",
	[FAULT_DELAY] = "delay",
	[FAULT_HANG] = "hang",
	[FAULT_HANG_UNINTERRUPTIBLE] = "hang-uninterruptible",
	[FAULT_VANISH] = "vanish",
	[FAULT_AFTER] = "after",
	[FAULT_SHORT] = "short",
};

static const struct {
	const char *name;
	unsigned op;
} op_names[] = {
	{ "write", FAULT_WRITE }, { "read", FAULT_READ }, { "open", FAULT_OPEN },
	{ "list", FAULT_LIST },	  { "link", FAULT_LINK }, { "any", FAULT_ANY },
};

const char *fault_action_to_string(enum fault_action action)
{
	return action < _FAULT_ACTION_MAX ? action_names[action] : "unknown";
}

const char *fault_op_to_string(enum fault_op op)
{
	for (size_t i = 0; i < ARRAY_SIZE(op_names); i++)
		if (op_names[i].op == op)
			return op_names[i].name;
	return "unknown";
}

static void fault_free(struct fault *fault)
{
	free(fault->path);
	free(fault->value);
	free(fault);
}
DEFINE_CLEANUP(struct fault *, fault_free);

static int parse_op(const char *name, unsigned *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(op_names); i++) {
		if (streq(op_names[i].name, name)) {
			*ret = op_names[i].op;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_action(const char *name, enum fault_action *ret)
{
	for (int i = FAULT_ERRNO; i < _FAULT_ACTION_MAX; i++) {
		if (streq(action_names[i], name)) {
			*ret = (enum fault_action)i;
			return 0;
		}
	}
	return -EINVAL;
}

int fault_add(struct faults *faults, struct json_object *request, unsigned *ret_id,
	      const char **ret_error)
{
	_cleanup_(fault_freep) struct fault *fault = calloc(1, sizeof(*fault));
	const char *path = request_string(request, "path", NULL);
	const char *value = request_string(request, "value", NULL);
	const char *what = request_string(request, "what", "group");
	uint64_t ms;

	if (!fault)
		return -ENOMEM;
	if (!path) {
		*ret_error = "path: a glob is wanted";
		return -EINVAL;
	}
	if (parse_op(request_string(request, "op", "write"), &fault->op) < 0) {
		*ret_error = "op: write, read, open, list, link or any is wanted";
		return -EINVAL;
	}
	if (parse_action(request_string(request, "action", ""), &fault->action) < 0) {
		*ret_error = "action: errno, delay, hang, hang-uninterruptible, vanish, after or "
			     "short is wanted";
		return -EINVAL;
	}
	if (error_from_name(request_string(request, "error", "EIO"), &fault->error) < 0) {
		*ret_error = "error: a name like EIO is wanted";
		return -EINVAL;
	}
	if (request_number(request, "nth", 1, &fault->nth) < 0 || fault->nth == 0 ||
	    request_number(request, "count", 1, &fault->count) < 0 ||
	    request_number(request, "ms", 0, &ms) < 0 || ms > 3600000) {
		*ret_error = "nth (from 1), count, ms: numbers are wanted";
		return -EINVAL;
	}
	if (!streq(what, "group") && !streq(what, "device")) {
		*ret_error = "what: group or device is wanted";
		return -EINVAL;
	}
	fault->ms = (unsigned)ms;
	fault->whole_group = streq(what, "group");
	if (startswith(path, "/sys/"))
		path += strlen("/sys/");
	fault->path = strdup(path);
	fault->value = value ? strdup(value) : NULL;
	if (!fault->path || (value && !fault->value))
		return -ENOMEM;

	/* At the end: of several that match, the oldest hits. */
	for (struct fault **p = &faults->first;; p = &(*p)->next) {
		if (!*p) {
			fault->id = *ret_id = ++faults->last_id;
			*p = TAKE_PTR(fault);
			return 0;
		}
	}
}

/* fnmatch() on the text up to its first newline. */
static bool value_matches(const char *glob, const char *value)
{
	_cleanup_free_ char *line = strndup(value, strcspn(value, "\n"));

	return line && fnmatch(glob, line, 0) == 0;
}

void fault_match(struct faults *faults, enum fault_op op, const char *path, const char *value,
		 struct fault *ret)
{
	*ret = (struct fault){ .action = FAULT_NONE };
	for (struct fault *fault = faults->first; fault; fault = fault->next) {
		if (!(fault->op & op) || fnmatch(fault->path, path, 0) != 0)
			continue;
		if (fault->value && (!value || !value_matches(fault->value, value)))
			continue;
		fault->matched++;
		if (fault->matched < fault->nth ||
		    (fault->count && fault->matched >= fault->nth + fault->count))
			continue;
		if (ret->action != FAULT_NONE)
			continue; /* counted, but an older one has hit already */
		fault->hit++;
		*ret = *fault;
	}
}

int fault_clear(struct faults *faults, unsigned id)
{
	bool found = id == 0;

	for (struct fault **p = &faults->first; *p;) {
		struct fault *fault = *p;

		if (id != 0 && fault->id != id) {
			p = &fault->next;
			continue;
		}
		*p = fault->next;
		fault_free(fault);
		found = true;
	}
	return found ? 0 : -ENOENT;
}

struct json_object *fault_list(const struct faults *faults)
{
	struct json_object *array = json_object_new_array();

	for (const struct fault *fault = faults->first; fault; fault = fault->next) {
		struct json_object *entry = json_object_new_object();

		log_add_number(entry, "fault", fault->id);
		log_add_string(entry, "path", fault->path);
		if (fault->value)
			log_add_string(entry, "value", fault->value);
		for (size_t i = 0; i < ARRAY_SIZE(op_names); i++)
			if (op_names[i].op == fault->op)
				log_add_string(entry, "op", op_names[i].name);
		log_add_string(entry, "action", fault_action_to_string(fault->action));
		if (fault->action == FAULT_ERRNO)
			log_add_error(entry, fault->error);
		log_add_number(entry, "ms", fault->ms);
		log_add_number(entry, "nth", fault->nth);
		log_add_number(entry, "count", fault->count);
		log_add_number(entry, "matched", fault->matched);
		log_add_number(entry, "hit", fault->hit);
		json_object_array_add(array, entry);
	}
	return array;
}
