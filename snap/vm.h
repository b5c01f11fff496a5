/* A VM as the keeper knows it, and the snapshots it has of it. Used by
 * snap/keeper.c, snap/fleet.c and snap/shelf.c alone. */
#pragma once

#include "snap/address.h"
#include "snap/probe.h"
#include "snap/record.h"

typedef struct {
  DacsaRecord *record;
  int pidfd;
  uint32_t serial;        /* of the viewers' inode numbers */
  uint32_t shown;         /* to how many viewers */
  guint watch;            /* GSource id: the child ended */
  char *why;              /* why it was killed; NULL: it was not, or not by us */
  uint64_t drop_sequence; /* of the request that waits for its end; 0: none does */
} DacsaKept;

typedef struct {
  DacsaVmAddress *address;
  uint32_t serial;   /* of the viewers' inode numbers */
  int64_t since_us;  /* UNIX time when it became known */
  DacsaProbe *probe; /* the latest; NULL: none succeeded yet */
  char *unreachable; /* why the latest probe failed; NULL: it did not */
  char *last_error;  /* why the latest snapshot failed; NULL: it did not, or there was none */
  bool running;      /* false: shut down, and listed only for its snapshots */
  bool probing, taking;
  GPtrArray *waiting;   /* DacsaMessage: requests that wait for the probe under way */
  int pidfd;            /* of QEMU, or -1 */
  guint watch;          /* GSource id: QEMU ended */
  GPtrArray *snapshots; /* DacsaKept, oldest first */
} DacsaVm;

DacsaVm *dacsa_vm_new(DacsaVmAddress *address); /* takes address */
void dacsa_vm_free(DacsaVm *vm);

/* The text of the `status` file; owned. */
char *dacsa_vm_status(const DacsaVm *vm);

DacsaKept *dacsa_vm_find(const DacsaVm *vm, const char *name);

DacsaKept *dacsa_kept_new(DacsaRecord *record, int pidfd); /* takes both */
void dacsa_kept_free(DacsaKept *kept);

/* Whether the record's child still lives; *ret_pidfd is owned. */
bool dacsa_kept_open(const DacsaRecord *record, int *ret_pidfd);
