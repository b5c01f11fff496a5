/*
 * The snapshots that are being taken: a worker each, and a recovery where that is killed
 * (snap/rescue.h). One at a time of a VM, which is marked as `taking` meanwhile. Runs in the
 * default GMainContext.
 */
#pragma once

#include "snap/collapser.h"
#include "snap/shelf.h"

typedef struct DacsaTakes DacsaTakes;

/* Who wants a snapshot, to be told what became of it. */
typedef struct {
  char *vm, *name;   /* of the snapshot */
  uint64_t sequence; /* of the viewer's request; 0: none waits for it */
  bool scheduled;    /* the schedule waits for it */
} DacsaTakeRequest;

/* A take is over. error: NULL where the snapshot is on the shelf, or where nobody cares. */
typedef void (*DacsaTakesOver)(DacsaVm *vm, const DacsaTakeRequest *request, const GError *error,
                               void *data);

bool dacsa_takes_new(const char *state_path, DacsaTakesOver over, void *data, DacsaTakes **ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_takes_free(DacsaTakes *takes);

/* Puts right what workers of an earlier daemon have left undone, or are still about, and waits for
 * it, within reason. Before anything else: a QEMU that stands still does not even tell that it is
 * there. What is not over in time goes on. */
void dacsa_takes_rescue(DacsaTakes *takes);

/* What there is from then on; all borrowed. VMs that are still being rescued are marked. */
void dacsa_takes_begin(DacsaTakes *takes, DacsaFleet *fleet, DacsaShelf *shelf,
                       DacsaCollapser *collapser);

/* Begins one; `over` is called later. false: it cannot be taken, and `over` is not called. vm may
 * be NULL. Strings are copied. */
bool dacsa_takes_start(DacsaTakes *takes, DacsaVm *vm, const DacsaTakeRequest *request,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Waits, within reason, for recoveries; with all set also until no snapshot is being taken. Then
 * what is not over in time goes on for the sake of its VM alone: its worker, which may be the only
 * one left, drops what it makes. Who calls it drops what has a record. */
void dacsa_takes_end(DacsaTakes *takes, bool all);
