/* The ptrace ladder: seize, read the state, write the chain, enter it, follow, release. */
#include "snap/inject.h"

#include "snap/error.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

#define DEADLINE_US (5 * G_USEC_PER_SEC)
#define RED_ZONE 256u /* the ABI's is 128 */
#define NEVER G_MAXINT64
#define QUIET_NUDGES 5 /* after that nothing more is expected */
#define MAX_XSTATE 65536u
#define MAX_CHAIN (96u * 1024) /* a new process's stack has 128 KiB and its arguments mapped */
#define STOP_TRIES 20
#define NUDGE_US (20 * 1000) /* without a helper by then, it is looked after */

typedef struct {
  const DacsaInjection *job;
  int64_t deadline;
  DacsaThreadState state; /* QEMU's main thread as found */
  GArray *steps;          /* DacsaSyscall of the main thread */
  GByteArray *image;      /* the frames, as they lie at base */
  uint64_t base;
  uint64_t helper_frame, child_frame; /* the first of each: how the two are told apart */
  pid_t helper, child;                /* 0: not seen yet */
  int child_pidfd;
  pid_t child_made; /* what the helper's clone told; 0: it has not */
  bool entered, helper_gone;
  bool main_gone; /* not traced: not yet, no longer, or ended */
} Injector;

static bool
fail_ptrace(GError **error, const char *what)
{
  return dacsa_fail_errno(error, errno, "cannot trace QEMU (%s)", what);
}

/* -- waiting -- */

/* The next stop or exit of any tracee; BUSY: the deadline passed. */
static bool
wait_any(int64_t deadline, pid_t *ret_pid, int *ret_status, GError **error)
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

/* -- stop -- */

static bool
seize(Injector *self, GError **error)
{
  unsigned long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK;
  pid_t pid = self->job->pid;

  /* With its seccomp sandbox on, QEMU may not clone; the kernel suspends that for a tracer with
   * CAP_SYS_ADMIN that is not itself under seccomp. Refused: then only an unconfined QEMU will do.
   */
  if (ptrace(PTRACE_SEIZE, pid, 0, options | PTRACE_O_SUSPEND_SECCOMP) < 0)
    return errno != EPERM && errno != EINVAL
               ? fail_ptrace(error, "seize")
               : dacsa_fail(error, DACSA_ERROR_UNSUPPORTED,
                            "cannot trace QEMU with its seccomp sandbox suspended: %s",
                            g_strerror(errno));
  self->main_gone = false;
  if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) < 0)
    return fail_ptrace(error, "interrupt");
  return true;
}

/* Waits for the stop that PTRACE_INTERRUPT asked for; signals that come first are delivered. */
static bool
wait_interrupted(Injector *self, GError **error)
{
  for (int tries = 0; tries < STOP_TRIES; tries++) {
    pid_t pid;
    int status;

    if (!wait_any(self->deadline, &pid, &status, error))
      return false;
    if (!WIFSTOPPED(status)) {
      self->main_gone = true;
      return dacsa_fail(error, DACSA_ERROR_NOT_FOUND, "QEMU exited");
    }
    if (status >> 16 == PTRACE_EVENT_STOP) {
      if (WSTOPSIG(status) == SIGTRAP)
        return true;
      return dacsa_fail(error, DACSA_ERROR_BUSY, "QEMU is stopped by a signal (%s)",
                        strsignal(WSTOPSIG(status)));
    }
    if (ptrace(PTRACE_CONT, pid, 0, WSTOPSIG(status)) < 0)
      return fail_ptrace(error, "deliver a signal");
  }
  return dacsa_fail(error, DACSA_ERROR_BUSY, "QEMU's main thread does not come to a stop");
}

/* -- prepare -- */

/* A thread inside a restartable sequence would be sent to its abort handler (rseq(2)). */
static bool
check_rseq(pid_t pid, GError **error)
{
  struct __ptrace_rseq_configuration rseq = {0};
  uint64_t cs = 0;

  if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, pid, sizeof(rseq), &rseq) < 0 ||
      rseq.rseq_abi_pointer == 0)
    return true;
  /* struct rseq: cpu_id_start, cpu_id, then the pointer to the active section. */
  struct iovec to = {&cs, sizeof(cs)};
  struct iovec from = {(void *)(uintptr_t)(rseq.rseq_abi_pointer + 8), sizeof(cs)};
  if (process_vm_readv(pid, &to, 1, &from, 1, 0) == sizeof(cs) && cs != 0)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "QEMU's main thread is in a restartable sequence");
  return true;
}

static bool
read_state(Injector *self, GError **error)
{
  pid_t pid = self->job->pid;
  DacsaThreadState *state = &self->state;

  state->xstate = g_byte_array_sized_new(MAX_XSTATE);
  g_byte_array_set_size(state->xstate, MAX_XSTATE);
  struct iovec xstate = {state->xstate->data, MAX_XSTATE};

  if (ptrace(PTRACE_GETREGS, pid, 0, &state->regs) < 0 ||
      ptrace(PTRACE_GETSIGMASK, pid, sizeof(state->sigmask), &state->sigmask) < 0 ||
      ptrace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &xstate) < 0)
    return fail_ptrace(error, "read registers");
  g_byte_array_set_size(state->xstate, (guint)xstate.iov_len);
  if (state->regs.cs != 0x33)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "QEMU's main thread runs 32-bit code");
  return check_rseq(pid, error);
}

static void
add_step(Injector *self, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
  DacsaSyscall call = {nr, {a, b, c, d, 0, 0}};

  g_array_append_val(self->steps, call);
}

static void
add_madvise(Injector *self, int advice)
{
  for (guint i = 0; i < self->job->vmas->len; i++) {
    const DacsaForkVma *vma = &g_array_index(self->job->vmas, DacsaForkVma, i);

    add_step(self, SYS_madvise, vma->start, vma->len, (uint64_t)advice, 0);
  }
}

static void
put_step(Injector *self, uint64_t at, const DacsaSyscall *call, uint64_t next)
{
  dacsa_sigchain_step(self->image->data + (at - self->base), &self->job->gadgets, call, next);
}

/* Lays the frames out, ascending from base: the main thread's steps and its own state, the
 * helper's two, the child's two, the FPU image. A signal delivered before the first frame is
 * loaded is pushed below all of them. */
static bool
build_chain(Injector *self, GError **error)
{
  g_autoptr(GByteArray) fpstate = NULL;
  const uint64_t frame = DACSA_SIGCHAIN_FRAME;

  if (!dacsa_sigchain_fpstate(self->state.xstate, &fpstate, error))
    return false;
  uint64_t n = 2 * self->job->vmas->len + 2;
  uint64_t frames = n + 1 + 2 + 2;
  uint64_t size = frames * frame + 64 + fpstate->len;
  if (size > MAX_CHAIN)
    return dacsa_fail(error, DACSA_ERROR_UNSUPPORTED, "guest RAM has too many mappings (%u)",
                      self->job->vmas->len);
  self->base = (self->state.regs.rsp - RED_ZONE - size) & ~(uint64_t)63;
  uint64_t last = self->base + n * frame;
  uint64_t fp_at = (self->base + frames * frame + 63) & ~(uint64_t)63;
  self->helper_frame = last + frame;
  self->child_frame = self->helper_frame + 2 * frame;

  add_madvise(self, MADV_DOFORK);
  add_step(self, SYS_clone, CLONE_VM | CLONE_FILES | CLONE_FS, self->helper_frame, 0, 0);
  add_step(self, SYS_wait4, (uint64_t)-1, 0, __WCLONE, 0);
  add_madvise(self, MADV_DONTFORK);
  g_assert(self->steps->len == n);

  g_byte_array_set_size(self->image, (guint)(fp_at - self->base + fpstate->len));
  for (guint i = 0; i < n; i++)
    put_step(self, self->base + i * frame, &g_array_index(self->steps, DacsaSyscall, i),
             self->base + (i + 1) * frame);
  dacsa_sigchain_last(self->image->data + (last - self->base), &self->job->gadgets, &self->state,
                      fp_at);
  memcpy(self->image->data + (fp_at - self->base), fpstate->data, fpstate->len);

  const DacsaSyscall fork = {SYS_clone, {0, self->child_frame}};
  const DacsaSyscall leave = {SYS_exit, {0}};
  const DacsaSyscall close_all = {SYS_close_range, {0, ~0u, 0}};
  const DacsaSyscall park = {SYS_pause, {0}};
  put_step(self, self->helper_frame, &fork, self->helper_frame + frame);
  put_step(self, self->helper_frame + frame, &leave, self->helper_frame + frame);
  put_step(self, self->child_frame, &close_all, self->child_frame + frame);
  put_step(self, self->child_frame + frame, &park, self->child_frame + frame);
  return true;
}

/* -- infect -- */

static bool
enter_chain(Injector *self, GError **error)
{
  pid_t pid = self->job->pid;
  struct iovec from = {self->image->data, self->image->len};
  struct iovec to = {(void *)(uintptr_t)self->base, self->image->len};
  struct user_regs_struct regs = self->state.regs;
  uint64_t all = ~UINT64_C(0);

  if (process_vm_writev(pid, &from, 1, &to, 1, 0) != (ssize_t)self->image->len)
    return dacsa_fail(error, DACSA_ERROR_BUSY,
                      "QEMU's stack has no room for %u bytes below 0x%" PRIx64, self->image->len,
                      self->base);
  dacsa_sigchain_enter(&regs, &self->job->gadgets, self->base);
  self->entered = true;
  /* From here on QEMU unwinds by itself: the last frame holds its registers and signal mask. */
  if (ptrace(PTRACE_SETREGS, pid, 0, &regs) < 0)
    return fail_ptrace(error, "set registers");
  ptrace(PTRACE_SETSIGMASK, pid, sizeof(all), &all);
  if (ptrace(PTRACE_CONT, pid, 0, 0) < 0)
    return fail_ptrace(error, "resume");
  return true;
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
  if (regs.rsp == self->helper_frame) {
    self->helper = pid;
    return true;
  }
  if (regs.rsp != self->child_frame)
    return dacsa_fail(error, DACSA_ERROR_BUSY, "QEMU made a process of its own meanwhile");
  self->child = pid;
  self->child_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
  if (self->child_pidfd < 0)
    return dacsa_fail_errno(error, errno, "cannot open the snapshot's pidfd");
  return true;
}

/* Whether the main thread stands still outside the chain: it has run it to its end. */
static bool
is_at_own_stack(const Injector *self)
{
  struct user_regs_struct regs;

  return ptrace(PTRACE_GETREGS, self->job->pid, 0, &regs) == 0 &&
         (regs.rsp < self->base || regs.rsp >= self->base + self->image->len);
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
    int64_t until = !self->helper ? now + NUDGE_US : self->helper_gone ? self->deadline : NEVER;
    g_autoptr(GError) cause = NULL;
    pid_t pid;
    int status;

    if (!wait_any(until, &pid, &status, &cause)) {
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
          (regs.rsp == self->helper_frame || regs.rsp == self->child_frame));
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

    if (wait_any(g_get_monotonic_time() + NUDGE_US, &pid, &status, &error)) {
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
  bool ok = seize(self, error) && wait_interrupted(self, error) && read_state(self, error) &&
            build_chain(self, error) && enter_chain(self, error) && follow(self, error);

  if (!ok)
    abandon(self);
  return ok;
}

/* -- the thread -- */

struct DacsaInjector {
  const DacsaInjection *injection;
  GThread *thread; /* NULL once joined */
  GMutex lock;     /* of is_ready and order */
  GCond ordered;   /* or ready */
  bool is_ready;
  enum { ORDER_NONE, ORDER_FORK, ORDER_LEAVE } order;
  pid_t child; /* what came of it */
  int pidfd;
  bool ok;
  GError *error;
};

static void
inject_now(DacsaInjector *injector)
{
  Injector self = {.job = injector->injection,
                   .deadline = g_get_monotonic_time() + DEADLINE_US,
                   .steps = g_array_new(FALSE, FALSE, sizeof(DacsaSyscall)),
                   .image = g_byte_array_new(),
                   .child_pidfd = -1,
                   .main_gone = true};

  injector->ok = run_ladder(&self, &injector->error);
  if (!injector->ok && self.child_pidfd >= 0) {
    syscall(SYS_pidfd_send_signal, self.child_pidfd, SIGKILL, NULL, 0);
    close(self.child_pidfd);
  } else {
    injector->child = self.child;
    injector->pidfd = self.child_pidfd;
  }
  g_array_unref(self.steps);
  g_byte_array_unref(self.image);
  if (self.state.xstate)
    g_byte_array_unref(self.state.xstate);
}

/* ptrace belongs to a thread: when this one ends, whatever it still traces is let go. */
static void *
injector_thread(void *data)
{
  DacsaInjector *injector = data;

  g_free(g_malloc(1)); /* makes the thread's heap */
  g_mutex_lock(&injector->lock);
  injector->is_ready = true;
  g_cond_signal(&injector->ordered);
  while (injector->order == ORDER_NONE)
    g_cond_wait(&injector->ordered, &injector->lock);
  bool fork = injector->order == ORDER_FORK;
  g_mutex_unlock(&injector->lock);
  if (fork)
    inject_now(injector);
  return NULL;
}

/* A thread that is not there yet would take its first steps in the pause. */
static void
await_ready(DacsaInjector *injector)
{
  g_mutex_lock(&injector->lock);
  while (!injector->is_ready)
    g_cond_wait(&injector->ordered, &injector->lock);
  g_mutex_unlock(&injector->lock);
}

static void
give_order(DacsaInjector *injector, int order)
{
  if (!injector->thread)
    return;
  g_mutex_lock(&injector->lock);
  injector->order = order;
  g_cond_signal(&injector->ordered);
  g_mutex_unlock(&injector->lock);
  g_thread_join(g_steal_pointer(&injector->thread));
}

bool
dacsa_injector_new(const DacsaInjection *injection, DacsaInjector **ret, GError **error)
{
  DacsaInjector *injector = g_new0(DacsaInjector, 1);

  injector->injection = injection;
  injector->pidfd = -1;
  g_mutex_init(&injector->lock);
  g_cond_init(&injector->ordered);
  injector->thread = g_thread_try_new("injector", injector_thread, injector, error);
  if (!injector->thread) {
    dacsa_injector_free(injector);
    return false;
  }
  await_ready(injector);
  *ret = injector;
  return true;
}

void
dacsa_injector_free(DacsaInjector *injector)
{
  if (!injector)
    return;
  give_order(injector, ORDER_LEAVE);
  g_clear_error(&injector->error);
  g_cond_clear(&injector->ordered);
  g_mutex_clear(&injector->lock);
  g_free(injector);
}

bool
dacsa_injector_fork(DacsaInjector *injector, pid_t *ret_child, int *ret_pidfd, GError **error)
{
  give_order(injector, ORDER_FORK);
  if (!injector->ok) {
    g_propagate_error(error, g_steal_pointer(&injector->error));
    return false;
  }
  *ret_child = injector->child;
  *ret_pidfd = injector->pidfd;
  return true;
}

bool
dacsa_inject_fork(const DacsaInjection *injection, pid_t *ret_child, int *ret_pidfd, GError **error)
{
  g_autoptr(DacsaInjector) injector = NULL;

  return dacsa_injector_new(injection, &injector, error) &&
         dacsa_injector_fork(injector, ret_child, ret_pidfd, error);
}
