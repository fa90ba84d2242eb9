/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of event types; in util/ because dcdctl shows them too. */
#include <dcdd/event.h>

const char *dc_event_type_to_string(uint8_t type)
{
	static const char *const names[] = {
		[DC_EVENT_ADD] = "add",
		[DC_EVENT_RELEASE] = "release",
		[DC_EVENT_FORCED_RELEASE] = "forced-release",
		[DC_EVENT_REGION_UPDATED] = "region-updated",
	};

	return type < ARRAY_SIZE(names) ? names[type] : "unknown";
}
