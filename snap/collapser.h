/*
 * Which VM's huge pages are put together again (snap/collapse.h), and when: some time after a
 * snapshot of it was taken or dropped, and as long as one lives again and again, for the guest
 * writes on. Never two passes over one VM, and never while a snapshot of it is taken. It runs in
 * the default GMainContext; passes are workers, which end with it.
 */
#pragma once

#include "snap/fleet.h"

typedef struct DacsaCollapser DacsaCollapser;

/* fleet is borrowed. A collapser that is NULL does nothing: it is what --no-collapse makes. */
DacsaCollapser *dacsa_collapser_new(DacsaFleet *fleet);
void dacsa_collapser_free(DacsaCollapser *collapser);

/* A snapshot of the VM was taken or dropped, or could not be taken. */
void dacsa_collapser_note(DacsaCollapser *collapser, const DacsaVm *vm);

/* One is about to be taken: a pass over the VM ends. Its worker, which whoever takes it has to wait
 * for (dacsa_worker_await): until then it may hold the lock that a fork needs. Also that of a pass
 * that was ended for an earlier take and still holds on. 0: there is none. */
pid_t dacsa_collapser_yield(DacsaCollapser *collapser, const DacsaVm *vm);
