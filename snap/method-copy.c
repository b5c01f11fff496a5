/* A snapshot by a copy. */
#include "snap/method-copy.h"

#include "snap/channel.h"
#include "snap/error.h"
#include "snap/holder.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GIB (UINT64_C(1) << 30)

/* How long the holder may take: what is slower than this hangs (a file on a server that is gone),
 * and a VM waits for it. */
#define BASE_US (10 * G_USEC_PER_SEC)
#define GIB_US (5 * G_USEC_PER_SEC)

typedef struct {
  int channel; /* to the holder, or -1 */
  uint64_t base;
} Copy;

static int64_t
deadline(const DacsaAcquisition *self)
{
  const uint64_t gib = (dacsa_layout_ram_bytes(self->probe->layout) + GIB - 1) / GIB;

  return g_get_monotonic_time() + BASE_US + (int64_t)gib * GIB_US;
}

static bool
await_message(const Copy *copy, int64_t until, GError **error)
{
  struct pollfd polls = {.fd = copy->channel, .events = POLLIN};
  int ready;

  do {
    const int64_t left = MAX(0, until - g_get_monotonic_time());

    ready = poll(&polls, 1, (int)(left / 1000));
  } while (ready < 0 && errno == EINTR);
  return ready > 0 || dacsa_fail(error, DACSA_ERROR_BUSY, "copying the VM's memory takes too long");
}

static bool
exchange(const Copy *copy, const DacsaMessage *message, int64_t until, DacsaMessage **ret,
         GError **error)
{
  const bool sent = dacsa_channel_send(copy->channel, message, NULL);

  if (sent && !await_message(copy, until, error))
    return false;
  return (sent && dacsa_channel_receive(copy->channel, ret, NULL)) ||
         dacsa_fail(error, DACSA_ERROR_BUSY,
                    "the process that copies the VM's memory was killed: out of memory?");
}

/* Sends the message and waits for the answer wanted. Owned. */
static bool
ask(const Copy *copy, const DacsaMessage *message, const char *wanted, int64_t until,
    DacsaMessage **ret, GError **error)
{
  g_autoptr(DacsaMessage) answer = NULL;

  if (!exchange(copy, message, until, &answer, error))
    return false;
  if (strcmp(answer->verb, "failed") == 0)
    return dacsa_fail(error, (DacsaError)atoi(dacsa_message_get(answer, "code")), "%s",
                      dacsa_message_get(answer, "message"));
  if (strcmp(answer->verb, wanted) != 0)
    return dacsa_fail(error, DACSA_ERROR_BAD_DATA, "the copying process says %s", answer->verb);
  *ret = g_steal_pointer(&answer);
  return true;
}

/* The layout goes as a file: it may be longer than a message. */
static bool
add_layout(DacsaMessage *message, const DacsaLayout *layout, GError **error)
{
  g_autofree char *text = dacsa_layout_to_text(layout);
  const ssize_t len = (ssize_t)strlen(text);
  const int fd = memfd_create("layout", MFD_CLOEXEC);

  if (fd < 0 || write(fd, text, (size_t)len) != len) {
    const int errsv = errno;
    if (fd >= 0)
      close(fd);
    return dacsa_fail_errno(error, errsv, "cannot write a layout");
  }
  dacsa_message_add_fd(message, fd);
  return true;
}

/* The pidfd is of the process that answered: it is asked again, and answers nobody else. */
static bool
prepare_holder(DacsaAcquisition *self, Copy *copy, GError **error)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("prepare", 0);
  g_autoptr(DacsaMessage) answer = NULL;
  g_autofree char *pid = g_strdup_printf("%d", (int)self->probe->pid);

  dacsa_message_set(message, "pid", pid);
  if (!add_layout(message, self->probe->layout, error) ||
      !ask(copy, message, "prepared", deadline(self), &answer, error))
    return false;
  copy->base = g_ascii_strtoull(dacsa_message_get(answer, "base"), NULL, 10);
  self->child = (pid_t)g_ascii_strtoll(dacsa_message_get(answer, "pid"), NULL, 10);
  self->pidfd = (int)syscall(SYS_pidfd_open, self->child, 0);
  return self->pidfd >= 0 ||
         dacsa_fail_errno(error, errno, "cannot open the copying process's pidfd");
}

static bool
copy_prepare(DacsaAcquisition *self, GError **error)
{
  Copy *copy = g_new0(Copy, 1);

  self->state = copy;
  copy->channel = -1;
  return dacsa_holder_start(self->label, &copy->channel, error) &&
         prepare_holder(self, copy, error);
}

static bool
copy_acquire(DacsaAcquisition *self, GError **error)
{
  g_autoptr(DacsaMessage) message = dacsa_message_new("copy", 0);
  g_autoptr(DacsaMessage) answer = NULL;

  return ask(self->state, message, "copied", deadline(self), &answer, error);
}

static bool
copy_settle(DacsaAcquisition *self, DacsaRecord *record, GError **error)
{
  const Copy *copy = self->state;
  g_autoptr(DacsaMessage) message = dacsa_message_new("keep", 0);

  record->layout = dacsa_holder_layout(self->probe->layout, copy->base);
  return dacsa_channel_send(copy->channel, message, error) &&
         dacsa_method_await_parked(self->child, error);
}

static void
copy_free_state(DacsaAcquisition *self)
{
  Copy *copy = self->state;

  if (copy && copy->channel >= 0)
    close(copy->channel);
  g_free(copy);
}

const DacsaMethod dacsa_method_copy = {"copy",       DACSA_METHOD_COPY, copy_prepare,
                                       copy_acquire, copy_settle,       copy_free_state};
