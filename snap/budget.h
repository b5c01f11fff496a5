/*
 * Which snapshot has to go, if one has to: the decision alone, from what was measured. One at a
 * time: what that brings is measured before the next.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A VM that has snapshots. */
typedef struct {
  uint64_t bytes;     /* what they cost together (snap/rollup.h) */
  uint64_t limit;     /* UINT64_MAX: none, or the VM has ended: they cost what it did itself then */
  const char *cgroup; /* the file of the tightest limit above its QEMU; NULL: there is none */
  uint64_t room, room_max; /* what is left below that limit; the limit */
} DacsaBudgetVm;

typedef struct {
  size_t vm;     /* an index into vms */
  uint64_t born; /* clock ticks since boot: clocks that are set do not matter */
} DacsaBudgetSnapshot;

typedef struct {
  const DacsaBudgetVm *vms;
  size_t n_vms;
  const DacsaBudgetSnapshot *snapshots;
  size_t n_snapshots;
  uint64_t limit;     /* of all together; UINT64_MAX: none */
  uint64_t memory;    /* the host's, in bytes */
  uint64_t available; /* MemAvailable */
  bool stalled;       /* tasks were waiting for memory just now */
} DacsaBudget;

/*
 * Memory is short when less is left than a reserve: of the host a 32nd of its memory, from 64 MiB
 * to 1 GiB, and four times that while tasks wait for memory; of a cgroup a 32nd of its limit, from
 * 16 to 256 MiB. Then snapshots go only where theirs is an eighth of the reserve at least: else
 * they are not why, and would not help.
 */
uint64_t dacsa_budget_host_reserve(uint64_t memory, bool stalled);
uint64_t dacsa_budget_cgroup_reserve(uint64_t limit);

/* The snapshot that is to go now, the oldest of those concerned: of a VM over its limit; of all, if
 * they are over theirs; of the VMs in a cgroup that is near its limit; of all, if the host's memory
 * is short. *ret_why, owned, says why with figures. false: none. */
bool dacsa_budget_decide(const DacsaBudget *budget, size_t *ret_snapshot, char **ret_why);
