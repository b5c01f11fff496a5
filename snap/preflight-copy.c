/* What speaks against a copy of guest RAM: where it lies, and whether there is room for as much
 * again, in dacsa's own cgroup: the copy is not QEMU's. */
#include "snap/cgroup.h"
#include "snap/hostfile.h"
#include "snap/preflight-checks.h"
#include "snap/procmaps.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define OWN_MEMORY (64 * MIB) /* of the process that holds the copy, and page tables */

/* A character device (/dev/dax) can be mapped like a file, but not read like one. */
char *
dacsa_preflight_copy_file(const DacsaPreflight *p)
{
  for (guint i = 0; p->vmas && i < p->ram_hvas->len; i++) {
    const DacsaHostVma *vma = dacsa_procmaps_find(p->vmas, g_array_index(p->ram_hvas, uint64_t, i));
    struct stat st;

    if (!vma || !vma->path || vma->device)
      continue;
    g_autofree char *path = g_strdup_printf("%s/proc/%d/map_files/%" PRIx64 "-%" PRIx64, p->root,
                                            (int)p->monitor->pid, vma->start, vma->end);
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
      return g_strdup_printf("guest RAM is mapped from what is no file (%s)", vma->path);
  }
  return NULL;
}

uint64_t
dacsa_preflight_copy_bytes(const DacsaPreflight *p)
{
  static const char *const keys[] = {"VmRSS", "VmSwap", "HugetlbPages"};
  g_autofree char *status = dacsa_hostfile_process(p->root, p->monitor->pid, "status");
  uint64_t sum = 0;
  uint64_t kib;

  for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
    if (dacsa_hostfile_number(status, keys[i], &kib))
      sum += kib * 1024;
  return p->ram_bytes ? MIN(sum, p->ram_bytes) : sum;
}

static uint64_t
needs(const DacsaPreflight *p)
{
  const uint64_t bytes = dacsa_preflight_copy_bytes(p);

  return bytes + bytes / 512 + OWN_MEMORY;
}

static bool
meminfo(const DacsaPreflight *p, const char *key, uint64_t *ret)
{
  g_autofree char *text = dacsa_hostfile_read(p->root, "/proc/meminfo");
  uint64_t kib;

  if (!dacsa_hostfile_number(text, key, &kib))
    return false;
  *ret = kib * 1024;
  return true;
}

/* What a copy maps counts in full, holes too (mm/util.c, __vm_enough_memory). */
char *
dacsa_preflight_copy_commit(const DacsaPreflight *p)
{
  g_autofree char *mode = dacsa_hostfile_read(p->root, "/proc/sys/vm/overcommit_memory");
  const uint64_t need = p->ram_bytes + OWN_MEMORY;
  uint64_t limit, used;

  if (!mode || strcmp(mode, "2") != 0 || !meminfo(p, "CommitLimit", &limit) ||
      !meminfo(p, "Committed_AS", &used) || used + need <= limit)
    return NULL;
  return g_strdup_printf("the host does not overcommit memory (vm.overcommit_memory is 2): a copy "
                         "needs %" PRIu64 " MiB, and %" PRIu64 " MiB are left",
                         need / MIB, (limit > used ? limit - used : 0) / MIB);
}

char *
dacsa_preflight_copy_cgroup(const DacsaPreflight *p)
{
  g_autoptr(DacsaCgroupLimit) limit = dacsa_cgroup_tightest(p->root, getpid(), DACSA_CGROUP_MEMORY);

  if (!limit || dacsa_cgroup_room(limit) >= needs(p))
    return NULL;
  return g_strdup_printf("dacsa's cgroup has only %" PRIu64 " MiB of memory left (%s), and a copy "
                         "needs %" PRIu64 " MiB",
                         dacsa_cgroup_room(limit) / MIB, limit->file, needs(p) / MIB);
}

/* Swap does not count: what a VM waits for is not written there. */
char *
dacsa_preflight_copy_host(const DacsaPreflight *p)
{
  uint64_t room;

  if (!meminfo(p, "MemAvailable", &room) || room >= needs(p))
    return NULL;
  return g_strdup_printf("the host has only %" PRIu64 " MiB of memory left, and a copy needs "
                         "%" PRIu64 " MiB",
                         room / MIB, needs(p) / MIB);
}
