/* The table of nodes, and the generators of their content. */
#include "fs/nodes.h"

#include "snap/error.h"

#include <inttypes.h>

/* -- generators -- */

static bool
generate_status(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)cache;
  (void)error;
  *ret = dacsa_file_new_text(g_string_new(place->vm->status));
  return true;
}

static void
append_taken(GString *out, int64_t us)
{
  g_autoptr(GDateTime) seconds = g_date_time_new_from_unix_utc(us / G_USEC_PER_SEC);
  g_autofree char *text = g_date_time_format(seconds, "%Y-%m-%dT%H:%M:%S");

  g_string_append_printf(out, "taken: %s.%06" PRId64 "Z\n", text, us % G_USEC_PER_SEC);
}

static bool
generate_info(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  const DacsaRecord *r = dacsa_snapshot_record(place->snapshot);
  GString *out = g_string_new(NULL);
  uint64_t private_bytes;
  DacsaGuest *guest;

  (void)cache;
  (void)error;
  g_string_append_printf(out, "vm: %s\nuuid: %s\nsnapshot: %s\n", r->vm, r->uuid, r->name);
  append_taken(out, r->taken_us);
  g_string_append_printf(out,
                         "method: %s\npause_us: %" PRId64 "\nquiesce_us: %" PRId64
                         "\nfork_us: %" PRId64 "\nram_bytes: %" PRIu64 "\nresident_bytes: %" PRIu64
                         "\n",
                         r->method, r->pause_us, r->quiesce_us, r->fork_us,
                         dacsa_layout_ram_bytes(r->layout), r->resident_bytes);
  /* Padded, so that the file's size does not change with the one figure that does. */
  if (dacsa_snapshot_private_bytes(place->snapshot, &private_bytes))
    g_string_append_printf(out, "private_bytes: %-20" PRIu64 "\n", private_bytes);
  if (dacsa_snapshot_guest(place->snapshot, &guest, NULL))
    guest->os->describe(guest, out);
  *ret = dacsa_file_new_text(out);
  return true;
}

static bool
generate_physmem(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)cache;
  (void)error;
  *ret = dacsa_file_new_physmem(dacsa_snapshot_phys(place->snapshot),
                                dacsa_snapshot_resident(place->snapshot),
                                dacsa_layout_end(dacsa_snapshot_record(place->snapshot)->layout));
  return true;
}

static bool
generate_cpus(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)cache;
  (void)error;
  *ret = dacsa_file_new_text(g_string_new(dacsa_snapshot_record(place->snapshot)->registers));
  return true;
}

static bool
generate_errors(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  g_autofree char *text = dacsa_errors_text(dacsa_snapshot_errors(place->snapshot));

  (void)cache;
  (void)error;
  *ret = dacsa_file_new_text(g_string_new(text));
  return true;
}

static bool
process_text(const DacsaPlace *place, DacsaProcessText which, DacsaFile **ret, GError **error)
{
  GString *out = g_string_new(NULL);
  DacsaGuest *guest;

  if (!dacsa_snapshot_guest(place->snapshot, &guest, error) ||
      !guest->os->text[which](guest, place->pid, out, error)) {
    g_string_free(out, TRUE);
    return false;
  }
  *ret = dacsa_file_new_text(out);
  return true;
}

static bool
generate_comm(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)cache;
  return process_text(place, DACSA_PROCESS_COMM, ret, error);
}

static bool
generate_cmdline(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)cache;
  return process_text(place, DACSA_PROCESS_CMDLINE, ret, error);
}

static bool
generate_maps(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)cache;
  return process_text(place, DACSA_PROCESS_MAPS, ret, error);
}

static bool
generate_memory(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaRuns *runs;
  DacsaGuest *guest;

  (void)cache;
  if (!dacsa_snapshot_guest(place->snapshot, &guest, error) ||
      !guest->os->memory(guest, place->pid, &runs, error))
    return false;
  *ret = dacsa_file_new_runs(runs, dacsa_snapshot_phys(place->snapshot));
  return true;
}

static bool
generate_memory_map(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  g_autoptr(DacsaFile) memory = NULL;
  const DacsaPlace beside = {
      .ino = dacsa_place_ino(dacsa_snapshot_serial(place->snapshot), DACSA_ROW_MEMORY, place->pid),
      .row = DACSA_ROW_MEMORY,
      .vm = place->vm,
      .snapshot = place->snapshot,
      .pid = place->pid};
  GString *out = g_string_new(NULL);
  DacsaGuest *guest;

  if (!dacsa_snapshot_guest(place->snapshot, &guest, error) ||
      !dacsa_node_open(cache, &beside, &memory, error) ||
      !dacsa_guest_memory_map(guest, place->pid, dacsa_file_runs(memory), out, error)) {
    g_string_free(out, TRUE);
    return false;
  }
  *ret = dacsa_file_new_text(out);
  return true;
}

/* -- the table -- */

const DacsaNode dacsa_nodes[DACSA_N_ROWS] = {
    [DACSA_ROW_ROOT] = {NULL, DACSA_ROW_ROOT, DACSA_KIND_DIRECTORY, 0500, 0, NULL},
    [DACSA_ROW_VM] = {NULL, DACSA_ROW_ROOT, DACSA_KIND_DIRECTORY, 0700, 0, NULL},
    [DACSA_ROW_STATUS] = {"status", DACSA_ROW_VM, DACSA_KIND_FILE, 0400, DACSA_FLAG_LIVE,
                          generate_status},
    [DACSA_ROW_LATEST] = {"latest", DACSA_ROW_VM, DACSA_KIND_LINK, 0777, DACSA_FLAG_LIVE, NULL},
    [DACSA_ROW_SNAPSHOT] = {NULL, DACSA_ROW_VM, DACSA_KIND_DIRECTORY, 0500, 0, NULL},
    [DACSA_ROW_INFO] = {"info", DACSA_ROW_SNAPSHOT, DACSA_KIND_FILE, 0400, DACSA_FLAG_LIVE,
                        generate_info},
    [DACSA_ROW_PHYSMEM] = {"physmem", DACSA_ROW_SNAPSHOT, DACSA_KIND_FILE, 0400, 0,
                           generate_physmem},
    [DACSA_ROW_CPUS] = {"cpus", DACSA_ROW_SNAPSHOT, DACSA_KIND_FILE, 0400, 0, generate_cpus},
    [DACSA_ROW_ERRORS] = {"errors", DACSA_ROW_SNAPSHOT, DACSA_KIND_FILE, 0400, DACSA_FLAG_LIVE,
                          generate_errors},
    [DACSA_ROW_PROCESSES] = {"processes", DACSA_ROW_SNAPSHOT, DACSA_KIND_DIRECTORY, 0500, 0, NULL},
    [DACSA_ROW_PROCESS] = {NULL, DACSA_ROW_PROCESSES, DACSA_KIND_DIRECTORY, 0500, 0, NULL},
    [DACSA_ROW_COMM] = {"comm", DACSA_ROW_PROCESS, DACSA_KIND_FILE, 0400, 0, generate_comm},
    [DACSA_ROW_CMDLINE] = {"cmdline", DACSA_ROW_PROCESS, DACSA_KIND_FILE, 0400, 0,
                           generate_cmdline},
    [DACSA_ROW_MAPS] = {"maps", DACSA_ROW_PROCESS, DACSA_KIND_FILE, 0400, 0, generate_maps},
    [DACSA_ROW_MEMORY] = {"memory", DACSA_ROW_PROCESS, DACSA_KIND_FILE, 0400, 0, generate_memory},
    [DACSA_ROW_MEMORY_MAP] = {"memory.map", DACSA_ROW_PROCESS, DACSA_KIND_FILE, 0400, 0,
                              generate_memory_map},
};

G_STATIC_ASSERT(DACSA_N_ROWS < 1u << DACSA_ROW_BITS);

/* -- rows and content -- */

bool
dacsa_node_is_below(unsigned row, unsigned ancestor)
{
  while (row != ancestor && row != DACSA_ROW_ROOT)
    row = dacsa_nodes[row].parent;
  return row == ancestor;
}

bool
dacsa_node_is_live(unsigned row)
{
  return dacsa_nodes[row].flags & DACSA_FLAG_LIVE || !dacsa_node_is_below(row, DACSA_ROW_SNAPSHOT);
}

bool
dacsa_node_open(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  g_autoptr(DacsaFile) file = NULL;

  if (dacsa_nodes[place->row].kind != DACSA_KIND_FILE)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "it is not a file");
  if (dacsa_node_is_live(place->row))
    return dacsa_nodes[place->row].generate(cache, place, ret, error);
  *ret = dacsa_cache_get(cache, place->ino);
  if (*ret)
    return true;
  if (!dacsa_nodes[place->row].generate(cache, place, &file, error))
    return false;
  *ret = dacsa_cache_put(cache, place->ino, file);
  return true;
}
