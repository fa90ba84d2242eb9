/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rate: no more may be freed in an hour, in all and of one memory device, than the rule says.
 */
#include <inttypes.h>

#include "decide.h"
#include "parse_value.h"

/* What counts of the freed ones: those of @memdev, of all if that is NULL. */
struct rate {
	const struct question *q;
	const char *memdev;
	uint64_t bytes, groups; /* limits; 0: none */
	const char *bytes_key, *groups_key;
};

static usec_t freed_until(const struct freed *freed)
{
	return usec_add(freed->when, USEC_PER_HOUR);
}

/* What of it will still have been freed within the last hour at @at. */
static void rate_used(const struct rate *rate, usec_t at, uint64_t *ret_bytes, uint64_t *ret_groups)
{
	const struct policy_facts *facts = rate->q->facts;

	*ret_bytes = *ret_groups = 0;
	for (size_t i = 0; i < facts->n_freed; i++) {
		const struct freed *freed = &facts->freed[i];

		if (freed_until(freed) <= at ||
		    (rate->memdev && !streq(rate->memdev, freed->memdev)))
			continue;
		*ret_bytes = saturating_add(*ret_bytes, freed->bytes);
		*ret_groups = saturating_add(*ret_groups, 1 + (uint64_t)freed->more);
	}
}

static bool rate_allows(const struct rate *rate, uint64_t group_bytes, usec_t at)
{
	uint64_t bytes, groups;

	rate_used(rate, at, &bytes, &groups);
	return (rate->bytes == 0 || saturating_add(bytes, group_bytes) <= rate->bytes) &&
	       (rate->groups == 0 || groups < rate->groups);
}

/*
 * The first moment at which it is allowed: there is one, as the group alone is. What was freed only
 * becomes less with time, so it is found by halving.
 */
static usec_t rate_again(const struct rate *rate, uint64_t group_bytes)
{
	const struct policy_facts *facts = rate->q->facts;
	usec_t no = facts->now, yes = no;

	for (size_t i = 0; i < facts->n_freed; i++)
		yes = MAX(yes, freed_until(&facts->freed[i]));
	while (yes - no > 1) {
		usec_t middle = no + (yes - no) / 2;

		if (rate_allows(rate, group_bytes, middle))
			yes = middle;
		else
			no = middle;
	}
	return yes;
}

/* "on the host", "from mem0": where it was freed. */
#define PLACE_STRLEN (DEV_NAME_MAX + 16)
static const char *rate_place(const struct rate *rate, char buf[static PLACE_STRLEN])
{
	(void)snprintf(buf, PLACE_STRLEN, "%s %s", rate->memdev ? "from" : "on",
		       rate->memdev ? rate->memdev : "the host");
	return buf;
}

/* False: not met, and the condition says so. */
static bool check_rate(const struct rate *rate, uint64_t group_bytes, struct condition *c)
{
	char used[VALUE_STRLEN], limit[VALUE_STRLEN], more[VALUE_STRLEN], place[PLACE_STRLEN];
	uint64_t bytes, groups;
	bool by_bytes;

	if (rate->bytes && group_bytes > rate->bytes) {
		condition_measured(c, "%s in this group", format_size_short(group_bytes, more));
		condition_limit(c, "%s an hour (%s)", format_size_short(rate->bytes, limit),
				rate->bytes_key);
		condition_refuse(c, "waiting does not help",
				 "the group has %s, more than the %s that may be freed %s in an "
				 "hour (%s)",
				 more, limit, rate_place(rate, place), rate->bytes_key);
		c->permanent = true;
		return false;
	}
	if (rate_allows(rate, group_bytes, rate->q->facts->now))
		return true;
	rate_used(rate, rate->q->facts->now, &bytes, &groups);
	by_bytes = rate->bytes && saturating_add(bytes, group_bytes) > rate->bytes;
	c->again = rate_again(rate, group_bytes);
	if (by_bytes) {
		condition_measured(c, "%s in the last hour, %s more",
				   format_size_short(bytes, used),
				   format_size_short(group_bytes, more));
		condition_limit(c, "%s (%s)", format_size_short(rate->bytes, limit),
				rate->bytes_key);
		condition_wait(rate->q, c, rate->q->ret->settings.rate_wait, "rate-wait",
			       "%s was freed %s in the last hour; with this group's %s it would "
			       "be more than the %s allowed (%s)",
			       used, rate_place(rate, place), more, limit, rate->bytes_key);
		return false;
	}
	condition_measured(c, "%" PRIu64 " group%s in the last hour", groups,
			   groups == 1 ? "" : "s");
	condition_limit(c, "%" PRIu64 " (%s)", rate->groups, rate->groups_key);
	condition_wait(rate->q, c, rate->q->ret->settings.rate_wait, "rate-wait",
		       "%" PRIu64 " group%s freed %s in the last hour, no more than %" PRIu64
		       " may be (%s)",
		       groups, groups == 1 ? " was" : "s were", rate_place(rate, place),
		       rate->groups, rate->groups_key);
	return false;
}

static bool rate_is_limited(const struct rate *rate)
{
	return rate->bytes || rate->groups;
}

/* Appends "1G in 2 groups of mem0". */
static void append_used(const struct rate *rate, char *buf, size_t size)
{
	char text[VALUE_STRLEN];
	uint64_t bytes, groups;
	size_t n = strlen(buf);

	rate_used(rate, rate->q->facts->now, &bytes, &groups);
	(void)snprintf(buf + n, size - n, "%s%s in %" PRIu64 " group%s%s%s", n ? ", " : "",
		       format_size_short(bytes, text), groups, groups == 1 ? "" : "s",
		       rate->memdev ? " of " : "", rate->memdev ? rate->memdev : "");
}

/* Appends "at most 8G and 3 groups an hour of mem0". */
static void append_limit(const struct rate *rate, char *buf, size_t size)
{
	char text[VALUE_STRLEN] = "", count[48] = "";
	size_t n = strlen(buf);

	if (rate->bytes)
		(void)format_size_short(rate->bytes, text);
	if (rate->groups)
		(void)snprintf(count, sizeof(count), "%" PRIu64 " group%s", rate->groups,
			       rate->groups == 1 ? "" : "s");
	(void)snprintf(buf + n, size - n, "%sat most %s%s%s an hour%s%s", n ? "; " : "", text,
		       *text && *count ? " and " : "", count, rate->memdev ? " of " : "",
		       rate->memdev ? rate->memdev : "");
}

/* What is compared with what, of all that is limited; of the host if nothing is. */
static void set_values(const struct rate *rates, size_t n_rates, struct condition *c)
{
	char used[CONDITION_VALUE_MAX] = "", limit[CONDITION_VALUE_MAX] = "";

	for (size_t i = 0; i < n_rates; i++) {
		if (!rate_is_limited(&rates[i]))
			continue;
		append_used(&rates[i], used, sizeof(used));
		append_limit(&rates[i], limit, sizeof(limit));
	}
	if (!*used)
		append_used(&rates[0], used, sizeof(used));
	condition_measured(c, "%s in the last hour", used);
	condition_limit(c, "%s", *limit ? limit : CONDITION_NO_LIMIT);
}

void condition_rate(const struct question *q, struct condition *c)
{
	const struct release_settings *s = &q->ret->settings;
	uint32_t memdev = q->inv->regions[q->group->region].memdev;
	const struct rate rates[] = {
		{ q, NULL, s->rate_bytes, s->rate_groups, "rate-bytes", "rate-groups" },
		{ q, memdev == INVENTORY_NONE ? NULL : q->inv->memdevs[memdev].name,
		  s->rate_memdev_bytes, s->rate_memdev_groups, "rate-memdev-bytes",
		  "rate-memdev-groups" },
	};
	uint64_t size = tag_group_bytes(q->inv, q->group);
	usec_t again = USEC_INFINITY;

	set_values(rates, ARRAY_SIZE(rates), c);
	condition_met(c, "no more was freed in the last hour than may be");
	/*
	 * The one that is met last, if ever; the other way round, an earlier one that refuses
	 * stays.
	 */
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct condition one = *c;

		one.again = USEC_INFINITY;
		if (check_rate(&rates[i], size, &one))
			continue;
		if (c->outcome == OUTCOME_MET || one.outcome > c->outcome ||
		    (one.permanent && !c->permanent)) {
			again = one.again;
			*c = one;
		} else if (one.outcome == c->outcome) {
			again = MAX(again, one.again);
		}
	}
	c->again = c->outcome == OUTCOME_WAIT ? again : USEC_INFINITY;
}
