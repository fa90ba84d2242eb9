/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dcdsimctl: a person's or a script's way to the control socket of dcdsim. README.md has the
 * commands; this program only turns KEY=VALUE into JSON and replies into text.
 */
#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <dcdd/base.h>

enum {
	EXIT_REFUSED = 1, /* the simulator's answer is an error */
	EXIT_USAGE = 2,	  /* or no connection */
};

static const char help[] =
	"usage: dcdsimctl [--control PATH] [--json] COMMAND [KEY=VALUE...]\n"
	"Speaks to the dcdsim at $DCDSIM_CONTROL, or at --control.\n\n"
	"Device:  add memdev= extents=DPA:LENGTH[:SEQ],... [tag=] [more=true] [wait=false]\n"
	"         release memdev= [tag=] [extents=] [single=true] [count=] [interval_ms=] [wait=]\n"
	"         forced-release, region-updated index=, retry, trace FIELD=..., flood count=\n"
	"Admin:   claim [tag=] [region=|memdev=] [device=] [driver=] [zone=]\n"
	"         write path= value=, read path=, pin|unpin|unmovable block=\n"
	"Faults:  fault path=GLOB [op=] [value=GLOB] [nth=] [count=] action= [error=] [ms=] [what=]\n"
	"         faults, fault-clear [fault=], release-hang [fault=] [error=]\n"
	"         fail-extent nth= error=, fail-invalidate [error=]\n"
	"Host:    reset [topology=FILE|default] [naming=] [settings={...}], set KEY=..., event present=\n"
	"         region region= action=enable|disable|remove\n"
	"         state, check, snapshot [path=], log [since=] [types=] [--follow], violations [ack=true]\n"
	"         ping, quit\n"
	"Exit status: 0; 1 the simulator answered with an error; 2 wrong usage or no connection.\n"
	"Full description: tests/sim/README.md\n";

/* ---- request ---- */

/* "0:256M,512M:128M:1" as the array that the protocol wants. NULL: not understood. */
static struct json_object *parse_extents(const char *text)
{
	static const char *const keys[] = { "dpa", "length", "seq" };
	struct json_object *array = json_object_new_array(), *extent = NULL;
	_cleanup_free_ char *copy = strdup(text);
	size_t field = 0;

	for (char *p = copy; p;) {
		size_t n = strcspn(p, ":,");
		char end = p[n];

		if (field == ARRAY_SIZE(keys) || n == 0 || (end != ':' && field == 0)) {
			json_object_put(array);
			return NULL;
		}
		if (field == 0) {
			extent = json_object_new_object();
			json_object_array_add(array, extent);
		}
		p[n] = '\0';
		json_object_object_add(extent, keys[field], json_object_new_string(p));
		field = end == ':' ? field + 1 : 0;
		p = end ? p + n + 1 : NULL;
	}
	return array;
}

/* Whether @text is a number, perhaps with a unit; the simulator parses it. */
static bool looks_like_number(const char *text)
{
	size_t n = startswith(text, "0x") ? 2 + strspn(text + 2, "0123456789abcdefABCDEF")
					  : strspn(text, "0123456789");

	return n > 0 && (text[n] == '\0' || (strchr("KMGTkmgt", text[n]) && text[n + 1] == '\0'));
}

static struct json_object *parse_value(const char *key, const char *text)
{
	/* Text, whatever it looks like. */
	static const char *const texts[] = { "tag",  "uuid",   "hdr_uuid", "value",
					     "path", "region", "memdev",   "device" };
	char *end;
	long long number;

	if (streq(key, "extents"))
		return parse_extents(text);
	if (text[0] == '{' || text[0] == '[')
		return json_tokener_parse(text);
	if (streq(text, "true") || streq(text, "false"))
		return json_object_new_boolean(streq(text, "true"));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (streq(texts[i], key))
			return json_object_new_string(text);
	errno = 0;
	number = strtoll(text, &end, 10);
	if (looks_like_number(text) && *end == '\0' && errno == 0)
		return json_object_new_int64(number);
	return json_object_new_string(text);
}

/* COMMAND KEY=VALUE... as a request. NULL, and it was said what is wrong. */
static struct json_object *make_request(char **arguments)
{
	struct json_object *request = json_object_new_object();

	json_object_object_add(request, "cmd", json_object_new_string(arguments[0]));
	for (char **p = arguments + 1; *p; p++) {
		_cleanup_free_ char *key = NULL;
		char *value = strchr(*p, '=');
		struct json_object *parsed;

		if (!value) {
			fprintf(stderr, "dcdsimctl: \"%s\": KEY=VALUE is wanted\n", *p);
			json_object_put(request);
			return NULL;
		}
		key = strndup(*p, (size_t)(value - *p));
		parsed = key ? parse_value(key, value + 1) : NULL;
		if (!parsed) {
			fprintf(stderr, "dcdsimctl: \"%s\": not understood\n", *p);
			json_object_put(request);
			return NULL;
		}
		json_object_object_add(request, key, parsed);
	}
	return request;
}

/* ---- connection ---- */

static FILE *connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;
	FILE *f;

	if (!path) {
		fprintf(stderr, "dcdsimctl: no --control and no $DCDSIM_CONTROL\n");
		return NULL;
	}
	if (str_copy(address.sun_path, sizeof(address.sun_path), path) < 0) {
		fprintf(stderr, "dcdsimctl: %s: too long for a socket\n", path);
		return NULL;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fprintf(stderr, "dcdsimctl: %s: %s\n", path, strerror(errno));
		(void)safe_close(fd);
		return NULL;
	}
	f = fdopen(fd, "r+");
	if (!f)
		(void)close(fd);
	return f;
}

/* Sends @request, returns the reply or NULL. *@ret_line is its text, the caller's to free. */
static struct json_object *exchange(FILE *f, struct json_object *request, char **ret_line)
{
	struct json_object *reply;
	size_t size = 0;

	fprintf(f, "%s\n", json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN));
	*ret_line = NULL;
	if (fflush(f) != 0 || getline(ret_line, &size, f) < 0) {
		fprintf(stderr, "dcdsimctl: the simulator has gone\n");
		return NULL;
	}
	reply = json_tokener_parse(*ret_line);
	if (!reply)
		fprintf(stderr, "dcdsimctl: the answer is not JSON\n");
	return reply;
}

/* ---- replies as text ---- */

static const char *text(struct json_object *object, const char *key)
{
	struct json_object *value = json_object_object_get(object, key);

	return value ? json_object_get_string(value) : "";
}

static uint64_t number(struct json_object *object, const char *key)
{
	return json_object_get_uint64(json_object_object_get(object, key));
}

static struct json_object *array(struct json_object *object, const char *key, size_t *ret_n)
{
	struct json_object *value = json_object_object_get(object, key);

	*ret_n = json_object_is_type(value, json_type_array) ? json_object_array_length(value) : 0;
	return value;
}

static const char *size_text(uint64_t bytes, char buf[static 32])
{
	if (bytes && bytes % GiB == 0)
		snprintf(buf, 32, "%" PRIu64 "G", bytes / GiB);
	else if (bytes && bytes % MiB == 0)
		snprintf(buf, 32, "%" PRIu64 "M", bytes / MiB);
	else
		snprintf(buf, 32, "%" PRIu64, bytes);
	return buf;
}

static void print_region(struct json_object *region)
{
	char size[32], available[32];
	struct json_object *extents, *devices;
	size_t n_extents, n_devices;

	printf("%s on %s: HPA 0x%" PRIx64 ", DPA 0x%" PRIx64 ", %s, %s unclaimed%s\n",
	       text(region, "name"), text(region, "memdev"), number(region, "hpa"),
	       number(region, "dpa"), size_text(number(region, "size"), size),
	       size_text(number(region, "available"), available),
	       json_object_get_boolean(json_object_object_get(region, "enabled")) ? ""
										  : ", disabled");
	extents = array(region, "extents", &n_extents);
	for (size_t i = 0; i < n_extents; i++) {
		struct json_object *extent = json_object_array_get_idx(extents, i);

		printf("  %-12s +0x%-10" PRIx64 " %6s  %s  %s\n", text(extent, "name"),
		       number(extent, "offset"), size_text(number(extent, "length"), size),
		       text(extent, "tag")[0] ? text(extent, "tag") : "untagged",
		       number(extent, "use_count") ? "in use" : "free");
	}
	devices = array(region, "devices", &n_devices);
	for (size_t i = 0; i < n_devices; i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		printf("  %-12s %18s  %s  %s%s%s\n", text(device, "name"),
		       size_text(number(device, "size"), size), text(device, "uuid"),
		       text(device, "driver")[0] ? text(device, "driver") : "unbound",
		       text(device, "state")[0] ? " " : "", text(device, "state"));
	}
}

static void print_state(struct json_object *state)
{
	struct json_object *regions, *blocks;
	size_t n_regions, n_blocks;

	regions = array(state, "regions", &n_regions);
	for (size_t i = 0; i < n_regions; i++)
		print_region(json_object_array_get_idx(regions, i));
	blocks = array(state, "blocks", &n_blocks);
	for (size_t i = 0; i < n_blocks; i++) {
		struct json_object *block = json_object_array_get_idx(blocks, i);

		if (!text(block, "device")[0])
			continue; /* boot memory */
		printf("memory%-6s %-14s %-10s node%s %s%s%s%s\n", text(block, "number"),
		       text(block, "state"), text(block, "zone"), text(block, "node"),
		       text(block, "device"), streq(text(block, "leaked"), "true") ? " leaked" : "",
		       streq(text(block, "pinned"), "true") ? " pinned" : "",
		       streq(text(block, "unmovable"), "true") ? " unmovable" : "");
	}
}

static void print_entry(struct json_object *entry)
{
	printf("%5s %12.6f %-9s", text(entry, "seq"), (double)number(entry, "usec") / 1e6,
	       text(entry, "type"));
	json_object_object_foreach(entry, key, value)
	{
		if (!streq(key, "seq") && !streq(key, "usec") && !streq(key, "type"))
			printf(" %s=%s", key, json_object_get_string(value));
	}
	putchar('\n');
}

/* Everything without a form of its own: one line per key, arrays one line per element. */
static void print_reply(struct json_object *reply)
{
	json_object_object_foreach(reply, key, value)
	{
		if (streq(key, "ok"))
			continue;
		if (streq(key, "state")) {
			print_state(value);
		} else if (streq(key, "entries")) {
			for (size_t i = 0; i < json_object_array_length(value); i++)
				print_entry(json_object_array_get_idx(value, i));
		} else if (json_object_is_type(value, json_type_array)) {
			for (size_t i = 0; i < json_object_array_length(value); i++)
				printf("%s: %s\n", key,
				       json_object_get_string(json_object_array_get_idx(value, i)));
		} else if (!streq(key, "next")) {
			printf("%s: %s\n", key, json_object_get_string(value));
		}
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "control", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "follow", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = getenv("DCDSIM_CONTROL");
	_cleanup_fclose_ FILE *f = NULL;
	struct json_object *request;
	bool json = false, follow = false;
	int c, status = 0;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'f':
			follow = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			fputs(help, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc || (follow && !streq(argv[optind], "log"))) {
		fputs(help, stderr);
		return EXIT_USAGE;
	}
	request = make_request(argv + optind);
	if (!request)
		return EXIT_USAGE;
	f = connect_to(path);
	if (!f) {
		json_object_put(request);
		return EXIT_USAGE;
	}
	do {
		_cleanup_free_ char *line = NULL;
		struct json_object *reply;

		if (follow)
			json_object_object_add(request, "wait_ms", json_object_new_int(60000));
		reply = exchange(f, request, &line);
		if (!reply) {
			status = follow ? 0 : EXIT_USAGE;
			break;
		}
		if (json)
			fputs(line, stdout);
		if (!json_object_get_boolean(json_object_object_get(reply, "ok"))) {
			fprintf(stderr, "dcdsimctl: %s: %s\n", text(reply, "error"),
				text(reply, "message"));
			status = EXIT_REFUSED;
		} else if (!json) {
			print_reply(reply);
		}
		if (follow)
			json_object_object_add(
				request, "since",
				json_object_get(json_object_object_get(reply, "next")));
		json_object_put(reply);
		(void)fflush(stdout);
	} while (follow && status == 0);
	json_object_put(request);
	return status;
}
