/*
 * A take as a worker's task (snap/worker.h): it waits for the pass over huge pages that it has
 * ended, takes the snapshot, replies with its record's text or an error, and then, at leisure,
 * looks whether QEMU is as it was.
 */
#pragma once

#include "snap/vm.h"

/* All borrowed. */
typedef struct {
  const DacsaVm *vm; /* that was probed */
  const char *name;  /* of the snapshot */
  const char *state_path;
  bool scheduled;
  const gint *unwanted; /* see snap/take.h */
  pid_t after;          /* a worker that has to be gone first; 0: none */
} DacsaTakeTask;

/* A DacsaWorkerJob; data: a DacsaTakeTask. */
void dacsa_take_task_run(int reply_fd, void *data);
