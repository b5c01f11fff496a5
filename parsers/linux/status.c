/* /proc/PID/status, as fs/proc/array.c, proc_pid_status, prints it: a row a line, in its order. */
#include "parsers/linux/status.h"

#include "snap/error.h"

#include <string.h>

#define MAX_GROUPS 65536u /* NGROUPS_MAX */

/* -- lines -- */

/* Newlines and backslashes as seq_escape_str prints them with ESCAPE_SPACE | ESCAPE_SPECIAL. */
static bool
append_name(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  g_autoptr(GString) name = g_string_new(NULL);

  (void)member;
  if (!dacsa_linux_task_name(s->l, s->task, name, error))
    return false;
  for (const char *c = name->str; *c; c++)
    if (*c == '\n')
      g_string_append(out, "\\n");
    else if (*c == '\\')
      g_string_append(out, "\\\\");
    else
      g_string_append_c(out, *c);
  return true;
}

static bool
append_umask(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  uint64_t fs, mask;

  if (!dacsa_linux_get(s->l, s->task, M_TASK_FS, &fs, error))
    return false;
  s->absent = fs == 0;
  if (s->absent)
    return true;
  if (!dacsa_linux_get(s->l, fs, member, &mask, error))
    return false;
  g_string_append_printf(out, "%#04o", (unsigned)mask);
  return true;
}

static bool
append_state(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  const char *state;

  (void)member;
  if (!dacsa_linux_task_state(s->l, s->task, &state, error))
    return false;
  g_string_append(out, state);
  return true;
}

/* A number in the task itself. */
static bool
append_number(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  uint64_t number;

  if (!dacsa_linux_get(s->l, s->task, member, &number, error))
    return false;
  g_string_append_printf(out, "%" PRIu64, number);
  return true;
}

/* What another structure, to which the task points, says; 0 where it points to none. */
static bool
append_of(DacsaLinuxStatus *s, DacsaLinuxMember pointer, DacsaLinuxMember member, GString *out,
          GError **error)
{
  uint64_t base;
  uint64_t number = 0;

  if (!dacsa_linux_get(s->l, s->task, pointer, &base, error) ||
      (base != 0 && !dacsa_linux_get(s->l, base, member, &number, error)))
    return false;
  g_string_append_printf(out, "%" PRIu64, number);
  return true;
}

/* 0 too where the kernel does not balance between NUMA nodes. */
static bool
append_numa_group(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  if (dacsa_linux_has(s->l, M_TASK_NUMA_GROUP))
    return append_of(s, M_TASK_NUMA_GROUP, member, out, error);
  g_string_append_c(out, '0');
  return true;
}

static bool
append_parent(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  return append_of(s, M_TASK_REAL_PARENT, member, out, error);
}

static bool
append_tracer(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  uint64_t traced;

  if (!dacsa_linux_get(s->l, s->task, M_TASK_PTRACE, &traced, error))
    return false;
  if (traced != 0)
    return append_of(s, M_TASK_PARENT, member, out, error);
  g_string_append_c(out, '0');
  return true;
}

/* Real, effective, saved, file system's; member is the first. */
static bool
append_ids(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  static const DacsaLinuxMember uids[] = {M_CRED_UID, M_CRED_EUID, M_CRED_SUID, M_CRED_FSUID};
  static const DacsaLinuxMember gids[] = {M_CRED_GID, M_CRED_EGID, M_CRED_SGID, M_CRED_FSGID};
  const DacsaLinuxMember *members = member == M_CRED_UID ? uids : gids;

  for (unsigned i = 0; i < G_N_ELEMENTS(uids); i++) {
    uint64_t id;

    if (!dacsa_linux_get(s->l, s->cred, members[i], &id, error))
      return false;
    g_string_append_printf(out, "%s%u", i ? "\t" : "", (uint32_t)id);
  }
  return true;
}

static bool
append_fd_size(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  uint64_t files, table;
  uint64_t n = 0;

  if (!dacsa_linux_get(s->l, s->task, M_TASK_FILES, &files, error) ||
      (files != 0 && (!dacsa_linux_get(s->l, files, M_FILES_FDT, &table, error) ||
                      !dacsa_linux_get(s->l, table, member, &n, error))))
    return false;
  g_string_append_printf(out, "%" PRIu64, n);
  return true;
}

static bool
append_groups(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  uint64_t info, n;
  uint32_t gid;

  if (!dacsa_linux_get(s->l, s->cred, M_CRED_GROUP_INFO, &info, error) ||
      !dacsa_linux_get(s->l, info, M_GROUPS_N, &n, error))
    return false;
  if (n > MAX_GROUPS)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%" PRIu64 " groups cannot be", n);
  for (uint64_t i = 0; i < n; i++) {
    uint64_t at = info + dacsa_linux_offset(s->l, member) + i * sizeof(gid);

    if (!dacsa_mem_read_u32(s->l->memory, at, &gid, error))
      return false;
    g_string_append_printf(out, "%s%u", i ? " " : "", gid);
  }
  g_string_append_c(out, ' ');
  return true;
}

/* The struct pid that a line is about: of the group (member is an E_PIDTYPE_*), or of the task. */
static bool
get_pid(DacsaLinuxStatus *s, DacsaLinuxMember member, uint64_t own, uint64_t *ret, GError **error)
{
  *ret = own;
  return member == M_N ||
         dacsa_linux_group_pid(s->l, s->signal, (DacsaLinuxEnumerator)member, ret, error);
}

/* A number in each of the pid namespaces that the task is in. */
static bool
append_in_namespaces(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  uint64_t own, pid, level;

  s->absent = dacsa_linux_symbol(s->l, S_COPY_PID_NS) == 0; /* CONFIG_PID_NS */
  if (s->absent)
    return true;
  if (!dacsa_linux_get(s->l, s->task, M_TASK_THREAD_PID, &own, error) ||
      !dacsa_linux_pid_level(s->l, own, &level, error) || !get_pid(s, member, own, &pid, error))
    return false;
  for (uint64_t i = 0; i <= level; i++) {
    uint64_t own_number, ns, number;

    if (!dacsa_linux_pid_at(s->l, own, i, &own_number, &ns, error) ||
        !dacsa_linux_pid_in(s->l, pid, i, ns, &number, error))
      return false;
    g_string_append_printf(out, "\t%u", (uint32_t)number);
  }
  return true;
}

static bool
append_kthread(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  (void)member;
  (void)error;
  g_string_append_c(out, s->flags & DACSA_LINUX_PF_KTHREAD ? '1' : '0');
  return true;
}

/* -- masks -- */

/* MAX_NUMNODES: what is kept per node is an array of as many; the mask itself is rounded up. */
static unsigned
mask_bits(const DacsaLinux *l, DacsaLinuxMember member, GError **error)
{
  uint32_t cpus;

  if (member == M_TASK_CPUS_MASK)
    return dacsa_linux_nr_cpus(l, &cpus, error) ? cpus : 0;
  return l->kernel->members[M_SLAB_NODES].elements > 0 ? l->kernel->members[M_SLAB_NODES].elements
                                                       : l->kernel->members[member].size * 8;
}

static bool
append_any_mask(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out,
                void (*print)(const GArray *mask, unsigned n, GString *out), GError **error)
{
  g_autoptr(GArray) mask = NULL;

  if (!dacsa_linux_mask(s->l, s->task, member, &mask, error))
    return false;
  unsigned n = mask_bits(s->l, member, error);
  if (n == 0)
    return false;
  print(mask, MIN(n, mask->len * 64), out);
  return true;
}

static bool
append_mask(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  return append_any_mask(s, member, out, dacsa_linux_mask_print, error);
}

static bool
append_mask_list(DacsaLinuxStatus *s, DacsaLinuxMember member, GString *out, GError **error)
{
  return append_any_mask(s, member, out, dacsa_linux_mask_print_list, error);
}

/* -- all of them -- */

typedef struct {
  const char *label;
  DacsaLinuxStatusFunc append;
  DacsaLinuxMember member;
  DacsaLinuxLine line;
  bool of_mm;
} Row;

#define ENUMERATOR(e) ((DacsaLinuxMember)(e))

static const Row rows[] = {
    {"Name:\t", append_name, M_N, 0, false},
    {"Umask:\t", append_umask, M_FS_UMASK, 0, false},
    {"State:\t", append_state, M_N, 0, false},
    {"Tgid:\t", append_number, M_TASK_TGID, 0, false},
    {"Ngid:\t", append_numa_group, M_NUMA_GROUP_GID, 0, false},
    {"Pid:\t", append_number, M_TASK_PID, 0, false},
    {"PPid:\t", append_parent, M_TASK_TGID, 0, false},
    {"TracerPid:\t", append_tracer, M_TASK_PID, 0, false},
    {"Uid:\t", append_ids, M_CRED_UID, 0, false},
    {"Gid:\t", append_ids, M_CRED_GID, 0, false},
    {"FDSize:\t", append_fd_size, M_FDTABLE_MAX_FDS, 0, false},
    {"Groups:\t", append_groups, M_GROUPS_GID, 0, false},
    {"NStgid:", append_in_namespaces, ENUMERATOR(E_PIDTYPE_TGID), 0, false},
    {"NSpid:", append_in_namespaces, M_N, 0, false},
    {"NSpgid:", append_in_namespaces, ENUMERATOR(E_PIDTYPE_PGID), 0, false},
    {"NSsid:", append_in_namespaces, ENUMERATOR(E_PIDTYPE_SID), 0, false},
    {"Kthread:\t", append_kthread, M_N, DACSA_LINUX_LINE_KTHREAD, false},
    {"VmPeak:\t", dacsa_linux_status_vm_peak, M_MM_HIWATER_VM, 0, true},
    {"VmSize:\t", dacsa_linux_status_pages, M_MM_TOTAL_VM, 0, true},
    {"VmLck:\t", dacsa_linux_status_pages, M_MM_LOCKED_VM, 0, true},
    {"VmPin:\t", dacsa_linux_status_pages, M_MM_PINNED_VM, 0, true},
    {"VmHWM:\t", dacsa_linux_status_vm_hwm, M_MM_HIWATER_RSS, 0, true},
    {"VmRSS:\t", dacsa_linux_status_vm_rss, M_N, 0, true},
    {"RssAnon:\t", dacsa_linux_status_counter, ENUMERATOR(E_MM_ANONPAGES), 0, true},
    {"RssFile:\t", dacsa_linux_status_counter, ENUMERATOR(E_MM_FILEPAGES), 0, true},
    {"RssShmem:\t", dacsa_linux_status_counter, ENUMERATOR(E_MM_SHMEMPAGES), 0, true},
    {"VmData:\t", dacsa_linux_status_pages, M_MM_DATA_VM, 0, true},
    {"VmStk:\t", dacsa_linux_status_pages, M_MM_STACK_VM, 0, true},
    {"VmExe:\t", dacsa_linux_status_vm_exe, M_N, 0, true},
    {"VmLib:\t", dacsa_linux_status_vm_lib, M_N, 0, true},
    {"VmPTE:\t", dacsa_linux_status_bytes, M_MM_PGTABLES_BYTES, 0, true},
    {"VmSwap:\t", dacsa_linux_status_counter, ENUMERATOR(E_MM_SWAPENTS), 0, true},
    {"HugetlbPages:\t", dacsa_linux_status_pages, M_MM_HUGETLB_USAGE,
     DACSA_LINUX_LINE_HUGETLB_PAGES, true},
    {"CoreDumping:\t", dacsa_linux_status_core_dumping, M_N, DACSA_LINUX_LINE_CORE_DUMPING, true},
    {"THP_enabled:\t", dacsa_linux_status_thp, M_MM_FLAGS, DACSA_LINUX_LINE_THP_ENABLED, true},
    {"untag_mask:\t", dacsa_linux_status_untag_mask, M_MM_UNTAG_MASK, DACSA_LINUX_LINE_UNTAG_MASK,
     true},
    {"Threads:\t", dacsa_linux_status_threads, M_SIGNAL_NR_THREADS, 0, false},
    {"SigQ:\t", dacsa_linux_status_queue, M_SIGNAL_RLIM, 0, false},
    {"SigPnd:\t", dacsa_linux_status_task_signals, M_TASK_PENDING, 0, false},
    {"ShdPnd:\t", dacsa_linux_status_group_signals, M_SIGNAL_PENDING, 0, false},
    {"SigBlk:\t", dacsa_linux_status_task_signals, M_TASK_BLOCKED, 0, false},
    {"SigIgn:\t", dacsa_linux_status_ignored, M_N, 0, false},
    {"SigCgt:\t", dacsa_linux_status_caught, M_N, 0, false},
    {"CapInh:\t", dacsa_linux_status_capabilities, M_CRED_CAP_INHERITABLE, 0, false},
    {"CapPrm:\t", dacsa_linux_status_capabilities, M_CRED_CAP_PERMITTED, 0, false},
    {"CapEff:\t", dacsa_linux_status_capabilities, M_CRED_CAP_EFFECTIVE, 0, false},
    {"CapBnd:\t", dacsa_linux_status_capabilities, M_CRED_CAP_BSET, 0, false},
    {"CapAmb:\t", dacsa_linux_status_capabilities, M_CRED_CAP_AMBIENT, 0, false},
    {"NoNewPrivs:\t", dacsa_linux_status_no_new_privs, M_TASK_ATOMIC_FLAGS, 0, false},
    {"Seccomp:\t", append_number, M_TASK_SECCOMP_MODE, DACSA_LINUX_LINE_SECCOMP, false},
    {"Seccomp_filters:\t", append_number, M_TASK_SECCOMP_FILTERS, DACSA_LINUX_LINE_SECCOMP_FILTERS,
     false},
    {"Speculation_Store_Bypass:\t", dacsa_linux_status_store_bypass, M_TASK_ATOMIC_FLAGS,
     DACSA_LINUX_LINE_STORE_BYPASS, false},
    {"SpeculationIndirectBranch:\t", dacsa_linux_status_indirect_branch, M_TASK_ATOMIC_FLAGS,
     DACSA_LINUX_LINE_INDIRECT_BRANCH, false},
    {"Cpus_allowed:\t", append_mask, M_TASK_CPUS_MASK, 0, false},
    {"Cpus_allowed_list:\t", append_mask_list, M_TASK_CPUS_MASK, 0, false},
    {"Mems_allowed:\t", append_mask, M_TASK_MEMS_ALLOWED, DACSA_LINUX_LINE_MEMS_ALLOWED, false},
    {"Mems_allowed_list:\t", append_mask_list, M_TASK_MEMS_ALLOWED, DACSA_LINUX_LINE_MEMS_ALLOWED,
     false},
    {"voluntary_ctxt_switches:\t", append_number, M_TASK_NVCSW, 0, false},
    {"nonvoluntary_ctxt_switches:\t", append_number, M_TASK_NIVCSW, 0, false},
    {"x86_Thread_features:\t", dacsa_linux_status_features, M_TASK_FEATURES,
     DACSA_LINUX_LINE_FEATURES, false},
    {"x86_Thread_features_locked:\t", dacsa_linux_status_features, M_TASK_FEATURES_LOCKED,
     DACSA_LINUX_LINE_FEATURES, false},
};

/* Names a line that is left out. What the kernel lacks, all its processes lack. */
static void
note(DacsaLinux *l, uint32_t pid, const Row *row, const GError *cause)
{
  bool of_all = g_error_matches(cause, DACSA_ERROR, DACSA_ERROR_UNSUPPORTED);
  g_autofree char *where =
      of_all ? g_strdup("processes/*/status") : g_strdup_printf("processes/%u/status", pid);
  g_autofree char *text =
      g_strdup_printf("no %.*s: %s", (int)strcspn(row->label, ":"), row->label, cause->message);

  dacsa_errors_add(l->errors, where, text);
}

static void
append_row(DacsaLinuxStatus *s, uint32_t pid, const Row *row, GString *out)
{
  g_autoptr(GError) cause = NULL;
  gsize begin = out->len;
  bool made;

  g_string_append(out, row->label);
  s->absent = false;
  made = row->append(s, row->member, out, &cause);
  if (!made)
    note(s->l, pid, row, cause);
  if (!made || s->absent)
    g_string_truncate(out, begin);
  else
    g_string_append_c(out, '\n');
}

bool
dacsa_linux_status(DacsaGuest *guest, uint32_t pid, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  const bool *lines = dacsa_linux_status_lines(l);
  DacsaLinuxStatus s = {.l = l};

  if (!dacsa_linux_task(l, pid, &s.task, error) || !dacsa_linux_task_mm(l, s.task, &s.mm, error) ||
      !dacsa_linux_get(l, s.task, M_TASK_FLAGS, &s.flags, error) ||
      !dacsa_linux_get(l, s.task, M_TASK_SIGNAL, &s.signal, error) ||
      !dacsa_linux_get(l, s.task, M_TASK_SIGHAND, &s.sighand, error) ||
      !dacsa_linux_get(l, s.task, M_TASK_REAL_CRED, &s.cred, error))
    return false;
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
    if (lines[rows[i].line] && (!rows[i].of_mm || s.mm != 0))
      append_row(&s, pid, &rows[i], out);
  return true;
}
