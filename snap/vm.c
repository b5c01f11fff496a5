/* VMs and kept snapshots. */
#include "snap/vm.h"

#include "snap/cgroup.h"
#include "snap/channel.h"
#include "snap/procmaps.h"

#include <glib-unix.h>
#include <inttypes.h>
#include <sys/syscall.h>
#include <unistd.h>

DacsaVm *
dacsa_vm_new(DacsaVmAddress *address)
{
  DacsaVm *vm = g_new0(DacsaVm, 1);

  vm->address = address;
  vm->since_us = g_get_real_time();
  vm->pidfd = -1;
  vm->waiting = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_message_free);
  vm->snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_kept_free);
  vm->tombstones = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_tombstone_free);
  vm->cost.limit = vm->cost.room = UINT64_MAX;
  return vm;
}

void
dacsa_vm_free(DacsaVm *vm)
{
  if (!vm)
    return;
  dacsa_vm_unwatch(vm);
  g_clear_handle_id(&vm->retry, g_source_remove);
  g_ptr_array_unref(vm->snapshots);
  g_ptr_array_unref(vm->tombstones);
  g_free(vm->cost.cgroup);
  g_ptr_array_unref(vm->waiting);
  dacsa_vm_address_free(vm->address);
  dacsa_policy_clear(&vm->policy);
  dacsa_probe_free(vm->probe);
  g_free(vm->unreachable);
  g_free(vm->last_error);
  g_free(vm->socket_life);
  g_free(vm);
}

/* -- its QEMU's end -- */

typedef struct {
  DacsaVm *vm;
  void (*ended)(DacsaVm *vm, void *data);
  void *data;
} Watch;

static gboolean
on_qemu_ended(gint fd, GIOCondition condition, void *data)
{
  const Watch *watch = data;

  (void)fd;
  (void)condition;
  watch->vm->watch = 0;
  watch->ended(watch->vm, watch->data);
  return G_SOURCE_REMOVE;
}

void
dacsa_vm_watch(DacsaVm *vm, void (*ended)(DacsaVm *vm, void *data), void *data)
{
  dacsa_vm_unwatch(vm);
  vm->pidfd = (int)syscall(SYS_pidfd_open, vm->probe->pid, 0);
  if (vm->pidfd < 0)
    return;
  Watch *watch = g_new(Watch, 1);
  *watch = (Watch){vm, ended, data};
  vm->watch =
      g_unix_fd_add_full(G_PRIORITY_DEFAULT, vm->pidfd, G_IO_IN, on_qemu_ended, watch, g_free);
}

void
dacsa_vm_unwatch(DacsaVm *vm)
{
  g_clear_handle_id(&vm->watch, g_source_remove);
  if (vm->pidfd >= 0)
    close(vm->pidfd);
  vm->pidfd = -1;
}

/* Systemd ends the group of a unit or scope whose QEMU has ended. */
void
dacsa_vm_outlive(const DacsaVm *vm)
{
  for (guint i = 0; i < vm->snapshots->len; i++) {
    const DacsaKept *kept = g_ptr_array_index(vm->snapshots, i);
    const bool alive = syscall(SYS_pidfd_send_signal, kept->pidfd, 0, NULL, 0) == 0;
    g_autoptr(GError) error = NULL;

    if (alive && !dacsa_cgroup_move("", kept->record->child, getpid(), &error))
      g_message("%s/%s may end with its VM's control group: %s", kept->record->vm,
                kept->record->name, error->message);
  }
}

/* -- what there is to be told of it -- */

const char *const *
dacsa_vm_methods(const DacsaVm *vm)
{
  return (const char *const *)vm->policy.methods;
}

static void
line(GString *text, const char *key, const char *value)
{
  g_autofree char *one_line = g_strdelimit(g_strdup(value), "\n", ' ');

  g_string_append_printf(text, "%s: %s\n", key, one_line);
}

/* A line of each: `reason` and `remedy` of what refuses, `warning` of what does not. */
static void
finding_lines(GString *text, const GPtrArray *findings)
{
  for (guint i = 0; i < findings->len; i++) {
    const DacsaFinding *finding = g_ptr_array_index(findings, i);

    if (finding->refuses) {
      line(text, "reason", finding->reason);
      line(text, "remedy", finding->remedy);
    } else {
      g_autofree char *both = g_strdup_printf("%s; %s", finding->reason, finding->remedy);

      line(text, "warning", both);
    }
  }
}

/* Padded, so that the file's size does not change with the figure. */
static void
cost_lines(GString *text, const DacsaVm *vm)
{
  if (vm->cost.limit != UINT64_MAX)
    g_string_append_printf(text, "cow_limit: %" PRIu64 "\n", vm->cost.limit);
  if (vm->cost.known || vm->snapshots->len == 0)
    g_string_append_printf(text, "cow_bytes: %-20" PRIu64 "\n",
                           vm->snapshots->len ? vm->cost.bytes : 0);
  else
    g_string_append_printf(text, "cow_bytes: %-20s\n", "-");
}

static void
schedule_line(GString *text, const DacsaVm *vm)
{
  if (vm->next_snapshot_us) {
    g_autofree char *time = dacsa_record_time(vm->next_snapshot_us);

    line(text, "next_snapshot", time);
  }
}

char *
dacsa_vm_absence(const DacsaVm *vm)
{
  if (vm->unreachable)
    return g_strdup(vm->unreachable);
  return vm->awaited ? g_strdup_printf("nothing listens at %s", vm->address->socket)
                     : g_strdup("the VM is not running");
}

static void
absent_lines(GString *text, const DacsaVm *vm)
{
  g_autofree char *reason = dacsa_vm_absence(vm);
  g_autofree char *remedy =
      vm->unreachable ? g_strdup("make QEMU's monitor answer there")
      : vm->awaited
          ? g_strdup_printf("start QEMU with -qmp unix:%s,server=on,wait=off", vm->address->socket)
          : g_strdup("start it");

  line(text, "state", vm->unreachable ? "unreachable" : vm->awaited ? "not running" : "gone");
  line(text, "snapshot", "impossible");
  line(text, "reason", reason);
  line(text, "remedy", remedy);
}

char *
dacsa_vm_status(const DacsaVm *vm)
{
  GString *text = g_string_new(NULL);

  if (!vm->running) {
    absent_lines(text, vm);
    return g_string_free(text, FALSE);
  }
  line(text, "state", vm->unreachable ? "unreachable" : vm->probe ? vm->probe->state : "starting");
  if (vm->probe) {
    g_string_append_printf(text, "pid: %d\n", (int)vm->probe->pid);
    line(text, "uuid", vm->probe->uuid);
    line(text, "method", vm->probe->method ? vm->probe->method : "none");
  }
  if (vm->unreachable) {
    line(text, "snapshot", "impossible");
    line(text, "reason", vm->unreachable);
    line(text, "remedy", "make its monitor answer");
  } else if (vm->probe) {
    line(text, "snapshot", vm->probe->method ? "possible" : "impossible");
    finding_lines(text, vm->probe->findings);
  } else {
    line(text, "snapshot", "not known yet");
  }
  cost_lines(text, vm);
  schedule_line(text, vm);
  if (vm->last_error)
    line(text, "last_error", vm->last_error);
  return g_string_free(text, FALSE);
}

DacsaKept *
dacsa_vm_find(const DacsaVm *vm, const char *name)
{
  for (guint i = 0; i < vm->snapshots->len; i++) {
    DacsaKept *kept = g_ptr_array_index(vm->snapshots, i);

    if (g_str_equal(kept->record->name, name))
      return kept;
  }
  return NULL;
}

DacsaTombstone *
dacsa_vm_find_tombstone(const DacsaVm *vm, const char *name)
{
  for (guint i = 0; i < vm->tombstones->len; i++) {
    DacsaTombstone *tombstone = g_ptr_array_index(vm->tombstones, i);

    if (g_str_equal(tombstone->record->name, name))
      return tombstone;
  }
  return NULL;
}

DacsaTombstone *
dacsa_tombstone_new(DacsaKept *kept)
{
  DacsaTombstone *tombstone = g_new0(DacsaTombstone, 1);

  tombstone->record = g_steal_pointer(&kept->record);
  tombstone->why = g_strdup(kept->why);
  tombstone->serial = kept->serial;
  tombstone->dropped_us = g_get_real_time();
  tombstone->private_bytes = kept->private_bytes;
  return tombstone;
}

void
dacsa_tombstone_free(DacsaTombstone *tombstone)
{
  if (!tombstone)
    return;
  dacsa_record_free(tombstone->record);
  g_free(tombstone->why);
  g_free(tombstone);
}

DacsaKept *
dacsa_kept_new(DacsaRecord *record, int pidfd)
{
  DacsaKept *kept = g_new0(DacsaKept, 1);

  kept->record = record;
  kept->pidfd = pidfd;
  return kept;
}

void
dacsa_kept_free(DacsaKept *kept)
{
  if (!kept)
    return;
  if (kept->watch)
    g_source_remove(kept->watch);
  close(kept->pidfd);
  g_free(kept->why);
  dacsa_record_free(kept->record);
  g_free(kept);
}

bool
dacsa_kept_open(const DacsaRecord *record, int *ret_pidfd)
{
  int pidfd = (int)syscall(SYS_pidfd_open, record->child, 0);

  if (pidfd < 0)
    return false;
  /* The pidfd pins the process, so that what is read now is of the process it names. */
  if (!dacsa_procmaps_is_process(record->child, record->child_start)) {
    close(pidfd);
    return false;
  }
  *ret_pidfd = pidfd;
  return true;
}
