/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of dcdd; see dcdd(8). */
#include "options.h"

#include <getopt.h>

#include <dcdd/names.h>

static void help(void)
{
	printf("Usage: dcdd [OPTIONS...]\n"
	       "\n"
	       "Frees the memory that a CXL Dynamic Capacity Device asks back.\n"
	       "\n"
	       "  -c, --config=FILE      configuration file (default " DCDD_CONFIG_PATH ")\n"
	       "      --check-config     parse the configuration file and exit: 0 if it is good\n"
	       "      --no-bus           run without D-Bus\n"
	       "      --runtime-dir=DIR  directory for the lock (default " DCDD_RUNTIME_DIR ")\n"
	       "      --state-dir=DIR    directory for the undo journals (default $STATE_DIRECTORY\n"
	       "                         or " DCDD_STATE_DIR ")\n"
	       "  -V, --version          print the version and exit\n"
	       "  -h, --help             print this and exit\n"
	       "\n"
	       "See dcdd(8) and dcdd.conf(5).\n");
}

/* systemd's StateDirectory=; several of them would be separated by colons. */
static const char *default_state_dir(void)
{
	const char *dir = secure_getenv("STATE_DIRECTORY");

	return dir && dir[0] == '/' && !strchr(dir, ':') ? dir : DCDD_STATE_DIR;
}

int options_parse(int argc, char **argv, struct options *ret)
{
	enum {
		OPT_CHECK_CONFIG = 0x100,
		OPT_NO_BUS,
		OPT_RUNTIME_DIR,
		OPT_STATE_DIR,
	};
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, OPT_CHECK_CONFIG },
		{ "no-bus", no_argument, NULL, OPT_NO_BUS },
		{ "runtime-dir", required_argument, NULL, OPT_RUNTIME_DIR },
		{ "state-dir", required_argument, NULL, OPT_STATE_DIR },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*ret = (struct options){ .config = DCDD_CONFIG_PATH,
				 .runtime_dir = DCDD_RUNTIME_DIR,
				 .state_dir = default_state_dir() };
	while ((c = getopt_long(argc, argv, "c:Vh", options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			ret->config = optarg;
			ret->config_given = true;
			break;
		case OPT_CHECK_CONFIG:
			ret->check_config = true;
			break;
		case OPT_NO_BUS:
			ret->no_bus = true;
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
	if (optind < argc) {
		fprintf(stderr, "dcdd: unexpected argument '%s'; see dcdd --help\n", argv[optind]);
		return DCDD_EXIT_USAGE;
	}
	return -1;
}
