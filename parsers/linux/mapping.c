/* From a file's address_space to guest-physical addresses, through struct page's place in vmemmap.
 */
#include "parsers/linux/mapping.h"

#include "parsers/linux/walk.h"
#include "snap/error.h"

#define MAX_PFN (UINT64_C(1) << 40) /* 52 bits of physical address */
#define MAX_ORDER 18u               /* 1 GiB, the largest page that x86-64 has */
#define MIN_BLOCK 512u
#define VALUE UINT64_C(1) /* include/linux/xarray.h: xa_is_value */

typedef struct {
  const DacsaLinux *l;
  DacsaRuns *runs;
  uint64_t size; /* of the file */
  uint64_t vmemmap;
  uint64_t uptodate, head; /* page flags */
  uint64_t has_buffers;    /* page flag of a block device's pages; else 0 */
  uint64_t bh_uptodate;    /* flag of a buffer_head */
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

/* Where an entry's pages stand in the file and in memory, and their flags. false: it is no page. */
static bool
locate(const Cached *c, uint64_t index, uint64_t count, uint64_t page, DacsaRun *ret,
       uint64_t *ret_flags)
{
  const unsigned shift = c->huge_shift && count == 1 ? c->huge_shift : 12;
  uint64_t sub = 0;

  if (!page_gpa(c, page, &ret->gpa) || !dacsa_linux_get(c->l, page, M_PAGE_FLAGS, ret_flags, NULL))
    return false;
  /* A hugetlbfs file's indices are those of its huge pages, or, since 6.7, of 4 KiB: then an entry
   * stands for as many as a huge page has. */
  if (!c->huge_shift && count == 1 && !subpage(c, index, page, *ret_flags, &sub))
    return false;
  ret->gpa += sub * DACSA_PAGE_SIZE;
  ret->offset = ret->gva = index << shift;
  ret->len = c->huge_shift ? UINT64_C(1) << c->huge_shift : count * DACSA_PAGE_SIZE;
  return true;
}

/* Appends what of a run lies within the file. false: it cannot be. */
static bool
append(Cached *c, const DacsaRun *run)
{
  const uint64_t len = run->offset < c->size ? MIN(run->len, c->size - run->offset) : 0;

  if (len == 0)
    return true;
  if (run->offset < c->runs->size || !is_ram(c, run->gpa, len))
    return false;
  if (!dacsa_runs_append_at(c->runs, run->offset, run->gva, run->gpa, len))
    c->too_many = true;
  return true;
}

/* Of a block device's page that is not up to date as a whole, the blocks that are: a file system
 * reads its own a block at a time (fs/buffer.c: __bread_slow). */
static bool
append_blocks(Cached *c, uint64_t page, const DacsaRun *run)
{
  uint64_t first, state, len;
  uint64_t at = 0;

  if (!dacsa_linux_get(c->l, page, M_PAGE_PRIVATE, &first, NULL))
    return false;
  for (uint64_t bh = first; at < run->len; at += len) {
    if (!dacsa_linux_get(c->l, bh, M_BH_STATE, &state, NULL) ||
        !dacsa_linux_get(c->l, bh, M_BH_SIZE, &len, NULL) ||
        !dacsa_linux_get(c->l, bh, M_BH_THIS_PAGE, &bh, NULL) || len < MIN_BLOCK ||
        len > run->len - at)
      return false;
    const DacsaRun block = {run->offset + at, run->gva + at, run->gpa + at, len};
    if (state & c->bh_uptodate && !append(c, &block))
      return false;
    if (bh == first)
      break;
  }
  return true;
}

static bool
append_entry(Cached *c, uint64_t index, uint64_t count, uint64_t page)
{
  uint64_t flags;
  DacsaRun run;

  if (count > UINT64_C(1) << MAX_ORDER || !locate(c, index, count, page, &run, &flags))
    return false;
  if (flags & c->uptodate)
    return append(c, &run);
  return !(flags & c->has_buffers) || append_blocks(c, page, &run);
}

static bool
visit_entry(uint64_t index, uint64_t count, uint64_t entry, void *data)
{
  Cached *c = data;

  if (index > (uint64_t)INT64_MAX >> (c->huge_shift ? c->huge_shift : 12) ||
      index * DACSA_PAGE_SIZE >= c->size)
    return false; /* this and all that follows lies past the file's end */
  if (!(entry & VALUE) && !append_entry(c, index, count, entry))
    c->wild++;
  return !c->too_many;
}

static bool
has_ops(const DacsaLinux *l, uint64_t mapping, DacsaLinuxSymbol symbol)
{
  uint64_t ops;

  return dacsa_linux_get(l, mapping, M_MAPPING_OPS, &ops, NULL) && ops != 0 &&
         ops == dacsa_linux_symbol(l, symbol);
}

/* The size of a hugetlbfs file's pages, as a shift; 0: it is a file of another file system. */
static bool
huge_shift(const DacsaLinux *l, uint64_t mapping, unsigned *ret, GError **error)
{
  uint64_t host, bits;

  *ret = 0;
  if (!has_ops(l, mapping, S_HUGETLBFS_AOPS))
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
find_flags(Cached *c, uint64_t mapping, GError **error)
{
  if (!flag_of(c->l, E_PG_UPTODATE, &c->uptodate, error) ||
      !flag_of(c->l, E_PG_HEAD, &c->head, error))
    return false;
  return !has_ops(c->l, mapping, S_DEF_BLK_AOPS) ||
         (flag_of(c->l, E_PG_PRIVATE, &c->has_buffers, error) &&
          flag_of(c->l, E_BH_UPTODATE, &c->bh_uptodate, error));
}

static bool
collect(Cached *c, uint64_t mapping, GError **error)
{
  const DacsaLinux *l = c->l;
  const uint64_t base = dacsa_linux_symbol(l, S_VMEMMAP_BASE);

  if (base == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel does not say where vmemmap is");
  return dacsa_mem_read_u64(l->memory, base, &c->vmemmap, error) && find_flags(c, mapping, error) &&
         huge_shift(l, mapping, &c->huge_shift, error) &&
         dacsa_linux_xarray_each(l, mapping + dacsa_linux_offset(l, M_MAPPING_PAGES), visit_entry,
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
    g_autofree char *text = g_strdup_printf(
        "%" PRIu64 " of its cached pages are not to be found in the guest's memory", c.wild);

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
