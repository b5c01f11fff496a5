/* Probes: made again, one at a time of a VM, and a few for the clock's sake. Nobody listens
 * anywhere, so that each fails. */
#include "check.h"

#include "snap/fleet.h"

#include <glib/gstdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define N_VMS 12u
#define MOST 4u /* that are probed together because the clock says so */

typedef struct {
  DacsaFleet *fleet;
  char *tmp;
  char *qmp[N_VMS + 1]; /* NAME=SOCKET */
  unsigned probed, most;
} Fixture;

static void
count_probing(DacsaVm *vm, void *data)
{
  *(unsigned *)data += vm->probing;
}

static void
on_vm(DacsaVm *vm, void *data)
{
  (void)vm;
  (void)data;
}

static void
on_probed(DacsaVm *vm, uint64_t sequence, const GError *error, void *data)
{
  Fixture *f = data;
  unsigned probing = 0;

  (void)vm;
  (void)sequence;
  (void)error;
  f->probed++;
  dacsa_fleet_foreach(f->fleet, count_probing, &probing);
  f->most = MAX(f->most, probing);
}

static void
set_up(Fixture *f, const void *uri)
{
  const DacsaFleetOptions options = {.uri = uri,
                                     .qmp = (const char *const *)f->qmp,
                                     .qmp_awaited = true,
                                     .changed = on_vm,
                                     .gone = on_vm,
                                     .probed = on_probed,
                                     .data = f};
  g_autoptr(GError) error = NULL;

  f->tmp = g_dir_make_tmp("test-fleet-XXXXXX", NULL);
  for (unsigned i = 0; i < N_VMS; i++)
    f->qmp[i] = g_strdup_printf("vm%u=%s/vm%u", i, f->tmp, i);
  CHECK_OK(dacsa_fleet_new(&options, &f->fleet, &error), error);
}

static void
tear_down(Fixture *f, const void *uri)
{
  unsigned probing;

  (void)uri;
  do { /* a worker's end comes to the fleet */
    probing = 0;
    dacsa_fleet_foreach(f->fleet, count_probing, &probing);
    if (probing > 0)
      g_main_context_iteration(NULL, TRUE);
  } while (probing > 0);
  dacsa_fleet_free(f->fleet);
  for (unsigned i = 0; i < N_VMS; i++)
    g_free(f->qmp[i]);
  g_rmdir(f->tmp);
  g_free(f->tmp);
}

static void
await_probed(const Fixture *f, unsigned times)
{
  while (f->probed < times)
    g_main_context_iteration(NULL, TRUE);
}

/* There is no descriptor for the worker's pipe. */
static void
test_no_worker(Fixture *f, const void *data)
{
  g_autofree char *socket = g_build_filename(f->tmp, "vm0", NULL);
  const DacsaVm *vm = dacsa_fleet_find(f->fleet, "vm0");
  struct rlimit limit, none;

  (void)data;
  g_assert_true(g_file_set_contents(socket, "", 0, NULL));
  g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
  none = (struct rlimit){0, limit.rlim_max};
  g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
  dacsa_fleet_start(f->fleet);
  g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_cmpuint(f->probed, ==, 1);
  g_assert_false(vm->probing);
  g_assert_cmpuint(vm->retry, !=, 0);
  await_probed(f, 2);
  g_unlink(socket);
}

static void
make_stale(DacsaVm *vm, void *data)
{
  (void)data;
  vm->stale = true;
}

static void
test_few_at_a_time(Fixture *f, const void *data)
{
  (void)data;
  dacsa_fleet_foreach(f->fleet, make_stale, NULL);
  dacsa_fleet_probe(f->fleet, dacsa_fleet_find(f->fleet, "vm0"), 1);
  await_probed(f, N_VMS);
  g_assert_cmpuint(f->most, <, MOST); /* one less, when one is over */
}

static unsigned
count_children(void)
{
  g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", (int)getpid());
  g_autofree char *text = NULL;
  unsigned n = 0;

  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  for (const char *c = text; *c; c++)
    n += *c == ' ';
  return n;
}

/* A domain that is started again while its last life is still being looked at. */
static void
test_returned(Fixture *f, const void *data)
{
  const unsigned before = count_children();

  (void)data;
  dacsa_fleet_start(f->fleet);
  DacsaVm *vm = dacsa_fleet_find(f->fleet, "test");
  g_assert_nonnull(vm);
  g_assert_true(vm->probing);
  vm->running = false; /* its end */
  dacsa_fleet_start(f->fleet);
  g_assert_true(vm->running);
  g_assert_cmpuint(count_children(), ==, before + 1);
  await_probed(f, 1);
  g_assert_false(vm->outdated);
  vm->tries = 0;
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add("/fleet/no-worker", Fixture, NULL, set_up, test_no_worker, tear_down);
  g_test_add("/fleet/few-at-a-time", Fixture, NULL, set_up, test_few_at_a_time, tear_down);
  g_test_add("/fleet/returned", Fixture, "test:///default", set_up, test_returned, tear_down);
  return g_test_run();
}
