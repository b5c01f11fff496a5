/*
 * A process's executable, from the page cache; where that lacks pages, from the process's mappings
 * of the file. Such pages are the process's own copies: as it has changed them.
 */
#include "parsers/linux/files.h"

#include "parsers/linux/mapping.h"
#include "parsers/work.h"
#include "snap/error.h"

#define MAX_PAGES (1u << 20)         /* taken from the process: 4 GiB */
#define MAX_EXE (UINT64_C(16) << 30) /* bytes: a guest can claim eight exbibytes of zeros */

/* What the executable is. */
typedef struct {
  DacsaLinux *l;
  uint64_t mm;
  uint64_t mapping; /* its address_space */
  uint64_t size;
} Exe;

/* -- which file -- */

/* The struct file; 0: the process has none. */
static bool
exe_file(DacsaLinux *l, uint32_t pid, uint64_t *ret_mm, uint64_t *ret, GError **error)
{
  uint64_t task;

  *ret = 0;
  return dacsa_linux_task(l, pid, &task, error) && dacsa_linux_task_mm(l, task, ret_mm, error) &&
         (*ret_mm == 0 || dacsa_linux_get(l, *ret_mm, M_MM_EXE_FILE, ret, error));
}

/* The mapping of a file that is mapped, and the size of the file. */
static bool
vma_file(const DacsaLinux *l, uint64_t vma, uint64_t *ret_mapping, uint64_t *ret_size)
{
  uint64_t file, host;

  return dacsa_linux_get(l, vma, M_VMA_FILE, &file, NULL) && file != 0 &&
         dacsa_linux_get(l, file, M_FILE_MAPPING, ret_mapping, NULL) &&
         dacsa_linux_get(l, *ret_mapping, M_MAPPING_HOST, &host, NULL) &&
         dacsa_linux_get(l, host, M_INODE_SIZE, ret_size, NULL);
}

static bool
vma_range(const DacsaLinux *l, uint64_t vma, uint64_t *ret_start, uint64_t *ret_end)
{
  return dacsa_linux_get(l, vma, M_VMA_START, ret_start, NULL) &&
         dacsa_linux_get(l, vma, M_VMA_END, ret_end, NULL);
}

/*
 * Stacked file systems (overlayfs) keep no pages of their own: what is mapped then is the file
 * below (fs/overlayfs/file.c: ovl_mmap). It is found where the executable's code is mapped, and is
 * the same file if it has the same size.
 */
static void
look_below(Exe *exe, const GArray *vmas)
{
  uint64_t code, start, end, mapping, size, pages;

  if (!dacsa_linux_get(exe->l, exe->mapping, M_MAPPING_NRPAGES, &pages, NULL) || pages > 0 ||
      !dacsa_linux_get(exe->l, exe->mm, M_MM_START_CODE, &code, NULL))
    return;
  for (guint i = 0; i < vmas->len; i++) {
    const uint64_t vma = g_array_index(vmas, uint64_t, i);

    if (!vma_range(exe->l, vma, &start, &end) || code < start || code >= end)
      continue;
    if (vma_file(exe->l, vma, &mapping, &size) && size == exe->size)
      exe->mapping = mapping;
    return;
  }
}

static bool
find_exe(DacsaLinux *l, uint32_t pid, Exe *ret, GError **error)
{
  uint64_t file, inode;

  *ret = (Exe){.l = l};
  if (!exe_file(l, pid, &ret->mm, &file, error))
    return false;
  if (file == 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "process %u has no executable", pid);
  return dacsa_linux_get(l, file, M_FILE_MAPPING, &ret->mapping, error) &&
         dacsa_linux_get(l, file, M_FILE_INODE, &inode, error) &&
         dacsa_linux_get(l, inode, M_INODE_SIZE, &ret->size, error);
}

/* -- pages that the process has and the page cache has not -- */

typedef struct {
  const Exe *exe;
  const DacsaRuns *cached;
  GArray *runs;                /* DacsaRun: what is found */
  uint64_t start, end, offset; /* the mapping, and where in the file it begins */
} Own;

static bool
is_cached(const DacsaRuns *cached, uint64_t offset)
{
  uint64_t start, end;

  return dacsa_runs_next(cached, offset, &start, &end) && start == offset;
}

static bool
visit_page(const DacsaX86_64Page *page, void *data)
{
  Own *o = data;
  const uint64_t end = MIN(page->gva + page->size, o->end);

  for (uint64_t gva = MAX(page->gva, o->start); gva < end; gva += DACSA_PAGE_SIZE) {
    const DacsaRun run = {o->offset + (gva - o->start), gva, page->gpa + (gva - page->gva),
                          DACSA_PAGE_SIZE};
    uint64_t ram, ram_end;

    /* A huge page may lie behind the file's end, or in no memory: many steps with nothing read. */
    if (o->runs->len >= MAX_PAGES || !dacsa_work_spend(1, NULL))
      return false;
    if (run.offset < o->exe->size && !is_cached(o->cached, run.offset) &&
        dacsa_mem_next(o->exe->l->phys, run.gpa, &ram, &ram_end) && ram == run.gpa &&
        ram_end - ram >= run.len)
      g_array_append_val(o->runs, run);
  }
  return true;
}

static gint
compare_runs(gconstpointer a, gconstpointer b)
{
  const DacsaRun *x = a, *y = b;

  if (x->offset != y->offset)
    return x->offset < y->offset ? -1 : 1;
  return x->gva < y->gva ? -1 : x->gva > y->gva;
}

/* The pages of all mappings of the file, ascending by offset. */
static GArray *
own_pages(const Exe *exe, const GArray *vmas, const DacsaRuns *cached, const char *where)
{
  GArray *runs = g_array_new(FALSE, FALSE, sizeof(DacsaRun));
  Own o = {.exe = exe, .cached = cached, .runs = runs};
  g_autoptr(GError) cause = NULL;
  DacsaX86_64Tables tables;

  if (!dacsa_linux_mm_tables(exe->l, exe->mm, &tables, &cause)) {
    dacsa_errors_add(exe->l->errors, where, cause->message);
    return runs;
  }
  for (guint i = 0; i < vmas->len; i++) {
    const uint64_t vma = g_array_index(vmas, uint64_t, i);
    uint64_t mapping, size, pgoff;

    if (!vma_file(exe->l, vma, &mapping, &size) || mapping != exe->mapping ||
        !vma_range(exe->l, vma, &o.start, &o.end) ||
        !dacsa_linux_get(exe->l, vma, M_VMA_PGOFF, &pgoff, NULL) ||
        pgoff > (uint64_t)INT64_MAX / DACSA_PAGE_SIZE || o.start >= o.end)
      continue;
    o.offset = pgoff * DACSA_PAGE_SIZE;
    if (!dacsa_x86_64_walk(&tables, o.start, o.end, visit_page, &o, &cause)) {
      dacsa_errors_add(exe->l->errors, where, cause->message);
      g_clear_error(&cause);
    }
  }
  g_array_sort(runs, compare_runs);
  return runs;
}

/* -- both together -- */

/* Appends what lies behind the end so far; of two that overlap the first stands. */
static bool
append(DacsaRuns *runs, const DacsaRun *run)
{
  return run->offset < runs->size ||
         dacsa_runs_append_at(runs, run->offset, run->gva, run->gpa, run->len);
}

static DacsaRuns *
merge(const DacsaRuns *cached, const GArray *own)
{
  DacsaRuns *runs = dacsa_runs_new();
  guint i = 0;
  bool ok = true;

  for (guint j = 0; j < own->len || i < cached->runs->len;) {
    const DacsaRun *a = i < cached->runs->len ? &g_array_index(cached->runs, DacsaRun, i) : NULL;
    const DacsaRun *b = j < own->len ? &g_array_index(own, DacsaRun, j) : NULL;
    const bool is_a = a && (!b || a->offset <= b->offset);

    ok = append(runs, is_a ? a : b) && ok;
    i += is_a;
    j += !is_a;
  }
  dacsa_runs_set_size(runs, cached->size);
  (void)ok; /* what does not fit any more is missing, and counted as such */
  return runs;
}

static uint64_t
count_pages(const DacsaRuns *runs)
{
  uint64_t pages = 0;

  for (guint i = 0; i < runs->runs->len; i++)
    pages += (g_array_index(runs->runs, DacsaRun, i).len + DACSA_PAGE_SIZE - 1) / DACSA_PAGE_SIZE;
  return pages;
}

static void
note_rebuilt(const Exe *exe, const DacsaRuns *cached, const DacsaRuns *runs, const char *where)
{
  const uint64_t pages = (cached->size + DACSA_PAGE_SIZE - 1) / DACSA_PAGE_SIZE;
  const uint64_t there = count_pages(runs);
  g_autofree char *text =
      g_strdup_printf("rebuilt: %" PRIu64 " of %" PRIu64
                      " pages from the process's memory, %" PRIu64 " missing (holes)",
                      there - count_pages(cached), pages, pages - there);

  dacsa_errors_add(exe->l->errors, where, text);
}

bool
dacsa_linux_exe(DacsaGuest *guest, uint32_t pid, DacsaRuns **ret, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autofree char *where = g_strdup_printf("processes/%u/exe", pid);
  Exe exe;
  uint64_t start, end;

  if (!find_exe(l, pid, &exe, error))
    return false;
  g_autoptr(GArray) vmas = dacsa_linux_vmas(l, exe.mm, where);
  look_below(&exe, vmas);
  if (exe.size > MAX_EXE) {
    dacsa_errors_add(l->errors, where, "cut short: no program is that large");
    exe.size = MAX_EXE;
  }
  g_autoptr(DacsaRuns) cached = dacsa_linux_mapping_runs(l, exe.mapping, exe.size, where);
  if (cached->size == 0 ||
      (dacsa_runs_next(cached, 0, &start, &end) && start == 0 && end == cached->size)) {
    *ret = g_steal_pointer(&cached);
    return true;
  }
  g_autoptr(GArray) own = own_pages(&exe, vmas, cached, where);
  *ret = merge(cached, own);
  note_rebuilt(&exe, cached, *ret, where);
  return true;
}

bool
dacsa_linux_has_exe(DacsaGuest *guest, uint32_t pid)
{
  uint64_t mm, file;

  return exe_file((DacsaLinux *)guest, pid, &mm, &file, NULL) && file != 0;
}
