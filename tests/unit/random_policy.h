/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random configurations as text, and beside the text what it means: each key has a few values that
 * are told in both ways, so that nothing here depends on the parser or on its table of keys.
 */
#pragma once

#include "tests/unit/policy_host.h"

static inline uint64_t random_u64(uint64_t *seed)
{
	/* xorshift64*: the same sequence on every machine. */
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * UINT64_C(2685821657736338717);
}

static inline bool one_in(uint64_t *seed, unsigned n)
{
	return random_u64(seed) % n == 0;
}

enum { FREE, KEEP, ASK };
enum { HOLD_WAIT, HOLD_REFUSE, HOLD_TERMINATE };

/* What [release] can say, as far as a decision looks at it. The modes come in the order "usdf". */
enum random_key {
	K_UNBOUND,
	K_SYSTEM_RAM,
	K_DEVDAX,
	K_FSDEV,
	K_ASK_TIMEOUT,
	K_ASK_OUTCOME,
	K_STATE_WAIT,
	K_HEADROOM,
	K_HEADROOM_PERCENT,
	K_NODE_HEADROOM,
	K_NODE_HEADROOM_PERCENT,
	K_HEADROOM_WAIT,
	K_PRESSURE_SOME,
	K_PRESSURE_FULL,
	K_PRESSURE_SETTLE,
	K_PRESSURE_WAIT,
	K_HOLDERS,
	K_HOLDERS_WAIT,
	K_UNITS, /* 1: those of the holders of random_case() */
	K_IGNORE_UNSEEN,
	K_WINDOWS, /* 1: closed at WALL */
	K_WINDOWS_WAIT,
	K_DELAY_MAX,
	K_INHIBIT_WAIT,
	K_RATE_BYTES,
	K_RATE_GROUPS,
	K_RATE_MEMDEV_BYTES,
	K_RATE_MEMDEV_GROUPS,
	K_RATE_WAIT,
	K_RESERVE_NODE,
	K_RESERVE_HOST,
	K_RESERVE_WAIT,
	_K_MAX,
};

struct random_value {
	const char *text;
	uint64_t value;
};

#define FOREVER UINT64_MAX
#define ACTION_VALUES                                                                              \
	{ "free", FREE }, { "keep", KEEP }, { "ask", ASK },                                        \
	{                                                                                          \
		"free", FREE                                                                       \
	}
#define WAIT_VALUES                                                                                \
	{ "0", 0 }, { "1min", USEC_PER_MIN }, { "2h", 120 * USEC_PER_MIN },                        \
	{                                                                                          \
		"infinity", FOREVER                                                                \
	}

/* The default of each key, and what else it may be. */
static const struct {
	const char *name;
	uint64_t fallback;
	struct random_value values[4];
} random_keys[_K_MAX] = {
	[K_UNBOUND] = { "unbound", KEEP, { ACTION_VALUES } },
	[K_SYSTEM_RAM] = { "system-ram", FREE, { ACTION_VALUES } },
	[K_DEVDAX] = { "devdax", KEEP, { ACTION_VALUES } },
	[K_FSDEV] = { "fsdev", KEEP, { ACTION_VALUES } },
	[K_ASK_TIMEOUT] = { "ask-timeout",
			    60 * USEC_PER_MIN,
			    { { "1min", USEC_PER_MIN },
			      { "2h", 120 * USEC_PER_MIN },
			      { "infinity", FOREVER } } },
	[K_ASK_OUTCOME] = { "ask-outcome", KEEP, { { "free", FREE }, { "keep", KEEP } } },
	[K_STATE_WAIT] = { "state-wait", USEC_PER_MIN, { WAIT_VALUES } },
	[K_HEADROOM] = { "headroom",
			 256 * MiB,
			 { { "0", 0 },
			   { "1M", MiB },
			   { "4G", 4 * GiB },
			   { "300T", 307200 * GiB } } },
	[K_HEADROOM_PERCENT] = { "headroom-percent",
				 500,
				 { { "0%", 0 },
				   { "10%", 1000 },
				   { "50%", 5000 },
				   { "0.25%", 25 } } },
	[K_NODE_HEADROOM] = { "node-headroom",
			      0,
			      { { "0", 0 }, { "128M", 128 * MiB }, { "1G", GiB } } },
	[K_NODE_HEADROOM_PERCENT] = { "node-headroom-percent",
				      0,
				      { { "0%", 0 }, { "10%", 1000 }, { "33.33%", 3333 } } },
	[K_HEADROOM_WAIT] = { "headroom-wait", 10 * USEC_PER_MIN, { WAIT_VALUES } },
	[K_PRESSURE_SOME] = { "pressure-some",
			      0,
			      { { "0%", 0 }, { "10%", 1000 }, { "20%", 2000 } } },
	[K_PRESSURE_FULL] = { "pressure-full", 0, { { "0%", 0 }, { "5%", 500 }, { "10%", 1000 } } },
	[K_PRESSURE_SETTLE] = { "pressure-settle",
				10 * USEC_PER_SEC,
				{ { "5s", 5 * USEC_PER_SEC }, { "1min", USEC_PER_MIN } } },
	[K_PRESSURE_WAIT] = { "pressure-wait", 10 * USEC_PER_MIN, { WAIT_VALUES } },
	[K_HOLDERS] = { "holders",
			HOLD_WAIT,
			{ { "wait", HOLD_WAIT },
			  { "refuse", HOLD_REFUSE },
			  { "terminate", HOLD_TERMINATE } } },
	[K_HOLDERS_WAIT] = { "holders-wait", 10 * USEC_PER_MIN, { WAIT_VALUES } },
	[K_UNITS] = { "terminate-units",
		      0,
		      { { "other.service", 0 },
			{ "x batch@*.service", 1 },
			{ "/system.slice/*", 1 } } },
	[K_IGNORE_UNSEEN] = { "ignore-unseen-processes", 0, { { "yes", 1 }, { "no", 0 } } },
	[K_WINDOWS] = { "windows",
			0,
			{ { "Mon 11:00-13:00 UTC", 0 },
			  { "22:00-06:00 UTC", 1 },
			  { "Sat 00:00-24:00 UTC, Mon 12:00-12:01 UTC", 0 },
			  { "Tue..Sun 11:00-13:00 UTC", 1 } } },
	[K_WINDOWS_WAIT] = { "windows-wait", FOREVER, { WAIT_VALUES } },
	[K_DELAY_MAX] = { "inhibit-delay-max",
			  5 * USEC_PER_MIN,
			  { { "0", 0 }, { "1min", USEC_PER_MIN }, { "2h", 120 * USEC_PER_MIN } } },
	[K_INHIBIT_WAIT] = { "inhibit-wait", 60 * USEC_PER_MIN, { WAIT_VALUES } },
	[K_RATE_BYTES] = { "rate-bytes",
			   0,
			   { { "0", 0 },
			     { "1G", GiB },
			     { "2G", 2 * GiB },
			     { "640M", 640 * MiB } } },
	[K_RATE_GROUPS] = { "rate-groups", 0, { { "0", 0 }, { "1", 1 }, { "2", 2 }, { "3", 3 } } },
	[K_RATE_MEMDEV_BYTES] = { "rate-memdev-bytes",
				  0,
				  { { "0", 0 }, { "512M", 512 * MiB }, { "1G", GiB } } },
	[K_RATE_MEMDEV_GROUPS] = { "rate-memdev-groups",
				   0,
				   { { "0", 0 }, { "1", 1 }, { "2", 2 } } },
	[K_RATE_WAIT] = { "rate-wait", 120 * USEC_PER_MIN, { WAIT_VALUES } },
	[K_RESERVE_NODE] = { "reserve-node",
			     0,
			     { { "0", 0 }, { "128M", 128 * MiB }, { "256M", 256 * MiB } } },
	[K_RESERVE_HOST] = { "reserve-host",
			     0,
			     { { "0", 0 }, { "256M", 256 * MiB }, { "512M", 512 * MiB } } },
	[K_RESERVE_WAIT] = { "reserve-wait", 10 * USEC_PER_MIN, { WAIT_VALUES } },
};

/* What a [rule] can ask; value is what policy_judge.h makes of it. */
enum random_match {
	M_TAG,	     /* 0 none, 1 all, 2 tagged, 3 untagged */
	M_MEMDEV,    /* 1: mem0 */
	M_REGION,    /* 1: region0 */
	M_NODE,	     /* bit of a node */
	M_PARTITION, /* bit of a partition */
	M_MODE,	     /* bits in the order "usdf", then unclaimed */
	M_SHARABLE,
	M_SIZE,	   /* least, in blocks */
	M_EXTENTS, /* most */
	M_ORIGIN,
	_M_MAX,
};

static const struct {
	const char *name;
	struct random_value values[4];
} random_matches[_M_MAX] = {
	[M_TAG] = { "match-tag",
		    { { "*", 1 }, { "6*, 7*", 0 }, { "1* 5BE13bce-*", 2 }, { "00000000-*", 3 } } },
	[M_MEMDEV] = { "match-memdev",
		       { { "mem0", 1 }, { "mem1 0x1", 0 }, { "4711", 1 }, { "mem?", 1 } } },
	[M_REGION] = { "match-region", { { "region*", 1 }, { "region1", 0 } } },
	[M_NODE] = { "match-node", { { "1", 2 }, { "1 2 3", 14 }, { "0", 1 }, { "2, 3", 12 } } },
	[M_PARTITION] = { "match-partition", { { "1", 2 }, { "2 3", 12 }, { "1 2", 6 } } },
	[M_MODE] = { "match-mode",
		     { { "system-ram", 2 },
		       { "devdax, fsdev", 12 },
		       { "unbound system-ram devdax", 7 },
		       { "unclaimed system-ram", 18 } } },
	[M_SHARABLE] = { "match-sharable", { { "yes", 1 }, { "no", 0 } } },
	[M_SIZE] = { "match-size", { { "384M-", 3 }, { "768M-1T", 6 }, { "1G-", 8 } } },
	[M_EXTENTS] = { "match-extents", { { "1-2", 2 }, { "-4", 4 }, { "1-5", 5 } } },
	[M_ORIGIN] = { "match-origin", { { "device", ORIGIN_DEVICE }, { "admin", ORIGIN_ADMIN } } },
};

#define RANDOM_RULES 3

struct random_section {
	uint64_t value[_K_MAX]; /* in force: the defaults where nothing is given */
	bool matches[_M_MAX];
	uint64_t match[_M_MAX];
};

struct random_policy {
	char text[8192];
	struct random_section release;
	struct random_section rules[RANDOM_RULES]; /* "r0", … */
	size_t n_rules;
};

static inline const struct random_value *random_value(uint64_t *seed,
						      const struct random_value values[4])
{
	unsigned n = 1;

	while (n < 4 && values[n].text)
		n++;
	return &values[random_u64(seed) % n];
}

static inline void random_line(char *text, size_t size, const char *name, const char *value)
{
	size_t n = strlen(text);

	assert_true((size_t)snprintf(text + n, size - n, "%s = %s\n", name, value) < size - n);
}

/*
 * Whether a key is given. A few would be of no use, and most texts with them be refused: that has
 * to come up, but not too often.
 */
static inline bool random_gives(uint64_t *seed, unsigned sparse, unsigned key, bool release,
				const struct random_section *s)
{
	if (release && (key <= K_FSDEV || key == K_HOLDERS))
		return one_in(seed, 2);
	if (key == K_UNITS && s->value[K_HOLDERS] == HOLD_TERMINATE)
		return true;
	if (key == K_UNITS || (key == K_HOLDERS_WAIT && s->value[K_HOLDERS] == HOLD_REFUSE))
		return one_in(seed, 100);
	return one_in(seed, sparse);
}

/* Gives each key with a chance of one in @sparse; what is not given is that of @parent. */
static inline void random_keys_of(uint64_t *seed, unsigned sparse,
				  const struct random_section *parent, bool actions,
				  struct random_policy *p, struct random_section *s)
{
	for (unsigned k = 0; k < _K_MAX; k++) {
		const struct random_value *v;

		s->value[k] = parent ? parent->value[k] : random_keys[k].fallback;
		if ((k <= K_FSDEV && !actions) || !random_gives(seed, sparse, k, !parent, s))
			continue;
		v = random_value(seed, random_keys[k].values);
		s->value[k] = v->value;
		random_line(p->text, sizeof(p->text), random_keys[k].name, v->text);
	}
}

static inline void random_rule(uint64_t *seed, struct random_policy *p)
{
	struct random_section *s = &p->rules[p->n_rules];
	unsigned first = (unsigned)(random_u64(seed) % _M_MAX);
	static const char *const actions[] = { "free", "keep", "ask" };
	size_t n = strlen(p->text);

	snprintf(p->text + n, sizeof(p->text) - n, "[rule r%zu]\n", p->n_rules++);
	for (unsigned m = 0; m < _M_MAX; m++)
		if (m == first || one_in(seed, 6)) {
			const struct random_value *v = random_value(seed, random_matches[m].values);

			s->matches[m] = true;
			s->match[m] = v->value;
			random_line(p->text, sizeof(p->text), random_matches[m].name, v->text);
		}
	if (one_in(seed, 2)) {
		/* For all modes that it matches. */
		uint64_t action = one_in(seed, 2) ? FREE : random_u64(seed) % 3;

		random_line(p->text, sizeof(p->text), "action", actions[action]);
		random_keys_of(seed, 8, &p->release, false, p, s);
		for (unsigned k = 0; k <= K_FSDEV; k++)
			if (!s->matches[M_MODE] || s->match[M_MODE] & 1u << k)
				s->value[k] = action;
	} else {
		random_keys_of(seed, 8, &p->release, true, p, s);
	}
}

/* Not every one is a good configuration: the parser refuses some contradictions. */
static inline void random_policy(uint64_t *seed, struct random_policy *ret)
{
	unsigned n = (unsigned)(random_u64(seed) % (RANDOM_RULES + 1));

	*ret = (struct random_policy){ .text = "[release]\n" };
	random_keys_of(seed, 2 + (unsigned)(random_u64(seed) % 30), NULL, true, ret, &ret->release);
	while (ret->n_rules < n)
		random_rule(seed, ret);
}
