/* Every op of a guest. */
#include "drive.h"

#include "parsers/work.h"

#include <string.h>

#define MAX_TEXT (1u << 30) /* no parser's cap is larger */
#define MAX_DRIVEN_CPUS 4u

typedef struct {
  DacsaGuest *guest;
  const DacsaGuestOs *os;
  const DriveLimits *limits;
  guint files_left;
} Drive;

/* As in the tree, each answer has its allowance of work. */
static const DacsaGuestOs *
ask(const Drive *d)
{
  dacsa_work_begin(d->limits->work ? d->limits->work : DACSA_WORK_UNLIMITED);
  return d->os;
}

/* A call that fails says why, one that succeeds does not. */
static void
check_error(bool ok, GError **error)
{
  g_assert_true(ok == (*error == NULL));
  g_clear_error(error);
}

static void
check_text(bool ok, const GString *out, GError **error)
{
  check_error(ok, error);
  g_assert_cmpuint(out->len, <=, MAX_TEXT);
  g_assert_true(out->str[out->len] == '\0');
}

/* Ascending, disjoint, within the file's size. */
static void
check_runs(const DacsaRuns *runs)
{
  uint64_t end = 0;

  for (guint i = 0; i < runs->runs->len; i++) {
    const DacsaRun *run = &g_array_index(runs->runs, DacsaRun, i);

    g_assert_true(run->offset >= end && run->len > 0);
    end = run->offset + run->len;
    g_assert_true(end > run->offset);
  }
  g_assert_true(end <= runs->size);
}

static void
read_runs(const Drive *d, const DacsaRuns *runs)
{
  size_t n = (size_t)MIN(runs->size, d->limits->read_bytes);
  g_autofree char *buf = g_malloc(MAX(n, 1));

  if (n == 0)
    return;
  (void)!dacsa_runs_read(runs, d->limits->phys, 0, buf, n, NULL);
  (void)!dacsa_runs_read(runs, d->limits->phys, runs->size - n, buf, n, NULL);
}

static void
take_runs(const Drive *d, bool ok, DacsaRuns *runs, GError **error)
{
  check_error(ok, error);
  if (!ok)
    return;
  check_runs(runs);
  read_runs(d, runs);
  dacsa_runs_free(runs);
}

static void
drive_system(const Drive *d)
{
  for (size_t i = 0; i < DACSA_SYSTEM_N_TEXTS; i++) {
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    if (d->os->system_text[i])
      check_text(ask(d)->system_text[i](d->guest, out, &error), out, &error);
  }
  if (d->os->btf) {
    g_autoptr(GError) error = NULL;
    DacsaRuns *runs = NULL;
    bool ok = ask(d)->btf(d->guest, &runs, &error);

    take_runs(d, ok, runs, &error);
  }
}

/* Ascending and disjoint in the guest's memory. */
static void
check_mappings(const GArray *mappings)
{
  uint64_t end = 0;

  for (guint i = 0; i < mappings->len; i++) {
    const DacsaKernelMapping *m = &g_array_index(mappings, DacsaKernelMapping, i);

    g_assert_true(m->gpa >= end && m->size > 0);
    end = m->gpa + m->size;
    g_assert_true(end > m->gpa);
  }
}

/* What a core of the whole system is made of. */
static void
drive_vmcore(const Drive *d)
{
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GArray) mappings = NULL;
  g_autoptr(GError) error = NULL;
  uint32_t pid;

  if (d->os->vmcoreinfo)
    check_text(ask(d)->vmcoreinfo(d->guest, out, &error), out, &error);
  if (d->os->kernel_mappings) {
    bool ok = ask(d)->kernel_mappings(d->guest, &mappings, &error);

    check_error(ok, &error);
    if (ok)
      check_mappings(mappings);
  }
  for (uint32_t cpu = 0; d->os->running && cpu < MAX_DRIVEN_CPUS; cpu++)
    check_error(ask(d)->running(d->guest, cpu, &pid, &error), &error);
}

static void
drive_isf(const Drive *d)
{
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  if (d->os->isf && d->limits->isf)
    check_text(ask(d)->isf(d->guest, out, &error), out, &error);
}

static void
drive_modules(const Drive *d)
{
  g_autoptr(GError) error = NULL;
  const GPtrArray *names = NULL;

  if (!d->os->modules)
    return;
  bool ok = ask(d)->modules(d->guest, &names, &error);
  check_error(ok, &error);
  for (guint i = 0; ok && i < MIN(names->len, d->limits->modules); i++) {
    DacsaRuns *runs = NULL;

    g_assert_nonnull(g_ptr_array_index(names, i));
    if (d->os->module_memory) {
      ok = ask(d)->module_memory(d->guest, i, &runs, &error);
      take_runs(d, ok, runs, &error);
      ok = true;
    }
  }
}

static void
drive_regions(const Drive *d, uint32_t pid)
{
  g_autoptr(GArray) regions = NULL;
  g_autoptr(GError) error = NULL;

  if (!d->os->regions)
    return;
  bool ok = ask(d)->regions(d->guest, pid, &regions, &error);
  check_error(ok, &error);
  for (guint i = 0; ok && i < regions->len; i++) {
    const DacsaRegion *r = &g_array_index(regions, DacsaRegion, i);

    g_assert_true(r->start < r->end && strlen(r->perms) == 4);
  }
}

static void
drive_memory(const Drive *d, uint32_t pid)
{
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  DacsaRuns *runs = NULL;

  if (!d->os->memory)
    return;
  bool ok = ask(d)->memory(d->guest, pid, &runs, &error);
  check_error(ok, &error);
  if (!ok)
    return;
  ask(d);
  if (d->os->regions)
    check_text(dacsa_guest_memory_map(d->guest, pid, runs, out, &error), out, &error);
  take_runs(d, true, runs, &error);
}

static void
drive_core(const Drive *d, uint32_t pid)
{
  g_autoptr(GError) error = NULL;
  DacsaRuns *runs = NULL;

  if (!d->os->core || !d->os->has_core || !ask(d)->has_core(d->guest, pid))
    return;
  bool ok = ask(d)->core(d->guest, pid, &runs, &error);
  take_runs(d, ok, runs, &error);
}

static void
drive_process(const Drive *d, uint32_t pid)
{
  for (size_t i = 0; i < DACSA_PROCESS_N_TEXTS; i++) {
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    if (d->os->process_text[i])
      check_text(ask(d)->process_text[i](d->guest, pid, out, &error), out, &error);
  }
  drive_regions(d, pid);
  drive_memory(d, pid);
  drive_core(d, pid);
  if (d->os->exe && d->os->has_exe && ask(d)->has_exe(d->guest, pid)) {
    g_autoptr(GError) error = NULL;
    DacsaRuns *runs = NULL;
    bool ok = ask(d)->exe(d->guest, pid, &runs, &error);

    take_runs(d, ok, runs, &error);
  }
}

static void
drive_processes(const Drive *d)
{
  g_autoptr(GError) error = NULL;
  const GArray *pids = NULL;
  bool ok = ask(d)->processes(d->guest, &pids, &error);
  uint32_t before = 0;

  check_error(ok, &error);
  for (guint i = 0; ok && i < pids->len; i++) {
    uint32_t pid = g_array_index(pids, uint32_t, i);

    g_assert_cmpuint(pid, >, before); /* ascending, none twice, none 0 */
    before = pid;
    if (i < d->limits->processes / 2 || pids->len - i <= (d->limits->processes + 1) / 2)
      drive_process(d, pid);
  }
}

/* -- cached files -- */

static void drive_directory(Drive *d, uint32_t directory, unsigned depth);

static void
drive_file(Drive *d, uint32_t directory, const DacsaGuestFile *file, unsigned depth)
{
  g_autoptr(GError) error = NULL;
  g_auto(DacsaGuestFile) by_name = {0};
  g_auto(DacsaGuestFile) by_id = {0};
  DacsaRuns *runs = NULL;
  bool ok;

  g_assert_true(file->id > 0 && file->name);
  if (d->os->file_lookup) {
    ok = ask(d)->file_lookup(d->guest, directory, file->name, &by_name, &error);
    check_error(ok, &error);
    g_assert_true(ok && by_name.id == file->id);
  }
  if (d->os->file) {
    ok = ask(d)->file(d->guest, file->id, &by_id, &error);
    check_error(ok, &error);
    g_assert_true(ok && by_id.is_directory == file->is_directory);
  }
  if (file->is_directory) {
    drive_directory(d, file->id, depth + 1);
  } else if (d->os->file_content) {
    ok = ask(d)->file_content(d->guest, file->id, &runs, &error);
    take_runs(d, ok, runs, &error);
  }
}

static void
drive_directory(Drive *d, uint32_t directory, unsigned depth)
{
  g_autoptr(GArray) files = NULL;
  g_autoptr(GError) error = NULL;
  bool ok = ask(d)->files(d->guest, directory, &files, &error);

  check_error(ok, &error);
  /* A tree that is deeper than this in a limited number of files is found by its width too. */
  for (guint i = 0; ok && i < files->len && depth < 64 && d->files_left > 0; i++) {
    d->files_left--;
    drive_file(d, directory, &g_array_index(files, DacsaGuestFile, i), depth);
  }
}

void
drive_guest(DacsaGuest *guest, const DriveLimits *limits)
{
  Drive d = {guest, guest->os, limits, limits->files};
  g_autoptr(GString) out = g_string_new(NULL);

  guest->os->describe(guest, out);
  if (limits->part == DRIVE_ALL || limits->part == DRIVE_PROCESSES)
    drive_processes(&d);
  if (limits->part == DRIVE_ALL || limits->part == DRIVE_SYSTEM) {
    drive_system(&d);
    drive_isf(&d);
    drive_modules(&d);
    drive_vmcore(&d);
  }
  if (guest->os->files && (limits->part == DRIVE_ALL || limits->part == DRIVE_FILES))
    drive_directory(&d, 0, 0);
}
