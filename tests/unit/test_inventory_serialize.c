/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An inventory through a file descriptor and back: equal; and nothing that can arrive instead of it
 * is taken for one, or crashes the reader (run under ASan and UBSan as well).
 */
#include "random_inventory.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int bytes_fd(const void *data, size_t size)
{
	int fd = memfd_create("inventory", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void *to_bytes(const struct inventory *inv, size_t *ret_size)
{
	_cleanup_close_ int fd = memfd_create("inventory", MFD_CLOEXEC);
	off_t size;
	void *data;

	assert_true(fd >= 0);
	assert_int_equal(inventory_write(inv, fd), 0);
	size = lseek(fd, 0, SEEK_CUR);
	assert_true(size > 0);
	data = malloc((size_t)size);
	assert_non_null(data);
	assert_int_equal(pread(fd, data, (size_t)size, 0), size);
	*ret_size = (size_t)size;
	return data;
}

static int from_bytes(const void *data, size_t size, struct inventory **ret)
{
	_cleanup_close_ int fd = bytes_fd(data, size);

	return inventory_read(fd, ret);
}

#define ASSERT_SAME(a, b, array)                                                                   \
	do {                                                                                       \
		assert_int_equal((a)->n_##array, (b)->n_##array);                                  \
		if ((a)->n_##array > 0)                                                            \
			assert_memory_equal((a)->array, (b)->array,                                \
					    (a)->n_##array * sizeof(*(a)->array));                 \
	} while (0)

static void assert_same(const struct inventory *a, const struct inventory *b)
{
	assert_int_equal(a->block_size, b->block_size);
	assert_int_equal(a->taken, b->taken);
	assert_string_equal(a->auto_online, b->auto_online);
	ASSERT_SAME(a, b, memdevs);
	ASSERT_SAME(a, b, regions);
	ASSERT_SAME(a, b, extents);
	ASSERT_SAME(a, b, devices);
	ASSERT_SAME(a, b, mappings);
	ASSERT_SAME(a, b, blocks);
	ASSERT_SAME(a, b, holders);
	ASSERT_SAME(a, b, nodes);
	ASSERT_SAME(a, b, hugepages);
}

static void test_round_trip(void **state)
{
	struct random_state random = { .state = 7 };

	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		_cleanup_(inventory_freep) struct inventory *inv = random_inventory(seed);
		_cleanup_(inventory_freep) struct inventory *back = NULL;
		_cleanup_free_ void *data = NULL;
		size_t size;

		random_errors(&random, inv);
		data = to_bytes(inv, &size);
		assert_int_equal(from_bytes(data, size, &back), 0);
		assert_same(inv, back);
	}
}

static void test_empty(void **state)
{
	_cleanup_(inventory_freep) struct inventory *back = NULL;
	_cleanup_free_ void *data = NULL;
	struct inventory inv = { .taken = 5 };
	size_t size;

	(void)state;
	data = to_bytes(&inv, &size);
	assert_int_equal(from_bytes(data, size, &back), 0);
	assert_same(&inv, back);
}

/* Through a socket, where reads come short, one behind the other, nothing taken too much. */
static void test_stream(void **state)
{
	int sockets[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int r = 0;

		(void)close(sockets[0]);
		for (uint64_t seed = 1; seed <= 20 && r == 0; seed++) {
			_cleanup_(inventory_freep) struct inventory *inv = random_inventory(seed);

			r = inventory_write(inv, sockets[1]);
		}
		_exit(r == 0 ? 0 : 1);
	}
	(void)close(sockets[1]);
	for (uint64_t seed = 1; seed <= 20; seed++) {
		_cleanup_(inventory_freep) struct inventory *inv = random_inventory(seed);
		_cleanup_(inventory_freep) struct inventory *back = NULL;

		assert_int_equal(inventory_read(sockets[0], &back), 0);
		assert_same(inv, back);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	(void)close(sockets[0]);
}

static struct holder *find_holder(const struct inventory *inv, bool mounted)
{
	for (uint32_t i = 0; i < inv->n_holders; i++)
		if (inv->holders[i].mounted == mounted)
			return &inv->holders[i];
	return NULL;
}

/* An inventory that has at least one of everything. */
static struct inventory *full_inventory(void)
{
	for (uint64_t seed = 1;; seed++) {
		struct inventory *inv = random_inventory(seed);

		if (inv->n_regions > 1 && inv->regions[0].n_extents > 2 && inv->n_devices > 1 &&
		    inv->n_blocks > 1 && inv->n_holders > 0 && inv->n_nodes > 0 &&
		    inv->devices[0].n_mappings > 1 && inv->n_extents < 60 && inv->n_hugepages > 1 &&
		    find_holder(inv, true) && find_holder(inv, false))
			return inv;
		inventory_free(inv);
	}
}

static void test_every_truncation(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = full_inventory();
	_cleanup_free_ char *data = NULL;
	size_t size;

	(void)state;
	data = to_bytes(inv, &size);
	for (size_t n = 0; n < size; n++) {
		struct inventory *back = NULL;
		int r = from_bytes(data, n, &back);

		if (r != -EBADMSG || back)
			fail_msg("%zu of %zu bytes: %d", n, size, r);
	}
}

/* Everything that uses an inventory's indexes, as the daemon would. */
static uint64_t use(const struct inventory *inv)
{
	struct tag_group group;
	uint64_t sum = 0;
	uint32_t cursor = 0;

	while (inventory_next_group(inv, &cursor, &group)) {
		char text[GROUP_KEY_STRLEN];
		struct group_key key;
		struct tag_group found;
		uint32_t devices[4];

		tag_group_key(inv, &group, &key);
		sum += strlen(group_key_format(&key, text)) + tag_group_bytes(inv, &group);
		sum += tag_group_devices(inv, &group, devices, ARRAY_SIZE(devices));
		(void)inventory_find_group(inv, &key, NULL, &found);
	}
	for (uint32_t i = 0; i < inv->n_blocks; i++)
		sum += memory_block_range(inv, &inv->blocks[i]).length + inv->blocks[i].foreign;
	for (uint32_t i = 0; i < inv->n_holders; i++)
		sum += strlen(inv->holders[i].comm) + inv->holders[i].open +
		       strlen(inv->devices[inv->holders[i].device].name);
	return sum;
}

static void test_corrupted_bytes(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = full_inventory();
	_cleanup_free_ unsigned char *data = NULL, *copy = NULL;
	struct random_state random = { .state = 42 };
	unsigned rejected = 0, accepted = 0;
	size_t size;

	(void)state;
	data = to_bytes(inv, &size);
	copy = malloc(size);
	assert_non_null(copy);
	for (unsigned i = 0; i < 20000; i++) {
		_cleanup_(inventory_freep) struct inventory *back = NULL;
		unsigned n = 1 + random_below(&random, 4);
		int r;

		memcpy(copy, data, size);
		while (n--)
			copy[random_below(&random, (uint32_t)size)] = (unsigned char)random_next(
				&random);
		r = from_bytes(copy, size, &back);
		if (r == 0) {
			/* Its value does not matter; that it ends does. */
			accepted += use(back) != 1;
		} else {
			assert_int_equal(r, -EBADMSG);
			rejected++;
		}
	}
	/* Addresses and sizes can be anything; much else cannot. */
	assert_true(accepted > 0);
	assert_true(rejected > 0);
}

/* Writes @inv as it is, broken or not, and says what the reader makes of it. */
static int reread(const struct inventory *inv)
{
	_cleanup_(inventory_freep) struct inventory *back = NULL;
	_cleanup_free_ void *data = NULL;
	size_t size;

	data = to_bytes(inv, &size);
	return from_bytes(data, size, &back);
}

#define REJECTS(lvalue, bad)                                                                       \
	do {                                                                                       \
		__typeof__(lvalue) _good = (lvalue);                                               \
		(lvalue) = (bad);                                                                  \
		if (reread(inv) != -EBADMSG)                                                       \
			fail_msg("accepted: %s = %s", #lvalue, #bad);                              \
		(lvalue) = _good;                                                                  \
	} while (0)

#define REJECTS_NAME(array, bad)                                                                   \
	do {                                                                                       \
		char _good[sizeof(array)];                                                         \
		memcpy(_good, (array), sizeof(array));                                             \
		memcpy((array), (bad), MIN(sizeof(bad), sizeof(array)));                           \
		if (reread(inv) != -EBADMSG)                                                       \
			fail_msg("accepted: %s with %s", #array, #bad);                            \
		memcpy((array), _good, sizeof(array));                                             \
	} while (0)

static void test_rejects_indexes(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = full_inventory();

	(void)state;
	REJECTS(inv->regions[0].memdev, inv->n_memdevs);
	REJECTS(inv->regions[0].memdev, INVENTORY_NONE);
	REJECTS(inv->regions[1].first_extent, 0);
	REJECTS(inv->regions[1].n_extents, inv->regions[1].n_extents + 1);
	REJECTS(inv->regions[inv->n_regions - 1].n_devices, UINT32_MAX);
	REJECTS(inv->extents[0].region, inv->n_regions);
	REJECTS(inv->extents[0].device, inv->n_devices);
	REJECTS(inv->devices[0].region, inv->n_regions);
	REJECTS(inv->devices[0].n_mappings, inv->n_mappings + 1);
	REJECTS(inv->devices[0].first_mapping, UINT32_MAX);
	REJECTS(inv->devices[0].n_blocks, 0);
	REJECTS(inv->devices[1].first_holder, UINT32_MAX);
	REJECTS(inv->blocks[0].device, inv->n_devices);
	REJECTS(inv->holders[0].device, INVENTORY_NONE);
	assert_int_equal(reread(inv), 0); /* nothing above was left broken */
}

static void test_rejects_values(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = full_inventory();

	(void)state;
	REJECTS(inv->regions[0].hpa.length, UINT64_MAX);
	REJECTS(inv->regions[0].dpa.start, UINT64_MAX);
	REJECTS(inv->extents[0].hpa.start, UINT64_MAX);
	REJECTS(inv->extents[0].dpa.length, UINT64_MAX);
	REJECTS(inv->mappings[0].hpa.length, UINT64_MAX);
	REJECTS(inv->devices[0].mode, (enum dax_mode)_DAX_MODE_MAX);
	REJECTS(inv->blocks[0].state, (enum block_state)_BLOCK_STATE_MAX);
	REJECTS(inv->blocks[0].zone, (enum block_zone)_BLOCK_ZONE_MAX);
	REJECTS(*(unsigned char *)&inv->blocks[0].foreign, 2);
	REJECTS(inv->extents[0].sharable, 2);
	REJECTS(inv->extents[0].sharable, -2);
	REJECTS(inv->devices[0].memmap_on_memory, 2);
	REJECTS(inv->devices[0].memmap_on_memory, -2);
	assert_int_equal(reread(inv), 0);
}

static void test_rejects_holders(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = full_inventory();
	struct holder *process = find_holder(inv, false), *mount = find_holder(inv, true);
	char unterminated[HOLDER_PATH_MAX];

	(void)state;
	REJECTS(*(unsigned char *)&process->open, 0xff);
	REJECTS(*(unsigned char *)&process->mapped, 0x80);
	REJECTS(*(unsigned char *)&mount->mounted, 2);
	/* To kill(2) these are many processes. */
	REJECTS(process->pid, 0);
	REJECTS(process->pid, -1);
	REJECTS(mount->pid, 0);
	memset(unterminated, '0', sizeof(unterminated));
	REJECTS_NAME(process->comm, unterminated);
	REJECTS_NAME(process->unit, unterminated);
	REJECTS_NAME(process->cgroup, unterminated);
	REJECTS_NAME(mount->path, unterminated);
	REJECTS_NAME(mount->fstype, unterminated);
	/* Neither one nor the other. */
	REJECTS_NAME(process->path, "/mnt");
	REJECTS_NAME(process->fstype, "famfs");
	REJECTS_NAME(mount->path, "");
	REJECTS(mount->open, true);
	REJECTS(mount->mapped, true);
	assert_int_equal(reread(inv), 0);
}

static void test_rejects_hugepages(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = full_inventory();
	struct huge_pages *pool = inv->hugepages;

	(void)state;
	REJECTS(pool->node, -1);
	REJECTS(pool->size, 0);
	REJECTS(pool->total, 0);
	REJECTS(pool->total, HUGE_BYTES_MAX / pool->size + 1);
	REJECTS(pool->free, pool->total + 1);
	/* Out of order, and twice the same. */
	REJECTS(pool->node, INT32_MAX);
	REJECTS(pool[1], pool[0]);
	assert_int_equal(reread(inv), 0);
}

static void test_rejects_names(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = full_inventory();
	char unterminated[DEV_NAME_MAX], unterminated_path[INVENTORY_PATH_MAX];

	(void)state;
	memset(unterminated, '0', sizeof(unterminated));
	REJECTS_NAME(inv->memdevs[0].name, "");
	REJECTS_NAME(inv->memdevs[0].name, "../mem0");
	REJECTS_NAME(inv->regions[0].name, unterminated);
	REJECTS_NAME(inv->regions[0].dax_region, "..");
	REJECTS_NAME(inv->extents[0].name, unterminated);
	REJECTS_NAME(inv->devices[0].name, "a/b");
	REJECTS_NAME(inv->devices[0].driver, ".");
	REJECTS_NAME(inv->devices[0].state, unterminated);
	/* An error without a path, a path without an error, and what is no path. */
	REJECTS(inv->regions[0].error, -EIO);
	REJECTS_NAME(inv->regions[0].error_path, "region0/size");
	inv->regions[0].error = -EIO;
	(void)str_copy(inv->regions[0].error_path, INVENTORY_PATH_MAX, "region0/size");
	assert_int_equal(reread(inv), 0);
	REJECTS(inv->regions[0].error, EIO);
	REJECTS_NAME(inv->regions[0].error_path, "region0\nsize");
	REJECTS_NAME(inv->regions[0].error_path, "region0/\xff");
	memset(unterminated_path, '0', sizeof(unterminated_path));
	REJECTS_NAME(inv->regions[0].error_path, unterminated_path);
	/* Of nobody, and yet with extents. */
	REJECTS(inv->regions[0].memdev, INVENTORY_NONE);
	assert_int_equal(reread(inv), 0);
}

/* The look-ups would miss what is there. */
static void test_rejects_disorder(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = full_inventory();
	struct extent *first = &inv->extents[0];
	struct extent *last = &inv->extents[inv->regions[0].n_extents - 1];
	struct extent swap = *first;

	(void)state;
	REJECTS(inv->mappings[0].hpa.start, inv->mappings[1].hpa.start + 1);
	*first = *last;
	*last = swap;
	assert_int_equal(reread(inv), -EBADMSG);
	*last = *first;
	*first = swap;
	assert_int_equal(reread(inv), 0);
}

static void test_counts(void **state)
{
	_cleanup_free_ char *data = NULL;
	struct inventory empty = { 0 }, *back = NULL;
	unsigned rejected = 0;
	uint32_t count;
	size_t size;

	(void)state;
	/* Only the header is there; the counts are the first of its words that are all zero. */
	data = to_bytes(&empty, &size);
	for (size_t at = 0; at + sizeof(count) <= size; at += sizeof(count))
		for (unsigned i = 0; i < 3; i++) {
			static const uint32_t counts[] = { INVENTORY_ELEMENTS_MAX,
							   INVENTORY_ELEMENTS_MAX + 1, UINT32_MAX };
			int r;

			memcpy(&count, data + at, sizeof(count));
			memcpy(data + at, &counts[i], sizeof(count));
			r = from_bytes(data, size, &back);
			/* Block size, time and auto_online can be anything. */
			if (r == 0) {
				assert_int_equal(back->n_extents + back->n_devices, 0);
				inventory_free(back);
				back = NULL;
			} else {
				assert_int_equal(r, -EBADMSG);
				rejected++;
			}
			memcpy(data + at, &count, sizeof(count));
		}
	/* Magic, nine counts and nine sizes of elements, at the least. */
	assert_true(rejected >= (2 + 9 + 9) * 3);
	data[0] ^= 1;
	assert_int_equal(from_bytes(data, size, &back), -EBADMSG);
}

static void test_errors_of_the_descriptor(void **state)
{
	_cleanup_(inventory_freep) struct inventory *inv = full_inventory();
	struct inventory *back = NULL;
	struct inventory huge = { .n_extents = INVENTORY_ELEMENTS_MAX + 1 };

	(void)state;
	assert_int_equal(inventory_write(inv, -1), -EBADF);
	assert_int_equal(inventory_read(-1, &back), -EBADF);
	assert_int_equal(inventory_write(&huge, -1), -E2BIG);
	assert_null(back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_corrupted_bytes),
		cmocka_unit_test(test_rejects_indexes),
		cmocka_unit_test(test_rejects_values),
		cmocka_unit_test(test_rejects_holders),
		cmocka_unit_test(test_rejects_hugepages),
		cmocka_unit_test(test_rejects_names),
		cmocka_unit_test(test_rejects_disorder),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_errors_of_the_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
