/* FUSE requests answered from the tree. */
#pragma once

#include "fs/loop.h"
#include "fs/tree.h"

#include <glib.h>
#include <stdbool.h>

/* What only the keeper can do, asked for by mkdir, rmdir and a look at a VM's status. Each returns
 * 0 or a positive errno, and may take as long as it takes. */
typedef struct {
  int (*take)(const char *vm, const char *name, void *data);
  int (*drop)(const char *vm, const char *name, void *data);
  void (*refresh)(const char *vm, void *data);
  void *data;
} DacsaFuseActions;

/* Serves the tree, with several threads, until it is unmounted. viewer: this viewer's number, which
 * file handles are made of. If it fails the process is to end, as with dacsa_loop_run. */
bool dacsa_fuse_serve(DacsaTree *tree, uint32_t viewer, const DacsaFuseActions *actions,
                      const DacsaLoopOptions *loop, GError **error) G_GNUC_WARN_UNUSED_RESULT;
