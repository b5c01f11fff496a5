/*
 * Processes that are out of the ordinary: in their numbers, their states, their descriptors, and in
 * what they may do.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int crowd_number;

static void
take_number(void)
{
  char name[16];
  snprintf(name, sizeof name, "crowd %d", crowd_number);
  prctl(PR_SET_NAME, name);
}

/* ARG idle children, 300 without. */
static int
crowd(const char *arg)
{
  int count = arg ? atoi(arg) : 300;
  for (crowd_number = 1; crowd_number <= count; crowd_number++)
    start_child(take_number);
  stay();
}

/* Threads with names; one of them has a name that is hard to print. */
static int
threads(const char *arg)
{
  (void)arg;
  start_thread("reader");
  start_thread("writer (1)");
  start_thread("a\tb\nc \\ \xc3\xa9");
  start_thread("fifteen letters");
  start_thread("");
  for (int i = 0; i < 11; i++)
    start_thread(NULL);
  stay();
}

static int
opened(const char *path, int flags)
{
  int fd = open(path, flags, 0644);
  if (fd < 0)
    die(path);
  return fd;
}

static void
open_files(void)
{
  mkdir("/run/files", 0755);
  int fd = opened("/run/files/log", O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC);
  if (write(fd, "twelve bytes", 12) != 12)
    die("write");
  fd = opened("/run/files/log", O_RDONLY | O_NONBLOCK);
  lseek(fd, 5, SEEK_SET);
  dup(fd);
  fd = opened("/run/files/a name\nof two lines \\ \xc3\xa9", O_CREAT | O_RDWR);
  lseek(fd, 5L << 32, SEEK_SET);
  opened("/run/files/deleted", O_CREAT | O_RDWR);
  unlink("/run/files/deleted");
  opened("/run/files", O_RDONLY | O_DIRECTORY);
  opened("/run/files/log", O_PATH);
  opened("/run/files", O_TMPFILE | O_RDWR);
  opened("/proc/self/status", O_RDONLY);
  opened("/sys/kernel/uevent_seqnum", O_RDONLY);
  mkfifo("/run/files/fifo", 0600);
  opened("/run/files/fifo", O_RDWR);
  opened("/dev/null", O_RDWR);
  opened("/dev/ttyS0", O_RDWR | O_NOCTTY | O_NONBLOCK);
  opened("/proc/self/ns/net", O_RDONLY);
}

static void
open_objects(void)
{
  int ends[2], epoll = epoll_create1(EPOLL_CLOEXEC), event = eventfd(7, EFD_NONBLOCK);
  struct epoll_event interest = {.events = EPOLLIN, .data.u64 = 0x1234};
  struct itimerspec in_a_day = {.it_value.tv_sec = 86400, .it_interval.tv_sec = 3600};
  int timer = timerfd_create(CLOCK_MONOTONIC, 0), notify = inotify_init1(IN_CLOEXEC);
  sigset_t signals;

  sigemptyset(&signals);
  sigaddset(&signals, SIGHUP);
  sigaddset(&signals, SIGUSR2);
  if (pipe(ends) || write(ends[1], "in a pipe", 9) != 9 ||
      socketpair(AF_UNIX, SOCK_STREAM, 0, ends) ||
      epoll_ctl(epoll, EPOLL_CTL_ADD, event, &interest) ||
      timerfd_settime(timer, 0, &in_a_day, NULL) || signalfd(-1, &signals, 0) < 0 ||
      inotify_add_watch(notify, "/run", IN_DELETE_SELF) < 0)
    die("descriptors");
  int memfd = memfd_create("kept in memory", MFD_ALLOW_SEALING);
  if (memfd < 0 || write(memfd, "content", 7) != 7 || syscall(SYS_pidfd_open, getpid(), 0) < 0)
    die("memfd, pidfd");
  if (dup2(memfd, 1000) != 1000) /* far from the others: the table has grown */
    die("dup2");
}

/* Open files of every kind. */
static int
descriptors(const char *arg)
{
  (void)arg;
  open_files();
  open_objects();
  stay();
}

static void
caught(int signal)
{
  (void)signal;
}

static void
have_signals(void)
{
  sigset_t blocked;
  signal(SIGHUP, SIG_IGN);
  signal(SIGTTOU, SIG_IGN);
  signal(SIGUSR1, caught);
  signal(SIGTERM, caught);
  signal(SIGRTMIN + 3, caught);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  sigaddset(&blocked, SIGALRM);
  sigaddset(&blocked, SIGRTMIN + 5);
  if (sigprocmask(SIG_BLOCK, &blocked, NULL) || kill(getpid(), SIGUSR2) || /* the process's */
      syscall(SYS_tgkill, getpid(), getpid(), SIGALRM) ||                  /* the thread's */
      sigqueue(getpid(), SIGRTMIN + 5, (union sigval){.sival_int = 5}))
    die("signals");
}

static void
have_limits(void)
{
  struct rlimit files = {123, 456}, core = {0, RLIM_INFINITY};
  cpu_set_t second;
  CPU_ZERO(&second);
  CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &second);
  umask(027);
  if (setrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_CORE, &core) ||
      setpriority(PRIO_PROCESS, 0, 5) || sched_setaffinity(0, sizeof second, &second))
    die("limits");
  write_file("/proc/self/oom_score_adj", "321");
}

/* No longer root, but for one capability; the rest of the bounding set is dropped as well. */
static void
have_identity(void)
{
  static const gid_t groups[] = {1001, 1002, 4, 70000};
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {
      {1 << CAP_NET_RAW, 1 << CAP_NET_RAW | 1 << CAP_KILL, 1 << CAP_NET_RAW}, {0, 0, 0}};

  for (int cap = 0; cap <= CAP_LAST_CAP; cap += 2)
    prctl(PR_CAPBSET_DROP, cap);
  if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(4, groups) || setresgid(1001, 1002, 1003) ||
      setresuid(1000, 1010, 1020) || syscall(SYS_capset, &header, data) ||
      prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0))
    die("identity");
}

static void
have_seccomp(void)
{
  struct sock_filter all[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  struct sock_fprog filter = {1, all};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
    die("seccomp");
}

/* Nothing in its status is as usual. /run/ready must be writable for all. */
static int
person(const char *arg)
{
  (void)arg;
  ready();
  setsid();
  have_limits();
  have_identity();
  have_signals();
  have_seccomp();
  prctl(PR_SET_TIMERSLACK, 1000000);
  be_at_rest();
}

/* Only another user, with the usual rest: its environment and all belong to it. */
static int
user(const char *arg)
{
  unsigned id = arg ? strtoul(arg, NULL, 10) : 33;
  ready();
  if (setgroups(0, NULL) || setresgid(id, id, id) || setresuid(id, id, id))
    die("user");
  be_at_rest();
}

static void
await_state(pid_t pid, char wanted)
{
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  for (char *end = NULL; !end || end[2] != wanted;) {
    int fd = opened(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    end = strrchr(text, ')');
    close(fd);
  }
}

/* A child that is stopped (T), one that is being traced (t), one that waits for its vfork (D). */
static int
states(const char *arg)
{
  (void)arg;
  pid_t stopped = start_child(NULL), traced = start_child(NULL);
  if (kill(stopped, SIGSTOP) || ptrace(PTRACE_SEIZE, traced, 0, 0) ||
      ptrace(PTRACE_INTERRUPT, traced, 0, 0))
    die("states");
  await_state(stopped, 'T');
  await_state(traced, 't');
  pid_t waiting = fork();
  if (waiting == 0 && vfork() == 0)
    be_at_rest();
  await_state(waiting, 'D');
  stay();
}

const struct role process_roles[] = {
    {"crowd", crowd},   {"threads", threads}, {"descriptors", descriptors},
    {"person", person}, {"user", user},       {"states", states},
    {NULL, NULL},
};
