/*
 * A Linux kernel's own symbol table, as scripts/kallsyms.c lays it out and kernel/kallsyms.c reads
 * it: names compressed with a table of 256 tokens, addresses as 32-bit offsets.
 */
#pragma once

#include "snap/mem.h"

/* Virtual addresses of the tables, and their number of symbols. */
typedef struct {
  uint64_t names, token_table, token_index, offsets;
  uint64_t relative_base; /* 0: there is none, each offset counts from its own place (since 7.0) */
  uint64_t num_syms;
} DacsaKallsymsTables;

typedef struct DacsaKallsyms DacsaKallsyms;

/* A symbol whose address is known otherwise, or between which: low <= address <= high. */
typedef struct {
  const char *name;
  uint64_t low, high;
} DacsaKallsymsAnchor;

/*
 * Reads the tables and indexes the names. The anchor tells whether offsets count from the base
 * (CONFIG_KALLSYMS_ABSOLUTE_PERCPU off, or gone) or not. BAD_DATA: the tables contradict themselves
 * or the anchor.
 */
bool dacsa_kallsyms_load(DacsaMem *kernel, const DacsaKallsymsTables *tables,
                         const DacsaKallsymsAnchor *anchor, DacsaKallsyms **ret,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_kallsyms_free(DacsaKallsyms *kallsyms);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaKallsyms, dacsa_kallsyms_free)

/* In these three kallsyms may be NULL: a kernel without a table has no symbols. */

/* The address of the first symbol of that name. NOT_FOUND: the kernel has none. */
bool dacsa_kallsyms_find(const DacsaKallsyms *kallsyms, const char *name, uint64_t *ret,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same, 0 where there is none: for what only some kernels have. */
uint64_t dacsa_kallsyms_find_optional(const DacsaKallsyms *kallsyms, const char *name);

/* Where it was loaded from; NULL: there is no table. Borrowed. */
const DacsaKallsymsTables *dacsa_kallsyms_tables(const DacsaKallsyms *kallsyms);

uint32_t dacsa_kallsyms_count(const DacsaKallsyms *kallsyms);

/* Symbol i: its address, its type letter, its name (owned). i < the count. */
char *dacsa_kallsyms_symbol(const DacsaKallsyms *kallsyms, uint32_t i, uint64_t *ret_address,
                            char *ret_type);
