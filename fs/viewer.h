/*
 * The viewer: the process that serves the file system and parses guest bytes. It runs as nobody,
 * without capabilities or new privileges, can open, reach and start nothing (fs/confine.h), and has
 * nothing but the descriptors the keeper passes to it.
 */
#pragma once

#include "fs/loop.h"

#include <sys/types.h>

/* All of it is borrowed, and is the same for every viewer of a mount but for the number. */
typedef struct {
  gid_t group;
  bool show_all;
  int64_t since_us; /* UNIX time: since when it is mounted */
  GBytes *init;     /* of dacsa_loop_read_init */
  DacsaInflight *inflight;
  uint32_t number; /* of this viewer: 1 is the first */
} DacsaViewerOptions;

/* Serves until unmounted: the process's exit status. fuse: /dev/fuse, mounted. channel: to the
 * keeper. Takes both. Everything else that is open, but standard error, is closed. */
int dacsa_viewer_run(int fuse, int channel, const DacsaViewerOptions *options);
