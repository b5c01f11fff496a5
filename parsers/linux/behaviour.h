/*
 * How this very kernel's /proc prints, where no member and no symbol tells: its own texts say which
 * lines it has, its own code how it compares. Looked at once a snapshot.
 */
#pragma once

#include "parsers/linux/view.h"

/* Lines of /proc/PID/status that not every kernel has. */
typedef enum {
  DACSA_LINUX_LINE_ANY, /* every kernel has it */
  DACSA_LINUX_LINE_KTHREAD,
  DACSA_LINUX_LINE_HUGETLB_PAGES,
  DACSA_LINUX_LINE_CORE_DUMPING,
  DACSA_LINUX_LINE_THP_ENABLED,
  DACSA_LINUX_LINE_UNTAG_MASK,
  DACSA_LINUX_LINE_SECCOMP,
  DACSA_LINUX_LINE_SECCOMP_FILTERS,
  DACSA_LINUX_LINE_STORE_BYPASS,
  DACSA_LINUX_LINE_INDIRECT_BRANCH,
  DACSA_LINUX_LINE_MEMS_ALLOWED,
  DACSA_LINUX_LINE_FEATURES,
  DACSA_LINUX_N_LINES,
} DacsaLinuxLine;

typedef enum {
  DACSA_LINUX_HEAP_UNKNOWN,
  DACSA_LINUX_HEAP_TOUCHES,  /* [heap]: start <= brk && end >= start_brk */
  DACSA_LINUX_HEAP_OVERLAPS, /* [heap]: start < brk && end > start_brk */
} DacsaLinuxHeapRule;

typedef struct {
  bool counters_are_summed; /* memory counters: over all CPUs, not only the shared part */
  DacsaLinuxHeapRule heap;
  uint32_t
      backing_file; /* the bit of file.f_mode (FMODE_BACKING) of files behind others; 0: none */
} DacsaLinuxBehaviour;

/* Whether /proc/PID/status has a line: DACSA_LINUX_N_LINES of them. Borrowed. */
const bool *dacsa_linux_status_lines(DacsaLinux *l);

/* Borrowed. */
const DacsaLinuxBehaviour *dacsa_linux_behaviour(DacsaLinux *l);
