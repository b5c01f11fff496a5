/*
 * The shelf: the snapshots that are kept, of all VMs. It takes up what an earlier daemon left,
 * notices when a snapshot's child ends, and is where snapshots are dropped, whoever wants it. It
 * runs in the default GMainContext.
 */
#pragma once

#include "snap/fleet.h"

typedef struct DacsaShelf DacsaShelf;

typedef struct {
  DacsaFleet *fleet;                         /* borrowed */
  const char *state_path;                    /* see snap/state.h */
  void (*kept)(DacsaKept *kept, void *data); /* there is one more */
  /* A child has ended; kept, with the reason in kept->why, is freed when this returns. */
  void (*ended)(const DacsaKept *kept, void *data);
  void *data;
} DacsaShelfOptions;

DacsaShelf *dacsa_shelf_new(const DacsaShelfOptions *options);
void dacsa_shelf_free(DacsaShelf *shelf);

/* Takes up the snapshots whose records are in the state directory and whose children live. */
void dacsa_shelf_take_up(DacsaShelf *shelf);

/* Keeps one. Takes record and pidfd. */
void dacsa_shelf_put(DacsaShelf *shelf, DacsaVm *vm, DacsaRecord *record, int pidfd);

/* Kills a child; `ended` is called when it is gone. why: for log and readers. */
void dacsa_shelf_drop(DacsaShelf *shelf, DacsaKept *kept, const char *why);

/* Drops all, and waits for their end. */
void dacsa_shelf_drop_all(DacsaShelf *shelf);
