#include "own-gadgets.h"

#include "check.h"

#include "snap/procmaps.h"

#include <string.h>
#include <unistd.h>

void
own_gadgets_find(DacsaGadgets *ret)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) vmas = NULL;

  CHECK_OK(dacsa_procmaps_read(getpid(), &vmas, &error), error);
  for (guint i = 0; i < vmas->len; i++) {
    const DacsaHostVma *vma = &g_array_index(vmas, DacsaHostVma, i);

    if (vma->readable && vma->executable && vma->path && strstr(vma->path, "libc.so"))
      dacsa_gadgets_search(ret, (const uint8_t *)(uintptr_t)vma->start, vma->end - vma->start,
                           vma->start);
  }
  g_assert_cmphex(ret->restorer, !=, 0);
  g_assert_cmphex(ret->syscall_ret, !=, 0);
}
