/*
 * Puts right what a killed worker has left: of what its journal tells (snap/journal.h), QEMU's main
 * thread goes back to its own registers without making a process, what was made is ended,
 * MADV_DONTFORK is where it was, a stop by SIGSTOP is lifted, and the VM runs again if it did
 * before. Every step may be done twice: a recovery that is itself killed is begun anew.
 */
#pragma once

#include "snap/journal.h"

/* Runs in a worker: it may take as long as QEMU's monitor does. A snapshot whose record was saved
 * stays. Removes the journal. BUSY: the worker lives, or something cannot be done yet; the journal
 * stays. */
bool dacsa_recover(const DacsaJournal *journal, const char *state_path,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
