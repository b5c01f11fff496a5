/* FUSE requests answered from the tree. */
#pragma once

#include "fs/tree.h"

#include <glib.h>
#include <stdbool.h>

/* What only the keeper can do, asked for by mkdir, rmdir and a look at a VM's status. Each returns
 * 0 or a positive errno, and may take as long as it takes. */
typedef struct {
  int (*take)(const char *vm, const char *name, void *data);
  int (*drop)(const char *vm, const char *name, void *data);
  void (*refresh)(const char *vm, void *data);
  void (*ready)(void *data); /* the kernel has said hello */
  void *data;
} DacsaFuseActions;

/* Serves /dev/fuse at fd, which is mounted already, with several threads until it is unmounted. */
bool dacsa_fuse_serve(int fd, DacsaTree *tree, const DacsaFuseActions *actions,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
