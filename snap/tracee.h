/*
 * ptrace's verbs, as the injection and the recovery use them. ptrace belongs to a thread: what it
 * traces when it ends is let go by the kernel, and runs on or, where its process is stopped by a
 * signal, stops.
 */
#pragma once

#include "snap/sigchain.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/types.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

#define DACSA_TRACEE_FOREVER G_MAXINT64 /* as a deadline */

/* Seizes with its seccomp filters suspended, and with these options (PTRACE_O_...). UNSUPPORTED:
 * the kernel does not let us suspend them; NOT_FOUND: no such process. */
bool dacsa_tracee_seize(pid_t pid, unsigned long options, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The next stop or exit of any tracee or child of the calling thread; SIGCHLD is blocked. deadline:
 * monotonic time, microseconds. BUSY: it has passed; NOT_FOUND: there is nothing to wait for. */
bool dacsa_tracee_wait(int64_t deadline, pid_t *ret_pid, int *ret_status,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Brings a tracee, the only one, to a stop; signals that come first are delivered. *ret_signal is
 * the signal that its process is stopped by, 0: it is not. BUSY: it does not come to a stop;
 * NOT_FOUND: it has ended. */
bool dacsa_tracee_interrupt(pid_t pid, int64_t deadline, int *ret_signal,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Has a tracee's process, of which it is the main thread and stands still, stopped by SIGSTOP, and
 * the tracee come to a stop as its part in that. Should the tracer die from then on, the tracee
 * goes no further than it is (kernel/ptrace.c, __ptrace_unlink). Undone by SIGCONT. */
bool dacsa_tracee_stop_group(pid_t pid, int64_t deadline, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All that the last frame of a chain restores. BUSY: it is in a restartable sequence (rseq(2)),
 * which a foreign instruction would abort. ret's xstate is owned. */
bool dacsa_tracee_read(pid_t pid, DacsaThreadState *ret, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Points it at a frame of a chain, all signals blocked. */
bool dacsa_tracee_enter(pid_t pid, const struct user_regs_struct *regs, const DacsaGadgets *gadgets,
                        uint64_t frame, GError **error) G_GNUC_WARN_UNUSED_RESULT;
