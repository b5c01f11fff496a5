/*
 * The files that are scanned as what they are: executables of processes, libraries that are mapped,
 * deleted files and memfds that are held open. Each once, whoever has it.
 */
#pragma once

#include "fs/scan-job.h"

typedef struct DacsaScanFiles DacsaScanFiles;

/* Of the snapshot in a directory. Threads may add. */
DacsaScanFiles *dacsa_scan_files_new(const char *snapshot);
void dacsa_scan_files_free(DacsaScanFiles *files);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanFiles, dacsa_scan_files_free)

/* A process's executable and libraries. The unit outlives files. */
void dacsa_scan_files_add_unit(DacsaScanFiles *files, const DacsaScanUnit *unit);

/* Whatever processes hold open that has no name any more. wanted: of these (uint32_t); NULL: all.
 */
void dacsa_scan_files_add_open(DacsaScanFiles *files, const GArray *wanted);

/* Scans number i of them; different numbers by different threads. */
guint dacsa_scan_files_count(const DacsaScanFiles *files);
void dacsa_scan_files_scan(DacsaScanFiles *files, DacsaScanJob *job, guint i);

/* Once all are scanned: tells what was found. */
void dacsa_scan_files_tell(const DacsaScanFiles *files, DacsaScanJob *job);
