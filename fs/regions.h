/* The mappings of processes as files: `<start>-<end>-<label>`, none over DACSA_REGION_MAX. A larger
 * mapping is cut into pieces of that size, of which those without a resident page are left out. One
 * table a snapshot: it numbers what it lists, for inode numbers, and forgets nothing while it
 * lives. A table that another viewer makes of the same snapshot later lists in another order, so it
 * has other numbers: none of an earlier one means anything in it. Usable from several threads. */
#pragma once

#include "parsers/guest.h"

#define DACSA_REGION_MAX (UINT64_C(1) << 30) /* bytes */
#define DACSA_REGION_TABLES 256u             /* of one snapshot, each with numbers of its own */

typedef struct DacsaRegions DacsaRegions;

/* Borrows errors. time: how many tables of this snapshot there were before, in other viewers; from
 * DACSA_REGION_TABLES on no numbers are left, and every list is cut short. */
DacsaRegions *dacsa_regions_new(DacsaErrors *errors, uint32_t time);
void dacsa_regions_free(DacsaRegions *regions);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaRegions, dacsa_regions_free)

/* What a number stands for. */
typedef struct {
  uint32_t pid;
  uint64_t start, end;
} DacsaRegionRange;

typedef void (*DacsaRegionFunc)(const char *name, uint32_t number, void *data);

/* Calls func for each file of a process, ascending by address. No name comes twice. */
bool dacsa_regions_list(DacsaRegions *regions, DacsaGuest *guest, uint32_t pid,
                        DacsaRegionFunc func, void *data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The number (> 0) of the file of that name. NOT_FOUND: there is none. */
bool dacsa_regions_find(DacsaRegions *regions, DacsaGuest *guest, uint32_t pid, const char *name,
                        uint32_t *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The range of a number that the two above have given. NOT_FOUND: they have not. */
bool dacsa_regions_get(DacsaRegions *regions, uint32_t number, DacsaRegionRange *ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The content of a range: what memory (a process's, ascending by gva) has of [start, end), offset =
 * gva - start, holes elsewhere. Owned. */
DacsaRuns *dacsa_regions_content(const DacsaRuns *memory, uint64_t start, uint64_t end);
