/*
 * A table of facts, printed as aligned text with a header line or as JSON lines: one source for
 * both. Cells come from a guest and may hold anything but are never more than a bound in all.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
  DACSA_CELL_TEXT,
  DACSA_CELL_NUMBER,
  DACSA_CELL_BOOLEAN, /* 0 or 1: yes, no */
} DacsaCellKind;

typedef struct {
  const char *name;
  DacsaCellKind kind;
} DacsaColumn;

typedef struct DacsaTable DacsaTable;

/* columns: borrowed, n of them, in the order in which they are printed. */
DacsaTable *dacsa_table_new(const DacsaColumn *columns, guint n);
void dacsa_table_free(DacsaTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaTable, dacsa_table_free)

/* Sets a cell of the row that is being made. One that is not set is absent: `-` in text, no key in
 * JSON. text is copied; NULL leaves the cell absent. */
void dacsa_table_set_text(DacsaTable *table, guint column, const char *text);
void dacsa_table_set_number(DacsaTable *table, guint column, uint64_t number);

/* Ends the row. false: the table is full, and the row was left out. */
bool dacsa_table_end_row(DacsaTable *table) G_GNUC_WARN_UNUSED_RESULT;

guint dacsa_table_rows(const DacsaTable *table);

/*
 * Appends the text: columns padded to the width of their widest cell, separated by a blank, the
 * last one not padded. In cells, white space, control characters and backslashes are written as
 * \ooo, but for blanks in the last column; an empty text is `""`.
 */
void dacsa_table_print(const DacsaTable *table, GString *out);

/* Appends a JSON object a row. Bytes that are not UTF-8 are written as the lone surrogates U+DC80
 * to U+DCFF (PEP 383), so that nothing is lost. */
void dacsa_table_print_json(const DacsaTable *table, GString *out);
