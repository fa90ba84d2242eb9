/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of the control socket (README.md, "Control protocol"), in tables by subject.
 */
#pragma once

#include "sim.h"

/*
 * Carries out one request: adds to @reply what it answers beyond "ok". The lock is held; a command
 * may let go of it while it waits. 0 or negative errno with *@ret_error (caller frees; may stay
 * NULL) saying more.
 */
typedef int (*command_run_t)(struct sim *sim, struct json_object *request,
			     struct json_object *reply, char **ret_error);

struct command {
	const char *name;
	const char *keys; /* that it knows, separated by spaces; NULL: checks them itself */
	bool logged;	  /* it changes something */
	command_run_t run;
};

/* Each ends with a NULL name. */
extern const struct command host_commands[];
extern const struct command device_commands[];
extern const struct command admin_commands[];
extern const struct command memory_commands[];

/* Sets *@ret_error; returns @error. */
int command_error(char **ret_error, int error, const char *format, ...) _printf_(3, 4);

/* 0 with the number under @key, which must be there; else -EINVAL and *@ret_error. */
int command_number(struct json_object *request, const char *key, uint64_t *ret, char **ret_error);
