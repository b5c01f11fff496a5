/* A VM as the keeper knows it, and the snapshots it has of it. For the keeper's modules alone,
 * those that work on the fleet's VMs, and for a take's worker, which has a copy. */
#pragma once

#include "snap/address.h"
#include "snap/policy.h"
#include "snap/probe.h"
#include "snap/record.h"

/* How a snapshot ends. */
typedef enum {
  DACSA_END_LOST,     /* its child was killed, and not by us */
  DACSA_END_ASKED,    /* somebody wanted it gone */
  DACSA_END_EXPIRED,  /* enough newer ones of the schedule are there */
  DACSA_END_GIVEN_UP, /* it cost too much, or memory ran short */
} DacsaEnd;

typedef struct {
  DacsaRecord *record;
  int pidfd;
  uint32_t serial;        /* of the viewers' inode numbers */
  uint32_t shown;         /* to how many viewers */
  guint watch;            /* GSource id: the child ended */
  char *why;              /* why it was killed; NULL: it was not, or not by us */
  DacsaEnd end;           /* of which kind that is */
  uint64_t drop_sequence; /* of the request that waits for its end; 0: none does */
  uint64_t private_bytes; /* what it alone holds, as last measured (snap/rollup.h) */
  int64_t killed_us;      /* monotonic time, where why is set */
  bool stays;             /* it could not be killed */
} DacsaKept;

/* A snapshot that ended unasked, so that whoever looks for it learns why. */
typedef struct {
  DacsaRecord *record;
  char *why;
  uint32_t serial;        /* as the snapshot's */
  int64_t dropped_us;     /* UNIX time */
  uint64_t private_bytes; /* when it was last measured */
} DacsaTombstone;

/* What a VM's snapshots cost together. */
typedef struct {
  bool known;        /* whether it was measured since there are snapshots */
  uint64_t bytes;    /* then, snap/rollup.h */
  uint64_t limit;    /* --cow-limit, in bytes; UINT64_MAX: none */
  uint64_t faults;   /* of its QEMU, just before */
  uint64_t room;     /* below the tightest limit of QEMU's cgroups; UINT64_MAX: there is none */
  uint64_t room_max; /* that limit */
  char *cgroup;      /* the file that sets it; NULL: none */
} DacsaVmCost;

typedef struct {
  DacsaVmAddress *address;
  uint32_t serial;    /* of the viewers' inode numbers */
  int64_t since_us;   /* UNIX time when it became known */
  DacsaPolicy policy; /* what its operator wants */
  DacsaProbe *probe;  /* the latest; NULL: none succeeded yet */
  char *unreachable;  /* why the latest probe failed; NULL: it did not, or nobody was there */
  char *last_error;   /* why the latest snapshot failed; NULL: it did not, or there was none */
  bool awaited;       /* its operator's configuration names its socket: listed in any case */
  bool running; /* false: not there, or shut down; listed only for its snapshots, or awaited */
  bool listed;  /* somebody has been told of it */
  bool probing;
  bool outdated;        /* the probe under way began in an earlier life */
  bool stale;           /* it is to be looked at for the clock's sake, when others have been */
  guint tries;          /* probes still to be made, while they fail: it is just starting */
  guint retry;          /* GSource id: of the next */
  unsigned taking;      /* snapshots under way: one, but where one hangs and another is tried */
  GPtrArray *waiting;   /* DacsaMessage: requests that wait for the probe under way */
  char *socket_life;    /* which file its socket was when it was last tried; NULL: there was none */
  int pidfd;            /* of QEMU, or -1 */
  guint watch;          /* GSource id: QEMU ended */
  GPtrArray *snapshots; /* DacsaKept, oldest first */
  GPtrArray *tombstones; /* DacsaTombstone, the oldest end first */
  DacsaVmCost cost;
  int64_t next_snapshot_us; /* UNIX time of the next of its schedule; 0: it has none */
} DacsaVm;

DacsaVm *dacsa_vm_new(DacsaVmAddress *address); /* takes address */
void dacsa_vm_free(DacsaVm *vm);

/* Calls ended, once, from the default GMainContext, when the QEMU that was probed has ended; in
 * place of an earlier one. It may free the VM. */
void dacsa_vm_watch(DacsaVm *vm, void (*ended)(DacsaVm *vm, void *data), void *data);
void dacsa_vm_unwatch(DacsaVm *vm);

/* The snapshots of a VM that has ended leave the control group of its QEMU for this process's: who
 * ends a control group ends all in it. */
void dacsa_vm_outlive(const DacsaVm *vm);

/* By which its snapshots may be taken, in the order of preference; NULL-terminated, borrowed. */
const char *const *dacsa_vm_methods(const DacsaVm *vm);

/* The text of the `status` file; owned. */
char *dacsa_vm_status(const DacsaVm *vm);

/* Why there is no QEMU to be snapshotted, of a VM that does not run; owned. */
char *dacsa_vm_absence(const DacsaVm *vm);

/* NULL: no such snapshot, no such tombstone. */
DacsaTombstone *dacsa_vm_find_tombstone(const DacsaVm *vm, const char *name);
DacsaKept *dacsa_vm_find(const DacsaVm *vm, const char *name);

DacsaKept *dacsa_kept_new(DacsaRecord *record, int pidfd); /* takes both */
void dacsa_kept_free(DacsaKept *kept);

/* What is left of kept, whose record it takes. */
DacsaTombstone *dacsa_tombstone_new(DacsaKept *kept);
void dacsa_tombstone_free(DacsaTombstone *tombstone);

/* Whether the record's child still lives; *ret_pidfd is owned. */
bool dacsa_kept_open(const DacsaRecord *record, int *ret_pidfd);
