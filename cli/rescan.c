/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dcdctl rescan: asks the daemon to look at the host anew; it does so soon, not before this ends.
 */
#include "cli.h"

int verb_rescan(struct cli *cli)
{
	return client_call(cli, DCDD_INTERFACE_MANAGER, "Rescan", NULL, NULL);
}
