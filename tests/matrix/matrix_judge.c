/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checker: what a case left, by the simulator's own knowledge of the host, against what the
 * daemon says of it.
 */
#include <dcdd/release.h>

#include "matrix_internal.h"

#define GRANT_SECONDS 10
/* The group's device while it is bound; what it has left to do for a journal that is done with. */
#define JOURNAL_SECONDS 5

/* ---- one object at a time ---- */

/* Element of array @list whose @key is @value. */
static struct json_object *find(struct json_object *list, const char *key, const char *value)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *element = json_object_array_get_idx(list, i);

		if (streq(json_object_get_string(member(element, key)), value))
			return element;
	}
	return NULL;
}

static struct json_object *devices_of(struct json_object *state)
{
	return member(json_object_array_get_idx(member(state, "regions"), 0), "devices");
}

/* "online in movable", "offline", "absent": as plan_difference_text() has it. */
static void block_text(struct json_object *block, char *ret, size_t size)
{
	const char *state = block ? member_string(block, "state") : "absent";

	if (streq(state, "online"))
		(void)snprintf(ret, size, "online in %s",
			       streq(member_string(block, "zone"), "Movable") ? "movable"
									      : "kernel");
	else
		(void)snprintf(ret, size, "%s", state);
}

/* ---- what really differs ---- */

struct truth {
	struct {
		char object[DEV_NAME_MAX];
		char have[96];
		bool said;
	} items[4 * MATRIX_N_BLOCKS];
	size_t n;
};

static void differs(struct matrix *m, struct truth *truth, const char *object, const char *have)
{
	if (truth->n == ARRAY_SIZE(truth->items))
		scenario_fail(m->s, "too many differences");
	(void)str_copy(truth->items[truth->n].object, DEV_NAME_MAX, object);
	(void)str_copy(truth->items[truth->n++].have, sizeof(truth->items[0].have), have);
}

/* Whether the device itself is there with its claim; what is missing of it is added to @truth. */
static bool device_differs(struct matrix *m, struct json_object *now, struct truth *truth)
{
	struct json_object *was = find(devices_of(m->state_before), "name", MATRIX_DEVICE);
	struct json_object *device = find(devices_of(now), "uuid", MATRIX_TAG);
	struct json_object *named = find(devices_of(now), "name", MATRIX_DEVICE);
	const char *driver;
	char text[96];

	if (!device) {
		differs(m, truth, MATRIX_DEVICE, named ? "claims nothing" : "destroyed");
		if (!named)
			return true;
		device = named;
	}
	driver = member_string(device, "driver");
	if (!streq(driver, member_string(was, "driver"))) {
		(void)snprintf(text, sizeof(text), "bound to %s", *driver ? driver : "no driver");
		differs(m, truth, member_string(device, "name"), text);
	}
	return false;
}

static void blocks_differ(struct matrix *m, struct json_object *now, struct truth *truth)
{
	struct json_object *before = member(m->state_before, "blocks");
	char number[24], object[DEV_NAME_MAX], want[96], have[96];

	for (unsigned i = 0; i < MATRIX_N_BLOCKS; i++) {
		struct json_object *was;

		(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)matrix_block(i));
		was = find(before, "number", number);
		if (!was)
			continue; /* not system RAM */
		block_text(was, want, sizeof(want));
		block_text(find(member(now, "blocks"), "number", number), have, sizeof(have));
		if (streq(want, have))
			continue;
		(void)snprintf(object, sizeof(object), "memory%s", number);
		differs(m, truth, object, have);
	}
}

/*
 * Whether the list says what differs, all of it and nothing else. 0, or -EBADMSG and why. A device
 * that is gone stands for its blocks.
 */
static int check_list(struct matrix *m, struct json_object *now, struct json_object *list,
		      char *why, size_t size)
{
	struct truth truth = { .n = 0 };

	if (!device_differs(m, now, &truth))
		blocks_differ(m, now, &truth);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		const char *object = json_object_get_string(json_object_array_get_idx(entry, 0));
		const char *have = json_object_get_string(json_object_array_get_idx(entry, 1));
		size_t k = 0;

		while (k < truth.n &&
		       (truth.items[k].said || !streq(truth.items[k].object, object) ||
			!streq(truth.items[k].have, have)))
			k++;
		if (k == truth.n) {
			(void)snprintf(why, size, "it says that %s is \"%s\", which is not so",
				       object, have);
			return -EBADMSG;
		}
		truth.items[k].said = true;
	}
	for (size_t k = 0; k < truth.n; k++) {
		if (truth.items[k].said)
			continue;
		(void)snprintf(why, size, "it does not say that %s is \"%s\"",
			       truth.items[k].object, truth.items[k].have);
		return -EBADMSG;
	}
	if (truth.n == 0)
		(void)snprintf(why, size, "it says failed, and nothing differs");
	return truth.n == 0 ? -EBADMSG : 0;
}

/* The commands it gives, as an admin would type them, in their order. */
static void mend(struct matrix *m, struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		const char *line = json_object_get_string(json_object_array_get_idx(entry, 3));

		if (*line)
			(void)command(m->s, NULL, "%s", line);
	}
}

/* ---- the ends ---- */

static void half(struct matrix *m, const char *state, const char *reason, const char *why)
{
	matrix_count(m, MATRIX_HALF, "the daemon says %s (%s): %s", state, reason, why);
}

/* What the deletion of the group's device leaves different, and, if it could not be deleted, that.
 */
#define EXCEPT_DELETED HOST_YOUNGEST, "sys.hash = *"
#define EXCEPT_DEVICE "*devices[[]dax0.1]*" /* MATRIX_DEVICE */
/* What the kernel believes of the device; it cannot be set when the blocks are online already. */
#define EXCEPT_STATE "*devices[[]dax0.1].state = *"
static const char *const state_except[] = { EXCEPT_STATE, "sys.hash = *", NULL };
static const char *const free_except[] = { EXCEPT_DELETED, NULL };
static const char *const left_except[] = { EXCEPT_DELETED, EXCEPT_DEVICE, NULL };

/* The host is free: the device asks again and gets it, and nothing else has changed. */
static void judge_free(struct matrix *m, const char *state, const char *reason,
		       const char *const *except)
{
	bool says = *state && (streq(state, "ready") || streq(state, "released"));
	usec_t deadline = deadline_in(GRANT_SECONDS);
	const struct host *now;
	int r;

	if (*state && !says) {
		half(m, state, reason, "but the group is free");
		return;
	}
	if (streq(state, "released")) {
		half(m, state, reason, "but the device did not ask again, the extents are there");
		return;
	}
	r = sim_release(m->s, "mem0", MATRIX_TAG);
	if (r < 0) {
		half(m, state, reason, strerrorname_np(-r));
		return;
	}
	now = host_save_quick(m->s);
	if (host_compare_except(m->empty, now, except, true) > 0) {
		half(m, state, reason, "released, the host is not as before the capacity came");
		return;
	}
	while (says && daemon_alive(m->s)) {
		_cleanup_json_ struct json_object *release = release_find(m->s, MATRIX_TAG);

		if (release && streq(member_string(release, "State"), "released"))
			break;
		if (deadline_passed(deadline)) {
			half(m, state, reason, "but the device's second request is not noticed");
			return;
		}
	}
	matrix_count(m, MATRIX_FREE, "%s", "");
}

/* Journals of a group that is whole are gone; soon, for they go behind the change of state. */
static bool journals_are_gone(struct matrix *m)
{
	usec_t deadline = deadline_in(JOURNAL_SECONDS);

	if (!daemon_alive(m->s))
		return true;
	while (matrix_state_files(m, "") > 0)
		if (deadline_passed(deadline))
			return false;
	return true;
}

static void judge_failed(struct matrix *m, struct json_object *state, struct json_object *release)
{
	struct json_object *list = member(release, "Leftovers");
	const char *reason = member_string(release, "Reason");
	char why[512];

	if (check_list(m, state, list, why, sizeof(why)) < 0) {
		half(m, "failed", reason, why);
		return;
	}
	if (matrix_state_files(m, ".undo") == 0) {
		half(m, "failed", reason, "and there is no journal for the next daemon");
		return;
	}
	sim_fault_clear(m->s);
	mend(m, list);
	if (!m->unmendable && host_compare(m->before, host_save_quick(m->s), true) > 0)
		half(m, "failed", reason, "and its commands do not mend it");
	else
		matrix_count(m, MATRIX_FAILED, "%s", "");
}

static bool is_same(const struct host *a, const struct host *b, const char *const *except)
{
	return a && host_compare_except(a, b, except, false) == 0;
}

static void judge_host(struct matrix *m, struct json_object *release)
{
	_cleanup_json_ struct json_object *reply = sim_do(m->s, "{'cmd':'state'}");
	const char *state = release ? member_string(release, "State") : "";
	const char *reason = release ? member_string(release, "Reason") : "";
	const struct host *now = host_save_quick(m->s);

	if (streq(state, "failed")) {
		judge_failed(m, member(reply, "state"), release);
		return;
	}
	sim_fault_clear(m->s);
	if (!journals_are_gone(m)) {
		half(m, state, reason, "and its journal is still there");
	} else if (is_same(m->before, now, NULL) ||
		   /* Nothing that is in use depends on it, but it has to be mentioned. */
		   (strstr(reason, MATRIX_DEVICE "/state says") &&
		    is_same(m->before, now, state_except))) {
		if (streq(state, "ready") || streq(state, "released") || streq(state, "vanished"))
			half(m, state, reason, "but the host is as before");
		else
			matrix_count(m, MATRIX_AS_BEFORE, "%s", "");
	} else if (is_same(m->unclaimed, now, free_except)) {
		judge_free(m, state, reason, free_except);
	} else if (strstr(reason, MATRIX_DEVICE) && is_same(m->unclaimed, now, left_except)) {
		/* An empty device harms nobody, but has to be mentioned. */
		judge_free(m, state, reason, left_except);
	} else {
		printf("before, and now:\n");
		(void)host_compare(m->before, now, true);
		half(m, state, reason, "the host is neither free nor as before");
	}
}

void matrix_judge(struct matrix *m)
{
	_cleanup_json_ struct json_object *release = NULL;

	sim_ok(m->s, "{'cmd':'check'}");
	if (daemon_alive(m->s))
		release = release_find(m->s, MATRIX_TAG);
	judge_host(m, release);
}

void matrix_unmendable(struct matrix *m)
{
	m->unmendable = true;
}
