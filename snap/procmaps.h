/* The VMAs of a host process, as /proc/PID/smaps shows them (Documentation/filesystems/proc.rst).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
  uint64_t start, end;
  uint64_t offset; /* of start in the file that is mapped there */
  bool readable, writable, executable;
  bool shared;                    /* smaps perms `s`, or VmFlags `sh` */
  bool dont_fork;                 /* VmFlags `dc`: MADV_DONTFORK */
  bool hugetlb;                   /* `ht` */
  bool device;                    /* `io`, `pf`: not memory but a device's */
  bool io;                        /* `io`: VM_IO, which MADV_DOFORK refuses */
  bool wipe_on_fork;              /* `wf`: MADV_WIPEONFORK */
  bool userfaultfd;               /* `um`, `uw`, `ui`: postcopy or background snapshot */
  bool huge_pages, no_huge_pages; /* `hg`, `nh`: MADV_HUGEPAGE, MADV_NOHUGEPAGE */
  uint64_t rss;                   /* bytes */
  char *path;                     /* or NULL: anonymous */
} DacsaHostVma;

/* Owned array of DacsaHostVma in ascending order. OS, or BAD_DATA where the text is not smaps. */
bool dacsa_procmaps_read(pid_t pid, GArray **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_procmaps_parse(const char *text, GArray **ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

bool dacsa_procmaps_holds(const DacsaHostVma *vma, uint64_t hva);

/* Whether the VMA and those len bytes have any in common. */
bool dacsa_procmaps_overlaps(const DacsaHostVma *vma, uint64_t start, uint64_t len);

/* The VMA that holds hva; NULL: none. */
const DacsaHostVma *dacsa_procmaps_find(const GArray *vmas, uint64_t hva);

/* The value of `key` (such as "Seccomp") in /proc/PID/status; owned. NOT_FOUND: no such line. */
bool dacsa_procmaps_status(pid_t pid, const char *key, char **ret,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* When the process started, in clock ticks since boot: with the pid it names a process for good. */
bool dacsa_procmaps_start_time(pid_t pid, uint64_t *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether that process is still there; one that nobody has waited for yet is. */
bool dacsa_procmaps_is_process(pid_t pid, uint64_t start_time);
