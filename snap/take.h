/* One acquisition, in a worker: stop, registers, fork, cont, and the record of what came of it. */
#pragma once

#include "snap/probe.h"
#include "snap/record.h"

/* Called once, as soon as it is certain what becomes of the take: with its record, which is saved,
 * while the VM runs again; or with the error, when the VM may still take long to resume. */
typedef void (*DacsaTakeAnnounce)(const DacsaRecord *record, const GError *error, void *data);

/* All borrowed. */
typedef struct {
  const DacsaVmAddress *address;
  const DacsaProbe *probe;    /* of that VM */
  const char *const *methods; /* as given to dacsa_probe_run */
  const char *name;           /* of the snapshot */
  const char *state_path;     /* where its journal and its record are to be */
  bool scheduled;             /* see snap/record.h */
  const gint *unwanted; /* atomic, and may change at any time: not 0, nobody wants it any more */
  DacsaTakeAnnounce announce;
  void *data;
} DacsaTakeOptions;

/*
 * Takes a snapshot, and saves its record. The VM is resumed whatever happens, and before this
 * returns; and QEMU's mappings are looked at, when all has been told (snap/putback.h). If the
 * process is killed before, a journal is left that tells snap/recover.h what to put right. Of an
 * unwanted one nothing is left; who says so afterwards finds its record.
 */
void dacsa_take(const DacsaTakeOptions *options);

/* What a take calls what it makes, where that has a name: owned. */
char *dacsa_take_label(const char *state_path, const char *vm, const char *snapshot);
