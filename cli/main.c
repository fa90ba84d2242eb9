/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl: takes the command line apart, and runs the verb. */
#include <getopt.h>
#include <locale.h>
#include <stdarg.h>

#include <dcdd/tag.h>

#include "policy/parse_value.h"
#include "verbs.h"
#include "when.h"

/* Ended by two NULLs: a verb is looked for in two words. */
struct words {
	char **items;
	size_t n;
};

/* The command line as it was given, before it is known whether it makes sense. */
struct line {
	unsigned given; /* GIVES_… */
	bool help, version;
	const char *tag, *origin, *until, *duration;
	struct words words; /* what is no option and none's value */
	char **command;	    /* behind "--" */
};

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

/* Values of getopt_long(): a long option's is its bit behind these. */
enum {
	OPTION_VERSION = 256,
	OPTION_BITS = 1 << 20,
};
#define OPTION(name, has_value, bit)                                                               \
	{                                                                                          \
		name, has_value, NULL, OPTION_BITS | (bit)                                         \
	}

static const struct option options[] = {
	OPTION("all", no_argument, GIVES_ALL),
	OPTION("json", no_argument, GIVES_JSON),
	OPTION("no-legend", no_argument, GIVES_NO_LEGEND),
	OPTION("bytes", no_argument, GIVES_BYTES),
	OPTION("config", required_argument, GIVES_CONFIG),
	OPTION("inventory", required_argument, GIVES_INVENTORY),
	OPTION("tag", required_argument, GIVES_TAG),
	OPTION("origin", required_argument, GIVES_ORIGIN),
	OPTION("at", required_argument, GIVES_AT),
	OPTION("approved", no_argument, GIVES_APPROVED),
	OPTION("until", required_argument, GIVES_UNTIL),
	OPTION("for", required_argument, GIVES_FOR),
	OPTION("scope", required_argument, GIVES_SCOPE),
	OPTION("who", required_argument, GIVES_WHO),
	OPTION("why", required_argument, GIVES_WHY),
	OPTION("mode", required_argument, GIVES_MODE),
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

static void take_option(struct cli *cli, struct line *line, unsigned option, const char *value)
{
	const struct {
		unsigned option;
		const char **where;
	} values[] = {
		{ GIVES_CONFIG, &cli->config }, { GIVES_INVENTORY, &cli->inventory },
		{ GIVES_SCOPE, &cli->scope },	{ GIVES_WHO, &cli->who },
		{ GIVES_WHY, &cli->why },	{ GIVES_MODE, &cli->mode },
		{ GIVES_TAG, &line->tag },	{ GIVES_ORIGIN, &line->origin },
		{ GIVES_AT, &cli->at },		{ GIVES_UNTIL, &line->until },
		{ GIVES_FOR, &line->duration },
	};

	line->given |= option;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (values[i].option == option)
			*values[i].where = value;
}

/* @line->words.items has room for all of @argv and two NULLs. */
static int read_line(struct cli *cli, struct line *line, int argc, char **argv)
{
	int c;

	/* '-': what is no option comes in its order, so that it is known what stood behind "--". */
	while ((c = getopt_long(argc, argv, "-abh", options, NULL)) >= 0)
		switch (c) {
		case 1:
			line->words.items[line->words.n++] = optarg;
			break;
		case 'a':
			take_option(cli, line, GIVES_ALL, NULL);
			break;
		case 'b':
			take_option(cli, line, GIVES_BYTES, NULL);
			break;
		case 'h':
			line->help = true;
			break;
		case OPTION_VERSION:
			line->version = true;
			break;
		case '?': /* getopt_long() has said what is wrong */
			(void)fputs("Try 'dcdctl --help'.\n", stderr);
			return CLI_EXIT_USAGE;
		default:
			take_option(cli, line, (unsigned)c & ~(unsigned)OPTION_BITS, optarg);
		}
	if (optind < argc)
		line->command = argv + optind;
	cli->all = line->given & GIVES_ALL;
	cli->json = line->given & GIVES_JSON;
	cli->no_legend = line->given & GIVES_NO_LEGEND;
	cli->bytes = line->given & GIVES_BYTES;
	cli->approved = line->given & GIVES_APPROVED;
	return CLI_EXIT_OK;
}

static int check_options(const struct verb *verb, unsigned given)
{
	for (unsigned option = 1; option < TAKES_COMMAND; option <<= 1)
		if ((given & option) && !(verb->takes & option))
			return usage_error("'%s' has no option %s", verb->name,
					   verb_option_name(option));
	if ((given & GIVES_UNTIL) && (given & GIVES_FOR))
		return usage_error("either --until or --for");
	return CLI_EXIT_OK;
}

static int take_tag(struct cli *cli, const char *s, char lower[static TAG_STRLEN + 1])
{
	struct tag tag;

	if (tag_parse(s, &tag) < 0)
		return usage_error("'%s' is no tag: a UUID of %d characters is expected", s,
				   TAG_STRLEN);
	cli->tag = tag_format(&tag, lower);
	return CLI_EXIT_OK;
}

static int take_until(const char *s, usec_t now, usec_t *ret)
{
	int r = when_parse(s, now, ret);

	if (r == -ERANGE)
		return usage_error("--until: there is no time '%s'", s);
	if (r < 0)
		return usage_error("--until: '%s' is no time: " WHEN_FORMS " is expected", s);
	return *ret > now ? CLI_EXIT_OK : usage_error("--until: '%s' is over", s);
}

static int take_values(struct cli *cli, const struct line *line, char lower[static TAG_STRLEN + 1])
{
	usec_t now = now_usec(CLOCK_REALTIME), duration;
	enum inhibit_mode mode;
	int r = CLI_EXIT_OK;

	if (line->origin && origin_from_string(line->origin, &cli->origin) < 0)
		return usage_error("--origin: 'device' or 'admin' is expected");
	if (cli->mode && inhibit_mode_from_string(cli->mode, &mode) < 0)
		return usage_error("--mode: 'block' or 'delay' is expected");
	if (line->tag)
		r = take_tag(cli, line->tag, lower);
	if (r == CLI_EXIT_OK && line->until)
		r = take_until(line->until, now, &cli->until);
	if (r != CLI_EXIT_OK || !line->duration)
		return r;
	if (parse_time(line->duration, &duration) < 0 || duration == 0 ||
	    usec_add(now, duration) == USEC_INFINITY)
		return usage_error("--for: '%s' is no duration like 90min or 8h", line->duration);
	cli->until = usec_add(now, duration);
	return CLI_EXIT_OK;
}

static int check_rule(char *const *operands, size_t n)
{
	if (n < 2)
		return usage_error("'policy add' needs a name and KEY=VALUE");
	for (size_t i = 1; i < n; i++)
		if (!strchr(operands[i], '=') || operands[i][0] == '=' || strchr(operands[i], '\n'))
			return usage_error("'%s' is no KEY=VALUE", operands[i]);
	return CLI_EXIT_OK;
}

static int take_operands(struct cli *cli, const struct verb *verb,
			 char lower[static TAG_STRLEN + 1])
{
	static const struct {
		size_t min, max;
		const char *what;
	} numbers[] = {
		[OPERANDS_NONE] = { 0, 0, "" },
		[OPERANDS_MAYBE_TAG] = { 0, 1, "" },
		[OPERANDS_ANSWERED] = { 1, 1, "a tag or an ID" },
		[OPERANDS_ANSWERED_REASON] = { 1, 2, "a tag or an ID" },
		[OPERANDS_RELEASE] = { 1, 1, "a tag or an ID" },
		[OPERANDS_NAME] = { 1, 1, "a name" },
		[OPERANDS_RULE] = { 1, SIZE_MAX, "a name" },
	};
	const char *first = cli->operands[0];

	if (cli->n_operands < numbers[verb->operands].min)
		return usage_error("'%s' needs %s", verb->name, numbers[verb->operands].what);
	if (cli->n_operands > numbers[verb->operands].max)
		return usage_error("too many arguments for '%s'%s", verb->name,
				   verb->takes & TAKES_COMMAND ? "; the command stands behind --"
							       : "");
	switch (verb->operands) {
	case OPERANDS_RELEASE:
		if (!show_takes(first))
			return usage_error(
				"'%s' is neither an ID nor %d or more characters of a tag", first,
				CLI_TAG_MIN);
		cli->operand = first;
		return CLI_EXIT_OK;
	case OPERANDS_ANSWERED:
	case OPERANDS_ANSWERED_REASON:
		if (first[strspn(first, "0123456789")] == '\0') {
			cli->tag = first;
			return CLI_EXIT_OK;
		}
		return take_tag(cli, first, lower);
	case OPERANDS_MAYBE_TAG:
		return first ? take_tag(cli, first, lower) : CLI_EXIT_OK;
	case OPERANDS_RULE:
		return check_rule(cli->operands, cli->n_operands);
	case OPERANDS_NONE:
	case OPERANDS_NAME:
		break;
	}
	return CLI_EXIT_OK;
}

/* What stands behind "--": a command, or with the other verbs words as any. */
static int take_command(struct cli *cli, const struct verb *verb, struct line *line)
{
	if (verb->takes & TAKES_COMMAND) {
		cli->command = line->command;
		if ((verb->takes & NEEDS_COMMAND) && !line->command)
			return usage_error("'%s' needs a command behind --", verb->name);
		return CLI_EXIT_OK;
	}
	for (char **word = line->command; word && *word; word++)
		line->words.items[line->words.n++] = *word;
	return CLI_EXIT_OK;
}

static int run_verb(struct cli *cli, const struct verb *verb)
{
	int status = verb->takes & WITHOUT_DAEMON ? CLI_EXIT_OK : client_connect(cli);

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

/* Help and version need no verb, and no operands of it. */
static bool help_or_version(const struct line *line, const struct verb *verb, const char *word)
{
	if (line->help)
		verb_help(verb, word && !verb ? word : NULL);
	else if (line->version)
		(void)puts("dcdctl " DCDD_VERSION);
	return line->help || line->version;
}

static int dispatch(struct cli *cli, struct line *line)
{
	char *const *words = line->words.items;
	char lower[TAG_STRLEN + 1];
	const struct verb *verb;
	size_t n_words = 0;
	int status;

	verb = words[0] ? verb_find(words, &n_words) : NULL;
	if (words[0] && !verb && !verb_is_prefix(words[0]))
		return usage_error("unknown verb '%s'", words[0]);
	if (words[0] && words[1] && !verb)
		return usage_error("unknown verb '%s %s'", words[0], words[1]);
	if (help_or_version(line, verb, words[0]))
		return CLI_EXIT_OK;
	if (!verb)
		return words[0] ? usage_error("'%s' needs another word", words[0])
				: usage_error("a verb is missing");
	status = take_command(cli, verb, line);
	cli->operands = words + n_words;
	cli->n_operands = line->words.n - n_words;
	if (status == CLI_EXIT_OK)
		status = take_operands(cli, verb, lower);
	if (status == CLI_EXIT_OK)
		status = check_options(verb, line->given);
	if (status == CLI_EXIT_OK)
		status = take_values(cli, line, lower);
	return status == CLI_EXIT_OK ? run_verb(cli, verb) : status;
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	struct line line = { 0 };
	int status;

	(void)setlocale(LC_CTYPE, "");
	line.words.items = calloc((size_t)argc + 2, sizeof(*line.words.items));
	if (!line.words.items)
		return output_no_memory();
	status = read_line(&cli, &line, argc, argv);
	if (status == CLI_EXIT_OK)
		status = dispatch(&cli, &line);
	free(line.words.items);
	return status;
}
