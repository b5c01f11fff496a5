/* A host's /proc and /sys made up in a directory, and a monitor that answers what is recorded. */
#pragma once

#include "snap/monitor.h"

/* The root of one, to be put before all paths. Owned. */
char *fake_host_new(void);

/* A file there with that content, its directories made. */
void fake_host_put(const char *root, const char *path, const char *text);

/* A symbolic link there: fds are that. */
void fake_host_link(const char *root, const char *path, const char *target);

/* Removes all of it, and frees root. */
void fake_host_free(char *root);

/* A command, of QMP or as a line of HMP, and its answer: JSON, or text. */
typedef struct {
  const char *command, *answer;
} FakeAnswer;

typedef struct {
  DacsaMonitor monitor;
  const FakeAnswer *answers[2]; /* each ends in {NULL, NULL}, or is NULL; the first goes first */
} FakeMonitor;

/* A command that is not among the answers fails as one that QEMU does not know. */
void fake_monitor_init(FakeMonitor *self, pid_t pid);
