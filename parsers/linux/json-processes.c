/* All processes as JSON lines: who they are, where they are, what they use. */
#include "parsers/linux/process.h"
#include "parsers/table.h"
#include "snap/error.h"

#define MAX_FAILURES (1u << 14) /* of all processes together: a healthy guest has none */

/* -- processes -- */

typedef enum {
  COLUMN_PID,
  COLUMN_PPID,
  COLUMN_NSPID,
  COLUMN_PGID,
  COLUMN_SID,
  COLUMN_TTY,
  COLUMN_THREADS,
  COLUMN_STATE,
  COLUMN_KTHREAD,
  COLUMN_UID,
  COLUMN_EUID,
  COLUMN_GID,
  COLUMN_EGID,
  COLUMN_START,
  COLUMN_STARTED,
  COLUMN_COMM,
  COLUMN_CMDLINE,
  COLUMN_EXE,
  COLUMN_CWD,
  COLUMN_ROOT,
  COLUMN_CGROUP,
  COLUMN_VM,
  COLUMN_RSS,
  COLUMN_SWAP,
  COLUMN_PID_NS,
  COLUMN_MNT_NS,
  COLUMN_NET_NS,
  COLUMN_USER_NS,
  COLUMN_UTS_NS,
  COLUMN_IPC_NS,
  COLUMN_CGROUP_NS,
  COLUMN_TASK,
  N_COLUMNS,
} Column;

/* nspid: the pid inside the process's own namespace. start: seconds since the guest booted. *_ns:
 * as the links in /proc/PID/ns number them. */
static const DacsaColumn columns[N_COLUMNS] = {
    [COLUMN_PID] = {"pid", DACSA_CELL_NUMBER},
    [COLUMN_PPID] = {"ppid", DACSA_CELL_NUMBER},
    [COLUMN_NSPID] = {"nspid", DACSA_CELL_NUMBER},
    [COLUMN_PGID] = {"pgid", DACSA_CELL_NUMBER},
    [COLUMN_SID] = {"sid", DACSA_CELL_NUMBER},
    [COLUMN_TTY] = {"tty", DACSA_CELL_TEXT},
    [COLUMN_THREADS] = {"threads", DACSA_CELL_NUMBER},
    [COLUMN_STATE] = {"state", DACSA_CELL_TEXT},
    [COLUMN_KTHREAD] = {"kthread", DACSA_CELL_BOOLEAN},
    [COLUMN_UID] = {"uid", DACSA_CELL_NUMBER},
    [COLUMN_EUID] = {"euid", DACSA_CELL_NUMBER},
    [COLUMN_GID] = {"gid", DACSA_CELL_NUMBER},
    [COLUMN_EGID] = {"egid", DACSA_CELL_NUMBER},
    [COLUMN_START] = {"start", DACSA_CELL_NUMBER},
    [COLUMN_STARTED] = {"started", DACSA_CELL_TEXT},
    [COLUMN_COMM] = {"comm", DACSA_CELL_TEXT},
    [COLUMN_CMDLINE] = {"cmdline", DACSA_CELL_TEXT},
    [COLUMN_EXE] = {"exe", DACSA_CELL_TEXT},
    [COLUMN_CWD] = {"cwd", DACSA_CELL_TEXT},
    [COLUMN_ROOT] = {"root", DACSA_CELL_TEXT},
    [COLUMN_CGROUP] = {"cgroup", DACSA_CELL_TEXT},
    [COLUMN_VM] = {"vm_kb", DACSA_CELL_NUMBER},
    [COLUMN_RSS] = {"rss_kb", DACSA_CELL_NUMBER},
    [COLUMN_SWAP] = {"swap_kb", DACSA_CELL_NUMBER},
    [COLUMN_PID_NS] = {"pid_ns", DACSA_CELL_NUMBER},
    [COLUMN_MNT_NS] = {"mnt_ns", DACSA_CELL_NUMBER},
    [COLUMN_NET_NS] = {"net_ns", DACSA_CELL_NUMBER},
    [COLUMN_USER_NS] = {"user_ns", DACSA_CELL_NUMBER},
    [COLUMN_UTS_NS] = {"uts_ns", DACSA_CELL_NUMBER},
    [COLUMN_IPC_NS] = {"ipc_ns", DACSA_CELL_NUMBER},
    [COLUMN_CGROUP_NS] = {"cgroup_ns", DACSA_CELL_NUMBER},
    [COLUMN_TASK] = {"task", DACSA_CELL_TEXT},
};

/* A process whose row is made. Addresses are 0 where there is none. */
typedef struct {
  DacsaLinux *l;
  DacsaTable *table;
  uint32_t pid;
  const char *where;
  uint64_t task, mm, signal, cred, fs, nsproxy, root;
  int64_t boot_time; /* 0: not known */
  guint failures;    /* so far, but for what the kernel just does not have */
} Process;

static void
note(Process *p, Column column, const GError *cause)
{
  g_autofree char *text = g_strdup_printf("no %s: %s", columns[column].name, cause->message);

  dacsa_errors_add(p->l->errors, p->where, text);
  if (!g_error_matches(cause, DACSA_ERROR, DACSA_ERROR_UNSUPPORTED))
    p->failures++;
}

static void
set_number(Process *p, Column column, uint64_t base, DacsaLinuxMember member)
{
  g_autoptr(GError) cause = NULL;
  uint64_t value;

  if (dacsa_linux_get(p->l, base, member, &value, &cause))
    dacsa_table_set_number(p->table, column, value);
  else
    note(p, column, cause);
}

/* What a structure that base points to says; absent where it points to none. */
static void
set_number_of(Process *p, Column column, uint64_t base, DacsaLinuxMember pointer,
              DacsaLinuxMember member)
{
  g_autoptr(GError) cause = NULL;
  uint64_t at;

  if (!dacsa_linux_get(p->l, base, pointer, &at, &cause))
    note(p, column, cause);
  else if (at != 0)
    set_number(p, column, at, member);
}

/* -- identity -- */

static void
set_state(Process *p)
{
  g_autoptr(GError) cause = NULL;
  const char *state;
  char letter[2] = {0};

  if (!dacsa_linux_task_state(p->l, p->task, &state, &cause)) {
    note(p, COLUMN_STATE, cause);
    return;
  }
  letter[0] = state[0];
  dacsa_table_set_text(p->table, COLUMN_STATE, letter);
}

static void
set_name(Process *p)
{
  g_autoptr(GString) name = g_string_new(NULL);
  g_autoptr(GError) cause = NULL;

  if (dacsa_linux_task_name(p->l, p->task, name, &cause))
    dacsa_table_set_text(p->table, COLUMN_COMM, name->str);
  else
    note(p, COLUMN_COMM, cause);
}

/* Blanks where the arguments end. */
static void
set_cmdline(Process *p)
{
  g_autoptr(GString) line = g_string_new(NULL);
  g_autoptr(GError) cause = NULL;

  if (!dacsa_linux_mm_cmdline(p->l, p->mm, p->where, line, &cause))
    note(p, COLUMN_CMDLINE, cause);
  while (line->len > 0 && line->str[line->len - 1] == '\0')
    g_string_truncate(line, line->len - 1);
  for (gsize i = 0; i < line->len; i++)
    if (line->str[i] == '\0')
      line->str[i] = ' ';
  if (p->mm != 0 && !cause)
    dacsa_table_set_text(p->table, COLUMN_CMDLINE, line->str);
}

static void
set_group_pid(Process *p, Column column, DacsaLinuxEnumerator kind)
{
  g_autoptr(GError) cause = NULL;
  uint64_t pid, number, ns;

  if (!dacsa_linux_group_pid(p->l, p->signal, kind, &pid, &cause) ||
      (pid != 0 && !dacsa_linux_pid_at(p->l, pid, 0, &number, &ns, &cause)))
    note(p, column, cause);
  else if (pid != 0)
    dacsa_table_set_number(p->table, column, (uint32_t)number);
}

/* The innermost pid namespace, and the pid in it. */
static void
set_nspid(Process *p)
{
  g_autoptr(GError) cause = NULL;
  uint64_t pid, level, number, ns;

  if (!dacsa_linux_get(p->l, p->task, M_TASK_THREAD_PID, &pid, &cause) ||
      !dacsa_linux_pid_level(p->l, pid, &level, &cause) ||
      !dacsa_linux_pid_at(p->l, pid, level, &number, &ns, &cause)) {
    note(p, COLUMN_NSPID, cause);
    return;
  }
  dacsa_table_set_number(p->table, COLUMN_NSPID, (uint32_t)number);
  set_number(p, COLUMN_PID_NS, ns, M_PID_NS_INUM);
}

static void
set_tty(Process *p)
{
  g_autoptr(GError) cause = NULL;
  g_autofree char *name = NULL;
  uint64_t tty;

  if (!dacsa_linux_get(p->l, p->signal, M_SIGNAL_TTY, &tty, &cause) ||
      (tty != 0 && !dacsa_linux_get_string(p->l, tty, M_TTY_NAME, &name, &cause)))
    note(p, COLUMN_TTY, cause);
  dacsa_table_set_text(p->table, COLUMN_TTY, name);
}

static void
set_start(Process *p)
{
  g_autoptr(GError) cause = NULL;
  uint64_t ns;

  if (!dacsa_linux_get(p->l, p->task, M_TASK_START, &ns, &cause)) {
    note(p, COLUMN_START, cause);
    return;
  }
  g_autofree char *start = dacsa_linux_seconds(ns);
  g_autofree char *started =
      p->boot_time != 0 ? dacsa_linux_date((int64_t)((uint64_t)p->boot_time + ns)) : NULL;
  dacsa_table_set_text(p->table, COLUMN_START, start);
  dacsa_table_set_text(p->table, COLUMN_STARTED, started);
}

/* -- places -- */

static void
set_path(Process *p, Column column, uint64_t path)
{
  g_autoptr(GError) cause = NULL;
  g_autofree char *text = NULL;

  if (!dacsa_linux_d_path(p->l, path, p->root, &text, &cause))
    note(p, column, cause);
  dacsa_table_set_text(p->table, column, text);
}

static void
set_exe(Process *p)
{
  g_autoptr(GError) cause = NULL;
  uint64_t file;

  if (!dacsa_linux_get(p->l, p->mm, M_MM_EXE_FILE, &file, &cause))
    note(p, COLUMN_EXE, cause);
  else if (file != 0)
    set_path(p, COLUMN_EXE, file + dacsa_linux_offset(p->l, M_FILE_PATH));
}

static void
set_cgroup(Process *p)
{
  g_autoptr(GString) path = g_string_new(NULL);
  g_autoptr(GError) cause = NULL;

  if (dacsa_linux_task_cgroup(p->l, p->task, path, &cause))
    dacsa_table_set_text(p->table, COLUMN_CGROUP, path->str);
  else
    note(p, COLUMN_CGROUP, cause);
}

static void
set_namespaces(Process *p)
{
  set_number_of(p, COLUMN_USER_NS, p->cred, M_CRED_USER_NS, M_USER_NS_INUM);
  if (p->nsproxy == 0)
    return;
  set_number_of(p, COLUMN_MNT_NS, p->nsproxy, M_NSPROXY_MNT, M_MNT_INUM);
  set_number_of(p, COLUMN_NET_NS, p->nsproxy, M_NSPROXY_NET, M_NET_INUM);
  set_number_of(p, COLUMN_UTS_NS, p->nsproxy, M_NSPROXY_UTS, M_UTS_INUM);
  set_number_of(p, COLUMN_IPC_NS, p->nsproxy, M_NSPROXY_IPC, M_IPC_INUM);
  set_number_of(p, COLUMN_CGROUP_NS, p->nsproxy, M_NSPROXY_CGROUP, M_CGROUP_INUM);
}

/* -- memory -- */

static void
set_memory(Process *p)
{
  g_autoptr(GError) cause = NULL;
  uint64_t vm, anon, file, shmem, swap;

  if (!dacsa_linux_get(p->l, p->mm, M_MM_TOTAL_VM, &vm, &cause) ||
      !dacsa_linux_mm_counter(p->l, p->mm, E_MM_ANONPAGES, &anon, &cause) ||
      !dacsa_linux_mm_counter(p->l, p->mm, E_MM_FILEPAGES, &file, &cause) ||
      !dacsa_linux_mm_counter(p->l, p->mm, E_MM_SHMEMPAGES, &shmem, &cause) ||
      !dacsa_linux_mm_counter(p->l, p->mm, E_MM_SWAPENTS, &swap, &cause)) {
    note(p, COLUMN_RSS, cause);
    return;
  }
  dacsa_table_set_number(p->table, COLUMN_VM, vm * 4);
  dacsa_table_set_number(p->table, COLUMN_RSS, (anon + file + shmem) * 4);
  dacsa_table_set_number(p->table, COLUMN_SWAP, swap * 4);
}

static void
set_kthread(Process *p)
{
  g_autoptr(GError) cause = NULL;
  uint64_t flags;

  if (dacsa_linux_get(p->l, p->task, M_TASK_FLAGS, &flags, &cause))
    dacsa_table_set_number(p->table, COLUMN_KTHREAD, flags & DACSA_LINUX_PF_KTHREAD ? 1 : 0);
  else
    note(p, COLUMN_KTHREAD, cause);
}

/* An address that many cells are read through; 0 where it cannot be had. */
static uint64_t
pointer(Process *p, DacsaLinuxMember member)
{
  g_autoptr(GError) cause = NULL;
  uint64_t at = 0;

  if (!dacsa_linux_get(p->l, p->task, member, &at, &cause))
    dacsa_errors_add(p->l->errors, p->where, cause->message);
  return at;
}

static bool
add_process(Process *p)
{
  char address[24];

  p->signal = pointer(p, M_TASK_SIGNAL);
  p->cred = pointer(p, M_TASK_REAL_CRED);
  p->fs = pointer(p, M_TASK_FS);
  p->nsproxy = pointer(p, M_TASK_NSPROXY);
  if (!dacsa_linux_task_mm(p->l, p->task, &p->mm, NULL))
    p->mm = 0;
  dacsa_table_set_number(p->table, COLUMN_PID, p->pid);
  g_snprintf(address, sizeof(address), "0x%" PRIx64, p->task);
  dacsa_table_set_text(p->table, COLUMN_TASK, address);
  set_number_of(p, COLUMN_PPID, p->task, M_TASK_REAL_PARENT, M_TASK_TGID);
  set_nspid(p);
  set_group_pid(p, COLUMN_PGID, E_PIDTYPE_PGID);
  set_group_pid(p, COLUMN_SID, E_PIDTYPE_SID);
  set_tty(p);
  set_number(p, COLUMN_THREADS, p->signal, M_SIGNAL_NR_THREADS);
  set_state(p);
  set_kthread(p);
  set_number(p, COLUMN_UID, p->cred, M_CRED_UID);
  set_number(p, COLUMN_EUID, p->cred, M_CRED_EUID);
  set_number(p, COLUMN_GID, p->cred, M_CRED_GID);
  set_number(p, COLUMN_EGID, p->cred, M_CRED_EGID);
  set_start(p);
  set_name(p);
  set_cmdline(p);
  if (p->mm != 0) {
    set_exe(p);
    set_memory(p);
  }
  if (p->fs != 0) {
    set_path(p, COLUMN_CWD, p->fs + dacsa_linux_offset(p->l, M_FS_PWD));
    set_path(p, COLUMN_ROOT, p->fs + dacsa_linux_offset(p->l, M_FS_ROOT));
  }
  set_cgroup(p);
  set_namespaces(p);
  return dacsa_table_end_row(p->table);
}

bool
dacsa_linux_json_processes(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, N_COLUMNS);
  g_autoptr(GError) cause = NULL;
  Process p = {.l = l, .table = table, .root = dacsa_linux_root(l)};

  (void)error;
  dacsa_linux_tasks(l);
  if (!dacsa_linux_boot_time(l, &p.boot_time, &cause))
    dacsa_errors_add(l->errors, "json/processes.jsonl", cause->message);
  for (guint i = 0; i < l->tasks->len && p.failures < MAX_FAILURES; i++) {
    g_autofree char *where = NULL;

    p.pid = g_array_index(l->tasks, DacsaLinuxTask, i).pid;
    p.task = g_array_index(l->tasks, DacsaLinuxTask, i).task;
    p.where = where = g_strdup_printf("json/processes.jsonl: %u", p.pid);
    if (!add_process(&p)) {
      dacsa_errors_add(l->errors, "json/processes.jsonl", "cut short: the table is too long");
      break;
    }
  }
  if (p.failures >= MAX_FAILURES)
    dacsa_errors_add(l->errors, "json/processes.jsonl", "cut short: too much cannot be read");
  dacsa_table_print_json(table, out);
  return true;
}
