/* Which of QEMU's mappings a fork takes along. */
#include "snap/forkmap.h"

#include "snap/procmaps.h"

#include <string.h>

#define MAX_STRETCHES 32u /* two frames each on QEMU's stack */

/* Neighbours that are withheld, gaps between them included: madvise(2) passes over those. */
typedef struct {
  DacsaForkVma vma;
  uint64_t rss;
  bool any; /* there is something in it */
} Stretch;

static bool
holds(const DacsaHostVma *vma, uint64_t hva)
{
  return hva >= vma->start && hva < vma->end;
}

static bool
holds_guest_memory(const DacsaHostVma *vma, const DacsaLayout *layout)
{
  for (guint i = 0; i < layout->ranges->len; i++) {
    const DacsaRange *range = &g_array_index(layout->ranges, DacsaRange, i);

    if (range->offset < vma->end && vma->start < range->offset + range->size)
      return true;
  }
  return false;
}

/* The child's frames lie on the main thread's stack, as long as that is its own. */
static bool
is_for_child(const DacsaHostVma *vma, const DacsaGadgets *gadgets)
{
  return holds(vma, gadgets->syscall_ret) || holds(vma, gadgets->restorer) ||
         g_strcmp0(vma->path, "[stack]") == 0;
}

/* What is MADV_DONTFORK already stays so. For what is special to the kernel it could not be undone
 * (mm/madvise.c, madvise_vma_behavior, MADV_DOFORK), nor is it memory. */
static bool
is_withheld(const DacsaHostVma *vma, const DacsaLayout *layout, const DacsaGadgets *gadgets)
{
  return !vma->dont_fork && !vma->special && !is_for_child(vma, gadgets) &&
         !holds_guest_memory(vma, layout);
}

static int
compare_rss(const void *a, const void *b)
{
  const uint64_t x = ((const Stretch *)a)->rss, y = ((const Stretch *)b)->rss;

  return (x < y) - (x > y);
}

/* The gaps on either side belong to a stretch, too: QEMU's next thread may have its stack there,
 * before it is forked. */
static GArray *
find_stretches(const GArray *host, const DacsaLayout *layout, const DacsaGadgets *gadgets)
{
  GArray *stretches = g_array_new(FALSE, FALSE, sizeof(Stretch));
  Stretch stretch = {.vma = {.withheld = true}};

  for (guint i = 0; i < host->len; i++) {
    const DacsaHostVma *vma = &g_array_index(host, DacsaHostVma, i);
    const bool withheld = is_withheld(vma, layout, gadgets);

    stretch.vma.start = i == 0 ? vma->start : stretch.vma.start;
    stretch.vma.len = (withheld ? vma->end : vma->start) - stretch.vma.start;
    stretch.rss += withheld ? vma->rss : 0;
    stretch.any = stretch.any || withheld;
    if (stretch.any && (!withheld || i + 1 == host->len))
      g_array_append_val(stretches, stretch);
    if (!withheld)
      stretch = (Stretch){.vma = {.start = vma->end, .withheld = true}};
  }
  g_array_sort(stretches, compare_rss);
  return stretches;
}

GArray *
dacsa_forkmap_build(const GArray *host, const GArray *guest, const DacsaLayout *layout,
                    const DacsaGadgets *gadgets)
{
  g_autoptr(GArray) stretches = find_stretches(host, layout, gadgets);
  GArray *map = g_array_copy((GArray *)guest);

  for (guint i = 0; i < MIN(stretches->len, MAX_STRETCHES); i++)
    g_array_append_val(map, g_array_index(stretches, Stretch, i).vma);
  return map;
}
