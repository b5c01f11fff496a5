/*
 * Whether the host's memory runs short: its pressure stall information, which the kernel tells at
 * once (Documentation/accounting/psi.rst), and what it says is available. It runs in the default
 * GMainContext.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct DacsaPressure DacsaPressure;

/* stalled is called when tasks have waited for memory for 300 ms of two seconds, at most once in
 * two seconds. A kernel without PSI never says so. */
DacsaPressure *dacsa_pressure_new(void (*stalled)(void *data), void *data);
void dacsa_pressure_free(DacsaPressure *pressure); /* may be NULL */

/* false: the kernel has no PSI, or does not let us watch it. */
bool dacsa_pressure_is_watched(const DacsaPressure *pressure);

/* MemTotal and MemAvailable, in bytes. root: see snap/hostfile.h. */
bool dacsa_pressure_memory(const char *root, uint64_t *ret_total, uint64_t *ret_available);
