/* Structures and unions in the ISF: their members, bit fields, members of anonymous ones. */
#include "parsers/linux/isf.h"

#include <bpf/btf.h>

#define MAX_ANONYMOUS 16u /* of anonymous structures in one another */
#define MAX_FLATTENED                                                                              \
  8192u /* members of a structure and its anonymous ones; struct page has 100                      \
         */

/* In flattened, beside the number of members: */
#define UNKNOWN 0u
#define ENDLESS UINT32_MAX

/*
 * Volatility takes the members of anonymous structures for the outer one's, however they nest. This
 * counts how many that makes, so that a guest whose structures contain themselves, or each other
 * twice, does not keep it busy: these are written as members with a name.
 */
static uint32_t
count_flattened(DacsaIsf *isf, uint32_t id, unsigned depth)
{
  const struct btf_type *t = dacsa_types_by_id(isf->types, id);
  const struct btf_member *m = btf_members(t);
  uint32_t n = btf_vlen(t);

  if (isf->flattened[id] != UNKNOWN)
    return isf->flattened[id];
  if (depth > MAX_ANONYMOUS)
    return ENDLESS;
  isf->flattened[id] = ENDLESS; /* for who comes here again on the way */
  for (uint32_t i = 0; i < btf_vlen(t) && n <= MAX_FLATTENED; i++) {
    uint32_t inner;

    if (m[i].name_off != 0 || !dacsa_types_strip(isf->types, m[i].type, &inner) ||
        !btf_is_composite(dacsa_types_by_id(isf->types, inner)))
      continue;
    uint32_t more = count_flattened(isf, inner, depth + 1);
    n = more <= MAX_FLATTENED ? n + more : ENDLESS;
  }
  isf->flattened[id] = n <= MAX_FLATTENED ? MAX(n, 1) : ENDLESS;
  return isf->flattened[id];
}

/* Whether a member is one of those; its type is *ret. */
static bool
is_flattened(DacsaIsf *isf, const struct btf_member *m, uint32_t *ret)
{
  return dacsa_types_strip(isf->types, m->type, ret) &&
         btf_is_composite(dacsa_types_by_id(isf->types, *ret)) &&
         count_flattened(isf, *ret, 0) <= MAX_FLATTENED;
}

/* A bit field: bits of an integer at an offset. C aligns the integer; in a packed structure it
 * begins with the byte that the bits begin in. */
typedef struct {
  const char *unit; /* the integer's name */
  uint64_t offset;
  uint32_t position, width;
} Bits;

/* at: in bits. */
static bool
place_bits(uint64_t at, uint32_t width, uint32_t size, bool is_signed, Bits *ret)
{
  if (size == 0 || size > 8 || width > size * 8)
    return false;
  *ret = (Bits){NULL, at / (size * 8) * size, (uint32_t)(at % (size * 8)), width};
  if (ret->position + width > size * 8) {
    *ret = (Bits){NULL, at / 8, (uint32_t)(at % 8), width};
    size = ret->position + width > size * 8 ? 8 : size;
  }
  ret->unit = dacsa_isf_integer(size, is_signed);
  return ret->unit && ret->position + width <= size * 8;
}

/* Whether member i of t is a bit field. One that cannot be placed has no unit. */
static bool
member_bits(const DacsaIsf *isf, const struct btf_type *t, uint32_t i, Bits *ret)
{
  const struct btf_member *m = &btf_members(t)[i];
  uint64_t at = btf_member_bit_offset(t, i);
  uint32_t width = btf_member_bitfield_size(t, i), id;
  const struct btf_type *unit =
      dacsa_types_strip(isf->types, m->type, &id) ? dacsa_types_by_id(isf->types, id) : NULL;
  bool is_int = unit && id != 0 && btf_is_int(unit);

  *ret = (Bits){0};
  if (is_int && !btf_kflag(t) && btf_int_bits(unit) < unit->size * 8) { /* before 4.20 */
    width = btf_int_bits(unit);
    at += btf_int_offset(unit);
  }
  if (width == 0)
    return false;
  if (is_int || (unit && btf_is_any_enum(unit)))
    (void)!place_bits(at, width, unit->size, is_int && btf_int_encoding(unit) & BTF_INT_SIGNED,
                      ret);
  return true;
}

static void
write_bits(DacsaIsf *isf, const Bits *bits)
{
  dacsa_json_open(&isf->json);
  dacsa_json_add_text(&isf->json, "kind", "bitfield");
  dacsa_json_add_number(&isf->json, "bit_position", bits->position);
  dacsa_json_add_number(&isf->json, "bit_length", bits->width);
  dacsa_json_key(&isf->json, "type");
  dacsa_json_open(&isf->json);
  dacsa_isf_write_base(isf, bits->unit);
  dacsa_json_close(&isf->json);
  dacsa_json_close(&isf->json);
}

static void
write_field(DacsaIsf *isf, const struct btf_type *t, uint32_t i, GHashTable *seen)
{
  const struct btf_member *m = &btf_members(t)[i];
  const char *name = dacsa_types_name(isf->types, m->name_off);
  const bool nameless = name && !name[0];
  char made_up[32];
  uint32_t inner;
  Bits bits;
  const bool has_bits = member_bits(isf, t, i, &bits);

  g_snprintf(made_up, sizeof(made_up), "unnamed_field_%u", i);
  if (has_bits && !bits.unit)
    isf->omitted++;
  if ((has_bits && (nameless || !bits.unit)) ||
      !dacsa_isf_begin_entry(isf, seen, nameless ? made_up : name))
    return;
  dacsa_json_open(&isf->json);
  dacsa_json_key(&isf->json, "type");
  if (has_bits)
    write_bits(isf, &bits);
  else
    dacsa_isf_write_descriptor(isf, m->type);
  dacsa_json_add_number(&isf->json, "offset",
                        has_bits ? bits.offset : btf_member_bit_offset(t, i) / 8);
  if (nameless && is_flattened(isf, m, &inner))
    dacsa_json_add_boolean(&isf->json, "anonymous", true);
  dacsa_json_close(&isf->json);
}

void
dacsa_isf_write_composite(DacsaIsf *isf, const struct btf_type *t, GHashTable *seen)
{
  dacsa_json_open(&isf->json);
  dacsa_json_add_text(&isf->json, "kind", btf_is_union(t) ? "union" : "struct");
  dacsa_json_add_number(&isf->json, "size", t->size);
  dacsa_json_key(&isf->json, "fields");
  dacsa_json_open(&isf->json);
  for (uint32_t i = 0; i < btf_vlen(t) && !dacsa_json_is_full(&isf->json); i++)
    write_field(isf, t, i, seen);
  dacsa_json_close(&isf->json);
  dacsa_json_close(&isf->json);
}
