/* Passes that are ended for a take, with a fleet of one VM and passes that do nothing but last. */
#include "check.h"

#include "snap/collapse.h"
#include "snap/collapser.h"
#include "snap/worker.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_STOP (SIGTRAP | PTRACE_EVENT_EXIT << 8)
#define LONGER_MS 1500 /* than a turn waits */

static DacsaVm *the_vm;

/* What workers tell: shared with them. */
static struct {
  gint passes; /* begun */
  pid_t worker;
} * shared;

/* -- in place of snap/fleet.c and snap/collapse.c -- */

DacsaVm *
dacsa_fleet_find(DacsaFleet *fleet, const char *name)
{
  (void)fleet;
  return g_str_equal(name, the_vm->address->name) ? the_vm : NULL;
}

bool
dacsa_collapse_run(const DacsaProbe *probe, DacsaCollapsed *ret, GError **error)
{
  (void)probe;
  (void)ret;
  shared->worker = getpid();
  g_atomic_int_inc(&shared->passes);
  for (;;)
    pause();
  return dacsa_fail(error, DACSA_ERROR_OS, "not reached");
}

void
dacsa_collapsed_clear(DacsaCollapsed *collapsed)
{
  g_clear_pointer(&collapsed->stopped, g_free);
}

GVariant *
dacsa_collapsed_to_variant(const DacsaCollapsed *collapsed)
{
  return g_variant_new_uint64(collapsed->collapsed);
}

bool
dacsa_collapsed_from_variant(GVariant *variant, DacsaCollapsed *ret, GError **error)
{
  (void)error;
  *ret = (DacsaCollapsed){.collapsed = g_variant_get_uint64(variant)};
  return true;
}

/* -- tests -- */

static gboolean
on_time(void *data)
{
  *(bool *)data = true;
  return G_SOURCE_REMOVE;
}

static void
await_pass(gint number)
{
  while (g_atomic_int_get(&shared->passes) < number)
    g_main_context_iteration(NULL, FALSE);
}

/* Until all workers are reaped. */
static void
finish(void)
{
  while (waitpid(-1, NULL, WNOHANG | WNOWAIT) >= 0)
    g_main_context_iteration(NULL, FALSE);
}

static DacsaCollapser *
begin(void)
{
  shared->passes = 0;
  DacsaCollapser *collapser = dacsa_collapser_new(NULL);
  dacsa_collapser_note(collapser, the_vm);
  await_pass(1);
  return collapser;
}

/* Killed, and not gone: it stops as it ends, as one does that is in a long call. Every take waits
 * for it, and no other pass begins, until it is. */
static void
test_holds_on(void)
{
  DacsaCollapser *collapser = begin();
  const pid_t worker = shared->worker;
  bool late = false;
  int status;

  if (ptrace(PTRACE_SEIZE, worker, 0, PTRACE_O_TRACEEXIT) < 0) {
    g_test_skip("no child can be traced here");
    dacsa_collapser_free(collapser);
    finish();
    return;
  }
  g_assert_cmpint(dacsa_collapser_yield(collapser, the_vm), ==, worker);
  g_assert_cmpint(waitpid(worker, &status, __WALL), ==, worker);
  g_assert_cmpint(status >> 8, ==, EXIT_STOP);
  g_assert_false(dacsa_worker_await(worker, 0));
  g_assert_cmpint(dacsa_collapser_yield(collapser, the_vm), ==, worker);

  dacsa_collapser_note(collapser, the_vm); /* that take has failed */
  g_timeout_add(LONGER_MS, on_time, &late);
  while (!late)
    g_main_context_iteration(NULL, TRUE);
  g_assert_cmpint(g_atomic_int_get(&shared->passes), ==, 1);
  g_assert_cmpint(dacsa_collapser_yield(collapser, the_vm), ==, worker);
  dacsa_collapser_note(collapser, the_vm);

  g_assert_cmpint((int)ptrace(PTRACE_DETACH, worker, 0, 0), ==, 0);
  await_pass(2);
  g_assert_true(dacsa_worker_await(worker, 0));
  g_assert_cmpint(dacsa_collapser_yield(collapser, the_vm), ==, shared->worker);
  while (dacsa_collapser_yield(collapser, the_vm) != 0)
    g_main_context_iteration(NULL, TRUE);
  finish();
  dacsa_collapser_free(collapser);
}

/* A pass that dies of something else is tried again. */
static void
test_dies(void)
{
  DacsaCollapser *collapser = begin();

  dacsa_collapser_note(collapser, the_vm);
  g_assert_cmpint(kill(shared->worker, SIGKILL), ==, 0);
  await_pass(2);
  dacsa_collapser_free(collapser);
  finish();
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true(shared != MAP_FAILED);
  the_vm = dacsa_vm_new(dacsa_vm_address_new("vm", NULL, NULL, NULL));
  the_vm->running = true;
  the_vm->probe = g_new0(DacsaProbe, 1);
  g_test_add_func("/collapser/holds-on", test_holds_on);
  g_test_add_func("/collapser/dies", test_dies);
  const int status = g_test_run();
  dacsa_vm_free(the_vm);
  munmap(shared, sizeof(*shared));
  return status;
}
