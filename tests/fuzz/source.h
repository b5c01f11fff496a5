/* A living snapshot, by its record in the state directory. Ends the program where it cannot: these
 * are tools of tests. */
#pragma once

#include "snap/mem.h"
#include "snap/record.h"

/* *ret_mem: the child's memory, opened; owned. */
DacsaRecord *source_open(const char *record_path, int *ret_mem);

/* Which of the guest's pages the parsers read, once to find its kernel and then for everything
 * else; both owned, uint64_t. mem is read through a layout. What cannot be opened has no facts. */
void source_record_pages(DacsaMem *phys, const char *registers, GArray **ret_opening,
                         GArray **ret_facts);
