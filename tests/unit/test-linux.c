/* Processes of a Linux kernel made by hand: a few tasks, mappings, files and mounts in fake memory,
 * with member offsets of our own. What is printed is what /proc would print. */
#include "check.h"
#include "fake-linux.h"
#include "fake-paging.h"

#include "parsers/linux/process.h"

#include <string.h>

#define KERNEL(n) (UINT64_C(0xffff888000000000) + (uint64_t)(n)*0x1000u)
#define TASK(n) (KERNEL(0x100) + (n)*0x100u)
#define MM KERNEL(0x200)
#define VMA(n) (KERNEL(0x300) + (n)*0x100u)
#define FILE_AT(n) (KERNEL(0x400) + (n)*0x100u)
#define DENTRY(n) (KERNEL(0x500) + (n)*0x100u)
#define MOUNT(n) (KERNEL(0x600) + (n)*0x100u)
#define VFSMOUNT(n) (MOUNT(n) + 16)
#define TEXT(n) (KERNEL(0x700) + (n)*0x100u)
#define MISC(n) (KERNEL(0x800) + (n)*0x100u)
#define FS MISC(0)
#define INODE MISC(1)
#define SUPER MISC(2)
#define SPECIAL_OPS MISC(3)
#define SPECIAL MISC(4)
#define ANON_OPS MISC(5)
#define KTHREAD MISC(6)
#define WORKER MISC(7)
#define GATE MISC(8)
#define VSYSCALL_MODE MISC(9)
#define SIMPLE_OPS MISC(10)
#define OTHER_OPS MISC(11)

#define SPECIAL_NAME UINT64_C(0xffffffff81000100)
#define SIMPLE_DNAME UINT64_C(0xffffffff81000200)
#define ANON_DNAME UINT64_C(0xffffffff81000300)

#define KERNEL_ROOT 0x1000u /* gpa of swapper_pg_dir */
#define USER_ROOT 0x2000u
#define PGD KERNEL(0x900)

#define PF_WQ_WORKER 0x20u
#define PF_KTHREAD 0x200000u

/* Members as this kernel has them: offset and size. */
#define AT(o, s)                                                                                   \
  {                                                                                                \
    .known = true, .offset = (o), .size = (s)                                                      \
  }

static const DacsaMember members[M_N] = {
    [M_TASK_TASKS] = AT(8, 8),
    [M_TASK_PID] = AT(24, 4),
    [M_TASK_COMM] = AT(32, 16),
    [M_TASK_FLAGS] = AT(48, 4),
    [M_TASK_MM] = AT(56, 8),
    [M_TASK_FS] = AT(64, 8),
    [M_TASK_WORKER_PRIVATE] = AT(72, 8),
    [M_KTHREAD_DATA] = AT(0, 8),
    [M_KTHREAD_FULL_NAME] = AT(8, 8),
    [M_WORKER_DESC] = AT(32, 32),
    [M_WORKER_CURRENT_WORK] = AT(0, 8),
    [M_WORKER_POOL] = AT(8, 8),
    [M_MM_PGD] = AT(0, 8),
    [M_MM_START_BRK] = AT(8, 8),
    [M_MM_BRK] = AT(16, 8),
    [M_MM_START_STACK] = AT(24, 8),
    [M_MM_ARG_START] = AT(32, 8),
    [M_MM_ARG_END] = AT(40, 8),
    [M_MM_ENV_START] = AT(48, 8),
    [M_MM_ENV_END] = AT(56, 8),
    [M_MM_CONTEXT_FLAGS] = AT(64, 4),
    [M_MM_MMAP] = AT(72, 8),
    [M_VMA_NEXT] = AT(0, 8),
    [M_VMA_START] = AT(8, 8),
    [M_VMA_END] = AT(16, 8),
    [M_VMA_FLAGS] = AT(24, 8),
    [M_VMA_PGOFF] = AT(32, 8),
    [M_VMA_FILE] = AT(40, 8),
    [M_VMA_OPS] = AT(48, 8),
    [M_VMA_PRIVATE] = AT(56, 8),
    [M_VMA_ANON_NAME] = AT(64, 8),
    [M_ANON_NAME_NAME] = AT(4, 0),
    [M_VM_OPS_NAME] = AT(8, 8),
    [M_SPECIAL_MAPPING_NAME] = AT(0, 8),
    [M_FILE_PATH] = AT(0, 8),
    [M_FILE_INODE] = AT(16, 8),
    [M_PATH_MNT] = AT(0, 8),
    [M_PATH_DENTRY] = AT(8, 8),
    [M_INODE_SB] = AT(0, 8),
    [M_INODE_INO] = AT(8, 8),
    [M_SB_DEV] = AT(16, 4),
    [M_DENTRY_PARENT] = AT(0, 8),
    [M_DENTRY_NAME] = AT(8, 8),
    [M_DENTRY_OP] = AT(32, 8),
    [M_DENTRY_HASH_PPREV] = AT(40, 8),
    [M_DENTRY_OP_DNAME] = AT(8, 8),
    [M_QSTR_LEN] = AT(4, 4),
    [M_QSTR_NAME] = AT(8, 8),
    [M_MOUNT_MNT] = AT(16, 8),
    [M_MOUNT_PARENT] = AT(0, 8),
    [M_MOUNT_MOUNTPOINT] = AT(8, 8),
    [M_VFSMOUNT_ROOT] = AT(0, 8),
    [M_FS_ROOT] = AT(8, 8),
};

typedef struct {
  DacsaLinuxKernel kernel;
  DacsaVmcoreinfo info;
  DacsaLinux l;
  FakePaging kernel_paging, user_paging;
} Fixture;

static void
put(Fixture *f, uint64_t base, uint32_t offset, uint64_t value)
{
  fake_mem_u64(f->l.memory, base + offset, value);
}

static void
put32(Fixture *f, uint64_t base, uint32_t offset, uint32_t value)
{
  fake_mem_u32(f->l.memory, base + offset, value);
}

/* -- tasks -- */

static void
link_tasks(Fixture *f, unsigned from, unsigned to)
{
  put(f, TASK(from), members[M_TASK_TASKS].offset, TASK(to) + members[M_TASK_TASKS].offset);
}

static void
put_task(Fixture *f, unsigned n, uint32_t pid, const char *comm, uint32_t flags, uint64_t mm)
{
  put32(f, TASK(n), members[M_TASK_PID].offset, pid);
  put32(f, TASK(n), members[M_TASK_FLAGS].offset, flags);
  put(f, TASK(n), members[M_TASK_MM].offset, mm);
  put(f, TASK(n), members[M_TASK_FS].offset, FS);
  fake_mem_string(f->l.memory, TASK(n) + members[M_TASK_COMM].offset, comm);
}

/* -- files -- */

static void
put_dentry(Fixture *f, unsigned n, unsigned parent, const char *name)
{
  fake_mem_string(f->l.memory, TEXT(n), name);
  put(f, DENTRY(n), members[M_DENTRY_PARENT].offset, DENTRY(parent));
  put32(f, DENTRY(n), members[M_DENTRY_NAME].offset + members[M_QSTR_LEN].offset,
        (uint32_t)strlen(name));
  put(f, DENTRY(n), members[M_DENTRY_NAME].offset + members[M_QSTR_NAME].offset, TEXT(n));
  put(f, DENTRY(n), members[M_DENTRY_HASH_PPREV].offset, 1);
  put(f, DENTRY(n), members[M_DENTRY_OP].offset, 0);
}

static void
put_mount(Fixture *f, unsigned n, unsigned parent, unsigned mountpoint, unsigned root)
{
  put(f, MOUNT(n), members[M_MOUNT_PARENT].offset, MOUNT(parent));
  put(f, MOUNT(n), members[M_MOUNT_MOUNTPOINT].offset, DENTRY(mountpoint));
  put(f, VFSMOUNT(n), members[M_VFSMOUNT_ROOT].offset, DENTRY(root));
}

static void
put_file(Fixture *f, unsigned n, unsigned mount, unsigned dentry)
{
  put(f, FILE_AT(n), members[M_PATH_MNT].offset, VFSMOUNT(mount));
  put(f, FILE_AT(n), members[M_PATH_DENTRY].offset, DENTRY(dentry));
  put(f, FILE_AT(n), members[M_FILE_INODE].offset, INODE);
}

/*
 * /            0  mount 0            file 0: /bin/cat
 *   bin        1                     file 1: /mnt/data/x, over a mount
 *     cat      2                     file 2: an anonymous one of shared memory
 *   mnt        3  <- mount 1         file 3: an anonymous inode
 *   (root)     4  mount 1's root     file 4: /bin/cat, unlinked
 *     data     5
 *       x      6
 */
static void
put_files(Fixture *f)
{
  put_dentry(f, 0, 0, "/");
  put_dentry(f, 1, 0, "bin");
  put_dentry(f, 2, 1, "cat");
  put_dentry(f, 3, 0, "mnt");
  put_dentry(f, 4, 4, "/");
  put_dentry(f, 5, 4, "data");
  put_dentry(f, 6, 5, "x");
  put_dentry(f, 7, 7, "memfd:shm");
  put_dentry(f, 8, 8, "[eventfd]");
  put_dentry(f, 9, 1, "gone\nnow");
  put(f, DENTRY(7), members[M_DENTRY_OP].offset, SIMPLE_OPS);
  put(f, DENTRY(8), members[M_DENTRY_OP].offset, ANON_OPS);
  put(f, DENTRY(9), members[M_DENTRY_HASH_PPREV].offset, 0);
  put(f, SIMPLE_OPS, members[M_DENTRY_OP_DNAME].offset, SIMPLE_DNAME);
  put(f, ANON_OPS, members[M_DENTRY_OP_DNAME].offset, ANON_DNAME);
  put(f, OTHER_OPS, members[M_DENTRY_OP_DNAME].offset, ANON_DNAME + 0x100);
  put_mount(f, 0, 0, 0, 0);
  put_mount(f, 1, 0, 3, 4);
  put_file(f, 0, 0, 2);
  put_file(f, 1, 1, 6);
  put_file(f, 2, 0, 7);
  put_file(f, 3, 0, 8);
  put_file(f, 4, 0, 9);
  put(f, INODE, members[M_INODE_SB].offset, SUPER);
  put(f, INODE, members[M_INODE_INO].offset, 4711);
  put32(f, SUPER, members[M_SB_DEV].offset, 253u << 20 | 17);
  put(f, FS, members[M_FS_ROOT].offset + members[M_PATH_MNT].offset, VFSMOUNT(0));
  put(f, FS, members[M_FS_ROOT].offset + members[M_PATH_DENTRY].offset, DENTRY(0));
}

/* -- mappings -- */

static void
put_vma(Fixture *f, unsigned n, uint64_t start, uint64_t end, uint64_t flags, uint64_t pgoff,
        uint64_t file)
{
  put(f, VMA(n), members[M_VMA_NEXT].offset, VMA(n + 1));
  put(f, VMA(n), members[M_VMA_START].offset, start);
  put(f, VMA(n), members[M_VMA_END].offset, end);
  put(f, VMA(n), members[M_VMA_FLAGS].offset, flags);
  put(f, VMA(n), members[M_VMA_PGOFF].offset, pgoff);
  put(f, VMA(n), members[M_VMA_FILE].offset, file);
  put(f, VMA(n), members[M_VMA_OPS].offset, 0);
  put(f, VMA(n), members[M_VMA_ANON_NAME].offset, 0);
}

static void
put_mappings(Fixture *f)
{
  put(f, MM, members[M_MM_MMAP].offset, VMA(0));
  put_vma(f, 0, 0x400000, 0x401000, 0x75, 2, FILE_AT(0));
  put_vma(f, 1, 0x1000000, 0x1021000, 0x73, 0, 0); /* the heap */
  put_vma(f, 2, 0x7f0000000000, 0x7f0000001000, 0xf3, 0, FILE_AT(2));
  put_vma(f, 3, 0x7f0000001000, 0x7f0000002000, 0x73, 0, 0);
  put_vma(f, 4, 0x7f0000002000, 0x7f0000003000, 0x70, 0, FILE_AT(4));
  put_vma(f, 5, 0x7ffc00000000, 0x7ffc00021000, 0x73, 0, 0); /* the stack */
  put_vma(f, 6, 0x7ffc00100000, 0x7ffc00102000, 0x75, 0, 0); /* the vdso */
  put(f, VMA(6), members[M_VMA_NEXT].offset, 0);
  put(f, VMA(3), members[M_VMA_ANON_NAME].offset, TEXT(20));
  fake_mem_string(f->l.memory, TEXT(20) + 4, "glibc: malloc");
  put(f, VMA(6), members[M_VMA_OPS].offset, SPECIAL_OPS);
  put(f, VMA(6), members[M_VMA_PRIVATE].offset, SPECIAL);
  put(f, SPECIAL_OPS, members[M_VM_OPS_NAME].offset, SPECIAL_NAME);
  put(f, SPECIAL, members[M_SPECIAL_MAPPING_NAME].offset, TEXT(21));
  fake_mem_string(f->l.memory, TEXT(21), "[vdso]");
  put(f, MM, members[M_MM_START_BRK].offset, 0x1000000);
  put(f, MM, members[M_MM_BRK].offset, 0x1020000);
  put(f, MM, members[M_MM_START_STACK].offset, 0x7ffc00020500);
  put32(f, MM, members[M_MM_CONTEXT_FLAGS].offset, 2);
  put(f, GATE, members[M_VMA_START].offset, 0xffffffffff600000);
  put(f, GATE, members[M_VMA_END].offset, 0xffffffffff601000);
  put(f, GATE, members[M_VMA_FLAGS].offset, 0x4);
  put32(f, VSYSCALL_MODE, 0, 1);
}

/* -- the fixture -- */

static void
put_paging(Fixture *f)
{
  f->kernel_paging = (FakePaging){f->l.phys, KERNEL_ROOT, 0x100000, 4};
  f->user_paging = (FakePaging){f->l.phys, USER_ROOT, 0x200000, 4};
  fake_paging_map(&f->kernel_paging, PGD, 1, USER_ROOT, PTE_PRESENT | PTE_WRITABLE);
  fake_paging_entry(&f->user_paging, 0, 4);
  put(f, MM, members[M_MM_PGD].offset, PGD);
}

/* A process, a kernel thread and a worker, in no particular order of pids. */
static void
set_up(Fixture *f)
{
  *f = (Fixture){.kernel = {.symbols = {[S_INIT_TASK] = TASK(0),
                                        [S_GATE_VMA] = GATE,
                                        [S_VSYSCALL_MODE] = VSYSCALL_MODE,
                                        [S_SPECIAL_MAPPING_NAME] = SPECIAL_NAME,
                                        [S_SIMPLE_DNAME] = SIMPLE_DNAME,
                                        [S_ANON_INODEFS_DNAME] = ANON_DNAME}}};
  memcpy(f->kernel.members, members, sizeof(members));
  f->info.root = 0x1000;
  f->kernel.info = &f->info;
  fake_linux_view_init(&f->l, &f->kernel);
  put_task(f, 1, 700, "kworker/0:1", PF_KTHREAD | PF_WQ_WORKER, MM);
  put_task(f, 2, 1, "systemd", 0, MM);
  put_task(f, 3, 2, "kthreadd", PF_KTHREAD, 0);
  for (unsigned n = 0; n < 4; n++)
    link_tasks(f, n, (n + 1) % 4);
  put_files(f);
  put_mappings(f);
  put_paging(f);
}

static void
tear_down(Fixture *f)
{
  fake_linux_view_clear(&f->l);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static char *
text_of(Fixture *f, DacsaProcessTextFunc func, uint32_t pid, gsize *ret_len)
{
  GString *out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  CHECK_OK(func(&f->l.guest, pid, out, &error), error);
  if (ret_len)
    *ret_len = out->len;
  return g_string_free(out, FALSE);
}

static void
check_text(Fixture *f, DacsaProcessTextFunc func, uint32_t pid, const char *expected)
{
  g_autofree char *text = text_of(f, func, pid, NULL);

  g_assert_cmpstr(text, ==, expected);
}

/* -- tests: tasks -- */

static void
check_pids(Fixture *f, const uint32_t *pids, guint n)
{
  dacsa_linux_tasks(&f->l);
  g_assert_cmpuint(f->l.pids->len, ==, n);
  g_assert_cmpuint(f->l.tasks->len, ==, n);
  for (guint i = 0; i < n; i++) {
    g_assert_cmpuint(g_array_index(f->l.pids, uint32_t, i), ==, pids[i]);
    g_assert_cmpuint(g_array_index(f->l.tasks, DacsaLinuxTask, i).pid, ==, pids[i]);
  }
}

static void
test_tasks(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  uint64_t task;

  set_up(&f);
  check_pids(&f, (const uint32_t[]){1, 2, 700}, 3);
  CHECK_OK(dacsa_linux_task(&f.l, 700, &task, &error), error);
  g_assert_cmphex(task, ==, TASK(1));
  CHECK_FAILS(dacsa_linux_task(&f.l, 3, &task, &error), error, DACSA_ERROR_NOT_FOUND);
  CHECK_FAILS(dacsa_linux_task(&f.l, 0, &task, &error), error, DACSA_ERROR_NOT_FOUND);
  fake_linux_view_check_errors(&f.l, "");
}

static void
test_tasks_in_a_circle(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  link_tasks(&f, 3, 1); /* never back to init_task */
  check_pids(&f, (const uint32_t[]){1, 2, 700}, 3);
  fake_linux_view_check_errors(&f.l, "processes: the list of tasks runs in a circle\n");
}

static void
test_tasks_broken(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put32(&f, TASK(1), members[M_TASK_PID].offset, 0xffffffff);
  put(&f, TASK(2), members[M_TASK_TASKS].offset, 0x1234);
  check_pids(&f, (const uint32_t[]){1}, 1);
  g_autofree char *text = dacsa_errors_text(f.l.errors);
  g_assert_nonnull(strstr(text, "processes: a task has an impossible pid\n"));
  g_assert_nonnull(strstr(text, "processes: nothing at 0x"));
}

static void
test_tasks_of_one_pid(void)
{
  const unsigned n = 1000;
  g_auto(Fixture) f;

  set_up(&f);
  for (unsigned i = 0; i < n; i++) {
    put32(&f, TASK(i), members[M_TASK_PID].offset, 5);
    link_tasks(&f, i, (i + 1) % n);
  }
  put32(&f, TASK(n - 1), members[M_TASK_PID].offset, 6);
  check_pids(&f, (const uint32_t[]){5, 6}, 2);
  fake_linux_view_check_errors(&f.l, "processes: two tasks have the same pid; one is shown\n");
}

/* More tasks than the memory has room for, each with its stack: they overlap. */
static void
test_tasks_without_room(void)
{
  const unsigned n = 100000;
  g_auto(Fixture) f;

  set_up(&f);
  for (unsigned i = 0; i < n; i++) {
    put32(&f, TASK(i), members[M_TASK_PID].offset, i + 1);
    link_tasks(&f, i, (i + 1) % n);
  }
  dacsa_linux_tasks(&f.l);
  g_assert_cmpuint(f.l.pids->len, >, 1000);
  g_assert_cmpuint(f.l.pids->len, <, 10000);
  g_autofree char *text = dacsa_errors_text(f.l.errors);
  g_assert_nonnull(strstr(text, "processes: cut short after "));
}

/* -- tests: comm and cmdline -- */

static void
test_comm(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  check_text(&f, dacsa_linux_comm, 1, "systemd\n");
  check_text(&f, dacsa_linux_comm, 2, "kthreadd\n");
  check_text(&f, dacsa_linux_comm, 700, "kworker/0:1\n");
  put(&f, TASK(3), members[M_TASK_WORKER_PRIVATE].offset, KTHREAD);
  put(&f, KTHREAD, members[M_KTHREAD_FULL_NAME].offset, TEXT(30));
  fake_mem_string(f.l.memory, TEXT(30), "a-name-longer-than-comm");
  check_text(&f, dacsa_linux_comm, 2, "a-name-longer-than-comm\n");
  put(&f, TASK(1), members[M_TASK_WORKER_PRIVATE].offset, KTHREAD);
  put(&f, KTHREAD, members[M_KTHREAD_DATA].offset, WORKER);
  put(&f, WORKER, members[M_WORKER_POOL].offset, 1);
  put(&f, WORKER, members[M_WORKER_CURRENT_WORK].offset, 1);
  fake_mem_string(f.l.memory, WORKER + members[M_WORKER_DESC].offset, "events");
  check_text(&f, dacsa_linux_comm, 700, "kworker/0:1+events\n");
  put(&f, WORKER, members[M_WORKER_CURRENT_WORK].offset, 0);
  check_text(&f, dacsa_linux_comm, 700, "kworker/0:1-events\n");
  put(&f, WORKER, members[M_WORKER_POOL].offset, 0);
  check_text(&f, dacsa_linux_comm, 700, "kworker/0:1\n");
  fake_mem_write(f.l.memory, TASK(2) + members[M_TASK_COMM].offset, "sixteen-letters!", 16);
  check_text(&f, dacsa_linux_comm, 1, "sixteen-letters!\n"); /* no zero: cut at its size */
}

/* The page of arguments: 0x7ffc00020000 at gpa 0x9000. */
static void
put_args(Fixture *f, const char *text, size_t len, uint64_t arg_len, uint64_t env_len)
{
  const uint64_t at = 0x7ffc00020000;

  fake_paging_map(&f->user_paging, at, 1, 0x9000, PTE_TABLE);
  fake_mem_write(f->l.phys, 0x9000, text, len);
  put(f, MM, members[M_MM_ARG_START].offset, at);
  put(f, MM, members[M_MM_ARG_END].offset, at + arg_len);
  put(f, MM, members[M_MM_ENV_START].offset, at + arg_len);
  put(f, MM, members[M_MM_ENV_END].offset, at + arg_len + env_len);
}

static void
check_cmdline(Fixture *f, const char *expected, gsize expected_len)
{
  gsize len;
  g_autofree char *text = text_of(f, dacsa_linux_cmdline, 1, &len);

  g_assert_cmpmem(text, len, expected, expected_len);
}

static void
test_cmdline(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_args(&f, "/sbin/init\0-x\0HOME=/\0", 21, 14, 7);
  check_cmdline(&f, "/sbin/init\0-x\0", 14);
  /* setproctitle: written over the arguments, into the environment, up to the first zero. */
  put_args(&f, "a long title all over\0rest", 26, 14, 12);
  check_cmdline(&f, "a long title all over\0", 22);
  put(&f, MM, members[M_MM_ENV_START].offset,
      0x1000); /* the environment is elsewhere: no further */
  check_cmdline(&f, "a long title a", 14);
  put(&f, MM, members[M_MM_ARG_END].offset, 0); /* ends before it begins */
  check_cmdline(&f, "", 0);
  check_text(&f, dacsa_linux_cmdline, 2, "");
  check_text(&f, dacsa_linux_cmdline, 700, ""); /* its mm is borrowed */
  fake_linux_view_check_errors(&f.l, "");
}

static void
test_cmdline_not_in_memory(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put_args(&f, "x", 1, 0x3000, 0);
  /* The page after it, which holds the end, and its last zero, is missing. */
  gsize len;
  g_autofree char *text = text_of(&f, dacsa_linux_cmdline, 1, &len);
  g_assert_cmpuint(len, ==, 0x1000);
  fake_linux_view_check_errors(&f.l, "processes/1/cmdline: cut short: the rest is not in memory\n");
  put(&f, MM, members[M_MM_ARG_START].offset, 1);
  put(&f, MM, members[M_MM_ARG_END].offset,
      UINT64_MAX); /* as large as can be: bounded, and empty */
  check_cmdline(&f, "", 0);
}

/* -- tests: maps -- */

static void
test_maps(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  g_autofree char *expected = g_strdup_printf(
      "00400000-00401000 r-xp 00002000 fd:11 4711 %*s/bin/cat\n"
      "01000000-01021000 rw-p 00000000 00:00 0 %*s[heap]\n"
      "7f0000000000-7f0000001000 rw-s 00000000 fd:11 4711 %*s/memfd:shm (deleted)\n"
      "7f0000001000-7f0000002000 rw-p 00000000 00:00 0 %*s[anon:glibc: malloc]\n"
      "7f0000002000-7f0000003000 ---p 00000000 fd:11 4711 %*s/bin/gone\\012now (deleted)\n"
      "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 %*s[stack]\n"
      "7ffc00100000-7ffc00102000 r-xp 00000000 00:00 0 %*s[vdso]\n"
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 %*s[vsyscall]\n",
      73 - 43, "", 73 - 40, "", 73 - 51, "", 73 - 48, "", 73 - 51, "", 73 - 48, "", 73 - 48, "",
      73 - 56, "");
  check_text(&f, dacsa_linux_maps, 1, expected);
  check_text(&f, dacsa_linux_maps, 2, "");
  fake_linux_view_check_errors(&f.l, "");
}

static void
test_regions(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) regions = NULL;

  set_up(&f);
  CHECK_OK(dacsa_linux_regions(&f.l.guest, 1, &regions, &error), error);
  g_assert_cmpuint(regions->len, ==, 8);
  const DacsaRegion *r = &g_array_index(regions, DacsaRegion, 4);
  g_assert_cmphex(r->start, ==, 0x7f0000002000);
  g_assert_cmphex(r->end, ==, 0x7f0000003000);
  g_assert_cmpstr(r->perms, ==, "---p");
  g_assert_cmpstr(r->path, ==, "/bin/gone\\012now (deleted)");
}

static void
test_maps_broken(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put(&f, VMA(0), members[M_VMA_END].offset, 0x400000);       /* empty */
  put(&f, VMA(1), members[M_VMA_FILE].offset, 0x1234);        /* a file that is nowhere */
  put(&f, VMA(2), members[M_VMA_NEXT].offset, VMA(1));        /* a circle */
  put(&f, DENTRY(7), members[M_DENTRY_OP].offset, OTHER_OPS); /* a name that cannot be had */
  put32(&f, VSYSCALL_MODE, 0, 2);                             /* vsyscall=none */
  g_autofree char *text = text_of(&f, dacsa_linux_maps, 1, NULL);
  g_autofree char *errors = dacsa_errors_text(f.l.errors);
  g_assert_cmpstr(text, ==, "7f0000000000-7f0000001000 rw-s 00000000 fd:11 4711 \n");
  g_assert_nonnull(strstr(errors, "processes/1/maps: the list of mappings has no end\n"));
  g_assert_nonnull(strstr(errors, "processes/1/maps: a mapping ends before it begins\n"));
  g_assert_nonnull(strstr(errors, "processes/1/maps: nothing at 0x1244\n"));
  g_assert_nonnull(strstr(errors, "processes/1/maps: a file of a kind that names itself\n"));
}

/* The lines that end so. */
static bool
has_line(Fixture *f, const char *end)
{
  g_autofree char *text = text_of(f, dacsa_linux_maps, 1, NULL);
  g_autofree char *line_end = g_strdup_printf("%s\n", end);

  return strstr(text, line_end) != NULL;
}

/* A mapping that only touches the heap is it too, or is not, or nobody can tell. */
static void
test_maps_beside_heap(void)
{
  static const struct {
    uint8_t jump;
    bool heap;
    const char *errors;
  } rules[] = {
      {0x77, true, ""},
      {0x73, false, ""},
      {0x90, false,
       "processes/1/maps: a mapping beside the heap has no name: kernels differ in whether it is "
       "[heap]\n"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(rules); i++) {
    const uint8_t code[] = {0x48,          0x3b, 0x90, members[M_MM_BRK].offset, 0, 0, 0,
                            rules[i].jump, 0x17, 0x90};
    g_auto(Fixture) f;

    set_up(&f);
    f.kernel.symbols[S_VMA_NAME] = TEXT(40);
    fake_mem_write(f.l.memory, TEXT(40), code, sizeof(code));
    put(&f, MM, members[M_MM_START_BRK].offset, 0x1021000);
    put(&f, MM, members[M_MM_BRK].offset, 0x1021000);
    g_assert_cmpint(has_line(&f, "[heap]"), ==, rules[i].heap);
    fake_linux_view_check_errors(&f.l, rules[i].errors);
  }
}

/* Shared memory with a name of its own; where that name shares its place with something else, no.
 */
static void
test_maps_named_shmem(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put(&f, VMA(2), members[M_VMA_ANON_NAME].offset, TEXT(20));
  g_assert_true(has_line(&f, " [anon_shmem:glibc: malloc]"));
  f.kernel.members[M_VMA_SHARED] = members[M_VMA_ANON_NAME];
  g_assert_false(has_line(&f, " [anon_shmem:glibc: malloc]"));
  g_assert_true(has_line(&f, " /memfd:shm (deleted)"));
  fake_linux_view_check_errors(&f.l, "");
}

/* A file behind one of an overlay: shown is what was opened, by its path and its inode. */
static void
test_maps_stacked(void)
{
  const uint8_t code[] = {0x81, 0x4b, 0x18, 0, 0, 0, 0x21}; /* orl $0x21000000,0x18(%rbx) */
  g_auto(Fixture) f;

  set_up(&f);
  f.kernel.members[M_FILE_MODE] = (DacsaMember)AT(0x18, 4);
  f.kernel.members[M_BACKING_FILE_FILE] = (DacsaMember)AT(0, 8);
  f.kernel.members[M_BACKING_FILE_USER_PATH] = (DacsaMember)AT(0x40, 16);
  f.kernel.members[M_DENTRY_INODE] = (DacsaMember)AT(0x38, 8);
  f.kernel.symbols[S_ALLOC_BACKING_FILE] = TEXT(41);
  fake_mem_write(f.l.memory, TEXT(41), code, sizeof(code));
  put32(&f, FILE_AT(0), 0x18, 0x1000003);
  put(&f, FILE_AT(0), 0x40 + members[M_PATH_MNT].offset, VFSMOUNT(1));
  put(&f, FILE_AT(0), 0x40 + members[M_PATH_DENTRY].offset, DENTRY(6));
  put(&f, DENTRY(6), 0x38, TEXT(42));
  put(&f, TEXT(42), members[M_INODE_SB].offset, TEXT(43));
  put(&f, TEXT(42), members[M_INODE_INO].offset, 99);
  put32(&f, TEXT(43), members[M_SB_DEV].offset, 30);
  g_autofree char *text = text_of(&f, dacsa_linux_maps, 1, NULL);
  g_autofree char *expected =
      g_strdup_printf("00400000-00401000 r-xp 00002000 00:1e 99 %*s/mnt/data/x\n", 73 - 41, "");
  g_assert_true(g_str_has_prefix(text, expected));
  fake_linux_view_check_errors(&f.l, "");
}

static void
test_json_maps(void)
{
  g_auto(Fixture) f;
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  set_up(&f);
  CHECK_OK(dacsa_linux_json_maps(&f.l.guest, out, &error), error);
  g_assert_true(g_str_has_prefix(
      out->str,
      "{\"pid\":1,\"start\":\"0x400000\",\"end\":\"0x401000\",\"perms\":\"r-xp\",\"offset\":"
      "\"0x2000\",\"dev\":\"fd:11\",\"inode\":4711,\"name\":\"/bin/cat\"}\n"));
  g_assert_true(g_str_has_suffix(out->str, "\"inode\":0,\"name\":\"[vsyscall]\"}\n"));
  g_assert_null(strstr(out->str, "\"pid\":2,")); /* a kernel thread */
}

/* -- tests: paths -- */

static void
check_path(Fixture *f, unsigned file, uint64_t root, const char *expected)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = NULL;

  CHECK_OK(dacsa_linux_d_path(&f->l, FILE_AT(file), root, &path, &error), error);
  g_assert_cmpstr(path, ==, expected);
}

static void
test_paths(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  const uint64_t root = dacsa_linux_root(&f.l);
  g_assert_cmphex(root, ==, FS + members[M_FS_ROOT].offset);
  check_path(&f, 0, root, "/bin/cat");
  check_path(&f, 0, 0, "/bin/cat");
  check_path(&f, 1, root, "/mnt/data/x");
  check_path(&f, 2, root, "/memfd:shm (deleted)");
  check_path(&f, 3, root, "anon_inode:[eventfd]");
  check_path(&f, 4, root, "/bin/gone\nnow (deleted)");
  put_file(&f, 5, 0, 0);
  check_path(&f, 5, root, "/");
  put(&f, FS, members[M_FS_ROOT].offset + members[M_PATH_MNT].offset,
      VFSMOUNT(1)); /* init in a chroot, so to say */
  put(&f, FS, members[M_FS_ROOT].offset + members[M_PATH_DENTRY].offset, DENTRY(5));
  check_path(&f, 1, root, "/x");
  check_path(&f, 0, root, "/bin/cat"); /* not below it */
}

static void
check_no_path(Fixture *f, unsigned file, DacsaError code)
{
  g_autoptr(GError) error = NULL;
  char *path = NULL;

  CHECK_FAILS(dacsa_linux_d_path(&f->l, FILE_AT(file), 0, &path, &error), error, code);
  g_assert_null(path);
}

static void
test_paths_without_end(void)
{
  g_auto(Fixture) f;

  set_up(&f);
  put(&f, DENTRY(1), members[M_DENTRY_PARENT].offset, DENTRY(2)); /* bin lies in cat */
  check_no_path(&f, 0, DACSA_ERROR_BAD_DATA);
  put_mount(&f, 0, 1, 4, 0); /* each mount is mounted on the other's root */
  put_mount(&f, 1, 0, 0, 4);
  check_no_path(&f, 1, DACSA_ERROR_BAD_DATA);
  put32(&f, DENTRY(6), members[M_DENTRY_NAME].offset + members[M_QSTR_LEN].offset, 0xffffffff);
  check_no_path(&f, 1, DACSA_ERROR_BAD_DATA);
  put(&f, DENTRY(7), members[M_DENTRY_OP].offset, OTHER_OPS);
  check_no_path(&f, 2, DACSA_ERROR_UNSUPPORTED);
  put(&f, FILE_AT(3), members[M_PATH_DENTRY].offset, 0x1000);
  check_no_path(&f, 3, DACSA_ERROR_FAULT);
}

/* -- tests: memory -- */

static void
check_run(const DacsaRuns *runs, guint i, uint64_t gva, uint64_t gpa, uint64_t len)
{
  const DacsaRun *run = &g_array_index(runs->runs, DacsaRun, i);

  g_assert_cmphex(run->gva, ==, gva);
  g_assert_cmphex(run->gpa, ==, gpa);
  g_assert_cmphex(run->len, ==, len);
}

static void
test_memory(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaRuns) runs = NULL;
  g_autoptr(DacsaRuns) none = NULL;

  set_up(&f);
  fake_paging_map(&f.user_paging, 0x400000, 1, 0x9000, PTE_TABLE);
  fake_paging_map(&f.user_paging, 0x401000, 1, 0xa000, PTE_TABLE);
  fake_paging_map(&f.user_paging, 0x402000, 1, 0x9000, PTE_TABLE);     /* the same page again */
  fake_paging_map(&f.user_paging, 0x403000, 1, 0xfe000000, PTE_TABLE); /* a device's */
  fake_paging_map(&f.user_paging, 0x600000, 1, ~UINT64_C(0xa000) & PTE_FRAME, PTE_PROTNONE);
  fake_paging_map(&f.user_paging, KERNEL(0), 1, 0xa000, PTE_PRESENT); /* the kernel's half */
  fake_mem_u8(f.l.phys, 0x9000, 1);
  fake_mem_u8(f.l.phys, 0xa000, 1);
  CHECK_OK(dacsa_linux_memory(&f.l.guest, 1, &runs, &error), error);
  g_assert_cmpuint(runs->runs->len, ==, 3);
  check_run(runs, 0, 0x400000, 0x9000, 0x2000);
  check_run(runs, 1, 0x402000, 0x9000, 0x1000);
  check_run(runs, 2, 0x600000, 0xa000, 0x1000);
  CHECK_OK(dacsa_linux_memory(&f.l.guest, 2, &none, &error), error);
  g_assert_cmpuint(none->size, ==, 0);
  fake_linux_view_check_errors(&f.l, "");
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/linux/tasks", test_tasks);
  g_test_add_func("/linux/tasks/in-a-circle", test_tasks_in_a_circle);
  g_test_add_func("/linux/tasks/broken", test_tasks_broken);
  g_test_add_func("/linux/tasks/of-one-pid", test_tasks_of_one_pid);
  g_test_add_func("/linux/tasks/without-room", test_tasks_without_room);
  g_test_add_func("/linux/comm", test_comm);
  g_test_add_func("/linux/cmdline", test_cmdline);
  g_test_add_func("/linux/cmdline/not-in-memory", test_cmdline_not_in_memory);
  g_test_add_func("/linux/maps", test_maps);
  g_test_add_func("/linux/maps/broken", test_maps_broken);
  g_test_add_func("/linux/maps/beside-heap", test_maps_beside_heap);
  g_test_add_func("/linux/maps/named-shmem", test_maps_named_shmem);
  g_test_add_func("/linux/maps/stacked", test_maps_stacked);
  g_test_add_func("/linux/json-maps", test_json_maps);
  g_test_add_func("/linux/regions", test_regions);
  g_test_add_func("/linux/paths", test_paths);
  g_test_add_func("/linux/paths/without-end", test_paths_without_end);
  g_test_add_func("/linux/memory", test_memory);
  return g_test_run();
}
