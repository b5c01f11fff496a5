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

struct DacsaTypes {
  struct btf *btf;
  GHashTable *by_name; /* of structs and unions with members; name (in btf) -> type id */
};

static int
no_print(enum libbpf_print_level level, const char *format, va_list args)
{
  (void)level;
  (void)format;
  (void)args;
  return 0;
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
  for (__u32 id = 1; id < btf__type_cnt(types->btf); id++) {
    const struct btf_type *t = btf__type_by_id(types->btf, id);
    const char *name = t ? btf__name_by_offset(types->btf, t->name_off) : NULL;

    /* The first of a name wins: pahole puts the kernel's own before duplicates. */
    if (t && btf_is_composite(t) && name && name[0] && !g_hash_table_contains(types->by_name, name))
      g_hash_table_insert(types->by_name, (void *)(uintptr_t)name, GUINT_TO_POINTER(id));
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

/* Finds one member by name in t or in its anonymous members. bits: the offset of t itself. */
static bool
find_member(const struct btf *btf, const struct btf_type *t, const char *name, size_t name_len,
            uint64_t bits, unsigned depth, unsigned *looked, uint64_t *ret_bits, __u32 *ret_type)
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
          find_member(btf, inner, name, name_len, at, depth + 1, looked, ret_bits, ret_type))
        return true;
    } else if (strlen(its_name) == name_len && memcmp(its_name, name, name_len) == 0) {
      *ret_bits = at;
      *ret_type = m[i].type;
      return true;
    }
  }
  return false;
}

bool
dacsa_types_member(const DacsaTypes *types, const char *type, const char *member, DacsaMember *ret,
                   GError **error)
{
  __u32 id = GPOINTER_TO_UINT(g_hash_table_lookup(types->by_name, type));
  uint64_t bits = 0;
  DacsaMember found = {0};

  for (const char *part = member; id != 0; part = strchr(part, '.') + 1) {
    const struct btf_type *t = strip(types->btf, id);

    unsigned looked = 0;

    if (!t || !btf_is_composite(t) ||
        !find_member(types->btf, t, part, strcspn(part, "."), bits, 0, &looked, &bits, &id))
      break;
    if (!strchr(part, '.')) {
      found.offset = (uint32_t)(bits / 8);
      found.size = (uint32_t)size_of(types->btf, id, &found.elements);
      *ret = found;
      return true;
    }
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
