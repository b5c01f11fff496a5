/* From a file's address_space to guest-physical addresses, through struct page's place in vmemmap.
 */
#include "parsers/linux/mapping.h"

#include "parsers/linux/walk.h"
#include "snap/error.h"

#define MAX_PFN (UINT64_C(1) << 40) /* 52 bits of physical address */
#define MAX_ORDER 18u               /* 1 GiB, the largest page that x86-64 has */
#define VALUE UINT64_C(1)           /* include/linux/xarray.h: xa_is_value */

typedef struct {
  const DacsaLinux *l;
  DacsaRuns *runs;
  uint64_t size; /* of the file */
  uint64_t vmemmap;
  uint64_t uptodate, head; /* page flags */
  unsigned huge_shift;     /* of a hugetlbfs file: its pages'; else 0 */
  uint64_t wild;           /* entries that are no page of this guest's memory */
  bool too_many;
} Cached;

/* The page number of a struct page (include/asm-generic/memory_model.h: __page_to_pfn). */
static bool
page_gpa(const Cached *c, uint64_t page, uint64_t *ret)
{
  const uint32_t size = dacsa_linux_size(c->l, T_PAGE);

  if (size == 0 || page < c->vmemmap || (page - c->vmemmap) % size != 0 ||
      (page - c->vmemmap) / size >= MAX_PFN)
    return false;
  *ret = (page - c->vmemmap) / size * DACSA_PAGE_SIZE;
  return true;
}

static bool
is_ram(const Cached *c, uint64_t gpa, uint64_t len)
{
  uint64_t start, end;

  return dacsa_mem_next(c->l->phys, gpa, &start, &end) && start == gpa && end - start >= len;
}

/*
 * Which page of a compound one an index is, where each index has an entry of its own: all of them
 * are the head (to 6.1; mm/filemap.c: find_subpage).
 */
static bool
subpage(const Cached *c, uint64_t index, uint64_t page, uint64_t flags, uint64_t *ret)
{
  uint64_t order;

  *ret = 0;
  if (!(flags & c->head))
    return true;
  if (!dacsa_linux_get(c->l, page + dacsa_linux_size(c->l, T_PAGE), M_PAGE_COMPOUND_ORDER, &order,
                       NULL) ||
      order > MAX_ORDER)
    return false;
  *ret = index & ((UINT64_C(1) << order) - 1);
  return true;
}

/* Where an entry's pages stand in the file and in memory. false: it is no page. *ret_len is 0 where
 * the pages are there but their content is not yet. */
static bool
locate(const Cached *c, uint64_t index, uint64_t count, uint64_t page, DacsaRun *ret)
{
  const unsigned shift = c->huge_shift && count == 1 ? c->huge_shift : 12;
  uint64_t flags, sub = 0;

  if (!page_gpa(c, page, &ret->gpa) || !dacsa_linux_get(c->l, page, M_PAGE_FLAGS, &flags, NULL))
    return false;
  /* A hugetlbfs file's indices are those of its huge pages, or, since 6.7, of 4 KiB: then an entry
   * stands for as many as a huge page has. */
  if (!c->huge_shift && count == 1 && !subpage(c, index, page, flags, &sub))
    return false;
  ret->gpa += sub * DACSA_PAGE_SIZE;
  ret->offset = ret->gva = index << shift;
  ret->len = c->huge_shift ? UINT64_C(1) << c->huge_shift : count * DACSA_PAGE_SIZE;
  if (!(flags & c->uptodate))
    ret->len = 0;
  return true;
}

static bool
visit_entry(uint64_t index, uint64_t count, uint64_t entry, void *data)
{
  Cached *c = data;
  DacsaRun run;

  if (index > (uint64_t)INT64_MAX >> (c->huge_shift ? c->huge_shift : 12) ||
      index * DACSA_PAGE_SIZE >= c->size)
    return false; /* this and all that follows lies past the file's end */
  if (entry & VALUE)
    return true;
  if (count > UINT64_C(1) << MAX_ORDER || !locate(c, index, count, entry, &run)) {
    c->wild++;
    return true;
  }
  run.len = run.offset < c->size ? MIN(run.len, c->size - run.offset) : 0;
  if (run.len == 0)
    return true;
  if (run.offset < c->runs->size || !is_ram(c, run.gpa, run.len)) {
    c->wild++;
    return true;
  }
  c->too_many = !dacsa_runs_append_at(c->runs, run.offset, run.gva, run.gpa, run.len);
  return !c->too_many;
}

/* The size of a hugetlbfs file's pages, as a shift; 0: it is a file of another file system. */
static bool
huge_shift(const DacsaLinux *l, uint64_t mapping, unsigned *ret, GError **error)
{
  uint64_t ops, host, bits;

  *ret = 0;
  if (dacsa_linux_symbol(l, S_HUGETLBFS_AOPS) == 0)
    return true;
  if (!dacsa_linux_get(l, mapping, M_MAPPING_OPS, &ops, error))
    return false;
  if (ops != dacsa_linux_symbol(l, S_HUGETLBFS_AOPS))
    return true;
  if (!dacsa_linux_get(l, mapping, M_MAPPING_HOST, &host, error) ||
      !dacsa_linux_get(l, host, M_INODE_BLKBITS, &bits, error))
    return false;
  if (bits < 12 || bits > 12 + MAX_ORDER)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "huge pages of 2^%" PRIu64 " bytes", bits);
  *ret = (unsigned)bits;
  return true;
}

static bool
flag_of(const DacsaLinux *l, DacsaLinuxEnumerator enumerator, uint64_t *ret, GError **error)
{
  const int64_t bit = l->kernel->enumerators[enumerator];

  if (bit < 0 || bit > 63)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel's page flags have no names");
  *ret = UINT64_C(1) << bit;
  return true;
}

static bool
collect(Cached *c, uint64_t mapping, GError **error)
{
  const DacsaLinux *l = c->l;
  const uint64_t base = dacsa_linux_symbol(l, S_VMEMMAP_BASE);

  if (base == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel does not say where vmemmap is");
  return dacsa_mem_read_u64(l->memory, base, &c->vmemmap, error) &&
         flag_of(l, E_PG_UPTODATE, &c->uptodate, error) && flag_of(l, E_PG_HEAD, &c->head, error) &&
         huge_shift(l, mapping, &c->huge_shift, error) &&
         dacsa_linux_xarray_ranges(l, mapping + dacsa_linux_offset(l, M_MAPPING_PAGES), visit_entry,
                                   c, error);
}

DacsaRuns *
dacsa_linux_mapping_runs(DacsaLinux *l, uint64_t mapping, uint64_t size, const char *where)
{
  Cached c = {.l = l, .runs = dacsa_runs_new(), .size = MIN(size, (uint64_t)INT64_MAX)};
  g_autoptr(GError) cause = NULL;

  if (!collect(&c, mapping, &cause))
    dacsa_errors_add(l->errors, where, cause->message);
  if (c.wild > 0) {
    g_autofree char *text =
        g_strdup_printf("%" PRIu64 " of its cached pages lie outside the guest's memory", c.wild);

    dacsa_errors_add(l->errors, where, text);
  }
  if (c.too_many)
    dacsa_errors_add(l->errors, where, "cut short: too many separate pages");
  if (c.size == size)
    dacsa_runs_set_size(c.runs, size);
  else
    dacsa_errors_add(l->errors, where, "its size is impossible: it ends with its last page");
  return c.runs;
}
