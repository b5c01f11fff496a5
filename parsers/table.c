/* Tables: cells are kept as text in one buffer, by offset. */
#include "parsers/table.h"

#include <inttypes.h>
#include <string.h>

#define MAX_BYTES (64u << 20) /* of a table's cells */
#define MAX_CELL (256u << 10)
#define MAX_WIDTH 64u /* a column is not made wider for longer cells */
#define ABSENT UINT32_MAX

struct DacsaTable {
  const DacsaColumn *columns;
  guint n;
  GString *bytes;  /* the cells, zero-terminated */
  GArray *cells;   /* uint32_t: where each begins, or ABSENT; n a row */
  gsize row_bytes; /* length of bytes when the row was begun */
};

static void
begin_row(DacsaTable *table)
{
  const uint32_t absent = ABSENT;

  table->row_bytes = table->bytes->len;
  for (guint i = 0; i < table->n; i++)
    g_array_append_val(table->cells, absent);
}

DacsaTable *
dacsa_table_new(const DacsaColumn *columns, guint n)
{
  DacsaTable *table = g_new0(DacsaTable, 1);

  table->columns = columns;
  table->n = n;
  table->bytes = g_string_new(NULL);
  table->cells = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  begin_row(table);
  return table;
}

void
dacsa_table_free(DacsaTable *table)
{
  if (!table)
    return;
  g_string_free(table->bytes, TRUE);
  g_array_unref(table->cells);
  g_free(table);
}

guint
dacsa_table_rows(const DacsaTable *table)
{
  return table->cells->len / table->n - 1;
}

void
dacsa_table_set_text(DacsaTable *table, guint column, const char *text)
{
  if (!text)
    return;
  g_array_index(table->cells, uint32_t, table->cells->len - table->n + column) =
      (uint32_t)table->bytes->len;
  g_string_append_len(table->bytes, text, (gssize)strnlen(text, MAX_CELL));
  g_string_append_c(table->bytes, '\0');
}

void
dacsa_table_set_number(DacsaTable *table, guint column, uint64_t number)
{
  char text[24];

  g_snprintf(text, sizeof(text), "%" PRIu64, number);
  dacsa_table_set_text(table, column, text);
}

bool
dacsa_table_end_row(DacsaTable *table)
{
  bool fits = table->bytes->len <= MAX_BYTES;

  if (!fits) {
    g_string_truncate(table->bytes, table->row_bytes);
    g_array_set_size(table->cells, table->cells->len - table->n);
  }
  begin_row(table);
  return fits;
}

static const char *
cell(const DacsaTable *table, guint row, guint column)
{
  uint32_t at = g_array_index(table->cells, uint32_t, row * table->n + column);

  return at == ABSENT ? NULL : table->bytes->str + at;
}

/* -- text -- */

/* The cell as it is printed: appended to out. */
static void
append_cell(const DacsaTable *table, guint row, guint column, GString *out)
{
  const char *text = cell(table, row, column);

  if (!text)
    text = "-";
  else if (table->columns[column].kind == DACSA_CELL_BOOLEAN)
    text = text[0] == '0' ? "no" : "yes";
  if (text[0] == '\0')
    g_string_append(out, "\"\"");
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;

    if (c < ' ' || c == 0x7f || c == '\\' || (c == ' ' && column + 1 < table->n))
      g_string_append_printf(out, "\\%03o", c);
    else
      g_string_append_c(out, *text);
  }
}

static void
pad(GString *out, gsize begin, gsize width)
{
  while (out->len - begin < width)
    g_string_append_c(out, ' ');
  g_string_append_c(out, ' ');
}

static void
measure(const DacsaTable *table, gsize *widths)
{
  g_autoptr(GString) text = g_string_new(NULL);

  for (guint i = 0; i < table->n; i++) {
    widths[i] = strlen(table->columns[i].name);
    for (guint row = 0; row < dacsa_table_rows(table); row++) {
      g_string_truncate(text, 0);
      append_cell(table, row, i, text);
      widths[i] = MAX(widths[i], MIN(text->len, MAX_WIDTH));
    }
  }
}

void
dacsa_table_print(const DacsaTable *table, GString *out)
{
  g_autofree gsize *widths = g_new0(gsize, table->n);
  guint last = table->n - 1;

  measure(table, widths);
  for (guint i = 0; i < table->n; i++) {
    gsize begin = out->len;

    g_string_append(out, table->columns[i].name);
    if (i < last)
      pad(out, begin, widths[i]);
  }
  g_string_append_c(out, '\n');
  for (guint row = 0; row < dacsa_table_rows(table); row++) {
    for (guint i = 0; i < table->n; i++) {
      gsize begin = out->len;

      append_cell(table, row, i, out);
      if (i < last)
        pad(out, begin, widths[i]);
    }
    g_string_append_c(out, '\n');
  }
}

/* -- JSON -- */

static void
append_json_text(GString *out, const char *text)
{
  g_string_append_c(out, '"');
  while (*text) {
    gunichar c = g_utf8_get_char_validated(text, -1);

    if (c == (gunichar)-1 || c == (gunichar)-2) {
      g_string_append_printf(out, "\\udc%02x", (unsigned char)*text++);
      continue;
    }
    if (c < 0x20 || c == 0x7f)
      g_string_append_printf(out, "\\u%04x", c);
    else if (c == '"' || c == '\\')
      g_string_append_printf(out, "\\%c", (char)c);
    else
      g_string_append_len(out, text, g_utf8_next_char(text) - text);
    text = g_utf8_next_char(text);
  }
  g_string_append_c(out, '"');
}

void
dacsa_table_print_json(const DacsaTable *table, GString *out)
{
  for (guint row = 0; row < dacsa_table_rows(table); row++) {
    const char *separator = "{";

    for (guint i = 0; i < table->n; i++) {
      const char *text = cell(table, row, i);

      if (!text)
        continue;
      g_string_append_printf(out, "%s\"%s\":", separator, table->columns[i].name);
      separator = ",";
      if (table->columns[i].kind == DACSA_CELL_TEXT)
        append_json_text(out, text);
      else if (table->columns[i].kind == DACSA_CELL_BOOLEAN)
        g_string_append(out, text[0] == '0' ? "false" : "true");
      else
        g_string_append(out, text);
    }
    g_string_append(out, separator[0] == '{' ? "{}\n" : "}\n");
  }
}
