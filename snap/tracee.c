/* ptrace's verbs. */
#include "snap/tracee.h"

#include "snap/error.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_XSTATE 65536u
#define STOP_TRIES 20

static bool
fail_ptrace(GError **error, const char *what)
{
  return dacsa_fail_errno(error, errno, "cannot trace QEMU (%s)", what);
}

/* -- stopping -- */

/* With its seccomp sandbox on, QEMU may not clone; the kernel suspends that for a tracer with
 * CAP_SYS_ADMIN that is not itself under seccomp. Refused: then only an unconfined QEMU will do. */
bool
dacsa_tracee_seize(pid_t pid, unsigned long options, GError **error)
{
  if (ptrace(PTRACE_SEIZE, pid, 0, options | PTRACE_O_SUSPEND_SECCOMP) == 0)
    return true;
  if (errno == ESRCH)
    return fail_ptrace(error, "seize");
  return dacsa_fail(error,
                    errno == EPERM || errno == EINVAL ? DACSA_ERROR_UNSUPPORTED : DACSA_ERROR_OS,
                    "cannot trace QEMU with its seccomp sandbox suspended: %s", g_strerror(errno));
}

bool
dacsa_tracee_wait(int64_t deadline, pid_t *ret_pid, int *ret_status, GError **error)
{
  sigset_t chld;

  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  for (;;) {
    pid_t pid = waitpid(-1, ret_status, __WALL | WNOHANG);

    if (pid > 0) {
      *ret_pid = pid;
      return true;
    }
    if (pid < 0 && errno == ECHILD)
      return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "QEMU is gone");
    int64_t left = deadline - g_get_monotonic_time();
    if (left <= 0)
      return dacsa_fail(error, DACSA_ERROR_BUSY, "QEMU did not finish the injected calls in time");
    struct timespec ts = {left / G_USEC_PER_SEC, left % G_USEC_PER_SEC * 1000};
    sigtimedwait(&chld, NULL, &ts);
  }
}

/* Until the tracee comes to a stop that is none of a signal's delivery, with one of these two
 * causes: SIGTRAP, or the signal that its process is stopped by. */
static bool
wait_event(pid_t pid, int64_t deadline, bool only_stopped, int *ret_signal, GError **error)
{
  for (int tries = 0; tries < STOP_TRIES; tries++) {
    pid_t who;
    int status, deliver = 0;

    if (!dacsa_tracee_wait(deadline, &who, &status, error))
      return false;
    if (!WIFSTOPPED(status))
      return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "QEMU exited");
    if (status >> 16 == PTRACE_EVENT_STOP) {
      *ret_signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
      if (*ret_signal || !only_stopped)
        return true;
    } else {
      deliver = WSTOPSIG(status);
    }
    if (ptrace(PTRACE_CONT, pid, 0, deliver) < 0)
      return fail_ptrace(error, "deliver a signal");
  }
  return dacsa_fail(error, DACSA_ERROR_BUSY, "QEMU's main thread does not come to a stop");
}

bool
dacsa_tracee_interrupt(pid_t pid, int64_t deadline, int *ret_signal, GError **error)
{
  if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
    return fail_ptrace(error, "interrupt");
  return wait_event(pid, deadline, false, ret_signal, error);
}

/* Any of its threads may be the one that takes the signal; the tracee hears of it by a trap. */
bool
dacsa_tracee_stop_group(pid_t pid, int64_t deadline, GError **error)
{
  int signal;

  if (kill(pid, SIGSTOP) < 0)
    return fail_ptrace(error, "stop");
  if (ptrace(PTRACE_CONT, pid, 0, 0) < 0)
    return fail_ptrace(error, "let it stop");
  return wait_event(pid, deadline, true, &signal, error);
}

/* -- state -- */

static bool
read_memory(pid_t pid, uint64_t at, void *to, size_t len)
{
  struct iovec local = {to, len};
  struct iovec remote = {(void *)(uintptr_t)at, len};

  return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)len;
}

/* The kernel clears the pointer to a section that has been left only when it next looks: what
 * counts is where the thread is (kernel/rseq.c, rseq_ip_fixup). */
static bool
is_in_rseq(pid_t pid, uint64_t ip)
{
  struct __ptrace_rseq_configuration rseq = {0};
  struct { /* struct rseq_cs */
    uint32_t version, flags;
    uint64_t start, length, abort;
  } section;
  uint64_t at;

  if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, pid, sizeof(rseq), &rseq) < 0 ||
      rseq.rseq_abi_pointer == 0)
    return false;
  /* struct rseq: cpu_id_start, cpu_id, then the pointer to the active section. */
  if (!read_memory(pid, rseq.rseq_abi_pointer + 8, &at, sizeof(at)) || at == 0)
    return false;
  return !read_memory(pid, at, &section, sizeof(section)) || ip - section.start < section.length;
}

bool
dacsa_tracee_read(pid_t pid, DacsaThreadState *ret, GError **error)
{
  ret->xstate = g_byte_array_sized_new(MAX_XSTATE);
  g_byte_array_set_size(ret->xstate, MAX_XSTATE);
  struct iovec xstate = {ret->xstate->data, MAX_XSTATE};

  if (ptrace(PTRACE_GETREGS, pid, 0, &ret->regs) < 0 ||
      ptrace(PTRACE_GETSIGMASK, pid, sizeof(ret->sigmask), &ret->sigmask) < 0 ||
      ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &xstate) < 0)
    return fail_ptrace(error, "read registers");
  g_byte_array_set_size(ret->xstate, (guint)xstate.iov_len);
  if (ret->regs.cs != 0x33)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "QEMU's main thread runs 32-bit code");
  if (is_in_rseq(pid, ret->regs.rip))
    return dacsa_fail(error, DACSA_ERROR_BUSY, "QEMU's main thread is in a restartable sequence");
  return true;
}

bool
dacsa_tracee_enter(pid_t pid, const struct user_regs_struct *regs, const DacsaGadgets *gadgets,
                   uint64_t frame, GError **error)
{
  struct user_regs_struct entry = *regs;
  uint64_t all = ~UINT64_C(0);

  dacsa_sigchain_enter(&entry, gadgets, frame);
  if (ptrace(PTRACE_SETREGS, pid, 0, &entry) < 0)
    return fail_ptrace(error, "set registers");
  ptrace(PTRACE_SETSIGMASK, pid, sizeof(all), &all);
  return true;
}
