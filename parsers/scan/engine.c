/* ClamAV's and YARA's halves together. */
#include "parsers/scan/engine.h"

#include "parsers/scan/clam.h"
#include "parsers/scan/yara.h"
#include "snap/error.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct DacsaScanEngine {
  DacsaScanClam *clam; /* either may be NULL */
  DacsaScanYara *yara;
};

static bool
is_empty(const char *const *list)
{
  return !list || !list[0];
}

void
dacsa_scan_engine_free(DacsaScanEngine *engine)
{
  if (!engine)
    return;
  dacsa_scan_clam_free(engine->clam);
  dacsa_scan_yara_free(engine->yara);
  g_free(engine);
}

bool
dacsa_scan_engine_load(const DacsaScanOptions *options, DacsaScanEngine **ret, GError **error)
{
  g_autoptr(DacsaScanEngine) engine = g_new0(DacsaScanEngine, 1);

  if (is_empty(options->databases) && is_empty(options->rules))
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND,
                      "nothing to scan for: neither a ClamAV database nor YARA rules are named");
  if (!is_empty(options->rules) && !dacsa_scan_yara_load(options->rules, &engine->yara, error))
    return false;
  if (!is_empty(options->databases) &&
      !dacsa_scan_clam_load(options->databases, options->tmpdir, &engine->clam, error))
    return false;
  *ret = g_steal_pointer(&engine);
  return true;
}

unsigned
dacsa_scan_engine_signatures(const DacsaScanEngine *engine)
{
  return (engine->clam ? dacsa_scan_clam_signatures(engine->clam) : 0) +
         (engine->yara ? dacsa_scan_yara_rules(engine->yara) : 0);
}

static void
clear_match(gpointer data)
{
  g_free(((DacsaScanMatch *)data)->signature);
}

static int
compare_matches(gconstpointer a, gconstpointer b)
{
  const DacsaScanMatch *x = (const DacsaScanMatch *)a, *y = (const DacsaScanMatch *)b;

  if (x->start != y->start)
    return x->start < y->start ? -1 : 1;
  if (x->end != y->end)
    return x->end < y->end ? -1 : 1;
  return g_strcmp0(x->signature, y->signature);
}

bool
dacsa_scan_engine_memory(DacsaScanEngine *engine, const void *data, size_t len, GArray **ret,
                         bool *ret_more, GError **error)
{
  g_autoptr(GArray) matches = g_array_new(false, false, sizeof(DacsaScanMatch));

  g_array_set_clear_func(matches, clear_match);
  *ret_more = false;
  bool ok =
      !engine->clam || dacsa_scan_clam_memory(engine->clam, data, len, matches, ret_more, error);
  if (engine->yara &&
      !dacsa_scan_yara_memory(engine->yara, data, len, matches, ret_more, ok ? error : NULL))
    ok = false;
  g_array_sort(matches, compare_matches);
  *ret = g_steal_pointer(&matches);
  return ok;
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two rules of one name, of two files of compiled rules, are one here. */
static void
drop_doubles(GPtrArray *names)
{
  g_ptr_array_sort(names, compare_names);
  for (guint i = names->len; i-- > 1;)
    if (g_strcmp0((char *)names->pdata[i], (char *)names->pdata[i - 1]) == 0)
      g_ptr_array_remove_index(names, i);
}

bool
dacsa_scan_engine_file(DacsaScanEngine *engine, int fd, GPtrArray **ret, GError **error)
{
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  struct stat st;

  if (fstat(fd, &st) != 0)
    return dacsa_fail_errno(error, errno, "the file's size");
  bool any = st.st_size > 0;
  bool ok = !any || !engine->clam ||
            dacsa_scan_clam_file(engine->clam, fd, (size_t)st.st_size, names, error);
  if (any && engine->yara && !dacsa_scan_yara_file(engine->yara, fd, names, ok ? error : NULL))
    ok = false;
  drop_doubles(names);
  *ret = g_steal_pointer(&names);
  return ok;
}
