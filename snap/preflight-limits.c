/* Whether the host has room for the snapshot: two tasks more, and the memory that it costs. */
#include "snap/cgroup.h"
#include "snap/hostfile.h"
#include "snap/preflight-checks.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

/* The fork's helper and its child, and what QEMU itself may need next: its thread pool grows by up
 * to 64 (include/block/aio.h, THREAD_POOL_MAX_THREADS_DEFAULT), and where it cannot, QEMU aborts.
 */
#define TASKS (2 + 64)

/* What a guest may write between the fork and the moment at which its snapshot, no longer the VM,
 * is the first that the OOM killer takes. */
#define FIRST_PAGES (UINT64_C(64) << 20)
#define MIB (UINT64_C(1) << 20)

static bool
qemu_number(const DacsaPreflight *p, const char *key, uint64_t *ret)
{
  g_autofree char *status = dacsa_hostfile_process(p->root, p->monitor->pid, "status");

  return dacsa_hostfile_number(status, key, ret);
}

/* -- tasks -- */

/* QEMU's own soft limit: `Max processes   soft   hard   processes`. */
static bool
task_limit(const DacsaPreflight *p, uint64_t *ret)
{
  g_autofree char *text = dacsa_hostfile_process(p->root, p->monitor->pid, "limits");

  return dacsa_hostfile_number(text, "Max processes", ret);
}

/* The kernel lets root, and who has one of two capabilities, go over it (kernel/fork.c). */
static bool
is_exempt(const DacsaPreflight *p, uint64_t uid)
{
  g_autofree char *status = dacsa_hostfile_process(p->root, p->monitor->pid, "status");
  g_autofree char *effective = dacsa_hostfile_line(status, "CapEff");
  uint64_t caps = effective ? g_ascii_strtoull(effective, NULL, 16) : 0;

  return uid == 0 || (caps >> CAP_SYS_RESOURCE & 1) || (caps >> CAP_SYS_ADMIN & 1);
}

/* All tasks of the host: the fourth word of /proc/loadavg, `running/all`. */
static bool
count_all_tasks(const DacsaPreflight *p, uint64_t *ret)
{
  g_autofree char *text = dacsa_hostfile_read(p->root, "/proc/loadavg");

  return text && sscanf(text, "%*s %*s %*s %*u/%" SCNu64, ret) == 1;
}

/* Those of a user. */
static uint64_t
count_tasks(const DacsaPreflight *p, uint64_t uid)
{
  g_autofree char *path = g_strconcat(p->root, "/proc", NULL);
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  uint64_t sum = 0;
  const char *name;

  while (dir && (name = g_dir_read_name(dir))) {
    pid_t pid = (pid_t)g_ascii_strtoll(name, NULL, 10);
    g_autofree char *status = pid > 0 ? dacsa_hostfile_process(p->root, pid, "status") : NULL;
    uint64_t owner, threads;

    if (dacsa_hostfile_number(status, "Uid", &owner) && owner == uid &&
        dacsa_hostfile_number(status, "Threads", &threads))
      sum += threads;
  }
  return sum;
}

char *
dacsa_preflight_user_tasks(const DacsaPreflight *p)
{
  uint64_t limit, uid, count;

  if (!task_limit(p, &limit) || !qemu_number(p, "Uid", &uid) || is_exempt(p, uid))
    return NULL;
  /* Mostly this spares looking at every process of the host. */
  if (count_all_tasks(p, &count) && count + TASKS <= limit)
    return NULL;
  count = count_tasks(p, uid);
  if (count + TASKS <= limit)
    return NULL;
  return g_strdup_printf("QEMU's user %" PRIu64 " has %" PRIu64 " of %" PRIu64
                         " processes and threads (RLIMIT_NPROC); there must be room for %d more",
                         uid, count, limit, TASKS);
}

char *
dacsa_preflight_cgroup_tasks(const DacsaPreflight *p)
{
  g_autoptr(DacsaCgroupLimit) limit =
      dacsa_cgroup_tightest(p->root, p->monitor->pid, DACSA_CGROUP_PIDS);

  if (!limit || dacsa_cgroup_room(limit) >= TASKS)
    return NULL;
  return g_strdup_printf("QEMU's cgroup has %" PRIu64 " of %" PRIu64
                         " processes and threads (%s); there must be room for %d more",
                         limit->used, limit->limit, limit->file, TASKS);
}

char *
dacsa_preflight_host_tasks(const DacsaPreflight *p)
{
  static const char *const names[] = {"threads-max", "pid_max"};
  uint64_t count, limit;

  for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = g_build_filename("/proc/sys/kernel", names[i], NULL);

    if (count_all_tasks(p, &count) && dacsa_hostfile_limit(p->root, path, &limit) &&
        count + TASKS > limit)
      return g_strdup_printf("the host has %" PRIu64 " of %" PRIu64
                             " processes and threads (kernel.%s); there must be room for %d more",
                             count, limit, names[i], TASKS);
  }
  return NULL;
}

/* -- memory -- */

static uint64_t
meminfo_bytes(const DacsaPreflight *p, const char *key)
{
  g_autofree char *text = dacsa_hostfile_read(p->root, "/proc/meminfo");
  uint64_t kib;

  return dacsa_hostfile_number(text, key, &kib) ? kib * 1024 : 0;
}

/* With vm.overcommit_memory 2 a fork reserves as much again as QEMU has of private writable memory,
 * the whole of guest RAM included (mm/util.c, __vm_enough_memory). */
char *
dacsa_preflight_overcommit(const DacsaPreflight *p)
{
  g_autofree char *mode = dacsa_hostfile_read(p->root, "/proc/sys/vm/overcommit_memory");
  uint64_t data = 0;

  if (!mode || strcmp(mode, "2") != 0 || !qemu_number(p, "VmData", &data))
    return NULL;
  uint64_t need = data * 1024 + FIRST_PAGES;
  uint64_t limit = meminfo_bytes(p, "CommitLimit");
  uint64_t used = meminfo_bytes(p, "Committed_AS");
  uint64_t room = limit > used ? limit - used : 0;
  if (need <= room)
    return NULL;
  return g_strdup_printf("the host does not overcommit memory (vm.overcommit_memory is 2): a fork "
                         "needs %" PRIu64 " MiB as QEMU has, and %" PRIu64 " MiB are left",
                         need / MIB, room / MIB);
}

/* What the fork takes at once (page tables, of 4 KiB pages at worst, and the first copies), and
 * what it may take in all: a copy of every page. */
static bool
memory_needs(const DacsaPreflight *p, uint64_t *ret_first, uint64_t *ret_all)
{
  uint64_t kib;

  if (!qemu_number(p, "RssAnon", &kib))
    return false;
  uint64_t tables = kib * 1024 / 512;
  *ret_first = tables + FIRST_PAGES;
  *ret_all = tables + MAX(kib * 1024, FIRST_PAGES);
  return true;
}

char *
dacsa_preflight_cgroup_memory(const DacsaPreflight *p)
{
  g_autoptr(DacsaCgroupLimit) limit =
      dacsa_cgroup_tightest(p->root, p->monitor->pid, DACSA_CGROUP_MEMORY);
  uint64_t first, all;

  if (!limit || !memory_needs(p, &first, &all) || dacsa_cgroup_room(limit) >= first)
    return NULL;
  return g_strdup_printf("QEMU's cgroup has only %" PRIu64 " MiB of memory left (%s), and a fork "
                         "needs %" PRIu64 " MiB at once",
                         dacsa_cgroup_room(limit) / MIB, limit->file, first / MIB);
}

/* Where it is full QEMU would stand still, waiting for the copy of a page, and the kernel cannot
 * make copies for itself, where it writes into QEMU's memory: that fails, or is fatal. */
char *
dacsa_preflight_cgroup_waits(const DacsaPreflight *p)
{
  g_autofree char *file = dacsa_cgroup_waits(p->root, p->monitor->pid);

  if (!file)
    return NULL;
  return g_strdup_printf("QEMU's cgroup has the OOM killer off: where its memory runs out (%s) the "
                         "VM would stand still, and the snapshot would not be ended for it",
                         file);
}

/* The snapshot is the first that the kernel takes; but not alone (mm/memcontrol.c,
 * mem_cgroup_get_oom_group). */
char *
dacsa_preflight_cgroup_group(const DacsaPreflight *p)
{
  g_autofree char *file = dacsa_cgroup_dies_together(p->root, p->monitor->pid);

  if (!file)
    return NULL;
  return g_strdup_printf("where memory runs short the kernel would kill QEMU with its snapshot (%s "
                         "is 1)",
                         file);
}

char *
dacsa_preflight_cgroup_copies(const DacsaPreflight *p)
{
  g_autoptr(DacsaCgroupLimit) limit =
      dacsa_cgroup_tightest(p->root, p->monitor->pid, DACSA_CGROUP_MEMORY);
  uint64_t first, all;

  if (!limit || !memory_needs(p, &first, &all) || dacsa_cgroup_room(limit) < first ||
      dacsa_cgroup_room(limit) >= all)
    return NULL;
  return g_strdup_printf("QEMU's cgroup has %" PRIu64 " MiB of memory left (%s): of the %" PRIu64
                         " MiB that a snapshot may cost in the end, it dies before",
                         dacsa_cgroup_room(limit) / MIB, limit->file, all / MIB);
}

/* What the host has left, swap included; false: it does not say. */
static bool
host_room(const DacsaPreflight *p, uint64_t *ret)
{
  *ret = meminfo_bytes(p, "MemAvailable") + meminfo_bytes(p, "SwapFree");
  return *ret > 0;
}

char *
dacsa_preflight_host_memory(const DacsaPreflight *p)
{
  uint64_t room, first, all;

  if (!host_room(p, &room) || !memory_needs(p, &first, &all) || room >= first)
    return NULL;
  return g_strdup_printf("the host has only %" PRIu64 " MiB of memory left, and a fork needs "
                         "%" PRIu64 " MiB at once",
                         room / MIB, first / MIB);
}

char *
dacsa_preflight_host_copies(const DacsaPreflight *p)
{
  uint64_t room, first, all;

  if (!host_room(p, &room) || !memory_needs(p, &first, &all) || room < first || room >= all)
    return NULL;
  return g_strdup_printf("the host has %" PRIu64 " MiB of memory left: of the %" PRIu64
                         " MiB that a snapshot may cost in the end, it dies before",
                         room / MIB, all / MIB);
}
