/* The kernel itself: banner, command line, BTF, and what the files about the system share. */
#include "parsers/linux/system.h"

#include "snap/error.h"

#define MAX_BANNER 4096u
#define MAX_CMDLINE                                                                                \
  65536u /* COMMAND_LINE_SIZE is 2048, but a boot configuration is put in front                    \
          */
#define MAX_TEXT 65536u
#define NSEC_PER_SEC UINT64_C(1000000000)
#define MAX_HZ 10000u

bool
dacsa_linux_pointed_string(const DacsaLinux *l, uint64_t base, DacsaLinuxMember member, char **ret,
                           GError **error)
{
  uint64_t text;

  *ret = NULL;
  if (!dacsa_linux_get(l, base, member, &text, error))
    return false;
  return text == 0 || dacsa_mem_read_string(l->memory, text, MAX_TEXT, ret, error);
}

/* The jiffies clock source (kernel/time/jiffies.c) counts TICK_NSEC, shifted, a tick. */
uint64_t
dacsa_linux_hz(const DacsaLinux *l)
{
  const uint64_t clock = dacsa_linux_symbol(l, S_CLOCKSOURCE_JIFFIES);
  uint64_t mult, shift;

  if (clock == 0 || !dacsa_linux_get(l, clock, M_CLOCKSOURCE_MULT, &mult, NULL) ||
      !dacsa_linux_get(l, clock, M_CLOCKSOURCE_SHIFT, &shift, NULL) || shift >= 32 ||
      mult >> shift == 0)
    return 0;
  uint64_t tick = mult >> shift;
  uint64_t hz = (NSEC_PER_SEC + tick / 2) / tick;
  return hz <= MAX_HZ ? hz : 0;
}

bool
dacsa_linux_banner(DacsaGuest *guest, GString *out, GError **error)
{
  const DacsaLinux *l = (DacsaLinux *)guest;
  const uint64_t banner = dacsa_linux_symbol(l, S_LINUX_BANNER);
  g_autofree char *text = NULL;

  if (banner == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no linux_banner");
  if (!dacsa_mem_read_string(l->memory, banner, MAX_BANNER, &text, error))
    return false;
  g_string_append(out, text);
  return true;
}

/* fs/proc/cmdline.c, cmdline_proc_show. */
bool
dacsa_linux_kernel_cmdline(DacsaGuest *guest, GString *out, GError **error)
{
  const DacsaLinux *l = (DacsaLinux *)guest;
  const uint64_t symbol = dacsa_linux_symbol(l, S_SAVED_COMMAND_LINE);
  g_autofree char *text = NULL;
  uint64_t line;

  if (symbol == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no saved_command_line");
  if (!dacsa_mem_read_u64(l->memory, symbol, &line, error) ||
      !dacsa_mem_read_string(l->memory, line, MAX_CMDLINE, &text, error))
    return false;
  g_string_append_printf(out, "%s\n", text);
  return true;
}

/* -- runs of the kernel's memory -- */

typedef struct {
  DacsaMem *phys;
  DacsaRuns *runs;
  uint64_t start, end, offset; /* offset: where start stands in the file */
  bool too_many;
} KernelRuns;

/* Keeps the part of a page that lies in the range and is guest RAM. */
static bool
visit_page(const DacsaX86_64Page *page, void *data)
{
  KernelRuns *k = data;
  const uint64_t first = MAX(page->gva, k->start);
  const uint64_t last = MIN(page->gva + page->size - 1, k->end - 1);
  uint64_t gpa = page->gpa + (first - page->gva);
  uint64_t start, stop;

  if (first > last)
    return true;
  const uint64_t begin = gpa;
  const uint64_t end = gpa + (last - first) + 1;
  for (; gpa < end && dacsa_mem_next(k->phys, gpa, &start, &stop) && start < end; gpa = stop) {
    stop = MIN(stop, end);
    uint64_t gva = first + (start - begin);
    if (!dacsa_runs_append_at(k->runs, k->offset + (gva - k->start), gva, start, stop - start)) {
      k->too_many = true;
      return false;
    }
  }
  return true;
}

bool
dacsa_linux_kernel_runs(const DacsaLinux *l, uint64_t start, uint64_t size, uint64_t offset,
                        DacsaRuns *ret, GError **error)
{
  const DacsaX86_64Tables tables = {l->phys, l->kernel->info->root, l->levels, 0};
  KernelRuns k = {l->phys, ret, start, start + size, offset, false};

  if (size == 0)
    return true;
  if (start + size < start)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                      "a range of the kernel's memory at 0x%" PRIx64 " has no end", start);
  if (!dacsa_x86_64_walk(&tables, start, start + size, visit_page, &k, error))
    return false;
  if (k.too_many)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "too many separate pages");
  dacsa_runs_set_size(ret, offset + size);
  return true;
}

bool
dacsa_linux_btf(DacsaGuest *guest, DacsaRuns **ret, GError **error)
{
  const DacsaLinux *l = (DacsaLinux *)guest;
  g_autoptr(DacsaRuns) runs = dacsa_runs_new();

  if (l->kernel->btf == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no BTF");
  if (!dacsa_linux_kernel_runs(l, l->kernel->btf, l->kernel->btf_end - l->kernel->btf, 0, runs,
                               error))
    return false;
  *ret = g_steal_pointer(&runs);
  return true;
}
