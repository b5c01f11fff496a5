/* The keeper's main loop. */
#include "snap/keeper.h"

#include "snap/channel.h"
#include "snap/error.h"
#include "snap/libvirt.h"
#include "snap/state.h"
#include "snap/take.h"
#include "snap/vm.h"
#include "snap/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_US (20 * G_USEC_PER_SEC)
#define TAKE_US (30 * G_USEC_PER_SEC)
#define RETRY_MS 250
#define RETRIES 40 /* of a probe of a VM that is just starting */

struct DacsaKeeper {
  GMainLoop *loop;
  GHashTable *vms; /* name -> DacsaVm, owned */
  DacsaLibvirt *libvirt;
  char *state_path;
  bool drop_on_exit;
  int channel;
  guint channel_source;
  pid_t viewer;
  int inotify; /* directories of the QMP sockets */
  guint inotify_source;
  bool is_ready;
  void (*ready)(void *data);
  void *ready_data;
};

/* A probe or a take under way. */
typedef struct {
  DacsaKeeper *keeper;
  char *vm, *name;
  uint64_t sequence; /* of the viewer's request; 0: nobody asked */
  guint tries;
} Job;

static void start_probe(DacsaKeeper *self, DacsaVm *vm, uint64_t sequence, guint tries);
static void handle_waiting(DacsaKeeper *self, DacsaVm *vm);

static Job *
job_new(DacsaKeeper *keeper, const char *vm, const char *name, uint64_t sequence)
{
  Job *job = g_new0(Job, 1);

  job->keeper = keeper;
  job->vm = g_strdup(vm);
  job->name = g_strdup(name);
  job->sequence = sequence;
  return job;
}

static void
job_free(Job *job)
{
  g_free(job->vm);
  g_free(job->name);
  g_free(job);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)

/* -- to the viewer -- */

static void
send_message(DacsaKeeper *self, const DacsaMessage *message)
{
  g_autoptr(GError) error = NULL;

  if (self->channel >= 0 && !dacsa_channel_send(self->channel, message, &error))
    g_warning("%s", error->message);
}

static void
send_reply(DacsaKeeper *self, uint64_t sequence, const GError *error)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("reply", sequence);
  g_autofree char *number = g_strdup_printf("%d", error ? dacsa_error_errno(error) : 0);

  if (sequence == 0)
    return;
  dacsa_message_set(message, "errno", number);
  if (error)
    dacsa_message_set(message, "message", error->message);
  send_message(self, message);
}

static void
send_vm(DacsaKeeper *self, const DacsaVm *vm)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("vm", 0);
  g_autofree char *status = dacsa_vm_status(vm);

  dacsa_message_set(message, "name", vm->address->name);
  dacsa_message_set(message, "status", status);
  send_message(self, message);
}

static int
open_proc(pid_t pid, const char *name)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);

  return open(path, O_RDONLY | O_CLOEXEC);
}

static void
send_snapshot(DacsaKeeper *self, const DacsaKept *kept)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("snapshot", 0);
  const DacsaRecord *record = kept->record;

  dacsa_message_set(message, "vm", record->vm);
  dacsa_message_set(message, "name", record->name);
  dacsa_message_add_fd(message,
                       dacsa_state_open_record(self->state_path, record->vm, record->name));
  dacsa_message_add_fd(message, open_proc(record->child, "mem"));
  dacsa_message_add_fd(message, open_proc(record->child, "pagemap"));
  dacsa_message_add_fd(message, open_proc(record->child, "smaps_rollup"));
  for (size_t i = 0; i < message->n_fds; i++)
    if (message->fds[i] < 0) {
      g_warning("%s/%s: its child cannot be read", record->vm, record->name);
      return;
    }
  send_message(self, message);
}

/* -- VMs -- */

static void
forget_if_empty(DacsaKeeper *self, DacsaVm *vm)
{
  g_autoptr(DacsaMessage) message = NULL;

  if (vm->running || vm->snapshots->len > 0 || vm->probing || vm->taking)
    return;
  message = dacsa_message_new("vm-gone", 0);
  dacsa_message_set(message, "name", vm->address->name);
  send_message(self, message);
  /* One that --qmp names may come back at its socket. */
  if (!vm->address->socket)
    g_hash_table_remove(self->vms, vm->address->name);
}

static void
vm_stopped(DacsaKeeper *self, DacsaVm *vm)
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
  send_vm(self, vm);
  forget_if_empty(self, vm);
}

typedef struct {
  DacsaKeeper *keeper;
  DacsaVm *vm;
} VmWatch;

static gboolean
on_qemu_exit(gint fd, GIOCondition condition, void *data)
{
  VmWatch *watch = data;

  (void)fd;
  (void)condition;
  watch->vm->watch = 0;
  g_message("%s: QEMU has ended", watch->vm->address->name);
  vm_stopped(watch->keeper, watch->vm);
  return G_SOURCE_REMOVE;
}

static void
watch_qemu(DacsaKeeper *self, DacsaVm *vm)
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

/* Makes a VM known, or known again. Takes address. */
static DacsaVm *
add_vm(DacsaKeeper *self, DacsaVmAddress *address)
{
  DacsaVm *vm = g_hash_table_lookup(self->vms, address->name);

  if (vm) {
    dacsa_vm_address_free(vm->address);
    vm->address = address;
    return vm;
  }
  vm = dacsa_vm_new(address);
  g_hash_table_insert(self->vms, g_strdup(address->name), vm);
  return vm;
}

static void
set_probe(DacsaKeeper *self, DacsaVm *vm, DacsaProbe *probe)
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

  if (dacsa_probe_run(vm->address, &probe, &error))
    dacsa_worker_reply(reply_fd, dacsa_probe_to_variant(probe), NULL);
  else
    dacsa_worker_reply(reply_fd, NULL, error);
}

static gboolean
retry_probe(void *data)
{
  g_autoptr(Job) job = data;
  DacsaVm *vm = g_hash_table_lookup(job->keeper->vms, job->vm);

  if (vm && !vm->probing)
    start_probe(job->keeper, vm, 0, job->tries);
  return G_SOURCE_REMOVE;
}

static void
probe_done(GVariant *payload, const GError *error, void *data)
{
  g_autoptr(Job) job = data;
  DacsaKeeper *self = job->keeper;
  DacsaVm *vm = g_hash_table_lookup(self->vms, job->vm);
  g_autoptr(DacsaProbe) probe = NULL;
  g_autoptr(GError) bad = NULL;

  if (!vm)
    return;
  vm->probing = false;
  if (payload && dacsa_probe_from_variant(payload, &probe, &bad)) {
    set_probe(self, vm, g_steal_pointer(&probe));
  } else if (vm->running) {
    g_free(vm->unreachable);
    vm->unreachable = g_strdup(bad ? bad->message : error->message);
  }
  if (!probe && job->tries > 0 && !vm->probe) {
    Job *again = job_new(self, job->vm, NULL, 0);

    again->tries = job->tries - 1;
    g_timeout_add(RETRY_MS, retry_probe, again);
  }
  if (vm->running)
    send_vm(self, vm);
  send_reply(self, job->sequence, vm->running ? NULL : error);
  handle_waiting(self, vm);
  forget_if_empty(self, vm);
}

static void
start_probe(DacsaKeeper *self, DacsaVm *vm, uint64_t sequence, guint tries)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Job) job = job_new(self, vm->address->name, NULL, sequence);

  job->tries = tries;
  vm->probing = true;
  if (dacsa_worker_start(probe_job, vm, PROBE_US, probe_done, job, &error)) {
    g_steal_pointer(&job);
    return;
  }
  vm->probing = false;
  send_reply(self, sequence, error);
}

/* -- snapshots -- */

static gboolean on_child_exit(gint fd, GIOCondition condition, void *data);

typedef struct {
  DacsaKeeper *keeper;
  DacsaVm *vm;
  DacsaKept *kept;
} ChildWatch;

/* Takes record and pidfd. */
static void
keep(DacsaKeeper *self, DacsaVm *vm, DacsaRecord *record, int pidfd)
{
  DacsaKept *kept = dacsa_kept_new(record, pidfd);
  ChildWatch *watch = g_new(ChildWatch, 1);

  *watch = (ChildWatch){self, vm, kept};
  g_ptr_array_add(vm->snapshots, kept);
  kept->watch =
      g_unix_fd_add_full(G_PRIORITY_DEFAULT, pidfd, G_IO_IN, on_child_exit, watch, g_free);
  send_snapshot(self, kept);
}

static gboolean
on_child_exit(gint fd, GIOCondition condition, void *data)
{
  ChildWatch *watch = data;
  DacsaKeeper *self = watch->keeper;
  DacsaVm *vm = watch->vm;
  DacsaKept *kept = watch->kept;
  const char *why = kept->drop_sequence ? "dropped" : "its child process was killed";
  g_autoptr(DacsaMessage) message = dacsa_message_new("dropped", 0);

  (void)fd;
  (void)condition;
  g_message("%s/%s: %s", kept->record->vm, kept->record->name, why);
  dacsa_state_remove(self->state_path, kept->record->vm, kept->record->name);
  dacsa_message_set(message, "vm", kept->record->vm);
  dacsa_message_set(message, "name", kept->record->name);
  dacsa_message_set(message, "why", why);
  send_message(self, message);
  send_reply(self, kept->drop_sequence, NULL);
  kept->watch = 0;
  g_ptr_array_remove(vm->snapshots, kept);
  forget_if_empty(self, vm);
  return G_SOURCE_REMOVE;
}

static void
kill_child(DacsaKept *kept)
{
  syscall(SYS_pidfd_send_signal, kept->pidfd, SIGKILL, NULL, 0);
}

typedef struct {
  const DacsaKeeper *keeper;
  const DacsaVm *vm;
  const char *name;
  int reply_fd; /* -1 once used */
} TakeJob;

static void
take_failed_early(const GError *error, void *data)
{
  TakeJob *job = data;

  dacsa_worker_reply(job->reply_fd, NULL, error);
  job->reply_fd = -1;
}

/* The record is on disk before anybody is told: from then on the snapshot cannot be lost. */
static void
take_job(int reply_fd, void *data)
{
  TakeJob *job = data;
  g_autoptr(DacsaRecord) record = NULL;
  g_autoptr(GError) error = NULL;

  job->reply_fd = reply_fd;
  bool ok = dacsa_take(job->vm->address, job->vm->probe, job->name, take_failed_early, job, &record,
                       &error);
  if (ok && !dacsa_state_save(job->keeper->state_path, record, &error)) {
    kill(record->child, SIGKILL);
    ok = false;
  }
  if (job->reply_fd < 0)
    return;
  g_autofree char *text = ok ? dacsa_record_to_text(record) : NULL;
  dacsa_worker_reply(reply_fd, ok ? g_variant_new_string(text) : NULL, ok ? NULL : error);
  if (ok && !dacsa_take_verify(job->vm->probe, &error) &&
      !g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
    g_warning("%s/%s: %s", job->vm->address->name, job->name, error->message);
}

static void
take_done(GVariant *payload, const GError *error, void *data)
{
  g_autoptr(Job) job = data;
  DacsaKeeper *self = job->keeper;
  DacsaVm *vm = g_hash_table_lookup(self->vms, job->vm);
  g_autoptr(DacsaRecord) record = NULL;
  g_autoptr(GError) bad = NULL;
  int pidfd = -1;

  if (!vm)
    return;
  vm->taking = false;
  g_clear_pointer(&vm->last_error, g_free);
  if (payload) {
    gsize len;
    const char *text = g_variant_get_string(payload, &len);

    if (dacsa_record_from_text(text, len, &record, &bad) && !dacsa_kept_open(record, &pidfd))
      dacsa_fail(&bad, DACSA_ERROR_BUSY, "the snapshot died at once: out of memory?");
    error = bad;
  }
  if (!error) {
    g_message("%s/%s: taken, paused %.1f ms", vm->address->name, job->name,
              (double)record->pause_us / 1000);
    keep(self, vm, g_steal_pointer(&record), pidfd);
  } else {
    vm->last_error = g_strdup(error->message);
    g_warning("%s/%s: %s", vm->address->name, job->name, error->message);
    if (vm->running)
      send_vm(self, vm);
  }
  send_reply(self, job->sequence, error);
  forget_if_empty(self, vm);
}

static bool
start_take(DacsaKeeper *self, DacsaVm *vm, const char *name, uint64_t sequence, GError **error)
{
  if (!vm || !vm->running)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the VM is not running");
  if (!vm->probe)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "%s",
                      vm->unreachable ? vm->unreachable : "the VM is just starting: try again");
  if (vm->probe->reason)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s; %s", vm->probe->reason,
                      vm->probe->remedy);
  if (vm->taking)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "another snapshot of this VM is being taken");
  if (dacsa_vm_find(vm, name))
    return dacsa_fail(error, DACSA_ERROR_BUSY, "a snapshot of this name is there already");
  TakeJob take = {self, vm, name, -1};
  g_autoptr(Job) job = job_new(self, vm->address->name, name, sequence);
  if (!dacsa_worker_start(take_job, &take, TAKE_US, take_done, job, error))
    return false;
  g_steal_pointer(&job);
  vm->taking = true;
  return true;
}

static bool
start_drop(DacsaVm *vm, const char *name, uint64_t sequence, GError **error)
{
  DacsaKept *kept = vm ? dacsa_vm_find(vm, name) : NULL;

  if (!kept)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "no such snapshot");
  if (kept->drop_sequence)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "it is being dropped already");
  kept->drop_sequence = sequence;
  kill_child(kept);
  return true;
}

/* Takes up what an earlier daemon left. */
static void
take_up_snapshots(DacsaKeeper *self)
{
  g_autoptr(GPtrArray) records = dacsa_state_load(self->state_path);

  while (records->len > 0) {
    g_autoptr(DacsaRecord) record = g_ptr_array_steal_index(records, 0);
    DacsaVm *vm = g_hash_table_lookup(self->vms, record->vm);
    int pidfd;

    if (!dacsa_kept_open(record, &pidfd)) {
      dacsa_state_remove(self->state_path, record->vm, record->name);
      continue;
    }
    if (!vm) {
      vm = add_vm(self, dacsa_vm_address_new(record->vm, NULL, NULL, record->uuid));
      send_vm(self, vm);
    }
    g_message("%s/%s: taken up again", record->vm, record->name);
    keep(self, vm, g_steal_pointer(&record), pidfd);
  }
}

/* -- the viewer's requests -- */

/* A request that failed: told to who asked, to the log, and for a snapshot in the VM's status. */
static void
fail_request(DacsaKeeper *self, const DacsaMessage *message, DacsaVm *vm, const GError *error)
{
  g_message("%s/%s: %s", dacsa_message_get(message, "vm"), dacsa_message_get(message, "name"),
            error->message);
  if (vm && vm->running && strcmp(message->verb, "take") == 0) {
    g_free(vm->last_error);
    vm->last_error = g_strdup(error->message);
    send_vm(self, vm);
  }
  send_reply(self, message->sequence, error);
}

/* Takes message. */
static void
handle_request(DacsaKeeper *self, DacsaMessage *message)
{
  g_autoptr(DacsaMessage) request = message;
  g_autoptr(GError) error = NULL;
  const char *name = dacsa_message_get(request, "name");
  DacsaVm *vm = g_hash_table_lookup(self->vms, dacsa_message_get(request, "vm"));
  bool refresh = strcmp(request->verb, "refresh") == 0;
  bool take = strcmp(request->verb, "take") == 0;
  bool ok = true;

  if (vm && vm->probing && (refresh || (take && !vm->probe)))
    g_ptr_array_add(vm->waiting, g_steal_pointer(&request));
  else if (take)
    ok = start_take(self, vm, name, request->sequence, &error);
  else if (strcmp(request->verb, "drop") == 0)
    ok = start_drop(vm, name, request->sequence, &error);
  else if (refresh && vm && vm->running && !vm->taking)
    start_probe(self, vm, request->sequence, 0);
  else
    send_reply(self, request->sequence, NULL);
  if (!ok)
    fail_request(self, request, vm, error);
}

/* The probe that requests waited for is done: refreshes are answered, snapshots are taken. */
static void
handle_waiting(DacsaKeeper *self, DacsaVm *vm)
{
  g_autoptr(GPtrArray) waiting = vm->waiting;

  vm->waiting = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_message_free);
  while (waiting->len > 0) {
    g_autoptr(DacsaMessage) request = g_ptr_array_steal_index(waiting, 0);

    if (strcmp(request->verb, "refresh") == 0)
      send_reply(self, request->sequence, NULL);
    else
      handle_request(self, g_steal_pointer(&request));
  }
}

static gboolean
on_request(gint fd, GIOCondition condition, void *data)
{
  DacsaKeeper *self = data;
  g_autoptr(DacsaMessage) message = NULL;
  g_autoptr(GError) error = NULL;

  (void)condition;
  if (!dacsa_channel_receive(fd, &message, &error)) {
    if (g_error_matches(error, DACSA_ERROR, DACSA_ERROR_BAD_DATA))
      return G_SOURCE_CONTINUE;
    self->channel_source = 0;
    g_main_loop_quit(self->loop);
    return G_SOURCE_REMOVE;
  }
  if (strcmp(message->verb, "ready") == 0) {
    self->is_ready = true;
    if (self->ready)
      self->ready(self->ready_data);
  } else {
    handle_request(self, g_steal_pointer(&message));
  }
  return G_SOURCE_CONTINUE;
}

/* -- libvirt and sockets: VMs come and go -- */

static void
on_libvirt_changed(void *data)
{
  DacsaKeeper *self = data;
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
    send_vm(self, vm);
    start_probe(self, vm, 0, RETRIES);
  }
}

static gboolean
on_socket_dir(gint fd, GIOCondition condition, void *data)
{
  DacsaKeeper *self = data;
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
add_qmp(DacsaKeeper *self, const char *spec, GError **error)
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
  if (!dacsa_probe_run(vm->address, &probe, &cause))
    return dacsa_fail(error, (DacsaError)cause->code,
                      "--qmp %s: %s; start QEMU with -qmp unix:%s,server=on,wait=off", name,
                      cause->message, equals + 1);
  set_probe(self, vm, g_steal_pointer(&probe));
  inotify_add_watch(self->inotify, dir, IN_CREATE | IN_MOVED_TO);
  return true;
}

bool
dacsa_keeper_new(const DacsaKeeperOptions *options, DacsaKeeper **ret, GError **error)
{
  DacsaKeeper *self = g_new0(DacsaKeeper, 1);
  g_autoptr(GError) cause = NULL;

  self->loop = g_main_loop_new(NULL, FALSE);
  self->vms = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)dacsa_vm_free);
  self->state_path = g_strdup(options->state_path);
  self->channel = -1;
  self->drop_on_exit = options->drop_on_exit;
  self->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  for (size_t i = 0; options->qmp && options->qmp[i]; i++)
    if (!add_qmp(self, options->qmp[i], error)) {
      dacsa_keeper_free(self);
      return false;
    }
  if (options->uri) {
    dacsa_libvirt_init();
    if (!dacsa_libvirt_new(options->uri, on_libvirt_changed, self, &self->libvirt, &cause)) {
      dacsa_fail(error, DACSA_ERROR_NOT_FOUND,
                 "cannot reach libvirt: %s; start libvirtd, name another with --connect URI, or "
                 "do without: --connect none --qmp NAME=SOCKET",
                 cause->message);
      dacsa_keeper_free(self);
      return false;
    }
  }
  *ret = self;
  return true;
}

void
dacsa_keeper_on_ready(DacsaKeeper *keeper, void (*ready)(void *data), void *data)
{
  keeper->ready = ready;
  keeper->ready_data = data;
}

static void
drop_all(DacsaKeeper *self)
{
  GHashTableIter iter;
  void *value;

  g_hash_table_iter_init(&iter, self->vms);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    DacsaVm *vm = value;

    for (guint i = 0; i < vm->snapshots->len; i++) {
      DacsaKept *kept = g_ptr_array_index(vm->snapshots, i);

      kill_child(kept);
      dacsa_state_remove(self->state_path, kept->record->vm, kept->record->name);
    }
  }
}

bool
dacsa_keeper_run(DacsaKeeper *self, int channel, pid_t viewer)
{
  GHashTableIter iter;
  void *value;

  self->channel = channel;
  self->viewer = viewer;
  g_hash_table_iter_init(&iter, self->vms);
  while (g_hash_table_iter_next(&iter, NULL, &value))
    send_vm(self, value);
  take_up_snapshots(self);
  if (self->libvirt)
    on_libvirt_changed(self);
  g_autoptr(DacsaMessage) all = dacsa_message_new("all", 0);
  send_message(self, all);
  self->inotify_source = g_unix_fd_add(self->inotify, G_IO_IN, on_socket_dir, self);
  self->channel_source = g_unix_fd_add(channel, G_IO_IN | G_IO_HUP, on_request, self);
  g_main_loop_run(self->loop);
  if (self->drop_on_exit)
    drop_all(self);
  waitpid(viewer, NULL, 0);
  return self->is_ready;
}

void
dacsa_keeper_free(DacsaKeeper *self)
{
  if (!self)
    return;
  dacsa_libvirt_free(self->libvirt);
  if (self->inotify_source)
    g_source_remove(self->inotify_source);
  close(self->inotify);
  if (self->channel >= 0)
    close(self->channel);
  g_hash_table_unref(self->vms);
  g_main_loop_unref(self->loop);
  g_free(self->state_path);
  g_free(self);
}
