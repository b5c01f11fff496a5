/* No GLib here, and nothing that allocates: it runs in a process that is forked off a test. */
#include "fake-target.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

void
fake_target_prepare(FakeTarget *shared)
{
  for (unsigned i = 0; i < FAKE_TARGET_REGIONS; i++) {
    /* A page between the regions, so that each is a VMA of its own. */
    char *at = mmap(NULL, FAKE_TARGET_REGION + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED || mprotect(at + 4096, FAKE_TARGET_REGION, PROT_READ | PROT_WRITE) < 0)
      _exit(2);
    memset(at + 4096, 'A' + (int)i, FAKE_TARGET_REGION);
    if (madvise(at + 4096, FAKE_TARGET_REGION, MADV_DONTFORK) < 0)
      _exit(3);
    shared->regions[i] = (uintptr_t)(at + 4096);
  }
}

static void
fill(FakeTarget *shared)
{
  uint32_t with = shared->fill;

  for (unsigned i = 0; with && i < FAKE_TARGET_REGIONS; i++)
    memset((void *)(uintptr_t)shared->regions[i], (int)with, FAKE_TARGET_REGION);
  if (with)
    shared->fill = 0;
}

/* As QEMU's main loop: waits in ppoll with a timeout or without, answers, does its sums. */
static void
loop(FakeTarget *shared, bool busy)
{
  double sum = 0;

  shared->ready = 1;
  for (;;) {
    struct pollfd p = {.fd = shared->pipe[0], .events = POLLIN};
    struct timespec ts = {busy ? 0 : 1000, 0};
    int n = ppoll(&p, 1, &ts, NULL);
    char c;

    if (n < 0 || (n == 1 && read(shared->pipe[0], &c, 1) != 1))
      shared->failed = 1; /* no call may be interrupted that a restart would hide */
    if (n == 1)
      shared->replies++;
    fill(shared);
    sum += 0.5;
    shared->turns++;
    if (sum != 0.5 * (double)shared->turns)
      shared->failed = 2;
  }
}

void
fake_target_blocked(FakeTarget *shared)
{
  loop(shared, false);
}

void
fake_target_busy(FakeTarget *shared)
{
  loop(shared, true);
}

static FakeTarget *coroutine_shared;

static void
coroutine(void)
{
  loop(coroutine_shared, true);
}

/* On a stack among its other memory, as QEMU's coroutines have them. */
void
fake_target_coroutine(FakeTarget *shared)
{
  static ucontext_t own, other;
  const size_t size = 1 << 20;

  coroutine_shared = shared;
  getcontext(&other);
  other.uc_stack.ss_sp =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  other.uc_stack.ss_size = size;
  makecontext(&other, coroutine, 0);
  swapcontext(&own, &other);
}

/* -- targets in other system calls: each returns 1 when the pipe has something to be read, 0 when
 * the time was up, -1 with errno -- */

#define NAP_NS (20 * 1000 * 1000)
#define SLACK_NS (1000 * 1000)

static int
call_read(FakeTarget *shared)
{
  return (int)read(shared->pipe[0], &(char){0}, 1);
}

static int
call_poll(FakeTarget *shared)
{
  return poll(&(struct pollfd){.fd = shared->pipe[0], .events = POLLIN}, 1, 1000000);
}

static int
call_poll_forever(FakeTarget *shared)
{
  return poll(&(struct pollfd){.fd = shared->pipe[0], .events = POLLIN}, 1, -1);
}

static int
call_ppoll(FakeTarget *shared)
{
  sigset_t none;

  sigemptyset(&none); /* its own mask is put back after it */
  return ppoll(&(struct pollfd){.fd = shared->pipe[0], .events = POLLIN}, 1, NULL, &none);
}

static int
call_select(FakeTarget *shared)
{
  struct timeval tv = {1000, 0};
  fd_set set;

  FD_ZERO(&set);
  FD_SET(shared->pipe[0], &set);
  return select(shared->pipe[0] + 1, &set, NULL, NULL, &tv);
}

static int
call_epoll_wait(FakeTarget *shared)
{
  static int epoll = -1;
  struct epoll_event event = {.events = EPOLLIN};

  if (epoll < 0) {
    epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, shared->pipe[0], &event);
  }
  return epoll_wait(epoll, &event, 1, -1);
}

/* Whether what is left of a sleep makes sense: the kernel counts a timer's slack as part of it. */
static void
check_left(FakeTarget *shared, const struct timespec *left)
{
  if (left->tv_sec != 0 || left->tv_nsec <= 0 || left->tv_nsec > NAP_NS + SLACK_NS)
    shared->failed = 3;
}

static int
call_nanosleep(FakeTarget *shared)
{
  const struct timespec nap = {0, NAP_NS};
  struct timespec left = {0};
  int r = nanosleep(&nap, &left);

  if (r < 0 && errno == EINTR)
    check_left(shared, &left);
  return r;
}

static int
call_clock_nanosleep(FakeTarget *shared)
{
  const struct timespec nap = {0, NAP_NS};
  struct timespec left = {0};

  errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, &left);
  if (errno == EINTR)
    check_left(shared, &left);
  return errno ? -1 : 0;
}

static int
call_clock_nanosleep_until(FakeTarget *shared)
{
  struct timespec until;

  (void)shared;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += NAP_NS;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
  return errno ? -1 : 0;
}

static int
call_futex(FakeTarget *shared)
{
  return (int)syscall(SYS_futex, &shared->futex, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static int
call_futex_timeout(FakeTarget *shared)
{
  const struct timespec nap = {0, NAP_NS};
  int r = (int)syscall(SYS_futex, &shared->futex, FUTEX_WAIT, 0, &nap, NULL, 0);

  if (r < 0 && errno == ETIMEDOUT)
    return 0;
  return r;
}

/* signal(7), ptrace(2): what is restarted by the kernel with a restart block (-516) cannot be once
 * rt_sigreturn has run. */
const FakeTargetCall fake_target_calls[] = {
    {"read", call_read, false, true, false},
    {"poll", call_poll, true, false, false},
    {"poll-forever", call_poll_forever, true, false, false},
    {"ppoll", call_ppoll, false, false, false},
    {"select", call_select, false, false, false},
    {"epoll-wait", call_epoll_wait, true, false, false},
    {"nanosleep", call_nanosleep, true, false, false},
    {"clock-nanosleep", call_clock_nanosleep, true, false, false},
    {"clock-nanosleep-until", call_clock_nanosleep_until, false, false, false},
    {"futex", call_futex, false, false, true},
    {"futex-timeout", call_futex_timeout, true, false, false},
    {NULL, NULL, false, false, false},
};

void
fake_target_call(FakeTarget *shared)
{
  const FakeTargetCall *call = shared->call;
  struct pollfd p = {.fd = shared->pipe[0], .events = POLLIN};
  char c;

  shared->ready = 1;
  for (;;) {
    int n = call->call(shared);

    if (n < 0 && errno == EINTR)
      shared->interrupted++;
    else if (n < 0)
      shared->failed = 1;
    if (call->reads) {
      shared->replies += n == 1;
      continue;
    }
    if (call->is_futex && n == 0)
      shared->futex = 0;
    while (poll(&p, 1, 0) == 1 && read(p.fd, &c, 1) == 1)
      shared->replies++;
  }
}

/* -- a target in a restartable sequence: it leaves it when it is told to -- */

void
fake_target_rseq(FakeTarget *shared)
{
  struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
  struct rseq_cs *section = (struct rseq_cs *)mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  shared->ready = 1;
  __asm__ volatile("lea 2f(%%rip), %%rax\n\t"
                   "mov %%rax, 8(%[section])\n\t" /* start_ip */
                   "lea 3f(%%rip), %%rcx\n\t"
                   "sub %%rax, %%rcx\n\t"
                   "mov %%rcx, 16(%[section])\n\t" /* post_commit_offset */
                   "lea 4f(%%rip), %%rax\n\t"
                   "mov %%rax, 24(%[section])\n" /* abort_ip */
                   "1:\n\t"
                   "mov %[section], (%[at])\n"
                   "2:\n\t"
                   "pause\n\t"
                   "cmpl $0, (%[leave])\n\t"
                   "je 2b\n"
                   "3:\n\t"
                   "jmp 5f\n\t"
                   ".long 0x53053053\n" /* RSEQ_SIG */
                   "4:\n\t"
                   "incl (%[aborts])\n\t"
                   "jmp 1b\n"
                   "5:\n\t"
                   "movq $0, (%[at])\n\t"
                   :
                   : [section] "r"(section), [at] "r"(&area->rseq_cs), [leave] "r"(&shared->leave),
                     [aborts] "r"(&shared->aborts)
                   : "rax", "rcx", "memory", "cc");
  loop(shared, false);
}

/* -- a target that keeps a state in its vector and floating point registers -- */

void
fake_target_fpu(FakeTarget *shared)
{
  struct pollfd p = {.fd = shared->pipe[0], .events = POLLIN};
  const bool avx = __builtin_cpu_supports("avx");
  uint8_t in[32], out[32];
  long double pi;
  uint32_t mxcsr = 0x7f80; /* rounds towards zero: not the default */
  char c;

  for (unsigned i = 0; i < sizeof(in); i++)
    in[i] = (uint8_t)(i * 7 + 1);
  shared->ready = 1;
  for (;;) {
    uint32_t spins = 200000, found;

    __asm__ volatile("ldmxcsr %[mxcsr]\n\t"
                     "fldpi\n\t"
                     "test %[avx], %[avx]\n\t"
                     "jz 1f\n\t"
                     "vmovdqu %[in], %%ymm5\n\t"
                     "jmp 2f\n"
                     "1:\n\t"
                     "movdqu %[in], %%xmm5\n"
                     "2:\n\t"
                     "dec %[spins]\n\t"
                     "jnz 2b\n\t"
                     "test %[avx], %[avx]\n\t"
                     "jz 3f\n\t"
                     "vmovdqu %%ymm5, %[out]\n\t"
                     "vzeroupper\n\t"
                     "jmp 4f\n"
                     "3:\n\t"
                     "movdqu %%xmm5, %[out]\n"
                     "4:\n\t"
                     "fstpt %[pi]\n\t"
                     "stmxcsr %[found]\n\t"
                     : [spins] "+r"(spins), [out] "=m"(out), [pi] "=m"(pi), [found] "=m"(found)
                     : [mxcsr] "m"(mxcsr), [in] "m"(in), [avx] "r"((uint32_t)avx)
                     : "xmm5", "cc", "memory");
    if (memcmp(in, out, avx ? 32 : 16) != 0 || found != mxcsr ||
        pi != 3.14159265358979323846264338327950288L)
      shared->failed = 4;
    shared->turns++;
    while (poll(&p, 1, 0) == 1 && read(p.fd, &c, 1) == 1)
      shared->replies++;
  }
}
