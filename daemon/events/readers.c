/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Per-CPU readers of trace_pipe_raw; see readers.h. */
#include <dirent.h>
#include <event-parse.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "instance.h"
#include "readers.h"

#define CPU_MAX 65536U

struct reader {
	unsigned cpu;
	int fd;
	bool empty;	  /* in the present drain */
	bool failed;	  /* should be open, but is not */
	uint64_t dropped; /* records that never got into the buffer, up to the last look */
};

struct readers {
	struct tracefs_instance *instance;
	const struct readers_ops *ops;
	void *userdata;
	struct subbuffer *sub;
	int epoll_fd;
	struct reader *cpus; /* grows only, so that an index names a CPU for good */
	size_t n_cpus;
	struct epoll_event *ready; /* room for n_cpus */
};

/*
 * The size of a sub-buffer: a page, or since 6.8 what buffer_subbuf_size_kb says. The kernel gives
 * the layout in events/header_page. Should somebody change the size later, no harm is done: the
 * kernel fills no more than what is asked for, and ends each read with a whole record.
 */
static int subbuffer_setup(struct readers *readers)
{
	_cleanup_free_ char *text = NULL;
	struct tep_handle *tep;
	struct subbuffer *sub;
	int r, size, commit_size;
	size_t text_size;

	r = instance_read(readers->instance, "events/header_page", &text, &text_size);
	if (r < 0)
		return r;
	tep = tep_alloc();
	if (!tep)
		return -ENOMEM;
	r = tep_parse_header_page(tep, text, text_size, sizeof(long));
	size = tep_get_sub_buffer_size(tep);
	commit_size = tep_get_header_page_size(tep);
	tep_free(tep);
	if (r < 0 || size < 0 || commit_size < 0)
		return -EINVAL;

	r = subbuffer_new((size_t)size, (size_t)commit_size, &sub);
	if (r < 0)
		return r;
	subbuffer_free(readers->sub);
	readers->sub = sub;
	return 0;
}

int readers_new(struct tracefs_instance *instance, const struct readers_ops *ops, void *userdata,
		struct readers **ret)
{
	_cleanup_(readers_freep) struct readers *readers = calloc(1, sizeof(*readers));
	int r;

	if (!readers)
		return -ENOMEM;
	readers->instance = instance;
	readers->ops = ops;
	readers->userdata = userdata;
	readers->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (readers->epoll_fd < 0)
		return -errno;
	r = subbuffer_setup(readers);
	if (r < 0)
		return r;
	r = readers_scan(readers);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(readers);
	return 0;
}

static void close_all(struct readers *readers)
{
	for (size_t i = 0; i < readers->n_cpus; i++)
		readers->cpus[i].fd = safe_close(readers->cpus[i].fd);
}

void readers_free(struct readers *readers)
{
	if (!readers)
		return;
	close_all(readers);
	(void)safe_close(readers->epoll_fd);
	subbuffer_free(readers->sub);
	free(readers->cpus);
	free(readers->ready);
	free(readers);
}

int readers_fd(const struct readers *readers)
{
	return readers->epoll_fd;
}

/* The value behind "@key: " in the text of a CPU's `stats`, 0 if it is not there. */
static uint64_t stats_value(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

/*
 * What did not even get into the buffer, as counted by the kernel since the instance was made.
 * Overwritten records are not in it: those the sub-buffers themselves tell.
 */
static uint64_t count_dropped(struct readers *readers, unsigned cpu)
{
	_cleanup_free_ char *text = NULL;
	char file[48];
	size_t size;

	(void)snprintf(file, sizeof(file), "per_cpu/cpu%u/stats", cpu);
	if (instance_read(readers->instance, file, &text, &size) < 0)
		return 0;
	return stats_value(text, "commit overrun: ") + stats_value(text, "dropped events: ");
}

static void check_dropped(struct readers *readers, struct reader *reader)
{
	uint64_t dropped = count_dropped(readers, reader->cpu);

	if (dropped > reader->dropped)
		readers->ops->lost(dropped - reader->dropped, readers->userdata);
	reader->dropped = dropped;
}

static int find_or_add(struct readers *readers, unsigned cpu, size_t *ret_index)
{
	struct epoll_event *ready;
	struct reader *cpus;

	for (size_t i = 0; i < readers->n_cpus; i++)
		if (readers->cpus[i].cpu == cpu) {
			*ret_index = i;
			return 0;
		}

	cpus = reallocarray(readers->cpus, readers->n_cpus + 1, sizeof(*cpus));
	if (!cpus)
		return -ENOMEM;
	readers->cpus = cpus;
	ready = reallocarray(readers->ready, readers->n_cpus + 1, sizeof(*ready));
	if (!ready)
		return -ENOMEM;
	readers->ready = ready;

	cpus[readers->n_cpus] = (struct reader){
		.cpu = cpu,
		.fd = -EBADF,
		.dropped = count_dropped(readers, cpu),
	};
	*ret_index = readers->n_cpus++;
	return 0;
}

static int open_cpu(struct readers *readers, unsigned cpu)
{
	_cleanup_close_ int fd = -EBADF;
	struct epoll_event ev = { .events = EPOLLIN };
	char file[48];
	size_t i;
	int r;

	r = find_or_add(readers, cpu, &i);
	if (r < 0)
		return r;
	if (readers->cpus[i].fd >= 0)
		return 0;

	readers->cpus[i].failed = true;
	(void)snprintf(file, sizeof(file), "per_cpu/cpu%u/trace_pipe_raw", cpu);
	fd = instance_open_file(readers->instance, file, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd;
	/*
	 * Level-triggered it must be: the kernel wakes a poller once, and arms that again only when
	 * it is polled and found empty.
	 */
	ev.data.u64 = i;
	if (epoll_ctl(readers->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return -errno;
	readers->cpus[i].fd = take_fd(&fd);
	readers->cpus[i].failed = false;
	return 0;
}

int readers_scan(struct readers *readers)
{
	char *path = tracefs_instance_get_file(readers->instance, "per_cpu");
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	if (!path)
		return -ENOMEM;
	dir = opendir(path);
	if (!dir)
		ret = -errno;
	tracefs_put_tracing_file(path);
	if (!dir)
		return ret;

	while ((entry = readdir(dir))) {
		const char *number = startswith(entry->d_name, "cpu");
		char *end;
		unsigned long cpu;
		int r;

		if (!number || *number < '0' || *number > '9')
			continue;
		cpu = strtoul(number, &end, 10);
		if (*end || cpu >= CPU_MAX)
			continue;
		r = open_cpu(readers, (unsigned)cpu);
		if (r < 0 && ret == 0)
			ret = r;
	}
	(void)closedir(dir);

	for (size_t i = 0; i < readers->n_cpus; i++)
		check_dropped(readers, &readers->cpus[i]);
	return ret;
}

/*
 * Hands on the records of the sub-buffer just read, and what was lost before it. Returns the bytes
 * it had.
 */
static size_t deliver(struct readers *readers, struct reader *reader, size_t size)
{
	struct subbuffer_record record;
	int64_t lost = 0;
	int r;

	r = subbuffer_load(readers->sub, size, &lost);
	if (r >= 0 && lost != 0) {
		readers->ops->lost(lost > 0 ? (uint64_t)lost : 0, readers->userdata);
		check_dropped(readers, reader);
	}
	if (r >= 0)
		while ((r = subbuffer_next(readers->sub, &record)) > 0)
			readers->ops->record(&record, readers->userdata);
	if (r < 0)
		readers->ops->lost(0, readers->userdata);
	return subbuffer_used(readers->sub);
}

/* Reads one sub-buffer; its bytes in use, 0 if there was none. */
static size_t read_one(struct readers *readers, struct reader *reader)
{
	size_t room;
	void *space = subbuffer_space(readers->sub, &room);
	ssize_t n = read(reader->fd, space, room);

	if (n > 0)
		return deliver(readers, reader, (size_t)n);
	reader->empty = true;
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		reader->fd = safe_close(reader->fd);
		reader->failed = true;
		readers->ops->lost(0, readers->userdata);
	}
	return 0;
}

bool readers_incomplete(const struct readers *readers)
{
	for (size_t i = 0; i < readers->n_cpus; i++)
		if (readers->cpus[i].failed)
			return true;
	return false;
}

void readers_drain(struct readers *readers, size_t max_bytes)
{
	size_t bytes = 0;
	bool found;
	int n_ready;

	if (readers->n_cpus == 0)
		return;
	n_ready = epoll_wait(readers->epoll_fd, readers->ready, (int)readers->n_cpus, 0);
	for (int i = 0; i < n_ready; i++)
		readers->cpus[readers->ready[i].data.u64].empty = false;

	do {
		found = false;
		for (int i = 0; i < n_ready && bytes < max_bytes; i++) {
			struct reader *reader = &readers->cpus[readers->ready[i].data.u64];

			if (reader->empty || reader->fd < 0)
				continue;
			bytes += read_one(readers, reader);
			found = true;
		}
	} while (found && bytes < max_bytes);

	/*
	 * A possible CPU that was never online has no buffer and polls as an error for ever: it
	 * goes without a reader until the next scan.
	 */
	for (int i = 0; i < n_ready; i++) {
		struct reader *reader = &readers->cpus[readers->ready[i].data.u64];

		if ((readers->ready[i].events & EPOLLERR) && reader->empty)
			reader->fd = safe_close(reader->fd);
	}
}
