/* The preflight: each case in which a snapshot is refused before the VM is touched, one row each.
 */
#pragma once

#include "snap/monitor.h"

typedef struct {
  DacsaMonitor *monitor;
  const GArray *vmas;     /* DacsaHostVma of the QEMU process */
  const GArray *ram_hvas; /* uint64_t: one address in each block of guest RAM */
  bool has_gadgets;
} DacsaPreflight;

/* The first case that holds: its reason and remedy, owned. false: none, a snapshot can be taken. */
bool dacsa_preflight_refuses(const DacsaPreflight *preflight, char **ret_reason, char **ret_remedy);

/* The same for the cases that may come and go while QEMU runs and cost little to look for. */
bool dacsa_preflight_changed(DacsaMonitor *monitor, char **ret_reason, char **ret_remedy);
