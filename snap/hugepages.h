/* Transparent huge pages, as the host is set (Documentation/admin-guide/mm/transhuge.rst). */
#pragma once

#include "snap/procmaps.h"

/* Whether such a mapping may be in huge pages: it is private, anonymous memory, and setting and
 * madvise(2) allow it. root: see snap/hostfile.h. */
bool dacsa_hugepages_allowed(const char *root, const DacsaHostVma *vma);
