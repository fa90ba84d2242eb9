/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words for the enums of the inventory: one table each, for D-Bus, journal, CLI and tests. */
#include <dcdd/inventory.h>

static const char *const dax_mode_names[_DAX_MODE_MAX] = {
	[DAX_MODE_UNBOUND] = "unbound", [DAX_MODE_SYSTEM_RAM] = "system-ram",
	[DAX_MODE_DEVDAX] = "devdax",	[DAX_MODE_FSDEV] = "fsdev",
	[DAX_MODE_OTHER] = "other",
};

static const char *const block_state_names[_BLOCK_STATE_MAX] = {
	[BLOCK_OFFLINE] = "offline",
	[BLOCK_ONLINE] = "online",
	[BLOCK_GOING_OFFLINE] = "going-offline",
	[BLOCK_UNKNOWN] = "unknown",
};

static const char *const block_zone_names[_BLOCK_ZONE_MAX] = {
	[ZONE_NONE] = "none",
	[ZONE_MOVABLE] = "movable",
	[ZONE_KERNEL] = "kernel",
	[ZONE_UNKNOWN] = "unknown",
};

const char *dax_mode_to_string(enum dax_mode mode)
{
	return (unsigned)mode < _DAX_MODE_MAX ? dax_mode_names[mode] : "invalid";
}

int dax_mode_from_string(const char *s, enum dax_mode *ret)
{
	for (unsigned i = 0; i < _DAX_MODE_MAX; i++)
		if (streq(s, dax_mode_names[i])) {
			*ret = (enum dax_mode)i;
			return 0;
		}
	return -EINVAL;
}

const char *block_state_to_string(enum block_state state)
{
	return (unsigned)state < _BLOCK_STATE_MAX ? block_state_names[state] : "invalid";
}

const char *block_zone_to_string(enum block_zone zone)
{
	return (unsigned)zone < _BLOCK_ZONE_MAX ? block_zone_names[zone] : "invalid";
}
