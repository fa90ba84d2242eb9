/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What keeps a failed release from being whole, as it is sent. The list can be as long as the group
 * has memory blocks, and the bus cuts off who sends too large a message: so it has an end here.
 */
#include "bus_internal.h"
#include "release/plan.h"

size_t bus_leftover_count(const struct release *release)
{
	/* In other states these are the differences that are being mended, or were. */
	return release->state == RELEASE_FAILED ? release->plan.n_differences : 0;
}

static int append_leftover(sd_bus_message *m, const struct release *release, size_t i)
{
	struct difference_text text = { 0 };
	int r;

	plan_difference_text(&release->plan, &release->plan.differences[i], &text);
	r = sd_bus_message_open_container(m, 'r', "ssss");
	if (r >= 0)
		r = bus_append_text(m, text.object);
	if (r >= 0)
		r = bus_append_text(m, text.have);
	if (r >= 0)
		r = bus_append_text(m, text.want);
	if (r >= 0)
		r = bus_append_text(m, text.command);
	return r < 0 ? r : sd_bus_message_close_container(m);
}

int bus_leftovers_append(sd_bus_message *m, const struct release *release, size_t max)
{
	size_t n = MIN(bus_leftover_count(release), max);
	int r = sd_bus_message_open_container(m, 'a', "(ssss)");

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = append_leftover(m, release, i);
	return r < 0 ? r : sd_bus_message_close_container(m);
}
