/* The keeper's main loop. */
#include "snap/keeper.h"

#include "snap/channel.h"
#include "snap/error.h"
#include "snap/journal.h"
#include "snap/log.h"
#include "snap/rescue.h"
#include "snap/shelf.h"
#include "snap/state.h"
#include "snap/take.h"
#include "snap/vmlock.h"
#include "snap/worker.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TAKE_US (30 * G_USEC_PER_SEC)
#define LAST_RESCUE_MS 3000
#define RESCUE_MS 10000 /* that the start waits for those of an earlier daemon */

struct DacsaKeeper {
  GMainLoop *loop;
  DacsaFleet *fleet;
  DacsaShelf *shelf;
  GPtrArray *rescues; /* Job: recoveries under way; borrowed */
  char *state_path;
  bool drop_on_exit;
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
  bool told;         /* it has failed, and its VM could not be resumed yet */
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

/* -- what the shelf tells -- */

static void
on_kept(const DacsaKept *kept, void *data)
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

/* Unless the next take has begun already, which looks after itself. */
static void
verify(const DacsaVm *vm, const char *name)
{
  g_autoptr(GError) error = NULL;
  int lock;

  if (!dacsa_vmlock_take(vm->probe->pid, 0, &lock, NULL))
    return;
  if (!dacsa_take_verify(vm->probe->pid, vm->probe->vmas, &error) &&
      !g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
    g_warning("%s/%s: %s", vm->address->name, name, error->message);
  close(lock);
}

/* The record is on disk before anybody is told: from then on the snapshot cannot be lost. */
static void
take_job(int reply_fd, void *data)
{
  TakeJob *job = data;
  const DacsaVm *vm = job->vm;
  const DacsaTakeOptions options = {.address = vm->address,
                                    .probe = vm->probe,
                                    .name = job->name,
                                    .state_path = job->keeper->state_path,
                                    .failed_early = take_failed_early,
                                    .data = job};
  g_autoptr(DacsaRecord) record = NULL;
  g_autoptr(GError) error = NULL;

  job->reply_fd = reply_fd;
  bool ok = dacsa_take(&options, &record, &error);
  if (job->reply_fd < 0)
    return;
  g_autofree char *text = ok ? dacsa_record_to_text(record) : NULL;
  dacsa_worker_reply(reply_fd, ok ? g_variant_new_string(text) : NULL, ok ? NULL : error);
  if (ok)
    verify(vm, job->name);
}

/* Puts a snapshot on the shelf. Takes record. */
static bool
keep(DacsaKeeper *self, DacsaVm *vm, DacsaRecord *record, GError **error)
{
  g_autoptr(DacsaRecord) owned = record;
  int pidfd;

  if (!dacsa_kept_open(record, &pidfd))
    return dacsa_fail(error, DACSA_ERROR_BUSY, "the snapshot died at once: out of memory?");
  dacsa_log(DACSA_LOG_TAKEN, G_LOG_LEVEL_MESSAGE, record->vm, record->name, record->pause_us,
            "taken, paused %.1f ms", (double)record->pause_us / 1000);
  dacsa_shelf_put(self->shelf, vm, g_steal_pointer(&owned), pidfd);
  return true;
}

/* The take is over: vm is free for the next, and who asked hears of it. */
static void
finish_take(const Job *job, DacsaVm *vm, const GError *error)
{
  DacsaKeeper *self = job->keeper;

  vm->taking = false;
  g_clear_pointer(&vm->last_error, g_free);
  if (error) {
    vm->last_error = g_strdup(error->message);
    dacsa_log(DACSA_LOG_REFUSED, G_LOG_LEVEL_WARNING, vm->address->name, job->name, -1, "%s",
              error->message);
    if (vm->running)
      send_vm(self, vm);
  }
  send_reply(self, job->sequence, error);
  dacsa_fleet_forget_if_empty(self->fleet, vm);
}

static void
take_done(GVariant *payload, const GError *error, void *data)
{
  const Job *job = data;
  DacsaVm *vm = dacsa_fleet_find(job->keeper->fleet, job->vm);
  g_autoptr(DacsaRecord) record = NULL;
  g_autoptr(GError) bad = NULL;

  if (!vm)
    return;
  if (payload) {
    gsize len;
    const char *text = g_variant_get_string(payload, &len);

    if (dacsa_record_from_text(text, len, &record, &bad))
      keep(job->keeper, vm, g_steal_pointer(&record), &bad);
    error = bad;
  }
  finish_take(job, vm, error);
}

/* The worker was killed, and nothing is left to be put right. If its snapshot was complete, it
 * stays.
 */
static void
finish_killed(const Job *job, DacsaVm *vm)
{
  DacsaKeeper *self = job->keeper;
  g_autoptr(DacsaRecord) record = dacsa_state_load_record(self->state_path, job->vm, job->name);
  g_autoptr(GError) error = NULL;

  if (record && !dacsa_vm_find(vm, job->name))
    keep(self, vm, g_steal_pointer(&record), &error);
  else if (!record)
    dacsa_fail(&error, DACSA_ERROR_OS, "the process that took it was killed; try again");
  finish_take(job, vm, job->sequence ? error : NULL);
}

/* What an earlier daemon's worker has left complete the shelf takes up. */
static void
rescue_over(void *data)
{
  g_autoptr(Job) job = data;
  DacsaKeeper *self = job->keeper;
  DacsaVm *vm = self->fleet ? dacsa_fleet_find(self->fleet, job->vm) : NULL;

  g_ptr_array_remove(self->rescues, job);
  if (!job->told)
    dacsa_log(DACSA_LOG_RECOVERED, G_LOG_LEVEL_WARNING, job->vm, job->name, -1,
              "the process that took it was killed; the VM is as it was before");
  if (vm)
    finish_killed(job, vm);
}

/* Takes job. */
static void
start_rescue(DacsaKeeper *self, Job *job)
{
  g_ptr_array_add(self->rescues, job);
  dacsa_rescue_start(self->state_path, job->vm, job->name, rescue_over, job);
}

/* A worker is over. If it was killed there is a journal of what it did, or it had done nothing, or
 * all. One of the same name may be another worker's by now. */
static void
take_ended(pid_t worker, bool replied, void *data)
{
  g_autoptr(Job) job = data;
  DacsaKeeper *self = job->keeper;
  g_autoptr(DacsaJournal) journal = dacsa_journal_find(self->state_path, job->vm, job->name);
  DacsaVm *vm = dacsa_fleet_find(self->fleet, job->vm);

  if (journal && journal->worker == worker) {
    job->told = replied;
    if (replied)
      job->sequence = 0;
    if (vm)
      vm->taking = true;
    start_rescue(self, g_steal_pointer(&job));
  } else if (!replied && vm) {
    finish_killed(job, vm);
  }
}

static gboolean
on_rescue_deadline(void *data)
{
  *(bool *)data = true;
  return G_SOURCE_REMOVE;
}

/* What is not over in time goes on. */
static void
await_rescues(DacsaKeeper *self, guint ms)
{
  bool late = false;
  guint deadline = g_timeout_add(ms, on_rescue_deadline, &late);

  while (self->rescues->len > 0 && !late)
    g_main_context_iteration(NULL, TRUE);
  if (!late)
    g_source_remove(deadline);
}

/* Takes that an earlier daemon's workers have left undone, or are still about. Before anything
 * else: a QEMU that stands still does not even tell that it is there. */
static void
rescue_all(DacsaKeeper *self)
{
  g_autoptr(GPtrArray) journals = dacsa_journal_load(self->state_path);

  for (guint i = 0; i < journals->len; i++) {
    const DacsaJournal *journal = g_ptr_array_index(journals, i);

    start_rescue(self, job_new(self, journal->address->name, journal->snapshot, 0));
  }
  await_rescues(self, RESCUE_MS);
}

static void
mark_rescues(DacsaKeeper *self)
{
  for (guint i = 0; i < self->rescues->len; i++) {
    const Job *job = g_ptr_array_index(self->rescues, i);
    DacsaVm *vm = dacsa_fleet_find(self->fleet, job->vm);

    if (vm)
      vm->taking = true;
  }
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
  if (!dacsa_worker_start_watched(take_job, &take, TAKE_US, take_done, take_ended, job, error))
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
  self->rescues = g_ptr_array_new();
  rescue_all(self);
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

/* false: by a signal, or with a failure. */
static bool
await_viewer(pid_t viewer)
{
  int status;

  return viewer > 0 && waitpid(viewer, &status, 0) == viewer && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

DacsaKeeperEnd
dacsa_keeper_run(DacsaKeeper *self, int channel, pid_t viewer)
{
  g_autoptr(DacsaMessage) all = dacsa_message_new("all", 0);

  self->channel = channel;
  dacsa_fleet_start(self->fleet);
  mark_rescues(self);
  dacsa_shelf_take_up(self->shelf);
  send_message(self, all);
  self->channel_source = g_unix_fd_add(channel, G_IO_IN | G_IO_HUP, on_request, self);
  g_main_loop_run(self->loop);
  await_rescues(self, LAST_RESCUE_MS);
  if (self->drop_on_exit)
    dacsa_shelf_drop_all(self->shelf);
  const bool well = await_viewer(viewer);
  return !self->is_ready ? DACSA_KEEPER_NOT_READY : well ? DACSA_KEEPER_DONE : DACSA_KEEPER_LOST;
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
  g_main_loop_unref(self->loop);
  g_ptr_array_unref(self->rescues);
  g_free(self->state_path);
  g_free(self);
}
