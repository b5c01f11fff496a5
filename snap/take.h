/* One acquisition, in a worker: stop, registers, fork, cont, and the record of what came of it. */
#pragma once

#include "snap/probe.h"
#include "snap/record.h"

/* Called with the error as soon as a failure is certain and the VM may take long to resume. */
typedef void (*DacsaTakeFailedEarly)(const GError *error, void *data);

/* All borrowed. */
typedef struct {
  const DacsaVmAddress *address;
  const DacsaProbe *probe;    /* of that VM */
  const char *const *methods; /* as given to dacsa_probe_run */
  const char *name;           /* of the snapshot */
  const char *state_path;     /* where its journal and its record are to be */
  bool scheduled;             /* see snap/record.h */
  const gint *unwanted; /* atomic, and may change at any time: not 0, nobody wants it any more */
  DacsaTakeFailedEarly failed_early; /* may be NULL */
  void *data;
} DacsaTakeOptions;

/*
 * Takes a snapshot, and saves its record: owned. *ret_vmas, owned: DacsaForkVma, what was changed
 * of QEMU's and is to be verified; NULL: nothing. The VM is resumed whatever happens, and before
 * this returns. If the process is killed before, a journal is left that tells snap/recover.h what
 * to put right. Of an unwanted one nothing is left; who says so afterwards finds its record.
 */
bool dacsa_take(const DacsaTakeOptions *options, DacsaRecord **ret, GArray **ret_vmas,
                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Looks, at leisure, whether QEMU is as it was: MADV_DONTFORK on what had it, and on nothing else
 * (vmas: of DacsaForkVma). Not in the pause, and not before the snapshot is announced: reading all
 * of QEMU's mappings takes a while. */
bool dacsa_take_verify(pid_t pid, const GArray *vmas, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What a take calls what it makes, where that has a name: owned. */
char *dacsa_take_label(const char *state_path, const char *vm, const char *snapshot);
