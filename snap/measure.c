/* A worker that reads smaps_rollup and control groups, and what becomes of its reply. */
#include "snap/measure.h"

#include "snap/cgroup.h"
#include "snap/error.h"
#include "snap/rollup.h"

#include <sys/resource.h>
#include <time.h>

#define DEADLINE_US (120 * G_USEC_PER_SEC) /* until such a worker is given up */

/* cpu_us; VMs: name, bytes, room, its file or "", the limit; snapshots: VM, child, private bytes */
#define REPLY "(ta(sttst)a(sit))"

/* -- the worker -- */

typedef struct {
  GVariantBuilder *vms, *snapshots;
} Measurement;

static uint64_t
measure_snapshots(const DacsaVm *vm, GVariantBuilder *snapshots)
{
  g_autoptr(GArray) rollups = g_array_new(FALSE, FALSE, sizeof(DacsaRollup));
  DacsaRollup qemu = {0}, rollup;

  for (guint i = 0; i < vm->snapshots->len; i++) {
    const DacsaKept *kept = g_ptr_array_index(vm->snapshots, i);

    if (!dacsa_rollup_read("", kept->record->child, &rollup))
      continue;
    g_array_append_val(rollups, rollup);
    g_variant_builder_add(snapshots, "(sit)", vm->address->name, (gint32)kept->record->child,
                          rollup.private_bytes);
  }
  const bool shared = rollups->len > 1 && vm->running && vm->probe;
  /* A QEMU that cannot be read: as if all but what is private were still its own. */
  if (shared && !dacsa_rollup_read("", vm->probe->pid, &qemu))
    qemu.anon_bytes = UINT64_MAX;
  return dacsa_rollup_cost((const DacsaRollup *)(void *)rollups->data, rollups->len,
                           shared ? &qemu : NULL);
}

static void
measure_vm(DacsaVm *vm, void *data)
{
  const Measurement *m = data;

  if (vm->snapshots->len == 0)
    return;
  /* Snapshots are in the cgroup of their QEMU, also when it is gone. */
  const DacsaKept *newest = g_ptr_array_index(vm->snapshots, vm->snapshots->len - 1);
  const pid_t pid = vm->running && vm->probe ? vm->probe->pid : newest->record->child;
  g_autoptr(DacsaCgroupLimit) limit = dacsa_cgroup_tightest("", pid, DACSA_CGROUP_MEMORY);
  const uint64_t bytes = measure_snapshots(vm, m->snapshots);

  g_variant_builder_add(m->vms, "(sttst)", vm->address->name, bytes,
                        limit ? dacsa_cgroup_room(limit) : UINT64_MAX, limit ? limit->file : "",
                        limit ? limit->limit : UINT64_MAX);
}

static void
measure_job(int reply_fd, void *data)
{
  DacsaFleet *fleet = data;
  GVariantBuilder vms, snapshots;
  Measurement measurement = {&vms, &snapshots};
  struct timespec used;

  /* A worker that has stopped a VM is in a hurry, this one is not. */
  if (setpriority(PRIO_PROCESS, 0, 0) < 0) {
    /* It stays in a hurry then. */
  }
  g_variant_builder_init(&vms, G_VARIANT_TYPE("a(sttst)"));
  g_variant_builder_init(&snapshots, G_VARIANT_TYPE("a(sit)"));
  dacsa_fleet_foreach(fleet, measure_vm, &measurement);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  const uint64_t cpu_us = (uint64_t)used.tv_sec * G_USEC_PER_SEC + (uint64_t)used.tv_nsec / 1000;
  dacsa_worker_reply(reply_fd, g_variant_new(REPLY, cpu_us, &vms, &snapshots), NULL);
}

bool
dacsa_measure_start(DacsaFleet *fleet, DacsaWorkerDone done, void *data, GError **error)
{
  return dacsa_worker_start(measure_job, fleet, DEADLINE_US, done, data, error);
}

/* -- its reply -- */

/* The snapshot of the VM whose child that is; NULL: none is any more. */
static DacsaKept *
find_child(const DacsaVm *vm, pid_t child)
{
  for (guint i = 0; i < vm->snapshots->len; i++) {
    DacsaKept *kept = g_ptr_array_index(vm->snapshots, i);

    if (kept->record->child == child)
      return kept;
  }
  return NULL;
}

/* What one that has gone meanwhile held alone is no longer part of its VM's cost. */
static void
set_snapshots(DacsaFleet *fleet, GVariant *snapshots)
{
  GVariantIter iter;
  const char *name;
  gint32 child;
  guint64 bytes;

  g_variant_iter_init(&iter, snapshots);
  while (g_variant_iter_next(&iter, "(&sit)", &name, &child, &bytes)) {
    DacsaVm *vm = dacsa_fleet_find(fleet, name);
    DacsaKept *kept = vm ? find_child(vm, child) : NULL;

    if (kept)
      kept->private_bytes = bytes;
    else if (vm)
      vm->cost.bytes -= MIN(vm->cost.bytes, bytes);
  }
}

static void
set_vms(DacsaFleet *fleet, GVariant *vms)
{
  GVariantIter iter;
  const char *name, *file;
  guint64 bytes, room, room_max;

  g_variant_iter_init(&iter, vms);
  while (g_variant_iter_next(&iter, "(&stt&st)", &name, &bytes, &room, &file, &room_max)) {
    DacsaVm *vm = dacsa_fleet_find(fleet, name);

    if (!vm)
      continue;
    g_free(vm->cost.cgroup);
    vm->cost.cgroup = file[0] ? g_strdup(file) : NULL;
    vm->cost.bytes = bytes;
    vm->cost.room = room;
    vm->cost.room_max = room_max;
    vm->cost.known = true;
  }
}

bool
dacsa_measure_note(DacsaFleet *fleet, GVariant *payload, uint64_t *ret_cpu_us, GError **error)
{
  if (!g_variant_is_of_type(payload, G_VARIANT_TYPE(REPLY)))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a worker's result has a foreign shape");
  g_autoptr(GVariant) vms = g_variant_get_child_value(payload, 1);
  g_autoptr(GVariant) snapshots = g_variant_get_child_value(payload, 2);

  g_variant_get_child(payload, 0, "t", ret_cpu_us);
  set_vms(fleet, vms);
  set_snapshots(fleet, snapshots);
  return true;
}
