/* One snapshot's scan. */
#include "fs/scan-snapshot.h"

#include "fs/client.h"
#include "fs/names.h"
#include "fs/scan-files.h"
#include "fs/scan-memory.h"
#include "snap/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_US (G_USEC_PER_SEC / 5)
#define SLICE_PAGES 16384u /* of a large process, by one thread */

/* What the tables say of a process. */
typedef struct {
  char *command, *exe;
} Facts;

typedef struct {
  DacsaScanJob *job;
  const DacsaScanTarget *target;
  const DacsaScanSnapshotOptions *options;
  DacsaScanWindows *frames;
  DacsaScanPages *pages;
  DacsaScanFiles *files;
  GAsyncQueue *gathers; /* DacsaScanGather that no thread has just now */
  GHashTable *facts;    /* pid -> Facts */
  GPtrArray *modules;   /* JsonObject, of json/modules.jsonl */
  GMutex lock;          /* of what follows */
  GCond finished;
  GThreadPool *pool;
  GPtrArray *units;
  guint left, total; /* of the present phase */
} Scan;

/* -- the tables -- */

static void
facts_free(void *data)
{
  Facts *facts = data;

  g_free(facts->command);
  g_free(facts->exe);
  g_free(facts);
}

static void
each_row(Scan *scan, const char *table, DacsaClientRowFunc func)
{
  g_autofree char *path = g_build_filename(scan->target->path, "json", table, NULL);

  dacsa_client_each_row(path, NULL, func, scan);
}

static void
add_facts(JsonObject *row, void *data)
{
  const Scan *scan = data;
  const gint64 pid = json_object_get_int_member_with_default(row, "pid", 0);
  Facts *facts = g_new0(Facts, 1);

  facts->command = g_strdup(json_object_get_string_member_with_default(row, "comm", NULL));
  facts->exe = g_strdup(json_object_get_string_member_with_default(row, "exe", NULL));
  g_hash_table_insert(scan->facts, GSIZE_TO_POINTER((gsize)pid), facts);
}

static void
add_module(JsonObject *row, void *data)
{
  const Scan *scan = data;

  g_ptr_array_add(scan->modules, json_object_ref(row));
}

/* -- what the threads do -- */

/* One thing to do: the first that is set. */
typedef struct {
  char *pid;
  JsonObject *module;
  bool physmem;
  DacsaScanUnit *unit; /* a slice of it */
  guint slice;
  gint *slices;            /* how many are left */
  DacsaScanGather *gather; /* to be matched */
  guint file;
} Task;

static guint
count_slices(const DacsaScanUnit *unit)
{
  return (unit->n_pages - 1) / SLICE_PAGES + 1;
}

/* A slice of a unit's memory. Who does the last one closes the unit, whose files are known then. */
static void
scan_slice(Scan *scan, DacsaScanUnit *unit, guint slice, gint *slices)
{
  const guint first = slice * SLICE_PAGES;
  DacsaScanGather *gather = g_async_queue_try_pop(scan->gathers);

  if (!gather)
    gather = dacsa_scan_gather_new(scan->job);
  dacsa_scan_memory(scan->job, unit, first, MIN(SLICE_PAGES, unit->n_pages - first), scan->frames,
                    scan->pages, gather);
  g_async_queue_push(scan->gathers, gather);
  if (!g_atomic_int_dec_and_test(slices))
    return;
  if (unit->kind == DACSA_UNIT_PROCESS)
    dacsa_scan_files_add_unit(scan->files, unit);
  dacsa_scan_unit_close(unit);
  g_free(slices);
}

/* Takes the unit: its first slice is done here, the others are tasks for whoever has time. */
static void
scan_unit(Scan *scan, DacsaScanUnit *unit)
{
  const DacsaScanCounts counts = {.processes = unit->kind == DACSA_UNIT_PROCESS,
                                  .modules = unit->kind == DACSA_UNIT_MODULE};
  g_autoptr(GError) error = NULL;
  gint *slices = g_new(gint, 1);

  g_mutex_lock(&scan->lock);
  g_ptr_array_add(scan->units, unit);
  g_mutex_unlock(&scan->lock);
  if (!dacsa_scan_unit_open(unit, &error)) {
    dacsa_scan_job_fail(scan->job, "%s", error->message);
    g_free(slices);
    return;
  }
  dacsa_scan_job_count(scan->job, &counts);
  *slices = (gint)count_slices(unit);
  for (guint i = 1; i < count_slices(unit); i++) {
    const Task task = {.unit = unit, .slice = i, .slices = slices};

    g_mutex_lock(&scan->lock);
    scan->left++;
    scan->total++;
    g_mutex_unlock(&scan->lock);
    g_thread_pool_push(scan->pool, g_memdup2(&task, sizeof(task)), NULL);
  }
  scan_slice(scan, unit, 0, slices);
}

static void
scan_process(Scan *scan, const char *name)
{
  const uint32_t pid = (uint32_t)g_ascii_strtoull(name, NULL, 10);
  g_autofree char *path = g_build_filename(scan->target->path, "processes", name, NULL);
  const Facts *facts = g_hash_table_lookup(scan->facts, GSIZE_TO_POINTER(pid));
  g_autoptr(GError) error = NULL;
  DacsaScanUnit *unit;

  if (facts && facts->command && scan->options->exclude &&
      g_regex_match(scan->options->exclude, facts->command, 0, NULL))
    return;
  if (!dacsa_scan_unit_process(path, pid, &unit, &error)) {
    if (!g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
      dacsa_scan_job_fail(scan->job, "%s: %s", path, error->message);
    return;
  }
  unit->name = facts ? g_strdup(facts->command) : NULL;
  unit->exe = facts ? g_strdup(facts->exe) : NULL;
  scan_unit(scan, unit);
}

static void
scan_module(Scan *scan, JsonObject *row)
{
  const char *name = json_object_get_string_member_with_default(row, "name", "");
  const char *parts = json_object_get_string_member_with_default(row, "memory", "");
  g_autofree char *file = dacsa_name_escape(name);
  g_autofree char *path = g_build_filename(scan->target->path, "kernel", "modules", file, NULL);
  g_autoptr(GError) error = NULL;
  DacsaScanUnit *unit;

  if (dacsa_scan_unit_module(path, name, parts, &unit, &error))
    scan_unit(scan, unit);
  else if (!g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
    dacsa_scan_job_fail(scan->job, "%s: %s", path, error->message);
}

static void
scan_physmem(Scan *scan)
{
  g_autofree char *path = g_build_filename(scan->target->path, "physmem", NULL);
  g_autoptr(GError) error = NULL;
  DacsaScanUnit *unit;

  if (dacsa_scan_unit_physmem(path, &unit, &error))
    scan_unit(scan, unit);
  else
    dacsa_scan_job_fail(scan->job, "%s", error->message);
}

/* -- phases -- */

static void
do_task(Scan *scan, const Task *task)
{
  if (task->pid)
    scan_process(scan, task->pid);
  else if (task->module)
    scan_module(scan, task->module);
  else if (task->physmem)
    scan_physmem(scan);
  else if (task->unit)
    scan_slice(scan, task->unit, task->slice, task->slices);
  else if (task->gather)
    dacsa_scan_gather_flush(task->gather);
  else
    dacsa_scan_files_scan(scan->files, scan->job, task->file);
}

static void
run_task(void *data, void *user_data)
{
  Scan *scan = user_data;
  Task *task = data;

  do_task(scan, task);
  g_free(task->pid);
  g_free(task);
  g_mutex_lock(&scan->lock);
  if (--scan->left == 0)
    g_cond_signal(&scan->finished);
  g_mutex_unlock(&scan->lock);
}

static void
show_progress(Scan *scan, const char *what)
{
  DacsaScanCounts counts;

  dacsa_scan_job_counts(scan->job, &counts);
  fprintf(stderr, "\r\033[K%s/%s: %u of %u %s, %" G_GUINT64_FORMAT " MB matched", scan->target->vm,
          scan->target->snapshot, scan->total - scan->left, scan->total, what,
          counts.bytes / 1000000);
}

/* Runs the tasks by all threads; returns when all are done. */
static void
run_phase(Scan *scan, GPtrArray *tasks, const char *what)
{
  scan->pool = g_thread_pool_new(run_task, scan, (gint)scan->options->threads, TRUE, NULL);
  scan->left = scan->total = tasks->len;
  for (guint i = 0; i < tasks->len; i++)
    g_thread_pool_push(scan->pool, g_ptr_array_index(tasks, i), NULL);
  g_mutex_lock(&scan->lock);
  while (scan->left > 0) {
    g_cond_wait_until(&scan->finished, &scan->lock, g_get_monotonic_time() + PROGRESS_US);
    if (scan->options->progress)
      show_progress(scan, what);
  }
  g_mutex_unlock(&scan->lock);
  g_thread_pool_free(scan->pool, FALSE, TRUE);
  if (scan->options->progress)
    fputs("\r\033[K", stderr);
}

static void
add_task(GPtrArray *tasks, Task task)
{
  g_ptr_array_add(tasks, g_memdup2(&task, sizeof(task)));
}

static void
add_processes(const Scan *scan, GPtrArray *tasks)
{
  const GArray *pids = scan->target->pids;
  g_autofree char *path = g_build_filename(scan->target->path, "processes", NULL);
  g_autoptr(GPtrArray) names = pids ? NULL : dacsa_client_directories(path);

  for (guint i = 0; names && i < names->len; i++)
    add_task(tasks, (Task){.pid = g_strdup(g_ptr_array_index(names, i))});
  for (guint i = 0; pids && i < pids->len; i++)
    add_task(tasks, (Task){.pid = g_strdup_printf("%u", g_array_index(pids, uint32_t, i))});
}

static GPtrArray *
memory_tasks(const Scan *scan)
{
  GPtrArray *tasks = g_ptr_array_new();

  add_processes(scan, tasks);
  if (scan->target->pids)
    return tasks;
  /* A guest whose system is not known has no processes, but may be infected all the same. */
  if (scan->options->physmem || tasks->len == 0)
    add_task(tasks, (Task){.physmem = true});
  for (guint i = 0; i < scan->modules->len; i++)
    add_task(tasks, (Task){.module = g_ptr_array_index(scan->modules, i)});
  return tasks;
}

/* What is left to be matched, and the files. */
static GPtrArray *
last_tasks(const Scan *scan, GPtrArray *gathers)
{
  GPtrArray *tasks = g_ptr_array_new();
  DacsaScanGather *gather;

  while ((gather = g_async_queue_try_pop(scan->gathers))) {
    add_task(tasks, (Task){.gather = gather});
    g_ptr_array_add(gathers, gather);
  }
  for (guint i = 0; i < dacsa_scan_files_count(scan->files); i++)
    add_task(tasks, (Task){.file = i});
  return tasks;
}

void
dacsa_scan_snapshot(DacsaScanJob *job, const DacsaScanTarget *target,
                    const DacsaScanSnapshotOptions *options, GPtrArray *ret_units)
{
  g_autoptr(DacsaScanWindows) frames = dacsa_scan_windows_new_like(dacsa_scan_job_content(job));
  g_autoptr(DacsaScanPages) pages = dacsa_scan_pages_new();
  g_autoptr(DacsaScanFiles) files = dacsa_scan_files_new(target->path);
  g_autoptr(GHashTable) facts = g_hash_table_new_full(NULL, NULL, NULL, facts_free);
  g_autoptr(GPtrArray) modules = g_ptr_array_new_with_free_func((GDestroyNotify)json_object_unref);
  g_autoptr(GPtrArray) gathered =
      g_ptr_array_new_with_free_func((GDestroyNotify)dacsa_scan_gather_free);
  g_autoptr(GAsyncQueue) gathers = g_async_queue_new();
  Scan scan = {.job = job,
               .target = target,
               .options = options,
               .frames = frames,
               .pages = pages,
               .files = files,
               .gathers = gathers,
               .facts = facts,
               .modules = modules,
               .units = ret_units};

  g_mutex_init(&scan.lock);
  g_cond_init(&scan.finished);
  each_row(&scan, "processes.jsonl", add_facts);
  if (!target->pids)
    each_row(&scan, "modules.jsonl", add_module);
  g_autoptr(GPtrArray) of_memory = memory_tasks(&scan);
  run_phase(&scan, of_memory, "processes and modules");
  dacsa_scan_files_add_open(files, target->pids);
  g_autoptr(GPtrArray) last = last_tasks(&scan, gathered);
  run_phase(&scan, last, "files");
  dacsa_findings_spread(dacsa_scan_job_findings(job),
                        dacsa_scan_clean_findings(dacsa_scan_job_clean(job)), ret_units, pages);
  dacsa_scan_files_tell(files, job);
  if (dacsa_findings_full(dacsa_scan_job_findings(job)))
    dacsa_scan_job_fail(job, "%s: there are more findings than are told", target->path);
  g_mutex_clear(&scan.lock);
  g_cond_clear(&scan.finished);
}
