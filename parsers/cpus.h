/* The vCPUs' registers, from the text of QEMU's `info registers -a` (target/i386/cpu-dump.c). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint64_t rip, cr0, cr3, cr4;
} DacsaCpu;

/* Owned array of DacsaCpu, in the text's order; those with no 64-bit registers are left out. */
GArray *dacsa_cpus_parse(const char *text);
