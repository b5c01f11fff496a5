/* The process, its mappings, and head and memory put together. */
#include "parsers/linux/core.h"

#include "parsers/linux/process.h"
#include "snap/error.h"

#include <string.h>

#define MAX_NAMES (64u << 20) /* bytes of the mappings' names together */

static void
core_clear(DacsaLinuxCore *core)
{
  g_clear_pointer(&core->where, g_free);
  g_clear_pointer(&core->mappings, g_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DacsaLinuxCore, core_clear)

static bool
find_mm(uint64_t task, void *data)
{
  DacsaLinuxCore *core = data;

  core->task = task;
  return dacsa_linux_task_mm(core->l, task, &core->mm, NULL) && core->mm == 0;
}

static bool
find_process(DacsaLinux *l, uint32_t pid, DacsaLinuxCore *ret, GError **error)
{
  uint64_t flags;

  *ret = (DacsaLinuxCore){.l = l};
  if (!dacsa_linux_task(l, pid, &ret->leader, error) ||
      !dacsa_linux_get(l, ret->leader, M_TASK_FLAGS, &flags, error))
    return false;
  return flags & DACSA_LINUX_PF_KTHREAD ||
         dacsa_linux_threads_each(l, ret->leader, find_mm, ret, error);
}

bool
dacsa_linux_has_core(DacsaGuest *guest, uint32_t pid)
{
  DacsaLinuxCore core;

  return find_process((DacsaLinux *)guest, pid, &core, NULL) && core.mm != 0;
}

/* -- mappings -- */

static void
mapping_clear(void *data)
{
  g_free(((DacsaLinuxMapping *)data)->name);
}

typedef struct {
  const DacsaLinuxCore *core;
  uint64_t end; /* of the last one */
  size_t names;
  guint odd;
} Mappings;

/* A mapping that overlaps another, or ends within a page, cannot be; a hostile guest has some. */
static bool
add_mapping(const DacsaLinuxMapping *mapping, void *data)
{
  Mappings *m = data;
  DacsaLinuxMapping copy = *mapping;

  if (mapping->start < m->end || mapping->start % DACSA_PAGE_SIZE != 0 ||
      mapping->end % DACSA_PAGE_SIZE != 0) {
    m->odd++;
    return true;
  }
  copy.name = g_strdup(mapping->name);
  m->names += copy.name ? strlen(copy.name) : 0;
  m->end = mapping->end;
  g_array_append_val(m->core->mappings, copy);
  return m->names < MAX_NAMES;
}

static bool
find_mappings(DacsaLinuxCore *core, GError **error)
{
  Mappings m = {.core = core};

  core->mappings = g_array_new(FALSE, FALSE, sizeof(DacsaLinuxMapping));
  g_array_set_clear_func(core->mappings, mapping_clear);
  if (!dacsa_linux_mappings_each(core->l, core->task, core->where, add_mapping, &m, NULL, error))
    return false;
  if (m.odd > 0)
    dacsa_errors_add(core->l->errors, core->where, "mappings that cannot be are left out");
  return true;
}

/* -- the file -- */

/* The head, and the memory behind it. */
static DacsaRuns *
assemble(const DacsaLinuxCore *core, DacsaElfcore *elf, const DacsaRuns *memory)
{
  DacsaRuns *file = dacsa_elfcore_finish(elf);
  const uint64_t start = dacsa_elfcore_offset(elf, 0);

  for (guint i = 0; i < memory->runs->len; i++) {
    const DacsaRun *run = &g_array_index(memory->runs, DacsaRun, i);

    if (!dacsa_runs_append_at(file, start + run->offset, run->gva, run->gpa, run->len)) {
      dacsa_errors_add(core->l->errors, core->where, "cut short: too many separate pages");
      break;
    }
  }
  dacsa_runs_set_size(file, start + memory->size);
  return file;
}

bool
dacsa_linux_core(DacsaGuest *guest, uint32_t pid, DacsaRuns **ret, GError **error)
{
  g_autoptr(DacsaElfcore) elf = dacsa_elfcore_new();
  g_auto(DacsaLinuxCore) core = {0};

  if (!find_process((DacsaLinux *)guest, pid, &core, error))
    return false;
  if (core.mm == 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "process %u has no memory", pid);
  core.where = g_strdup_printf("processes/%u/core", pid);
  if (!find_mappings(&core, error))
    return false;
  dacsa_linux_core_notes(&core, elf);
  g_autoptr(DacsaRuns) memory = dacsa_linux_core_memory(&core, elf);
  *ret = assemble(&core, elf, memory);
  return true;
}
