/* Looks at a viewer's threads, made up and real ones. */
#include "check.h"

#include "snap/watchdog.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTERVAL 10 /* at each look, in microseconds; so long a computing thread computes */
#define LIMIT 100
#define LOOKS (LIMIT / INTERVAL)

/* What a thread is about, from one look to the next. */
typedef enum {
  IDLE,
  COMPUTES,
  STARVES, /* it would compute */
  SLEEPS,
  WAITS_FOR_DISK,
  STOPPED,
  TRACED,
  UNKNOWN,        /* there is no such thread */
  COMES_AND_GOES, /* a task after the other */
  CHANGES_THREAD,
} Habit;

typedef struct {
  DacsaWatchdog watchdog;
  DacsaWatchdogReading now[DACSA_TASKS_MAX];
  unsigned n_looks;
} Looks;

static void
live_on(Looks *looks, unsigned place, Habit habit)
{
  static const char states[] = {
      [IDLE] = 'S',           [COMPUTES] = 'R',      [STARVES] = 'R', [SLEEPS] = 'S',
      [WAITS_FOR_DISK] = 'D', [STOPPED] = 'T',       [TRACED] = 't',  [UNKNOWN] = 0,
      [COMES_AND_GOES] = 'R', [CHANGES_THREAD] = 'R'};
  DacsaWatchdogReading *r = &looks->now[place];

  r->task.number = habit == IDLE ? 0 : habit == COMES_AND_GOES ? 2 + 2 * looks->n_looks : 2;
  r->task.thread = habit == CHANGES_THREAD ? 100 + (pid_t)looks->n_looks : 100 + (pid_t)place;
  r->state = states[habit];
  r->cpu_us +=
      habit == COMPUTES || habit == COMES_AND_GOES || habit == CHANGES_THREAD ? INTERVAL : 0;
}

/* Looks at threads with those habits until they hang; how often, and why; 0: they do not. */
static unsigned
look_on(Looks *looks, const Habit *habits, size_t n, char **ret_why)
{
  for (unsigned i = 1; i <= 10 * LOOKS; i++) {
    looks->n_looks++;
    for (unsigned place = 0; place < n; place++)
      live_on(looks, place, habits[place]);
    if (dacsa_watchdog_look(&looks->watchdog, looks->now, INTERVAL, LIMIT, ret_why))
      return i;
  }
  return 0;
}

static void
test_decision(void)
{
  static const struct {
    Habit habits[3];
    const char *why; /* NULL: they do not hang */
  } rows[] = {
      {{IDLE, IDLE, IDLE}, NULL},
      {{COMPUTES, IDLE, IDLE}, "computing"},
      {{IDLE, IDLE, COMPUTES}, "computing"},
      {{SLEEPS, IDLE, IDLE}, "asleep"},
      {{SLEEPS, SLEEPS, IDLE}, "asleep"},         /* one has what the other wants */
      {{SLEEPS, COMES_AND_GOES, IDLE}, "asleep"}, /* whatever else is served */
      {{SLEEPS, CHANGES_THREAD, IDLE}, "asleep"},
      {{SLEEPS, COMPUTES, IDLE}, "computing"},
      {{SLEEPS, STARVES, IDLE}, NULL}, /* it waits for that one */
      {{SLEEPS, WAITS_FOR_DISK, IDLE}, NULL},
      {{SLEEPS, UNKNOWN, IDLE}, "asleep"}, /* a lie keeps nobody alive */
      {{STARVES, IDLE, IDLE}, NULL},
      {{WAITS_FOR_DISK, IDLE, IDLE}, NULL},
      {{STOPPED, STOPPED, STOPPED}, NULL},
      {{SLEEPS, TRACED, SLEEPS}, NULL},
      {{COMES_AND_GOES, COMES_AND_GOES, COMES_AND_GOES}, NULL},
      {{CHANGES_THREAD, IDLE, IDLE}, NULL},
      {{UNKNOWN, IDLE, UNKNOWN}, NULL},
  };

  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    Looks looks = {0};
    g_autofree char *why = NULL;
    const unsigned n = look_on(&looks, rows[i].habits, 3, &why);

    g_test_message("row %zu", i);
    /* The first look only tells what there is. */
    g_assert_cmpuint(n, ==, rows[i].why ? LOOKS + 1 : 0);
    if (rows[i].why)
      g_assert_nonnull(strstr(why, rows[i].why));
  }
}

/* What one task had is not the next one's; and what it had before it was stopped still counts. */
static void
test_charges(void)
{
  static const Habit computes[] = {COMPUTES}, idle[] = {IDLE}, stopped[] = {STOPPED};
  Looks looks = {0};
  g_autofree char *why = NULL;

  for (int round = 0; round < 3; round++) {
    for (unsigned i = 0; i < LOOKS; i++) {
      live_on(&looks, 0, COMPUTES);
      g_assert_false(dacsa_watchdog_look(&looks.watchdog, looks.now, INTERVAL, LIMIT, &why));
    }
    g_assert_cmpuint(look_on(&looks, idle, 1, &why), ==, 0);
  }
  for (unsigned i = 0; i < LOOKS; i++) {
    live_on(&looks, 0, COMPUTES);
    g_assert_false(dacsa_watchdog_look(&looks.watchdog, looks.now, INTERVAL, LIMIT, &why));
  }
  g_assert_cmpuint(look_on(&looks, stopped, 1, &why), ==, 0);
  g_assert_cmpuint(look_on(&looks, computes, 1, &why), ==, 1);
}

/* -- what /proc says -- */

static void
test_read(void)
{
  const char *stat =
      "71 (a) R 1 (b) S 1 1 1 0 -1 4194560 5 6 7 8 120 30 9 9 20 0 3 0 4711 1 2 3 4 5\n";
  g_autofree char *root = g_dir_make_tmp("dacsa-test-XXXXXX", NULL);
  g_autofree char *dir = g_build_filename(root, "proc/70/task/71", NULL);
  g_autofree char *path = g_build_filename(dir, "stat", NULL);
  const int64_t tick_us = G_USEC_PER_SEC / sysconf(_SC_CLK_TCK);
  const DacsaTask tasks[DACSA_TASKS_MAX] = {[1] = {8, 71},
                                            [2] = {0, 71},
                                            [3] = {8, 72},
                                            [4] = {8, -71},
                                            [DACSA_TASKS_MAX - 1] = {10, 71}};
  DacsaWatchdogReading read[DACSA_TASKS_MAX];

  g_assert_cmpint(g_mkdir_with_parents(dir, 0700), ==, 0);
  g_assert_true(g_file_set_contents(path, stat, -1, NULL));
  dacsa_watchdog_read(root, 70, tasks, read);
  for (unsigned i = 0; i < DACSA_TASKS_MAX; i++) {
    const bool is_there = i == 1 || i == DACSA_TASKS_MAX - 1;

    g_assert_cmpuint(read[i].task.number, ==, tasks[i].number);
    g_assert_cmpint(read[i].task.thread, ==, tasks[i].thread);
    g_assert_cmpint(read[i].state, ==, is_there ? 'S' : 0);
    g_assert_cmpint(read[i].cpu_us, ==, is_there ? 150 * tick_us : 0);
  }
  g_assert_true(g_file_set_contents(path, "71 (a) R 1", -1, NULL));
  dacsa_watchdog_read(root, 70, tasks, read);
  g_assert_cmpint(read[1].state, ==, 0);
  g_unlink(path);
}

/* What the kernel says of a real one that sleeps, computes, is stopped. */
static void
test_real(void)
{
  const pid_t pid = fork();

  if (pid == 0)
    for (;;)
      pause();
  const DacsaTask tasks[DACSA_TASKS_MAX] = {{2, pid}, {4, getpid()}};
  DacsaWatchdogReading read[DACSA_TASKS_MAX];
  do
    dacsa_watchdog_read("", pid, tasks, read);
  while (read[0].state == 'R');
  g_assert_cmpint(read[0].state, ==, 'S');
  g_assert_cmpint(read[1].state, ==, 0); /* another process's thread is none of its */
  kill(pid, SIGSTOP);
  g_assert_cmpint(waitpid(pid, NULL, WUNTRACED), ==, pid);
  dacsa_watchdog_read("", pid, tasks, read);
  g_assert_cmpint(read[0].state, ==, 'T');
  kill(pid, SIGKILL);
  g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);

  const DacsaTask own[DACSA_TASKS_MAX] = {{2, gettid()}};
  dacsa_watchdog_read("", getpid(), own, read);
  const int64_t before = read[0].cpu_us;
  do
    dacsa_watchdog_read("", getpid(), own, read);
  while (read[0].cpu_us == before);
  g_assert_cmpint(read[0].state, ==, 'R');
  g_assert_cmpint(read[0].cpu_us, >, before);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/watchdog/decision", test_decision);
  g_test_add_func("/watchdog/charges", test_charges);
  g_test_add_func("/watchdog/read", test_read);
  g_test_add_func("/watchdog/real", test_real);
  return g_test_run();
}
