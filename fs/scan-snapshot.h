/* Scans one snapshot: all its processes and modules by several threads, then their files. */
#pragma once

#include "fs/scan-job.h"
#include "fs/scan-target.h"

typedef struct {
  guint threads;
  bool progress;   /* on standard error */
  bool physmem;    /* all of the guest's memory too, whether a process has it or not */
  GRegex *exclude; /* commands of processes that are passed over; NULL: none */
} DacsaScanSnapshotOptions;

/* What is found is in the job's findings, complete. The units that they are of stay in ret_units,
 * which owns them. */
void dacsa_scan_snapshot(DacsaScanJob *job, const DacsaScanTarget *target,
                         const DacsaScanSnapshotOptions *options, GPtrArray *ret_units);
