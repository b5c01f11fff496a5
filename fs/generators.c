/* The content of files: what is known of a snapshot, and what its guest's operating system tells.
 */
#include "fs/generators.h"

#include "parsers/cpus.h"
#include "parsers/vmcore.h"

#include <inttypes.h>

bool
dacsa_generate_status(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)cache;
  (void)error;
  *ret = dacsa_file_new_text(g_string_new(place->vm->status));
  return true;
}

/* Of one that is no more, the last of the figure that changes, and why it is. */
static void
append_grave(GString *out, const DacsaGrave *grave)
{
  g_autofree char *dropped = dacsa_record_time(grave->dropped_us);
  g_autofree char *why = g_strdelimit(g_strdup(grave->why), "\n", ' ');

  if (grave->private_bytes)
    g_string_append_printf(out, "private_bytes: %" PRIu64 "\n", grave->private_bytes);
  g_string_append_printf(out, "state: dropped\ndropped: %s\nwhy: %s\n", dropped, why);
}

bool
dacsa_generate_info(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  const DacsaRecord *r = dacsa_snapshot_record(place->snapshot);
  const DacsaGrave *grave = dacsa_snapshot_grave(place->snapshot);
  g_autofree char *taken = dacsa_record_time(r->taken_us);
  GString *out = g_string_new(NULL);
  uint64_t private_bytes;
  DacsaGuest *guest;

  (void)cache;
  (void)error;
  g_string_append_printf(out, "vm: %s\nuuid: %s\nsnapshot: %s\ntaken: %s\n", r->vm, r->uuid,
                         r->name, taken);
  g_string_append_printf(out,
                         "method: %s\npause_us: %" PRId64 "\nquiesce_us: %" PRId64
                         "\nfork_us: %" PRId64 "\nram_bytes: %" PRIu64 "\nresident_bytes: %" PRIu64
                         "\n",
                         r->method, r->pause_us, r->quiesce_us, r->fork_us,
                         dacsa_layout_ram_bytes(r->layout), r->resident_bytes);
  /* Padded, so that the file's size does not change with the one figure that does. */
  if (grave)
    append_grave(out, grave);
  else if (dacsa_snapshot_private_bytes(place->snapshot, &private_bytes))
    g_string_append_printf(out, "private_bytes: %-20" PRIu64 "\n", private_bytes);
  if (dacsa_snapshot_guest(place->snapshot, &guest, NULL))
    guest->os->describe(guest, out);
  *ret = dacsa_file_new_text(out);
  return true;
}

bool
dacsa_generate_physmem(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)cache;
  (void)error;
  *ret = dacsa_file_new_physmem(dacsa_snapshot_phys(place->snapshot),
                                dacsa_snapshot_resident(place->snapshot),
                                dacsa_layout_end(dacsa_snapshot_record(place->snapshot)->layout));
  return true;
}

bool
dacsa_generate_cpus(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)cache;
  (void)error;
  *ret = dacsa_file_new_text(g_string_new(dacsa_snapshot_record(place->snapshot)->registers));
  return true;
}

bool
dacsa_generate_errors(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  g_autofree char *text = dacsa_errors_text(dacsa_snapshot_errors(place->snapshot));

  (void)cache;
  (void)error;
  *ret = dacsa_file_new_text(g_string_new(text));
  return true;
}

bool
dacsa_generate_text(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  const unsigned which = dacsa_nodes[place->row].which;
  GString *out = g_string_new(NULL);
  DacsaGuest *guest;

  (void)cache;
  if (!dacsa_snapshot_guest(place->snapshot, &guest, error) ||
      !(place->object ? guest->os->process_text[which](guest, place->object, out, error)
                      : guest->os->system_text[which](guest, out, error))) {
    g_string_free(out, TRUE);
    return false;
  }
  *ret = dacsa_file_new_text(out);
  return true;
}

/* Runs of guest memory as a file, where making them succeeded. */
static bool
runs_file(bool made, DacsaRuns *const *runs, const DacsaPlace *place, DacsaFile **ret)
{
  if (made)
    *ret = dacsa_file_new_runs(*runs, dacsa_snapshot_phys(place->snapshot));
  return made;
}

bool
dacsa_generate_runs(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  const unsigned which = dacsa_nodes[place->row].which;
  DacsaRuns *runs = NULL;
  DacsaGuest *guest;

  (void)cache;
  return dacsa_snapshot_guest(place->snapshot, &guest, error) &&
         runs_file(
             G_STRUCT_MEMBER(DacsaRunsFunc, guest->os, which)(guest, place->object, &runs, error),
             &runs, place, ret);
}

bool
dacsa_generate_btf(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaRuns *runs = NULL;
  DacsaGuest *guest;

  (void)cache;
  return dacsa_snapshot_guest(place->snapshot, &guest, error) &&
         runs_file(guest->os->btf(guest, &runs, error), &runs, place, ret);
}

bool
dacsa_generate_module(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaRuns *runs = NULL;
  DacsaGuest *guest;

  (void)cache;
  return dacsa_snapshot_guest(place->snapshot, &guest, error) &&
         runs_file(guest->os->module_memory(guest, place->object - 1, &runs, error), &runs, place,
                   ret);
}

/* The `memory` beside a file of a process. */
static bool
open_memory(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  const DacsaPlace beside = {.ino = dacsa_place_ino(dacsa_snapshot_serial(place->snapshot),
                                                    DACSA_ROW_MEMORY, place->object),
                             .row = DACSA_ROW_MEMORY,
                             .vm = place->vm,
                             .snapshot = place->snapshot,
                             .object = place->object};

  return dacsa_node_open(cache, &beside, ret, error);
}

bool
dacsa_generate_pagemap(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  g_autoptr(DacsaFile) memory = NULL;

  if (!open_memory(cache, place, &memory, error))
    return false;
  *ret = dacsa_file_new_pagemap(memory);
  return true;
}

bool
dacsa_generate_region(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaRegions *regions = dacsa_snapshot_regions(place->snapshot);
  DacsaPlace process = *place;
  g_autoptr(DacsaFile) memory = NULL;
  DacsaRegionRange range;

  if (!dacsa_regions_get(regions, place->object, &range, error))
    return false;
  process.object = range.pid;
  if (!open_memory(cache, &process, &memory, error))
    return false;
  DacsaRuns *runs = dacsa_regions_content(dacsa_file_runs(memory), range.start, range.end);
  *ret = dacsa_file_new_runs(runs, dacsa_snapshot_phys(place->snapshot));
  return true;
}

bool
dacsa_generate_vmcore(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaSnapshot *s = place->snapshot;
  const DacsaRecord *record = dacsa_snapshot_record(s);
  g_autoptr(GArray) cpus = dacsa_cpus_parse_all(record->registers);
  DacsaVmcoreSource source = {record->layout, cpus, dacsa_snapshot_resident(s), NULL,
                              dacsa_snapshot_errors(s)};

  (void)cache;
  (void)error;
  if (!dacsa_snapshot_guest(s, &source.guest, NULL))
    source.guest = NULL;
  *ret = dacsa_file_new_runs(dacsa_vmcore_new(&source), dacsa_snapshot_phys(s));
  return true;
}

bool
dacsa_generate_isf(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  g_autoptr(GString) out = g_string_new(NULL);
  DacsaGuest *guest;

  (void)cache;
  if (!dacsa_snapshot_guest(place->snapshot, &guest, error) || !guest->os->isf(guest, out, error))
    return false;
  *ret = dacsa_file_new_text(g_steal_pointer(&out));
  return true;
}

bool
dacsa_generate_memory_map(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret,
                          GError **error)
{
  g_autoptr(DacsaFile) memory = NULL;
  GString *out = g_string_new(NULL);
  DacsaGuest *guest;

  if (!dacsa_snapshot_guest(place->snapshot, &guest, error) ||
      !open_memory(cache, place, &memory, error) ||
      !dacsa_guest_memory_map(guest, place->object, dacsa_file_runs(memory), out, error)) {
    g_string_free(out, TRUE);
    return false;
  }
  *ret = dacsa_file_new_text(out);
  return true;
}
