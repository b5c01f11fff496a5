/* Files of dacsa scan: which there are, and what is found in them. */
#include "fs/scan-files.h"

#include "fs/client.h"
#include "fs/scan-cached.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK ((size_t)1 << 20)
/* Tells a file's key from that of a page of the same bytes. */
#define FILE_KEY UINT64_C(0x66696c65)

/* One file, and who has it as executable. */
typedef struct {
  DacsaFindingKind kind;
  char *path;       /* as the guest has it */
  char *mount_path; /* where it is to be read */
  GPtrArray *units; /* DacsaScanUnit: of an executable */
  bool is_known;    /* the key */
  DacsaScanKey key;
} File;

struct DacsaScanFiles {
  char *snapshot;
  GMutex lock; /* of what follows */
  DacsaScanCached *cached;
  GPtrArray *all;          /* File */
  GHashTable *by_identity; /* text that tells one file from another -> File */
  GHashTable *found;       /* DacsaScanKey -> GPtrArray of signatures */
};

static void
file_free(void *data)
{
  File *file = data;

  g_free(file->path);
  g_free(file->mount_path);
  g_ptr_array_unref(file->units);
  g_free(file);
}

DacsaScanFiles *
dacsa_scan_files_new(const char *snapshot)
{
  DacsaScanFiles *files = g_new0(DacsaScanFiles, 1);

  files->snapshot = g_strdup(snapshot);
  g_mutex_init(&files->lock);
  files->cached = dacsa_scan_cached_new(snapshot);
  files->all = g_ptr_array_new_with_free_func(file_free);
  files->by_identity = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  files->found = g_hash_table_new_full(dacsa_scan_key_hash, dacsa_scan_key_equal, NULL,
                                       (GDestroyNotify)g_ptr_array_unref);
  return files;
}

void
dacsa_scan_files_free(DacsaScanFiles *files)
{
  if (!files)
    return;
  g_free(files->snapshot);
  g_ptr_array_unref(files->all);
  g_hash_table_unref(files->by_identity);
  dacsa_scan_cached_free(files->cached);
  g_hash_table_unref(files->found);
  g_mutex_clear(&files->lock);
  g_free(files);
}

/* -- which there are -- */

/* The file of an identity, made if need be; the lock is held. */
static File *
add_file(DacsaScanFiles *files, const char *identity, DacsaFindingKind kind, const char *path,
         const char *mount_path)
{
  File *file = g_hash_table_lookup(files->by_identity, identity);

  if (file)
    return file;
  file = g_new0(File, 1);
  file->kind = kind;
  file->path = g_strdup(path);
  file->mount_path = g_strdup(mount_path);
  file->units = g_ptr_array_new();
  g_ptr_array_add(files->all, file);
  g_hash_table_insert(files->by_identity, g_strdup(identity), file);
  return file;
}

/* -- which files a process has mapped -- */

/* A line of `maps` with a file. */
typedef struct {
  uint64_t start, end, ino;
  unsigned major, minor;
} Mapped;

/* `start-end perms offset major:minor inode path`, as far as the inode; false: no file. */
static bool
parse_mapped(const char *line, Mapped *ret)
{
  char *at;

  ret->start = g_ascii_strtoull(line, &at, 16);
  if (*at != '-')
    return false;
  ret->end = g_ascii_strtoull(at + 1, &at, 16);
  at = *at ? strchr(at + 1, ' ') : NULL; /* behind the permissions */
  if (!at)
    return false;
  g_ascii_strtoull(at, &at, 16);
  ret->major = (unsigned)g_ascii_strtoull(at, &at, 16);
  if (*at != ':')
    return false;
  ret->minor = (unsigned)g_ascii_strtoull(at + 1, &at, 16);
  ret->ino = g_ascii_strtoull(at, NULL, 10);
  return ret->ino != 0;
}

static GArray *
read_mapped(const DacsaScanUnit *unit)
{
  GArray *all = g_array_new(FALSE, FALSE, sizeof(Mapped));
  g_autofree char *path = g_build_filename(unit->path, "maps", NULL);
  g_autofree char *text = NULL;
  Mapped mapped;

  if (!g_file_get_contents(path, &text, NULL, NULL))
    return all;
  for (const char *line = text; *line; line = *line ? line + 1 : line) {
    if (parse_mapped(line, &mapped))
      g_array_append_val(all, mapped);
    line = strchrnul(line, '\n');
  }
  return all;
}

/* The file at an address; NULL: none. */
static const Mapped *
mapped_at(const GArray *all, uint64_t address)
{
  guint low = 0, high = all->len;

  while (low < high) {
    const guint middle = low + (high - low) / 2;
    const Mapped *mapped = &g_array_index(all, Mapped, middle);

    if (address < mapped->start)
      high = middle;
    else if (address >= mapped->end)
      low = middle + 1;
    else
      return mapped;
  }
  return NULL;
}

static char *
identity_of(const Mapped *mapped)
{
  return g_strdup_printf("%u:%u %" G_GUINT64_FORMAT, mapped->major, mapped->minor, mapped->ino);
}

static void
add_executable(DacsaScanFiles *files, const DacsaScanUnit *unit, const GArray *mapped)
{
  g_autofree char *mount_path = g_build_filename(unit->path, "exe", NULL);
  g_autofree char *identity = NULL;

  for (guint i = 0; !identity && unit->exe && i < unit->mappings->len; i++) {
    const DacsaScanMapping *mapping = &g_array_index(unit->mappings, DacsaScanMapping, i);
    const Mapped *file =
        g_strcmp0(mapping->path, unit->exe) == 0 ? mapped_at(mapped, mapping->start) : NULL;

    identity = file ? identity_of(file) : NULL;
  }
  if (!identity)
    identity = g_strdup_printf("pid %u", unit->pid);
  g_autofree char *exe = g_strconcat("exe ", identity, NULL);
  g_ptr_array_add(
      add_file(files, exe, DACSA_FINDING_EXE, unit->exe ? unit->exe : "?", mount_path)->units,
      (void *)(uintptr_t)unit);
}

static void
add_library(DacsaScanFiles *files, const DacsaScanMapping *mapping, const Mapped *file)
{
  g_autofree char *identity = identity_of(file);
  g_autofree char *device = g_strdup_printf("%u:%u", file->major, file->minor);

  if (g_hash_table_contains(files->by_identity, identity))
    return;
  g_autofree char *mount_path =
      dacsa_scan_cached_path(files->cached, device, file->ino, mapping->path);
  if (mount_path)
    add_file(files, identity, DACSA_FINDING_FILE, mapping->path, mount_path);
}

void
dacsa_scan_files_add_unit(DacsaScanFiles *files, const DacsaScanUnit *unit)
{
  g_autoptr(GArray) mapped = read_mapped(unit);
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&files->lock);

  add_executable(files, unit, mapped);
  for (guint i = 0; i < unit->mappings->len; i++) {
    const DacsaScanMapping *mapping = &g_array_index(unit->mappings, DacsaScanMapping, i);
    const Mapped *file = mapping->executable && mapping->path && mapping->path[0] == '/' &&
                                 g_strcmp0(mapping->path, unit->exe) != 0
                             ? mapped_at(mapped, mapping->start)
                             : NULL;

    if (file)
      add_library(files, mapping, file);
  }
}

/* Open files of some processes are added. */
typedef struct {
  DacsaScanFiles *files;
  const GArray *wanted; /* uint32_t; NULL: all */
} OpenFiles;

/* A line of json/fds.jsonl. */
static void
add_open_file(JsonObject *line, void *data)
{
  const OpenFiles *of = data;
  DacsaScanFiles *files = of->files;
  const GArray *wanted = of->wanted;
  const char *path = json_object_get_string_member_with_default(line, "path", "");
  const char *device = json_object_get_string_member_with_default(line, "dev", "");
  const char *type = json_object_get_string_member_with_default(line, "type", "");
  const gint64 pid = json_object_get_int_member_with_default(line, "pid", 0);
  const gint64 ino = json_object_get_int_member_with_default(line, "ino", 0);
  bool is_wanted = !wanted;

  for (guint i = 0; wanted && i < wanted->len; i++)
    is_wanted = is_wanted || g_array_index(wanted, uint32_t, i) == pid;
  if (!is_wanted || !g_str_has_suffix(path, DACSA_SCAN_DELETED) ||
      (strcmp(type, "REG") != 0 && strcmp(type, "memfd") != 0))
    return;
  g_autofree char *identity = g_strdup_printf("%s %" G_GINT64_FORMAT, device, ino);
  g_autofree char *mount_path = dacsa_scan_cached_path(files->cached, device, (uint64_t)ino, path);
  if (mount_path)
    add_file(files, identity, DACSA_FINDING_FILE, path, mount_path);
}

void
dacsa_scan_files_add_open(DacsaScanFiles *files, const GArray *wanted)
{
  g_autofree char *path = g_build_filename(files->snapshot, "json/fds.jsonl", NULL);
  OpenFiles of = {files, wanted};

  /* Most are sockets, and files that have their name. */
  dacsa_client_each_row(path, DACSA_SCAN_DELETED, add_open_file, &of);
}

guint
dacsa_scan_files_count(const DacsaScanFiles *files)
{
  return files->all->len;
}

/* -- scanning -- */

/* The key of a file's content: what there is of it, and where. */
static bool
content_key(int fd, const DacsaScanSalt *salt, DacsaScanKey *ret, uint64_t *ret_bytes)
{
  g_autofree char *block = g_malloc(BLOCK);
  struct stat st;
  off_t at = 0;

  if (fstat(fd, &st) < 0)
    return false;
  *ret = (DacsaScanKey){FILE_KEY, (uint64_t)st.st_size};
  *ret_bytes = 0;
  while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
    off_t hole = lseek(fd, at, SEEK_HOLE);

    while (at < hole) {
      const ssize_t n = pread(fd, block, (size_t)MIN((off_t)BLOCK, hole - at), at);
      /* What is there, where, and the key of all before it. */
      struct {
        DacsaScanKey before, here;
        off_t at;
      } link = {.before = *ret, .at = at};

      if (n <= 0)
        return false;
      dacsa_scan_key_content(salt, block, (size_t)n, &link.here);
      dacsa_scan_key_content(salt, &link, sizeof(link), ret);
      at += n;
      *ret_bytes += (uint64_t)n;
    }
  }
  ret->a ^= FILE_KEY;
  return errno == ENXIO;
}

static void
match_file(DacsaScanFiles *files, DacsaScanJob *job, File *file, int fd)
{
  g_autoptr(GPtrArray) names = NULL;
  g_autoptr(GError) error = NULL;
  const bool ok = dacsa_scan_engine_file(dacsa_scan_job_engine(job), fd, &names, &error);

  if (!ok)
    dacsa_scan_job_fail(job, "%s: %s", file->mount_path, error->message);
  if (!names || names->len == 0) {
    if (ok)
      dacsa_scan_windows_settle(dacsa_scan_job_content(job), &file->key, (bool[]){false}, 1);
    return;
  }
  g_mutex_lock(&files->lock);
  g_hash_table_insert(files->found, &file->key, g_steal_pointer(&names));
  g_mutex_unlock(&files->lock);
}

/* A library that has left the cache is no failure: its mapped pages are scanned as memory. */
static bool
is_missing(const File *file, int errsv)
{
  return errsv == ENOENT || (file->kind == DACSA_FINDING_FILE && errsv == ENOTDIR);
}

void
dacsa_scan_files_scan(DacsaScanFiles *files, DacsaScanJob *job, guint i)
{
  File *file = g_ptr_array_index(files->all, i);
  DacsaScanWindows *content = dacsa_scan_job_content(job);
  g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(DacsaScanPart));
  DacsaScanCounts counts = {.files = 1};
  const int fd = open(file->mount_path, O_RDONLY | O_CLOEXEC);

  if (fd < 0) {
    if (!is_missing(file, errno))
      dacsa_scan_job_fail(job, "%s: %s", file->mount_path, g_strerror(errno));
    return;
  }
  file->is_known =
      content_key(fd, dacsa_scan_windows_salt(content), &file->key, &counts.seen_bytes);
  if (!file->is_known)
    dacsa_scan_job_fail(job, "%s: it cannot be read", file->mount_path);
  else
    dacsa_scan_windows_claim(content, &file->key, 1, parts);
  if (parts->len > 0) {
    counts.bytes = counts.seen_bytes;
    match_file(files, job, file, fd);
  }
  close(fd);
  dacsa_scan_job_count(job, &counts);
}

void
dacsa_scan_files_tell(const DacsaScanFiles *files, DacsaScanJob *job)
{
  for (guint i = 0; i < files->all->len; i++) {
    const File *file = g_ptr_array_index(files->all, i);
    const GPtrArray *names = file->is_known ? g_hash_table_lookup(files->found, &file->key) : NULL;

    for (guint n = 0; names && n < names->len; n++) {
      const char *name = g_ptr_array_index(names, n);

      for (guint u = 0; u < file->units->len; u++)
        dacsa_findings_add_file(dacsa_scan_job_findings(job), file->kind,
                                g_ptr_array_index(file->units, u), file->path, name);
      if (file->units->len == 0)
        dacsa_findings_add_file(dacsa_scan_job_findings(job), file->kind, NULL, file->path, name);
    }
  }
}
