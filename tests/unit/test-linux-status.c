/* /proc/PID/status and the tables of threads and processes, of a kernel made by hand: every member
 * has a place of its own, wherever in a structure it really is. */
#include "check.h"
#include "fake-linux.h"
#include "fake-paging.h"

#include "parsers/linux/behaviour.h"
#include "parsers/linux/process.h"

#include <string.h>

#define OBJECT(n) (UINT64_C(0xffff888000000000) + (uint64_t)(n)*0x10000u)
#define TASK OBJECT(1)
#define THREAD OBJECT(2)
#define PARENT OBJECT(3)
#define SIGNAL OBJECT(4)
#define SIGHAND OBJECT(5)
#define CRED OBJECT(6)
#define MM OBJECT(7)
#define FS OBJECT(8)
#define FILES OBJECT(9)
#define FDTABLE OBJECT(10)
#define GROUPS OBJECT(11)
#define USER OBJECT(12)
#define PID OBJECT(13)
#define PGRP OBJECT(14)
#define NS_0 OBJECT(15)
#define NS_1 OBJECT(16)
#define VARIABLES OBJECT(17)
#define PERCPU OBJECT(18)
#define RODATA OBJECT(19)
#define CODE OBJECT(20)
#define CGROUP OBJECT(21)
#define PGD OBJECT(22)

#define VARIABLE(n) (VARIABLES + (n)*0x100u)
#define FUNCTION(n) (CODE + (n)*0x1000u)
#define KERNEL_ROOT 0x1000u
#define USER_ROOT 0x2000u

#define PF_KTHREAD 0x200000u

typedef struct {
  DacsaLinuxKernel kernel;
  DacsaVmcoreinfo info;
  DacsaLinux l;
  FakePaging kernel_paging, user_paging;
} Fixture;

/* -- making memory -- */

static void
put(Fixture *f, uint64_t base, DacsaLinuxMember member, uint64_t value)
{
  const DacsaMember *m = &f->kernel.members[member];

  if (m->size == 4)
    fake_mem_u32(f->l.memory, base + m->offset, (uint32_t)value);
  else
    fake_mem_u64(f->l.memory, base + m->offset, value);
}

static void
put_element(Fixture *f, uint64_t base, DacsaLinuxMember member, unsigned i, uint64_t value)
{
  fake_mem_u64(f->l.memory, base + f->kernel.members[member].offset + i * 8u, value);
}

static void
put_upid(Fixture *f, uint64_t pid, unsigned level, uint32_t number, uint64_t ns)
{
  uint64_t upid = pid + f->kernel.members[M_PID_NUMBERS].offset + level * 16u;

  put(f, upid, M_UPID_NR, number);
  put(f, upid, M_UPID_NS, ns);
}

static void
lack(Fixture *f, DacsaLinuxMember member)
{
  f->kernel.members[member] = (DacsaMember){0};
}

/* Members that are 4 bytes, and arrays. */
static void
set_members(DacsaMember *members)
{
  static const DacsaLinuxMember small[] = {
      M_TASK_PID,          M_TASK_TGID,         M_TASK_FLAGS,     M_TASK_EXIT_STATE,
      M_TASK_PTRACE,       M_CRED_UID,          M_CRED_EUID,      M_CRED_SUID,
      M_CRED_FSUID,        M_CRED_GID,          M_CRED_EGID,      M_CRED_SGID,
      M_CRED_FSGID,        M_GROUPS_N,          M_FS_UMASK,       M_UPID_NR,
      M_PID_LEVEL,         M_TASK_PRIO,         M_TASK_CPU,       M_TASK_STATIC_PRIO,
      M_TASK_POLICY,       M_USER_SIGPENDING,   M_NUMA_GROUP_GID, M_FDTABLE_MAX_FDS,
      M_TASK_SECCOMP_MODE, M_SIGNAL_NR_THREADS,
  };

  for (unsigned i = 0; i < M_N; i++)
    members[i] = (DacsaMember){.known = true, .offset = i * 64, .size = 8};
  for (unsigned i = 0; i < G_N_ELEMENTS(small); i++)
    members[small[i]].size = 4;
  members[M_TASK_COMM].size = 16;
  members[M_UPID_NR].offset = 0;
  members[M_UPID_NS].offset = 8;
  members[M_RLIMIT_CUR].offset = 0;
  members[M_K_SIGACTION_HANDLER].offset = 0;
  members[M_SIGNAL_PIDS].elements = 4;
  members[M_SIGNAL_PIDS].size = 32;
  members[M_MM_RSS_COUNT] = (DacsaMember){.known = true, .size = 32, .elements = 4};
  members[M_CPU_CAPABILITY].elements = 4;
  members[M_CPU_CAPABILITY].size = 16;
  members[M_SLAB_NODES].elements = 40;
  members[M_SIGHAND_ACTION].offset = 0x8000; /* 2 KiB of them */
  members[M_UCOUNTS_RLIMIT].elements = 4;
  members[M_UCOUNTS_RLIMIT].size = 32;
  members[M_KTHREAD_FULL_NAME] = members[M_TASK_WORKER_PRIVATE] = (DacsaMember){0};
}

static void
set_kernel(DacsaLinuxKernel *k)
{
  static const struct {
    DacsaLinuxEnumerator e;
    int64_t value;
  } values[] = {
      {E_PIDTYPE_TGID, 1},   {E_PIDTYPE_PGID, 2},   {E_PIDTYPE_SID, 3},
      {E_MM_FILEPAGES, 0},   {E_MM_ANONPAGES, 1},   {E_MM_SWAPENTS, 2},
      {E_MM_SHMEMPAGES, 3},  {E_NR_CPUID_WORDS, 3}, {E_SSB_DISABLE, 1},
      {E_SSB_PRCTL, 2},      {E_SSB_SECCOMP, 3},    {E_V2_USER_NONE, 0},
      {E_V2_USER_STRICT, 1}, {E_V2_USER_PRCTL, 3},  {E_UCOUNT_RLIMIT_SIGPENDING, 2},
  };

  for (unsigned i = 0; i < E_N; i++)
    k->enumerators[i] = INT64_MIN;
  for (unsigned i = 0; i < G_N_ELEMENTS(values); i++)
    k->enumerators[values[i].e] = values[i].value;
  set_members(k->members);
  k->types[T_UPID] = k->types[T_RLIMIT] = 16;
  k->types[T_K_SIGACTION] = 32;
  k->symbols[S_INIT_TASK] = PARENT;
  k->symbols[S_NR_CPU_IDS] = VARIABLE(0);
  k->symbols[S_CPU_ONLINE_MASK] = VARIABLE(1);
  k->symbols[S_PER_CPU_OFFSET] = VARIABLE(2);
  k->symbols[S_BOOT_CPU_DATA] = VARIABLE(3);
  k->symbols[S_SSB_MODE] = VARIABLE(40);
  k->symbols[S_V2_USER_IBPB] = VARIABLE(41);
  k->symbols[S_V2_USER_STIBP] = VARIABLE(42);
  k->symbols[S_THP_FLAGS] = VARIABLE(43);
  k->symbols[S_COPY_PID_NS] = FUNCTION(9);
  k->symbols[S_START_RODATA] = RODATA;
  k->symbols[S_END_RODATA] = RODATA + 0x3000;
}

static void
put_variables(Fixture *f)
{
  fake_mem_u32(f->l.memory, VARIABLE(0), 3);
  fake_mem_u64(f->l.memory, VARIABLE(1), 5); /* CPU 1 is off */
  fake_mem_u64(f->l.memory, VARIABLE(2), 0);
  fake_mem_u64(f->l.memory, VARIABLE(2) + 16, 0x1000);
  fake_mem_u64(f->l.memory, VARIABLE(40), 2);
  fake_mem_u64(f->l.memory, VARIABLE(41), 0);
  fake_mem_u64(f->l.memory, VARIABLE(42), 0);
  fake_mem_u64(f->l.memory, RODATA, 0);
  fake_mem_u64(f->l.memory, RODATA + 0x2ff8, 0);
}

static void
put_cred(Fixture *f)
{
  static const uint32_t groups[] = {5, 7, 1000};

  for (unsigned i = 0; i < 8; i++)
    put(f, CRED, M_CRED_UID + i, 1000 + i);
  put(f, CRED, M_CRED_CAP_INHERITABLE, 1);
  put(f, CRED, M_CRED_CAP_PERMITTED, 0x1ffffffffff);
  put(f, CRED, M_CRED_CAP_EFFECTIVE, 3);
  put(f, CRED, M_CRED_CAP_BSET, 4);
  put(f, CRED, M_CRED_CAP_AMBIENT, 0);
  put(f, CRED, M_CRED_GROUP_INFO, GROUPS);
  put(f, CRED, M_CRED_USER, USER);
  put(f, USER, M_USER_SIGPENDING, 2);
  put(f, GROUPS, M_GROUPS_N, 3);
  fake_mem_write(f->l.memory, GROUPS + f->kernel.members[M_GROUPS_GID].offset, groups,
                 sizeof(groups));
}

static void
put_signals(Fixture *f)
{
  uint64_t actions = SIGHAND + f->kernel.members[M_SIGHAND_ACTION].offset;

  fake_mem_u64(f->l.memory, actions + 64 * 32 - 8, 0);
  fake_mem_u64(f->l.memory, actions + 1 * 32, 1);         /* SIGINT is ignored */
  fake_mem_u64(f->l.memory, actions + 14 * 32, 0x401000); /* SIGTERM is caught */
  fake_mem_u64(f->l.memory, actions + 63 * 32, 0x401000);
  put(f, SIGNAL, M_SIGNAL_NR_THREADS, 2);
  put(f, SIGNAL, M_SIGNAL_PENDING, 0x4000);
  put(f, TASK, M_TASK_PENDING, 0);
  put(f, TASK, M_TASK_BLOCKED, 0x10000);
  put(f, SIGNAL + f->kernel.members[M_SIGNAL_RLIM].offset + 11 * 16, M_RLIMIT_CUR, 1835);
}

/* 700 in the first namespace, 3 in its own; the process group was made outside of that. */
static void
put_pids(Fixture *f)
{
  put(f, TASK, M_TASK_THREAD_PID, PID);
  put(f, PID, M_PID_LEVEL, 1);
  put_upid(f, PID, 0, 700, NS_0);
  put_upid(f, PID, 1, 3, NS_1);
  put(f, PGRP, M_PID_LEVEL, 0);
  put_upid(f, PGRP, 0, 600, NS_0);
  put_element(f, SIGNAL, M_SIGNAL_PIDS, 1, PID);
  put_element(f, SIGNAL, M_SIGNAL_PIDS, 2, PGRP);
  put_element(f, SIGNAL, M_SIGNAL_PIDS, 3, 0);
}

static void
put_mm(Fixture *f)
{
  put(f, MM, M_MM_TOTAL_VM, 100);
  put(f, MM, M_MM_HIWATER_VM, 120);
  put(f, MM, M_MM_HIWATER_RSS, 10);
  put(f, MM, M_MM_LOCKED_VM, 1);
  put(f, MM, M_MM_PINNED_VM, 2);
  put(f, MM, M_MM_DATA_VM, 30);
  put(f, MM, M_MM_STACK_VM, 33);
  put(f, MM, M_MM_EXEC_VM, 40);
  put(f, MM, M_MM_START_CODE, 0x400100);
  put(f, MM, M_MM_END_CODE, 0x404100);
  put(f, MM, M_MM_PGTABLES_BYTES, 57344);
  put(f, MM, M_MM_HUGETLB_USAGE, 512);
  put(f, MM, M_MM_CORE_STATE, 0);
  put(f, MM, M_MM_FLAGS, 1u << 24);
  put(f, MM, M_MM_UNTAG_MASK, UINT64_MAX);
  put_element(f, MM, M_MM_RSS_STAT, 0, 11);
  put_element(f, MM, M_MM_RSS_STAT, 1, 22);
  put_element(f, MM, M_MM_RSS_STAT, 2, 5);
  put_element(f, MM, M_MM_RSS_STAT, 3, (uint64_t)-4); /* tasks hold more than that */
}

static void
put_task(Fixture *f)
{
  fake_mem_string(f->l.memory, TASK + f->kernel.members[M_TASK_COMM].offset, "a\nb\\c");
  put(f, TASK, M_TASK_PID, 700);
  put(f, TASK, M_TASK_TGID, 700);
  put(f, TASK, M_TASK_FLAGS, 0);
  put(f, TASK, M_TASK_STATE, 1);
  put(f, TASK, M_TASK_EXIT_STATE, 0);
  put(f, TASK, M_TASK_PTRACE, 1);
  put(f, TASK, M_TASK_PARENT, PARENT);
  put(f, TASK, M_TASK_REAL_PARENT, PARENT);
  put(f, TASK, M_TASK_NUMA_GROUP, 0);
  put(f, TASK, M_TASK_MM, MM);
  put(f, TASK, M_TASK_FS, FS);
  put(f, TASK, M_TASK_FILES, FILES);
  put(f, TASK, M_TASK_SIGNAL, SIGNAL);
  put(f, TASK, M_TASK_SIGHAND, SIGHAND);
  put(f, TASK, M_TASK_REAL_CRED, CRED);
  put(f, TASK, M_TASK_ATOMIC_FLAGS, 1 | 1u << 3);
  put(f, TASK, M_TASK_SECCOMP_MODE, 2);
  put(f, TASK, M_TASK_CPUS_MASK, 5);
  put(f, TASK, M_TASK_MEMS_ALLOWED, 0x8100000007);
  put(f, TASK, M_TASK_NVCSW, 12);
  put(f, TASK, M_TASK_NIVCSW, 34);
  put(f, TASK, M_TASK_FEATURES, 3);
  put(f, FS, M_FS_UMASK, 022);
  put(f, FILES, M_FILES_FDT, FDTABLE);
  put(f, FDTABLE, M_FDTABLE_MAX_FDS, 256);
  put(f, PARENT, M_TASK_PID, 41);
  put(f, PARENT, M_TASK_TGID, 40);
}

static void
put_text(Fixture *f, unsigned at, const char *text)
{
  fake_mem_string(f->l.memory, RODATA + at, text);
}

static void
set_up(Fixture *f)
{
  *f = (Fixture){0};
  set_kernel(&f->kernel);
  f->info.root = KERNEL_ROOT;
  f->kernel.info = &f->info;
  fake_linux_view_init(&f->l, &f->kernel);
  put_variables(f);
  put_cred(f);
  put_signals(f);
  put_pids(f);
  put_mm(f);
  put_task(f);
  put(f, PARENT, M_TASK_TASKS, TASK + f->kernel.members[M_TASK_TASKS].offset);
  put(f, TASK, M_TASK_TASKS, PARENT + f->kernel.members[M_TASK_TASKS].offset);
}

static void
tear_down(Fixture *f)
{
  fake_linux_view_clear(&f->l);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

/* -- checking -- */

static char *
status_of(Fixture *f)
{
  GString *out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_linux_status(&f->l.guest, 700, out, &error), error);
  return g_string_free(out, FALSE);
}

/* The line of status that begins so is this; NULL: there is none. */
static void
check_line(Fixture *f, const char *label, const char *rest)
{
  g_autofree char *text = status_of(f);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  char **line = lines;

  while (*line && !g_str_has_prefix(*line, label))
    line++;
  if (!rest)
    g_assert_null(*line);
  else if (!*line)
    g_error("status has no line %s", label);
  else
    g_assert_cmpstr(*line + strlen(label), ==, rest);
}

/* -- tests: status -- */

static void
test_status(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  g_autofree char *text = status_of(&f);
  g_assert_cmpstr(text, ==,
                  "Name:\ta\\nb\\\\c\n"
                  "Umask:\t0022\n"
                  "State:\tS (sleeping)\n"
                  "Tgid:\t700\n"
                  "Ngid:\t0\n"
                  "Pid:\t700\n"
                  "PPid:\t40\n"
                  "TracerPid:\t41\n"
                  "Uid:\t1000\t1001\t1002\t1003\n"
                  "Gid:\t1004\t1005\t1006\t1007\n"
                  "FDSize:\t256\n"
                  "Groups:\t5 7 1000 \n"
                  "NStgid:\t700\t3\n"
                  "NSpid:\t700\t3\n"
                  "NSpgid:\t600\t0\n"
                  "NSsid:\t0\t0\n"
                  "VmPeak:\t     480 kB\n"
                  "VmSize:\t     400 kB\n"
                  "VmLck:\t       4 kB\n"
                  "VmPin:\t       8 kB\n"
                  "VmHWM:\t     132 kB\n"
                  "VmRSS:\t     132 kB\n"
                  "RssAnon:\t      88 kB\n"
                  "RssFile:\t      44 kB\n"
                  "RssShmem:\t       0 kB\n"
                  "VmData:\t     120 kB\n"
                  "VmStk:\t     132 kB\n"
                  "VmExe:\t      20 kB\n"
                  "VmLib:\t     140 kB\n"
                  "VmPTE:\t      56 kB\n"
                  "VmSwap:\t      20 kB\n"
                  "Threads:\t2\n"
                  "SigQ:\t2/1835\n"
                  "SigPnd:\t0000000000000000\n"
                  "ShdPnd:\t0000000000004000\n"
                  "SigBlk:\t0000000000010000\n"
                  "SigIgn:\t0000000000000002\n"
                  "SigCgt:\t8000000000004000\n"
                  "CapInh:\t0000000000000001\n"
                  "CapPrm:\t000001ffffffffff\n"
                  "CapEff:\t0000000000000003\n"
                  "CapBnd:\t0000000000000004\n"
                  "CapAmb:\t0000000000000000\n"
                  "NoNewPrivs:\t1\n"
                  "Cpus_allowed:\t5\n"
                  "Cpus_allowed_list:\t0,2\n"
                  "voluntary_ctxt_switches:\t12\n"
                  "nonvoluntary_ctxt_switches:\t34\n");
  fake_linux_view_check_errors(&f.l, "");
}

/* Lines that the kernel has when it has their texts, also where a chunk of them ends. */
static void
test_status_texts(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  lack(&f, M_TASK_FEATURES_LOCKED);
  put_text(&f, 0x100, "\nHugetlbPages:\t%8lu kB\n");
  put_text(&f, 0x200, "CoreDumping:\t");
  put_text(&f, 0x300, "THP_enabled:\t%d\n");
  put_text(&f, 0x400, "untag_mask:\t%#lx\n");
  put_text(&f, 0x500, "\nSeccomp:\t");
  put_text(&f, 0x600, "Kthread:\t%c\n");
  put_text(&f, 0x700, "Mems_allowed:\t%*pb\n");
  put_text(&f, 0x800, "x86_Thread_features:\t");
  put_text(&f, 0x900, "Seccomp_filters");              /* not its text */
  put_text(&f, 0x2fe8, "Speculation_Store_Bypass:\t"); /* its end is past the constants' */
  check_line(&f, "Kthread:\t", "0");
  check_line(&f, "HugetlbPages:\t", "    2048 kB");
  check_line(&f, "CoreDumping:\t", "0");
  check_line(&f, "THP_enabled:\t", "0");
  check_line(&f, "untag_mask:\t", "0xffffffffffffffff");
  check_line(&f, "Seccomp:\t", "2");
  check_line(&f, "Seccomp_filters:\t", NULL);
  check_line(&f, "Speculation_Store_Bypass:\t", NULL);
  check_line(&f, "Mems_allowed:\t", "81,00000007");
  check_line(&f, "Mems_allowed_list:\t", "0-2,32,39");
  check_line(&f, "x86_Thread_features:\t", "shstk wrss ");
  check_line(&f, "x86_Thread_features_locked:\t", NULL);
}

static void
test_status_speculation(void)
{
  g_auto(Fixture) f;
  const uint64_t bugs = VARIABLE(3) + 0;

  set_up(&f);
  put_text(&f, 0x100, "Speculation_Store_Bypass:\t");
  put_text(&f, 0x200, "SpeculationIndirectBranch:\t");
  const uint64_t capability = bugs + f.kernel.members[M_CPU_CAPABILITY].offset;
  fake_mem_u32(f.l.memory, capability + 3 * 4, 1u << 16);
  check_line(&f, "Speculation_Store_Bypass:\t", "thread mitigated");
  check_line(&f, "SpeculationIndirectBranch:\t", "always enabled");
  put(&f, TASK, M_TASK_ATOMIC_FLAGS, 1u << 4 | 1u << 6);
  fake_mem_u64(f.l.memory, VARIABLE(42), 3);
  check_line(&f, "Speculation_Store_Bypass:\t", "thread force mitigated");
  check_line(&f, "SpeculationIndirectBranch:\t", "conditional force disabled");
  fake_mem_u64(f.l.memory, VARIABLE(40), 1);
  fake_mem_u64(f.l.memory, VARIABLE(42), 1);
  check_line(&f, "Speculation_Store_Bypass:\t", "globally mitigated");
  check_line(&f, "SpeculationIndirectBranch:\t", "always disabled");
  fake_mem_u64(f.l.memory, VARIABLE(40), 0);
  fake_mem_u32(f.l.memory, capability + 3 * 4, 1u << 17);
  check_line(&f, "Speculation_Store_Bypass:\t", "vulnerable");
  check_line(&f, "SpeculationIndirectBranch:\t", "not affected");
  fake_mem_u32(f.l.memory, capability + 3 * 4, 0);
  check_line(&f, "Speculation_Store_Bypass:\t", "not vulnerable");
  f.kernel.symbols[S_SSB_MODE] = 0;
  check_line(&f, "Speculation_Store_Bypass:\t", NULL);
  fake_linux_view_check_errors(
      &f.l, "processes/*/status: no Speculation_Store_Bypass: the kernel has no ssb_mode\n");
}

/* An array of struct percpu_counter; whether the CPUs' parts count, task_mem's code says. */
static void
test_status_percpu(void)
{
  for (unsigned summed = 0; summed < 2; summed++) {
    g_auto(Fixture) f;
    uint64_t counter;

    set_up(&f);
    f.kernel.members[M_MM_RSS_STAT].size = 4 * 0x4000;
    f.kernel.members[M_MM_RSS_STAT].elements = 4;
    f.kernel.symbols[S_TASK_MEM] = FUNCTION(0);
    f.kernel.symbols[S_PERCPU_COUNTER_SUM] = FUNCTION(1);
    fake_mem_u8(f.l.memory, FUNCTION(0) + 0x20, summed ? 0xe8 : 0xe9);
    fake_mem_u32(f.l.memory, FUNCTION(0) + 0x21, 0x1000 - 0x25);
    for (unsigned i = 0; i < 4; i++) {
      counter = MM + f.kernel.members[M_MM_RSS_STAT].offset + i * 0x4000u;
      put(&f, counter, M_PERCPU_COUNTER_COUNT, 100 * i);
      put(&f, counter, M_PERCPU_COUNTER_COUNTERS, PERCPU + i * 4);
      fake_mem_u32(f.l.memory, PERCPU + i * 4, (uint32_t)-7);
      fake_mem_u32(f.l.memory, PERCPU + 0x1000 + i * 4, 2);
    }
    check_line(&f, "RssFile:\t", "       0 kB");
    check_line(&f, "RssAnon:\t", summed ? "     380 kB" : "     400 kB");
    check_line(&f, "VmSwap:\t", summed ? "     780 kB" : "     800 kB");
    fake_linux_view_check_errors(&f.l, "");
  }
}

static void
test_status_kernel_thread(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put(&f, TASK, M_TASK_FLAGS, PF_KTHREAD);
  put(&f, TASK, M_TASK_STATE, 0x402);
  put(&f, TASK, M_TASK_PTRACE, 0);
  put(&f, TASK, M_TASK_FS, 0);
  put(&f, TASK, M_TASK_FILES, 0);
  put(&f, TASK, M_TASK_SIGHAND, 0);
  put_text(&f, 0x100, "Kthread:\t");
  put_text(&f, 0x200, "THP_enabled:\t");
  check_line(&f, "State:\t", "I (idle)");
  check_line(&f, "TracerPid:\t", "0");
  check_line(&f, "Umask:\t", NULL);
  check_line(&f, "Vm", NULL);
  check_line(&f, "THP_enabled", NULL);
  check_line(&f, "Kthread:\t", "1");
  check_line(&f, "FDSize:\t", "0");
  check_line(&f, "Threads:\t", "0");
  check_line(&f, "SigQ:\t", "0/0");
  check_line(&f, "SigCgt:\t", "0000000000000000");
  put(&f, TASK, M_TASK_STATE, 0);
  put(&f, TASK, M_TASK_EXIT_STATE, 0x20);
  check_line(&f, "State:\t", "Z (zombie)");
  put(&f, TASK, M_TASK_EXIT_STATE, 0);
  check_line(&f, "State:\t", "R (running)");
  fake_linux_view_check_errors(&f.l, "");
}

/* What cannot be had is left out and named; the rest stands. */
static void
test_status_broken(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  lack(&f, M_MM_PINNED_VM);
  put(&f, TASK, M_TASK_FILES, 0x1234);
  put(&f, GROUPS, M_GROUPS_N, 0x7fffffff);
  put(&f, PID, M_PID_LEVEL, 1000);
  fake_mem_u32(f.l.memory, VARIABLE(0), 0xffffffff);
  lack(&f, M_USER_SIGPENDING);
  put(&f, CRED, M_CRED_UCOUNTS, OBJECT(30));
  put_element(&f, OBJECT(30), M_UCOUNTS_RLIMIT, 2, 0x100000009);
  g_autofree char *text = status_of(&f);
  g_autofree char *errors = dacsa_errors_text(f.l.errors);
  g_assert_null(strstr(text, "VmPin"));
  g_assert_null(strstr(text, "FDSize"));
  g_assert_null(strstr(text, "Groups"));
  g_assert_null(strstr(text, "NS"));
  g_assert_null(strstr(text, "Cpus"));
  g_assert_nonnull(strstr(text, "\nVmHWM:\t"));
  g_assert_nonnull(strstr(text, "\nSigQ:\t9/1835\n"));
  g_assert_nonnull(
      strstr(errors, "processes/*/status: no VmPin: the kernel has no mm_struct.pinned_vm\n"));
  g_assert_nonnull(strstr(errors, "processes/700/status: no FDSize: nothing at 0x"));
  g_assert_nonnull(
      strstr(errors, "processes/700/status: no Groups: 2147483647 groups cannot be\n"));
  g_assert_nonnull(
      strstr(errors, "processes/700/status: no NSpid: a pid of 1000 levels cannot be\n"));
  g_assert_nonnull(
      strstr(errors, "processes/700/status: no Cpus_allowed: 4294967295 CPUs cannot be\n"));
}

/* -- tests: masks -- */

static void
check_mask(uint64_t low, uint64_t high, unsigned n, const char *text, const char *list)
{
  g_autoptr(GArray) mask = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(GString) out = g_string_new(NULL);

  g_array_append_val(mask, low);
  g_array_append_val(mask, high);
  dacsa_linux_mask_print(mask, n, out);
  g_assert_cmpstr(out->str, ==, text);
  g_string_truncate(out, 0);
  dacsa_linux_mask_print_list(mask, n, out);
  g_assert_cmpstr(out->str, ==, list);
}

static void
test_masks(void)
{
  check_mask(0, 0, 8, "00", "");
  check_mask(1, 0, 1, "1", "0");
  check_mask(0xf, 0, 3, "7", "0-2"); /* no more than there are */
  check_mask(0xffffffff, 0, 32, "ffffffff", "0-31");
  check_mask(0x100000001, 0, 33, "1,00000001", "0,32");
  check_mask(UINT64_C(0x8000000000000000), 3, 70, "03,80000000,00000000", "63-65");
}

/* -- tests: what the code says -- */

static DacsaLinuxHeapRule
heap_rule(const uint8_t *code, size_t len)
{
  g_auto(Fixture) f;

  set_up(&f);
  f.kernel.members[M_MM_BRK].offset = 0x168;
  f.kernel.symbols[S_VMA_NAME] = FUNCTION(2);
  fake_mem_write(f.l.memory, FUNCTION(2) + 0x31, code, len);
  return dacsa_linux_behaviour(&f.l)->heap;
}

static void
test_heap_rule(void)
{
  /* cmp 0x168(%rax),%rdx and cmp %rax,0x168(%r13), then jae, ja, jb, or none at all. */
  const uint8_t start_jae[] = {0x48, 0x3b, 0x90, 0x68, 1, 0, 0, 0x73, 0x17};
  const uint8_t start_ja[] = {0x49, 0x3b, 0x85, 0x68, 1, 0, 0, 0x0f, 0x87, 1, 0, 0, 0};
  const uint8_t brk_jb[] = {0x49, 0x39, 0x85, 0x68, 1, 0, 0, 0x72, 0x0d};
  const uint8_t brk_jbe[] = {0x49, 0x39, 0x85, 0x68, 1, 0, 0, 0x76, 0x0d};
  const uint8_t none[] = {0x49, 0x39, 0x85, 0x68, 1, 0, 0, 0x90, 0x90};

  g_assert_cmpint(heap_rule(start_jae, sizeof(start_jae)), ==, DACSA_LINUX_HEAP_OVERLAPS);
  g_assert_cmpint(heap_rule(start_ja, sizeof(start_ja)), ==, DACSA_LINUX_HEAP_TOUCHES);
  g_assert_cmpint(heap_rule(brk_jb, sizeof(brk_jb)), ==, DACSA_LINUX_HEAP_TOUCHES);
  g_assert_cmpint(heap_rule(brk_jbe, sizeof(brk_jbe)), ==, DACSA_LINUX_HEAP_OVERLAPS);
  g_assert_cmpint(heap_rule(none, sizeof(none)), ==, DACSA_LINUX_HEAP_UNKNOWN);
}

static void
test_backing_file(void)
{
  /* orl $0x21000000,0xc(%rbx), and the same with a bit too many. */
  const uint8_t code[] = {0x81, 0x4b, 0x0c, 0, 0, 0, 0x21};
  const uint8_t other[] = {0x81, 0x4b, 0x0c, 0, 0, 0, 0x27};

  for (unsigned known = 0; known < 2; known++) {
    g_auto(Fixture) f;

    set_up(&f);
    f.kernel.members[M_FILE_MODE].offset = 0xc;
    f.kernel.symbols[S_ALLOC_BACKING_FILE] = FUNCTION(3);
    fake_mem_write(f.l.memory, FUNCTION(3) + 0x77, known ? code : other, sizeof(code));
    g_assert_cmphex(dacsa_linux_behaviour(&f.l)->backing_file, ==, known ? 0x1000000 : 0);
    fake_linux_view_check_errors(
        &f.l, known ? ""
                    : "processes/*/maps: files of stacked file systems are shown as what is "
                      "behind them\n");
  }
}

/* -- tests: threads and processes -- */

static void
put_thread(Fixture *f)
{
  const uint64_t node = f->kernel.members[M_TASK_THREAD_NODE].offset;
  const uint64_t head = SIGNAL + f->kernel.members[M_SIGNAL_THREAD_HEAD].offset;

  fake_mem_u64(f->l.memory, head, TASK + node);
  fake_mem_u64(f->l.memory, TASK + node, THREAD + node);
  fake_mem_u64(f->l.memory, THREAD + node, head);
  for (unsigned i = 0; i < 2; i++) {
    uint64_t task = i ? THREAD : TASK;

    put(f, task, M_TASK_PID, 700 + i);
    put(f, task, M_TASK_STATE, 1 + i);
    put(f, task, M_TASK_EXIT_STATE, 0);
    put(f, task, M_TASK_FLAGS, 0);
    put(f, task, M_TASK_CPU, i);
    put(f, task, M_TASK_POLICY, i);
    put(f, task, M_TASK_PRIO, i ? 89 : 115);
    put(f, task, M_TASK_STATIC_PRIO, i ? 120 : 115);
    put(f, task, M_TASK_START, UINT64_C(12034567890) + i);
    put(f, task, M_TASK_UTIME, 3000000);
    put(f, task, M_TASK_STIME, 1000000);
    put(f, task, M_TASK_RUNTIME, 8000000);
    put(f, task, M_TASK_PREV_UTIME, i ? 5000000 : 0);
    put(f, task, M_TASK_PREV_STIME, i ? 4000000 : 0);
    put(f, task, M_TASK_STACK, i ? 0 : 0xffffc90000000000);
    put(f, task, M_TASK_THREAD_PID, PID);
    fake_mem_string(f->l.memory, task + f->kernel.members[M_TASK_COMM].offset, i ? "two" : "one");
  }
}

static void
check_threads(Fixture *f, const char *expected)
{
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_linux_threads(&f->l.guest, 700, out, &error), error);
  g_assert_cmpstr(out->str, ==, expected);
}

#define THREADS                                                                                    \
  "tid nstid state cpu policy priority nice start     utime_ms stime_ms stack              task  " \
  "             comm\n"                                                                            \
  "700 3     S     0   other  15       -5   12.034567 6        2        0xffffc90000000000 "       \
  "0xffff888000010000 one\n"                                                                       \
  "701 3     D     1   fifo   -11      0    12.034567 5        4        -                  "       \
  "0xffff888000020000 two\n"

static void
test_threads(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_thread(&f);
  check_threads(&f, THREADS);
  fake_linux_view_check_errors(&f.l, "");
}

static void
test_threads_in_a_circle(void)
{
  g_auto(Fixture) f;
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  set_up(&f);
  put_thread(&f);
  const uint64_t node = f.kernel.members[M_TASK_THREAD_NODE].offset;
  fake_mem_u64(f.l.memory, THREAD + node, THREAD + node);
  check_threads(&f, THREADS);
  g_autofree char *errors = dacsa_errors_text(f.l.errors);
  g_assert_nonnull(strstr(errors, "processes/700/threads: a list runs in a circle at 0x"));
  CHECK_OK(dacsa_linux_json_threads(&f.l.guest, out, &error), error);
  g_assert_true(
      g_str_has_prefix(out->str, "{\"pid\":700,\"tid\":700,\"nstid\":3,\"state\":\"S\","));
  g_assert_nonnull(strstr(out->str, "\n{\"pid\":700,\"tid\":701,"));
}

static void
test_json_processes(void)
{
  g_auto(Fixture) f;
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  set_up(&f);
  put_thread(&f);
  put(&f, TASK, M_TASK_FS, 0);
  put(&f, TASK, M_TASK_NSPROXY, 0);
  put(&f, TASK, M_TASK_FLAGS, PF_KTHREAD);
  put(&f, SIGNAL, M_SIGNAL_TTY, 0);
  put(&f, NS_1, M_PID_NS_INUM, 4026532222);
  put(&f, CRED, M_CRED_USER_NS, 0);
  put(&f, TASK, M_TASK_CGROUPS, CGROUP);
  put(&f, CGROUP, M_CSS_SET_CGROUP, CGROUP);
  put(&f, CGROUP, M_CGROUP_KN, CGROUP);
  put(&f, CGROUP, M_KERNFS_PARENT, OBJECT(23));
  put(&f, CGROUP, M_KERNFS_NAME, RODATA);
  put(&f, OBJECT(23), M_KERNFS_PARENT, 0);
  fake_mem_string(f.l.memory, RODATA, "a.slice");
  f.kernel.symbols[S_SHADOW_TIMEKEEPER] = OBJECT(24);
  put(&f, OBJECT(24), M_TIMEKEEPER_OFFS_REAL, UINT64_C(1700000000000000000));
  put(&f, OBJECT(24), M_TIMEKEEPER_OFFS_BOOT, 0);
  CHECK_OK(dacsa_linux_json_processes(&f.l.guest, out, &error), error);
  g_assert_cmpstr(out->str, ==,
                  "{\"pid\":700,\"ppid\":40,\"nspid\":3,\"pgid\":600,\"threads\":2,\"state\":\"S\","
                  "\"kthread\":true,\"uid\":1000,\"euid\":1001,\"gid\":1004,\"egid\":1005,"
                  "\"start\":12.034567,\"started\":\"2023-11-14T22:13:32.034567Z\","
                  "\"comm\":\"one\",\"cgroup\":\"/a.slice\",\"pid_ns\":4026532222,"
                  "\"task\":\"0xffff888000010000\"}\n");
  fake_linux_view_check_errors(&f.l, "");
}

/* -- tests: environ -- */

static void
check_environ(Fixture *f, const char *expected, gsize expected_len)
{
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_linux_environ(&f->l.guest, 700, out, &error), error);
  g_assert_cmpmem(out->str, out->len, expected, expected_len);
}

static void
test_environ(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  f.kernel_paging = (FakePaging){f.l.phys, KERNEL_ROOT, 0x100000, 4};
  f.user_paging = (FakePaging){f.l.phys, USER_ROOT, 0x200000, 4};
  fake_paging_map(&f.kernel_paging, PGD, 1, USER_ROOT, PTE_PRESENT | PTE_WRITABLE);
  fake_paging_map(&f.user_paging, 0x7ffc00020000, 1, 0x9000, PTE_TABLE);
  fake_mem_write(f.l.phys, 0x9ff0, "HOME=/\0A=1\0\0", 12);
  fake_mem_u8(f.l.phys, 0x9fff, 'x');
  put(&f, MM, M_MM_PGD, PGD);
  put(&f, MM, M_MM_ENV_START, 0x7ffc00020ff0);
  put(&f, MM, M_MM_ENV_END, 0x7ffc00020ffb);
  check_environ(&f, "HOME=/\0A=1\0", 11);
  fake_linux_view_check_errors(&f.l, "");
  put(&f, MM, M_MM_ENV_END, 0x7ffc00021010); /* into a page that is not there */
  check_environ(&f, "HOME=/\0A=1\0\0\0\0\0x", 16);
  fake_linux_view_check_errors(&f.l,
                               "processes/700/environ: cut short: the rest is not in memory\n");
  put(&f, MM, M_MM_ENV_END, 0x1000); /* before it begins */
  check_environ(&f, "", 0);
  put(&f, TASK, M_TASK_FLAGS, PF_KTHREAD);
  check_environ(&f, "", 0);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/linux-status/all", test_status);
  g_test_add_func("/linux-status/texts", test_status_texts);
  g_test_add_func("/linux-status/speculation", test_status_speculation);
  g_test_add_func("/linux-status/percpu", test_status_percpu);
  g_test_add_func("/linux-status/kernel-thread", test_status_kernel_thread);
  g_test_add_func("/linux-status/broken", test_status_broken);
  g_test_add_func("/linux-status/masks", test_masks);
  g_test_add_func("/linux-status/heap-rule", test_heap_rule);
  g_test_add_func("/linux-status/backing-file", test_backing_file);
  g_test_add_func("/linux-status/threads", test_threads);
  g_test_add_func("/linux-status/threads/in-a-circle", test_threads_in_a_circle);
  g_test_add_func("/linux-status/json-processes", test_json_processes);
  g_test_add_func("/linux-status/environ", test_environ);
  return g_test_run();
}
