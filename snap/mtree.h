/*
 * RAM ranges from the text of QEMU's `info mtree -f` (system/memory.c, mtree_print_flatview): the
 * `ram` and `rom` lines of the flat view of address space "memory", the one the devices and the
 * vCPUs of a machine without SMM see.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint64_t start, end;   /* guest-physical, end inclusive */
  uint64_t block_offset; /* of start in the block */
  char *block;           /* the RAM block's name, such as pc.ram */
  bool rom;              /* the guest cannot write here, though the block may be RAM */
} DacsaMtreeRange;

/* Owned array of DacsaMtreeRange, ascending. BAD_DATA: no such view, or no memory in it. */
bool dacsa_mtree_parse(const char *text, GArray **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
