/* A take in a worker of its own: what comes before it and after. */
#include "snap/take-task.h"

#include "snap/error.h"
#include "snap/log.h"
#include "snap/state.h"
#include "snap/take.h"
#include "snap/worker.h"

#define YIELD_MS 10000 /* more than the longest call takes on a host that is out of processors */

typedef struct {
  const DacsaTakeTask *task;
  int reply_fd;
} Job;

static void
announce(const DacsaRecord *record, const GError *error, void *data)
{
  Job *job = data;
  const DacsaTakeTask *task = job->task;
  g_autofree char *text = record ? dacsa_record_to_text(record) : NULL;

  dacsa_worker_reply(job->reply_fd, text ? g_variant_new_string(text) : NULL, error);
  if (error && g_atomic_int_get(task->unwanted))
    dacsa_log(DACSA_LOG_REFUSED, G_LOG_LEVEL_MESSAGE, task->vm->address->name, task->name, -1, "%s",
              error->message);
}

/* The daemon has ended without this take. If no other serves its mount, the state directory was
 * left for the take's sake alone. */
static void
leave_nothing(const char *state_path)
{
  int lock;

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
                                    .announce = announce,
                                    .data = &job};
  g_autoptr(GError) error = NULL;

  if (!task->after || dacsa_worker_await(task->after, YIELD_MS)) {
    dacsa_take(&options);
  } else {
    dacsa_fail(&error, DACSA_ERROR_BUSY, "QEMU's huge pages are being worked on: try again");
    announce(NULL, error, &job);
  }
  if (g_atomic_int_get(task->unwanted))
    leave_nothing(task->state_path);
}
