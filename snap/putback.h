/* What a take changes of QEMU's mappings for the moment of the fork, and whether it is as it was.
 */
#pragma once

#include "snap/chain.h"

#include <sys/types.h>

/* Looks, at leisure, whether MADV_DONTFORK is on what had it, and on nothing that was withheld
 * (vmas: of DacsaForkVma; NULL: there is nothing to be looked at). What is not as it was QEMU's
 * main thread puts back. Not in the pause, and not before the snapshot is announced: reading all of
 * QEMU's mappings takes a while. NOT_FOUND: the process is gone. OS: it is not as it was, and stays
 * so. */
bool dacsa_putback(pid_t pid, const DacsaGadgets *gadgets, const GArray *vmas,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
