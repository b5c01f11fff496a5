/* A file made of guest pages: which guest-physical bytes stand at which offset, and where the guest
 * itself has them mapped. Immutable once built. */
#pragma once

#include "snap/mem.h"

typedef struct {
  uint64_t offset; /* in the file */
  uint64_t gva, gpa, len;
} DacsaRun;

typedef struct {
  GArray *runs; /* DacsaRun, ascending, without gaps in offset */
  uint64_t size;
} DacsaRuns;

DacsaRuns *dacsa_runs_new(void);
void dacsa_runs_free(DacsaRuns *runs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaRuns, dacsa_runs_free)

/* Appends; joined to the last run where both addresses continue it. false: there are too many. */
bool dacsa_runs_append(DacsaRuns *runs, uint64_t gva, uint64_t gpa, uint64_t len);

/* Index of the run that holds offset; offset < runs->size. */
size_t dacsa_runs_find(const DacsaRuns *runs, uint64_t offset);

/* Reads len bytes at offset; [offset, offset + len) lies within the file. */
bool dacsa_runs_read(const DacsaRuns *runs, DacsaMem *phys, uint64_t offset, void *buf, size_t len,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
