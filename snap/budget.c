/* The rules by which a snapshot is given up, each asked in turn. */
#include "snap/budget.h"

#include <inttypes.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define RESERVE_SHARE 32u
#define HOST_RESERVE_MIN (64 * MIB)
#define HOST_RESERVE_MAX (1024 * MIB)
#define STALLED_FACTOR 4u
#define CGROUP_RESERVE_MIN (16 * MIB)
#define CGROUP_RESERVE_MAX (256 * MIB)
#define WORTH_SHARE 8u

uint64_t
dacsa_budget_host_reserve(uint64_t memory, bool stalled)
{
  return CLAMP(memory / RESERVE_SHARE, HOST_RESERVE_MIN, HOST_RESERVE_MAX) *
         (stalled ? STALLED_FACTOR : 1);
}

uint64_t
dacsa_budget_cgroup_reserve(uint64_t limit)
{
  return CLAMP(limit / RESERVE_SHARE, CGROUP_RESERVE_MIN, CGROUP_RESERVE_MAX);
}

/* Whether a VM's snapshots are among those that a rule is about: that VM's, those of the same
 * cgroup, or all where both are NULL. */
static bool
concerns(const DacsaBudgetVm *vm, const DacsaBudgetVm *only, const char *cgroup)
{
  return (!only || vm == only) && (!cgroup || (vm->cgroup && strcmp(vm->cgroup, cgroup) == 0));
}

static bool
find_oldest(const DacsaBudget *budget, const DacsaBudgetVm *only, const char *cgroup, size_t *ret)
{
  bool found = false;

  for (size_t i = 0; i < budget->n_snapshots; i++) {
    const DacsaBudgetSnapshot *snapshot = &budget->snapshots[i];

    if (concerns(&budget->vms[snapshot->vm], only, cgroup) &&
        (!found || snapshot->born < budget->snapshots[*ret].born)) {
      *ret = i;
      found = true;
    }
  }
  return found;
}

static uint64_t
cost_of(const DacsaBudget *budget, const char *cgroup)
{
  uint64_t sum = 0;

  for (size_t i = 0; i < budget->n_vms; i++)
    if (concerns(&budget->vms[i], NULL, cgroup))
      sum += budget->vms[i].bytes;
  return sum;
}

static bool
over_vm_limit(const DacsaBudget *budget, size_t *ret, char **ret_why)
{
  for (size_t i = 0; i < budget->n_vms; i++) {
    const DacsaBudgetVm *vm = &budget->vms[i];

    if (vm->bytes <= vm->limit || !find_oldest(budget, vm, NULL, ret))
      continue;
    *ret_why = g_strdup_printf("the snapshots of this VM cost %" PRIu64
                               " MiB, more than cow-limit allows, %" PRIu64 " MiB",
                               vm->bytes / MIB, vm->limit / MIB);
    return true;
  }
  return false;
}

static bool
over_limit(const DacsaBudget *budget, size_t *ret, char **ret_why)
{
  const uint64_t cost = cost_of(budget, NULL);

  if (cost <= budget->limit || !find_oldest(budget, NULL, NULL, ret))
    return false;
  *ret_why = g_strdup_printf("all snapshots cost %" PRIu64
                             " MiB, more than host-cow-limit allows, %" PRIu64 " MiB",
                             cost / MIB, budget->limit / MIB);
  return true;
}

static bool
cgroup_is_short(const DacsaBudget *budget, size_t *ret, char **ret_why)
{
  for (size_t i = 0; i < budget->n_vms; i++) {
    const DacsaBudgetVm *vm = &budget->vms[i];
    const uint64_t reserve = dacsa_budget_cgroup_reserve(vm->room_max);

    if (!vm->cgroup || vm->room >= reserve || cost_of(budget, vm->cgroup) < reserve / WORTH_SHARE ||
        !find_oldest(budget, NULL, vm->cgroup, ret))
      continue;
    *ret_why = g_strdup_printf("memory runs short: QEMU's cgroup has %" PRIu64
                               " MiB left below %s, and snapshots cost %" PRIu64 " MiB of it",
                               vm->room / MIB, vm->cgroup, cost_of(budget, vm->cgroup) / MIB);
    return true;
  }
  return false;
}

static bool
host_is_short(const DacsaBudget *budget, size_t *ret, char **ret_why)
{
  const uint64_t reserve = dacsa_budget_host_reserve(budget->memory, budget->stalled);
  const uint64_t cost = cost_of(budget, NULL);

  if (budget->available >= reserve || cost < reserve / WORTH_SHARE ||
      !find_oldest(budget, NULL, NULL, ret))
    return false;
  *ret_why = g_strdup_printf(
      "memory runs short: the host has %" PRIu64 " MiB left%s, and snapshots "
      "cost %" PRIu64 " MiB",
      budget->available / MIB, budget->stalled ? " and tasks wait for it" : "", cost / MIB);
  return true;
}

bool
dacsa_budget_decide(const DacsaBudget *budget, size_t *ret_snapshot, char **ret_why)
{
  static bool (*const rules[])(const DacsaBudget *budget, size_t *ret, char **ret_why) = {
      over_vm_limit, over_limit, cgroup_is_short, host_is_short};

  for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
    if (rules[i](budget, ret_snapshot, ret_why))
      return true;
  return false;
}
