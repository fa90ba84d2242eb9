/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to scan the host: coalesces wishes into as few scans as their freshness allows, in a worker
 * of its own, and gets over a scan that hangs.
 */
#pragma once

#include <event2/event.h>

#include <dcdd/inventory.h>

struct scanner;

/*
 * The scan numbered @number is over. @error: 0, then @inventory is the callee's to free; or a
 * negative errno and NULL, and the scan is repeated by itself. So is one that could not read all of
 * a region; both after 50 ms at first, then ever more slowly, up to once a minute.
 */
typedef void (*scanner_done_t)(uint64_t number, int error, struct inventory *inventory,
			       void *userdata);

int scanner_new(struct event_base *base, const char *exe, const char *sysfs, const char *proc,
		scanner_done_t done, void *userdata, struct scanner **ret);
void scanner_free(struct scanner *scanner);
DEFINE_CLEANUP(struct scanner *, scanner_free);

/* A scan that takes longer is given up (-ETIMEDOUT). From the next one on; 60 s if never called. */
void scanner_set_timeout(struct scanner *scanner, usec_t timeout);

/*
 * Why the last scan failed, for a person, naming what could not be read: "/sys/…/block_size_bytes:
 * Input/output error". "" if it did not. Valid until the next scan is over.
 */
const char *scanner_error_message(const struct scanner *scanner);

/*
 * Asks for a scan that begins from now on. Returns its number. Only if @urgent may it begin before
 * the pause that keeps a flood of wishes from scanning all the time.
 */
uint64_t scanner_request(struct scanner *scanner, bool urgent);

/*
 * Asks for one that begins @delay µs from now or later: what it is to see takes as long to appear.
 * However often it is asked for, there is no more than one in each @delay.
 */
void scanner_request_soon(struct scanner *scanner, usec_t delay);
