/* What the threads of one dacsa scan share: the signatures, what has been scanned, what was found.
 */
#pragma once

#include "fs/scan-finding.h"
#include "parsers/scan/clean.h"
#include "parsers/scan/engine.h"

typedef struct {
  uint64_t bytes;      /* matched */
  uint64_t seen_bytes; /* of memory and files that it was about */
  guint processes, files, modules;
  guint failures; /* of which the first was told */
} DacsaScanCounts;

typedef struct DacsaScanJob DacsaScanJob;

/* findings is borrowed; takes engine and clean. */
DacsaScanJob *dacsa_scan_job_new(DacsaScanEngine *engine, DacsaScanClean *clean,
                                 DacsaFindings *findings);
void dacsa_scan_job_free(DacsaScanJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanJob, dacsa_scan_job_free)

/* All borrowed. */
DacsaScanEngine *dacsa_scan_job_engine(DacsaScanJob *job);
DacsaFindings *dacsa_scan_job_findings(DacsaScanJob *job);
DacsaScanWindows *dacsa_scan_job_content(DacsaScanJob *job);
DacsaScanClean *dacsa_scan_job_clean(DacsaScanJob *job);

/* Counts up; a failure is printed on standard error, the first few of them. */
void dacsa_scan_job_count(DacsaScanJob *job, const DacsaScanCounts *more);
void dacsa_scan_job_fail(DacsaScanJob *job, const char *format, ...) G_GNUC_PRINTF(2, 3);
void dacsa_scan_job_counts(DacsaScanJob *job, DacsaScanCounts *ret);
