/* The VMs and snapshots there are, as the keeper tells of them. Every VM and every snapshot has a
 * serial number of its own, given by the keeper and never used again, from which inode numbers are
 * made: they mean the same to every viewer of a mount. */
#pragma once

#include "fs/snapshot.h"

typedef struct DacsaRegistry DacsaRegistry;

/* A VM at one moment: a copy for the caller. */
typedef struct {
  uint32_t serial;
  char *name;           /* as the keeper knows it */
  char *file_name;      /* as the tree shows it */
  char *status;         /* the text of its status file */
  int64_t since_us;     /* UNIX time when it was first seen */
  GPtrArray *snapshots; /* DacsaSnapshot, referenced, ascending by serial */
} DacsaVmView;

DacsaRegistry *dacsa_registry_new(void);

void dacsa_vm_view_free(DacsaVmView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaVmView, dacsa_vm_view_free)

/* What the keeper tells of a VM; copied. */
typedef struct {
  uint32_t serial; /* 1 to DACSA_SERIAL_MAX */
  const char *name;
  const char *status;
  /* Names the VM's QEMU process. When it is another, nothing that was learnt of the old one's guest
   * is believed of the new one's: it may be another's. */
  const char *life;
  int64_t since_us; /* UNIX time */
} DacsaVmNews;

/* And of a snapshot that is no more; copied. */
typedef struct {
  uint32_t serial; /* the snapshot's */
  const char *why;
  int64_t dropped_us;     /* UNIX time */
  uint64_t private_bytes; /* 0: not known */
} DacsaGraveNews;

/* From the keeper. */
void dacsa_registry_set_vm(DacsaRegistry *registry, const DacsaVmNews *news);
/* The VM is gone, and forgotten with the last of its snapshots. */
void dacsa_registry_remove_vm(DacsaRegistry *registry, const char *name);
/* Takes record and descriptors. */
void dacsa_registry_add_snapshot(DacsaRegistry *registry, DacsaSnapshotNumber number,
                                 DacsaRecord *record, DacsaSnapshotFds fds);
/* The snapshot that record tells of is no more, but its directory and info stay. Takes record.
 * false: there is no such VM. */
bool dacsa_registry_bury_snapshot(DacsaRegistry *registry, const DacsaGraveNews *news,
                                  DacsaRecord *record);
/* *ret_serial: of the snapshot that was removed; false: there is none of that name. */
bool dacsa_registry_remove_snapshot(DacsaRegistry *registry, const char *vm, const char *name,
                                    uint32_t *ret_serial);

/* For the tree. NULL: no such VM. Owned. */
DacsaVmView *dacsa_registry_vm(DacsaRegistry *registry, uint32_t serial);
DacsaVmView *dacsa_registry_vm_by_file_name(DacsaRegistry *registry, const char *file_name);
GPtrArray *dacsa_registry_vms(DacsaRegistry *registry); /* owned array of owned DacsaVmView */
DacsaSnapshot *dacsa_registry_snapshot(DacsaRegistry *registry, uint32_t serial,
                                       uint32_t *ret_vm_serial); /* a reference, or NULL */
