/* Whether a fork would freeze guest RAM: private anonymous memory it does, and nothing else. */
#include "snap/preflight-checks.h"
#include "snap/procmaps.h"

#include <inttypes.h>
#include <string.h>

#define MONITOR_US (5 * G_USEC_PER_SEC)
#define MAX_NAMED 8 /* devices told of in one reason */

/* The first VMA of guest RAM of which a predicate holds. */
static const DacsaHostVma *
find_ram(const DacsaPreflight *p, bool (*predicate)(const DacsaHostVma *))
{
  for (guint i = 0; p->vmas && i < p->ram_hvas->len; i++) {
    const DacsaHostVma *vma = dacsa_procmaps_find(p->vmas, g_array_index(p->ram_hvas, uint64_t, i));

    if (vma && predicate(vma))
      return vma;
  }
  return NULL;
}

static bool
is_shared(const DacsaHostVma *vma)
{
  return vma->shared && !vma->device;
}

static bool
is_file(const DacsaHostVma *vma)
{
  return vma->path && vma->path[0] == '/' && !vma->shared && !vma->hugetlb && !vma->device;
}

static bool
is_hugetlb(const DacsaHostVma *vma)
{
  return vma->hugetlb && !vma->shared;
}

static bool
is_device(const DacsaHostVma *vma)
{
  return vma->device;
}

static bool
is_wiped(const DacsaHostVma *vma)
{
  return vma->wipe_on_fork;
}

static bool
is_userfaultfd(const DacsaHostVma *vma)
{
  return vma->userfaultfd;
}

char *
dacsa_preflight_ram_known(const DacsaPreflight *p)
{
  for (guint i = 0; p->vmas && i < p->ram_hvas->len; i++) {
    uint64_t hva = g_array_index(p->ram_hvas, uint64_t, i);

    if (!dacsa_procmaps_find(p->vmas, hva))
      return g_strdup_printf("process %d does not hold the guest's memory (nothing is at 0x%" PRIx64
                             ")",
                             (int)p->monitor->pid, hva);
  }
  return p->ram_hvas->len > 0 ? NULL : g_strdup("the guest has no memory");
}

/* Adds `TYPE "ID"` of each line of `info qtree` that begins a vhost-user device:
 * `dev: vhost-user-fs-pci, id "fs0"`. */
static void
add_devices(GPtrArray *names, const char *qtree)
{
  g_auto(GStrv) lines = g_strsplit(qtree, "\n", -1);

  for (size_t i = 0; lines[i] && names->len < MAX_NAMED; i++) {
    const char *line = g_strchug(lines[i]);

    if (!g_str_has_prefix(line, "dev: vhost-user"))
      continue;
    g_auto(GStrv) parts = g_strsplit(line + strlen("dev: "), ", id ", 2);
    g_ptr_array_add(names, g_strjoinv(" ", parts));
  }
}

/* The same of the lines of `info network`: `net0: index=0,type=vhost-user,...`. */
static void
add_networks(GPtrArray *names, const char *network)
{
  g_auto(GStrv) lines = g_strsplit(network, "\n", -1);

  for (size_t i = 0; lines[i] && names->len < MAX_NAMED; i++) {
    const char *line = lines[i] + strspn(lines[i], " \\");

    if (strstr(line, ",type=vhost-user"))
      g_ptr_array_add(names, g_strdup_printf("netdev \"%.*s\"", (int)strcspn(line, ":"), line));
  }
}

/* The devices whose other process needs guest RAM shared, as a list; NULL: none. */
static char *
sharing_devices(DacsaMonitor *monitor)
{
  int64_t deadline = g_get_monotonic_time() + MONITOR_US;
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  g_autofree char *qtree = NULL;
  g_autofree char *network = NULL;

  if (dacsa_monitor_hmp(monitor, "info qtree", deadline, &qtree, NULL))
    add_devices(names, qtree);
  if (dacsa_monitor_hmp(monitor, "info network", deadline, &network, NULL))
    add_networks(names, network);
  if (names->len == 0)
    return NULL;
  g_ptr_array_add(names, NULL);
  return g_strjoinv(", ", (char **)names->pdata);
}

char *
dacsa_preflight_shared(const DacsaPreflight *p)
{
  const DacsaHostVma *vma = find_ram(p, is_shared);
  g_autofree char *devices = vma ? sharing_devices(p->monitor) : NULL;

  if (!vma)
    return NULL;
  return g_strdup_printf("guest RAM is shared memory (%s)%s%s: a fork would not freeze it",
                         vma->path ? vma->path : "anonymous", devices ? " with " : "",
                         devices ? devices : "");
}

char *
dacsa_preflight_file(const DacsaPreflight *p)
{
  const DacsaHostVma *vma = find_ram(p, is_file);

  return vma ? g_strdup_printf("guest RAM is mapped from a file (%s): a fork would not freeze it",
                               vma->path)
             : NULL;
}

/*
 * Private hugetlbfs is refused however many pages are free now. The pool is everybody's: where a
 * page for a copy is missing later, the kernel takes the snapshot's page away without a word, so
 * that it would read as one that never was there (mm/hugetlb.c, unmap_ref_private). And the first
 * write to each page of 1 GiB would halt a vCPU until all of it is copied.
 */
char *
dacsa_preflight_hugetlb(const DacsaPreflight *p)
{
  return find_ram(p, is_hugetlb)
             ? g_strdup("guest RAM is on hugetlbfs: copy-on-write could run out of huge pages, "
                        "which the snapshot would then lose")
             : NULL;
}

/* What the kernel maps for a device has no pages that could be copied: it is never forked. */
char *
dacsa_preflight_device_memory(const DacsaPreflight *p)
{
  const DacsaHostVma *vma = find_ram(p, is_device);

  return vma ? g_strdup_printf("guest RAM is a device's memory (%s), which cannot be forked",
                               vma->path ? vma->path : "no name")
             : NULL;
}

char *
dacsa_preflight_wiped(const DacsaPreflight *p)
{
  return find_ram(p, is_wiped) ? g_strdup("guest RAM is MADV_WIPEONFORK: a fork would read zeros")
                               : NULL;
}

char *
dacsa_preflight_userfaultfd(const DacsaPreflight *p)
{
  return find_ram(p, is_userfaultfd)
             ? g_strdup("a background snapshot or a postcopy migration watches guest RAM")
             : NULL;
}
