/*
 * `dacsa scan`: a client of the mount, in two processes. This one understands the command line and
 * cleans up; its child confines itself and works on what the guests hold.
 */
#include "fs/client.h"
#include "fs/commands.h"
#include "fs/confine.h"
#include "fs/scan-snapshot.h"
#include "fs/scan-target.h"
#include "parsers/scan/longest.h"
#include "snap/error.h"

#include <errno.h>
#include <ftw.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_DATABASE "/var/lib/clamav"
#define MAX_JOBS 64
#define KEPT_BYTES (32 << 20) /* of freed memory; the most that malloc takes for a threshold */

enum { CLEAN = 0, FOUND = 1, FAILED = 2 };

typedef struct {
  char *mount, *cache;
  GStrv databases, rules, exclude;
  int jobs;
  gboolean json, no_summary, no_cache, physmem;
  GArray *targets; /* DacsaScanTarget */
  char *tmpdir;
} Scan;

static void
scan_clear(Scan *scan)
{
  g_free(scan->mount);
  g_free(scan->cache);
  g_strfreev(scan->databases);
  g_strfreev(scan->rules);
  g_strfreev(scan->exclude);
  g_array_unref(scan->targets);
  g_free(scan->tmpdir);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Scan, scan_clear)

static int
fail(const GError *error)
{
  dacsa_cmd_fail("%s", error->message);
  return FAILED;
}

/* -- the child -- */

/* Beside the mount: what libraries open when they need it (iconv's modules, zones of time). */
static bool
confine(const Scan *scan, GError **error)
{
  const char *const readable[] = {scan->mount, "/usr/lib", "/sys/devices/system/cpu", NULL};
  const DacsaConfinement what = {readable, scan->tmpdir, DACSA_FILTER_FILES};
  g_autofree char *missing = NULL;

  if (!dacsa_confine(&what, &missing, error))
    return false;
  if (missing)
    fprintf(stderr, "dacsa: this kernel cannot confine the scan as it should be: %s\n", missing);
  return true;
}

typedef struct {
  guint found, processes;
} Totals;

static double
seconds_since(int64_t start)
{
  return (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

static void
print_summary(const Scan *scan, DacsaScanJob *job, unsigned signatures, const Totals *totals,
              int64_t start)
{
  DacsaScanCounts c;

  dacsa_scan_job_counts(job, &c);
  const uint64_t skipped = c.seen_bytes > c.bytes ? c.seen_bytes - c.bytes : 0;
  if (scan->json) {
    printf("{\"summary\":{\"signatures\":%u,\"snapshots\":%u,\"processes\":%u,\"modules\":%u,"
           "\"files\":%u,\"infected\":%u,\"findings\":%u,\"failures\":%u,\"bytes_scanned\":"
           "%" G_GUINT64_FORMAT ",\"bytes_skipped\":%" G_GUINT64_FORMAT ",\"seconds\":%.3f}}\n",
           signatures, scan->targets->len, c.processes, c.modules, c.files, totals->processes,
           totals->found, c.failures, c.bytes, skipped, seconds_since(start));
    return;
  }
  printf("\n----------- SCAN SUMMARY -----------\nKnown viruses: %u\nScanned snapshots: %u\n"
         "Scanned processes: %u\nScanned modules: %u\nScanned files: %u\nInfected processes: %u\n"
         "Findings: %u\nData scanned: %.2f MB\nData skipped: %.2f MB (seen before, or known to be "
         "clean)\nTime: %.3f sec\n",
         signatures, scan->targets->len, c.processes, c.modules, c.files, totals->processes,
         totals->found, (double)c.bytes / 1e6, (double)skipped / 1e6, seconds_since(start));
  if (c.failures > 0)
    printf("Failures: %u\n", c.failures);
}

static void
scan_targets(const Scan *scan, DacsaScanJob *job, GRegex *exclude, Totals *ret)
{
  const DacsaScanSnapshotOptions options = {(guint)scan->jobs, isatty(STDERR_FILENO), scan->physmem,
                                            exclude};

  *ret = (Totals){0, 0};
  for (guint i = 0; i < scan->targets->len; i++) {
    const DacsaScanTarget *target = &g_array_index(scan->targets, DacsaScanTarget, i);
    g_autoptr(GPtrArray) units =
        g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_scan_unit_free);
    guint processes;

    dacsa_scan_snapshot(job, target, &options, units);
    ret->found += dacsa_findings_print(dacsa_scan_job_findings(job), target->vm, target->snapshot,
                                       &processes);
    ret->processes += processes;
  }
}

/* libclamav takes and gives back megabytes for each buffer: from its own heap that costs nothing.
 */
static void
keep_memory(void)
{
  mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
  mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

/* All the child does: its exit status. The databases are loaded before there are threads, which is
 * twice as fast (libclamav reads them by getc), and before it confines itself; no byte of a guest
 * is looked at before that. */
static int
run(const Scan *scan, DacsaScanClean *clean, GRegex *exclude)
{
  const DacsaScanOptions options = {(const char *const *)scan->databases,
                                    (const char *const *)scan->rules, scan->tmpdir};
  const DacsaFindingsOptions told = {scan->json, exclude};
  const int64_t start = g_get_monotonic_time();
  g_autoptr(DacsaFindings) findings = dacsa_findings_new(&told);
  g_autoptr(GError) error = NULL;
  DacsaScanEngine *engine;
  DacsaScanCounts counts;
  Totals totals;

  keep_memory();
  if (!dacsa_scan_engine_load(&options, &engine, &error) || !confine(scan, &error))
    return fail(error);
  const unsigned signatures = dacsa_scan_engine_signatures(engine);
  DacsaScanJob *job = dacsa_scan_job_new(engine, clean, findings);
  scan_targets(scan, job, exclude, &totals);
  if (!dacsa_scan_clean_save(clean, &error))
    dacsa_scan_job_fail(job, "%s", error->message);
  if (!scan->no_summary)
    print_summary(scan, job, signatures, &totals, start);
  dacsa_scan_job_counts(job, &counts);
  fflush(stdout);
  /* As with clamscan: what was found weighs more than what could not be looked at. */
  return totals.found > 0 ? FOUND : counts.failures > 0 ? FAILED : CLEAN;
}

/* -- the parent -- */

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
  (void)st;
  (void)flag;
  (void)ftw;
  return remove(path);
}

/* The signals that the parent waits for. */
static void
signals_of_interest(sigset_t *ret)
{
  sigemptyset(ret);
  sigaddset(ret, SIGCHLD);
  sigaddset(ret, SIGINT);
  sigaddset(ret, SIGTERM);
  sigaddset(ret, SIGHUP);
}

/* Waits for the child, which goes with this process, and cleans up after it. */
static int
await(const Scan *scan, pid_t child)
{
  int status, number;
  sigset_t signals;

  signals_of_interest(&signals);
  while (waitpid(child, &status, WNOHANG) == 0)
    if (sigwait(&signals, &number) == 0 && number != SIGCHLD)
      kill(child, SIGKILL);
  nftw(scan->tmpdir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  dacsa_cmd_fail("the scan was ended by signal %d (%s): what it printed is not all there is",
                 WTERMSIG(status), g_strsignal(WTERMSIG(status)));
  return FAILED;
}

static size_t
longest(void *data)
{
  return dacsa_scan_longest(data);
}

/* The cache, by the version of the signatures; it is opened before the child is confined. */
static bool
open_clean(const Scan *scan, DacsaScanClean **ret, GError **error)
{
  DacsaScanOptions options = {(const char *const *)scan->databases,
                              (const char *const *)scan->rules, NULL};
  g_autofree char *directory =
      scan->no_cache ? NULL
      : scan->cache  ? g_strdup(scan->cache)
                     : g_build_filename(g_get_user_cache_dir(), "dacsa", "clean", NULL);
  g_autofree char *version = NULL;

  return dacsa_scan_version(&options, &version, error) &&
         dacsa_scan_clean_open(directory, version, longest, &options, ret, error);
}

static int
scan_in_child(Scan *scan, GRegex *exclude)
{
  g_autoptr(GError) error = NULL;
  DacsaScanClean *clean;
  sigset_t signals;

  if (!open_clean(scan, &clean, &error))
    return fail(error);
  scan->tmpdir = g_dir_make_tmp("dacsa-scan-XXXXXX", &error);
  if (!scan->tmpdir)
    return fail(error);
  fflush(NULL);
  signals_of_interest(&signals);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_UNBLOCK, &signals, NULL);
    /* Its memory goes with it: nothing is tidied up. */
    _exit(run(scan, clean, exclude));
  }
  if (child > 0)
    return await(scan, child);
  dacsa_cmd_fail("cannot fork: %s", g_strerror(errno));
  rmdir(scan->tmpdir);
  return FAILED;
}

static bool
find_targets(const Scan *scan, int n, char **words, GError **error)
{
  for (int i = 0; i < n; i++)
    if (!dacsa_scan_target_add(scan->mount, words[i], scan->targets, error))
      return false;
  if (n == 0)
    dacsa_scan_target_add_newest(scan->mount, scan->targets);
  return scan->targets->len > 0 ||
         dacsa_fail(error, DACSA_ERROR_NOT_FOUND,
                    "there is no snapshot; take one with dacsa snapshot VM");
}

/* An absolute name: the child sees no others. */
static void
make_absolute(char **path)
{
  char *absolute = g_canonicalize_filename(*path, NULL);

  g_free(*path);
  *path = absolute;
}

static void
make_all_absolute(GStrv paths)
{
  for (size_t i = 0; paths && paths[i]; i++)
    make_absolute(&paths[i]);
}

/* The databases that are meant; `none` stands for none. */
static void
choose_databases(Scan *scan)
{
  if (!scan->databases)
    scan->databases = g_strsplit(DEFAULT_DATABASE, "\n", -1);
  else if (strcmp(scan->databases[0], "none") == 0 && !scan->databases[1])
    g_clear_pointer(&scan->databases, g_strfreev);
}

static int
scan_as_told(Scan *scan, int n, char **words)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *pattern = scan->exclude ? g_strjoinv("|", scan->exclude) : NULL;
  g_autoptr(GRegex) exclude =
      pattern ? g_regex_new(pattern, G_REGEX_OPTIMIZE | G_REGEX_RAW, 0, &error) : NULL;

  if (error)
    return dacsa_cmd_usage("scan", "--exclude: %s", error->message);
  if (scan->jobs < 0 || scan->jobs > MAX_JOBS)
    return dacsa_cmd_usage("scan", "--jobs %d: give a number from 1 to %d", scan->jobs, MAX_JOBS);
  choose_databases(scan);
  make_all_absolute(scan->databases);
  make_all_absolute(scan->rules);
  if (!scan->databases && !scan->rules)
    return dacsa_cmd_usage("scan", "with --database none give --rules");
  if (scan->jobs == 0)
    scan->jobs = (int)MIN(g_get_num_processors(), MAX_JOBS);
  if (dacsa_client_check_mount(scan->mount) != 0)
    return FAILED;
  if (!find_targets(scan, n, words, &error))
    return fail(error);
  return scan_in_child(scan, exclude);
}

int
dacsa_cmd_scan(int argc, char **argv)
{
  g_auto(Scan) scan = {.targets = dacsa_scan_targets_new()};
  const GOptionEntry entries[] = {
      {"mount", 0, 0, G_OPTION_ARG_FILENAME, &scan.mount, "where dacsa is mounted [/dacsa]", "DIR"},
      {"database", 'd', 0, G_OPTION_ARG_FILENAME_ARRAY, &scan.databases,
       "ClamAV signatures, a file or directory, or `none`; repeatable [" DEFAULT_DATABASE "]",
       "PATH"},
      {"rules", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &scan.rules, "YARA rules; repeatable", "FILE"},
      {"exclude", 0, 0, G_OPTION_ARG_STRING_ARRAY, &scan.exclude,
       "pass over processes whose command, and what is mapped from paths that it matches; "
       "repeatable",
       "REGEX"},
      {"physmem", 0, 0, G_OPTION_ARG_NONE, &scan.physmem,
       "look into all of the guest's memory too, whether a process has it or not", NULL},
      {"jobs", 'j', 0, G_OPTION_ARG_INT, &scan.jobs, "threads [one a CPU]", "N"},
      {"json", 0, 0, G_OPTION_ARG_NONE, &scan.json, "an object a line", NULL},
      {"no-summary", 0, 0, G_OPTION_ARG_NONE, &scan.no_summary, "findings alone", NULL},
      {"cache", 0, 0, G_OPTION_ARG_FILENAME, &scan.cache,
       "where it is kept what is known to be clean [~/.cache/dacsa/clean]", "DIR"},
      {"no-cache", 0, 0, G_OPTION_ARG_NONE, &scan.no_cache, "scan everything anew", NULL},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};
  int status;

  if (!dacsa_cmd_parse(
          "scan", "[PATH...]",
          "Looks for malware in the memory of snapshots and their processes, each "
          "distinct page once.\nPATH: VM (its newest snapshot), VM/SNAPSHOT, or a path "
          "in the mount, down to one process;\nwithout any, the newest snapshot of "
          "every VM. Exit status: 0 nothing found, 1 something\nfound, 2 an error.",
          entries, &argc, &argv, &status))
    return status;
  if (!scan.mount)
    scan.mount = g_strdup(DACSA_DEFAULT_MOUNT);
  if (scan.mount[0] != '/')
    make_absolute(&scan.mount);
  return scan_as_told(&scan, argc - 1, argv + 1);
}
