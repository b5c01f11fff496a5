/*
 * /proc/kallsyms as root reads it (kernel/kallsyms.c, s_show): the kernel's own symbols, the
 * modules', and the names of code that was made at run time.
 */
#include "parsers/linux/system.h"
#include "parsers/linux/walk.h"
#include "snap/bytes.h"
#include "snap/error.h"

#include <string.h>

#define MAX_PRINTED (256u << 20)
#define MAX_SYMBOLS (1u << 20)     /* of one module */
#define MAX_ALL_SYMBOLS (1u << 22) /* of all modules, exported ones counted twice */
#define MAX_STRINGS (64u << 20)    /* of one module */
#define MAX_NAME 512u              /* KSYM_NAME_LEN */
#define MAX_EXPORTS (1u << 16)     /* of one module */
#define MAX_PAGES 65536u           /* of generated code, trampolines, programs */
#define ELF_SYM_SIZE 24u           /* Elf64_Sym: st_name 32 bits at 0, st_value 64 bits at 8 */
#define ELF_SYM_VALUE 8u

typedef struct {
  DacsaLinux *l;
  GString *out;
  const char *module; /* as it is printed: bpf */
  const char *name;
  guint n;
} Print;

static void
note(DacsaLinux *l, const char *text)
{
  dacsa_errors_add(l->errors, "kernel/kallsyms", text);
}

static void
append_symbol(GString *out, uint64_t address, char type, const char *name, const char *module)
{
  static const char digits[] = "0123456789abcdef";
  char line[20];

  for (unsigned i = 0; i < 16; i++)
    line[i] = digits[address >> (60 - 4 * i) & 15];
  line[16] = ' ';
  line[17] = type;
  line[18] = ' ';
  g_string_append_len(out, line, 19);
  g_string_append(out, name);
  if (module) {
    g_string_append(out, "\t[");
    g_string_append(out, module);
    g_string_append_c(out, ']');
  }
  g_string_append_c(out, '\n');
}

static void
append_core(const DacsaLinux *l, GString *out)
{
  const uint32_t n = dacsa_kallsyms_count(l->kernel->kallsyms);

  for (uint32_t i = 0; i < n && out->len < MAX_PRINTED; i++) {
    uint64_t address;
    char type;
    g_autofree char *name = dacsa_kallsyms_symbol(l->kernel->kallsyms, i, &address, &type);

    if (name[0])
      append_symbol(out, address, type, name, NULL);
  }
}

/* -- modules -- */

/* The symbols of a module, read at once. What is exported is printed with a capital letter
 * (is_exported: the names in mod->syms). */
typedef struct {
  uint8_t *symtab, *typetab, *strtab;
  DacsaBytes strings;
  uint32_t n;
  GHashTable *exported; /* addresses of names: g_direct */
} Symbols;

static void
clear_symbols(Symbols *s)
{
  g_free(s->symtab);
  g_free(s->typetab);
  g_free(s->strtab);
  g_clear_pointer(&s->exported, g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Symbols, clear_symbols)

/* A reference in struct kernel_symbol (include/linux/export.h): relative to itself where it has
 * only 32 bits (CONFIG_HAVE_ARCH_PREL32_RELOCATIONS). */
static bool
read_reference(const DacsaLinux *l, uint64_t symbol, DacsaLinuxMember member, uint64_t *ret,
               GError **error)
{
  uint64_t v;

  if (!dacsa_linux_get(l, symbol, member, &v, error))
    return false;
  *ret = l->kernel->members[member].size == 4
             ? symbol + dacsa_linux_offset(l, member) + (uint64_t)(int64_t)(int32_t)v
             : v;
  return true;
}

static bool
read_exports(const DacsaLinux *l, uint64_t module, Symbols *s, GError **error)
{
  uint64_t syms, n, value, at;

  s->exported = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  if (!dacsa_linux_get(l, module, M_MODULE_SYMS, &syms, error) ||
      !dacsa_linux_get(l, module, M_MODULE_NUM_SYMS, &n, error))
    return false;
  if (n > MAX_EXPORTS)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a module exports %" PRIu64 " symbols", n);
  for (uint64_t i = 0; i < n; i++) {
    const uint64_t symbol = syms + i * dacsa_linux_size(l, T_KERNEL_SYMBOL);
    g_autofree char *name = NULL;

    if (!read_reference(l, symbol, M_KERNEL_SYMBOL_VALUE, &value, error) ||
        !read_reference(l, symbol, M_KERNEL_SYMBOL_NAME, &at, error) ||
        !dacsa_mem_read_string(l->memory, at, MAX_NAME, &name, error))
      return false;
    g_hash_table_insert(s->exported, g_strdup_printf("%" PRIx64 " %s", value, name), NULL);
  }
  return true;
}

/* The strings of the table go from its start to past the one that begins last. */
static bool
read_strings(const DacsaLinux *l, uint64_t strtab, Symbols *s, GError **error)
{
  const DacsaBytes table = dacsa_bytes(s->symtab, (size_t)s->n * ELF_SYM_SIZE);
  uint32_t last = 0, at;

  for (uint32_t i = 0; i < s->n; i++)
    if (dacsa_bytes_u32(table, (uint64_t)i * ELF_SYM_SIZE, &at))
      last = MAX(last, at);
  if (last > MAX_STRINGS)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a module's names have %u bytes", last);
  size_t size = (size_t)last + MAX_NAME;
  s->strtab = g_malloc(size);
  s->strings = dacsa_bytes(s->strtab, dacsa_mem_read_some(l->memory, strtab, s->strtab, size));
  return true;
}

static bool
read_symbols(const DacsaLinux *l, uint64_t module, Symbols *s, GError **error)
{
  uint64_t kallsyms, symtab, strtab, typetab, n;

  if (!dacsa_linux_get(l, module, M_MODULE_KALLSYMS, &kallsyms, error) ||
      !dacsa_linux_get(l, kallsyms, M_MOD_KALLSYMS_SYMTAB, &symtab, error) ||
      !dacsa_linux_get(l, kallsyms, M_MOD_KALLSYMS_NUM, &n, error) ||
      !dacsa_linux_get(l, kallsyms, M_MOD_KALLSYMS_STRTAB, &strtab, error) ||
      !dacsa_linux_get(l, kallsyms, M_MOD_KALLSYMS_TYPETAB, &typetab, error))
    return false;
  if (n > MAX_SYMBOLS)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "a module claims %" PRIu64 " symbols", n);
  s->n = (uint32_t)n;
  s->symtab = g_malloc((size_t)n * ELF_SYM_SIZE + 1);
  s->typetab = g_malloc((size_t)n + 1);
  return dacsa_mem_read(l->memory, symtab, s->symtab, (size_t)n * ELF_SYM_SIZE, error) &&
         dacsa_mem_read(l->memory, typetab, s->typetab, (size_t)n, error) &&
         read_strings(l, strtab, s, error);
}

static void
append_module_symbol(const Symbols *s, uint32_t i, const char *module, GString *out)
{
  const DacsaBytes table = dacsa_bytes(s->symtab, (size_t)s->n * ELF_SYM_SIZE);
  uint32_t at;
  uint64_t value;

  if (!dacsa_bytes_u32(table, (uint64_t)i * ELF_SYM_SIZE, &at) ||
      !dacsa_bytes_u64(table, (uint64_t)i * ELF_SYM_SIZE + ELF_SYM_VALUE, &value) ||
      at >= s->strings.len)
    return;
  g_autofree char *name =
      g_strndup((const char *)s->strings.data + at, MIN(s->strings.len - at, MAX_NAME - 1));
  if (!name[0])
    return;
  g_autofree char *key = g_strdup_printf("%" PRIx64 " %s", value, name);
  bool exported = g_hash_table_contains(s->exported, key);
  char type = (char)s->typetab[i];
  append_symbol(out, value, exported ? g_ascii_toupper(type) : g_ascii_tolower(type), name, module);
}

static void
append_modules(DacsaLinux *l, GString *out)
{
  const GArray *modules = dacsa_linux_modules_all(l);
  uint64_t all = 0;

  for (guint m = 0; m < modules->len && all < MAX_ALL_SYMBOLS; m++) {
    const DacsaLinuxModule *module = &g_array_index(modules, DacsaLinuxModule, m);
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) cause = NULL;
    g_auto(Symbols) s = {0};

    if (!read_symbols(l, module->module, &s, &error)) {
      note(l, error->message);
      all += s.n;
      continue;
    }
    if (!read_exports(l, module->module, &s, &cause))
      note(l, cause->message); /* shown all the same, as if not exported */
    all += s.n + g_hash_table_size(s.exported);
    for (uint32_t i = 0; i < s.n && out->len < MAX_PRINTED; i++)
      append_module_symbol(&s, i, module->name, out);
  }
  if (all >= MAX_ALL_SYMBOLS)
    note(l, "cut short: the modules have too many symbols");
}

/* -- code that was made at run time -- */

static bool
print_goes_on(Print *p)
{
  if (++p->n <= MAX_PAGES)
    return true;
  note(p->l, "cut short: too much generated code");
  return false;
}

/* Walks a list whose head the symbol is; a kernel without it has nothing to show. */
static void
print_list(Print *p, uint64_t head, DacsaLinuxMember member, DacsaLinuxVisit visit)
{
  g_autoptr(GError) error = NULL;

  if (head != 0 && dacsa_linux_has(p->l, member) &&
      !dacsa_linux_list_each(p->l, head, member, visit, p, &error))
    note(p->l, error->message);
}

/* kernel/trace/ftrace.c, ftrace_mod_get_kallsym: functions of modules' initialisation that were
 * traced, whose names outlive them. */
static bool
visit_mod_func(uint64_t entry, void *data)
{
  Print *p = data;
  g_autoptr(GError) error = NULL;
  g_autofree char *name = NULL;
  uint64_t ip;

  if (!print_goes_on(p))
    return false;
  if (!dacsa_linux_get(p->l, entry, M_FTRACE_MOD_FUNC_IP, &ip, &error) ||
      !dacsa_linux_pointed_string(p->l, entry, M_FTRACE_MOD_FUNC_NAME, &name, &error))
    note(p->l, error->message);
  else if (name && name[0])
    append_symbol(p->out, ip, 'T', name, p->module);
  return true;
}

static bool
visit_mod_map(uint64_t entry, void *data)
{
  Print *p = data;
  g_autoptr(GError) error = NULL;
  g_autofree char *name = NULL;
  uint64_t module;

  if (!print_goes_on(p))
    return false;
  if (!dacsa_linux_get(p->l, entry, M_FTRACE_MOD_MAP_MOD, &module, &error) ||
      !dacsa_linux_get_string(p->l, module, M_MODULE_NAME, &name, &error)) {
    note(p->l, error->message);
    return true;
  }
  p->module = name;
  print_list(p, entry + dacsa_linux_offset(p->l, M_FTRACE_MOD_MAP_FUNCS), M_FTRACE_MOD_FUNC_LIST,
             visit_mod_func);
  p->module = NULL;
  return true;
}

static bool
visit_trampoline(uint64_t entry, void *data)
{
  Print *p = data;
  g_autoptr(GError) error = NULL;
  uint64_t address;

  if (!print_goes_on(p))
    return false;
  if (!dacsa_linux_get(p->l, entry, M_FTRACE_OPS_TRAMPOLINE, &address, &error))
    note(p->l, error->message);
  else if (address != 0)
    append_symbol(p->out, address, 't', p->name, p->module);
  return true;
}

static bool
visit_bpf(uint64_t entry, void *data)
{
  Print *p = data;
  g_autoptr(GError) error = NULL;
  g_autofree char *name = NULL;
  uint64_t address;

  if (!print_goes_on(p))
    return false;
  if (!dacsa_linux_get(p->l, entry, M_BPF_KSYM_START, &address, &error) ||
      !dacsa_linux_get_string(p->l, entry, M_BPF_KSYM_NAME, &name, &error))
    note(p->l, error->message);
  else if (name[0])
    append_symbol(p->out, address, 't', name, p->module);
  return true;
}

static bool
visit_insn_page(uint64_t entry, void *data)
{
  Print *p = data;
  g_autoptr(GError) error = NULL;
  uint64_t address;

  if (!print_goes_on(p))
    return false;
  if (!dacsa_linux_get(p->l, entry, M_KPROBE_PAGE_INSNS, &address, &error))
    note(p->l, error->message);
  else
    append_symbol(p->out, address, 't', p->name, p->module);
  return true;
}

/* kernel/kprobes.c, kprobe_cache_get_kallsym. */
static void
append_insn_pages(DacsaLinux *l, GString *out, DacsaLinuxSymbol cache)
{
  const uint64_t at = dacsa_linux_symbol(l, cache);
  g_autoptr(GError) error = NULL;
  g_autofree char *name = NULL;
  Print p = {.l = l, .out = out, .module = "__builtin__kprobes"};

  if (at == 0 || !dacsa_linux_has(l, M_KPROBE_CACHE_SYM))
    return;
  if (!dacsa_linux_pointed_string(l, at, M_KPROBE_CACHE_SYM, &name, &error)) {
    note(l, error->message);
    return;
  }
  p.name = name;
  if (name)
    print_list(&p, at + dacsa_linux_offset(l, M_KPROBE_CACHE_PAGES), M_KPROBE_PAGE_LIST,
               visit_insn_page);
}

/* kernel/bpf/core.c, bpf_get_kallsym. All programs are on the list; what net.core.bpf_jit_harden
 * and bpf_jit_kallsyms hide is not printed. */
static bool
shows_bpf(const DacsaLinux *l)
{
  uint32_t harden = 0, kallsyms = 0;

  return dacsa_linux_symbol(l, S_BPF_JIT_HARDEN) != 0 &&
         dacsa_linux_symbol(l, S_BPF_JIT_KALLSYMS) != 0 &&
         dacsa_mem_read_u32(l->memory, dacsa_linux_symbol(l, S_BPF_JIT_HARDEN), &harden, NULL) &&
         dacsa_mem_read_u32(l->memory, dacsa_linux_symbol(l, S_BPF_JIT_KALLSYMS), &kallsyms,
                            NULL) &&
         harden == 0 && kallsyms == 1;
}

static void
append_generated(DacsaLinux *l, GString *out)
{
  Print maps = {.l = l, .out = out};
  Print trampolines = {
      .l = l, .out = out, .module = "__builtin__ftrace", .name = "ftrace_trampoline"};
  Print bpf = {.l = l, .out = out, .module = "bpf"};

  print_list(&maps, dacsa_linux_symbol(l, S_FTRACE_MOD_MAPS), M_FTRACE_MOD_MAP_LIST, visit_mod_map);
  print_list(&trampolines, dacsa_linux_symbol(l, S_FTRACE_TRAMPOLINES), M_FTRACE_OPS_LIST,
             visit_trampoline);
  if (shows_bpf(l))
    print_list(&bpf, dacsa_linux_symbol(l, S_BPF_KALLSYMS), M_BPF_KSYM_LNODE, visit_bpf);
  append_insn_pages(l, out, S_KPROBE_INSN_SLOTS);
  append_insn_pages(l, out, S_KPROBE_OPTINSN_SLOTS);
}

bool
dacsa_linux_kallsyms(DacsaGuest *guest, GString *out, GError **error)
{
  DacsaLinux *l = (DacsaLinux *)guest;

  (void)error;
  append_core(l, out);
  append_modules(l, out);
  append_generated(l, out);
  if (out->len >= MAX_PRINTED)
    note(l, "cut short: too large");
  return true;
}
