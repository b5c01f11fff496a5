/*
 * The fleet: which VMs run, and what is known of each. Finds them through libvirt and at the
 * sockets of --qmp, notices when they start and end, and has workers look at them. It runs in the
 * default GMainContext and never waits for a VM.
 */
#pragma once

#include "snap/vm.h"

typedef struct DacsaFleet DacsaFleet;

typedef struct {
  const char *uri;                          /* libvirt; NULL: none */
  const char *const *qmp;                   /* NAME=SOCKET, NULL-terminated; may be NULL */
  bool qmp_awaited;                         /* those need not be there: see snap/vm.h */
  DacsaPolicies policies;                   /* its lists outlive the fleet */
  void (*changed)(DacsaVm *vm, void *data); /* what its status says has changed */
  void (*gone)(DacsaVm *vm, void *data);    /* it has ended and nothing of it is left */
  /* A probe is over. sequence: as given to dacsa_fleet_probe; error: NULL where it succeeded. */
  void (*probed)(DacsaVm *vm, uint64_t sequence, const GError *error, void *data);
  void *data;
} DacsaFleetOptions;

/* Connects to libvirt and looks at every --qmp VM once, unless they are awaited, so that what is
 * mistyped fails here. */
bool dacsa_fleet_new(const DacsaFleetOptions *options, DacsaFleet **ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_fleet_free(DacsaFleet *fleet);

/* Tells of every VM there is, and from then on of every change. Awaited ones are looked at. */
void dacsa_fleet_start(DacsaFleet *fleet);

/* NULL: no such VM. */
DacsaVm *dacsa_fleet_find(DacsaFleet *fleet, const char *name);

/* Tells of a VM that nobody knows of, since it has ended, or was forgotten: it has a snapshot. */
void dacsa_fleet_list(DacsaFleet *fleet, DacsaVm *vm);

/* A VM that does not run, for the sake of its snapshots. */
DacsaVm *dacsa_fleet_add_ended(DacsaFleet *fleet, const char *name, const char *uuid);

/* A number for a VM or a snapshot, from which viewers make inode numbers: 1 to 2^24 - 1, the same
 * again only after all others. */
uint32_t dacsa_fleet_next_serial(DacsaFleet *fleet);

/* Calls func for every VM. */
void dacsa_fleet_foreach(DacsaFleet *fleet, void (*func)(DacsaVm *vm, void *data), void *data);

/* Has a worker look at a running VM, unless one does already. */
void dacsa_fleet_probe(DacsaFleet *fleet, DacsaVm *vm, uint64_t sequence);

/* To be called when a VM may have lost its last snapshot or tombstone: one that has ended too is
 * forgotten. */
void dacsa_fleet_forget_if_empty(DacsaFleet *fleet, DacsaVm *vm);
