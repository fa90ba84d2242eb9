/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a snapshot, member by member from the tables. By hand, and not by the JSON library, for
 * the sake of the lines: an object of a list is one of them.
 */
#include <inttypes.h>

#include "snapshot/members.h"
#include "util/escape.h"

/* Larger numbers are not exact in every reader of JSON. */
#define NUMBER_EXACT (UINT64_C(1) << 53)
#define TEXT_MAX 256 /* room for any text of a member */

struct writer {
	FILE *f;
	const struct inventory *inv;
};

/* @size: of the array that holds @text. What had to be escaped is cut so that it fits in again. */
static void write_text(FILE *f, const char *text, size_t size)
{
	char safe[TEXT_MAX];

	escape_text(text, safe, MIN(size, sizeof(safe)));
	(void)fputc('"', f);
	for (const char *c = safe; *c; c++) {
		if (*c == '"' || *c == '\\')
			(void)fputc('\\', f);
		(void)fputc(*c, f);
	}
	(void)fputc('"', f);
}

static void write_address(FILE *f, uint64_t value)
{
	(void)fprintf(f, "\"0x%" PRIx64 "\"", value);
}

static void write_number(FILE *f, uint64_t value)
{
	if (value > NUMBER_EXACT)
		write_address(f, value);
	else
		(void)fprintf(f, "%" PRIu64, value);
}

static void write_range(FILE *f, const struct range *range)
{
	(void)fputs("{\"start\": ", f);
	write_address(f, range->start);
	(void)fputs(", \"length\": ", f);
	write_address(f, range->length);
	(void)fputc('}', f);
}

static void write_percent(FILE *f, unsigned permyriad)
{
	(void)fprintf(f, "\"%u.%02u%%\"", permyriad / 100, permyriad % 100);
}

static void write_errno(FILE *f, int32_t error)
{
	const char *name = error < 0 && error != INT32_MIN ? strerrorname_np(-error) : NULL;

	if (error == 0)
		(void)fputs("null", f);
	else if (name)
		(void)fprintf(f, "\"%s\"", name);
	else
		(void)fprintf(f, "%" PRId64, -(int64_t)error);
}

static void write_tag(FILE *f, const struct tag *tag)
{
	char text[TAG_STRLEN + 1];

	(void)fprintf(f, "\"%s\"", tag_is_null(tag) ? "" : tag_format(tag, text));
}

static void write_maybe(FILE *f, int32_t value)
{
	(void)fputs(value < 0 ? "null" : value ? "true" : "false", f);
}

static void write_reference(struct writer *w, const struct member *member, uint32_t index)
{
	if (member->type == MEMBER_REGION)
		write_text(w->f, w->inv->regions[index].name, DEV_NAME_MAX);
	else if (index == INVENTORY_NONE)
		(void)fputs("null", w->f);
	else
		write_text(w->f, w->inv->memdevs[index].name, DEV_NAME_MAX);
}

/* A copy: the tables know the offset and not the type. */
#define VALUE(type)                                                                                \
	({                                                                                         \
		type _value;                                                                       \
		memcpy(&_value, at, sizeof(_value));                                               \
		_value;                                                                            \
	})

static void write_value(struct writer *w, const struct member *member, const void *object)
{
	const char *at = (const char *)object + member->offset;

	switch (member->type) {
	case MEMBER_TEXT:
	case MEMBER_WORD:
	case MEMBER_NAME:
		write_text(w->f, at, member->size);
		break;
	case MEMBER_ADDRESS:
		write_address(w->f, VALUE(uint64_t));
		break;
	case MEMBER_U64:
		write_number(w->f, VALUE(uint64_t));
		break;
	case MEMBER_TIME:
		write_number(w->f, MIN(VALUE(uint64_t), MEMBER_TIME_MAX));
		break;
	case MEMBER_U32:
		write_number(w->f, VALUE(uint32_t));
		break;
	case MEMBER_I32:
		(void)fprintf(w->f, "%" PRId32, VALUE(int32_t));
		break;
	case MEMBER_PERCENT:
		write_percent(w->f, VALUE(unsigned));
		break;
	case MEMBER_BOOL:
		(void)fputs(VALUE(bool) ? "true" : "false", w->f);
		break;
	case MEMBER_SIDE:
		(void)fprintf(w->f, "\"%s\"", member->word(VALUE(bool)));
		break;
	case MEMBER_MAYBE:
		write_maybe(w->f, VALUE(int32_t));
		break;
	case MEMBER_ERRNO:
		write_errno(w->f, VALUE(int32_t));
		break;
	case MEMBER_TAG: {
		struct tag tag = VALUE(struct tag);

		write_tag(w->f, &tag);
		break;
	}
	case MEMBER_RANGE: {
		struct range range = VALUE(struct range);

		write_range(w->f, &range);
		break;
	}
	case MEMBER_WORDS:
		(void)fprintf(w->f, "\"%s\"", member->word(VALUE(unsigned)));
		break;
	case MEMBER_MEMDEV:
	case MEMBER_REGION:
		write_reference(w, member, VALUE(uint32_t));
		break;
	case MEMBER_LIST:
	case MEMBER_OTHER:
		break;
	}
}

/* All members that are one value; @separator is between them. */
static void write_members(struct writer *w, const struct kind *kind, const void *object,
			  const char *separator)
{
	bool first = true;

	for (size_t i = 0; i < kind->n_members; i++) {
		const struct member *member = &kind->members[i];

		if (member->type == MEMBER_LIST || member->type == MEMBER_OTHER)
			continue;
		(void)fprintf(w->f, "%s\"%s\": ", first ? "" : separator, member->name);
		write_value(w, member, object);
		first = false;
	}
}

/*
 * A list as one more member of what is being written, one object a line. @indent is that of the
 * member.
 */
static void write_list(struct writer *w, const char *name, unsigned indent, const struct kind *kind,
		       const void *objects, size_t n)
{
	(void)fprintf(w->f, ",\n%*s\"%s\": [", (int)indent, "", name);
	for (size_t i = 0; i < n; i++) {
		(void)fprintf(w->f, "%s\n%*s{", i ? "," : "", (int)indent + 2, "");
		write_members(w, kind, (const char *)objects + i * kind->size, ", ");
		(void)fputc('}', w->f);
	}
	if (n > 0)
		(void)fprintf(w->f, "\n%*s", (int)indent, "");
	(void)fputc(']', w->f);
}

static void write_devices(struct writer *w)
{
	const struct inventory *inv = w->inv;

	(void)fputs(",\n  \"devices\": [", w->f);
	for (uint32_t i = 0; i < inv->n_devices; i++) {
		const struct dax_device *d = &inv->devices[i];

		(void)fprintf(w->f, "%s\n    {", i ? "," : "");
		write_members(w, &kind_device, d, ", ");
		write_list(w, "mappings", 6, &kind_mapping,
			   d->n_mappings ? inv->mappings + d->first_mapping : NULL, d->n_mappings);
		write_list(w, "blocks", 6, &kind_block,
			   d->n_blocks ? inv->blocks + d->first_block : NULL, d->n_blocks);
		write_list(w, "holders", 6, &kind_holder,
			   d->n_holders ? inv->holders + d->first_holder : NULL, d->n_holders);
		(void)fputc('}', w->f);
	}
	(void)fputs(inv->n_devices ? "\n  ]" : "]", w->f);
}

static void write_facts(struct writer *w, const struct policy_facts *facts)
{
	(void)fputs(",\n  \"facts\": {\n    ", w->f);
	write_members(w, &kind_facts, facts, ",\n    ");
	write_list(w, "ceilings", 4, &kind_ceiling, facts->ceilings, facts->n_ceilings);
	write_list(w, "inhibitors", 4, &kind_inhibitor, facts->inhibitors, facts->n_inhibitors);
	write_list(w, "freed", 4, &kind_freed, facts->freed, facts->n_freed);
	write_list(w, "leaving", 4, &kind_leaving, facts->leaving, facts->n_leaving);
	(void)fputs("\n  }", w->f);
}

int snapshot_format(const struct inventory *inv, const struct policy_facts *facts, char **ret)
{
	_cleanup_free_ char *text = NULL;
	char zone[SNAPSHOT_ZONE_MAX];
	struct writer w = { .inv = inv };
	size_t size;
	bool failed;

	w.f = open_memstream(&text, &size);
	if (!w.f)
		return -ENOMEM;
	(void)fprintf(w.f, "{\n  \"version\": %d,\n  \"timezone\": ", SNAPSHOT_VERSION);
	write_text(w.f, snapshot_timezone("/etc/localtime", zone), sizeof(zone));
	(void)fputs(",\n  ", w.f);
	write_members(&w, &kind_document, inv, ",\n  ");
	write_list(&w, "memdevs", 2, &kind_memdev, inv->memdevs, inv->n_memdevs);
	write_list(&w, "regions", 2, &kind_region, inv->regions, inv->n_regions);
	write_list(&w, "extents", 2, &kind_extent, inv->extents, inv->n_extents);
	write_devices(&w);
	write_list(&w, "nodes", 2, &kind_node, inv->nodes, inv->n_nodes);
	write_list(&w, "huge_pages", 2, &kind_huge_pages, inv->hugepages, inv->n_hugepages);
	write_facts(&w, facts);
	(void)fputs("\n}\n", w.f);
	failed = ferror(w.f);
	if (fclose(w.f) != 0 || failed)
		return -ENOMEM;
	*ret = TAKE_PTR(text);
	return 0;
}
