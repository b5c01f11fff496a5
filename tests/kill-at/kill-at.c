/*
 * kill-at KEEPER STATE-DIR step N [PID...]
 * kill-at KEEPER STATE-DIR after MICROSECONDS [PID...]
 * kill-at KEEPER STATE-DIR run N COMMAND
 * kill-at KEEPER STATE-DIR resumed N COMMAND
 * kill-at KEEPER STATE-DIR recovery N M
 *
 * Kills the worker that takes the next snapshot, and before it each PID: at the N-th stop at the
 * entry or the exit of a system call, counted from when the take's journal is there (step), or that
 * long after (after). Or runs a command while the worker stands still at that stop, counted from
 * when the journal has the chain (run) or tells that the VM runs again (resumed), and then lets it
 * go on. Prints `ready` when it may be taken, then one line:
 *
 *   killed N entry|exit CALL-NUMBER       or: after MICROSECONDS
 *   ran N entry|exit CALL-NUMBER
 *   ended N                               the journal was gone by itself, after N stops
 *
 * The worker is a process that the keeper forks; it may itself trace others.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUFFIX ".taking"
#define MAX_PIDS 16
#define SYSCALL_STOP (SIGTRAP | 0x80)

static const char *state_dir;
static pid_t keeper;
static pid_t others[MAX_PIDS];
static int n_others;
static const char *command;      /* or NULL */
static const char *awaited_line; /* of the journal, before its worker counts; NULL: none */

static void
die(const char *what)
{
  fprintf(stderr, "kill-at: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* The path of the journal that is there; false: none is. */
static bool
find_journal(char *path, size_t size)
{
  DIR *dir = opendir(state_dir);
  const struct dirent *entry;
  bool found = false;

  while (dir && !found && (entry = readdir(dir))) {
    size_t len = strlen(entry->d_name);

    found = len > strlen(SUFFIX) && strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) == 0;
    if (found)
      snprintf(path, size, "%s/%s", state_dir, entry->d_name);
  }
  if (dir)
    closedir(dir);
  return found;
}

/* Whose journal it is; 0: there is none, or it does not tell yet what is waited for. */
static pid_t
journal_worker(void)
{
  char path[4096], line[4096];
  int worker = 0;
  bool has_line = !awaited_line;
  FILE *file = find_journal(path, sizeof(path)) ? fopen(path, "r") : NULL;

  while (file && fgets(line, sizeof(line), file)) {
    sscanf(line, "worker=%d", &worker);
    has_line = has_line || strcmp(line, awaited_line) == 0;
  }
  if (file)
    fclose(file);
  return has_line ? worker : 0;
}

static void
kill_all(pid_t worker)
{
  for (int i = 0; i < n_others; i++)
    kill(others[i], SIGKILL);
  kill(worker, SIGKILL);
}

/* -- step -- */

static pid_t
thread_group(pid_t tid)
{
  char path[64], line[256];
  int tgid = 0;

  snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
  FILE *file = fopen(path, "r");
  while (file && tgid == 0 && fgets(line, sizeof(line), file))
    sscanf(line, "Tgid: %d", &tgid);
  if (file)
    fclose(file);
  return tgid;
}

/* The threads of the keeper run; all that it has forked goes from system call to system call. */
static void
go_on(pid_t tid, int status)
{
  const int event = status >> 16;
  const int signal = event || WSTOPSIG(status) == SYSCALL_STOP ? 0 : WSTOPSIG(status);
  const bool stopped = event == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP;

  if (stopped)
    ptrace(PTRACE_LISTEN, tid, 0, 0);
  else
    ptrace(thread_group(tid) == keeper ? PTRACE_CONT : PTRACE_SYSCALL, tid, 0, signal);
}

static void
tell_stop(const char *what, unsigned long n, pid_t tid)
{
  struct __ptrace_syscall_info info = {0};
  struct user_regs_struct regs = {0};

  ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info);
  ptrace(PTRACE_GETREGS, tid, 0, &regs);
  printf("%s %lu %s %lld\n", what, n, info.op == PTRACE_SYSCALL_INFO_ENTRY ? "entry" : "exit",
         (long long)regs.orig_rax);
}

/* Reaps the worker, so that the keeper hears of its end. */
static void
await_end(pid_t worker)
{
  int status;
  pid_t tid;

  while ((tid = waitpid(-1, &status, __WALL)) > 0 && tid != worker)
    if (WIFSTOPPED(status))
      go_on(tid, status);
}

/* Whatever is still traced goes on when this program ends. */
static void
act(pid_t worker)
{
  if (!command) {
    kill_all(worker);
    await_end(worker);
  } else if (system(command) != 0) {
    fprintf(stderr, "kill-at: failed: %s\n", command);
    exit(1);
  }
}

/* Whether a stop is one of those that count. *worker: the one that is counted; 0: not known yet. Of
 * a recovery it is the next process, after `first`. */
static bool
counts(pid_t tid, pid_t first, pid_t *worker)
{
  const pid_t group = thread_group(tid);

  if (!*worker && !first)
    *worker = journal_worker();
  else if (!*worker && group != first && group != keeper)
    *worker = group;
  return *worker && group == *worker;
}

/* The worker that was killed, or 0: it came to its end by itself. */
static pid_t
kill_at_stop(unsigned long until, pid_t first)
{
  unsigned long n = 0;
  pid_t worker = 0, tid;
  int status;

  while ((tid = waitpid(-1, &status, __WALL)) > 0) {
    if (!WIFSTOPPED(status)) {
      if (worker && tid == worker)
        break;
      continue;
    }
    if (WSTOPSIG(status) == SYSCALL_STOP && counts(tid, first, &worker)) {
      if (!journal_worker())
        break;
      if (++n == until) {
        tell_stop(command ? "ran" : "killed", n, tid);
        act(worker);
        return worker;
      }
    }
    go_on(tid, status);
  }
  printf("ended %lu\n", n);
  return 0;
}

static void
step(unsigned long until, unsigned long recovery)
{
  const long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD;

  if (ptrace(PTRACE_SEIZE, keeper, 0, options) < 0)
    die("seize");
  puts("ready");
  fflush(stdout);
  pid_t worker = kill_at_stop(until, 0);
  if (worker && recovery)
    kill_at_stop(recovery, worker);
}

/* -- after -- */

static void
after(unsigned long us)
{
  char events[4096];
  pid_t worker;
  int fd = inotify_init1(IN_CLOEXEC);

  if (fd < 0 || inotify_add_watch(fd, state_dir, IN_CREATE | IN_MOVED_TO) < 0)
    die(state_dir);
  puts("ready");
  fflush(stdout);
  while (!(worker = journal_worker()))
    if (read(fd, events, sizeof(events)) < 0)
      die("inotify");
  usleep((useconds_t)us);
  kill_all(worker);
  printf("killed after %lu\n", us);
}

int
main(int argc, char **argv)
{
  if (argc < 5 || argc - 5 > MAX_PIDS) {
    fputs("usage: kill-at KEEPER STATE-DIR step|after|run|resumed|recovery NUMBER "
          "[PID...|COMMAND|NUMBER]\n",
          stderr);
    return 2;
  }
  keeper = atoi(argv[1]);
  state_dir = argv[2];
  if (strcmp(argv[3], "run") == 0)
    awaited_line = "[chain]\n";
  else if (strcmp(argv[3], "resumed") == 0)
    awaited_line = "not_ours=true\n";
  command = awaited_line ? argv[5] : NULL;
  const bool recovery = strcmp(argv[3], "recovery") == 0 && argc > 5;
  for (int i = 5; i < argc && !command && !recovery; i++)
    others[n_others++] = atoi(argv[i]);
  if (command || recovery || strcmp(argv[3], "step") == 0)
    step(strtoul(argv[4], NULL, 10), recovery ? strtoul(argv[5], NULL, 10) : 0);
  else
    after(strtoul(argv[4], NULL, 10));
  return 0;
}
