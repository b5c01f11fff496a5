/*
 * The preflight: each case in which a snapshot is refused, or may cost more than it should, before
 * the VM is touched: one row each. It reads /proc and /sys and asks the monitor, no more.
 */
#pragma once

#include "snap/monitor.h"

/* The methods of snap/method.h, as bits: which ones a case is about. */
enum {
  DACSA_METHOD_FORK = 1,
  DACSA_METHOD_COPY = 2,
};

typedef struct {
  const char *root; /* before /proc and /sys: "" but in tests (snap/hostfile.h) */
  DacsaMonitor *monitor;
  const GArray *vmas;     /* DacsaHostVma of the QEMU process; NULL: they cannot be read */
  const GArray *ram_hvas; /* uint64_t: one address in each block of guest RAM */
  int attach_errno; /* why /proc/PID/mem, which asks for the right to trace, does not open; or 0 */
  int signal_errno; /* why QEMU cannot be sent a signal; or 0 */
  bool has_gadgets;
  uint64_t ram_bytes; /* of the guest; 0: not known */
} DacsaPreflight;

typedef struct {
  char *reason, *remedy;
  bool refuses;     /* false: a warning, a snapshot can be taken */
  unsigned methods; /* by these it cannot, or is warned of */
  bool passing;     /* it may be otherwise the next moment */
} DacsaFinding;

DacsaFinding *dacsa_finding_new(const char *reason, const char *remedy, bool refuses,
                                unsigned methods);
void dacsa_finding_free(DacsaFinding *finding);

/* All cases that hold, DacsaFinding, in the order of the rows. Owned. */
GPtrArray *dacsa_preflight_run(const DacsaPreflight *preflight);

/* Those that forbid the method and that may come and go while QEMU runs: vmas and ram_hvas are not
 * looked at, and cost is little. */
GPtrArray *dacsa_preflight_changed(DacsaMonitor *monitor, unsigned method);

/* The first of findings that forbids one of the methods; NULL: none. Borrowed. */
const DacsaFinding *dacsa_preflight_refusal(const GPtrArray *findings, unsigned methods);

/* What a copy would copy, at most, in bytes: what QEMU has in memory and in swap. */
uint64_t dacsa_preflight_copy_bytes(const DacsaPreflight *preflight);
