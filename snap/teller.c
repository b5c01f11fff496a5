/* Messages to the viewer. */
#include "snap/teller.h"

#include "snap/channel.h"
#include "snap/error.h"
#include "snap/state.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct DacsaTeller {
  char *state_path;
  int channel; /* or -1: nobody listens */
  uint32_t viewer;
};

DacsaTeller *
dacsa_teller_new(const char *state_path)
{
  DacsaTeller *self = g_new0(DacsaTeller, 1);

  self->state_path = g_strdup(state_path);
  self->channel = -1;
  return self;
}

void
dacsa_teller_free(DacsaTeller *self)
{
  if (!self)
    return;
  g_free(self->state_path);
  g_free(self);
}

void
dacsa_teller_listen(DacsaTeller *self, int channel, uint32_t viewer)
{
  self->channel = channel;
  self->viewer = viewer;
}

static void
send_message(DacsaTeller *self, const DacsaMessage *message)
{
  g_autoptr(GError) error = NULL;

  if (self->channel < 0 || dacsa_channel_send(self->channel, message, &error) ||
      g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND))
    return; /* a viewer that is gone is noticed by the main loop */
  g_warning("%s", error->message);
  /* It hangs, or has been taken over: this has the main loop end it, and start another one. */
  if (g_error_matches(error, DACSA_ERROR, DACSA_ERROR_BUSY)) {
    shutdown(self->channel, SHUT_RDWR);
    self->channel = -1;
  }
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
  send_message(self, message);
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
  send_message(self, message);
}

void
dacsa_teller_vm_gone(DacsaTeller *self, const DacsaVm *vm)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("vm-gone", 0);

  dacsa_message_set(message, "name", vm->address->name);
  send_message(self, message);
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
  send_message(self, message);
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
  send_message(self, message);
}

void
dacsa_teller_dropped(DacsaTeller *self, const DacsaRecord *record, const char *why)
{
  g_autoptr(DacsaMessage) message = snapshot_message("dropped", record);

  dacsa_message_set(message, "why", why);
  send_message(self, message);
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
  g_autoptr(DacsaMessage) all = dacsa_message_new("all", 0);

  send_message(self, all);
}

void
dacsa_teller_everything(DacsaTeller *self, DacsaFleet *fleet)
{
  dacsa_fleet_foreach(fleet, tell_of_vm, self);
  dacsa_teller_all_told(self);
}
