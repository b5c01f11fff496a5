/* Page tables of x86-64. */
#include "parsers/x86_64.h"

#include "parsers/work.h"
#include "snap/error.h"

#include <inttypes.h>
#include <string.h>

#define P_PRESENT (1ull << 0)
#define P_WRITABLE (1ull << 1)
#define P_USER (1ull << 2)
#define P_LARGE (1ull << 7)    /* _PAGE_PSE; in a 4 KiB entry it means something else (PAT) */
#define P_PROTNONE (1ull << 8) /* Linux, where P_PRESENT is clear; else: global */
#define P_NO_EXECUTE (1ull << 63)
#define FRAME_MASK UINT64_C(0x000ffffffffff000)
#define ENTRIES 512u
#define TLB_SLOTS 1024u
#define MAX_LEVELS 5u
#define TABLE_WORK 16u /* reads that a table's entries amount to */

#define MAX_TABLES (1u << 17) /* they map 256 GiB in 4 KiB pages, more than a process has */
/* How often a table is met in one walk. The kernel shares some between mappings of huge pages; a
 * hostile guest has four that name one another 512 times each. */
#define MAX_SHARES 8u
#define MIN_VISITS 512u

/* A page's rights are what the entries of all levels grant: these bits of them, and'ed. */
#define ALL_RIGHTS (P_USER | P_WRITABLE | P_NO_EXECUTE)

static uint64_t
entry_rights(uint64_t entry)
{
  return entry ^ P_NO_EXECUTE;
}

static DacsaX86_64Page
leaf_page(uint64_t gva, uint64_t frame, uint64_t size, uint64_t rights)
{
  return (DacsaX86_64Page){.gva = gva,
                           .gpa = frame & ~(size - 1),
                           .size = size,
                           .user = rights & P_USER,
                           .writable = rights & P_WRITABLE,
                           .executable = rights & P_NO_EXECUTE};
}

static unsigned
level_shift(unsigned level)
{
  return 12 + 9 * (level - 1);
}

/* Is the entry of that level present, and if so, what frame does it name? */
static bool
entry_present(const DacsaX86_64Tables *tables, uint64_t entry, unsigned level, uint64_t *ret_frame)
{
  bool present = entry & P_PRESENT;
  bool inverted = false;

  if (!present && tables->flags & DACSA_X86_64_LINUX) {
    if (entry & P_PROTNONE && level <= 2) {
      present = true;
      inverted = true;
    } else if (level == 2 && entry & P_LARGE) {
      present = true;
      inverted = true;
    }
  }
  *ret_frame = (inverted ? ~entry : entry) & FRAME_MASK;
  return present;
}

static bool
entry_is_leaf(uint64_t entry, unsigned level)
{
  return level == 1 || (level <= 3 && entry & P_LARGE);
}

static uint64_t
sign_extend(const DacsaX86_64Tables *tables, uint64_t gva)
{
  unsigned unused = 64 - (12 + 9 * tables->levels);

  return (uint64_t)((int64_t)(gva << unused) >> unused);
}

bool
dacsa_x86_64_translate(const DacsaX86_64Tables *tables, uint64_t gva, DacsaX86_64Page *ret,
                       GError **error)
{
  uint64_t table = tables->root & FRAME_MASK;
  uint64_t rights = ALL_RIGHTS;

  if (sign_extend(tables, gva) != gva)
    return dacsa_fail(error, DACSA_ERROR_FAULT, "0x%" PRIx64 " is not canonical", gva);
  for (unsigned level = tables->levels; level >= 1; level--) {
    uint64_t entry, frame;
    uint64_t index = gva >> level_shift(level) & (ENTRIES - 1);

    if (!dacsa_mem_read_u64(tables->phys, table + index * 8, &entry, error))
      return false;
    if (!entry_present(tables, entry, level, &frame))
      return dacsa_fail(error, DACSA_ERROR_FAULT, "0x%" PRIx64 " is not mapped", gva);
    rights &= entry_rights(entry);
    if (entry_is_leaf(entry, level)) {
      uint64_t size = UINT64_C(1) << level_shift(level);

      *ret = leaf_page(gva & ~(size - 1), frame, size, rights);
      return true;
    }
    table = frame;
  }
  return dacsa_fail(error, DACSA_ERROR_FAULT, "0x%" PRIx64 " is not mapped", gva);
}

/* -- walk -- */

typedef struct {
  const DacsaX86_64Tables *tables;
  uint64_t start, last; /* last: inclusive, so that it can be the last address there is */
  DacsaX86_64Visit visit;
  void *data;
  uint64_t above[MAX_LEVELS + 1]; /* the tables on the way down, by level */
  GHashTable *seen;               /* frames of tables */
  unsigned visited, unreadable, circular;
  bool stopped;
  GError *cause; /* of a stop that nobody asked for; or NULL */
} Walk;

/* Whether the table is on the way to itself. Linux makes no such page tables, and every path
 * through one is another alias of the same pages. */
static bool
is_circular(const Walk *w, uint64_t table, unsigned level)
{
  for (unsigned above = level + 1; above <= w->tables->levels; above++)
    if (w->above[above] == table)
      return true;
  return false;
}

/* Whether the walk may look into another table; else it has stopped. */
static bool
may_visit(Walk *w, uint64_t table)
{
  g_hash_table_add(w->seen, GSIZE_TO_POINTER(table + 1));
  if (w->visited >= MAX_TABLES ||
      w->visited >= MIN_VISITS + MAX_SHARES * g_hash_table_size(w->seen))
    dacsa_fail(&w->cause, DACSA_ERROR_BAD_DATA, "cut short after %u page tables, %u different ones",
               w->visited, g_hash_table_size(w->seen));
  else if (dacsa_work_spend(TABLE_WORK, &w->cause))
    return ++w->visited > 0;
  w->stopped = true;
  return false;
}

/* Only entries of the two lowest levels say where their pages are instead. */
static void
visit_absent(Walk *w, uint64_t entry, unsigned level, uint64_t gva)
{
  const DacsaX86_64Page page = {
      .gva = gva, .size = UINT64_C(1) << level_shift(level), .absent = true};

  if (w->tables->flags & DACSA_X86_64_ABSENT && entry != 0 && level <= 2 &&
      !w->visit(&page, w->data))
    w->stopped = true;
}

static void
walk_table(Walk *w, uint64_t table, unsigned level, uint64_t base, uint64_t rights)
{
  uint64_t entries[ENTRIES];
  unsigned shift = level_shift(level);

  if (is_circular(w, table, level)) {
    w->circular++;
    return;
  }
  if (!may_visit(w, table))
    return;
  w->above[level] = table;
  if (!dacsa_mem_read(w->tables->phys, table, entries, sizeof(entries), NULL)) {
    w->unreadable++;
    return;
  }
  for (unsigned i = 0; i < ENTRIES && !w->stopped; i++) {
    uint64_t entry = GUINT64_FROM_LE(entries[i]);
    uint64_t gva = sign_extend(w->tables, base | (uint64_t)i << shift);
    uint64_t size = UINT64_C(1) << shift;
    uint64_t frame;

    if (gva + (size - 1) < w->start)
      continue;
    if (gva > w->last)
      break;
    if (!entry_present(w->tables, entry, level, &frame)) {
      visit_absent(w, entry, level, gva);
      continue;
    }
    uint64_t here = rights & entry_rights(entry);
    if (entry_is_leaf(entry, level)) {
      const DacsaX86_64Page page = leaf_page(gva, frame, size, here);

      if (!w->visit(&page, w->data))
        w->stopped = true;
    } else {
      walk_table(w, frame, level - 1, gva, here);
    }
  }
}

bool
dacsa_x86_64_walk(const DacsaX86_64Tables *tables, uint64_t start, uint64_t end,
                  DacsaX86_64Visit visit, void *data, GError **error)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  Walk w = {.tables = tables,
            .start = start,
            .last = end - 1,
            .visit = visit,
            .data = data,
            .seen = seen};

  walk_table(&w, tables->root & FRAME_MASK, tables->levels, 0, ALL_RIGHTS);
  if (w.cause) {
    g_propagate_error(error, w.cause);
    return false;
  }
  if (w.circular > 0)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%u page tables lead to themselves", w.circular);
  if (w.unreadable > 0)
    return dacsa_fail(error, DACSA_ERROR_FAULT, "%u page tables could not be read", w.unreadable);
  return true;
}

/* -- the address space as memory -- */

typedef struct {
  uint64_t tag; /* virtual page number + 1; 0: empty */
  uint64_t gpa;
} TlbEntry;

typedef struct {
  DacsaMem mem;
  DacsaX86_64Tables tables;
  GMutex lock; /* of the TLB */
  TlbEntry tlb[TLB_SLOTS];
} Space;

/* The physical address of gva, which is good up to the end of its 4 KiB page. */
static bool
space_lookup(Space *self, uint64_t gva, uint64_t *ret, GError **error)
{
  uint64_t number = gva / DACSA_PAGE_SIZE;
  TlbEntry *slot = &self->tlb[number % TLB_SLOTS];
  DacsaX86_64Page page;

  g_mutex_lock(&self->lock);
  bool hit = slot->tag == number + 1;
  uint64_t gpa = slot->gpa;
  g_mutex_unlock(&self->lock);
  if (!hit) {
    if (!dacsa_work_spend(self->tables.levels, error) ||
        !dacsa_x86_64_translate(&self->tables, gva, &page, error))
      return false;
    gpa = page.gpa + ((gva - page.gva) & ~(DACSA_PAGE_SIZE - 1));
    g_mutex_lock(&self->lock);
    *slot = (TlbEntry){number + 1, gpa};
    g_mutex_unlock(&self->lock);
  }
  *ret = gpa + gva % DACSA_PAGE_SIZE;
  return true;
}

/* How many of len bytes from addr on lie side by side in physical memory, given where the first
 * does: one large read is worth many small ones. */
static size_t
space_contiguous(Space *self, uint64_t addr, uint64_t gpa, size_t len)
{
  size_t n = (size_t)MIN((uint64_t)len, DACSA_PAGE_SIZE - addr % DACSA_PAGE_SIZE);
  uint64_t next;

  while (n < len && space_lookup(self, addr + n, &next, NULL) && next == gpa + n)
    n = MIN(len, n + (size_t)DACSA_PAGE_SIZE);
  return n;
}

static bool
space_read(DacsaMem *mem, uint64_t addr, void *buf, size_t len, GError **error)
{
  Space *self = (Space *)mem;
  char *to = buf;

  if (!dacsa_work_spend(1 + len / DACSA_PAGE_SIZE, error))
    return false;
  while (len > 0) {
    uint64_t gpa;

    if (!space_lookup(self, addr, &gpa, error))
      return false;
    size_t n = space_contiguous(self, addr, gpa, len);
    if (!dacsa_mem_read(self->tables.phys, gpa, to, n, error))
      return false;
    to += n;
    len -= n;
    addr += n;
  }
  return true;
}

typedef struct {
  uint64_t start, end;
  bool any;
} NextRun;

static bool
next_visit(const DacsaX86_64Page *page, void *data)
{
  NextRun *run = data;

  if (run->any && page->gva != run->end)
    return false;
  if (!run->any)
    run->start = page->gva;
  run->any = true;
  run->end = page->gva + page->size;
  return run->end != 0;
}

static bool
space_next(DacsaMem *mem, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
  Space *self = (Space *)mem;
  NextRun run = {0};

  dacsa_x86_64_walk(&self->tables, addr, 0, next_visit, &run, NULL);
  if (!run.any)
    return false;
  *ret_start = MAX(addr, run.start);
  *ret_end = run.end;
  return true;
}

static void
space_free(DacsaMem *mem)
{
  Space *self = (Space *)mem;

  g_mutex_clear(&self->lock);
  dacsa_mem_unref(self->tables.phys);
  g_free(self);
}

DacsaMem *
dacsa_x86_64_space_new(const DacsaX86_64Tables *tables)
{
  static const DacsaMemOps ops = {space_read, space_next, space_free};
  Space *self = g_new0(Space, 1);

  dacsa_mem_init(&self->mem, &ops);
  self->tables = *tables;
  dacsa_mem_ref(tables->phys);
  g_mutex_init(&self->lock);
  return &self->mem;
}
