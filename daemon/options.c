/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of dcdd; see dcdd(8). */
#include "options.h"

#include <getopt.h>

#include <dcdd/names.h>

static void help(void)
{
	printf("Usage: dcdd [OPTIONS...]\n"
	       "       dcdd --check-config [FILE] | --dump-config [--config=FILE | --root=DIR]\n"
	       "\n"
	       "Frees the memory that a CXL Dynamic Capacity Device wants back.\n"
	       "\n"
	       "  -c, --config=FILE      read only this file (default " DCDD_CONFIG_PATH "\n"
	       "                         and its drop-ins, see dcdd.conf(5))\n"
	       "      --check-config     check the configuration, or only FILE, and exit: 0 if it\n"
	       "                         is good, else 1, with file and line on stderr\n"
	       "      --dump-config      print the configuration in force, with where each rule\n"
	       "                         is from, and exit\n"
	       "      --root=DIR         for these two: the configuration of the image in DIR\n"
	       "      --no-bus           run without D-Bus\n"
	       "      --runtime-dir=DIR  directory for the lock (default " DCDD_RUNTIME_DIR ")\n"
	       "      --state-dir=DIR    directory for the undo journals (default $STATE_DIRECTORY\n"
	       "                         or " DCDD_STATE_DIR ")\n"
	       "  -V, --version          print the version and exit\n"
	       "  -h, --help             print this and exit\n"
	       "\n"
	       "See dcdd(8) and dcdd.conf(5).\n");
}

static int usage(const char *what, const char *word)
{
	fprintf(stderr, "dcdd: %s%s; see dcdd --help\n", what, word);
	return DCDD_EXIT_USAGE;
}

/* systemd's StateDirectory=; several of them would be separated by colons. */
static const char *default_state_dir(void)
{
	const char *dir = secure_getenv("STATE_DIRECTORY");

	return dir && dir[0] == '/' && !strchr(dir, ':') ? dir : DCDD_STATE_DIR;
}

/* What each option says for itself may still contradict what another one says. */
static int check_together(int argc, char **argv, struct options *o)
{
	if (o->check_config && o->dump_config)
		return usage("--check-config and --dump-config do not go together", "");
	if (o->check_config && !o->config && optind < argc)
		o->config = argv[optind++];
	if (optind < argc)
		return usage("unexpected argument ", argv[optind]);
	if (o->root && !o->check_config && !o->dump_config)
		return usage("--root goes only with --check-config or --dump-config", "");
	if (o->root && o->config)
		return usage("--root and a configuration file do not go together", "");
	return -1;
}

int options_parse(int argc, char **argv, struct options *ret)
{
	enum {
		OPT_CHECK_CONFIG = 0x100,
		OPT_DUMP_CONFIG,
		OPT_NO_BUS,
		OPT_ROOT,
		OPT_RUNTIME_DIR,
		OPT_STATE_DIR,
	};
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, OPT_CHECK_CONFIG },
		{ "dump-config", no_argument, NULL, OPT_DUMP_CONFIG },
		{ "no-bus", no_argument, NULL, OPT_NO_BUS },
		{ "root", required_argument, NULL, OPT_ROOT },
		{ "runtime-dir", required_argument, NULL, OPT_RUNTIME_DIR },
		{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*ret = (struct options){ .runtime_dir = DCDD_RUNTIME_DIR,
				 .state_dir = default_state_dir() };
	while ((c = getopt_long(argc, argv, "c:Vh", options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			ret->config = optarg;
			break;
		case OPT_CHECK_CONFIG:
			ret->check_config = true;
			break;
		case OPT_DUMP_CONFIG:
			ret->dump_config = true;
			break;
		case OPT_NO_BUS:
			ret->no_bus = true;
			break;
		case OPT_ROOT:
			ret->root = optarg;
			break;
		case OPT_RUNTIME_DIR:
			ret->runtime_dir = optarg;
			break;
		case OPT_STATE_DIR:
			ret->state_dir = optarg;
			break;
		case 'V':
			printf("dcdd %s\n", DCDD_VERSION);
			return DCDD_EXIT_OK;
		case 'h':
			help();
			return DCDD_EXIT_OK;
		default:
			return DCDD_EXIT_USAGE;
		}
	}
	return check_together(argc, argv, ret);
}
