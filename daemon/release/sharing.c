/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the add records say about sharing, by memdev and tag; see sharing.h. */
#include "sharing.h"

struct known_group {
	char memdev[DEV_NAME_MAX];
	struct tag tag;
	usec_t recorded;   /* the last record */
	uint64_t zero_dpa; /* of the first extent with number 0 */
	bool zero, zeros;  /* there was one; there were several */
	bool numbered;	   /* one had a higher number */
	bool settled;	   /* its extents were there after the last record */
	bool present;	   /* in the inventory that is being annotated */
};

struct sharing {
	struct known_group *groups; /* sorted by memdev, then tag */
	size_t n, room;
};

int sharing_new(struct sharing **ret)
{
	struct sharing *sharing = calloc(1, sizeof(*sharing));

	if (!sharing)
		return -ENOMEM;
	*ret = sharing;
	return 0;
}

void sharing_free(struct sharing *sharing)
{
	if (!sharing)
		return;
	free(sharing->groups);
	free(sharing);
}

/* Where the group is, or would be: *@ret_found says which. */
static size_t find(const struct sharing *sharing, const char *memdev, const struct tag *tag,
		   bool *ret_found)
{
	size_t first = 0, end = sharing->n;

	while (first < end) {
		size_t middle = first + (end - first) / 2;
		const struct known_group *g = &sharing->groups[middle];
		int order = strcmp(g->memdev, memdev);

		order = order ? order : tag_compare(&g->tag, tag);
		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			first = middle + 1;
		else
			end = middle;
	}
	*ret_found = false;
	return first;
}

static void forget(struct sharing *sharing, size_t index)
{
	sharing->n--;
	memmove(&sharing->groups[index], &sharing->groups[index + 1],
		(sharing->n - index) * sizeof(*sharing->groups));
}

static void forget_oldest(struct sharing *sharing)
{
	size_t oldest = 0;

	for (size_t i = 1; i < sharing->n; i++)
		if (sharing->groups[i].recorded < sharing->groups[oldest].recorded)
			oldest = i;
	forget(sharing, oldest);
}

/* The entry for the group, made if there is none. NULL: no memory. */
static struct known_group *get_group(struct sharing *sharing, const char *memdev,
				     const struct tag *tag)
{
	struct known_group *g;
	bool found;
	size_t at = find(sharing, memdev, tag, &found);

	if (found)
		return &sharing->groups[at];
	if (sharing->n == SHARING_MAX) {
		forget_oldest(sharing);
		at = find(sharing, memdev, tag, &found);
	}
	if (sharing->n == sharing->room) {
		size_t room = sharing->room ? 2 * sharing->room : 16;

		g = reallocarray(sharing->groups, room, sizeof(*g));
		if (!g)
			return NULL;
		sharing->groups = g;
		sharing->room = room;
	}
	g = &sharing->groups[at];
	memmove(g + 1, g, (sharing->n - at) * sizeof(*g));
	sharing->n++;
	memset(g, 0, sizeof(*g));
	(void)str_copy(g->memdev, sizeof(g->memdev), memdev);
	g->tag = *tag;
	return g;
}

void sharing_record(struct sharing *sharing, const struct dc_event *event)
{
	struct known_group *g;

	if (event->type != DC_EVENT_ADD || tag_is_null(&event->tag))
		return;
	g = get_group(sharing, event->memdev, &event->tag);
	if (!g) /* then it is not known, which is the safe side */
		return;
	/*
	 * The tag was given back and is there again, or it is still there and the kernel refuses
	 * this. Which of both is not known: what was a sign that it is not shared counts no more.
	 */
	if (g->settled)
		g->zero = g->zeros = g->settled = false;
	g->recorded = event->traced;
	if (event->sequence > 0) {
		g->numbered = true;
	} else if (!g->zero) {
		g->zero = true;
		g->zero_dpa = event->dpa.start;
	} else if (event->dpa.start != g->zero_dpa) {
		g->zeros = true;
	}
}

static int32_t group_sharable(const struct known_group *g)
{
	if (g->numbered)
		return 1;
	return g->zeros ? 0 : -1;
}

static void annotate_group(struct sharing *sharing, struct inventory *inv,
			   const struct tag_group *group)
{
	struct extent *extents = &inv->extents[group->first_extent];
	int32_t sharable = -1;

	if (tag_is_null(&extents->tag)) {
		sharable = 0;
	} else {
		uint32_t memdev = inv->regions[group->region].memdev;
		bool found;
		size_t at = find(sharing, inv->memdevs[memdev].name, &extents->tag, &found);

		if (found) {
			struct known_group *g = &sharing->groups[at];

			sharable = group_sharable(g);
			g->present = true;
			g->settled |= g->recorded <= inv->taken;
		}
	}
	for (uint32_t i = 0; i < group->n_extents; i++)
		extents[i].sharable = sharable;
}

void sharing_annotate(struct sharing *sharing, struct inventory *inv)
{
	struct tag_group group;
	uint32_t cursor = 0;
	size_t kept = 0;

	for (size_t i = 0; i < sharing->n; i++)
		sharing->groups[i].present = false;
	while (inventory_next_group(inv, &cursor, &group))
		annotate_group(sharing, inv, &group);
	for (size_t i = 0; i < sharing->n; i++) {
		const struct known_group *g = &sharing->groups[i];

		if (g->present || usec_add(g->recorded, SHARING_GRACE_USEC) >= inv->taken ||
		    inventory_unread(inv, g->memdev))
			sharing->groups[kept++] = *g;
	}
	sharing->n = kept;
}
