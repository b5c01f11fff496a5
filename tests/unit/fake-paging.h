/* x86-64 page tables built by hand in a fake physical memory. */
#pragma once

#include "fake-mem.h"

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITABLE (1ull << 1)
#define PTE_USER (1ull << 2)
#define PTE_LARGE (1ull << 7)
#define PTE_PROTNONE (1ull << 8)
#define PTE_NX (1ull << 63)
#define PTE_FRAME UINT64_C(0x000ffffffffff000)
#define PTE_TABLE (PTE_PRESENT | PTE_WRITABLE | PTE_USER)

typedef struct {
  DacsaMem *phys;      /* borrowed */
  uint64_t root;       /* gpa of the top table */
  uint64_t next_table; /* gpa where the next new table goes */
  unsigned levels;
} FakePaging;

/* The gpa of the entry of that level (1: 4 KiB pages) for gva; tables above it are made as needed,
 * with all rights. */
uint64_t fake_paging_entry(FakePaging *paging, uint64_t gva, unsigned level);

/* Maps the page of gva at that level; bits: of the entry, PTE_PRESENT and all. */
void fake_paging_map(FakePaging *paging, uint64_t gva, unsigned level, uint64_t gpa, uint64_t bits);
