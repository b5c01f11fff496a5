/* The control group of a task. */
#include "parsers/linux/process.h"

#include "snap/error.h"

#define MAX_CGROUPS 256u /* one in another */
#define MAX_NAME 256u    /* NAME_MAX */

/* fs/kernfs/dir.c, kernfs_path: names up to the root, which is its own. */
static bool
kernfs_path(const DacsaLinux *l, uint64_t node, GString *out, GError **error)
{
  for (unsigned depth = 0; depth < MAX_CGROUPS; depth++) {
    g_autofree char *name = NULL;
    uint64_t parent, at;

    if (!dacsa_linux_get(l, node, M_KERNFS_PARENT, &parent, error))
      return false;
    if (parent == 0) {
      if (out->len == 0)
        g_string_append_c(out, '/');
      return true;
    }
    if (!dacsa_linux_get(l, node, M_KERNFS_NAME, &at, error) ||
        !dacsa_mem_read_string(l->memory, at, MAX_NAME, &name, error))
      return false;
    g_string_prepend(out, name);
    g_string_prepend_c(out, '/');
    node = parent;
  }
  return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a path has no end");
}

bool
dacsa_linux_task_cgroup(const DacsaLinux *l, uint64_t task, GString *out, GError **error)
{
  uint64_t set, cgroup, node;

  return dacsa_linux_get(l, task, M_TASK_CGROUPS, &set, error) &&
         dacsa_linux_get(l, set, M_CSS_SET_CGROUP, &cgroup, error) &&
         dacsa_linux_get(l, cgroup, M_CGROUP_KN, &node, error) && kernfs_path(l, node, out, error);
}
