/*
 * The shelf: the snapshots that are kept, of all VMs. It takes up what an earlier daemon left,
 * notices when a snapshot's child ends, and is where snapshots are dropped, whoever wants it. Of
 * one that ended unasked it keeps a tombstone. It runs in the default GMainContext.
 */
#pragma once

#include "snap/fleet.h"

typedef struct DacsaShelf DacsaShelf;

typedef struct {
  DacsaFleet *fleet;                         /* borrowed */
  const char *state_path;                    /* see snap/state.h */
  void (*kept)(DacsaKept *kept, void *data); /* there is one more */
  /* A child has ended as was asked or planned; kept, with the reason in kept->why, is freed when
   * this returns. */
  void (*ended)(const DacsaKept *kept, void *data);
  /* One has ended otherwise, and this is left of it. */
  void (*buried)(const DacsaTombstone *tombstone, void *data);
  /* That is gone, too; it is freed when this returns. */
  void (*forgotten)(const DacsaTombstone *tombstone, void *data);
  void *data;
} DacsaShelfOptions;

DacsaShelf *dacsa_shelf_new(const DacsaShelfOptions *options);
void dacsa_shelf_free(DacsaShelf *shelf);

/* Takes up the snapshots whose records are in the state directory and whose children live. */
void dacsa_shelf_take_up(DacsaShelf *shelf);

/* Keeps one; its VM is listed again if it was not. Takes record and pidfd. */
void dacsa_shelf_put(DacsaShelf *shelf, DacsaVm *vm, DacsaRecord *record, int pidfd);

/* Kills a child; `ended` or `buried` is called when it is gone. why: for log and readers. What was
 * asked for wins over what was decided before. 0, or the errno of a child that may not be killed,
 * such as by AppArmor: it stays, which the log tells once. */
int dacsa_shelf_drop(DacsaShelf *shelf, DacsaKept *kept, DacsaEnd end, const char *why);

/* Removes the tombstone of that name; false: there is none. */
bool dacsa_shelf_forget(DacsaShelf *shelf, DacsaVm *vm, const char *name);

/* Drops all, also those that only their records tell of, and waits for the end of those it keeps.
 */
void dacsa_shelf_drop_all(DacsaShelf *shelf);
