/*
 * Watches what snapshots cost, and gives up one after the other where that is too much or memory
 * runs short: under memory pressure the snapshot dies, not the VM. It runs in the default
 * GMainContext.
 *
 * Measuring walks page tables, so a worker does it, and so seldom that it takes about one per cent
 * of a CPU. In between, once a second, a look at a counter is enough: a copy made by copy-on-write
 * is a page fault of QEMU, so that its snapshots cost at most as many pages more as it had faults.
 * When even a cautious guess from that would give something up, it is measured, and then decided
 * (snap/budget.h).
 */
#pragma once

#include "snap/policy.h"
#include "snap/shelf.h"

typedef struct DacsaCost DacsaCost;

typedef struct {
  DacsaFleet *fleet; /* borrowed, as the shelf is */
  DacsaShelf *shelf;
  DacsaPolicies policies; /* the strings are borrowed */
  DacsaAmount host_limit; /* of all snapshots together; of the host's memory */
} DacsaCostOptions;

DacsaCost *dacsa_cost_new(const DacsaCostOptions *options);
void dacsa_cost_free(DacsaCost *cost); /* may be NULL */

/* To be called when something of a VM has changed: its limit may be another then. One that has
 * ended has none: its snapshots cost what it did itself, and are all that is left of it. */
void dacsa_cost_vm_changed(DacsaCost *cost, DacsaVm *vm);

/* To be called when there is a snapshot more. Without any, nothing is looked at. */
void dacsa_cost_wake(DacsaCost *cost);
