/* What a process that has only its descriptors cannot do any more, and what it still can. */
#include "check.h"

#include "fs/confine.h"
#include "fs/privileges.h"
#include "snap/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT "what the file holds"

/* What the process has when it is confined. */
typedef struct {
  int file; /* holds TEXT; may be written */
  int pair[2];
} World;

static void
world_init(World *w)
{
  g_autoptr(GError) error = NULL;

  w->file = memfd_create("test", MFD_CLOEXEC);
  g_assert_cmpint(write(w->file, TEXT, strlen(TEXT)), ==, strlen(TEXT));
  CHECK_OK(dacsa_channel_pair(w->pair, &error), error);
}

static void
confine(void)
{
  const DacsaConfinement nothing = {NULL, NULL, DACSA_FILTER_DESCRIPTORS};
  g_autoptr(GError) error = NULL;
  g_autofree char *missing = NULL;

  CHECK_OK(dacsa_confine(&nothing, &missing, &error), error);
  if (missing)
    g_test_message("not confined by: %s", missing);
}

/* Runs check in a confined process; its wait status. */
static int
run_confined(bool (*check)(const World *w))
{
  int status = 0;

  pid_t child = fork();
  g_assert_cmpint(child, >=, 0);
  if (child == 0) {
    World w;

    world_init(&w);
    confine();
    _exit(check(&w) ? 0 : 1);
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  return status;
}

/* --- what is refused --- */

static bool
is_refused(long result)
{
  return result < 0 && (errno == EPERM || errno == ENOSYS);
}

static bool
files(const World *w)
{
  struct stat st;
  char text[8];

  return is_refused(open("/etc/passwd", O_RDONLY)) &&
         is_refused(syscall(SYS_open, "/dev/null", O_RDONLY)) &&
         is_refused(openat(w->file, "", O_RDONLY)) && is_refused(stat("/", &st)) &&
         is_refused(access("/", R_OK)) && is_refused(readlink("/proc/self/exe", text, 8)) &&
         is_refused(unlink("/nonexistent")) && is_refused(ftruncate(w->file, 0)) &&
         is_refused(chdir("/")) && is_refused(syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0));
}

static bool
descriptors(const World *w)
{
  int pipes[2];

  return is_refused(dup(w->file)) && is_refused(dup2(w->file, 9)) &&
         is_refused(fcntl(w->file, F_DUPFD, 0)) && is_refused(pipe2(pipes, O_CLOEXEC)) &&
         is_refused(eventfd(0, 0)) && is_refused(memfd_create("x", 0)) &&
         is_refused(ioctl(STDIN_FILENO, TIOCSTI, "x")) &&
         is_refused(ioctl(w->file, FIONREAD, pipes)) && is_refused(fcntl(w->file, F_SETOWN, 1));
}

static bool
sockets(const World *w)
{
  int pair[2];

  return is_refused(socket(AF_INET, SOCK_STREAM, 0)) &&
         is_refused(socket(AF_UNIX, SOCK_STREAM, 0)) &&
         is_refused(socket(AF_NETLINK, SOCK_RAW, 0)) &&
         is_refused(socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) &&
         is_refused(listen(w->pair[0], 1)) && is_refused(accept(w->pair[0], NULL, NULL));
}

static bool
processes(const World *w)
{
  (void)w;
  return is_refused(fork()) && is_refused(syscall(SYS_fork)) && is_refused(syscall(SYS_vfork)) &&
         is_refused(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) && is_refused(kill(getppid(), 0)) &&
         is_refused(kill(0, SIGTERM)) && is_refused(syscall(SYS_tgkill, 1, 1, 0)) &&
         is_refused(syscall(SYS_pidfd_open, 1, 0)) && is_refused(setuid(0)) &&
         is_refused(prctl(PR_SET_DUMPABLE, 1)) && is_refused(setpriority(0, 0, 0));
}

static bool
code(const World *w)
{
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  return page != MAP_FAILED && is_refused(mprotect(page, 4096, PROT_READ | PROT_EXEC)) &&
         mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, w->file, 0) == MAP_FAILED &&
         errno == EPERM;
}

typedef struct {
  const char *name;
  bool (*check)(const World *w);
} Row;

static void
run_rows(const Row *rows, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    int status = run_confined(rows[i].check);

    g_test_message("%s: %#x", rows[i].name, (unsigned)status);
    g_assert_cmpint(status, ==, 0);
  }
}

static void
test_refused(void)
{
  static const Row rows[] = {{"files", files},
                             {"descriptors", descriptors},
                             {"sockets", sockets},
                             {"processes", processes},
                             {"code", code}};

  run_rows(rows, G_N_ELEMENTS(rows));
}

/* --- what is deadly --- */

static void
test_deadly(void)
{
  static const int calls[] = {SYS_execve,      SYS_ptrace,         SYS_process_vm_readv,
                              SYS_pidfd_getfd, SYS_io_uring_setup, SYS_process_vm_writev,
                              SYS_unshare};

  for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
    int status = 0;

    pid_t child = fork();
    if (child == 0) {
      confine();
      syscall(calls[i], 0, 0, 0, 0, 0, 0);
      _exit(0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_test_message("call %d: %#x", calls[i], (unsigned)status);
    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpint(WTERMSIG(status), ==, SIGSYS);
  }
}

/* --- what still works --- */

static bool
has_text(int fd)
{
  char text[sizeof(TEXT)] = "";

  return pread(fd, text, strlen(TEXT), 0) == (ssize_t)strlen(TEXT) && strcmp(text, TEXT) == 0;
}

static gpointer
read_in_thread(gpointer data)
{
  const World *w = (const World *)data;
  g_autofree char *large = (char *)g_malloc0((gsize)64 << 20);

  prctl(PR_SET_NAME, "reader");
  malloc_trim(0);
  return GINT_TO_POINTER(has_text(w->file));
}

static bool
threads(const World *w)
{
  bool ok = true;

  for (int i = 0; i < 4; i++) {
    GThread *thread = g_thread_new("read", read_in_thread, (gpointer)w);

    ok = GPOINTER_TO_INT(g_thread_join(thread)) && ok;
  }
  return ok;
}

static void *
wait_for_message(void *data)
{
  const World *w = (const World *)data;
  char byte;

  return read(w->pair[0], &byte, 1) == 1 ? NULL : (void *)(uintptr_t)w;
}

/* libfuse ends its threads so when the file system is unmounted. */
static bool
cancellation(const World *w)
{
  pthread_t thread;
  void *result;

  return pthread_create(&thread, NULL, wait_for_message, (void *)(uintptr_t)w) == 0 &&
         pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 &&
         result == PTHREAD_CANCELED;
}

/* The keeper passes descriptors. */
static bool
channel(const World *w)
{
  g_autoptr(DacsaMessage) sent = dacsa_message_new("snapshot", 7);
  g_autoptr(DacsaMessage) message = NULL;

  dacsa_message_add_fd(sent, w->file);
  bool ok = dacsa_channel_send(w->pair[0], sent, NULL) &&
            dacsa_channel_receive(w->pair[1], &message, NULL);
  dacsa_message_steal_fd(sent, 0);
  return ok && message->sequence == 7 && message->n_fds == 1 && message->fds[0] != w->file &&
         has_text(message->fds[0]);
}

static bool
log_and_time(const World *w)
{
  (void)w;
  g_message("this is in the log");
  return g_get_real_time() > 0 && g_get_monotonic_time() > 0 && g_random_int() != g_random_int();
}

static bool
aborts(const World *w)
{
  (void)w;
  signal(SIGABRT, SIG_DFL);
  abort();
}

static void
test_allowed(void)
{
  static const Row rows[] = {{"threads", threads},
                             {"cancellation", cancellation},
                             {"channel", channel},
                             {"log and time", log_and_time}};

  run_rows(rows, G_N_ELEMENTS(rows));
  int status = run_confined(aborts);
  g_assert_true(WIFSIGNALED(status));
  g_assert_cmpint(WTERMSIG(status), ==, SIGABRT);
}

/* --- user and capabilities --- */

static bool
says(const char *status, const char *line)
{
  g_autofree char *wanted = g_strdup_printf("\n%s\n", line);

  return strstr(status, wanted) != NULL;
}

static bool
is_nobody(void)
{
  static const char *const lines[] = {"Uid:\t65534\t65534\t65534\t65534",
                                      "Gid:\t65534\t65534\t65534\t65534",
                                      "Groups:\t ",
                                      "CapInh:\t0000000000000000",
                                      "CapPrm:\t0000000000000000",
                                      "CapEff:\t0000000000000000",
                                      "CapBnd:\t0000000000000000",
                                      "CapAmb:\t0000000000000000",
                                      "NoNewPrivs:\t1"};
  g_autofree char *status = NULL;
  bool ok = g_file_get_contents("/proc/self/status", &status, NULL, NULL);

  for (size_t i = 0; ok && i < G_N_ELEMENTS(lines); i++)
    ok = says(status, lines[i]);
  return ok && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && setuid(0) < 0 && setgid(0) < 0;
}

static void
test_privileges(void)
{
  g_autoptr(GError) error = NULL;
  int status = 0;

  if (geteuid() != 0) {
    g_test_skip("only root has something to give up");
    return;
  }
  pid_t child = fork();
  if (child == 0) {
    CHECK_OK(dacsa_privileges_drop(&error), error);
    _exit(is_nobody() ? 0 : 1);
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_cmpint(status, ==, 0);
}

/* Who has nothing to give up is told so: nothing is done by halves. */
static void
test_errors(void)
{
  g_autoptr(GError) error = NULL;
  int status = 0;

  pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0)
      CHECK_OK(dacsa_privileges_drop(&error), error);
    CHECK_FAILS(dacsa_privileges_drop(&error), error, DACSA_ERROR_OS);
    _exit(0);
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_cmpint(status, ==, 0);
}

int
main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/filter/refused", test_refused);
  g_test_add_func("/filter/deadly", test_deadly);
  g_test_add_func("/filter/allowed", test_allowed);
  g_test_add_func("/filter/privileges", test_privileges);
  g_test_add_func("/filter/errors", test_errors);
  return g_test_run();
}
