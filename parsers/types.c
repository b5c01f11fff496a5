/* Structures and members from BTF. Guest-made: every chain of references is followed with a bound.
 */
#include "parsers/types.h"

#include "snap/bytes.h"
#include "snap/error.h"

#include <bpf/btf.h>
#include <string.h>

#define MAX_DEPTH 32u      /* of typedefs, qualifiers and arrays around a type */
#define MAX_ANONYMOUS 8u   /* of anonymous structures in one another */
#define MAX_MEMBERS 65536u /* looked at for one name */
#define MAX_TYPES (4u << 20)
#define MAX_NAMES (1u << 20) /* of structures and enumerators */
#define MAX_NAME 256u        /* letters of one that are hashed */
#define MAX_PROBES 256u      /* a kernel's names do not meet so often */

/* A structure or an enumerator, by its name. */
typedef struct {
  uint32_t hash;
  uint32_t name;       /* in strings */
  uint32_t type;       /* its, or its enum's; 0: this slot is empty */
  uint32_t enumerator; /* its number in the enum + 1; 0: a structure */
} Name;

struct DacsaTypes {
  DacsaBytes types, strings; /* of the BTF; in the caller's data, or in the copy */
  uint8_t *copy;             /* of data that is not aligned; else NULL */
  GArray *offsets;           /* uint32_t: of type id in types; 0 is void */
  Name *names;               /* a table of slots */
  uint32_t names_mask, n_names;
};

/* -- BTF: types as linux/btf.h has them, each checked to lie within the data before it is used --
 */

/* Bytes of a type with all that follows it; 0: there is no such kind. */
static size_t
type_length(const struct btf_type *t)
{
  size_t vlen = btf_vlen(t);

  switch (btf_kind(t)) {
  case BTF_KIND_INT:
  case BTF_KIND_VAR:
  case BTF_KIND_DECL_TAG:
    return sizeof(*t) + sizeof(uint32_t);
  case BTF_KIND_PTR:
  case BTF_KIND_FWD:
  case BTF_KIND_TYPEDEF:
  case BTF_KIND_VOLATILE:
  case BTF_KIND_CONST:
  case BTF_KIND_RESTRICT:
  case BTF_KIND_FUNC:
  case BTF_KIND_FLOAT:
  case BTF_KIND_TYPE_TAG:
    return sizeof(*t);
  case BTF_KIND_ARRAY:
    return sizeof(*t) + sizeof(struct btf_array);
  case BTF_KIND_STRUCT:
  case BTF_KIND_UNION:
    return sizeof(*t) + vlen * sizeof(struct btf_member);
  case BTF_KIND_ENUM:
    return sizeof(*t) + vlen * sizeof(struct btf_enum);
  case BTF_KIND_ENUM64:
    return sizeof(*t) + vlen * sizeof(struct btf_enum64);
  case BTF_KIND_FUNC_PROTO:
    return sizeof(*t) + vlen * sizeof(struct btf_param);
  case BTF_KIND_DATASEC:
    return sizeof(*t) + vlen * sizeof(struct btf_var_secinfo);
  default:
    return 0;
  }
}

/* NULL: there is no such type. */
static const struct btf_type *
type_by_id(const DacsaTypes *types, uint32_t id)
{
  static const struct btf_type nothing; /* void */

  if (id == 0)
    return &nothing;
  if (id >= types->offsets->len)
    return NULL;
  return (const void *)(types->types.data + g_array_index(types->offsets, uint32_t, id));
}

/* NULL: there is no such name. The strings end with a zero. */
static const char *
name_by_offset(const DacsaTypes *types, uint32_t offset)
{
  return offset < types->strings.len ? (const char *)types->strings.data + offset : NULL;
}

static bool
find_sections(DacsaTypes *types, DacsaBytes data)
{
  struct btf_header h;

  if ((uintptr_t)data.data % 4 != 0) {
    types->copy = g_memdup2(data.data, data.len);
    data.data = types->copy;
  }
  if (!dacsa_bytes_copy(data, 0, &h, sizeof(h)) || h.magic != BTF_MAGIC || h.hdr_len < sizeof(h) ||
      h.hdr_len > data.len)
    return false;
  DacsaBytes body = dacsa_bytes_slice(data, h.hdr_len, data.len - h.hdr_len);
  types->types = dacsa_bytes_slice(body, h.type_off, h.type_len);
  types->strings = dacsa_bytes_slice(body, h.str_off, h.str_len);
  return types->types.data && types->strings.data && types->strings.len > 0 &&
         (types->types.data - data.data) % 4 == 0 && types->strings.data[0] == 0 &&
         types->strings.data[types->strings.len - 1] == 0;
}

/* Notes where each type begins. false: one runs out of the section, or is of a kind that nobody
 * knows: where the next one begins cannot be told. */
static bool
find_types(DacsaTypes *types)
{
  types->offsets = g_array_sized_new(FALSE, TRUE, sizeof(uint32_t), 1u << 17);
  g_array_set_size(types->offsets, 1);
  for (size_t at = 0; at < types->types.len;) {
    const uint32_t offset = (uint32_t)at;

    if (types->types.len - at < sizeof(struct btf_type) || types->offsets->len == MAX_TYPES)
      return false;
    size_t len = type_length((const void *)(types->types.data + at));
    if (len == 0 || len > types->types.len - at)
      return false;
    g_array_append_val(types->offsets, offset);
    at += len;
  }
  return true;
}

/* -- names -- */

static uint32_t
hash_name(const char *name)
{
  uint32_t h = 0;

  for (unsigned i = 0; i < MAX_NAME && name[i]; i++)
    h = (h ^ (uint8_t)name[i]) * 0x9e3779b1u;
  return h ^ h >> 15;
}

/* How many names there may be. */
static size_t
count_names(const DacsaTypes *types)
{
  size_t n = 0;

  for (uint32_t id = 1; id < types->offsets->len; id++) {
    const struct btf_type *t = type_by_id(types, id);

    if (btf_is_composite(t))
      n++;
    else if (btf_is_any_enum(t))
      n += btf_vlen(t);
  }
  return MIN(n, MAX_NAMES);
}

/* The first of a name stands in front of the others, and is found. */
static void
add_name(DacsaTypes *types, uint32_t name, uint32_t type, uint32_t enumerator)
{
  const char *text = name_by_offset(types, name);

  if (!text || !text[0] || types->n_names >= MAX_NAMES)
    return;
  uint32_t hash = hash_name(text);
  for (uint32_t i = 0; i < MAX_PROBES; i++) {
    Name *slot = &types->names[(hash + i) & types->names_mask];

    if (slot->type == 0) {
      *slot = (Name){hash, name, type, enumerator};
      types->n_names++;
      return;
    }
  }
}

static void
index_names(DacsaTypes *types)
{
  size_t slots = 64;

  for (size_t n = count_names(types); slots < n + n / 2;)
    slots *= 2;
  types->names = g_new0(Name, slots);
  types->names_mask = (uint32_t)(slots - 1);
  for (uint32_t id = 1; id < types->offsets->len; id++) {
    const struct btf_type *t = type_by_id(types, id);

    if (btf_is_composite(t))
      add_name(types, t->name_off, id, 0);
    for (uint32_t i = 0; btf_is_enum(t) && i < btf_vlen(t); i++)
      add_name(types, btf_enum(t)[i].name_off, id, i + 1);
    for (uint32_t i = 0; btf_is_enum64(t) && i < btf_vlen(t); i++)
      add_name(types, btf_enum64(t)[i].name_off, id, i + 1);
  }
}

/* NULL: there is none of that name. */
static const Name *
find_name(const DacsaTypes *types, const char *name, bool enumerator)
{
  uint32_t hash = hash_name(name);

  for (uint32_t i = 0; i < MAX_PROBES; i++) {
    const Name *slot = &types->names[(hash + i) & types->names_mask];

    if (slot->type == 0)
      return NULL;
    if (slot->hash == hash && (slot->enumerator != 0) == enumerator &&
        strcmp(name_by_offset(types, slot->name), name) == 0)
      return slot;
  }
  return NULL;
}

bool
dacsa_types_new(const void *data, size_t len, DacsaTypes **ret, GError **error)
{
  g_autoptr(DacsaTypes) types = g_new0(DacsaTypes, 1);

  if (len > G_MAXUINT32)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "BTF of %zu bytes cannot be", len);
  if (!find_sections(types, dacsa_bytes(data, len)) || !find_types(types))
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the kernel's BTF is damaged");
  index_names(types);
  *ret = g_steal_pointer(&types);
  return true;
}

void
dacsa_types_free(DacsaTypes *types)
{
  if (!types)
    return;
  g_clear_pointer(&types->offsets, g_array_unref);
  g_free(types->names);
  g_free(types->copy);
  g_free(types);
}

/* -- what is asked -- */

bool
dacsa_types_strip(const DacsaTypes *types, uint32_t id, uint32_t *ret)
{
  for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
    const struct btf_type *t = type_by_id(types, id);

    *ret = id;
    if (!t || (!btf_is_mod(t) && !btf_is_typedef(t)))
      return t != NULL;
    id = t->type;
  }
  return false;
}

/* What is behind typedefs and qualifiers; NULL: a dangling or endless reference. */
static const struct btf_type *
strip(const DacsaTypes *types, __u32 id)
{
  uint32_t behind;

  return dacsa_types_strip(types, id, &behind) ? type_by_id(types, behind) : NULL;
}

/* Bytes of a type, through arrays, 0 where it has no size that fits; *ret_elements is the outermost
 * array's. */
static uint64_t
size_of(const DacsaTypes *types, __u32 id, uint32_t *ret_elements)
{
  uint64_t times = 1;

  *ret_elements = 0;
  for (unsigned depth = 0; depth < MAX_DEPTH; depth++) {
    const struct btf_type *t = strip(types, id);

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
find_member(const DacsaTypes *types, const struct btf_type *t, const char *name, size_t name_len,
            uint64_t bits, unsigned depth, unsigned *looked, Found *ret)
{
  const struct btf_member *m = btf_members(t);

  for (unsigned i = 0; i < btf_vlen(t); i++) {
    const char *its_name = name_by_offset(types, m[i].name_off);
    uint64_t at = bits + btf_member_bit_offset(t, i);

    if (++*looked > MAX_MEMBERS)
      return false;
    if (!its_name)
      continue;
    if (its_name[0] == '\0' && depth < MAX_ANONYMOUS) {
      const struct btf_type *inner = strip(types, m[i].type);

      if (inner && btf_is_composite(inner) &&
          find_member(types, inner, name, name_len, at, depth + 1, looked, ret))
        return true;
    } else if (strncmp(its_name, name, name_len) == 0 && its_name[name_len] == '\0') {
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

  m.size = (uint32_t)size_of(types, found->type, &m.elements);
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
  const Name *named = find_name(types, type, false);
  __u32 id = named ? named->type : 0;
  Found found = {0};

  for (const char *part = member; id != 0; part = strchr(part, '.') + 1) {
    const struct btf_type *t = strip(types, id);
    unsigned looked = 0;

    if (!t || !btf_is_composite(t) ||
        !find_member(types, t, part, strcspn(part, "."), found.bits, 0, &looked, &found))
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
  const Name *named = find_name(types, type, false);

  if (!named)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the kernel has no struct %s", type);
  *ret = type_by_id(types, named->type)->size;
  return true;
}

bool
dacsa_types_enumerator(const DacsaTypes *types, const char *name, int64_t *ret, GError **error)
{
  const Name *named = find_name(types, name, true);

  if (!named)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "the kernel has no enumerator %s", name);
  const struct btf_type *t = type_by_id(types, named->type);
  uint32_t i = named->enumerator - 1;
  *ret =
      btf_is_enum64(t) ? (int64_t)btf_enum64_value(&btf_enum64(t)[i]) : (int64_t)btf_enum(t)[i].val;
  return true;
}

uint32_t
dacsa_types_count(const DacsaTypes *types)
{
  return types->offsets->len;
}

const struct btf_type *
dacsa_types_by_id(const DacsaTypes *types, uint32_t id)
{
  return type_by_id(types, id);
}

const char *
dacsa_types_name(const DacsaTypes *types, uint32_t offset)
{
  return name_by_offset(types, offset);
}
