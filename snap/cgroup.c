/* From a process's cgroups to the directories of each and of its ancestors, and what they say. */
#include "snap/cgroup.h"

#include "snap/error.h"
#include "snap/hostfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Above that no limit is meant: version 1 writes "none" as the largest number of whole pages. */
#define UNLIMITED (UINT64_C(1) << 62)

/* A limit file, what counts against it, and the lines of memory.stat that can be reclaimed. */
typedef struct {
  DacsaCgroupKind kind;
  const char *controller; /* of version 1; "" is version 2 */
  const char *limit, *used;
  const char *reclaimable[2];
} LimitFile;

static const LimitFile limit_files[] = {
    {DACSA_CGROUP_PIDS, "pids", "pids.max", "pids.current", {NULL, NULL}},
    {DACSA_CGROUP_PIDS, "", "pids.max", "pids.current", {NULL, NULL}},
    {DACSA_CGROUP_MEMORY,
     "memory",
     "memory.limit_in_bytes",
     "memory.usage_in_bytes",
     {"total_inactive_file", "total_active_file"}},
    {DACSA_CGROUP_MEMORY, "", "memory.max", "memory.current", {"inactive_file", "active_file"}},
    /* Above it the kernel slows the whole cgroup down, the VM too. */
    {DACSA_CGROUP_MEMORY, "", "memory.high", "memory.current", {"inactive_file", "active_file"}},
};

void
dacsa_cgroup_limit_free(DacsaCgroupLimit *limit)
{
  if (!limit)
    return;
  g_free(limit->file);
  g_free(limit);
}

uint64_t
dacsa_cgroup_room(const DacsaCgroupLimit *limit)
{
  return limit->limit > limit->used ? limit->limit - limit->used : 0;
}

static bool
has_word(const char *list, const char *word)
{
  g_auto(GStrv) words = g_strsplit(list, ",", -1);

  return g_strv_contains((const char *const *)words, word);
}

/* The process's path in the hierarchy, a line `number:controllers:path` of /proc/PID/cgroup. */
static char *
find_path(const char *root, pid_t pid, const char *controller)
{
  g_autofree char *text = dacsa_hostfile_process(root, pid, "cgroup");
  g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

  for (size_t i = 0; lines[i]; i++) {
    g_auto(GStrv) parts = g_strsplit(lines[i], ":", 3);

    if (g_strv_length(parts) != 3 || parts[2][0] != '/')
      continue;
    if (controller[0] ? has_word(parts[1], controller) : g_str_has_prefix(lines[i], "0::"))
      return g_strdup(parts[2]);
  }
  return NULL;
}

/* A mount of the hierarchy: `id parent dev root mountpoint options [field...] - type source
 * options` (proc_pid_mountinfo(5)). */
static bool
is_mount_of(char **fields, const char *controller)
{
  size_t dash = 6;

  while (fields[dash] && strcmp(fields[dash], "-") != 0)
    dash++;
  if (!fields[dash] || !fields[dash + 1] || !fields[dash + 2] || !fields[dash + 3])
    return false;
  if (!controller[0])
    return strcmp(fields[dash + 1], "cgroup2") == 0;
  return strcmp(fields[dash + 1], "cgroup") == 0 && has_word(fields[dash + 3], controller);
}

/* The part of path below the mount's root; NULL: it lies elsewhere, such as in a cgroup namespace
 * outside ours. */
static const char *
below(const char *path, const char *mount_root)
{
  size_t n = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);

  if (strncmp(path, mount_root, n) != 0 || (path[n] != '/' && path[n] != '\0') ||
      strstr(path, "/.."))
    return NULL;
  return path + n;
}

/* The directory of the process's cgroup, and how much of its name is the mountpoint's. */
static char *
find_directory(const char *root, pid_t pid, const char *controller, size_t *ret_mountpoint)
{
  g_autofree char *path = find_path(root, pid, controller);
  g_autofree char *mounts = path ? dacsa_hostfile_read(root, "/proc/self/mountinfo") : NULL;
  g_auto(GStrv) lines = g_strsplit(mounts ? mounts : "", "\n", -1);

  for (size_t i = 0; lines[i]; i++) {
    g_auto(GStrv) fields = g_strsplit(lines[i], " ", -1);

    if (g_strv_length(fields) < 10 || !is_mount_of(fields, controller))
      continue;
    g_autofree char *mount_root = g_strcompress(fields[3]);
    g_autofree char *mountpoint = g_strcompress(fields[4]);
    const char *rest = below(path, mount_root);

    if (!rest)
      continue;
    *ret_mountpoint = strlen(mountpoint);
    return g_strconcat(mountpoint, rest, NULL);
  }
  return NULL;
}

static uint64_t
read_reclaimable(const char *root, const char *directory, const LimitFile *file)
{
  g_autofree char *path = g_build_filename(directory, "memory.stat", NULL);
  g_autofree char *text = file->reclaimable[0] ? dacsa_hostfile_read(root, path) : NULL;
  uint64_t sum = 0;

  for (size_t i = 0; text && i < G_N_ELEMENTS(file->reclaimable); i++) {
    uint64_t bytes;

    if (dacsa_hostfile_number(text, file->reclaimable[i], &bytes) && bytes < UNLIMITED)
      sum += bytes;
  }
  return sum;
}

/* Version 1: `oom_kill_disable 1` (Documentation/admin-guide/cgroup-v1/memory.rst). */
static bool
has_no_oom_killer(const char *root, const char *directory)
{
  g_autofree char *path = g_build_filename(directory, "memory.oom_control", NULL);
  g_autofree char *text = dacsa_hostfile_read(root, path);
  uint64_t disabled;

  return dacsa_hostfile_number(text, "oom_kill_disable", &disabled) && disabled == 1;
}

/* What one directory says; NULL: nothing, as the topmost does. */
static DacsaCgroupLimit *
read_limit(const char *root, const char *directory, const LimitFile *file)
{
  g_autofree char *path = g_build_filename(directory, file->limit, NULL);
  g_autofree char *used_path = g_build_filename(directory, file->used, NULL);
  uint64_t limit, used;

  if (!dacsa_hostfile_limit(root, path, &limit) || limit >= UNLIMITED ||
      !dacsa_hostfile_limit(root, used_path, &used))
    return NULL;
  DacsaCgroupLimit *ret = g_new0(DacsaCgroupLimit, 1);
  ret->file = g_steal_pointer(&path);
  ret->limit = limit;
  ret->used = used - MIN(used, read_reclaimable(root, directory, file));
  return ret;
}

/* Keeps the tighter of *tightest and limit, which it takes. */
static void
keep_tighter(DacsaCgroupLimit **tightest, DacsaCgroupLimit *limit)
{
  if (limit && (!*tightest || dacsa_cgroup_room(limit) < dacsa_cgroup_room(*tightest))) {
    DacsaCgroupLimit *looser = *tightest;

    *tightest = limit;
    limit = looser;
  }
  dacsa_cgroup_limit_free(limit);
}

/* Cuts off the last part of a directory's name; false: it is the hierarchy's topmost, or NULL. */
static bool
to_parent(char *directory, size_t mountpoint)
{
  char *slash = directory ? strrchr(directory, '/') : NULL;

  if (!slash || (size_t)(slash - directory) < mountpoint)
    return false;
  *slash = '\0';
  return true;
}

DacsaCgroupLimit *
dacsa_cgroup_tightest(const char *root, pid_t pid, DacsaCgroupKind kind)
{
  DacsaCgroupLimit *tightest = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS(limit_files); i++) {
    const LimitFile *file = &limit_files[i];
    size_t mountpoint = 0;
    g_autofree char *directory =
        file->kind == kind ? find_directory(root, pid, file->controller, &mountpoint) : NULL;

    do
      if (directory)
        keep_tighter(&tightest, read_limit(root, directory, file));
    while (to_parent(directory, mountpoint));
  }
  return tightest;
}

/* The first file, of the process's group or one above, of which says tells; owned. NULL: of none.
 */
static char *
find_first(const char *root, pid_t pid, const char *controller, const char *name,
           bool (*says)(const char *root, const char *directory, uint64_t value))
{
  size_t mountpoint = 0;
  g_autofree char *directory = find_directory(root, pid, controller, &mountpoint);

  if (!directory)
    return NULL;
  do {
    g_autofree char *path = g_build_filename(directory, name, NULL);
    uint64_t value;

    if (dacsa_hostfile_limit(root, path, &value) && says(root, directory, value))
      return g_steal_pointer(&path);
  } while (to_parent(directory, mountpoint));
  return NULL;
}

static bool
is_group(const char *root, const char *directory, uint64_t value)
{
  (void)root;
  (void)directory;
  return value == 1;
}

char *
dacsa_cgroup_dies_together(const char *root, pid_t pid)
{
  return find_first(root, pid, "", "memory.oom.group", is_group);
}

static bool
is_waited_at(const char *root, const char *directory, uint64_t limit)
{
  return limit < UNLIMITED && has_no_oom_killer(root, directory);
}

/* Others may fill a group above, so that it need not be the tightest. */
char *
dacsa_cgroup_waits(const char *root, pid_t pid)
{
  return find_first(root, pid, "memory", "memory.limit_in_bytes", is_waited_at);
}

static bool
write_pid(const char *path, pid_t pid, GError **error)
{
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  const bool ok = fd >= 0 && dprintf(fd, "%d", (int)pid) > 0;
  const int errsv = errno;

  if (fd >= 0)
    close(fd);
  return ok || dacsa_fail_errno(error, errsv, "cannot write process %d to %s", (int)pid, path);
}

bool
dacsa_cgroup_move(const char *root, pid_t pid, pid_t to, GError **error)
{
  static const char *const hierarchies[] = {"", "name=systemd"};

  for (size_t i = 0; i < G_N_ELEMENTS(hierarchies); i++) {
    size_t mountpoint;
    g_autofree char *from = find_path(root, pid, hierarchies[i]);
    g_autofree char *path = find_path(root, to, hierarchies[i]);
    g_autofree char *directory = find_directory(root, to, hierarchies[i], &mountpoint);
    g_autofree char *file = g_strconcat(root, directory ? directory : "", "/cgroup.procs", NULL);

    if (directory && g_strcmp0(from, path) != 0 && !write_pid(file, pid, error))
      return false;
  }
  return true;
}
