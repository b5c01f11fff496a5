/*
 * Finds a kernel's symbol tables by their shape, in a kernel that does not say where they are. They
 * stand side by side in its read-only data, as scripts/kallsyms.c writes them, in one of three
 * orders:
 *
 *   to 6.3:    offsets, relative_base, num_syms, names, markers, [seqs_of_names,] token_table,
 * token_index since 6.4: num_syms, names, markers, token_table, token_index, offsets,
 * relative_base, seqs_of_names since 7.0: the same without relative_base, and aligned to 4 bytes,
 * not to 8
 */
#pragma once

#include "parsers/kallsyms.h"
#include "snap/bytes.h"

/* Called for tables that hold together; false: not these, go on. */
typedef bool (*DacsaKallsymsVisit)(const DacsaKallsymsTables *tables, void *data);

/* Looks through data, which begins at the virtual address gva (a multiple of 8). false: nothing
 * that visit was content with. */
bool dacsa_kallsyms_find_tables(DacsaBytes data, uint64_t gva, DacsaKallsymsVisit visit,
                                void *visit_data) G_GNUC_WARN_UNUSED_RESULT;

/* The first token index, with its tokens in front, at or after `from`: what marks the tables'
 * place. false: there is none in data. */
bool dacsa_kallsyms_find_index(DacsaBytes data, size_t from, size_t *ret) G_GNUC_WARN_UNUSED_RESULT;
