/* Records on disk (a tmpfs: they are worth nothing after a reboot). */
#include "snap/state.h"

#include "snap/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".snapshot"
#define MAX_NAME 200u /* bytes */
#define LOCK_US G_USEC_PER_SEC
#define LOCK_NAP_US 10000

char *
dacsa_state_path(const char *mountpoint)
{
  g_autofree char *name = g_uri_escape_string(mountpoint, NULL, FALSE);

  return g_build_filename(DACSA_STATE_ROOT, name, NULL);
}

/* The directory that has the name may be another one by now: who ended has removed this one. */
static bool
has_name(int fd, const char *path)
{
  struct stat opened, named;

  return fstat(fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

/* A process that the last daemon forked just before its end, or that clears up after it, has the
 * lock for a moment yet. */
static bool
lock_in_time(int fd, int64_t deadline)
{
  while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    if (g_get_monotonic_time() > deadline)
      return false;
    g_usleep(LOCK_NAP_US);
  }
  return true;
}

/* Calls func with the path of each file there whose name ends in suffix: whether there is one. */
static bool
each_file(const char *path, const char *suffix, int (*func)(const char *file))
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *name;
  bool any = false;

  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *file = g_build_filename(path, name, NULL);

    if (!g_str_has_suffix(name, suffix))
      continue;
    any = true;
    if (func)
      func(file);
  }
  return any;
}

/* Makes it if need be. -1, with errno. Who ended may just have removed it, or what it is in: then
 * that is ENOENT, or ENOTDIR where it was there when it was to be made and is not when it is looked
 * at. */
static int
open_directory(const char *path)
{
  return g_mkdir_with_parents(path, 0700) < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool
dacsa_state_open(const char *path, int *ret_lock, GError **error)
{
  const int64_t deadline = g_get_monotonic_time() + LOCK_US;

  for (;;) {
    const int fd = open_directory(path);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR) && g_get_monotonic_time() <= deadline)
      continue;
    if (fd < 0)
      return dacsa_fail_errno(error, errno, "cannot make %s", path);
    const bool locked = lock_in_time(fd, deadline);
    if (locked && has_name(fd, path)) {
      /* Of workers that were killed, or have not touched their VM yet and then do not. */
      each_file(path, DACSA_STATE_TAKING DACSA_STATE_UNFINISHED, unlink);
      *ret_lock = fd;
      return true;
    }
    close(fd);
    if (!locked)
      return dacsa_fail(error, DACSA_ERROR_BUSY,
                        "another dacsa serves this mount point; unmount it first");
  }
}

bool
dacsa_state_is_locked(const char *path)
{
  const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    return errno == EACCES;
  const bool is_locked = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
  close(fd);
  return is_locked;
}

/* What those who were killed had begun to write, and what the daemon told. A worker whose take
 * outlives the daemon has a journal, or is about to, and may write its record just now. */
static void
remove_remains(const char *path)
{
  g_autofree char *log = g_build_filename(path, "log", NULL);

  if (each_file(path, DACSA_STATE_TAKING, NULL) ||
      each_file(path, DACSA_STATE_TAKING DACSA_STATE_UNFINISHED, NULL))
    return;
  each_file(path, DACSA_STATE_UNFINISHED, unlink);
  unlink(log);
}

void
dacsa_state_close(const char *path, int lock)
{
  g_autoptr(GPtrArray) records = dacsa_state_load(path);

  if (records->len == 0) {
    remove_remains(path);
    rmdir(path);
    rmdir(DACSA_STATE_ROOT);
  }
  close(lock);
}

char *
dacsa_state_file(const char *path, const char *vm, const char *name, const char *suffix)
{
  g_autofree char *vm_part = g_uri_escape_string(vm, NULL, FALSE);
  g_autofree char *name_part = g_uri_escape_string(name, NULL, FALSE);
  g_autofree char *file = g_strconcat(vm_part, "@", name_part, suffix, NULL);

  return g_build_filename(path, file, NULL);
}

static char *
record_path(const char *path, const char *vm, const char *name)
{
  return dacsa_state_file(path, vm, name, SUFFIX);
}

GPtrArray *
dacsa_state_load_files(const char *path, const char *suffix, void *(*load)(const char *file),
                       GDestroyNotify destroy)
{
  GPtrArray *all = g_ptr_array_new_with_free_func(destroy);
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *file = g_build_filename(path, name, NULL);
    void *loaded = g_str_has_suffix(name, suffix) ? load(file) : NULL;

    if (loaded)
      g_ptr_array_add(all, loaded);
  }
  return all;
}

bool
dacsa_state_is_name(const char *vm, const char *name)
{
  g_autofree char *longest = dacsa_state_file("", vm, name, SUFFIX DACSA_STATE_UNFINISHED);

  if (name[0] == '\0' || name[0] == '.' || strlen(name) > MAX_NAME || strchr(name, '/') ||
      strcmp(name, "status") == 0 || strcmp(name, "latest") == 0 ||
      !g_utf8_validate(name, -1, NULL) || strlen(longest) > NAME_MAX)
    return false;
  for (const char *c = name; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7f)
      return false;
  return true;
}

bool
dacsa_state_save(const char *path, const DacsaRecord *record, GError **error)
{
  g_autofree char *file = record_path(path, record->vm, record->name);
  g_autofree char *text = dacsa_record_to_text(record);
  g_autofree char *unfinished = g_strconcat(file, DACSA_STATE_UNFINISHED, NULL);
  g_autoptr(GError) cause = NULL;

  unlink(unfinished); /* of one that was killed: it would be written over, not cut off */
  /* Without fsync: a snapshot does not survive what the page cache does not. */
  if (!g_file_set_contents_full(unfinished, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, &cause)) {
    unlink(unfinished);
    return dacsa_fail(error, DACSA_ERROR_OS, "%s", cause->message);
  }
  if (rename(unfinished, file) < 0) {
    int errsv = errno;
    unlink(unfinished);
    return dacsa_fail_errno(error, errsv, "cannot write %s", file);
  }
  return true;
}

void
dacsa_state_remove(const char *path, const char *vm, const char *name)
{
  g_autofree char *file = record_path(path, vm, name);

  unlink(file);
}

int
dacsa_state_open_record(const char *path, const char *vm, const char *name)
{
  g_autofree char *file = record_path(path, vm, name);

  return open(file, O_RDONLY | O_CLOEXEC);
}

/* A DacsaRecord, owned, or NULL. */
static void *
load_file(const char *file)
{
  g_autofree char *text = NULL;
  DacsaRecord *record;
  gsize len;

  return g_file_get_contents(file, &text, &len, NULL) &&
                 dacsa_record_from_text(text, len, &record, NULL)
             ? record
             : NULL;
}

DacsaRecord *
dacsa_state_load_record(const char *path, const char *vm, const char *name)
{
  g_autofree char *file = record_path(path, vm, name);

  return load_file(file);
}

static gint
compare_times(gconstpointer a, gconstpointer b)
{
  const DacsaRecord *x = *(const DacsaRecord *const *)a, *y = *(const DacsaRecord *const *)b;

  if (x->child_start != y->child_start) /* since boot: clocks that are set do not matter */
    return x->child_start < y->child_start ? -1 : 1;
  return x->taken_us < y->taken_us ? -1 : x->taken_us > y->taken_us;
}

GPtrArray *
dacsa_state_load(const char *path)
{
  GPtrArray *records =
      dacsa_state_load_files(path, SUFFIX, load_file, (GDestroyNotify)dacsa_record_free);

  g_ptr_array_sort(records, compare_times);
  return records;
}

GPtrArray *
dacsa_state_load_all(void)
{
  GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_record_free);
  g_autoptr(GDir) dir = g_dir_open(DACSA_STATE_ROOT, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name(dir))) {
    g_autofree char *path = g_build_filename(DACSA_STATE_ROOT, name, NULL);

    g_ptr_array_extend_and_steal(all, dacsa_state_load(path));
  }
  return all;
}
