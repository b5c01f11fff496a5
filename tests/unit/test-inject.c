/* A fork injected into a real process: a child of this test that has memory which is MADV_DONTFORK,
 * a descriptor or two, and work that it goes on with. */
#include "check.h"

#include "snap/inject.h"
#include "snap/procmaps.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REGION (4u << 20)
#define N_REGIONS 3u
#define WAIT_US (10 * G_USEC_PER_SEC)

/* In memory shared with the target. */
typedef struct {
  volatile uint64_t turns;   /* of the target's loop */
  volatile uint64_t replies; /* to what comes through the pipe */
  volatile uint32_t failed;  /* the target found something of its own changed */
  volatile uint32_t fill;    /* what the target is to fill its regions with; 0: nothing */
  volatile uint32_t ready;
  uint64_t regions[N_REGIONS];
  int pipe[2];
} Shared;

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
set_up(Fixture *f, bool busy)
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
    target_loop(f->shared, busy);
  }
  WAIT_FOR(f->shared->ready);
  g_usleep(2000);
  f->vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  for (unsigned i = 0; i < N_REGIONS; i++) {
    DacsaForkVma vma = {f->shared->regions[i], REGION};

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
check_fork(bool busy)
{
  g_auto(Fixture) f;
  pid_t child = 0;
  int pidfd = -1;

  set_up(&f, busy);
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
  check_fork(false);
}

static void
test_busy(void)
{
  check_fork(true);
}

/* Again and again, several held at once. */
static void
test_repeated(void)
{
  g_auto(Fixture) f;
  pid_t children[4];
  int pidfds[G_N_ELEMENTS(children)];

  set_up(&f, true);
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

/* Where the process may not be forked nothing is left of the attempt. */
static void
test_too_many_vmas(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  DacsaForkVma vma;
  pid_t child = 0;
  int pidfd = -1;

  set_up(&f, false);
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

  set_up(&f, false);
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

static void
test_no_process(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  pid_t child = 0;
  int pidfd = -1;

  set_up(&f, false);
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
  g_test_add_func("/inject/too-many-vmas", test_too_many_vmas);
  g_test_add_func("/inject/stopped", test_stopped);
  g_test_add_func("/inject/no-process", test_no_process);
  return g_test_run();
}
