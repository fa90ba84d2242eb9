/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes over the socket between the daemon and its worker: one packet of fixed size each way
 * per request, with an id that the answer repeats. Only the inventory does not fit; its answer
 * carries a memory file instead. Both ends are the same program, but each still checks.
 */
#pragma once

#include "worker.h"

/*
 * Sends never raise SIGPIPE. @flags: MSG_DONTWAIT, or 0 to wait. 0 or negative errno.
 * protocol_send_reply() ignores reply->inventory; @inventory_fd is its memory file, or negative.
 */
int protocol_send_request(int fd, uint64_t id, const struct worker_request *request, int flags);
int protocol_send_reply(int fd, uint64_t id, const struct worker_reply *reply, int inventory_fd,
			int flags);

/*
 * Receive one packet. 0; -EPIPE: the other end closed; -EPROTO: not one of our packets (size,
 * version, a string that does not end, a file where none belongs); -EAGAIN with MSG_DONTWAIT;
 * other negative errno of recvmsg(2). reply->inventory is set to NULL, *@ret_inventory_fd to the
 * memory file (the caller closes it) or a negative number.
 */
int protocol_recv_request(int fd, int flags, uint64_t *ret_id, struct worker_request *ret);
int protocol_recv_reply(int fd, int flags, uint64_t *ret_id, struct worker_reply *ret,
			int *ret_inventory_fd);
