/* Finds a Linux kernel in physical memory: its page tables, VMCOREINFO, symbols and types. */
#pragma once

#include "parsers/guest.h"
#include "parsers/kallsyms.h"
#include "parsers/linux/vmcoreinfo.h"

typedef struct {
  DacsaVmcoreinfo *info;
  DacsaKallsyms *kallsyms;
  DacsaMem *memory;      /* the kernel's image, by its own addresses */
  uint64_t btf, btf_end; /* where in it the kernel's BTF lies */
} DacsaLinuxFound;

/*
 * With vCPU registers, through the page tables they name: only the kernel's image is read, however
 * much RAM there is. The image has the symbols, found by their shape, and these say where all else
 * is. Without registers, or where that fails, VMCOREINFO is looked for, in the image and then in
 * every page of memory; it names the page tables. NOT_FOUND: this is not Linux. Any other error: it
 * is, but what a parser needs is not there or damaged.
 */
bool dacsa_linux_discover(const DacsaGuestSource *source, DacsaLinuxFound **ret,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_linux_found_free(DacsaLinuxFound *found);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaLinuxFound, dacsa_linux_found_free)
