/* Snapshots that are kept. */
#include "snap/shelf.h"

#include "snap/log.h"
#include "snap/state.h"
#include "snap/strays.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_TOMBSTONES 16u
#define CHILD_END_MS 2000 /* a killed child's memory is freed in less */

struct DacsaShelf {
  DacsaShelfOptions options;
  char *state_path;
};

typedef struct {
  DacsaShelf *shelf;
  DacsaVm *vm;
  DacsaKept *kept;
} ChildWatch;

DacsaShelf *
dacsa_shelf_new(const DacsaShelfOptions *options)
{
  DacsaShelf *self = g_new0(DacsaShelf, 1);

  self->options = *options;
  self->state_path = g_strdup(options->state_path);
  return self;
}

void
dacsa_shelf_free(DacsaShelf *self)
{
  if (!self)
    return;
  g_free(self->state_path);
  g_free(self);
}

static void
log_end(const DacsaKept *kept)
{
  const DacsaRecord *record = kept->record;

  if (kept->end == DACSA_END_GIVEN_UP)
    dacsa_log_given_up(record->vm, record->name, kept->private_bytes, kept->why);
  else
    dacsa_log(kept->end == DACSA_END_LOST ? DACSA_LOG_LOST : DACSA_LOG_DROPPED, G_LOG_LEVEL_MESSAGE,
              record->vm, record->name, -1, "%s", kept->why);
}

static void
forget_at(DacsaShelf *self, DacsaVm *vm, guint i)
{
  DacsaTombstone *tombstone = g_ptr_array_steal_index(vm->tombstones, i);

  self->options.forgotten(tombstone, self->options.data);
  dacsa_tombstone_free(tombstone);
}

static void
bury(DacsaShelf *self, DacsaVm *vm, DacsaKept *kept)
{
  DacsaTombstone *tombstone = dacsa_tombstone_new(kept);

  g_ptr_array_add(vm->tombstones, tombstone);
  self->options.buried(tombstone, self->options.data);
  if (vm->tombstones->len > MAX_TOMBSTONES)
    forget_at(self, vm, 0);
}

static gboolean
on_child_exit(gint fd, GIOCondition condition, void *data)
{
  const ChildWatch *watch = data;
  DacsaShelf *self = watch->shelf;
  DacsaVm *vm = watch->vm;
  DacsaKept *kept = watch->kept;
  guint i = 0;

  (void)fd;
  (void)condition;
  if (!kept->why)
    kept->why = g_strdup("its child process was killed, by the kernel if memory ran out");
  kept->watch = 0;
  log_end(kept);
  dacsa_state_remove(self->state_path, kept->record->vm, kept->record->name);
  g_ptr_array_find(vm->snapshots, kept, &i);
  g_ptr_array_steal_index(vm->snapshots, i);
  if (kept->end == DACSA_END_LOST || kept->end == DACSA_END_GIVEN_UP)
    bury(self, vm, kept);
  else
    self->options.ended(kept, self->options.data);
  dacsa_kept_free(kept);
  dacsa_fleet_forget_if_empty(self->options.fleet, vm);
  return G_SOURCE_REMOVE;
}

void
dacsa_shelf_put(DacsaShelf *self, DacsaVm *vm, DacsaRecord *record, int pidfd)
{
  DacsaKept *kept = dacsa_kept_new(record, pidfd);
  ChildWatch *watch = g_new(ChildWatch, 1);

  kept->serial = dacsa_fleet_next_serial(self->options.fleet);
  *watch = (ChildWatch){self, vm, kept};
  dacsa_fleet_list(self->options.fleet, vm);
  g_ptr_array_add(vm->snapshots, kept);
  kept->watch =
      g_unix_fd_add_full(G_PRIORITY_DEFAULT, pidfd, G_IO_IN, on_child_exit, watch, g_free);
  if (!vm->running && !vm->probing)
    dacsa_vm_outlive(vm);
  self->options.kept(kept, self->options.data);
}

void
dacsa_shelf_take_up(DacsaShelf *self)
{
  g_autoptr(GPtrArray) records = dacsa_state_load(self->state_path);

  dacsa_strays_end(self->state_path, records);
  while (records->len > 0) {
    g_autoptr(DacsaRecord) record = g_ptr_array_steal_index(records, 0);
    DacsaVm *vm = dacsa_fleet_find(self->options.fleet, record->vm);
    int pidfd;

    if (!dacsa_kept_open(record, &pidfd)) {
      dacsa_log(DACSA_LOG_LOST, G_LOG_LEVEL_MESSAGE, record->vm, record->name, -1,
                "its child process has ended since");
      dacsa_state_remove(self->state_path, record->vm, record->name);
      continue;
    }
    if (!vm)
      vm = dacsa_fleet_add_ended(self->options.fleet, record->vm, record->uuid);
    dacsa_log(DACSA_LOG_TAKEN_UP, G_LOG_LEVEL_MESSAGE, record->vm, record->name, -1,
              "taken up again");
    dacsa_shelf_put(self, vm, g_steal_pointer(&record), pidfd);
  }
}

int
dacsa_shelf_drop(DacsaShelf *self, DacsaKept *kept, DacsaEnd end, const char *why)
{
  (void)self;
  /* ESRCH: it ends just now, and that will be told. */
  if (syscall(SYS_pidfd_send_signal, kept->pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH) {
    const int errsv = errno;

    if (!kept->stays)
      g_warning("%s/%s stays: its child cannot be killed: %s", kept->record->vm, kept->record->name,
                g_strerror(errsv));
    kept->stays = true;
    return errsv;
  }
  if (!kept->why || end == DACSA_END_ASKED) {
    g_free(kept->why);
    kept->why = g_strdup(why);
    kept->end = end;
    kept->killed_us = g_get_monotonic_time();
  }
  return 0;
}

bool
dacsa_shelf_forget(DacsaShelf *self, DacsaVm *vm, const char *name)
{
  guint i;

  if (!g_ptr_array_find(vm->tombstones, dacsa_vm_find_tombstone(vm, name), &i))
    return false;
  forget_at(self, vm, i);
  dacsa_fleet_forget_if_empty(self->options.fleet, vm);
  return true;
}

static void
drop_all_of(DacsaVm *vm, void *data)
{
  DacsaShelf *self = data;

  for (guint i = 0; i < vm->snapshots->len; i++) {
    DacsaKept *kept = g_ptr_array_index(vm->snapshots, i);

    if (dacsa_shelf_drop(self, kept, DACSA_END_ASKED, "dropped") == 0)
      dacsa_state_remove(self->state_path, kept->record->vm, kept->record->name);
  }
}

/* Who ended the daemon finds no child of it any more. */
static void
await_all_of(DacsaVm *vm, void *data)
{
  (void)data;
  for (guint i = 0; i < vm->snapshots->len; i++) {
    const DacsaKept *kept = g_ptr_array_index(vm->snapshots, i);
    struct pollfd ended = {.fd = kept->pidfd, .events = POLLIN};

    if (kept->why && poll(&ended, 1, CHILD_END_MS) != 1)
      g_message("%s/%s: its child takes long to end", kept->record->vm, kept->record->name);
  }
}

/* A worker has saved its record, and there was no time to hear of it. */
static void
drop_unheard(DacsaShelf *self)
{
  g_autoptr(GPtrArray) records = dacsa_state_load(self->state_path);

  for (guint i = 0; i < records->len; i++) {
    const DacsaRecord *record = g_ptr_array_index(records, i);
    int pidfd;

    if (!dacsa_kept_open(record, &pidfd))
      continue;
    if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0)
      dacsa_state_remove(self->state_path, record->vm, record->name);
    close(pidfd);
  }
}

void
dacsa_shelf_drop_all(DacsaShelf *self)
{
  dacsa_fleet_foreach(self->options.fleet, drop_all_of, self);
  drop_unheard(self);
  dacsa_fleet_foreach(self->options.fleet, await_all_of, self);
}
