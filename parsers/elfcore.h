/*
 * The head of an ELF64 core file (System V ABI, chapters 4 and 5; psABI x86-64): header, program
 * headers, notes. Then follows the memory, segment after segment, each at a page's start. The
 * layout is what crash asks for: one PT_NOTE, which comes first, the program headers right behind
 * the ELF header, the notes before all memory. More than 65534 program headers are counted in a
 * section header (PN_XNUM).
 */
#pragma once

#include "parsers/runs.h"

typedef struct DacsaElfcore DacsaElfcore;

DacsaElfcore *dacsa_elfcore_new(void);
void dacsa_elfcore_free(DacsaElfcore *core);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaElfcore, dacsa_elfcore_free)

/* Adds a note: its owner ("CORE", "LINUX", "VMCOREINFO", "QEMU"), its type, what it says (copied).
 */
void dacsa_elfcore_add_note(DacsaElfcore *core, const char *owner, uint32_t type, const void *desc,
                            size_t len);

/* Adds a PT_LOAD. file_size of its bytes are in the file, from a page's start on; the rest, up to
 * size, is not there. flags: PF_R | PF_W | PF_X. */
void dacsa_elfcore_add_load(DacsaElfcore *core, uint64_t vaddr, uint64_t paddr, uint64_t file_size,
                            uint64_t size, uint32_t flags);

/* The file so far: a file of runs with the head alone; the caller appends the memory of segment i
 * at the offset that dacsa_elfcore_offset gives, and at the end sets the size to that of the offset
 * past the last segment (i = their number). After this nothing is added. Owned. */
DacsaRuns *dacsa_elfcore_finish(DacsaElfcore *core);
uint64_t dacsa_elfcore_offset(const DacsaElfcore *core, guint i);
