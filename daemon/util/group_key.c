/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identity of a tag group: what a record asks for, compared and shown. */
#include <inttypes.h>

#include <dcdd/inventory.h>

void group_key_from_event(const struct dc_event *event, struct group_key *ret)
{
	/* All bytes, padding too: keys are copied, sent and hashed as memory. */
	memset(ret, 0, sizeof(*ret));
	(void)str_copy(ret->memdev, sizeof(ret->memdev), event->memdev);
	ret->tag = event->tag;
	if (tag_is_null(&event->tag))
		ret->dpa = event->dpa;
}

bool group_key_equal(const struct group_key *a, const struct group_key *b)
{
	if (!streq(a->memdev, b->memdev) || !tag_equal(&a->tag, &b->tag))
		return false;
	return !tag_is_null(&a->tag) || range_equal(&a->dpa, &b->dpa);
}

char *group_key_format(const struct group_key *key, char buf[static GROUP_KEY_STRLEN])
{
	char tag[TAG_STRLEN + 1];

	if (tag_is_null(&key->tag))
		(void)snprintf(buf, GROUP_KEY_STRLEN,
			       "untagged DPA 0x%" PRIx64 "+0x%" PRIx64 " on %s", key->dpa.start,
			       key->dpa.length, key->memdev);
	else
		(void)snprintf(buf, GROUP_KEY_STRLEN, "%s on %s", tag_format(&key->tag, tag),
			       key->memdev);
	return buf;
}
