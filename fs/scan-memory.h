/*
 * Looks through units' memory for what is to be matched. Of their pages are read only those that no
 * other unit has shown in the same company, and of these are matched only those whose content is
 * not known yet.
 */
#pragma once

#include "fs/scan-gather.h"

/* A unit that is open, its pages from `first` on, n of them; threads may do several parts at once.
 * windows (of frames), pages: of the snapshot that the unit is of. What cannot be read or matched
 * is told as the job's failure. */
void dacsa_scan_memory(DacsaScanJob *job, const DacsaScanUnit *unit, guint first, guint n,
                       DacsaScanWindows *windows, DacsaScanPages *pages, DacsaScanGather *gather);
