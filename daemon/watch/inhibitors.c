/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inhibitors in force; see inhibitors.h. */
#include "util/escape.h"
#include "watch/inhibitors.h"
#include "watch/lease.h"

struct inhibitors {
	struct event_base *base;
	void (*over)(const struct inhibitor *inhibitor, void *userdata);
	void *userdata;
	uint64_t last_id;
	/* The same order in both: oldest first. */
	struct inhibitor *list;
	struct lease **leases;
	size_t n;
};

static void on_over(struct lease *lease, void *userdata)
{
	struct inhibitors *inhibitors = userdata;
	struct inhibitor gone;
	size_t i = 0, after;

	while (inhibitors->leases[i] != lease)
		i++;
	gone = inhibitors->list[i];
	after = --inhibitors->n - i;
	memmove(&inhibitors->list[i], &inhibitors->list[i + 1], after * sizeof(gone));
	memmove(&inhibitors->leases[i], &inhibitors->leases[i + 1], after * sizeof(lease));
	lease_free(lease);
	/* Last: it may change the list. */
	inhibitors->over(&gone, inhibitors->userdata);
}

int inhibitors_new(struct event_base *base,
		   void (*over)(const struct inhibitor *inhibitor, void *userdata), void *userdata,
		   struct inhibitors **ret)
{
	struct inhibitors *inhibitors = calloc(1, sizeof(*inhibitors));

	if (!inhibitors)
		return -ENOMEM;
	inhibitors->base = base;
	inhibitors->over = over;
	inhibitors->userdata = userdata;
	*ret = inhibitors;
	return 0;
}

void inhibitors_free(struct inhibitors *inhibitors)
{
	if (!inhibitors)
		return;
	for (size_t i = 0; i < inhibitors->n; i++)
		lease_free(inhibitors->leases[i]);
	free(inhibitors->leases);
	free(inhibitors->list);
	free(inhibitors);
}

/* Terminated, not empty, and fit for a log line as it is. */
static bool is_clean(const char *s, size_t size)
{
	char escaped[4 * RULE_TEXT_MAX];

	return *s && memchr(s, '\0', size) && streq(escape_text(s, escaped, sizeof(escaped)), s);
}

static bool has_room(const struct inhibitors *inhibitors, uint32_t uid)
{
	size_t own = 0;

	if (inhibitors->n >= INHIBITORS_MAX)
		return false;
	if (uid == 0)
		return true;
	for (size_t i = 0; i < inhibitors->n; i++)
		own += inhibitors->list[i].uid == uid;
	return own < INHIBITORS_PER_UID_MAX;
}

static int make_room(struct inhibitors *inhibitors)
{
	struct inhibitor *list;
	struct lease **leases;

	list = reallocarray(inhibitors->list, inhibitors->n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	inhibitors->list = list;
	leases = reallocarray(inhibitors->leases, inhibitors->n + 1, sizeof(*leases));
	if (!leases)
		return -ENOMEM;
	inhibitors->leases = leases;
	return 0;
}

int inhibitors_add(struct inhibitors *inhibitors, const struct inhibitor *inhibitor, int *ret_fd)
{
	struct inhibitor *added;
	int r;

	if ((unsigned)inhibitor->mode >= _INHIBIT_MODE_MAX ||
	    !is_clean(inhibitor->scope, sizeof(inhibitor->scope)) ||
	    !is_clean(inhibitor->who, sizeof(inhibitor->who)) ||
	    !is_clean(inhibitor->why, sizeof(inhibitor->why)))
		return -EINVAL;
	if (!has_room(inhibitors, inhibitor->uid))
		return -ENOBUFS;
	r = make_room(inhibitors);
	if (r < 0)
		return r;
	r = lease_new(inhibitors->base, on_over, inhibitors, &inhibitors->leases[inhibitors->n],
		      ret_fd);
	if (r < 0)
		return r;
	added = &inhibitors->list[inhibitors->n++];
	*added = *inhibitor;
	added->id = ++inhibitors->last_id;
	return 0;
}

const struct inhibitor *inhibitors_list(const struct inhibitors *inhibitors, size_t *ret_n)
{
	*ret_n = inhibitors->n;
	return inhibitors->list;
}
