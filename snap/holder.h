/*
 * The holder: the process that a snapshot of the method `copy` is. It makes the copy itself, and
 * then does nothing for ever, as the child of a fork does: no descriptor, all signals blocked, its
 * memory private. It is a program of its own, begun by execve(2), so that it holds nothing of who
 * began it. It ends when that one ends, or closes the channel, before it has said `keep`.
 *
 *   who began it -> holder                       holder -> who began it
 *   prepare  pid  [layout's text]                prepared  pid base
 *   copy                                         copied
 *   keep                                         failed    code message
 */
#pragma once

#include "snap/layout.h"

#include <sys/types.h>

#define DACSA_HOLDER_NAME "dacsa-copy" /* its argv[0] */

/* Begins one. label is its argument: what it is for, to be read in ps(1). *ret_channel, see
 * snap/channel.h, is owned. It is nobody's child. */
bool dacsa_holder_start(const char *label, int *ret_channel,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where the ranges of a layout lie in a holder whose memory begins at base. Owned. */
DacsaLayout *dacsa_holder_layout(const DacsaLayout *layout, uint64_t base);

/* The program, in a process with one thread. Returns only if something is amiss: the exit status.
 */
int dacsa_holder_main(void);
