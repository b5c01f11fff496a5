/* What a core shows of a mapped file: the pages that a page fault would bring. */
#pragma once

#include "parsers/linux/core.h"

typedef struct {
  uint64_t mapping; /* gva of its struct address_space; 0: none yet */
  DacsaRuns *cached;
  /* NULL: a page that is not cached is on a disk. Else the file is nowhere but in memory, and such
   * a page is zeros, but for these, which are swapped out: a run's gpa means nothing. */
  DacsaRuns *swapped;
} DacsaLinuxCoreFile;

void dacsa_linux_core_file_clear(DacsaLinuxCoreFile *file);

/* Makes file the one of the mapping; if it is that already, it stays as it is. */
bool dacsa_linux_core_file(const DacsaLinuxCore *core, const DacsaLinuxMapping *m,
                           DacsaLinuxCoreFile *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;
