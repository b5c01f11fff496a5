/* A kernel's types, from its BTF (Documentation/bpf/btf.rst): where a member lies
 * in a structure, how large a type is. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct DacsaTypes DacsaTypes;

/* A member: offset from the start of the structure that was asked about, size, and the number of
 * elements (0 where it is no array). A bit field has bits > 0 and lies in the `size` bytes at
 * offset, from bit `shift` on. */
typedef struct {
  bool known; /* false: the structure has no such member, and all else is 0 */
  uint8_t bits, shift;
  uint32_t offset, size, elements;
} DacsaMember;

/* data is borrowed, and outlives what is made of it. BAD_DATA: it is not BTF. */
bool dacsa_types_new(const void *data, size_t len, DacsaTypes **ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_types_free(DacsaTypes *types);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaTypes, dacsa_types_free)

/* The member of a struct or union, `a.b` for a member of a member; members of anonymous structures
 * count as the outer one's. NOT_FOUND: there is none. */
bool dacsa_types_member(const DacsaTypes *types, const char *type, const char *member,
                        DacsaMember *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The size of a struct or union in bytes. */
bool dacsa_types_size(const DacsaTypes *types, const char *type, uint32_t *ret,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The value of an enumerator of any enum. */
bool dacsa_types_enumerator(const DacsaTypes *types, const char *name, int64_t *ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* -- the types themselves, for who writes them all down -- */

struct btf_type; /* linux/btf.h */

/* Types have the ids 1 to count - 1; 0 is void. */
uint32_t dacsa_types_count(const DacsaTypes *types);

/* A type with all that its kind has after it; borrowed. NULL: there is none with that id. What it
 * refers to, types and names, may be anything. */
const struct btf_type *dacsa_types_by_id(const DacsaTypes *types, uint32_t id);

/* The id of what is behind typedefs and qualifiers. false: a dangling or endless reference. */
bool dacsa_types_strip(const DacsaTypes *types, uint32_t id, uint32_t *ret);

/* The name at an offset, "" for none; borrowed. NULL: there is nothing at that offset. */
const char *dacsa_types_name(const DacsaTypes *types, uint32_t offset);
