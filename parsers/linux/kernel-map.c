/*
 * Where a kernel has physical memory mapped (Documentation/arch/x86/x86_64/mm.rst): all of it in
 * its direct map, and its own image a second time, at the addresses it was linked for. And what
 * its CPUs run.
 */
#include "parsers/linux/image.h"
#include "parsers/linux/system.h"
#include "parsers/linux/vcpus.h"

/* __PAGE_OFFSET_BASE_L4 and _L5 (arch/x86/include/asm/page_64_types.h), where the base is fixed. */
#define DIRECT_MAP_4_LEVELS UINT64_C(0xffff888000000000)
#define DIRECT_MAP_5_LEVELS UINT64_C(0xff11000000000000)

/* The parts of the image that stay its own: what lies between them is given back once the kernel
 * has booted (arch/x86/mm/init.c, free_initmem and mark_rodata_ro). */
static const struct {
  const char *start, *end;
} parts[] = {
    {"_text", "_etext"},
    {"__start_rodata", "__end_rodata"},
    {"_sdata", "__init_begin"},
    {"__init_end", "__brk_base"},
};

static DacsaX86_64Tables
tables_of(const DacsaLinux *l)
{
  return (DacsaX86_64Tables){l->phys, l->kernel->info->root, l->levels, 0};
}

static bool
is_mapped(const DacsaX86_64Tables *tables, uint64_t gva, uint64_t gpa)
{
  DacsaX86_64Page page;

  return dacsa_x86_64_translate(tables, gva, &page, NULL) && page.gpa + (gva - page.gva) == gpa;
}

static bool
visit_first(const DacsaX86_64Page *page, void *data)
{
  *(uint64_t *)data = page->gva;
  return false;
}

/* The first address in [start, end) that is mapped; end: none is. */
static uint64_t
first_mapped(const DacsaX86_64Tables *tables, uint64_t start, uint64_t end)
{
  uint64_t first = end;

  /* Tables that cannot be read are passed over: what is found is checked. */
  dacsa_x86_64_walk(tables, start, end, visit_first, &first, NULL);
  return MAX(start, first);
}

/* The direct map's first address. */
static uint64_t
direct_map(const DacsaLinux *l)
{
  const uint64_t symbol = dacsa_linux_symbol(l, S_PAGE_OFFSET_BASE);
  uint64_t base;

  if (symbol != 0 && dacsa_mem_read_u64(l->memory, symbol, &base, NULL))
    return base;
  return l->levels == 5 ? DIRECT_MAP_5_LEVELS : DIRECT_MAP_4_LEVELS;
}

/* The parts of the image, ascending. What does not lie where the page tables say so is left out. */
static void
append_image(const DacsaLinux *l, const DacsaX86_64Tables *tables, GArray *ret)
{
  uint64_t end_of_last = 0;

  for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
    const uint64_t start =
        dacsa_kallsyms_find_optional(l->kernel->kallsyms, parts[i].start) & ~(DACSA_PAGE_SIZE - 1);
    const uint64_t end =
        (dacsa_kallsyms_find_optional(l->kernel->kallsyms, parts[i].end) + DACSA_PAGE_SIZE - 1) &
        ~(DACSA_PAGE_SIZE - 1);
    const DacsaKernelMapping part = {start - DACSA_LINUX_IMAGE_START + l->kernel->info->phys_base,
                                     start, end - start};

    if (start < MAX(DACSA_LINUX_IMAGE_START, end_of_last) || end <= start ||
        end > DACSA_LINUX_IMAGE_END || part.gpa + part.size < part.gpa ||
        !is_mapped(tables, start, part.gpa))
      continue;
    end_of_last = end;
    g_array_append_val(ret, part);
  }
}

static void
append_direct(GArray *ret, uint64_t base, uint64_t start, uint64_t end)
{
  const DacsaKernelMapping part = {start, base + start, end - start};

  if (start < end)
    g_array_append_val(ret, part);
}

bool
dacsa_linux_kernel_mappings(DacsaGuest *guest, GArray **ret, GError **error)
{
  const DacsaLinux *l = (DacsaLinux *)guest;
  const DacsaX86_64Tables tables = tables_of(l);
  const uint64_t base = direct_map(l);
  g_autoptr(GArray) image = g_array_new(FALSE, FALSE, sizeof(DacsaKernelMapping));
  GArray *all = g_array_new(FALSE, FALSE, sizeof(DacsaKernelMapping));
  uint64_t start, end;
  guint i = 0;

  (void)error;
  append_image(l, &tables, image);
  for (uint64_t gpa = 0; dacsa_mem_next(l->phys, gpa, &start, &end); gpa = end) {
    /* Memory that was never put on line has no address, nor has the firmware's below 4 GiB, behind
     * which RAM may follow. */
    uint64_t at = first_mapped(&tables, base + start, base + end) - base;

    if (at >= end || !is_mapped(&tables, base + at, at))
      continue;
    for (; i < image->len; i++) {
      const DacsaKernelMapping *part = &g_array_index(image, DacsaKernelMapping, i);

      if (part->gpa >= end)
        break;
      if (part->gpa < at || part->size > end - part->gpa)
        continue;
      append_direct(all, base, at, part->gpa);
      g_array_append_val(all, *part);
      at = part->gpa + part->size;
    }
    append_direct(all, base, at, end);
  }
  *ret = all;
  return true;
}

/* per_cpu(runqueues, cpu).curr: the idle task's pid is 0. */
bool
dacsa_linux_running(DacsaGuest *guest, uint32_t cpu, uint32_t *ret_pid, GError **error)
{
  const DacsaLinux *l = (DacsaLinux *)guest;
  uint64_t queue, task, pid;

  if (!dacsa_linux_per_cpu(l, S_RUNQUEUES, cpu, &queue, error) ||
      !dacsa_linux_get(l, queue, M_RQ_CURR, &task, error) ||
      !dacsa_linux_get(l, task, M_TASK_PID, &pid, error))
    return false;
  *ret_pid = (uint32_t)pid;
  return true;
}
