/* The state of one dacsa scan. */
#include "fs/scan-job.h"

#include "fs/commands.h"

#define MAX_TOLD 10u /* failures: then they are only counted */

struct DacsaScanJob {
  DacsaScanEngine *engine;
  DacsaScanClean *clean;
  DacsaFindings *findings;
  GMutex lock; /* of what follows */
  DacsaScanCounts counts;
};

DacsaScanJob *
dacsa_scan_job_new(DacsaScanEngine *engine, DacsaScanClean *clean, DacsaFindings *findings)
{
  DacsaScanJob *job = g_new0(DacsaScanJob, 1);

  job->engine = engine;
  job->clean = clean;
  job->findings = findings;
  g_mutex_init(&job->lock);
  return job;
}

void
dacsa_scan_job_free(DacsaScanJob *job)
{
  if (!job)
    return;
  dacsa_scan_engine_free(job->engine);
  dacsa_scan_clean_free(job->clean);
  g_mutex_clear(&job->lock);
  g_free(job);
}

DacsaScanEngine *
dacsa_scan_job_engine(DacsaScanJob *job)
{
  return job->engine;
}

DacsaFindings *
dacsa_scan_job_findings(DacsaScanJob *job)
{
  return job->findings;
}

DacsaScanWindows *
dacsa_scan_job_content(DacsaScanJob *job)
{
  return dacsa_scan_clean_windows(job->clean);
}

DacsaScanClean *
dacsa_scan_job_clean(DacsaScanJob *job)
{
  return job->clean;
}

void
dacsa_scan_job_count(DacsaScanJob *job, const DacsaScanCounts *more)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&job->lock);

  job->counts.bytes += more->bytes;
  job->counts.seen_bytes += more->seen_bytes;
  job->counts.processes += more->processes;
  job->counts.files += more->files;
  job->counts.modules += more->modules;
}

void
dacsa_scan_job_fail(DacsaScanJob *job, const char *format, ...)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&job->lock);
  g_autofree char *text = NULL;
  va_list args;

  va_start(args, format);
  text = g_strdup_vprintf(format, args);
  va_end(args);
  if (job->counts.failures++ < MAX_TOLD)
    dacsa_cmd_fail("%s", text);
}

void
dacsa_scan_job_counts(DacsaScanJob *job, DacsaScanCounts *ret)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&job->lock);

  *ret = job->counts;
}
