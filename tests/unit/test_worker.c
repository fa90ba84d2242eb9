/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the worker does when it is asked: writes, watches, scans, and answers, once each. */
#include <sys/socket.h>

#include "worker_fixture.h"

#include "worker/protocol.h"

/* ---- requests ---- */

static void test_writes(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_watched(BLOCK(3), "offline", BLOCK(3), "");

	assert_int_equal(do_request(f, &r), 0);
	assert_attribute(f, BLOCK(3), "offline");
	assert_string_equal(f->reply.before, "online");
	assert_string_equal(f->reply.after, "offline");
	assert_string_equal(f->reply.message, "");
	assert_true(f->reply.elapsed < PATIENCE_SEC * USEC_PER_SEC);
	assert_null(f->reply.inventory);
}

static void test_watches(void **state)
{
	struct fixture *f = *state;
	struct worker_request r;
	char line[WORKER_VALUE_MAX + 1];

	/* A symlink: where it leads. */
	tree_link(&f->tree, DEVICE "/driver", "../../../../../../../../bus/dax/drivers/kmem");
	r = request_watched(BLOCK(3), "offline", "bus/dax/devices/dax0.1/driver", "");
	assert_int_equal(do_request(f, &r), 0);
	assert_string_equal(f->reply.before, "kmem");
	assert_string_equal(f->reply.after, "kmem");

	/* Absent, out of bounds, a directory, too long: nothing. */
	tree_remove(&f->tree, DEVICE "/driver");
	assert_int_equal(do_request(f, &r), 0);
	assert_string_equal(f->reply.before, "");
	r = request_watched(BLOCK(3), "online", "../etc/hostname", "");
	assert_int_equal(do_request(f, &r), 0);
	assert_string_equal(f->reply.after, "");
	r = request_watched(BLOCK(3), "online", TREE_MEMORY "/memory3", "");
	assert_int_equal(do_request(f, &r), 0);
	assert_string_equal(f->reply.after, "");
	memset(line, 'x', WORKER_VALUE_MAX);
	line[WORKER_VALUE_MAX] = '\0';
	tree_write(&f->tree, TREE_MEMORY "/memory3/long", line);
	r = request_watched(BLOCK(3), "online", TREE_MEMORY "/memory3/long", "");
	assert_int_equal(do_request(f, &r), 0);
	assert_string_equal(f->reply.after, "");
}

static void test_skips(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_watched(BLOCK(3), "offline", BLOCK(3), "online");

	assert_int_equal(do_request(f, &r), -EALREADY);
	assert_attribute(f, BLOCK(3), "online\n");
	assert_string_equal(f->reply.before, "online");
	assert_string_equal(f->reply.after, "online");
	assert_int_equal(f->reply.elapsed, 0);
	r = request_watched(BLOCK(3), "offline", BLOCK(3), "offline");
	assert_int_equal(do_request(f, &r), 0);
	assert_attribute(f, BLOCK(3), "offline");
}

static void test_errno_comes_back(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_write(TREE_MEMORY "/memory77/state", "offline");

	assert_int_equal(do_request(f, &r), -ENOENT);
	tree_mkdir(&f->tree, TREE_MEMORY "/memory4/state");
	r = request_write(TREE_MEMORY "/memory4/state", "offline");
	assert_int_equal(do_request(f, &r), -EISDIR);
}

/* The guard works where the writes are made: an expectation that is not met stops it. */
static void test_guard_refuses(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_write("bus/dax/drivers/kmem/unbind", "dax0.1");

	tree_write(&f->tree, "bus/dax/drivers/kmem/unbind", "");
	assert_int_equal(do_request(f, &r), -EBUSY); /* memory3 is online */
	assert_non_null(strstr(f->reply.message, "memory3"));
	r.expect.size++;
	assert_int_equal(do_request(f, &r), -ESTALE);
	assert_non_null(strstr(f->reply.message, "dax0.1"));
	r.expect.device[0] = '\0';
	assert_int_equal(do_request(f, &r), -EPERM);
	assert_true(f->reply.message[0]);
	assert_attribute(f, "bus/dax/drivers/kmem/unbind", "\n");
	r = request_write("bus/cxl/drivers/cxl_region/unbind", "region0");
	tree_write(&f->tree, "bus/cxl/drivers/cxl_region/unbind", "");
	assert_int_equal(do_request(f, &r), -EPERM);
	assert_attribute(f, "bus/cxl/drivers/cxl_region/unbind", "\n");
}

/* The same for what harms nobody; but what is so already is never judged. */
static void test_guard_refuses_a_block(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_watched(BLOCK(3), "offline", BLOCK(3), "offline");

	tree_write(&f->tree, DEVICE "/uuid", "5be13bce-ae34-4a77-b6c3-16df975fcf1a");
	assert_int_equal(do_request(f, &r), -ESTALE);
	assert_non_null(strstr(f->reply.message, "tag"));
	assert_string_equal(f->reply.before, "online");
	assert_string_equal(f->reply.after, "online");
	assert_attribute(f, BLOCK(3), "online\n");

	tree_write(&f->tree, BLOCK(3), "offline");
	assert_int_equal(do_request(f, &r), -EALREADY);
	r.expect.device[0] = '\0';
	assert_int_equal(do_request(f, &r), -EALREADY);
}

static void test_scans(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = { .op = WORKER_SCAN };

	/* No CXL in this tree: an inventory all the same, and a new one each time. */
	tree_mkdir(&f->tree, "bus/cxl/devices");
	tree_mkdir(&f->tree, "bus/dax/devices");
	tree_mkdir(&f->tree, "devices/system/node");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(do_request(f, &r), 0);
		assert_non_null(f->reply.inventory);
		assert_int_equal(f->reply.inventory->n_regions, 0);
		assert_int_equal(f->reply.inventory->block_size, 0x8000000);
		inventory_free(f->reply.inventory);
	}
	r = request_write(BLOCK(3), "offline");
	assert_int_equal(do_request(f, &r), 0);
	assert_null(f->reply.inventory);
}

static void test_one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_write(BLOCK(3), "offline");

	submit(f, &r);
	assert_int_equal(worker_submit(f->worker, &r, on_done, f), -EBUSY);
	assert_true(loop_until(f, has_replies, 1));
	assert_int_equal(f->reply.error, 0);
	assert_int_equal(f->n_replies, 1);
}

/* ---- callbacks that go on at once ---- */

static void on_done_again(struct worker *w, struct worker_reply *reply, void *userdata)
{
	struct fixture *f = userdata;
	struct worker_request r = request_write(BLOCK(3), "online");

	on_done(w, reply, userdata);
	if (f->n_replies < 5)
		assert_int_equal(worker_submit(w, &r, on_done_again, f), 0);
}

static void test_submit_from_callback(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_write(BLOCK(3), "offline");

	f->n_replies = 0;
	assert_int_equal(worker_submit(f->worker, &r, on_done_again, f), 0);
	assert_true(loop_until(f, has_replies, 5));
	assert_int_equal(f->reply.error, 0);
	assert_false(worker_is_busy(f->worker));
}

static void on_done_free(struct worker *w, struct worker_reply *reply, void *userdata)
{
	struct fixture *f = userdata;

	on_done(w, reply, userdata);
	worker_free(w);
	f->worker = NULL;
}

static void test_free_from_callback(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_write(BLOCK(3), "offline");
	int32_t pid = worker_pid(f->worker);

	f->n_replies = 0;
	assert_int_equal(worker_submit(f->worker, &r, on_done_free, f), 0);
	assert_true(loop_until(f, has_replies, 1));
	assert_true(loop_until(f, is_gone, pid));

	/* The same when what it is told is that the worker died. */
	start_worker(f);
	pid = worker_pid(f->worker);
	f->n_replies = 0;
	r = request_write(BLOCK(9), "offline");
	assert_int_equal(worker_submit(f->worker, &r, on_done_free, f), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_true(loop_until(f, has_replies, 1));
	assert_int_equal(f->reply.error, -EPIPE);
	assert_true(loop_until(f, is_gone, pid));
}

static void test_many_requests(void **state)
{
	struct fixture *f = *state;
	struct worker_request r = request_watched(BLOCK(3), "offline", BLOCK(3), "");
	struct worker_request scan = { .op = WORKER_SCAN };
	int ours, theirs;

	assert_int_equal(do_request(f, &r), 0);
	ours = count_fds(getpid());
	theirs = count_fds(worker_pid(f->worker));
	for (unsigned i = 0; i < 10000; i++) {
		submit(f, i % 100 ? &r : &scan);
		while (f->n_replies == 0)
			(void)event_base_loop(f->base, EVLOOP_ONCE);
		assert_int_equal(f->reply.error, 0);
		inventory_free(f->reply.inventory);
	}
	assert_int_equal(count_fds(getpid()), ours);
	assert_int_equal(count_fds(worker_pid(f->worker)), theirs);
}

/* ---- a worker that answers nonsense: this program again, under another option ---- */

static int lying_worker(int fd, const char *how)
{
	struct worker_request request;
	struct worker_reply reply = {};
	uint64_t id;
	int r;

	r = protocol_recv_request(fd, 0, &id, &request);
	if (r < 0)
		return EXIT_FAILURE;
	if (streq(how, "id"))
		r = protocol_send_reply(fd, id + 1, &reply, -1, 0);
	else if (streq(how, "file"))
		r = protocol_send_reply(fd, id, &reply, STDERR_FILENO, 0);
	else if (streq(how, "garbage"))
		r = send(fd, "garbage", 7, 0) == 7 ? 0 : -EIO;
	else if (streq(how, "twice")) {
		r = protocol_send_reply(fd, id, &reply, -1, 0);
		if (r == 0)
			r = protocol_send_reply(fd, id, &reply, -1, 0);
	}
	/* Until the other end closes. */
	while (protocol_recv_request(fd, 0, &id, &request) >= 0)
		;
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void test_nonsense_is_fatal(void **state)
{
	static const char *const how[] = { "id", "file", "garbage", "twice" };
	struct fixture *f = *state;
	struct worker *honest = f->worker;

	for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
		struct worker_request r = request_write(BLOCK(3), "offline");
		char sysfs[32];
		int32_t pid;

		(void)snprintf(sysfs, sizeof(sysfs), "lie:%s", how[i]);
		assert_int_equal(worker_new(f->base, "/proc/self/exe", sysfs, "/proc", &f->worker),
				 0);
		pid = worker_pid(f->worker);
		if (streq(how[i], "twice")) {
			/* One answer too many, while nothing is asked. */
			assert_int_equal(do_request(f, &r), 0);
			assert_true(loop_until(f, is_gone, pid));
			assert_int_equal(do_request(f, &r), -EPIPE);
		} else {
			assert_int_equal(do_request(f, &r), -EPROTO);
			assert_true(loop_until(f, is_gone, pid));
		}
		worker_free(f->worker);
	}
	f->worker = honest;
}

int main(int argc, char *argv[])
{
	static const struct CMUnitTest tests[] = {
		WORKER_TEST(test_writes),
		WORKER_TEST(test_watches),
		WORKER_TEST(test_skips),
		WORKER_TEST(test_errno_comes_back),
		WORKER_TEST(test_guard_refuses),
		WORKER_TEST(test_guard_refuses_a_block),
		WORKER_TEST(test_scans),
		WORKER_TEST(test_one_at_a_time),
		WORKER_TEST(test_submit_from_callback),
		WORKER_TEST(test_free_from_callback),
		WORKER_TEST(test_many_requests),
		WORKER_TEST(test_nonsense_is_fatal),
	};

	if (argc == 4 && streq(argv[1], "--worker")) {
		const char *lie = startswith(argv[2], "lie:");

		return lie ? lying_worker(3, lie) : worker_main(3, argv[2], argv[3]);
	}
	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
