/* A fork injected into a real process: a child of this test that has memory which is MADV_DONTFORK,
 * a descriptor or two, and work that it goes on with. */
#include "check.h"

#include "snap/forkmap.h"
#include "snap/injector.h"
#include "snap/procmaps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define REGION (4u << 20)
#define N_REGIONS 3u
#define WAIT_US (10 * G_USEC_PER_SEC)

typedef struct Shared Shared;

/* In memory shared with the target. */
struct Shared {
  volatile uint64_t turns;   /* of the target's loop */
  volatile uint64_t replies; /* to what comes through the pipe */
  volatile uint32_t failed;  /* the target found something of its own changed */
  volatile uint32_t fill;    /* what the target is to fill its regions with; 0: nothing */
  volatile uint32_t ready;
  volatile uint32_t interrupted; /* calls that told so */
  volatile uint32_t leave;       /* the restartable sequence */
  volatile uint32_t aborts;      /* of it */
  volatile uint32_t futex;
  uint64_t regions[N_REGIONS];
  int pipe[2];
};

typedef struct {
  Shared *shared;
  pid_t target;
  GArray *vmas;
  DacsaInjection injection;
} Fixture;

/* Waits until condition holds; it does, or the test fails. */
#define WAIT_FOR(condition)                                                                        \
  do {                                                                                             \
    int64_t until_ = g_get_monotonic_time() + WAIT_US;                                             \
    while (!(condition) && g_get_monotonic_time() < until_)                                        \
      g_usleep(200);                                                                               \
    g_assert_true(condition);                                                                      \
  } while (0)

/* -- the target: no GLib here, and nothing that allocates -- */

static void
target_prepare(Shared *shared)
{
  for (unsigned i = 0; i < N_REGIONS; i++) {
    /* A page between the regions, so that each is a VMA of its own. */
    char *at = mmap(NULL, REGION + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED || mprotect(at + 4096, REGION, PROT_READ | PROT_WRITE) < 0)
      _exit(2);
    memset(at + 4096, 'A' + (int)i, REGION);
    if (madvise(at + 4096, REGION, MADV_DONTFORK) < 0)
      _exit(3);
    shared->regions[i] = (uintptr_t)(at + 4096);
  }
}

static void
target_fill(Shared *shared)
{
  uint32_t with = shared->fill;

  for (unsigned i = 0; with && i < N_REGIONS; i++)
    memset((void *)(uintptr_t)shared->regions[i], (int)with, REGION);
  if (with)
    shared->fill = 0;
}

/* As QEMU's main loop: waits in ppoll with a timeout or without, answers, does its sums. */
static void
target_loop(Shared *shared, bool busy)
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
    target_fill(shared);
    sum += 0.5;
    shared->turns++;
    if (sum != 0.5 * (double)shared->turns)
      shared->failed = 2;
  }
}

/* -- targets in other system calls: each returns 1 when the pipe has something to be read, 0 when
 * the time was up, -1 with errno -- */

#define NAP_NS (20 * 1000 * 1000)
#define SLACK_NS (1000 * 1000)

static int
call_read(Shared *shared)
{
  return (int)read(shared->pipe[0], &(char){0}, 1);
}

static int
call_poll(Shared *shared)
{
  return poll(&(struct pollfd){.fd = shared->pipe[0], .events = POLLIN}, 1, 1000000);
}

static int
call_poll_forever(Shared *shared)
{
  return poll(&(struct pollfd){.fd = shared->pipe[0], .events = POLLIN}, 1, -1);
}

static int
call_ppoll(Shared *shared)
{
  sigset_t none;

  sigemptyset(&none); /* its own mask is put back after it */
  return ppoll(&(struct pollfd){.fd = shared->pipe[0], .events = POLLIN}, 1, NULL, &none);
}

static int
call_select(Shared *shared)
{
  struct timeval tv = {1000, 0};
  fd_set set;

  FD_ZERO(&set);
  FD_SET(shared->pipe[0], &set);
  return select(shared->pipe[0] + 1, &set, NULL, NULL, &tv);
}

static int
call_epoll_wait(Shared *shared)
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
check_left(Shared *shared, const struct timespec *left)
{
  if (left->tv_sec != 0 || left->tv_nsec <= 0 || left->tv_nsec > NAP_NS + SLACK_NS)
    shared->failed = 3;
}

static int
call_nanosleep(Shared *shared)
{
  const struct timespec nap = {0, NAP_NS};
  struct timespec left = {0};
  int r = nanosleep(&nap, &left);

  if (r < 0 && errno == EINTR)
    check_left(shared, &left);
  return r;
}

static int
call_clock_nanosleep(Shared *shared)
{
  const struct timespec nap = {0, NAP_NS};
  struct timespec left = {0};

  errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, &left);
  if (errno == EINTR)
    check_left(shared, &left);
  return errno ? -1 : 0;
}

static int
call_clock_nanosleep_until(Shared *shared)
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
call_futex(Shared *shared)
{
  return (int)syscall(SYS_futex, &shared->futex, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static int
call_futex_timeout(Shared *shared)
{
  const struct timespec nap = {0, NAP_NS};
  int r = (int)syscall(SYS_futex, &shared->futex, FUTEX_WAIT, 0, &nap, NULL, 0);

  if (r < 0 && errno == ETIMEDOUT)
    return 0;
  return r;
}

typedef struct {
  const char *name;
  int (*call)(Shared *shared);
  bool told; /* that it was interrupted, as it would be by a signal: the kernel cannot restart it */
  bool reads;
  bool is_futex; /* and needs to be woken */
} Call;

/* signal(7), ptrace(2): what is restarted by the kernel with a restart block (-516) cannot be once
 * rt_sigreturn has run. */
static const Call calls[] = {
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
};
static const Call *the_call; /* of the next target */

static void
target_call(Shared *shared)
{
  const Call *call = the_call;
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

static void
target_rseq(Shared *shared)
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
  target_loop(shared, false);
}

/* -- a target that keeps a state in its vector and floating point registers -- */

static void
target_fpu(Shared *shared)
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

/* -- the test -- */

static void
find_gadgets(DacsaGadgets *ret)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) vmas = NULL;

  CHECK_OK(dacsa_procmaps_read(getpid(), &vmas, &error), error);
  for (guint i = 0; i < vmas->len; i++) {
    const DacsaHostVma *vma = &g_array_index(vmas, DacsaHostVma, i);

    if (vma->readable && vma->executable && vma->path && strstr(vma->path, "libc.so"))
      dacsa_gadgets_search(ret, (const uint8_t *)(uintptr_t)vma->start, vma->end - vma->start,
                           vma->start);
  }
}

static void
target_blocked(Shared *shared)
{
  target_loop(shared, false);
}

static void
target_busy(Shared *shared)
{
  target_loop(shared, true);
}

static Shared *coroutine_shared;

static void
coroutine(void)
{
  target_loop(coroutine_shared, true);
}

/* On a stack among its other memory, as QEMU's coroutines have them. */
static void
target_coroutine(Shared *shared)
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

static void
set_up(Fixture *f, void (*work)(Shared *shared))
{
  *f = (Fixture){.target = -1};
  f->shared = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true(f->shared != MAP_FAILED);
  find_gadgets(&f->injection.gadgets);
  g_assert_cmpint(pipe(f->shared->pipe), ==, 0);
  f->target = fork();
  g_assert_cmpint(f->target, >=, 0);
  if (f->target == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* if the test fails */
    target_prepare(f->shared);
    work(f->shared);
  }
  WAIT_FOR(f->shared->ready);
  g_usleep(2000);
  f->vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  for (unsigned i = 0; i < N_REGIONS; i++) {
    DacsaForkVma vma = {.start = f->shared->regions[i], .len = REGION};

    g_array_append_val(f->vmas, vma);
  }
  f->injection.pid = f->target;
  f->injection.journal = -1;
  f->injection.vmas = f->vmas;
}

static void
tear_down(Fixture *f)
{
  kill(f->target, SIGKILL);
  waitpid(f->target, NULL, __WALL);
  close(f->shared->pipe[0]);
  close(f->shared->pipe[1]);
  munmap(f->shared, sizeof(Shared));
  g_array_unref(f->vmas);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, tear_down)

/* false: this process may not do it at all, and the test is skipped. */
static bool
inject(Fixture *f, pid_t *ret_child, int *ret_pidfd)
{
  g_autoptr(GError) error = NULL;
  bool ok = dacsa_inject_fork(&f->injection, ret_child, ret_pidfd, &error);

  if (g_error_matches(error, DACSA_ERROR, DACSA_ERROR_UNSUPPORTED) ||
      g_error_matches(error, DACSA_ERROR, DACSA_ERROR_OS)) {
    if (getuid() != 0) {
      g_test_skip(error->message);
      return false;
    }
  }
  g_assert_no_error(error);
  g_assert_true(ok);
  return true;
}

static unsigned
count_descriptors(pid_t pid)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)pid);
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  unsigned n = 0;

  g_assert_nonnull(dir);
  while (g_dir_read_name(dir))
    n++;
  return n;
}

/* Children of a process, zombies among them. */
static bool
has_children(pid_t pid)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", (int)pid, (int)pid);
  g_autofree char *text = NULL;

  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  return text[0] != '\0';
}

static bool
all_dont_fork(const Fixture *f)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) vmas = NULL;
  bool all = true;

  CHECK_OK(dacsa_procmaps_read(f->target, &vmas, &error), error);
  for (unsigned i = 0; i < N_REGIONS; i++) {
    const DacsaHostVma *vma = dacsa_procmaps_find(vmas, f->shared->regions[i]);

    g_assert_nonnull(vma);
    all = all && vma->dont_fork && vma->start == f->shared->regions[i] &&
          vma->end == vma->start + REGION;
  }
  return all;
}

static void
check_content(const Fixture *f, pid_t pid, const char expected[N_REGIONS])
{
  g_autofree char *path = g_strdup_printf("/proc/%d/mem", (int)pid);
  g_autofree char *buf = g_malloc(REGION);
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  g_assert_cmpint(fd, >=, 0);
  for (unsigned i = 0; i < N_REGIONS; i++) {
    g_autofree char *all = g_strnfill(REGION, expected[i]);

    g_assert_cmpint((int)pread(fd, buf, REGION, (off_t)f->shared->regions[i]), ==, REGION);
    g_assert_true(memcmp(buf, all, REGION) == 0);
  }
  close(fd);
}

/* The target goes on with its work, and has nothing that it did not have. */
static void
check_target(Fixture *f, unsigned descriptors)
{
  uint64_t replies = f->shared->replies;

  g_assert_cmpint(write(f->shared->pipe[1], "xyz", 3), ==, 3);
  WAIT_FOR(f->shared->replies == replies + 3);
  WAIT_FOR(!has_children(f->target));
  WAIT_FOR(all_dont_fork(f));
  g_assert_cmpuint(count_descriptors(f->target), ==, descriptors);
  g_assert_cmpuint(f->shared->failed, ==, 0);
}

static void
kill_snapshot(int pidfd)
{
  struct pollfd p = {.fd = pidfd, .events = POLLIN};

  g_assert_cmpint((int)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0), ==, 0);
  g_assert_cmpint(poll(&p, 1, (int)(WAIT_US / 1000)), ==, 1);
  close(pidfd);
}

static void
fill_target(Fixture *f, char with)
{
  uint64_t replies = f->shared->replies;

  f->shared->fill = (uint32_t)with;
  g_assert_cmpint(write(f->shared->pipe[1], "f", 1), ==, 1);
  WAIT_FOR(f->shared->fill == 0 && f->shared->replies == replies + 1);
}

static void
check_fork(void (*work)(Shared *shared))
{
  g_auto(Fixture) f;
  pid_t child = 0;
  int pidfd = -1;

  set_up(&f, work);
  unsigned descriptors = count_descriptors(f.target);
  if (!inject(&f, &child, &pidfd))
    return;
  check_target(&f, descriptors);
  fill_target(&f, 'z');
  check_content(&f, f.target, "zzz");
  check_content(&f, child, "ABC"); /* as it was */
  WAIT_FOR(count_descriptors(child) == 0);
  kill_snapshot(pidfd);
  check_target(&f, descriptors);
}

static void
test_blocked(void)
{
  check_fork(target_blocked);
}

static void
test_busy(void)
{
  check_fork(target_busy);
}

/* Again and again, several held at once. */
static void
test_repeated(void)
{
  g_auto(Fixture) f;
  pid_t children[4];
  int pidfds[G_N_ELEMENTS(children)];

  set_up(&f, target_busy);
  unsigned descriptors = count_descriptors(f.target);
  for (unsigned i = 0; i < G_N_ELEMENTS(children); i++) {
    fill_target(&f, (char)('0' + i));
    if (!inject(&f, &children[i], &pidfds[i]))
      return;
    check_target(&f, descriptors);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(children); i++) {
    const char expected[N_REGIONS] = {(char)('0' + i), (char)('0' + i), (char)('0' + i)};

    check_content(&f, children[i], expected);
    kill_snapshot(pidfds[i]);
  }
  check_target(&f, descriptors);
}

/* The VMAs with their flags, a line each. */
static char *
mappings(pid_t pid)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/smaps", (int)pid);
  g_autofree char *text = NULL;
  GString *lines = g_string_new(NULL);

  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_auto(GStrv) all = g_strsplit(text, "\n", -1);
  for (size_t i = 0; all[i]; i++)
    if (g_ascii_islower(all[i][0]) || g_ascii_isdigit(all[i][0]) ||
        g_str_has_prefix(all[i], "VmFlags"))
      g_string_append_printf(lines, "%s\n", all[i]);
  return g_string_free(lines, FALSE);
}

static bool
is_region(const Fixture *f, const DacsaHostVma *vma)
{
  for (unsigned i = 0; i < N_REGIONS; i++)
    if (vma->start == f->shared->regions[i])
      return true;
  return false;
}

static bool
holds(const DacsaHostVma *vma, uint64_t hva)
{
  return hva >= vma->start && hva < vma->end;
}

/* The child has the regions and what it runs on, and nothing else of the target's. */
static void
check_child_has_little(const Fixture *f, pid_t child, uint64_t stack)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) vmas = NULL;
  const DacsaGadgets *gadgets = &f->injection.gadgets;

  CHECK_OK(dacsa_procmaps_read(child, &vmas, &error), error);
  for (guint i = 0; i < vmas->len; i++) {
    const DacsaHostVma *vma = &g_array_index(vmas, DacsaHostVma, i);

    /* A stretch of stack that the frames lie on is there, too. */
    if (!is_region(f, vma) && !vma->special && !holds(vma, gadgets->syscall_ret) &&
        !holds(vma, gadgets->restorer) && g_strcmp0(vma->path, "[stack]") != 0) {
      g_assert_null(vma->path);
      g_assert_cmpuint(vma->end - vma->start, <=, stack);
    }
  }
}

/* stack: bytes that the child may have of one that is not the target's first. */
static void
check_withheld(void (*work)(Shared *shared), uint64_t stack)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) host = NULL;
  g_autoptr(DacsaLayout) layout = dacsa_layout_new();
  pid_t child = 0;
  int pidfd = -1;

  set_up(&f, work);
  unsigned descriptors = count_descriptors(f.target);
  for (unsigned i = 0; i < N_REGIONS; i++) {
    const DacsaRange range = {i * REGION, REGION, f.shared->regions[i], true};

    CHECK_OK(dacsa_layout_append(layout, range, &error), error);
  }
  CHECK_OK(dacsa_procmaps_read(f.target, &host, &error), error);
  g_autoptr(GArray) map = dacsa_forkmap_build(host, f.vmas, layout, &f.injection.gadgets);
  g_assert_cmpuint(map->len, >, N_REGIONS);
  g_autofree char *before = mappings(f.target);
  f.injection.vmas = map;
  if (!inject(&f, &child, &pidfd))
    return;
  check_target(&f, descriptors);
  g_autofree char *after = mappings(f.target);
  g_assert_cmpstr(before, ==, after);
  check_content(&f, child, "ABC");
  check_child_has_little(&f, child, stack);
  kill_snapshot(pidfd);
}

static void
test_withheld(void)
{
  check_withheld(target_busy, 0);
}

static void
test_withheld_coroutine(void)
{
  check_withheld(target_coroutine, 128 << 10);
}

/* Where the process may not be forked nothing is left of the attempt. */
static void
test_too_many_vmas(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  DacsaForkVma vma;
  pid_t child = 0;
  int pidfd = -1;

  set_up(&f, target_blocked);
  unsigned descriptors = count_descriptors(f.target);
  vma = g_array_index(f.vmas, DacsaForkVma, 0);
  for (int i = 0; i < 1000; i++)
    g_array_append_val(f.vmas, vma);
  if (!dacsa_inject_fork(&f.injection, &child, &pidfd, &error) && getuid() != 0) {
    g_test_skip(error->message);
    return;
  }
  g_assert_error(error, DACSA_ERROR, DACSA_ERROR_UNSUPPORTED);
  g_assert_cmpint(pidfd, ==, -1);
  check_target(&f, descriptors);
}

static void
test_stopped(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  pid_t child = 0;
  int pidfd = -1;
  int status;

  set_up(&f, target_blocked);
  unsigned descriptors = count_descriptors(f.target);
  kill(f.target, SIGSTOP);
  g_assert_cmpint(waitpid(f.target, &status, WUNTRACED), ==, f.target);
  if (!dacsa_inject_fork(&f.injection, &child, &pidfd, &error) && getuid() != 0) {
    g_test_skip(error->message);
    return;
  }
  g_assert_error(error, DACSA_ERROR, DACSA_ERROR_BUSY);
  kill(f.target, SIGCONT);
  check_target(&f, descriptors);
}

/* Wakes a target that waits for that. */
static void
wake(Fixture *f)
{
  f->shared->futex = 1;
  syscall(SYS_futex, &f->shared->futex, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* A call that is under way goes on, or tells that it was interrupted where it would do so after any
 * signal; nothing else changes. */
static void
test_call(const void *data)
{
  g_auto(Fixture) f;

  the_call = data;
  set_up(&f, target_call);
  const unsigned descriptors = count_descriptors(f.target);
  for (unsigned i = 0; i < 5; i++) {
    pid_t child;
    int pidfd;

    if (!inject(&f, &child, &pidfd))
      return;
    kill_snapshot(pidfd);
  }
  const uint64_t replies = f.shared->replies;
  g_assert_cmpint(write(f.shared->pipe[1], "xyz", 3), ==, 3);
  if (the_call->is_futex)
    wake(&f);
  WAIT_FOR(f.shared->replies == replies + 3);
  WAIT_FOR(!has_children(f.target));
  WAIT_FOR(all_dont_fork(&f));
  g_assert_cmpuint(count_descriptors(f.target), ==, descriptors);
  g_assert_cmpuint(f.shared->failed, ==, 0);
  if (!the_call->told)
    g_assert_cmpuint(f.shared->interrupted, ==, 0);
}

/* Not in the middle of a sequence, which the kernel would send to its abort handler; after it, yes.
 */
static void
test_rseq(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  pid_t child = 0;
  int pidfd = -1;

  if (__rseq_size == 0) {
    g_test_skip("no rseq here");
    return;
  }
  set_up(&f, target_rseq);
  const unsigned descriptors = count_descriptors(f.target);
  if (!dacsa_inject_fork(&f.injection, &child, &pidfd, &error) && getuid() != 0) {
    g_test_skip(error->message);
    return;
  }
  g_assert_error(error, DACSA_ERROR, DACSA_ERROR_BUSY);
  g_assert_nonnull(strstr(error->message, "restartable"));
  WAIT_FOR(f.shared->aborts > 0); /* the stop was one */
  f.shared->leave = 1;
  check_target(&f, descriptors);
  if (!inject(&f, &child, &pidfd))
    return;
  check_target(&f, descriptors);
  kill_snapshot(pidfd);
}

static void
test_fpu(void)
{
  g_auto(Fixture) f;

  set_up(&f, target_fpu);
  const unsigned descriptors = count_descriptors(f.target);
  for (unsigned i = 0; i < 10; i++) {
    const uint64_t turns = f.shared->turns;
    pid_t child;
    int pidfd;

    if (!inject(&f, &child, &pidfd))
      return;
    kill_snapshot(pidfd);
    WAIT_FOR(f.shared->turns > turns + 1);
  }
  check_target(&f, descriptors);
}

/* As with a QEMU under seccomp: stopped meanwhile, and neither before nor after. */
static void
test_group_stop(void)
{
  g_auto(Fixture) f;
  g_autofree char *state = NULL;
  g_autoptr(GError) error = NULL;

  set_up(&f, target_busy);
  f.injection.stop_group = true;
  const unsigned descriptors = count_descriptors(f.target);
  for (unsigned i = 0; i < 5; i++) {
    pid_t child;
    int pidfd;

    if (!inject(&f, &child, &pidfd))
      return;
    check_target(&f, descriptors);
    check_content(&f, child, "ABC");
    kill_snapshot(pidfd);
  }
  CHECK_OK(dacsa_procmaps_status(f.target, "State", &state, &error), error);
  g_assert_cmpint(state[0], !=, 'T');
}

static void
test_no_process(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  pid_t child = 0;
  int pidfd = -1;

  set_up(&f, target_blocked);
  f.injection.pid = 0x3fffffff; /* above any pid_max */
  CHECK_FAILS(dacsa_inject_fork(&f.injection, &child, &pidfd, &error), error,
              DACSA_ERROR_NOT_FOUND);
}

int
main(int argc, char **argv)
{
  sigset_t all;

  g_test_init(&argc, &argv, NULL);
  /* As a worker has them. The target inherits it, and is none the worse for it. */
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  g_test_add_func("/inject/blocked", test_blocked);
  g_test_add_func("/inject/busy", test_busy);
  g_test_add_func("/inject/repeated", test_repeated);
  g_test_add_func("/inject/withheld", test_withheld);
  g_test_add_func("/inject/withheld-coroutine", test_withheld_coroutine);
  g_test_add_func("/inject/too-many-vmas", test_too_many_vmas);
  g_test_add_func("/inject/stopped", test_stopped);
  g_test_add_func("/inject/no-process", test_no_process);
  g_test_add_func("/inject/group-stop", test_group_stop);
  g_test_add_func("/inject/rseq", test_rseq);
  g_test_add_func("/inject/fpu", test_fpu);
  for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
    g_autofree char *path = g_strdup_printf("/inject/call/%s", calls[i].name);

    g_test_add_data_func(path, &calls[i], test_call);
  }
  return g_test_run();
}
