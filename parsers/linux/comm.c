/* The names of tasks, as /proc/PID/comm prints them. */
#include "parsers/linux/process.h"

#define MAX_FULL_NAME 64u

static bool
append_comm(const DacsaLinux *l, uint64_t task, GString *out, GError **error)
{
  g_autofree char *comm = NULL;

  if (!dacsa_linux_get_string(l, task, M_TASK_COMM, &comm, error))
    return false;
  g_string_append(out, comm);
  return true;
}

/* kernel/workqueue.c, wq_worker_comm: what the worker works on, or last did. */
static bool
append_work(const DacsaLinux *l, uint64_t kthread, GString *out, GError **error)
{
  g_autofree char *desc = NULL;
  uint64_t worker, pool, current;

  if (!dacsa_linux_get(l, kthread, M_KTHREAD_DATA, &worker, error))
    return false;
  if (worker == 0)
    return true;
  if (!dacsa_linux_get(l, worker, M_WORKER_POOL, &pool, error) ||
      !dacsa_linux_get(l, worker, M_WORKER_CURRENT_WORK, &current, error) ||
      !dacsa_linux_get_string(l, worker, M_WORKER_DESC, &desc, error))
    return false;
  if (pool != 0 && desc[0] != '\0')
    g_string_append_printf(out, "%c%s", current ? '+' : '-', desc);
  return true;
}

/* A kernel thread's name may be longer than what fits into a task. */
static bool
full_name(const DacsaLinux *l, uint64_t kthread, uint64_t flags, char **ret, GError **error)
{
  /* A worker's was cut to the task's comm until names were made of what it is. */
  bool has = !(flags & DACSA_LINUX_PF_WQ_WORKER) || dacsa_linux_symbol(l, S_FORMAT_WORKER_ID) != 0;
  uint64_t name;

  *ret = NULL;
  if (kthread == 0 || !has || !dacsa_linux_has(l, M_KTHREAD_FULL_NAME))
    return true;
  if (!dacsa_linux_get(l, kthread, M_KTHREAD_FULL_NAME, &name, error))
    return false;
  return name == 0 || dacsa_mem_read_string(l->memory, name, MAX_FULL_NAME - 1, ret, error);
}

static bool
append_name(const DacsaLinux *l, uint64_t task, GString *out, GError **error)
{
  g_autofree char *full = NULL;
  uint64_t kthread = 0;
  uint64_t flags;

  if (!dacsa_linux_get(l, task, M_TASK_FLAGS, &flags, error))
    return false;
  if (flags & DACSA_LINUX_PF_KTHREAD && dacsa_linux_has(l, M_TASK_WORKER_PRIVATE) &&
      !dacsa_linux_get(l, task, M_TASK_WORKER_PRIVATE, &kthread, error))
    return false;
  if (!full_name(l, kthread, flags, &full, error))
    return false;
  if (full)
    g_string_append(out, full);
  else if (!append_comm(l, task, out, error))
    return false;
  return !(flags & DACSA_LINUX_PF_WQ_WORKER) || kthread == 0 || append_work(l, kthread, out, error);
}

bool
dacsa_linux_task_name(const DacsaLinux *l, uint64_t task, GString *out, GError **error)
{
  gsize begin = out->len;

  if (!append_name(l, task, out, error)) {
    g_string_truncate(out, begin);
    return false;
  }
  if (out->len - begin > MAX_FULL_NAME - 1)
    g_string_truncate(out, begin + MAX_FULL_NAME - 1);
  return true;
}

bool
dacsa_linux_comm(DacsaGuest *guest, uint32_t pid, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  uint64_t task;

  if (!dacsa_linux_task(l, pid, &task, error) || !dacsa_linux_task_name(l, task, out, error))
    return false;
  g_string_append_c(out, '\n');
  return true;
}
