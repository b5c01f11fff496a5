/* libclamav. */
#include "parsers/scan/clam.h"

#include "parsers/scan/locate.h"
#include "snap/error.h"
#include "snap/fd.h"

#include <clamav.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* libclamav takes nothing larger (libclamav/others.c, cl_engine_set_num: about INT_MAX). */
#define LARGEST ((size_t)G_MAXINT32 - 2)
/* What is inside may be unpacked up to clamscan's --max-scansize beyond that; a hostile guest's
 * archives could go on for ever. */
#define MOST_SCANNED (LARGEST + ((size_t)400 << 20))

#define MOST_PLACES 256  /* of one signature in a buffer */
#define MOST_LOOKS 2048u /* at parts of a buffer; then places are as small as they have got */
#define MOST_MATCHES 512 /* in a buffer, beyond which a signature's place is the whole of it */
#define LONGEST_COMPLAINT 1000u

struct DacsaScanClam {
  struct cl_engine *engine;
  unsigned signatures;
};

/* clamscan's, with --allmatch: all that can be parsed, no alert that is asked for by name. */
static const struct cl_scan_options scan_options = {
    .general = CL_SCAN_GENERAL_ALLMATCHES | CL_SCAN_GENERAL_HEURISTICS,
    .parse = ~0u,
};

static const struct {
  enum cl_engine_field field;
  long long value;
} settings[] = {
    {CL_ENGINE_MAX_FILESIZE, (long long)LARGEST},
    {CL_ENGINE_MAX_SCANSIZE, (long long)MOST_SCANNED},
    {CL_ENGINE_PCRE_MAX_FILESIZE, (long long)LARGEST},
    {CL_ENGINE_MAX_SCANTIME, 0},  /* none: what is cut short would count as clean */
    {CL_ENGINE_DISABLE_CACHE, 1}, /* nothing is scanned twice anyway */
};

/* What libclamav complained of in this thread, while somebody wants to know: its messages come
 * without a context of ours. */
static GPrivate complaints;

static void
on_message(enum cl_msg severity, const char *full, const char *message, void *context)
{
  GString *text = (GString *)g_private_get(&complaints);

  (void)full, (void)context;
  if (severity != CL_MSG_ERROR || !text || text->len > LONGEST_COMPLAINT)
    return;
  g_autofree char *line = g_strstrip(g_strdup(message));

  g_string_append_printf(text, "%s%s", text->len > 0 ? "; " : "", line);
}

static bool
init(GError **error)
{
  static gsize result;

  if (g_once_init_enter(&result)) {
    cl_set_clcb_msg(on_message);
    g_once_init_leave(&result, (gsize)cl_init(CL_INIT_DEFAULT) + 1);
  }
  if (result == (gsize)CL_SUCCESS + 1)
    return true;
  return dacsa_fail(error, DACSA_ERROR_OS, "libclamav does not start: %s",
                    cl_strerror((cl_error_t)(result - 1)));
}

const char *
dacsa_scan_clam_version(void)
{
  return cl_retver();
}

static bool
configure(DacsaScanClam *clam, const char *tmpdir, GError **error)
{
  cl_error_t result = cl_engine_set_str(clam->engine, CL_ENGINE_TMPDIR, tmpdir);

  for (size_t i = 0; i < G_N_ELEMENTS(settings) && result == CL_SUCCESS; i++)
    result = cl_engine_set_num(clam->engine, settings[i].field, settings[i].value);
  if (result == CL_SUCCESS)
    return true;
  return dacsa_fail(error, DACSA_ERROR_OS, "libclamav cannot be set up: %s", cl_strerror(result));
}

static bool
fail_load(const char *path, cl_error_t result, const GString *said, GError **error)
{
  bool is_data = result != CL_EMEM && result != CL_EACCES && result != CL_EREAD;

  return dacsa_fail(error, is_data ? DACSA_ERROR_BAD_DATA : DACSA_ERROR_OS,
                    "the ClamAV database %s cannot be loaded: %s; replace what is broken, or name "
                    "another database",
                    path, said->len > 0 ? said->str : cl_strerror(result));
}

static bool
load_database(DacsaScanClam *clam, const char *path, GError **error)
{
  unsigned before = clam->signatures;
  g_autoptr(GString) said = g_string_new(NULL);

  if (access(path, R_OK) != 0)
    return dacsa_fail_errno(error, errno, "the ClamAV database %s cannot be read", path);
  g_private_set(&complaints, said);
  cl_error_t result = cl_load(path, clam->engine, &clam->signatures, CL_DB_STDOPT);
  g_private_set(&complaints, NULL);
  /* Of YARA rules among its databases libclamav leaves out the broken ones, and says success. */
  if (result != CL_SUCCESS || said->len > 0)
    return fail_load(path, result, said, error);
  if (clam->signatures == before)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA,
                      "the ClamAV database %s has no signature in it; name another database, or "
                      "run freshclam",
                      path);
  return true;
}

static bool
compile(DacsaScanClam *clam, GError **error)
{
  g_autoptr(GString) said = g_string_new(NULL);

  g_private_set(&complaints, said);
  cl_error_t result = cl_engine_compile(clam->engine);
  g_private_set(&complaints, NULL);
  if (result == CL_SUCCESS)
    return true;
  return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the ClamAV databases do not go together: %s: %s",
                    cl_strerror(result), said->str);
}

void
dacsa_scan_clam_free(DacsaScanClam *clam)
{
  if (!clam)
    return;
  if (clam->engine)
    cl_engine_free(clam->engine);
  g_free(clam);
}

/* --- what is found: names, each once --- */

/* libclamav's callback, context: the GHashTable (a set of char *). */
static void
on_found(int fd, const char *name, void *context)
{
  GHashTable *names = (GHashTable *)context;

  (void)fd;
  if (!g_hash_table_contains(names, name))
    g_hash_table_add(names, g_strdup(name));
}

bool
dacsa_scan_clam_load(const char *const *databases, const char *tmpdir, DacsaScanClam **ret,
                     GError **error)
{
  if (!init(error))
    return false;
  g_autoptr(DacsaScanClam) clam = g_new0(DacsaScanClam, 1);
  clam->engine = cl_engine_new();
  if (!clam->engine)
    return dacsa_fail(error, DACSA_ERROR_OS, "libclamav has no memory for an engine");
  if (!configure(clam, tmpdir, error))
    return false;
  for (size_t i = 0; databases[i]; i++)
    if (!load_database(clam, databases[i], error))
      return false;
  if (!compile(clam, error))
    return false;
  cl_engine_set_clcb_virus_found(clam->engine, on_found);
  *ret = g_steal_pointer(&clam);
  return true;
}

unsigned
dacsa_scan_clam_signatures(const DacsaScanClam *clam)
{
  return clam->signatures;
}

/* Owned set of the names; NULL and error: it could not be scanned to the end. map is closed. */
static GHashTable *
scan_map(DacsaScanClam *clam, cl_fmap_t *map, GError **error)
{
  g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  struct cl_scan_options options = scan_options;
  unsigned long scanned = 0;
  const char *first = NULL;

  if (!map) {
    dacsa_fail(error, DACSA_ERROR_OS, "libclamav has no memory to scan with");
    return NULL;
  }
  cl_error_t result =
      cl_scanmap_callback(map, NULL, &first, &scanned, clam->engine, &options, names);
  cl_fmap_close(map);
  if (result == CL_CLEAN || result == CL_VIRUS || result == CL_VERIFIED)
    return g_steal_pointer(&names);
  dacsa_fail(error, DACSA_ERROR_OS, "libclamav: %s", cl_strerror(result));
  return NULL;
}

/* --- memory, and the places --- */

typedef struct {
  DacsaScanClam *clam;
  const uint8_t *data;
  GHashTable *seen; /* DacsaScanRange -> set of names: signatures that lie together share scans */
  const char *name; /* that is being located */
  unsigned looks;
} Buffer;

static guint
range_hash(gconstpointer key)
{
  const DacsaScanRange *range = (const DacsaScanRange *)key;

  return (guint)(range->start * 31 + range->end * 1000003);
}

static gboolean
range_equal(gconstpointer a, gconstpointer b)
{
  return memcmp(a, b, sizeof(DacsaScanRange)) == 0;
}

/* The names in a part: borrowed. NULL: it cannot be scanned (error), or one has looked enough. */
static GHashTable *
names_in(Buffer *b, size_t start, size_t end, GError **error)
{
  DacsaScanRange range = {start, end};
  GHashTable *names = (GHashTable *)g_hash_table_lookup(b->seen, &range);

  if (names || b->looks >= MOST_LOOKS)
    return names;
  b->looks++;
  names = scan_map(b->clam, cl_fmap_open_memory(b->data + start, end - start), error);
  if (names)
    g_hash_table_insert(b->seen, g_memdup2(&range, sizeof(range)), names);
  return names;
}

/* DacsaScanShows. A part that cannot be scanned does not show it: a larger one did. */
static bool
shows(size_t start, size_t end, void *data)
{
  Buffer *b = (Buffer *)data;
  GHashTable *names = names_in(b, start, end, NULL);

  return names && g_hash_table_contains(names, b->name);
}

/* DacsaScanAgain. */
static size_t
again(const DacsaScanRange *range, size_t start, size_t end, void *data)
{
  const Buffer *b = (const Buffer *)data;
  const void *at =
      memmem(b->data + start, end - start, b->data + range->start, range->end - range->start);

  return at ? (size_t)((const uint8_t *)at - b->data) : end;
}

static void
add_match(GArray *matches, const DacsaScanRange *range, const char *name)
{
  DacsaScanMatch match = {range->start, range->end, g_strdup(name)};

  g_array_append_val(matches, match);
}

static void
locate(Buffer *b, size_t len, GArray *matches, bool *ret_more)
{
  DacsaScanSearch search = {len, DACSA_SCAN_LONGEST, MOST_PLACES, shows, again, b};
  bool more = false;
  g_autoptr(GArray) found = dacsa_scan_locate(&search, &more);

  for (guint i = 0; i < found->len; i++)
    add_match(matches, &g_array_index(found, DacsaScanRange, i), b->name);
  *ret_more = *ret_more || more;
}

static bool
check_size(size_t len, GError **error)
{
  return len <= LARGEST ||
         dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                    "%zu bytes: libclamav takes no more than %zu at once", len, LARGEST);
}

bool
dacsa_scan_clam_memory(DacsaScanClam *clam, const void *data, size_t len, GArray *matches,
                       bool *ret_more, GError **error)
{
  g_autoptr(GHashTable) seen =
      g_hash_table_new_full(range_hash, range_equal, g_free, (GDestroyNotify)g_hash_table_unref);
  Buffer b = {.clam = clam, .data = (const uint8_t *)data, .seen = seen};
  DacsaScanRange whole = {0, len};
  GHashTableIter iter;
  gpointer name;

  if (len == 0)
    return true;
  if (!check_size(len, error))
    return false;
  GHashTable *names = names_in(&b, 0, len, error);
  if (!names)
    return false;
  g_hash_table_iter_init(&iter, names);
  while (g_hash_table_iter_next(&iter, &name, NULL)) {
    b.name = (const char *)name;
    if (matches->len < MOST_MATCHES)
      locate(&b, len, matches, ret_more);
    else
      add_match(matches, &whole, b.name);
    *ret_more = *ret_more || matches->len >= MOST_MATCHES || b.looks >= MOST_LOOKS;
  }
  return true;
}

/* --- files --- */

typedef struct {
  int fd;
  int failed; /* errno of a read: libclamav may take what it misses for the end */
} File;

/* clcb_pread; handle: the File. */
static off_t
read_at(void *handle, void *buf, size_t count, off_t offset)
{
  File *file = (File *)handle;
  size_t done;

  if (dacsa_fd_read(file->fd, (uint64_t)offset, buf, count, &done))
    return (off_t)done;
  file->failed = errno;
  return -1;
}

bool
dacsa_scan_clam_file(DacsaScanClam *clam, int fd, size_t len, GPtrArray *names, GError **error)
{
  File file = {.fd = fd};
  GHashTableIter iter;
  gpointer name;

  if (len == 0)
    return true;
  if (!check_size(len, error))
    return false;
  g_autoptr(GHashTable) found =
      scan_map(clam, cl_fmap_open_handle(&file, 0, len, read_at, 1), error);
  if (file.failed != 0) {
    g_clear_error(error);
    return dacsa_fail_errno(error, file.failed, "reading the file");
  }
  if (!found)
    return false;
  g_hash_table_iter_init(&iter, found);
  while (g_hash_table_iter_next(&iter, &name, NULL))
    g_ptr_array_add(names, g_strdup((const char *)name));
  return true;
}
