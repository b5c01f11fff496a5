/* Snapshots that are kept. */
#include "snap/shelf.h"

#include "snap/log.h"
#include "snap/state.h"

#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static gboolean
on_child_exit(gint fd, GIOCondition condition, void *data)
{
  const ChildWatch *watch = data;
  const DacsaShelf *self = watch->shelf;
  DacsaVm *vm = watch->vm;
  DacsaKept *kept = watch->kept;
  const DacsaRecord *record = kept->record;
  const bool asked = kept->why != NULL;

  (void)fd;
  (void)condition;
  if (!asked)
    kept->why = g_strdup("its child process was killed");
  dacsa_log(asked ? DACSA_LOG_DROPPED : DACSA_LOG_LOST, G_LOG_LEVEL_MESSAGE, record->vm,
            record->name, -1, "%s", kept->why);
  dacsa_state_remove(self->state_path, record->vm, record->name);
  kept->watch = 0;
  self->options.ended(kept, self->options.data);
  g_ptr_array_remove(vm->snapshots, kept);
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
  g_ptr_array_add(vm->snapshots, kept);
  kept->watch =
      g_unix_fd_add_full(G_PRIORITY_DEFAULT, pidfd, G_IO_IN, on_child_exit, watch, g_free);
  self->options.kept(kept, self->options.data);
}

void
dacsa_shelf_take_up(DacsaShelf *self)
{
  g_autoptr(GPtrArray) records = dacsa_state_load(self->state_path);

  while (records->len > 0) {
    g_autoptr(DacsaRecord) record = g_ptr_array_steal_index(records, 0);
    DacsaVm *vm = dacsa_fleet_find(self->options.fleet, record->vm);
    int pidfd;

    if (!dacsa_kept_open(record, &pidfd)) {
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

void
dacsa_shelf_drop(DacsaShelf *self, DacsaKept *kept, const char *why)
{
  (void)self;
  if (!kept->why)
    kept->why = g_strdup(why);
  syscall(SYS_pidfd_send_signal, kept->pidfd, SIGKILL, NULL, 0);
}

static void
drop_all_of(DacsaVm *vm, void *data)
{
  DacsaShelf *self = data;

  for (guint i = 0; i < vm->snapshots->len; i++) {
    DacsaKept *kept = g_ptr_array_index(vm->snapshots, i);

    dacsa_shelf_drop(self, kept, "dropped");
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

    if (poll(&ended, 1, CHILD_END_MS) != 1)
      g_message("%s/%s: its child takes long to end", kept->record->vm, kept->record->name);
  }
}

void
dacsa_shelf_drop_all(DacsaShelf *self)
{
  dacsa_fleet_foreach(self->options.fleet, drop_all_of, self);
  dacsa_fleet_foreach(self->options.fleet, await_all_of, self);
}
