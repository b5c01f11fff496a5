/* Messages to one that reads, that reads slowly, and that does not. */
#include "check.h"

#include "snap/outbox.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define MANY 3000 /* more than the kernel keeps for one that does not read */
#define PATIENT_MS (3600 * 1000)

typedef struct {
  int ends[2];
  DacsaOutbox *outbox;
} Fixture;

static void
set_up(Fixture *f, guint stall_ms, size_t max_bytes)
{
  const DacsaOutboxLimits limits = {stall_ms, max_bytes};
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_channel_pair(f->ends, &error), error);
  f->outbox = dacsa_outbox_new(f->ends[0], &limits);
}

static void
tear_down(Fixture *f)
{
  dacsa_outbox_free(f->outbox);
  close(f->ends[0]);
  if (f->ends[1] >= 0)
    close(f->ends[1]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

static void
send_numbers(Fixture *f, uint64_t from, uint64_t to)
{
  for (uint64_t i = from; i < to; i++)
    dacsa_outbox_send(f->outbox, dacsa_message_new("reply", i));
}

static bool
is_readable(const Fixture *f)
{
  struct pollfd end = {.fd = f->ends[1], .events = POLLIN};

  return poll(&end, 1, 0) == 1 && end.revents & POLLIN;
}

/* Waits for the next message, in the main loop as the keeper does. */
static DacsaMessage *
receive(Fixture *f)
{
  g_autoptr(GError) error = NULL;
  DacsaMessage *message;

  while (!is_readable(f))
    g_main_context_iteration(NULL, TRUE);
  CHECK_OK(dacsa_channel_receive(f->ends[1], &message, &error), error);
  return message;
}

/* Whether the other end hears of an end, after what it has not read yet. */
static bool
is_shut_down(Fixture *f)
{
  struct pollfd end = {.fd = f->ends[1]};

  return poll(&end, 1, 0) == 1 && end.revents & POLLHUP;
}

/* Nobody waits for one that reads nothing for a while; then it gets all of it, in order. */
static void
test_order(void)
{
  g_auto(Fixture) f;

  set_up(&f, PATIENT_MS, SIZE_MAX);
  send_numbers(&f, 0, MANY);
  for (uint64_t i = 0; i < 2 * MANY; i++) {
    g_autoptr(DacsaMessage) message = receive(&f);

    g_assert_cmpuint(message->sequence, ==, i);
    if (i == MANY / 2)
      send_numbers(&f, MANY, 2 * MANY); /* behind those that wait yet */
  }
  g_assert_false(is_readable(&f));
  g_assert_false(is_shut_down(&f));
}

static void
send_descriptor(Fixture *f)
{
  DacsaMessage *message = dacsa_message_new("snapshot", MANY);

  dacsa_message_add_fd(message, dup(0));
  dacsa_outbox_send(f->outbox, message);
}

/* One that arrives, and one that waits to the end. */
static void
test_descriptors(void)
{
  const int before = check_next_descriptor();
  {
    g_auto(Fixture) f;

    set_up(&f, PATIENT_MS, SIZE_MAX);
    send_numbers(&f, 0, MANY);
    send_descriptor(&f);
    for (uint64_t i = 0; i < MANY; i++)
      dacsa_message_free(receive(&f));
    g_autoptr(DacsaMessage) got = receive(&f);
    g_assert_cmpuint(got->n_fds, ==, 1);
    send_numbers(&f, 0, MANY);
    send_descriptor(&f);
  }
  g_assert_cmpint(check_next_descriptor(), ==, before);
}

/* One that reads nothing at all. */
static void
test_stall(void)
{
  g_auto(Fixture) f;

  set_up(&f, 50, SIZE_MAX);
  g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*does not read its messages");
  send_numbers(&f, 0, MANY);
  g_assert_false(is_shut_down(&f));
  while (!is_shut_down(&f))
    g_main_context_iteration(NULL, TRUE);
  g_test_assert_expected_messages();
  send_numbers(&f, 0, MANY);
  g_assert_false(g_main_context_pending(NULL)); /* nothing is left to do */
}

/* One that has too much come, whether it reads or not. */
static void
test_too_much(void)
{
  g_autofree char *text = g_strnfill(10000, 'x');
  g_auto(Fixture) f;

  set_up(&f, PATIENT_MS, MANY * DACSA_OUTBOX_COST);
  send_numbers(&f, 0, MANY);
  g_assert_false(is_shut_down(&f));
  g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*does not read its messages");
  for (unsigned i = 0; i < MANY / 10; i++) { /* few, but long */
    DacsaMessage *message = dacsa_message_new("reply", 0);

    dacsa_message_set(message, "message", text);
    dacsa_outbox_send(f.outbox, message);
  }
  g_test_assert_expected_messages();
  g_assert_true(is_shut_down(&f));
}

/* One that goes while something waits for it: whoever reads the channel hears of it. */
static void
test_gone(void)
{
  g_auto(Fixture) f;

  set_up(&f, PATIENT_MS, SIZE_MAX);
  send_numbers(&f, 0, MANY);
  close(f.ends[1]);
  f.ends[1] = -1;
  while (g_main_context_iteration(NULL, FALSE))
    ;
  send_numbers(&f, 0, MANY);
  g_assert_false(g_main_context_pending(NULL));
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/outbox/order", test_order);
  g_test_add_func("/outbox/descriptors", test_descriptors);
  g_test_add_func("/outbox/stall", test_stall);
  g_test_add_func("/outbox/too-much", test_too_much);
  g_test_add_func("/outbox/gone", test_gone);
  return g_test_run();
}
