/* The mappings of all processes as JSON lines. */
#include "parsers/linux/maps.h"
#include "parsers/linux/process.h"
#include "parsers/table.h"

#define MAX_FAILURES (1u << 18) /* of all processes together: a healthy guest has none */

enum {
  COLUMN_PID,
  COLUMN_START,
  COLUMN_END,
  COLUMN_PERMS,
  COLUMN_OFFSET,
  COLUMN_DEV,
  COLUMN_INODE,
  COLUMN_NAME,
  N_COLUMNS,
};

/* Addresses and offsets are text, in hexadecimal: not every reader's numbers have 64 bits. */
static const DacsaColumn columns[N_COLUMNS] = {
    [COLUMN_PID] = {"pid", DACSA_CELL_NUMBER},     [COLUMN_START] = {"start", DACSA_CELL_TEXT},
    [COLUMN_END] = {"end", DACSA_CELL_TEXT},       [COLUMN_PERMS] = {"perms", DACSA_CELL_TEXT},
    [COLUMN_OFFSET] = {"offset", DACSA_CELL_TEXT}, [COLUMN_DEV] = {"dev", DACSA_CELL_TEXT},
    [COLUMN_INODE] = {"inode", DACSA_CELL_NUMBER}, [COLUMN_NAME] = {"name", DACSA_CELL_TEXT},
};

typedef struct {
  DacsaTable *table;
  uint32_t pid;
  bool full;
} Mappings;

static void
set_hex(Mappings *m, guint column, uint64_t value)
{
  char text[24];

  g_snprintf(text, sizeof(text), "0x%" PRIx64, value);
  dacsa_table_set_text(m->table, column, text);
}

static bool
add_mapping(const DacsaLinuxMapping *mapping, void *data)
{
  Mappings *m = data;
  char perms[5], dev[24];

  dacsa_linux_mapping_perms(mapping, perms);
  g_snprintf(dev, sizeof(dev), "%02x:%02x", mapping->major, mapping->minor);
  dacsa_table_set_number(m->table, COLUMN_PID, m->pid);
  set_hex(m, COLUMN_START, mapping->start);
  set_hex(m, COLUMN_END, mapping->end);
  dacsa_table_set_text(m->table, COLUMN_PERMS, perms);
  set_hex(m, COLUMN_OFFSET, mapping->offset);
  dacsa_table_set_text(m->table, COLUMN_DEV, dev);
  dacsa_table_set_number(m->table, COLUMN_INODE, mapping->ino);
  dacsa_table_set_text(m->table, COLUMN_NAME, mapping->name);
  m->full = !dacsa_table_end_row(m->table);
  return !m->full;
}

bool
dacsa_linux_json_maps(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, N_COLUMNS);
  Mappings m = {.table = table};
  guint failures = 0;

  (void)error;
  dacsa_linux_tasks(l);
  for (guint i = 0; i < l->tasks->len && !m.full && failures < MAX_FAILURES; i++) {
    const DacsaLinuxTask *task = &g_array_index(l->tasks, DacsaLinuxTask, i);
    g_autofree char *where = g_strdup_printf("processes/%u/maps", task->pid);
    g_autoptr(GError) cause = NULL;

    m.pid = task->pid;
    if (!dacsa_linux_mappings_each(l, task->task, where, add_mapping, &m, &failures, &cause))
      dacsa_errors_add(l->errors, where, cause->message);
  }
  if (m.full || failures >= MAX_FAILURES)
    dacsa_errors_add(l->errors, "json/maps.jsonl",
                     m.full ? "cut short: the table is too long"
                            : "cut short: too many mappings cannot be read");
  dacsa_table_print_json(table, out);
  return true;
}
