/* Page tables: translation, walks, the address space as memory, and tables made to do harm. */
#include "check.h"
#include "fake-paging.h"

#include "parsers/x86_64.h"

#define ROOT 0x1000u
#define TABLES 0x100000u

typedef struct {
  DacsaMem *phys;
  FakePaging paging;
  DacsaX86_64Tables tables;
} Fixture;

static void
set_up(Fixture *f, unsigned levels, DacsaX86_64Flags flags)
{
  f->phys = fake_mem_new();
  f->paging = (FakePaging){f->phys, ROOT, TABLES, levels};
  f->tables = (DacsaX86_64Tables){f->phys, ROOT, levels, flags};
  fake_paging_entry(&f->paging, 0, levels);
}

static void
tear_down(Fixture *f)
{
  dacsa_mem_unref(f->phys);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static void
check_page(Fixture *f, uint64_t gva, const DacsaX86_64Page *expected)
{
  g_autoptr(GError) error = NULL;
  DacsaX86_64Page page;

  CHECK_OK(dacsa_x86_64_translate(&f->tables, gva, &page, &error), error);
  g_assert_cmphex(page.gva, ==, expected->gva);
  g_assert_cmphex(page.gpa, ==, expected->gpa);
  g_assert_cmphex(page.size, ==, expected->size);
  g_assert_cmpint(page.user, ==, expected->user);
  g_assert_cmpint(page.writable, ==, expected->writable);
  g_assert_cmpint(page.executable, ==, expected->executable);
}

static void
check_fault(Fixture *f, uint64_t gva)
{
  g_autoptr(GError) error = NULL;
  DacsaX86_64Page page;

  CHECK_FAILS(dacsa_x86_64_translate(&f->tables, gva, &page, &error), error, DACSA_ERROR_FAULT);
}

static void
test_sizes(void)
{
  g_auto(Fixture) f;
  const uint64_t kernel = UINT64_C(0xffffffff80000000);

  set_up(&f, 4, 0);
  fake_paging_map(&f.paging, 0x400000, 1, 0x7000, PTE_TABLE | PTE_NX);
  /* In a large entry bit 12 is the PAT bit, not part of the frame. */
  fake_paging_map(&f.paging, 0x40000000, 2, 0x80200000 | 0x1000, PTE_TABLE | PTE_LARGE);
  fake_paging_map(&f.paging, 0x7fc0000000, 3, 0x140000000, PTE_TABLE | PTE_LARGE);
  fake_paging_map(&f.paging, kernel, 2, 0x1000000, PTE_PRESENT | PTE_WRITABLE | PTE_LARGE);
  /* In a 4 KiB entry bit 7 is the PAT bit. */
  fake_paging_map(&f.paging, 0x401000, 1, 0x9000, PTE_PRESENT | PTE_LARGE);
  check_page(&f, 0x400fff, &(DacsaX86_64Page){0x400000, 0x7000, 0x1000, true, true, false, false});
  check_page(&f, 0x401000, &(DacsaX86_64Page){0x401000, 0x9000, 0x1000, false, false, true, false});
  check_page(&f, 0x40000fff,
             &(DacsaX86_64Page){0x40000000, 0x80200000, 0x200000, true, true, true, false});
  check_page(&f, 0x7fffffffff,
             &(DacsaX86_64Page){0x7fc0000000, 0x140000000, 1u << 30, true, true, true, false});
  check_page(&f, kernel + 0x1fffff,
             &(DacsaX86_64Page){kernel, 0x1000000, 0x200000, false, true, true, false});
  check_fault(&f, 0x402000);
  check_fault(&f, 0);
  check_fault(&f, kernel + 0x200000);
}

static void
test_canonical(void)
{
  g_auto(Fixture) f;
  g_auto(Fixture) five;
  const uint64_t high = UINT64_C(0xffff800000000000);
  const uint64_t high5 = UINT64_C(0xff00000000000000);

  set_up(&f, 4, 0);
  fake_paging_map(&f.paging, high, 1, 0x7000, PTE_PRESENT);
  check_page(&f, high, &(DacsaX86_64Page){high, 0x7000, 0x1000, false, false, true, false});
  check_fault(&f, UINT64_C(0x0000800000000000));
  check_fault(&f, UINT64_C(0xffff000000000000));
  check_fault(&f, UINT64_C(0x8000800000000000));
  set_up(&five, 5, 0);
  fake_paging_map(&five.paging, high5, 1, 0x7000, PTE_PRESENT);
  fake_paging_map(&five.paging, UINT64_C(0x00ffffffffe00000), 2, 0x400000, PTE_TABLE | PTE_LARGE);
  check_page(&five, high5, &(DacsaX86_64Page){high5, 0x7000, 0x1000, false, false, true, false});
  check_page(&five, UINT64_C(0x00ffffffffffffff),
             &(DacsaX86_64Page){UINT64_C(0x00ffffffffe00000), 0x400000, 0x200000, true, true, true,
                                false});
  check_fault(&five, UINT64_C(0x0100000000000000));
  check_fault(&five, UINT64_C(0xfe00000000000000));
}

static void
test_rights(void)
{
  g_auto(Fixture) f;

  set_up(&f, 4, 0);
  fake_paging_map(&f.paging, 0x400000, 1, 0x7000, PTE_TABLE);
  check_page(&f, 0x400000, &(DacsaX86_64Page){0x400000, 0x7000, 0x1000, true, true, true, false});
  /* A right that one level withholds is withheld. */
  fake_mem_u64(f.phys, fake_paging_entry(&f.paging, 0x400000, 3),
               (uint64_t)(TABLES + 0x1000) | PTE_PRESENT | PTE_USER);
  check_page(&f, 0x400000, &(DacsaX86_64Page){0x400000, 0x7000, 0x1000, true, false, true, false});
  fake_mem_u64(f.phys, fake_paging_entry(&f.paging, 0x400000, 4),
               (uint64_t)TABLES | PTE_PRESENT | PTE_WRITABLE);
  check_page(&f, 0x400000, &(DacsaX86_64Page){0x400000, 0x7000, 0x1000, false, false, true, false});
}

static void
test_linux_entries(void)
{
  g_auto(Fixture) f;
  /* pgtable-invert.h: the frame bits of an entry that is not present are inverted. */
  const uint64_t inverted = ~UINT64_C(0x7000) & PTE_FRAME;
  const uint64_t inverted_large = ~UINT64_C(0x80000000) & PTE_FRAME & ~UINT64_C(0x1fffff);

  set_up(&f, 4, DACSA_X86_64_LINUX);
  fake_paging_map(&f.paging, 0x400000, 1, inverted, PTE_PROTNONE);
  fake_paging_map(&f.paging, 0x401000, 1, 0x123000, 0); /* a swap entry */
  fake_paging_map(&f.paging, 0x800000, 2, inverted_large, PTE_PROTNONE | PTE_LARGE);
  fake_paging_map(&f.paging, 0xa00000, 2, inverted_large, PTE_LARGE); /* about to be split */
  fake_paging_map(&f.paging, 0xc0000000, 3, 0x40000000, PTE_PROTNONE | PTE_LARGE);
  check_page(&f, 0x400123, &(DacsaX86_64Page){0x400000, 0x7000, 0x1000, false, false, true, false});
  check_page(&f, 0x800000,
             &(DacsaX86_64Page){0x800000, 0x80000000, 0x200000, false, false, true, false});
  check_page(&f, 0xa00000,
             &(DacsaX86_64Page){0xa00000, 0x80000000, 0x200000, false, false, true, false});
  check_fault(&f, 0x401000);
  check_fault(&f, 0xc0000000);
  f.tables.flags = 0; /* to the CPU none of them is there */
  check_fault(&f, 0x400000);
  check_fault(&f, 0x800000);
  check_fault(&f, 0xa00000);
}

static bool
gather_page(const DacsaX86_64Page *page, void *data)
{
  g_array_append_val((GArray *)data, *page);
  return true;
}

static void
check_walk(Fixture *f, uint64_t start, uint64_t end, const uint64_t *gvas, size_t n)
{
  g_autoptr(GArray) pages = g_array_new(FALSE, FALSE, sizeof(DacsaX86_64Page));
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_x86_64_walk(&f->tables, start, end, gather_page, pages, &error), error);
  g_assert_cmpuint(pages->len, ==, n);
  for (size_t i = 0; i < n; i++)
    g_assert_cmphex(g_array_index(pages, DacsaX86_64Page, i).gva, ==, gvas[i]);
}

static void
test_walk_ranges(void)
{
  g_auto(Fixture) f;
  const uint64_t top = UINT64_C(0xfffffffffffff000);
  const uint64_t high = UINT64_C(0xffff800000000000);
  const uint64_t low_end = UINT64_C(0x00007ffffffff000);
  const uint64_t all[] = {0, 0x200000, 0x401000, low_end, high, top};

  set_up(&f, 4, 0);
  fake_paging_map(&f.paging, 0, 1, 0x5000, PTE_TABLE);
  fake_paging_map(&f.paging, 0x200000, 2, 0x600000, PTE_TABLE | PTE_LARGE);
  fake_paging_map(&f.paging, 0x401000, 1, 0x6000, PTE_TABLE);
  fake_paging_map(&f.paging, low_end, 1, 0x7000, PTE_TABLE);
  fake_paging_map(&f.paging, high, 1, 0x8000, PTE_PRESENT);
  fake_paging_map(&f.paging, top, 1, 0x9000, PTE_PRESENT);
  check_walk(&f, 0, 0, all, 6); /* end 0: one past the last address */
  check_walk(&f, 0, UINT64_C(1) << 47, all, 4);
  check_walk(&f, 1, 0x401001, all, 3);
  check_walk(&f, 0x1000, 0x401000, all + 1, 1);
  check_walk(&f, 0x3fffff, 0x400000, all + 1, 1); /* overlaps the large page's last byte */
  check_walk(&f, 0x400000, 0x401000, all, 0);
  check_walk(&f, UINT64_C(1) << 47, 0, all + 4, 2);
  check_walk(&f, top, 0, all + 5, 1);
  check_walk(&f, UINT64_MAX, 0, all + 5, 1);
}

static void
test_walk_five_levels(void)
{
  g_auto(Fixture) f;
  const uint64_t pages[] = {0x400000, UINT64_C(0x00ffffffc0000000), UINT64_C(0xff00000000000000)};

  set_up(&f, 5, 0);
  fake_paging_map(&f.paging, pages[0], 1, 0x5000, PTE_TABLE);
  fake_paging_map(&f.paging, pages[1], 3, 0x40000000, PTE_TABLE | PTE_LARGE);
  fake_paging_map(&f.paging, pages[2], 1, 0x6000, PTE_TABLE);
  check_walk(&f, 0, 0, pages, 3);
  check_walk(&f, 0, DACSA_X86_64_USER_END, pages, 2);
  check_walk(&f, UINT64_C(0x00ffffffffffffff), DACSA_X86_64_USER_END, pages + 1, 1);
}

static bool
stop_after_three(const DacsaX86_64Page *page, void *data)
{
  unsigned *n = data;

  (void)page;
  return ++*n < 3;
}

typedef struct {
  guint present, absent;
  uint64_t absent_gva[4], absent_size[4];
} Absent;

static bool
visit_absent(const DacsaX86_64Page *page, void *data)
{
  Absent *a = data;

  if (!page->absent) {
    a->present++;
    return true;
  }
  g_assert_cmpuint(a->absent, <, 4);
  g_assert_cmphex(page->gpa, ==, 0);
  a->absent_gva[a->absent] = page->gva;
  a->absent_size[a->absent++] = page->size;
  return true;
}

/* What is swapped out is visited only where that is asked for; of the upper levels never. */
static void
test_walk_absent(void)
{
  const uint64_t swapped = UINT64_C(0x7fffffff00) << 9 & ~UINT64_C(0x1ff);
  g_auto(Fixture) f;
  Absent a = {0};

  set_up(&f, 4, DACSA_X86_64_LINUX);
  fake_paging_map(&f.paging, 0x400000, 1, 0x7000, PTE_TABLE);
  fake_paging_map(&f.paging, 0x401000, 1, swapped, 0);
  fake_paging_map(&f.paging, 0x402000, 1, 0, 0);
  fake_paging_map(&f.paging, 0x600000, 2, swapped, 0);
  fake_paging_map(&f.paging, 0x80000000, 3, swapped, 0);
  g_assert_true(dacsa_x86_64_walk(&f.tables, 0, 1u << 31, visit_absent, &a, NULL));
  g_assert_cmpuint(a.present, ==, 1);
  g_assert_cmpuint(a.absent, ==, 0);

  f.tables.flags |= DACSA_X86_64_ABSENT;
  g_assert_true(dacsa_x86_64_walk(&f.tables, 0, UINT64_C(1) << 32, visit_absent, &a, NULL));
  g_assert_cmpuint(a.present, ==, 2);
  g_assert_cmpuint(a.absent, ==, 2);
  g_assert_cmphex(a.absent_gva[0], ==, 0x401000);
  g_assert_cmphex(a.absent_size[0], ==, 0x1000);
  g_assert_cmphex(a.absent_gva[1], ==, 0x600000);
  g_assert_cmphex(a.absent_size[1], ==, 0x200000);
}

static void
test_walk_stops(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  unsigned n = 0;

  set_up(&f, 4, 0);
  for (uint64_t gva = 0; gva < 0x8000; gva += 0x1000)
    fake_paging_map(&f.paging, gva, 1, 0x5000, PTE_TABLE);
  CHECK_OK(dacsa_x86_64_walk(&f.tables, 0, 0, stop_after_three, &n, &error), error);
  g_assert_cmpuint(n, ==, 3);
}

static void
test_walk_unreadable(void)
{
  g_auto(Fixture) f;
  g_autoptr(GArray) pages = g_array_new(FALSE, FALSE, sizeof(DacsaX86_64Page));
  g_autoptr(GError) error = NULL;

  set_up(&f, 4, 0);
  fake_paging_map(&f.paging, 0, 2, 0xdead000, PTE_TABLE); /* a table outside memory */
  fake_paging_map(&f.paging, 0x400000, 1, 0x5000, PTE_TABLE);
  CHECK_FAILS(dacsa_x86_64_walk(&f.tables, 0, 0, gather_page, pages, &error), error,
              DACSA_ERROR_FAULT);
  g_assert_cmpuint(pages->len, ==, 1); /* what was visited stands */
  g_assert_cmphex(g_array_index(pages, DacsaX86_64Page, 0).gva, ==, 0x400000);
  check_fault(&f, 0x1000);
}

/* Every entry of the root names the root: 2^36 paths, each a page. */
static void
test_self_reference(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  DacsaX86_64Page page;
  unsigned n = 0;

  set_up(&f, 4, 0);
  for (unsigned i = 0; i < 512; i++)
    fake_mem_u64(f.phys, ROOT + i * 8, ROOT | PTE_TABLE);
  CHECK_OK(dacsa_x86_64_translate(&f.tables, 0x123456789000, &page, &error), error);
  g_assert_cmphex(page.gpa, ==, ROOT);
  /* To the CPU it is a memory; to a walk it is a circle, which is passed over and told. */
  CHECK_FAILS(dacsa_x86_64_walk(&f.tables, 0, 0, stop_after_three, &n, &error), error,
              DACSA_ERROR_BAD_DATA);
  g_assert_cmpuint(n, ==, 0);
  fake_mem_u64(f.phys, ROOT, 0);
  fake_paging_map(&f.paging, 0x400000, 1, 0x5000, PTE_TABLE);
  CHECK_FAILS(dacsa_x86_64_walk(&f.tables, 0, 0, stop_after_three, &n, &error), error,
              DACSA_ERROR_BAD_DATA);
  g_assert_cmpuint(n, ==, 1); /* what is beside it is found all the same */
}

/* Three tables used over and over, above tables that are not there: 2^27 of them. The walk must
 * give up by itself, and say so. */
static void
test_walk_is_bounded(void)
{
  g_auto(Fixture) f;
  g_autoptr(GArray) pages = g_array_new(FALSE, FALSE, sizeof(DacsaX86_64Page));
  g_autoptr(GError) error = NULL;

  set_up(&f, 5, 0);
  for (unsigned i = 0; i < 512; i++) {
    fake_mem_u64(f.phys, ROOT + i * 8, TABLES | PTE_TABLE);
    fake_mem_u64(f.phys, TABLES + i * 8, (TABLES + 0x1000) | PTE_TABLE);
    fake_mem_u64(f.phys, TABLES + 0x1000 + i * 8, 0xdead000 | PTE_TABLE);
  }
  CHECK_FAILS(dacsa_x86_64_walk(&f.tables, 0, 0, gather_page, pages, &error), error,
              DACSA_ERROR_BAD_DATA);
  g_assert_cmpuint(pages->len, ==, 0);
}

static void
test_space_reads(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  char buf[16] = "";

  set_up(&f, 4, 0);
  fake_paging_map(&f.paging, 0x400000, 1, 0x9000, PTE_TABLE);
  fake_paging_map(&f.paging, 0x401000, 1, 0x7000, PTE_TABLE); /* not beside one another */
  fake_paging_map(&f.paging, 0x40000000, 2, 0x200000, PTE_TABLE | PTE_LARGE);
  fake_paging_map(&f.paging, UINT64_C(0xfffffffffffff000), 1, 0x7000, PTE_TABLE);
  fake_mem_write(f.phys, 0x9ffa, "across", 6);
  fake_mem_write(f.phys, 0x7000, "pages!", 7);
  fake_mem_write(f.phys, 0x7ffc, "last", 4);
  fake_mem_string(f.phys, 0x3ff000, "large");
  g_autoptr(DacsaMem) space = dacsa_x86_64_space_new(&f.tables);
  for (int again = 0; again < 2; again++) { /* the second time from the TLB */
    CHECK_OK(dacsa_mem_read(space, 0x400ffa, buf, 13, &error), error);
    g_assert_cmpstr(buf, ==, "acrosspages!");
    CHECK_OK(dacsa_mem_read(space, 0x401ffc, buf, 4, &error), error);
    g_assert_cmpmem(buf, 4, "last", 4);
    CHECK_OK(dacsa_mem_read(space, 0x401ff000, buf, 6, &error), error);
    g_assert_cmpstr(buf, ==, "large");
    CHECK_OK(dacsa_mem_read(space, UINT64_MAX - 3, buf, 4, &error), error);
    g_assert_cmpmem(buf, 4, "last", 4);
    CHECK_FAILS(dacsa_mem_read(space, 0x401ffc, buf, 5, &error), error, DACSA_ERROR_FAULT);
    CHECK_FAILS(dacsa_mem_read(space, 0x3fffff, buf, 2, &error), error, DACSA_ERROR_FAULT);
    CHECK_FAILS(dacsa_mem_read(space, 0x40000000, buf, 2, &error), error, DACSA_ERROR_FAULT);
  }
}

static void
test_space_next(void)
{
  g_auto(Fixture) f;
  uint64_t start, end;

  set_up(&f, 4, 0);
  fake_paging_map(&f.paging, 0x400000, 1, 0x9000, PTE_TABLE);
  fake_paging_map(&f.paging, 0x401000, 1, 0x7000, PTE_TABLE);
  fake_paging_map(&f.paging, 0x600000, 2, 0x200000, PTE_TABLE | PTE_LARGE);
  fake_paging_map(&f.paging, UINT64_C(0xffffffffffe00000), 2, 0x200000, PTE_TABLE | PTE_LARGE);
  g_autoptr(DacsaMem) space = dacsa_x86_64_space_new(&f.tables);
  g_assert_true(dacsa_mem_next(space, 0, &start, &end));
  g_assert_cmphex(start, ==, 0x400000);
  g_assert_cmphex(end, ==, 0x402000);
  g_assert_true(dacsa_mem_next(space, 0x401234, &start, &end));
  g_assert_cmphex(start, ==, 0x401234);
  g_assert_cmphex(end, ==, 0x402000);
  g_assert_true(dacsa_mem_next(space, 0x402000, &start, &end));
  g_assert_cmphex(start, ==, 0x600000);
  g_assert_cmphex(end, ==, 0x800000);
  g_assert_true(dacsa_mem_next(space, 0x800000, &start, &end));
  g_assert_cmphex(start, ==, UINT64_C(0xffffffffffe00000));
  g_assert_cmphex(end, ==, 0); /* the end of the address space */
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/x86-64/sizes", test_sizes);
  g_test_add_func("/x86-64/canonical", test_canonical);
  g_test_add_func("/x86-64/rights", test_rights);
  g_test_add_func("/x86-64/linux-entries", test_linux_entries);
  g_test_add_func("/x86-64/walk/ranges", test_walk_ranges);
  g_test_add_func("/x86-64/walk/five-levels", test_walk_five_levels);
  g_test_add_func("/x86-64/walk/walk-absent", test_walk_absent);
  g_test_add_func("/x86-64/walk/stops", test_walk_stops);
  g_test_add_func("/x86-64/walk/unreadable", test_walk_unreadable);
  g_test_add_func("/x86-64/self-reference", test_self_reference);
  g_test_add_func("/x86-64/walk/is-bounded", test_walk_is_bounded);
  g_test_add_func("/x86-64/space/reads", test_space_reads);
  g_test_add_func("/x86-64/space/next", test_space_next);
  return g_test_run();
}
