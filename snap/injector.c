/* The thread that traces QEMU, and QEMU continued when it has ended. */
#include "snap/injector.h"

#include <signal.h>

struct DacsaInjector {
  const DacsaInjection *injection;
  GThread *thread; /* NULL once joined */
  GMutex lock;     /* of is_ready and order */
  GCond ordered;   /* or ready */
  bool is_ready;
  enum { ORDER_NONE, ORDER_FORK, ORDER_LEAVE } order;
  DacsaInjected injected; /* what came of it */
  bool ok;
  GError *error;
};

/* ptrace belongs to a thread: when this one ends, whatever it still traces is let go. */
static void *
injector_thread(void *data)
{
  DacsaInjector *injector = data;

  g_free(g_malloc(1)); /* makes the thread's heap */
  g_mutex_lock(&injector->lock);
  injector->is_ready = true;
  g_cond_signal(&injector->ordered);
  while (injector->order == ORDER_NONE)
    g_cond_wait(&injector->ordered, &injector->lock);
  bool fork = injector->order == ORDER_FORK;
  g_mutex_unlock(&injector->lock);
  if (fork)
    injector->ok = dacsa_inject_run(injector->injection, &injector->injected, &injector->error);
  return NULL;
}

/* A thread that is not there yet would take its first steps in the pause. */
static void
await_ready(DacsaInjector *injector)
{
  g_mutex_lock(&injector->lock);
  while (!injector->is_ready)
    g_cond_wait(&injector->ordered, &injector->lock);
  g_mutex_unlock(&injector->lock);
}

/* Once nothing traces QEMU any more: it is stopped where the tracer left it. A stop of somebody
 * else's that came meanwhile went with ours. */
static void
continue_group(const DacsaInjector *injector)
{
  if (injector->injected.group_stopped)
    kill(injector->injection->pid, SIGCONT);
  if (injector->injected.foreign_stop)
    kill(injector->injection->pid, SIGSTOP);
}

static void
give_order(DacsaInjector *injector, int order)
{
  if (!injector->thread)
    return;
  g_mutex_lock(&injector->lock);
  injector->order = order;
  g_cond_signal(&injector->ordered);
  g_mutex_unlock(&injector->lock);
  g_thread_join(g_steal_pointer(&injector->thread));
  continue_group(injector);
}

bool
dacsa_injector_new(const DacsaInjection *injection, DacsaInjector **ret, GError **error)
{
  DacsaInjector *injector = g_new0(DacsaInjector, 1);

  injector->injection = injection;
  injector->injected.pidfd = -1;
  g_mutex_init(&injector->lock);
  g_cond_init(&injector->ordered);
  injector->thread = g_thread_try_new("injector", injector_thread, injector, error);
  if (!injector->thread) {
    dacsa_injector_free(injector);
    return false;
  }
  await_ready(injector);
  *ret = injector;
  return true;
}

void
dacsa_injector_free(DacsaInjector *injector)
{
  if (!injector)
    return;
  give_order(injector, ORDER_LEAVE);
  g_clear_error(&injector->error);
  g_cond_clear(&injector->ordered);
  g_mutex_clear(&injector->lock);
  g_free(injector);
}

bool
dacsa_injector_fork(DacsaInjector *injector, pid_t *ret_child, int *ret_pidfd, GError **error)
{
  give_order(injector, ORDER_FORK);
  if (!injector->ok) {
    g_propagate_error(error, g_steal_pointer(&injector->error));
    return false;
  }
  *ret_child = injector->injected.child;
  *ret_pidfd = injector->injected.pidfd;
  return true;
}

bool
dacsa_inject_fork(const DacsaInjection *injection, pid_t *ret_child, int *ret_pidfd, GError **error)
{
  g_autoptr(DacsaInjector) injector = NULL;

  return dacsa_injector_new(injection, &injector, error) &&
         dacsa_injector_fork(injector, ret_child, ret_pidfd, error);
}
