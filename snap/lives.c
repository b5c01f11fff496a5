/* Starting, watching, reaping and counting viewers. */
#include "snap/lives.h"

#include "snap/channel.h"
#include "snap/error.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOKS 60     /* at a viewer within the time in which it hangs */
#define GIB_SHARE 10 /* of that time, more for each GiB */
#define GIB (UINT64_C(1) << 30)
#define MAX_GIB 64u

struct DacsaLives {
  DacsaLivesOptions options;
  uint32_t number;
  pid_t pid; /* 0: none lives */
  int pidfd; /* of that; or -1 */
  guint look_source;
  DacsaWatchdog watchdog;
  char *hung;                       /* why it is being killed; NULL: it is not, or not for that */
  uint64_t gib;                     /* of the largest snapshot so far */
  int64_t crashes[DACSA_LIVES_MAX]; /* monotonic time of each, the oldest overwritten first */
  unsigned n_crashes;
};

DacsaLives *
dacsa_lives_new(const DacsaLivesOptions *options)
{
  DacsaLives *lives = g_new0(DacsaLives, 1);

  lives->options = *options;
  lives->pidfd = -1;
  return lives;
}

/* Of one viewer nothing is left. */
static void
forget(DacsaLives *lives)
{
  g_clear_handle_id(&lives->look_source, g_source_remove);
  g_clear_pointer(&lives->hung, g_free);
  if (lives->pidfd >= 0)
    close(lives->pidfd);
  lives->pidfd = -1;
  lives->pid = 0;
}

void
dacsa_lives_free(DacsaLives *lives)
{
  if (!lives)
    return;
  forget(lives);
  g_free(lives);
}

uint32_t
dacsa_lives_number(const DacsaLives *lives)
{
  return lives->number;
}

bool
dacsa_lives_has_one(const DacsaLives *lives)
{
  return lives->pid > 0;
}

void
dacsa_lives_allow(DacsaLives *lives, uint64_t ram_bytes)
{
  const uint64_t gib = (ram_bytes >> 30) + (ram_bytes % GIB != 0);

  lives->gib = MAX(lives->gib, MIN(gib, MAX_GIB));
}

int64_t
dacsa_lives_limit_us(const DacsaLives *lives)
{
  const int64_t hang_us = lives->options.hang_us;

  return hang_us + hang_us / GIB_SHARE * (int64_t)lives->gib;
}

static int
reap(pid_t pid)
{
  int status = 0;

  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  return status;
}

static gboolean
on_look(void *data)
{
  DacsaLives *lives = data;
  DacsaTask tasks[DACSA_TASKS_MAX];
  DacsaWatchdogReading now[DACSA_TASKS_MAX];

  lives->options.tasks(tasks, lives->options.data);
  dacsa_watchdog_read("", lives->pid, tasks, now);
  if (!dacsa_watchdog_look(&lives->watchdog, now, lives->options.hang_us / LOOKS,
                           dacsa_lives_limit_us(lives), &lives->hung))
    return G_SOURCE_CONTINUE;
  kill(lives->pid, SIGKILL);
  lives->look_source = 0;
  return G_SOURCE_REMOVE;
}

static void
watch(DacsaLives *lives)
{
  lives->watchdog = (DacsaWatchdog){0};
  lives->look_source =
      g_timeout_add((guint)(lives->options.hang_us / LOOKS / 1000), on_look, lives);
}

/* One whose end could not be noticed is none. false, with errno: there is none. */
static bool
start(DacsaLives *lives, int channel)
{
  const pid_t pid = lives->options.start(channel, ++lives->number, lives->options.data);

  if (pid <= 0)
    return false;
  lives->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (lives->pidfd >= 0) {
    lives->pid = pid;
    return true;
  }
  const int errsv = errno;
  kill(pid, SIGKILL);
  reap(pid);
  errno = errsv;
  return false;
}

bool
dacsa_lives_start(DacsaLives *lives, int *ret_channel, GError **error)
{
  int pair[2];

  if (!dacsa_channel_pair(pair, error))
    return false;
  const bool ok = start(lives, pair[1]);
  const int errsv = errno;
  close(pair[1]);
  if (!ok) {
    close(pair[0]);
    return dacsa_fail_errno(error, errsv, "cannot start a viewer");
  }
  watch(lives);
  *ret_channel = pair[0];
  return true;
}

static char *
describe(int status, const char *hung)
{
  if (hung)
    return g_strdup_printf("hung, and was killed: %s", hung);
  if (WIFSIGNALED(status))
    return g_strdup_printf("was killed by signal %d (%s)", WTERMSIG(status),
                           strsignal(WTERMSIG(status)));
  return g_strdup_printf("ended with status %d", WEXITSTATUS(status));
}

/* Whether this is one crash too many. */
static bool
count_crash(DacsaLives *lives)
{
  const int64_t now = g_get_monotonic_time();
  int64_t *slot = &lives->crashes[lives->n_crashes++ % DACSA_LIVES_MAX];
  const int64_t before = *slot;

  *slot = now;
  return lives->n_crashes > DACSA_LIVES_MAX && now - before < DACSA_LIVES_US;
}

/* One that ends by itself has closed its channel last, and its status stands before the signal
 * comes. */
int
dacsa_lives_kill(DacsaLives *lives)
{
  kill(lives->pid, SIGKILL);
  return lives->pidfd;
}

/* The exit status decides nothing: it is the word of a process that a guest may have taken over. */
DacsaLifeEnd
dacsa_lives_end(DacsaLives *lives, char **ret_how)
{
  const int status = reap(lives->pid);

  *ret_how = describe(status, lives->hung);
  forget(lives);
  if (!lives->options.is_wanted(lives->options.data))
    return DACSA_LIFE_DONE;
  return count_crash(lives) ? DACSA_LIFE_HOPELESS : DACSA_LIFE_CRASHED;
}
