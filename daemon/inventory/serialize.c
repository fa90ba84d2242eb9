/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An inventory as bytes, from the worker to the daemon: a header, then the arrays as they lie in
 * memory. The same program writes and reads, so the layout is the compiler's; the header carries
 * the element sizes to notice when that is not so (a worker of the version before an upgrade).
 */
#include "inventory/scan.h"

#define MAGIC UINT64_C(0x32766e4964644344) /* "DCddInv2" */
/* What is read before more memory is taken: a false count costs no more than this. */
#define CHUNK_BYTES (UINT64_C(1) << 20)

/* One array of struct inventory: where its pointer and its count are, and how large an element is.
 */
struct array {
	size_t data;
	size_t count;
	uint32_t size;
};

#define ARRAY_OF(name)                                                                             \
	{                                                                                          \
		offsetof(struct inventory, name), offsetof(struct inventory, n_##name),            \
			sizeof(*((struct inventory *)NULL)->name)                                  \
	}

static const struct array arrays[] = {
	ARRAY_OF(memdevs), ARRAY_OF(regions),  ARRAY_OF(extents),
	ARRAY_OF(devices), ARRAY_OF(mappings), ARRAY_OF(blocks),
	ARRAY_OF(holders), ARRAY_OF(nodes),    ARRAY_OF(hugepages),
};

struct header {
	uint64_t magic;
	uint64_t block_size;
	uint64_t taken;
	char auto_online[DEV_NAME_MAX];
	uint32_t n_unseen;
	uint32_t counts[ARRAY_SIZE(arrays)];
	uint32_t sizes[ARRAY_SIZE(arrays)];
};

/* Copied, not cast: a struct memdev * is no void *. */
static void *array_data(const struct inventory *inv, const struct array *array)
{
	void *data;

	memcpy(&data, (const char *)inv + array->data, sizeof(data));
	return data;
}

static uint32_t array_count(const struct inventory *inv, const struct array *array)
{
	uint32_t count;

	memcpy(&count, (const char *)inv + array->count, sizeof(count));
	return count;
}

static void array_set(struct inventory *inv, const struct array *array, void *data, uint32_t count)
{
	memcpy((char *)inv + array->data, &data, sizeof(data));
	memcpy((char *)inv + array->count, &count, sizeof(count));
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* -EBADMSG if it ends early. */
static int read_all(int fd, void *data, size_t size)
{
	char *p = data;

	while (size > 0) {
		ssize_t n = read(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EBADMSG;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int inventory_write(const struct inventory *inv, int fd)
{
	struct header header;
	int r;

	memset(&header, 0, sizeof(header));
	header.magic = MAGIC;
	header.block_size = inv->block_size;
	header.taken = inv->taken;
	header.n_unseen = inv->n_unseen;
	(void)str_copy(header.auto_online, sizeof(header.auto_online), inv->auto_online);
	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
		header.counts[i] = array_count(inv, &arrays[i]);
		header.sizes[i] = arrays[i].size;
		if (header.counts[i] > INVENTORY_ELEMENTS_MAX)
			return -E2BIG;
	}

	r = write_all(fd, &header, sizeof(header));
	for (size_t i = 0; i < ARRAY_SIZE(arrays) && r == 0; i++)
		r = write_all(fd, array_data(inv, &arrays[i]),
			      (size_t)header.counts[i] * arrays[i].size);
	return r;
}

static int read_array(int fd, uint64_t size, void **ret)
{
	_cleanup_free_ char *data = NULL; /* NULL for no elements */
	uint64_t done = 0;

	while (done < size) {
		uint64_t want = MIN(size - done, MAX(CHUNK_BYTES, done));
		char *larger = realloc(data, done + want);
		int r;

		if (!larger)
			return -ENOMEM;
		data = larger;
		r = read_all(fd, data + done, want);
		if (r < 0)
			return r;
		done += want;
	}
	*ret = TAKE_PTR(data);
	return 0;
}

int inventory_read(int fd, struct inventory **ret)
{
	_cleanup_(inventory_freep) struct inventory *inv = NULL;
	struct header header;
	int r;

	r = read_all(fd, &header, sizeof(header));
	if (r < 0)
		return r;
	if (header.magic != MAGIC)
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++)
		if (header.sizes[i] != arrays[i].size || header.counts[i] > INVENTORY_ELEMENTS_MAX)
			return -EBADMSG;

	inv = calloc(1, sizeof(*inv));
	if (!inv)
		return -ENOMEM;
	inv->block_size = header.block_size;
	inv->taken = header.taken;
	inv->n_unseen = header.n_unseen;
	memcpy(inv->auto_online, header.auto_online, sizeof(inv->auto_online));
	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
		void *data = NULL;

		r = read_array(fd, (uint64_t)header.counts[i] * arrays[i].size, &data);
		if (r < 0)
			return r;
		array_set(inv, &arrays[i], data, header.counts[i]);
	}

	r = inventory_check(inv);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(inv);
	return 0;
}
