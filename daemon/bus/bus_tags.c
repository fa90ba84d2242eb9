/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tags, and numbers of releases, as arguments: read, refused, and found on the host. */
#include "bus_internal.h"

int bus_read_tag(sd_bus_message *m, struct tag *ret, sd_bus_error *ret_error)
{
	const char *s;
	int r;

	r = sd_bus_message_read(m, "s", &s);
	if (r < 0)
		return r;
	if (tag_parse(s, ret) < 0)
		return sd_bus_error_set(ret_error, BUS_ERROR_INVALID,
					"Not a tag: a UUID of 36 characters is expected");
	if (tag_is_null(ret))
		return sd_bus_error_set(ret_error, BUS_ERROR_INVALID,
					"The null tag means untagged and names no group");
	return 0;
}

int bus_no_such_tag(const struct tag *tag, const char *what, sd_bus_error *ret_error)
{
	char buf[TAG_STRLEN + 1];

	return sd_bus_error_setf(ret_error, BUS_ERROR_NO_SUCH_TAG, "No %s with tag %s", what,
				 tag_format(tag, buf));
}

bool bus_find_group(const struct inventory *inv, const struct tag *tag, struct group_key *ret)
{
	struct tag_group group;
	uint32_t cursor = 0;

	while (inventory_next_group(inv, &cursor, &group)) {
		if (group.n_extents == 0 || !tag_equal(&inv->extents[group.first_extent].tag, tag))
			continue;
		tag_group_key(inv, &group, ret);
		return true;
	}
	return false;
}

int bus_read_which(sd_bus_message *m, struct bus_which *ret, sd_bus_error *ret_error)
{
	const char *s;
	char *end;
	int r;

	*ret = (struct bus_which){ 0 };
	r = sd_bus_message_read(m, "s", &s);
	if (r < 0)
		return r;
	if (tag_parse(s, &ret->tag) >= 0 && !tag_is_null(&ret->tag))
		return 0;
	errno = 0;
	ret->id = strtoull(s, &end, 10);
	ret->by_id = s[0] >= '1' && s[0] <= '9' && *end == '\0' && errno == 0;
	return ret->by_id ? 0
			  : sd_bus_error_set(ret_error, BUS_ERROR_INVALID,
					     "Neither a tag (a UUID of 36 characters, not the "
					     "null tag) nor the number of a release");
}

int bus_no_such_release(const struct bus_which *which, sd_bus_error *ret_error)
{
	if (!which->by_id)
		return bus_no_such_tag(&which->tag, "live release", ret_error);
	return sd_bus_error_setf(ret_error, BUS_ERROR_NO_SUCH_TAG,
				 "No live release has the number %llu",
				 (unsigned long long)which->id);
}

const struct release *bus_find_live(struct bus *bus, const struct bus_which *which)
{
	const struct release *release;
	void *cursor = NULL;

	while ((release = bus->ops->next_release(&cursor, bus->userdata)))
		if (!release_state_is_final(release->state) &&
		    (which->by_id ? release->id == which->id
				  : tag_equal(&release->key.tag, &which->tag)))
			return release;
	return NULL;
}
