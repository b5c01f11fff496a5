/*
 * Reads FUSE requests and has libfuse answer them, in several threads; and takes the connection
 * over from a viewer that has crashed. The kernel greets a file system once: that request the
 * keeper reads, and each viewer's libfuse is given it to begin with. What a crashed viewer had read
 * is answered with EIO: were it done again, it might crash this one too.
 */
#pragma once

#include "fs/inflight.h"

#include <glib.h>
#include <stdbool.h>

struct fuse_session;

typedef struct {
  int fd;                    /* /dev/fuse, mounted */
  GBytes *init;              /* of dacsa_loop_read_init; borrowed */
  DacsaInflight *inflight;   /* borrowed */
  bool is_first;             /* no viewer has served the connection before */
  void (*ready)(void *data); /* called once the session can serve */
  void *data;
} DacsaLoopOptions;

/* The kernel's greeting, which it sends when it mounts: to be read once. Owned. */
bool dacsa_loop_read_init(int fd, GBytes **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Serves until the file system is unmounted. If it fails threads may still be at work with all that
 * it was given: the process is to end. */
bool dacsa_loop_run(struct fuse_session *session, const DacsaLoopOptions *options,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
