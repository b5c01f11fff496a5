/*
 * The ISF's tables of types, out of BTF. References from one type to another are names, so that no
 * structure of the guest's nests the document: a descriptor is a chain, of bounded length.
 */
#include "parsers/linux/isf.h"

#include <bpf/btf.h>
#include <string.h>

#define MAX_CHAIN 32u /* pointers and arrays around a type */
#define MAX_NAME 256u

void
dacsa_isf_init(DacsaIsf *isf, const DacsaTypes *types, const DacsaIsfNames *names, GString *out,
               gsize limit)
{
  *isf = (DacsaIsf){.json = {.out = out, .limit = limit}, .types = types, .names = names};
  isf->flattened = g_new0(uint32_t, dacsa_types_count(types));
}

void
dacsa_isf_clear(DacsaIsf *isf)
{
  g_clear_pointer(&isf->flattened, g_free);
}

/* -- descriptors -- */

void
dacsa_isf_write_base(DacsaIsf *isf, const char *name)
{
  dacsa_json_add_text(&isf->json, "kind", "base");
  dacsa_json_add_text(&isf->json, "name", name);
}

static void
write_named(DacsaIsf *isf, const struct btf_type *t, uint32_t id)
{
  DacsaIsfTable table;
  const char *name = dacsa_isf_names_reference(isf->names, id, &table);

  if (!name) {
    isf->omitted++;
    dacsa_isf_write_base(isf, "void");
  } else if (table == DACSA_ISF_BASE_TYPES) {
    dacsa_isf_write_base(isf, name);
  } else {
    dacsa_json_add_text(&isf->json, "kind",
                        table == DACSA_ISF_ENUMS ? "enum"
                        : btf_is_union(t)        ? "union"
                                                 : "struct");
    dacsa_json_add_text(&isf->json, "name", name);
  }
}

/* A structure that is only declared there: the one of that name, or nothing that is known. */
static void
write_forward(DacsaIsf *isf, const struct btf_type *t)
{
  const char *name = dacsa_types_name(isf->types, t->name_off);
  uint32_t id = name ? dacsa_isf_names_find(isf->names, DACSA_ISF_USER_TYPES, name) : 0;

  if (id != 0)
    write_named(isf, dacsa_types_by_id(isf->types, id), id);
  else
    dacsa_isf_write_base(isf, "void");
}

/* What a chain of pointers and arrays ends in; t: what is behind id, NULL: nothing. */
static void
write_end(DacsaIsf *isf, const struct btf_type *t, uint32_t id)
{
  if (!t)
    isf->omitted++;
  if (!t || btf_is_void(t))
    dacsa_isf_write_base(isf, "void");
  else if (btf_is_func_proto(t))
    dacsa_json_add_text(&isf->json, "kind", "function");
  else if (btf_is_fwd(t))
    write_forward(isf, t);
  else
    write_named(isf, t, id);
}

void
dacsa_isf_write_descriptor(DacsaIsf *isf, uint32_t id)
{
  const struct btf_type *t = NULL;
  unsigned chain = 0;

  dacsa_json_open(&isf->json);
  for (; chain < MAX_CHAIN; chain++) {
    uint32_t behind;

    t = dacsa_types_strip(isf->types, id, &behind) ? dacsa_types_by_id(isf->types, behind) : NULL;
    if (!t || (!btf_is_ptr(t) && !btf_is_array(t)))
      break;
    dacsa_json_add_text(&isf->json, "kind", btf_is_ptr(t) ? "pointer" : "array");
    if (btf_is_array(t))
      dacsa_json_add_number(&isf->json, "count", btf_array(t)->nelems);
    id = btf_is_ptr(t) ? t->type : btf_array(t)->type;
    dacsa_json_key(&isf->json, "subtype");
    dacsa_json_open(&isf->json);
  }
  write_end(isf, chain < MAX_CHAIN ? t : NULL, id);
  for (unsigned i = 0; i <= chain; i++)
    dacsa_json_close(&isf->json);
}

/* -- base types -- */

static void
write_base_type(DacsaIsf *isf, const DacsaIsfBase *base)
{
  dacsa_json_open(&isf->json);
  dacsa_json_add_number(&isf->json, "size", base->size);
  dacsa_json_add_boolean(&isf->json, "signed", base->is_signed);
  dacsa_json_add_text(&isf->json, "kind", base->kind);
  dacsa_json_add_text(&isf->json, "endian", "little");
  dacsa_json_close(&isf->json);
}

static void
write_int(DacsaIsf *isf, const struct btf_type *t, const char *name)
{
  DacsaIsfBase base = {name, "float", t->size, true};

  if (btf_is_int(t)) {
    base.is_signed = btf_int_encoding(t) & BTF_INT_SIGNED;
    if (btf_int_encoding(t) & BTF_INT_BOOL)
      base.kind = "bool";
    else
      base.kind = t->size == 1 && g_str_has_suffix(name, "char") ? "char" : "int";
  }
  write_base_type(isf, &base);
}

const char *
dacsa_isf_integer(uint32_t size, bool is_signed)
{
  const DacsaIsfBase *base;

  for (guint i = 0; (base = dacsa_isf_base(i)); i++)
    if (base->size == size && base->is_signed == is_signed && strcmp(base->kind, "bool") != 0 &&
        strcmp(base->name, "pointer") != 0)
      return base->name;
  return NULL;
}

/* Those that the kernel's BTF has not. */
static void
write_own_bases(DacsaIsf *isf)
{
  const DacsaIsfBase *base;

  for (guint i = 0; (base = dacsa_isf_base(i)); i++) {
    if (dacsa_isf_names_find(isf->names, DACSA_ISF_BASE_TYPES, base->name) != 0)
      continue;
    dacsa_json_key(&isf->json, base->name);
    write_base_type(isf, base);
  }
}

/* -- enumerations -- */

bool
dacsa_isf_begin_entry(DacsaIsf *isf, GHashTable *seen, const char *name)
{
  if (!name || !name[0] || strnlen(name, MAX_NAME + 1) > MAX_NAME ||
      !g_hash_table_add(seen, g_strdup(name))) {
    isf->omitted++;
    return false;
  }
  dacsa_json_key(&isf->json, name);
  return true;
}

/* Before Linux 6.0 BTF did not tell whether an enum is signed: its values then are int's. */
static bool
tells_signs(const DacsaTypes *types)
{
  for (uint32_t id = 1; id < dacsa_types_count(types); id++) {
    const struct btf_type *t = dacsa_types_by_id(types, id);

    if (btf_is_enum64(t) || (btf_is_enum(t) && btf_kflag(t)))
      return true;
  }
  return false;
}

static void
write_enumerator(DacsaIsf *isf, const struct btf_type *t, uint32_t i, bool is_signed)
{
  if (btf_is_enum64(t)) {
    uint64_t value = btf_enum64_value(&btf_enum64(t)[i]);

    if (is_signed)
      dacsa_json_signed(&isf->json, (int64_t)value);
    else
      dacsa_json_number(&isf->json, value);
  } else if (is_signed) {
    dacsa_json_signed(&isf->json, btf_enum(t)[i].val);
  } else {
    dacsa_json_number(&isf->json, (uint32_t)btf_enum(t)[i].val);
  }
}

static void
write_enum(DacsaIsf *isf, const struct btf_type *t, bool is_signed, GHashTable *seen)
{
  const char *unit = dacsa_isf_integer(t->size, is_signed);

  if (!unit)
    isf->omitted++;
  dacsa_json_open(&isf->json);
  dacsa_json_add_number(&isf->json, "size", unit ? t->size : 4);
  dacsa_json_add_text(&isf->json, "base", unit ? unit : dacsa_isf_integer(4, is_signed));
  dacsa_json_key(&isf->json, "constants");
  dacsa_json_open(&isf->json);
  for (uint32_t i = 0; i < btf_vlen(t) && !dacsa_json_is_full(&isf->json); i++) {
    uint32_t name = btf_is_enum64(t) ? btf_enum64(t)[i].name_off : btf_enum(t)[i].name_off;

    if (dacsa_isf_begin_entry(isf, seen, dacsa_types_name(isf->types, name)))
      write_enumerator(isf, t, i, is_signed);
  }
  dacsa_json_close(&isf->json);
  dacsa_json_close(&isf->json);
}

/* -- the tables -- */

typedef struct {
  DacsaIsf *isf;
  DacsaIsfTable which;
  bool tells_signs;
  GHashTable *seen; /* names within a type; owned */
} Writer;

/* name may be another than the type's first. */
static void
write_entry(const Writer *w, uint32_t id, const char *name)
{
  const struct btf_type *t = dacsa_types_by_id(w->isf->types, id);
  DacsaIsfTable table;

  if (!dacsa_isf_names_get(w->isf->names, id, &table) || table != w->which ||
      dacsa_json_is_full(&w->isf->json))
    return;
  dacsa_json_key(&w->isf->json, name);
  if (table == DACSA_ISF_BASE_TYPES)
    write_int(w->isf, t, name);
  else if (table == DACSA_ISF_USER_TYPES)
    dacsa_isf_write_composite(w->isf, t, w->seen);
  else
    write_enum(w->isf, t, !w->tells_signs || btf_kflag(t), w->seen);
  g_hash_table_remove_all(w->seen);
}

static void
write_table(DacsaIsf *isf, DacsaIsfTable which)
{
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  const Writer w = {isf, which, tells_signs(isf->types), seen};
  const char *name;
  uint32_t id;

  for (id = 1; id < dacsa_types_count(isf->types); id++) {
    DacsaIsfTable table;

    write_entry(&w, id, dacsa_isf_names_get(isf->names, id, &table));
  }
  for (guint i = 0; (name = dacsa_isf_names_alias(isf->names, i, &id)); i++)
    write_entry(&w, id, name);
}

static void
begin_table(DacsaIsf *isf, const char *name)
{
  dacsa_json_key(&isf->json, name);
  dacsa_json_open(&isf->json);
}

void
dacsa_isf_write_types(DacsaIsf *isf)
{
  begin_table(isf, "base_types");
  write_own_bases(isf);
  write_table(isf, DACSA_ISF_BASE_TYPES);
  dacsa_json_close(&isf->json);
  begin_table(isf, "user_types");
  write_table(isf, DACSA_ISF_USER_TYPES);
  dacsa_json_close(&isf->json);
  begin_table(isf, "enums");
  write_table(isf, DACSA_ISF_ENUMS);
  dacsa_json_close(&isf->json);
}
