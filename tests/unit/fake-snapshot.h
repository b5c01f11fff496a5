/* A registry with snapshots over temporary files: VM RAM of 64 KiB, with a hole of as much. */
#pragma once

#include "fs/registry.h"

/* 64 KiB of RAM, all its bytes fill; owned. Cut off, it can no longer be read. */
int fake_snapshot_memory(char fill);

/* What the keeper would tell of a snapshot; owned. */
DacsaRecord *fake_record(const char *vm, const char *name, int64_t taken_us);

/* Adds a snapshot with that memory; takes both. */
void fake_snapshot_add_record(DacsaRegistry *registry, DacsaRecord *record, int memory);

/* Adds a snapshot with that memory, which it takes. */
void fake_snapshot_add_memory(DacsaRegistry *registry, const char *vm, const char *name,
                              int64_t taken_us, int memory);
/* Makes a VM known, with a serial number of its own, or changes its status. */
void fake_vm_set(DacsaRegistry *registry, const char *name, const char *status);

/* Adds a snapshot of a VM that the registry knows. fill: of every byte of its RAM. */
void fake_snapshot_add(DacsaRegistry *registry, const char *vm, const char *name, int64_t taken_us,
                       char fill);
