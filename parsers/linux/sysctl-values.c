/* Values of settings, by the handler that prints them. */
#include "parsers/linux/sysctl-values.h"

#include "snap/bytes.h"
#include "snap/error.h"

#include <string.h>

#define MAX_VALUE 4096u /* bytes of data: one page is what a reader gets */
#define USER_HZ 100u
#define UUID_LEN 16u
#define UUID_VERSION_AT 8u /* 0 there: proc_do_uuid has not made it yet */

/* Most are wrappers that only check what is written. */
static const struct {
  const char *name;
  DacsaLinuxSettingKind print;
} handlers[] = {
    {"proc_dointvec", DACSA_LINUX_SETTING_INT},
    {"proc_dointvec_minmax", DACSA_LINUX_SETTING_INT},
    {"proc_dointvec_minmax_sysadmin", DACSA_LINUX_SETTING_INT},
    {"proc_dointvec_minmax_coredump", DACSA_LINUX_SETTING_INT},
    {"proc_dointvec_minmax_warn_RT_change", DACSA_LINUX_SETTING_INT},
    {"proc_dointvec_minmax_bpf_enable", DACSA_LINUX_SETTING_INT},
    {"proc_dointvec_minmax_bpf_restricted", DACSA_LINUX_SETTING_INT},
    {"proc_do_rointvec", DACSA_LINUX_SETTING_INT},
    {"proc_do_dev_weight", DACSA_LINUX_SETTING_INT},
    {"proc_dohung_task_timeout_secs", DACSA_LINUX_SETTING_ULONG},
    {"proc_dopipe_max_size", DACSA_LINUX_SETTING_UINT},
    {"proc_dou8vec_minmax", DACSA_LINUX_SETTING_INT},
    {"proc_douintvec", DACSA_LINUX_SETTING_UINT},
    {"proc_douintvec_minmax", DACSA_LINUX_SETTING_UINT},
    {"proc_douintvec_minmax_sysadmin", DACSA_LINUX_SETTING_UINT},
    {"proc_doulongvec_minmax", DACSA_LINUX_SETTING_ULONG},
    {"proc_dolongvec_minmax_bpf_restricted", DACSA_LINUX_SETTING_ULONG},
    {"proc_dobool", DACSA_LINUX_SETTING_BOOL},
    {"proc_dostring", DACSA_LINUX_SETTING_STRING},
    {"proc_dostring_coredump", DACSA_LINUX_SETTING_STRING},
    {"proc_do_uts_string", DACSA_LINUX_SETTING_STRING},
    {"proc_dointvec_jiffies", DACSA_LINUX_SETTING_JIFFIES},
    {"proc_dointvec_userhz_jiffies", DACSA_LINUX_SETTING_USER_JIFFIES},
    {"proc_dointvec_ms_jiffies", DACSA_LINUX_SETTING_MS_JIFFIES},
    {"proc_dointvec_ms_jiffies_minmax", DACSA_LINUX_SETTING_MS_JIFFIES},
    {"proc_doulongvec_ms_jiffies_minmax", DACSA_LINUX_SETTING_ULONG_MS_JIFFIES},
    {"proc_do_uuid", DACSA_LINUX_SETTING_UUID},
    {"proc_taint", DACSA_LINUX_SETTING_TAINT},
    {"sysrq_sysctl_handler", DACSA_LINUX_SETTING_SYSRQ},
    {"hugetlb_sysctl_handler", DACSA_LINUX_SETTING_HUGEPAGES},
    {"yama_dointvec_minmax", DACSA_LINUX_SETTING_INT},
    {"apparmor_dointvec", DACSA_LINUX_SETTING_INT},
    {"bpf_unpriv_handler", DACSA_LINUX_SETTING_INT},
    {"perf_proc_update_handler", DACSA_LINUX_SETTING_INT},
    {"perf_event_max_sample_rate_handler", DACSA_LINUX_SETTING_INT},
    {"perf_cpu_time_max_percent_handler", DACSA_LINUX_SETTING_INT},
    {"perf_event_max_stack_handler", DACSA_LINUX_SETTING_INT},
    {"overcommit_ratio_handler", DACSA_LINUX_SETTING_INT},
    {"overcommit_policy_handler", DACSA_LINUX_SETTING_INT},
    {"overcommit_kbytes_handler", DACSA_LINUX_SETTING_ULONG},
    {"dirty_ratio_handler", DACSA_LINUX_SETTING_INT},
    {"dirty_background_ratio_handler", DACSA_LINUX_SETTING_INT},
    {"dirty_bytes_handler", DACSA_LINUX_SETTING_ULONG},
    {"dirty_background_bytes_handler", DACSA_LINUX_SETTING_ULONG},
    {"dirty_writeback_centisecs_handler", DACSA_LINUX_SETTING_INT},
    {"dirtytime_interval_handler", DACSA_LINUX_SETTING_INT},
    {"min_free_kbytes_sysctl_handler", DACSA_LINUX_SETTING_INT},
    {"watermark_boost_factor_sysctl_handler", DACSA_LINUX_SETTING_INT},
    {"watermark_scale_factor_sysctl_handler", DACSA_LINUX_SETTING_INT},
    {"lowmem_reserve_ratio_sysctl_handler", DACSA_LINUX_SETTING_INT},
    {"percpu_pagelist_fraction_sysctl_handler", DACSA_LINUX_SETTING_INT},
    {"percpu_pagelist_high_fraction_sysctl_handler", DACSA_LINUX_SETTING_INT},
    {"sysctl_min_unmapped_ratio_sysctl_handler", DACSA_LINUX_SETTING_INT},
    {"sysctl_min_slab_ratio_sysctl_handler", DACSA_LINUX_SETTING_INT},
    {"sysctl_compaction_handler", DACSA_LINUX_SETTING_INT},
    {"compaction_proactiveness_sysctl_handler", DACSA_LINUX_SETTING_INT},
    {"sysctl_vm_numa_stat_handler", DACSA_LINUX_SETTING_INT},
    {"mmap_min_addr_handler", DACSA_LINUX_SETTING_ULONG},
    {"proc_watchdog_thresh", DACSA_LINUX_SETTING_INT},
    {"sched_rt_handler", DACSA_LINUX_SETTING_INT},
    {"sched_rr_handler", DACSA_LINUX_SETTING_INT},
    {"timer_migration_handler", DACSA_LINUX_SETTING_INT},
    {"stack_trace_sysctl", DACSA_LINUX_SETTING_INT},
    {"ftrace_enable_sysctl", DACSA_LINUX_SETTING_INT},
    {"tracepoint_printk_sysctl", DACSA_LINUX_SETTING_INT},
    {"devkmsg_sysctl_set_loglvl", DACSA_LINUX_SETTING_STRING},
    {"proc_ipc_dointvec", DACSA_LINUX_SETTING_INT},
    {"proc_ipc_dointvec_minmax", DACSA_LINUX_SETTING_INT},
    {"proc_ipc_dointvec_minmax_orphans", DACSA_LINUX_SETTING_INT},
    {"proc_ipc_doulongvec_minmax", DACSA_LINUX_SETTING_ULONG},
    {"proc_ipc_sem_dointvec", DACSA_LINUX_SETTING_INT},
    {"proc_mq_dointvec", DACSA_LINUX_SETTING_INT},
    {"proc_mq_dointvec_minmax", DACSA_LINUX_SETTING_INT},
    {"ipv4_fwd_update_priority", DACSA_LINUX_SETTING_INT},
    {"ipv4_doint_and_flush", DACSA_LINUX_SETTING_INT},
    {"proc_tcp_early_demux", DACSA_LINUX_SETTING_INT},
    {"proc_udp_early_demux", DACSA_LINUX_SETTING_INT},
    {"proc_tfo_blackhole_detect_timeout", DACSA_LINUX_SETTING_INT},
    {"proc_fib_multipath_hash_policy", DACSA_LINUX_SETTING_INT},
    {"proc_fib_multipath_hash_fields", DACSA_LINUX_SETTING_UINT},
    {"devinet_conf_proc", DACSA_LINUX_SETTING_INT},
    {"devinet_sysctl_forward", DACSA_LINUX_SETTING_INT},
    {"addrconf_sysctl_forward", DACSA_LINUX_SETTING_INT},
    {"addrconf_sysctl_mtu", DACSA_LINUX_SETTING_INT},
    {"addrconf_sysctl_proxy_ndp", DACSA_LINUX_SETTING_INT},
    {"addrconf_sysctl_disable", DACSA_LINUX_SETTING_INT},
    {"addrconf_sysctl_disable_policy", DACSA_LINUX_SETTING_INT},
    {"addrconf_sysctl_addr_gen_mode", DACSA_LINUX_SETTING_INT},
    {"addrconf_sysctl_ignore_routes_with_linkdown", DACSA_LINUX_SETTING_INT},
    {"addrconf_sysctl_force_forwarding", DACSA_LINUX_SETTING_INT},
    {"sysctl_max_threads", DACSA_LINUX_SETTING_MAX_THREADS},
    {"proc_tcp_congestion_control", DACSA_LINUX_SETTING_CONGESTION},
    {"set_default_qdisc", DACSA_LINUX_SETTING_QDISC},
    {"neigh_proc_dointvec", DACSA_LINUX_SETTING_INT},
    {"neigh_proc_dointvec_zero_intmax", DACSA_LINUX_SETTING_INT},
    {"neigh_proc_dointvec_jiffies", DACSA_LINUX_SETTING_JIFFIES},
    {"neigh_proc_dointvec_userhz_jiffies", DACSA_LINUX_SETTING_USER_JIFFIES},
    {"neigh_proc_dointvec_ms_jiffies", DACSA_LINUX_SETTING_MS_JIFFIES},
    {"neigh_proc_dointvec_ms_jiffies_positive", DACSA_LINUX_SETTING_MS_JIFFIES},
    {"neigh_proc_base_reachable_time", DACSA_LINUX_SETTING_REACHABLE},
    {"ndisc_ifinfo_sysctl_change", DACSA_LINUX_SETTING_REACHABLE},
};

/* What the values are printed for. */
typedef struct {
  const DacsaLinux *l;
  uint64_t hz;
} Printer;

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
read_data(const Printer *p, const DacsaLinuxSetting *entry, uint8_t *buf, DacsaBytes *ret,
          GError **error)
{
  *ret = dacsa_bytes(buf, (size_t)MIN(entry->maxlen, MAX_VALUE));
  return dacsa_mem_read(p->l->memory, entry->data, buf, ret->len, error);
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
print_vector(const Printer *p, const DacsaLinuxSetting *entry, const Vector *v, GString *out,
             GError **error)
{
  uint8_t buf[MAX_VALUE];
  DacsaBytes data;
  int64_t value;

  if (v->convert && p->hz == 0)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "how often the clock ticks is not known");
  if (!read_data(p, entry, buf, &data, error))
    return false;
  for (uint64_t i = 0; element(data, i, v, &value); i++) {
    if (v->convert)
      value = v->convert(value, p->hz);
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
print_string(const Printer *p, const DacsaLinuxSetting *entry, GString *out, GError **error)
{
  g_autofree char *text = NULL;

  if (!dacsa_mem_read_string(p->l->memory, entry->data, (size_t)MIN(entry->maxlen, MAX_VALUE),
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
print_uuid(const Printer *p, const DacsaLinuxSetting *entry, GString *out, GError **error)
{
  uint8_t uuid[UUID_LEN];

  if (!dacsa_mem_read(p->l->memory, entry->data, uuid, sizeof(uuid), error))
    return false;
  if (uuid[UUID_VERSION_AT] == 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "nobody has asked for it yet");
  for (unsigned i = 0; i < UUID_LEN; i++)
    g_string_append_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                           uuid[i]);
  return true;
}

static bool
print_sysrq(const Printer *p, GString *out, GError **error)
{
  const uint64_t always = dacsa_linux_symbol(p->l, S_SYSRQ_ALWAYS_ENABLED);
  uint32_t enabled, is_always = 0;

  if (!dacsa_mem_read_u32(p->l->memory, dacsa_linux_symbol(p->l, S_SYSRQ_ENABLED), &enabled,
                          error) ||
      (always != 0 && !dacsa_mem_read_u32(p->l->memory, always, &is_always, error)))
    return false;
  g_string_append_printf(out, "%d", is_always ? 1 : (int32_t)enabled);
  return true;
}

static bool
print_u64(const Printer *p, uint64_t at, GString *out, GError **error)
{
  uint64_t v;

  if (!dacsa_mem_read_u64(p->l->memory, at, &v, error))
    return false;
  g_string_append_printf(out, "%" PRIu64, v);
  return true;
}

/* kernel/fork.c, sysctl_max_threads. */
static bool
print_max_threads(const Printer *p, GString *out, GError **error)
{
  uint32_t v;

  if (!dacsa_mem_read_u32(p->l->memory, dacsa_linux_symbol(p->l, S_MAX_THREADS), &v, error))
    return false;
  g_string_append_printf(out, "%d", (int32_t)v);
  return true;
}

/* net/ipv4/tcp_cong.c, tcp_get_default_congestion_control: the initial namespace's. */
static bool
print_congestion(const Printer *p, GString *out, GError **error)
{
  g_autofree char *name = NULL;
  uint64_t ops;

  if (!dacsa_linux_get(p->l, dacsa_linux_symbol(p->l, S_INIT_NET), M_NET_TCP_CONGESTION, &ops,
                       error) ||
      !dacsa_linux_get_string(p->l, ops, M_TCP_CONGESTION_NAME, &name, error))
    return false;
  g_string_append(out, name);
  return true;
}

/* net/sched/sch_api.c, qdisc_get_default. */
static bool
print_qdisc(const Printer *p, GString *out, GError **error)
{
  g_autofree char *name = NULL;
  uint64_t ops;

  if (!dacsa_mem_read_u64(p->l->memory, dacsa_linux_symbol(p->l, S_DEFAULT_QDISC_OPS), &ops,
                          error) ||
      !dacsa_linux_get_string(p->l, ops, M_QDISC_OPS_ID, &name, error))
    return false;
  g_string_append(out, name);
  return true;
}

/* mm/hugetlb.c: of the huge pages of default size. */
static bool
print_hugepages(const Printer *p, GString *out, GError **error)
{
  const uint64_t hstates = dacsa_linux_symbol(p->l, S_HSTATES);
  const uint64_t which = dacsa_linux_symbol(p->l, S_DEFAULT_HSTATE_IDX);
  uint64_t pages;
  uint32_t i;

  if (!dacsa_mem_read_u32(p->l->memory, which, &i, error) ||
      !dacsa_linux_get(p->l, hstates + (uint64_t)i * dacsa_linux_size(p->l, T_HSTATE),
                       M_HSTATE_MAX_PAGES, &pages, error))
    return false;
  g_string_append_printf(out, "%" PRIu64, pages);
  return true;
}

/* net/core/neighbour.c, net/ipv6/ndisc.c: the unit is in the name. */
static Vector
reachable_vector(const DacsaLinuxSetting *entry)
{
  if (g_str_has_suffix(entry->name, "_ms"))
    return (Vector){4, true, to_ms};
  return (Vector){4, true, strcmp(entry->name, "retrans_time") == 0 ? NULL : to_seconds};
}

static bool
print_value(const Printer *p, const DacsaLinuxSetting *entry, DacsaLinuxSettingKind print,
            GString *out, GError **error)
{
  const Vector reachable = reachable_vector(entry);
  const unsigned int_size = entry->maxlen == 1 ? 1 : 4;

  switch (print) {
  case DACSA_LINUX_SETTING_INT:
  case DACSA_LINUX_SETTING_BOOL:
    return print_vector(p, entry, &(Vector){int_size, true, NULL}, out, error);
  case DACSA_LINUX_SETTING_UINT:
    return print_vector(p, entry, &(Vector){4, false, NULL}, out, error);
  case DACSA_LINUX_SETTING_ULONG:
    return print_vector(p, entry, &(Vector){8, false, NULL}, out, error);
  case DACSA_LINUX_SETTING_STRING:
    return print_string(p, entry, out, error);
  case DACSA_LINUX_SETTING_JIFFIES:
    return print_vector(p, entry, &(Vector){4, true, to_seconds}, out, error);
  case DACSA_LINUX_SETTING_USER_JIFFIES:
    return print_vector(p, entry, &(Vector){4, true, to_user}, out, error);
  case DACSA_LINUX_SETTING_MS_JIFFIES:
    return print_vector(p, entry, &(Vector){4, true, to_ms}, out, error);
  case DACSA_LINUX_SETTING_ULONG_MS_JIFFIES:
    return print_vector(p, entry, &(Vector){8, false, to_ms}, out, error);
  case DACSA_LINUX_SETTING_REACHABLE:
    return print_vector(p, entry, &reachable, out, error);
  case DACSA_LINUX_SETTING_UUID:
    return print_uuid(p, entry, out, error);
  case DACSA_LINUX_SETTING_TAINT:
    return print_u64(p, dacsa_linux_symbol(p->l, S_TAINTED_MASK), out, error);
  case DACSA_LINUX_SETTING_SYSRQ:
    return print_sysrq(p, out, error);
  case DACSA_LINUX_SETTING_HUGEPAGES:
    return print_hugepages(p, out, error);
  case DACSA_LINUX_SETTING_MAX_THREADS:
    return print_max_threads(p, out, error);
  case DACSA_LINUX_SETTING_CONGESTION:
    return print_congestion(p, out, error);
  case DACSA_LINUX_SETTING_QDISC:
    return print_qdisc(p, out, error);
  }
  return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "nobody knows how to print it");
}

bool
dacsa_linux_setting_print(const DacsaLinux *l, const DacsaLinuxSetting *setting,
                          DacsaLinuxSettingKind kind, uint64_t hz, GString *out, GError **error)
{
  return print_value(&(Printer){l, hz}, setting, kind, out, error);
}

bool
dacsa_linux_setting_needs_data(DacsaLinuxSettingKind kind)
{
  return kind < DACSA_LINUX_SETTING_UUID;
}

GHashTable *
dacsa_linux_setting_handlers(const DacsaLinux *l)
{
  GHashTable *known = g_hash_table_new(NULL, NULL);

  for (size_t i = 0; i < G_N_ELEMENTS(handlers); i++) {
    const uint64_t at = dacsa_kallsyms_find_optional(l->kernel->kallsyms, handlers[i].name);

    if (at != 0)
      g_hash_table_insert(known, GSIZE_TO_POINTER(at), GUINT_TO_POINTER(handlers[i].print));
  }
  return known;
}
