/* Processes and modules, as dacsa scan reads them from the mount. */
#include "fs/scan-unit.h"

#include "parsers/scan/salt.h"
#include "snap/error.h"
#include "snap/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE ((uint64_t)DACSA_SCAN_PAGE)
#define NO_FRAME (UINT64_C(1) << 63) /* no frame has such a number */
#define MAX_PAGES (1u << 28)         /* 1 TiB of one process */

static void
mapping_clear(void *data)
{
  g_free(((DacsaScanMapping *)data)->path);
}

static DacsaScanUnit *
unit_new(DacsaScanUnitKind kind, const char *path, uint32_t pid)
{
  DacsaScanUnit *unit = g_new0(DacsaScanUnit, 1);

  unit->kind = kind;
  unit->path = g_strdup(path);
  unit->pid = pid;
  unit->memory = unit->pagemap = -1;
  unit->stretches = g_array_new(FALSE, FALSE, sizeof(DacsaScanStretch));
  unit->mappings = g_array_new(FALSE, FALSE, sizeof(DacsaScanMapping));
  g_array_set_clear_func(unit->mappings, mapping_clear);
  return unit;
}

void
dacsa_scan_unit_free(DacsaScanUnit *unit)
{
  if (!unit)
    return;
  dacsa_scan_unit_close(unit);
  g_free(unit->name);
  g_free(unit->exe);
  g_free(unit->path);
  g_array_unref(unit->stretches);
  g_array_unref(unit->mappings);
  g_free(unit);
}

/* Adds pages; they may continue the last stretch. */
static void
add_pages(DacsaScanUnit *unit, uint64_t address, guint n)
{
  const DacsaScanStretch next = {address, unit->n_pages, n};

  unit->n_pages += n;
  if (unit->stretches->len > 0) {
    DacsaScanStretch *last =
        &g_array_index(unit->stretches, DacsaScanStretch, unit->stretches->len - 1);

    if (last->address + last->n * PAGE == address && last->first + last->n == next.first) {
      last->n += n;
      return;
    }
  }
  g_array_append_val(unit->stretches, next);
}

/* -- processes -- */

/* `offset length address perms path`, as parsers/guest.h has it; the path may be missing. */
static bool
add_map_line(DacsaScanUnit *unit, const char *line)
{
  uint64_t numbers[3];
  const char *at = line;

  for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
    char *end;

    numbers[i] = g_ascii_strtoull(at, &end, 16);
    if (end == at || *end != ' ')
      return false;
    at = end + 1;
  }
  if (strlen(at) < 4 || (at[4] != '\0' && at[4] != ' ') || numbers[0] != unit->n_pages * PAGE ||
      numbers[1] % PAGE != 0 || numbers[1] / PAGE > MAX_PAGES - unit->n_pages ||
      numbers[2] % PAGE != 0)
    return false;
  const DacsaScanMapping mapping = {numbers[2], numbers[2] + numbers[1], unit->n_pages,
                                    at[2] == 'x', at[4] ? g_strdup(at + 5) : NULL};
  g_array_append_val(unit->mappings, mapping);
  add_pages(unit, numbers[2], (guint)(numbers[1] / PAGE));
  return true;
}

static bool
read_map(DacsaScanUnit *unit, GError **error)
{
  g_autofree char *path = g_build_filename(unit->path, "memory.map", NULL);
  g_autofree char *text = NULL;

  if (!g_file_get_contents(path, &text, NULL, error))
    return false;
  for (char *rest = text; rest && *rest;)
    if (!add_map_line(unit, strsep(&rest, "\n")))
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: there is a line that makes no sense",
                        path);
  return true;
}

bool
dacsa_scan_unit_process(const char *directory, uint32_t pid, DacsaScanUnit **ret, GError **error)
{
  g_autoptr(DacsaScanUnit) unit = unit_new(DACSA_UNIT_PROCESS, directory, pid);

  if (!read_map(unit, error))
    return false;
  if (unit->n_pages == 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "process %u has no memory", pid);
  *ret = g_steal_pointer(&unit);
  return true;
}

/* -- modules -- */

static bool
add_part(DacsaScanUnit *unit, const char *part)
{
  char *end;
  const uint64_t address = g_ascii_strtoull(part, &end, 16);
  const uint64_t size = *end == '+' ? g_ascii_strtoull(end + 1, NULL, 10) : 0;

  if (size == 0 || address % PAGE != 0 || size % PAGE != 0 ||
      size / PAGE > MAX_PAGES - unit->n_pages)
    return false;
  const DacsaScanMapping mapping = {address, address + size, unit->n_pages, true,
                                    g_strdup(unit->name)};
  g_array_append_val(unit->mappings, mapping);
  add_pages(unit, address, (guint)(size / PAGE));
  return true;
}

bool
dacsa_scan_unit_module(const char *file, const char *name, const char *parts, DacsaScanUnit **ret,
                       GError **error)
{
  g_autoptr(DacsaScanUnit) unit = unit_new(DACSA_UNIT_MODULE, file, 0);
  g_auto(GStrv) words = g_strsplit(parts, " ", -1);

  unit->name = g_strdup(name);
  for (size_t i = 0; words[i]; i++)
    if (words[i][0] && !add_part(unit, words[i]))
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "where the module %s lies makes no sense: %s",
                        name, words[i]);
  if (unit->n_pages == 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the module %s has no memory", name);
  *ret = g_steal_pointer(&unit);
  return true;
}

/* -- physical memory -- */

/* Its file's pages are its frames: pages of a hole are in no stretch. */
static bool
add_data(DacsaScanUnit *unit, int fd, GError **error)
{
  const off_t size = lseek(fd, 0, SEEK_END);
  off_t at = 0;

  if (size < (off_t)PAGE || (uint64_t)size / PAGE > MAX_PAGES)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s has no size that can be scanned",
                      unit->path);
  while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
    const off_t hole = lseek(fd, at, SEEK_HOLE);
    const DacsaScanStretch stretch = {
        (uint64_t)at / PAGE * PAGE, (guint)((uint64_t)at / PAGE),
        (guint)(((uint64_t)hole + PAGE - 1) / PAGE - (uint64_t)at / PAGE)};

    if (hole <= at)
      break;
    g_array_append_val(unit->stretches, stretch);
    at = hole;
  }
  unit->n_pages = (guint)((uint64_t)size / PAGE);
  return errno == ENXIO || dacsa_fail_errno(error, errno, "%s cannot be read", unit->path);
}

bool
dacsa_scan_unit_physmem(const char *file, DacsaScanUnit **ret, GError **error)
{
  g_autoptr(DacsaScanUnit) unit = unit_new(DACSA_UNIT_PHYSMEM, file, 0);

  unit->name = g_strdup("physmem");
  const bool ok = dacsa_scan_unit_open(unit, error) && add_data(unit, unit->memory, error);
  dacsa_scan_unit_close(unit);
  if (!ok)
    return false;
  *ret = g_steal_pointer(&unit);
  return true;
}

/* -- all kinds -- */

static bool
open_file(const char *path, int *ret, GError **error)
{
  *ret = open(path, O_RDONLY | O_CLOEXEC);
  return *ret >= 0 || dacsa_fail_errno(error, errno, "%s cannot be opened", path);
}

bool
dacsa_scan_unit_open(DacsaScanUnit *unit, GError **error)
{
  g_autofree char *memory = g_build_filename(unit->path, "memory", NULL);
  g_autofree char *pagemap = g_build_filename(unit->path, "pagemap", NULL);

  if (unit->kind != DACSA_UNIT_PROCESS)
    return open_file(unit->path, &unit->memory, error);
  return open_file(memory, &unit->memory, error) && open_file(pagemap, &unit->pagemap, error);
}

void
dacsa_scan_unit_close(DacsaScanUnit *unit)
{
  if (unit->memory >= 0)
    close(unit->memory);
  if (unit->pagemap >= 0)
    close(unit->pagemap);
  unit->memory = unit->pagemap = -1;
}

bool
dacsa_scan_unit_read(const DacsaScanUnit *unit, guint page, guint n, void *ret)
{
  return dacsa_fd_read_all(unit->memory, page * PAGE, ret, n * DACSA_SCAN_PAGE);
}

bool
dacsa_scan_unit_frames(const DacsaScanUnit *unit, guint page, guint n, uint64_t *ret)
{
  if (unit->kind == DACSA_UNIT_PROCESS &&
      !dacsa_fd_read_all(unit->pagemap, page * (uint64_t)sizeof(*ret), ret, n * sizeof(*ret)))
    return false;
  for (guint i = 0; i < n; i++)
    switch (unit->kind) {
    case DACSA_UNIT_PROCESS:
      ret[i] = GUINT64_FROM_LE(ret[i]);
      break;
    case DACSA_UNIT_MODULE:
      ret[i] = NO_FRAME | dacsa_scan_unit_address(unit, page + i) / PAGE;
      break;
    case DACSA_UNIT_PHYSMEM:
      ret[i] = page + i;
      break;
    }
  return true;
}

uint64_t
dacsa_scan_unit_address(const DacsaScanUnit *unit, guint page)
{
  guint low = 0, high = unit->stretches->len;

  while (high - low > 1) {
    const guint middle = low + (high - low) / 2;

    if (g_array_index(unit->stretches, DacsaScanStretch, middle).first <= page)
      low = middle;
    else
      high = middle;
  }
  const DacsaScanStretch *stretch = &g_array_index(unit->stretches, DacsaScanStretch, low);
  return stretch->address + (page - stretch->first) * PAGE;
}

const DacsaScanMapping *
dacsa_scan_unit_mapping(const DacsaScanUnit *unit, uint64_t address)
{
  guint low = 0, high = unit->mappings->len;

  while (low < high) {
    const guint middle = low + (high - low) / 2;
    const DacsaScanMapping *mapping = &g_array_index(unit->mappings, DacsaScanMapping, middle);

    if (address < mapping->start)
      high = middle;
    else if (address >= mapping->end)
      low = middle + 1;
    else
      return mapping;
  }
  return NULL;
}
