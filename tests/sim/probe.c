/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Defines, fires and removes the uprobe behind the trace event. The probed function does nothing:
 * the kernel reads the record through its argument register when the function is entered.
 */
#include <fcntl.h>
#include <glob.h>
#include <link.h>

#include "probe.h"

#define EVENT "cxl/cxl_dynamic_capacity"

#if defined(__x86_64__)
#define ARG0 "%di"
#elif defined(__aarch64__)
#define ARG0 "%x0"
#else
#error "the register of the first argument is not known for this architecture"
#endif

#define FIELD(n, t)                                                                                \
	{                                                                                          \
		.name = #n, .type = (t), .offset = offsetof(struct probe_record, n),               \
		.size = sizeof(((struct probe_record *)NULL)->n)                                   \
	}

const struct probe_field probe_fields[] = {
	FIELD(memdev, "string"),
	FIELD(host, "string"),
	FIELD(log, "s32"),
	FIELD(hdr_uuid, "u8[16]"),
	FIELD(serial, "u64"),
	FIELD(hdr_flags, "u32"),
	FIELD(hdr_handle, "u16"),
	FIELD(hdr_related_handle, "u16"),
	FIELD(hdr_timestamp, "u64"),
	FIELD(hdr_length, "u8"),
	FIELD(hdr_maint_op_class, "u8"),
	FIELD(hdr_maint_op_sub_class, "u8"),
	FIELD(hdr_ld_id, "u16"),
	FIELD(hdr_head_id, "u8"),
	FIELD(event_type, "u8"),
	FIELD(hostid, "u16"),
	FIELD(updated_region_index, "u8"),
	FIELD(dpa_start, "u64"),
	FIELD(length, "u64"),
	FIELD(uuid, "u8[16]"),
	FIELD(sh_extent_seq, "u16"),
	{ .name = NULL },
};

/* The probed function. Not inlined, not cloned, its argument not optimised away. */
#ifdef __clang__
__attribute__((noinline, optnone, used))
#else
__attribute__((noipa, used))
#endif
static void
probe_hit(const struct probe_record *record)
{
	__asm__ volatile("" : : "r"(record) : "memory");
}

void probe_emit(const struct probe_record *record)
{
	probe_hit(record);
}

struct find {
	uintptr_t address;
	uint64_t file_offset;
};

/* dl_iterate_phdr() callback: the address' offset in the file that its segment was mapped from. */
static int find_offset(struct dl_phdr_info *info, size_t size _unused_, void *userdata)
{
	struct find *find = userdata;

	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_LOAD && find->address >= start &&
		    find->address - start < segment->p_filesz) {
			find->file_offset = find->address - start + segment->p_offset;
			return 1;
		}
	}
	return 0;
}

/* One write to a tracefs file that must be appended to: truncating removes everybody's probes. */
static int write_line(const char *dir, const char *file, const char *line, int flags)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -EBADF;

	if (asprintf(&path, "%s/%s", dir, file) < 0)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	if (fd < 0)
		return -errno;
	return write(fd, line, strlen(line)) < 0 ? -errno : 0;
}

int probe_define(const char *tracefs, const struct probe_names *names, char **ret_error)
{
	struct find find = { .address = (uintptr_t)&probe_hit };
	_cleanup_free_ char *definition = NULL;
	size_t size;
	FILE *f;
	int r;

	if (dl_iterate_phdr(find_offset, &find) != 1) {
		*ret_error = strdup("cannot find the probed function in this program");
		return -ENXIO;
	}
	f = open_memstream(&definition, &size);
	if (!f)
		return -errno;
	/* Through /proc/self/exe: our own inode, even if the file was replaced or has odd
	 * characters in its path.
	 */
	fprintf(f, "p:" EVENT " /proc/self/exe:0x%jx", (uintmax_t)find.file_offset);
	for (const struct probe_field *p = probe_fields; p->name; p++) {
		const char *name = p->name;

		if (streq(name, "uuid"))
			name = names->tag;
		else if (streq(name, "updated_region_index"))
			name = names->index;
		fprintf(f, " %s=+%zu(%s):%s", name, p->offset, ARG0, p->type);
	}
	fputc('\n', f);
	if (fclose(f) != 0)
		return -ENOMEM;

	r = write_line(tracefs, "uprobe_events", definition, O_APPEND);
	if (r < 0 && asprintf(ret_error, "%s/uprobe_events: cannot define %s: %s%s", tracefs, EVENT,
			      strerror(-r),
			      r == -EEXIST ? " (does this kernel have the event itself?)" : "") < 0)
		*ret_error = NULL;
	return r;
}

/* Switches the event off in the top instance and all others. */
static void disable_everywhere(const char *tracefs)
{
	for (int instances = 0; instances <= 1; instances++) {
		_cleanup_free_ char *pattern = NULL;
		glob_t found;

		if (asprintf(&pattern, "%s%s/events/" EVENT "/enable", tracefs,
			     instances ? "/instances/*" : "") < 0)
			return;
		if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
			continue;
		for (size_t k = 0; k < found.gl_pathc; k++) {
			_cleanup_close_ int fd = open(found.gl_pathv[k], O_WRONLY | O_CLOEXEC);

			if (fd >= 0 && write(fd, "0", 1) < 0)
				continue; /* removing will say so */
		}
		globfree(&found);
	}
}

int probe_remove(const char *tracefs)
{
	int r = -EBUSY;

	/* Somebody may subscribe between the two steps, and an event just switched off may still
	 * be busy for a moment.
	 */
	for (int tries = 0; tries < 50; tries++) {
		r = write_line(tracefs, "uprobe_events", "-:" EVENT "\n", O_APPEND);
		if (r != -EBUSY)
			break;
		disable_everywhere(tracefs);
		usleep(10000);
	}
	return r == -ENOENT ? 0 : r;
}
