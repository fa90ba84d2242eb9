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
	TAKES_RELEASE = 1 << 3, /* needs it */
	TAKES_FORMAT = 1 << 4,	/* --json, --bytes: it prints something */
};

struct verb {
	const char *name;
	int (*run)(struct cli *cli);
	unsigned takes;
	const char *synopsis, *summary, *help;
};

static const struct verb verbs[] = {
	{ "status", verb_status, TAKES_FORMAT, "status", "the daemon on one screen",
	  "Shows whether the kernel's event is there, the records seen and lost, the capacity the\n"
	  "host has accepted, and the releases, with those that are free and wait for their device\n"
	  "to ask again.\n" },
	{ "releases", verb_releases, TAKES_ALL | TAKES_TABLE | TAKES_TAG | TAKES_FORMAT,
	  "releases [TAG]", "what devices have asked back",
	  "Lists the release requests that have not ended or have failed; with --all also the other\n"
	  "ends. With TAG, all of that tag.\n"
	  "BLOCKS: memory blocks offline / to be taken offline. RECORDS: how often the device "
	  "asked.\n" },
	{ "show", verb_show, TAKES_RELEASE | TAKES_FORMAT, "show TAG|ID", "all about one release",
	  "Shows one release request: that of TAG, of which the first 4 characters or more are\n"
	  "enough, or the one with the number ID. If it failed, also what is not as it was before,\n"
	  "and the commands that mend it.\n" },
	{ "groups", verb_groups, TAKES_TABLE | TAKES_TAG | TAKES_FORMAT, "groups [TAG]",
	  "the tag groups of the host",
	  "Lists the tag groups the host has accepted, with the dax devices that claim them.\n"
	  "ONLINE: memory of the device that is online. An untagged extent is listed by itself.\n" },
	{ "rescan", verb_rescan, 0, "rescan", "let the daemon look at the host anew",
	  "Makes the daemon look at the host now, for example after what a failed release had left\n"
	  "over was mended. Only root may.\n" },
};

static void print_options(unsigned takes)
{
	(void)puts("Options:");
	if (takes & TAKES_ALL)
		(void)puts("  -a, --all        also what has ended");
	if (takes & TAKES_FORMAT)
		(void)puts("      --json       one JSON document instead of text");
	if (takes & TAKES_TABLE)
		(void)puts("      --no-legend  no line with the names of the columns");
	if (takes & TAKES_FORMAT)
		(void)puts("  -b, --bytes      sizes in bytes");
	(void)puts("  -h, --help       this text; `dcdctl VERB --help` for a verb\n"
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
	print_options(TAKES_ALL | TAKES_TABLE | TAKES_FORMAT);
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

/* Options that @verb does not have. */
static int check_options(const struct cli *cli, const struct verb *verb)
{
	const struct {
		bool given;
		unsigned needs;
		const char *option;
	} checks[] = {
		{ cli->all, TAKES_ALL, "--all" },
		{ cli->no_legend, TAKES_TABLE, "--no-legend" },
		{ cli->json, TAKES_FORMAT, "--json" },
		{ cli->bytes, TAKES_FORMAT, "--bytes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
		if (checks[i].given && !(verb->takes & checks[i].needs))
			return usage_error("'%s' has no option %s", verb->name, checks[i].option);
	return CLI_EXIT_OK;
}

/* @operands ends with NULL; @lower is for the tag. */
static int take_operand(struct cli *cli, const struct verb *verb, char *const *operands,
			char lower[static TAG_STRLEN + 1])
{
	const char *operand = operands[0];
	struct tag tag;

	if (!operand)
		return verb->takes & TAKES_RELEASE
			       ? usage_error("'%s' needs a tag or an ID", verb->name)
			       : CLI_EXIT_OK;
	if (!(verb->takes & (TAKES_TAG | TAKES_RELEASE)) || operands[1])
		return usage_error("too many arguments for '%s'", verb->name);
	if (verb->takes & TAKES_RELEASE) {
		if (!show_takes(operand))
			return usage_error(
				"'%s' is neither an ID nor %d or more characters of a tag", operand,
				CLI_TAG_MIN);
		cli->operand = operand;
		return CLI_EXIT_OK;
	}
	if (tag_parse(operand, &tag) < 0)
		return usage_error("'%s' is no tag: a UUID of %d characters is expected", operand,
				   TAG_STRLEN);
	cli->tag = tag_format(&tag, lower);
	return CLI_EXIT_OK;
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	const struct verb *verb;
	char lower[TAG_STRLEN + 1];
	bool help = false, version = false;
	int c, status;

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
	status = take_operand(&cli, verb, argv + optind + 1, lower);
	if (status == CLI_EXIT_OK)
		status = check_options(&cli, verb);
	return status == CLI_EXIT_OK ? run_verb(&cli, verb) : status;
}
