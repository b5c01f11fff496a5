/* The text of a layout. What is read is written the same way again. */
#include "tests/fuzz/fuzz.h"

#include "snap/layout.h"

static void
check(const DacsaLayout *layout)
{
  g_autofree char *text = dacsa_layout_to_text(layout);
  g_autofree char *text_again = NULL;
  g_autoptr(DacsaLayout) again = NULL;
  g_autoptr(GError) error = NULL;
  uint64_t end = 0;

  for (guint i = 0; i < layout->ranges->len; i++) {
    const DacsaRange *r = &g_array_index(layout->ranges, DacsaRange, i);

    g_assert_cmphex(r->gpa, >=, end);
    g_assert_cmphex(r->size, >, 0);
    end = r->gpa + r->size;
    g_assert_cmphex(end, >, r->gpa);
    g_assert_true(dacsa_layout_find(layout, r->gpa) == r);
  }
  g_assert_cmphex(dacsa_layout_end(layout), ==, end);
  g_assert_true(dacsa_layout_from_text(text, &again, &error));
  text_again = dacsa_layout_to_text(again);
  g_assert_cmpstr(text, ==, text_again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  g_autofree char *text = fuzz_text(data, size);
  g_autoptr(DacsaLayout) layout = NULL;
  g_autoptr(GError) error = NULL;
  bool ok = dacsa_layout_from_text(text, &layout, &error);

  if (ok)
    check(layout);
  FUZZ_CHECK(ok, error);
  return 0;
}
