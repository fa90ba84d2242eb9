/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl approve, deny, reload: an administrator's word, one call each. */
#include "cli.h"

int verb_approve(struct cli *cli)
{
	return client_call(cli, DCDD_INTERFACE_MANAGER, "Approve", cli->tag, NULL);
}

int verb_deny(struct cli *cli)
{
	const char *reason = cli->n_operands > 1 ? cli->operands[1] : "";

	return client_ask(cli, NULL, "Deny", "ss", cli->tag, reason);
}

int verb_reload(struct cli *cli)
{
	return client_call(cli, DCDD_INTERFACE_MANAGER, "Reload", NULL, NULL);
}
