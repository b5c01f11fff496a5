/* One timer for each VM that has a schedule. */
#include "snap/schedule.h"

#include "snap/log.h"

#include <string.h>

#define MAX_SAME_SECOND 100u /* snapshots whose names say the same time */

/* A VM that runs and has a schedule. */
typedef struct {
  DacsaSchedule *schedule;
  DacsaVm *vm;
  int64_t every_us;
  unsigned keep;
  guint timer;     /* GSource id; 0: an attempt is under way */
  int64_t last_us; /* the latest attempt, monotonic; -1: none */
  char *reason;    /* why it failed, logged; NULL: it did not */
} Entry;

struct DacsaSchedule {
  DacsaScheduleOptions options;
  GHashTable *entries; /* the VM's name -> Entry, owned */
  bool started;
};

static void
entry_free(void *data)
{
  Entry *entry = data;

  if (entry->timer)
    g_source_remove(entry->timer);
  g_free(entry->reason);
  g_free(entry);
}

DacsaSchedule *
dacsa_schedule_new(const DacsaScheduleOptions *options)
{
  DacsaSchedule *self = g_new0(DacsaSchedule, 1);

  self->options = *options;
  self->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);
  return self;
}

void
dacsa_schedule_free(DacsaSchedule *self)
{
  if (!self)
    return;
  g_hash_table_unref(self->entries);
  g_free(self);
}

/* -- when -- */

/* FNV-1a: the same for a name today and tomorrow, which g_str_hash does not promise. */
static uint64_t
hash(const char *name)
{
  uint64_t value = UINT64_C(0xcbf29ce484222325);

  for (; *name; name++)
    value = (value ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
  return value;
}

int64_t
dacsa_schedule_next(int64_t every_us, const char *name, int64_t last_us, int64_t now_us)
{
  const int64_t phase = (int64_t)(hash(name) % (uint64_t)every_us);
  const int64_t soon =
      now_us + (int64_t)(hash(name) % (uint64_t)MIN(every_us, DACSA_SCHEDULE_SOON_US));

  if (last_us < 0)
    return soon;
  const int64_t after = last_us + every_us / 2;
  int64_t next = after - after % every_us + phase;
  if (next <= after)
    next += every_us;
  return next > now_us ? next : soon;
}

/* When the latest of its scheduled snapshots was taken, by the monotonic clock; -1: there is none.
 */
static int64_t
latest(const DacsaVm *vm)
{
  int64_t taken_us = -1;

  for (guint i = 0; i < vm->snapshots->len; i++) {
    const DacsaRecord *record = ((const DacsaKept *)g_ptr_array_index(vm->snapshots, i))->record;

    if (record->scheduled)
      taken_us = MAX(taken_us, record->taken_us);
  }
  if (taken_us < 0)
    return -1;
  /* A clock that was set back since then: as if it had just been taken. */
  return MAX(0, g_get_monotonic_time() - MAX(0, g_get_real_time() - taken_us));
}

/* -- what -- */

/* Not that of another snapshot or tombstone. Owned. */
static char *
free_name(const DacsaVm *vm)
{
  g_autofree char *base = dacsa_record_default_name(g_get_real_time());
  char *name = g_strdup(base);

  for (unsigned i = 2; i < MAX_SAME_SECOND; i++) {
    if (!dacsa_vm_find(vm, name) && !dacsa_vm_find_tombstone(vm, name))
      break;
    g_free(name);
    name = g_strdup_printf("%s-%u", base, i);
  }
  return name;
}

static gboolean
on_timer(void *data)
{
  Entry *entry = data;
  const DacsaScheduleOptions *options = &entry->schedule->options;
  g_autofree char *name = free_name(entry->vm);

  entry->timer = 0;
  entry->last_us = g_get_monotonic_time();
  options->due(entry->vm, name, options->data);
  return G_SOURCE_REMOVE;
}

static void
set_timer(Entry *entry)
{
  const DacsaScheduleOptions *options = &entry->schedule->options;
  const int64_t now = g_get_monotonic_time();
  const int64_t wait = MAX(
      0, dacsa_schedule_next(entry->every_us, entry->vm->address->name, entry->last_us, now) - now);

  /* Rounded up: the moment has come when the timer fires. */
  entry->timer = g_timeout_add((guint)MIN(wait / 1000 + 1, G_MAXUINT), on_timer, entry);
  entry->vm->next_snapshot_us = g_get_real_time() + wait;
  options->changed(entry->vm, options->data);
}

/* The oldest go, until as many as are to be kept are left. */
static void
drop_surplus(const Entry *entry)
{
  const GPtrArray *snapshots = entry->vm->snapshots;
  unsigned left = entry->keep;

  for (guint i = snapshots->len; i-- > 0;) { /* newest first */
    DacsaKept *kept = g_ptr_array_index(snapshots, i);

    if (!kept->record->scheduled || kept->why)
      continue;
    if (left == 0)
      dacsa_shelf_drop(entry->schedule->options.shelf, kept, DACSA_END_EXPIRED,
                       "newer ones of the schedule are there");
    else
      left--;
  }
}

/* -- what happens -- */

void
dacsa_schedule_vm_changed(DacsaSchedule *self, DacsaVm *vm)
{
  const char *name = vm->address->name;
  g_auto(DacsaPolicy) policy = {0};

  if (!self->started)
    return;
  if (!vm->running) {
    vm->next_snapshot_us = 0;
    g_hash_table_remove(self->entries, name);
    return;
  }
  if (g_hash_table_contains(self->entries, name))
    return;
  dacsa_policy_find(&self->options.policies, name, &policy);
  if (policy.every_us == 0)
    return;
  Entry *entry = g_new0(Entry, 1);
  *entry = (Entry){self, vm, policy.every_us, policy.keep, 0, latest(vm), NULL};
  g_hash_table_insert(self->entries, g_strdup(name), entry);
  set_timer(entry);
}

static void
start_one(DacsaVm *vm, void *data)
{
  dacsa_schedule_vm_changed(data, vm);
}

void
dacsa_schedule_start(DacsaSchedule *self)
{
  self->started = true;
  dacsa_fleet_foreach(self->options.fleet, start_one, self);
}

void
dacsa_schedule_stop(DacsaSchedule *self)
{
  self->started = false;
  g_hash_table_remove_all(self->entries);
}

void
dacsa_schedule_tried(DacsaSchedule *self, DacsaVm *vm, const GError *error)
{
  Entry *entry = g_hash_table_lookup(self->entries, vm->address->name);

  if (!entry)
    return;
  if (error && g_strcmp0(entry->reason, error->message) != 0)
    dacsa_log(DACSA_LOG_REFUSED, G_LOG_LEVEL_MESSAGE, vm->address->name, "scheduled", -1, "%s",
              error->message);
  g_free(entry->reason);
  entry->reason = error ? g_strdup(error->message) : NULL;
  drop_surplus(entry);
  if (!entry->timer)
    set_timer(entry);
}
