/*
 * What was found in some content: the keys of the pages that it takes, and where in them. Wherever
 * these pages follow each other it is found, without matching. Threads may share a set of them.
 */
#pragma once

#include "parsers/scan/salt.h"

#define DACSA_FINDING_MAX_PAGES (4u * DACSA_SCAN_WINDOW) /* that one takes */

typedef struct {
  guint n; /* pages */
  DacsaScanKey keys[DACSA_FINDING_MAX_PAGES];
  guint offset; /* in the first of them */
  char *signature;
} DacsaScanFinding;

typedef struct DacsaScanFindings DacsaScanFindings;

DacsaScanFindings *dacsa_scan_findings_new(void);
void dacsa_scan_findings_free(DacsaScanFindings *findings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanFindings, dacsa_scan_findings_free)

/* Adds one, 1 <= n <= DACSA_FINDING_MAX_PAGES, unless it is there. false: there are too many. */
bool dacsa_scan_findings_add(DacsaScanFindings *findings, const DacsaScanKey *keys, guint n,
                             guint offset, const char *signature) G_GNUC_WARN_UNUSED_RESULT;

guint dacsa_scan_findings_count(DacsaScanFindings *findings);
const DacsaScanFinding *dacsa_scan_findings_get(DacsaScanFindings *findings, guint i);
