/* What a viewer's threads have done between two looks. */
#include "snap/watchdog.h"

#include "snap/hostfile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A thread's state and processor time, in user space and in the kernel: fields 3, 14 and 15. */
static void
read_thread(const char *root, pid_t pid, DacsaWatchdogReading *ret)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/stat", (int)pid, (int)ret->task.thread);
  g_autofree char *text = dacsa_hostfile_read(root, path);
  const char *after = text ? strrchr(text, ')') : NULL; /* a name may hold anything */
  uint64_t user, system;
  char state;

  if (!after || sscanf(after, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
                       &state, &user, &system) != 3)
    return;
  ret->state = state;
  ret->cpu_us = (int64_t)((user + system) * G_USEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

void
dacsa_watchdog_read(const char *root, pid_t pid, const DacsaTask tasks[DACSA_TASKS_MAX],
                    DacsaWatchdogReading ret[DACSA_TASKS_MAX])
{
  for (unsigned i = 0; i < DACSA_TASKS_MAX; i++) {
    ret[i] = (DacsaWatchdogReading){.task = tasks[i]};
    if (tasks[i].number != 0)
      read_thread(root, pid, &ret[i]);
  }
}

/* Whether it is the same task, of which both looks could tell. */
static bool
has_lasted(const DacsaWatchdogReading *last, const DacsaWatchdogReading *now)
{
  return now->task.number != 0 && now->task.number == last->task.number &&
         now->task.thread == last->task.thread && now->state && last->state;
}

/* One that had a processor, wants one, waits for a disk, or may not run. */
static bool
is_at_work(const DacsaWatchdogReading *last, const DacsaWatchdogReading *now)
{
  return now->state != 'S' || now->cpu_us != last->cpu_us;
}

static bool
charge(DacsaWatchdog *self, const DacsaWatchdogReading *now, int64_t interval_us)
{
  bool at_work = false;

  for (unsigned i = 0; i < DACSA_TASKS_MAX; i++) {
    const bool lasts = has_lasted(&self->last[i], &now[i]);

    self->charged_us[i] = lasts ? self->charged_us[i] + now[i].cpu_us - self->last[i].cpu_us : 0;
    at_work |= lasts && is_at_work(&self->last[i], &now[i]);
  }
  for (unsigned i = 0; i < DACSA_TASKS_MAX && !at_work; i++)
    if (has_lasted(&self->last[i], &now[i]))
      self->charged_us[i] += interval_us;
  return at_work;
}

bool
dacsa_watchdog_look(DacsaWatchdog *self, const DacsaWatchdogReading now[DACSA_TASKS_MAX],
                    int64_t interval_us, int64_t limit_us, char **ret_why)
{
  const bool at_work = charge(self, now, interval_us);

  memcpy(self->last, now, sizeof(self->last));
  for (unsigned i = 0; i < DACSA_TASKS_MAX; i++)
    if (self->charged_us[i] >= limit_us) {
      *ret_why =
          g_strdup_printf("it has been at one thing for %" PRId64 " s, %s",
                          self->charged_us[i] / G_USEC_PER_SEC, at_work ? "computing" : "asleep");
      return true;
    }
  return false;
}
