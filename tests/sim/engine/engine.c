/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated host as a whole: its making and end, its voice (log, uevents, violations), and the
 * small helpers that the kernel has for what is written to attributes.
 */
#include <ctype.h>
#include <stdarg.h>

#include "internal.h"

void engine_config_init(struct engine_config *ret)
{
	*ret = (struct engine_config){
		.naming = ENGINE_V11,
		.block_size = 128 * MiB,
		.window_start = UINT64_C(0xa90000000),
		.window_size = 8 * GiB,
		.boot_memory = 3 * GiB,
		.cpus = 2,
		.dax_cxl = true,
		.kernel_unmovable = true,
		.auto_online = "offline",
	};
}

int engine_new(const struct engine_config *config, const struct engine_ops *ops, void *userdata,
	       struct engine **ret)
{
	_cleanup_(engine_freep) struct engine *e = NULL;
	struct range window;
	int r;

	if (config->block_size < ENG_ALIGN ||
	    (config->block_size & (config->block_size - 1)) != 0 ||
	    config->window_start % config->block_size != 0 ||
	    config->boot_memory % config->block_size != 0 || config->boot_memory == 0 ||
	    range_make(config->window_start, config->window_size, &window) < 0)
		return -EINVAL;
	/* Boot memory lies below 2 GiB and from 4 GiB up; the window must be above it. */
	if (config->window_start < 4 * GiB + config->boot_memory)
		return -EINVAL;

	e = calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->config = *config;
	if (ops)
		e->ops = *ops;
	e->userdata = userdata;
	e->dax_cxl = config->dax_cxl;
	r = eng_online_type_parse(config->auto_online, &e->auto_online);
	if (r < 0)
		return r;
	r = eng_boot_memory(e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(e);
	return 0;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	eng_tree_free(e->tree);
	for (size_t i = 0; i < e->n_groups; i++)
		eng_group_free(e->groups[i]);
	for (size_t i = 0; i < e->n_regions; i++)
		eng_region_free(e->regions[i]);
	for (size_t i = 0; i < e->n_memdevs; i++)
		eng_memdev_free(e->memdevs[i]);
	for (size_t i = 0; i < e->n_blocks; i++)
		free(e->blocks[i]);
	for (size_t i = 0; i < _ENG_DRIVER_MAX; i++)
		free(e->ids[i].ids);
	for (size_t i = 0; i < e->n_violations; i++)
		free(e->violations[i]);
	free(e->groups);
	free(e->regions);
	free(e->memdevs);
	free(e->blocks);
	free(e->nodes);
	free(e->violations);
	free(e->log);
	free(e);
}

void eng_structure_changed(struct engine *e)
{
	eng_tree_free(e->tree);
	e->tree = NULL;
}

usec_t eng_now(const struct engine *e)
{
	return e->ops.now ? e->ops.now(e->userdata) : 0;
}

void eng_kmsg(struct engine *e, const char *format, ...)
{
	char line[512];
	va_list ap;

	if (!e->ops.kmsg)
		return;
	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	e->ops.kmsg(line, e->userdata);
}

void eng_violation(struct engine *e, const char *format, ...)
{
	char line[512];
	char **grown;
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	e->counters.violations++;
	/* The counter is what tests check; a message lost for want of memory changes nothing. */
	grown = realloc(e->violations, (e->n_violations + 1) * sizeof(*grown));
	if (grown) {
		e->violations = grown;
		grown[e->n_violations] = strdup(line);
		if (grown[e->n_violations])
			e->n_violations++;
	}
	if (e->ops.violation)
		e->ops.violation(line, e->userdata);
}

void eng_uevent(struct engine *e, const char *action, const char *devpath, const char *subsystem,
		const char *const *env)
{
	struct engine_uevent event = {
		.action = action,
		.devpath = devpath,
		.subsystem = subsystem,
		.env = env,
	};

	if (!e->ops.uevent)
		return;
	while (env && env[event.n_env])
		event.n_env++;
	e->ops.uevent(&event, e->userdata);
}

int eng_grow(void *array_p, size_t n, size_t *max, size_t element)
{
	void **array = array_p;
	size_t want = *max ? *max * 2 : 16;
	void *grown;

	if (n < *max)
		return 0;
	grown = reallocarray(*array, want, element);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*max = want;
	return 0;
}

int eng_parse_u64(const char *s, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	/* strtoull() takes leading blanks and a minus, kstrtoull() does not. */
	if (*s == '+')
		s++;
	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno == ERANGE)
		return -ERANGE;
	if (*end == '\n')
		end++;
	if (*end != '\0')
		return -EINVAL;
	*ret = v;
	return 0;
}

bool eng_sysfs_streq(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	if (*a == *b)
		return true;
	if (!*a && *b == '\n' && !b[1])
		return true;
	return *a == '\n' && !a[1] && !*b;
}

struct eng_memdev *eng_find_memdev(const struct engine *e, const char *name)
{
	char buf[DEV_NAME_MAX];

	for (size_t i = 0; i < e->n_memdevs; i++) {
		(void)snprintf(buf, sizeof(buf), "mem%u", e->memdevs[i]->id);
		if (streq(buf, name))
			return e->memdevs[i];
	}
	return NULL;
}

struct eng_region *eng_find_region(const struct engine *e, const char *name)
{
	char buf[DEV_NAME_MAX];

	for (size_t i = 0; i < e->n_regions; i++) {
		(void)snprintf(buf, sizeof(buf), "region%u", e->regions[i]->id);
		if (eng_sysfs_streq(buf, name))
			return e->regions[i];
	}
	return NULL;
}

void eng_mode_name(const struct engine *e, unsigned index, char *buf, size_t size)
{
	if (e->config.naming == ENGINE_V10)
		(void)snprintf(buf, size, "dynamic_ram_%c", (char)('a' + index));
	else
		(void)snprintf(buf, size, "dynamic_ram_%u", index + 1);
}

const struct engine_counters *engine_counters(const struct engine *e)
{
	return &e->counters;
}

void engine_set_state_attribute(struct engine *e, bool present)
{
	e->config.state_attribute = present;
	eng_structure_changed(e);
}
