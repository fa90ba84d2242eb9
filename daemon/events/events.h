/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intake of the kernel's dynamic capacity records: an own tracefs instance, one non-blocking
 * reader per CPU on the loop, decoded by the event's own format file. docs/kernel.md has the
 * interface relied on.
 */
#pragma once

#include <event2/event.h>

#include <dcdd/event.h>

/* ---- record.c: pure, bytes + format -> struct dc_event ---- */

/* Where each field of a record is. Built from the text of a tracefs `format` file. */
struct record_format;

/*
 * Parses a format file. 0, or -EINVAL with *@ret_error naming the missing or odd field
 * (caller frees), -ENOMEM.
 */
int record_format_parse(const char *text, size_t size, struct record_format **ret,
			char **ret_error);
void record_format_free(struct record_format *format);
DEFINE_CLEANUP(struct record_format *, record_format_free);

/* The event id that records of this format carry in common_type. */
unsigned record_format_id(const struct record_format *format);

/*
 * Decodes one raw record of @size bytes traced at @traced (µs, CLOCK_MONOTONIC). 0, or
 * -ENOMSG: another event's id; -EBADMSG: too short, or a string that points outside the record or
 * is not terminated or longer than a device name, or a DPA range that overflows.
 */
int record_decode(const struct record_format *format, const void *data, size_t size, usec_t traced,
		  struct dc_event *ret);

/* The same; when it fails, *@ret_problem is a static text that says what is wrong. */
int record_decode_explain(const struct record_format *format, const void *data, size_t size,
			  usec_t traced, struct dc_event *ret, const char **ret_problem);

/* ---- intake.c: the tracefs side ---- */

struct intake;

/*
 * All are called from the loop, or from intake_refresh(). They may call intake_refresh(), which
 * then happens once they are done, but not intake_free().
 */
struct intake_ops {
	/* One decoded record. Records of one CPU come in order; of several CPUs sorted per wake-up.
	 */
	void (*record)(const struct dc_event *event, void *userdata);
	/* @lost records were overwritten before they could be read (at least; 0: unknown number).
	 */
	void (*lost)(uint64_t lost, void *userdata);
	/*
	 * The event became available (true) or went away (false; what was unread is lost then). Not
	 * called for what intake_new() finds.
	 */
	void (*available)(bool available, void *userdata);
	/*
	 * A record that could not be decoded, or an event that appeared later with an unknown
	 * layout;
	 * @message names what is wrong.
	 */
	void (*bad_record)(const char *message, void *userdata);
};

/*
 * Creates or adopts instance @instance (for example "dcdd") with @buffer_kib per CPU, sets
 * trace_clock=mono and buffer_percent=0, and subscribes to @system/@event, now or, if it does not
 * exist yet, as soon as it does. What an adopted instance still holds is delivered.
 * 0, or -ENOENT: no tracefs mounted; -EACCES/-EPERM; -EINVAL with an unknown record layout; in all
 * of these *@ret_error says what is missing and what to do (caller frees; NULL if out of memory).
 */
int intake_new(struct event_base *base, const char *instance, const char *system, const char *event,
	       size_t buffer_kib, const struct intake_ops *ops, void *userdata, struct intake **ret,
	       char **ret_error);

/* Whether the event exists and is subscribed to. */
bool intake_is_available(const struct intake *intake);

/* Look again whether the event or CPUs came or went: after a module or cpu uevent. */
void intake_refresh(struct intake *intake);

/* Unsubscribes; removes the instance too. NULL is fine. */
void intake_free(struct intake *intake);
DEFINE_CLEANUP(struct intake *, intake_free);

/* ---- uevent.c: kernel uevents of the subsystems we care about ---- */

struct uevents;

/*
 * Calls @changed for each kernel uevent of subsystem cxl, dax, memory, node, module or cpu. A
 * lost message (ENOBUFS) is reported as subsystem "overrun".
 * 0 or negative errno.
 */
int uevents_new(struct event_base *base,
		void (*changed)(const char *action, const char *subsystem, const char *devpath,
				void *userdata),
		void *userdata, struct uevents **ret);
void uevents_free(struct uevents *uevents);
DEFINE_CLEANUP(struct uevents *, uevents_free);
