/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tracefs instance: where tracefs is, and the instance's files with an errno for each failure.
 * libtracefs finds the paths. Its own look-up of tracefs is not used: that mounts tracefs where it
 * is missing, and keeps the place in a global.
 */
#pragma once

#include <tracefs.h>

#include <dcdd/base.h>

/*
 * The mounted tracefs: /sys/kernel/tracing, else /sys/kernel/debug/tracing. 0, or -ENOENT with
 * *@ret_error.
 */
int tracing_dir_find(const char **ret_dir, char **ret_error);

/*
 * Makes instance @name below @dir or, if it is there already, adopts it with the records it holds.
 * Then sets clock, wake-up threshold and @buffer_kib per CPU. Negative errno with *@ret_error; an
 * instance made here is then removed again.
 */
int instance_open(const char *dir, const char *name, size_t buffer_kib,
		  struct tracefs_instance **ret, char **ret_error);

/* Removes the instance from the host; its files must be closed. NULL is fine. */
void instance_remove(struct tracefs_instance *instance);

/* Opens @file of the instance, close-on-exec. The fd or negative errno. */
int instance_open_file(struct tracefs_instance *instance, const char *file, int flags);

/* 0 or negative errno. */
int instance_write(struct tracefs_instance *instance, const char *file, const char *value);

/*
 * All of a small file, terminated; the caller frees. Negative errno, -EFBIG above 64 KiB.
 */
int instance_read(struct tracefs_instance *instance, const char *file, char **ret,
		  size_t *ret_size);

/*
 * Writes a message to *@ret_error (NULL if out of memory) and returns @r, for
 * `return error_text(-ENOENT, ret_error, ...)`.
 */
int error_text(int r, char **ret_error, const char *format, ...) _printf_(3, 4);
