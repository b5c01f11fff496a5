/* A mapped file's pages, from the page cache. */
#include "parsers/linux/core-file.h"

#include "parsers/linux/mapping.h"
#include "parsers/linux/walk.h"

#define MAX_SWAPPED (1u << 20) /* runs of pages of one file */
#define PAGE DACSA_PAGE_SIZE
#define XA_VALUE UINT64_C(1) /* include/linux/xarray.h, xa_is_value: shared memory swapped out */

static bool
visit_swapped(uint64_t index, uint64_t count, uint64_t entry, void *data)
{
  DacsaRuns *swapped = data;

  if (!(entry & XA_VALUE))
    return true;
  return index < (uint64_t)INT64_MAX / PAGE - count && swapped->runs->len < MAX_SWAPPED &&
         dacsa_runs_append_at(swapped, index * PAGE, index * PAGE, index * PAGE, count * PAGE);
}

/* A file of a file system that is nowhere but in memory: shared memory, memfd, tmpfs, ramfs,
 * hugetlbfs. */
static bool
is_memory_only(const DacsaLinux *l, uint64_t mapping)
{
  static const DacsaLinuxSymbol all[] = {S_SHMEM_AOPS, S_RAM_AOPS, S_HUGETLBFS_AOPS};
  uint64_t ops;

  if (!dacsa_linux_get(l, mapping, M_MAPPING_OPS, &ops, NULL) || ops == 0)
    return false;
  for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
    if (ops == dacsa_linux_symbol(l, all[i]))
      return true;
  return false;
}

void
dacsa_linux_core_file_clear(DacsaLinuxCoreFile *file)
{
  g_clear_pointer(&file->cached, dacsa_runs_free);
  g_clear_pointer(&file->swapped, dacsa_runs_free);
  file->mapping = 0;
}

/* What of the file is swapped out; NULL: it cannot be told, which is noted. */
static DacsaRuns *
find_swapped(const DacsaLinuxCore *core, uint64_t mapping)
{
  DacsaLinux *l = core->l;
  g_autoptr(DacsaRuns) swapped = dacsa_runs_new();
  g_autoptr(GError) cause = NULL;

  if (dacsa_linux_xarray_each(l, mapping + dacsa_linux_offset(l, M_MAPPING_PAGES), visit_swapped,
                              swapped, &cause) &&
      swapped->runs->len < MAX_SWAPPED)
    return g_steal_pointer(&swapped);
  dacsa_errors_add(l->errors, core->where,
                   cause ? cause->message : "a file with too many pages that are swapped out");
  return NULL;
}

/* Its last page is whole: the kernel keeps zeros behind a file's end. */
bool
dacsa_linux_core_file(const DacsaLinuxCore *core, const DacsaLinuxMapping *m,
                      DacsaLinuxCoreFile *file, GError **error)
{
  DacsaLinux *l = core->l;
  uint64_t mapping, host, size;

  if (!dacsa_linux_get(l, m->file, M_FILE_MAPPING, &mapping, error))
    return false;
  if (mapping == file->mapping && file->cached)
    return true;
  dacsa_linux_core_file_clear(file);
  if (!dacsa_linux_get(l, mapping, M_MAPPING_HOST, &host, error) ||
      !dacsa_linux_get(l, host, M_INODE_SIZE, &size, error))
    return false;
  size = MIN(size, (uint64_t)INT64_MAX - PAGE);
  file->mapping = mapping;
  file->cached = dacsa_linux_mapping_runs(l, mapping, (size + PAGE - 1) / PAGE * PAGE, core->where);
  if (is_memory_only(l, mapping))
    file->swapped = find_swapped(core, mapping);
  return true;
}
