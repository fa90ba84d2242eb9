/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CXL side of /sys: root, host bridge, endpoints, decoders, memdevs, regions and their drivers,
 * with the attributes and modes that a v11 kernel shows.
 */
#include "internal.h"

#define PLATFORM_PATH "/devices/platform/ACPI0017:00"
#define BRIDGE_PATH "/devices/pci0000:0c"
#define PORT_PATH ENG_ROOT_PATH "/port1"
#define FIRST_ENDPOINT 2 /* endpointN is that plus the memdev's number */

enum cxl_driver {
	CXL_REGION,
	CXL_DAX_REGION,
};

static void bus_link(struct eng_tree *t, const char *name, const char *path)
{
	eng_link(t, eng_dir_at(t, "/bus/cxl/devices"), name, "%s/%s", path, name);
}

static void memdev_path(const struct eng_memdev *m, char *buf, size_t size)
{
	(void)snprintf(buf, size, BRIDGE_PATH "/0000:%02x:%02x.0/%s", ENG_HOST_BRIDGE, m->id,
		       m->config.host);
}

/* ---- attributes that can be written ---- */

static ssize_t no_store(struct engine *e, const struct eng_node *n, const char *buf,
			const struct engine_writer *w)
{
	(void)e;
	(void)n;
	(void)buf;
	(void)w;
	/* Regions are made and torn down by the engine's own calls. */
	return -EBUSY;
}

static ssize_t ok_store(struct engine *e, const struct eng_node *n, const char *buf,
			const struct engine_writer *w)
{
	(void)e;
	(void)n;
	(void)buf;
	(void)w;
	return 0;
}

static ssize_t text_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	(void)e;
	return snprintf(buf, size, "%s\n", n->text);
}

/* Readable, and writing it is refused. */
static void frozen(struct eng_tree *t, struct eng_node *dir, const char *name, const char *text)
{
	struct eng_node *n = eng_attr(t, dir, name, 0644, text_show, no_store, NULL, 0);

	if (n)
		n->text = text;
}

static ssize_t next_region_show(struct engine *e, const struct eng_node *n, char *buf, size_t size)
{
	unsigned id = 0;

	(void)n;
	while (id < e->n_regions && e->regions[id]->id == id)
		id++;
	return snprintf(buf, size, "region%u\n", id);
}

/* region5 of cxl_region, dax_region5 of cxl_dax_region. */
static struct eng_region *driver_region(const struct engine *e, unsigned driver, const char *name)
{
	if (driver == CXL_DAX_REGION) {
		name = startswith(name, "dax_");
		if (!name)
			return NULL;
	}
	return eng_find_region(e, name);
}

static ssize_t bind_store(struct engine *e, const struct eng_node *n, const char *buf,
			  const struct engine_writer *w)
{
	struct eng_region *r = driver_region(e, n->arg, buf);

	(void)w;
	if (!r || (n->arg == CXL_DAX_REGION && !r->enabled))
		return -ENODEV;
	return n->arg == CXL_REGION ? eng_region_bind(e, r) : eng_dax_region_bind(e, r);
}

static ssize_t unbind_store(struct engine *e, const struct eng_node *n, const char *buf,
			    const struct engine_writer *w)
{
	struct eng_region *r = driver_region(e, n->arg, buf);
	unsigned driver = n->arg;
	ssize_t res;

	if (!r || !(driver == CXL_REGION ? r->enabled : r->dax))
		return -ENODEV;
	res = eng_hotplug_lock(e, w);
	if (res != 0)
		return res;
	res = driver == CXL_REGION ? eng_region_unbind(e, r) : eng_dax_region_unbind(e, r);
	return eng_hotplug_unlock(e, w, res);
}

static ssize_t no_device_store(struct engine *e, const struct eng_node *n, const char *buf,
			       const struct engine_writer *w)
{
	(void)e;
	(void)n;
	(void)buf;
	(void)w;
	return -ENODEV;
}

/* ---- decoders ---- */

static void decoder_common(struct eng_tree *t, struct eng_node *dir, const char *devtype,
			   uint64_t start, uint64_t size)
{
	char env[64];

	eng_const(t, dir, "devtype", 0444, "%s", devtype);
	eng_const(t, dir, "modalias", 0444, "cxl:t0");
	eng_const(t, dir, "locked", 0444, "0");
	eng_const(t, dir, "interleave_granularity", 0444, "256");
	eng_const(t, dir, "interleave_ways", 0444, "1");
	eng_const(t, dir, "start", 0400, "0x%jx", (uintmax_t)start);
	eng_const(t, dir, "size", 0444, "0x%jx", (uintmax_t)size);
	(void)snprintf(env, sizeof(env), "DEVTYPE=%s\nMODALIAS=cxl:t0\n", devtype);
	eng_devlinks(t, dir, "cxl", NULL, env);
}

static void build_root_decoder(struct engine *e, struct eng_tree *t)
{
	static const char *const creators[] = { "pmem", "ram" };
	struct eng_node *dir = eng_dir_at(t, ENG_ROOT_PATH "/decoder0.0");
	unsigned partitions = 1;
	char mode[32];

	for (size_t i = 0; i < e->n_memdevs; i++)
		partitions = MAX(partitions, e->memdevs[i]->config.n_partitions);
	decoder_common(t, dir, "cxl_decoder_root", e->config.window_start, e->config.window_size);
	eng_const(t, dir, "cap_pmem", 0444, "1");
	eng_const(t, dir, "cap_ram", 0444, "1");
	eng_const(t, dir, "cap_type2", 0444, "1");
	eng_const(t, dir, "cap_type3", 0444, "1");
	eng_const(t, dir, "qos_class", 0444, "0");
	eng_const(t, dir, "target_list", 0444, "%d", ENG_HOST_BRIDGE);
	eng_attr(t, dir, "delete_region", 0200, NULL, no_store, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(creators); i++)
		eng_attr(t, dir, eng_name(t, "create_%s_region", creators[i]), 0644,
			 next_region_show, no_store, NULL, 0);
	for (unsigned i = 0; i < partitions; i++) {
		eng_mode_name(e, i, mode, sizeof(mode));
		eng_const(t, dir, eng_name(t, "cap_%s", mode), 0444, "1");
		eng_attr(t, dir, eng_name(t, "create_%s_region", mode), 0644, next_region_show,
			 no_store, NULL, 0);
	}
	bus_link(t, "decoder0.0", ENG_ROOT_PATH);
}

static void build_endpoint_decoder(struct engine *e, struct eng_tree *t, const struct eng_memdev *m,
				   unsigned index)
{
	const struct eng_region *r = NULL;
	struct eng_node *dir;
	char path[ENG_PATH_MAX], name[32], mode[32];

	for (size_t i = 0; i < e->n_regions; i++)
		if (e->regions[i]->memdev == m && e->regions[i]->decoder == index)
			r = e->regions[i];
	(void)snprintf(path, sizeof(path), PORT_PATH "/endpoint%u", FIRST_ENDPOINT + m->id);
	(void)snprintf(name, sizeof(name), "decoder%u.%u", FIRST_ENDPOINT + m->id, index);
	dir = eng_dir(t, eng_dir_at(t, path), "%s", name);
	decoder_common(t, dir, "cxl_decoder_endpoint", r ? r->hpa.start : 0, r ? r->hpa.length : 0);
	eng_const(t, dir, "target_type", 0444, "expander");
	if (r) {
		eng_mode_name(e, r->partition, mode, sizeof(mode));
		eng_const(t, dir, "region", 0444, "region%u", r->id);
		eng_const(t, dir, "dpa_resource", 0444, "0x%jx", (uintmax_t)r->dpa.start);
		frozen(t, dir, "dpa_size", eng_name(t, "0x%016jx", (uintmax_t)r->dpa.length));
		frozen(t, dir, "mode", eng_name(t, "%s", mode));
	} else {
		eng_const(t, dir, "region", 0444, "%s", "");
		eng_const(t, dir, "dpa_resource", 0444, "0xffffffffffffffff");
		frozen(t, dir, "dpa_size", "0x0000000000000000");
		frozen(t, dir, "mode", "none");
	}
	bus_link(t, name, path);
}

/* The host bridge has a decoder for each region, and one that is idle if there is none. */
static void build_port_decoders(struct engine *e, struct eng_tree *t)
{
	for (size_t i = 0; i < MAX(e->n_regions, (size_t)1); i++) {
		const struct eng_region *r = i < e->n_regions ? e->regions[i] : NULL;
		struct eng_node *dir = eng_dir(t, eng_dir_at(t, PORT_PATH), "decoder1.%zu", i);

		if (!dir)
			return;
		decoder_common(t, dir, "cxl_decoder_switch", r ? r->hpa.start : 0,
			       r ? r->hpa.length : 0);
		eng_const(t, dir, "target_type", 0444, "expander");
		eng_const(t, dir, "target_list", 0444, "%u", r ? r->memdev->id : 0);
		if (r)
			eng_const(t, dir, "region", 0444, "region%u", r->id);
		else
			eng_const(t, dir, "region", 0444, "%s", "");
		bus_link(t, dir->name, PORT_PATH);
	}
}

/* ---- ports and memdevs ---- */

static void build_port(struct eng_tree *t, const char *path, const char *devtype, unsigned type,
		       unsigned committed)
{
	struct eng_node *dir = eng_dir_at(t, path);
	const char *driver = type == 4 ? NULL : "cxl_port";
	char env[96];

	eng_const(t, dir, "devtype", 0444, "%s", devtype);
	eng_const(t, dir, "modalias", 0444, "cxl:t%u", type);
	eng_const(t, dir, "decoders_committed", 0444, "%u", committed);
	(void)snprintf(env, sizeof(env), "DEVTYPE=%s\n%sMODALIAS=cxl:t%u\n", devtype,
		       driver ? "DRIVER=cxl_port\n" : "", type);
	eng_devlinks(t, dir, "cxl", driver, env);
}

static void build_memdev(struct engine *e, struct eng_tree *t, const struct eng_memdev *m)
{
	char pci[ENG_PATH_MAX], endpoint[ENG_PATH_MAX], name[32], port[64], env[128];
	struct eng_node *dir, *sub;
	unsigned committed = 0;

	memdev_path(m, pci, sizeof(pci));
	dir = eng_dir_at(t, pci);
	eng_const(t, dir, "class", 0444, "0x050210");
	eng_const(t, dir, "numa_node", 0444, "-1");
	eng_devlinks(t, dir, "pci", "cxl_pci", "DRIVER=cxl_pci\nPCI_CLASS=50210\n");

	(void)snprintf(name, sizeof(name), "mem%u", m->id);
	dir = eng_dir(t, dir, "%s", name);
	eng_const(t, dir, "serial", 0444, "0x%jx", (uintmax_t)m->config.serial);
	eng_const(t, dir, "dev", 0444, "251:%u", m->id);
	eng_const(t, dir, "numa_node", 0444, "-1");
	eng_const(t, dir, "firmware_version", 0444, "BWFW VERSION 00");
	eng_const(t, dir, "label_storage_size", 0444, "0");
	eng_const(t, dir, "payload_max", 0444, "2048");
	eng_attr(t, dir, "trigger_poison_list", 0200, NULL, ok_store, NULL, 0);
	eng_const(t, eng_dir(t, dir, "ram"), "size", 0444, "0x0");
	eng_const(t, eng_dir(t, dir, "pmem"), "size", 0444, "0x0");
	eng_const(t, eng_dir(t, dir, "security"), "state", 0444, "disabled");
	sub = eng_dir(t, eng_dir(t, dir, "firmware"), "%s", name);
	eng_const(t, sub, "status", 0444, "idle");
	eng_const(t, sub, "error", 0444, "%s", "");
	eng_const(t, sub, "remaining_size", 0444, "0");
	for (unsigned i = 0; i < m->config.n_partitions; i++) {
		char mode[32];

		eng_mode_name(e, i, mode, sizeof(mode));
		sub = eng_dir(t, dir, "%s", mode);
		eng_const(t, sub, "size", 0444, "0x%jx", (uintmax_t)m->config.partitions[i].size);
		eng_const(t, sub, "qos_class", 0444, "0");
	}
	(void)snprintf(env, sizeof(env),
		       "MAJOR=251\nMINOR=%u\nDEVNAME=cxl/%s\nDEVTYPE=cxl_memdev\n"
		       "DRIVER=cxl_mem\nMODALIAS=cxl:t5\n",
		       m->id, name);
	eng_devlinks(t, dir, "cxl", "cxl_mem", env);
	bus_link(t, name, pci);

	for (size_t i = 0; i < e->n_regions; i++)
		committed += e->regions[i]->memdev == m;
	(void)snprintf(endpoint, sizeof(endpoint), PORT_PATH "/endpoint%u", FIRST_ENDPOINT + m->id);
	(void)snprintf(port, sizeof(port), BRIDGE_PATH "/0000:%02x:%02x.0", ENG_HOST_BRIDGE, m->id);
	build_port(t, endpoint, "cxl_port", 3, committed);
	dir = eng_dir_at(t, endpoint);
	eng_link(t, dir, "uport", "%s/%s", pci, name);
	eng_link(t, dir, "parent_dport", "%s", port);
	for (unsigned i = 0; i < ENGINE_DECODERS; i++)
		build_endpoint_decoder(e, t, m, i);
	(void)snprintf(name, sizeof(name), "endpoint%u", FIRST_ENDPOINT + m->id);
	bus_link(t, name, PORT_PATH);

	(void)snprintf(name, sizeof(name), "dport%u", m->id);
	eng_link(t, eng_dir_at(t, PORT_PATH), name, "%s", port);
	eng_devlinks(t, eng_dir_at(t, port), "pci", NULL, "DRIVER=pcieport\n");
}

static void build_ports(struct engine *e, struct eng_tree *t)
{
	struct eng_node *dir;

	build_port(t, ENG_ROOT_PATH, "cxl_port", 4, 0);
	dir = eng_dir_at(t, ENG_ROOT_PATH);
	eng_link(t, dir, "uport", PLATFORM_PATH);
	eng_link(t, dir, "dport12", BRIDGE_PATH);
	bus_link(t, "root0", PLATFORM_PATH);
	eng_devlinks(t, eng_dir_at(t, PLATFORM_PATH), "platform", NULL, "DRIVER=cxl_acpi\n");

	(void)eng_dir_at(t, "/bus/acpi");
	(void)eng_dir_at(t, "/bus/platform");
	(void)eng_dir_at(t, "/bus/pci/drivers/cxl_pci");
	dir = eng_dir_at(t, BRIDGE_PATH);
	eng_link(t, dir, "firmware_node", "/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0016:00");
	eng_devlinks(t, dir, NULL, NULL, "");
	dir = eng_dir_at(t, "/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0016:00");
	eng_link(t, dir, "physical_node", BRIDGE_PATH);
	eng_devlinks(t, dir, "acpi", NULL, "MODALIAS=acpi:ACPI0016:PNP0A08:\n");

	build_port(t, PORT_PATH, "cxl_port", 3, 0);
	eng_link(t, eng_dir_at(t, PORT_PATH), "uport", BRIDGE_PATH);
	bus_link(t, "port1", ENG_ROOT_PATH);

	dir = eng_dir_at(t, ENG_ROOT_PATH "/nvdimm-bridge0");
	eng_const(t, dir, "devtype", 0444, "cxl_nvdimm_bridge");
	eng_const(t, dir, "modalias", 0444, "cxl:t1");
	eng_devlinks(t, dir, "cxl", NULL, "DEVTYPE=cxl_nvdimm_bridge\nMODALIAS=cxl:t1\n");
	bus_link(t, "nvdimm-bridge0", ENG_ROOT_PATH);

	for (size_t i = 0; i < e->n_memdevs; i++)
		build_memdev(e, t, e->memdevs[i]);
}

/* ---- regions ---- */

static void build_region(struct engine *e, struct eng_tree *t, const struct eng_region *r)
{
	static const char *const perf[] = { "read_bandwidth", "read_latency", "write_bandwidth",
					    "write_latency" };
	char path[ENG_PATH_MAX], name[32], mode[32];
	struct eng_node *dir = eng_dir_at(t, eng_region_path(r, path));
	struct eng_node *sub;

	eng_mode_name(e, r->partition, mode, sizeof(mode));
	eng_const(t, dir, "devtype", 0444, "cxl_region");
	eng_const(t, dir, "modalias", 0444, "cxl:t6");
	eng_const(t, dir, "locked", 0444, "0");
	eng_const(t, dir, "mode", 0444, "%s", mode);
	eng_const(t, dir, "resource", 0444, "0x%jx", (uintmax_t)r->hpa.start);
	eng_const(t, dir, "uuid", 0444, "%s", "");
	frozen(t, dir, "commit", "1");
	frozen(t, dir, "interleave_granularity", "256");
	frozen(t, dir, "interleave_ways", "1");
	frozen(t, dir, "size", eng_name(t, "0x%jx", (uintmax_t)r->hpa.length));
	frozen(t, dir, "target0",
	       eng_name(t, "decoder%u.%u", FIRST_ENDPOINT + r->memdev->id, r->decoder));
	for (unsigned i = 0; i < 2; i++) {
		sub = eng_dir(t, dir, "access%u", i);
		for (size_t j = 0; j < ARRAY_SIZE(perf); j++)
			eng_const(t, sub, perf[j], 0444, "0");
	}
	eng_devlinks(t, dir, "cxl", r->enabled ? "cxl_region" : NULL,
		     r->enabled ? "DEVTYPE=cxl_region\nDRIVER=cxl_region\nMODALIAS=cxl:t6\n"
				: "DEVTYPE=cxl_region\nMODALIAS=cxl:t6\n");
	(void)snprintf(name, sizeof(name), "region%u", r->id);
	bus_link(t, name, ENG_ROOT_PATH "/decoder0.0");
	if (r->enabled)
		eng_link(t, eng_dir_at(t, "/bus/cxl/drivers/cxl_region"), name, "%s", path);
}

static struct eng_node *build_driver(struct eng_tree *t, const char *name, const char *module)
{
	struct eng_node *dir = eng_dir(t, eng_dir_at(t, "/bus/cxl/drivers"), "%s", name);

	eng_link(t, dir, "module", "/module/%s", module);
	return dir;
}

static void build_drivers(struct engine *e, struct eng_tree *t)
{
	static const char *const fixed[] = { "cxl_mem", "cxl_port" };
	struct eng_node *dir = eng_dir_at(t, "/bus/cxl");

	eng_attr(t, dir, "flush", 0200, NULL, ok_store, NULL, 0);
	dir = build_driver(t, "cxl_region", "cxl_core");
	eng_attr(t, dir, "bind", 0200, NULL, bind_store, NULL, CXL_REGION);
	eng_attr(t, dir, "unbind", 0200, NULL, unbind_store, NULL, CXL_REGION);
	if (e->dax_cxl) {
		dir = build_driver(t, "cxl_dax_region", "dax_cxl");
		eng_attr(t, dir, "bind", 0200, NULL, bind_store, NULL, CXL_DAX_REGION);
		eng_attr(t, dir, "unbind", 0200, NULL, unbind_store, NULL, CXL_DAX_REGION);
	}
	/* Memdevs and ports are there to stay. */
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		dir = build_driver(t, fixed[i], fixed[i]);
		eng_attr(t, dir, "bind", 0200, NULL, no_device_store, NULL, 0);
		eng_attr(t, dir, "unbind", 0200, NULL, no_store, NULL, 0);
	}
}

void eng_build_cxl(struct engine *e, struct eng_tree *t)
{
	build_drivers(e, t);
	build_ports(e, t);
	build_root_decoder(e, t);
	build_port_decoders(e, t);
	for (size_t i = 0; i < e->n_regions; i++)
		build_region(e, t, e->regions[i]);
}
