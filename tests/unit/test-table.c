/* Tables as text and as JSON lines. */
#include "check.h"

#include "parsers/table.h"

#include <string.h>

enum { NAME, SIZE, LIVE, PATH, N_COLUMNS };

static const DacsaColumn columns[N_COLUMNS] = {{"name", DACSA_CELL_TEXT},
                                               {"size", DACSA_CELL_NUMBER},
                                               {"live", DACSA_CELL_BOOLEAN},
                                               {"path", DACSA_CELL_TEXT}};

static void
add_row(DacsaTable *table, const char *name, uint64_t size, bool live, const char *path)
{
  dacsa_table_set_text(table, NAME, name);
  dacsa_table_set_number(table, SIZE, size);
  dacsa_table_set_number(table, LIVE, live);
  dacsa_table_set_text(table, PATH, path);
  g_assert_true(dacsa_table_end_row(table));
}

static void
check(const DacsaTable *table, void (*print)(const DacsaTable *table, GString *out),
      const char *expected)
{
  g_autoptr(GString) out = g_string_new(NULL);

  print(table, out);
  g_assert_cmpstr(out->str, ==, expected);
}

static void
test_empty(void)
{
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, N_COLUMNS);

  g_assert_cmpuint(dacsa_table_rows(table), ==, 0);
  check(table, dacsa_table_print, "name size live path\n");
  check(table, dacsa_table_print_json, "");
}

static void
test_rows(void)
{
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, N_COLUMNS);

  add_row(table, "init", 18446744073709551615u, true, "/sbin/my init");
  add_row(table, "a b\\\n", 7, false, "");
  g_assert_true(dacsa_table_end_row(table)); /* of nothing */
  g_assert_cmpuint(dacsa_table_rows(table), ==, 3);
  check(table, dacsa_table_print,
        "name           size                 live path\n"
        "init           18446744073709551615 yes  /sbin/my init\n"
        "a\\040b\\134\\012 7                    no   \"\"\n"
        "-              -                    -    -\n");
  check(
      table, dacsa_table_print_json,
      "{\"name\":\"init\",\"size\":18446744073709551615,\"live\":true,\"path\":\"/sbin/my init\"}\n"
      "{\"name\":\"a b\\\\\\u000a\",\"size\":7,\"live\":false,\"path\":\"\"}\n"
      "{}\n");
}

static void
test_bytes(void)
{
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, N_COLUMNS);

  dacsa_table_set_text(table, PATH, "\"\x1b\x7f\xff\xc3\xbc\xc3");
  g_assert_true(dacsa_table_end_row(table));
  check(table, dacsa_table_print_json, "{\"path\":\"\\\"\\u001b\\u007f\\udcff\xc3\xbc\\udcc3\"}\n");
}

/* A guest can have rows without end. */
static void
test_full(void)
{
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, N_COLUMNS);
  g_autofree char *text = g_strnfill(1 << 20, 'x');
  guint rows = 0;

  for (dacsa_table_set_text(table, NAME, text); dacsa_table_end_row(table); rows++)
    dacsa_table_set_text(table, NAME, text);
  g_assert_cmpuint(rows, <, 1000);
  g_assert_cmpuint(dacsa_table_rows(table), ==, rows);
  g_assert_true(dacsa_table_end_row(table));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/table/empty", test_empty);
  g_test_add_func("/table/rows", test_rows);
  g_test_add_func("/table/bytes", test_bytes);
  g_test_add_func("/table/full", test_full);
  return g_test_run();
}
