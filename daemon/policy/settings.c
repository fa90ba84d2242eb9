/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of keys, the defaults that stand in it, and how a rule inherits from [release]. */
#include <assert.h>
#include <syslog.h>

#include "settings.h"

#define POLICY(field) offsetof(struct policy, field)
#define RELEASE(field) offsetof(struct release_settings, field)
#define RULE(field) offsetof(struct policy_rule, field)
#define RELEASE_TEXT(field) RELEASE(field), 0, sizeof(((struct release_settings *)NULL)->field) - 1
#define RULE_TEXT(field) RULE(field), 1, sizeof(((struct policy_rule *)NULL)->field) - 1

#define TiB (GiB << 10)
#define SIZE_MAX_BYTES (1024 * TiB)
#define DAY (24 * USEC_PER_HOUR)
#define WAIT_MAX (365 * DAY)
/* So that with its name it fits a line, "windows = " and all. */
#define WINDOWS_LENGTH_MAX 180
/* Less than the ledger holds before it has to merge any. */
#define RATE_GROUPS_MAX 500

static_assert(CONFIG_KEYS <= 64 * KEY_SET_WORDS, "a bit for each key in policy_rule.set");
static_assert(RULE_TEXT_MAX <= CONFIG_VALUE_STRLEN, "a text fits its buffer");

/* No length here: so the compiler checks it against CONFIG_KEYS. */
const struct config_key config_keys[] = {
	{ "settle-time", SECTION_DAEMON, CONFIG_TIME, POLICY(settle_time), USEC_PER_MSEC,
	  USEC_PER_MIN, "200ms" },
	{ "refuse-hold", SECTION_DAEMON, CONFIG_TIME, POLICY(refuse_hold), 0, DAY, "30s" },
	{ "trace-buffer-size", SECTION_DAEMON, CONFIG_SIZE_KIB, POLICY(buffer_kib), 4 * KiB,
	  64 * MiB, "64K" },
	{ "queue-max", SECTION_DAEMON, CONFIG_COUNT, POLICY(queue_max), 1, 65536, "256" },
	{ "history-max", SECTION_DAEMON, CONFIG_COUNT, POLICY(history_max), 1, 65536, "128" },
	{ "stop-timeout", SECTION_DAEMON, CONFIG_TIME, POLICY(stop_timeout), 100 * USEC_PER_MSEC,
	  USEC_PER_HOUR, "75s" },
	{ "scan-timeout", SECTION_DAEMON, CONFIG_TIME, POLICY(scan_timeout), 100 * USEC_PER_MSEC,
	  USEC_PER_HOUR, "60s" },
	{ "concurrency", SECTION_DAEMON, CONFIG_COUNT, POLICY(concurrency), 1, 16, "1" },
	{ "dry-run", SECTION_DAEMON, CONFIG_YES_NO, POLICY(dry_run), 0, 0, "no" },
	{ "log-level", SECTION_DAEMON, CONFIG_LOG_LEVEL, POLICY(log_level), LOG_EMERG, LOG_DEBUG,
	  "info" },

	{ "system-ram", SECTION_RELEASE, CONFIG_ACTION, RELEASE(action[DAX_MODE_SYSTEM_RAM]), 0, 0,
	  "free" },
	{ "devdax", SECTION_RELEASE, CONFIG_ACTION, RELEASE(action[DAX_MODE_DEVDAX]), 0, 0,
	  "keep" },
	{ "fsdev", SECTION_RELEASE, CONFIG_ACTION, RELEASE(action[DAX_MODE_FSDEV]), 0, 0, "keep" },
	{ "unbound", SECTION_RELEASE, CONFIG_ACTION, RELEASE(action[DAX_MODE_UNBOUND]), 0, 0,
	  "keep" },
	{ "message", SECTION_RELEASE, CONFIG_TEXT, RELEASE_TEXT(message), "" },
	{ "ask-timeout", SECTION_RELEASE, CONFIG_WAIT, RELEASE(ask_timeout), 100 * USEC_PER_MSEC,
	  WAIT_MAX, "1h" },
	{ "ask-outcome", SECTION_RELEASE, CONFIG_OUTCOME, RELEASE(ask_outcome), 0, 0, "keep" },

	{ "offline-method", SECTION_RELEASE, CONFIG_METHOD, RELEASE(method), 0, 0, "auto" },
	{ "block-timeout", SECTION_RELEASE, CONFIG_TIME, RELEASE(block_timeout), 10 * USEC_PER_MSEC,
	  USEC_PER_HOUR, "60s" },
	{ "release-timeout", SECTION_RELEASE, CONFIG_TIME, RELEASE(release_timeout),
	  10 * USEC_PER_MSEC, DAY, "15min" },
	{ "retries", SECTION_RELEASE, CONFIG_COUNT, RELEASE(retries), 0, 1000, "3" },
	{ "backoff-initial", SECTION_RELEASE, CONFIG_TIME, RELEASE(backoff_initial), USEC_PER_MSEC,
	  DAY, "5s" },
	{ "backoff-max", SECTION_RELEASE, CONFIG_TIME, RELEASE(backoff_max), USEC_PER_MSEC, DAY,
	  "5min" },
	{ "recovery", SECTION_RELEASE, CONFIG_RECOVERY, RELEASE(recovery), 0, 0, "roll-back" },

	{ "state-wait", SECTION_RELEASE, CONFIG_WAIT, RELEASE(state_wait), 0, WAIT_MAX, "1min" },

	{ "headroom", SECTION_RELEASE, CONFIG_SIZE, RELEASE(headroom_bytes), 0, SIZE_MAX_BYTES,
	  "256M" },
	{ "headroom-percent", SECTION_RELEASE, CONFIG_PERMYRIAD, RELEASE(headroom_permyriad), 0,
	  10000, "5%" },
	{ "node-headroom", SECTION_RELEASE, CONFIG_SIZE, RELEASE(node_headroom_bytes), 0,
	  SIZE_MAX_BYTES, "0" },
	{ "node-headroom-percent", SECTION_RELEASE, CONFIG_PERMYRIAD,
	  RELEASE(node_headroom_permyriad), 0, 10000, "0%" },
	{ "headroom-wait", SECTION_RELEASE, CONFIG_WAIT, RELEASE(headroom_wait), 0, WAIT_MAX,
	  "10min" },

	{ "pressure-some", SECTION_RELEASE, CONFIG_PERMYRIAD, RELEASE(pressure_some), 0, 10000,
	  "0%" },
	{ "pressure-full", SECTION_RELEASE, CONFIG_PERMYRIAD, RELEASE(pressure_full), 0, 10000,
	  "0%" },
	{ "pressure-settle", SECTION_RELEASE, CONFIG_TIME, RELEASE(pressure_settle),
	  3 * USEC_PER_SEC, USEC_PER_HOUR, "10s" },
	{ "pressure-wait", SECTION_RELEASE, CONFIG_WAIT, RELEASE(pressure_wait), 0, WAIT_MAX,
	  "10min" },

	{ "holders", SECTION_RELEASE, CONFIG_HOLDERS, RELEASE(holders), 0, 0, "wait" },
	{ "holders-wait", SECTION_RELEASE, CONFIG_WAIT, RELEASE(holders_wait), 0, WAIT_MAX,
	  "10min" },
	{ "terminate-units", SECTION_RELEASE, CONFIG_UNITS, RELEASE_TEXT(terminate_units), "" },
	{ "terminate-grace", SECTION_RELEASE, CONFIG_TIME, RELEASE(terminate_grace),
	  100 * USEC_PER_MSEC, USEC_PER_HOUR, "10s" },
	{ "ignore-unseen-processes", SECTION_RELEASE, CONFIG_YES_NO, RELEASE(ignore_unseen), 0, 0,
	  "no" },

	{ "windows", SECTION_RELEASE, CONFIG_WINDOWS, RELEASE(windows), 0, WINDOWS_LENGTH_MAX, "" },
	{ "windows-wait", SECTION_RELEASE, CONFIG_WAIT, RELEASE(windows_wait), 0, WAIT_MAX,
	  "infinity" },

	{ "inhibit-delay-max", SECTION_RELEASE, CONFIG_TIME, RELEASE(inhibit_delay_max), 0, DAY,
	  "5min" },
	{ "inhibit-wait", SECTION_RELEASE, CONFIG_WAIT, RELEASE(inhibit_wait), 0, WAIT_MAX, "1h" },

	{ "rate-bytes", SECTION_RELEASE, CONFIG_SIZE, RELEASE(rate_bytes), 0, SIZE_MAX_BYTES, "0" },
	{ "rate-groups", SECTION_RELEASE, CONFIG_COUNT, RELEASE(rate_groups), 0, RATE_GROUPS_MAX,
	  "0" },
	{ "rate-memdev-bytes", SECTION_RELEASE, CONFIG_SIZE, RELEASE(rate_memdev_bytes), 0,
	  SIZE_MAX_BYTES, "0" },
	{ "rate-memdev-groups", SECTION_RELEASE, CONFIG_COUNT, RELEASE(rate_memdev_groups), 0,
	  RATE_GROUPS_MAX, "0" },
	{ "rate-wait", SECTION_RELEASE, CONFIG_WAIT, RELEASE(rate_wait), 0, WAIT_MAX, "2h" },

	{ "reserve-node", SECTION_RELEASE, CONFIG_SIZE, RELEASE(reserve_node), 0, SIZE_MAX_BYTES,
	  "0" },
	{ "reserve-host", SECTION_RELEASE, CONFIG_SIZE, RELEASE(reserve_host), 0, SIZE_MAX_BYTES,
	  "0" },
	{ "reserve-wait", SECTION_RELEASE, CONFIG_WAIT, RELEASE(reserve_wait), 0, WAIT_MAX,
	  "10min" },

	{ "match-tag", SECTION_RULE, CONFIG_TAGS, RULE_TEXT(tags), NULL },
	{ "match-memdev", SECTION_RULE, CONFIG_MEMDEVS, RULE_TEXT(memdevs), NULL },
	{ "match-region", SECTION_RULE, CONFIG_REGIONS, RULE_TEXT(regions), NULL },
	{ "match-node", SECTION_RULE, CONFIG_NODES, RULE(nodes), 0, 1023, NULL },
	{ "match-partition", SECTION_RULE, CONFIG_PARTITIONS, RULE(partitions), 1, 8, NULL },
	{ "match-mode", SECTION_RULE, CONFIG_MODES, RULE(modes), 0, 0, NULL },
	{ "match-sharable", SECTION_RULE, CONFIG_YES_NO, RULE(sharable), 0, 0, NULL },
	{ "match-size", SECTION_RULE, CONFIG_SIZES, RULE(size), 1, SIZE_MAX_BYTES, NULL },
	{ "match-extents", SECTION_RULE, CONFIG_COUNTS, RULE(extents), 1, 1000000, NULL },
	{ "match-origin", SECTION_RULE, CONFIG_ORIGIN, RULE(origin), 0, 0, NULL },
	{ "action", SECTION_RULE, CONFIG_ACTION, RULE(action), 0, 0, NULL },
};

const char *config_section_to_string(enum config_section section)
{
	switch (section) {
	case SECTION_DAEMON:
		return "daemon";
	case SECTION_RELEASE:
		return "release";
	case SECTION_RULE:
		return "rule";
	case SECTION_NONE:
		break;
	}
	return "";
}

bool config_key_allowed(const struct config_key *key, enum config_section section)
{
	return key->section == section ||
	       (section == SECTION_RULE && key->section == SECTION_RELEASE);
}

const struct config_key *config_key_find(enum config_section section, const char *name)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (config_key_allowed(&config_keys[i], section) &&
		    streq(config_keys[i].name, name))
			return &config_keys[i];
	return NULL;
}

bool config_key_matches(const struct config_key *key)
{
	return startswith(key->name, "match-");
}

bool rule_gives(const struct policy_rule *rule, const struct config_key *key)
{
	size_t bit = (size_t)(key - config_keys);

	return rule->set[bit / 64] & (UINT64_C(1) << bit % 64);
}

void rule_set_given(struct policy_rule *rule, const struct config_key *key)
{
	size_t bit = (size_t)(key - config_keys);

	rule->set[bit / 64] |= UINT64_C(1) << bit % 64;
}

bool rule_covers(const struct policy_rule *general, const struct policy_rule *special)
{
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];

		if (!config_key_matches(key) || !rule_gives(general, key))
			continue;
		if (!rule_gives(special, key) || !config_key_equal(key, general, special))
			return false;
	}
	return true;
}

void *rule_key_base(struct policy_rule *rule, const struct config_key *key)
{
	return key->section == SECTION_RULE ? (void *)rule : &rule->settings;
}

const void *rule_key_base_const(const struct policy_rule *rule, const struct config_key *key)
{
	return key->section == SECTION_RULE ? (const void *)rule : &rule->settings;
}

void policy_rule_init(struct policy_rule *ret, const char *name)
{
	*ret = (struct policy_rule){
		.until = USEC_INFINITY,
		.sharable = -1,
		.size = { 0, UINT64_MAX },
		.extents = { 0, UINT64_MAX },
		.origin = -1,
		.action = -1,
	};
	(void)str_copy(ret->name, sizeof(ret->name), name);
}

void policy_init(struct policy *ret)
{
	*ret = (struct policy){ 0 };
	/* A driver that we do not know is never touched; no key is for it. */
	for (unsigned mode = 0; mode < _DAX_MODE_MAX; mode++)
		ret->defaults.action[mode] = ACTION_KEEP;
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		void *base = key->section == SECTION_RELEASE ? (void *)&ret->defaults : ret;
		int r;

		if (key->section == SECTION_RULE)
			continue;
		r = config_key_parse(key, key->fallback, base);
		assert(r == 0); /* the table itself is wrong */
		(void)r;
	}
}

void policy_done(struct policy *policy)
{
	free(policy->rules);
	policy->rules = NULL;
	policy->n_rules = policy->n_temporary = 0;
	for (size_t i = 0; i < policy->n_files; i++)
		free(policy->files[i]);
	free(policy->files);
	policy->files = NULL;
	policy->n_files = 0;
}

static size_t value_size(const struct config_key *key)
{
	switch (key->type) {
	case CONFIG_TIME:
	case CONFIG_WAIT:
	case CONFIG_SIZE:
		return sizeof(uint64_t);
	case CONFIG_SIZE_KIB:
		return sizeof(size_t);
	case CONFIG_COUNT:
	case CONFIG_PERMYRIAD:
	case CONFIG_PARTITIONS:
	case CONFIG_MODES:
		return sizeof(unsigned);
	case CONFIG_YES_NO:
	case CONFIG_LOG_LEVEL:
	case CONFIG_ACTION:
	case CONFIG_OUTCOME:
	case CONFIG_METHOD:
	case CONFIG_RECOVERY:
	case CONFIG_HOLDERS:
	case CONFIG_ORIGIN:
		return sizeof(int);
	case CONFIG_TEXT:
	case CONFIG_UNITS:
	case CONFIG_TAGS:
	case CONFIG_MEMDEVS:
	case CONFIG_REGIONS:
		return (size_t)key->max + 1;
	case CONFIG_WINDOWS:
		return sizeof(struct time_windows);
	case CONFIG_SIZES:
	case CONFIG_COUNTS:
		return sizeof(struct bounds);
	case CONFIG_NODES:
		break; /* only in rules, which do not inherit it */
	}
	return 0;
}

void policy_resolve(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		struct policy_rule *rule = &policy->rules[i];
		struct release_settings given = rule->settings;

		rule->settings = policy->defaults;
		for (size_t k = 0; k < CONFIG_KEYS; k++) {
			const struct config_key *key = &config_keys[k];

			if (key->section != SECTION_RELEASE || !rule_gives(rule, key))
				continue;
			memcpy((char *)&rule->settings + key->offset,
			       (const char *)&given + key->offset, value_size(key));
		}
		for (unsigned mode = 0; rule->action >= 0 && mode < _DAX_MODE_MAX; mode++)
			if (mode != DAX_MODE_OTHER && (!rule->modes || rule->modes & 1U << mode))
				rule->settings.action[mode] = (enum policy_action)rule->action;
	}
}
