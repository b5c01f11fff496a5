/* Which requests wait for a VM to be looked at, and what becomes of those that cannot. */
#include "check.h"

#include "snap/channel.h"
#include "snap/requests.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define VIEWER 7u
#define MANY 128 /* requests that wait for one VM */

typedef struct {
  DacsaRequests requests;
  DacsaVm *vm; /* awaited, and being looked at */
  int viewer;  /* its end of the channel */
  int keeper;
  unsigned due, changed; /* what the schedule tells */
} Fixture;

static void
on_vm(DacsaVm *vm, void *data)
{
  (void)vm;
  (void)data;
}

static void
on_probed(DacsaVm *vm, uint64_t sequence, const GError *error, void *data)
{
  (void)vm;
  (void)sequence;
  (void)error;
  (void)data;
}

static void
on_over(DacsaVm *vm, const DacsaTakeRequest *request, const GError *error, void *data)
{
  (void)vm;
  (void)request;
  (void)error;
  (void)data;
}

static void
ask(Fixture *f, const char *verb, uint64_t sequence)
{
  DacsaMessage *message = dacsa_message_new(verb, sequence);

  dacsa_message_set(message, "vm", "vm");
  dacsa_message_set(message, "name", "one");
  dacsa_requests_handle(&f->requests, message);
}

static void
on_due(DacsaVm *vm, const char *name, void *data)
{
  Fixture *f = data;

  (void)vm;
  (void)name;
  f->due++;
  ask(f, "take", 0);
}

static void
on_next_changed(DacsaVm *vm, void *data)
{
  Fixture *f = data;

  (void)vm;
  f->changed++;
}

static void
set_up(Fixture *f, const void *data)
{
  static const char *const qmp[] = {"vm=/nonexistent/qmp", NULL};
  static const char *const every[] = {"1s", NULL};
  const DacsaPolicies policies = {{[DACSA_POLICY_EVERY] = every}};
  const DacsaFleetOptions fleet = {
      .qmp = qmp, .qmp_awaited = true, .changed = on_vm, .gone = on_vm, .probed = on_probed};
  g_autoptr(GError) error = NULL;
  int ends[2];

  (void)data;
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
  f->viewer = ends[0];
  f->keeper = ends[1];
  CHECK_OK(dacsa_fleet_new(&fleet, &f->requests.fleet, &error), error);
  CHECK_OK(dacsa_takes_new("/nonexistent", on_over, NULL, &f->requests.takes, &error), error);
  const DacsaScheduleOptions schedule = {f->requests.fleet, NULL, policies, on_due,
                                         on_next_changed,   f};
  f->requests.schedule = dacsa_schedule_new(&schedule);
  f->requests.teller = dacsa_teller_new("/nonexistent");
  dacsa_teller_listen(f->requests.teller, f->keeper, VIEWER);
  f->vm = dacsa_fleet_find(f->requests.fleet, "vm");
  f->vm->probing = true;
}

static void
tear_down(Fixture *f, const void *data)
{
  (void)data;
  dacsa_takes_free(f->requests.takes);
  dacsa_schedule_free(f->requests.schedule);
  dacsa_teller_free(f->requests.teller);
  dacsa_fleet_free(f->requests.fleet);
  close(f->viewer);
  close(f->keeper);
}

/* What the viewer is answered; -1: nothing yet. */
static int64_t
answer(const Fixture *f)
{
  struct pollfd p = {.fd = f->viewer, .events = POLLIN};
  g_autoptr(DacsaMessage) message = NULL;
  g_autoptr(GError) error = NULL;
  int64_t errsv;

  if (poll(&p, 1, 0) == 0)
    return -1;
  CHECK_OK(dacsa_channel_receive(f->viewer, &message, &error), error);
  g_assert_cmpstr(message->verb, ==, "reply");
  g_assert_true(dacsa_message_get_number(message, "errno", 0, 4095, &errsv));
  return errsv;
}

/* It was not to be reached when it was last looked at, as it is again just now. */
static void
test_absent(Fixture *f, const void *data)
{
  (void)data;
  f->vm->unreachable = g_strdup("it does not speak QMP");
  ask(f, "take", dacsa_message_sequence(VIEWER, 1));
  g_assert_cmpint(answer(f), ==, EOPNOTSUPP);
  g_assert_cmpuint(f->vm->waiting->len, ==, 0);
  ask(f, "refresh", dacsa_message_sequence(VIEWER, 2)); /* that is to wait */
  g_assert_cmpint(answer(f), ==, -1);
  g_assert_cmpuint(f->vm->waiting->len, ==, 1);
}

static void
test_not_known_yet(Fixture *f, const void *data)
{
  (void)data;
  ask(f, "take", dacsa_message_sequence(VIEWER, 1));
  g_assert_cmpint(answer(f), ==, -1);
  g_assert_cmpuint(f->vm->waiting->len, ==, 1);
}

static void
crowd(Fixture *f)
{
  for (uint32_t i = 0; i < MANY; i++)
    ask(f, "refresh", dacsa_message_sequence(VIEWER, i));
  g_assert_cmpuint(f->vm->waiting->len, ==, MANY);
}

static void
test_crowded(Fixture *f, const void *data)
{
  static const char *const verbs[] = {"refresh", "take", "drop"};

  (void)data;
  crowd(f);
  for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++) {
    ask(f, verbs[i], dacsa_message_sequence(VIEWER, MANY + (uint32_t)i));
    g_assert_cmpint(answer(f), ==, EBUSY);
  }
  g_assert_cmpuint(f->vm->waiting->len, ==, MANY);
}

/* The schedule goes on: its timer is set again. */
static void
test_crowded_schedule(Fixture *f, const void *data)
{
  (void)data;
  f->vm->running = true;
  crowd(f);
  dacsa_teller_listen(f->requests.teller, -1, 0);
  dacsa_schedule_start(f->requests.schedule);
  g_assert_cmpuint(f->changed, ==, 1);
  while (f->due == 0)
    g_main_context_iteration(NULL, TRUE);
  g_assert_cmpuint(f->changed, ==, 2);
  f->vm->running = false;
}

#define ADD(name, function)                                                                        \
  g_test_add("/requests/" name, Fixture, NULL, set_up, test_##function, tear_down)

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  ADD("absent", absent);
  ADD("not-known-yet", not_known_yet);
  ADD("crowded", crowded);
  ADD("crowded-schedule", crowded_schedule);
  return g_test_run();
}
