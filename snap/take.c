/* One acquisition. Between stop and cont stands nothing but the registers and the fork. */
#include "snap/take.h"

#include "snap/connect.h"
#include "snap/error.h"
#include "snap/journal.h"
#include "snap/method.h"
#include "snap/preflight.h"
#include "snap/procmaps.h"
#include "snap/putback.h"
#include "snap/state.h"
#include "snap/vmlock.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MONITOR_US (5 * G_USEC_PER_SEC)
#define QUIESCE_US (10 * G_USEC_PER_SEC)
#define TRIES 5

static int64_t
soon(void)
{
  return g_get_monotonic_time() + MONITOR_US;
}

typedef struct {
  const DacsaTakeOptions *options;
  DacsaMonitor *monitor;
  const DacsaProbe *probe; /* the latest */
  DacsaProbe *fresh;       /* where that is not the caller's: owned */
  char *label;             /* which snapshot of which mount it is */
  bool running;            /* the VM, before */
  int journal;             /* or -1 */
  bool resumed;            /* the VM runs as it did before */
  GArray *vmas;            /* what was changed of QEMU's, in all attempts; owned, or NULL */
  bool announced;
} Take;

static void
take_clear(Take *self)
{
  dacsa_monitor_free(self->monitor);
  dacsa_probe_free(self->fresh);
  g_free(self->label);
  g_clear_pointer(&self->vmas, g_array_unref);
  if (self->journal >= 0)
    close(self->journal);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Take, take_clear)

static void
announce(Take *self, const DacsaRecord *record, const GError *error)
{
  if (!self->announced)
    self->options->announce(record, error, self->options->data);
  self->announced = true;
}

/* From here on nothing that this process does may wait for a disk: the VM is about to be paused.
 * Where it is not allowed it remains a process as others. */
static void
lock_memory(void)
{
  if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
    g_debug("mlockall: %m");
}

/* A VM that somebody else stopped just before is not resumed, by us or after us. */
static void
note_whose_stop(const Take *self)
{
  if (self->running && !self->monitor->stopped_it &&
      !dacsa_journal_add_not_ours(self->journal, NULL))
    g_warning("%s: the journal is full", self->options->name);
}

static bool
fail_moved(GError **error)
{
  return dacsa_fail(error, DACSA_ERROR_BUSY,
                    "somebody resumed the VM while the snapshot was taken: try again");
}

/* A VM that somebody else had paused stands still as long as they like. One that we stopped tells
 * when it is resumed. */
static bool
check_stood_still(const Take *self, GError **error)
{
  g_autofree char *state = NULL;

  if (self->running && self->monitor->stopped_it)
    return true;
  if (!dacsa_monitor_state(self->monitor, soon(), &state, error))
    return false;
  return strcmp(state, "running") != 0 || fail_moved(error);
}

/* From now on, who pauses the VM wants it so. */
static void
note_resumed(const Take *self)
{
  if (self->resumed && self->running && !dacsa_journal_add_not_ours(self->journal, NULL))
    g_warning("%s: the journal is full", self->options->name);
}

/* The pause itself. record's times are filled in. */
static bool
pause_and_acquire(Take *self, DacsaAcquisition *acquisition, DacsaRecord *record, GError **error)
{
  const DacsaMethod *method = acquisition->method;
  DacsaMonitor *monitor = self->monitor;
  g_autoptr(GError) failure = NULL;
  g_autoptr(GError) resume_failure = NULL;

  lock_memory();
  self->resumed = false;
  int64_t begin = g_get_monotonic_time();
  bool ok =
      self->running
          ? dacsa_monitor_stop(monitor, begin + QUIESCE_US, &record->registers, &failure)
          : dacsa_monitor_hmp(monitor, "info registers -a", soon(), &record->registers, &failure);
  int64_t stopped = g_get_monotonic_time();

  record->taken_us = g_get_real_time();
  note_whose_stop(self);
  if (ok)
    ok = method->acquire(acquisition, &failure);
  int64_t acquired = g_get_monotonic_time();
  if (!ok && g_error_matches(failure, DACSA_ERROR, DACSA_ERROR_BUSY))
    announce(self, NULL, failure);
  if (ok)
    ok = check_stood_still(self, &failure);
  self->resumed =
      !self->running || !monitor->stopped_it || dacsa_monitor_cont(monitor, &resume_failure);
  note_resumed(self);
  record->quiesce_us = self->running ? stopped - begin : 0;
  record->fork_us = acquired - stopped;
  record->pause_us = self->running ? g_get_monotonic_time() - begin : 0;
  munlockall();
  if (!ok)
    g_propagate_error(error, g_steal_pointer(&failure));
  else if (!self->resumed)
    g_propagate_error(error, g_steal_pointer(&resume_failure));
  else if (monitor->resumed_elsewhere)
    ok = fail_moved(error);
  return ok && self->resumed;
}

/* QEMU's memory map may change under us (hotplug, firmware remapping ROM): the snapshot is good
 * only if the layout it was taken with still holds after it. */
static bool
layout_holds(DacsaMonitor *monitor, const DacsaProbe *probe, bool *ret, GError **error)
{
  g_autofree char *mtree = NULL;

  if (!dacsa_monitor_hmp(monitor, "info mtree -f", soon(), &mtree, error))
    return false;
  *ret = strcmp(mtree, probe->mtree) == 0;
  return true;
}

/* Whether what was found out about the VM still holds: its memory map, and that nothing forbids the
 * method. */
static bool
probe_holds(const Take *self, bool *ret, GError **error)
{
  const DacsaMethod *method = dacsa_method_find(self->probe->method);

  if (!layout_holds(self->monitor, self->probe, ret, error))
    return false;
  if (*ret) {
    g_autoptr(GPtrArray) findings = dacsa_preflight_changed(self->monitor, method->bit);

    *ret = !dacsa_preflight_refusal(findings, method->bit);
  }
  return true;
}

/* Looks at the VM anew where the probe does not hold: RAM that was plugged in since may be of a
 * kind that is refused, or needs another method. */
static bool
renew_probe(Take *self, GError **error)
{
  g_autoptr(DacsaProbe) fresh = NULL;
  bool holds;

  if (!probe_holds(self, &holds, error))
    return false;
  if (holds)
    return true;
  if (!dacsa_probe_monitor(self->monitor, self->options->methods, &fresh, error))
    return false;
  if (!fresh->method)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "%s; %s", fresh->reason, fresh->remedy);
  dacsa_probe_free(self->fresh);
  self->fresh = g_steal_pointer(&fresh);
  self->probe = self->fresh;
  return true;
}

/* Whether the name is a living snapshot's: such as that of a take that was given up waiting for. */
static bool
is_taken(const Take *self)
{
  const DacsaTakeOptions *options = self->options;
  g_autoptr(DacsaRecord) record =
      dacsa_state_load_record(options->state_path, options->address->name, options->name);

  return record && dacsa_procmaps_is_process(record->child, record->child_start);
}

/* A journal of what is about to be done, in place of one of an attempt before. */
static bool
begin_journal(Take *self, const GArray *vmas, GError **error)
{
  const DacsaTakeOptions *options = self->options;
  g_autoptr(DacsaJournal) journal = NULL;

  if (is_taken(self))
    return dacsa_fail(error, DACSA_ERROR_BUSY, "a snapshot of this name is there already");
  if (self->journal >= 0) {
    dacsa_journal_remove(options->state_path, options->address->name, options->name);
    close(self->journal);
    self->journal = -1;
  }
  return dacsa_journal_new(options->address, options->name, self->probe, vmas, self->running,
                           &journal, error) &&
         dacsa_journal_save(journal, options->state_path, &self->journal, error);
}

/* As late as can be: it may be paused or resumed at any time. */
static bool
find_out_state(Take *self, GError **error)
{
  g_autofree char *state = NULL;

  if (!dacsa_monitor_state(self->monitor, soon(), &state, error))
    return false;
  self->running = strcmp(state, "running") == 0;
  return true;
}

static DacsaRecord *
new_record(const DacsaTakeOptions *options, const DacsaProbe *probe)
{
  DacsaRecord *record = dacsa_record_new();

  record->vm = g_strdup(options->address->name);
  record->name = g_strdup(options->name);
  record->uuid = g_strdup(probe->uuid);
  record->method = g_strdup(probe->method);
  record->scheduled = options->scheduled;
  return record;
}

static bool
check_wanted(const Take *self, GError **error)
{
  return !g_atomic_int_get(self->options->unwanted) ||
         dacsa_fail(error, DACSA_ERROR_BUSY, "it came too late, and was dropped");
}

/* From now on it may be changed, until it is seen that it is not. */
static void
note_changed(Take *self, const GArray *vmas)
{
  if (vmas && !self->vmas)
    self->vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  if (vmas)
    g_array_append_vals(self->vmas, vmas->data, vmas->len);
}

/* One attempt. *ret is NULL where the memory map changed meanwhile. */
static bool
attempt(Take *self, DacsaRecord **ret, GError **error)
{
  g_autoptr(DacsaRecord) record = NULL;
  g_auto(DacsaAcquisition) acquisition = {.pidfd = -1};
  bool holds = false;

  if (!renew_probe(self, error))
    return false;
  record = new_record(self->options, self->probe);
  dacsa_acquisition_init(&acquisition, dacsa_method_find(self->probe->method), self->probe,
                         self->label);
  if (!acquisition.method->prepare(&acquisition, error) || !find_out_state(self, error) ||
      !check_wanted(self, error) || !begin_journal(self, acquisition.vmas, error))
    return false;
  note_changed(self, acquisition.vmas);
  acquisition.journal = self->journal;
  if (!pause_and_acquire(self, &acquisition, record, error) ||
      !layout_holds(self->monitor, self->probe, &holds, error) ||
      (holds && !dacsa_acquisition_settle(&acquisition, record, error)))
    return false;
  *ret = holds ? g_steal_pointer(&record) : NULL;
  return true;
}

/* The VM that was probed, and no other at the same address. */
static bool
find_vm(Take *self, GError **error)
{
  const DacsaProbe *probe = self->options->probe;
  uint64_t start_time;

  if (!dacsa_connect(self->options->address, soon(), &self->monitor, error) ||
      !dacsa_procmaps_start_time(self->monitor->pid, &start_time, error))
    return false;
  return (self->monitor->pid == probe->pid && start_time == probe->start_time) ||
         dacsa_fail(error, DACSA_ERROR_BUSY, "the VM was restarted just now: try again");
}

/* Asked again once the record is there: who did not find it may have said so in between. */
static bool
publish(const Take *self, const DacsaRecord *record, GError **error)
{
  const DacsaTakeOptions *options = self->options;

  if (!check_wanted(self, error) || !dacsa_state_save(options->state_path, record, error))
    return false;
  if (check_wanted(self, error))
    return true;
  dacsa_state_remove(options->state_path, record->vm, record->name);
  return false;
}

static bool
take_locked(Take *self, DacsaRecord **ret, GError **error)
{
  g_autoptr(DacsaRecord) record = NULL;

  if (!find_vm(self, error))
    return false;
  for (int tries = 0; tries < TRIES && !record; tries++)
    if (!attempt(self, &record, error))
      return false;
  if (!record)
    return dacsa_fail(error, DACSA_ERROR_BUSY,
                      "the VM's memory map kept changing: try again when it has booted");
  if (!publish(self, record, error)) {
    kill(record->child, SIGKILL);
    return false;
  }
  *ret = g_steal_pointer(&record);
  return true;
}

/* Before anybody else changes them for a fork. */
static void
look_after(const Take *self)
{
  const DacsaTakeOptions *options = self->options;
  g_autoptr(GError) error = NULL;

  if (!dacsa_putback(options->probe->pid, &options->probe->gadgets, self->vmas, &error) &&
      !g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
    g_warning("%s/%s: %s", options->address->name, options->name, error->message);
}

static void
take_with_lock(Take *self)
{
  const DacsaTakeOptions *options = self->options;
  g_autoptr(DacsaRecord) record = NULL;
  g_autoptr(GError) error = NULL;
  const bool ok = take_locked(self, &record, &error);

  /* A VM that could not be resumed is left to those who come after, unless it is gone. */
  if (self->journal >= 0 && (self->resumed || kill(options->probe->pid, 0) < 0))
    dacsa_journal_remove(options->state_path, options->address->name, options->name);
  announce(self, ok ? record : NULL, error);
  if (self->resumed) /* else who goes by the journal looks after them */
    look_after(self);
}

void
dacsa_take(const DacsaTakeOptions *options)
{
  g_auto(Take) self = {.options = options, .probe = options->probe, .journal = -1, .resumed = true};
  g_autoptr(GError) error = NULL;
  int lock;

  if (!dacsa_vmlock_take(options->probe->pid, soon(), &lock, &error)) {
    announce(&self, NULL, error);
    return;
  }
  self.label = dacsa_take_label(options->state_path, options->address->name, options->name);
  take_with_lock(&self);
  dacsa_vmlock_release(options->probe->pid, lock);
}

char *
dacsa_take_label(const char *state_path, const char *vm, const char *snapshot)
{
  return g_strdup_printf("%s/%s@%s", state_path, vm, snapshot);
}
