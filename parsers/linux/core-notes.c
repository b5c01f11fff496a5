/* The notes of a core: threads, the process, its auxiliary vector, the files that it has mapped. */
#include "parsers/linux/core.h"

#include "parsers/linux/fpu.h"
#include "parsers/linux/process.h"
#include "parsers/linux/registers.h"
#include "snap/error.h"

#include <elf.h>
#include <string.h>

#define MAX_NOTES (64u << 20) /* bytes of the threads' together */
#define MIN_THREADS 1024u     /* however little memory there is */
#define THREAD_BYTES 16384u   /* each has a stack of its own in the kernel */
#define MAX_FILES (64u << 20)
#define MAX_AUXV 1024u /* words */
#define PAGE DACSA_PAGE_SIZE

#define ARGUMENTS 80u /* ELF_PRARGSZ */
#define COMM 16u
#define DEFAULT_PRIO 120 /* include/linux/sched/prio.h */
#define NSEC_PER_USEC 1000u
#define USEC_PER_SEC 1000000u
#define USER32_CS 0x23u

/* struct elf_prstatus (include/linux/elfcore.h) of x86-64. */
typedef struct {
  int32_t signo, code, error;
  int16_t cursig;
  uint64_t pending, held;
  int32_t pid, ppid, pgrp, sid;
  uint64_t utime[2], stime[2], cutime[2], cstime[2]; /* seconds, microseconds */
  uint64_t registers[DACSA_LINUX_N_REGISTERS];
  int32_t has_fpu;
} Prstatus;

/* struct elf_prpsinfo. */
typedef struct {
  uint8_t state;
  char name_of_state, zombie;
  int8_t nice;
  uint64_t flags;
  uint32_t uid, gid;
  int32_t pid, ppid, pgrp, sid;
  char comm[COMM], arguments[ARGUMENTS];
} Prpsinfo;

G_STATIC_ASSERT(sizeof(Prstatus) == 336 && sizeof(Prpsinfo) == 136);

typedef struct {
  const DacsaLinuxCore *core;
  DacsaElfcore *elf;
  uint64_t signal;
  size_t bytes;
  uint64_t threads, max_threads; /* so far; that there can be */
  guint no_fpu, from_vcpu, of_32_bits;
  bool described; /* the notes of the process are there: they follow the first thread's first */
} Notes;

static void
note(const DacsaLinuxCore *core, const char *text)
{
  dacsa_errors_add(core->l->errors, core->where, text);
}

/* A member's value; 0 where it cannot be read, which is noted. */
static uint64_t
get(const DacsaLinuxCore *core, uint64_t base, DacsaLinuxMember member)
{
  g_autoptr(GError) cause = NULL;
  uint64_t value = 0;

  if (!dacsa_linux_get(core->l, base, member, &value, &cause))
    note(core, cause->message);
  return value;
}

/* -- who it is -- */

/* As the guest's init sees it. */
static int32_t
group_pid(const DacsaLinuxCore *core, uint64_t signal, DacsaLinuxEnumerator kind)
{
  g_autoptr(GError) cause = NULL;
  uint64_t pid, ns;
  uint64_t number = 0;

  if (!dacsa_linux_group_pid(core->l, signal, kind, &pid, &cause) ||
      (pid != 0 && !dacsa_linux_pid_at(core->l, pid, 0, &number, &ns, &cause)))
    note(core, cause->message);
  return (int32_t)number;
}

static int32_t
parent_pid(const DacsaLinuxCore *core, uint64_t task)
{
  const uint64_t parent = get(core, task, M_TASK_REAL_PARENT);

  return parent != 0 ? (int32_t)get(core, parent, M_TASK_PID) : 0;
}

/* -- a thread -- */

static void
set_time(uint64_t to[2], uint64_t ns)
{
  to[0] = ns / NSEC_PER_USEC / USEC_PER_SEC;
  to[1] = ns / NSEC_PER_USEC % USEC_PER_SEC;
}

typedef struct {
  const DacsaLinuxCore *core;
  uint64_t user, system;
} Times;

static bool
add_times(uint64_t task, void *data)
{
  Times *t = data;

  t->user += get(t->core, task, M_TASK_UTIME);
  t->system += get(t->core, task, M_TASK_STIME);
  return true;
}

/* fs/binfmt_elf.c, fill_prstatus: the leader's are those of all threads, also of those that have
 * ended. */
static void
set_times(const Notes *n, uint64_t task, Prstatus *status)
{
  Times times = {.core = n->core};
  g_autoptr(GError) cause = NULL;

  if (task != n->core->leader) {
    add_times(task, &times);
  } else {
    times.user = get(n->core, n->signal, M_SIGNAL_UTIME);
    times.system = get(n->core, n->signal, M_SIGNAL_STIME);
    if (!dacsa_linux_threads_each(n->core->l, task, add_times, &times, &cause))
      note(n->core, cause->message);
  }
  set_time(status->utime, times.user);
  set_time(status->stime, times.system);
  set_time(status->cutime, get(n->core, n->signal, M_SIGNAL_CUTIME));
  set_time(status->cstime, get(n->core, n->signal, M_SIGNAL_CSTIME));
}

static void
add_note(Notes *n, const char *owner, uint32_t type, const void *desc, size_t len)
{
  dacsa_elfcore_add_note(n->elf, owner, type, desc, len);
  n->bytes += len;
}

static void describe_process(Notes *n);

/* A thread's notes. NT_FPREGSET is the legacy part alone, with nothing in what software may use. */
static void
add_thread(Notes *n, uint64_t task, Prstatus *status)
{
  g_autoptr(GError) cause = NULL;
  g_auto(DacsaLinuxFpu) fpu = {0};
  uint8_t legacy[DACSA_LINUX_FXSAVE_SIZE];

  if (dacsa_linux_fpu(n->core->l, task, &fpu, &cause))
    status->has_fpu = 1;
  else
    n->no_fpu++;
  add_note(n, "CORE", NT_PRSTATUS, status, sizeof(*status));
  describe_process(n);
  if (!status->has_fpu)
    return;
  n->from_vcpu += fpu.from_vcpu;
  memcpy(legacy, fpu.area->data, sizeof(legacy));
  memset(legacy + sizeof(legacy) - 96, 0, 96);
  add_note(n, "CORE", NT_FPREGSET, legacy, sizeof(legacy));
  if (fpu.area->len > sizeof(legacy))
    add_note(n, "LINUX", NT_X86_XSTATE, fpu.area->data, fpu.area->len);
}

static void
note_left_out(const DacsaLinuxCore *core, int32_t tid, const GError *cause)
{
  g_autofree char *text =
      g_strdup_printf("thread %d is left out, without its registers: %s", tid, cause->message);

  note(core, text);
}

static bool
visit_thread(uint64_t task, void *data)
{
  Notes *n = data;
  const DacsaLinuxCore *core = n->core;
  g_autoptr(GError) cause = NULL;
  Prstatus status = {0};
  uint64_t mm;

  if (!dacsa_linux_task_mm(core->l, task, &mm, NULL) || mm == 0)
    return true; /* it has ended */
  if (n->bytes >= MAX_NOTES || n->threads++ >= n->max_threads) {
    note(core, "cut short: too many threads");
    return false;
  }
  status.pid = (int32_t)get(core, task, M_TASK_PID);
  if (!dacsa_linux_registers(core->l, task, mm, status.registers, &cause)) {
    note_left_out(core, status.pid, cause);
    return true;
  }
  n->of_32_bits += status.registers[DACSA_LINUX_CS] == USER32_CS;
  status.pending = get(core, task, M_TASK_PENDING);
  status.held = get(core, task, M_TASK_BLOCKED);
  status.ppid = parent_pid(core, task);
  status.pgrp = group_pid(core, n->signal, E_PIDTYPE_PGID);
  status.sid = group_pid(core, n->signal, E_PIDTYPE_SID);
  set_times(n, task, &status);
  add_thread(n, task, &status);
  return true;
}

/* -- the process -- */

/* fs/binfmt_elf.c, fill_psinfo: the lowest bit that is set names the state. */
static void
set_state(const DacsaLinuxCore *core, Prpsinfo *info)
{
  const uint64_t state = get(core, core->leader, M_TASK_STATE) & 0xffffffff;
  const int lowest = state ? g_bit_nth_lsf((gulong)state, -1) + 1 : 0;

  info->state = (uint8_t)lowest;
  info->name_of_state = lowest > 5 ? '.' : "RSDTZW"[lowest];
  info->zombie = info->name_of_state == 'Z';
}

static void
set_arguments(const DacsaLinuxCore *core, Prpsinfo *info)
{
  const uint64_t start = get(core, core->mm, M_MM_ARG_START);
  const uint64_t end = get(core, core->mm, M_MM_ARG_END);
  DacsaX86_64Tables tables;

  if (end <= start || !dacsa_linux_mm_tables(core->l, core->mm, &tables, NULL))
    return;
  g_autoptr(DacsaMem) space = dacsa_x86_64_space_new(&tables);
  const size_t len = (size_t)MIN(end - start, (uint64_t)ARGUMENTS - 1);
  const size_t got = dacsa_mem_read_some(space, start, info->arguments, len);
  for (size_t i = 0; i < got; i++)
    if (info->arguments[i] == '\0')
      info->arguments[i] = ' ';
  if (got < len)
    note(core, "its arguments are not in memory");
}

static void
add_psinfo(Notes *n)
{
  const DacsaLinuxCore *core = n->core;
  const uint64_t leader = core->leader;
  g_autofree char *comm = NULL;
  Prpsinfo info = {0};

  set_state(core, &info);
  info.nice = (int8_t)(get(core, leader, M_TASK_STATIC_PRIO) - DEFAULT_PRIO);
  info.flags = get(core, leader, M_TASK_FLAGS);
  const uint64_t cred = get(core, leader, M_TASK_REAL_CRED);
  info.uid = (uint32_t)get(core, cred, M_CRED_UID);
  info.gid = (uint32_t)get(core, cred, M_CRED_GID);
  info.pid = (int32_t)get(core, leader, M_TASK_PID);
  info.ppid = parent_pid(core, leader);
  info.pgrp = group_pid(core, n->signal, E_PIDTYPE_PGID);
  info.sid = group_pid(core, n->signal, E_PIDTYPE_SID);
  if (dacsa_linux_get_string(core->l, leader, M_TASK_COMM, &comm, NULL))
    memcpy(info.comm, comm, MIN(strlen(comm), sizeof(info.comm)));
  set_arguments(core, &info);
  add_note(n, "CORE", NT_PRPSINFO, &info, sizeof(info));
}

/* Pairs of words, up to the one that says that it is the last. */
static void
add_auxv(Notes *n)
{
  const DacsaLinuxCore *core = n->core;
  const guint words = MIN(core->l->kernel->members[M_MM_SAVED_AUXV].elements, MAX_AUXV);
  g_autoptr(GArray) auxv = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(GError) cause = NULL;
  uint64_t type = AT_IGNORE;
  uint64_t value;

  for (guint i = 0; i + 1 < words && type != AT_NULL; i += 2) {
    if (!dacsa_linux_get_element(core->l, core->mm, M_MM_SAVED_AUXV, i, &type, &cause) ||
        !dacsa_linux_get_element(core->l, core->mm, M_MM_SAVED_AUXV, i + 1, &value, &cause))
      break;
    g_array_append_val(auxv, type);
    g_array_append_val(auxv, value);
  }
  if (auxv->len == 0 || type != AT_NULL)
    note(core, cause ? cause->message : "its auxiliary vector has no end");
  if (auxv->len > 0)
    add_note(n, "CORE", NT_AUXV, auxv->data, auxv->len * sizeof(uint64_t));
}

/* fs/binfmt_elf.c, fill_files_note: how many, the unit of the offsets, a start, an end and an
 * offset each, the names. */
static void
add_files(Notes *n)
{
  const GArray *mappings = n->core->mappings;
  g_autoptr(GArray) words = g_array_new(FALSE, TRUE, sizeof(uint64_t));
  g_autoptr(GByteArray) desc = g_byte_array_new();
  g_autoptr(GString) names = g_string_new(NULL);
  const uint64_t unit = PAGE;
  uint64_t count = 0;

  g_array_set_size(words, 1);
  g_array_append_val(words, unit);
  for (guint i = 0; i < mappings->len; i++) {
    const DacsaLinuxMapping *m = &g_array_index(mappings, DacsaLinuxMapping, i);
    const uint64_t three[] = {m->start, m->end, m->offset / PAGE};

    if (m->file == 0 || !m->name)
      continue;
    if (names->len + words->len * sizeof(uint64_t) > MAX_FILES) {
      note(n->core, "cut short: too many mapped files with too long names");
      break;
    }
    g_array_append_vals(words, three, G_N_ELEMENTS(three));
    g_string_append_len(names, m->name, (gssize)strlen(m->name) + 1);
    count++;
  }
  g_array_index(words, uint64_t, 0) = count;
  g_byte_array_append(desc, (const uint8_t *)words->data, (guint)(words->len * sizeof(uint64_t)));
  g_byte_array_append(desc, (const uint8_t *)names->str, (guint)names->len);
  if (count > 0)
    add_note(n, "CORE", NT_FILE, desc->data, desc->len);
}

static void
describe_process(Notes *n)
{
  if (n->described)
    return;
  n->described = true;
  add_psinfo(n);
  add_auxv(n);
  add_files(n);
}

static void
note_threads(const Notes *n)
{
  if (n->no_fpu > 0)
    note(n->core, "threads without the state of their FPU: it cannot be had");
  if (n->from_vcpu > 0)
    note(n->core, "threads that run: their FOP, FIP and FDP are not known, and other than x87, SSE "
                  "and AVX is as it was last saved");
  if (n->of_32_bits > 0)
    note(n->core, "threads of 32 bits: the core is one of a 64-bit process all the same");
}

void
dacsa_linux_core_notes(const DacsaLinuxCore *core, DacsaElfcore *elf)
{
  Notes n = {.core = core, .elf = elf};
  g_autoptr(GError) cause = NULL;

  n.max_threads = MIN_THREADS + dacsa_linux_ram_bytes(core->l) / THREAD_BYTES;
  n.signal = get(core, core->leader, M_TASK_SIGNAL);
  if (!dacsa_linux_threads_each(core->l, core->leader, visit_thread, &n, &cause))
    note(core, cause->message);
  describe_process(&n);
  note_threads(&n);
}
