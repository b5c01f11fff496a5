/* The table of nodes, and how an inode number, a row of it and an object belong together. */
#include "fs/tree.h"

#include "fs/cache.h"
#include "snap/error.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* An inode number less one: scope (a VM's or snapshot's serial) | row | object (a pid). */
#define OBJECT_BITS 30u
#define ROW_BITS 10u

typedef enum {
  KIND_DIRECTORY,
  KIND_FILE,
  KIND_LINK,
} Kind;

enum {
  FLAG_LIVE = 1 << 0,    /* the content may change: it is made anew at every look */
  FLAG_BY_NAME = 1 << 1, /* not listed, unless --show-all */
};

/* The rows. Each names its parent, and the three without a name stand for many entries each. */
enum {
  ROW_ROOT,
  ROW_VM,
  ROW_STATUS,
  ROW_LATEST,
  ROW_SNAPSHOT,
  ROW_INFO,
  ROW_PHYSMEM,
  ROW_CPUS,
  ROW_ERRORS,
  ROW_PROCESSES,
  ROW_PROCESS,
  ROW_COMM,
  ROW_CMDLINE,
  ROW_MAPS,
  ROW_MEMORY,
  ROW_MEMORY_MAP,
};

struct DacsaTree {
  DacsaTreeOptions options;
  DacsaCache *cache;
  int64_t since_us;
};

typedef bool (*Generator)(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret,
                          GError **error);

/* -- generators -- */

static bool
generate_status(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)tree;
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
generate_info(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  const DacsaRecord *r = dacsa_snapshot_record(place->snapshot);
  GString *out = g_string_new(NULL);
  uint64_t private_bytes;
  DacsaGuest *guest;

  (void)tree;
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
generate_physmem(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)tree;
  (void)error;
  *ret = dacsa_file_new_physmem(dacsa_snapshot_phys(place->snapshot),
                                dacsa_snapshot_resident(place->snapshot),
                                dacsa_layout_end(dacsa_snapshot_record(place->snapshot)->layout));
  return true;
}

static bool
generate_cpus(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)tree;
  (void)error;
  *ret = dacsa_file_new_text(g_string_new(dacsa_snapshot_record(place->snapshot)->registers));
  return true;
}

static bool
generate_errors(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  g_autofree char *text = dacsa_errors_text(dacsa_snapshot_errors(place->snapshot));

  (void)tree;
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
generate_comm(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)tree;
  return process_text(place, DACSA_PROCESS_COMM, ret, error);
}

static bool
generate_cmdline(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)tree;
  return process_text(place, DACSA_PROCESS_CMDLINE, ret, error);
}

static bool
generate_maps(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  (void)tree;
  return process_text(place, DACSA_PROCESS_MAPS, ret, error);
}

static bool
generate_memory(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  DacsaRuns *runs;
  DacsaGuest *guest;

  (void)tree;
  if (!dacsa_snapshot_guest(place->snapshot, &guest, error) ||
      !guest->os->memory(guest, place->pid, &runs, error))
    return false;
  *ret = dacsa_file_new_runs(runs, dacsa_snapshot_phys(place->snapshot));
  return true;
}

static uint64_t ino_of(uint32_t scope, unsigned row, uint32_t object);

static bool
generate_memory_map(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  g_autoptr(DacsaFile) memory = NULL;
  const DacsaPlace beside = {
      .ino = ino_of(dacsa_snapshot_serial(place->snapshot), ROW_MEMORY, place->pid),
      .row = ROW_MEMORY,
      .vm = place->vm,
      .snapshot = place->snapshot,
      .pid = place->pid};
  GString *out = g_string_new(NULL);
  DacsaGuest *guest;

  if (!dacsa_snapshot_guest(place->snapshot, &guest, error) ||
      !dacsa_tree_open(tree, &beside, &memory, error) ||
      !dacsa_guest_memory_map(guest, place->pid, dacsa_file_runs(memory), out, error)) {
    g_string_free(out, TRUE);
    return false;
  }
  *ret = dacsa_file_new_text(out);
  return true;
}

/* -- the table -- */

static const struct {
  const char *name;
  unsigned parent;
  Kind kind;
  mode_t mode;
  unsigned flags;
  Generator generate;
} nodes[] = {
    [ROW_ROOT] = {NULL, ROW_ROOT, KIND_DIRECTORY, 0500, 0, NULL},
    [ROW_VM] = {NULL, ROW_ROOT, KIND_DIRECTORY, 0700, 0, NULL},
    [ROW_STATUS] = {"status", ROW_VM, KIND_FILE, 0400, FLAG_LIVE, generate_status},
    [ROW_LATEST] = {"latest", ROW_VM, KIND_LINK, 0777, FLAG_LIVE, NULL},
    [ROW_SNAPSHOT] = {NULL, ROW_VM, KIND_DIRECTORY, 0500, 0, NULL},
    [ROW_INFO] = {"info", ROW_SNAPSHOT, KIND_FILE, 0400, FLAG_LIVE, generate_info},
    [ROW_PHYSMEM] = {"physmem", ROW_SNAPSHOT, KIND_FILE, 0400, 0, generate_physmem},
    [ROW_CPUS] = {"cpus", ROW_SNAPSHOT, KIND_FILE, 0400, 0, generate_cpus},
    [ROW_ERRORS] = {"errors", ROW_SNAPSHOT, KIND_FILE, 0400, FLAG_LIVE, generate_errors},
    [ROW_PROCESSES] = {"processes", ROW_SNAPSHOT, KIND_DIRECTORY, 0500, 0, NULL},
    [ROW_PROCESS] = {NULL, ROW_PROCESSES, KIND_DIRECTORY, 0500, 0, NULL},
    [ROW_COMM] = {"comm", ROW_PROCESS, KIND_FILE, 0400, 0, generate_comm},
    [ROW_CMDLINE] = {"cmdline", ROW_PROCESS, KIND_FILE, 0400, 0, generate_cmdline},
    [ROW_MAPS] = {"maps", ROW_PROCESS, KIND_FILE, 0400, 0, generate_maps},
    [ROW_MEMORY] = {"memory", ROW_PROCESS, KIND_FILE, 0400, 0, generate_memory},
    [ROW_MEMORY_MAP] = {"memory.map", ROW_PROCESS, KIND_FILE, 0400, 0, generate_memory_map},
};

G_STATIC_ASSERT(G_N_ELEMENTS(nodes) < 1u << ROW_BITS);

static uint64_t
ino_of(uint32_t scope, unsigned row, uint32_t object)
{
  return ((uint64_t)scope << (ROW_BITS + OBJECT_BITS) | (uint64_t)row << OBJECT_BITS | object) + 1;
}

/* Whether a row is this row or lies below it. */
static bool
is_below(unsigned row, unsigned ancestor)
{
  while (row != ancestor && row != ROW_ROOT)
    row = nodes[row].parent;
  return row == ancestor;
}

void
dacsa_place_clear(DacsaPlace *place)
{
  g_clear_pointer(&place->vm, dacsa_vm_view_free);
  g_clear_pointer(&place->snapshot, dacsa_snapshot_unref);
}

DacsaTree *
dacsa_tree_new(const DacsaTreeOptions *options)
{
  DacsaTree *tree = g_new0(DacsaTree, 1);

  tree->options = *options;
  tree->cache = dacsa_cache_new(options->cache_budget);
  tree->since_us = g_get_real_time();
  return tree;
}

/* -- from inode numbers and names to places -- */

static bool
fail_gone(GError **error)
{
  return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "it is not there, or no longer");
}

/* Fills in what a place refers to; ino is made of it. */
static bool
make_place(DacsaTree *tree, uint32_t scope, unsigned row, uint32_t object, DacsaPlace *ret,
           GError **error)
{
  g_auto(DacsaPlace) place = {.ino = ino_of(scope, row, object), .row = row, .pid = object};
  uint32_t vm_serial = scope;

  if (is_below(row, ROW_SNAPSHOT)) {
    place.snapshot = dacsa_registry_snapshot(tree->options.registry, scope, &vm_serial);
    if (!place.snapshot)
      return fail_gone(error);
  }
  if (row != ROW_ROOT) {
    place.vm = dacsa_registry_vm(tree->options.registry, vm_serial);
    if (!place.vm)
      return fail_gone(error);
  }
  *ret = place;
  place = (DacsaPlace){0};
  return true;
}

bool
dacsa_tree_place(DacsaTree *tree, uint64_t ino, DacsaPlace *ret, GError **error)
{
  uint64_t value = ino - 1;
  unsigned row = (unsigned)(value >> OBJECT_BITS) & ((1u << ROW_BITS) - 1);

  if (ino == 0 || row >= G_N_ELEMENTS(nodes))
    return fail_gone(error);
  return make_place(tree, (uint32_t)(value >> (ROW_BITS + OBJECT_BITS)), row,
                    (uint32_t)(value & ((1u << OBJECT_BITS) - 1)), ret, error);
}

static uint32_t
scope_of(const DacsaPlace *place)
{
  return place->snapshot ? dacsa_snapshot_serial(place->snapshot)
         : place->vm     ? place->vm->serial
                         : 0;
}

static bool
lookup_snapshot(DacsaTree *tree, const DacsaPlace *vm, const char *name, DacsaPlace *ret,
                GError **error)
{
  for (guint i = 0; i < vm->vm->snapshots->len; i++) {
    DacsaSnapshot *s = g_ptr_array_index(vm->vm->snapshots, i);

    if (strcmp(dacsa_snapshot_record(s)->name, name) == 0)
      return make_place(tree, dacsa_snapshot_serial(s), ROW_SNAPSHOT, 0, ret, error);
  }
  return fail_gone(error);
}

/* A pid as it is written, nothing else: no sign, no leading zero. */
static bool
parse_pid(const char *name, uint32_t *ret)
{
  guint64 pid;

  if (name[0] == '0' ||
      !g_ascii_string_to_unsigned(name, 10, 1, (1u << OBJECT_BITS) - 1, &pid, NULL))
    return false;
  *ret = (uint32_t)pid;
  return true;
}

/* The pids there are: none where the guest's system is not known, which `errors` tells. */
static bool
find_processes(const DacsaPlace *place, const GArray **ret, GError **error)
{
  DacsaGuest *guest;

  *ret = NULL;
  return !dacsa_snapshot_guest(place->snapshot, &guest, NULL) ||
         guest->os->processes(guest, ret, error);
}

static bool
has_process(const GArray *pids, uint32_t pid)
{
  guint low = 0;
  guint high = pids->len;

  while (low < high) {
    guint mid = low + (high - low) / 2;

    if (g_array_index(pids, uint32_t, mid) < pid)
      low = mid + 1;
    else
      high = mid;
  }
  return low < pids->len && g_array_index(pids, uint32_t, low) == pid;
}

static bool
lookup_process(DacsaTree *tree, const DacsaPlace *parent, const char *name, DacsaPlace *ret,
               GError **error)
{
  const GArray *pids;
  uint32_t pid;

  if (!parse_pid(name, &pid))
    return fail_gone(error);
  if (!find_processes(parent, &pids, error))
    return false;
  if (!pids || !has_process(pids, pid))
    return fail_gone(error);
  return make_place(tree, scope_of(parent), ROW_PROCESS, pid, ret, error);
}

/* Whether a node is there at all: `latest` is once there is a snapshot. */
static bool
is_present(const DacsaPlace *parent, unsigned row)
{
  return row != ROW_LATEST || parent->vm->snapshots->len > 0;
}

bool
dacsa_tree_lookup(DacsaTree *tree, const DacsaPlace *parent, const char *name, DacsaPlace *ret,
                  GError **error)
{
  for (unsigned row = 1; row < G_N_ELEMENTS(nodes); row++)
    if (nodes[row].parent == parent->row && nodes[row].name && strcmp(nodes[row].name, name) == 0)
      return is_present(parent, row)
                 ? make_place(tree, scope_of(parent), row, parent->pid, ret, error)
                 : fail_gone(error);
  if (parent->row == ROW_ROOT) {
    g_autoptr(DacsaVmView) vm = dacsa_registry_vm_by_file_name(tree->options.registry, name);

    return vm ? make_place(tree, vm->serial, ROW_VM, 0, ret, error) : fail_gone(error);
  }
  if (parent->row == ROW_VM)
    return lookup_snapshot(tree, parent, name, ret, error);
  if (parent->row == ROW_PROCESSES)
    return lookup_process(tree, parent, name, ret, error);
  return fail_gone(error);
}

/* -- listing -- */

typedef struct {
  DacsaTreeEntry entry;
  void *data;
} Lister;

static mode_t
type_of(unsigned row)
{
  static const mode_t types[] = {
      [KIND_DIRECTORY] = S_IFDIR, [KIND_FILE] = S_IFREG, [KIND_LINK] = S_IFLNK};

  return types[nodes[row].kind];
}

static uint64_t
parent_ino(const DacsaPlace *place)
{
  unsigned parent = nodes[place->row].parent;

  if (parent == ROW_ROOT)
    return DACSA_ROOT_INO;
  if (parent == ROW_VM)
    return ino_of(place->vm->serial, ROW_VM, 0);
  return ino_of(scope_of(place), parent, parent == ROW_PROCESS ? place->pid : 0);
}

static bool
list_many(DacsaTree *tree, const DacsaPlace *place, const Lister *l, GError **error)
{
  if (place->row == ROW_ROOT) {
    g_autoptr(GPtrArray) vms = dacsa_registry_vms(tree->options.registry);

    for (guint i = 0; i < vms->len; i++) {
      const DacsaVmView *vm = g_ptr_array_index(vms, i);

      l->entry(vm->file_name, ino_of(vm->serial, ROW_VM, 0), S_IFDIR, l->data);
    }
  } else if (place->row == ROW_VM) {
    for (guint i = 0; i < place->vm->snapshots->len; i++) {
      const DacsaSnapshot *s = g_ptr_array_index(place->vm->snapshots, i);

      l->entry(dacsa_snapshot_record(s)->name, ino_of(dacsa_snapshot_serial(s), ROW_SNAPSHOT, 0),
               S_IFDIR, l->data);
    }
  } else if (place->row == ROW_PROCESSES) {
    const GArray *pids;

    if (!find_processes(place, &pids, error))
      return false;
    for (guint i = 0; pids && i < pids->len; i++) {
      uint32_t pid = g_array_index(pids, uint32_t, i);
      char name[16];

      g_snprintf(name, sizeof(name), "%u", pid);
      l->entry(name, ino_of(scope_of(place), ROW_PROCESS, pid), S_IFDIR, l->data);
    }
  }
  return true;
}

bool
dacsa_tree_list(DacsaTree *tree, const DacsaPlace *place, DacsaTreeEntry entry, void *data,
                GError **error)
{
  const Lister lister = {entry, data};

  entry(".", place->ino, S_IFDIR, data);
  entry("..", parent_ino(place), S_IFDIR, data);
  for (unsigned row = 1; row < G_N_ELEMENTS(nodes); row++)
    if (nodes[row].parent == place->row && nodes[row].name &&
        (tree->options.show_all || !(nodes[row].flags & FLAG_BY_NAME)) && is_present(place, row))
      entry(nodes[row].name, ino_of(scope_of(place), row, place->pid), type_of(row), data);
  return list_many(tree, place, &lister, error);
}

/* -- attributes and content -- */

static void
count_directory(const char *name, uint64_t ino, mode_t type, void *data)
{
  (void)name;
  (void)ino;
  *(nlink_t *)data += type == S_IFDIR;
}

static int64_t
time_of(const DacsaTree *tree, const DacsaPlace *place)
{
  if (place->snapshot)
    return dacsa_snapshot_record(place->snapshot)->taken_us;
  return place->vm ? place->vm->since_us : tree->since_us;
}

/* The group's rights are the owner's, but for writing. */
static mode_t
permissions(const DacsaTree *tree, unsigned row)
{
  mode_t mode = nodes[row].mode;

  return tree->options.group ? mode | (mode & 0500) >> 3 : mode;
}

bool
dacsa_tree_stat(DacsaTree *tree, const DacsaPlace *place, struct stat *ret, GError **error)
{
  struct stat st = {0};
  int64_t us = time_of(tree, place);
  g_autoptr(DacsaFile) file = NULL;
  g_autofree char *target = NULL;

  st.st_ino = place->ino;
  st.st_mode = type_of(place->row) | permissions(tree, place->row);
  st.st_gid = tree->options.group;
  st.st_blksize = 1 << 20;
  st.st_atim.tv_sec = us / G_USEC_PER_SEC;
  st.st_atim.tv_nsec = us % G_USEC_PER_SEC * 1000;
  st.st_mtim = st.st_ctim = st.st_atim;
  switch (nodes[place->row].kind) {
  case KIND_DIRECTORY:
    /* One link for each directory it lists, `.` and `..` (its own entry's stand-in) among them. */
    if (!dacsa_tree_list(tree, place, count_directory, &st.st_nlink, error))
      return false;
    break;
  case KIND_LINK:
    if (!dacsa_tree_readlink(tree, place, &target, error))
      return false;
    st.st_nlink = 1;
    st.st_size = (off_t)strlen(target);
    break;
  case KIND_FILE:
    if (!dacsa_tree_open(tree, place, &file, error))
      return false;
    st.st_nlink = 1;
    st.st_size = (off_t)dacsa_file_size(file);
    st.st_blocks = (st.st_size + 511) / 512;
    if (place->row == ROW_PHYSMEM)
      st.st_blocks =
          (blkcnt_t)(dacsa_layout_ram_bytes(dacsa_snapshot_record(place->snapshot)->layout) / 512);
    break;
  }
  *ret = st;
  return true;
}

bool
dacsa_tree_open(DacsaTree *tree, const DacsaPlace *place, DacsaFile **ret, GError **error)
{
  g_autoptr(DacsaFile) file = NULL;

  if (nodes[place->row].kind != KIND_FILE)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "it is not a file");
  if (dacsa_tree_is_live(place))
    return nodes[place->row].generate(tree, place, ret, error);
  *ret = dacsa_cache_get(tree->cache, place->ino);
  if (*ret)
    return true;
  if (!nodes[place->row].generate(tree, place, &file, error))
    return false;
  *ret = dacsa_cache_put(tree->cache, place->ino, file);
  return true;
}

bool
dacsa_tree_readlink(DacsaTree *tree, const DacsaPlace *place, char **ret, GError **error)
{
  const DacsaSnapshot *newest = NULL;

  (void)tree;
  if (nodes[place->row].kind != KIND_LINK)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "it is not a link");
  for (guint i = 0; i < place->vm->snapshots->len; i++) {
    const DacsaSnapshot *s = g_ptr_array_index(place->vm->snapshots, i);

    if (!newest || dacsa_snapshot_record(s)->taken_us >= dacsa_snapshot_record(newest)->taken_us)
      newest = s;
  }
  if (!newest)
    return fail_gone(error);
  *ret = g_strdup(dacsa_snapshot_record(newest)->name);
  return true;
}

bool
dacsa_tree_is_live(const DacsaPlace *place)
{
  return nodes[place->row].flags & FLAG_LIVE || !is_below(place->row, ROW_SNAPSHOT);
}

bool
dacsa_tree_is_vm(const DacsaPlace *place)
{
  return place->row == ROW_VM;
}

bool
dacsa_tree_is_directory(const DacsaPlace *place)
{
  return nodes[place->row].kind == KIND_DIRECTORY;
}

void
dacsa_tree_forget(DacsaTree *tree, uint32_t snapshot_serial)
{
  dacsa_cache_forget(tree->cache, ino_of(snapshot_serial, 0, 0),
                     ino_of(snapshot_serial + 1, 0, 0) - 1);
}
