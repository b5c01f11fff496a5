/* One take or recovery of a VM at a time, whichever daemon does it: else one could fork while the
 * other resumes. The lock is a file that root alone may open. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Locks the VM of this QEMU until *ret is released or its process has ended. deadline: monotonic
 * time, microseconds. BUSY: somebody else has it. */
bool dacsa_vmlock_take(pid_t pid, int64_t deadline, int *ret,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Takes lock. */
void dacsa_vmlock_release(pid_t pid, int lock);
