/* A registry with snapshots over temporary files: VM RAM of 64 KiB, with a hole of as much. */
#pragma once

#include "fs/registry.h"

/* Makes a VM known, with a serial number of its own, or changes its status. */
void fake_vm_set(DacsaRegistry *registry, const char *name, const char *status);

/* Adds a snapshot of a VM that the registry knows. fill: of every byte of its RAM. */
void fake_snapshot_add(DacsaRegistry *registry, const char *vm, const char *name, int64_t taken_us,
                       char fill);
