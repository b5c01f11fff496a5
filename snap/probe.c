/* Looks at a VM without touching it. */
#include "snap/probe.h"

#include "snap/connect.h"
#include "snap/error.h"
#include "snap/hugepages.h"
#include "snap/inject.h"
#include "snap/mtree.h"
#include "snap/procmaps.h"
#include "snap/verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MONITOR_US (5 * G_USEC_PER_SEC)
#define PROBE_TYPE "(itsssss(tt)a(ssb)a(tt))"        /* method: empty for none */
#define PROBE_TYPE_WRITE "(itsssss(tt)a(ssb)@a(tt))" /* with a value made before */
#define MAX_CODE (64u << 20)                         /* of one executable mapping */

void
dacsa_probe_free(DacsaProbe *probe)
{
  if (!probe)
    return;
  g_free(probe->uuid);
  g_free(probe->state);
  g_free(probe->mtree);
  g_free(probe->method);
  dacsa_layout_free(probe->layout);
  g_clear_pointer(&probe->huge_vmas, g_array_unref);
  g_clear_pointer(&probe->findings, g_ptr_array_unref);
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

static bool
holds_any(const DacsaHostVma *vma, const GArray *hvas)
{
  for (guint i = 0; i < hvas->len; i++)
    if (dacsa_procmaps_holds(vma, g_array_index(hvas, uint64_t, i)))
      return true;
  return false;
}

/* The VMAs that hold guest memory and may be in huge pages. */
static void
collect_huge_vmas(DacsaProbe *probe, const GArray *host, const GArray *hvas)
{
  probe->huge_vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  for (guint i = 0; host && i < host->len; i++) {
    const DacsaHostVma *vma = &g_array_index(host, DacsaHostVma, i);
    const DacsaForkVma range = {.start = vma->start, .len = vma->end - vma->start};

    if (holds_any(vma, hvas) && dacsa_hugepages_allowed("", vma))
      g_array_append_val(probe->huge_vmas, range);
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

/* Why dacsa may not trace the process, or 0: opening its memory asks for the same right (ptrace(2),
 * PTRACE_MODE_ATTACH). */
static int
attach_errno(pid_t pid)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/mem", (int)pid);
  int mem = open(path, O_RDONLY | O_CLOEXEC);
  int errsv = errno;

  if (mem >= 0)
    close(mem);
  return mem < 0 && (errsv == EACCES || errsv == EPERM) ? errsv : 0;
}

/* Why it cannot be sent a signal, or 0. */
static int
signal_errno(pid_t pid)
{
  return kill(pid, 0) < 0 && (errno == EACCES || errno == EPERM) ? errno : 0;
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
    for (guint i = 0; host && i < host->len; i++) {
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

/* Takes findings. */
static void
set_verdict(DacsaProbe *probe, const char *method, GPtrArray *findings)
{
  const DacsaFinding *refusal = method ? NULL : dacsa_preflight_refusal(findings, ~0u);

  probe->findings = findings;
  probe->method = g_strdup(method);
  probe->reason = refusal ? refusal->reason : NULL;
  probe->remedy = refusal ? refusal->remedy : NULL;
}

bool
dacsa_probe_monitor(DacsaMonitor *monitor, const char *const *methods, DacsaProbe **ret,
                    GError **error)
{
  g_autoptr(DacsaProbe) probe = g_new0(DacsaProbe, 1);
  g_autoptr(GArray) host = NULL;
  g_autoptr(GArray) hvas = g_array_new(FALSE, FALSE, sizeof(uint64_t));

  probe->pid = monitor->pid;
  read_uuid(monitor, probe);
  if (!dacsa_monitor_state(monitor, soon(), &probe->state, error) ||
      !dacsa_procmaps_start_time(probe->pid, &probe->start_time, error) ||
      !make_layout(monitor, probe, hvas, error))
    return false;
  int denied = attach_errno(probe->pid);
  if (!denied && !dacsa_procmaps_read(probe->pid, &host, error))
    return false;
  collect_huge_vmas(probe, host, hvas);
  find_gadgets(probe, host);
  bool has_gadgets = probe->gadgets.syscall_ret && probe->gadgets.restorer;
  const DacsaPreflight preflight = {.root = "",
                                    .monitor = monitor,
                                    .vmas = host,
                                    .ram_hvas = hvas,
                                    .attach_errno = denied,
                                    .signal_errno = signal_errno(probe->pid),
                                    .has_gadgets = has_gadgets,
                                    .ram_bytes = dacsa_layout_ram_bytes(probe->layout)};
  GPtrArray *findings = dacsa_preflight_run(&preflight);
  const DacsaMethod *method =
      dacsa_verdict_reach(findings, methods, dacsa_preflight_copy_bytes(&preflight));
  set_verdict(probe, method ? method->name : NULL, findings);
  *ret = g_steal_pointer(&probe);
  return true;
}

bool
dacsa_probe_run(const DacsaVmAddress *address, const char *const *methods, DacsaProbe **ret,
                GError **error)
{
  g_autoptr(DacsaMonitor) monitor = NULL;
  g_autoptr(GError) cause = NULL;

  if (!dacsa_connect(address, soon(), &monitor, error))
    return false;
  if (dacsa_probe_monitor(monitor, methods, ret, &cause))
    return true;
  if (g_error_matches(cause, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
    return dacsa_fail(error, DACSA_ERROR_BUSY, "QEMU ended while it was looked at: %s",
                      cause->message);
  g_propagate_error(error, g_steal_pointer(&cause));
  return false;
}

static GVariant *
vmas_to_variant(const GArray *vmas)
{
  GVariantBuilder builder;

  g_variant_builder_init(&builder, G_VARIANT_TYPE("a(tt)"));
  for (guint i = 0; i < vmas->len; i++) {
    const DacsaForkVma *vma = &g_array_index(vmas, DacsaForkVma, i);

    g_variant_builder_add(&builder, "(tt)", vma->start, vma->len);
  }
  return g_variant_builder_end(&builder);
}

static GArray *
vmas_from_iter(GVariantIter *iter)
{
  GArray *vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  DacsaForkVma vma = {0};

  while (g_variant_iter_next(iter, "(tt)", &vma.start, &vma.len))
    g_array_append_val(vmas, vma);
  return vmas;
}

GVariant *
dacsa_probe_to_variant(const DacsaProbe *probe)
{
  g_autofree char *layout = dacsa_layout_to_text(probe->layout);
  GVariantBuilder findings;

  g_variant_builder_init(&findings, G_VARIANT_TYPE("a(ssb)"));
  for (guint i = 0; i < probe->findings->len; i++) {
    const DacsaFinding *finding = g_ptr_array_index(probe->findings, i);

    g_variant_builder_add(&findings, "(ssb)", finding->reason, finding->remedy, finding->refuses);
  }
  return g_variant_ref_sink(g_variant_new(
      PROBE_TYPE_WRITE, (gint32)probe->pid, probe->start_time, probe->uuid, probe->state,
      probe->mtree, layout, probe->method ? probe->method : "", probe->gadgets.syscall_ret,
      probe->gadgets.restorer, &findings, vmas_to_variant(probe->huge_vmas)));
}

static GPtrArray *
findings_from_iter(GVariantIter *iter)
{
  GPtrArray *findings = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_finding_free);
  const char *reason, *remedy;
  gboolean refuses;

  while (g_variant_iter_next(iter, "(&s&sb)", &reason, &remedy, &refuses))
    g_ptr_array_add(findings, dacsa_finding_new(reason, remedy, refuses, ~0u));
  return findings;
}

bool
dacsa_probe_from_variant(GVariant *variant, DacsaProbe **ret, GError **error)
{
  g_autoptr(DacsaProbe) probe = g_new0(DacsaProbe, 1);
  g_autoptr(GVariantIter) huge_vmas = NULL;
  g_autoptr(GVariantIter) findings = NULL;
  g_autofree char *layout = NULL;
  g_autofree char *method = NULL;
  gint32 pid;

  if (!g_variant_is_of_type(variant, G_VARIANT_TYPE(PROBE_TYPE)))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a worker's probe has a foreign shape");
  g_variant_get(variant, PROBE_TYPE, &pid, &probe->start_time, &probe->uuid, &probe->state,
                &probe->mtree, &layout, &method, &probe->gadgets.syscall_ret,
                &probe->gadgets.restorer, &findings, &huge_vmas);
  set_verdict(probe, method[0] ? method : NULL, findings_from_iter(findings));
  probe->pid = pid;
  probe->huge_vmas = vmas_from_iter(huge_vmas);
  if (!dacsa_layout_from_text(layout, &probe->layout, error))
    return false;
  *ret = g_steal_pointer(&probe);
  return true;
}
