/* The nodes of the tree: one table, in which each has its name, its mode and its content's
 * generator in one row. */
#pragma once

#include "fs/cache.h"
#include "fs/place.h"

#include <sys/types.h>

typedef enum {
  DACSA_KIND_DIRECTORY,
  DACSA_KIND_FILE,
  DACSA_KIND_LINK,
} DacsaKind;

enum {
  DACSA_FLAG_LIVE = 1 << 0,    /* the content may change: it is made anew at every look */
  DACSA_FLAG_BY_NAME = 1 << 1, /* not listed, unless --show-all */
};

/* The rows. Each names its parent, and the three without a name stand for many entries each. */
enum {
  DACSA_ROW_ROOT,
  DACSA_ROW_VM,
  DACSA_ROW_STATUS,
  DACSA_ROW_LATEST,
  DACSA_ROW_SNAPSHOT,
  DACSA_ROW_INFO,
  DACSA_ROW_PHYSMEM,
  DACSA_ROW_CPUS,
  DACSA_ROW_ERRORS,
  DACSA_ROW_PROCESSES,
  DACSA_ROW_PROCESS,
  DACSA_ROW_COMM,
  DACSA_ROW_CMDLINE,
  DACSA_ROW_MAPS,
  DACSA_ROW_MEMORY,
  DACSA_ROW_MEMORY_MAP,
  DACSA_N_ROWS,
};

/* Makes the content of a file: a new reference. cache: of what has been made before. */
typedef bool (*DacsaGenerator)(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret,
                               GError **error);

typedef struct {
  const char *name;
  unsigned parent;
  DacsaKind kind;
  mode_t mode;
  unsigned flags;
  DacsaGenerator generate; /* of a file; else NULL */
} DacsaNode;

extern const DacsaNode dacsa_nodes[DACSA_N_ROWS];

/* Whether a row is this row or lies below it. */
bool dacsa_node_is_below(unsigned row, unsigned ancestor);

/* Whether the content may change while the snapshot lives. */
bool dacsa_node_is_live(unsigned row);

/* The content of the file at a place: what was made before, or made now. */
bool dacsa_node_open(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
