/* Viewers that end in every way, and how many of them may. */
#include "check.h"

#include "snap/channel.h"
#include "snap/lives.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_US (100 * 1000)

typedef struct {
  bool is_wanted;
  int signal;   /* that the viewer dies of; 0: it exits */
  int status;   /* with this */
  bool lingers; /* it closes its channel and stays */
  bool fails;   /* there is no process to be had */
  bool hangs;   /* it computes for ever, its channel open */
  uint32_t number;
  pid_t pid;
} Fake;

static bool
is_wanted(void *data)
{
  return ((const Fake *)data)->is_wanted;
}

static pid_t
start(int channel, uint32_t number, void *data)
{
  Fake *fake = data;

  fake->number = number;
  if (fake->fails) {
    errno = EAGAIN;
    return -1;
  }
  fake->pid = fork();
  if (fake->pid != 0)
    return fake->pid;
  for (volatile bool hangs = fake->hangs; hangs;)
    ;
  if (fake->signal)
    raise(fake->signal);
  close(channel);
  while (fake->lingers)
    pause();
  _exit(fake->status);
}

/* One that hangs has been at the same thing all the time. */
static void
tell_tasks(DacsaTask ret[DACSA_TASKS_MAX], void *data)
{
  const Fake *fake = data;

  memset(ret, 0, sizeof(DacsaTask) * DACSA_TASKS_MAX);
  if (fake->hangs)
    ret[7] = (DacsaTask){4, fake->pid};
}

static DacsaLives *
lives_of(Fake *fake)
{
  const DacsaLivesOptions options = {is_wanted, start, tell_tasks, HANG_US, fake};

  return dacsa_lives_new(&options);
}

/* Waits for it: the main loop does that in the keeper. */
static DacsaLifeEnd
end(DacsaLives *lives, char **ret_how)
{
  g_assert_true(dacsa_lives_has_one(lives));
  struct pollfd ended = {.fd = dacsa_lives_kill(lives), .events = POLLIN};

  g_assert_cmpint(poll(&ended, 1, -1), ==, 1);
  return dacsa_lives_end(lives, ret_how);
}

/* Starts one, waits until it has closed its channel, and ends it. */
static DacsaLifeEnd
live(DacsaLives *lives, char **ret_how)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(DacsaMessage) message = NULL;
  int channel;

  CHECK_OK(dacsa_lives_start(lives, &channel, &error), error);
  CHECK_FAILS(dacsa_channel_receive(channel, &message, &error), error, DACSA_ERROR_NOT_FOUND);
  close(channel);
  return end(lives, ret_how);
}

static void
test_ends(void)
{
  static const struct {
    Fake fake;
    DacsaLifeEnd end;
    const char *how;
  } rows[] = {
      {{.is_wanted = true, .signal = SIGABRT}, DACSA_LIFE_CRASHED, "signal 6 (Aborted)"},
      {{.is_wanted = true, .signal = SIGKILL}, DACSA_LIFE_CRASHED, "signal 9 (Killed)"},
      {{.is_wanted = true, .status = 1}, DACSA_LIFE_CRASHED, NULL},
      {{.is_wanted = true, .status = 0}, DACSA_LIFE_CRASHED, NULL}, /* it is not believed */
      {{.is_wanted = true, .lingers = true}, DACSA_LIFE_CRASHED, "signal 9 (Killed)"},
      {{.is_wanted = false, .status = 0}, DACSA_LIFE_DONE, NULL},
      {{.is_wanted = false, .signal = SIGABRT}, DACSA_LIFE_DONE, "signal 6 (Aborted)"},
  };

  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    Fake fake = rows[i].fake;
    g_autoptr(DacsaLives) lives = lives_of(&fake);
    g_autofree char *how = NULL;

    g_test_message("row %zu", i);
    g_assert_cmpuint(dacsa_lives_number(lives), ==, 0);
    g_assert_cmpint(live(lives, &how), ==, rows[i].end);
    g_assert_false(dacsa_lives_has_one(lives));
    g_assert_cmpuint(dacsa_lives_number(lives), ==, 1);
    if (rows[i].how)
      g_assert_nonnull(strstr(how, rows[i].how));
  }
}

static void
test_too_many(void)
{
  Fake fake = {.is_wanted = true, .signal = SIGKILL};
  g_autoptr(DacsaLives) lives = lives_of(&fake);

  for (uint32_t i = 1; i <= DACSA_LIVES_MAX + 1; i++) {
    g_autofree char *how = NULL;

    g_assert_cmpint(live(lives, &how), ==,
                    i <= DACSA_LIVES_MAX ? DACSA_LIFE_CRASHED : DACSA_LIFE_HOPELESS);
    g_assert_cmpuint(fake.number, ==, i);
  }
}

static gboolean
on_closed(gint fd, GIOCondition condition, void *data)
{
  bool *is_closed = data;

  (void)condition;
  close(fd);
  *is_closed = true;
  return G_SOURCE_REMOVE;
}

/* It grows with the largest snapshot there has been, and not without end. */
static void
test_limit(void)
{
  static const struct {
    uint64_t ram_bytes;
    unsigned gib;
  } rows[] = {{0, 0},
              {1, 1},
              {UINT64_C(1) << 30, 1},
              {(UINT64_C(1) << 30) + 1, 2},
              {4096, 2},
              {UINT64_C(64) << 30, 64},
              {UINT64_MAX, 64}};
  Fake fake = {.is_wanted = true};
  g_autoptr(DacsaLives) lives = lives_of(&fake);

  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    dacsa_lives_allow(lives, rows[i].ram_bytes);
    g_assert_cmpint(dacsa_lives_limit_us(lives), ==, HANG_US + HANG_US / 10 * rows[i].gib);
  }
}

/* A processor's time, of those who have been reaped. */
static int64_t
used_us(void)
{
  struct rusage usage;

  g_assert_cmpint(getrusage(RUSAGE_CHILDREN, &usage), ==, 0);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

/* One that is at one thing for too long is killed unasked, not before, and then it is as if it had
 * crashed. */
static void
test_hangs(void)
{
  Fake fake = {.is_wanted = true, .hangs = true};
  g_autoptr(DacsaLives) lives = lives_of(&fake);

  for (uint32_t i = 1; i <= 3; i++) {
    g_autofree char *how = NULL;
    g_autoptr(GError) error = NULL;
    const int64_t before_us = used_us();
    bool is_closed = false;
    int channel;

    dacsa_lives_allow(lives, (uint64_t)(2 * i) << 30);

    CHECK_OK(dacsa_lives_start(lives, &channel, &error), error);
    g_unix_fd_add(channel, G_IO_HUP, on_closed, &is_closed);
    while (!is_closed)
      g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(end(lives, &how), ==, DACSA_LIFE_CRASHED);
    g_assert_nonnull(strstr(how, "hung, and was killed: "));
    /* It is charged what it has used as the kernel counts it for a thread: some ms off, no more. */
    g_assert_cmpint(used_us() - before_us, >, dacsa_lives_limit_us(lives) - HANG_US / 10);
    g_assert_cmpuint(fake.number, ==, i);
  }
}

static void
test_no_process(void)
{
  Fake fake = {.is_wanted = true, .fails = true};
  g_autoptr(DacsaLives) lives = lives_of(&fake);
  g_autoptr(GError) error = NULL;
  const int before = check_next_descriptor();
  int channel;

  CHECK_FAILS(dacsa_lives_start(lives, &channel, &error), error, DACSA_ERROR_BUSY);
  g_assert_cmpint(check_next_descriptor(), ==, before); /* nothing stays open */
}

/* One whose end could not be noticed is none: it is gone when that is told. */
static void
test_no_pidfd(void)
{
  Fake fake = {.is_wanted = true, .lingers = true};
  g_autoptr(DacsaLives) lives = lives_of(&fake);
  g_autoptr(GError) error = NULL;
  struct rlimit before, just;
  int channel, last[2];

  /* No gap below the limit, which has room for a channel's two ends. */
  g_assert_cmpint(pipe(last), ==, 0);
  g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
  just = (struct rlimit){(rlim_t)MAX(last[0], last[1]) + 1, before.rlim_max};
  close(last[0]);
  close(last[1]);
  g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &just), ==, 0);
  const bool ok = dacsa_lives_start(lives, &channel, &error);
  g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);

  CHECK_FAILS(ok, error, DACSA_ERROR_OS);
  g_assert_cmpint(fake.pid, >, 0);
  g_assert_false(dacsa_lives_has_one(lives));
  g_assert_cmpint(waitpid(fake.pid, NULL, WNOHANG), ==, -1);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/lives/ends", test_ends);
  g_test_add_func("/lives/too-many", test_too_many);
  g_test_add_func("/lives/limit", test_limit);
  g_test_add_func("/lives/hangs", test_hangs);
  g_test_add_func("/lives/no-process", test_no_process);
  g_test_add_func("/lives/no-pidfd", test_no_pidfd);
  return g_test_run();
}
