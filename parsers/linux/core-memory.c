/* The memory of a core: of each page that a process has mapped, what it holds, if that is known. */
#include "parsers/linux/core.h"

#include "parsers/linux/core-file.h"
#include "parsers/work.h"
#include "snap/error.h"

#include <elf.h>

#define MAX_PAGES (1u << 20)    /* runs of one mapping's pages */
#define MAX_SEGMENTS (1u << 18) /* 14 MiB of program headers */
#define PAGE DACSA_PAGE_SIZE

#define KERNEL_HALF (UINT64_C(1) << 63)
#define VM_UFFD_MISSING 0x200u /* include/linux/mm.h */

/* What a page is that is not in the page tables. */
typedef enum {
  GAP_UNKNOWN,
  GAP_ZEROS,
  GAP_FILE, /* what the page cache has */
  GAP_VDSO, /* what the kernel's image of it has */
  GAP_NOTHING,
} GapKind;

/* Why pages are unknown. */
typedef enum { WHY_SWAPPED, WHY_NOT_CACHED, WHY_OTHER, N_WHYS } Why;

/* Pages of a mapping that follow one another, in guest-physical memory too; absent: they are known
 * to be elsewhere. */
typedef struct {
  uint64_t gva, gpa, len;
  bool absent;
} Pages;

typedef struct {
  const DacsaLinuxCore *core;
  DacsaElfcore *elf;
  DacsaRuns *memory;
  DacsaX86_64Tables tables;
  DacsaLinuxCoreFile file;  /* the last mapping's: a file's mappings follow one another */
  uint64_t unknown[N_WHYS]; /* pages */
  guint segments;
  const char *full; /* why no more fits */
  /* the mapping at hand */
  const DacsaLinuxMapping *m;
  GArray *pages;         /* Pages: what its page tables have */
  uint64_t segment, end; /* the segment being gathered; none: segment == end */
  uint64_t offset;       /* of the segment's start */
} Image;

static void
note(const Image *image, const char *text)
{
  dacsa_errors_add(image->core->l->errors, image->core->where, text);
}

/* -- segments -- */

static uint32_t
segment_flags(const DacsaLinuxMapping *m)
{
  char perms[5];

  dacsa_linux_mapping_perms(m, perms);
  return (perms[0] == 'r' ? PF_R : 0u) | (perms[1] == 'w' ? PF_W : 0u) |
         (perms[2] == 'x' ? PF_X : 0u);
}

static void
end_segment(Image *image)
{
  const uint64_t len = image->end - image->segment;

  if (len == 0)
    return;
  dacsa_elfcore_add_load(image->elf, image->segment, 0, len, len, segment_flags(image->m));
  image->segments++;
  image->offset += len;
  dacsa_runs_set_size(image->memory, image->offset);
  image->segment = image->end;
}

static void
add_unknown(Image *image, uint64_t start, uint64_t end, Why why)
{
  if (start < end)
    end_segment(image);
  image->unknown[why] += (end - start) / PAGE;
}

/* Makes [start, end) part of the segment. false: no more fits. */
static bool
extend(Image *image, uint64_t start, uint64_t end)
{
  if (image->full || start >= end)
    return false;
  if (image->end != start) {
    end_segment(image);
    image->segment = start;
  }
  if (image->segments >= MAX_SEGMENTS) {
    image->full = "cut short: too many separate segments";
    image->end = image->segment;
    return false;
  }
  image->end = end;
  return true;
}

static void
add_zeros(Image *image, uint64_t start, uint64_t end)
{
  (void)extend(image, start, end);
}

static void
add_pages(Image *image, uint64_t gva, uint64_t gpa, uint64_t len)
{
  if (!extend(image, gva, gva + len))
    return;
  if (!dacsa_runs_append_at(image->memory, image->offset + (gva - image->segment), gva, gpa, len)) {
    image->full = "cut short: too many separate pages";
    image->end = gva;
  }
}

/* The part of pages that is guest RAM: a device's memory is mapped too, but not there. */
static void
add_ram(Image *image, uint64_t gva, uint64_t gpa, uint64_t len)
{
  const uint64_t end = gpa + len;
  uint64_t at = gpa;
  uint64_t start, stop;

  while (at < end && dacsa_work_spend(1, NULL) &&
         dacsa_mem_next(image->core->l->phys, at, &start, &stop) && start < end) {
    start = (start + PAGE - 1) / PAGE * PAGE;
    stop = MIN(stop, end) / PAGE * PAGE;
    if (start >= stop)
      break;
    add_unknown(image, gva + (at - gpa), gva + (start - gpa), WHY_OTHER);
    add_pages(image, gva + (start - gpa), start, stop - start);
    at = stop;
  }
  add_unknown(image, gva + (at - gpa), gva + len, WHY_OTHER);
}

/* -- what is not in the page tables -- */

/* The pages of a file that are not cached. */
static void
add_missing(Image *image, uint64_t start, uint64_t end, uint64_t offset)
{
  const DacsaLinuxCoreFile *file = &image->file;
  uint64_t at = start;
  uint64_t first, last;

  if (!file->swapped || offset + (end - start) > file->cached->size) {
    add_unknown(image, start, end, WHY_NOT_CACHED);
    return;
  }
  while (at < end && dacsa_runs_next(file->swapped, offset + (at - start), &first, &last)) {
    const uint64_t from = MIN(start + (MAX(first, offset) - offset), end);
    const uint64_t to = MIN(start + (last - offset), end);

    add_zeros(image, at, from);
    add_unknown(image, from, to, WHY_SWAPPED);
    at = to;
  }
  add_zeros(image, at, end);
}

static void
add_cached(Image *image, uint64_t start, uint64_t end)
{
  const DacsaRuns *cached = image->file.cached;
  const uint64_t delta = start - image->m->start + image->m->offset; /* of start in the file */
  uint64_t at = start;

  for (size_t i = dacsa_runs_find(cached, delta); i < cached->runs->len && at < end; i++) {
    const DacsaRun *run = &g_array_index(cached->runs, DacsaRun, i);
    const uint64_t from = MAX(run->offset, delta);
    const uint64_t len = (run->offset + run->len - from) / PAGE * PAGE;

    if (from - delta >= end - start || !dacsa_work_spend(1, NULL))
      break;
    const uint64_t gva = start + (from - delta);
    if (gva < at || gva % PAGE != 0 || len == 0)
      continue;
    add_missing(image, at, gva, delta + (at - start));
    add_pages(image, gva, run->gpa + (from - run->offset), MIN(len, end - gva));
    at = gva + MIN(len, end - gva);
  }
  add_missing(image, at, end, delta + (at - start));
}

/* arch/x86/entry/vdso/vma.c: a fault brings the page of the image at the same offset. */
static void
add_vdso(Image *image, uint64_t start, uint64_t end)
{
  const DacsaLinux *l = image->core->l;
  const DacsaX86_64Tables kernel = {l->phys, l->kernel->info->root, l->levels, 0};
  uint64_t vdso, data, size;
  DacsaX86_64Page page;

  if (!dacsa_linux_get(l, image->core->mm, M_MM_VDSO_IMAGE, &vdso, NULL) ||
      !dacsa_linux_get(l, vdso, M_VDSO_IMAGE_DATA, &data, NULL) ||
      !dacsa_linux_get(l, vdso, M_VDSO_IMAGE_SIZE, &size, NULL))
    size = 0;
  for (uint64_t gva = start; gva < end; gva += PAGE) {
    const uint64_t into = gva - image->m->start;

    if (into < size && dacsa_x86_64_translate(&kernel, data + into, &page, NULL))
      add_ram(image, gva, (page.gpa + (data + into - page.gva)) & ~(PAGE - 1), PAGE);
    else
      add_unknown(image, gva, end, WHY_OTHER);
    if (into >= size)
      return;
  }
}

/* include/linux/mm.h, vma_is_anonymous: it has no vm_ops. A page that a userfaultfd would bring is
 * not zeros. */
static GapKind
gap_kind(Image *image)
{
  const DacsaLinux *l = image->core->l;
  const DacsaLinuxMapping *m = image->m;
  g_autoptr(GError) cause = NULL;
  uint64_t ops, vdso;

  if (m->start >= KERNEL_HALF) /* [vsyscall], where it can only be called */
    return GAP_NOTHING;
  if (m->flags & VM_UFFD_MISSING)
    return GAP_UNKNOWN;
  if (!dacsa_linux_get(l, m->vma, M_VMA_OPS, &ops, &cause)) {
    note(image, cause->message);
    return GAP_UNKNOWN;
  }
  if (ops == 0)
    return GAP_ZEROS;
  if (m->file != 0) {
    if (dacsa_linux_core_file(image->core, m, &image->file, &cause))
      return GAP_FILE;
    note(image, cause->message);
    return GAP_UNKNOWN;
  }
  return dacsa_linux_get(l, image->core->mm, M_MM_VDSO, &vdso, NULL) && vdso == m->start
             ? GAP_VDSO
             : GAP_UNKNOWN;
}

static void
add_gap(Image *image, uint64_t start, uint64_t end, GapKind kind)
{
  if (start >= end)
    return;
  switch (kind) {
  case GAP_ZEROS:
    add_zeros(image, start, end);
    break;
  case GAP_FILE:
    add_cached(image, start, end);
    break;
  case GAP_VDSO:
    add_vdso(image, start, end);
    break;
  case GAP_UNKNOWN:
    add_unknown(image, start, end, WHY_OTHER);
    break;
  case GAP_NOTHING:
    break;
  }
}

/* -- a mapping -- */

static bool
visit_page(const DacsaX86_64Page *page, void *data)
{
  Image *image = data;
  const uint64_t start = MAX(page->gva, image->m->start);
  const uint64_t end = MIN(page->gva + page->size, image->m->end);
  const Pages pages = {start, page->absent ? 0 : page->gpa + (start - page->gva), end - start,
                       page->absent};

  if (image->pages->len > 0) {
    Pages *last = &g_array_index(image->pages, Pages, image->pages->len - 1);

    if (last->gva + last->len == start && last->absent == page->absent &&
        (page->absent || last->gpa + last->len == pages.gpa)) {
      last->len += pages.len;
      return true;
    }
  }
  if (image->pages->len >= MAX_PAGES)
    return false;
  g_array_append_val(image->pages, pages);
  return true;
}

/* What the page tables do not say is nothing if they cannot be read. */
static void
add_mapping(Image *image)
{
  const DacsaLinuxMapping *m = image->m;
  g_autoptr(GError) cause = NULL;
  uint64_t at = m->start;

  g_array_set_size(image->pages, 0);
  const bool whole = dacsa_x86_64_walk(&image->tables, m->start, m->end, visit_page, image, &cause);
  if (!whole)
    note(image, cause->message);
  const bool cut = image->pages->len >= MAX_PAGES;
  if (cut)
    note(image, "cut short: a mapping with too many separate pages");
  const GapKind kind = whole && !cut ? gap_kind(image) : GAP_UNKNOWN;
  for (guint i = 0; i < image->pages->len; i++) {
    const Pages *p = &g_array_index(image->pages, Pages, i);

    add_gap(image, at, p->gva, kind);
    if (p->absent)
      add_unknown(image, p->gva, p->gva + p->len, WHY_SWAPPED);
    else
      add_ram(image, p->gva, p->gpa, p->len);
    at = p->gva + p->len;
  }
  add_gap(image, at, m->end, kind);
  end_segment(image);
}

static void
note_unknown(const Image *image)
{
  static const char *const whys[N_WHYS] = {
      [WHY_SWAPPED] = "are swapped out",
      [WHY_NOT_CACHED] = "of files are not in memory",
      [WHY_OTHER] = "of special or damaged mappings are not known",
  };

  for (size_t i = 0; i < N_WHYS; i++) {
    g_autofree char *text =
        g_strdup_printf("%" PRIu64 " pages %s: in no segment", image->unknown[i], whys[i]);

    if (image->unknown[i] > 0)
      note(image, text);
  }
  if (image->full)
    note(image, image->full);
}

DacsaRuns *
dacsa_linux_core_memory(const DacsaLinuxCore *core, DacsaElfcore *elf)
{
  g_autoptr(GArray) pages = g_array_new(FALSE, FALSE, sizeof(Pages));
  g_autoptr(GError) cause = NULL;
  Image image = {.core = core, .elf = elf, .memory = dacsa_runs_new(), .pages = pages};

  if (!dacsa_linux_mm_tables(core->l, core->mm, &image.tables, &cause)) {
    note(&image, cause->message);
    return image.memory;
  }
  image.tables.flags |= DACSA_X86_64_ABSENT;
  for (guint i = 0; i < core->mappings->len && !image.full; i++) {
    image.m = &g_array_index(core->mappings, DacsaLinuxMapping, i);
    image.segment = image.end = image.m->start;
    add_mapping(&image);
  }
  dacsa_linux_core_file_clear(&image.file);
  note_unknown(&image);
  return image.memory;
}
