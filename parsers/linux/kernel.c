/* Symbols and member offsets of one kernel, asked for by name: no version is looked at. */
#include "parsers/linux/kernel.h"

#include "parsers/linux/image.h"
#include "snap/error.h"

#include <string.h>

#define ROW(name, path) path,
static const char *const member_rows[] = {DACSA_LINUX_MEMBERS(ROW)};
static const char *const type_rows[] = {DACSA_LINUX_TYPES(ROW)};
static const char *const enumerator_rows[] = {DACSA_LINUX_ENUMERATORS(ROW)};
static const char *const symbol_rows[] = {DACSA_LINUX_SYMBOLS(ROW)};
#undef ROW

static bool
load_types(DacsaMem *memory, const DacsaLinuxKernel *k, DacsaTypes **ret, GError **error)
{
  size_t len = (size_t)(k->btf_end - k->btf);
  DacsaBytes btf = dacsa_linux_image_hold(memory, k->btf, len);

  return dacsa_types_new(btf.data, btf.len, ret, error);
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
dacsa_linux_kernel_load(DacsaLinuxFound *found, DacsaLinuxKernel **ret, GError **error)
{
  g_autoptr(DacsaLinuxKernel) k = g_new0(DacsaLinuxKernel, 1);
  g_autoptr(DacsaMem) memory = g_steal_pointer(&found->memory);
  g_autoptr(DacsaTypes) types = NULL;

  g_atomic_ref_count_init(&k->refs);
  k->info = g_steal_pointer(&found->info);
  k->kallsyms = g_steal_pointer(&found->kallsyms);
  k->btf = found->btf;
  k->btf_end = found->btf_end;
  dacsa_linux_found_free(found);
  if (!load_types(memory, k, &types, error))
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
