/* The configuration file, line by line for its errors, and by GKeyFile for its values. */
#include "fs/config.h"

#include "snap/error.h"
#include "snap/policy.h"

#include <grp.h>
#include <string.h>
#include <sys/un.h>

#define GROUP "mount"
#define MAX_BYTES (1u << 20)
#define MAX_SOCKET (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static bool
check_group(const char *value, GError **error)
{
  gid_t gid;

  return dacsa_config_find_group(value, &gid, error);
}

static bool
check_not_empty(const char *value, GError **error)
{
  return value[0] != '\0' ||
         dacsa_fail(error, DACSA_ERROR_BAD_DATA, "it is empty; leave the line out");
}

static bool
check_amount(const char *value, GError **error)
{
  DacsaAmount amount;

  return dacsa_amount_parse(value, &amount, error);
}

static bool
check_method(const char *value, GError **error)
{
  return dacsa_policy_check(DACSA_POLICY_METHOD, value, error);
}

static bool
check_cow_limit(const char *value, GError **error)
{
  return dacsa_policy_check(DACSA_POLICY_COW_LIMIT, value, error);
}

static bool
check_every(const char *value, GError **error)
{
  return dacsa_policy_check(DACSA_POLICY_EVERY, value, error);
}

static bool
check_keep(const char *value, GError **error)
{
  return dacsa_policy_check(DACSA_POLICY_KEEP, value, error);
}

typedef enum { TEXT, LIST, SWITCH } Kind;

/* The keys, each in one row. check is asked of each value of a list. */
static const struct {
  const char *name;
  Kind kind;
  size_t offset;
  bool (*check)(const char *value, GError **error);
} keys[] = {{"connect", TEXT, G_STRUCT_OFFSET(DacsaConfig, connect), check_not_empty},
            {"qmp", LIST, G_STRUCT_OFFSET(DacsaConfig, qmp), dacsa_config_check_qmp},
            {"group", TEXT, G_STRUCT_OFFSET(DacsaConfig, group), check_group},
            {"options", TEXT, G_STRUCT_OFFSET(DacsaConfig, options), check_not_empty},
            {"method", LIST, G_STRUCT_OFFSET(DacsaConfig, method), check_method},
            {"cow-limit", LIST, G_STRUCT_OFFSET(DacsaConfig, cow_limit), check_cow_limit},
            {"host-cow-limit", TEXT, G_STRUCT_OFFSET(DacsaConfig, host_cow_limit), check_amount},
            {"every", LIST, G_STRUCT_OFFSET(DacsaConfig, every), check_every},
            {"keep", LIST, G_STRUCT_OFFSET(DacsaConfig, keep), check_keep},
            {"no-collapse", SWITCH, G_STRUCT_OFFSET(DacsaConfig, no_collapse), NULL},
            {"show-all", SWITCH, G_STRUCT_OFFSET(DacsaConfig, show_all), NULL},
            {"drop-on-exit", SWITCH, G_STRUCT_OFFSET(DacsaConfig, drop_on_exit), NULL}};

#define N_KEYS G_N_ELEMENTS(keys)

void
dacsa_config_clear(DacsaConfig *config)
{
  for (size_t i = 0; i < N_KEYS; i++)
    if (keys[i].kind == TEXT)
      g_free(G_STRUCT_MEMBER(char *, config, keys[i].offset));
    else if (keys[i].kind == LIST)
      g_strfreev(G_STRUCT_MEMBER(char **, config, keys[i].offset));
  *config = (DacsaConfig){0};
}

/* -- values -- */

bool
dacsa_config_check_qmp(const char *value, GError **error)
{
  const char *equals = strchr(value, '=');

  if (!equals || equals == value || equals[1] == '\0')
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: write NAME=SOCKET", value);
  return strlen(equals + 1) <= MAX_SOCKET ||
         dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: a socket's path has at most %zu bytes", value,
                    MAX_SOCKET);
}

/* A list's values, or the one there is. */
static bool
check_key(const DacsaConfig *config, size_t i, GError **error)
{
  char *const *list = G_STRUCT_MEMBER(char **, config, keys[i].offset);
  const char *text = G_STRUCT_MEMBER(char *, config, keys[i].offset);
  bool ok = true;

  if (keys[i].kind == TEXT)
    return !text || keys[i].check(text, error);
  for (size_t n = 0; ok && keys[i].kind == LIST && list && list[n]; n++)
    ok = keys[i].check(list[n], error);
  return ok;
}

bool
dacsa_config_check(const DacsaConfig *config, GError **error)
{
  for (size_t i = 0; i < N_KEYS; i++) {
    g_autoptr(GError) why = NULL;

    if (keys[i].kind != SWITCH && !check_key(config, i, &why))
      return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "--%s %s", keys[i].name, why->message);
  }
  return true;
}

bool
dacsa_config_find_group(const char *value, gid_t *ret, GError **error)
{
  const struct group *group = getgrnam(value);
  guint64 number;

  if (group)
    *ret = group->gr_gid;
  else if (g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT32 - 1, &number, NULL))
    *ret = (gid_t)number;
  else
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: there is no such group; see getent group",
                      value);
  return true;
}

/* -- lines -- */

/* Where a file is read: its name and the line, for errors. */
typedef struct {
  const char *name;
  unsigned line;
  bool in_group;
  unsigned key_lines[N_KEYS]; /* 0: the key is not there */
} Reader;

static bool fail_at(const Reader *reader, unsigned line, GError **error, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

static bool
fail_at(const Reader *reader, unsigned line, GError **error, const char *format, ...)
{
  va_list args;

  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s:%u: %s", reader->name, line,
                    g_strdelimit(text, "\r\n", ' '));
}

static bool
read_key(Reader *reader, const char *name, GError **error)
{
  for (size_t i = 0; i < N_KEYS; i++) {
    if (strcmp(keys[i].name, name) != 0)
      continue;
    if (reader->key_lines[i] != 0)
      return fail_at(reader, reader->line, error, "%s is in line %u already%s", name,
                     reader->key_lines[i],
                     keys[i].kind == LIST ? "; put a ; between several values" : "");
    reader->key_lines[i] = reader->line;
    return true;
  }
  return fail_at(reader, reader->line, error, "unknown key %s; see dacsa.conf(5)", name);
}

static bool
read_line(Reader *reader, char *line, GError **error)
{
  g_strstrip(line);
  char *equals = strchr(line, '=');
  if (line[0] == '\0' || line[0] == '#')
    return true;
  if (line[0] == '[') {
    reader->in_group = strcmp(line, "[" GROUP "]") == 0;
    return reader->in_group || fail_at(reader, reader->line, error,
                                       "unknown group %s; there is [" GROUP "] only", line);
  }
  if (!equals)
    return fail_at(reader, reader->line, error, "%s: write key=value", line);
  if (!reader->in_group)
    return fail_at(reader, reader->line, error, "a key before [" GROUP "]");
  *equals = '\0';
  return read_key(reader, g_strchomp(line), error);
}

/* Finds where each key is, and what GKeyFile would pass over. */
static bool
read_lines(Reader *reader, const char *text, GError **error)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

  for (size_t i = 0; lines[i]; i++) {
    reader->line = (unsigned)i + 1;
    if (!g_utf8_validate(lines[i], -1, NULL))
      return fail_at(reader, reader->line, error, "not UTF-8");
    if (!read_line(reader, lines[i], error))
      return false;
  }
  return true;
}

static bool
read_value(GKeyFile *file, size_t i, DacsaConfig *ret, GError **error)
{
  char **text = &G_STRUCT_MEMBER(char *, ret, keys[i].offset);
  char ***list = &G_STRUCT_MEMBER(char **, ret, keys[i].offset);
  g_autoptr(GError) cause = NULL;

  if (keys[i].kind == SWITCH)
    G_STRUCT_MEMBER(gboolean, ret, keys[i].offset) =
        g_key_file_get_boolean(file, GROUP, keys[i].name, &cause);
  else if (keys[i].kind == TEXT)
    *text = g_key_file_get_string(file, GROUP, keys[i].name, &cause);
  else
    *list = g_key_file_get_string_list(file, GROUP, keys[i].name, NULL, &cause);
  if (cause && keys[i].kind == SWITCH)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "write true or false");
  if (cause)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s", cause->message);
  if (keys[i].kind == LIST && !(*list)[0])
    return check_not_empty("", error);
  return keys[i].kind == SWITCH || check_key(ret, i, error);
}

bool
dacsa_config_from_text(const char *text, size_t len, const char *name, DacsaConfig *ret,
                       GError **error)
{
  g_autoptr(GKeyFile) file = g_key_file_new();
  g_auto(DacsaConfig) config = {0};
  Reader reader = {.name = name};

  if (memchr(text, '\0', len))
    return fail_at(&reader, 1, error, "not a text");
  g_autofree char *copy = g_strndup(text, len);
  if (!read_lines(&reader, copy, error))
    return false;
  g_autoptr(GError) cause = NULL;
  if (!g_key_file_load_from_data(file, copy, len, G_KEY_FILE_NONE, &cause) && reader.in_group)
    return fail_at(&reader, reader.line, error, "%s", cause->message);
  for (size_t i = 0; i < N_KEYS; i++) {
    g_autoptr(GError) why = NULL;

    if (reader.key_lines[i] != 0 && !read_value(file, i, &config, &why))
      return fail_at(&reader, reader.key_lines[i], error, "%s: %s", keys[i].name, why->message);
  }
  *ret = config;
  config = (DacsaConfig){0};
  return true;
}

bool
dacsa_config_load(const char *path, DacsaConfig *ret, GError **error)
{
  const char *name = path ? path : DACSA_CONFIG_PATH;
  g_autofree char *text = NULL;
  g_autoptr(GError) cause = NULL;
  gsize len;

  if (strcmp(name, "none") == 0)
    return true;
  if (!g_file_get_contents(name, &text, &len, &cause)) {
    if (!path && g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_NOENT))
      return true;
    return dacsa_fail(error, DACSA_ERROR_OS, "%s", cause->message);
  }
  if (len > MAX_BYTES)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "%s: over 1 MiB is no configuration", name);
  return dacsa_config_from_text(text, len, name, ret, error);
}

void
dacsa_config_complete(DacsaConfig *config, DacsaConfig *file)
{
  config->qmp_of_file = !config->qmp;
  for (size_t i = 0; i < N_KEYS; i++) {
    void **to = &G_STRUCT_MEMBER(void *, config, keys[i].offset);

    if (keys[i].kind == SWITCH)
      G_STRUCT_MEMBER(gboolean, config, keys[i].offset) |=
          G_STRUCT_MEMBER(gboolean, file, keys[i].offset);
    else if (!*to)
      *to = g_steal_pointer(&G_STRUCT_MEMBER(void *, file, keys[i].offset));
  }
}
