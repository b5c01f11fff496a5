/* The registry of VMs and snapshots. */
#include "fs/registry.h"

#include "fs/names.h"

#include <string.h>

typedef struct {
  uint32_t serial;
  char *name, *file_name, *status;
  int64_t since_us;
  bool listed;          /* false: gone, and here for its snapshots alone */
  GPtrArray *snapshots; /* DacsaSnapshot, ascending by serial */
  char *life;           /* which life of the VM it is: its QEMU process */
  DacsaGuestMemo *memo; /* of that life */
} Vm;

struct DacsaRegistry {
  GMutex lock;
  GPtrArray *vms; /* Vm, ascending by serial, which is the order they were first seen in */
};

static void
vm_free(void *data)
{
  Vm *vm = data;

  g_free(vm->name);
  g_free(vm->file_name);
  g_free(vm->status);
  g_free(vm->life);
  g_ptr_array_unref(vm->snapshots);
  dacsa_guest_memo_unref(vm->memo);
  g_free(vm);
}

DacsaRegistry *
dacsa_registry_new(void)
{
  DacsaRegistry *registry = g_new0(DacsaRegistry, 1);

  g_mutex_init(&registry->lock);
  registry->vms = g_ptr_array_new_with_free_func(vm_free);
  return registry;
}

void
dacsa_vm_view_free(DacsaVmView *view)
{
  if (!view)
    return;
  g_free(view->name);
  g_free(view->file_name);
  g_free(view->status);
  g_ptr_array_unref(view->snapshots);
  g_free(view);
}

static Vm *
find_vm(DacsaRegistry *registry, const char *name)
{
  for (guint i = 0; i < registry->vms->len; i++) {
    Vm *vm = g_ptr_array_index(registry->vms, i);

    if (strcmp(vm->name, name) == 0)
      return vm;
  }
  return NULL;
}

static DacsaVmView *
view_new(const Vm *vm)
{
  DacsaVmView *view = g_new0(DacsaVmView, 1);

  view->serial = vm->serial;
  view->name = g_strdup(vm->name);
  view->file_name = g_strdup(vm->file_name);
  view->status = g_strdup(vm->status);
  view->since_us = vm->since_us;
  view->snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_snapshot_unref);
  for (guint i = 0; i < vm->snapshots->len; i++)
    g_ptr_array_add(view->snapshots, dacsa_snapshot_ref(g_ptr_array_index(vm->snapshots, i)));
  return view;
}

static gint
compare_serials(gconstpointer a, gconstpointer b)
{
  const Vm *x = *(const Vm *const *)a, *y = *(const Vm *const *)b;

  return x->serial < y->serial ? -1 : x->serial > y->serial;
}

static Vm *
add_vm(DacsaRegistry *registry, const char *name)
{
  Vm *vm = g_new0(Vm, 1);

  vm->name = g_strdup(name);
  vm->file_name = dacsa_name_escape(name);
  vm->snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_snapshot_unref);
  g_ptr_array_add(registry->vms, vm);
  return vm;
}

/* What was learnt of a VM's guest is large. */
static void
forget_if_empty(DacsaRegistry *registry, Vm *vm)
{
  if (!vm->listed && vm->snapshots->len == 0)
    g_ptr_array_remove(registry->vms, vm);
}

/* Whenever a viewer is told of it: a directory lists the same in each. */
static void
insert_snapshot(Vm *vm, DacsaSnapshot *snapshot)
{
  guint i = vm->snapshots->len;

  while (i > 0 && dacsa_snapshot_serial(g_ptr_array_index(vm->snapshots, i - 1)) >
                      dacsa_snapshot_serial(snapshot))
    i--;
  g_ptr_array_insert(vm->snapshots, (gint)i, snapshot);
}

/* A VM that was forgotten and is there again has another serial number. */
void
dacsa_registry_set_vm(DacsaRegistry *registry, const DacsaVmNews *news)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&registry->lock);
  Vm *vm = find_vm(registry, news->name);

  if (!vm)
    vm = add_vm(registry, news->name);
  vm->listed = true;
  vm->since_us = news->since_us;
  if (vm->serial != news->serial) {
    vm->serial = news->serial;
    g_ptr_array_sort(registry->vms, compare_serials);
  }
  if (!vm->memo || strcmp(vm->life, news->life) != 0) {
    dacsa_guest_memo_unref(vm->memo);
    vm->memo = dacsa_guest_memo_new();
    g_free(vm->life);
    vm->life = g_strdup(news->life);
  }
  g_free(vm->status);
  vm->status = g_strdup(news->status);
}

void
dacsa_registry_remove_vm(DacsaRegistry *registry, const char *name)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&registry->lock);
  Vm *vm = find_vm(registry, name);

  if (!vm)
    return;
  vm->listed = false;
  forget_if_empty(registry, vm);
}

void
dacsa_registry_add_snapshot(DacsaRegistry *registry, DacsaSnapshotNumber number,
                            DacsaRecord *record, DacsaSnapshotFds fds)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&registry->lock);
  Vm *vm = find_vm(registry, record->vm);

  if (!vm) {
    dacsa_record_free(record);
    dacsa_snapshot_fds_close(fds);
    return;
  }
  insert_snapshot(vm, dacsa_snapshot_new(number, record, fds, vm->memo));
}

static DacsaSnapshot *
find_snapshot(const Vm *vm, const char *name, guint *ret_index)
{
  for (guint i = 0; vm && i < vm->snapshots->len; i++) {
    DacsaSnapshot *s = g_ptr_array_index(vm->snapshots, i);

    if (strcmp(dacsa_snapshot_record(s)->name, name) == 0) {
      *ret_index = i;
      return s;
    }
  }
  return NULL;
}

bool
dacsa_registry_bury_snapshot(DacsaRegistry *registry, const DacsaGraveNews *news,
                             DacsaRecord *record)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&registry->lock);
  g_autoptr(DacsaRecord) owned = record;
  const DacsaSnapshotFds none = {-1, -1, -1};
  Vm *vm = find_vm(registry, record->vm);
  guint i;
  DacsaSnapshot *s = find_snapshot(vm, record->name, &i);

  if (!vm)
    return false;
  if (!s) {
    s = dacsa_snapshot_new((DacsaSnapshotNumber){news->serial, 0}, g_steal_pointer(&owned), none,
                           vm->memo);
    insert_snapshot(vm, s);
  }
  dacsa_snapshot_bury(s, news->why, news->dropped_us, news->private_bytes);
  return true;
}

bool
dacsa_registry_remove_snapshot(DacsaRegistry *registry, const char *vm_name, const char *name,
                               uint32_t *ret_serial)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&registry->lock);
  Vm *vm = find_vm(registry, vm_name);
  guint i;
  const DacsaSnapshot *s = find_snapshot(vm, name, &i);

  if (!s)
    return false;
  *ret_serial = dacsa_snapshot_serial(s);
  g_ptr_array_remove_index(vm->snapshots, i);
  forget_if_empty(registry, vm);
  return true;
}

DacsaVmView *
dacsa_registry_vm(DacsaRegistry *registry, uint32_t serial)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&registry->lock);

  for (guint i = 0; i < registry->vms->len; i++) {
    const Vm *vm = g_ptr_array_index(registry->vms, i);

    if (vm->listed && vm->serial == serial)
      return view_new(vm);
  }
  return NULL;
}

DacsaVmView *
dacsa_registry_vm_by_file_name(DacsaRegistry *registry, const char *file_name)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&registry->lock);

  for (guint i = 0; i < registry->vms->len; i++) {
    const Vm *vm = g_ptr_array_index(registry->vms, i);

    if (vm->listed && strcmp(vm->file_name, file_name) == 0)
      return view_new(vm);
  }
  return NULL;
}

GPtrArray *
dacsa_registry_vms(DacsaRegistry *registry)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&registry->lock);
  GPtrArray *views = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_vm_view_free);

  for (guint i = 0; i < registry->vms->len; i++) {
    const Vm *vm = g_ptr_array_index(registry->vms, i);

    if (vm->listed)
      g_ptr_array_add(views, view_new(vm));
  }
  return views;
}

DacsaSnapshot *
dacsa_registry_snapshot(DacsaRegistry *registry, uint32_t serial, uint32_t *ret_vm_serial)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&registry->lock);

  for (guint i = 0; i < registry->vms->len; i++) {
    const Vm *vm = g_ptr_array_index(registry->vms, i);

    for (guint j = 0; j < vm->snapshots->len; j++) {
      DacsaSnapshot *s = g_ptr_array_index(vm->snapshots, j);

      if (dacsa_snapshot_serial(s) == serial) {
        *ret_vm_serial = vm->serial;
        return dacsa_snapshot_ref(s);
      }
    }
  }
  return NULL;
}
