/*
 * VMCOREINFO: the text a kernel keeps for crash dumps (kernel/crash_core.c), `KEY=value` lines that
 * begin a page with `OSRELEASE=`. It is the way in: addresses of symbols, KASLR offset, build id.
 */
#pragma once

#include "snap/mem.h"

typedef struct {
  char *text;            /* the whole of it; "" where there is none (dacsa_vmcoreinfo_without) */
  uint64_t gpa;          /* of the page */
  char *release;         /* OSRELEASE */
  char *build_id;        /* BUILD-ID, hexadecimal; "" before 5.10 */
  uint64_t kaslr_offset; /* KERNELOFFSET: virtual */
  uint64_t phys_base;    /* NUMBER(phys_base): physical minus virtual-in-image */
  uint64_t root;         /* gpa of the kernel's top page table, SYMBOL(swapper_pg_dir) */
  bool five_levels;      /* NUMBER(pgtable_l5_enabled) */
} DacsaVmcoreinfo;

void dacsa_vmcoreinfo_free(DacsaVmcoreinfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaVmcoreinfo, dacsa_vmcoreinfo_free)

/* Whether a page begins as VMCOREINFO does. head: its first bytes. */
bool dacsa_vmcoreinfo_begins(const char *head, size_t len);

/* Reads and checks the text in the page at gpa. NOT_FOUND: it is not there. */
bool dacsa_vmcoreinfo_read(DacsaMem *phys, uint64_t gpa, DacsaVmcoreinfo **ret,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What is known of a kernel in whose memory there is no such text: takes release and build_id,
 * either may be "". */
DacsaVmcoreinfo *dacsa_vmcoreinfo_without(char *release, char *build_id, uint64_t phys_base,
                                          uint64_t root, bool five_levels);

/* SYMBOL(name): an address at run time, KASLR included. 0: the text does not have it. */
uint64_t dacsa_vmcoreinfo_symbol(const DacsaVmcoreinfo *info, const char *name);
