/*
 * A core of the whole system, as kdump and QEMU's dump-guest-memory write it, for crash, drgn, gdb,
 * Volatility 3: each vCPU's registers, VMCOREINFO where the guest is Linux, and all of its physical
 * memory, every stretch at the address at which the kernel itself has it.
 */
#pragma once

#include "parsers/guest.h"
#include "snap/layout.h"
#include "snap/resident.h"

typedef struct {
  const DacsaLayout *layout;
  const GArray *cpus;      /* DacsaCpu */
  DacsaResident *resident; /* the rest are holes of the file; NULL: all is there */
  DacsaGuest *guest;       /* NULL: its system is not known, and the core says nothing of it */
  DacsaErrors *errors;     /* what the guest should tell and does not is noted here */
} DacsaVmcoreSource;

/* The file, in which nothing is read but what the guest says of itself; owned. */
DacsaRuns *dacsa_vmcore_new(const DacsaVmcoreSource *source);
