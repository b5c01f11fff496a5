/*
 * Mounts: /proc/1/mounts (fs/proc_namespace.c, show_vfsmnt), and every mount of every mount
 * namespace that a process is in.
 */
#include "parsers/linux/system.h"
#include "parsers/linux/walk.h"
#include "parsers/table.h"
#include "snap/error.h"

#include <string.h>

#define MAX_MOUNTS (1u << 17) /* of a namespace; sysctl fs.mount-max is 100,000 */
#define MAX_NAMESPACES 65536u
#define MAX_ALL_MOUNTS (1u << 18) /* of all namespaces */
#define MAX_ALL_STEPS (1u << 24)  /* of all paths of one file */
#define MAX_STEPS 4096u
#define MAX_PATH 65536u
#define MAX_TEXT 4096u
#define ESCAPED " \t\n\\" /* as \ooo */

#define SB_RDONLY 1u       /* include/linux/fs.h */
#define MNT_READONLY 0x40u /* include/linux/mount.h */
#define MNT_SHARED 0x1000u /* moved to mnt_t_flags, T_SHARED, where the kernel has those */
#define MNT_UNBINDABLE 0x2000u
#define T_SHARED 1u
#define T_UNBINDABLE 2u
#define MNT_CURSOR 0x10000000u /* no mount: where a reader of the list is, to 6.7 */

/* A member's flags that are printed, in that order; to 6.8 or so `mand` was one. */
typedef struct {
  uint32_t flag;
  const char *text;
} Flag;

static const Flag sb_flags[] = {
    {1u << 4, ",sync"}, {1u << 7, ",dirsync"}, {1u << 6, ",mand"}, {1u << 25, ",lazytime"}};
static const Flag mnt_flags[] = {
    {0x01, ",nosuid"},     {0x02, ",nodev"},    {0x04, ",noexec"},      {0x08, ",noatime"},
    {0x10, ",nodiratime"}, {0x20, ",relatime"}, {0x80, ",nosymfollow"},
};

typedef struct {
  uint64_t mount, mnt, sb;
  uint64_t flags, sb_flags;
  uint64_t root; /* dentry */
} Mount;

static void
append_flags(GString *out, uint64_t value, const Flag *flags, gsize n)
{
  for (gsize i = 0; i < n; i++)
    if (value & flags[i].flag)
      g_string_append(out, flags[i].text);
}

/* seq_escape, mangle_path: white space and backslashes as \ooo. */
static void
append_mangled(GString *out, const char *text, const char *escaped)
{
  for (; *text; text++) {
    if (strchr(escaped, *text))
      g_string_append_printf(out, "\\%03o", (unsigned char)*text);
    else
      g_string_append_c(out, *text);
  }
}

static bool
read_mount(const DacsaLinux *l, uint64_t mount, Mount *ret, GError **error)
{
  ret->mount = mount;
  ret->mnt = mount + dacsa_linux_offset(l, M_MOUNT_MNT);
  return dacsa_linux_get(l, ret->mnt, M_VFSMOUNT_FLAGS, &ret->flags, error) &&
         dacsa_linux_get(l, ret->mnt, M_VFSMOUNT_SB, &ret->sb, error) &&
         dacsa_linux_get(l, ret->mnt, M_VFSMOUNT_ROOT, &ret->root, error) &&
         dacsa_linux_get(l, ret->sb, M_SB_FLAGS, &ret->sb_flags, error);
}

/* -- paths -- */

/* Where a path ends, seen from somewhere: it is no path for that somewhere unless it ends there. */
typedef struct {
  uint64_t mnt, dentry; /* 0: the top, whatever it is */
} Root;

/* fs/d_path.c, prepend_path: from a mount's root up to `root`; *ret is NULL where it is not below
 * it. within: the dentries of one file system only, mounts are not crossed. budget: what is left of
 * MAX_ALL_STEPS. */
static bool
path_to(const DacsaLinux *l, uint64_t mnt, uint64_t dentry, const Root *root, bool within,
        uint32_t *budget, char **ret, GError **error)
{
  g_autoptr(GString) path = g_string_new(NULL);

  for (unsigned steps = 0; steps < MAX_STEPS && path->len<MAX_PATH && * budget> 0; steps++) {
    (*budget)--;
    const uint64_t mount = mnt - dacsa_linux_offset(l, M_MOUNT_MNT);
    uint64_t mnt_root = 0, parent, parent_mount;
    g_autofree char *name = NULL;

    if (root && dentry == root->dentry && mnt == root->mnt) {
      *ret = g_strdup(path->len > 0 ? path->str : "/");
      return true;
    }
    if ((!within && !dacsa_linux_get(l, mnt, M_VFSMOUNT_ROOT, &mnt_root, error)) ||
        !dacsa_linux_get(l, dentry, M_DENTRY_PARENT, &parent, error))
      return false;
    if (!within && dentry == mnt_root) {
      if (!dacsa_linux_get(l, mount, M_MOUNT_PARENT, &parent_mount, error))
        return false;
      if (parent_mount == mount) { /* the top */
        *ret = root ? NULL : g_strdup(path->len > 0 ? path->str : "/");
        return true;
      }
      if (!dacsa_linux_get(l, mount, M_MOUNT_MOUNTPOINT, &dentry, error))
        return false;
      mnt = parent_mount + dacsa_linux_offset(l, M_MOUNT_MNT);
      continue;
    }
    if (parent == dentry) { /* the root of a file system */
      *ret = within ? g_strdup(path->len > 0 ? path->str : "/") : NULL;
      return true;
    }
    if (!dacsa_linux_dentry_name(l, dentry, &name, error))
      return false;
    g_string_prepend(path, name);
    g_string_prepend_c(path, '/');
    dentry = parent;
  }
  return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a path has no end");
}

/* -- what is said of a mount -- */

/* mangle (fs/proc_namespace.c) escapes '#' too, in kernels about as old as ID-mapped mounts. */
static const char *
source_escapes(const DacsaLinux *l)
{
  return dacsa_linux_has(l, M_VFSMOUNT_USERNS) || dacsa_linux_has(l, M_VFSMOUNT_IDMAP) ? ESCAPED "#"
                                                                                       : ESCAPED;
}

static bool
append_source(DacsaLinux *l, const Mount *m, GString *out, GError **error)
{
  g_autofree char *name = NULL;
  uint64_t op, show;

  if (!dacsa_linux_pointed_string(l, m->mount, M_MOUNT_DEVNAME, &name, error) ||
      !dacsa_linux_get(l, m->sb, M_SB_OP, &op, error) ||
      !dacsa_linux_get(l, op, M_SUPER_OPS_SHOW_DEVNAME, &show, error))
    return false;
  if (show != 0)
    dacsa_errors_add(l->errors, "kernel/mounts",
                     "a file system names its device itself; shown is what was mounted");
  append_mangled(out, name ? name : "none", source_escapes(l));
  return true;
}

static bool
append_type(const DacsaLinux *l, const Mount *m, GString *out, GError **error)
{
  g_autofree char *name = NULL;
  g_autofree char *subtype = NULL;
  uint64_t type;

  if (!dacsa_linux_get(l, m->sb, M_SB_TYPE, &type, error) ||
      !dacsa_linux_pointed_string(l, type, M_FS_TYPE_NAME, &name, error) ||
      !dacsa_linux_pointed_string(l, m->sb, M_SB_SUBTYPE, &subtype, error))
    return false;
  append_mangled(out, name ? name : "", source_escapes(l));
  if (subtype && subtype[0]) {
    g_string_append_c(out, '.');
    append_mangled(out, subtype, source_escapes(l));
  }
  return true;
}

/* is_idmapped_mnt: the identity is nop_mnt_idmap (since 6.2), before it init_user_ns or that of the
 * file system. */
static bool
is_idmapped(const DacsaLinux *l, const Mount *m)
{
  uint64_t map;

  if (dacsa_linux_has(l, M_VFSMOUNT_IDMAP))
    return dacsa_linux_symbol(l, S_NOP_MNT_IDMAP) != 0 &&
           dacsa_linux_get(l, m->mnt, M_VFSMOUNT_IDMAP, &map, NULL) &&
           map != dacsa_linux_symbol(l, S_NOP_MNT_IDMAP);
  return dacsa_linux_has(l, M_VFSMOUNT_USERNS) && dacsa_linux_symbol(l, S_INIT_USER_NS) != 0 &&
         dacsa_linux_get(l, m->mnt, M_VFSMOUNT_USERNS, &map, NULL) &&
         map != dacsa_linux_symbol(l, S_INIT_USER_NS);
}

static void
append_mount_options(const DacsaLinux *l, const Mount *m, GString *out)
{
  append_flags(out, m->flags, mnt_flags, G_N_ELEMENTS(mnt_flags));
  if (is_idmapped(l, m))
    g_string_append(out, ",idmapped");
}

/* The file system's own; where they are not known it is named. */
static void
append_own_options(DacsaLinux *l, const Mount *m, GString *out)
{
  g_autoptr(GString) type = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  gsize begin = out->len;

  if (dacsa_linux_mount_options(l, m->sb, m->root, out, &error))
    return;
  g_string_truncate(out, begin);
  if (!append_type(l, m, type, NULL))
    g_string_assign(type, "a file system");
  g_autofree char *text = g_strdup_printf("the options that %s prints for itself are absent: %s",
                                          type->str, error->message);
  dacsa_errors_add(l->errors, "kernel/mounts", text);
}

static bool
is_readonly(const Mount *m)
{
  return m->flags & MNT_READONLY || m->sb_flags & SB_RDONLY;
}

/* -- a namespace's mounts, in the kernel's order -- */

typedef struct {
  DacsaLinux *l;
  GArray *mounts; /* uint64_t */
  guint n;        /* entries so far, cursors too */
} Collect;

static bool
visit_mount(uint64_t mount, void *data)
{
  Collect *c = data;
  const uint64_t mnt = mount + dacsa_linux_offset(c->l, M_MOUNT_MNT);
  uint64_t flags;

  if (++c->n > MAX_MOUNTS) {
    dacsa_errors_add(c->l->errors, "kernel/mounts", "cut short: too many mounts");
    return false;
  }
  if (dacsa_linux_has(c->l, M_MNT_NS_LIST) &&
      dacsa_linux_get(c->l, mnt, M_VFSMOUNT_FLAGS, &flags, NULL) && flags & MNT_CURSOR)
    return true;
  g_array_append_val(c->mounts, mount);
  return true;
}

/* A list, or since 6.8 a tree by unique id. What is cut short is noted. */
static GArray *
mounts_of(DacsaLinux *l, uint64_t ns)
{
  Collect c = {l, g_array_new(FALSE, FALSE, sizeof(uint64_t)), 0};
  g_autoptr(GError) error = NULL;
  bool done;

  if (dacsa_linux_has(l, M_MNT_NS_LIST))
    done = dacsa_linux_list_each(l, ns + dacsa_linux_offset(l, M_MNT_NS_LIST), M_MOUNT_LIST,
                                 visit_mount, &c, &error);
  else
    done = dacsa_linux_rbtree_each(l, ns + dacsa_linux_offset(l, M_MNT_NS_MOUNTS), M_MOUNT_NODE,
                                   visit_mount, &c, &error);
  if (!done)
    dacsa_errors_add(l->errors, "kernel/mounts", error->message);
  return c.mounts;
}

/* 0: a process that has exited. */
static bool
namespace_of(const DacsaLinux *l, uint64_t task, uint64_t *ret, GError **error)
{
  uint64_t nsproxy;

  *ret = 0;
  return dacsa_linux_get(l, task, M_TASK_NSPROXY, &nsproxy, error) &&
         (nsproxy == 0 || dacsa_linux_get(l, nsproxy, M_NSPROXY_MNT, ret, error));
}

/* -- /proc/1/mounts -- */

static bool
append_line(DacsaLinux *l, uint64_t mount, const Root *root, uint32_t *budget, GString *out,
            GError **error)
{
  g_autofree char *path = NULL;
  Mount m;

  if (!read_mount(l, mount, &m, error) ||
      !path_to(l, m.mnt, m.root, root, false, budget, &path, error))
    return false;
  if (!path)
    return true; /* not below the root directory of init: SEQ_SKIP */
  if (!append_source(l, &m, out, error))
    return false;
  g_string_append_c(out, ' ');
  append_mangled(out, path, ESCAPED);
  g_string_append_c(out, ' ');
  if (!append_type(l, &m, out, error))
    return false;
  g_string_append(out, is_readonly(&m) ? " ro" : " rw");
  append_flags(out, m.sb_flags, sb_flags, G_N_ELEMENTS(sb_flags));
  append_mount_options(l, &m, out);
  append_own_options(l, &m, out);
  g_string_append(out, " 0 0\n");
  return true;
}

bool
dacsa_linux_mounts(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  const uint64_t path = dacsa_linux_root(l);
  uint32_t budget = MAX_ALL_STEPS;
  uint64_t task, ns;
  Root root;

  if (!dacsa_linux_task(l, 1, &task, error) || !namespace_of(l, task, &ns, error) ||
      !dacsa_linux_get(l, path, M_PATH_MNT, &root.mnt, error) ||
      !dacsa_linux_get(l, path, M_PATH_DENTRY, &root.dentry, error))
    return false;
  g_autoptr(GArray) mounts = mounts_of(l, ns);
  for (guint i = 0; i < mounts->len; i++) {
    g_autoptr(GError) cause = NULL;
    gsize begin = out->len;

    if (begin > DACSA_LINUX_MAX_TEXT) {
      dacsa_errors_add(l->errors, "kernel/mounts", "cut short: too large");
      break;
    }
    if (!append_line(l, g_array_index(mounts, uint64_t, i), &root, &budget, out, &cause)) {
      dacsa_errors_add(l->errors, "kernel/mounts", cause->message);
      g_string_truncate(out, begin);
    }
  }
  return true;
}

/* -- json: all namespaces -- */

enum {
  NAMESPACE,
  ID,
  PARENT,
  DEVICE,
  FS_ROOT,
  MOUNTPOINT,
  OPTIONS,
  PROPAGATION,
  TYPE,
  SOURCE,
  SUPER_OPTIONS,
};

static const DacsaColumn columns[] = {
    [NAMESPACE] = {"namespace", DACSA_CELL_NUMBER},
    [ID] = {"id", DACSA_CELL_NUMBER},
    [PARENT] = {"parent", DACSA_CELL_NUMBER},
    [DEVICE] = {"device", DACSA_CELL_TEXT},
    [FS_ROOT] = {"root", DACSA_CELL_TEXT},
    [MOUNTPOINT] = {"mountpoint", DACSA_CELL_TEXT},
    [OPTIONS] = {"options", DACSA_CELL_TEXT},
    [PROPAGATION] = {"propagation", DACSA_CELL_TEXT},
    [TYPE] = {"type", DACSA_CELL_TEXT},
    [SOURCE] = {"source", DACSA_CELL_TEXT},
    [SUPER_OPTIONS] = {"super_options", DACSA_CELL_TEXT},
};

static bool
set_numbers(const DacsaLinux *l, const Mount *m, DacsaTable *table, GError **error)
{
  uint64_t id, parent, parent_id, dev;

  if (!dacsa_linux_get(l, m->mount, M_MOUNT_ID, &id, error) ||
      !dacsa_linux_get(l, m->mount, M_MOUNT_PARENT, &parent, error) ||
      !dacsa_linux_get(l, parent, M_MOUNT_ID, &parent_id, error) ||
      !dacsa_linux_get(l, m->sb, M_SB_DEV, &dev, error))
    return false;
  g_autofree char *device =
      g_strdup_printf("%u:%u", (uint32_t)dev >> 20, (uint32_t)dev & ((1u << 20) - 1));
  dacsa_table_set_number(table, ID, id);
  dacsa_table_set_number(table, PARENT, parent_id);
  dacsa_table_set_text(table, DEVICE, device);
  return true;
}

/* show_mountinfo's tagged fields. */
static bool
set_propagation(const DacsaLinux *l, const Mount *m, DacsaTable *table, GError **error)
{
  const bool has_t = dacsa_linux_has(l, M_MOUNT_T_FLAGS);
  g_autoptr(GString) text = g_string_new(NULL);
  uint64_t flags = m->flags, group, master;

  if ((has_t && !dacsa_linux_get(l, m->mount, M_MOUNT_T_FLAGS, &flags, error)) ||
      !dacsa_linux_get(l, m->mount, M_MOUNT_MASTER, &master, error))
    return false;
  if (flags & (has_t ? T_SHARED : MNT_SHARED)) {
    if (!dacsa_linux_get(l, m->mount, M_MOUNT_GROUP_ID, &group, error))
      return false;
    g_string_append_printf(text, " shared:%d", (int32_t)group);
  }
  if (master != 0) {
    if (!dacsa_linux_get(l, master, M_MOUNT_GROUP_ID, &group, error))
      return false;
    g_string_append_printf(text, " master:%d", (int32_t)group);
  }
  if (flags & (has_t ? T_UNBINDABLE : MNT_UNBINDABLE))
    g_string_append(text, " unbindable");
  dacsa_table_set_text(table, PROPAGATION, text->len > 0 ? text->str + 1 : "private");
  return true;
}

static bool
set_texts(DacsaLinux *l, const Mount *m, uint32_t *budget, DacsaTable *table, GError **error)
{
  g_autoptr(GString) source = g_string_new(NULL);
  g_autoptr(GString) type = g_string_new(NULL);
  g_autoptr(GString) options = g_string_new(m->flags & MNT_READONLY ? "ro" : "rw");
  g_autoptr(GString) super = g_string_new(m->sb_flags & SB_RDONLY ? "ro" : "rw");
  g_autofree char *mountpoint = NULL;
  g_autofree char *root = NULL;

  if (!path_to(l, m->mnt, m->root, NULL, false, budget, &mountpoint, error) ||
      !path_to(l, m->mnt, m->root, NULL, true, budget, &root, error) ||
      !append_source(l, m, source, error) || !append_type(l, m, type, error))
    return false;
  append_mount_options(l, m, options);
  append_flags(super, m->sb_flags, sb_flags, G_N_ELEMENTS(sb_flags));
  append_own_options(l, m, super);
  dacsa_table_set_text(table, FS_ROOT, root);
  dacsa_table_set_text(table, MOUNTPOINT, mountpoint);
  dacsa_table_set_text(table, OPTIONS, options->str);
  dacsa_table_set_text(table, TYPE, type->str);
  dacsa_table_set_text(table, SOURCE, source->str);
  dacsa_table_set_text(table, SUPER_OPTIONS, super->str);
  return true;
}

/* What all namespaces together may take. */
typedef struct {
  uint32_t budget, mounts;
} All;

/* false: that is enough. What cannot be read of a mount is absent. */
static bool
add_namespace(DacsaLinux *l, uint64_t ns, All *all, DacsaTable *table)
{
  g_autoptr(GArray) mounts = mounts_of(l, ns);
  uint64_t inum;
  bool has_inum = dacsa_linux_get(l, ns, M_MNT_INUM, &inum, NULL);

  for (guint i = 0; i < mounts->len; i++) {
    g_autoptr(GError) error = NULL;
    Mount m;

    if (has_inum)
      dacsa_table_set_number(table, NAMESPACE, inum);
    if (!read_mount(l, g_array_index(mounts, uint64_t, i), &m, &error) ||
        !set_numbers(l, &m, table, &error) || !set_propagation(l, &m, table, &error) ||
        !set_texts(l, &m, &all->budget, table, &error))
      dacsa_errors_add(l->errors, "json/mounts.jsonl", error->message);
    if (!dacsa_table_end_row(table) || ++all->mounts >= MAX_ALL_MOUNTS)
      return false;
  }
  return true;
}

bool
dacsa_linux_json_mounts(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autoptr(DacsaTable) table = dacsa_table_new(columns, G_N_ELEMENTS(columns));
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  All all = {.budget = MAX_ALL_STEPS};

  (void)error;
  dacsa_linux_tasks(l);
  for (guint i = 0; i < l->tasks->len && g_hash_table_size(seen) < MAX_NAMESPACES; i++) {
    const DacsaLinuxTask *task = &g_array_index(l->tasks, DacsaLinuxTask, i);
    g_autoptr(GError) cause = NULL;
    uint64_t ns;

    if (!namespace_of(l, task->task, &ns, &cause)) {
      dacsa_errors_add(l->errors, "json/mounts.jsonl", cause->message);
      continue;
    }
    if (ns == 0 || !g_hash_table_add(seen, GSIZE_TO_POINTER(ns)))
      continue;
    if (!add_namespace(l, ns, &all, table)) {
      dacsa_errors_add(l->errors, "json/mounts.jsonl", "cut short: too large");
      break;
    }
  }
  dacsa_table_print_json(table, out);
  return true;
}
