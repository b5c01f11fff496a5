/* One snapshot as the viewer shows it: its memory, its guest, what went wrong with it. Shared by
 * reference; usable from several threads, and still safe, if useless, when it has been dropped. */
#pragma once

#include "fs/regions.h"
#include "snap/record.h"
#include "snap/resident.h"

typedef struct DacsaSnapshot DacsaSnapshot;

/* Files of the child's /proc/PID, opened by the keeper: owned by whoever holds the struct. */
typedef struct {
  int mem, pagemap, rollup; /* rollup: smaps_rollup */
} DacsaSnapshotFds;

/* Why a snapshot is no more, though it is still told of. */
typedef struct {
  char *why;
  int64_t dropped_us;     /* UNIX time */
  uint64_t private_bytes; /* what it cost when it was last measured; 0: not known */
} DacsaGrave;

void dacsa_snapshot_fds_close(DacsaSnapshotFds fds);

#define DACSA_SERIAL_MAX ((1u << 24) - 1) /* inode numbers have room for no more (fs/place.h) */

typedef struct {
  uint32_t serial; /* 1 to DACSA_SERIAL_MAX: the same for every viewer, and no other's */
  uint32_t time;   /* how many viewers have shown it before */
} DacsaSnapshotNumber;

/* Takes record and fds, which are -1 of one that is to be buried. memo is the VM's, and is
 * referenced. */
DacsaSnapshot *dacsa_snapshot_new(DacsaSnapshotNumber number, DacsaRecord *record,
                                  DacsaSnapshotFds fds, DacsaGuestMemo *memo);
DacsaSnapshot *dacsa_snapshot_ref(DacsaSnapshot *snapshot);
void dacsa_snapshot_unref(DacsaSnapshot *snapshot);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaSnapshot, dacsa_snapshot_unref)

uint32_t dacsa_snapshot_serial(const DacsaSnapshot *snapshot);
const DacsaRecord *dacsa_snapshot_record(const DacsaSnapshot *snapshot);
DacsaMem *dacsa_snapshot_phys(DacsaSnapshot *snapshot); /* borrowed */
DacsaErrors *dacsa_snapshot_errors(DacsaSnapshot *snapshot);

/* The mappings of its processes as files; borrowed. */
DacsaRegions *dacsa_snapshot_regions(DacsaSnapshot *snapshot);

/* Which pages of it the child has; borrowed. */
DacsaResident *dacsa_snapshot_resident(DacsaSnapshot *snapshot);

/* The guest, found the first time it is asked for; borrowed. The calling thread may from now on do
 * the work of one answer (parsers/work.h). */
bool dacsa_snapshot_guest(DacsaSnapshot *snapshot, DacsaGuest **ret,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* From now on nothing is read of it. The first one counts. */
void dacsa_snapshot_bury(DacsaSnapshot *snapshot, const char *why, int64_t dropped_us,
                         uint64_t private_bytes);

/* NULL: it has none. Borrowed, and stays as it is. */
const DacsaGrave *dacsa_snapshot_grave(const DacsaSnapshot *snapshot);

/* Whether its memory can still be read, now: STALE if not. What was made of it before that is
 * whole: a parser that meets an end in the middle does not take it for that of a list. */
bool dacsa_snapshot_check(DacsaSnapshot *snapshot, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether it was taken after the other. */
bool dacsa_snapshot_is_newer(const DacsaSnapshot *snapshot, const DacsaSnapshot *than);

/* What copy-on-write costs the host now: the child's private pages, in bytes. */
bool dacsa_snapshot_private_bytes(const DacsaSnapshot *snapshot, uint64_t *ret);
