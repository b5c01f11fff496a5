/*
 * Names of types in the ISF. C has several types of a name (structures of different files,
 * structures without one), the ISF has not: the first keeps its name, as in parsers/types; what has
 * none is called by the typedefs that are made of it, as dwarf2json does; others by their number.
 */
#include "parsers/linux/isf.h"

#include <bpf/btf.h>
#include <string.h>

#define MAX_NAME 256u   /* letters; the kernel's own limit for a symbol is 512, for a type 128 */
#define MAX_ATTEMPTS 8u /* at a name that is made up */

/* Another name of a type. */
typedef struct {
  const char *name;
  uint32_t id;
} Alias;

struct DacsaIsfNames {
  const DacsaTypes *types;
  const char **names; /* by id; NULL: none */
  GArray *aliases;    /* Alias: second and further typedefs of what has no name itself */
  GHashTable *ids[DACSA_ISF_N_TABLES];
  GStringChunk *made_up;
};

/* x86-64's, by the names that BTF, DWARF and so Volatility have for them. */
static const DacsaIsfBase bases[] = {
    {"void", "void", 0, false},        {"pointer", "int", 8, false},
    {"_Bool", "bool", 1, false},       {"signed char", "char", 1, true},
    {"char", "char", 1, true},         {"unsigned char", "char", 1, false},
    {"short int", "int", 2, true},     {"short unsigned int", "int", 2, false},
    {"int", "int", 4, true},           {"unsigned int", "int", 4, false},
    {"long int", "int", 8, true},      {"long unsigned int", "int", 8, false},
    {"long long int", "int", 8, true}, {"long long unsigned int", "int", 8, false},
};

/* Not for the guest to define: what Volatility itself means by these words, and the two above that
 * are no integers of C. */
static const char *const reserved[] = {"void",  "pointer", "array",  "bitfield",
                                       "bytes", "enum",    "string", "struct",
                                       "union", "class",   "base",   "function"};

const DacsaIsfBase *
dacsa_isf_base(guint i)
{
  return i < G_N_ELEMENTS(bases) ? &bases[i] : NULL;
}

static bool
table_of(const struct btf_type *t, DacsaIsfTable *ret)
{
  if (btf_is_int(t) || btf_kind(t) == BTF_KIND_FLOAT)
    *ret = DACSA_ISF_BASE_TYPES;
  else if (btf_is_composite(t))
    *ret = DACSA_ISF_USER_TYPES;
  else if (btf_is_any_enum(t))
    *ret = DACSA_ISF_ENUMS;
  else
    return false;
  return true;
}

/* NULL: none, or none that can be used. */
static const char *
usable(const DacsaTypes *types, uint32_t offset)
{
  const char *name = dacsa_types_name(types, offset);

  return name && name[0] && strnlen(name, MAX_NAME + 1) <= MAX_NAME ? name : NULL;
}

/* Calls the type so, if nothing else is called so. */
static bool
take_name(DacsaIsfNames *names, DacsaIsfTable table, uint32_t id, const char *name)
{
  if (!name || g_hash_table_contains(names->ids[table], name))
    return false;
  names->names[id] = name;
  g_hash_table_insert(names->ids[table], (char *)name, GUINT_TO_POINTER(id));
  return true;
}

static void
reserve(DacsaIsfNames *names)
{
  for (guint i = 0; i < G_N_ELEMENTS(reserved); i++)
    g_hash_table_insert(names->ids[DACSA_ISF_BASE_TYPES], (char *)reserved[i], GUINT_TO_POINTER(0));
}

/* Whoever has a name and is the first of it. */
static void
take_own(DacsaIsfNames *names)
{
  for (uint32_t id = 1; id < dacsa_types_count(names->types); id++) {
    const struct btf_type *t = dacsa_types_by_id(names->types, id);
    DacsaIsfTable table;

    if (table_of(t, &table))
      take_name(names, table, id, usable(names->types, t->name_off));
  }
}

/* typedef struct { ... } kernel_cap_t. BTF has structures that are alike but once, so one may have
 * several such names. */
static void
take_typedefs(DacsaIsfNames *names)
{
  for (uint32_t id = 1; id < dacsa_types_count(names->types); id++) {
    const struct btf_type *t = dacsa_types_by_id(names->types, id);
    const struct btf_type *of = btf_is_typedef(t) ? dacsa_types_by_id(names->types, t->type) : NULL;
    const Alias alias = {usable(names->types, t->name_off), t->type};
    const char *first = of && t->type != 0 ? names->names[t->type] : NULL;
    DacsaIsfTable table;

    if (!of || t->type == 0 || of->name_off != 0 || !table_of(of, &table) ||
        !take_name(names, table, t->type, alias.name))
      continue;
    if (first) {
      names->names[t->type] = first;
      g_array_append_val(names->aliases, alias);
    }
  }
}

/* A guest may have taken these too; then the type is left out. */
static void
make_up(DacsaIsfNames *names, DacsaIsfTable table, uint32_t id, const char *own)
{
  for (unsigned i = 0; i < MAX_ATTEMPTS; i++) {
    char name[MAX_NAME + 32];

    g_snprintf(name, sizeof(name), "%s_%u%.*s", own ? own : "unnamed", id, (int)i, "________");
    if (!g_hash_table_contains(names->ids[table], name)) {
      take_name(names, table, id, g_string_chunk_insert(names->made_up, name));
      return;
    }
  }
}

static void
take_rest(DacsaIsfNames *names)
{
  for (uint32_t id = 1; id < dacsa_types_count(names->types); id++) {
    const struct btf_type *t = dacsa_types_by_id(names->types, id);
    DacsaIsfTable table;

    if (!names->names[id] && table_of(t, &table))
      make_up(names, table, id, usable(names->types, t->name_off));
  }
}

DacsaIsfNames *
dacsa_isf_names_new(const DacsaTypes *types)
{
  DacsaIsfNames *names = g_new0(DacsaIsfNames, 1);

  names->types = types;
  names->names = g_new0(const char *, dacsa_types_count(types));
  names->aliases = g_array_new(FALSE, FALSE, sizeof(Alias));
  names->made_up = g_string_chunk_new(4096);
  for (guint i = 0; i < DACSA_ISF_N_TABLES; i++)
    names->ids[i] = g_hash_table_new(g_str_hash, g_str_equal);
  reserve(names);
  take_own(names);
  take_typedefs(names);
  take_rest(names);
  return names;
}

void
dacsa_isf_names_free(DacsaIsfNames *names)
{
  if (!names)
    return;
  for (guint i = 0; i < DACSA_ISF_N_TABLES; i++)
    g_hash_table_unref(names->ids[i]);
  g_array_unref(names->aliases);
  g_string_chunk_free(names->made_up);
  g_free(names->names);
  g_free(names);
}

const char *
dacsa_isf_names_get(const DacsaIsfNames *names, uint32_t id, DacsaIsfTable *ret_table)
{
  const struct btf_type *t = dacsa_types_by_id(names->types, id);

  return t && id != 0 && table_of(t, ret_table) ? names->names[id] : NULL;
}

uint32_t
dacsa_isf_names_find(const DacsaIsfNames *names, DacsaIsfTable table, const char *name)
{
  return GPOINTER_TO_UINT(g_hash_table_lookup(names->ids[table], name));
}

const char *
dacsa_isf_names_alias(const DacsaIsfNames *names, guint i, uint32_t *ret_id)
{
  const Alias *alias;

  if (i >= names->aliases->len)
    return NULL;
  alias = &g_array_index(names->aliases, Alias, i);
  *ret_id = alias->id;
  return alias->name;
}

/* Of several typedefs the one that is meant: what comes last before the type itself. */
const char *
dacsa_isf_names_reference(const DacsaIsfNames *names, uint32_t id, DacsaIsfTable *ret_table)
{
  const char *alias = NULL;
  uint32_t behind;

  if (!dacsa_types_strip(names->types, id, &behind))
    return NULL;
  for (; id != behind; id = dacsa_types_by_id(names->types, id)->type) {
    const struct btf_type *t = dacsa_types_by_id(names->types, id);

    alias = btf_is_typedef(t) ? dacsa_types_name(names->types, t->name_off) : alias;
  }
  const char *name = dacsa_isf_names_get(names, behind, ret_table);
  return alias && name && dacsa_isf_names_find(names, *ret_table, alias) == behind ? alias : name;
}
