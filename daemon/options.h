/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of dcdd. */
#pragma once

#include <dcdd/base.h>

struct options {
	const char *config;	 /* the one file to read; NULL: dcdd.conf and its drop-ins */
	const char *root;	 /* below which they are looked for; NULL: of this host */
	const char *runtime_dir; /* for the lock */
	const char *state_dir;	 /* for the undo journals */
	bool check_config;	 /* read it, say what is wrong, and end */
	bool dump_config;	 /* read it, print what it comes to, and end */
	bool no_bus;		 /* run without D-Bus */
};

/*
 * Parses @argv. Returns -1 if the daemon is to run, else the exit status to end with (after
 * --help and --version, or a message on stderr).
 */
int options_parse(int argc, char **argv, struct options *ret);
