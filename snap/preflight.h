/*
 * The preflight: each case in which a snapshot is refused, or may cost more than it should, before
 * the VM is touched: one row each. It reads /proc and /sys and asks the monitor, no more.
 */
#pragma once

#include "snap/monitor.h"

typedef struct {
  const char *root; /* before /proc and /sys: "" but in tests (snap/hostfile.h) */
  DacsaMonitor *monitor;
  const GArray *vmas;     /* DacsaHostVma of the QEMU process; NULL: they cannot be read */
  const GArray *ram_hvas; /* uint64_t: one address in each block of guest RAM */
  int attach_errno; /* why /proc/PID/mem, which asks for the right to trace, does not open; or 0 */
  bool has_gadgets;
} DacsaPreflight;

typedef struct {
  char *reason, *remedy;
  bool refuses; /* false: a warning, a snapshot can be taken */
} DacsaFinding;

DacsaFinding *dacsa_finding_new(const char *reason, const char *remedy, bool refuses);
void dacsa_finding_free(DacsaFinding *finding);

/* All cases that hold, DacsaFinding, in the order of the rows. Owned. */
GPtrArray *dacsa_preflight_run(const DacsaPreflight *preflight);

/* Those that refuse and that may come and go while QEMU runs: vmas and ram_hvas are not looked at,
 * and cost is little. */
GPtrArray *dacsa_preflight_changed(DacsaMonitor *monitor);

/* The first of findings that refuses; NULL: none. Borrowed. */
const DacsaFinding *dacsa_preflight_refusal(const GPtrArray *findings);
