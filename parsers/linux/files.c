/*
 * The tree of cached files: all superblocks, of each the inodes that have pages, of each inode the
 * way from its first dentry up to the superblock's root. A superblock is a directory at the top:
 * `major:minor-type-where`, where it is mounted as the guest's init sees it.
 *
 * A file whose name was deleted keeps its last one and ` (deleted)`; one that has no place in its
 * file system, such as a memfd, is at the top of it; one that the kernel has no name of is
 * `#inode`.
 */
#include "parsers/linux/files.h"

#include "parsers/filetree.h"
#include "parsers/linux/mapping.h"
#include "parsers/linux/places.h"
#include "parsers/linux/walk.h"
#include "snap/error.h"

#include <string.h>
#include <sys/stat.h>

#define WHERE "files"
#define MAX_SUPERS 65536u
#define MAX_INODES DACSA_LINUX_MAX_ENTRIES /* looked at, of all superblocks */
#define MAX_ALIASES 64u                    /* of one inode, looked at for one that is not deleted */
#define MAX_DEPTH 2048u                    /* PATH_MAX / 2 */
#define MAX_DENTRIES (1u << 21)            /* of directories, of one superblock */
#define MAX_TYPE 32u

typedef struct {
  DacsaLinux *l;
  DacsaFiletree *tree;
  GHashTable *places;   /* super_block -> the path it is mounted at (owned) */
  GHashTable *dentries; /* a directory's dentry -> its id; 0: it leads to no superblock's root */
  GHashTable *inodes;   /* those in the tree */
  GArray *chain;        /* dentries: a way up */
  uint64_t super, root; /* the superblock being walked, and its root's dentry */
  uint32_t super_id;    /* 0: nothing of it is cached so far */
  uint32_t supers, looked_at;
  bool is_full;
} Maker;

static void
note(const Maker *m, const char *text)
{
  dacsa_errors_add(m->l->errors, WHERE, text);
}

/* -- names -- */

static bool
is_hashed(const DacsaLinux *l, uint64_t dentry)
{
  uint64_t pprev;

  return dacsa_linux_get(l, dentry, M_DENTRY_HASH_PPREV, &pprev, NULL) && pprev != 0;
}

/* Its name, and whether that is the name of a thing gone. */
static bool
entry_name(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error)
{
  g_autofree char *name = NULL;

  if (!dacsa_linux_name(l, dentry, &name, error))
    return false;
  *ret = is_hashed(l, dentry) ? g_steal_pointer(&name) : g_strdup_printf("%s (deleted)", name);
  return true;
}

/* -- directories -- */

static uint32_t
add(Maker *m, uint32_t parent, bool is_directory, const char *name, uint64_t object,
    uint64_t number)
{
  uint32_t id = dacsa_filetree_add(m->tree, parent, is_directory, name, object, number);

  if (id == 0) {
    m->is_full = true;
    note(m, "cut short: too many cached files");
  }
  return id;
}

static char *
super_name(const Maker *m)
{
  const char *where = g_hash_table_lookup(m->places, GSIZE_TO_POINTER(m->super));
  uint64_t device = 0, type = 0, name = 0;
  g_autofree char *text = NULL;

  if (!dacsa_linux_get(m->l, m->super, M_SB_DEV, &device, NULL) ||
      !dacsa_linux_get(m->l, m->super, M_SB_TYPE, &type, NULL) ||
      !dacsa_linux_get(m->l, type, M_FS_TYPE_NAME, &name, NULL) ||
      !dacsa_mem_read_string(m->l->memory, name, MAX_TYPE, &text, NULL))
    note(m, "a file system does not say what it is");
  return g_strdup_printf("%" PRIu64 ":%" PRIu64 "%s%s%s%s", device >> 20, device & 0xfffff,
                         text ? "-" : "", text ? text : "", where ? "-" : "", where ? where : "");
}

/* The superblock's directory; made when there is something to put there. */
static uint32_t
super_directory(Maker *m)
{
  if (m->super_id == 0) {
    g_autofree char *name = super_name(m);

    m->super_id = add(m, 0, true, name, m->super, m->supers);
  }
  return m->super_id;
}

/* Gathers in m->chain the dentries from this one up to one whose directory is known; that one's id
 * is returned. 0: the way does not lead to the root. */
static uint32_t
climb(Maker *m, uint64_t dentry)
{
  g_array_set_size(m->chain, 0);
  for (;;) {
    void *id;
    uint64_t parent;

    if (dentry == m->root)
      return super_directory(m);
    if (g_hash_table_lookup_extended(m->dentries, GSIZE_TO_POINTER(dentry), NULL, &id))
      return GPOINTER_TO_UINT(id);
    g_array_append_val(m->chain, dentry);
    if (m->chain->len >= MAX_DEPTH ||
        !dacsa_linux_get(m->l, dentry, M_DENTRY_PARENT, &parent, NULL) || parent == dentry)
      return 0;
    dentry = parent;
  }
}

static uint64_t
inode_number(const DacsaLinux *l, uint64_t dentry)
{
  uint64_t inode, ino;

  return dacsa_linux_get(l, dentry, M_DENTRY_INODE, &inode, NULL) &&
                 dacsa_linux_get(l, inode, M_INODE_INO, &ino, NULL)
             ? ino
             : 0;
}

static uint32_t
make_directory(Maker *m, uint32_t parent, uint64_t dentry)
{
  g_autofree char *name = NULL;

  return parent != 0 && entry_name(m->l, dentry, &name, NULL)
             ? add(m, parent, true, name, 0, inode_number(m->l, dentry))
             : 0;
}

/* The id of a directory, made with all above it. 0: it has no place below the superblock's root. */
static uint32_t
directory_of(Maker *m, uint64_t dentry)
{
  uint32_t id = climb(m, dentry);

  for (guint i = m->chain->len; i > 0; i--) {
    const uint64_t at = g_array_index(m->chain, uint64_t, i - 1);

    id = make_directory(m, id, at);
    g_hash_table_insert(m->dentries, GSIZE_TO_POINTER(at), GUINT_TO_POINTER(id));
  }
  m->is_full = m->is_full || g_hash_table_size(m->dentries) > MAX_DENTRIES;
  return id;
}

/* -- files -- */

typedef struct {
  const DacsaLinux *l;
  uint64_t dentry; /* 0: none yet */
  uint32_t n;
} Aliases;

/* The first that is not deleted, else the first. */
static bool
visit_alias(uint64_t dentry, void *data)
{
  Aliases *a = data;
  const bool hashed = is_hashed(a->l, dentry);

  if (a->dentry == 0 || hashed)
    a->dentry = dentry;
  return !hashed && ++a->n < MAX_ALIASES;
}

static uint64_t
alias_of(const DacsaLinux *l, uint64_t inode)
{
  Aliases a = {l, 0, 0};

  (void)dacsa_linux_hlist_each(l, inode + dacsa_linux_offset(l, M_INODE_DENTRY), M_DENTRY_ALIAS,
                               visit_alias, &a, NULL);
  return a.dentry;
}

/* A device's name is its number; that of a file the last of its way, and *ret_parent where it is.
 */
static char *
file_name(Maker *m, uint64_t inode, uint64_t ino, bool is_device, uint32_t *ret_parent)
{
  const uint64_t dentry = is_device ? 0 : alias_of(m->l, inode);
  g_autofree char *name = NULL;
  uint64_t parent, device;

  *ret_parent = 0;
  if (is_device && dacsa_linux_get(m->l, inode, M_INODE_RDEV, &device, NULL))
    return g_strdup_printf("%" PRIu64 ":%" PRIu64, device >> 20, device & 0xfffff);
  if (dentry == 0 || !entry_name(m->l, dentry, &name, NULL) ||
      !dacsa_linux_get(m->l, dentry, M_DENTRY_PARENT, &parent, NULL) || strcmp(name, "/") == 0)
    return g_strdup_printf("#%" PRIu64, ino);
  if (parent != dentry)
    *ret_parent = directory_of(m, parent);
  return g_steal_pointer(&name);
}

static bool
add_file(Maker *m, uint64_t inode, bool is_device, GError **error)
{
  uint64_t ino;
  uint32_t parent;

  if (!dacsa_linux_get(m->l, inode, M_INODE_INO, &ino, error))
    return false;
  g_autofree char *name = file_name(m, inode, ino, is_device, &parent);
  if (parent == 0)
    parent = super_directory(m);
  if (parent != 0)
    add(m, parent, false, name, inode, ino);
  return true;
}

/* Whether an inode is a file, or a block device, with pages of its own. */
static bool
is_cached(const DacsaLinux *l, uint64_t inode, bool *ret, bool *ret_is_device, GError **error)
{
  uint64_t mode, size, mapping, host, pages;

  *ret = false;
  if (!dacsa_linux_get(l, inode, M_INODE_MODE, &mode, error))
    return false;
  *ret_is_device = S_ISBLK(mode);
  if (!S_ISREG(mode) && !S_ISBLK(mode))
    return true;
  if (!dacsa_linux_get(l, inode, M_INODE_SIZE, &size, error) ||
      !dacsa_linux_get(l, inode, M_INODE_MAPPING, &mapping, error) ||
      !dacsa_linux_get(l, mapping, M_MAPPING_NRPAGES, &pages, error))
    return false;
  if (size == 0 || pages == 0)
    return true;
  /* A device's node in /dev has the device's own pages, which are that one's to show. */
  if (!dacsa_linux_get(l, mapping, M_MAPPING_HOST, &host, error))
    return false;
  *ret = host == inode;
  return true;
}

static bool
visit_inode(uint64_t inode, void *data)
{
  Maker *m = data;
  g_autoptr(GError) cause = NULL;
  bool cached, is_device;

  if (++m->looked_at > MAX_INODES) {
    m->is_full = true;
    note(m, "cut short: too many inodes");
    return false;
  }
  if (!is_cached(m->l, inode, &cached, &is_device, &cause) ||
      (cached && g_hash_table_add(m->inodes, GSIZE_TO_POINTER(inode)) &&
       !add_file(m, inode, is_device, &cause)))
    note(m, cause->message);
  return !m->is_full;
}

/* -- superblocks -- */

static bool
visit_super(uint64_t super, void *data)
{
  Maker *m = data;
  g_autoptr(GError) cause = NULL;

  if (++m->supers > MAX_SUPERS) {
    note(m, "cut short: too many file systems");
    return false;
  }
  m->super = super;
  m->super_id = 0;
  /* One that is just being mounted has no root yet. */
  if (!dacsa_linux_get(m->l, super, M_SB_ROOT, &m->root, &cause) ||
      !dacsa_linux_list_each(m->l, super + dacsa_linux_offset(m->l, M_SB_INODES), M_INODE_SB_LIST,
                             visit_inode, m, &cause))
    note(m, cause->message);
  g_hash_table_remove_all(m->dentries);
  return !m->is_full;
}

static void
finish(Maker *m)
{
  const uint32_t left_out = dacsa_filetree_finish(m->tree);

  if (left_out > 0)
    note(m, "files that have the same name could not be told apart; one of each is shown");
}

static void *
make_tree(DacsaLinux *l)
{
  g_autoptr(GHashTable) places = dacsa_linux_places(l, WHERE);
  g_autoptr(GHashTable) dentries = g_hash_table_new(NULL, NULL);
  g_autoptr(GHashTable) inodes = g_hash_table_new(NULL, NULL);
  g_autoptr(GArray) chain = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(GError) cause = NULL;
  Maker m = {.l = l,
             .tree = dacsa_filetree_new(),
             .places = places,
             .dentries = dentries,
             .inodes = inodes,
             .chain = chain};

  if (dacsa_linux_symbol(l, S_SUPER_BLOCKS) == 0)
    note(&m, "the kernel does not say where its file systems are");
  else if (!dacsa_linux_list_each(l, dacsa_linux_symbol(l, S_SUPER_BLOCKS), M_SB_LIST, visit_super,
                                  &m, &cause))
    note(&m, cause->message);
  finish(&m);
  return m.tree;
}

/* -- the guest's ops -- */

static const DacsaFiletree *
tree_of(DacsaLinux *l)
{
  return dacsa_linux_once(l, DACSA_LINUX_ONCE_FILES, make_tree,
                          (GDestroyNotify)dacsa_filetree_free);
}

bool
dacsa_linux_files(DacsaGuest *guest, uint32_t directory, GArray **ret, GError **error)
{
  return dacsa_filetree_list(tree_of((DacsaLinux *)guest), directory, ret, error);
}

bool
dacsa_linux_file_lookup(DacsaGuest *guest, uint32_t directory, const char *name,
                        DacsaGuestFile *ret, GError **error)
{
  return dacsa_filetree_lookup(tree_of((DacsaLinux *)guest), directory, name, ret, error);
}

bool
dacsa_linux_file(DacsaGuest *guest, uint32_t id, DacsaGuestFile *ret, GError **error)
{
  return dacsa_filetree_get(tree_of((DacsaLinux *)guest), id, ret, error);
}

bool
dacsa_linux_file_content(DacsaGuest *guest, uint32_t id, DacsaRuns **ret, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  const DacsaFiletree *tree = tree_of(l);
  uint64_t inode, mapping, size;

  if (!dacsa_filetree_object(tree, id, &inode, error) ||
      !dacsa_linux_get(l, inode, M_INODE_MAPPING, &mapping, error) ||
      !dacsa_linux_get(l, inode, M_INODE_SIZE, &size, error))
    return false;
  g_autofree char *path = dacsa_filetree_path(tree, id);
  g_autofree char *where = g_strdup_printf(WHERE "/%s", path);
  *ret = dacsa_linux_mapping_runs(l, mapping, size, where);
  return true;
}
