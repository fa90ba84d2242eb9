/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File operations on the simulated /sys: faults first, then the engine, and all the waiting that a
 * kernel would do inside the write. Used by FUSE for programs and by the control socket.
 */
#include "sim.h"

void io_interrupt(struct io_call *call)
{
	struct sim *sim = call->sim;

	(void)pthread_mutex_lock(&sim->lock);
	call->interrupted = true;
	(void)pthread_cond_broadcast(&sim->changed);
	(void)pthread_mutex_unlock(&sim->lock);
}

/* A waiting call ends when its kernel goes. */
static bool io_is_over(const struct io_call *call)
{
	return call->sim->stopping || call->sim->generation != call->generation;
}

/* Sleeps until @deadline. -EINTR if a signal comes and @interruptible, -ENODEV if it is over. */
static int io_sleep(struct io_call *call, usec_t deadline, bool interruptible)
{
	while (!io_is_over(call)) {
		if (interruptible && call->interrupted)
			return -EINTR;
		if (now_usec(CLOCK_MONOTONIC) >= deadline)
			return 0;
		(void)sim_wait(call->sim, deadline);
	}
	return -ENODEV;
}

/* Hangs in @fault until released. 0: go on; else the negative errno to fail with. */
static int io_hang(struct io_call *call, const struct fault *fault)
{
	struct sim *sim = call->sim;
	int r = 0;

	call->hangs = fault->id;
	call->released = false;
	call->next = sim->calls;
	sim->calls = call;
	while (!call->released && r == 0) {
		if (io_is_over(call))
			r = -ENODEV;
		else if (fault->action == FAULT_HANG && call->interrupted)
			r = -EINTR;
		else
			(void)sim_wait(sim, USEC_INFINITY);
	}
	for (struct io_call **p = &sim->calls; *p; p = &(*p)->next) {
		if (*p == call) {
			*p = call->next;
			break;
		}
	}
	call->hangs = 0;
	return r < 0 ? r : call->error;
}

/* Takes away what the operation is about: named by the path, or by what is written (unbind). */
static int io_vanish(struct io_call *call, const struct fault *fault, const char *path,
		     const char *value)
{
	_cleanup_free_ char *target = NULL;

	if (asprintf(&target, "%s/%.*s", path, value ? (int)strcspn(value, "\n") : 0,
		     value ? value : "") < 0)
		return -ENOMEM;
	return vanish(call->sim, target, fault->whole_group);
}

/*
 * Looks for a fault and carries out what comes before the operation. 0: go on, with @ret telling
 * what is left to do behind it; else fail with that negative errno.
 */
static int io_fault(struct io_call *call, enum fault_op op, const char *path, const char *value,
		    struct fault *ret)
{
	struct sim *sim = call->sim;
	struct json_object *entry;
	usec_t due;
	int r;

	*ret = (struct fault){ .action = FAULT_NONE };
	if (call->admin)
		return 0;
	fault_match(&sim->faults, op, path, value, ret);
	if (ret->action == FAULT_NONE)
		return 0;
	entry = log_entry(&sim->log, "fault");
	log_add_number(entry, "fault", ret->id);
	log_add_string(entry, "path", path);
	log_add_string(entry, "action", fault_action_to_string(ret->action));
	(void)pthread_cond_broadcast(&sim->changed);

	due = usec_add(now_usec(CLOCK_MONOTONIC), ret->ms * USEC_PER_MSEC);
	switch (ret->action) {
	case FAULT_ERRNO:
		r = ret->ms ? io_sleep(call, due, true) : 0;
		return r < 0 ? r : ret->error;
	case FAULT_DELAY:
		return io_sleep(call, due, true);
	case FAULT_HANG:
	case FAULT_HANG_UNINTERRUPTIBLE:
		return io_hang(call, ret);
	case FAULT_VANISH:
		return io_vanish(call, ret, path, value);
	case FAULT_NONE:
	case FAULT_AFTER:
	case FAULT_SHORT:
	case _FAULT_ACTION_MAX:
		break;
	}
	return 0;
}

/* An open file whose object went away gives ENODEV, whatever the path may lead to now. */
static int io_present(struct sim *sim, const char *path)
{
	struct engine_node node;

	return engine_lookup(sim->engine, path, &node) < 0 ? -ENODEV : 0;
}

/* After the operation. */
static ssize_t io_after(struct io_call *call, const struct fault *fault, const char *path,
			const char *value, ssize_t result)
{
	if (fault->action == FAULT_AFTER && !io_is_over(call))
		(void)io_vanish(call, fault, path, value);
	if (fault->action == FAULT_SHORT && result > 0)
		result--;
	return result;
}

static void io_begin(struct io_call *call)
{
	call->generation = call->sim->generation;
}

/* For who wants to know of more than writes. @result: 0 or more, or a negative errno. */
static void log_io(struct io_call *call, enum fault_op op, const char *path, ssize_t result)
{
	struct json_object *entry;

	if (!call->sim->settings.log_io || call->admin || io_is_over(call))
		return;
	entry = log_entry(&call->sim->log, fault_op_to_string(op));
	log_add_string(entry, "path", path);
	log_add_error(entry, result < 0 ? (int)result : 0);
	log_add_number(entry, "pid", (uint64_t)call->pid);
}

int io_enter(struct io_call *call, enum fault_op op, const char *path)
{
	struct fault fault;
	int r;

	io_begin(call);
	r = io_fault(call, op, path, NULL, &fault);
	if (r == 0 && io_is_over(call))
		r = -ENODEV;
	r = (int)io_after(call, &fault, path, NULL, r);
	log_io(call, op, path, r);
	return r;
}

int io_open(struct io_call *call, const char *path, bool read, bool write)
{
	struct fault fault;
	int r;

	io_begin(call);
	r = io_fault(call, FAULT_OPEN, path, NULL, &fault);
	if (r == 0)
		r = io_is_over(call) ? -ENODEV : engine_open(call->sim->engine, path, read, write);
	r = (int)io_after(call, &fault, path, NULL, r);
	log_io(call, FAULT_OPEN, path, r);
	return r;
}

ssize_t io_read(struct io_call *call, const char *path, char *buf, size_t size)
{
	struct fault fault;
	ssize_t r;

	io_begin(call);
	r = io_fault(call, FAULT_READ, path, NULL, &fault);
	if (r == 0)
		r = io_is_over(call) ? -ENODEV : io_present(call->sim, path);
	if (r == 0)
		r = engine_attr_read(call->sim->engine, path, buf, size);
	r = io_after(call, &fault, path, NULL, r);
	log_io(call, FAULT_READ, path, r);
	return r;
}

/* A number in an attribute, 0 if there is none. @base as strtoull(). */
static uint64_t read_number(struct sim *sim, const char *path, int base)
{
	char buf[ENGINE_ATTR_MAX + 1];
	ssize_t n = engine_attr_read(sim->engine, path, buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	return strtoull(buf, NULL, base);
}

/*
 * The time that going off- or online takes on this host: per memory block, or for all blocks of a
 * dax device where that is what the attribute does.
 */
static usec_t slowness(struct sim *sim, const char *path, const char *buf, size_t size)
{
	const char *file = strrchr(path, '/');
	_cleanup_free_ char *value = strndup(buf, size);
	uint64_t blocks = 1, block_size;
	unsigned ms = 0;

	if (!value || !file || !streq(file, "/state"))
		return 0;
	if (startswith(value, "off") || startswith(value, "unplugged"))
		ms = sim->settings.offline_ms;
	else if (startswith(value, "online"))
		ms = sim->settings.online_ms;
	if (ms && !strstr(path, "/memory")) {
		_cleanup_free_ char *sibling = NULL;

		if (asprintf(&sibling, "%.*s/size", (int)(file - path), path) < 0)
			return 0;
		block_size = read_number(sim, "devices/system/memory/block_size_bytes", 16);
		blocks = block_size ? read_number(sim, sibling, 10) / block_size : 1;
	}
	return blocks * ms * USEC_PER_MSEC;
}

/* The engine's part of a write, waiting as long as it says so. */
static ssize_t write_through(struct io_call *call, const char *path, const char *buf, size_t size)
{
	struct sim *sim = call->sim;
	struct engine_writer writer = { .id = ++sim->last_writer };
	usec_t slow = slowness(sim, path, buf, size);
	ssize_t r;

	if (slow) {
		r = io_sleep(call, usec_add(now_usec(CLOCK_MONOTONIC), slow), true);
		if (r < 0)
			return r;
		r = io_present(sim, path);
		if (r < 0)
			return r;
	}
	for (;;) {
		writer.signalled = call->interrupted;
		r = engine_attr_write(sim->engine, path, buf, size, &writer);
		if (r != ENGINE_BLOCKS)
			break;
		/* The first try may have announced itself (a block that is going offline). */
		if (sim->pending)
			sim_settle(sim);
		(void)sim_wait(sim, USEC_INFINITY);
		if (io_is_over(call))
			return -ENODEV; /* and the engine that knew the writer is gone, or will be
					 */
	}
	sim_settle(sim);
	return r;
}

static void log_write(struct io_call *call, const char *path, const char *buf, size_t size,
		      ssize_t result, usec_t begin)
{
	_cleanup_free_ char *value = strndup(buf, size);
	struct json_object *entry;

	if (io_is_over(call))
		return; /* the log is another kernel's by now */
	entry = log_entry(&call->sim->log, "write");
	if (value)
		value[strcspn(value, "\n")] = '\0';
	log_add_string(entry, "path", path);
	log_add_string(entry, "value", value);
	log_add_error(entry, result < 0 ? (int)result : 0);
	log_add_number(entry, "pid", (uint64_t)call->pid);
	log_add_string(entry, "comm", call->comm);
	log_add_number(entry, "begin_usec", begin);
	log_add_number(entry, "elapsed_us", now_usec(CLOCK_MONOTONIC) - begin);
}

ssize_t io_write(struct io_call *call, const char *path, const char *buf, size_t size)
{
	usec_t begin = now_usec(CLOCK_MONOTONIC);
	_cleanup_free_ char *value = strndup(buf, size);
	struct fault fault = { .action = FAULT_NONE };
	ssize_t r;

	io_begin(call);
	r = value ? io_fault(call, FAULT_WRITE, path, value, &fault) : -ENOMEM;
	if (r == 0)
		r = io_is_over(call) ? -ENODEV : io_present(call->sim, path);
	if (r == 0)
		r = write_through(call, path, buf, size);
	r = io_after(call, &fault, path, value, r);
	log_write(call, path, buf, size, r, begin);
	(void)pthread_cond_broadcast(&call->sim->changed);
	return r;
}

int io_admin_write(struct sim *sim, const char *path, const char *value)
{
	struct io_call call = { .sim = sim, .comm = "dcdsimctl", .admin = true };
	ssize_t r = io_write(&call, path, value, strlen(value));

	return r < 0 ? (int)r : 0;
}
