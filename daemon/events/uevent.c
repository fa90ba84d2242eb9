/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel uevents: the hint that devices, drivers, memory blocks, nodes, modules or CPUs changed.
 * Extents change without any; for those there are the trace records.
 */
#include <libudev.h>

#include "events.h"

/* Messages per wake-up: a host that brings thousands of blocks online must not starve the loop. */
#define BATCH_MAX 64

/* Bringing 1 TiB online is 8,192 messages at once. */
#define RECEIVE_BUFFER_BYTES (4 << 20)

struct uevents {
	void (*changed)(const char *action, const char *subsystem, const char *devpath,
			void *userdata);
	void *userdata;
	struct udev_monitor *monitor;
	struct event *readable;
};

static void on_uevent(_unused_ evutil_socket_t fd, _unused_ short what, void *userdata)
{
	struct uevents *uevents = userdata;

	for (int i = 0; i < BATCH_MAX; i++) {
		struct udev_device *device;
		const char *action, *subsystem, *devpath;

		errno = 0;
		device = udev_monitor_receive_device(uevents->monitor);
		if (!device) {
			if (errno == ENOBUFS)
				uevents->changed("", "overrun", "", uevents->userdata);
			return;
		}
		action = udev_device_get_action(device);
		subsystem = udev_device_get_subsystem(device);
		devpath = udev_device_get_devpath(device);
		uevents->changed(action ? action : "", subsystem ? subsystem : "",
				 devpath ? devpath : "", uevents->userdata);
		udev_device_unref(device);
	}
}

int uevents_new(struct event_base *base,
		void (*changed)(const char *action, const char *subsystem, const char *devpath,
				void *userdata),
		void *userdata, struct uevents **ret)
{
	static const char *const subsystems[] = { "cxl", "dax", "memory", "node", "module", "cpu" };
	_cleanup_(uevents_freep) struct uevents *uevents = NULL;
	struct udev *udev;
	int r;

	uevents = calloc(1, sizeof(*uevents));
	if (!uevents)
		return -ENOMEM;
	uevents->changed = changed;
	uevents->userdata = userdata;

	udev = udev_new();
	if (!udev)
		return -ENOMEM;
	errno = 0;
	uevents->monitor = udev_monitor_new_from_netlink(udev, "kernel");
	udev_unref(udev); /* the monitor has its own reference */
	if (!uevents->monitor)
		return errno ? -errno : -EIO;

	for (size_t i = 0; i < ARRAY_SIZE(subsystems); i++) {
		r = udev_monitor_filter_add_match_subsystem_devtype(uevents->monitor, subsystems[i],
								    NULL);
		if (r < 0)
			return r;
	}
	/* Takes CAP_NET_ADMIN; without, an overrun is only more likely, and it is reported. */
	(void)udev_monitor_set_receive_buffer_size(uevents->monitor, RECEIVE_BUFFER_BYTES);
	r = udev_monitor_enable_receiving(uevents->monitor);
	if (r < 0)
		return r;

	uevents->readable = event_new(base, udev_monitor_get_fd(uevents->monitor),
				      EV_READ | EV_PERSIST, on_uevent, uevents);
	if (!uevents->readable || event_add(uevents->readable, NULL) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(uevents);
	return 0;
}

void uevents_free(struct uevents *uevents)
{
	if (!uevents)
		return;
	if (uevents->readable)
		event_free(uevents->readable);
	udev_monitor_unref(uevents->monitor);
	free(uevents);
}
