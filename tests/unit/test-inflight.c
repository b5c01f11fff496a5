/* What the keeper sees of what a viewer works on. */
#include "check.h"

#include "fs/inflight.h"

#include <string.h>
#include <unistd.h>

static DacsaInflight *
inflight_new(void)
{
  DacsaInflight *inflight;
  g_autoptr(GError) error = NULL;

  CHECK_OK(dacsa_inflight_new(&inflight, &error), error);
  return inflight;
}

/* Which place has a task, of those that do; the only one. -1: none has. */
static int
only_task(const DacsaInflight *inflight, DacsaTask *ret)
{
  DacsaTask tasks[DACSA_TASKS_MAX];
  int place = -1;

  dacsa_inflight_tasks(inflight, tasks);
  for (unsigned i = 0; i < DACSA_TASKS_MAX; i++)
    if (tasks[i].number != 0) {
      g_assert_cmpint(place, ==, -1);
      place = (int)i;
      *ret = tasks[i];
    }
  return place;
}

static void
test_task(void)
{
  static const unsigned threads[] = {0, DACSA_INFLIGHT_THREADS - 1, DACSA_INFLIGHT_CHANNEL};

  for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
    DacsaInflight *inflight = inflight_new();
    DacsaTask task;

    g_assert_cmpint(only_task(inflight, &task), ==, -1);
    dacsa_inflight_attach(inflight, threads[i]);
    g_assert_cmpint(only_task(inflight, &task), ==, -1);
    dacsa_inflight_begin(inflight, threads[i], 4);
    g_assert_cmpint(only_task(inflight, &task), ==, (int)threads[i]);
    g_assert_cmpuint(task.number, ==, 4);
    g_assert_cmpint(task.thread, ==, gettid());
    dacsa_inflight_end(inflight, threads[i]);
    g_assert_cmpint(only_task(inflight, &task), ==, -1);
    dacsa_inflight_free(inflight);
  }
}

static void *
begin_another(void *data)
{
  dacsa_inflight_attach(data, 1);
  dacsa_inflight_begin(data, 1, 6);
  return NULL;
}

/* Who waits for the keeper is not at work, and is again when it has its answer. */
static void
test_wait(void)
{
  DacsaInflight *inflight = inflight_new();
  DacsaTask task;

  dacsa_inflight_attach(inflight, 0);
  dacsa_inflight_begin(inflight, 0, 4);
  g_thread_join(g_thread_new("another", begin_another, inflight));
  dacsa_inflight_wait(inflight, true);
  g_assert_cmpint(only_task(inflight, &task), ==, 1);
  dacsa_inflight_end(inflight, 1);
  dacsa_inflight_wait(inflight, false);
  g_assert_cmpint(only_task(inflight, &task), ==, 0);
  dacsa_inflight_free(inflight);
}

/* What a viewer leaves undone is no task of the next one's, before its threads are there and after.
 */
static void
test_next(void)
{
  DacsaInflight *inflight = inflight_new();
  uint64_t unanswered[DACSA_INFLIGHT_THREADS];
  DacsaTask task;

  dacsa_inflight_attach(inflight, 0);
  dacsa_inflight_begin(inflight, 0, 4);
  dacsa_inflight_wait(inflight, true);
  dacsa_inflight_attach(inflight, DACSA_INFLIGHT_CHANNEL);
  dacsa_inflight_begin(inflight, DACSA_INFLIGHT_CHANNEL, 1000);
  dacsa_inflight_renew(inflight);
  g_assert_cmpint(only_task(inflight, &task), ==, -1);
  g_assert_cmpuint(dacsa_inflight_highest(inflight), ==, 4); /* a message is no request */
  g_assert_cmpuint(dacsa_inflight_unanswered(inflight, unanswered), ==, 1);
  g_assert_cmpuint(unanswered[0], ==, 4);
  dacsa_inflight_attach(inflight, 0);
  dacsa_inflight_attach(inflight, DACSA_INFLIGHT_CHANNEL);
  g_assert_cmpint(only_task(inflight, &task), ==, -1);
  g_assert_cmpuint(dacsa_inflight_highest(inflight), ==, 4);
  dacsa_inflight_begin(inflight, 0, 8);
  g_assert_cmpint(only_task(inflight, &task), ==, 0);
  dacsa_inflight_free(inflight);
}

/* Whatever a viewer that was taken over writes there, the keeper can read it. */
static void
test_any_bytes(void)
{
  for (unsigned byte = 1; byte <= UINT8_MAX; byte++) {
    DacsaInflight *inflight = inflight_new();
    uint64_t unanswered[DACSA_INFLIGHT_THREADS];
    DacsaTask task;

    memset((void *)inflight, (int)byte, 4096);           /* all those threads' that read requests */
    g_assert_cmpint(only_task(inflight, &task), ==, -1); /* all wait for the keeper */
    g_assert_cmpuint(dacsa_inflight_unanswered(inflight, unanswered), <=, DACSA_INFLIGHT_THREADS);
    g_assert_cmpuint(dacsa_inflight_highest(inflight) & 1, ==, 0);
    dacsa_inflight_free(inflight);
  }
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/inflight/task", test_task);
  g_test_add_func("/inflight/wait", test_wait);
  g_test_add_func("/inflight/next", test_next);
  g_test_add_func("/inflight/any-bytes", test_any_bytes);
  return g_test_run();
}
