/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of verdicts, actions, offline methods and recoveries: the one table that the configuration
 * file, D-Bus, journal, dcdctl and tests share.
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

const char *verdict_to_string(enum verdict verdict)
{
	if ((unsigned)verdict >= _VERDICT_MAX)
		return "unknown";
	return verdict_table[verdict];
}

const char *policy_action_to_string(enum policy_action action)
{
	if ((unsigned)action >= _POLICY_ACTION_MAX)
		return "unknown";
	return policy_action_table[action];
}

int policy_action_from_string(const char *s, enum policy_action *ret)
{
	for (unsigned i = 0; i < _POLICY_ACTION_MAX; i++)
		if (streq(s, policy_action_table[i])) {
			*ret = (enum policy_action)i;
			return 0;
		}
	return -EINVAL;
}

const char *offline_method_to_string(enum offline_method method)
{
	if ((unsigned)method >= _OFFLINE_METHOD_MAX)
		return "unknown";
	return offline_method_table[method];
}

int offline_method_from_string(const char *s, enum offline_method *ret)
{
	for (unsigned i = 0; i < _OFFLINE_METHOD_MAX; i++)
		if (streq(s, offline_method_table[i])) {
			*ret = (enum offline_method)i;
			return 0;
		}
	return -EINVAL;
}

const char *recovery_to_string(enum recovery recovery)
{
	if ((unsigned)recovery >= _RECOVERY_MAX)
		return "unknown";
	return recovery_table[recovery];
}

int recovery_from_string(const char *s, enum recovery *ret)
{
	for (unsigned i = 0; i < _RECOVERY_MAX; i++)
		if (streq(s, recovery_table[i])) {
			*ret = (enum recovery)i;
			return 0;
		}
	return -EINVAL;
}
