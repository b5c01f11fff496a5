/*
 * Makes a running QEMU fork: the child, parked for ever in pause(2) with no descriptor open, holds
 * QEMU's memory of that instant, guest RAM included. QEMU runs the whole sequence by itself as a
 * chain of signal frames (snap/sigchain.h); the tracer only starts it and looks on.
 *
 *   QEMU's main thread   madvise(DOFORK) a VMA, clone(CLONE_VM...), wait4, madvise(DONTFORK) a VMA
 *   helper               clone(), exit: it shares QEMU's memory, so its child is QEMU's copy, and
 *                        its exit gives that child to init
 *   child                close_range(0, ~0), pause() for ever
 */
#pragma once

#include "snap/sigchain.h"

#include <sys/types.h>

typedef struct {
  uint64_t start, len; /* a whole VMA of QEMU that is MADV_DONTFORK */
} DacsaForkVma;

typedef struct {
  pid_t pid; /* QEMU's main thread */
  DacsaGadgets gadgets;
  const GArray *vmas; /* DacsaForkVma */
} DacsaInjection;

/*
 * Forks. On success *ret_child is the child's pid and *ret_pidfd an owned descriptor of it; on
 * failure nothing is left of it and QEMU runs on as it was. The caller need not have threads, but
 * has all signals blocked. BUSY: QEMU's main thread is at a place where it cannot be done just now.
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
