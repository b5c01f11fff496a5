/* How inode numbers, rows of the table of nodes, and objects belong together. */
#include "fs/tree.h"

#include "fs/cache.h"
#include "fs/nodes.h"
#include "fs/objects.h"
#include "snap/error.h"

#include <string.h>

struct DacsaTree {
  DacsaTreeOptions options;
  DacsaCache *cache;
};

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
  return tree;
}

/* -- from inode numbers and names to places -- */

static bool
fail_gone(GError **error)
{
  return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "it is not there, or no longer");
}

/* Of a snapshot that is no more there are its directory and what is known of it. */
static bool
is_buried(unsigned row, const DacsaSnapshot *snapshot)
{
  return snapshot && row != DACSA_ROW_SNAPSHOT && row != DACSA_ROW_INFO &&
         dacsa_snapshot_grave(snapshot);
}

/* Fills in what a place refers to; ino is made of it. */
static bool
make_place(DacsaTree *tree, uint32_t scope, unsigned row, uint32_t object, DacsaPlace *ret,
           GError **error)
{
  g_auto(DacsaPlace)
      place = {.ino = dacsa_place_ino(scope, row, object), .row = row, .object = object};
  uint32_t vm_serial = scope;

  if (dacsa_node_is_below(row, DACSA_ROW_SNAPSHOT)) {
    place.snapshot = dacsa_registry_snapshot(tree->options.registry, scope, &vm_serial);
    if (!place.snapshot)
      return fail_gone(error);
    if (is_buried(row, place.snapshot))
      return dacsa_snapshot_check(place.snapshot, error);
  }
  if (row != DACSA_ROW_ROOT) {
    place.vm = dacsa_registry_vm(tree->options.registry, vm_serial);
    if (!place.vm)
      return fail_gone(error);
  }
  *ret = place;
  place = (DacsaPlace){0};
  return true;
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
      return make_place(tree, dacsa_snapshot_serial(s), DACSA_ROW_SNAPSHOT, 0, ret, error);
  }
  return fail_gone(error);
}

bool
dacsa_tree_place(DacsaTree *tree, uint64_t ino, DacsaPlace *ret, GError **error)
{
  uint64_t value = ino - 1;
  uint32_t scope = (uint32_t)(value >> (DACSA_ROW_BITS + DACSA_OBJECT_BITS));
  unsigned row = (unsigned)(value >> DACSA_OBJECT_BITS) & ((1u << DACSA_ROW_BITS) - 1);
  uint32_t object = (uint32_t)(value & ((1u << DACSA_OBJECT_BITS) - 1));

  /* The root has no scope. */
  if (ino == 0 || row >= DACSA_N_ROWS || (row == DACSA_ROW_ROOT && scope != 0) ||
      dacsa_object_row(row) != (object != 0))
    return fail_gone(error);
  g_auto(DacsaPlace) place = {0};
  if (!make_place(tree, scope, row, object, &place, error) ||
      (object != 0 && !dacsa_object_check(&place, error)))
    return false;
  *ret = place;
  place = (DacsaPlace){0};
  return true;
}

static bool
lookup_object(DacsaTree *tree, const DacsaPlace *parent, const char *name, DacsaPlace *ret,
              GError **error)
{
  unsigned row;
  uint32_t object;

  return dacsa_object_find(parent, name, &row, &object, error) &&
         make_place(tree, scope_of(parent), row, object, ret, error);
}

static bool
lookup(DacsaTree *tree, const DacsaPlace *parent, const char *name, DacsaPlace *ret, GError **error)
{
  for (unsigned row = 1; row < DACSA_N_ROWS; row++)
    if (dacsa_nodes[row].parent == parent->row && dacsa_nodes[row].name &&
        strcmp(dacsa_nodes[row].name, name) == 0)
      return dacsa_node_is_present(parent, row)
                 ? make_place(tree, scope_of(parent), row, parent->object, ret, error)
                 : fail_gone(error);
  if (parent->row == DACSA_ROW_ROOT) {
    g_autoptr(DacsaVmView) vm = dacsa_registry_vm_by_file_name(tree->options.registry, name);

    return vm ? make_place(tree, vm->serial, DACSA_ROW_VM, 0, ret, error) : fail_gone(error);
  }
  if (parent->row == DACSA_ROW_VM)
    return lookup_snapshot(tree, parent, name, ret, error);
  return lookup_object(tree, parent, name, ret, error);
}

bool
dacsa_tree_lookup(DacsaTree *tree, const DacsaPlace *parent, const char *name, DacsaPlace *ret,
                  GError **error)
{
  g_autoptr(GError) cause = NULL;

  if (lookup(tree, parent, name, ret, &cause))
    return true;
  /* That it is not there can be said of what is there. */
  if (parent->snapshot && !dacsa_snapshot_check(parent->snapshot, error))
    return false;
  g_propagate_error(error, g_steal_pointer(&cause));
  return false;
}

/* -- listing -- */

typedef struct {
  DacsaTreeEntry entry;
  void *data;
  uint32_t scope;
} Lister;

static mode_t
type_of(unsigned row)
{
  static const mode_t types[] = {
      [DACSA_KIND_DIRECTORY] = S_IFDIR, [DACSA_KIND_FILE] = S_IFREG, [DACSA_KIND_LINK] = S_IFLNK};

  return types[dacsa_nodes[row].kind];
}

static uint64_t
parent_ino(const DacsaPlace *place)
{
  unsigned row;
  uint32_t object;

  if (dacsa_nodes[place->row].parent == DACSA_ROW_ROOT)
    return DACSA_ROOT_INO;
  if (dacsa_nodes[place->row].parent == DACSA_ROW_VM)
    return dacsa_place_ino(place->vm->serial, DACSA_ROW_VM, 0);
  dacsa_object_parent(place, &row, &object);
  return dacsa_place_ino(scope_of(place), row, object);
}

static void
list_object(const char *name, unsigned row, uint32_t object, void *data)
{
  const Lister *l = data;

  l->entry(name, dacsa_place_ino(l->scope, row, object), type_of(row), l->data);
}

/* The entries that have no row of their own. */
static bool
list_many(DacsaTree *tree, const DacsaPlace *place, Lister *l, GError **error)
{
  if (place->row == DACSA_ROW_ROOT) {
    g_autoptr(GPtrArray) vms = dacsa_registry_vms(tree->options.registry);

    for (guint i = 0; i < vms->len; i++) {
      const DacsaVmView *vm = g_ptr_array_index(vms, i);

      l->entry(vm->file_name, dacsa_place_ino(vm->serial, DACSA_ROW_VM, 0), S_IFDIR, l->data);
    }
    return true;
  }
  if (place->row == DACSA_ROW_VM) {
    for (guint i = 0; i < place->vm->snapshots->len; i++) {
      const DacsaSnapshot *s = g_ptr_array_index(place->vm->snapshots, i);

      l->entry(dacsa_snapshot_record(s)->name,
               dacsa_place_ino(dacsa_snapshot_serial(s), DACSA_ROW_SNAPSHOT, 0), S_IFDIR, l->data);
    }
    return true;
  }
  return dacsa_object_list(place, list_object, l, error);
}

/* Whether the directory lists the row's entry. What is there only for some guests means to look for
 * the guest: not done for files where only directories are counted. */
static bool
lists_row(const DacsaTree *tree, const DacsaPlace *place, unsigned row, bool directories_only)
{
  const DacsaNode *node = &dacsa_nodes[row];

  return node->parent == place->row && node->name && !is_buried(row, place->snapshot) &&
         (!directories_only || node->kind == DACSA_KIND_DIRECTORY) &&
         (tree->options.show_all || !(node->flags & DACSA_FLAG_BY_NAME)) &&
         dacsa_node_is_present(place, row);
}

static bool
list(DacsaTree *tree, const DacsaPlace *place, bool directories_only, DacsaTreeEntry entry,
     void *data, GError **error)
{
  Lister lister = {entry, data, scope_of(place)};

  entry(".", place->ino, S_IFDIR, data);
  entry("..", parent_ino(place), S_IFDIR, data);
  for (unsigned row = 1; row < DACSA_N_ROWS; row++)
    if (lists_row(tree, place, row, directories_only))
      entry(dacsa_nodes[row].name, dacsa_place_ino(lister.scope, row, place->object), type_of(row),
            data);
  return list_many(tree, place, &lister, error);
}

bool
dacsa_tree_list(DacsaTree *tree, const DacsaPlace *place, DacsaTreeEntry entry, void *data,
                GError **error)
{
  /* A directory that has lost its end looks like one that is shorter. */
  return list(tree, place, false, entry, data, error) &&
         (!place->snapshot || dacsa_snapshot_grave(place->snapshot) ||
          dacsa_snapshot_check(place->snapshot, error));
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
  return place->vm ? place->vm->since_us : tree->options.since_us;
}

/* The group's rights are the owner's, but for writing. */
static mode_t
permissions(const DacsaTree *tree, unsigned row)
{
  mode_t mode = dacsa_nodes[row].mode;

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
  switch (dacsa_nodes[place->row].kind) {
  case DACSA_KIND_DIRECTORY:
    /* One link for each directory it lists, `.` and `..` (its own entry's stand-in) among them. */
    if (!list(tree, place, true, count_directory, &st.st_nlink, error))
      return false;
    break;
  case DACSA_KIND_LINK:
    if (!dacsa_tree_readlink(tree, place, &target, error))
      return false;
    st.st_nlink = 1;
    st.st_size = (off_t)strlen(target);
    break;
  case DACSA_KIND_FILE:
    if (!dacsa_tree_open(tree, place, &file, error))
      return false;
    st.st_nlink = 1;
    st.st_size = (off_t)dacsa_file_size(file);
    st.st_blocks = (blkcnt_t)((dacsa_file_data_bytes(file) + 511) / 512);
    if (place->row == DACSA_ROW_PHYSMEM)
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
  return dacsa_node_open(tree->cache, place, ret, error);
}

bool
dacsa_tree_readlink(DacsaTree *tree, const DacsaPlace *place, char **ret, GError **error)
{
  const DacsaSnapshot *newest = NULL;

  (void)tree;
  if (dacsa_nodes[place->row].kind != DACSA_KIND_LINK)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "it is not a link");
  for (guint i = 0; i < place->vm->snapshots->len; i++) {
    const DacsaSnapshot *s = g_ptr_array_index(place->vm->snapshots, i);

    if (!dacsa_snapshot_grave(s) && (!newest || !dacsa_snapshot_is_newer(newest, s)))
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
  return dacsa_node_is_live(place->row);
}

bool
dacsa_tree_is_vm(const DacsaPlace *place)
{
  return place->row == DACSA_ROW_VM;
}

bool
dacsa_tree_is_snapshot(const DacsaPlace *place)
{
  return place->row == DACSA_ROW_SNAPSHOT;
}

bool
dacsa_tree_costs(const DacsaPlace *place)
{
  return dacsa_nodes[place->row].kind == DACSA_KIND_FILE || dacsa_object_holder(place->row);
}

bool
dacsa_tree_is_directory(const DacsaPlace *place)
{
  return dacsa_nodes[place->row].kind == DACSA_KIND_DIRECTORY;
}

void
dacsa_tree_forget(DacsaTree *tree, uint32_t snapshot_serial)
{
  dacsa_cache_forget(tree->cache, dacsa_place_ino(snapshot_serial, 0, 0),
                     dacsa_place_ino(snapshot_serial + 1, 0, 0) - 1);
}
