/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packets between the daemon and its worker: sent whole, received with every field checked. */
#include <sys/socket.h>

#include "protocol.h"

/* To be raised with every change of the structs below or of what is in them. */
#define WIRE_VERSION 2
#define WIRE_MAGIC_REQUEST UINT32_C(0x51444344) /* "DCDQ" */
#define WIRE_MAGIC_REPLY UINT32_C(0x52444344)	/* "DCDR" */

struct wire_header {
	uint32_t magic;
	uint32_t version;
	uint64_t id;
};

struct wire_request {
	struct wire_header header;
	struct worker_request request;
};

struct wire_reply {
	struct wire_header header;
	int32_t error;
	uint32_t has_inventory; /* a file descriptor comes with it */
	uint64_t elapsed;
	char before[WORKER_VALUE_MAX];
	char after[WORKER_VALUE_MAX];
	char message[sizeof(((struct worker_reply *)0)->message)];
};

union control {
	struct cmsghdr header;
	char buf[CMSG_SPACE(sizeof(int))];
};

/* Sends @size bytes as one packet, with the file descriptor @file if it is one. */
static int packet_send(int fd, const void *data, size_t size, int file, int flags)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control = {};
	ssize_t n;

	if (file >= 0) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &file, sizeof(file));
	}
	do
		n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EPROTO;
}

/* The descriptor that came along, or a negative number. There is room for no more than one. */
static int received_file(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int file = -EBADF;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&file, CMSG_DATA(c), sizeof(file));
	return file;
}

/* Receives one packet of exactly @size bytes that begins with the right header. */
static int packet_recv(int fd, int flags, uint32_t magic, void *data, size_t size, int *ret_file)
{
	struct iovec iov = { .iov_base = data, .iov_len = size };
	union control control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct wire_header header;
	int file;
	ssize_t n;

	do
		n = recvmsg(fd, &msg, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;

	file = received_file(&msg);
	if (n == 0 && file < 0)
		return -EPIPE;
	memcpy(&header, data, sizeof(header));
	if ((size_t)n != size || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    header.magic != magic || header.version != WIRE_VERSION) {
		(void)safe_close(file);
		return -EPROTO;
	}
	*ret_file = file;
	return 0;
}

static bool is_string(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

#define IS_STRING(array) is_string(array, sizeof(array))

int protocol_send_request(int fd, uint64_t id, const struct worker_request *request, int flags)
{
	struct wire_request wire;

	memset(&wire, 0, sizeof(wire)); /* padding too */
	wire.header.magic = WIRE_MAGIC_REQUEST;
	wire.header.version = WIRE_VERSION;
	wire.header.id = id;
	wire.request = *request;
	return packet_send(fd, &wire, sizeof(wire), -EBADF, flags);
}

static bool request_valid(const struct worker_request *r)
{
	if (r->op != WORKER_WRITE && r->op != WORKER_SCAN && r->op != WORKER_PUBLISH)
		return false;
	return IS_STRING(r->path) && IS_STRING(r->value) && IS_STRING(r->watch) &&
	       IS_STRING(r->skip_if) && IS_STRING(r->expect.device);
}

int protocol_recv_request(int fd, int flags, uint64_t *ret_id, struct worker_request *ret)
{
	struct wire_request wire = {};
	int file = -EBADF, r;

	r = packet_recv(fd, flags, WIRE_MAGIC_REQUEST, &wire, sizeof(wire), &file);
	if (r < 0)
		return r;
	if (file >= 0) {
		(void)safe_close(file);
		return -EPROTO;
	}
	if (!request_valid(&wire.request))
		return -EPROTO;
	*ret_id = wire.header.id;
	*ret = wire.request;
	return 0;
}

int protocol_send_reply(int fd, uint64_t id, const struct worker_reply *reply, int inventory_fd,
			int flags)
{
	struct wire_reply wire;

	memset(&wire, 0, sizeof(wire));
	wire.header.magic = WIRE_MAGIC_REPLY;
	wire.header.version = WIRE_VERSION;
	wire.header.id = id;
	wire.error = reply->error;
	wire.has_inventory = inventory_fd >= 0;
	wire.elapsed = reply->elapsed;
	memcpy(wire.before, reply->before, sizeof(wire.before));
	memcpy(wire.after, reply->after, sizeof(wire.after));
	memcpy(wire.message, reply->message, sizeof(wire.message));
	return packet_send(fd, &wire, sizeof(wire), inventory_fd, flags);
}

int protocol_recv_reply(int fd, int flags, uint64_t *ret_id, struct worker_reply *ret,
			int *ret_inventory_fd)
{
	struct wire_reply wire = {};
	int file = -EBADF, r;

	r = packet_recv(fd, flags, WIRE_MAGIC_REPLY, &wire, sizeof(wire), &file);
	if (r < 0)
		return r;
	if (wire.error > 0 || (wire.has_inventory != 0) != (file >= 0) || !IS_STRING(wire.before) ||
	    !IS_STRING(wire.after) || !IS_STRING(wire.message)) {
		(void)safe_close(file);
		return -EPROTO;
	}
	*ret = (struct worker_reply){ .error = wire.error, .elapsed = wire.elapsed };
	memcpy(ret->before, wire.before, sizeof(ret->before));
	memcpy(ret->after, wire.after, sizeof(ret->after));
	memcpy(ret->message, wire.message, sizeof(ret->message));
	*ret_id = wire.header.id;
	*ret_inventory_fd = file;
	return 0;
}
