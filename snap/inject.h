/*
 * Makes a running QEMU fork: the child, parked for ever in pause(2) with no descriptor open, holds
 * guest memory of that instant, and of QEMU's own only what it runs on (snap/forkmap.h). QEMU runs
 * the whole sequence by itself as a chain of signal frames (snap/sigchain.h); the tracer only
 * starts it and looks on.
 *
 *   QEMU's main thread   madvise a VMA, clone(CLONE_VM...), wait4, madvise a VMA back
 *   helper               clone(), exit: it shares QEMU's memory, so its child has the copy, and
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

typedef struct {
  pid_t child;
  int pidfd;          /* of it, owned; -1 where it failed */
  bool group_stopped; /* by us: QEMU is to get SIGCONT once nothing traces it any more */
  bool foreign_stop;  /* and then SIGSTOP, which somebody else has sent meanwhile */
} DacsaInjected;

/* The main thread puts back what a fork changed, and does nothing else: no fork. It has begun to
 * when this returns. Called by a thread that traces nothing. */
bool dacsa_inject_put_back(const DacsaInjection *injection,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The work of an injector (snap/injector.h), in a thread that ends then: whatever it still traces
 * is let go by its end. *ret is set in any case. */
bool dacsa_inject_run(const DacsaInjection *injection, DacsaInjected *ret,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
