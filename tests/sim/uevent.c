/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel rebroadcasts a message sent to it on NETLINK_KOBJECT_UEVENT by whoever has the
 * capability in that network namespace, as coming from itself and with a sequence number: made
 * for containers (lib/kobject_uevent.c, uevent_net_rcv_skb()), and just right for a simulated host.
 */
#include <linux/netlink.h>
#include <sys/socket.h>

#include "uevent.h"

#define UEVENT_MAX 2048 /* the kernel's UEVENT_BUFFER_SIZE */

int uevent_socket(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = -errno;

		(void)close(fd);
		return r;
	}
	return fd;
}

int uevent_send(int fd, const char *action, const char *devpath, const char *subsystem,
		const char *const *environment, size_t n)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	union {
		struct nlmsghdr header;
		char bytes[NLMSG_HDRLEN + UEVENT_MAX];
	} message = { .header = { .nlmsg_type = NLMSG_MIN_TYPE, .nlmsg_flags = NLM_F_REQUEST } };
	size_t used = NLMSG_HDRLEN;
	_Alignas(struct nlmsghdr) char reply[512];
	ssize_t got;
	int r;

#define APPEND(...)                                                                                \
	do {                                                                                       \
		int _n = snprintf(message.bytes + used, sizeof(message) - used, __VA_ARGS__);      \
		if (_n < 0 || (size_t)_n >= sizeof(message) - used)                                \
			return -EMSGSIZE;                                                          \
		used += (size_t)_n + 1;                                                            \
	} while (0)

	APPEND("%s@%s", action, devpath);
	APPEND("ACTION=%s", action);
	APPEND("DEVPATH=%s", devpath);
	APPEND("SUBSYSTEM=%s", subsystem);
	for (size_t i = 0; i < n; i++)
		APPEND("%s", environment[i]);
#undef APPEND

	message.header.nlmsg_len = (uint32_t)used;
	if (sendto(fd, &message, used, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;

	/* The kernel has handled it by now; it answers only if it did not like it. */
	r = 0;
	while ((got = recv(fd, reply, sizeof(reply), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *header = (const struct nlmsghdr *)reply;
		const struct nlmsgerr *error = NLMSG_DATA(header);

		if ((size_t)got >= NLMSG_LENGTH(sizeof(*error)) &&
		    header->nlmsg_type == NLMSG_ERROR && error->error < 0)
			r = error->error;
	}
	return r;
}
