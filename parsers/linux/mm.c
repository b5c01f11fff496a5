/* The mappings and the resident pages of a process. */
#include "parsers/linux/view.h"
#include "snap/error.h"

/* To 6.0: mm->mmap, a list through vm_next. */
static bool
collect_list(const DacsaLinux *l, uint64_t mm, GArray *vmas, GError **error)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  uint64_t vma;

  if (!dacsa_linux_get(l, mm, M_MM_MMAP, &vma, error))
    return false;
  while (vma != 0) {
    if (vmas->len >= DACSA_LINUX_MAX_VMAS || !g_hash_table_add(seen, GSIZE_TO_POINTER(vma)))
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the list of mappings has no end");
    g_array_append_val(vmas, vma);
    if (!dacsa_linux_get(l, vma, M_VMA_NEXT, &vma, error))
      return false;
  }
  return true;
}

bool
dacsa_linux_vmas_append(const DacsaLinux *l, uint64_t mm, GArray *ret, GError **error)
{
  uint64_t root;

  if (!dacsa_linux_has(l, M_MM_MT_ROOT))
    return collect_list(l, mm, ret, error);
  return dacsa_linux_get(l, mm, M_MM_MT_ROOT, &root, error) &&
         dacsa_linux_maple_entries(l, root, ret, error);
}

GArray *
dacsa_linux_vmas(DacsaLinux *l, uint64_t mm, const char *where)
{
  GArray *vmas = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(GError) cause = NULL;

  if (!dacsa_linux_vmas_append(l, mm, vmas, &cause))
    dacsa_errors_add(l->errors, where, cause->message);
  return vmas;
}

bool
dacsa_linux_mm_tables(const DacsaLinux *l, uint64_t mm, DacsaX86_64Tables *ret, GError **error)
{
  DacsaX86_64Page page;
  uint64_t pgd;
  const DacsaX86_64Tables kernel = {l->phys, l->kernel->info->root, l->levels, 0};

  if (!dacsa_linux_get(l, mm, M_MM_PGD, &pgd, error) ||
      !dacsa_x86_64_translate(&kernel, pgd, &page, error))
    return false;
  *ret = (DacsaX86_64Tables){l->phys, page.gpa + (pgd - page.gva), l->levels, DACSA_X86_64_LINUX};
  return true;
}

typedef struct {
  DacsaMem *phys;
  DacsaRuns *runs;
  bool too_many;
} Resident;

/* Keeps the part of a page that is guest RAM: a device's memory is mapped too, but not there. */
static bool
visit_resident(const DacsaX86_64Page *page, void *data)
{
  Resident *r = data;
  uint64_t end = page->gpa + page->size;
  uint64_t start, stop;

  for (uint64_t gpa = page->gpa; gpa < end && dacsa_mem_next(r->phys, gpa, &start, &stop);
       gpa = stop) {
    if (start >= end)
      break;
    stop = MIN(stop, end);
    if (!dacsa_runs_append(r->runs, page->gva + (start - page->gpa), start, stop - start)) {
      r->too_many = true;
      return false;
    }
  }
  return true;
}

bool
dacsa_linux_memory(DacsaGuest *guest, uint32_t pid, DacsaRuns **ret, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autoptr(DacsaRuns) runs = dacsa_runs_new();
  g_autoptr(GError) cause = NULL;
  g_autofree char *where = g_strdup_printf("processes/%u/memory", pid);
  Resident resident = {l->phys, runs, false};
  DacsaX86_64Tables tables;
  uint64_t task, mm;

  if (!dacsa_linux_task(l, pid, &task, error) || !dacsa_linux_task_mm(l, task, &mm, error))
    return false;
  if (mm != 0) {
    uint64_t end = UINT64_C(1) << (l->levels == 5 ? 56 : 47);

    if (!dacsa_linux_mm_tables(l, mm, &tables, error))
      return false;
    if (!dacsa_x86_64_walk(&tables, 0, end, visit_resident, &resident, &cause))
      dacsa_errors_add(l->errors, where, cause->message);
    if (resident.too_many)
      dacsa_errors_add(l->errors, where, "cut short: too many separate pages");
  }
  *ret = g_steal_pointer(&runs);
  return true;
}
