/* One acquisition, in a worker: stop, registers, fork, cont, and the record of what came of it. */
#pragma once

#include "snap/probe.h"
#include "snap/record.h"

/*
 * Takes a snapshot of the VM that was probed. The VM is resumed whatever happens, and before this
 * returns, unless `failed_early` says so: it is called with the error as soon as a failure is
 * certain and the VM may take long to resume.
 */
typedef void (*DacsaTakeFailedEarly)(const GError *error, void *data);

bool dacsa_take(const DacsaVmAddress *address, const DacsaProbe *probe, const char *name,
                DacsaTakeFailedEarly failed_early, void *data, DacsaRecord **ret,
                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Looks, at leisure, whether QEMU is as it was: MADV_DONTFORK back on its memory. Not in the pause,
 * and not before the snapshot is announced: reading all of QEMU's mappings takes a while. */
bool dacsa_take_verify(const DacsaProbe *probe, GError **error) G_GNUC_WARN_UNUSED_RESULT;
