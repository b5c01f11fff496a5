/*
 * What dacsa scan has found: gathered while threads match, completed (the same content is in other
 * processes too), printed as lines or as JSON.
 */
#pragma once

#include "fs/scan-unit.h"
#include "parsers/scan/finding.h"
#include "parsers/scan/pages.h"

typedef enum {
  DACSA_FINDING_MEMORY,  /* of a process */
  DACSA_FINDING_MODULE,  /* memory of one */
  DACSA_FINDING_EXE,     /* a process's executable, as a file */
  DACSA_FINDING_FILE,    /* a file that the guest has cached */
  DACSA_FINDING_PHYSMEM, /* physical memory */
} DacsaFindingKind;

typedef struct DacsaFindings DacsaFindings;

typedef struct {
  bool json;
  GRegex *exclude; /* what is not told: a command or a path that it matches; NULL: none */
} DacsaFindingsOptions;

/* options is borrowed. Threads may add. */
DacsaFindings *dacsa_findings_new(const DacsaFindingsOptions *options);
void dacsa_findings_free(DacsaFindings *findings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaFindings, dacsa_findings_free)

/* In a unit's memory, from byte `offset` of page `page` on: what is not looked for elsewhere. */
void dacsa_findings_add_memory(DacsaFindings *findings, const DacsaScanUnit *unit, guint page,
                               guint offset, const char *signature);

/* In a file; unit: the process whose executable it is, or NULL; path: as the guest has it. */
void dacsa_findings_add_file(DacsaFindings *findings, DacsaFindingKind kind,
                             const DacsaScanUnit *unit, const char *path, const char *signature);

/* Adds what was found in some content wherever that is, in all units: the same pages in the same
 * order. */
void dacsa_findings_spread(DacsaFindings *findings, DacsaScanFindings *known,
                           const GPtrArray *units, DacsaScanPages *pages);

/* There were more than are kept. */
bool dacsa_findings_full(const DacsaFindings *findings);

/* Prints them in the order of processes and addresses, none twice, and forgets them. Returns how
 * many; *ret_processes: processes that have one. */
guint dacsa_findings_print(DacsaFindings *findings, const char *vm, const char *snapshot,
                           guint *ret_processes);
