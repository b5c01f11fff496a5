/* Paths of open files, as fs/d_path.c makes them. */
#include "parsers/linux/view.h"
#include "snap/error.h"

#include <string.h>

#define MAX_COMPONENTS 1024u
#define MAX_NAME 4096u
#define MAX_KIND 64u /* of namespaces, and names that drivers give */
#define MAX_STEPS 4096u
#define MAX_PATH 65536u /* bytes; PATH_MAX is 4096, but mounts can put more in front */

bool
dacsa_linux_dentry_name(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error)
{
  uint64_t qstr = dentry + dacsa_linux_offset(l, M_DENTRY_NAME);
  uint64_t name, len;

  if (!dacsa_linux_get(l, qstr, M_QSTR_LEN, &len, error) ||
      !dacsa_linux_get(l, qstr, M_QSTR_NAME, &name, error))
    return false;
  if (len > MAX_NAME)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a file's name has %" PRIu64 " bytes", len);
  g_autofree char *text = g_malloc0(len + 1);
  if (!dacsa_mem_read(l->memory, name, text, len, error))
    return false;
  *ret = g_steal_pointer(&text);
  return true;
}

/* d_unlinked: not hashed, and not the root of its tree. */
static bool
is_unlinked(const DacsaLinux *l, uint64_t dentry, bool *ret, GError **error)
{
  uint64_t pprev, parent;

  if (!dacsa_linux_get(l, dentry, M_DENTRY_HASH_PPREV, &pprev, error) ||
      !dacsa_linux_get(l, dentry, M_DENTRY_PARENT, &parent, error))
    return false;
  *ret = pprev == 0 && parent != dentry;
  return true;
}

/* -- files without a place in the tree: they name themselves -- */

/* The inode number of a dentry. */
static bool
dentry_ino(const DacsaLinux *l, uint64_t dentry, uint64_t *ret, GError **error)
{
  uint64_t inode;

  return dacsa_linux_get(l, dentry, M_DENTRY_INODE, &inode, error) &&
         dacsa_linux_get(l, inode, M_INODE_INO, ret, error);
}

/* fs/libfs.c: memfd, System V shared memory, /dev/zero. */
static bool
simple_name(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error)
{
  g_autofree char *name = NULL;

  if (!dacsa_linux_dentry_name(l, dentry, &name, error))
    return false;
  *ret = g_strdup_printf("/%s (deleted)", name);
  return true;
}

/* fs/anon_inodes.c */
static bool
anon_inode_name(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error)
{
  g_autofree char *name = NULL;

  if (!dacsa_linux_dentry_name(l, dentry, &name, error))
    return false;
  *ret = g_strdup_printf("anon_inode:%s", name);
  return true;
}

/* fs/pipe.c */
static bool
pipe_name(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error)
{
  uint64_t ino;

  if (!dentry_ino(l, dentry, &ino, error))
    return false;
  *ret = g_strdup_printf("pipe:[%" PRIu64 "]", ino);
  return true;
}

/* net/socket.c */
static bool
socket_name(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error)
{
  uint64_t ino;

  if (!dentry_ino(l, dentry, &ino, error))
    return false;
  *ret = g_strdup_printf("socket:[%" PRIu64 "]", ino);
  return true;
}

/* fs/nsfs.c. The kind's name is reached through the inode, whose namespace every kernel has there;
 * what d_fsdata is has changed. */
static bool
namespace_name(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error)
{
  g_autofree char *kind = NULL;
  uint64_t inode, ino, ns, ops, name;

  if (!dacsa_linux_get(l, dentry, M_DENTRY_INODE, &inode, error) ||
      !dacsa_linux_get(l, inode, M_INODE_INO, &ino, error) ||
      !dacsa_linux_get(l, inode, M_INODE_PRIVATE, &ns, error) ||
      !dacsa_linux_get(l, ns, M_NS_COMMON_OPS, &ops, error) ||
      !dacsa_linux_get(l, ops, M_NS_OPS_NAME, &name, error) ||
      !dacsa_mem_read_string(l->memory, name, MAX_KIND, &kind, error))
    return false;
  *ret = g_strdup_printf("%s:[%" PRIu64 "]", kind, ino);
  return true;
}

/* fs/pidfs.c */
static bool
pidfd_name(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error)
{
  (void)l;
  (void)dentry;
  (void)error;
  *ret = g_strdup("anon_inode:[pidfd]");
  return true;
}

/* drivers/dma-buf/dma-buf.c */
static bool
dma_buf_name(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error)
{
  g_autofree char *name = NULL;
  g_autofree char *given = NULL;
  uint64_t buf, text;

  if (!dacsa_linux_dentry_name(l, dentry, &name, error) ||
      !dacsa_linux_get(l, dentry, M_DENTRY_FSDATA, &buf, error) ||
      !dacsa_linux_get(l, buf, M_DMA_BUF_NAME, &text, error) ||
      (text != 0 && !dacsa_mem_read_string(l->memory, text, MAX_KIND, &given, error)))
    return false;
  *ret = g_strdup_printf("/%s:%s", name, given ? given : "");
  return true;
}

static const struct {
  DacsaLinuxSymbol dname; /* dentry_operations.d_dname */
  bool (*name)(const DacsaLinux *l, uint64_t dentry, char **ret, GError **error);
} self_naming[] = {
    {S_SIMPLE_DNAME, simple_name},    {S_ANON_INODEFS_DNAME, anon_inode_name},
    {S_PIPEFS_DNAME, pipe_name},      {S_SOCKFS_DNAME, socket_name},
    {S_NS_DNAME, namespace_name},     {S_PIDFS_DNAME, pidfd_name},
    {S_DMABUFFS_DNAME, dma_buf_name},
};

/* d_path asks a file for its name, but not the root of a mount: `ip netns` binds namespaces to
 * files, which then have a place. */
static bool
is_mounted_root(const DacsaLinux *l, uint64_t dentry, uint64_t mnt, bool *ret, GError **error)
{
  uint64_t parent;
  uint64_t mnt_root = 0;

  if (!dacsa_linux_get(l, dentry, M_DENTRY_PARENT, &parent, error) ||
      (parent == dentry && !dacsa_linux_get(l, mnt, M_VFSMOUNT_ROOT, &mnt_root, error)))
    return false;
  *ret = parent == dentry && mnt_root == dentry;
  return true;
}

bool
dacsa_linux_dname(const DacsaLinux *l, uint64_t path, uint64_t *ret, GError **error)
{
  uint64_t dentry, mnt, op;
  bool mounted;

  *ret = 0;
  if (!dacsa_linux_get(l, path, M_PATH_DENTRY, &dentry, error) ||
      !dacsa_linux_get(l, dentry, M_DENTRY_OP, &op, error))
    return false;
  if (op == 0)
    return true;
  if (!dacsa_linux_get(l, op, M_DENTRY_OP_DNAME, ret, error))
    return false;
  if (*ret == 0)
    return true;
  if (!dacsa_linux_get(l, path, M_PATH_MNT, &mnt, error) ||
      !is_mounted_root(l, dentry, mnt, &mounted, error))
    return false;
  if (mounted)
    *ret = 0;
  return true;
}

/* *ret stays NULL for files that have a place in the tree. */
static bool
dynamic_name(const DacsaLinux *l, uint64_t path, uint64_t dentry, char **ret, GError **error)
{
  uint64_t dname;

  if (!dacsa_linux_dname(l, path, &dname, error))
    return false;
  if (dname == 0)
    return true;
  for (size_t i = 0; i < G_N_ELEMENTS(self_naming); i++)
    if (dname == dacsa_linux_symbol(l, self_naming[i].dname))
      return self_naming[i].name(l, dentry, ret, error);
  return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "a file of a kind that names itself");
}

/* -- files in the tree -- */

/* prepend_path: from the dentry up to the root, across mounts. Components are gathered backwards.
 */
static bool
gather(const DacsaLinux *l, uint64_t dentry, uint64_t mnt, uint64_t root_dentry, uint64_t root_mnt,
       GPtrArray *names, GError **error)
{

  size_t bytes = 0;

  for (unsigned steps = 0; steps < MAX_STEPS; steps++) {
    uint64_t mount = mnt - dacsa_linux_offset(l, M_MOUNT_MNT);
    uint64_t parent, mnt_root, parent_mount;
    g_autofree char *name = NULL;

    if (dentry == root_dentry && mnt == root_mnt)
      return true;
    if (!dacsa_linux_get(l, mnt, M_VFSMOUNT_ROOT, &mnt_root, error) ||
        !dacsa_linux_get(l, dentry, M_DENTRY_PARENT, &parent, error))
      return false;
    if (dentry == mnt_root) {
      if (!dacsa_linux_get(l, mount, M_MOUNT_PARENT, &parent_mount, error))
        return false;
      if (parent_mount == mount)
        return true; /* the global root, or a mount of its own */
      if (!dacsa_linux_get(l, mount, M_MOUNT_MOUNTPOINT, &dentry, error))
        return false;
      mnt = parent_mount + dacsa_linux_offset(l, M_MOUNT_MNT);
      continue;
    }
    if (parent == dentry)
      return true; /* escaped from its mount */
    if (!dacsa_linux_dentry_name(l, dentry, &name, error))
      return false;
    bytes += strlen(name) + 1;
    if (names->len >= MAX_COMPONENTS || bytes > MAX_PATH)
      break;
    g_ptr_array_add(names, g_steal_pointer(&name));
    dentry = parent;
  }
  return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a path has no end");
}

bool
dacsa_linux_d_path(const DacsaLinux *l, uint64_t path, uint64_t root, char **ret, GError **error)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GString) text = g_string_new(NULL);
  g_autofree char *dynamic = NULL;
  uint64_t dentry, mnt;
  uint64_t root_dentry = 0;
  uint64_t root_mnt = 0;
  bool unlinked;

  if (!dacsa_linux_get(l, path, M_PATH_DENTRY, &dentry, error) ||
      !dacsa_linux_get(l, path, M_PATH_MNT, &mnt, error) ||
      !dynamic_name(l, path, dentry, &dynamic, error))
    return false;
  if (dynamic) {
    *ret = g_steal_pointer(&dynamic);
    return true;
  }
  if (root != 0 && (!dacsa_linux_get(l, root, M_PATH_DENTRY, &root_dentry, error) ||
                    !dacsa_linux_get(l, root, M_PATH_MNT, &root_mnt, error)))
    return false;
  if (!gather(l, dentry, mnt, root_dentry, root_mnt, names, error) ||
      !is_unlinked(l, dentry, &unlinked, error))
    return false;
  for (guint i = names->len; i > 0; i--)
    g_string_append_printf(text, "/%s", (char *)g_ptr_array_index(names, i - 1));
  if (text->len == 0)
    g_string_append_c(text, '/');
  if (unlinked)
    g_string_append(text, " (deleted)");
  *ret = g_string_free(g_steal_pointer(&text), FALSE);
  return true;
}
