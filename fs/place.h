/* A place in the tree, and the inode number that stands for it. */
#pragma once

#include "fs/registry.h"

/* An inode number less one: scope (a VM's or snapshot's serial) | row | object (a pid, the number
 * of a module, a mapping or a cached file). No table is needed to go from one to the other. */
#define DACSA_OBJECT_BITS 30u
#define DACSA_ROW_BITS 10u

/* Where one is in the tree: what an inode number stands for. */
typedef struct {
  uint64_t ino;
  unsigned row;            /* of the table of nodes (fs/nodes.h) */
  DacsaVmView *vm;         /* or NULL, at the root */
  DacsaSnapshot *snapshot; /* or NULL, above one */
  uint32_t object;         /* inside processes/<pid>: the pid; see fs/objects.h; else 0 */
} DacsaPlace;

void dacsa_place_clear(DacsaPlace *place);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DacsaPlace, dacsa_place_clear)

static inline uint64_t
dacsa_place_ino(uint32_t scope, unsigned row, uint32_t object)
{
  return ((uint64_t)scope << (DACSA_ROW_BITS + DACSA_OBJECT_BITS) |
          (uint64_t)row << DACSA_OBJECT_BITS | object) +
         1;
}
