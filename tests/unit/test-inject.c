/* A fork injected into a real process (fake-target.h). */
#include "check.h"
#include "fake-target.h"
#include "own-gadgets.h"

#include "snap/forkmap.h"
#include "snap/injector.h"
#include "snap/procmaps.h"
#include "snap/putback.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_US (10 * G_USEC_PER_SEC)

typedef struct {
  FakeTarget *shared;
  pid_t target;
  unsigned descriptors; /* that it has */
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

static void
start(Fixture *f, void (*work)(FakeTarget *shared), const FakeTargetCall *call)
{
  *f = (Fixture){.target = -1};
  f->shared =
      mmap(NULL, sizeof(FakeTarget), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true(f->shared != MAP_FAILED);
  f->shared->call = call;
  own_gadgets_find(&f->injection.gadgets);
  g_assert_cmpint(pipe(f->shared->pipe), ==, 0);
  f->target = fork();
  g_assert_cmpint(f->target, >=, 0);
  if (f->target == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* if the test fails */
    fake_target_prepare(f->shared);
    work(f->shared);
  }
  WAIT_FOR(f->shared->ready);
  g_usleep(2000);
  f->vmas = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));
  for (unsigned i = 0; i < FAKE_TARGET_REGIONS; i++) {
    DacsaForkVma vma = {.start = f->shared->regions[i], .len = FAKE_TARGET_REGION};

    g_array_append_val(f->vmas, vma);
  }
  f->injection.pid = f->target;
  f->injection.journal = -1;
  f->injection.vmas = f->vmas;
  f->descriptors = count_descriptors(f->target);
}

static void
set_up(Fixture *f, void (*work)(FakeTarget *shared))
{
  start(f, work, NULL);
}

static void
tear_down(Fixture *f)
{
  kill(f->target, SIGKILL);
  waitpid(f->target, NULL, __WALL);
  close(f->shared->pipe[0]);
  close(f->shared->pipe[1]);
  munmap(f->shared, sizeof(FakeTarget));
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
  for (unsigned i = 0; i < FAKE_TARGET_REGIONS; i++) {
    const DacsaHostVma *vma = dacsa_procmaps_find(vmas, f->shared->regions[i]);

    g_assert_nonnull(vma);
    all = all && vma->dont_fork && vma->start == f->shared->regions[i] &&
          vma->end == vma->start + FAKE_TARGET_REGION;
  }
  return all;
}

static void
check_content(const Fixture *f, pid_t pid, const char expected[FAKE_TARGET_REGIONS])
{
  g_autofree char *path = g_strdup_printf("/proc/%d/mem", (int)pid);
  g_autofree char *buf = g_malloc(FAKE_TARGET_REGION);
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  g_assert_cmpint(fd, >=, 0);
  for (unsigned i = 0; i < FAKE_TARGET_REGIONS; i++) {
    g_autofree char *all = g_strnfill(FAKE_TARGET_REGION, expected[i]);

    g_assert_cmpint((int)pread(fd, buf, FAKE_TARGET_REGION, (off_t)f->shared->regions[i]), ==,
                    FAKE_TARGET_REGION);
    g_assert_true(memcmp(buf, all, FAKE_TARGET_REGION) == 0);
  }
  close(fd);
}

static void
wake(Fixture *f)
{
  f->shared->futex = 1;
  syscall(SYS_futex, &f->shared->futex, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* The target goes on with its work, and has nothing that it did not have. */
static void
check_target(Fixture *f)
{
  uint64_t replies = f->shared->replies;

  g_assert_cmpint(write(f->shared->pipe[1], "xyz", 3), ==, 3);
  if (f->shared->call && f->shared->call->is_futex)
    wake(f);
  WAIT_FOR(f->shared->replies == replies + 3);
  WAIT_FOR(!has_children(f->target));
  WAIT_FOR(all_dont_fork(f));
  g_assert_cmpuint(count_descriptors(f->target), ==, f->descriptors);
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

/* false: as inject. */
static bool
inject_and_kill(Fixture *f)
{
  pid_t child;
  int pidfd;

  if (!inject(f, &child, &pidfd))
    return false;
  kill_snapshot(pidfd);
  return true;
}

/* The injection fails with that code. false: as inject. */
static bool
refuse(Fixture *f, int code, GError **error)
{
  pid_t child = 0;
  int pidfd = -1;

  if (!dacsa_inject_fork(&f->injection, &child, &pidfd, error) && getuid() != 0) {
    g_test_skip((*error)->message);
    return false;
  }
  g_assert_error(*error, DACSA_ERROR, code);
  g_assert_cmpint(pidfd, ==, -1);
  return true;
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
check_fork(void (*work)(FakeTarget *shared))
{
  g_auto(Fixture) f;
  pid_t child = 0;
  int pidfd = -1;

  set_up(&f, work);
  if (!inject(&f, &child, &pidfd))
    return;
  check_target(&f);
  fill_target(&f, 'z');
  check_content(&f, f.target, "zzz");
  check_content(&f, child, "ABC"); /* as it was */
  WAIT_FOR(count_descriptors(child) == 0);
  kill_snapshot(pidfd);
  check_target(&f);
}

static void
test_blocked(void)
{
  check_fork(fake_target_blocked);
}

static void
test_busy(void)
{
  check_fork(fake_target_busy);
}

/* Again and again, several held at once. */
static void
test_repeated(void)
{
  g_auto(Fixture) f;
  pid_t children[4];
  int pidfds[G_N_ELEMENTS(children)];

  set_up(&f, fake_target_busy);
  for (unsigned i = 0; i < G_N_ELEMENTS(children); i++) {
    fill_target(&f, (char)('0' + i));
    if (!inject(&f, &children[i], &pidfds[i]))
      return;
    check_target(&f);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(children); i++) {
    const char expected[FAKE_TARGET_REGIONS] = {(char)('0' + i), (char)('0' + i), (char)('0' + i)};

    check_content(&f, children[i], expected);
    kill_snapshot(pidfds[i]);
  }
  check_target(&f);
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
  for (unsigned i = 0; i < FAKE_TARGET_REGIONS; i++)
    if (vma->start == f->shared->regions[i])
      return true;
  return false;
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
    if (!is_region(f, vma) && !vma->io && g_strcmp0(vma->path, "[vsyscall]") != 0 &&
        !dacsa_procmaps_holds(vma, gadgets->syscall_ret) &&
        !dacsa_procmaps_holds(vma, gadgets->restorer) && g_strcmp0(vma->path, "[stack]") != 0) {
      g_assert_null(vma->path);
      g_assert_cmpuint(vma->end - vma->start, <=, stack);
    }
  }
}

/* stack: bytes that the child may have of one that is not the target's first. */
static void
check_withheld(void (*work)(FakeTarget *shared), uint64_t stack)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) host = NULL;
  g_autoptr(DacsaLayout) layout = dacsa_layout_new();
  pid_t child = 0;
  int pidfd = -1;

  set_up(&f, work);
  for (unsigned i = 0; i < FAKE_TARGET_REGIONS; i++) {
    const DacsaRange range = {i * FAKE_TARGET_REGION, FAKE_TARGET_REGION, f.shared->regions[i],
                              true};

    CHECK_OK(dacsa_layout_append(layout, range, &error), error);
  }
  CHECK_OK(dacsa_procmaps_read(f.target, &host, &error), error);
  g_autoptr(GArray) map = NULL;
  CHECK_OK(dacsa_forkmap_build(host, layout, &f.injection.gadgets, &map, &error), error);
  g_assert_cmpuint(map->len, >, FAKE_TARGET_REGIONS);
  g_autofree char *before = mappings(f.target);
  f.injection.vmas = map;
  if (!inject(&f, &child, &pidfd))
    return;
  check_target(&f);
  g_autofree char *after = mappings(f.target);
  g_assert_cmpstr(before, ==, after);
  check_content(&f, child, "ABC");
  check_child_has_little(&f, child, stack);
  kill_snapshot(pidfd);
}

static void
test_withheld(void)
{
  check_withheld(fake_target_busy, 0);
}

static void
test_withheld_coroutine(void)
{
  check_withheld(fake_target_coroutine, 128 << 10);
}

static unsigned
count_forked(const Fixture *f)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) host = NULL;
  unsigned n = 0;

  CHECK_OK(dacsa_procmaps_read(f->target, &host, &error), error);
  for (unsigned i = 0; i < FAKE_TARGET_REGIONS; i++)
    n += !dacsa_procmaps_find(host, f->shared->regions[i])->dont_fork;
  return n;
}

/* What is not as it was is seen, and the target itself puts it back, in the middle of its work. */
static void
test_put_back(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  g_autoptr(GArray) wrong = g_array_new(FALSE, FALSE, sizeof(DacsaForkVma));

  set_up(&f, fake_target_busy);
  for (unsigned i = 0; i < f.vmas->len; i++) {
    DacsaForkVma vma = g_array_index(f.vmas, DacsaForkVma, i);

    vma.withheld = true; /* as if it were: it is made to be forked again */
    g_array_append_val(wrong, vma);
  }
  f.injection.vmas = wrong;
  if (!dacsa_inject_put_back(&f.injection, &error) && getuid() != 0) {
    g_test_skip(error->message);
    return;
  }
  g_assert_no_error(error);
  WAIT_FOR(count_forked(&f) == FAKE_TARGET_REGIONS);
  CHECK_OK(dacsa_putback(f.target, &f.injection.gadgets, f.vmas, &error), error);
  g_assert_cmpuint(count_forked(&f), ==, 0);
  check_target(&f);
  CHECK_OK(dacsa_putback(f.target, &f.injection.gadgets, f.vmas, &error), error);
}

/* Where the process may not be forked nothing is left of the attempt. */
static void
test_too_many_vmas(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  DacsaForkVma vma;

  set_up(&f, fake_target_blocked);
  vma = g_array_index(f.vmas, DacsaForkVma, 0);
  for (int i = 0; i < 1000; i++)
    g_array_append_val(f.vmas, vma);
  if (!refuse(&f, DACSA_ERROR_UNSUPPORTED, &error))
    return;
  check_target(&f);
}

static void
test_stopped(void)
{
  g_auto(Fixture) f;
  g_autoptr(GError) error = NULL;
  int status;

  set_up(&f, fake_target_blocked);
  kill(f.target, SIGSTOP);
  g_assert_cmpint(waitpid(f.target, &status, WUNTRACED), ==, f.target);
  if (!refuse(&f, DACSA_ERROR_BUSY, &error))
    return;
  kill(f.target, SIGCONT);
  check_target(&f);
}

/* A call that is under way goes on, or tells that it was interrupted where it would do so after any
 * signal; nothing else changes. */
static void
test_call(const void *data)
{
  const FakeTargetCall *call = data;
  g_auto(Fixture) f;

  start(&f, fake_target_call, call);
  for (unsigned i = 0; i < 5; i++)
    if (!inject_and_kill(&f))
      return;
  check_target(&f);
  if (!call->told)
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
  set_up(&f, fake_target_rseq);
  if (!refuse(&f, DACSA_ERROR_BUSY, &error))
    return;
  g_assert_nonnull(strstr(error->message, "restartable"));
  WAIT_FOR(f.shared->aborts > 0); /* the stop was one */
  f.shared->leave = 1;
  check_target(&f);
  if (!inject(&f, &child, &pidfd))
    return;
  check_target(&f);
  kill_snapshot(pidfd);
}

static void
test_fpu(void)
{
  g_auto(Fixture) f;

  set_up(&f, fake_target_fpu);
  for (unsigned i = 0; i < 10; i++) {
    const uint64_t turns = f.shared->turns;

    if (!inject_and_kill(&f))
      return;
    WAIT_FOR(f.shared->turns > turns + 1);
  }
  check_target(&f);
}

/* As with a QEMU under seccomp: stopped meanwhile, and neither before nor after. */
static void
test_group_stop(void)
{
  g_auto(Fixture) f;
  g_autofree char *state = NULL;
  g_autoptr(GError) error = NULL;

  set_up(&f, fake_target_busy);
  f.injection.stop_group = true;
  for (unsigned i = 0; i < 5; i++) {
    pid_t child;
    int pidfd;

    if (!inject(&f, &child, &pidfd))
      return;
    check_target(&f);
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

  set_up(&f, fake_target_blocked);
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
  g_test_add_func("/inject/put-back", test_put_back);
  g_test_add_func("/inject/too-many-vmas", test_too_many_vmas);
  g_test_add_func("/inject/stopped", test_stopped);
  g_test_add_func("/inject/no-process", test_no_process);
  g_test_add_func("/inject/group-stop", test_group_stop);
  g_test_add_func("/inject/rseq", test_rseq);
  g_test_add_func("/inject/fpu", test_fpu);
  for (const FakeTargetCall *call = fake_target_calls; call->name; call++) {
    g_autofree char *path = g_strdup_printf("/inject/call/%s", call->name);

    g_test_add_data_func(path, call, test_call);
  }
  return g_test_run();
}
