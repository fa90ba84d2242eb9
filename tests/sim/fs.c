/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serves the engine's tree through FUSE, uncached, so that sizes and contents are as fresh as
 * sysfs', and with one thread per operation, so that one that blocks holds nobody else.
 */
#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "node.h"
#include "sim.h"

#define THREADS_MAX 256
/*
 * libdaxctl finds a device's bus by the device number of /dev/daxN.M, which here is a regular file
 * and has none. So there is this link, to some dax device.
 */
#define NO_NUMBER_LINK "dev/char/0:0"
#define ATTR_SIZE 4096 /* what sysfs says for every attribute */

struct fs {
	struct sim *sim;
	struct fuse_session *session;
	struct fuse_loop_config *config;
	pthread_t thread;
	struct nodes nodes;
};

struct file {
	pthread_mutex_t lock;
	size_t size;
	char content[ENGINE_ATTR_MAX];
};

struct dir {
	char **names;
	mode_t *types;
	size_t n, allocated;
};

static struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct node *node_of(fuse_req_t req, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &fs_of(req)->nodes.root : (struct node *)(uintptr_t)ino;
}

static char *join(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s%s%s", dir, dir[0] ? "/" : "", name) < 0 ? NULL : path;
}

#define FRAME_TIMEOUT_SEC 10.0

/* A stable inode number: FNV-1a of the path. */
static ino_t inode_number(const char *path)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
	return (ino_t)(hash >> 1 | 2);
}

static mode_t type_bits(enum engine_node_type type)
{
	return type == ENGINE_NODE_DIR ? S_IFDIR : type == ENGINE_NODE_LINK ? S_IFLNK : S_IFREG;
}

static int first_name(const char *name, const struct engine_node *node _unused_, void *userdata)
{
	(void)str_copy(userdata, DEV_NAME_MAX, name);
	return 1;
}

/* As engine_readlink(), with the one link that is ours. Lock held. */
static ssize_t tree_readlink(struct engine *e, const char *path, char *buf, size_t size)
{
	char name[DEV_NAME_MAX] = "";

	if (!streq(path, NO_NUMBER_LINK))
		return engine_readlink(e, path, buf, size);
	(void)engine_readdir(e, "bus/dax/devices", first_name, name);
	return name[0] ? snprintf(buf, size, "../../bus/dax/devices/%s", name) : -ENOENT;
}

static int tree_lookup(struct engine *e, const char *path, struct engine_node *ret)
{
	char target[ENGINE_ATTR_MAX];

	if (!streq(path, NO_NUMBER_LINK))
		return engine_lookup(e, path, ret);
	*ret = (struct engine_node){ .type = ENGINE_NODE_LINK, .mode = 0777 };
	return tree_readlink(e, path, target, sizeof(target)) < 0 ? -ENOENT : 0;
}

/* Fills @ret for @path. 0 or negative errno. */
static int fill_stat(struct fs *fs, const char *path, struct stat *ret)
{
	struct engine_node node;
	int r;

	(void)pthread_mutex_lock(&fs->sim->lock);
	r = tree_lookup(fs->sim->engine, path, &node);
	(void)pthread_mutex_unlock(&fs->sim->lock);
	if (r < 0)
		return r;
	*ret = (struct stat){
		.st_ino = path[0] ? inode_number(path) : 1,
		.st_mode = type_bits(node.type) | (node.mode & 07777),
		.st_nlink = node.type == ENGINE_NODE_DIR ? 2 : 1,
		.st_size = node.type == ENGINE_NODE_ATTR ? ATTR_SIZE : 0,
		.st_blksize = ATTR_SIZE,
	};
	(void)clock_gettime(CLOCK_REALTIME, &ret->st_mtim);
	ret->st_ctim = ret->st_atim = ret->st_mtim;
	return 0;
}

static void on_init(void *userdata _unused_, struct fuse_conn_info *conn)
{
	/* The kernel then asks us to truncate, and keeps the size that we answer. */
	conn->want &= ~(unsigned)FUSE_CAP_ATOMIC_O_TRUNC;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry = { 0 };
	char *path = join(node_of(req, parent)->path, name);
	struct node *node;
	int r;

	r = path ? fill_stat(fs, path, &entry.attr) : -ENOMEM;
	if (r < 0) {
		free(path);
		(void)fuse_reply_err(req, -r);
		return;
	}
	node = node_get(&fs->nodes, path, S_ISREG(entry.attr.st_mode));
	if (!node) {
		(void)fuse_reply_err(req, ENOMEM);
		return;
	}
	entry.ino = (fuse_ino_t)(uintptr_t)node;
	/* A file that can be written gets a new node while it is: see node.h. */
	if (path_is_frame(node->path) &&
	    !(S_ISREG(entry.attr.st_mode) && entry.attr.st_mode & 0222))
		entry.entry_timeout = FRAME_TIMEOUT_SEC;
	if (entry.entry_timeout > 0 && S_ISDIR(entry.attr.st_mode))
		entry.attr_timeout = FRAME_TIMEOUT_SEC;
	if (fuse_reply_entry(req, &entry) < 0)
		node_forget(&fs->nodes, node, 1);
}

static void on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	node_forget(&fs_of(req)->nodes, node_of(req, ino), lookups);
	fuse_reply_none(req);
}

static void on_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < n; i++)
		node_forget(&fs_of(req)->nodes, node_of(req, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

static void reply_stat(fuse_req_t req, fuse_ino_t ino)
{
	struct stat st;
	int r = fill_stat(fs_of(req), node_of(req, ino)->path, &st);

	(void)(r < 0 ? fuse_reply_err(req, -r) : fuse_reply_attr(req, &st, 0));
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info _unused_)
{
	reply_stat(req, ino);
}

/* Truncating an attribute does nothing, as in sysfs; owners and modes stay as they are. */
static void on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr _unused_, int what,
		       struct fuse_file_info *info _unused_)
{
	if (what & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		(void)fuse_reply_err(req, EPERM);
	else
		reply_stat(req, ino);
}

/* ---- operations that can wait ---- */

static void on_interrupt(fuse_req_t req _unused_, void *userdata)
{
	io_interrupt(userdata);
}

static void read_comm(struct io_call *call)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)call->pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(call->comm, sizeof(call->comm), f))
		call->comm[strcspn(call->comm, "\n")] = '\0';
	(void)fclose(f);
}

/*
 * Registers @call for the request's interrupt; @named: the log will want the caller's name. Not
 * under our lock: libfuse calls back with a lock of its own held, which therefore comes first.
 */
static void call_begin(fuse_req_t req, struct io_call *call, bool named)
{
	*call = (struct io_call){ .sim = fs_of(req)->sim, .pid = fuse_req_ctx(req)->pid };
	if (named)
		read_comm(call);
	fuse_req_interrupt_func(req, on_interrupt, call);
	(void)pthread_mutex_lock(&call->sim->lock);
}

static void call_end(fuse_req_t req, struct io_call *call)
{
	(void)pthread_mutex_unlock(&call->sim->lock);
	fuse_req_interrupt_func(req, NULL, NULL);
}

static void on_readlink(fuse_req_t req, fuse_ino_t ino)
{
	const char *path = node_of(req, ino)->path;
	char target[ENGINE_ATTR_MAX];
	struct io_call call;
	ssize_t n;

	call_begin(req, &call, false);
	n = io_enter(&call, FAULT_LINK, path);
	if (n == 0)
		n = tree_readlink(call.sim->engine, path, target, sizeof(target));
	call_end(req, &call);
	(void)(n < 0 ? fuse_reply_err(req, (int)-n) : fuse_reply_readlink(req, target));
}

static void dir_free(struct dir *dir)
{
	for (size_t i = 0; i < dir->n; i++)
		free(dir->names[i]);
	free(dir->names);
	free(dir->types);
	free(dir);
}

static int dir_add(const char *name, const struct engine_node *node, void *userdata)
{
	struct dir *dir = userdata;

	if (dir->n == dir->allocated) {
		size_t want = dir->allocated ? 2 * dir->allocated : 32;
		char **names = reallocarray(dir->names, want, sizeof(*names));
		mode_t *types = reallocarray(dir->types, want, sizeof(*types));

		dir->names = names ? names : dir->names;
		dir->types = types ? types : dir->types;
		if (!names || !types)
			return -ENOMEM;
		dir->allocated = want;
	}
	dir->names[dir->n] = strdup(name);
	if (!dir->names[dir->n])
		return -ENOMEM;
	dir->types[dir->n++] = type_bits(node->type);
	return 0;
}

static void on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	static const struct engine_node self = { .type = ENGINE_NODE_DIR };
	const char *path = node_of(req, ino)->path;
	struct dir *dir = calloc(1, sizeof(*dir));
	struct io_call call;
	int r = -ENOMEM;

	if (dir && dir_add(".", &self, dir) == 0 && dir_add("..", &self, dir) == 0) {
		call_begin(req, &call, false);
		r = io_enter(&call, FAULT_LIST, path);
		if (r == 0)
			r = engine_readdir(call.sim->engine, path, dir_add, dir);
		call_end(req, &call);
	}
	if (r >= 0) {
		info->fh = (uintptr_t)dir;
		if (fuse_reply_open(req, info) == 0)
			return;
	} else {
		(void)fuse_reply_err(req, -r);
	}
	if (dir)
		dir_free(dir);
}

static void on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	const struct dir *dir = (const struct dir *)(uintptr_t)info->fh;
	const char *path = node_of(req, ino)->path;
	_cleanup_free_ char *buf = malloc(size);
	size_t used = 0;

	if (!buf) {
		(void)fuse_reply_err(req, ENOMEM);
		return;
	}
	for (size_t i = (size_t)offset; i < dir->n; i++) {
		_cleanup_free_ char *full = join(path, dir->names[i]);
		struct stat st = { .st_mode = dir->types[i] };
		size_t need;

		st.st_ino = full ? inode_number(full) : 2;
		need = fuse_add_direntry(req, buf + used, size - used, dir->names[i], &st,
					 (off_t)i + 1);
		if (need > size - used)
			break;
		used += need;
	}
	(void)fuse_reply_buf(req, buf, used);
}

static void on_releasedir(fuse_req_t req, fuse_ino_t ino _unused_, struct fuse_file_info *info)
{
	dir_free((struct dir *)(uintptr_t)info->fh);
	(void)fuse_reply_err(req, 0);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	int mode = info->flags & O_ACCMODE;
	struct io_call call;
	struct file *file;
	int r;

	call_begin(req, &call, false);
	r = io_open(&call, node_of(req, ino)->path, mode != O_WRONLY, mode != O_RDONLY);
	call_end(req, &call);
	if (r < 0) {
		(void)fuse_reply_err(req, -r);
		return;
	}
	file = calloc(1, sizeof(*file));
	if (!file) {
		(void)fuse_reply_err(req, ENOMEM);
		return;
	}
	(void)pthread_mutex_init(&file->lock, NULL);
	info->fh = (uintptr_t)file;
	info->direct_io = 1;
	if (fuse_reply_open(req, info) < 0) {
		(void)pthread_mutex_destroy(&file->lock);
		free(file);
	}
}

static void on_release(fuse_req_t req, fuse_ino_t ino _unused_, struct fuse_file_info *info)
{
	struct file *file = (struct file *)(uintptr_t)info->fh;

	(void)pthread_mutex_destroy(&file->lock);
	free(file);
	(void)fuse_reply_err(req, 0);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	struct file *file = (struct file *)(uintptr_t)info->fh;
	char content[ENGINE_ATTR_MAX];
	struct io_call call;
	ssize_t n = 0;
	size_t left;

	/* Reading from the start reads anew; what follows belongs to the same text. */
	if (offset == 0) {
		call_begin(req, &call, false);
		n = io_read(&call, node_of(req, ino)->path, content, sizeof(content));
		call_end(req, &call);
		if (n < 0) {
			(void)fuse_reply_err(req, (int)-n);
			return;
		}
	}
	(void)pthread_mutex_lock(&file->lock);
	if (offset == 0) {
		memcpy(file->content, content, (size_t)n);
		file->size = (size_t)n;
	}
	/* Copied: once the reply is out the file may be closed and gone. */
	left = (size_t)offset < file->size ? file->size - (size_t)offset : 0;
	if (left)
		memcpy(content, file->content + offset, left);
	(void)pthread_mutex_unlock(&file->lock);
	(void)fuse_reply_buf(req, content, MIN(left, size));
}

static void on_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
		     off_t offset _unused_, struct fuse_file_info *info _unused_)
{
	struct fs *fs = fs_of(req);
	struct node *node = node_of(req, ino);
	struct io_call call;
	ssize_t n;

	node_write_begin(&fs->nodes, node);
	call_begin(req, &call, true);
	n = io_write(&call, node->path, buf, MIN(size, (size_t)ENGINE_ATTR_MAX));
	call_end(req, &call);

	node_write_end(&fs->nodes, node);
	(void)(n < 0 ? fuse_reply_err(req, (int)-n) : fuse_reply_write(req, (size_t)n));
}

static const struct fuse_lowlevel_ops operations = {
	.init = on_init,
	.lookup = on_lookup,
	.forget = on_forget,
	.forget_multi = on_forget_multi,
	.getattr = on_getattr,
	.setattr = on_setattr,
	.readlink = on_readlink,
	.opendir = on_opendir,
	.readdir = on_readdir,
	.releasedir = on_releasedir,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.release = on_release,
};

static void *fs_main(void *userdata)
{
	struct fs *fs = userdata;

	(void)fuse_session_loop_mt(fs->session, fs->config);
	return NULL;
}

static void fs_free(struct fs *fs)
{
	if (fs->session)
		fuse_session_destroy(fs->session);
	if (fs->config)
		fuse_loop_cfg_destroy(fs->config);
	nodes_done(&fs->nodes);
	free(fs);
}
DEFINE_CLEANUP(struct fs *, fs_free);

int fs_start(struct sim *sim, struct fs **ret)
{
	char name[] = "dcdsim", option[] = "-o",
	     options[] = "fsname=dcdsim,subtype=sysfs,allow_other,default_permissions";
	char *argv[] = { name, option, options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	_cleanup_(fs_freep) struct fs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return -ENOMEM;
	fs->sim = sim;
	if (nodes_init(&fs->nodes) < 0) {
		free(TAKE_PTR(fs));
		return -ENOMEM;
	}
	fs->config = fuse_loop_cfg_create();
	fs->session = fuse_session_new(&args, &operations, sizeof(operations), fs);
	fuse_opt_free_args(&args);
	if (!fs->config || !fs->session)
		return -ENOMEM;
	/* Each blocked write keeps a thread; thousands of readers come and go. */
	fuse_loop_cfg_set_max_threads(fs->config, THREADS_MAX);
	fuse_loop_cfg_set_idle_threads(fs->config, THREADS_MAX);
	fuse_loop_cfg_set_clone_fd(fs->config, 0);
	if (fuse_session_mount(fs->session, sim->host.sys) < 0)
		return -EIO; /* libfuse has said why */
	if (pthread_create(&fs->thread, NULL, fs_main, fs) != 0) {
		fuse_session_unmount(fs->session);
		return -EAGAIN;
	}
	*ret = TAKE_PTR(fs);
	return 0;
}

void fs_stop(struct fs *fs)
{
	if (!fs)
		return;
	/*
	 * Forced, for a process that cannot be ended yet must not keep us; the threads then see
	 * the end of the connection. Only after them is the descriptor closed.
	 */
	fuse_session_exit(fs->session);
	(void)umount2(fs->sim->host.sys, MNT_FORCE);
	(void)umount2(fs->sim->host.sys, MNT_DETACH);
	(void)pthread_join(fs->thread, NULL);
	fuse_session_unmount(fs->session);
	fs_free(fs);
}
