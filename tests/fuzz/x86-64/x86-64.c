/* Page tables: a byte of flags, the root's frame, an address, then physical memory. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz-mem.h"

#include "parsers/x86_64.h"

#define MAX_PAGES 4096u

typedef struct {
  const DacsaX86_64Tables *tables;
  uint64_t last_end;
  unsigned pages;
} Seen;

/* Ascending, whole, and the same as what a translation of its address says. */
static bool
visit(const DacsaX86_64Page *page, void *data)
{
  Seen *seen = data;
  DacsaX86_64Page again;

  g_assert_cmphex(page->gva, >=, seen->last_end);
  g_assert_cmphex(page->gva % page->size, ==, 0);
  g_assert_cmphex(page->gpa % page->size, ==, 0);
  if (seen->pages < 64) {
    g_assert_true(dacsa_x86_64_translate(seen->tables, page->gva, &again, NULL));
    g_assert_cmphex(again.gpa, ==, page->gpa);
    g_assert_cmphex(again.size, ==, page->size);
    g_assert_true(again.user == page->user && again.writable == page->writable);
  }
  seen->last_end = page->gva + (page->size - 1);
  return ++seen->pages < MAX_PAGES;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  FuzzInput in = {data, size};
  uint64_t flags = fuzz_take(&in, 1);
  uint64_t root = fuzz_take(&in, 1) << 12;
  uint64_t gva = fuzz_take(&in, 8);
  uint8_t buf[64];
  uint64_t start, end;
  g_autoptr(DacsaMem) phys = fuzz_mem_new(in.data, in.size);
  const DacsaX86_64Tables tables = {phys, root, flags & 1 ? 5 : 4,
                                    flags & 2 ? DACSA_X86_64_LINUX : 0};
  g_autoptr(DacsaMem) space = dacsa_x86_64_space_new(&tables);
  g_autoptr(GError) error = NULL;
  Seen seen = {&tables, 0, 0};
  bool ok =
      dacsa_x86_64_walk(&tables, 0, flags & 4 ? 0 : DACSA_X86_64_USER_END, visit, &seen, &error);

  FUZZ_CHECK(ok, error);
  ok = dacsa_mem_read(space, gva, buf, sizeof(buf), &error);
  FUZZ_CHECK(ok, error);
  if (dacsa_mem_next(space, gva, &start, &end))
    g_assert_cmphex(start, >=, gva);
  dacsa_mem_read_some(space, gva, buf, sizeof(buf));
  return 0;
}
