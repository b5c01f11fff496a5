/* Layouts: what may be appended, what is found, and their text. */
#include "check.h"

#include "snap/layout.h"

static DacsaLayout *
pc_layout(void)
{
  DacsaLayout *layout = dacsa_layout_new();
  g_autoptr(GError) error = NULL;
  static const DacsaRange ranges[] = {{0, 0xa0000, 0x7f0000000000, true},
                                      {0xc0000, 0x20000, 0x7f00000c0000, false},
                                      {0xe0000, 0x10000, 0x7f00000e0000, true},
                                      {0x100000, 0xbff00000, 0x7f0000100000, true},
                                      {0x100000000, 0x40000000, 0x7f00c0000000, true}};

  for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++)
    CHECK_OK(dacsa_layout_append(layout, ranges[i], &error), error);
  return layout;
}

static void
test_append_refuses(void)
{
  static const struct {
    const char *why;
    DacsaRange range;
  } cases[] = {
      {"empty", {0x200000000, 0, 0, true}},
      {"wraps", {UINT64_MAX - 0xfff, 0x2000, 0, true}},
      {"ends at 2^64, which is no number", {UINT64_MAX - 0xfff, 0x1000, 0, true}},
      {"its offset wraps", {0x200000000, 0x2000, UINT64_MAX - 0xfff, true}},
      {"overlaps the last", {0x13ffff000, 0x2000, 0, true}},
      {"is the last again", {0x100000000, 0x40000000, 0x7f00c0000000, true}},
      {"lies in a hole below", {0xa0000, 0x1000, 0, true}},
      {"is as large as can be", {1, UINT64_MAX, 0, true}},
  };
  g_autoptr(DacsaLayout) layout = pc_layout();
  g_autoptr(GError) error = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_test_message("%s", cases[i].why);
    CHECK_FAILS(dacsa_layout_append(layout, cases[i].range, &error), error, DACSA_ERROR_BAD_DATA);
  }
  g_assert_cmpuint(layout->ranges->len, ==, 5);
  g_assert_cmphex(dacsa_layout_end(layout), ==, 0x140000000);
}

static void
test_append_joins(void)
{
  g_autoptr(DacsaLayout) layout = dacsa_layout_new();
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_layout_append(layout, (DacsaRange){0x1000, 0x1000, 0x5000, true}, &error), error);
  CHECK_OK(dacsa_layout_append(layout, (DacsaRange){0x2000, 0x1000, 0x6000, true}, &error), error);
  g_assert_cmpuint(layout->ranges->len, ==, 1);
  /* Each breaks one of the conditions: the kind, the offset, the address. */
  CHECK_OK(dacsa_layout_append(layout, (DacsaRange){0x3000, 0x1000, 0x7000, false}, &error), error);
  CHECK_OK(dacsa_layout_append(layout, (DacsaRange){0x4000, 0x1000, 0x9000, false}, &error), error);
  CHECK_OK(dacsa_layout_append(layout, (DacsaRange){0x6000, 0x1000, 0xa000, false}, &error), error);
  g_assert_cmpuint(layout->ranges->len, ==, 4);
  g_assert_cmphex(g_array_index(layout->ranges, DacsaRange, 0).size, ==, 0x2000);
  g_assert_cmphex(dacsa_layout_ram_bytes(layout), ==, 0x2000);
}

static void
test_too_many(void)
{
  g_autoptr(DacsaLayout) layout = dacsa_layout_new();
  g_autoptr(GError) error = NULL;
  uint64_t n = 0;

  while (n < 100000 &&
         dacsa_layout_append(layout, (DacsaRange){n * 0x2000, 0x1000, 0, true}, &error))
    n++;
  g_assert_cmpuint(n, ==, 4096);
  g_assert_error(error, DACSA_ERROR, DACSA_ERROR_BAD_DATA);
}

static void
test_find(void)
{
  static const struct {
    uint64_t gpa;
    int index; /* -1: none */
  } cases[] = {{0, 0},          {0x9ffff, 0},    {0xa0000, 1},     {0xbffff, 1},
               {0xdffff, 1},    {0xe0000, 2},    {0xf0000, 3},     {0xbfffffff, 3},
               {0xc0000000, 4}, {0xffffffff, 4}, {0x13fffffff, 4}, {0x140000000, -1},
               {UINT64_MAX, -1}};
  g_autoptr(DacsaLayout) layout = pc_layout();
  g_autoptr(DacsaLayout) empty = dacsa_layout_new();

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    const DacsaRange *r = dacsa_layout_find(layout, cases[i].gpa);
    const DacsaRange *expected =
        cases[i].index < 0 ? NULL
                           : &g_array_index(layout->ranges, DacsaRange, (guint)cases[i].index);

    g_assert_true(r == expected);
  }
  g_assert_null(dacsa_layout_find(empty, 0));
  g_assert_cmphex(dacsa_layout_end(empty), ==, 0);
}

static void
test_text_round_trip(void)
{
  g_autoptr(DacsaLayout) layout = pc_layout();
  g_autoptr(DacsaLayout) back = NULL;
  g_autoptr(GError) error = NULL;
  g_autofree char *text = dacsa_layout_to_text(layout);

  g_assert_true(g_str_has_prefix(text, "0 a0000 7f0000000000 ram\nc0000 20000 7f00000c0000 rom\n"));
  CHECK_OK(dacsa_layout_from_text(text, &back, &error), error);
  g_autofree char *again = dacsa_layout_to_text(back);
  g_assert_cmpstr(again, ==, text);
  g_assert_cmpuint(back->ranges->len, ==, 5);
  g_assert_cmphex(dacsa_layout_ram_bytes(back), ==, dacsa_layout_ram_bytes(layout));
}

static void
test_text_damaged(void)
{
  static const char *const cases[] = {"garbage",
                                      "0 1000 5000",
                                      "0 1000 5000 ",
                                      "0 1000 ram",
                                      "0 1000 5000 rxm",
                                      "0 1000 5000 ramrod",
                                      "0 0 5000 ram",
                                      "0 1000 5000 ram\n800 1000 5000 ram",
                                      "2000 1000 5000 ram\n0 1000 7000 ram",
                                      "fffffffffffff000 2000 5000 ram"};
  g_autoptr(GError) error = NULL;
  DacsaLayout *layout = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_test_message("%s", cases[i]);
    CHECK_FAILS(dacsa_layout_from_text(cases[i], &layout, &error), error, DACSA_ERROR_BAD_DATA);
    g_assert_null(layout);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/layout/append/refuses", test_append_refuses);
  g_test_add_func("/layout/append/joins", test_append_joins);
  g_test_add_func("/layout/append/too-many", test_too_many);
  g_test_add_func("/layout/find", test_find);
  g_test_add_func("/layout/text/round-trip", test_text_round_trip);
  g_test_add_func("/layout/text/damaged", test_text_damaged);
  return g_test_run();
}
