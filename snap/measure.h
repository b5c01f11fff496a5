/*
 * Measures what the snapshots of all VMs cost (snap/rollup.h), and what their control groups leave.
 * Measuring walks page tables, so a worker does it. It runs in the default GMainContext.
 */
#pragma once

#include "snap/fleet.h"
#include "snap/worker.h"

/* Starts the worker. done is called once, as dacsa_worker_start has it; payload is for
 * dacsa_measure_note. */
bool dacsa_measure_start(DacsaFleet *fleet, DacsaWorkerDone done, void *data,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Notes the figures with the VMs and snapshots that are still there. *ret_cpu_us: the time of a CPU
 * that it took to measure them. BAD_DATA: there are none, and nothing is noted. */
bool dacsa_measure_note(DacsaFleet *fleet, GVariant *payload, uint64_t *ret_cpu_us,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
