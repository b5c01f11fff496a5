/* Takes under way. */
#include "snap/takes.h"

#include "snap/error.h"
#include "snap/journal.h"
#include "snap/log.h"
#include "snap/rescue.h"
#include "snap/state.h"
#include "snap/take-task.h"
#include "snap/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TAKE_US (30 * G_USEC_PER_SEC)
#define COPY_GIB_US (10 * G_USEC_PER_SEC) /* more for each GiB of RAM that is copied */
#define RESCUE_MS 10000                   /* that the start waits for those of an earlier daemon */
/* What is under way when the end comes. */
#define LAST_RESCUE_MS 3000
#define LAST_TAKE_MS 10000

struct DacsaTakes {
  char *state_path;
  DacsaTakesOver over;
  void *data;
  DacsaFleet *fleet; /* NULL: not begun */
  DacsaShelf *shelf;
  DacsaCollapser *collapser;
  GPtrArray *rescues; /* Job: recoveries under way; borrowed */
  gint *unwanted;     /* shared with the workers: not 0, no snapshot is wanted any more */
};

/* A take, or the recovery after one. */
typedef struct {
  DacsaTakes *takes;
  DacsaTakeRequest request; /* its strings are owned */
  bool told;                /* it has failed, and its VM could not be resumed yet */
  bool counted;             /* among those that its VM's `taking` counts */
} Job;

static Job *
job_new(DacsaTakes *takes, const DacsaTakeRequest *request)
{
  Job *job = g_new0(Job, 1);

  job->takes = takes;
  job->request = *request;
  job->request.vm = g_strdup(request->vm);
  job->request.name = g_strdup(request->name);
  return job;
}

static void
job_free(Job *job)
{
  g_free(job->request.vm);
  g_free(job->request.name);
  g_free(job);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Job, job_free)

bool
dacsa_takes_new(const char *state_path, DacsaTakesOver over, void *data, DacsaTakes **ret,
                GError **error)
{
  gint *unwanted =
      mmap(NULL, sizeof(*unwanted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  if (unwanted == MAP_FAILED)
    return dacsa_fail_errno(error, errno, "cannot share a page with workers");
  DacsaTakes *self = g_new0(DacsaTakes, 1);
  self->unwanted = unwanted;
  self->state_path = g_strdup(state_path);
  self->over = over;
  self->data = data;
  self->rescues = g_ptr_array_new();
  *ret = self;
  return true;
}

void
dacsa_takes_free(DacsaTakes *self)
{
  if (!self)
    return;
  g_ptr_array_unref(self->rescues);
  munmap(self->unwanted, sizeof(*self->unwanted));
  g_free(self->state_path);
  g_free(self);
}

static DacsaVm *
vm_of(const Job *job)
{
  return job->takes->fleet ? dacsa_fleet_find(job->takes->fleet, job->request.vm) : NULL;
}

static void
job_count(Job *job, DacsaVm *vm)
{
  vm->taking += !job->counted;
  job->counted = true;
}

static void
job_uncount(Job *job, DacsaVm *vm)
{
  vm->taking -= job->counted;
  job->counted = false;
}

/* -- its end -- */

/* Puts a snapshot on the shelf. Takes record. */
static bool
keep(DacsaTakes *self, DacsaVm *vm, DacsaRecord *record, GError **error)
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

/* vm is free for the next, and who asked hears of it. */
static void
finish(Job *job, DacsaVm *vm, const GError *error)
{
  const DacsaTakes *self = job->takes;

  job_uncount(job, vm);
  g_free(vm->last_error);
  vm->last_error = error ? g_strdup(error->message) : NULL;
  if (error)
    dacsa_collapser_note(self->collapser, vm);
  self->over(vm, &job->request, error, self->data);
  dacsa_fleet_forget_if_empty(self->fleet, vm);
}

static void
on_reply(GVariant *payload, const GError *error, void *data)
{
  Job *job = data;
  DacsaVm *vm = vm_of(job);
  g_autoptr(DacsaRecord) record = NULL;
  g_autoptr(GError) bad = NULL;

  if (!vm) {
    dacsa_fail(&bad, DACSA_ERROR_NOT_FOUND, "the VM is gone");
    job->takes->over(NULL, &job->request, bad, job->takes->data);
    return;
  }
  if (payload) {
    gsize len;
    const char *text = g_variant_get_string(payload, &len);

    if (dacsa_record_from_text(text, len, &record, &bad))
      keep(job->takes, vm, g_steal_pointer(&record), &bad);
    error = bad;
  }
  finish(job, vm, error);
}

/* -- recoveries -- */

/* The worker has replied, or was given up waiting for. If it has taken the snapshot all the same,
 * that is kept, though nobody waits for it, and its VM may have ended and be forgotten since. */
static void
keep_late(const Job *job)
{
  const DacsaTakeRequest *request = &job->request;
  DacsaTakes *self = job->takes;
  DacsaVm *vm = vm_of(job);
  g_autoptr(DacsaRecord) record =
      vm && dacsa_vm_find(vm, request->name)
          ? NULL
          : dacsa_state_load_record(self->state_path, request->vm, request->name);

  if (!record)
    return;
  if (!vm)
    vm = dacsa_fleet_add_ended(self->fleet, record->vm, record->uuid);
  if (!keep(self, vm, g_steal_pointer(&record), NULL))
    g_debug("%s/%s: its record outlives it", request->vm, request->name);
  dacsa_fleet_forget_if_empty(self->fleet, vm);
}

/* The worker was killed, and nothing is left to be put right. If its snapshot was complete, it
 * stays. */
static void
finish_killed(Job *job, DacsaVm *vm)
{
  const DacsaTakeRequest *request = &job->request;
  DacsaTakes *self = job->takes;
  g_autoptr(DacsaRecord) record =
      dacsa_state_load_record(self->state_path, request->vm, request->name);
  g_autoptr(GError) error = NULL;

  if (record && !dacsa_vm_find(vm, request->name))
    keep(self, vm, g_steal_pointer(&record), &error);
  else if (!record)
    dacsa_fail(&error, DACSA_ERROR_OS, "the process that took it was killed; try again");
  finish(job, vm, request->sequence || request->scheduled ? error : NULL);
}

/* What an earlier daemon's worker has left complete the shelf takes up, once there is one. */
static void
on_rescued(void *data)
{
  g_autoptr(Job) job = data;
  DacsaVm *vm = vm_of(job);

  g_ptr_array_remove(job->takes->rescues, job);
  if (!job->told)
    dacsa_log(DACSA_LOG_RECOVERED, G_LOG_LEVEL_WARNING, job->request.vm, job->request.name, -1,
              "the process that took it was killed; the VM is as it was before");
  if (vm)
    finish_killed(job, vm);
  else if (job->takes->fleet)
    keep_late(job);
}

/* Takes job. */
static void
start_rescue(DacsaTakes *self, Job *job)
{
  g_ptr_array_add(self->rescues, job);
  dacsa_rescue_start(self->state_path, job->request.vm, job->request.name, on_rescued, job);
}

/* A worker is over. If it was killed there is a journal of what it did, or it had done nothing, or
 * all. One of the same name may be another worker's by now. */
static void
on_worker_ended(pid_t worker, bool replied, void *data)
{
  g_autoptr(Job) job = data;
  DacsaTakes *self = job->takes;
  g_autoptr(DacsaJournal) journal =
      dacsa_journal_find(self->state_path, job->request.vm, job->request.name);
  DacsaVm *vm = vm_of(job);

  if (journal && journal->worker == worker) {
    job->told = replied;
    if (replied) {
      job->request.sequence = 0;
      job->request.scheduled = false;
    }
    if (vm)
      job_count(job, vm);
    start_rescue(self, g_steal_pointer(&job));
  } else if (!replied && vm) {
    finish_killed(job, vm);
  } else {
    keep_late(job);
  }
}

static gboolean
on_deadline(void *data)
{
  *(bool *)data = true;
  return G_SOURCE_REMOVE;
}

/* Until none is under way. What is not over in time goes on. */
static void
await_rescues(const DacsaTakes *self, guint ms)
{
  bool late = false;
  const guint deadline = g_timeout_add(ms, on_deadline, &late);

  while (self->rescues->len > 0 && !late)
    g_main_context_iteration(NULL, TRUE);
  if (!late)
    g_source_remove(deadline);
}

void
dacsa_takes_rescue(DacsaTakes *self)
{
  g_autoptr(GPtrArray) journals = dacsa_journal_load(self->state_path);

  for (guint i = 0; i < journals->len; i++) {
    const DacsaJournal *journal = g_ptr_array_index(journals, i);
    const DacsaTakeRequest request = {.vm = journal->address->name, .name = journal->snapshot};

    start_rescue(self, job_new(self, &request));
  }
  await_rescues(self, RESCUE_MS);
}

void
dacsa_takes_begin(DacsaTakes *self, DacsaFleet *fleet, DacsaShelf *shelf, DacsaCollapser *collapser)
{
  self->fleet = fleet;
  self->shelf = shelf;
  self->collapser = collapser;
  for (guint i = 0; i < self->rescues->len; i++) {
    Job *job = g_ptr_array_index(self->rescues, i);
    DacsaVm *vm = vm_of(job);

    if (vm)
      job_count(job, vm);
  }
}

/* -- the beginning -- */

static bool
check(const DacsaVm *vm, const DacsaTakeRequest *request, GError **error)
{
  if (!vm)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "there is no such VM");
  g_autofree char *absence = vm->running ? NULL : dacsa_vm_absence(vm);
  if (absence)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s", absence);
  if (!vm->probe)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "%s",
                      vm->unreachable ? vm->unreachable : "the VM is just starting: try again");
  if (!vm->probe->method)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s; %s", vm->probe->reason,
                      vm->probe->remedy);
  if (vm->taking)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "another snapshot of this VM is being taken");
  if (!dacsa_state_is_name(request->vm, request->name))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "no snapshot can be called so");
  if (dacsa_vm_find(vm, request->name) || dacsa_vm_find_tombstone(vm, request->name))
    return dacsa_fail(error, DACSA_ERROR_BUSY, "a snapshot of this name is there already");
  /* Its memory does not change: another snapshot would push out one that differs. */
  if (request->scheduled && strcmp(vm->probe->state, "running") != 0)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "the VM does not run (%s): no scheduled snapshots",
                      vm->probe->state);
  return true;
}

/* How long a take may last before whoever asked for it is told that it hangs. */
static int64_t
take_us(const DacsaProbe *probe)
{
  if (strcmp(probe->method, "copy") != 0)
    return TAKE_US;
  return TAKE_US + (int64_t)(dacsa_layout_ram_bytes(probe->layout) >> 30) * COPY_GIB_US;
}

bool
dacsa_takes_start(DacsaTakes *self, DacsaVm *vm, const DacsaTakeRequest *request, GError **error)
{
  if (!check(vm, request, error))
    return false;
  g_autoptr(Job) job = job_new(self, request);
  DacsaTakeTask task = {.vm = vm,
                        .name = job->request.name,
                        .state_path = self->state_path,
                        .scheduled = request->scheduled,
                        .unwanted = self->unwanted,
                        .after = dacsa_collapser_yield(self->collapser, vm)};
  if (!dacsa_worker_start_watched(dacsa_take_task_run, &task, take_us(vm->probe), on_reply,
                                  on_worker_ended, job, error)) {
    dacsa_collapser_note(self->collapser, vm);
    return false;
  }
  job_count(g_steal_pointer(&job), vm);
  return true;
}

/* -- the end -- */

static void
count_taking(DacsaVm *vm, void *data)
{
  *(unsigned *)data += vm->taking;
}

static void
await_takes(const DacsaTakes *self)
{
  bool late = false;
  const guint deadline = g_timeout_add(LAST_TAKE_MS, on_deadline, &late);
  unsigned taking;

  do {
    taking = 0;
    dacsa_fleet_foreach(self->fleet, count_taking, &taking);
    if (taking)
      g_main_context_iteration(NULL, TRUE);
  } while (taking && !late);
  if (!late)
    g_source_remove(deadline);
}

void
dacsa_takes_end(DacsaTakes *self, bool all)
{
  await_rescues(self, LAST_RESCUE_MS);
  if (!all)
    return;
  await_takes(self);
  g_atomic_int_set(self->unwanted, 1);
}
