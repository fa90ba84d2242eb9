/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pressure stall information as a FUSE file system that is one file; see psi.h. What write(2) and
 * poll(2) do is kernel/sched/psi.c: a trigger for each open file, an event is told once.
 */
#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "psi.h"

#define WINDOW_MIN_US 500000
#define WINDOW_MAX_US 10000000
/* Of those who lack CAP_SYS_RESOURCE it must be a multiple of this. */
#define WINDOW_UNPRIVILEGED_US 2000000
/* What the kernel copies of a trigger. */
#define TRIGGER_TEXT_MAX 32
#define PERMYRIAD 10000
/* What an average over 10 s means for the total. */
#define AVERAGED_USEC (10 * USEC_PER_SEC)

/* An open file. */
struct watch {
	bool privileged; /* who opened it */
	bool set;	 /* has a trigger */
	struct psi_trigger trigger;
	bool event;		      /* not told yet */
	struct fuse_pollhandle *poll; /* who waits, or NULL */
	LIST_ENTRY(watch) link;
};

LIST_HEAD(watch_list, watch);

struct psi {
	char *path;
	struct fuse_session *session;
	struct fuse_loop_config *config;
	pthread_t thread;

	pthread_mutex_t lock; /* of what follows */
	bool present;
	unsigned averages[_PSI_KIND_MAX]; /* 1/10000 */
	usec_t totals[_PSI_KIND_MAX];
	struct watch_list watches;
};

static const char *const kind_names[_PSI_KIND_MAX] = { "some", "full" };

static struct psi *psi_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static void fill_stat(struct stat *ret)
{
	*ret = (struct stat){ .st_ino = 1, .st_mode = S_IFREG | 0666, .st_nlink = 1 };
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info _unused_)
{
	struct stat st;

	if (ino != FUSE_ROOT_ID) {
		(void)fuse_reply_err(req, ENOENT);
		return;
	}
	fill_stat(&st);
	(void)fuse_reply_attr(req, &st, 0);
}

/* O_TRUNC; there is nothing to cut. */
static void on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr _unused_,
		       int what _unused_, struct fuse_file_info *info)
{
	on_getattr(req, ino, info);
}

static bool has_capability(pid_t pid, unsigned capability)
{
	char path[64], line[256];
	_cleanup_fclose_ FILE *f = NULL;
	unsigned long long bits = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &bits) == 1)
			break;
	return bits >> capability & 1;
}

static void on_open(fuse_req_t req, fuse_ino_t ino _unused_, struct fuse_file_info *info)
{
	struct psi *psi = psi_of(req);
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch) {
		(void)fuse_reply_err(req, ENOMEM);
		return;
	}
	watch->privileged = has_capability(fuse_req_ctx(req)->pid, CAP_SYS_RESOURCE);
	(void)pthread_mutex_lock(&psi->lock);
	LIST_INSERT_HEAD(&psi->watches, watch, link);
	(void)pthread_mutex_unlock(&psi->lock);
	info->fh = (uintptr_t)watch;
	info->direct_io = 1;
	(void)fuse_reply_open(req, info);
}

static void on_release(fuse_req_t req, fuse_ino_t ino _unused_, struct fuse_file_info *info)
{
	struct watch *watch = (struct watch *)(uintptr_t)info->fh;
	struct psi *psi = psi_of(req);

	(void)pthread_mutex_lock(&psi->lock);
	LIST_REMOVE(watch, link);
	(void)pthread_mutex_unlock(&psi->lock);
	if (watch->poll)
		fuse_pollhandle_destroy(watch->poll);
	free(watch);
	(void)fuse_reply_err(req, 0);
}

static void on_read(fuse_req_t req, fuse_ino_t ino _unused_, size_t size, off_t offset,
		    struct fuse_file_info *info _unused_)
{
	struct psi *psi = psi_of(req);
	char text[512];
	size_t length = 0;
	bool present;

	(void)pthread_mutex_lock(&psi->lock);
	present = psi->present;
	for (unsigned i = 0; i < _PSI_KIND_MAX; i++) {
		unsigned whole = psi->averages[i] / 100, rest = psi->averages[i] % 100;

		length += (size_t)snprintf(
			text + length, sizeof(text) - length,
			"%s avg10=%u.%02u avg60=%u.%02u avg300=%u.%02u total=%ju\n", kind_names[i],
			whole, rest, whole, rest, whole, rest, (uintmax_t)psi->totals[i]);
	}
	(void)pthread_mutex_unlock(&psi->lock);
	if (!present)
		(void)fuse_reply_err(req, EOPNOTSUPP);
	else if ((size_t)offset >= length)
		(void)fuse_reply_buf(req, NULL, 0);
	else
		(void)fuse_reply_buf(req, text + offset, MIN(size, length - (size_t)offset));
}

/* "some 150000 1000000" and nothing more, as far as the kernel looks. 0 or -EINVAL. */
static int parse_trigger(const char *buf, size_t size, bool privileged, struct psi_trigger *ret)
{
	char text[TRIGGER_TEXT_MAX];

	if (size == 0)
		return -EINVAL;
	size = MIN(size, sizeof(text));
	memcpy(text, buf, size);
	/* The last byte is taken for the end, whatever it is. */
	text[size - 1] = '\0';
	*ret = (struct psi_trigger){ 0 };
	if (sscanf(text, "some %u %u", &ret->threshold_us, &ret->window_us) == 2)
		ret->kind = PSI_SOME;
	else if (sscanf(text, "full %u %u", &ret->threshold_us, &ret->window_us) == 2)
		ret->kind = PSI_FULL;
	else
		return -EINVAL;
	if (!privileged && ret->window_us % WINDOW_UNPRIVILEGED_US != 0)
		return -EINVAL;
	if (ret->window_us < WINDOW_MIN_US || ret->window_us > WINDOW_MAX_US ||
	    ret->threshold_us == 0 || ret->threshold_us > ret->window_us)
		return -EINVAL;
	return 0;
}

static void on_write(fuse_req_t req, fuse_ino_t ino _unused_, const char *buf, size_t size,
		     off_t offset _unused_, struct fuse_file_info *info)
{
	struct watch *watch = (struct watch *)(uintptr_t)info->fh;
	struct psi *psi = psi_of(req);
	int r;

	(void)pthread_mutex_lock(&psi->lock);
	if (!psi->present)
		r = -EOPNOTSUPP;
	else if (watch->set)
		r = -EBUSY; /* one for each file */
	else
		r = parse_trigger(buf, size, watch->privileged, &watch->trigger);
	watch->set |= r == 0;
	(void)pthread_mutex_unlock(&psi->lock);
	(void)(r < 0 ? fuse_reply_err(req, -r) : fuse_reply_write(req, size));
}

static void on_poll(fuse_req_t req, fuse_ino_t ino _unused_, struct fuse_file_info *info,
		    struct fuse_pollhandle *handle)
{
	struct watch *watch = (struct watch *)(uintptr_t)info->fh;
	unsigned events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
	struct psi *psi = psi_of(req);
	struct fuse_pollhandle *old = NULL;

	(void)pthread_mutex_lock(&psi->lock);
	if (handle) {
		old = watch->poll;
		watch->poll = handle;
	}
	if (!psi->present || !watch->set) {
		events |= POLLERR | POLLPRI;
	} else if (watch->event) {
		watch->event = false;
		events |= POLLPRI;
	}
	(void)pthread_mutex_unlock(&psi->lock);
	if (old)
		fuse_pollhandle_destroy(old);
	(void)fuse_reply_poll(req, events);
}

static const struct fuse_lowlevel_ops operations = {
	.getattr = on_getattr,
	.setattr = on_setattr,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.poll = on_poll,
	.release = on_release,
};

/* ---- the other side ---- */

/* Wakes who waits for it. Lock held. */
static void notify(struct watch *watch)
{
	if (!watch->poll)
		return;
	(void)fuse_lowlevel_notify_poll(watch->poll);
	fuse_pollhandle_destroy(watch->poll);
	watch->poll = NULL;
}

unsigned psi_set(struct psi *psi, const unsigned averages[static _PSI_KIND_MAX], bool fire)
{
	struct watch *watch;
	unsigned n = 0;

	(void)pthread_mutex_lock(&psi->lock);
	for (unsigned i = 0; i < _PSI_KIND_MAX; i++) {
		psi->averages[i] = averages[i];
		psi->totals[i] += averages[i] * AVERAGED_USEC / PERMYRIAD;
	}
	LIST_FOREACH(watch, &psi->watches, link) {
		const struct psi_trigger *t = &watch->trigger;

		if (!fire || !psi->present || !watch->set ||
		    (uint64_t)averages[t->kind] * t->window_us <
			    (uint64_t)t->threshold_us * PERMYRIAD)
			continue;
		n++;
		watch->trigger.fired++;
		watch->event = true;
		notify(watch);
	}
	(void)pthread_mutex_unlock(&psi->lock);
	return n;
}

void psi_get(struct psi *psi, unsigned ret_averages[static _PSI_KIND_MAX])
{
	(void)pthread_mutex_lock(&psi->lock);
	memcpy(ret_averages, psi->averages, sizeof(psi->averages));
	(void)pthread_mutex_unlock(&psi->lock);
}

void psi_set_present(struct psi *psi, bool present)
{
	struct watch *watch;
	bool changed;

	(void)pthread_mutex_lock(&psi->lock);
	changed = psi->present != present;
	psi->present = present;
	LIST_FOREACH(watch, &psi->watches, link)
		if (changed)
			notify(watch);
	(void)pthread_mutex_unlock(&psi->lock);
}

bool psi_is_present(struct psi *psi)
{
	bool present;

	(void)pthread_mutex_lock(&psi->lock);
	present = psi->present;
	(void)pthread_mutex_unlock(&psi->lock);
	return present;
}

size_t psi_triggers(struct psi *psi, struct psi_trigger *ret, size_t max)
{
	struct watch *watch;
	size_t n = 0;

	(void)pthread_mutex_lock(&psi->lock);
	LIST_FOREACH(watch, &psi->watches, link) {
		if (!watch->set)
			continue;
		if (n < max)
			ret[n] = watch->trigger;
		n++;
	}
	(void)pthread_mutex_unlock(&psi->lock);
	return n;
}

static void *psi_main(void *userdata)
{
	struct psi *psi = userdata;

	(void)fuse_session_loop_mt(psi->session, psi->config);
	return NULL;
}

static void psi_free(struct psi *psi)
{
	while (!LIST_EMPTY(&psi->watches)) {
		struct watch *watch = LIST_FIRST(&psi->watches);

		LIST_REMOVE(watch, link);
		if (watch->poll)
			fuse_pollhandle_destroy(watch->poll);
		free(watch);
	}
	if (psi->session)
		fuse_session_destroy(psi->session);
	if (psi->config)
		fuse_loop_cfg_destroy(psi->config);
	(void)pthread_mutex_destroy(&psi->lock);
	free(psi->path);
	free(psi);
}
DEFINE_CLEANUP(struct psi *, psi_free);

int psi_start(const char *path, struct psi **ret)
{
	char name[] = "dcdsim", option[] = "-o",
	     options[] = "fsname=dcdsim,subtype=psi,allow_other,default_permissions";
	char *argv[] = { name, option, options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	_cleanup_(psi_freep) struct psi *psi = calloc(1, sizeof(*psi));

	if (!psi)
		return -ENOMEM;
	LIST_INIT(&psi->watches);
	(void)pthread_mutex_init(&psi->lock, NULL);
	psi->present = true;
	psi->path = strdup(path);
	psi->config = fuse_loop_cfg_create();
	psi->session = fuse_session_new(&args, &operations, sizeof(operations), psi);
	fuse_opt_free_args(&args);
	if (!psi->path || !psi->config || !psi->session)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(psi->config, 0);
	if (fuse_session_mount(psi->session, path) < 0)
		return -EIO; /* libfuse has said why */
	if (pthread_create(&psi->thread, NULL, psi_main, psi) != 0) {
		fuse_session_unmount(psi->session);
		return -EAGAIN;
	}
	*ret = TAKE_PTR(psi);
	return 0;
}

void psi_stop(struct psi *psi)
{
	if (!psi)
		return;
	/* As fs_stop(). */
	fuse_session_exit(psi->session);
	(void)umount2(psi->path, MNT_FORCE);
	(void)umount2(psi->path, MNT_DETACH);
	(void)pthread_join(psi->thread, NULL);
	fuse_session_unmount(psi->session);
	psi_free(psi);
}
