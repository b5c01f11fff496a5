/* Finds VMs and keeps an eye on them. */
#include "snap/fleet.h"

#include "snap/error.h"
#include "snap/libvirt.h"
#include "snap/procmaps.h"
#include "snap/sockets.h"
#include "snap/worker.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define PROBE_US (20 * G_USEC_PER_SEC)
#define RETRY_MS 250
#define MAX_SERIAL ((1u << 24) - 1) /* inode numbers have room for no more */
#define RETRIES 40                  /* of a probe of a VM that is just starting */
#define SOCKETS_S 30                /* so often they are looked for unasked */
#define STALE_AT_ONCE 4u            /* probes for the clock's sake: they are workers of priority */

struct DacsaFleet {
  DacsaFleetOptions options; /* uri and qmp are not looked at after dacsa_fleet_new */
  GHashTable *vms;           /* name -> DacsaVm, owned */
  uint32_t last_serial;
  DacsaLibvirt *libvirt;
  DacsaSockets *sockets; /* of --qmp */
};

/* A probe under way. */
typedef struct {
  DacsaFleet *fleet;
  char *vm;
  uint64_t sequence; /* of the request; 0: nobody asked */
} Probe;

static void start_probe(DacsaFleet *self, DacsaVm *vm, uint64_t sequence);
static void look_at_socket(DacsaFleet *self, DacsaVm *vm, bool by_clock);
static void probe_stale(DacsaFleet *self);

static Probe *
probe_new(DacsaFleet *fleet, const char *vm, uint64_t sequence)
{
  Probe *probe = g_new0(Probe, 1);

  probe->fleet = fleet;
  probe->vm = g_strdup(vm);
  probe->sequence = sequence;
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
  vm->listed = true;
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
dacsa_fleet_list(DacsaFleet *self, DacsaVm *vm)
{
  if (!vm->listed)
    tell_changed(self, vm);
}

void
dacsa_fleet_forget_if_empty(DacsaFleet *self, DacsaVm *vm)
{
  if (vm->running || vm->awaited || vm->snapshots->len > 0 || vm->tombstones->len > 0 ||
      vm->probing || vm->taking)
    return;
  if (vm->listed)
    self->options.gone(vm, self->options.data);
  vm->listed = false;
  /* One that --qmp names may come back at its socket. */
  if (!vm->address->socket)
    g_hash_table_remove(self->vms, vm->address->name);
}

static void
vm_stopped(DacsaFleet *self, DacsaVm *vm)
{
  dacsa_vm_unwatch(vm);
  vm->running = false;
  g_clear_pointer(&vm->probe, dacsa_probe_free);
  g_clear_pointer(&vm->unreachable, g_free);
  g_clear_pointer(&vm->last_error, g_free);
  tell_changed(self, vm);
  look_at_socket(self, vm, false); /* another may have come while this one was thought to run */
  dacsa_fleet_forget_if_empty(self, vm);
}

static void
on_qemu_ended(DacsaVm *vm, void *data)
{
  dacsa_vm_outlive(vm); /* first: it is a race with who empties the group */
  g_message("%s: QEMU has ended", vm->address->name);
  vm_stopped(data, vm);
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
    dacsa_vm_watch(vm, on_qemu_ended, self);
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

typedef struct {
  DacsaFleet *fleet;
  DacsaVm *vm;
} Retry;

static gboolean
retry_probe(void *data)
{
  const Retry *retry = data;

  if (retry->vm->probing)
    return G_SOURCE_CONTINUE;
  retry->vm->retry = 0;
  start_probe(retry->fleet, retry->vm, 0);
  return G_SOURCE_REMOVE;
}

static void
plan_retry(DacsaFleet *self, DacsaVm *vm)
{
  if (vm->tries == 0 || vm->retry)
    return;
  Retry *retry = g_new(Retry, 1);
  *retry = (Retry){self, vm};
  vm->tries--;
  vm->retry = g_timeout_add_full(G_PRIORITY_DEFAULT, RETRY_MS, retry_probe, retry, g_free);
}

static bool
nobody_listens(const GError *error)
{
  return g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND);
}

/* Keeps what the worker found; the reason is in the VM's status, where it found nothing. */
static void
take_result(DacsaFleet *self, DacsaVm *vm, GVariant *payload, const GError *error)
{
  g_autoptr(DacsaProbe) result = NULL;
  g_autoptr(GError) bad = NULL;

  if (payload && dacsa_probe_from_variant(payload, &result, &bad)) {
    set_probe(self, vm, g_steal_pointer(&result));
    return;
  }
  if (vm->running || vm->awaited) {
    const bool is_there = vm->running || !nobody_listens(error);

    g_free(vm->unreachable);
    vm->unreachable = is_there ? g_strdup(bad ? bad->message : error->message) : NULL;
  }
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
  if (vm->outdated) {
    vm->outdated = false;
    start_probe(self, vm, probe->sequence);
    return;
  }
  take_result(self, vm, payload, error);
  if (vm->running || vm->awaited)
    tell_changed(self, vm);
  /* What was taken up while this was not known yet. */
  if (!vm->running && vm->tries == RETRIES && nobody_listens(error))
    dacsa_vm_outlive(vm);
  if (vm->probe)
    vm->tries = 0;
  plan_retry(self, vm);
  self->options.probed(vm, probe->sequence, vm->running ? NULL : error, self->options.data);
  /* It may have ended since it was looked at, before it was watched. */
  if (vm->running && vm->probe && !dacsa_procmaps_is_process(vm->probe->pid, vm->probe->start_time))
    vm_stopped(self, vm);
  else {
    look_at_socket(self, vm, false); /* it may be another by now */
    dacsa_fleet_forget_if_empty(self, vm);
  }
  probe_stale(self);
}

static void
start_probe(DacsaFleet *self, DacsaVm *vm, uint64_t sequence)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Probe) probe = probe_new(self, vm->address->name, sequence);

  vm->probing = true;
  vm->stale = false;
  if (dacsa_worker_start(probe_job, vm, PROBE_US, probe_done, probe, &error)) {
    g_steal_pointer(&probe);
    return;
  }
  vm->probing = false;
  plan_retry(self, vm);
  self->options.probed(vm, sequence, error, self->options.data);
}

void
dacsa_fleet_probe(DacsaFleet *self, DacsaVm *vm, uint64_t sequence)
{
  if (!vm->probing)
    start_probe(self, vm, sequence);
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
    vm->tries = RETRIES;
    vm->outdated = vm->probing;
    if (!vm->probing)
      start_probe(self, vm, 0);
  }
}

/* Which file it is: QEMU makes it anew. Owned; NULL: there is none. */
static char *
read_socket_life(const char *path)
{
  struct stat st;

  if (stat(path, &st) < 0)
    return NULL;
  return g_strdup_printf("%" PRIu64 ":%" PRIu64 "@%" PRIu64 ".%09" PRIu64, (uint64_t)st.st_dev,
                         (uint64_t)st.st_ino, (uint64_t)st.st_ctim.tv_sec,
                         (uint64_t)st.st_ctim.tv_nsec);
}

/* Whether it is another file, or none, since it was last asked. */
static bool
has_new_socket(DacsaVm *vm)
{
  g_autofree char *last = vm->socket_life;

  vm->socket_life = read_socket_life(vm->address->socket);
  return g_strcmp0(vm->socket_life, last) != 0;
}

static void
count_probing(DacsaVm *vm, void *data)
{
  *(unsigned *)data += vm->probing;
}

/* A few at a time; the end of each brings the next. */
static void
probe_stale(DacsaFleet *self)
{
  GHashTableIter iter;
  void *value;
  unsigned probing = 0;

  dacsa_fleet_foreach(self, count_probing, &probing);
  g_hash_table_iter_init(&iter, self->vms);
  while (probing < STALE_AT_ONCE && g_hash_table_iter_next(&iter, NULL, &value)) {
    DacsaVm *vm = value;

    if (!vm->stale || vm->running || vm->probing || vm->retry)
      continue;
    start_probe(self, vm, 0);
    probing++;
  }
}

/* Has a --qmp VM that does not run probed if there is a socket; for some time, if it is a new one:
 * QEMU makes it before it listens. */
static void
look_at_socket(DacsaFleet *self, DacsaVm *vm, bool by_clock)
{
  if (!vm->address->socket || vm->running || vm->probing)
    return;
  const bool is_new = has_new_socket(vm);
  if (is_new)
    vm->tries = vm->socket_life ? RETRIES : 0;
  vm->stale = vm->socket_life && (vm->stale || by_clock);
  if (vm->socket_life && is_new && !vm->retry)
    start_probe(self, vm, 0);
  if (vm->socket_life || !vm->unreachable)
    return;
  g_clear_pointer(&vm->unreachable, g_free);
  tell_changed(self, vm);
}

static void
on_sockets(bool by_clock, void *data)
{
  DacsaFleet *self = data;
  GHashTableIter iter;
  void *value;

  g_hash_table_iter_init(&iter, self->vms);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    look_at_socket(self, value, by_clock);
  probe_stale(self);
}

/* A --qmp VM. Unless it is awaited it is looked at at once: what is mistyped is told before
 * anything is mounted. */
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
  DacsaVm *vm = add_vm(self, dacsa_vm_address_new(name, equals + 1, NULL, NULL));
  dacsa_sockets_add(self->sockets, equals + 1);
  vm->awaited = self->options.qmp_awaited;
  if (vm->awaited)
    return true;
  vm->socket_life = read_socket_life(vm->address->socket);
  if (!dacsa_probe_run(vm->address, dacsa_vm_methods(vm), &probe, &cause))
    return g_error_matches(cause, DACSA_ERROR, DACSA_ERROR_UNSUPPORTED)
               ? dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "--qmp %s: %s", name, cause->message)
               : dacsa_fail(error, (DacsaError)cause->code,
                            "--qmp %s: %s; start QEMU with -qmp unix:%s,server=on,wait=off", name,
                            cause->message, equals + 1);
  set_probe(self, vm, g_steal_pointer(&probe));
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
  self->sockets = dacsa_sockets_new(SOCKETS_S, on_sockets, self);
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
start_one(DacsaVm *vm, void *data)
{
  tell_changed(data, vm);
  look_at_socket(data, vm, false);
  if (vm->awaited && !vm->socket_life)
    g_message("%s: nothing listens at %s; it is waited for", vm->address->name,
              vm->address->socket);
}

void
dacsa_fleet_start(DacsaFleet *self)
{
  dacsa_fleet_foreach(self, start_one, self);
  if (self->libvirt)
    on_libvirt_changed(self);
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
  dacsa_sockets_free(self->sockets);
  g_hash_table_unref(self->vms);
  g_free(self);
}
