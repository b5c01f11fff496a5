/* Has QEMU forked by a thread of its own: ptrace belongs to a thread, and lets go when it ends. */
#pragma once

#include "snap/inject.h"

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
