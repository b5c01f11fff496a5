/*
 * Where guest-physical memory lies: ascending, disjoint ranges, each contiguous in a process (the
 * offset is then a host virtual address), a file, or whatever a descriptor reads.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint64_t gpa;    /* guest-physical address of the first byte */
  uint64_t size;   /* bytes, > 0 */
  uint64_t offset; /* of the first byte in the descriptor: an hva for /proc/PID/mem */
  bool ram;        /* writable RAM of the guest, as against its firmware's ROM */
} DacsaRange;

typedef struct {
  GArray *ranges; /* DacsaRange */
} DacsaLayout;

DacsaLayout *dacsa_layout_new(void);
DacsaLayout *dacsa_layout_copy(const DacsaLayout *layout);
void dacsa_layout_free(DacsaLayout *layout);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaLayout, dacsa_layout_free)

/* Appends a range, joined to the last where both continue. BAD_DATA: it is empty, wraps, or does
 * not lie above all ranges so far. */
bool dacsa_layout_append(DacsaLayout *layout, DacsaRange range,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The first range that ends above gpa (which may begin above it too); NULL: none. */
const DacsaRange *dacsa_layout_find(const DacsaLayout *layout, uint64_t gpa);

/* One past the last guest-physical byte; 0 for an empty layout. */
uint64_t dacsa_layout_end(const DacsaLayout *layout);

/* Bytes of guest RAM. */
uint64_t dacsa_layout_ram_bytes(const DacsaLayout *layout);

/* One range a line, `gpa size offset ram|rom` in hexadecimal; the reverse checks everything. */
char *dacsa_layout_to_text(const DacsaLayout *layout);
bool dacsa_layout_from_text(const char *text, DacsaLayout **ret,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
