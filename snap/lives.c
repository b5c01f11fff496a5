/* Starting, reaping and counting viewers. */
#include "snap/lives.h"

#include "snap/channel.h"
#include "snap/error.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_SECONDS 5 /* that the keeper waits for a viewer that does not read */

struct DacsaLives {
  DacsaLivesOptions options;
  uint32_t number;
  pid_t pid;                        /* 0: none lives */
  int64_t crashes[DACSA_LIVES_MAX]; /* monotonic time of each, the oldest overwritten first */
  unsigned n_crashes;
};

DacsaLives *
dacsa_lives_new(const DacsaLivesOptions *options)
{
  DacsaLives *lives = g_new0(DacsaLives, 1);

  lives->options = *options;
  return lives;
}

void
dacsa_lives_free(DacsaLives *lives)
{
  g_free(lives);
}

uint32_t
dacsa_lives_number(const DacsaLives *lives)
{
  return lives->number;
}

bool
dacsa_lives_start(DacsaLives *lives, int *ret_channel, GError **error)
{
  int pair[2];

  if (!dacsa_channel_pair(pair, error))
    return false;
  if (!dacsa_channel_limit(pair[0], READ_SECONDS, error)) {
    close(pair[0]);
    close(pair[1]);
    return false;
  }
  pid_t pid = lives->options.start(pair[1], ++lives->number, lives->options.data);
  const int errsv = errno;
  close(pair[1]);
  if (pid <= 0) {
    close(pair[0]);
    return dacsa_fail_errno(error, errsv, "cannot start a viewer");
  }
  lives->pid = pid;
  *ret_channel = pair[0];
  return true;
}

static char *
describe(int status)
{
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

/* The exit status decides nothing: it is the word of a process that a guest may have taken over.
 * One that ends by itself has closed its channel last, and its status stands before the signal
 * comes. */
DacsaLifeEnd
dacsa_lives_end(DacsaLives *lives, char **ret_how)
{
  int status = 0;

  kill(lives->pid, SIGKILL);
  while (waitpid(lives->pid, &status, 0) < 0 && errno == EINTR)
    ;
  lives->pid = 0;
  *ret_how = describe(status);
  if (!lives->options.is_wanted(lives->options.data))
    return DACSA_LIFE_DONE;
  return count_crash(lives) ? DACSA_LIFE_HOPELESS : DACSA_LIFE_CRASHED;
}
