/*
 * Matches units' memory. Of their pages are read only those that no other unit has shown in the
 * same company, and of these are matched only those whose content is not known yet.
 */
#pragma once

#include "fs/scan-job.h"

/* frames, pages: of the snapshot that the unit is of. What cannot be read or matched is told as the
 * job's failure. */
void dacsa_scan_memory(DacsaScanJob *job, DacsaScanUnit *unit, DacsaScanWindows *frames,
                       DacsaScanPages *pages);
