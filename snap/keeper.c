/* The keeper's main loop. */
#include "snap/keeper.h"

#include "snap/channel.h"
#include "snap/error.h"
#include "snap/lives.h"
#include "snap/log.h"
#include "snap/shelf.h"
#include "snap/state.h"
#include "snap/take.h"
#include "snap/worker.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TAKE_US (30 * G_USEC_PER_SEC)

static void replace_viewer(DacsaKeeper *self);

struct DacsaKeeper {
  GMainLoop *loop;
  DacsaFleet *fleet;
  DacsaShelf *shelf;
  char *state_path;
  bool drop_on_exit;
  DacsaLives *lives; /* of the viewer */
  DacsaLifeEnd end;  /* of the last of them */
  int channel;
  guint channel_source;
  bool is_ready;
  void (*ready)(void *data);
  void *ready_data;
};

/* A take under way. */
typedef struct {
  DacsaKeeper *keeper;
  char *vm, *name;
  uint64_t sequence; /* of the viewer's request */
} Job;

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

  /* A viewer that is gone is noticed by the main loop. */
  if (self->channel >= 0 && !dacsa_channel_send(self->channel, message, &error) &&
      !g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
    g_warning("%s", error->message);
}

static void
send_reply(DacsaKeeper *self, uint64_t sequence, const GError *error)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("reply", sequence);
  g_autofree char *number = g_strdup_printf("%d", error ? dacsa_error_errno(error) : 0);

  /* Of an earlier viewer's requests nobody waits any more; of 0, nobody ever did. */
  if (dacsa_message_viewer(sequence) != dacsa_lives_number(self->lives))
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
  dacsa_message_set_number(message, "serial", vm->serial);
  dacsa_message_set_number(message, "since", vm->since_us);
  if (vm->probe) {
    g_autofree char *life =
        g_strdup_printf("%d@%" G_GUINT64_FORMAT, (int)vm->probe->pid, vm->probe->start_time);

    dacsa_message_set(message, "life", life);
  }
  send_message(self, message);
}

static int
open_proc(pid_t pid, const char *name)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);

  return open(path, O_RDONLY | O_CLOEXEC);
}

static bool
is_alive(const DacsaKept *kept)
{
  struct pollfd ended = {.fd = kept->pidfd, .events = POLLIN};

  return poll(&ended, 1, 0) == 0;
}

/* If the child still lives when its files are open, they are its own, and not another process's
 * that got its pid. */
static void
send_snapshot(DacsaKeeper *self, DacsaKept *kept)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("snapshot", 0);
  const DacsaRecord *record = kept->record;

  dacsa_message_set(message, "vm", record->vm);
  dacsa_message_set(message, "name", record->name);
  dacsa_message_set_number(message, "serial", kept->serial);
  dacsa_message_set_number(message, "time", kept->shown++);
  dacsa_message_add_fd(message,
                       dacsa_state_open_record(self->state_path, record->vm, record->name));
  dacsa_message_add_fd(message, open_proc(record->child, "mem"));
  dacsa_message_add_fd(message, open_proc(record->child, "pagemap"));
  dacsa_message_add_fd(message, open_proc(record->child, "smaps_rollup"));
  if (!is_alive(kept))
    return; /* its end is about to be noticed */
  for (size_t i = 0; i < message->n_fds; i++)
    if (message->fds[i] < 0) {
      g_warning("%s/%s: its child cannot be read", record->vm, record->name);
      return;
    }
  send_message(self, message);
}

/* -- what the shelf tells -- */

static void
on_kept(DacsaKept *kept, void *data)
{
  send_snapshot(data, kept);
}

static void
on_ended(const DacsaKept *kept, void *data)
{
  DacsaKeeper *self = data;
  g_autoptr(DacsaMessage) message = dacsa_message_new("dropped", 0);

  dacsa_message_set(message, "vm", kept->record->vm);
  dacsa_message_set(message, "name", kept->record->name);
  dacsa_message_set(message, "why", kept->why);
  send_message(self, message);
  send_reply(self, kept->drop_sequence, NULL);
}

/* -- taking and dropping -- */

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
  DacsaVm *vm = dacsa_fleet_find(self->fleet, job->vm);
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
    dacsa_log(DACSA_LOG_TAKEN, G_LOG_LEVEL_MESSAGE, vm->address->name, job->name, record->pause_us,
              "taken, paused %.1f ms", (double)record->pause_us / 1000);
    dacsa_shelf_put(self->shelf, vm, g_steal_pointer(&record), pidfd);
  } else {
    vm->last_error = g_strdup(error->message);
    dacsa_log(DACSA_LOG_REFUSED, G_LOG_LEVEL_WARNING, vm->address->name, job->name, -1, "%s",
              error->message);
    if (vm->running)
      send_vm(self, vm);
  }
  send_reply(self, job->sequence, error);
  dacsa_fleet_forget_if_empty(self->fleet, vm);
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
start_drop(DacsaKeeper *self, DacsaVm *vm, const char *name, uint64_t sequence, GError **error)
{
  DacsaKept *kept = vm ? dacsa_vm_find(vm, name) : NULL;

  if (!kept)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "no such snapshot");
  if (kept->drop_sequence)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "it is being dropped already");
  kept->drop_sequence = sequence;
  dacsa_shelf_drop(self->shelf, kept, "dropped");
  return true;
}

/* -- the viewer's requests -- */

/* A request that failed: told to who asked, to the log, and for a snapshot in the VM's status. */
static void
fail_request(DacsaKeeper *self, const DacsaMessage *message, DacsaVm *vm, const GError *error)
{
  const char *name = dacsa_message_get(message, "vm");
  const char *snapshot = dacsa_message_get(message, "name");
  const bool take = strcmp(message->verb, "take") == 0;

  if (take)
    dacsa_log(DACSA_LOG_REFUSED, G_LOG_LEVEL_MESSAGE, name, snapshot, -1, "%s", error->message);
  else
    g_message("%s/%s: %s", name, snapshot, error->message);
  if (vm && vm->running && take) {
    g_free(vm->last_error);
    vm->last_error = g_strdup(error->message);
    send_vm(self, vm);
  }
  send_reply(self, message->sequence, error);
}

static bool
may_be_taken(const DacsaVm *vm)
{
  return vm->probe && !vm->probe->reason;
}

/* A VM that could not be snapshotted when it was last looked at: it may have changed since. Takes
 * message. */
static void
look_again(DacsaKeeper *self, DacsaVm *vm, DacsaMessage *message)
{
  g_ptr_array_add(vm->waiting, message);
  dacsa_fleet_probe(self->fleet, vm, 0);
}

/* Takes message. */
static void
handle_request(DacsaKeeper *self, DacsaMessage *message)
{
  g_autoptr(DacsaMessage) request = message;
  g_autoptr(GError) error = NULL;
  const char *name = dacsa_message_get(request, "name");
  DacsaVm *vm = dacsa_fleet_find(self->fleet, dacsa_message_get(request, "vm"));
  bool refresh = strcmp(request->verb, "refresh") == 0;
  bool take = strcmp(request->verb, "take") == 0;
  bool ok = true;

  if (vm && vm->probing && (refresh || (take && !may_be_taken(vm))))
    g_ptr_array_add(vm->waiting, g_steal_pointer(&request));
  else if (take && vm && vm->running && vm->probe && vm->probe->reason && !vm->taking)
    look_again(self, vm, g_steal_pointer(&request));
  else if (take)
    ok = start_take(self, vm, name, request->sequence, &error);
  else if (strcmp(request->verb, "drop") == 0)
    ok = start_drop(self, vm, name, request->sequence, &error);
  else if (refresh && vm && vm->running && !vm->taking)
    dacsa_fleet_probe(self->fleet, vm, request->sequence);
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

    g_autoptr(GError) error = NULL;
    const char *name = dacsa_message_get(request, "name");

    if (strcmp(request->verb, "refresh") == 0)
      send_reply(self, request->sequence, NULL);
    else if (!start_take(self, vm, name, request->sequence, &error))
      fail_request(self, request, vm, error);
  }
}

static void
handle_ready(DacsaKeeper *self)
{
  if (!self->is_ready && self->ready)
    self->ready(self->ready_data);
  self->is_ready = true;
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
    replace_viewer(self);
    return G_SOURCE_REMOVE;
  }
  if (strcmp(message->verb, "ready") == 0)
    handle_ready(self);
  else if (dacsa_message_viewer(message->sequence) == dacsa_lives_number(self->lives))
    handle_request(self, g_steal_pointer(&message));
  return G_SOURCE_CONTINUE;
}

/* -- the viewer's lives -- */

static bool
start_viewer(DacsaKeeper *self, GError **error)
{
  if (!dacsa_lives_start(self->lives, &self->channel, error))
    return false;
  self->channel_source = g_unix_fd_add(self->channel, G_IO_IN | G_IO_HUP, on_request, self);
  return true;
}

static void
send_all_told(DacsaKeeper *self)
{
  g_autoptr(DacsaMessage) all = dacsa_message_new("all", 0);

  send_message(self, all);
}

/* One that runs no more, and has and gets no snapshot, is not listed, even if its socket is
 * watched. A snapshot that is being dropped is not shown again. */
static void
tell_of_vm(DacsaVm *vm, void *data)
{
  if (!vm->running && !vm->taking && vm->snapshots->len == 0)
    return;
  send_vm(data, vm);
  for (guint i = 0; i < vm->snapshots->len; i++) {
    DacsaKept *kept = g_ptr_array_index(vm->snapshots, i);

    if (!kept->why)
      send_snapshot(data, kept);
  }
}

/* The viewer is gone. If it has crashed the next one is told all that this one knew; what it had
 * asked for is done, but nobody waits for it. */
static void
replace_viewer(DacsaKeeper *self)
{
  g_autofree char *how = NULL;
  g_autoptr(GError) error = NULL;

  close(self->channel);
  self->channel = -1;
  self->end = dacsa_lives_end(self->lives, &how);
  if (self->end == DACSA_LIFE_DONE || !self->is_ready) {
    g_main_loop_quit(self->loop);
    return;
  }
  dacsa_log(DACSA_LOG_VIEWER, G_LOG_LEVEL_WARNING, NULL, NULL, -1, "the viewer %s; %s", how,
            self->end == DACSA_LIFE_CRASHED ? "another one is started"
                                            : "it does so too often, so this is the end");
  if (self->end == DACSA_LIFE_CRASHED && start_viewer(self, &error)) {
    dacsa_fleet_foreach(self->fleet, tell_of_vm, self);
    send_all_told(self);
    return;
  }
  if (error)
    g_warning("%s", error->message);
  self->end = DACSA_LIFE_HOPELESS;
  g_main_loop_quit(self->loop);
}

/* -- what the fleet tells -- */

static void
on_vm_changed(DacsaVm *vm, void *data)
{
  send_vm(data, vm);
}

static void
on_vm_gone(DacsaVm *vm, void *data)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("vm-gone", 0);

  dacsa_message_set(message, "name", vm->address->name);
  send_message(data, message);
}

static void
on_vm_probed(DacsaVm *vm, uint64_t sequence, const GError *error, void *data)
{
  send_reply(data, sequence, error);
  handle_waiting(data, vm);
}

/* -- life -- */

bool
dacsa_keeper_new(const DacsaKeeperOptions *options, DacsaKeeper **ret, GError **error)
{
  DacsaKeeper *self = g_new0(DacsaKeeper, 1);
  const DacsaFleetOptions fleet = {options->uri, options->qmp, on_vm_changed,
                                   on_vm_gone,   on_vm_probed, self};

  self->loop = g_main_loop_new(NULL, FALSE);
  self->state_path = g_strdup(options->state_path);
  self->channel = -1;
  self->drop_on_exit = options->drop_on_exit;
  if (!dacsa_fleet_new(&fleet, &self->fleet, error)) {
    dacsa_keeper_free(self);
    return false;
  }
  const DacsaShelfOptions shelf = {self->fleet, self->state_path, on_kept, on_ended, self};
  self->shelf = dacsa_shelf_new(&shelf);
  *ret = self;
  return true;
}

void
dacsa_keeper_on_ready(DacsaKeeper *keeper, void (*ready)(void *data), void *data)
{
  keeper->ready = ready;
  keeper->ready_data = data;
}

DacsaKeeperEnd
dacsa_keeper_run(DacsaKeeper *self, const DacsaLivesOptions *viewer)
{
  g_autoptr(GError) error = NULL;

  self->lives = dacsa_lives_new(viewer);
  if (!start_viewer(self, &error)) {
    g_warning("%s", error->message);
    return DACSA_KEEPER_NOT_READY;
  }
  dacsa_fleet_start(self->fleet);
  dacsa_shelf_take_up(self->shelf);
  send_all_told(self);
  g_main_loop_run(self->loop);
  if (self->drop_on_exit)
    dacsa_shelf_drop_all(self->shelf);
  if (!self->is_ready)
    return DACSA_KEEPER_NOT_READY;
  return self->end == DACSA_LIFE_DONE ? DACSA_KEEPER_DONE : DACSA_KEEPER_LOST;
}

void
dacsa_keeper_free(DacsaKeeper *self)
{
  if (!self)
    return;
  if (self->channel_source)
    g_source_remove(self->channel_source);
  if (self->channel >= 0)
    close(self->channel);
  dacsa_shelf_free(self->shelf);
  dacsa_fleet_free(self->fleet);
  dacsa_lives_free(self->lives);
  g_main_loop_unref(self->loop);
  g_free(self->state_path);
  g_free(self);
}
