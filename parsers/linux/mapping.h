/*
 * The page cache of one file: a struct address_space (include/linux/fs.h), whose xarray i_pages
 * holds the file's pages by their number. What is there and up to date is content; swapped-out and
 * evicted pages are not there.
 */
#pragma once

#include "parsers/linux/view.h"

/* The cached content of the file whose struct address_space that is: size bytes, with holes. Owned.
 * Pages that cannot be shown are holes, and noted as `where`'s. A run's gva is its offset. */
DacsaRuns *dacsa_linux_mapping_runs(DacsaLinux *l, uint64_t mapping, uint64_t size,
                                    const char *where);
