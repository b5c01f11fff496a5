/* Messages to the viewer. */
#include "snap/teller.h"

#include "snap/error.h"
#include "snap/outbox.h"
#include "snap/state.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STALL_MS 5000         /* a viewer that has read nothing for so long does not read */
#define MAX_BYTES (64u << 20) /* some 60,000 messages, which one that reads never leaves lying */

struct DacsaTeller {
  char *state_path;
  DacsaOutbox *outbox; /* NULL: nobody listens */
  uint32_t viewer;
};

DacsaTeller *
dacsa_teller_new(const char *state_path)
{
  DacsaTeller *self = g_new0(DacsaTeller, 1);

  self->state_path = g_strdup(state_path);
  return self;
}

void
dacsa_teller_free(DacsaTeller *self)
{
  if (!self)
    return;
  dacsa_outbox_free(self->outbox);
  g_free(self->state_path);
  g_free(self);
}

void
dacsa_teller_listen(DacsaTeller *self, int channel, uint32_t viewer)
{
  const DacsaOutboxLimits limits = {STALL_MS, MAX_BYTES};

  g_clear_pointer(&self->outbox, dacsa_outbox_free);
  if (channel >= 0)
    self->outbox = dacsa_outbox_new(channel, &limits);
  self->viewer = viewer;
}

/* Takes message. */
static void
send_message(DacsaTeller *self, DacsaMessage *message)
{
  if (self->outbox)
    dacsa_outbox_send(self->outbox, message);
  else
    dacsa_message_free(message);
}

void
dacsa_teller_reply(DacsaTeller *self, uint64_t sequence, const GError *error)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("reply", sequence);

  if (sequence == 0 || dacsa_message_viewer(sequence) != self->viewer)
    return;
  dacsa_message_set_number(message, "errno", error ? dacsa_error_errno(error) : 0);
  if (error)
    dacsa_message_set(message, "message", error->message);
  send_message(self, g_steal_pointer(&message));
}

void
dacsa_teller_vm(DacsaTeller *self, const DacsaVm *vm)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("vm", 0);
  g_autofree char *status = dacsa_vm_status(vm);

  dacsa_message_set(message, "name", vm->address->name);
  dacsa_message_set(message, "status", status);
  dacsa_message_set_number(message, "serial", vm->serial);
  dacsa_message_set_number(message, "since", vm->since_us);
  if (vm->probe) {
    g_autofree char *life =
        g_strdup_printf("%d@%" G_GUINT64_FORMAT, (int)vm->probe->pid, vm->probe->start_time);

    dacsa_message_set(message, "life", life);
  }
  send_message(self, g_steal_pointer(&message));
}

void
dacsa_teller_vm_gone(DacsaTeller *self, const DacsaVm *vm)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("vm-gone", 0);

  dacsa_message_set(message, "name", vm->address->name);
  send_message(self, g_steal_pointer(&message));
}

static DacsaMessage *
snapshot_message(const char *verb, const DacsaRecord *record)
{
  DacsaMessage *message = dacsa_message_new(verb, 0);

  dacsa_message_set(message, "vm", record->vm);
  dacsa_message_set(message, "name", record->name);
  return message;
}

static int
open_proc(pid_t pid, const char *name)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, name);

  return open(path, O_RDONLY | O_CLOEXEC);
}

static bool
is_alive(const DacsaKept *kept)
{
  struct pollfd ended = {.fd = kept->pidfd, .events = POLLIN};

  return poll(&ended, 1, 0) == 0;
}

/* If the child still lives when its files are open, they are its own, and not another process's
 * that got its pid. */
void
dacsa_teller_snapshot(DacsaTeller *self, DacsaKept *kept)
{
  const DacsaRecord *record = kept->record;
  g_autoptr(DacsaMessage) message = snapshot_message("snapshot", record);

  dacsa_message_set_number(message, "serial", kept->serial);
  dacsa_message_set_number(message, "time", kept->shown++);
  dacsa_message_add_fd(message,
                       dacsa_state_open_record(self->state_path, record->vm, record->name));
  dacsa_message_add_fd(message, open_proc(record->child, "mem"));
  dacsa_message_add_fd(message, open_proc(record->child, "pagemap"));
  dacsa_message_add_fd(message, open_proc(record->child, "smaps_rollup"));
  if (!is_alive(kept))
    return; /* its end is about to be noticed */
  for (size_t i = 0; i < message->n_fds; i++)
    if (message->fds[i] < 0) {
      g_warning("%s/%s: its child cannot be read", record->vm, record->name);
      return;
    }
  send_message(self, g_steal_pointer(&message));
}

/* The record's file is gone: its text goes in one that has no name. */
static int
open_text(const char *text)
{
  const size_t len = strlen(text);
  int fd = memfd_create("dacsa-record", MFD_CLOEXEC);

  if (fd >= 0 && (write(fd, text, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) < 0)) {
    close(fd);
    fd = -1;
  }
  return fd;
}

void
dacsa_teller_tombstone(DacsaTeller *self, const DacsaTombstone *tombstone)
{
  g_autoptr(DacsaMessage) message = snapshot_message("buried", tombstone->record);
  g_autofree char *text = dacsa_record_to_text(tombstone->record);
  const int fd = open_text(text);

  dacsa_message_set(message, "why", tombstone->why);
  dacsa_message_set_number(message, "serial", tombstone->serial);
  dacsa_message_set_number(message, "dropped_us", tombstone->dropped_us);
  dacsa_message_set_number(message, "private_bytes", (int64_t)tombstone->private_bytes);
  if (fd >= 0)
    dacsa_message_add_fd(message, fd);
  send_message(self, g_steal_pointer(&message));
}

void
dacsa_teller_dropped(DacsaTeller *self, const DacsaRecord *record, const char *why)
{
  g_autoptr(DacsaMessage) message = snapshot_message("dropped", record);

  dacsa_message_set(message, "why", why);
  send_message(self, g_steal_pointer(&message));
}

/* A snapshot that is being dropped is not shown again. */
static void
tell_of_vm(DacsaVm *vm, void *data)
{
  if (!vm->listed)
    return;
  dacsa_teller_vm(data, vm);
  for (guint i = 0; i < vm->snapshots->len; i++) {
    DacsaKept *kept = g_ptr_array_index(vm->snapshots, i);

    if (!kept->why)
      dacsa_teller_snapshot(data, kept);
  }
  for (guint i = 0; i < vm->tombstones->len; i++)
    dacsa_teller_tombstone(data, g_ptr_array_index(vm->tombstones, i));
}

void
dacsa_teller_all_told(DacsaTeller *self)
{
  send_message(self, dacsa_message_new("all", 0));
}

void
dacsa_teller_everything(DacsaTeller *self, DacsaFleet *fleet)
{
  dacsa_fleet_foreach(fleet, tell_of_vm, self);
  dacsa_teller_all_told(self);
}
