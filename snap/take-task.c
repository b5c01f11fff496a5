/* A take in a worker of its own: what comes before it and after. */
#include "snap/take-task.h"

#include "snap/error.h"
#include "snap/log.h"
#include "snap/state.h"
#include "snap/take.h"
#include "snap/vmlock.h"
#include "snap/worker.h"

#define YIELD_MS 10000 /* more than the longest call takes on a host that is out of processors */

typedef struct {
  const DacsaTakeTask *task;
  int reply_fd; /* -1 once used */
} Job;

static void
failed_early(const GError *error, void *data)
{
  Job *job = data;

  dacsa_worker_reply(job->reply_fd, NULL, error);
  job->reply_fd = -1;
}

/* Unless the next take has begun already, which looks after itself. */
static void
verify(const Job *job, const GArray *vmas)
{
  const DacsaProbe *probe = job->task->vm->probe;
  g_autoptr(GError) error = NULL;
  int lock;

  if (!dacsa_vmlock_take(probe->pid, 0, &lock, NULL))
    return;
  if (!dacsa_take_verify(probe->pid, vmas, &error) &&
      !g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
    g_warning("%s/%s: %s", job->task->vm->address->name, job->task->name, error->message);
  dacsa_vmlock_release(probe->pid, lock);
}

/* The daemon has ended without this take. If no other serves its mount, the state directory was
 * left for the take's sake alone. */
static void
leave_nothing(const Job *job, const GError *error)
{
  const char *state_path = job->task->state_path;
  int lock;

  if (error)
    dacsa_log(DACSA_LOG_REFUSED, G_LOG_LEVEL_MESSAGE, job->task->vm->address->name, job->task->name,
              -1, "%s", error->message);
  if (dacsa_state_open(state_path, &lock, NULL))
    dacsa_state_close(state_path, lock);
}

void
dacsa_take_task_run(int reply_fd, void *data)
{
  const DacsaTakeTask *task = data;
  const DacsaVm *vm = task->vm;
  Job job = {task, reply_fd};
  const DacsaTakeOptions options = {.address = vm->address,
                                    .probe = vm->probe,
                                    .methods = dacsa_vm_methods(vm),
                                    .name = task->name,
                                    .state_path = task->state_path,
                                    .scheduled = task->scheduled,
                                    .unwanted = task->unwanted,
                                    .failed_early = failed_early,
                                    .data = &job};
  g_autoptr(DacsaRecord) record = NULL;
  g_autoptr(GArray) vmas = NULL;
  g_autoptr(GError) error = NULL;
  bool ok = false;

  if (task->after && !dacsa_worker_await(task->after, YIELD_MS))
    dacsa_fail(&error, DACSA_ERROR_BUSY, "QEMU's huge pages are being worked on: try again");
  else
    ok = dacsa_take(&options, &record, &vmas, &error);
  if (job.reply_fd >= 0) {
    g_autofree char *text = ok ? dacsa_record_to_text(record) : NULL;

    dacsa_worker_reply(job.reply_fd, ok ? g_variant_new_string(text) : NULL, ok ? NULL : error);
  }
  if (g_atomic_int_get(options.unwanted))
    leave_nothing(&job, error);
  else if (vmas)
    verify(&job, vmas);
}
