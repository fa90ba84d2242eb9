/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps a lease of the daemon's while a command runs, or until it is interrupted. */
#pragma once

#include "cli.h"

#define HOLD_EXIT_NOT_EXECUTABLE 126
#define HOLD_EXIT_NOT_FOUND 127

/*
 * Runs cli->command as a child, which does not get @lease, and returns its exit status, 128 + N if
 * signal N ended it. SIGTERM and SIGHUP are handed on to it; SIGINT and SIGQUIT come from the
 * terminal, which sends them to the child as well. Without a command: CLI_EXIT_OK when it is
 * interrupted, or cli->until is over.
 *
 * @what is for messages: "rule night". If the daemon gives the lease up before, that is said, and
 * the command goes on; without one it is a failure.
 */
int hold_run(const struct cli *cli, int lease, const char *what);
