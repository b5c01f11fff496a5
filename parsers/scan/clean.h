/*
 * What is known of content, kept in a file for the next scan with the same signatures: the windows
 * that were scanned, what was found in them, and the secret that all is keyed with. The file is its
 * owner's alone; it is believed only if it is whole.
 */
#pragma once

#include "parsers/scan/finding.h"
#include "parsers/scan/windows.h"

typedef struct DacsaScanClean DacsaScanClean;

/*
 * Opens the file of a version (engine.h) in a directory, which is made if need be. NULL: nothing is
 * kept. longest is asked, unless the file tells, how long the version's longest pattern is
 * (windows.h). A file that is damaged counts as empty. OS: it cannot be opened, or others may write
 * there.
 */
bool dacsa_scan_clean_open(const char *directory, const char *version,
                           size_t (*longest)(void *data), void *data, DacsaScanClean **ret,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_scan_clean_free(DacsaScanClean *clean);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanClean, dacsa_scan_clean_free)

/* The windows by content, with those that are known; what was found in content. Borrowed. */
DacsaScanWindows *dacsa_scan_clean_windows(DacsaScanClean *clean);
DacsaScanFindings *dacsa_scan_clean_findings(DacsaScanClean *clean);

/* Writes what is known into the open file, with what another scan has added meanwhile; windows that
 * were not seen for longest go where there are too many. */
bool dacsa_scan_clean_save(DacsaScanClean *clean, GError **error) G_GNUC_WARN_UNUSED_RESULT;
