/* One acquisition, in a worker: stop, registers, fork, cont, and the record of what came of it. */
#pragma once

#include "snap/probe.h"
#include "snap/record.h"

typedef void (*DacsaTakeFailedEarly)(const GError *error, void *data);

/* All borrowed. */
typedef struct {
  const DacsaVmAddress *address;
  const DacsaProbe *probe; /* of the VM */
  const char *name;        /* of the snapshot */
  const char *state_path;  /* where its journal and its record are to be */
  DacsaTakeFailedEarly failed_early;
  void *data;
} DacsaTakeOptions;

/*
 * Takes a snapshot of the VM that was probed, and saves its record. The VM is resumed whatever
 * happens, and before this returns, unless `failed_early` says so: it is called with the error as
 * soon as a failure is certain and the VM may take long to resume. If the process is killed before
 * this returns, a journal is left that tells snap/recover.h what to put right.
 */
bool dacsa_take(const DacsaTakeOptions *options, DacsaRecord **ret,
                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Looks, at leisure, whether QEMU is as it was: MADV_DONTFORK back on its
 * memory (vmas: of DacsaForkVma). Not in the pause,
 * and not before the snapshot is announced: reading all of QEMU's mappings takes a while. */
bool dacsa_take_verify(pid_t pid, const GArray *vmas, GError **error) G_GNUC_WARN_UNUSED_RESULT;
