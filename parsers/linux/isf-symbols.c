/*
 * The ISF's table of symbols. BTF knows the types of per-CPU variables only, kallsyms none; but
 * Volatility's plugins ask some symbols for what they are. What these are is the same in all
 * kernels that have BTF, and stands here.
 */
#include "parsers/linux/isf.h"
#include "parsers/linux/image.h"

#include <bpf/btf.h>
#include <string.h>

#define MAX_NAME 512u       /* KSYM_NAME_LEN */
#define MAX_ALIASES 64u     /* symbols at one address */
#define MAX_ELEMENTS 65536u /* of a table that goes to the next symbol */
#define TO_NEXT UINT32_MAX

/* A variable: `count` (0: it is no array) of pointers to pointers to ... to a type. */
typedef struct {
  const char *symbol;
  const char *type; /* the first of these `a|b` that the kernel has */
  uint8_t pointers;
  uint32_t count; /* TO_NEXT: up to the next symbol */
} Known;

static const Known known[] = {
    /* tasks and what they have */
    {"init_task", "task_struct", 0, 0},
    {"init_mm", "mm_struct", 0, 0},
    {"init_files", "files_struct", 0, 0},
    {"init_fs", "fs_struct", 0, 0},
    {"init_cred", "cred", 0, 0},
    {"init_nsproxy", "nsproxy", 0, 0},
    {"init_signals", "signal_struct", 0, 0},
    {"init_sighand", "sighand_struct", 0, 0},
    {"init_struct_pid", "pid", 0, 0},
    {"init_pid_ns", "pid_namespace", 0, 0},
    {"init_user_ns", "user_namespace", 0, 0},
    {"init_uts_ns", "uts_namespace", 0, 0},
    {"init_ipc_ns", "ipc_namespace", 0, 0},
    {"init_time_ns", "time_namespace", 0, 0},
    {"init_cgroup_ns", "cgroup_namespace", 0, 0},
    {"root_user", "user_struct", 0, 0},
    {"cap_last_cap", "int", 0, 0},
    {"prog_idr", "idr", 0, 0},
    {"map_idr", "idr", 0, 0},
    {"link_idr", "idr", 0, 0},
    {"btf_idr", "idr", 0, 0},
    /* modules */
    {"modules", "list_head", 0, 0},
    {"module_kset", "kset", 1, 0},
    {"mod_tree", "mod_tree_root", 0, 0},
    {"module_ktype", "kobj_type", 0, 0},
    {"bpf_kallsyms", "list_head", 0, 0},
    {"ftrace_ops_list", "ftrace_ops", 1, 0},
    {"ftrace_mod_maps", "list_head", 0, 0},
    /* files and mounts */
    {"super_blocks", "list_head", 0, 0},
    {"file_systems", "file_system_type", 1, 0},
    {"mount_hashtable", "hlist_head", 1, 0},
    {"dentry_hashtable", "hlist_bl_head", 1, 0},
    {"inode_hashtable", "hlist_head", 1, 0},
    {"socket_file_ops", "file_operations", 0, 0},
    {"pipefifo_fops", "file_operations", 0, 0},
    {"eventpoll_fops", "file_operations", 0, 0},
    {"sockfs_dentry_operations", "dentry_operations", 0, 0},
    {"pipefs_dentry_operations", "dentry_operations", 0, 0},
    {"anon_inodefs_dentry_operations", "dentry_operations", 0, 0},
    {"ns_dentry_operations", "dentry_operations", 0, 0},
    {"simple_dentry_operations", "dentry_operations", 0, 0},
    {"formats", "list_head", 0, 0},
    {"chrdevs", "char_device_struct", 1, TO_NEXT},
    /* the network */
    {"init_net", "net", 0, 0},
    {"net_namespace_list", "list_head", 0, 0},
    {"tcp_hashinfo", "inet_hashinfo", 0, 0},
    {"udp_table", "udp_table", 0, 0},
    {"udplite_table", "udp_table", 0, 0},
    {"nl_table", "netlink_table", 1, 0},
    {"tcp_prot", "proto", 0, 0},
    {"udp_prot", "proto", 0, 0},
    {"raw_prot", "proto", 0, 0},
    {"tcpv6_prot", "proto", 0, 0},
    {"udpv6_prot", "proto", 0, 0},
    {"tcp4_seq_afinfo", "tcp_seq_afinfo", 0, 0},
    {"tcp6_seq_afinfo", "tcp_seq_afinfo", 0, 0},
    {"udp4_seq_afinfo", "udp_seq_afinfo", 0, 0},
    {"udp6_seq_afinfo", "udp_seq_afinfo", 0, 0},
    {"udplite4_seq_afinfo", "udp_seq_afinfo", 0, 0},
    {"udplite6_seq_afinfo", "udp_seq_afinfo", 0, 0},
    {"tcp4_seq_ops", "seq_operations", 0, 0},
    {"tcp6_seq_ops", "seq_operations", 0, 0},
    {"udp_seq_ops", "seq_operations", 0, 0},
    {"udp6_seq_ops", "seq_operations", 0, 0},
    /* the log */
    {"prb", "printk_ringbuffer", 1, 0},
    {"printk_rb_static", "printk_ringbuffer", 0, 0},
    {"printk_rb_dynamic", "printk_ringbuffer", 0, 0},
    {"log_buf", "char", 1, 0},
    {"log_buf_len", "unsigned int", 0, 0},
    {"log_first_idx", "unsigned int", 0, 0},
    {"log_next_idx", "unsigned int", 0, 0},
    /* devices and notifiers */
    {"tty_drivers", "list_head", 0, 0},
    {"keyboard_notifier_list", "atomic_notifier_head", 0, 0},
    {"panic_notifier_list", "atomic_notifier_head", 0, 0},
    {"iomem_resource", "resource", 0, 0},
    {"ioport_resource", "resource", 0, 0},
    /* the processor and memory */
    {"idt_table", "gate_struct|gate_struct64", 0, 256},
    {"sys_call_table", "void", 1, TO_NEXT},
    {"ia32_sys_call_table", "void", 1, TO_NEXT},
    {"x32_sys_call_table", "void", 1, TO_NEXT},
    {"boot_cpu_data", "cpuinfo_x86", 0, 0},
    {"mem_section", "mem_section", 2, 0},
    {"node_data", "pglist_data", 1, TO_NEXT},
    {"slab_caches", "list_head", 0, 0},
    {"vmap_area_list", "list_head", 0, 0},
    {"vmap_area_root", "rb_root", 0, 0},
    {"vmemmap_base", "long unsigned int", 0, 0},
    {"vmalloc_base", "long unsigned int", 0, 0},
    {"page_offset_base", "long unsigned int", 0, 0},
    {"phys_base", "long unsigned int", 0, 0},
    {"max_pfn", "long unsigned int", 0, 0},
    {"high_memory", "void", 1, 0},
    {"__per_cpu_offset", "long unsigned int", 0, TO_NEXT},
    {"nr_cpu_ids", "unsigned int", 0, 0},
    /* what else one looks at */
    {"_text", "void", 0, 0},
    {"_stext", "void", 0, 0},
    {"_etext", "void", 0, 0},
    {"_sinittext", "void", 0, 0},
    {"_einittext", "void", 0, 0},
    {"saved_command_line", "char", 1, 0},
    {"jiffies", "long unsigned int", 0, 0},
    {"jiffies_64", "long long unsigned int", 0, 0},
    {"workqueues", "list_head", 0, 0},
};

typedef struct {
  DacsaIsf *isf;
  const DacsaIsfSymbols *symbols;
  GHashTable *known;     /* symbol -> Known */
  GHashTable *variables; /* symbol -> id of its type */
  GHashTable *seen;      /* names; owned */
} Writer;

static void
index_variables(Writer *w)
{
  const DacsaTypes *types = w->isf->types;

  for (guint i = 0; i < G_N_ELEMENTS(known); i++)
    g_hash_table_insert(w->known, (char *)known[i].symbol, (Known *)&known[i]);
  for (uint32_t id = 1; id < dacsa_types_count(types); id++) {
    const struct btf_type *t = dacsa_types_by_id(types, id);
    const char *name = btf_is_var(t) ? dacsa_types_name(types, t->name_off) : NULL;

    if (name && strnlen(name, MAX_NAME + 1) <= MAX_NAME)
      g_hash_table_insert(w->variables, (char *)name, GUINT_TO_POINTER(t->type));
  }
}

/* -- the types of symbols -- */

typedef struct {
  char name[64];
  uint32_t id;   /* of a structure; 0: it is a base type */
  uint32_t size; /* bytes */
} Target;

static bool
find_target(const DacsaIsf *isf, const Known *row, Target *ret)
{
  const DacsaIsfBase *base;

  for (const char *name = row->type; name;
       name = strchr(name, '|') ? strchr(name, '|') + 1 : NULL) {
    g_snprintf(ret->name, sizeof(ret->name), "%.*s", (int)strcspn(name, "|"), name);
    ret->id = dacsa_isf_names_find(isf->names, DACSA_ISF_USER_TYPES, ret->name);
    ret->size = ret->id != 0 ? dacsa_types_by_id(isf->types, ret->id)->size : 0;
    if (ret->id != 0)
      return true;
    for (guint i = 0; (base = dacsa_isf_base(i)); i++) {
      ret->size = base->size;
      if (strcmp(base->name, ret->name) == 0)
        return true;
    }
  }
  return false;
}

/* How many elements fit between symbol i and the next that is elsewhere. */
static uint32_t
elements_to_next(const Writer *w, uint32_t i, uint64_t address, uint32_t size)
{
  const uint32_t n = dacsa_kallsyms_count(w->symbols->kallsyms);

  for (uint32_t j = i + 1; j < n && j - i <= MAX_ALIASES && size != 0; j++) {
    uint64_t next;
    char type;
    g_autofree char *name = dacsa_kallsyms_symbol(w->symbols->kallsyms, j, &next, &type);

    if (next > address)
      return (uint32_t)MIN((next - address) / size, MAX_ELEMENTS);
  }
  return 0;
}

/* Of each object around the innermost; number: what an array has besides. */
static void
open_around(DacsaIsf *isf, const char *kind, uint32_t number)
{
  dacsa_json_open(&isf->json);
  dacsa_json_add_text(&isf->json, "kind", kind);
  if (number != 0)
    dacsa_json_add_number(&isf->json, "count", number);
  dacsa_json_key(&isf->json, "subtype");
}

static void
write_known(const Writer *w, const Known *row, const Target *target, uint32_t count)
{
  DacsaIsf *isf = w->isf;
  const unsigned around = row->pointers + (count != 0);

  if (count != 0)
    open_around(isf, "array", count);
  for (unsigned i = 0; i < row->pointers; i++)
    open_around(isf, "pointer", 0);
  if (target->id != 0) {
    dacsa_isf_write_descriptor(isf, target->id);
  } else {
    dacsa_json_open(&isf->json);
    dacsa_isf_write_base(isf, target->name);
    dacsa_json_close(&isf->json);
  }
  for (unsigned i = 0; i < around; i++)
    dacsa_json_close(&isf->json);
}

static void
write_banner_type(DacsaIsf *isf, gsize size)
{
  dacsa_json_key(&isf->json, "type");
  open_around(isf, "array", (uint32_t)size);
  dacsa_json_open(&isf->json);
  dacsa_isf_write_base(isf, "char");
  dacsa_json_close(&isf->json);
  dacsa_json_close(&isf->json);
}

static bool
is_function(char letter)
{
  return strchr("tTwW", letter) != NULL;
}

/* Of data of which nothing is known, void: plugins may cast it. A function has no type: Volatility
 * looks at each, once, and that takes longer than all else. */
static void
write_type(const Writer *w, uint32_t i, const char *name, char letter, uint64_t address)
{
  const Known *row = g_hash_table_lookup(w->known, name);
  const uint32_t id = GPOINTER_TO_UINT(g_hash_table_lookup(w->variables, name));
  Target target;

  if (!row && id == 0 && is_function(letter))
    return;
  dacsa_json_key(&w->isf->json, "type");
  if (row && find_target(w->isf, row, &target)) {
    uint32_t size = row->pointers > 0 ? 8 : target.size;

    write_known(w, row, &target,
                row->count == TO_NEXT ? elements_to_next(w, i, address, size) : row->count);
  } else {
    dacsa_isf_write_descriptor(w->isf, id);
  }
}

/* -- the symbols -- */

/* Where the kernel would be without KASLR. Per-CPU symbols, and absolute ones, are not moved. */
static uint64_t
unshifted(const DacsaIsfSymbols *symbols, uint64_t address)
{
  bool in_image = address >= DACSA_LINUX_IMAGE_START && address < DACSA_LINUX_IMAGE_END;

  return in_image ? address - symbols->shift : address;
}

/* What Volatility looks for in memory, to tell which kernel it is: with its end, as a C string has
 * one, and as dwarf2json has it. */
static void
write_banner(DacsaIsf *isf, const char *banner)
{
  g_autofree char *text = g_base64_encode((const guchar *)banner, strlen(banner) + 1);

  dacsa_json_add_text(&isf->json, "constant_data", text);
}

static void
write_symbol(const Writer *w, uint32_t i)
{
  DacsaIsf *isf = w->isf;
  uint64_t address;
  char letter;
  g_autofree char *name = dacsa_kallsyms_symbol(w->symbols->kallsyms, i, &address, &letter);
  const bool is_banner = w->symbols->banner && strcmp(name, "linux_banner") == 0;

  if (!name[0] || strlen(name) > MAX_NAME || g_hash_table_contains(w->seen, name))
    return;
  dacsa_json_key(&isf->json, name);
  dacsa_json_open(&isf->json);
  dacsa_json_add_number(&isf->json, "address", unshifted(w->symbols, address));
  if (is_banner)
    write_banner_type(isf, strlen(w->symbols->banner) + 1);
  else
    write_type(w, i, name, letter, address);
  if (is_banner)
    write_banner(isf, w->symbols->banner);
  dacsa_json_close(&isf->json);
  g_hash_table_add(w->seen, g_steal_pointer(&name));
}

void
dacsa_isf_write_symbols(DacsaIsf *isf, const DacsaIsfSymbols *symbols)
{
  g_autoptr(GHashTable) rows = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) variables = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  Writer w = {isf, symbols, rows, variables, seen};
  const uint32_t n = dacsa_kallsyms_count(symbols->kallsyms);

  index_variables(&w);
  dacsa_json_key(&isf->json, "symbols");
  dacsa_json_open(&isf->json);
  for (uint32_t i = 0; i < n && !dacsa_json_is_full(&isf->json); i++)
    write_symbol(&w, i);
  dacsa_json_close(&isf->json);
}
