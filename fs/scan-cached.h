/* Where the mount has the files that the guest has cached: below files/ of a snapshot, a directory
 * each file system. */
#pragma once

#include <glib.h>
#include <stdint.h>

/* What the path of a file ends in that has no name any more. */
#define DACSA_SCAN_DELETED " (deleted)"

typedef struct DacsaScanCached DacsaScanCached;

/* Of the snapshot in a directory. One thread at a time may ask it. */
DacsaScanCached *dacsa_scan_cached_new(const char *snapshot);
void dacsa_scan_cached_free(DacsaScanCached *cached);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaScanCached, dacsa_scan_cached_free)

/* Where a file is, if it is cached; NULL: its file system is nowhere. Owned. device: `major:minor`,
 * path: as the guest has it. Of several that have no name any more but the same last one, it is
 * told by its inode (parsers/filetree.c). */
char *dacsa_scan_cached_path(DacsaScanCached *cached, const char *device, uint64_t ino,
                             const char *path);
