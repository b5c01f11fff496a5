/* Thread groups, from init_task's list of tasks, and what is asked of a task everywhere. */
#include "parsers/linux/process.h"
#include "snap/error.h"

#define MAX_TASKS (1u << 22) /* PID_MAX_LIMIT */
#define MIN_TASKS 1024u      /* however little memory there is */
#define TASK_BYTES 16384u    /* THREAD_SIZE: each has a stack of its own in the kernel */

/* Bits of a task's state (include/linux/sched.h). */
#define TASK_REPORT 0x7fu
#define TASK_UNINTERRUPTIBLE 0x2u
#define TASK_REPORT_IDLE 0x80u
#define TASK_IDLE 0x402u
#define TASK_RTLOCK_WAIT 0x1000u
#define TASK_FROZEN 0x8000u

static gint
compare_tasks(gconstpointer a, gconstpointer b)
{
  const DacsaLinuxTask *x = a;
  const DacsaLinuxTask *y = b;

  return x->pid < y->pid ? -1 : x->pid > y->pid;
}

/* How many tasks there can be: no more than have room. */
static guint
max_tasks(const DacsaLinux *l)
{
  return (guint)MIN(MIN_TASKS + dacsa_linux_ram_bytes(l) / TASK_BYTES, (uint64_t)MAX_TASKS);
}

/* Walks the list until it comes back to init_task. Partial results are kept, the reason noted. */
static void
collect_tasks(DacsaLinux *l, GArray *tasks)
{
  const uint64_t head = dacsa_linux_symbol(l, S_INIT_TASK) + dacsa_linux_offset(l, M_TASK_TASKS);
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  g_autoptr(GError) error = NULL;
  const guint limit = max_tasks(l);
  uint64_t node = head;

  for (;;) {
    DacsaLinuxTask task;
    uint64_t pid;

    if (!dacsa_mem_read_u64(l->memory, node, &node, &error))
      break;
    if (node == head)
      return;
    task.task = node - dacsa_linux_offset(l, M_TASK_TASKS);
    if (!g_hash_table_add(seen, GSIZE_TO_POINTER(task.task))) {
      dacsa_fail(&error, DACSA_ERROR_BAD_DATA, "the list of tasks runs in a circle");
      break;
    }
    if (g_hash_table_size(seen) > limit) {
      dacsa_fail(&error, DACSA_ERROR_BAD_DATA, "cut short after %u tasks", limit);
      break;
    }
    if (!dacsa_linux_get(l, task.task, M_TASK_PID, &pid, &error))
      break;
    if (pid == 0 || pid > MAX_TASKS) {
      dacsa_errors_add(l->errors, "processes", "a task has an impossible pid");
      continue;
    }
    task.pid = (uint32_t)pid;
    g_array_append_val(tasks, task);
  }
  dacsa_errors_add(l->errors, "processes", error->message);
}

void
dacsa_linux_tasks(DacsaLinux *l)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&l->lock);

  if (l->tasks)
    return;
  GArray *tasks = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxTask));
  l->pids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  collect_tasks(l, tasks);
  g_array_sort(tasks, compare_tasks);
  for (guint i = 0; i < tasks->len; i++) {
    const DacsaLinuxTask task = g_array_index(tasks, DacsaLinuxTask, i);
    guint n = l->pids->len; /* kept so far, all of them at the front */

    if (n > 0 && g_array_index(l->pids, uint32_t, n - 1) == task.pid) {
      dacsa_errors_add(l->errors, "processes", "two tasks have the same pid; one is shown");
      continue;
    }
    g_array_append_val(l->pids, task.pid);
    g_array_index(tasks, DacsaLinuxTask, n) = task;
  }
  g_array_set_size(tasks, l->pids->len);
  l->tasks = tasks;
}

bool
dacsa_linux_task(DacsaLinux *l, uint32_t pid, uint64_t *ret, GError **error)
{
  const DacsaLinuxTask key = {pid, 0};
  guint at;

  dacsa_linux_tasks(l);
  if (!g_array_binary_search(l->tasks, &key, compare_tasks, &at))
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "there is no process %u", pid);
  *ret = g_array_index(l->tasks, DacsaLinuxTask, at).task;
  return true;
}

bool
dacsa_linux_task_mm(const DacsaLinux *l, uint64_t task, uint64_t *ret, GError **error)
{
  uint64_t flags;

  if (!dacsa_linux_get(l, task, M_TASK_FLAGS, &flags, error))
    return false;
  /* kernel/fork.c, get_task_mm: a kernel thread's mm is one that it borrows. */
  *ret = 0;
  return flags & DACSA_LINUX_PF_KTHREAD || dacsa_linux_get(l, task, M_TASK_MM, ret, error);
}

uint64_t
dacsa_linux_root(DacsaLinux *l)
{
  uint64_t task, fs;

  if (!dacsa_linux_task(l, 1, &task, NULL) || !dacsa_linux_get(l, task, M_TASK_FS, &fs, NULL) ||
      fs == 0)
    return 0;
  return fs + dacsa_linux_offset(l, M_FS_ROOT);
}

bool
dacsa_linux_task_state(const DacsaLinux *l, uint64_t task, const char **ret, GError **error)
{
  static const char *const names[] = {
      "R (running)", "S (sleeping)", "D (disk sleep)", "T (stopped)", "t (tracing stop)",
      "X (dead)",    "Z (zombie)",   "P (parked)",     "I (idle)",
  };
  uint64_t state, exit_state;

  if (!dacsa_linux_get(l, task, M_TASK_STATE, &state, error) ||
      !dacsa_linux_get(l, task, M_TASK_EXIT_STATE, &exit_state, error))
    return false;
  /* __task_state_index */
  uint64_t shown = (state | exit_state) & TASK_REPORT;
  if ((state & TASK_IDLE) == TASK_IDLE)
    shown = TASK_REPORT_IDLE;
  if (state & (TASK_RTLOCK_WAIT | TASK_FROZEN))
    shown = TASK_UNINTERRUPTIBLE;
  *ret = names[g_bit_storage(shown) - (shown == 0)];
  return true;
}
