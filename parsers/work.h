/*
 * A bound on the work that a guest can cause at a time. Every walk through a guest's structures has
 * a cap of its own, but a hostile guest multiplies them: a million mappings, each with a path of
 * thousands of steps. So each thread has an allowance, begun anew whenever it turns to a guest
 * (dacsa_snapshot_guest), which one request may do several times, and apart from that for what is
 * made once for all who ask (dacsa_linux_once); every read through an address space spends of it;
 * when it is spent, reads fail, walks end as they do at any page that is missing, and what was
 * found until then stands. The allowance is the thread's own and no argument, for it concerns
 * everything that reads and nothing that it does.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define DACSA_WORK_UNLIMITED UINT64_MAX

/* The allowance for one turn to a guest with so much memory, in reads: what is in a memory and
 * is read a few times is proportional to it. */
uint64_t dacsa_work_allowance(uint64_t ram_bytes);

/* Sets what the calling thread may spend from now on; returns what it had left. A thread that never
 * sets it is not limited. */
uint64_t dacsa_work_begin(uint64_t allowance);

/* FAULT: it is all spent. */
bool dacsa_work_spend(uint64_t reads, GError **error) G_GNUC_WARN_UNUSED_RESULT;
