/* The injection's ladder: seize, read the state, write the chain, enter it, follow, release. */
#include "snap/inject.h"

#include "snap/error.h"
#include "snap/hostfile.h"
#include "snap/journal.h"
#include "snap/procmaps.h"
#include "snap/tracee.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_US (5 * G_USEC_PER_SEC)
#define STOP_US G_USEC_PER_SEC /* for one thread of QEMU to be woken */
#define QUIET_NUDGES 5         /* after that nothing more is expected */
#define NUDGE_US (20 * 1000)   /* without a helper by then, it is looked after */
#define EXPENDABLE "1000"      /* the first to be killed when memory runs out */

typedef struct {
  const DacsaInjection *job;
  int64_t deadline;
  DacsaThreadState state; /* QEMU's main thread as found */
  DacsaChain chain;
  GByteArray *image;   /* the frames, as they lie at chain.base */
  pid_t helper, child; /* 0: not seen yet */
  int child_pidfd;
  pid_t child_made; /* what the helper's clone told; 0: it has not */
  bool entered, helper_gone;
  bool main_gone;     /* not traced: not yet, no longer, or ended */
  bool group_stopped; /* by us */
  bool foreign_stop;  /* somebody else wants QEMU stopped, too */
} Injector;

static bool
fail_ptrace(GError **error, const char *what)
{
  return dacsa_fail_errno(error, errno, "cannot trace QEMU (%s)", what);
}

bool
dacsa_inject_needs_stop(pid_t pid)
{
  g_autofree char *seccomp = NULL;

  return !dacsa_procmaps_status(pid, "Seccomp", &seccomp, NULL) || strcmp(seccomp, "0") != 0;
}

/* -- stop -- */

static bool
stop_main(Injector *self, GError **error)
{
  const pid_t pid = self->job->pid;
  int signal;

  if (!dacsa_tracee_seize(pid, PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK, error))
    return false;
  self->main_gone = false;
  if (!dacsa_tracee_interrupt(pid, self->deadline, &signal, error))
    return false;
  if (signal)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "QEMU is stopped by a signal (%s)",
                      strsignal(signal));
  if (!self->job->stop_group)
    return true;
  self->group_stopped = true;
  return dacsa_tracee_stop_group(pid, g_get_monotonic_time() + STOP_US, error);
}

/* -- infect -- */

static bool
write_chain(Injector *self, GError **error)
{
  const pid_t pid = self->job->pid;

  if (!dacsa_tracee_read(pid, &self->state, error) ||
      !dacsa_chain_build(&self->job->gadgets, self->job->vmas, &self->state, &self->chain,
                         &self->image, error))
    return false;
  struct iovec from = {self->image->data, self->image->len};
  struct iovec to = {(void *)(uintptr_t)self->chain.base, self->image->len};
  if (process_vm_writev(pid, &from, 1, &to, 1, 0) != (ssize_t)self->image->len)
    return dacsa_fail(error, DACSA_ERROR_BUSY,
                      "QEMU's stack has no room for %u bytes below 0x%" PRIx64, self->image->len,
                      self->chain.base);
  return true;
}

static bool
enter_chain(Injector *self, GError **error)
{
  const pid_t pid = self->job->pid;

  if (!write_chain(self, error))
    return false;
  if (self->job->journal >= 0 && !dacsa_journal_add_chain(self->job->journal, &self->chain, error))
    return false;
  self->entered = true;
  /* From here on QEMU unwinds by itself: the last frame holds its registers and signal mask. */
  if (!dacsa_tracee_enter(pid, &self->state.regs, &self->job->gadgets, self->chain.base, error))
    return false;
  return ptrace(PTRACE_CONT, pid, 0, 0) == 0 || fail_ptrace(error, "resume");
}

/* -- follow -- */

/* A tracee not seen before: the helper or the child, by where its stack is, not by when it comes:
 * their stops and the events of their making arrive in any order. */
static bool
classify(Injector *self, pid_t pid, GError **error)
{
  struct user_regs_struct regs;

  if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
    return fail_ptrace(error, "read a new process's registers");
  if (regs.rsp == self->chain.helper) {
    self->helper = pid;
    return true;
  }
  if (regs.rsp != self->chain.child)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "QEMU made a process of its own meanwhile");
  self->child = pid;
  self->child_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (self->child_pidfd < 0)
    return dacsa_fail_errno(error, errno, "cannot open the snapshot's pidfd");
  /* Before it runs, so that it is never the VM that dies for it. Not the helper: what is written
   * for it the kernel writes for QEMU as well, whose memory it shares (proc_oom_score_adj(5)). */
  return dacsa_hostfile_write(pid, "oom_score_adj", EXPENDABLE, error);
}

/* Whether the main thread stands still outside the chain: it has run it to its end. */
static bool
is_at_own_stack(const Injector *self)
{
  struct user_regs_struct regs;

  return ptrace(PTRACE_GETREGS, self->job->pid, 0, &regs) == 0 &&
         (regs.rsp < self->chain.base || regs.rsp >= self->chain.base + self->chain.length);
}

/* The main thread has come to the stop that nudge asked for. Without a helper, and back at its own
 * stack, it has run the whole chain in vain. */
static bool
check_main(const Injector *self, GError **error)
{
  if (self->helper || !is_at_own_stack(self))
    return true;
  return dacsa_fail(error, DACSA_ERROR_BUSY,
                    "QEMU could not make a process: it is out of memory, or at its limit of "
                    "processes (RLIMIT_NPROC, pids.max)");
}

static bool
follow_stop(Injector *self, pid_t pid, int status, GError **error)
{
  int signal = 0;

  if (pid != self->job->pid && pid != self->helper && pid != self->child &&
      !classify(self, pid, error))
    return false;
  if (pid == self->child) {
    /* All its steps are ahead of it, and need nobody. */
    ptrace(PTRACE_DETACH, pid, 0, 0);
    return true;
  }
  if (pid == self->helper && status >> 8 == (SIGTRAP | PTRACE_EVENT_CLONE << 8)) {
    unsigned long made = 0;

    ptrace(PTRACE_GETEVENTMSG, pid, 0, &made);
    self->child_made = (pid_t)made;
  }
  if (pid == self->job->pid && status >> 16 == PTRACE_EVENT_STOP && !check_main(self, error))
    return false;
  if (status >> 16 == 0)
    signal = WSTOPSIG(status); /* a foreign signal: blocked ones do not come here */
  if (signal == SIGSTOP && pid == self->job->pid) {
    self->foreign_stop = true;
    signal = 0; /* it gets it when it is itself again */
  }
  ptrace(PTRACE_CONT, pid, 0, signal);
  return true;
}

static bool
follow_exit(Injector *self, pid_t pid, GError **error)
{
  self->main_gone = pid == self->job->pid;
  if (self->main_gone)
    return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "QEMU exited during the snapshot");
  if (pid == self->child || pid == self->child_made)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "the snapshot was killed at its birth");
  if (pid == self->helper && !self->child_made)
    return dacsa_fail(error, DACSA_ERROR_BUSY,
                      "QEMU could not be forked: the host is out of memory, or QEMU at its limit "
                      "of processes (RLIMIT_NPROC, pids.max)");
  if (pid == self->helper)
    self->helper_gone = true;
  return true;
}

/*
 * Looks on until the helper is gone and the child has been seen. What the main thread then has left
 * to do, one wait4 and the madvise calls, it does alone. Until the helper is gone there is no
 * deadline: seccomp is suspended only as long as QEMU is traced, and a clone after that would kill
 * it. Whatever holds QEMU up that long (a frozen cgroup) holds the VM up as well.
 */
static bool
follow(Injector *self, GError **error)
{
  while (!self->helper_gone || !self->child) {
    int64_t now = g_get_monotonic_time();
    int64_t until = !self->helper       ? now + NUDGE_US
                    : self->helper_gone ? self->deadline
                                        : DACSA_TRACEE_FOREVER;
    g_autoptr(GError) cause = NULL;
    pid_t pid;
    int status;

    if (!dacsa_tracee_wait(until, &pid, &status, &cause)) {
      if (!self->helper && g_error_matches(cause, DACSA_ERROR, DACSA_ERROR_BUSY)) {
        ptrace(PTRACE_INTERRUPT, self->job->pid, 0, 0);
        continue;
      }
      g_propagate_error(error, g_steal_pointer(&cause));
      return false;
    }
    if (!(WIFSTOPPED(status) ? follow_stop(self, pid, status, error)
                             : follow_exit(self, pid, error)))
      return false;
    if (self->helper_gone)
      self->deadline = MAX(self->deadline, g_get_monotonic_time() + DEADLINE_US);
  }
  return true;
}

/* -- release -- */

/* Whether a tracee is one of ours, seen or not: where it stands still, its stack tells. */
static bool
is_ours(const Injector *self, pid_t pid)
{
  struct user_regs_struct regs;

  return pid == self->helper || pid == self->child ||
         (ptrace(PTRACE_GETREGS, pid, 0, &regs) == 0 &&
          (regs.rsp == self->chain.helper || regs.rsp == self->chain.child));
}

/* Whether the main thread, which stands still, can be let go: not while a clone is ahead of it,
 * which its seccomp filter would kill it for. */
static bool
is_past_clone(const Injector *self)
{
  return !self->entered || self->helper || is_at_own_stack(self);
}

static void
let_main_go(Injector *self, int signal)
{
  if (is_past_clone(self))
    self->main_gone = ptrace(PTRACE_DETACH, self->job->pid, 0, signal) == 0 || self->main_gone;
  else
    ptrace(PTRACE_CONT, self->job->pid, 0, signal);
}

static void
abandon_stop(Injector *self, pid_t pid, int status)
{
  int signal = status >> 16 == 0 ? WSTOPSIG(status) : 0;

  if (pid == self->job->pid) {
    let_main_go(self, signal);
  } else if (is_ours(self, pid)) {
    self->helper = self->helper ? self->helper : pid;
    kill(pid, SIGKILL);
  } else {
    ptrace(PTRACE_DETACH, pid, 0, signal);
  }
}

/* After a failure: kills what has been made, which may come to light only now, and lets QEMU go as
 * soon as that does it no harm. Ends when QEMU has been let go and nothing stirs any more. */
static void
abandon(Injector *self)
{
  unsigned quiet = 0;

  let_main_go(self, 0);
  if (self->helper && !self->helper_gone)
    kill(self->helper, SIGKILL);
  if (self->child_made && !self->child)
    kill(self->child_made, SIGKILL);
  while (!self->main_gone || quiet < QUIET_NUDGES) {
    g_autoptr(GError) error = NULL;
    pid_t pid;
    int status;

    if (dacsa_tracee_wait(g_get_monotonic_time() + NUDGE_US, &pid, &status, &error)) {
      quiet = 0;
      if (WIFSTOPPED(status))
        abandon_stop(self, pid, status);
      else if (pid == self->job->pid)
        self->main_gone = true;
    } else if (g_error_matches(error, DACSA_ERROR, DACSA_ERROR_NOT_FOUND)) {
      return; /* nothing is traced, and there is no child */
    } else {
      quiet++;
      if (!self->main_gone)
        ptrace(PTRACE_INTERRUPT, self->job->pid, 0, 0);
    }
  }
}

/* What still runs when this returns is let go by the kernel when this thread ends. */
static bool
run_ladder(Injector *self, GError **error)
{
  bool ok = stop_main(self, error) && enter_chain(self, error) && follow(self, error);

  if (!ok)
    abandon(self);
  return ok;
}

static void
injector_clear(Injector *self)
{
  if (self->image)
    g_byte_array_unref(self->image);
  if (self->state.xstate)
    g_byte_array_unref(self->state.xstate);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Injector, injector_clear)

bool
dacsa_inject_put_back(const DacsaInjection *injection, GError **error)
{
  g_auto(Injector) self = {.job = injection,
                           .deadline = g_get_monotonic_time() + DEADLINE_US,
                           .child_pidfd = -1,
                           .main_gone = true};
  const bool ok = stop_main(&self, error) && write_chain(&self, error) &&
                  dacsa_tracee_enter(injection->pid, &self.state.regs, &injection->gadgets,
                                     self.chain.tail, error);

  if (!self.main_gone)
    ptrace(PTRACE_DETACH, injection->pid, 0, 0);
  return ok;
}

bool
dacsa_inject_run(const DacsaInjection *injection, DacsaInjected *ret, GError **error)
{
  g_auto(Injector) self = {.job = injection,
                           .deadline = g_get_monotonic_time() + DEADLINE_US,
                           .child_pidfd = -1,
                           .main_gone = true};
  bool ok = run_ladder(&self, error);

  if (!ok && self.child_pidfd >= 0) {
    syscall(SYS_pidfd_send_signal, self.child_pidfd, SIGKILL, NULL, 0);
    close(self.child_pidfd);
    self.child_pidfd = -1;
  }
  *ret = (DacsaInjected){self.child, self.child_pidfd, self.group_stopped, self.foreign_stop};
  return ok;
}
