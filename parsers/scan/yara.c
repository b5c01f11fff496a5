/* libyara. */
#include "parsers/scan/yara.h"

#include "parsers/scan/locate.h"
#include "snap/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yara.h>

#define MOST_SECONDS 600 /* for one buffer or file; then it is an error, never clean */
#define MOST_PLACES 256u /* of one rule in a buffer */
#define COMPILED_MAGIC "YARA"

struct DacsaScanYara {
  GPtrArray *sets; /* YR_RULES: one of all sources, one of each compiled file */
  unsigned rules;
};

static bool
fail(GError **error, const char *path, int result)
{
  static const struct {
    int result;
    DacsaError code;
    const char *why;
  } known[] = {
      {ERROR_INSUFFICIENT_MEMORY, DACSA_ERROR_OS, "no memory"},
      {ERROR_COULD_NOT_OPEN_FILE, DACSA_ERROR_OS, "it cannot be opened"},
      {ERROR_COULD_NOT_MAP_FILE, DACSA_ERROR_OS, "it cannot be read to the end"},
      {ERROR_INVALID_FILE, DACSA_ERROR_BAD_DATA, "it is no file of compiled rules"},
      {ERROR_CORRUPT_FILE, DACSA_ERROR_BAD_DATA, "it is damaged"},
      {ERROR_UNSUPPORTED_FILE_VERSION, DACSA_ERROR_BAD_DATA,
       "it was compiled by another version of YARA"},
      {ERROR_SCAN_TIMEOUT, DACSA_ERROR_UNSUPPORTED, "it takes too long"},
      {ERROR_TOO_MANY_RE_FIBERS, DACSA_ERROR_UNSUPPORTED,
       "a regular expression has too many partial matches in it"},
  };

  for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
    if (known[i].result == result)
      return dacsa_fail(error, known[i].code, "%s: %s", path, known[i].why);
  return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: libyara's error %d", path, result);
}

const char *
dacsa_scan_yara_version(void)
{
  return YR_VERSION;
}

void
dacsa_scan_yara_free(DacsaScanYara *yara)
{
  if (!yara)
    return;
  g_ptr_array_unref(yara->sets);
  yr_finalize();
  g_free(yara);
}

unsigned
dacsa_scan_yara_rules(const DacsaScanYara *yara)
{
  return yara->rules;
}

/* --- loading --- */

static void
destroy_rules(gpointer rules)
{
  yr_rules_destroy((YR_RULES *)rules);
}

/* The first of a compiler's errors, as FILE:LINE: WHY; user_data: char *. */
static void
on_compiler(int level, const char *file, int line, const YR_RULE *rule, const char *message,
            void *user_data)
{
  char **first = (char **)user_data;

  (void)rule;
  if (level == YARA_ERROR_LEVEL_ERROR && !*first)
    *first = g_strdup_printf("%s:%d: %s", file ? file : "rules", line, message);
}

static bool
open_rules(const char *path, FILE **ret, bool *ret_compiled, GError **error)
{
  char magic[sizeof(COMPILED_MAGIC) - 1] = "";
  FILE *file = fopen(path, "re");

  if (!file)
    return dacsa_fail_errno(error, errno, "the YARA rules %s cannot be read", path);
  size_t n = fread(magic, 1, sizeof(magic), file);
  if (ferror(file)) {
    dacsa_fail_errno(error, errno, "the YARA rules %s cannot be read", path);
    fclose(file);
    return false;
  }
  rewind(file);
  *ret = file;
  *ret_compiled = n == sizeof(magic) && memcmp(magic, COMPILED_MAGIC, n) == 0;
  return true;
}

static size_t
read_stream(void *ptr, size_t size, size_t count, void *user_data)
{
  return fread(ptr, size, count, (FILE *)user_data);
}

static bool
load_compiled(DacsaScanYara *yara, const char *path, FILE *file, GError **error)
{
  YR_STREAM stream = {.user_data = file, .read = read_stream};
  YR_RULES *rules = NULL;
  int result = yr_rules_load_stream(&stream, &rules);

  if (result != ERROR_SUCCESS)
    return fail(error, path, result);
  g_ptr_array_add(yara->sets, rules);
  return true;
}

static bool
compile_source(YR_COMPILER *compiler, const char *path, FILE *file, GError **error)
{
  g_autofree char *first = NULL;

  yr_compiler_set_callback(compiler, on_compiler, &first);
  int errors = yr_compiler_add_file(compiler, file, NULL, path);
  yr_compiler_set_callback(compiler, NULL, NULL);
  if (errors == 0)
    return true;
  return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "YARA rules: %s", first ? first : path);
}

static bool
load_file(DacsaScanYara *yara, YR_COMPILER *compiler, const char *path, GError **error)
{
  bool compiled = false;
  FILE *file = NULL;

  if (!open_rules(path, &file, &compiled, error))
    return false;
  bool ok = compiled ? load_compiled(yara, path, file, error)
                     : compile_source(compiler, path, file, error);
  fclose(file);
  return ok;
}

static void
count_rules(DacsaScanYara *yara)
{
  for (guint i = 0; i < yara->sets->len; i++)
    yara->rules += ((YR_RULES *)g_ptr_array_index(yara->sets, i))->num_rules;
}

static bool
load_all(DacsaScanYara *yara, YR_COMPILER *compiler, const char *const *paths, GError **error)
{
  YR_RULES *rules = NULL;

  for (size_t i = 0; paths[i]; i++)
    if (!load_file(yara, compiler, paths[i], error))
      return false;
  int result = yr_compiler_get_rules(compiler, &rules);
  if (result != ERROR_SUCCESS)
    return fail(error, "the YARA rules together", result);
  g_ptr_array_add(yara->sets, rules);
  count_rules(yara);
  return yara->rules > 0 ||
         dacsa_fail(error, DACSA_ERROR_BAD_DATA, "no rule in the YARA rules %s", paths[0]);
}

bool
dacsa_scan_yara_load(const char *const *paths, DacsaScanYara **ret, GError **error)
{
  YR_COMPILER *compiler = NULL;

  if (yr_initialize() != ERROR_SUCCESS)
    return dacsa_fail(error, DACSA_ERROR_OS, "libyara does not start");
  g_autoptr(DacsaScanYara) yara = g_new0(DacsaScanYara, 1);
  yara->sets = g_ptr_array_new_with_free_func(destroy_rules);
  if (yr_compiler_create(&compiler) != ERROR_SUCCESS)
    return dacsa_fail(error, DACSA_ERROR_OS, "libyara has no memory for a compiler");
  bool ok = load_all(yara, compiler, paths, error);
  yr_compiler_destroy(compiler);
  if (!ok)
    return false;
  *ret = g_steal_pointer(&yara);
  return true;
}

/* --- matching --- */

typedef struct {
  GArray *matches;  /* DacsaScanMatch; NULL: names will do */
  GPtrArray *names; /* char * */
  size_t len;
  bool more;
} Sink;

static int
compare_ranges(gconstpointer a, gconstpointer b)
{
  const DacsaScanRange *x = (const DacsaScanRange *)a, *y = (const DacsaScanRange *)b;

  return x->start < y->start ? -1 : x->start > y->start;
}

/* libyara 4.2 packs its YR_MATCHes without regard to their alignment: each is copied. */
static void
add_places(GArray *places, const void *first)
{
  YR_MATCH match;

  for (const void *at = first; at; at = match.next) {
    memcpy(&match, at, sizeof(match));
    size_t start = (size_t)(match.base + match.offset);
    DacsaScanRange place = {start, start + (size_t)match.match_length};

    if (!match.is_private)
      g_array_append_val(places, place);
  }
}

/* The places of a rule's strings, ascending. Owned. */
static GArray *
string_places(YR_SCAN_CONTEXT *context, YR_RULE *rule)
{
  GArray *places = g_array_new(false, false, sizeof(DacsaScanRange));
  YR_STRING *string;

  yr_rule_strings_foreach(rule, string) add_places(places, context->matches[string->idx].head);
  g_array_sort(places, compare_ranges);
  return places;
}

/* Merges those that are near each other; in place. */
static void
merge(GArray *places)
{
  guint kept = 0;

  for (guint i = 1; i < places->len; i++) {
    DacsaScanRange *last = &g_array_index(places, DacsaScanRange, kept);
    DacsaScanRange *next = &g_array_index(places, DacsaScanRange, i);

    if (next->start <= last->end + DACSA_SCAN_YARA_GAP)
      last->end = MAX(last->end, next->end);
    else
      g_array_index(places, DacsaScanRange, ++kept) = *next;
  }
  g_array_set_size(places, MIN(places->len, kept + 1));
}

static char *
name_of(const YR_RULE *rule)
{
  if (strcmp(rule->ns->name, "default") == 0)
    return g_strdup_printf("YARA.%s", rule->identifier);
  return g_strdup_printf("YARA.%s.%s", rule->ns->name, rule->identifier);
}

static void
add_matches(Sink *sink, YR_SCAN_CONTEXT *context, YR_RULE *rule)
{
  g_autoptr(GArray) places = string_places(context, rule);
  DacsaScanRange whole = {0, sink->len};

  if (places->len == 0)
    g_array_append_val(places, whole);
  merge(places);
  sink->more = sink->more || places->len > MOST_PLACES;
  for (guint i = 0; i < MIN(places->len, MOST_PLACES); i++) {
    const DacsaScanRange *place = &g_array_index(places, DacsaScanRange, i);
    DacsaScanMatch match = {place->start, place->end, name_of(rule)};

    g_array_append_val(sink->matches, match);
  }
}

static int
on_scan(YR_SCAN_CONTEXT *context, int message, void *data, void *user_data)
{
  Sink *sink = (Sink *)user_data;

  if (message == CALLBACK_MSG_TOO_MANY_MATCHES)
    sink->more = true;
  if (message != CALLBACK_MSG_RULE_MATCHING || RULE_IS_PRIVATE((YR_RULE *)data))
    return CALLBACK_CONTINUE;
  if (sink->matches)
    add_matches(sink, context, (YR_RULE *)data);
  else
    g_ptr_array_add(sink->names, name_of((YR_RULE *)data));
  return CALLBACK_CONTINUE;
}

/* A buffer, or (data NULL) a file, whose pages may turn out not to be readable: libyara then
 * catches the signal. */
static bool
scan(DacsaScanYara *yara, const void *data, int fd, Sink *sink, GError **error)
{
  int flags = SCAN_FLAGS_REPORT_RULES_MATCHING | (data ? SCAN_FLAGS_NO_TRYCATCH : 0);

  for (guint i = 0; i < yara->sets->len; i++) {
    YR_SCANNER *scanner = NULL;
    int result = yr_scanner_create((YR_RULES *)g_ptr_array_index(yara->sets, i), &scanner);

    if (result != ERROR_SUCCESS)
      return fail(error, "matching YARA rules", result);
    yr_scanner_set_callback(scanner, on_scan, sink);
    yr_scanner_set_flags(scanner, flags);
    yr_scanner_set_timeout(scanner, MOST_SECONDS);
    result = data ? yr_scanner_scan_mem(scanner, (const uint8_t *)data, sink->len)
                  : yr_scanner_scan_fd(scanner, fd);
    yr_scanner_destroy(scanner);
    if (result != ERROR_SUCCESS)
      return fail(error, "matching YARA rules", result);
  }
  return true;
}

bool
dacsa_scan_yara_memory(DacsaScanYara *yara, const void *data, size_t len, GArray *matches,
                       bool *ret_more, GError **error)
{
  Sink sink = {.matches = matches, .len = len};

  if (len == 0)
    return true;
  if (!scan(yara, data, -1, &sink, error))
    return false;
  *ret_more = *ret_more || sink.more;
  return true;
}

bool
dacsa_scan_yara_file(DacsaScanYara *yara, int fd, GPtrArray *names, GError **error)
{
  Sink sink = {.names = names};

  return scan(yara, NULL, fd, &sink, error);
}
