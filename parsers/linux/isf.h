/*
 * A kernel's types and symbols as Volatility 3 reads them: its intermediate symbol format (ISF), a
 * JSON document of format 6.2.0 (volatility3/schemas), with the names that dwarf2json gives, for
 * plugins are written to these. What the files parsers/linux/isf*.c share; and
 * the op of the guest.
 */
#pragma once

#include "parsers/guest.h"
#include "parsers/json.h"
#include "parsers/kallsyms.h"
#include "parsers/types.h"

/* The document's tables that types stand in. A name stands for one type in each. */
typedef enum {
  DACSA_ISF_BASE_TYPES,
  DACSA_ISF_USER_TYPES,
  DACSA_ISF_ENUMS,
  DACSA_ISF_N_TABLES,
} DacsaIsfTable;

/* What the types are called in the document. */
typedef struct DacsaIsfNames DacsaIsfNames;

/* types: borrowed, and outliving what is made of it. */
DacsaIsfNames *dacsa_isf_names_new(const DacsaTypes *types);
void dacsa_isf_names_free(DacsaIsfNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaIsfNames, dacsa_isf_names_free)

/* The name of a type in the table that it stands in; NULL: it stands in none. Borrowed. */
const char *dacsa_isf_names_get(const DacsaIsfNames *names, uint32_t id, DacsaIsfTable *ret_table);

/* The same for a reference to it, which may be a typedef of several that name it. */
const char *dacsa_isf_names_reference(const DacsaIsfNames *names, uint32_t id,
                                      DacsaIsfTable *ret_table);

/* The types' further names: number i, and whose it is. NULL: i is past them. */
const char *dacsa_isf_names_alias(const DacsaIsfNames *names, guint i, uint32_t *ret_id);

/* The id of the type of that name; 0: there is none. */
uint32_t dacsa_isf_names_find(const DacsaIsfNames *names, DacsaIsfTable table, const char *name);

/* A base type that C has on x86-64, and that therefore is in every document. NULL: i is past them.
 */
typedef struct {
  const char *name, *kind;
  uint32_t size;
  bool is_signed;
} DacsaIsfBase;

const DacsaIsfBase *dacsa_isf_base(guint i);

/* What is written of types. */
typedef struct {
  DacsaJson json;
  const DacsaTypes *types;
  const DacsaIsfNames *names;
  guint omitted;       /* members, types and references that could not be written as they are */
  uint32_t *flattened; /* see isf-fields.c; owned */
} DacsaIsf;

/* out, types and names are borrowed. limit: bytes, more or less: what is begun is ended. */
void dacsa_isf_init(DacsaIsf *isf, const DacsaTypes *types, const DacsaIsfNames *names,
                    GString *out, gsize limit);
void dacsa_isf_clear(DacsaIsf *isf);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DacsaIsf, dacsa_isf_clear)

/* The tables base_types, user_types and enums, each with its key. */
void dacsa_isf_write_types(DacsaIsf *isf);

/* A value that says what type something is of (the schema's type_descriptor). */
void dacsa_isf_write_descriptor(DacsaIsf *isf, uint32_t id);

/* Its innermost: kind and name of a base type, in an object that is open. */
void dacsa_isf_write_base(DacsaIsf *isf, const char *name);

/* The base type that is an integer of so many bytes; NULL: there is none. */
const char *dacsa_isf_integer(uint32_t size, bool is_signed);

/* Writes the key of a member or enumerator; false: seen (char *, owned) has it already, or the name
 * is none. */
bool dacsa_isf_begin_entry(DacsaIsf *isf, GHashTable *seen, const char *name);

/* The definition of a structure or union, with an empty set to note its members' names in. */
void dacsa_isf_write_composite(DacsaIsf *isf, const struct btf_type *t, GHashTable *seen);

/* The symbols, of which there may be no table (NULL). */
typedef struct {
  const DacsaKallsyms *kallsyms;
  uint64_t shift;     /* KASLR: how far the image was moved */
  const char *banner; /* linux_banner's text; NULL: not known */
} DacsaIsfSymbols;

/* The table symbols, with its key: the first of each name, by address. */
void dacsa_isf_write_symbols(DacsaIsf *isf, const DacsaIsfSymbols *symbols);

/* The op. */
bool dacsa_linux_isf(DacsaGuest *guest, GString *out, GError **error);
