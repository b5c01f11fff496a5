/* Looks at a VM without touching it. */
#include "snap/probe.h"

#include "snap/connect.h"
#include "snap/error.h"
#include "snap/inject.h"
#include "snap/mtree.h"
#include "snap/preflight.h"
#include "snap/procmaps.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MONITOR_US (5 * G_USEC_PER_SEC)
#define MAX_CODE (64u << 20) /* of one executable mapping */

void
dacsa_probe_free(DacsaProbe *probe)
{
  if (!probe)
    return;
  g_free(probe->uuid);
  g_free(probe->state);
  g_free(probe->mtree);
  dacsa_layout_free(probe->layout);
  g_clear_pointer(&probe->vmas, g_array_unref);
  g_free(probe->reason);
  g_free(probe->remedy);
  g_free(probe);
}

static int64_t
soon(void)
{
  return g_get_monotonic_time() + MONITOR_US;
}

/* The host address of a RAM block's first byte, asked for once a block. */
static bool
block_hva(DacsaMonitor *monitor, const DacsaMtreeRange *range, GHashTable *known, uint64_t *ret,
          GError **error)
{
  uint64_t *base = g_hash_table_lookup(known, range->block);

  if (!base) {
    g_autofree char *line = g_strdup_printf("gpa2hva 0x%" PRIx64, range->start);
    g_autofree char *text = NULL;
    uint64_t hva;

    if (!dacsa_monitor_hmp(monitor, line, soon(), &text, error))
      return false;
    /* `Host virtual address for 0x... (NAME) is 0x...` */
    const char *is = g_strrstr(text, ") is 0x");
    if (!is || sscanf(is, ") is 0x%" SCNx64, &hva) != 1)
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "QEMU does not tell where %s lies: %s",
                        range->block, g_strstrip(text));
    base = g_new(uint64_t, 1);
    *base = hva - range->block_offset;
    g_hash_table_insert(known, g_strdup(range->block), base);
  }
  *ret = *base + range->block_offset;
  return true;
}

/* Makes the layout; ret_hvas gets one host address in every block. */
static bool
make_layout(DacsaMonitor *monitor, DacsaProbe *probe, GArray *hvas, GError **error)
{
  g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr(GHashTable) writable = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GArray) ranges = NULL;

  if (!dacsa_monitor_hmp(monitor, "info mtree -f", soon(), &probe->mtree, error) ||
      !dacsa_mtree_parse(probe->mtree, &ranges, error))
    return false;
  for (guint i = 0; i < ranges->len; i++) {
    DacsaMtreeRange *r = &g_array_index(ranges, DacsaMtreeRange, i);

    if (!r->rom)
      g_hash_table_add(writable, r->block);
  }
  probe->layout = dacsa_layout_new();
  for (guint i = 0; i < ranges->len; i++) {
    DacsaMtreeRange *r = &g_array_index(ranges, DacsaMtreeRange, i);
    DacsaRange range = {.gpa = r->start,
                        .size = r->end - r->start + 1,
                        .ram = g_hash_table_contains(writable, r->block)};

    if (!block_hva(monitor, r, known, &range.offset, error) ||
        !dacsa_layout_append(probe->layout, range, error))
      return false;
    g_array_append_val(hvas, range.offset);
  }
  return true;
}

/* The VMAs that hold guest memory and that a fork would leave out. */
static void
collect_vmas(DacsaProbe *probe, const GArray *host, const GArray *hvas)
{
  probe->vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  for (guint i = 0; i < host->len; i++) {
    const DacsaHostVma *vma = &g_array_index(host, DacsaHostVma, i);
    DacsaForkVma fork = {vma->start, vma->end - vma->start};

    if (!vma->dont_fork)
      continue;
    for (guint j = 0; j < hvas->len; j++) {
      uint64_t hva = g_array_index(hvas, uint64_t, j);

      if (hva >= vma->start && hva < vma->end) {
        g_array_append_val(probe->vmas, fork);
        break;
      }
    }
  }
}

static void
search_vma(DacsaProbe *probe, int mem, const DacsaHostVma *vma)
{
  size_t len = (size_t)MIN(vma->end - vma->start, (uint64_t)MAX_CODE);
  g_autofree uint8_t *code = g_malloc(len);
  ssize_t n = pread(mem, code, len, (off_t)vma->start);

  if (n > 0)
    dacsa_gadgets_search(&probe->gadgets, code, (size_t)n, vma->start);
}

/* The C library has both; a statically linked QEMU has them in its own code. */
static void
find_gadgets(DacsaProbe *probe, const GArray *host)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/mem", (int)probe->pid);
  int mem = open(path, O_RDONLY | O_CLOEXEC);

  if (mem < 0)
    return;
  for (int all = 0; all <= 1; all++)
    for (guint i = 0; i < host->len; i++) {
      const DacsaHostVma *vma = &g_array_index(host, DacsaHostVma, i);

      if (probe->gadgets.syscall_ret && probe->gadgets.restorer)
        break;
      if (vma->executable && !vma->writable && vma->path && vma->path[0] == '/' &&
          (all || strstr(vma->path, "/libc.so") || strstr(vma->path, "/libc-")))
        search_vma(probe, mem, vma);
    }
  close(mem);
}

static void
read_uuid(DacsaMonitor *monitor, DacsaProbe *probe)
{
  g_autoptr(JsonNode) node = NULL;

  if (dacsa_monitor_query(monitor, "query-uuid", soon(), &node, NULL) &&
      JSON_NODE_HOLDS_OBJECT(node))
    probe->uuid = g_strdup(
        json_object_get_string_member_with_default(json_node_get_object(node), "UUID", ""));
  else
    probe->uuid = g_strdup("");
}

bool
dacsa_probe_monitor(DacsaMonitor *monitor, DacsaProbe **ret, GError **error)
{
  g_autoptr(DacsaProbe) probe = g_new0(DacsaProbe, 1);
  g_autoptr(GArray) host = NULL;
  g_autoptr(GArray) hvas = g_array_new(FALSE, FALSE, sizeof(uint64_t));

  probe->pid = monitor->pid;
  read_uuid(monitor, probe);
  if (!dacsa_monitor_state(monitor, soon(), &probe->state, error) ||
      !dacsa_procmaps_start_time(probe->pid, &probe->start_time, error) ||
      !make_layout(monitor, probe, hvas, error) || !dacsa_procmaps_read(probe->pid, &host, error))
    return false;
  collect_vmas(probe, host, hvas);
  find_gadgets(probe, host);
  const DacsaPreflight preflight = {monitor, host, hvas,
                                    probe->gadgets.syscall_ret && probe->gadgets.restorer};
  if (!dacsa_preflight_refuses(&preflight, &probe->reason, &probe->remedy) &&
      probe->vmas->len == 0) {
    probe->reason = g_strdup("none of the process's memory is the guest's");
    probe->remedy = g_strdup("name the monitor socket that QEMU itself made (-qmp unix:...)");
  }
  *ret = g_steal_pointer(&probe);
  return true;
}

bool
dacsa_probe_run(const DacsaVmAddress *address, DacsaProbe **ret, GError **error)
{
  g_autoptr(DacsaMonitor) monitor = NULL;

  return dacsa_connect(address, soon(), &monitor, error) &&
         dacsa_probe_monitor(monitor, ret, error);
}

GVariant *
dacsa_probe_to_variant(const DacsaProbe *probe)
{
  g_autofree char *layout = dacsa_layout_to_text(probe->layout);
  GVariantBuilder vmas;

  g_variant_builder_init(&vmas, G_VARIANT_TYPE("a(tt)"));
  for (guint i = 0; i < probe->vmas->len; i++) {
    const DacsaForkVma *vma = &g_array_index(probe->vmas, DacsaForkVma, i);

    g_variant_builder_add(&vmas, "(tt)", vma->start, vma->len);
  }
  return g_variant_ref_sink(
      g_variant_new("(itssss(tt)msmsa(tt))", (gint32)probe->pid, probe->start_time, probe->uuid,
                    probe->state, probe->mtree, layout, probe->gadgets.syscall_ret,
                    probe->gadgets.restorer, probe->reason, probe->remedy, &vmas));
}

bool
dacsa_probe_from_variant(GVariant *variant, DacsaProbe **ret, GError **error)
{
  g_autoptr(DacsaProbe) probe = g_new0(DacsaProbe, 1);
  g_autoptr(GVariantIter) vmas = NULL;
  g_autofree char *layout = NULL;
  gint32 pid;
  DacsaForkVma vma;

  if (!g_variant_is_of_type(variant, G_VARIANT_TYPE("(itssss(tt)msmsa(tt))")))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a worker's probe has a foreign shape");
  g_variant_get(variant, "(itssss(tt)msmsa(tt))", &pid, &probe->start_time, &probe->uuid,
                &probe->state, &probe->mtree, &layout, &probe->gadgets.syscall_ret,
                &probe->gadgets.restorer, &probe->reason, &probe->remedy, &vmas);
  probe->pid = pid;
  probe->vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  while (g_variant_iter_next(vmas, "(tt)", &vma.start, &vma.len))
    g_array_append_val(probe->vmas, vma);
  if (!dacsa_layout_from_text(layout, &probe->layout, error))
    return false;
  *ret = g_steal_pointer(&probe);
  return true;
}
