/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of dcdd. */
#pragma once

#include <dcdd/base.h>

struct options {
	const char *config;	 /* file to read */
	bool config_given;	 /* by --config: then it must exist */
	const char *runtime_dir; /* for the lock */
	const char *state_dir;	 /* for the undo journals */
	bool check_config;	 /* parse, say what is wrong, and end */
	bool no_bus;		 /* run without D-Bus */
};

/*
 * Parses @argv. Returns -1 if the daemon is to run, else the exit status to end with (after
 * --help and --version, or a message on stderr).
 */
int options_parse(int argc, char **argv, struct options *ret);
