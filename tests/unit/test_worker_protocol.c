/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packets between daemon and worker: what is sent arrives, and nothing else is accepted. */
#include <sys/socket.h>

#include "worker_fixture.h"

#include "worker/protocol.h"

struct wire {
	int fd[2];
};

static void wire_init(struct wire *w)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, w->fd), 0);
}

static void wire_done(struct wire *w)
{
	(void)close(w->fd[0]);
	(void)close(w->fd[1]);
}

static void test_wire_round_trip(void **state)
{
	struct worker_request request = request_watched(BLOCK(3), "offline", BLOCK(4), "online"),
			      request_got;
	struct worker_reply reply = { .error = -EBUSY,
				      .elapsed = 12345,
				      .before = "a",
				      .after = "b",
				      .message = "c" },
			    reply_got;
	struct wire w;
	uint64_t id = 0;
	int fd = 99;

	(void)state;
	wire_init(&w);
	request.expect.size = 4711;
	assert_int_equal(protocol_recv_request(w.fd[1], MSG_DONTWAIT, &id, &request_got), -EAGAIN);
	assert_int_equal(protocol_send_request(w.fd[0], 42, &request, MSG_DONTWAIT), 0);
	assert_int_equal(protocol_recv_request(w.fd[1], 0, &id, &request_got), 0);
	assert_int_equal(id, 42);
	assert_string_equal(request_got.path, request.path);
	assert_string_equal(request_got.value, request.value);
	assert_string_equal(request_got.watch, request.watch);
	assert_string_equal(request_got.skip_if, request.skip_if);
	assert_int_equal(request_got.expect.size, 4711);

	assert_int_equal(protocol_send_reply(w.fd[1], 43, &reply, -1, 0), 0);
	assert_int_equal(protocol_recv_reply(w.fd[0], 0, &id, &reply_got, &fd), 0);
	assert_int_equal(id, 43);
	assert_true(fd < 0);
	assert_int_equal(reply_got.error, -EBUSY);
	assert_int_equal(reply_got.elapsed, 12345);
	assert_string_equal(reply_got.before, "a");
	assert_string_equal(reply_got.after, "b");
	assert_string_equal(reply_got.message, "c");

	assert_int_equal(protocol_send_reply(w.fd[1], 44, &reply, w.fd[1], 0), 0);
	assert_int_equal(protocol_recv_reply(w.fd[0], 0, &id, &reply_got, &fd), 0);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	(void)close(fd);
	(void)close(w.fd[1]);
	w.fd[1] = -EBADF;
	assert_int_equal(protocol_recv_reply(w.fd[0], 0, &id, &reply_got, &fd), -EPIPE);
	wire_done(&w);
}

/* Every packet that is not exactly one of ours is refused, and leaves no file open. */
static void test_wire_rejects(void **state)
{
	struct worker_request request = request_write(BLOCK(3), "offline");
	struct worker_reply reply = {};
	unsigned char packet[4096];
	struct wire w;
	uint64_t id;
	ssize_t n;
	int fds, fd;

	(void)state;
	wire_init(&w);
	fds = count_fds(getpid());
	assert_int_equal(protocol_send_request(w.fd[0], 1, &request, 0), 0);
	n = recv(w.fd[1], packet, sizeof(packet), 0);
	assert_true(n > 16 && (size_t)n < sizeof(packet));

	/* The wrong length, the wrong kind, the wrong version. */
	assert_int_equal(send(w.fd[0], packet, (size_t)n - 1, 0), n - 1);
	assert_int_equal(protocol_recv_request(w.fd[1], 0, &id, &request), -EPROTO);
	packet[n] = 0;
	assert_int_equal(send(w.fd[0], packet, (size_t)n + 1, 0), n + 1);
	assert_int_equal(protocol_recv_request(w.fd[1], 0, &id, &request), -EPROTO);
	assert_int_equal(send(w.fd[0], packet, 1, 0), 1);
	assert_int_equal(protocol_recv_request(w.fd[1], 0, &id, &request), -EPROTO);
	assert_int_equal(send(w.fd[0], packet, (size_t)n, 0), n);
	assert_int_equal(protocol_recv_reply(w.fd[1], 0, &id, &reply, &fd), -EPROTO);
	packet[4] ^= 1;
	assert_int_equal(send(w.fd[0], packet, (size_t)n, 0), n);
	assert_int_equal(protocol_recv_request(w.fd[1], 0, &id, &request), -EPROTO);
	packet[4] ^= 1;

	/* Strings without an end, an operation we do not have. */
	memset(packet + 16 + sizeof(int), 'x', WORKER_PATH_MAX);
	assert_int_equal(send(w.fd[0], packet, (size_t)n, 0), n);
	assert_int_equal(protocol_recv_request(w.fd[1], 0, &id, &request), -EPROTO);
	request = request_write(BLOCK(3), "offline");
	request.op = 7;
	assert_int_equal(protocol_send_request(w.fd[0], 1, &request, 0), 0);
	assert_int_equal(protocol_recv_request(w.fd[1], 0, &id, &request), -EPROTO);
	memset(reply.message, 'x', sizeof(reply.message));
	assert_int_equal(protocol_send_reply(w.fd[1], 1, &reply, w.fd[1], 0), 0);
	assert_int_equal(protocol_recv_reply(w.fd[0], 0, &id, &reply, &fd), -EPROTO);
	reply = (struct worker_reply){ .error = 5 };
	assert_int_equal(protocol_send_reply(w.fd[1], 1, &reply, w.fd[1], 0), 0);
	assert_int_equal(protocol_recv_reply(w.fd[0], 0, &id, &reply, &fd), -EPROTO);
	assert_int_equal(count_fds(getpid()), fds);
	wire_done(&w);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire_round_trip),
		cmocka_unit_test(test_wire_rejects),
	};

	return cmocka_run_group_tests_name("worker_protocol", tests, NULL, NULL);
}
