/* A file made of guest pages: which guest-physical bytes stand at which offset, and where the guest
 * itself has them mapped. Before the first run there may be bytes of our own, a header; between
 * runs there may be holes, which read as zeros. Immutable once built.
 */
#pragma once

#include "snap/mem.h"

typedef struct {
  uint64_t offset; /* in the file */
  uint64_t gva, gpa, len;
} DacsaRun;

typedef struct {
  GArray *runs;  /* DacsaRun, ascending by offset, disjoint, none past size */
  uint64_t size; /* of the file */
  GBytes *head;  /* the file's first bytes, all before the first run; NULL: none */
} DacsaRuns;

DacsaRuns *dacsa_runs_new(void);
void dacsa_runs_free(DacsaRuns *runs);

/* Puts bytes of our own at the start of a file that is empty so far. Takes head. */
void dacsa_runs_set_head(DacsaRuns *runs, GBytes *head);
size_t dacsa_runs_head_len(const DacsaRuns *runs);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaRuns, dacsa_runs_free)

/* Appends at the end of the file; joined to the last run where both addresses continue it. false:
 * there are too many. */
bool dacsa_runs_append(DacsaRuns *runs, uint64_t gva, uint64_t gpa,
                       uint64_t len) G_GNUC_WARN_UNUSED_RESULT;

/* The same behind a hole: offset is at or past the end. */
bool dacsa_runs_append_at(DacsaRuns *runs, uint64_t offset, uint64_t gva, uint64_t gpa,
                          uint64_t len) G_GNUC_WARN_UNUSED_RESULT;

/* Makes the file end at size: with a hole, or by cutting what lies past it. */
void dacsa_runs_set_size(DacsaRuns *runs, uint64_t size);

/* Index of the first run that ends past offset; the number of runs: none does. */
size_t dacsa_runs_find(const DacsaRuns *runs, uint64_t offset);

/* The same by gva, where the runs are ascending by that too: a process's memory. */
size_t dacsa_runs_find_gva(const DacsaRuns *runs, uint64_t gva);

/* The first part at or after offset that is no hole: [*ret_start, *ret_end). false: there is none.
 */
bool dacsa_runs_next(const DacsaRuns *runs, uint64_t offset, uint64_t *ret_start,
                     uint64_t *ret_end);

/* Reads len bytes at offset; [offset, offset + len) lies within the file. */
bool dacsa_runs_read(const DacsaRuns *runs, DacsaMem *phys, uint64_t offset, void *buf, size_t len,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
