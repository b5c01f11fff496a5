/*
 * Gathers what is to be matched, piece by piece, until it is worth to match it: a call of libclamav
 * costs milliseconds however little it is given. What a unit leaves behind, if it is little, waits
 * for more from others; if something shows in what several units have, each is matched for itself.
 */
#pragma once

#include "fs/scan-job.h"

typedef struct DacsaScanGather DacsaScanGather;

/* job is borrowed. For one thread at a time. */
DacsaScanGather *dacsa_scan_gather_new(DacsaScanJob *job);
void dacsa_scan_gather_free(DacsaScanGather *gather); /* what is gathered is forgotten */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanGather, dacsa_scan_gather_free)

/* Bytes [from, to) of a unit's memory, at most 1 MiB, out of pages that were read: the first of
 * them is `page`, and data and keys are theirs. */
typedef struct {
  uint64_t from, to;
  guint page;
  const char *data;
  const DacsaScanKey *keys;
} DacsaScanPiece;

/* Adds a piece of a unit, which is open and outlives what is gathered. It may continue, or overlap,
 * the last one. */
void dacsa_scan_gather_add(DacsaScanGather *gather, const DacsaScanUnit *unit,
                           const DacsaScanPiece *piece);

/* The unit has no more: matches what there is, unless it is little. */
void dacsa_scan_gather_end_unit(DacsaScanGather *gather);

/* Matches what there is. */
void dacsa_scan_gather_flush(DacsaScanGather *gather);
