/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names and classes of release states, and names of plan steps: the one table that D-Bus, journal,
 * dcdctl and tests share.
 */
#include <dcdd/release.h>

static const char *const release_state_table[_RELEASE_STATE_MAX] = {
	[RELEASE_REQUESTED] = "requested",	 [RELEASE_HELD] = "held",
	[RELEASE_DRAINING] = "draining",	 [RELEASE_OFFLINING] = "offlining",
	[RELEASE_DETACHING] = "detaching",	 [RELEASE_READY] = "ready",
	[RELEASE_ROLLING_BACK] = "rolling-back", [RELEASE_DEFERRED] = "deferred",
	[RELEASE_RELEASED] = "released",	 [RELEASE_REFUSED] = "refused",
	[RELEASE_VANISHED] = "vanished",	 [RELEASE_FAILED] = "failed",
};

static const char *const step_kind_table[_STEP_KIND_MAX] = {
	[STEP_SAVE] = "save",
	[STEP_OFFLINE_BLOCK] = "offline-block",
	[STEP_UNPLUG] = "unplug",
	[STEP_UNBIND] = "unbind",
	[STEP_SIZE_ZERO] = "size-zero",
	[STEP_DELETE] = "delete",
	[STEP_CREATE] = "create",
	[STEP_CLAIM] = "claim",
	[STEP_BIND] = "bind",
	[STEP_NEW_ID] = "new-id",
	[STEP_PLUG] = "plug",
	[STEP_REOFFLINE] = "offline-block-again",
	[STEP_ONLINE_BLOCK] = "online-block",
};

const char *release_state_to_string(enum release_state state)
{
	if ((unsigned)state >= _RELEASE_STATE_MAX)
		return "unknown";
	return release_state_table[state];
}

int release_state_from_string(const char *s, enum release_state *ret)
{
	for (unsigned i = 0; i < _RELEASE_STATE_MAX; i++)
		if (streq(s, release_state_table[i])) {
			*ret = (enum release_state)i;
			return 0;
		}
	return -EINVAL;
}

bool release_state_is_final(enum release_state state)
{
	switch (state) {
	case RELEASE_RELEASED:
	case RELEASE_REFUSED:
	case RELEASE_VANISHED:
	case RELEASE_FAILED:
		return true;
	default:
		return false;
	}
}

bool release_state_is_held(enum release_state state)
{
	return state == RELEASE_HELD || state == RELEASE_DRAINING;
}

bool release_state_is_active(enum release_state state)
{
	switch (state) {
	case RELEASE_OFFLINING:
	case RELEASE_DETACHING:
	case RELEASE_ROLLING_BACK:
		return true;
	default:
		return false;
	}
}

const char *step_kind_to_string(enum step_kind kind)
{
	if ((unsigned)kind >= _STEP_KIND_MAX || !step_kind_table[kind])
		return "unknown";
	return step_kind_table[kind];
}
