/* A kernel's own symbol table and types, found in its image. */
#pragma once

#include "parsers/kallsyms.h"
#include "parsers/linux/image.h"
#include "parsers/linux/vmcoreinfo.h"

/*
 * The symbols, where VMCOREINFO names their tables (since 6.0), or by their shape. info may be
 * NULL. memory: the image's. NOT_FOUND: there are none; BAD_DATA: they are damaged.
 */
bool dacsa_linux_symbols_load(const DacsaLinuxImage *image, DacsaMem *memory,
                              const DacsaVmcoreinfo *info, DacsaKallsyms **ret,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The kernel's BTF, where its symbols say, or by its shape: [*ret_start, *ret_end). */
bool dacsa_linux_symbols_btf(const DacsaLinuxImage *image, DacsaMem *memory,
                             const DacsaKallsyms *kallsyms, uint64_t *ret_start, uint64_t *ret_end,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
