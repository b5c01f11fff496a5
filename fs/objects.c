/* Processes, their mappings, modules, cached files: one row for each directory that holds such. */
#include "fs/objects.h"

#include "fs/names.h"
#include "fs/nodes.h"
#include "snap/error.h"

#include <string.h>

static bool
fail_gone(GError **error)
{
  return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "it is not there");
}

/* NULL where the guest's system is not known, which `errors` tells. */
static DacsaGuest *
guest_of(const DacsaPlace *place)
{
  DacsaGuest *guest;

  return dacsa_snapshot_guest(place->snapshot, &guest, NULL) ? guest : NULL;
}

/* -- processes -- */

static bool
find_pids(const DacsaPlace *place, const GArray **ret, GError **error)
{
  DacsaGuest *guest = guest_of(place);

  *ret = NULL;
  return !guest || guest->os->processes(guest, ret, error);
}

static gint
compare_pids(gconstpointer a, gconstpointer b)
{
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

  return x < y ? -1 : x > y;
}

static bool
process_check(const DacsaPlace *place, GError **error)
{
  const GArray *pids;

  if (!find_pids(place, &pids, error))
    return false;
  return (pids &&
          g_array_binary_search((GArray *)(uintptr_t)pids, &place->object, compare_pids, NULL)) ||
         fail_gone(error);
}

/* A pid as it is written, nothing else: no sign, no leading zero. */
static bool
process_find(const DacsaPlace *directory, const char *name, unsigned *ret_row, uint32_t *ret_object,
             GError **error)
{
  DacsaPlace place = {.snapshot = directory->snapshot};
  guint64 pid;

  if (name[0] == '0' ||
      !g_ascii_string_to_unsigned(name, 10, 1, (1u << DACSA_OBJECT_BITS) - 1, &pid, NULL))
    return fail_gone(error);
  place.object = (uint32_t)pid;
  *ret_row = DACSA_ROW_PROCESS;
  *ret_object = place.object;
  return process_check(&place, error);
}

static bool
process_list(const DacsaPlace *directory, DacsaObjectFunc func, void *data, GError **error)
{
  const GArray *pids;

  if (!find_pids(directory, &pids, error))
    return false;
  for (guint i = 0; pids && i < pids->len; i++) {
    uint32_t pid = g_array_index(pids, uint32_t, i);
    char name[16];

    g_snprintf(name, sizeof(name), "%u", pid);
    func(name, DACSA_ROW_PROCESS, pid, data);
  }
  return true;
}

/* -- mappings -- */

static bool
region_check(const DacsaPlace *place, GError **error)
{
  DacsaRegionRange range;

  return dacsa_regions_get(dacsa_snapshot_regions(place->snapshot), place->object, &range, error);
}

static bool
region_find(const DacsaPlace *directory, const char *name, unsigned *ret_row, uint32_t *ret_object,
            GError **error)
{
  DacsaGuest *guest = guest_of(directory);

  *ret_row = DACSA_ROW_REGION;
  return guest ? dacsa_regions_find(dacsa_snapshot_regions(directory->snapshot), guest,
                                    directory->object, name, ret_object, error)
               : fail_gone(error);
}

typedef struct {
  DacsaObjectFunc func;
  void *data;
} RegionLister;

static void
list_region(const char *name, uint32_t number, void *data)
{
  const RegionLister *lister = data;

  lister->func(name, DACSA_ROW_REGION, number, lister->data);
}

static bool
region_list(const DacsaPlace *directory, DacsaObjectFunc func, void *data, GError **error)
{
  DacsaGuest *guest = guest_of(directory);
  RegionLister lister = {func, data};

  return !guest || dacsa_regions_list(dacsa_snapshot_regions(directory->snapshot), guest,
                                      directory->object, list_region, &lister, error);
}

/* -- modules -- */

static bool
find_modules(const DacsaPlace *place, const GPtrArray **ret, GError **error)
{
  DacsaGuest *guest = guest_of(place);

  *ret = NULL;
  return !guest || !guest->os->modules || guest->os->modules(guest, ret, error);
}

static bool
module_check(const DacsaPlace *place, GError **error)
{
  const GPtrArray *names;

  if (!find_modules(place, &names, error))
    return false;
  return (names && place->object <= names->len) || fail_gone(error);
}

static bool
module_find(const DacsaPlace *directory, const char *name, unsigned *ret_row, uint32_t *ret_object,
            GError **error)
{
  const GPtrArray *names;

  if (!find_modules(directory, &names, error))
    return false;
  for (guint i = 0; names && i < names->len; i++) {
    g_autofree char *its_name = dacsa_name_escape(g_ptr_array_index(names, i));

    if (strcmp(its_name, name) == 0) {
      *ret_row = DACSA_ROW_KERNEL_MODULE;
      *ret_object = i + 1;
      return true;
    }
  }
  return fail_gone(error);
}

static bool
module_list(const DacsaPlace *directory, DacsaObjectFunc func, void *data, GError **error)
{
  const GPtrArray *names;

  if (!find_modules(directory, &names, error))
    return false;
  for (guint i = 0; names && i < names->len; i++) {
    g_autofree char *name = dacsa_name_escape(g_ptr_array_index(names, i));

    func(name, DACSA_ROW_KERNEL_MODULE, i + 1, data);
  }
  return true;
}

/* -- cached files -- */

static unsigned
file_row(const DacsaGuestFile *file)
{
  return file->is_directory ? DACSA_ROW_FILES_DIRECTORY : DACSA_ROW_FILES_FILE;
}

static bool
file_get(const DacsaPlace *place, DacsaGuestFile *ret, GError **error)
{
  DacsaGuest *guest = guest_of(place);

  return guest && guest->os->file ? guest->os->file(guest, place->object, ret, error)
                                  : fail_gone(error);
}

static bool
file_check(const DacsaPlace *place, GError **error)
{
  g_auto(DacsaGuestFile) file = {0};

  return file_get(place, &file, error) && (file_row(&file) == place->row || fail_gone(error));
}

static bool
file_find(const DacsaPlace *directory, const char *name, unsigned *ret_row, uint32_t *ret_object,
          GError **error)
{
  DacsaGuest *guest = guest_of(directory);
  g_autofree char *raw = dacsa_name_unescape(name);
  g_auto(DacsaGuestFile) file = {0};

  if (!guest || !guest->os->file_lookup || !raw)
    return fail_gone(error);
  if (!guest->os->file_lookup(guest, directory->object, raw, &file, error))
    return false;
  *ret_row = file_row(&file);
  *ret_object = file.id;
  return true;
}

static bool
file_list(const DacsaPlace *directory, DacsaObjectFunc func, void *data, GError **error)
{
  DacsaGuest *guest = guest_of(directory);
  g_autoptr(GArray) files = NULL;

  if (!guest || !guest->os->files)
    return true;
  if (!guest->os->files(guest, directory->object, &files, error))
    return false;
  for (guint i = 0; i < files->len; i++) {
    const DacsaGuestFile *file = &g_array_index(files, DacsaGuestFile, i);
    g_autofree char *name = dacsa_name_escape(file->name);

    func(name, file_row(file), file->id, data);
  }
  return true;
}

/* -- the directories that hold objects -- */

static const struct {
  unsigned directory;
  bool (*find)(const DacsaPlace *directory, const char *name, unsigned *ret_row,
               uint32_t *ret_object, GError **error);
  bool (*list)(const DacsaPlace *directory, DacsaObjectFunc func, void *data, GError **error);
} holders[] = {
    {DACSA_ROW_PROCESSES, process_find, process_list},
    {DACSA_ROW_REGIONS, region_find, region_list},
    {DACSA_ROW_KERNEL_MODULES, module_find, module_list},
    {DACSA_ROW_FILES, file_find, file_list},
    {DACSA_ROW_FILES_DIRECTORY, file_find, file_list},
};

static const struct {
  unsigned row; /* it, and all rows below it but those named before, are of one object */
  bool (*check)(const DacsaPlace *place, GError **error);
} kinds[] = {
    {DACSA_ROW_REGION, region_check},        {DACSA_ROW_PROCESS, process_check},
    {DACSA_ROW_KERNEL_MODULE, module_check}, {DACSA_ROW_FILES_DIRECTORY, file_check},
    {DACSA_ROW_FILES_FILE, file_check},
};

bool
dacsa_object_row(unsigned row)
{
  for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (dacsa_node_is_below(row, kinds[i].row))
      return true;
  return false;
}

bool
dacsa_object_holder(unsigned row)
{
  for (size_t i = 0; i < G_N_ELEMENTS(holders); i++)
    if (holders[i].directory == row)
      return true;
  return false;
}

bool
dacsa_object_check(const DacsaPlace *place, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (dacsa_node_is_below(place->row, kinds[i].row))
      return kinds[i].check(place, error);
  return fail_gone(error);
}

bool
dacsa_object_find(const DacsaPlace *directory, const char *name, unsigned *ret_row,
                  uint32_t *ret_object, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS(holders); i++)
    if (holders[i].directory == directory->row)
      return holders[i].find(directory, name, ret_row, ret_object, error);
  return fail_gone(error);
}

bool
dacsa_object_list(const DacsaPlace *directory, DacsaObjectFunc func, void *data, GError **error)
{
  for (size_t i = 0; i < G_N_ELEMENTS(holders); i++)
    if (holders[i].directory == directory->row)
      return holders[i].list(directory, func, data, error);
  return true;
}

void
dacsa_object_parent(const DacsaPlace *place, unsigned *ret_row, uint32_t *ret_object)
{
  g_auto(DacsaGuestFile) file = {0};
  DacsaRegionRange range;

  *ret_row = dacsa_nodes[place->row].parent;
  *ret_object = dacsa_object_row(*ret_row) ? place->object : 0;
  if (*ret_row == DACSA_ROW_REGIONS &&
      dacsa_regions_get(dacsa_snapshot_regions(place->snapshot), place->object, &range, NULL))
    *ret_object = range.pid;
  if (*ret_row == DACSA_ROW_FILES && file_get(place, &file, NULL) && file.parent != 0) {
    *ret_row = DACSA_ROW_FILES_DIRECTORY;
    *ret_object = file.parent;
  }
}
