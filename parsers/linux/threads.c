/* The threads of a group: `threads`, and those of all groups as JSON. */
#include "parsers/linux/process.h"
#include "parsers/linux/walk.h"
#include "parsers/table.h"
#include "snap/error.h"

#define MAX_THREADS (1u << 22) /* PID_MAX_LIMIT: of all processes together */
#define NSEC_PER_MSEC UINT64_C(1000000)
#define MAX_RT_PRIO 100 /* include/linux/sched/prio.h */
#define DEFAULT_PRIO 120

/* -- walking -- */

typedef struct {
  uint64_t leader;
  bool (*visit)(uint64_t task, void *data);
  void *data;
  bool stopped;
} ThreadWalk;

static bool
visit_other(uint64_t task, void *data)
{
  ThreadWalk *w = data;

  if (task != w->leader)
    w->stopped = !w->visit(task, w->data);
  return !w->stopped;
}

bool
dacsa_linux_threads_each(const DacsaLinux *l, uint64_t leader,
                         bool (*visit)(uint64_t task, void *data), void *data, GError **error)
{
  ThreadWalk w = {leader, visit, data, false};
  uint64_t signal;

  if (!visit(leader, data))
    return true;
  if (!dacsa_linux_get(l, leader, M_TASK_SIGNAL, &signal, error))
    return false;
  /* include/linux/sched/signal.h, for_each_thread. */
  return dacsa_linux_list_each(l, signal + dacsa_linux_offset(l, M_SIGNAL_THREAD_HEAD),
                               M_TASK_THREAD_NODE, visit_other, &w, error);
}

/* -- times -- */

bool
dacsa_linux_task_times(const DacsaLinux *l, uint64_t task, uint64_t *ret_user, uint64_t *ret_system,
                       GError **error)
{
  uint64_t user, system, runtime, prev_user, prev_system;

  if (!dacsa_linux_get(l, task, M_TASK_UTIME, &user, error) ||
      !dacsa_linux_get(l, task, M_TASK_STIME, &system, error) ||
      !dacsa_linux_get(l, task, M_TASK_RUNTIME, &runtime, error) ||
      !dacsa_linux_get(l, task, M_TASK_PREV_UTIME, &prev_user, error) ||
      !dacsa_linux_get(l, task, M_TASK_PREV_STIME, &prev_system, error))
    return false;
  *ret_user = prev_user;
  *ret_system = prev_system;
  if (prev_user + prev_system >= runtime)
    return true;
  /* The exact run time is divided as the ticks were seen, and neither part ever goes back. */
  if (system == 0)
    *ret_system = prev_system;
  else if (user == 0)
    *ret_system = MAX(runtime, prev_system);
  else
    *ret_system =
        MAX((uint64_t)((__extension__(unsigned __int128) system * runtime) / (system + user)),
            prev_system);
  *ret_user = runtime - MIN(*ret_system, runtime);
  if (*ret_user < prev_user) {
    *ret_user = prev_user;
    *ret_system = runtime - MIN(prev_user, runtime);
  }
  return true;
}

/* -- the table -- */

enum {
  COLUMN_PID,
  COLUMN_TID,
  COLUMN_NSTID,
  COLUMN_STATE,
  COLUMN_CPU,
  COLUMN_POLICY,
  COLUMN_PRIORITY,
  COLUMN_NICE,
  COLUMN_START,
  COLUMN_UTIME,
  COLUMN_STIME,
  COLUMN_STACK,
  COLUMN_TASK,
  COLUMN_COMM,
  N_COLUMNS,
};

/* start: seconds since the guest booted. `threads` leaves out the first. */
static const DacsaColumn columns[N_COLUMNS] = {
    [COLUMN_PID] = {"pid", DACSA_CELL_NUMBER},
    [COLUMN_TID] = {"tid", DACSA_CELL_NUMBER},
    [COLUMN_NSTID] = {"nstid", DACSA_CELL_NUMBER},
    [COLUMN_STATE] = {"state", DACSA_CELL_TEXT},
    [COLUMN_CPU] = {"cpu", DACSA_CELL_NUMBER},
    [COLUMN_POLICY] = {"policy", DACSA_CELL_TEXT},
    [COLUMN_PRIORITY] = {"priority", DACSA_CELL_NUMBER},
    [COLUMN_NICE] = {"nice", DACSA_CELL_NUMBER},
    [COLUMN_START] = {"start", DACSA_CELL_NUMBER},
    [COLUMN_UTIME] = {"utime_ms", DACSA_CELL_NUMBER},
    [COLUMN_STIME] = {"stime_ms", DACSA_CELL_NUMBER},
    [COLUMN_STACK] = {"stack", DACSA_CELL_TEXT},
    [COLUMN_TASK] = {"task", DACSA_CELL_TEXT},
    [COLUMN_COMM] = {"comm", DACSA_CELL_TEXT},
};

typedef struct {
  DacsaLinux *l;
  DacsaTable *table;
  guint first; /* column */
  uint32_t pid;
  const char *where;
  guint threads;    /* so far */
  const char *full; /* why no more are wanted */
} Threads;

/* Sets a cell to what the member says; where that cannot be read it is noted and stays absent. */
static bool
get_cell(Threads *t, uint64_t task, DacsaLinuxMember member, uint64_t *ret)
{
  g_autoptr(GError) cause = NULL;

  if (dacsa_linux_get(t->l, task, member, ret, &cause))
    return true;
  dacsa_errors_add(t->l->errors, t->where, cause->message);
  return false;
}

static void
set_number(Threads *t, uint64_t task, guint column, DacsaLinuxMember member)
{
  uint64_t value;

  if (get_cell(t, task, member, &value))
    dacsa_table_set_number(t->table, column - t->first, value);
}

static void
set_signed(Threads *t, uint64_t task, guint column, DacsaLinuxMember member, int from)
{
  uint64_t value;
  char text[24];

  if (!get_cell(t, task, member, &value))
    return;
  g_snprintf(text, sizeof(text), "%" PRId64, (int64_t)(int32_t)value - from);
  dacsa_table_set_text(t->table, column - t->first, text);
}

static void
set_address(Threads *t, guint column, uint64_t address)
{
  char text[24];

  g_snprintf(text, sizeof(text), "0x%" PRIx64, address);
  dacsa_table_set_text(t->table, column - t->first, text);
}

static void
set_start(Threads *t, uint64_t task)
{
  uint64_t ns;

  if (!get_cell(t, task, M_TASK_START, &ns))
    return;
  g_autofree char *start = dacsa_linux_seconds(ns);
  dacsa_table_set_text(t->table, COLUMN_START - t->first, start);
}

static void
set_policy(Threads *t, uint64_t task)
{
  static const char *const names[] = {"other", "fifo", "rr",       "batch",
                                      NULL,    "idle", "deadline", "ext"};
  uint64_t policy;

  if (!get_cell(t, task, M_TASK_POLICY, &policy))
    return;
  if (policy < G_N_ELEMENTS(names) && names[policy])
    dacsa_table_set_text(t->table, COLUMN_POLICY - t->first, names[policy]);
}

static void
set_state(Threads *t, uint64_t task)
{
  g_autoptr(GError) cause = NULL;
  const char *state;
  char letter[2] = {0};

  if (!dacsa_linux_task_state(t->l, task, &state, &cause)) {
    dacsa_errors_add(t->l->errors, t->where, cause->message);
    return;
  }
  letter[0] = state[0];
  dacsa_table_set_text(t->table, COLUMN_STATE - t->first, letter);
}

static void
set_times(Threads *t, uint64_t task)
{
  g_autoptr(GError) cause = NULL;
  uint64_t user, system;

  if (!dacsa_linux_task_times(t->l, task, &user, &system, &cause)) {
    dacsa_errors_add(t->l->errors, t->where, cause->message);
    return;
  }
  dacsa_table_set_number(t->table, COLUMN_UTIME - t->first, user / NSEC_PER_MSEC);
  dacsa_table_set_number(t->table, COLUMN_STIME - t->first, system / NSEC_PER_MSEC);
}

/* The number in the namespace that the thread lives in. */
static void
set_nstid(Threads *t, uint64_t task)
{
  g_autoptr(GError) cause = NULL;
  uint64_t pid, level, number, ns;

  if (dacsa_linux_get(t->l, task, M_TASK_THREAD_PID, &pid, &cause) &&
      dacsa_linux_pid_level(t->l, pid, &level, &cause) &&
      dacsa_linux_pid_at(t->l, pid, level, &number, &ns, &cause))
    dacsa_table_set_number(t->table, COLUMN_NSTID - t->first, number);
  else
    dacsa_errors_add(t->l->errors, t->where, cause->message);
}

static void
set_comm(Threads *t, uint64_t task)
{
  g_autoptr(GString) name = g_string_new(NULL);
  g_autoptr(GError) cause = NULL;

  if (dacsa_linux_task_name(t->l, task, name, &cause))
    dacsa_table_set_text(t->table, COLUMN_COMM - t->first, name->str);
  else
    dacsa_errors_add(t->l->errors, t->where, cause->message);
}

static bool
add_thread(uint64_t task, void *data)
{
  Threads *t = data;
  uint64_t stack;

  if (++t->threads > MAX_THREADS) {
    t->full = "cut short: too many threads";
    return false;
  }
  if (t->first == COLUMN_PID)
    dacsa_table_set_number(t->table, COLUMN_PID, t->pid);
  set_number(t, task, COLUMN_TID, M_TASK_PID);
  set_nstid(t, task);
  set_state(t, task);
  set_number(t, task, COLUMN_CPU, M_TASK_CPU);
  set_policy(t, task);
  set_signed(t, task, COLUMN_PRIORITY, M_TASK_PRIO, MAX_RT_PRIO);
  set_signed(t, task, COLUMN_NICE, M_TASK_STATIC_PRIO, DEFAULT_PRIO);
  set_start(t, task);
  set_times(t, task);
  if (get_cell(t, task, M_TASK_STACK, &stack) && stack != 0)
    set_address(t, COLUMN_STACK, stack);
  set_address(t, COLUMN_TASK, task);
  set_comm(t, task);
  if (!dacsa_table_end_row(t->table))
    t->full = "cut short: the table is too long";
  return !t->full;
}

/* Adds the rows of one process. What is cut short is noted. */
static void
add_threads(Threads *t, uint32_t pid, uint64_t leader)
{
  g_autofree char *where = g_strdup_printf("processes/%u/threads", pid);
  g_autoptr(GError) cause = NULL;

  t->pid = pid;
  t->where = where;
  if (!dacsa_linux_threads_each(t->l, leader, add_thread, t, &cause))
    dacsa_errors_add(t->l->errors, where, cause->message);
  if (t->full)
    dacsa_errors_add(t->l->errors, where, t->full);
}

bool
dacsa_linux_threads(DacsaGuest *guest, uint32_t pid, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autoptr(DacsaTable) table = dacsa_table_new(columns + COLUMN_TID, N_COLUMNS - COLUMN_TID);
  Threads t = {.l = l, .table = table, .first = COLUMN_TID};
  uint64_t task;

  if (!dacsa_linux_task(l, pid, &task, error))
    return false;
  add_threads(&t, pid, task);
  dacsa_table_print(table, out);
  return true;
}

bool
dacsa_linux_json_threads(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, N_COLUMNS);
  Threads t = {.l = l, .table = table, .first = COLUMN_PID};

  (void)error;
  dacsa_linux_tasks(l);
  for (guint i = 0; i < l->tasks->len && !t.full; i++) {
    const DacsaLinuxTask *task = &g_array_index(l->tasks, DacsaLinuxTask, i);

    add_threads(&t, task->pid, task->task);
  }
  dacsa_table_print_json(table, out);
  return true;
}
