/* Finds VMs and keeps an eye on them. */
#include "snap/fleet.h"

#include "snap/cgroup.h"
#include "snap/error.h"
#include "snap/libvirt.h"
#include "snap/procmaps.h"
#include "snap/worker.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROBE_US (20 * G_USEC_PER_SEC)
#define RETRY_MS 250
#define MAX_SERIAL ((1u << 24) - 1) /* inode numbers have room for no more */
#define RETRIES 40                  /* of a probe of a VM that is just starting */

struct DacsaFleet {
  DacsaFleetOptions options; /* uri and qmp are not looked at after dacsa_fleet_new */
  GHashTable *vms;           /* name -> DacsaVm, owned */
  uint32_t last_serial;
  DacsaLibvirt *libvirt;
  int inotify; /* of the directories of the QMP sockets */
  guint inotify_source;
};

/* A probe under way, or to be tried again. */
typedef struct {
  DacsaFleet *fleet;
  char *vm;
  uint64_t sequence; /* of the request; 0: nobody asked */
  guint tries;       /* still to be made, if it fails */
} Probe;

static void start_probe(DacsaFleet *self, DacsaVm *vm, uint64_t sequence, guint tries);

static Probe *
probe_new(DacsaFleet *fleet, const char *vm, uint64_t sequence, guint tries)
{
  Probe *probe = g_new0(Probe, 1);

  probe->fleet = fleet;
  probe->vm = g_strdup(vm);
  probe->sequence = sequence;
  probe->tries = tries;
  return probe;
}

static void
probe_free(Probe *probe)
{
  g_free(probe->vm);
  g_free(probe);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Probe, probe_free)

static void
tell_changed(DacsaFleet *self, DacsaVm *vm)
{
  self->options.changed(vm, self->options.data);
}

/* -- VMs -- */

DacsaVm *
dacsa_fleet_find(DacsaFleet *self, const char *name)
{
  return g_hash_table_lookup(self->vms, name);
}

void
dacsa_fleet_foreach(DacsaFleet *self, void (*func)(DacsaVm *vm, void *data), void *data)
{
  GHashTableIter iter;
  void *value;

  g_hash_table_iter_init(&iter, self->vms);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    func(value, data);
}

void
dacsa_fleet_forget_if_empty(DacsaFleet *self, DacsaVm *vm)
{
  if (vm->running || vm->snapshots->len > 0 || vm->tombstones->len > 0 || vm->probing || vm->taking)
    return;
  self->options.gone(vm, self->options.data);
  /* One that --qmp names may come back at its socket. */
  if (!vm->address->socket)
    g_hash_table_remove(self->vms, vm->address->name);
}

static void
vm_stopped(DacsaFleet *self, DacsaVm *vm)
{
  if (vm->watch)
    g_source_remove(vm->watch);
  vm->watch = 0;
  if (vm->pidfd >= 0)
    close(vm->pidfd);
  vm->pidfd = -1;
  vm->running = false;
  g_clear_pointer(&vm->probe, dacsa_probe_free);
  g_clear_pointer(&vm->unreachable, g_free);
  g_clear_pointer(&vm->last_error, g_free);
  tell_changed(self, vm);
  dacsa_fleet_forget_if_empty(self, vm);
}

typedef struct {
  DacsaFleet *fleet;
  DacsaVm *vm;
} VmWatch;

/* Who ends a control group ends all in it: systemd that of a unit or scope whose QEMU has ended. So
 * its snapshots, which live on, leave it for ours. */
void
dacsa_fleet_outlive(const DacsaVm *vm)
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

static gboolean
on_qemu_exit(gint fd, GIOCondition condition, void *data)
{
  VmWatch *watch = data;

  (void)fd;
  (void)condition;
  watch->vm->watch = 0;
  dacsa_fleet_outlive(watch->vm); /* first: it is a race with who empties the group */
  g_message("%s: QEMU has ended", watch->vm->address->name);
  vm_stopped(watch->fleet, watch->vm);
  return G_SOURCE_REMOVE;
}

static void
watch_qemu(DacsaFleet *self, DacsaVm *vm)
{
  if (vm->watch)
    g_source_remove(vm->watch);
  if (vm->pidfd >= 0)
    close(vm->pidfd);
  vm->watch = 0;
  vm->pidfd = (int)syscall(SYS_pidfd_open, vm->probe->pid, 0);
  if (vm->pidfd < 0)
    return;
  VmWatch *watch = g_new(VmWatch, 1);
  *watch = (VmWatch){self, vm};
  vm->watch =
      g_unix_fd_add_full(G_PRIORITY_DEFAULT, vm->pidfd, G_IO_IN, on_qemu_exit, watch, g_free);
}

typedef struct {
  uint32_t number;
  bool in_use;
} Serial;

static void
look_for_serial(DacsaVm *vm, void *data)
{
  Serial *serial = data;

  serial->in_use |= vm->serial == serial->number;
  for (guint i = 0; i < vm->snapshots->len; i++)
    serial->in_use |= ((DacsaKept *)g_ptr_array_index(vm->snapshots, i))->serial == serial->number;
  for (guint i = 0; i < vm->tombstones->len; i++)
    serial->in_use |=
        ((DacsaTombstone *)g_ptr_array_index(vm->tombstones, i))->serial == serial->number;
}

uint32_t
dacsa_fleet_next_serial(DacsaFleet *self)
{
  Serial serial;

  do {
    self->last_serial = self->last_serial % MAX_SERIAL + 1;
    serial = (Serial){self->last_serial, false};
    dacsa_fleet_foreach(self, look_for_serial, &serial);
  } while (serial.in_use);
  return serial.number;
}

/* Makes a VM known, or known again. Takes address. */
static DacsaVm *
add_vm(DacsaFleet *self, DacsaVmAddress *address)
{
  DacsaVm *vm = g_hash_table_lookup(self->vms, address->name);

  if (vm) {
    dacsa_vm_address_free(vm->address);
    vm->address = address;
    return vm;
  }
  vm = dacsa_vm_new(address);
  vm->serial = dacsa_fleet_next_serial(self);
  dacsa_policy_find(&self->options.policies, address->name, &vm->policy);
  g_hash_table_insert(self->vms, g_strdup(address->name), vm);
  return vm;
}

static void
set_probe(DacsaFleet *self, DacsaVm *vm, DacsaProbe *probe)
{
  bool same = vm->probe && vm->probe->pid == probe->pid &&
              vm->probe->start_time == probe->start_time && vm->watch;

  dacsa_probe_free(vm->probe);
  vm->probe = probe;
  vm->running = true;
  g_clear_pointer(&vm->unreachable, g_free);
  if (!same)
    watch_qemu(self, vm);
}

/* -- probing -- */

static void
probe_job(int reply_fd, void *data)
{
  const DacsaVm *vm = data;
  g_autoptr(DacsaProbe) probe = NULL;
  g_autoptr(GError) error = NULL;

  if (dacsa_probe_run(vm->address, dacsa_vm_methods(vm), &probe, &error))
    dacsa_worker_reply(reply_fd, dacsa_probe_to_variant(probe), NULL);
  else
    dacsa_worker_reply(reply_fd, NULL, error);
}

static gboolean
retry_probe(void *data)
{
  g_autoptr(Probe) probe = data;
  DacsaVm *vm = dacsa_fleet_find(probe->fleet, probe->vm);

  if (vm && !vm->probing)
    start_probe(probe->fleet, vm, 0, probe->tries);
  return G_SOURCE_REMOVE;
}

/* Keeps what the worker found: false, with the reason in the VM's status, where it found nothing.
 */
static bool
take_result(DacsaFleet *self, DacsaVm *vm, GVariant *payload, const GError *error)
{
  g_autoptr(DacsaProbe) result = NULL;
  g_autoptr(GError) bad = NULL;

  if (payload && dacsa_probe_from_variant(payload, &result, &bad)) {
    set_probe(self, vm, g_steal_pointer(&result));
    return true;
  }
  if (vm->running) {
    g_free(vm->unreachable);
    vm->unreachable = g_strdup(bad ? bad->message : error->message);
  }
  return false;
}

static void
probe_done(GVariant *payload, const GError *error, void *data)
{
  g_autoptr(Probe) probe = data;
  DacsaFleet *self = probe->fleet;
  DacsaVm *vm = dacsa_fleet_find(self, probe->vm);

  if (!vm)
    return;
  vm->probing = false;
  if (!take_result(self, vm, payload, error) && probe->tries > 0 && !vm->probe)
    g_timeout_add(RETRY_MS, retry_probe, probe_new(self, probe->vm, 0, probe->tries - 1));
  if (vm->running)
    tell_changed(self, vm);
  self->options.probed(vm, probe->sequence, vm->running ? NULL : error, self->options.data);
  /* It may have ended since it was looked at, before it was watched. */
  if (vm->running && vm->probe && !dacsa_procmaps_is_process(vm->probe->pid, vm->probe->start_time))
    vm_stopped(self, vm);
  else
    dacsa_fleet_forget_if_empty(self, vm);
}

static void
start_probe(DacsaFleet *self, DacsaVm *vm, uint64_t sequence, guint tries)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Probe) probe = probe_new(self, vm->address->name, sequence, tries);

  vm->probing = true;
  if (dacsa_worker_start(probe_job, vm, PROBE_US, probe_done, probe, &error)) {
    g_steal_pointer(&probe);
    return;
  }
  vm->probing = false;
  self->options.probed(vm, sequence, error, self->options.data);
}

void
dacsa_fleet_probe(DacsaFleet *self, DacsaVm *vm, uint64_t sequence)
{
  if (!vm->probing)
    start_probe(self, vm, sequence, 0);
}

/* -- libvirt and sockets: VMs come and go -- */

static void
on_libvirt_changed(void *data)
{
  DacsaFleet *self = data;
  g_autoptr(GPtrArray) domains = NULL;

  if (!dacsa_libvirt_list(self->libvirt, &domains, NULL))
    return;
  while (domains->len > 0) {
    DacsaVmAddress *address = g_ptr_array_steal_index(domains, 0);
    DacsaVm *vm = g_hash_table_lookup(self->vms, address->name);

    if (vm && vm->address->socket) { /* a --qmp VM of the same name came first */
      dacsa_vm_address_free(address);
      continue;
    }
    if (vm && vm->running) {
      dacsa_vm_address_free(address);
      continue; /* its end comes through its pidfd */
    }
    vm = add_vm(self, address);
    vm->running = true;
    tell_changed(self, vm);
    start_probe(self, vm, 0, RETRIES);
  }
}

static gboolean
on_socket_dir(gint fd, GIOCondition condition, void *data)
{
  DacsaFleet *self = data;
  GHashTableIter iter;
  void *value;
  char buf[8192];

  (void)condition;
  if (read(fd, buf, sizeof(buf)) < 0 && errno != EAGAIN)
    return G_SOURCE_CONTINUE;
  /* Which socket it was does not matter: there are few, and a probe is cheap. */
  g_hash_table_iter_init(&iter, self->vms);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    DacsaVm *vm = value;

    if (vm->address->socket && !vm->running && !vm->probing &&
        g_file_test(vm->address->socket, G_FILE_TEST_EXISTS))
      start_probe(self, vm, 0, RETRIES);
  }
  return G_SOURCE_CONTINUE;
}

/* A --qmp VM, looked at at once: what is mistyped is told before anything is mounted. */
static bool
add_qmp(DacsaFleet *self, const char *spec, GError **error)
{
  const char *equals = strchr(spec, '=');
  g_autofree char *name = equals ? g_strndup(spec, (gsize)(equals - spec)) : NULL;
  g_autoptr(DacsaProbe) probe = NULL;
  g_autoptr(GError) cause = NULL;

  if (!name || name[0] == '\0' || equals[1] == '\0')
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "--qmp %s: write NAME=SOCKET", spec);
  if (g_hash_table_contains(self->vms, name))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "--qmp %s: the name is taken; choose another",
                      spec);
  g_autofree char *dir = g_path_get_dirname(equals + 1);
  DacsaVm *vm = add_vm(self, dacsa_vm_address_new(name, equals + 1, NULL, NULL));
  if (!dacsa_probe_run(vm->address, dacsa_vm_methods(vm), &probe, &cause))
    return dacsa_fail(error, (DacsaError)cause->code,
                      "--qmp %s: %s; start QEMU with -qmp unix:%s,server=on,wait=off", name,
                      cause->message, equals + 1);
  set_probe(self, vm, g_steal_pointer(&probe));
  inotify_add_watch(self->inotify, dir, IN_CREATE | IN_MOVED_TO);
  return true;
}

bool
dacsa_fleet_new(const DacsaFleetOptions *options, DacsaFleet **ret, GError **error)
{
  DacsaFleet *self = g_new0(DacsaFleet, 1);
  g_autoptr(GError) cause = NULL;
  bool ok = true;

  self->options = *options;
  self->vms = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)dacsa_vm_free);
  self->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  for (size_t i = 0; ok && options->qmp && options->qmp[i]; i++)
    ok = add_qmp(self, options->qmp[i], error);
  if (ok && options->uri) {
    dacsa_libvirt_init();
    ok = dacsa_libvirt_new(options->uri, on_libvirt_changed, self, &self->libvirt, &cause);
    if (!ok)
      dacsa_fail(error, DACSA_ERROR_NOT_FOUND,
                 "cannot reach libvirt: %s; start libvirtd, name another with --connect URI, or "
                 "do without: --connect none --qmp NAME=SOCKET",
                 cause->message);
  }
  if (ok)
    *ret = self;
  else
    dacsa_fleet_free(self);
  return ok;
}

static void
tell_one(DacsaVm *vm, void *data)
{
  tell_changed(data, vm);
}

void
dacsa_fleet_start(DacsaFleet *self)
{
  dacsa_fleet_foreach(self, tell_one, self);
  if (self->libvirt)
    on_libvirt_changed(self);
  self->inotify_source = g_unix_fd_add(self->inotify, G_IO_IN, on_socket_dir, self);
}

DacsaVm *
dacsa_fleet_add_ended(DacsaFleet *self, const char *name, const char *uuid)
{
  DacsaVm *vm = add_vm(self, dacsa_vm_address_new(name, NULL, NULL, uuid));

  tell_changed(self, vm);
  return vm;
}

void
dacsa_fleet_free(DacsaFleet *self)
{
  if (!self)
    return;
  dacsa_libvirt_free(self->libvirt);
  if (self->inotify_source)
    g_source_remove(self->inotify_source);
  close(self->inotify);
  g_hash_table_unref(self->vms);
  g_free(self);
}
