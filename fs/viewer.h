/*
 * The viewer: the process that serves the file system and parses guest bytes. It runs as nobody,
 * without capabilities or new privileges, can open, reach and start nothing (fs/confine.h), and has
 * nothing but the descriptors the keeper passes to it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct {
  gid_t group;
  bool show_all;
} DacsaViewerOptions;

/* Serves until unmounted: the process's exit status. fuse: /dev/fuse, mounted. channel: to the
 * keeper. Takes both. Everything else that is open, but standard error, is closed. */
int dacsa_viewer_run(int fuse, int channel, const DacsaViewerOptions *options);
