/* Targets of dacsa scan. */
#include "fs/scan-target.h"

#include "fs/client.h"
#include "snap/error.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
target_clear(void *data)
{
  DacsaScanTarget *target = data;

  g_free(target->vm);
  g_free(target->snapshot);
  g_free(target->path);
  if (target->pids)
    g_array_unref(target->pids);
}

GArray *
dacsa_scan_targets_new(void)
{
  GArray *targets = g_array_new(FALSE, TRUE, sizeof(DacsaScanTarget));

  g_array_set_clear_func(targets, target_clear);
  return targets;
}

static bool
is_directory(const char *path)
{
  struct stat st;

  return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool
was_dropped(const char *snapshot_path)
{
  g_autofree char *info_path = g_build_filename(snapshot_path, "info", NULL);
  g_autofree char *info = dacsa_client_read(info_path);
  g_autofree char *state = dacsa_client_value(info, "state");

  return state != NULL;
}

/* The snapshot's target; a new one is of no process so far. */
static DacsaScanTarget *
add_snapshot(const char *mount, const char *vm, const char *snapshot, GArray *targets,
             bool *ret_new)
{
  g_autofree char *path = g_build_filename(mount, vm, snapshot, NULL);
  DacsaScanTarget target = {.pids = NULL};

  *ret_new = false;
  for (guint i = 0; i < targets->len; i++)
    if (strcmp(g_array_index(targets, DacsaScanTarget, i).path, path) == 0)
      return &g_array_index(targets, DacsaScanTarget, i);
  *ret_new = true;
  target.vm = g_strdup(vm);
  target.snapshot = g_strdup(snapshot);
  target.path = g_steal_pointer(&path);
  g_array_append_val(targets, target);
  return &g_array_index(targets, DacsaScanTarget, targets->len - 1);
}

/* The name that a VM's `latest` has now. Owned; NULL: it has no snapshot. */
static char *
newest(const char *mount, const char *vm)
{
  g_autofree char *link = g_build_filename(mount, vm, "latest", NULL);

  return g_file_read_link(link, NULL);
}

/* The word's parts below the mount: VM, SNAPSHOT, ... Owned. */
static GStrv
split(const char *mount, const char *word)
{
  g_autofree char *absolute = word[0] == '/' ? g_canonicalize_filename(word, NULL) : NULL;
  g_autofree char *root = g_canonicalize_filename(mount, NULL);
  const char *below = absolute ? absolute : word;
  GPtrArray *parts = g_ptr_array_new();

  if (absolute && g_str_has_prefix(absolute, root) &&
      (absolute[strlen(root)] == '/' || absolute[strlen(root)] == '\0'))
    below = absolute + strlen(root);
  else if (absolute)
    below = "";
  g_auto(GStrv) words = g_strsplit(below, "/", -1);
  for (size_t i = 0; words[i]; i++)
    if (words[i][0] && strcmp(words[i], ".") != 0)
      g_ptr_array_add(parts, g_strdup(words[i]));
  g_ptr_array_add(parts, NULL);
  return (GStrv)g_ptr_array_free(parts, FALSE);
}

static bool
add_process(const char *snapshot_path, const char *word, const char *pid, GArray *pids,
            GError **error)
{
  g_autofree char *path = g_build_filename(snapshot_path, "processes", pid, NULL);
  guint64 number;

  if (!g_ascii_string_to_unsigned(pid, 10, 1, G_MAXUINT32, &number, NULL) || !is_directory(path))
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "%s: there is no such process", word);
  const uint32_t value = (uint32_t)number;
  g_array_append_val(pids, value);
  return true;
}

/* The name of the snapshot that the parts are of, which is there. Owned. */
static bool
find_snapshot(const char *mount, char *const *parts, char **ret, GError **error)
{
  const char *vm = parts[0];
  g_autofree char *vm_path = g_build_filename(mount, vm, NULL);
  g_autofree char *name =
      parts[1] && strcmp(parts[1], "latest") != 0 ? g_strdup(parts[1]) : newest(mount, vm);

  if (!is_directory(vm_path))
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "there is no VM %s; see dacsa list", vm);
  if (!name)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND,
                      "%s has no snapshot yet; take one with dacsa snapshot %s", vm, vm);
  g_autofree char *path = g_build_filename(vm_path, name, NULL);
  if (!is_directory(path))
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "there is no snapshot %s/%s; see dacsa list",
                      vm, name);
  if (was_dropped(path))
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND,
                      "the snapshot %s/%s was dropped; see dacsa list", vm, name);
  *ret = g_steal_pointer(&name);
  return true;
}

bool
dacsa_scan_target_add(const char *mount, const char *word, GArray *targets, GError **error)
{
  g_auto(GStrv) parts = split(mount, word);
  const guint n = g_strv_length(parts);
  g_autofree char *snapshot = NULL;
  bool is_new;

  if (n == 0 && word[0] != '/')
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "write VM, VM/SNAPSHOT, or a path in the mount");
  if (n == 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND,
                      "%s is not a VM, snapshot or process in %s; see dacsa list", word, mount);
  if (!find_snapshot(mount, parts, &snapshot, error))
    return false;
  if (n > 2 && (strcmp(parts[2], "processes") != 0 || n > 4))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                      "%s: only snapshots and their processes are scanned", word);
  DacsaScanTarget *target = add_snapshot(mount, parts[0], snapshot, targets, &is_new);
  if (n < 4) {
    g_clear_pointer(&target->pids, g_array_unref);
    return true;
  }
  if (is_new)
    target->pids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  return !target->pids || add_process(target->path, word, parts[3], target->pids, error);
}

void
dacsa_scan_target_add_newest(const char *mount, GArray *targets)
{
  g_autoptr(GPtrArray) vms = dacsa_client_directories(mount);
  bool is_new;

  for (guint i = 0; i < vms->len; i++) {
    const char *vm = g_ptr_array_index(vms, i);
    g_autofree char *link = newest(mount, vm);

    if (link)
      add_snapshot(mount, vm, link, targets, &is_new);
  }
}
