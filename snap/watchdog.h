/*
 * Whether the viewer hangs: the decision alone, from looks at it that come at even intervals.
 *
 * What it says that it works on is its own word, and it may have been taken over: numbers, and
 * threads of which only /proc tells what they did. The worst that a lie can do is that a viewer is
 * ended, or that it is not. /proc says how much of a processor each thread has had, and whether it
 * sleeps; from one look to the next a task that is still the same one is charged
 *
 *   the processor time that its thread has used;
 *   the interval, if it slept all the while, and no other such task was being worked on: who waits
 *   for another one, for a lock say, is not to blame for how long that takes.
 *
 * So clocks do not matter: a host that was suspended or is short of processors, a viewer that is
 * stopped by a signal or a debugger, one that waits for a disk (D), do not count. Nor does what
 * waits for the keeper, which is no task as long as it does.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DACSA_TASKS_MAX 65u

/* What a thread of the viewer's works on. */
typedef struct {
  uint64_t number; /* no two tasks of the same thread have the same; 0: it works on nothing */
  pid_t thread;
} DacsaTask;

/* A task at one look. */
typedef struct {
  DacsaTask task;
  char state;     /* its thread's: proc_pid_stat(5), field 3; 0: there is no such thread */
  int64_t cpu_us; /* that its thread has used since it was started */
} DacsaWatchdogReading;

typedef struct {
  DacsaWatchdogReading last[DACSA_TASKS_MAX];
  int64_t charged_us[DACSA_TASKS_MAX]; /* to the tasks that were there at the last look */
} DacsaWatchdog;

/* Of a process's tasks, each always in the same place. root: see snap/hostfile.h. */
void dacsa_watchdog_read(const char *root, pid_t pid, const DacsaTask tasks[DACSA_TASKS_MAX],
                         DacsaWatchdogReading ret[DACSA_TASKS_MAX]);

/* Another look; the first is at a watchdog of zeros. true: a task has been charged limit_us.
 * *ret_why, owned: with what. */
bool dacsa_watchdog_look(DacsaWatchdog *watchdog, const DacsaWatchdogReading now[DACSA_TASKS_MAX],
                         int64_t interval_us, int64_t limit_us, char **ret_why);
