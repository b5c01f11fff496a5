/* Structures and members from BTF. Guest-made: every chain of references is followed with a bound.
 */
#include "parsers/types.h"

#include "snap/error.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <string.h>

#define MAX_DEPTH 32u      /* of typedefs, qualifiers and arrays around a type */
#define MAX_ANONYMOUS 8u   /* of anonymous structures in one another */
#define MAX_MEMBERS 65536u /* looked at for one name */
#define MAX_ENUMERATORS (1u << 20)

struct DacsaTypes {
  struct btf *btf;
  GHashTable *by_name;     /* of structs and unions with members; name (in btf) -> type id */
  GHashTable *enumerators; /* name (in btf) -> index of its value + 1 */
  GArray *values;          /* int64_t */
};

static int
no_print(enum libbpf_print_level level, const char *format, va_list args)
{
  (void)level;
  (void)format;
  (void)args;
  return 0;
}

/* The first of a name wins, here as everywhere. */
static void
add_enumerators(DacsaTypes *types, const struct btf_type *t)
{
  for (unsigned i = 0; i < btf_vlen(t) && types->values->len < MAX_ENUMERATORS; i++) {
    int64_t value = btf_is_enum64(t) ? (int64_t)btf_enum64_value(&btf_enum64(t)[i])
                                     : (int64_t)btf_enum(t)[i].val;
    __u32 at = btf_is_enum64(t) ? btf_enum64(t)[i].name_off : btf_enum(t)[i].name_off;
    const char *name = btf__name_by_offset(types->btf, at);

    if (!name || g_hash_table_contains(types->enumerators, name))
      continue;
    g_array_append_val(types->values, value);
    g_hash_table_insert(types->enumerators, (void *)(uintptr_t)name,
                        GUINT_TO_POINTER(types->values->len));
  }
}

bool
dacsa_types_new(const void *data, size_t len, DacsaTypes **ret, GError **error)
{
  g_autoptr(DacsaTypes) types = g_new0(DacsaTypes, 1);

  libbpf_set_print(no_print);
  if (len > G_MAXUINT32)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "BTF of %zu bytes cannot be", len);
  types->btf = btf__new(data, (__u32)len);
  if (!types->btf)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the kernel's BTF is damaged");
  types->by_name = g_hash_table_new(g_str_hash, g_str_equal);
  types->enumerators = g_hash_table_new(g_str_hash, g_str_equal);
  types->values = g_array_new(FALSE, FALSE, sizeof(int64_t));
  for (__u32 id = 1; id < btf__type_cnt(types->btf); id++) {
    const struct btf_type *t = btf__type_by_id(types->btf, id);
    const char *name = t ? btf__name_by_offset(types->btf, t->name_off) : NULL;

    /* The first of a name wins: pahole puts the kernel's own before duplicates. */
    if (t && btf_is_composite(t) && name && name[0] && !g_hash_table_contains(types->by_name, name))
      g_hash_table_insert(types->by_name, (void *)(uintptr_t)name, GUINT_TO_POINTER(id));
    else if (t && btf_is_any_enum(t))
      add_enumerators(types, t);
  }
  *ret = g_steal_pointer(&types);
  return true;
}

void
dacsa_types_free(DacsaTypes *types)
{
  if (!types)
    return;
  g_clear_pointer(&types->by_name, g_hash_table_unref);
  g_clear_pointer(&types->enumerators, g_hash_table_unref);
  g_clear_pointer(&types->values, g_array_unref);
  btf__free(types->btf);
  g_free(types);
}

/* What is behind typedefs and qualifiers; NULL: a dangling or endless reference. */
static const struct btf_type *
strip(const struct btf *btf, __u32 id)
{
  for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
    const struct btf_type *t = btf__type_by_id(btf, id);

    if (!t || (!btf_is_mod(t) && !btf_is_typedef(t)))
      return t;
    id = t->type;
  }
  return NULL;
}

/* Bytes of a type, through arrays, 0 where it has no size that fits; *ret_elements is the outermost
 * array's. */
static uint64_t
size_of(const struct btf *btf, __u32 id, uint32_t *ret_elements)
{
  uint64_t times = 1;

  *ret_elements = 0;
  for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
    const struct btf_type *t = strip(btf, id);

    if (!t)
      return 0;
    if (!btf_is_array(t)) {
      uint64_t size = (btf_is_ptr(t) ? 8 : (uint64_t)t->size) * times;

      return size <= G_MAXUINT32 ? size : 0;
    }
    const struct btf_array *array = btf_array(t);
    if (depth == 0)
      *ret_elements = array->nelems;
    times *= array->nelems;
    if (times > G_MAXUINT32)
      return 0;
    id = array->type;
  }
  return 0;
}

typedef struct {
  uint64_t bits; /* from the start of the structure that was asked about */
  __u32 type;
  unsigned width; /* of a bit field; else 0 */
} Found;

/* Finds one member by name in t or in its anonymous members. bits: the offset of t itself. */
static bool
find_member(const struct btf *btf, const struct btf_type *t, const char *name, size_t name_len,
            uint64_t bits, unsigned depth, unsigned *looked, Found *ret)
{
  const struct btf_member *m = btf_members(t);

  for (unsigned i = 0; i < btf_vlen(t); i++) {
    const char *its_name = btf__name_by_offset(btf, m[i].name_off);
    uint64_t at = bits + btf_member_bit_offset(t, i);

    if (++*looked > MAX_MEMBERS)
      return false;
    if (!its_name)
      continue;
    if (its_name[0] == '\0' && depth < MAX_ANONYMOUS) {
      const struct btf_type *inner = strip(btf, m[i].type);

      if (inner && btf_is_composite(inner) &&
          find_member(btf, inner, name, name_len, at, depth + 1, looked, ret))
        return true;
    } else if (strlen(its_name) == name_len && memcmp(its_name, name, name_len) == 0) {
      *ret = (Found){at, m[i].type, btf_member_bitfield_size(t, i)};
      return true;
    }
  }
  return false;
}

static DacsaMember
member_of(const DacsaTypes *types, const Found *found)
{
  DacsaMember m = {.known = true, .offset = (uint32_t)(found->bits / 8)};

  m.size = (uint32_t)size_of(types->btf, found->type, &m.elements);
  if (found->width > 0 && found->width <= 64 && m.size > 0 && m.size <= 8) {
    m.offset -= m.offset % m.size;
    m.bits = (uint8_t)found->width;
    m.shift = (uint8_t)(found->bits - (uint64_t)m.offset * 8);
  }
  return m;
}

bool
dacsa_types_member(const DacsaTypes *types, const char *type, const char *member, DacsaMember *ret,
                   GError **error)
{
  __u32 id = GPOINTER_TO_UINT(g_hash_table_lookup(types->by_name, type));
  Found found = {0};

  for (const char *part = member; id != 0; part = strchr(part, '.') + 1) {
    const struct btf_type *t = strip(types->btf, id);
    unsigned looked = 0;

    if (!t || !btf_is_composite(t) ||
        !find_member(types->btf, t, part, strcspn(part, "."), found.bits, 0, &looked, &found))
      break;
    if (!strchr(part, '.')) {
      *ret = member_of(types, &found);
      return true;
    }
    id = found.type;
  }
  return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the kernel's struct %s has no %s", type, member);
}

bool
dacsa_types_size(const DacsaTypes *types, const char *type, uint32_t *ret, GError **error)
{
  __u32 id = GPOINTER_TO_UINT(g_hash_table_lookup(types->by_name, type));
  const struct btf_type *t = id ? btf__type_by_id(types->btf, id) : NULL;

  if (!t)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the kernel has no struct %s", type);
  *ret = t->size;
  return true;
}

bool
dacsa_types_enumerator(const DacsaTypes *types, const char *name, int64_t *ret, GError **error)
{
  guint at = GPOINTER_TO_UINT(g_hash_table_lookup(types->enumerators, name));

  if (at == 0)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the kernel has no enumerator %s", name);
  *ret = g_array_index(types->values, int64_t, at - 1);
  return true;
}
