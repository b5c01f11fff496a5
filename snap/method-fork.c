/* A snapshot by an injected fork. */
#include "snap/method-fork.h"

#include "snap/error.h"
#include "snap/forkmap.h"
#include "snap/injector.h"
#include "snap/procmaps.h"

#include <errno.h>
#include <signal.h>

#define RETRY_US (20 * 1000)

typedef struct {
  DacsaInjection injection;
  DacsaInjector *injector;
} Fork;

/* Whether QEMU can be stopped and continued, where it has to be. Security modules tell signal by
 * signal: preflight could ask only for the one that is none. QEMU has just answered its monitor, so
 * it is not stopped, and this one does nothing. */
static bool
check_signals(const DacsaInjection *injection, GError **error)
{
  return !injection->stop_group || kill(injection->pid, SIGCONT) == 0 || errno == ESRCH ||
         dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                    "dacsa may not send signals to QEMU (%s); let its profile send them and QEMU's "
                    "receive them (AppArmor: signal (send) peer=..., signal (receive) peer=...)",
                    g_strerror(errno));
}

/* QEMU's mappings come and go as it works, so they are looked at each time. */
static bool
fork_prepare(DacsaAcquisition *self, GError **error)
{
  const DacsaProbe *probe = self->probe;
  Fork *fork = g_new0(Fork, 1);
  g_autoptr(GArray) host = NULL;

  self->state = fork;
  if (!dacsa_procmaps_read(probe->pid, &host, error) ||
      !dacsa_forkmap_build(host, probe->layout, &probe->gadgets, &self->vmas, error))
    return false;
  fork->injection = (DacsaInjection){.pid = probe->pid,
                                     .gadgets = probe->gadgets,
                                     .vmas = self->vmas,
                                     .stop_group = dacsa_inject_needs_stop(probe->pid)};
  return check_signals(&fork->injection, error) &&
         dacsa_injector_new(&fork->injection, &fork->injector, error);
}

/* Tries again where QEMU's main thread was at a place where it could not be done, and only if that
 * was found out at once: the VM is paused. */
static bool
fork_acquire(DacsaAcquisition *self, GError **error)
{
  Fork *fork = self->state;
  int64_t deadline = g_get_monotonic_time() + RETRY_US;
  g_autoptr(GError) failure = NULL;

  fork->injection.journal = self->journal;
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
fork_settle(DacsaAcquisition *self, DacsaRecord *record, GError **error)
{
  record->layout = dacsa_layout_copy(self->probe->layout);
  return dacsa_method_await_parked(self->child, error);
}

static void
fork_free_state(DacsaAcquisition *self)
{
  Fork *fork = self->state;

  if (fork)
    dacsa_injector_free(fork->injector);
  g_free(fork);
}

const DacsaMethod dacsa_method_fork = {"fork",       DACSA_METHOD_FORK, fork_prepare,
                                       fork_acquire, fork_settle,       fork_free_state};
