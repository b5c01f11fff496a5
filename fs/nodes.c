/* The table of nodes. */
#include "fs/nodes.h"

#include "fs/generators.h"
#include "snap/error.h"

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

/* which: the offset in DacsaGuestOs of a function, without which there is nothing to show. */
static bool
has_function(const DacsaPlace *parent, unsigned which)
{
  const DacsaGuestOs *os = os_of(parent);

  return os && G_STRUCT_MEMBER(void *, os, which);
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
has_exe(const DacsaPlace *parent, unsigned which)
{
  DacsaGuest *guest;

  (void)which;
  return dacsa_snapshot_guest(parent->snapshot, &guest, NULL) && guest->os->exe &&
         guest->os->has_exe(guest, parent->object);
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
#define FUNCTION(member) G_STRUCT_OFFSET(DacsaGuestOs, member)
#define RUNS(name, parent, flags, member, is_present)                                              \
  {                                                                                                \
    name, DACSA_ROW_##parent, DACSA_KIND_FILE, 0400, flags, dacsa_generate_runs, FUNCTION(member), \
        is_present                                                                                 \
  }
#define PROCESS_TEXT(name, which)                                                                  \
  {                                                                                                \
    name, DACSA_ROW_PROCESS, DACSA_KIND_FILE, 0400, 0, dacsa_generate_text, DACSA_PROCESS_##which, \
        has_process_text                                                                           \
  }
#define SYSTEM_TEXT(name, parent, which)                                                           \
  {                                                                                                \
    name, DACSA_ROW_##parent, DACSA_KIND_FILE, 0400, 0, dacsa_generate_text, DACSA_SYSTEM_##which, \
        has_system_text                                                                            \
  }

const DacsaNode dacsa_nodes[DACSA_N_ROWS] = {
    [DACSA_ROW_ROOT] = DIRECTORY(NULL, ROOT, 0),
    [DACSA_ROW_VM] = {NULL, DACSA_ROW_ROOT, DACSA_KIND_DIRECTORY, 0700, 0, NULL, 0, NULL},
    [DACSA_ROW_STATUS] = GENERATED("status", VM, DACSA_FLAG_LIVE, dacsa_generate_status),
    [DACSA_ROW_LATEST] = {"latest", DACSA_ROW_VM, DACSA_KIND_LINK, 0777, DACSA_FLAG_LIVE, NULL, 0,
                          has_snapshot},
    [DACSA_ROW_SNAPSHOT] = DIRECTORY(NULL, VM, 0),
    [DACSA_ROW_INFO] = GENERATED("info", SNAPSHOT, DACSA_FLAG_LIVE, dacsa_generate_info),
    [DACSA_ROW_PHYSMEM] = GENERATED("physmem", SNAPSHOT, 0, dacsa_generate_physmem),
    [DACSA_ROW_CPUS] = GENERATED("cpus", SNAPSHOT, 0, dacsa_generate_cpus),
    [DACSA_ROW_ERRORS] = GENERATED("errors", SNAPSHOT, DACSA_FLAG_LIVE, dacsa_generate_errors),
    [DACSA_ROW_MODULES] = SYSTEM_TEXT("modules", SNAPSHOT, MODULES),
    [DACSA_ROW_NETCONNS] = SYSTEM_TEXT("netconns", SNAPSHOT, NETCONNS),

    [DACSA_ROW_PROCESSES] = DIRECTORY("processes", SNAPSHOT, 0),
    [DACSA_ROW_PROCESS] = DIRECTORY(NULL, PROCESSES, 0),
    [DACSA_ROW_COMM] = PROCESS_TEXT("comm", COMM),
    [DACSA_ROW_CMDLINE] = PROCESS_TEXT("cmdline", CMDLINE),
    [DACSA_ROW_ENVIRON] = PROCESS_TEXT("environ", ENVIRON),
    [DACSA_ROW_PROCESS_STATUS] = PROCESS_TEXT("status", STATUS),
    [DACSA_ROW_MAPS] = PROCESS_TEXT("maps", MAPS),
    [DACSA_ROW_MEMORY] = RUNS("memory", PROCESS, 0, memory, NULL),
    [DACSA_ROW_MEMORY_MAP] = GENERATED("memory.map", PROCESS, 0, dacsa_generate_memory_map),
    [DACSA_ROW_PAGEMAP] = GENERATED("pagemap", PROCESS, DACSA_FLAG_BY_NAME, dacsa_generate_pagemap),
    [DACSA_ROW_CORE] = RUNS("core", PROCESS, DACSA_FLAG_BY_NAME, core, has_core),
    [DACSA_ROW_REGIONS] = {"regions", DACSA_ROW_PROCESS, DACSA_KIND_DIRECTORY, 0500,
                           DACSA_FLAG_BY_NAME, NULL, FUNCTION(regions), has_function},
    [DACSA_ROW_REGION] = GENERATED(NULL, REGIONS, 0, dacsa_generate_region),
    [DACSA_ROW_FDS] = PROCESS_TEXT("fds", FDS),
    [DACSA_ROW_PROCESS_NETCONNS] = PROCESS_TEXT("netconns", NETCONNS),
    [DACSA_ROW_THREADS] = PROCESS_TEXT("threads", THREADS),
    [DACSA_ROW_EXE] = RUNS("exe", PROCESS, 0, exe, has_exe),

    [DACSA_ROW_KERNEL] = DIRECTORY("kernel", SNAPSHOT, 0),
    [DACSA_ROW_BANNER] = SYSTEM_TEXT("banner", KERNEL, BANNER),
    [DACSA_ROW_KERNEL_CMDLINE] = SYSTEM_TEXT("cmdline", KERNEL, CMDLINE),
    [DACSA_ROW_CPUINFO] = SYSTEM_TEXT("cpuinfo", KERNEL, CPUINFO),
    [DACSA_ROW_DMESG] = SYSTEM_TEXT("dmesg", KERNEL, DMESG),
    [DACSA_ROW_KALLSYMS] = SYSTEM_TEXT("kallsyms", KERNEL, KALLSYMS),
    [DACSA_ROW_BTF] = {"btf", DACSA_ROW_KERNEL, DACSA_KIND_FILE, 0400, 0, dacsa_generate_btf,
                       FUNCTION(btf), has_function},
    [DACSA_ROW_MOUNTS] = SYSTEM_TEXT("mounts", KERNEL, MOUNTS),
    [DACSA_ROW_SYSCTL] = SYSTEM_TEXT("sysctl", KERNEL, SYSCTL),
    [DACSA_ROW_KERNEL_MODULES] = DIRECTORY("modules", KERNEL, 0),
    [DACSA_ROW_KERNEL_MODULE] = GENERATED(NULL, KERNEL_MODULES, 0, dacsa_generate_module),

    [DACSA_ROW_JSON] = DIRECTORY("json", SNAPSHOT, 0),
    [DACSA_ROW_JSON_PROCESSES] = SYSTEM_TEXT("processes.jsonl", JSON, JSON_PROCESSES),
    [DACSA_ROW_JSON_THREADS] = SYSTEM_TEXT("threads.jsonl", JSON, JSON_THREADS),
    [DACSA_ROW_JSON_FDS] = SYSTEM_TEXT("fds.jsonl", JSON, JSON_FDS),
    [DACSA_ROW_JSON_MAPS] = SYSTEM_TEXT("maps.jsonl", JSON, JSON_MAPS),
    [DACSA_ROW_JSON_MODULES] = SYSTEM_TEXT("modules.jsonl", JSON, JSON_MODULES),
    [DACSA_ROW_JSON_NETCONNS] = SYSTEM_TEXT("netconns.jsonl", JSON, JSON_NETCONNS),
    [DACSA_ROW_JSON_MOUNTS] = SYSTEM_TEXT("mounts.jsonl", JSON, JSON_MOUNTS),
    [DACSA_ROW_JSON_DMESG] = SYSTEM_TEXT("dmesg.jsonl", JSON, JSON_DMESG),

    [DACSA_ROW_VMCORE] = GENERATED("vmcore", SNAPSHOT, DACSA_FLAG_BY_NAME, dacsa_generate_vmcore),

    [DACSA_ROW_SYMBOLS] = {"symbols", DACSA_ROW_SNAPSHOT, DACSA_KIND_DIRECTORY, 0500,
                           DACSA_FLAG_BY_NAME, NULL, FUNCTION(isf), has_function},
    [DACSA_ROW_SYMBOLS_LINUX] = DIRECTORY("linux", SYMBOLS, 0),
    [DACSA_ROW_ISF] = GENERATED("vmlinux.json", SYMBOLS_LINUX, 0, dacsa_generate_isf),

    [DACSA_ROW_FILES] = {"files", DACSA_ROW_SNAPSHOT, DACSA_KIND_DIRECTORY, 0500,
                         DACSA_FLAG_BY_NAME, NULL, FUNCTION(files), has_function},
    [DACSA_ROW_FILES_DIRECTORY] = DIRECTORY(NULL, FILES, 0),
    [DACSA_ROW_FILES_FILE] = RUNS(NULL, FILES, 0, file_content, NULL),
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
