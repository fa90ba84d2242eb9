/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one event loop: signals, the watchdog of the service manager, readiness and status. What the
 * daemon does in it is wired up in main.c.
 */
#pragma once

#include <event2/event.h>

#include <dcdd/base.h>

struct loop;

struct loop_ops {
	void (*stop)(void *userdata);	 /* SIGTERM or SIGINT, the first one */
	void (*reload)(void *userdata);	 /* SIGHUP */
	void (*timeout)(void *userdata); /* stopping took longer than loop_stopping() was given */
};

int loop_new(const struct loop_ops *ops, void *userdata, struct loop **ret);
void loop_free(struct loop *loop);
DEFINE_CLEANUP(struct loop *, loop_free);

struct event_base *loop_base(struct loop *loop);

/* Runs until loop_exit(); returns the status given to it, or -EIO. */
int loop_run(struct loop *loop);
void loop_exit(struct loop *loop, int status);

/* Tells the service manager. All are without effect where there is none. */
void loop_ready(struct loop *loop);
void loop_status(struct loop *loop, const char *format, ...) _printf_(2, 3);
void loop_reloading(struct loop *loop);
void loop_stopping(struct loop *loop, usec_t timeout);
