/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tests of what the kill matrix stands on, the interposer and the model of the disk, without
 * any daemon: a child of this very program plays one.
 */
#pragma once

#include <stdbool.h>

/* Whether the arguments are those of selftest_main(). */
bool selftest_wanted(int argc, char **argv);

/* "--self-test", and what it starts its children with. Returns the exit status. */
int selftest_main(int argc, char **argv);

/* 0, or 1 if something in it failed and was printed. @program: path of this program. */
int selftest_run(const char *program);
