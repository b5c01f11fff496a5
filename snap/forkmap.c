/* Which of QEMU's mappings a fork takes along. */
#include "snap/forkmap.h"

#include "snap/error.h"
#include "snap/procmaps.h"

#include <inttypes.h>

/* VMAs that follow each other and are withheld. */
typedef struct {
  DacsaForkVma vma;
  uint64_t rss;
} Stretch;

static bool
holds_guest_memory(const DacsaHostVma *vma, const DacsaLayout *layout)
{
  for (guint i = 0; i < layout->ranges->len; i++) {
    const DacsaRange *range = &g_array_index(layout->ranges, DacsaRange, i);

    if (dacsa_procmaps_overlaps(vma, range->offset, range->size))
      return true;
  }
  return false;
}

/* The child's frames lie on the main thread's stack, as long as that is its own. */
static bool
is_for_child(const DacsaHostVma *vma, const DacsaGadgets *gadgets)
{
  return dacsa_procmaps_holds(vma, gadgets->syscall_ret) ||
         dacsa_procmaps_holds(vma, gadgets->restorer) || g_strcmp0(vma->path, "[stack]") == 0;
}

/* What is MADV_DONTFORK already stays so; of VM_IO it could not be undone (mm/madvise.c,
 * madvise_vma_behavior, MADV_DOFORK); [vsyscall] is no process's. */
static bool
is_withheld(const DacsaHostVma *vma, const DacsaLayout *layout, const DacsaGadgets *gadgets)
{
  return !vma->dont_fork && !vma->io && g_strcmp0(vma->path, "[vsyscall]") != 0 &&
         !is_for_child(vma, gadgets) && !holds_guest_memory(vma, layout);
}

static bool
check_mapped(const GArray *host, const DacsaLayout *layout, GError **error)
{
  for (guint i = 0; i < layout->ranges->len; i++) {
    const DacsaRange *range = &g_array_index(layout->ranges, DacsaRange, i);
    uint64_t at = range->offset;

    while (at < range->offset + range->size) {
      const DacsaHostVma *vma = dacsa_procmaps_find(host, at);

      if (!vma)
        return dacsa_fail(error, DACSA_ERROR_BUSY,
                          "QEMU has no memory at 0x%" PRIx64 ": its memory map has just changed",
                          at);
      at = vma->end;
    }
  }
  return true;
}

static GArray *
find_guest_vmas(const GArray *host, const DacsaLayout *layout)
{
  GArray *vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));

  for (guint i = 0; i < host->len; i++) {
    const DacsaHostVma *vma = &g_array_index(host, DacsaHostVma, i);
    const DacsaForkVma found = {vma->start, vma->end - vma->start, false};

    if (vma->dont_fork && holds_guest_memory(vma, layout))
      g_array_append_val(vmas, found);
  }
  return vmas;
}

static int
compare_rss(const void *a, const void *b)
{
  const uint64_t x = ((const Stretch *)a)->rss, y = ((const Stretch *)b)->rss;

  return (x < y) - (x > y);
}

static GArray *
find_stretches(const GArray *host, const DacsaLayout *layout, const DacsaGadgets *gadgets)
{
  GArray *stretches = g_array_new(FALSE, FALSE, sizeof(Stretch));
  uint64_t end = 0; /* of the last; 0: none that goes on */

  for (guint i = 0; i < host->len; i++) {
    const DacsaHostVma *vma = &g_array_index(host, DacsaHostVma, i);
    const bool withheld = is_withheld(vma, layout, gadgets);

    if (withheld && vma->start != end) {
      const Stretch begun = {.vma = {.start = vma->start, .withheld = true}};

      g_array_append_val(stretches, begun);
    }
    if (withheld) {
      Stretch *last = &g_array_index(stretches, Stretch, stretches->len - 1);

      last->vma.len += vma->end - vma->start;
      last->rss += vma->rss;
    }
    end = withheld ? vma->end : 0;
  }
  g_array_sort(stretches, compare_rss);
  return stretches;
}

bool
dacsa_forkmap_build(const GArray *host, const DacsaLayout *layout, const DacsaGadgets *gadgets,
                    GArray **ret, GError **error)
{
  g_autoptr(GArray) map = find_guest_vmas(host, layout);
  g_autoptr(GArray) stretches = find_stretches(host, layout, gadgets);

  if (!check_mapped(host, layout, error))
    return false;
  if (map->len > DACSA_CHAIN_VMAS)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                      "guest memory has too many mappings (%u, at most %u)", map->len,
                      DACSA_CHAIN_VMAS);
  for (guint i = 0; i < stretches->len && map->len < DACSA_CHAIN_VMAS; i++)
    g_array_append_val(map, g_array_index(stretches, Stretch, i).vma);
  *ret = g_steal_pointer(&map);
  return true;
}
