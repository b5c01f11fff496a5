/* What tells one set of signatures from another. */
#include "parsers/scan/clam.h"
#include "parsers/scan/yara.h"
#include "snap/error.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#define MOST_FILES 10000u    /* in a database directory */
#define DEEPEST_INCLUDE 16u  /* as libyara has it: yara/limits.h, YR_MAX_INCLUDE_DEPTH */
#define MOST_INCLUDES 10000u /* in all */

static void
add_text(GChecksum *sum, const char *text)
{
  g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1);
}

static void
add_number(GChecksum *sum, uint64_t number)
{
  uint64_t le = GUINT64_TO_LE(number);

  g_checksum_update(sum, (const guchar *)&le, sizeof(le));
}

/* One file, or a directory itself: that a name was added or removed shows in its times. */
static bool
add_file(GChecksum *sum, const char *path, bool *ret_directory, GError **error)
{
  struct stat st;

  if (stat(path, &st) != 0)
    return dacsa_fail_errno(error, errno, "%s cannot be read", path);
  add_text(sum, path);
  add_number(sum, (uint64_t)st.st_size);
  add_number(sum, (uint64_t)st.st_ino);
  add_number(sum, (uint64_t)st.st_mtim.tv_sec);
  add_number(sum, (uint64_t)st.st_mtim.tv_nsec);
  add_number(sum, (uint64_t)st.st_ctim.tv_sec);
  add_number(sum, (uint64_t)st.st_ctim.tv_nsec);
  *ret_directory = S_ISDIR(st.st_mode);
  return true;
}

static int
compare_paths(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The paths in a directory, sorted: owned. */
static bool
list_directory(const char *path, GPtrArray **ret, GError **error)
{
  g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GError) why = NULL;
  g_autoptr(GDir) directory = g_dir_open(path, 0, &why);
  const char *name;

  if (!directory)
    return dacsa_fail(error, DACSA_ERROR_OS, "%s", why->message);
  while ((name = g_dir_read_name(directory))) {
    if (paths->len >= MOST_FILES)
      return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s has more than %u files", path,
                        MOST_FILES);
    g_ptr_array_add(paths, g_build_filename(path, name, NULL));
  }
  g_ptr_array_sort(paths, compare_paths);
  *ret = g_steal_pointer(&paths);
  return true;
}

static bool
add_database(GChecksum *sum, const char *path, GError **error)
{
  g_autoptr(GPtrArray) paths = NULL;
  bool is_directory = false;

  if (!add_file(sum, path, &is_directory, error))
    return false;
  if (!is_directory)
    return true;
  if (!list_directory(path, &paths, error))
    return false;
  for (guint i = 0; i < paths->len; i++)
    if (!add_file(sum, (const char *)paths->pdata[i], &is_directory, error))
      return false;
  return true;
}

/* --- rules: what they say, with all that they include --- */

typedef struct {
  GChecksum *sum;
  GRegex *include;
  unsigned files;
} Rules;

static void add_text_of_rules(Rules *rules, const char *path, unsigned depth);

/* Everything that looks like an include, also in a comment: too much does no harm. A path is
 * relative to the file it stands in, as libyara has it. */
static void
add_includes(Rules *rules, const char *path, const char *text, gsize len, unsigned depth)
{
  g_autoptr(GMatchInfo) match = NULL;
  g_autofree char *directory = g_path_get_dirname(path);

  g_regex_match_full(rules->include, text, (gssize)len, 0, 0, &match, NULL);
  while (g_match_info_matches(match)) {
    g_autofree char *name = g_match_info_fetch(match, 1);
    g_autofree char *included = g_build_filename(directory, name, NULL);

    add_text_of_rules(rules, included, depth + 1);
    g_match_info_next(match, NULL);
  }
}

static void
add_text_of_rules(Rules *rules, const char *path, unsigned depth)
{
  g_autofree char *text = NULL;
  gsize len = 0;

  add_text(rules->sum, path);
  if (depth > DEEPEST_INCLUDE || rules->files++ >= MOST_INCLUDES)
    return;
  if (!g_file_get_contents(path, &text, &len, NULL))
    return;
  add_number(rules->sum, len);
  g_checksum_update(rules->sum, (const guchar *)text, (gssize)len);
  add_includes(rules, path, text, len, depth);
}

static bool
add_rules(Rules *rules, const char *path, GError **error)
{
  bool is_directory = false;

  if (!add_file(rules->sum, path, &is_directory, error))
    return false;
  if (is_directory)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the YARA rules %s are a directory", path);
  add_text_of_rules(rules, path, 0);
  return true;
}

bool
dacsa_scan_version(const DacsaScanOptions *options, char **ret, GError **error)
{
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_autoptr(GRegex) include = g_regex_new("include\\s+\"([^\"\n]+)\"", G_REGEX_RAW, 0, NULL);
  Rules rules = {.sum = sum, .include = include};

  add_text(sum, "ClamAV");
  add_text(sum, dacsa_scan_clam_version());
  for (size_t i = 0; options->databases && options->databases[i]; i++)
    if (!add_database(sum, options->databases[i], error))
      return false;
  add_text(sum, "YARA");
  add_text(sum, dacsa_scan_yara_version());
  for (size_t i = 0; options->rules && options->rules[i]; i++)
    if (!add_rules(&rules, options->rules[i], error))
      return false;
  *ret = g_strdup(g_checksum_get_string(sum));
  return true;
}
