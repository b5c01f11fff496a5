/*
 * The kernel's settings, as `sysctl -a` prints them: the registered tables are walked
 * (fs/proc/proc_sysctl.c), and every entry is printed whose handler is known to show what stands at
 * its data. Those of namespaces are the initial namespaces'.
 */
#include "parsers/linux/sysctl-values.h"
#include "parsers/linux/system.h"
#include "parsers/linux/walk.h"
#include "snap/error.h"

#include <string.h>
#include <sys/stat.h>

#define MAX_ENTRIES 131072u
#define MAX_DEPTH 16u
#define MAX_NAME 256u
#define MAX_ABSENT 1024u /* settings that are not shown, but named */
#define ABSENT_LINE 384u /* bytes of such names in a line of errors */

typedef struct {
  char *key, *value; /* owned */
} Setting;

static void
clear_setting(void *data)
{
  Setting *setting = data;

  g_free(setting->key);
  g_free(setting->value);
}

typedef struct {
  DacsaLinux *l;
  GHashTable *handlers; /* address -> DacsaLinuxSettingKind */
  GArray *settings;     /* Setting */
  GString *absent;      /* names of those with handlers of their own, not noted yet */
  guint n_absent;
  guint n;     /* entries so far */
  gsize bytes; /* of the settings */
  uint64_t hz;
} Walk;

static void
note(const Walk *w, const char *text)
{
  dacsa_errors_add(w->l->errors, "kernel/sysctl", text);
}

/* Says which settings are absent, as many as fit into a line. */
static void
note_absent(Walk *w)
{
  if (w->absent->len == 0)
    return;
  g_autofree char *text =
      g_strdup_printf("absent, since they print themselves in their own way:%s", w->absent->str);
  note(w, text);
  g_string_truncate(w->absent, 0);
}

static void
add_absent(Walk *w, const char *key)
{
  if (++w->n_absent > MAX_ABSENT) {
    note(w, "and more settings are absent");
    return;
  }
  g_string_append_printf(w->absent, " %s", key);
  if (w->absent->len > ABSENT_LINE)
    note_absent(w);
}

static void
add_setting(Walk *w, const char *key, const DacsaLinuxSetting *entry)
{
  const DacsaLinuxSettingKind print = (DacsaLinuxSettingKind)GPOINTER_TO_UINT(
      g_hash_table_lookup(w->handlers, GSIZE_TO_POINTER(entry->handler)));
  g_autoptr(GString) value = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  Setting setting;

  if (!(entry->mode & 0444))
    return; /* only written to */
  /* A UUID without data is made anew whenever it is read. */
  if (print == 0 || (print == DACSA_LINUX_SETTING_UUID && entry->data == 0)) {
    add_absent(w, key);
    return;
  }
  if (dacsa_linux_setting_needs_data(print) && (entry->data == 0 || entry->maxlen == 0))
    return;
  if (!dacsa_linux_setting_print(w->l, entry, print, w->hz, value, &error)) {
    g_autofree char *text = g_strdup_printf("%s is absent: %s", key, error->message);
    note(w, text);
    return;
  }
  setting.key = g_strdup(key);
  w->bytes += strlen(key) + value->len;
  setting.value = g_string_free(g_steal_pointer(&value), FALSE);
  g_array_append_val(w->settings, setting);
}

typedef struct {
  Walk *walk;
  const char *prefix;
  unsigned depth;
} Directory;

static void walk_directory(Walk *w, uint64_t dir, const char *prefix, unsigned depth);

/* sysctl(8): dots between the parts, and slashes for the dots in them. */
static char *
key_of(const char *prefix, const char *name)
{
  g_autofree char *part = g_strdup(name);

  g_strdelimit(part, ".", '/');
  for (char *c = part; *c; c++)
    if ((unsigned char)*c <= ' ' || *c == 0x7f)
      *c = '?';
  return prefix[0] ? g_strdup_printf("%s.%s", prefix, part) : g_strdup(part);
}

static bool
read_entry(const Walk *w, uint64_t node, uint64_t *ret_header, DacsaLinuxSetting *ret,
           char **ret_name, GError **error)
{
  const DacsaLinux *l = w->l;
  const uint32_t node_size = dacsa_linux_size(l, T_CTL_NODE);
  uint64_t nodes, table;

  if (node_size == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no ctl_node");
  /* insert_entry: number n of a header's nodes is for number n of its table. */
  if (!dacsa_linux_get(l, node, M_CTL_NODE_HEADER, ret_header, error) ||
      !dacsa_linux_get(l, *ret_header, M_CTL_HEADER_NODE, &nodes, error) ||
      !dacsa_linux_get(l, *ret_header, M_CTL_HEADER_TABLE, &table, error))
    return false;
  const uint64_t entry = table + (node - nodes) / node_size * dacsa_linux_size(l, T_CTL_TABLE);
  if (!dacsa_linux_get(l, entry, M_CTL_TABLE_DATA, &ret->data, error) ||
      !dacsa_linux_get(l, entry, M_CTL_TABLE_MAXLEN, &ret->maxlen, error) ||
      !dacsa_linux_get(l, entry, M_CTL_TABLE_MODE, &ret->mode, error) ||
      !dacsa_linux_get(l, entry, M_CTL_TABLE_HANDLER, &ret->handler, error) ||
      !dacsa_linux_pointed_string(l, entry, M_CTL_TABLE_PROCNAME, ret_name, error))
    return false;
  if (!*ret_name || strlen(*ret_name) > MAX_NAME)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a setting without a name");
  ret->name = *ret_name;
  return true;
}

static bool
visit_node(uint64_t node, void *data)
{
  const Directory *d = data;
  Walk *w = d->walk;
  g_autoptr(GError) error = NULL;
  g_autofree char *name = NULL;
  uint64_t header;
  DacsaLinuxSetting entry;

  if (++w->n > MAX_ENTRIES || w->bytes > DACSA_LINUX_MAX_TEXT) {
    note(w, "cut short: too many settings");
    return false;
  }
  if (!read_entry(w, node, &header, &entry, &name, &error)) {
    note(w, error->message);
    return true;
  }
  g_autofree char *key = key_of(d->prefix, name);
  if (S_ISDIR(entry.mode))
    walk_directory(w, header, key, d->depth + 1); /* a directory's header is its first member */
  else if (!S_ISLNK(entry.mode)) /* those lead into the sets of namespaces, which are walked too */
    add_setting(w, key, &entry);
  return true;
}

static void
walk_directory(Walk *w, uint64_t dir, const char *prefix, unsigned depth)
{
  Directory d = {w, prefix, depth};
  g_autoptr(GError) error = NULL;

  if (depth >= MAX_DEPTH) {
    note(w, "cut short: the directories of settings are too deep");
    return;
  }
  if (!dacsa_linux_rbtree_each(w->l, dir + dacsa_linux_offset(w->l, M_CTL_DIR_ROOT),
                               M_CTL_NODE_NODE, visit_node, &d, &error))
    note(w, error->message);
}

/* The sets: the common one, and those of the initial namespaces where the kernel has such. */
static void
walk_sets(Walk *w)
{
  static const struct {
    DacsaLinuxSymbol symbol;
    DacsaLinuxMember directory;
  } sets[] = {
      {S_SYSCTL_TABLE_ROOT, M_CTL_ROOT_DIR}, {S_INIT_NET, M_NET_SYSCTLS},
      {S_INIT_USER_NS, M_USER_NS_SYSCTLS},   {S_INIT_IPC_NS, M_IPC_NS_SYSCTLS},
      {S_INIT_IPC_NS, M_IPC_NS_MQ_SYSCTLS},  {S_INIT_PID_NS, M_PID_NS_SYSCTLS},
  };

  for (size_t i = 0; i < G_N_ELEMENTS(sets); i++) {
    const uint64_t symbol = dacsa_linux_symbol(w->l, sets[i].symbol);

    if (symbol != 0 && dacsa_linux_has(w->l, sets[i].directory))
      walk_directory(w, symbol + dacsa_linux_offset(w->l, sets[i].directory), "", 0);
  }
}

static gint
compare_settings(gconstpointer a, gconstpointer b)
{
  const Setting *x = a, *y = b;

  return strcmp(x->key, y->key);
}

/* Each line of a value is printed behind the key. */
static void
append_setting(const Setting *setting, GString *out)
{
  g_auto(GStrv) lines = g_strsplit(setting->value, "\n", -1);

  if (!lines[0])
    g_string_append_printf(out, "%s = \n", setting->key);
  for (char **text = lines; *text; text++)
    g_string_append_printf(out, "%s = %s\n", setting->key, *text);
}

bool
dacsa_linux_sysctl(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;
  g_autoptr(GHashTable) known = dacsa_linux_setting_handlers(l);
  g_autoptr(GArray) settings = g_array_new(FALSE, FALSE, sizeof(Setting));
  g_autoptr(GString) absent = g_string_new(NULL);
  Walk w = {
      .l = l, .handlers = known, .settings = settings, .absent = absent, .hz = dacsa_linux_hz(l)};

  if (dacsa_linux_symbol(l, S_SYSCTL_TABLE_ROOT) == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "the kernel has no sysctl_table_root");
  g_array_set_clear_func(settings, clear_setting);
  walk_sets(&w);
  g_array_sort(settings, compare_settings);
  for (guint i = 0; i < settings->len; i++)
    append_setting(&g_array_index(settings, Setting, i), out);
  note_absent(&w);
  return true;
}
