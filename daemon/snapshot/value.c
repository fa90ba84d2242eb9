/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads one value of a snapshot as its table says, and nothing else than that. */
#include <inttypes.h>
#include <limits.h>

#include "policy/parse_value.h"
#include "snapshot/reader.h"
#include "util/escape.h"

#define QUOTED_STRLEN 64
#define ERRNO_MAX 4095 /* the kernel's MAX_ERRNO */

/* A value in a message: short, and what it is if it is no text. */
static const char *quoted(json_object *value, char buf[static QUOTED_STRLEN])
{
	char text[QUOTED_STRLEN - 2];

	if (json_object_is_type(value, json_type_object))
		return "an object";
	if (json_object_is_type(value, json_type_array))
		return "a list";
	escape_text(value ? json_object_get_string(value) : "null", text, sizeof(text));
	if (json_object_is_type(value, json_type_string))
		(void)snprintf(buf, QUOTED_STRLEN, "\"%s\"", text);
	else
		(void)snprintf(buf, QUOTED_STRLEN, "%s", text);
	return buf;
}

static int expected(struct reader *reader, const struct spot *at, const char *what,
		    json_object *value)
{
	char buf[QUOTED_STRLEN];

	return snap_fail(reader, at, "expected %s, not %s", what, quoted(value, buf));
}

/* "0x" and up to 16 hexadecimal digits. */
static bool parse_address(const char *s, uint64_t *ret)
{
	const char *digits = startswith(s, "0x");
	size_t n = digits ? strspn(digits, "0123456789abcdefABCDEF") : 0;

	if (n == 0 || n > 16 || digits[n] != '\0')
		return false;
	*ret = strtoull(digits, NULL, 16);
	return true;
}

static bool is_text(json_object *value)
{
	return json_object_is_type(value, json_type_string) &&
	       strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value);
}

/* The library takes what is too large for the largest number: that must be written as an address.
 */
static bool take_number(json_object *value, uint64_t *ret)
{
	if (is_text(value))
		return parse_address(json_object_get_string(value), ret);
	if (!json_object_is_type(value, json_type_int))
		return false;
	*ret = json_object_get_uint64(value);
	/* Of a negative number that is 0. */
	return *ret != UINT64_MAX && (*ret != 0 || json_object_get_int64(value) == 0);
}

static int read_unsigned(struct reader *reader, const struct spot *at, json_object *value,
			 uint64_t max, uint64_t *ret)
{
	if (!take_number(value, ret))
		return expected(reader, at, "a number from 0 on, or \"0x…\"", value);
	if (*ret > max)
		return snap_fail(reader, at, "expected at most %" PRIu64 ", not %" PRIu64, max,
				 *ret);
	return 0;
}

static int read_i32(struct reader *reader, const struct spot *at, json_object *value, int64_t min,
		    int32_t *ret)
{
	int64_t number;

	if (!json_object_is_type(value, json_type_int))
		return expected(reader, at, "a number", value);
	number = json_object_get_int64(value);
	if (number < min || number > INT32_MAX)
		return snap_fail(reader, at, "expected %" PRId64 " to %d, not %" PRId64, min,
				 INT32_MAX, number);
	*ret = (int32_t)number;
	return 0;
}

static int read_bool(struct reader *reader, const struct spot *at, json_object *value, bool *ret)
{
	if (!json_object_is_type(value, json_type_boolean))
		return expected(reader, at, "true or false", value);
	*ret = json_object_get_boolean(value);
	return 0;
}

static int read_maybe(struct reader *reader, const struct spot *at, json_object *value,
		      int32_t *ret)
{
	if (value && !json_object_is_type(value, json_type_boolean))
		return expected(reader, at, "true, false or null", value);
	*ret = value ? json_object_get_boolean(value) : -1;
	return 0;
}

static int read_text(struct reader *reader, const struct spot *at, json_object *value,
		     const struct member *member, char *ret)
{
	char safe[4 * RULE_TEXT_MAX];
	const char *text;

	if (!is_text(value))
		return expected(reader, at, "text", value);
	text = json_object_get_string(value);
	if (strlen(text) >= member->size)
		return snap_fail(reader, at, "longer than %zu bytes", member->size - 1);
	if (!streq(escape_text(text, safe, sizeof(safe)), text))
		return snap_fail(reader, at, "expected printable text, not \"%s\"", safe);
	if (member->type != MEMBER_TEXT &&
	    (strchr(text, '/') || streq(text, ".") || streq(text, "..")))
		return expected(reader, at, "a name without '/'", value);
	if (member->type == MEMBER_NAME && *text == '\0')
		return snap_fail(reader, at, "expected a name, it is empty");
	return str_copy(ret, member->size, text);
}

static int read_words(struct reader *reader, const struct spot *at, json_object *value,
		      const struct member *member, unsigned *ret)
{
	char words[256], buf[QUOTED_STRLEN];
	size_t used = 0;

	for (unsigned i = 0; is_text(value) && i < member->n_words; i++)
		if (streq(json_object_get_string(value), member->word(i))) {
			*ret = i;
			return 0;
		}
	for (unsigned i = 0; i < member->n_words; i++)
		used += (size_t)snprintf(words + used, sizeof(words) - used, "%s%s", i ? ", " : "",
					 member->word(i));
	return snap_fail(reader, at, "expected one of %s, not %s", words, quoted(value, buf));
}

static int read_percent(struct reader *reader, const struct spot *at, json_object *value,
			unsigned *ret)
{
	if (!is_text(value) || parse_permyriad(json_object_get_string(value), ret) < 0 ||
	    *ret > 10000)
		return expected(reader, at, "a percentage, \"0%\" to \"100%\"", value);
	return 0;
}

static int read_errno(struct reader *reader, const struct spot *at, json_object *value,
		      int32_t *ret)
{
	if (!value) {
		*ret = 0;
		return 0;
	}
	if (json_object_is_type(value, json_type_int)) {
		int64_t number = json_object_get_int64(value);

		if (number >= 1 && number <= ERRNO_MAX) {
			*ret = (int32_t)-number;
			return 0;
		}
	}
	for (int error = 1; is_text(value) && error <= ERRNO_MAX; error++) {
		const char *name = strerrorname_np(error);

		if (name && streq(name, json_object_get_string(value))) {
			*ret = -error;
			return 0;
		}
	}
	return expected(reader, at, "null, or an error by name (\"EIO\")", value);
}

static int read_tag(struct reader *reader, const struct spot *at, json_object *value,
		    struct tag *ret)
{
	if (!is_text(value))
		return expected(reader, at, "a UUID, or \"\"", value);
	if (json_object_get_string_len(value) == 0) {
		*ret = (struct tag){ 0 };
		return 0;
	}
	if (tag_parse(json_object_get_string(value), ret) < 0)
		return expected(reader, at, "a UUID, or \"\"", value);
	return 0;
}

static int read_range(struct reader *reader, const struct spot *at, json_object *value,
		      struct range *ret)
{
	static const struct member members[] = {
		{ .name = "start",
		  .type = MEMBER_ADDRESS,
		  .offset = offsetof(struct range, start),
		  .size = sizeof(uint64_t) },
		{ .name = "length",
		  .type = MEMBER_ADDRESS,
		  .offset = offsetof(struct range, length),
		  .size = sizeof(uint64_t) },
	};
	static const struct kind kind = { members, ARRAY_SIZE(members), sizeof(struct range) };
	struct range range = { 0 };
	int r;

	r = snap_members(reader, at, value, &kind, &range);
	if (r < 0)
		return r;
	if (range_make(range.start, range.length, ret) < 0)
		return snap_fail(reader, at, "ends beyond the last address");
	return 0;
}

static int read_reference(struct reader *reader, const struct spot *at, json_object *value,
			  bool region, uint32_t *ret)
{
	json_object *names = region ? reader->regions : reader->memdevs, *index;
	char buf[QUOTED_STRLEN];

	if (!value && !region) {
		*ret = INVENTORY_NONE;
		return 0;
	}
	if (!is_text(value) ||
	    !json_object_object_get_ex(names, json_object_get_string(value), &index))
		return snap_fail(reader, at, "expected the name of one of %s, not %s",
				 region ? "regions" : "memdevs", quoted(value, buf));
	*ret = (uint32_t)json_object_get_int64(index);
	return 0;
}

int snap_value(struct reader *reader, const struct spot *at, json_object *value,
	       const struct member *member, void *element)
{
	char *field = (char *)element + member->offset;
	union {
		uint64_t number;
		uint32_t index;
		int32_t small;
		unsigned word;
		bool yes;
		struct tag tag;
		struct range range;
	} u;
	int r;

	memset(&u, 0, sizeof(u));
	switch (member->type) {
	case MEMBER_TEXT:
	case MEMBER_WORD:
	case MEMBER_NAME:
		return read_text(reader, at, value, member, field);
	case MEMBER_ADDRESS:
	case MEMBER_U64:
		r = read_unsigned(reader, at, value, UINT64_MAX, &u.number);
		break;
	case MEMBER_TIME:
		r = read_unsigned(reader, at, value, MEMBER_TIME_MAX, &u.number);
		break;
	case MEMBER_U32: {
		uint64_t number = 0;

		r = read_unsigned(reader, at, value, UINT32_MAX, &number);
		if (r == 0)
			u.index = (uint32_t)number;
		break;
	}
	case MEMBER_I32:
		r = read_i32(reader, at, value, member->min, &u.small);
		break;
	case MEMBER_PERCENT:
		r = read_percent(reader, at, value, &u.word);
		break;
	case MEMBER_BOOL:
		r = read_bool(reader, at, value, &u.yes);
		break;
	case MEMBER_SIDE: {
		unsigned word = 0;

		r = read_words(reader, at, value, member, &word);
		if (r == 0)
			u.yes = word;
		break;
	}
	case MEMBER_MAYBE:
		r = read_maybe(reader, at, value, &u.small);
		break;
	case MEMBER_ERRNO:
		r = read_errno(reader, at, value, &u.small);
		break;
	case MEMBER_TAG:
		r = read_tag(reader, at, value, &u.tag);
		break;
	case MEMBER_RANGE:
		r = read_range(reader, at, value, &u.range);
		break;
	case MEMBER_WORDS:
		r = read_words(reader, at, value, member, &u.word);
		break;
	case MEMBER_MEMDEV:
	case MEMBER_REGION:
		r = read_reference(reader, at, value, member->type == MEMBER_REGION, &u.index);
		break;
	case MEMBER_LIST:
		if (!json_object_is_type(value, json_type_array))
			return expected(reader, at, "a list", value);
		return 0;
	case MEMBER_OTHER:
	default:
		return 0;
	}
	/* All members of the union begin where it does. */
	if (r == 0)
		memcpy(field, &u, member->size);
	return r;
}
