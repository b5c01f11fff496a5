/* A table: 3 kinds of column, cells of a length each, printed both ways. */
#include "tests/fuzz/fuzz.h"

#include "parsers/table.h"

#include <json-glib/json-glib.h>

static void
fill(DacsaTable *table, FuzzInput *in)
{
  while (in->size > 0) {
    uint64_t what = fuzz_take(in, 1);
    guint column = (guint)(what & 3);
    size_t wanted = (size_t)fuzz_take(in, 1);
    size_t n = MIN(wanted, in->size);

    if (column == 3) {
      if (!dacsa_table_end_row(table))
        return;
    } else if (column == 0) {
      g_autofree char *text = fuzz_text(in->data, n);

      dacsa_table_set_text(table, 0, text);
      in->data += n;
      in->size -= n;
    } else {
      dacsa_table_set_number(table, column, column == 2 ? what >> 7 : fuzz_take(in, 8));
    }
  }
}

/* JSON lines are JSON, a row each. */
static void
check_json(const DacsaTable *table)
{
  g_autoptr(GString) out = g_string_new(NULL);
  guint rows = 0;

  dacsa_table_print_json(table, out);
  g_auto(GStrv) lines = g_strsplit(out->str, "\n", -1);
  for (char **line = lines; *line && **line; line++, rows++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) node = NULL;

    /* Lone surrogates are JSON, but not to this parser. */
    if (strstr(*line, "\\udc"))
      continue;
    node = json_from_string(*line, &error);
    g_assert_no_error(error);
    g_assert_true(JSON_NODE_HOLDS_OBJECT(node));
  }
  g_assert_cmpuint(rows, ==, dacsa_table_rows(table));
}

/* Text has a line a row and the header's, whatever the cells hold. */
static void
check_text(const DacsaTable *table)
{
  g_autoptr(GString) out = g_string_new(NULL);
  guint lines = 0;

  dacsa_table_print(table, out);
  for (const char *c = out->str; *c; c++)
    lines += *c == '\n';
  g_assert_cmpuint(lines, ==, dacsa_table_rows(table) + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const DacsaColumn columns[] = {
      {"text", DACSA_CELL_TEXT}, {"number", DACSA_CELL_NUMBER}, {"yes", DACSA_CELL_BOOLEAN}};
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, G_N_ELEMENTS(columns));
  FuzzInput in = {data, size};

  fill(table, &in);
  check_text(table);
  check_json(table);
  return 0;
}
