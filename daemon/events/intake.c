/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tracefs side: an own instance, subscribed to one event that may come and go, read in bounded
 * batches. A batch takes what all CPUs have, up to a limit, sorts it by time and delivers it; what
 * is left keeps the descriptor readable for the next turn of the loop. So a flood cannot keep
 * signals, D-Bus or the watchdog waiting.
 */
#include "events.h"
#include "instance.h"
#include "readers.h"

/* One batch: about 1,000 records, a millisecond of work. */
#define BATCH_MAX_BYTES ((size_t)128 << 10)

/* How often to look again for what is missing, in case its uevent was missed or there is none. */
#define RETRY_SEC 5

struct batch_entry {
	uint64_t traced_nsec;
	size_t arrival; /* keeps the order of records of the same time */
	struct dc_event event;
};

struct intake {
	const struct intake_ops *ops;
	void *userdata;
	struct event_base *base;
	struct tracefs_instance *instance;
	char *event_name;		 /* "cxl/cxl_dynamic_capacity" */
	char *format_file, *enable_file; /* below the instance */

	struct record_format *format; /* these three exist while the event does */
	struct readers *readers;
	struct event *readable;

	struct event *retry;  /* pending only while something is missing */
	char *reported_error; /* the layout error told last, to tell it once */

	struct batch_entry *batch;
	size_t n_batch, batch_room;
	bool busy;  /* reading, or in a callback: a refresh has to wait */
	bool stale; /* a refresh is due */
};

/* ---- batches ---- */

static int parse_format(struct intake *intake, struct record_format **ret, char **ret_error)
{
	_cleanup_free_ char *text = NULL, *problem = NULL;
	size_t size;
	int r;

	r = instance_read(intake->instance, intake->format_file, &text, &size);
	if (r < 0)
		return r == -ENOENT
			       ? r
			       : error_text(r, ret_error, "cannot read the format of event %s: %s",
					    intake->event_name, strerror(-r));
	r = record_format_parse(text, size, ret, &problem);
	if (r < 0)
		return error_text(r, ret_error, "event %s has a layout that dcdd does not know: %s",
				  intake->event_name, problem ? problem : strerror(-r));
	return 0;
}

/* The event may have come back with another id or layout without our having been told. */
static void reload_format(struct intake *intake)
{
	_cleanup_free_ char *error = NULL;
	struct record_format *format = NULL;

	if (parse_format(intake, &format, &error) < 0)
		return; /* the refresh that is due says so */
	record_format_free(intake->format);
	intake->format = format;
}

static struct batch_entry *batch_append(struct intake *intake)
{
	if (intake->n_batch == intake->batch_room) {
		size_t room = intake->batch_room ? intake->batch_room * 2 : 64;
		struct batch_entry *batch = reallocarray(intake->batch, room, sizeof(*batch));

		if (!batch)
			return NULL;
		intake->batch = batch;
		intake->batch_room = room;
	}
	return &intake->batch[intake->n_batch];
}

static void on_record(const struct subbuffer_record *record, void *userdata)
{
	struct intake *intake = userdata;
	struct batch_entry *entry = batch_append(intake);
	usec_t traced = record->traced_nsec / 1000;
	const char *problem;
	char message[160];
	int r;

	if (!entry) {
		intake->ops->lost(1, intake->userdata);
		return;
	}
	r = record_decode_explain(intake->format, record->data, record->size, traced, &entry->event,
				  &problem);
	if (r < 0 && !intake->stale) {
		intake->stale = true;
		reload_format(intake);
		r = record_decode_explain(intake->format, record->data, record->size, traced,
					  &entry->event, &problem);
	}
	if (r < 0) {
		(void)snprintf(message, sizeof(message), "record of %zu bytes of %.64s: %s",
			       record->size, intake->event_name, problem);
		intake->ops->bad_record(message, intake->userdata);
		return;
	}
	entry->traced_nsec = record->traced_nsec;
	entry->arrival = intake->n_batch++;
}

static void on_lost(uint64_t lost, void *userdata)
{
	struct intake *intake = userdata;

	intake->ops->lost(lost, intake->userdata);
}

static int compare_entries(const void *a, const void *b)
{
	const struct batch_entry *x = a, *y = b;

	if (x->traced_nsec != y->traced_nsec)
		return x->traced_nsec < y->traced_nsec ? -1 : 1;
	return x->arrival < y->arrival ? -1 : x->arrival > y->arrival;
}

/* Reads, sorts and delivers one batch. */
static void run_batch(struct intake *intake)
{
	intake->n_batch = 0;
	readers_drain(intake->readers, BATCH_MAX_BYTES);
	if (intake->n_batch > 1)
		qsort(intake->batch, intake->n_batch, sizeof(*intake->batch), compare_entries);
	for (size_t i = 0; i < intake->n_batch; i++)
		intake->ops->record(&intake->batch[i].event, intake->userdata);
}

static void set_retry(struct intake *intake, bool on)
{
	static const struct timeval interval = { .tv_sec = RETRY_SEC };

	if (!on)
		(void)event_del(intake->retry);
	else if (!event_pending(intake->retry, EV_TIMEOUT, NULL))
		(void)event_add(intake->retry, &interval);
}

static void on_readable(_unused_ evutil_socket_t fd, _unused_ short what, void *userdata)
{
	struct intake *intake = userdata;

	intake->busy = true;
	run_batch(intake);
	intake->busy = false;

	if (intake->stale)
		intake_refresh(intake);
	else if (readers_incomplete(intake->readers))
		set_retry(intake, true);
}

/* ---- the event coming and going ---- */

static int start_reading(struct intake *intake)
{
	static const struct readers_ops ops = { .record = on_record, .lost = on_lost };
	int r;

	r = readers_new(intake->instance, &ops, intake, &intake->readers);
	if (r < 0)
		return r;
	intake->readable = event_new(intake->base, readers_fd(intake->readers),
				     EV_READ | EV_PERSIST, on_readable, intake);
	return intake->readable && event_add(intake->readable, NULL) == 0 ? 0 : -ENOMEM;
}

static void stop_reading(struct intake *intake)
{
	if (intake->readable)
		event_free(intake->readable);
	intake->readable = NULL;
	readers_free(intake->readers);
	intake->readers = NULL;
	record_format_free(intake->format);
	intake->format = NULL;
}

/*
 * Enables the event if it is there, and takes its present format and CPUs. 1 if subscribed; 0 if
 * there is no such event; negative errno with *@ret_error.
 */
static int subscribe(struct intake *intake, char **ret_error)
{
	_cleanup_(record_format_freep) struct record_format *format = NULL;
	int r;

	r = parse_format(intake, &format, ret_error);
	if (r < 0)
		return r == -ENOENT ? 0 : r;

	r = instance_write(intake->instance, intake->enable_file, "1");
	if (r == -ENOENT || r == -ENODEV)
		return 0; /* gone since */
	if (r < 0)
		return error_text(r, ret_error, "cannot enable event %s: %s", intake->event_name,
				  strerror(-r));

	record_format_free(intake->format);
	intake->format = TAKE_PTR(format);
	if (intake->readers) {
		/* What cannot be opened now makes the readers incomplete, and is retried. */
		(void)readers_scan(intake->readers);
		return 1;
	}
	r = start_reading(intake);
	if (r < 0) {
		stop_reading(intake);
		return error_text(r, ret_error, "cannot read the records of event %s: %s",
				  intake->event_name, strerror(-r));
	}
	return 1;
}

static void report_error(struct intake *intake, char *error)
{
	const char *message = error ? error : "out of memory";

	if (!intake->reported_error || !streq(intake->reported_error, message))
		intake->ops->bad_record(message, intake->userdata);
	free(intake->reported_error);
	intake->reported_error = error;
}

void intake_refresh(struct intake *intake)
{
	bool was_available = intake_is_available(intake);
	char *error = NULL;
	int r;

	if (intake->busy) {
		intake->stale = true;
		return;
	}
	intake->busy = true;

	r = subscribe(intake, &error);
	/*
	 * Gone: the kernel has emptied the buffers, as ids are used again. After any other error
	 * but a layout that we do not know, what we have goes on working.
	 */
	if (r == 0 || r == -EINVAL)
		stop_reading(intake);
	if (r < 0) {
		report_error(intake, error);
	} else {
		free(intake->reported_error);
		intake->reported_error = NULL;
	}
	/* A layout that we do not know changes with a module only, and that sends a uevent. */
	set_retry(intake, r == 0 || (r < 0 && r != -EINVAL) ||
				  (r > 0 && readers_incomplete(intake->readers)));
	if (intake_is_available(intake) != was_available)
		intake->ops->available(!was_available, intake->userdata);

	intake->busy = false;
	intake->stale = false;
}

static void on_retry(_unused_ evutil_socket_t fd, _unused_ short what, void *userdata)
{
	intake_refresh(userdata);
}

bool intake_is_available(const struct intake *intake)
{
	return intake->format != NULL;
}

/* ---- life ---- */

int intake_new(struct event_base *base, const char *instance, const char *system, const char *event,
	       size_t buffer_kib, const struct intake_ops *ops, void *userdata, struct intake **ret,
	       char **ret_error)
{
	_cleanup_(intake_freep) struct intake *intake = NULL;
	const char *dir;
	int r;

	*ret_error = NULL;
	intake = calloc(1, sizeof(*intake));
	if (!intake)
		return -ENOMEM;
	intake->base = base;
	intake->ops = ops;
	intake->userdata = userdata;
	if (asprintf(&intake->event_name, "%s/%s", system, event) < 0) {
		intake->event_name = NULL;
		return -ENOMEM;
	}
	if (asprintf(&intake->format_file, "events/%s/format", intake->event_name) < 0) {
		intake->format_file = NULL;
		return -ENOMEM;
	}
	if (asprintf(&intake->enable_file, "events/%s/enable", intake->event_name) < 0) {
		intake->enable_file = NULL;
		return -ENOMEM;
	}
	intake->retry = event_new(base, -1, EV_PERSIST, on_retry, intake);
	if (!intake->retry)
		return -ENOMEM;

	r = tracing_dir_find(&dir, ret_error);
	if (r < 0)
		return r;
	r = instance_open(dir, instance, buffer_kib, &intake->instance, ret_error);
	if (r < 0)
		return r;
	r = subscribe(intake, ret_error);
	if (r < 0)
		return r;
	set_retry(intake, r == 0 || readers_incomplete(intake->readers));

	*ret = TAKE_PTR(intake);
	return 0;
}

void intake_free(struct intake *intake)
{
	if (!intake)
		return;
	if (intake->format)
		(void)instance_write(intake->instance, intake->enable_file, "0");
	stop_reading(intake);
	instance_remove(intake->instance);
	if (intake->retry)
		event_free(intake->retry);
	free(intake->event_name);
	free(intake->format_file);
	free(intake->enable_file);
	free(intake->reported_error);
	free(intake->batch);
	free(intake);
}
