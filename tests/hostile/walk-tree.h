/* Walks the whole tree of a snapshot, as a front end does: places, names, attributes, content. */
#pragma once

#include "fs/tree.h"

typedef struct {
  uint64_t directories, files, failed; /* failed: could not be opened or not be read to the end */
  uint64_t bytes;                      /* read */
  uint64_t processes;
  char *errors; /* the content of `errors` at the end; owned */
} TreeWalk;

/* Over a snapshot's memory; takes record and mem. Ends the program where the tree contradicts
 * itself. */
TreeWalk walk_tree(DacsaRecord *record, int mem);
