/*
 * x86-64 paging (Intel SDM 3A, chapter 4): an address space is a DacsaMem over the guest's
 * physical memory, and its present pages can be walked in ascending order.
 */
#pragma once

#include "snap/mem.h"

#define DACSA_PAGE_SIZE UINT64_C(4096)
#define DACSA_X86_64_USER_END UINT64_C(0x0100000000000000) /* with five levels; four: 2^47 */

typedef enum {
  /*
   * Linux's own entries too: present to Linux though not to the CPU are those of PROT_NONE and NUMA
   * hinting (_PAGE_PROTNONE, the frame number inverted) and huge ones about to be split
   * (arch/x86/include/asm/pgtable.h: pte_present, pmd_present; pgtable-invert.h).
   */
  DACSA_X86_64_LINUX = 1 << 0,
  /* A walk also visits what is not present but has an entry that says something: swapped out,
   * under migration, or marked in some way. */
  DACSA_X86_64_ABSENT = 1 << 1,
} DacsaX86_64Flags;

typedef struct {
  DacsaMem *phys;  /* borrowed */
  uint64_t root;   /* guest-physical address of the top table */
  unsigned levels; /* 4 or 5 */
  DacsaX86_64Flags flags;
} DacsaX86_64Tables;

/* One present page. size: 4 KiB, 2 MiB or 1 GiB. */
typedef struct {
  uint64_t gva, gpa, size;
  bool user, writable, executable; /* from user mode; as all levels together allow */
  bool absent;                     /* with DACSA_X86_64_ABSENT; it has but gva and size */
} DacsaX86_64Page;

/* The page that holds gva. FAULT: none, or a table that cannot be read. */
bool dacsa_x86_64_translate(const DacsaX86_64Tables *tables, uint64_t gva, DacsaX86_64Page *ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Called for every present page; false: stop here. */
typedef bool (*DacsaX86_64Visit)(const DacsaX86_64Page *page, void *data);

/*
 * Visits the present pages that overlap [start, end), ascending. Tables that cannot be read are
 * passed over, and the walk ends early when a hostile guest's tables seem to have no end: false
 * then, and error says what is missing; what was visited stands all the same.
 */
bool dacsa_x86_64_walk(const DacsaX86_64Tables *tables, uint64_t start, uint64_t end,
                       DacsaX86_64Visit visit, void *data, GError **error);

/* The address space as memory. Takes its own reference to tables->phys. */
DacsaMem *dacsa_x86_64_space_new(const DacsaX86_64Tables *tables);
