/* Symbols and member offsets of one kernel, asked for by name: no version is looked at. */
#include "parsers/linux/kernel.h"

#include "snap/error.h"

#include <string.h>

#define START_KERNEL_MAP UINT64_C(0xffffffff80000000) /* __START_KERNEL_map */
#define MAX_BTF (64u << 20)

#define ROW(name, path) path,
static const char *const member_rows[] = {DACSA_LINUX_MEMBERS(ROW)};
static const char *const type_rows[] = {DACSA_LINUX_TYPES(ROW)};
static const char *const enumerator_rows[] = {DACSA_LINUX_ENUMERATORS(ROW)};
static const char *const symbol_rows[] = {DACSA_LINUX_SYMBOLS(ROW)};
#undef ROW

uint64_t
dacsa_linux_kernel_root(const DacsaVmcoreinfo *info)
{
  return dacsa_vmcoreinfo_symbol(info, "swapper_pg_dir") - START_KERNEL_MAP + info->phys_base;
}

static bool
load_kallsyms(DacsaLinuxKernel *k, DacsaMem *kernel, GError **error)
{
  DacsaKallsymsTables tables = {
      .names = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_names"),
      .token_table = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_token_table"),
      .token_index = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_token_index"),
      .offsets = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_offsets"),
      .relative_base = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_relative_base"),
  };
  uint64_t num_syms = dacsa_vmcoreinfo_symbol(k->info, "kallsyms_num_syms");
  uint32_t n;

  if (!tables.names || !tables.token_table || !tables.token_index || !tables.offsets ||
      !tables.relative_base || !num_syms)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                      "Linux %s does not say where its symbols are (VMCOREINFO has no kallsyms)",
                      k->info->release);
  if (!dacsa_mem_read_u32(kernel, num_syms, &n, error))
    return false;
  tables.num_syms = n;
  return dacsa_kallsyms_load(kernel, &tables, "_stext", dacsa_vmcoreinfo_symbol(k->info, "_stext"),
                             &k->kallsyms, error);
}

static bool
load_types(DacsaLinuxKernel *k, DacsaMem *kernel, DacsaTypes **ret, GError **error)
{
  if (!dacsa_kallsyms_find(k->kallsyms, "__start_BTF", &k->btf, error) ||
      !dacsa_kallsyms_find(k->kallsyms, "__stop_BTF", &k->btf_end, error))
    return false;
  if (k->btf_end <= k->btf || k->btf_end - k->btf > MAX_BTF)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the kernel's BTF has an impossible size");
  size_t len = (size_t)(k->btf_end - k->btf);
  g_autofree uint8_t *btf = g_malloc(len);
  return dacsa_mem_read(kernel, k->btf, btf, len, error) && dacsa_types_new(btf, len, ret, error);
}

/* Calls find with each of a row's alternatives until one is there. */
static bool
find_any(const char *row, bool (*find)(const char *name, void *data), void *data)
{
  g_auto(GStrv) names = g_strsplit(row, "|", -1);

  for (char **name = names; *name; name++)
    if (find(*name, data))
      return true;
  return false;
}

typedef struct {
  const DacsaLinuxKernel *kernel;
  const DacsaTypes *types;
  DacsaMember member;
  uint64_t number;
} Wanted;

static bool
find_member(const char *name, void *data)
{
  Wanted *w = data;
  g_auto(GStrv) path = g_strsplit(name, ".", 2);

  return path[0] && path[1] && dacsa_types_member(w->types, path[0], path[1], &w->member, NULL);
}

static bool
find_type(const char *name, void *data)
{
  Wanted *w = data;
  uint32_t size;

  if (!dacsa_types_size(w->types, name, &size, NULL))
    return false;
  w->number = size;
  return true;
}

static bool
find_enumerator(const char *name, void *data)
{
  Wanted *w = data;
  int64_t value;

  if (!dacsa_types_enumerator(w->types, name, &value, NULL))
    return false;
  w->number = (uint64_t)value;
  return true;
}

static bool
find_symbol(const char *name, void *data)
{
  Wanted *w = data;

  w->number = dacsa_kallsyms_find_optional(w->kernel->kallsyms, name);
  return w->number != 0;
}

static void
load_rows(DacsaLinuxKernel *k, const DacsaTypes *types)
{
  Wanted w = {.kernel = k, .types = types};

  for (size_t i = 0; i < M_N; i++)
    k->members[i] = find_any(member_rows[i], find_member, &w) ? w.member : (DacsaMember){0};
  for (size_t i = 0; i < T_N; i++)
    k->types[i] = find_any(type_rows[i], find_type, &w) ? (uint32_t)w.number : 0;
  for (size_t i = 0; i < E_N; i++)
    k->enumerators[i] =
        find_any(enumerator_rows[i], find_enumerator, &w) ? (int64_t)w.number : INT64_MIN;
  for (size_t i = 0; i < S_N; i++)
    k->symbols[i] = find_any(symbol_rows[i], find_symbol, &w) ? w.number : 0;
}

const char *
dacsa_linux_member_name(DacsaLinuxMember member)
{
  return member_rows[member];
}

bool
dacsa_linux_kernel_load(DacsaMem *kernel, DacsaVmcoreinfo *info, DacsaLinuxKernel **ret,
                        GError **error)
{
  g_autoptr(DacsaLinuxKernel) k = g_new0(DacsaLinuxKernel, 1);
  g_autoptr(DacsaTypes) types = NULL;

  g_atomic_ref_count_init(&k->refs);
  k->info = info;
  if (!load_kallsyms(k, kernel, error) || !load_types(k, kernel, &types, error))
    return false;
  load_rows(k, types);
  *ret = g_steal_pointer(&k);
  return true;
}

DacsaLinuxKernel *
dacsa_linux_kernel_ref(DacsaLinuxKernel *kernel)
{
  g_atomic_ref_count_inc(&kernel->refs);
  return kernel;
}

void
dacsa_linux_kernel_unref(DacsaLinuxKernel *kernel)
{
  if (!kernel || !g_atomic_ref_count_dec(&kernel->refs))
    return;
  dacsa_vmcoreinfo_free(kernel->info);
  dacsa_kallsyms_free(kernel->kallsyms);
  g_free(kernel);
}
