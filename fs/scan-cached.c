/* From a file's device, inode and path to where the mount has it. */
#include "fs/scan-cached.h"

#include "fs/names.h"

#include <string.h>
#include <unistd.h>

/* A file system of files/. */
typedef struct {
  char *name;  /* of the directory */
  char *where; /* it is mounted at; NULL: nowhere */
} FileSystem;

struct DacsaScanCached {
  char *snapshot;
  GHashTable *systems; /* device -> FileSystem; NULL until it is asked for: listing them costs */
};

static void
system_free(void *data)
{
  FileSystem *system = data;

  g_free(system->name);
  g_free(system->where);
  g_free(system);
}

DacsaScanCached *
dacsa_scan_cached_new(const char *snapshot)
{
  DacsaScanCached *cached = g_new0(DacsaScanCached, 1);

  cached->snapshot = g_strdup(snapshot);
  return cached;
}

void
dacsa_scan_cached_free(DacsaScanCached *cached)
{
  if (!cached)
    return;
  g_free(cached->snapshot);
  g_clear_pointer(&cached->systems, g_hash_table_unref);
  g_free(cached);
}

/* `major:minor-type-where` (parsers/linux/files.c), escaped. */
static void
add_system(GHashTable *systems, const char *name)
{
  g_autofree char *raw = dacsa_name_unescape(name);
  const char *type = raw ? strchr(raw, '-') : NULL;
  const char *where = type ? strchr(type + 1, '-') : NULL;
  FileSystem *system;

  if (!type)
    return;
  system = g_new0(FileSystem, 1);
  system->name = g_strdup(name);
  system->where = where && where[1] ? g_strdup(where + 1) : NULL;
  g_hash_table_insert(systems, g_strndup(raw, (gsize)(type - raw)), system);
}

static GHashTable *
find_systems(const char *snapshot)
{
  GHashTable *systems = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, system_free);
  g_autofree char *path = g_build_filename(snapshot, "files", NULL);
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name(dir)))
    add_system(systems, name);
  return systems;
}

char *
dacsa_scan_cached_path(DacsaScanCached *cached, const char *device, uint64_t ino, const char *path)
{
  if (!cached->systems)
    cached->systems = find_systems(cached->snapshot);
  const FileSystem *system = g_hash_table_lookup(cached->systems, device);
  const char *below = path;

  if (!system)
    return NULL;
  if (system->where && strcmp(system->where, "/") != 0 && g_str_has_prefix(path, system->where))
    below += strlen(system->where);
  GString *full = g_string_new(cached->snapshot);
  g_auto(GStrv) parts = g_strsplit(below, "/", -1);
  g_string_append_printf(full, "/files/%s", system->name);
  for (size_t i = 0; parts[i]; i++) {
    g_autofree char *part = parts[i][0] ? dacsa_name_escape(parts[i]) : NULL;

    if (part)
      g_string_append_printf(full, "/%s", part);
  }
  const gsize len = full->len;
  if (g_str_has_suffix(path, DACSA_SCAN_DELETED)) {
    g_string_append_printf(full, "#%" G_GUINT64_FORMAT, ino);
    if (access(full->str, F_OK) < 0)
      g_string_truncate(full, len);
  }
  return g_string_free(full, FALSE);
}
