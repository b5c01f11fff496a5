/* The text of `info mtree -f`. */
#include "tests/fuzz/fuzz.h"

#include "snap/mtree.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  g_autofree char *text = fuzz_text(data, size);
  g_autoptr(GArray) ranges = NULL;
  g_autoptr(GError) error = NULL;
  bool ok = dacsa_mtree_parse(text, &ranges, &error);

  for (guint i = 0; ok && i < ranges->len; i++) {
    const DacsaMtreeRange *r = &g_array_index(ranges, DacsaMtreeRange, i);

    g_assert_cmphex(r->start, <=, r->end);
    g_assert_nonnull(r->block);
  }
  FUZZ_CHECK(ok, error);
  return 0;
}
