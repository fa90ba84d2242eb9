/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names other programs see: D-Bus, paths, exit statuses. */
#pragma once

#define DCDD_BUS_NAME "org.dcdd1"
#define DCDD_OBJECT_PATH "/org/dcdd1"
#define DCDD_INTERFACE_MANAGER "org.dcdd1.Manager"
#define DCDD_INTERFACE_RELEASE "org.dcdd1.Release"

#ifndef DCDD_CONFIG_PATH /* the makefile gives it, by SYSCONFDIR */
#define DCDD_CONFIG_PATH "/etc/dcdd/dcdd.conf"
#endif
#ifndef DCDD_CONFIG_DIRS /* the first wins; NUL-separated, by SYSCONFDIR and PREFIX */
#define DCDD_CONFIG_DIRS "/etc/dcdd\0/run/dcdd\0/usr/lib/dcdd\0"
#endif
#define DCDD_RUNTIME_DIR "/run/dcdd"
#define DCDD_STATE_DIR "/var/lib/dcdd"
#define DCDD_TRACE_INSTANCE "dcdd"
#define DCDD_TRACE_SYSTEM "cxl"
#define DCDD_TRACE_EVENT "cxl_dynamic_capacity"

/* Exit statuses of dcdd; documented in dcdd(8). From sysexits(3) where one fits. */
enum dcdd_exit {
	DCDD_EXIT_OK = 0,
	DCDD_EXIT_FAILURE = 1,	   /* internal error, out of memory */
	DCDD_EXIT_USAGE = 64,	   /* command line */
	DCDD_EXIT_NO_TRACEFS = 69, /* tracefs missing */
	DCDD_EXIT_RUNNING = 75,	   /* another dcdd has the host */
	DCDD_EXIT_PERMISSION = 77, /* may not use tracefs, the runtime directory or sysfs */
	DCDD_EXIT_CONFIG = 78,	   /* configuration file */
	DCDD_EXIT_BUS = 79,	   /* D-Bus is not there or refuses the name */
};
