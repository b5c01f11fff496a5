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

/* The rows. Each names its parent; those without a name stand for many entries each. */
enum {
  DACSA_ROW_ROOT,
  DACSA_ROW_VM,
  DACSA_ROW_STATUS,
  DACSA_ROW_LATEST,
  DACSA_ROW_SNAPSHOT,
  DACSA_ROW_INFO,
  DACSA_ROW_PHYSMEM,
  DACSA_ROW_CPUS,
  DACSA_ROW_MODULES,
  DACSA_ROW_NETCONNS,
  DACSA_ROW_PROCESSES,
  DACSA_ROW_PROCESS,
  DACSA_ROW_COMM,
  DACSA_ROW_CMDLINE,
  DACSA_ROW_ENVIRON,
  DACSA_ROW_PROCESS_STATUS,
  DACSA_ROW_MAPS,
  DACSA_ROW_MEMORY,
  DACSA_ROW_MEMORY_MAP,
  DACSA_ROW_PAGEMAP,
  DACSA_ROW_CORE,
  DACSA_ROW_REGIONS,
  DACSA_ROW_REGION,
  DACSA_ROW_FDS,
  DACSA_ROW_PROCESS_NETCONNS,
  DACSA_ROW_THREADS,
  DACSA_ROW_EXE,
  DACSA_ROW_KERNEL,
  DACSA_ROW_BANNER,
  DACSA_ROW_KERNEL_CMDLINE,
  DACSA_ROW_CPUINFO,
  DACSA_ROW_DMESG,
  DACSA_ROW_KALLSYMS,
  DACSA_ROW_BTF,
  DACSA_ROW_MOUNTS,
  DACSA_ROW_SYSCTL,
  DACSA_ROW_KERNEL_MODULES,
  DACSA_ROW_KERNEL_MODULE,
  DACSA_ROW_JSON,
  DACSA_ROW_JSON_PROCESSES,
  DACSA_ROW_JSON_THREADS,
  DACSA_ROW_JSON_FDS,
  DACSA_ROW_JSON_MAPS,
  DACSA_ROW_JSON_MODULES,
  DACSA_ROW_JSON_NETCONNS,
  DACSA_ROW_JSON_MOUNTS,
  DACSA_ROW_JSON_DMESG,
  DACSA_ROW_VMCORE,
  DACSA_ROW_SYMBOLS,
  DACSA_ROW_SYMBOLS_LINUX,
  DACSA_ROW_ISF,
  DACSA_ROW_FILES,
  DACSA_ROW_FILES_DIRECTORY,
  DACSA_ROW_FILES_FILE,
  DACSA_ROW_ERRORS, /* the last of a snapshot: what reading the others brought up */
  DACSA_N_ROWS,
};

/* Makes the content of a file: a new reference. cache: of what has been made before. */
typedef bool DacsaGenerator(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret,
                            GError **error);

typedef struct {
  const char *name;
  unsigned parent;
  DacsaKind kind;
  mode_t mode;
  unsigned flags;
  DacsaGenerator *generate; /* of a file; else NULL */
  unsigned which;           /* for the two functions: what they ask the guest for */
  /* Whether the directory parent has it at all; NULL: always. */
  bool (*is_present)(const DacsaPlace *parent, unsigned which);
} DacsaNode;

extern const DacsaNode dacsa_nodes[DACSA_N_ROWS];

/* Whether a row is this row or lies below it. */
bool dacsa_node_is_below(unsigned row, unsigned ancestor);

/* Whether the content may change while the snapshot lives. */
bool dacsa_node_is_live(unsigned row);

/* Whether the directory at a place has the row's entry. */
bool dacsa_node_is_present(const DacsaPlace *parent, unsigned row);

/* The content of the file at a place: what was made before, or made now. */
bool dacsa_node_open(DacsaCache *cache, const DacsaPlace *place, DacsaFile **ret,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
