/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of consequence: to the journal with structured fields when it listens, else readable on
 * stderr. One report object per process, made in main and handed down.
 */
#pragma once

#include <syslog.h>

#include <dcdd/release.h>

struct report;

/*
 * @level: syslog priority up to which messages are let through. 0 or -ENOMEM.
 * Messages go to the journal if stderr is connected to it ($JOURNAL_STREAM), else as text to
 * stderr. A receiver that does not take them is never waited for longer than a moment: the message
 * is dropped and counted, and the number reported when it listens again. SIGPIPE must be ignored.
 */
int report_new(int level, struct report **ret);

/* The same with another descriptor (not taken over) and path of the journal's native socket. */
int report_new_at(int level, int fd, const char *journal_socket, struct report **ret);
void report_free(struct report *report);
DEFINE_CLEANUP(struct report *, report_free);
void report_set_level(struct report *report, int level);

/* Fields that are not NULL/0 become DCDD_TAG=, DCDD_MEMDEV=, … of the journal message. */
struct report_fields {
	const struct tag *tag;
	const char *memdev, *region, *dax, *state, *reason, *rule;
	uint64_t release, bytes;
	usec_t elapsed;
};

/*
 * One message, one line. @id: one of the MESSAGE_IDs below as 32 hex digits, or NULL. @fields may
 * be NULL, and so may @report: then nothing happens. Keeps errno.
 */
void report_full(struct report *report, int level, const char *id,
		 const struct report_fields *fields, const char *format, ...) _printf_(5, 6);

#define report_debug(r, ...) report_full(r, LOG_DEBUG, NULL, NULL, __VA_ARGS__)
#define report_info(r, ...) report_full(r, LOG_INFO, NULL, NULL, __VA_ARGS__)
#define report_notice(r, ...) report_full(r, LOG_NOTICE, NULL, NULL, __VA_ARGS__)
#define report_warning(r, ...) report_full(r, LOG_WARNING, NULL, NULL, __VA_ARGS__)
#define report_error(r, ...) report_full(r, LOG_ERR, NULL, NULL, __VA_ARGS__)

#define DCDD_MESSAGE_STATE "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a01" /* a release changed its state */
#define DCDD_MESSAGE_READY "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a02" /* free: device must ask again */
#define DCDD_MESSAGE_REFUSED "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a03"
#define DCDD_MESSAGE_RELEASED "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a04"
#define DCDD_MESSAGE_STEP "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a05" /* one step done or undone */
#define DCDD_MESSAGE_LOST "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a06" /* trace records lost */
#define DCDD_MESSAGE_BAD_RECORD "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a07"
#define DCDD_MESSAGE_FAILED "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a08"
#define DCDD_MESSAGE_EVENT "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a09"	  /* a record was seen */
#define DCDD_MESSAGE_DECISION "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a0a"  /* what was decided, and why */
#define DCDD_MESSAGE_POLICY "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a0b"	  /* rules or inhibitors changed */
#define DCDD_MESSAGE_TERMINATE "b0f5a2f0c7d94b6f9d3f6d1c7a5e4a0c" /* a process was told to end */
