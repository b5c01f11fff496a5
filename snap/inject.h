/*
 * Makes a running QEMU fork: the child, parked for ever in pause(2) with no descriptor open, holds
 * QEMU's memory of that instant, guest RAM included. QEMU runs the whole sequence by itself as a
 * chain of signal frames (snap/sigchain.h); the tracer only starts it and looks on.
 *
 *   QEMU's main thread   madvise(DOFORK) a VMA, clone(CLONE_VM...), wait4, madvise(DONTFORK) a VMA
 *   helper               clone(), exit: it shares QEMU's memory, so its child is QEMU's copy, and
 *                        its exit gives that child to init
 *   child                close_range(0, ~0), pause() for ever
 *
 * Should the tracer be killed, QEMU runs the chain to its end and goes on. Only under seccomp it
 * may not: the clone is allowed only while it is traced. There QEMU is stopped by SIGSTOP as long
 * as the chain runs, so that it stands still from the moment its tracer is gone; snap/recover.h
 * then leads it past the clone. Its other threads stand still, too.
 */
#pragma once

#include "snap/chain.h"

#include <sys/types.h>

typedef struct {
  pid_t pid; /* QEMU's main thread */
  DacsaGadgets gadgets;
  const GArray *vmas; /* DacsaForkVma */
  bool stop_group;    /* it is under seccomp: dacsa_inject_needs_stop */
  int journal;        /* of snap/journal.h, or -1 */
} DacsaInjection;

/* Whether a process is under seccomp, so that it has to be stopped meanwhile. */
bool dacsa_inject_needs_stop(pid_t pid);

/*
 * Forks. On success *ret_child is the child's pid and *ret_pidfd an owned descriptor of it; on
 * failure nothing is left of it and QEMU runs on as it was. The caller need not have threads, but
 * has all signals blocked. BUSY: QEMU's main thread is at a place where it cannot be done just now,
 * or somebody has stopped QEMU by a signal. A SIGSTOP that somebody sends meanwhile takes effect
 * when QEMU has unwound; a SIGCONT only takes the protection away.
 */
bool dacsa_inject_fork(const DacsaInjection *injection, pid_t *ret_child, int *ret_pidfd,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same in two steps, so that the thread that traces is there before QEMU is paused. It forks
 * once. injection is borrowed. */
typedef struct DacsaInjector DacsaInjector;

bool dacsa_injector_new(const DacsaInjection *injection, DacsaInjector **ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool dacsa_injector_fork(DacsaInjector *injector, pid_t *ret_child, int *ret_pidfd,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
void dacsa_injector_free(DacsaInjector *injector);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DacsaInjector, dacsa_injector_free)
