/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl: the command line, its help, and the choice of the verb. */
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>

#include <dcdd/tag.h>

#include "cli.h"

/* Options that not every verb has. */
enum {
	TAKES_ALL = 1 << 0,
	TAKES_TABLE = 1 << 1, /* --no-legend */
	TAKES_TAG = 1 << 2,
};

struct verb {
	const char *name;
	int (*run)(struct cli *cli);
	unsigned takes;
	const char *synopsis, *summary, *help;
};

static const struct verb verbs[] = {
	{ "status", verb_status, 0, "status", "the daemon on one screen",
	  "Shows whether the kernel's event is there, the records seen and lost, the capacity the\n"
	  "host has accepted, and the releases, with those that are free and wait for their device\n"
	  "to ask again.\n" },
	{ "releases", verb_releases, TAKES_ALL | TAKES_TABLE | TAKES_TAG, "releases [TAG]",
	  "what devices have asked back",
	  "Lists the release requests that have not ended; with --all also those that have. With\n"
	  "TAG, all of that tag.\n"
	  "BLOCKS: memory blocks offline / to be taken offline. RECORDS: how often the device "
	  "asked.\n" },
	{ "groups", verb_groups, TAKES_TABLE | TAKES_TAG, "groups [TAG]",
	  "the tag groups of the host",
	  "Lists the tag groups the host has accepted, with the dax devices that claim them.\n"
	  "ONLINE: memory of the device that is online. An untagged extent is listed by itself.\n" },
};

static void print_options(unsigned takes)
{
	(void)puts("Options:");
	if (takes & TAKES_ALL)
		(void)puts("  -a, --all        also what has ended");
	(void)puts("      --json       one JSON document instead of text");
	if (takes & TAKES_TABLE)
		(void)puts("      --no-legend  no line with the names of the columns");
	(void)puts("  -b, --bytes      sizes in bytes\n"
		   "  -h, --help       this text; `dcdctl VERB --help` for a verb\n"
		   "      --version    version of dcdctl");
}

static void print_help(const struct verb *verb)
{
	if (verb) {
		(void)printf("Usage: dcdctl %s [OPTION...]\n\n%s\n", verb->synopsis, verb->help);
		print_options(verb->takes);
		return;
	}
	(void)puts("Usage: dcdctl VERB [OPTION...]\n\n"
		   "Shows what dcdd does about the dynamic capacity that CXL devices ask back.\n\n"
		   "Verbs:");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		(void)printf("  %-16s %s\n", verbs[i].synopsis, verbs[i].summary);
	(void)puts("");
	print_options(TAKES_ALL | TAKES_TABLE);
	(void)puts(
		"\n"
		"Exit status: 0 done, 1 failed, 2 wrong usage, 3 dcdd is not running, 4 not allowed,\n"
		"5 no such object. See dcdctl(1).");
}

static _printf_(1, 2) int usage_error(const char *format, ...)
{
	va_list ap;

	(void)fputs("dcdctl: ", stderr);
	va_start(ap, format);
	(void)vfprintf(stderr, format, ap);
	va_end(ap);
	(void)fputs("\nTry 'dcdctl --help'.\n", stderr);
	return CLI_EXIT_USAGE;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (streq(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

enum {
	OPTION_JSON = 256,
	OPTION_NO_LEGEND,
	OPTION_VERSION,
};

static const struct option options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "no-legend", no_argument, NULL, OPTION_NO_LEGEND },
	{ "bytes", no_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

static int run_verb(struct cli *cli, const struct verb *verb)
{
	int status = client_connect(cli);

	if (status == CLI_EXIT_OK)
		status = verb->run(cli);
	sd_bus_flush_close_unref(cli->bus);
	/* A full disk or a closed pipe behind our output is a failure, too. */
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == CLI_EXIT_OK) {
		(void)fprintf(stderr, "dcdctl: cannot write the output: %s\n", strerror(errno));
		status = CLI_EXIT_FAILURE;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	const struct verb *verb;
	char lower[TAG_STRLEN + 1];
	bool help = false, version = false;
	struct tag tag;
	int c;

	(void)setlocale(LC_CTYPE, "");
	while ((c = getopt_long(argc, argv, "abh", options, NULL)) >= 0)
		switch (c) {
		case 'a':
			cli.all = true;
			break;
		case 'b':
			cli.bytes = true;
			break;
		case 'h':
			help = true;
			break;
		case OPTION_JSON:
			cli.json = true;
			break;
		case OPTION_NO_LEGEND:
			cli.no_legend = true;
			break;
		case OPTION_VERSION:
			version = true;
			break;
		default: /* getopt_long() has said what is wrong */
			(void)fputs("Try 'dcdctl --help'.\n", stderr);
			return CLI_EXIT_USAGE;
		}

	verb = optind < argc ? find_verb(argv[optind]) : NULL;
	if (optind < argc && !verb)
		return usage_error("unknown verb '%s'", argv[optind]);
	if (help) {
		print_help(verb);
		return CLI_EXIT_OK;
	}
	if (version) {
		(void)puts("dcdctl " DCDD_VERSION);
		return CLI_EXIT_OK;
	}
	if (!verb)
		return usage_error("a verb is missing");
	if (argc - optind > (verb->takes & TAKES_TAG ? 2 : 1))
		return usage_error("too many arguments for '%s'", verb->name);
	if (argc - optind == 2) {
		if (tag_parse(argv[optind + 1], &tag) < 0)
			return usage_error("'%s' is no tag: a UUID of %d characters is expected",
					   argv[optind + 1], TAG_STRLEN);
		cli.tag = tag_format(&tag, lower);
	}
	if (cli.all && !(verb->takes & TAKES_ALL))
		return usage_error("'%s' has no option --all", verb->name);
	if (cli.no_legend && !(verb->takes & TAKES_TABLE))
		return usage_error("'%s' has no option --no-legend", verb->name);
	return run_verb(&cli, verb);
}
