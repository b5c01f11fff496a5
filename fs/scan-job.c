/* The state of one dacsa scan. */
#include "fs/scan-job.h"

#include "fs/commands.h"
#include "snap/error.h"

#define MAX_TOLD 10u /* failures: then they are only counted */

struct DacsaScanJob {
  const DacsaScanOptions *options;
  DacsaScanClean *clean;
  DacsaFindings *findings;
  GThread *loader;
  GMutex lock; /* of what follows */
  GCond loaded;
  bool is_loaded;
  DacsaScanEngine *engine;
  GError *load_error;
  DacsaScanCounts counts;
};

static void *
load(void *data)
{
  DacsaScanJob *job = data;
  g_autoptr(GError) error = NULL;
  DacsaScanEngine *engine = NULL;
  const bool ok = dacsa_scan_engine_load(job->options, &engine, &error);

  g_mutex_lock(&job->lock);
  job->is_loaded = true;
  job->engine = ok ? engine : NULL;
  job->load_error = ok ? NULL : g_steal_pointer(&error);
  g_cond_broadcast(&job->loaded);
  g_mutex_unlock(&job->lock);
  return NULL;
}

DacsaScanJob *
dacsa_scan_job_new(const DacsaScanOptions *options, DacsaScanClean *clean, DacsaFindings *findings)
{
  DacsaScanJob *job = g_new0(DacsaScanJob, 1);

  job->options = options;
  job->clean = clean;
  job->findings = findings;
  g_mutex_init(&job->lock);
  g_cond_init(&job->loaded);
  job->loader = g_thread_new("signatures", load, job);
  return job;
}

void
dacsa_scan_job_free(DacsaScanJob *job)
{
  if (!job)
    return;
  g_thread_join(job->loader);
  dacsa_scan_engine_free(job->engine);
  g_clear_error(&job->load_error);
  dacsa_scan_clean_free(job->clean);
  g_mutex_clear(&job->lock);
  g_cond_clear(&job->loaded);
  g_free(job);
}

DacsaScanEngine *
dacsa_scan_job_engine(DacsaScanJob *job, GError **error)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&job->lock);

  while (!job->is_loaded)
    g_cond_wait(&job->loaded, &job->lock);
  if (!job->engine)
    g_propagate_error(error, g_error_copy(job->load_error));
  return job->engine;
}

bool
dacsa_scan_job_hopeless(DacsaScanJob *job)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&job->lock);

  return job->load_error != NULL;
}

unsigned
dacsa_scan_job_signatures(DacsaScanJob *job)
{
  g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&job->lock);

  return job->engine ? dacsa_scan_engine_signatures(job->engine) : 0;
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
