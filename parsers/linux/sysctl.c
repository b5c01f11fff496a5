/*
 * The kernel's settings, as `sysctl -a` prints them: the registered tables are walked
 * (fs/proc/proc_sysctl.c), and every entry is printed whose handler is known to show what stands at
 * its data. Those of namespaces are the initial namespaces'.
 */
#include "parsers/linux/system.h"
#include "parsers/linux/walk.h"
#include "snap/bytes.h"
#include "snap/error.h"

#include <string.h>
#include <sys/stat.h>

#define MAX_ENTRIES 131072u
#define MAX_DEPTH 16u
#define MAX_NAME 256u
#define MAX_VALUE 4096u  /* bytes of data: one page is what a reader gets */
#define MAX_ABSENT 1024u /* settings that are not shown, but named */
#define ABSENT_LINE 384u /* bytes of such names in a line of errors */
#define USER_HZ 100u
#define UUID_LEN 16u
#define UUID_VERSION_AT 8u /* 0 there: proc_do_uuid has not made it yet */

/* What a handler prints. */
typedef enum {
  PRINT_INT = 1, /* an array of them, separated by tabs; and so on */
  PRINT_UINT,
  PRINT_ULONG,
  PRINT_BOOL,
  PRINT_STRING,
  PRINT_JIFFIES,          /* int, in seconds */
  PRINT_USER_JIFFIES,     /* int, in 1 / USER_HZ seconds */
  PRINT_MS_JIFFIES,       /* int, in milliseconds */
  PRINT_ULONG_MS_JIFFIES, /* unsigned long, in milliseconds */
  PRINT_REACHABLE,        /* int, jiffies in the unit that the name says */
  PRINT_UUID,
  PRINT_TAINT,
  PRINT_SYSRQ,
  PRINT_HUGEPAGES,
} Print;

/* Most are wrappers that only check what is written. */
static const struct {
  const char *name;
  Print print;
} handlers[] = {
    {"proc_dointvec", PRINT_INT},
    {"proc_dointvec_minmax", PRINT_INT},
    {"proc_dointvec_minmax_sysadmin", PRINT_INT},
    {"proc_dointvec_minmax_coredump", PRINT_INT},
    {"proc_dointvec_minmax_warn_RT_change", PRINT_INT},
    {"proc_dointvec_minmax_bpf_enable", PRINT_INT},
    {"proc_dointvec_minmax_bpf_restricted", PRINT_INT},
    {"proc_do_rointvec", PRINT_INT},
    {"proc_do_dev_weight", PRINT_INT},
    {"proc_dohung_task_timeout_secs", PRINT_ULONG},
    {"proc_dopipe_max_size", PRINT_UINT},
    {"proc_dou8vec_minmax", PRINT_INT},
    {"proc_douintvec", PRINT_UINT},
    {"proc_douintvec_minmax", PRINT_UINT},
    {"proc_douintvec_minmax_sysadmin", PRINT_UINT},
    {"proc_doulongvec_minmax", PRINT_ULONG},
    {"proc_dolongvec_minmax_bpf_restricted", PRINT_ULONG},
    {"proc_dobool", PRINT_BOOL},
    {"proc_dostring", PRINT_STRING},
    {"proc_dostring_coredump", PRINT_STRING},
    {"proc_do_uts_string", PRINT_STRING},
    {"proc_dointvec_jiffies", PRINT_JIFFIES},
    {"proc_dointvec_userhz_jiffies", PRINT_USER_JIFFIES},
    {"proc_dointvec_ms_jiffies", PRINT_MS_JIFFIES},
    {"proc_dointvec_ms_jiffies_minmax", PRINT_MS_JIFFIES},
    {"proc_doulongvec_ms_jiffies_minmax", PRINT_ULONG_MS_JIFFIES},
    {"proc_do_uuid", PRINT_UUID},
    {"proc_taint", PRINT_TAINT},
    {"sysrq_sysctl_handler", PRINT_SYSRQ},
    {"hugetlb_sysctl_handler", PRINT_HUGEPAGES},
    {"yama_dointvec_minmax", PRINT_INT},
    {"apparmor_dointvec", PRINT_INT},
    {"bpf_unpriv_handler", PRINT_INT},
    {"perf_proc_update_handler", PRINT_INT},
    {"perf_event_max_sample_rate_handler", PRINT_INT},
    {"perf_cpu_time_max_percent_handler", PRINT_INT},
    {"perf_event_max_stack_handler", PRINT_INT},
    {"overcommit_ratio_handler", PRINT_INT},
    {"overcommit_policy_handler", PRINT_INT},
    {"overcommit_kbytes_handler", PRINT_ULONG},
    {"dirty_ratio_handler", PRINT_INT},
    {"dirty_background_ratio_handler", PRINT_INT},
    {"dirty_bytes_handler", PRINT_ULONG},
    {"dirty_background_bytes_handler", PRINT_ULONG},
    {"dirty_writeback_centisecs_handler", PRINT_INT},
    {"dirtytime_interval_handler", PRINT_INT},
    {"min_free_kbytes_sysctl_handler", PRINT_INT},
    {"watermark_boost_factor_sysctl_handler", PRINT_INT},
    {"watermark_scale_factor_sysctl_handler", PRINT_INT},
    {"lowmem_reserve_ratio_sysctl_handler", PRINT_INT},
    {"percpu_pagelist_fraction_sysctl_handler", PRINT_INT},
    {"percpu_pagelist_high_fraction_sysctl_handler", PRINT_INT},
    {"sysctl_min_unmapped_ratio_sysctl_handler", PRINT_INT},
    {"sysctl_min_slab_ratio_sysctl_handler", PRINT_INT},
    {"sysctl_compaction_handler", PRINT_INT},
    {"compaction_proactiveness_sysctl_handler", PRINT_INT},
    {"sysctl_vm_numa_stat_handler", PRINT_INT},
    {"mmap_min_addr_handler", PRINT_ULONG},
    {"proc_watchdog_thresh", PRINT_INT},
    {"sched_rt_handler", PRINT_INT},
    {"sched_rr_handler", PRINT_INT},
    {"timer_migration_handler", PRINT_INT},
    {"stack_trace_sysctl", PRINT_INT},
    {"ftrace_enable_sysctl", PRINT_INT},
    {"tracepoint_printk_sysctl", PRINT_INT},
    {"devkmsg_sysctl_set_loglvl", PRINT_STRING},
    {"proc_ipc_dointvec", PRINT_INT},
    {"proc_ipc_dointvec_minmax", PRINT_INT},
    {"proc_ipc_dointvec_minmax_orphans", PRINT_INT},
    {"proc_ipc_doulongvec_minmax", PRINT_ULONG},
    {"proc_ipc_sem_dointvec", PRINT_INT},
    {"proc_mq_dointvec", PRINT_INT},
    {"proc_mq_dointvec_minmax", PRINT_INT},
    {"ipv4_fwd_update_priority", PRINT_INT},
    {"ipv4_doint_and_flush", PRINT_INT},
    {"proc_tcp_early_demux", PRINT_INT},
    {"proc_udp_early_demux", PRINT_INT},
    {"proc_tfo_blackhole_detect_timeout", PRINT_INT},
    {"proc_fib_multipath_hash_policy", PRINT_INT},
    {"proc_fib_multipath_hash_fields", PRINT_UINT},
    {"devinet_conf_proc", PRINT_INT},
    {"devinet_sysctl_forward", PRINT_INT},
    {"addrconf_sysctl_forward", PRINT_INT},
    {"addrconf_sysctl_mtu", PRINT_INT},
    {"addrconf_sysctl_proxy_ndp", PRINT_INT},
    {"addrconf_sysctl_disable", PRINT_INT},
    {"addrconf_sysctl_disable_policy", PRINT_INT},
    {"addrconf_sysctl_addr_gen_mode", PRINT_INT},
    {"addrconf_sysctl_ignore_routes_with_linkdown", PRINT_INT},
    {"addrconf_sysctl_force_forwarding", PRINT_INT},
    {"neigh_proc_dointvec", PRINT_INT},
    {"neigh_proc_dointvec_zero_intmax", PRINT_INT},
    {"neigh_proc_dointvec_jiffies", PRINT_JIFFIES},
    {"neigh_proc_dointvec_userhz_jiffies", PRINT_USER_JIFFIES},
    {"neigh_proc_dointvec_ms_jiffies", PRINT_MS_JIFFIES},
    {"neigh_proc_dointvec_ms_jiffies_positive", PRINT_MS_JIFFIES},
    {"neigh_proc_base_reachable_time", PRINT_REACHABLE},
    {"ndisc_ifinfo_sysctl_change", PRINT_REACHABLE},
};

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
  GHashTable *handlers; /* address -> Print */
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

/* An entry of a table. */
typedef struct {
  const char *name;
  uint64_t data, maxlen, mode, handler;
} Entry;

/* -- values -- */

/* The numbers of an array of elements of that size; sign-extended where they are signed. */
typedef struct {
  unsigned size;
  bool is_signed;
  int64_t (*convert)(int64_t value, uint64_t hz); /* NULL: as it is */
} Vector;

static int64_t
to_seconds(int64_t value, uint64_t hz)
{
  return value / (int64_t)hz;
}

static int64_t
to_user(int64_t value, uint64_t hz)
{
  return (int64_t)((uint64_t)value * USER_HZ / hz);
}

static int64_t
to_ms(int64_t value, uint64_t hz)
{
  return (int64_t)((uint64_t)value * 1000 / hz);
}

static bool
read_data(const Walk *w, const Entry *entry, uint8_t *buf, DacsaBytes *ret, GError **error)
{
  *ret = dacsa_bytes(buf, (size_t)MIN(entry->maxlen, MAX_VALUE));
  return dacsa_mem_read(w->l->memory, entry->data, buf, ret->len, error);
}

static bool
element(DacsaBytes data, uint64_t i, const Vector *v, int64_t *ret)
{
  uint8_t u8;
  uint32_t u32;
  uint64_t u64;

  if (v->size == 1 && dacsa_bytes_u8(data, i, &u8))
    *ret = u8;
  else if (v->size == 4 && dacsa_bytes_u32(data, i * 4, &u32))
    *ret = v->is_signed ? (int64_t)(int32_t)u32 : (int64_t)u32;
  else if (v->size == 8 && dacsa_bytes_u64(data, i * 8, &u64))
    *ret = (int64_t)u64;
  else
    return false;
  return true;
}

static bool
print_vector(const Walk *w, const Entry *entry, const Vector *v, GString *out, GError **error)
{
  uint8_t buf[MAX_VALUE];
  DacsaBytes data;
  int64_t value;

  if (v->convert && w->hz == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "how often the clock ticks is not known");
  if (!read_data(w, entry, buf, &data, error))
    return false;
  for (uint64_t i = 0; element(data, i, v, &value); i++) {
    if (v->convert)
      value = v->convert(value, w->hz);
    if (i > 0)
      g_string_append_c(out, '\t');
    if (v->is_signed)
      g_string_append_printf(out, "%" PRId64, value);
    else
      g_string_append_printf(out, "%" PRIu64, (uint64_t)value);
  }
  return true;
}

static bool
print_string(const Walk *w, const Entry *entry, GString *out, GError **error)
{
  g_autofree char *text = NULL;

  if (!dacsa_mem_read_string(w->l->memory, entry->data, (size_t)MIN(entry->maxlen, MAX_VALUE),
                             &text, error))
    return false;
  for (const char *c = text; *c; c++) {
    if (((unsigned char)*c < ' ' && *c != '\n') || *c == 0x7f)
      g_string_append_printf(out, "\\%03o", (unsigned char)*c);
    else
      g_string_append_c(out, *c);
  }
  return true;
}

/* drivers/char/random.c. */
static bool
print_uuid(const Walk *w, const Entry *entry, GString *out, GError **error)
{
  uint8_t uuid[UUID_LEN];

  if (!dacsa_mem_read(w->l->memory, entry->data, uuid, sizeof(uuid), error))
    return false;
  if (uuid[UUID_VERSION_AT] == 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "nobody has asked for it yet");
  for (unsigned i = 0; i < UUID_LEN; i++)
    g_string_append_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                           uuid[i]);
  return true;
}

static bool
print_sysrq(const Walk *w, GString *out, GError **error)
{
  const uint64_t always = dacsa_linux_symbol(w->l, S_SYSRQ_ALWAYS_ENABLED);
  uint32_t enabled, is_always = 0;

  if (!dacsa_mem_read_u32(w->l->memory, dacsa_linux_symbol(w->l, S_SYSRQ_ENABLED), &enabled,
                          error) ||
      (always != 0 && !dacsa_mem_read_u32(w->l->memory, always, &is_always, error)))
    return false;
  g_string_append_printf(out, "%d", is_always ? 1 : (int32_t)enabled);
  return true;
}

static bool
print_u64(const Walk *w, uint64_t at, GString *out, GError **error)
{
  uint64_t v;

  if (!dacsa_mem_read_u64(w->l->memory, at, &v, error))
    return false;
  g_string_append_printf(out, "%" PRIu64, v);
  return true;
}

/* mm/hugetlb.c: of the huge pages of default size. */
static bool
print_hugepages(const Walk *w, GString *out, GError **error)
{
  const uint64_t hstates = dacsa_linux_symbol(w->l, S_HSTATES);
  const uint64_t which = dacsa_linux_symbol(w->l, S_DEFAULT_HSTATE_IDX);
  uint64_t pages;
  uint32_t i;

  if (!dacsa_mem_read_u32(w->l->memory, which, &i, error) ||
      !dacsa_linux_get(w->l, hstates + (uint64_t)i * dacsa_linux_size(w->l, T_HSTATE),
                       M_HSTATE_MAX_PAGES, &pages, error))
    return false;
  g_string_append_printf(out, "%" PRIu64, pages);
  return true;
}

/* net/core/neighbour.c, net/ipv6/ndisc.c: the unit is in the name. */
static Vector
reachable_vector(const Entry *entry)
{
  if (g_str_has_suffix(entry->name, "_ms"))
    return (Vector){4, true, to_ms};
  return (Vector){4, true, strcmp(entry->name, "retrans_time") == 0 ? NULL : to_seconds};
}

static bool
print_value(const Walk *w, const Entry *entry, Print print, GString *out, GError **error)
{
  const Vector reachable = reachable_vector(entry);
  const unsigned int_size = entry->maxlen == 1 ? 1 : 4;

  switch (print) {
  case PRINT_INT:
  case PRINT_BOOL:
    return print_vector(w, entry, &(Vector){int_size, true, NULL}, out, error);
  case PRINT_UINT:
    return print_vector(w, entry, &(Vector){4, false, NULL}, out, error);
  case PRINT_ULONG:
    return print_vector(w, entry, &(Vector){8, false, NULL}, out, error);
  case PRINT_STRING:
    return print_string(w, entry, out, error);
  case PRINT_JIFFIES:
    return print_vector(w, entry, &(Vector){4, true, to_seconds}, out, error);
  case PRINT_USER_JIFFIES:
    return print_vector(w, entry, &(Vector){4, true, to_user}, out, error);
  case PRINT_MS_JIFFIES:
    return print_vector(w, entry, &(Vector){4, true, to_ms}, out, error);
  case PRINT_ULONG_MS_JIFFIES:
    return print_vector(w, entry, &(Vector){8, false, to_ms}, out, error);
  case PRINT_REACHABLE:
    return print_vector(w, entry, &reachable, out, error);
  case PRINT_UUID:
    return print_uuid(w, entry, out, error);
  case PRINT_TAINT:
    return print_u64(w, dacsa_linux_symbol(w->l, S_TAINTED_MASK), out, error);
  case PRINT_SYSRQ:
    return print_sysrq(w, out, error);
  case PRINT_HUGEPAGES:
    return print_hugepages(w, out, error);
  }
  return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "nobody knows how to print it");
}

/* Whether the handler prints what is at the entry's data, of which there must be some then. */
static bool
needs_data(Print print)
{
  return print < PRINT_UUID;
}

/* -- the tables -- */

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
add_setting(Walk *w, const char *key, const Entry *entry)
{
  const Print print =
      (Print)GPOINTER_TO_UINT(g_hash_table_lookup(w->handlers, GSIZE_TO_POINTER(entry->handler)));
  g_autoptr(GString) value = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  Setting setting;

  if (!(entry->mode & 0444))
    return; /* only written to */
  /* A UUID without data is made anew whenever it is read. */
  if (print == 0 || (print == PRINT_UUID && entry->data == 0)) {
    add_absent(w, key);
    return;
  }
  if (needs_data(print) && (entry->data == 0 || entry->maxlen == 0))
    return;
  if (!print_value(w, entry, print, value, &error)) {
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
read_entry(const Walk *w, uint64_t node, uint64_t *ret_header, Entry *ret, char **ret_name,
           GError **error)
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
  Entry entry;

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

static GHashTable *
known_handlers(const DacsaLinux *l)
{
  GHashTable *known = g_hash_table_new(NULL, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS(handlers); i++) {
    const uint64_t at = dacsa_kallsyms_find_optional(l->kernel->kallsyms, handlers[i].name);

    if (at != 0)
      g_hash_table_insert(known, GSIZE_TO_POINTER(at), GUINT_TO_POINTER(handlers[i].print));
  }
  return known;
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
  g_autoptr(GHashTable) known = known_handlers(l);
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
