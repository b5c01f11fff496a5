/* Mounts, from the one of init's root down. */
#include "parsers/linux/places.h"

#include "parsers/linux/walk.h"
#include "snap/error.h"

#include <string.h>

#define MAX_MOUNTS 100000u /* sysctl fs.mount-max */
#define MAX_NAME DACSA_LINUX_MAX_NAME

bool
dacsa_linux_name(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error)
{
  g_autofree char *name = NULL;

  if (!dacsa_linux_dentry_name(l, dentry, &name, error))
    return false;
  if (name[0] == '\0' || strlen(name) > MAX_NAME)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a file's name has %zu bytes", strlen(name));
  *ret = g_steal_pointer(&name);
  return true;
}

typedef struct {
  uint64_t mount;
  char *path; /* NULL: too long to be a name */
} Mounted;

static void
mounted_clear(Mounted *mounted)
{
  g_free(mounted->path);
}

/* path and the names from root, exclusively, down to dentry. NULL: it is none or too long. */
static char *
path_below(const DacsaLinux *l, const char *path, uint64_t root, uint64_t dentry)
{
  g_autofree char *below = g_strdup("");

  while (dentry != root) {
    g_autofree char *name = NULL;
    g_autofree char *rest = below;
    uint64_t parent;

    below = NULL;
    if (strlen(rest) > MAX_NAME || !dacsa_linux_name(l, dentry, &name, NULL) ||
        !dacsa_linux_get(l, dentry, M_DENTRY_PARENT, &parent, NULL) || parent == dentry)
      return NULL;
    below = g_strdup_printf("/%s%s", name, rest);
    dentry = parent;
  }
  return strlen(path) + strlen(below) > MAX_NAME ? NULL : g_strconcat(path, below, NULL);
}

typedef struct {
  const DacsaLinux *l;
  GArray *queue;    /* Mounted: what has been found, in that order */
  GHashTable *seen; /* mounts */
  GHashTable *places;
  const char *path; /* of the mount whose children are visited */
  uint64_t root;    /* that mount's */
} Mounts;

static bool
visit_mount(uint64_t mount, void *data)
{
  Mounts *m = data;
  Mounted child = {mount, NULL};
  uint64_t mountpoint;

  if (m->queue->len >= MAX_MOUNTS || !g_hash_table_add(m->seen, GSIZE_TO_POINTER(mount)))
    return false;
  if (m->path && dacsa_linux_get(m->l, mount, M_MOUNT_MOUNTPOINT, &mountpoint, NULL))
    child.path = path_below(m->l, m->path, m->root, mountpoint);
  g_array_append_val(m->queue, child);
  return true;
}

/* Notes where the mount's superblock is, if its root is what is mounted, and queues its children.
 */
static bool
look_at_mount(Mounts *m, guint i, GError **error)
{
  const DacsaLinux *l = m->l;
  const Mounted mounted = g_array_index(m->queue, Mounted, i);
  const uint64_t mnt = mounted.mount + dacsa_linux_offset(l, M_MOUNT_MNT);
  uint64_t super, root;

  if (!dacsa_linux_get(l, mnt, M_VFSMOUNT_SB, &super, error) ||
      !dacsa_linux_get(l, mnt, M_VFSMOUNT_ROOT, &m->root, error) ||
      !dacsa_linux_get(l, super, M_SB_ROOT, &root, error))
    return false;
  if (mounted.path && root == m->root && !g_hash_table_contains(m->places, GSIZE_TO_POINTER(super)))
    g_hash_table_insert(m->places, GSIZE_TO_POINTER(super),
                        g_strdup(mounted.path[0] ? mounted.path : "/"));
  m->path = mounted.path;
  return dacsa_linux_list_each(l, mounted.mount + dacsa_linux_offset(l, M_MOUNT_CHILDREN),
                               M_MOUNT_CHILD, visit_mount, m, error);
}

static bool
find_root_mount(DacsaLinux *l, uint64_t *ret)
{
  const uint64_t root = dacsa_linux_root(l);
  uint64_t mnt;

  if (root == 0 || !dacsa_linux_get(l, root, M_PATH_MNT, &mnt, NULL))
    return false;
  *ret = mnt - dacsa_linux_offset(l, M_MOUNT_MNT);
  return true;
}

GHashTable *
dacsa_linux_places(DacsaLinux *l, const char *where)
{
  GHashTable *places = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  g_autoptr(GArray) queue = g_array_new(FALSE, FALSE, sizeof(Mounted));
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  Mounts m = {.l = l, .queue = queue, .seen = seen, .places = places};
  Mounted first = {0, NULL};

  g_array_set_clear_func(queue, (GDestroyNotify)mounted_clear);
  if (!find_root_mount(l, &first.mount)) {
    dacsa_errors_add(l->errors, where, "where file systems are mounted is not known");
    return places;
  }
  first.path = g_strdup("");
  g_hash_table_add(seen, GSIZE_TO_POINTER(first.mount));
  g_array_append_val(queue, first);
  for (guint i = 0; i < queue->len; i++) {
    g_autoptr(GError) cause = NULL;

    if (!look_at_mount(&m, i, &cause))
      dacsa_errors_add(l->errors, where, cause->message);
  }
  if (queue->len >= MAX_MOUNTS)
    dacsa_errors_add(l->errors, where, "cut short: too many mounts");
  return places;
}
