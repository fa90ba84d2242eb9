/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A group's name as that of a file, and back; the text of a range. There is one way to write each,
 * so that no two files are about one group.
 */
#include <ctype.h>
#include <inttypes.h>

#include "util/sysfs.h"

#include "undo_internal.h"

bool undo_name_is_plain(const char *name)
{
	size_t n = strnlen(name, DEV_NAME_MAX);

	if (n == 0 || n >= DEV_NAME_MAX || name[0] == '.' || name[0] == '-' || strstr(name, ".."))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._:-", name[i]))
			return false;
	return true;
}

char *undo_range_format(const struct range *range, char buf[static UNDO_RANGE_STRLEN])
{
	(void)snprintf(buf, UNDO_RANGE_STRLEN, "0x%" PRIx64 "+0x%" PRIx64, range->start,
		       range->length);
	return buf;
}

static int make_range(const char *start, const char *length, struct range *ret)
{
	uint64_t first, n;

	if (sysfs_parse_u64(start, 16, &first) < 0 || sysfs_parse_u64(length, 16, &n) < 0)
		return -EINVAL;
	return range_make(first, n, ret) < 0 ? -EINVAL : 0;
}

int undo_range_parse(const char *s, struct range *ret)
{
	char text[UNDO_RANGE_STRLEN], again[UNDO_RANGE_STRLEN];
	struct range range;
	char *plus;

	if (str_copy(text, sizeof(text), s) < 0)
		return -EINVAL;
	plus = strchr(text, '+');
	if (!plus)
		return -EINVAL;
	*plus = '\0';
	if (make_range(text, plus + 1, &range) < 0 || !streq(s, undo_range_format(&range, again)))
		return -EINVAL;
	*ret = range;
	return 0;
}

/* Without a suffix. */
static void format_base(const struct group_key *key, char buf[static UNDO_NAME_MAX])
{
	char tag[TAG_STRLEN + 1];

	if (tag_is_null(&key->tag))
		(void)snprintf(buf, UNDO_NAME_MAX, "%s-0x%" PRIx64 "-0x%" PRIx64, key->memdev,
			       key->dpa.start, key->dpa.length);
	else
		(void)snprintf(buf, UNDO_NAME_MAX, "%s-%s", key->memdev,
			       tag_format(&key->tag, tag));
}

char *undo_name(const struct group_key *key, char buf[static UNDO_NAME_MAX])
{
	size_t n;

	_Static_assert(DEV_NAME_MAX + TAG_STRLEN + sizeof(UNDO_SUFFIX_NEW) < UNDO_NAME_MAX &&
			       DEV_NAME_MAX + UNDO_RANGE_STRLEN + sizeof(UNDO_SUFFIX_NEW) <
				       UNDO_NAME_MAX,
		       "any name fits with any suffix");
	format_base(key, buf);
	n = strlen(buf);
	(void)str_copy(buf + n, UNDO_NAME_MAX - n, UNDO_SUFFIX);
	return buf;
}

/* Cuts the last part that begins with '-' off @base, and returns what is behind it, or NULL. */
static const char *cut_part(char *base)
{
	char *dash = strrchr(base, '-');

	if (!dash)
		return NULL;
	*dash = '\0';
	return dash + 1;
}

static int parse_base(char *base, struct group_key *key)
{
	size_t n = strlen(base);
	const char *start, *length;

	if (n > TAG_STRLEN && base[n - TAG_STRLEN - 1] == '-' &&
	    tag_parse(base + n - TAG_STRLEN, &key->tag) == 0) {
		base[n - TAG_STRLEN - 1] = '\0';
	} else {
		length = cut_part(base);
		start = cut_part(base);
		if (!length || !start || make_range(start, length, &key->dpa) < 0)
			return -EINVAL;
	}
	if (!undo_name_is_plain(base))
		return -EINVAL;
	return str_copy(key->memdev, sizeof(key->memdev), base) < 0 ? -EINVAL : 0;
}

int undo_name_parse(const char *name, struct group_key *ret)
{
	static const char *const suffixes[] = { UNDO_SUFFIX, UNDO_SUFFIX_NEW, UNDO_SUFFIX_BAD };
	char base[UNDO_NAME_MAX], again[UNDO_NAME_MAX];
	size_t n = strnlen(name, UNDO_NAME_MAX);
	struct group_key key;

	memset(&key, 0, sizeof(key)); /* padding too */
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t k = strlen(suffixes[i]);

		if (n >= UNDO_NAME_MAX || n <= k || !streq(name + n - k, suffixes[i]))
			continue;
		memcpy(base, name, n - k);
		base[n - k] = '\0';
		if (parse_base(base, &key) < 0)
			return -EINVAL;
		format_base(&key, again);
		if (strlen(again) != n - k || memcmp(again, name, n - k) != 0)
			return -EINVAL; /* the same group, spelled otherwise; or the null tag */
		*ret = key;
		return 0;
	}
	return -EINVAL;
}
