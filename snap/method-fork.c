/* A snapshot by an injected fork. */
#include "snap/method-fork.h"

#include "snap/error.h"
#include "snap/injector.h"

#include <sys/syscall.h>
#include <unistd.h>

#define RETRY_US (20 * 1000)
#define PARK_US (10 * G_USEC_PER_SEC)

typedef struct {
  DacsaInjection injection;
  DacsaInjector *injector;
} Fork;

static bool
fork_prepare(DacsaAcquisition *self, GError **error)
{
  const DacsaProbe *probe = self->probe;
  Fork *fork = g_new0(Fork, 1);

  self->state = fork;
  fork->injection = (DacsaInjection){.pid = probe->pid,
                                     .gadgets = probe->gadgets,
                                     .vmas = probe->vmas,
                                     .stop_group = dacsa_inject_needs_stop(probe->pid),
                                     .journal = self->journal};
  return dacsa_injector_new(&fork->injection, &fork->injector, error);
}

/* Tries again where QEMU's main thread was at a place where it could not be done, and only if that
 * was found out at once: the VM is paused. */
static bool
fork_acquire(DacsaAcquisition *self, GError **error)
{
  const Fork *fork = self->state;
  int64_t deadline = g_get_monotonic_time() + RETRY_US;
  g_autoptr(GError) failure = NULL;
  bool ok = dacsa_injector_fork(fork->injector, &self->child, &self->pidfd, &failure);

  while (!ok && g_error_matches(failure, DACSA_ERROR, DACSA_ERROR_BUSY) &&
         g_get_monotonic_time() < deadline) {
    g_clear_error(&failure);
    ok = dacsa_inject_fork(&fork->injection, &self->child, &self->pidfd, &failure);
  }
  if (!ok)
    g_propagate_error(error, g_steal_pointer(&failure));
  return ok;
}

static bool
has_open_files(pid_t pid)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)pid);
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

  return !dir || g_dir_read_name(dir) != NULL;
}

/* Waits until the child sits in pause(2) with nothing open: parked. It is on its way there by
 * itself. Reads /proc/PID/syscall, whose first word is the call's number. */
static bool
fork_settle(DacsaAcquisition *self, DacsaRecord *record, GError **error)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/syscall", (int)self->child);
  g_autofree char *want = g_strdup_printf("%d ", SYS_pause);
  int64_t deadline = g_get_monotonic_time() + PARK_US;

  for (useconds_t nap = 50; g_get_monotonic_time() < deadline; nap = MIN(nap * 2, 10000)) {
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
      return dacsa_fail(error, DACSA_ERROR_BUSY,
                        "the snapshot died before it was parked (killed "
                        "by the kernel: out of memory, or seccomp)");
    if (g_str_has_prefix(text, want) && !has_open_files(self->child)) {
      record->layout = dacsa_layout_copy(self->probe->layout);
      return true;
    }
    usleep(nap);
  }
  return dacsa_fail(error, DACSA_ERROR_BUSY, "the snapshot was not parked in time");
}

static void
fork_free_state(DacsaAcquisition *self)
{
  Fork *fork = self->state;

  if (fork)
    dacsa_injector_free(fork->injector);
  g_free(fork);
}

const DacsaMethod dacsa_method_fork = {"fork", fork_prepare, fork_acquire, fork_settle,
                                       fork_free_state};
