/* Looks at QEMU's mappings after a take, and puts back what is not as it was. */
#include "snap/putback.h"

#include "snap/error.h"
#include "snap/inject.h"
#include "snap/procmaps.h"

#include <inttypes.h>
#include <unistd.h>

#define LOOKS 50 /* at a thread that puts something back */
#define NAP_US 10000

/* The VMAs that are not as they were: DacsaForkVma, owned. */
static GArray *
find_changed(const GArray *host, const GArray *vmas)
{
  GArray *changed = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));

  for (guint i = 0; i < vmas->len; i++) {
    const DacsaForkVma *was = &g_array_index(vmas, DacsaForkVma, i);

    for (guint j = 0; j < host->len; j++) {
      const DacsaHostVma *vma = &g_array_index(host, DacsaHostVma, j);
      const DacsaForkVma found = {vma->start, vma->end - vma->start, was->withheld};

      if (dacsa_procmaps_overlaps(vma, was->start, was->len) && vma->dont_fork == was->withheld &&
          !vma->io)
        g_array_append_val(changed, found);
    }
  }
  return changed;
}

static bool
look(pid_t pid, const GArray *vmas, GArray **ret, GError **error)
{
  g_autoptr(GArray) host = NULL;

  if (!dacsa_procmaps_read(pid, &host, error))
    return false;
  *ret = find_changed(host, vmas);
  return true;
}

bool
dacsa_putback(pid_t pid, const DacsaGadgets *gadgets, const GArray *vmas, GError **error)
{
  g_autoptr(GArray) changed = NULL;

  if (!vmas)
    return true;
  if (!look(pid, vmas, &changed, error))
    return false;
  for (unsigned looks = 0; changed->len > 0 && looks < LOOKS; looks++) {
    const DacsaInjection injection = {
        .pid = pid, .gadgets = *gadgets, .vmas = changed, .journal = -1};

    if (looks % 10 == 0 && !dacsa_inject_put_back(&injection, error))
      return false;
    usleep(NAP_US);
    g_clear_pointer(&changed, g_array_unref);
    if (!look(pid, vmas, &changed, error))
      return false;
  }
  return changed->len == 0 ||
         dacsa_fail(error, DACSA_ERROR_OS,
                    "MADV_DONTFORK is not as it was on QEMU's memory at 0x%" PRIx64,
                    g_array_index(changed, DacsaForkVma, 0).start);
}
