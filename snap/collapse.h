/*
 * QEMU's huge pages, put together again. Copy-on-write splits those that the guest writes to while
 * a snapshot lives, and each fork from then on copies 512 page table entries for one. One pass over
 * a VM's memory, in a worker and with the guest running, has the kernel collapse what has been
 * split: process_madvise(2) with MADV_COLLAPSE, Linux 6.1.
 *
 * For each 2 MiB a call locks QEMU's mappings for as long as they take to copy (0.4 ms, measured).
 * A worker that waits for a processor in mid-call would make QEMU's page faults wait with it:
 * measured with two busy loops a processor, a call takes 2.4 ms at most at nice -20, up to 1.1 s at
 * nice 19, 10.8 s as SCHED_IDLE. So a pass runs at a worker's high priority, and is cheap by
 * resting instead.
 *
 * Before it begins, a call waits until all processors have emptied their lists of pages, and keeps
 * QEMU from changing its mappings meanwhile, a fork among others (mm/khugepaged.c,
 * madvise_collapse): some microseconds, but on a host with ten processes to a processor up to a
 * second was seen. So ranges in a row share a call, and a snapshot waits for its end before the VM
 * is stopped.
 */
#pragma once

#include "snap/probe.h"

#define DACSA_HUGE_PAGE (UINT64_C(2) << 20)
#define DACSA_HUGE_PAGE_WORDS 512u /* its pages of 4 KiB, each a word of /proc/PID/pagemap */

/* What a collapse would add to the pages that are in use, of 512. Pages that QEMU does not have
 * become resident: at most 3 %, so that QEMU's resident size stays what it is. Pages that QEMU
 * shares with a living snapshot get a copy: at most a third of those it has for itself already. */
#define DACSA_COLLAPSE_MAX_ABSENT 16u
#define DACSA_COLLAPSE_MAX_SHARED 128u

typedef enum {
  DACSA_RANGE_SPLIT,   /* to be collapsed */
  DACSA_RANGE_HUGE,    /* it is a huge page */
  DACSA_RANGE_ABSENT,  /* too much of it is not there */
  DACSA_RANGE_SWAPPED, /* some of it is swapped out */
  DACSA_RANGE_SHARED,  /* too much of it is a snapshot's, too */
  DACSA_N_RANGES,
} DacsaRangeKind;

/* Of one aligned range of QEMU's memory, from its pagemap (admin-guide/mm/pagemap.rst). Frames that
 * follow one another from an aligned one are a huge page; copy-on-write leaves no such row. */
DacsaRangeKind dacsa_collapse_judge(const uint64_t words[DACSA_HUGE_PAGE_WORDS]);

typedef struct {
  uint64_t seen[DACSA_N_RANGES]; /* ranges as they were found */
  uint64_t collapsed, refused;   /* of those found split: by the kernel, for now */
  uint64_t busy_us;              /* processor time */
  char *stopped;                 /* why it did not get to the end; NULL: it did */
} DacsaCollapsed;

void dacsa_collapsed_clear(DacsaCollapsed *collapsed);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DacsaCollapsed, dacsa_collapsed_clear)

/* One pass over the huge_vmas of a VM that was probed. It takes as long as it takes: see
 * CPU_SHARE in the .c. UNSUPPORTED: this kernel cannot, or dacsa may not. NOT_FOUND: QEMU is gone.
 */
bool dacsa_collapse_run(const DacsaProbe *probe, DacsaCollapsed *ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* To and from the bytes that cross from a worker to the keeper. */
GVariant *dacsa_collapsed_to_variant(const DacsaCollapsed *collapsed);
bool dacsa_collapsed_from_variant(GVariant *variant, DacsaCollapsed *ret,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Why the host, or QEMU's control groups, have no memory for it now; a constant. NULL: they have.
 * root: see snap/hostfile.h. */
const char *dacsa_collapse_shortage(const char *root, pid_t pid);
