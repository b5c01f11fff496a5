/* The table of nodes, and the generators of their content. */
#include "fs/nodes.h"

#include "parsers/cpus.h"
#include "parsers/vmcore.h"
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

static bool
generate_info(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
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

/* One of the guest's texts, of a process or of the system. */
static bool
generate_text(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
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

static bool
generate_memory(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaRuns *runs = NULL;
  DacsaGuest *guest;

  (void)cache;
  return dacsa_snapshot_guest(place->snapshot, &guest, error) &&
         runs_file(guest->os->memory(guest, place->object, &runs, error), &runs, place, ret);
}

static bool
generate_exe(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaRuns *runs = NULL;
  DacsaGuest *guest;

  (void)cache;
  return dacsa_snapshot_guest(place->snapshot, &guest, error) &&
         runs_file(guest->os->exe(guest, place->object, &runs, error), &runs, place, ret);
}

static bool
generate_btf(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaRuns *runs = NULL;
  DacsaGuest *guest;

  (void)cache;
  return dacsa_snapshot_guest(place->snapshot, &guest, error) &&
         runs_file(guest->os->btf(guest, &runs, error), &runs, place, ret);
}

static bool
generate_module(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaRuns *runs = NULL;
  DacsaGuest *guest;

  (void)cache;
  return dacsa_snapshot_guest(place->snapshot, &guest, error) &&
         runs_file(guest->os->module_memory(guest, place->object - 1, &runs, error), &runs, place,
                   ret);
}

static bool
generate_cached(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaRuns *runs = NULL;
  DacsaGuest *guest;

  (void)cache;
  return dacsa_snapshot_guest(place->snapshot, &guest, error) &&
         runs_file(guest->os->file_content(guest, place->object, &runs, error), &runs, place, ret);
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

static bool
generate_pagemap(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  g_autoptr(DacsaFile) memory = NULL;

  if (!open_memory(cache, place, &memory, error))
    return false;
  *ret = dacsa_file_new_pagemap(memory);
  return true;
}

/* The part of `memory` that lies in a mapping. */
static bool
generate_region(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
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

static bool
generate_core(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaRuns *runs = NULL;
  DacsaGuest *guest;

  (void)cache;
  return dacsa_snapshot_guest(place->snapshot, &guest, error) &&
         runs_file(guest->os->core(guest, place->object, &runs, error), &runs, place, ret);
}

static bool
generate_vmcore(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
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

static bool
generate_isf(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  g_autoptr(GString) out = g_string_new(NULL);
  DacsaGuest *guest;

  (void)cache;
  if (!dacsa_snapshot_guest(place->snapshot, &guest, error) || !guest->os->isf(guest, out, error))
    return false;
  *ret = dacsa_file_new_text(g_steal_pointer(&out));
  return true;
}

static bool
generate_memory_map(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret, GError **error)
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

/* -- what is there -- */

static bool
has_snapshot(const DacsaPlace *parent, unsigned which)
{
  (void)which;
  for (guint i = 0; i < parent->vm->snapshots->len; i++)
    if (!dacsa_snapshot_grave(g_ptr_array_index(parent->vm->snapshots, i)))
      return true;
  return false;
}

/* The guest's ops; NULL: no system that we know runs there. */
static const DacsaGuestOs *
os_of(const DacsaPlace *place)
{
  DacsaGuest *guest;

  return dacsa_snapshot_guest(place->snapshot, &guest, NULL) ? guest->os : NULL;
}

static bool
has_process_text(const DacsaPlace *parent, unsigned which)
{
  const DacsaGuestOs *os = os_of(parent);

  return os && os->process_text[which];
}

static bool
has_system_text(const DacsaPlace *parent, unsigned which)
{
  const DacsaGuestOs *os = os_of(parent);

  return os && os->system_text[which];
}

static bool
has_btf(const DacsaPlace *parent, unsigned which)
{
  const DacsaGuestOs *os = os_of(parent);

  (void)which;
  return os && os->btf;
}

static bool
has_regions(const DacsaPlace *parent, unsigned which)
{
  const DacsaGuestOs *os = os_of(parent);

  (void)which;
  return os && os->regions;
}

static bool
has_core(const DacsaPlace *parent, unsigned which)
{
  DacsaGuest *guest;

  (void)which;
  return dacsa_snapshot_guest(parent->snapshot, &guest, NULL) && guest->os->core &&
         guest->os->has_core(guest, parent->object);
}

static bool
has_isf(const DacsaPlace *parent, unsigned which)
{
  const DacsaGuestOs *os = os_of(parent);

  (void)which;
  return os && os->isf;
}

static bool
has_exe(const DacsaPlace *parent, unsigned which)
{
  DacsaGuest *guest;

  (void)which;
  return dacsa_snapshot_guest(parent->snapshot, &guest, NULL) && guest->os->exe &&
         guest->os->has_exe(guest, parent->object);
}

static bool
has_files(const DacsaPlace *parent, unsigned which)
{
  const DacsaGuestOs *os = os_of(parent);

  (void)which;
  return os && os->files;
}

/* -- the table -- */

#define DIRECTORY(name, parent, flags)                                                             \
  {                                                                                                \
    name, DACSA_ROW_##parent, DACSA_KIND_DIRECTORY, 0500, flags, NULL, 0, NULL                     \
  }
#define GENERATED(name, parent, flags, generate)                                                   \
  {                                                                                                \
    name, DACSA_ROW_##parent, DACSA_KIND_FILE, 0400, flags, generate, 0, NULL                      \
  }
#define PROCESS_TEXT(name, which)                                                                  \
  {                                                                                                \
    name, DACSA_ROW_PROCESS, DACSA_KIND_FILE, 0400, 0, generate_text, DACSA_PROCESS_##which,       \
        has_process_text                                                                           \
  }
#define SYSTEM_TEXT(name, parent, which)                                                           \
  {                                                                                                \
    name, DACSA_ROW_##parent, DACSA_KIND_FILE, 0400, 0, generate_text, DACSA_SYSTEM_##which,       \
        has_system_text                                                                            \
  }

const DacsaNode dacsa_nodes[DACSA_N_ROWS] = {
    [DACSA_ROW_ROOT] = DIRECTORY(NULL, ROOT, 0),
    [DACSA_ROW_VM] = {NULL, DACSA_ROW_ROOT, DACSA_KIND_DIRECTORY, 0700, 0, NULL, 0, NULL},
    [DACSA_ROW_STATUS] = GENERATED("status", VM, DACSA_FLAG_LIVE, generate_status),
    [DACSA_ROW_LATEST] = {"latest", DACSA_ROW_VM, DACSA_KIND_LINK, 0777, DACSA_FLAG_LIVE, NULL, 0,
                          has_snapshot},
    [DACSA_ROW_SNAPSHOT] = DIRECTORY(NULL, VM, 0),
    [DACSA_ROW_INFO] = GENERATED("info", SNAPSHOT, DACSA_FLAG_LIVE, generate_info),
    [DACSA_ROW_PHYSMEM] = GENERATED("physmem", SNAPSHOT, 0, generate_physmem),
    [DACSA_ROW_CPUS] = GENERATED("cpus", SNAPSHOT, 0, generate_cpus),
    [DACSA_ROW_ERRORS] = GENERATED("errors", SNAPSHOT, DACSA_FLAG_LIVE, generate_errors),
    [DACSA_ROW_MODULES] = SYSTEM_TEXT("modules", SNAPSHOT, MODULES),
    [DACSA_ROW_NETCONNS] = SYSTEM_TEXT("netconns", SNAPSHOT, NETCONNS),

    [DACSA_ROW_PROCESSES] = DIRECTORY("processes", SNAPSHOT, 0),
    [DACSA_ROW_PROCESS] = DIRECTORY(NULL, PROCESSES, 0),
    [DACSA_ROW_COMM] = PROCESS_TEXT("comm", COMM),
    [DACSA_ROW_CMDLINE] = PROCESS_TEXT("cmdline", CMDLINE),
    [DACSA_ROW_ENVIRON] = PROCESS_TEXT("environ", ENVIRON),
    [DACSA_ROW_PROCESS_STATUS] = PROCESS_TEXT("status", STATUS),
    [DACSA_ROW_MAPS] = PROCESS_TEXT("maps", MAPS),
    [DACSA_ROW_MEMORY] = GENERATED("memory", PROCESS, 0, generate_memory),
    [DACSA_ROW_MEMORY_MAP] = GENERATED("memory.map", PROCESS, 0, generate_memory_map),
    [DACSA_ROW_PAGEMAP] = GENERATED("pagemap", PROCESS, DACSA_FLAG_BY_NAME, generate_pagemap),
    [DACSA_ROW_CORE] = {"core", DACSA_ROW_PROCESS, DACSA_KIND_FILE, 0400, DACSA_FLAG_BY_NAME,
                        generate_core, 0, has_core},
    [DACSA_ROW_REGIONS] = {"regions", DACSA_ROW_PROCESS, DACSA_KIND_DIRECTORY, 0500,
                           DACSA_FLAG_BY_NAME, NULL, 0, has_regions},
    [DACSA_ROW_REGION] = GENERATED(NULL, REGIONS, 0, generate_region),
    [DACSA_ROW_FDS] = PROCESS_TEXT("fds", FDS),
    [DACSA_ROW_PROCESS_NETCONNS] = PROCESS_TEXT("netconns", NETCONNS),
    [DACSA_ROW_THREADS] = PROCESS_TEXT("threads", THREADS),
    [DACSA_ROW_EXE] = {"exe", DACSA_ROW_PROCESS, DACSA_KIND_FILE, 0400, 0, generate_exe, 0,
                       has_exe},

    [DACSA_ROW_KERNEL] = DIRECTORY("kernel", SNAPSHOT, 0),
    [DACSA_ROW_BANNER] = SYSTEM_TEXT("banner", KERNEL, BANNER),
    [DACSA_ROW_KERNEL_CMDLINE] = SYSTEM_TEXT("cmdline", KERNEL, CMDLINE),
    [DACSA_ROW_CPUINFO] = SYSTEM_TEXT("cpuinfo", KERNEL, CPUINFO),
    [DACSA_ROW_DMESG] = SYSTEM_TEXT("dmesg", KERNEL, DMESG),
    [DACSA_ROW_KALLSYMS] = SYSTEM_TEXT("kallsyms", KERNEL, KALLSYMS),
    [DACSA_ROW_BTF] = {"btf", DACSA_ROW_KERNEL, DACSA_KIND_FILE, 0400, 0, generate_btf, 0, has_btf},
    [DACSA_ROW_MOUNTS] = SYSTEM_TEXT("mounts", KERNEL, MOUNTS),
    [DACSA_ROW_SYSCTL] = SYSTEM_TEXT("sysctl", KERNEL, SYSCTL),
    [DACSA_ROW_KERNEL_MODULES] = DIRECTORY("modules", KERNEL, 0),
    [DACSA_ROW_KERNEL_MODULE] = GENERATED(NULL, KERNEL_MODULES, 0, generate_module),

    [DACSA_ROW_JSON] = DIRECTORY("json", SNAPSHOT, 0),
    [DACSA_ROW_JSON_PROCESSES] = SYSTEM_TEXT("processes.jsonl", JSON, JSON_PROCESSES),
    [DACSA_ROW_JSON_THREADS] = SYSTEM_TEXT("threads.jsonl", JSON, JSON_THREADS),
    [DACSA_ROW_JSON_FDS] = SYSTEM_TEXT("fds.jsonl", JSON, JSON_FDS),
    [DACSA_ROW_JSON_MAPS] = SYSTEM_TEXT("maps.jsonl", JSON, JSON_MAPS),
    [DACSA_ROW_JSON_MODULES] = SYSTEM_TEXT("modules.jsonl", JSON, JSON_MODULES),
    [DACSA_ROW_JSON_NETCONNS] = SYSTEM_TEXT("netconns.jsonl", JSON, JSON_NETCONNS),
    [DACSA_ROW_JSON_MOUNTS] = SYSTEM_TEXT("mounts.jsonl", JSON, JSON_MOUNTS),
    [DACSA_ROW_JSON_DMESG] = SYSTEM_TEXT("dmesg.jsonl", JSON, JSON_DMESG),

    [DACSA_ROW_VMCORE] = GENERATED("vmcore", SNAPSHOT, DACSA_FLAG_BY_NAME, generate_vmcore),

    [DACSA_ROW_SYMBOLS] = {"symbols", DACSA_ROW_SNAPSHOT, DACSA_KIND_DIRECTORY, 0500,
                           DACSA_FLAG_BY_NAME, NULL, 0, has_isf},
    [DACSA_ROW_SYMBOLS_LINUX] = DIRECTORY("linux", SYMBOLS, 0),
    [DACSA_ROW_ISF] = GENERATED("vmlinux.json", SYMBOLS_LINUX, 0, generate_isf),

    [DACSA_ROW_FILES] = {"files", DACSA_ROW_SNAPSHOT, DACSA_KIND_DIRECTORY, 0500,
                         DACSA_FLAG_BY_NAME, NULL, 0, has_files},
    [DACSA_ROW_FILES_DIRECTORY] = DIRECTORY(NULL, FILES, 0),
    [DACSA_ROW_FILES_FILE] = GENERATED(NULL, FILES, 0, generate_cached),
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
dacsa_node_is_present(const DacsaPlace *parent, unsigned row)
{
  const DacsaNode *node = &dacsa_nodes[row];

  return !node->is_present || node->is_present(parent, node->which);
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
  g_autoptr(GError) cause = NULL;
  const bool made = dacsa_nodes[place->row].generate(cache, place, &file, &cause);
  if (!dacsa_snapshot_check(place->snapshot, error))
    return false;
  if (!made) {
    g_propagate_error(error, g_steal_pointer(&cause));
    return false;
  }
  *ret = dacsa_cache_put(cache, place->ino, file);
  return true;
}
