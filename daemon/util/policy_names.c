/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of what a policy says and decides: the one table each that the configuration file, D-Bus,
 * journal, dcdctl and tests share.
 */
#include <dcdd/policy.h>

static const char *const verdict_table[_VERDICT_MAX] = {
	[VERDICT_NOTHING] = "nothing",
	[VERDICT_FREE] = "free",
	[VERDICT_WAIT] = "wait",
	[VERDICT_REFUSE] = "refuse",
};

static const char *const policy_action_table[_POLICY_ACTION_MAX] = {
	[ACTION_FREE] = "free",
	[ACTION_KEEP] = "keep",
	[ACTION_ASK] = "ask",
};

static const char *const offline_method_table[_OFFLINE_METHOD_MAX] = {
	[OFFLINE_AUTO] = "auto",
	[OFFLINE_ATOMIC] = "atomic",
	[OFFLINE_BLOCKS] = "blocks",
};

static const char *const recovery_table[_RECOVERY_MAX] = {
	[RECOVERY_ROLL_BACK] = "roll-back",
	[RECOVERY_RESUME] = "resume",
};

static const char *const holders_action_table[_HOLDERS_ACTION_MAX] = {
	[HOLDERS_WAIT] = "wait",
	[HOLDERS_REFUSE] = "refuse",
	[HOLDERS_TERMINATE] = "terminate",
};

static const char *const origin_table[_ORIGIN_MAX] = {
	[ORIGIN_DEVICE] = "device",
	[ORIGIN_ADMIN] = "admin",
};

static const char *const inhibit_mode_table[_INHIBIT_MODE_MAX] = {
	[INHIBIT_BLOCK] = "block",
	[INHIBIT_DELAY] = "delay",
};

static const char *const condition_kind_table[_CONDITION_MAX] = {
	[CONDITION_STATE] = "state",	   [CONDITION_APPROVAL] = "approval",
	[CONDITION_WINDOW] = "window",	   [CONDITION_RATE] = "rate",
	[CONDITION_RESERVE] = "reserve",   [CONDITION_HEADROOM] = "headroom",
	[CONDITION_PRESSURE] = "pressure", [CONDITION_INHIBITORS] = "inhibitors",
	[CONDITION_HOLDERS] = "holders",
};

static const char *const outcome_table[_OUTCOME_MAX] = {
	[OUTCOME_MET] = "met",
	[OUTCOME_WAIT] = "wait",
	[OUTCOME_REFUSE] = "refuse",
};

static const char *const approval_table[_APPROVAL_MAX] = {
	[APPROVAL_NONE] = "none",
	[APPROVAL_GIVEN] = "given",
	[APPROVAL_DENIED] = "denied",
};

static const char *name(const char *const *table, unsigned n, unsigned value)
{
	return value < n ? table[value] : "unknown";
}

static int value(const char *const *table, unsigned n, const char *s)
{
	for (unsigned i = 0; i < n; i++)
		if (streq(s, table[i]))
			return (int)i;
	return -EINVAL;
}

#define DEFINE_TO_STRING(type)                                                                     \
	const char *type##_to_string(enum type type)                                               \
	{                                                                                          \
		return name(type##_table, ARRAY_SIZE(type##_table), (unsigned)type);               \
	}                                                                                          \
	struct _to_string_needs_semicolon_

#define DEFINE_FROM_STRING(type)                                                                   \
	int type##_from_string(const char *s, enum type *ret)                                      \
	{                                                                                          \
		int i = value(type##_table, ARRAY_SIZE(type##_table), s);                          \
                                                                                                   \
		if (i < 0)                                                                         \
			return i;                                                                  \
		*ret = (enum type)i;                                                               \
		return 0;                                                                          \
	}                                                                                          \
	struct _from_string_needs_semicolon_

DEFINE_TO_STRING(verdict);
DEFINE_TO_STRING(policy_action);
DEFINE_FROM_STRING(policy_action);
DEFINE_TO_STRING(offline_method);
DEFINE_FROM_STRING(offline_method);
DEFINE_TO_STRING(recovery);
DEFINE_FROM_STRING(recovery);
DEFINE_TO_STRING(holders_action);
DEFINE_FROM_STRING(holders_action);
DEFINE_TO_STRING(origin);
DEFINE_FROM_STRING(origin);
DEFINE_TO_STRING(inhibit_mode);
DEFINE_FROM_STRING(inhibit_mode);
DEFINE_TO_STRING(condition_kind);
DEFINE_TO_STRING(outcome);
DEFINE_TO_STRING(approval);
