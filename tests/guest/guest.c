/*
 * The one program of the test guest: processes whose memory, maps and command lines are known.
 *
 *   guest ROLE [ARG]         or, under any name and with any arguments:  ROLE="ROLE [ARG]" NAME ...
 *
 * A role that stays creates /run/ready/<pid> once it is what it is meant to be, so that whoever
 * started it waits for that and for no length of time.
 */
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char **arguments; /* argv as the kernel laid it out, for the roles that overwrite it */

_Noreturn void
die(const char *what)
{
  fprintf(stderr, "guest: %s: %s\n", what, strerror(errno));
  exit(1);
}

void
ready(void)
{
  char path[64];
  mkdir("/run/ready", 0755);
  snprintf(path, sizeof path, "/run/ready/%d", getpid());
  int fd = open(path, O_CREAT | O_WRONLY, 0644);
  if (fd < 0)
    die(path);
  close(fd);
}

_Noreturn void
be_at_rest(void)
{
  for (;;)
    pause();
}

_Noreturn void
stay(void)
{
  ready();
  be_at_rest();
}

void
write_file(const char *path, const char *text)
{
  int fd = open(path, O_WRONLY | O_CREAT, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd))
    die(path);
}

int
start_child(void (*what)(void))
{
  int done[2];
  char byte;
  if (pipe2(done, O_CLOEXEC))
    die("pipe");
  pid_t child = fork();
  if (child == 0) {
    close(done[0]);
    if (what)
      what();
    close(done[1]); /* its end is the word that this is done */
    be_at_rest();
  }
  close(done[1]);
  if (child < 0 || read(done[0], &byte, 1) != 0)
    die("start_child");
  close(done[0]);
  return child;
}

char *
map(size_t size, int prot, int flags, int fd)
{
  char *p = mmap(NULL, size, prot, flags, fd, 0);
  if (p == MAP_FAILED)
    die("mmap");
  return p;
}

static size_t
mebibytes(const char *arg, size_t otherwise)
{
  return (arg ? strtoul(arg, NULL, 10) : otherwise) * MIB;
}

static int
idle(const char *arg)
{
  (void)arg;
  stay();
}

/*
 * A header page and, right behind it, a buffer that is rewritten in ascending order for ever: pass
 * n sets each 64-bit word to n. At any one instant it holds n + 1 up to some word and n after it.
 *
 * Header: 32 bytes of magic (0xda ^ 0, 0xda ^ 1, ...), then the buffer's size in bytes. The magic
 * is put together here, so that its only copy in the guest is the one in front of the buffer.
 */
static int
counter(const char *arg)
{
  size_t size = mebibytes(arg, 16);
  char *header = map(PAGE + size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  volatile uint64_t *word = (volatile uint64_t *)(header + PAGE);
  int fd = open("/run/counter", O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (fd < 0)
    die("/run/counter");

  for (uint64_t pass = 1;; pass++) {
    for (size_t i = 0; i < size / sizeof *word; i++)
      word[i] = pass;
    char text[32];
    int length = snprintf(text, sizeof text, "%llu\n", (unsigned long long)pass);
    if (pwrite(fd, text, length, 0) != length)
      die("/run/counter");
    if (pass == 1) {
      uint64_t bytes = size;
      for (int i = 0; i < 32; i++)
        ((volatile char *)header)[i] = 0xda ^ i;
      memcpy(header + 32, &bytes, sizeof bytes);
      ready();
    }
  }
}

/*
 * Holds the marker of test.ndb in its heap, as malware holds what a scanner looks for. Harmless
 * text of our own. It is decoded here, so that no file of the guest and no other process has it.
 */
static int
plant(const char *arg)
{
  static const volatile unsigned char coded[] = {
      0x1e, 0x1b, 0x19, 0x09, 0x1b, 0x77, 0x0e, 0x1f, 0x09, 0x0e, 0x77, 0x17, 0x1b, 0x08, 0x11,
      0x1f, 0x08, 0x60, 0x2e, 0x32, 0x33, 0x29, 0x77, 0x33, 0x29, 0x77, 0x34, 0x35, 0x2e, 0x77,
      0x37, 0x3b, 0x36, 0x2d, 0x3b, 0x28, 0x3f, 0x77, 0x38, 0x2f, 0x2e, 0x77, 0x2a, 0x36, 0x3b,
      0x23, 0x29, 0x77, 0x33, 0x2e, 0x77, 0x33, 0x34, 0x77, 0x3b, 0x77, 0x2e, 0x3f, 0x29, 0x2e};
  (void)arg;
  char *heap = malloc(PAGE);
  if (!heap)
    die("malloc");
  for (size_t i = 0; i < sizeof coded; i++)
    ((volatile char *)heap)[i] = coded[i] ^ 0x5a;
  ((volatile char *)heap)[sizeof coded] = 0;
  stay();
}

static volatile sig_atomic_t asked;

static void
ask(int signal)
{
  (void)signal;
  asked = 1;
}

static uint64_t
now_us(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000ULL + t.tv_nsec / 1000;
}

/*
 * Reads the clock without pause: how long was the guest away? "gap SECONDS" prints the largest gap
 * in microseconds and ends; "gap" writes it to /run/gap on each SIGUSR1, and starts anew.
 */
static int
gap(const char *arg)
{
  uint64_t before = now_us(), largest = 0;
  uint64_t end = arg ? before + strtoul(arg, NULL, 10) * 1000000 : UINT64_MAX;

  signal(SIGUSR1, ask);
  ready();
  while (before < end) {
    uint64_t now = now_us();
    if (now - before > largest)
      largest = now - before;
    before = now;
    if (asked) {
      asked = 0;
      FILE *file = fopen("/run/gap.new", "w");
      if (!file || fprintf(file, "%llu\n", (unsigned long long)largest) < 0 || fclose(file) ||
          rename("/run/gap.new", "/run/gap"))
        die("/run/gap");
      largest = 0;
      before = now_us();
    }
  }
  printf("%llu\n", (unsigned long long)largest);
  return 0;
}

/* Memory that no merging or compression makes smaller: each page differs, none is zero. */
static int
touch(const char *arg)
{
  size_t size = mebibytes(arg, 64);
  char *p = map(size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  uint64_t x = 88172645463325252ULL;
  for (size_t i = 0; i < size; i += sizeof x) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    memcpy(p + i, &x, sizeof x);
  }
  stay();
}

/* A file of a few pages, mapped; what then becomes of its name is the caller's. */
static char *
map_file(const char *path, int flags)
{
  int fd = open(path, O_CREAT | O_RDWR, 0644);
  if (fd < 0 || ftruncate(fd, 3 * PAGE))
    die(path);
  char *p = map(3 * PAGE, RW, flags, fd);
  memset(p, 'f', PAGE);
  close(fd);
  return p;
}

static void *
rest(void *unused)
{
  (void)unused;
  be_at_rest();
}

void
start_thread(const char *name)
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, rest, NULL) || (name && pthread_setname_np(thread, name)))
    die("thread");
}

/* The part of the stack that only grown stacks have. */
static __attribute__((noinline)) void
grow_stack(void)
{
  volatile char large[512 * 1024];
  for (size_t i = 0; i < sizeof large; i += PAGE)
    large[i] = 's';
}

static void
map_files(void)
{
  mkdir("/zoo", 0755);
  map_file("/zoo/private", MAP_PRIVATE);
  map_file("/zoo/shared", MAP_SHARED);
  map_file("/zoo/a name\nof two lines, 100% odd \\ \xc3\xa9", MAP_PRIVATE);
  map_file("/zoo/never deleted (deleted)", MAP_PRIVATE);
  map_file("/zoo/deleted", MAP_SHARED);
  unlink("/zoo/deleted");

  mkdir("/zoo/lost", 0755);
  map_file("/zoo/lost/directory and all", MAP_PRIVATE);
  unlink("/zoo/lost/directory and all");
  rmdir("/zoo/lost");
}

/* Files whose paths lead through mounts: another file system, a bind mount, one unmounted since. */
static void
map_mounts(void)
{
  static const char *const dirs[] = {"/zoo/mount", "/zoo/bind", "/zoo/gone"};
  for (size_t i = 0; i < 3; i++)
    if (mkdir(dirs[i], 0755))
      die(dirs[i]);
  if (mount("none", "/zoo/mount", "tmpfs", 0, NULL) || mkdir("/zoo/mount/sub", 0755) ||
      mount("/zoo/mount/sub", "/zoo/bind", NULL, MS_BIND, NULL) ||
      mount("none", "/zoo/gone", "tmpfs", 0, NULL))
    die("mount");
  map_file("/zoo/mount/file", MAP_PRIVATE);
  map_file("/zoo/mount/sub/here", MAP_PRIVATE);
  map_file("/zoo/bind/there", MAP_PRIVATE);
  map_file("/zoo/gone/without a mount", MAP_PRIVATE);
  if (umount2("/zoo/gone", MNT_DETACH))
    die("umount");
}

/* Mappings of objects that are no file in any directory. */
static void
map_objects(void)
{
  int fd = memfd_create("a memfd", 0);
  if (fd < 0 || ftruncate(fd, PAGE))
    die("memfd");
  map(PAGE, RW, MAP_SHARED, fd)[0] = 'm';
  map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1)[0] = 'a';

  int id = shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | 0600);
  if (id < 0 || shmat(id, NULL, 0) == (void *)-1 || shmctl(id, IPC_RMID, NULL))
    die("shm");

  fd = open("/dev/zero", O_RDWR);
  if (fd < 0)
    die("/dev/zero");
  map(PAGE, RW, MAP_PRIVATE, fd)[0] = 'z';

  struct io_uring_params params = {0};
  fd = syscall(SYS_io_uring_setup, 1, &params);
  if (fd >= 0)
    map(PAGE, RW, MAP_SHARED, fd);

  FILE *file = fopen("/proc/sys/vm/nr_hugepages", "w");
  if (file && fprintf(file, "1\n") > 0 && fclose(file) == 0) {
    char *p = mmap(NULL, 2 * MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    if (p != MAP_FAILED)
      memset(p, 'h', 2 * MIB);
  }
}

static void
map_anonymous(void)
{
  char *p = map(8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  memset(p, 'a', 8 * PAGE);
  mprotect(p, PAGE, PROT_NONE);
  mprotect(p + 2 * PAGE, PAGE, PROT_READ);
  mprotect(p + 4 * PAGE, PAGE, PROT_READ | PROT_EXEC);
  madvise(p + 6 * PAGE, PAGE, MADV_DONTNEED);
  prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p + 7 * PAGE, PAGE, "a named page");

  map(64UL << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  p = map(16UL << 30, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  p[8UL << 30] = 'x';
  map(4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1)[PAGE] = 'g';

  /* So many VMAs that the kernel's tree of them has a few levels. */
  p = map(1024 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  for (size_t i = 0; i < 1024; i += 2)
    mprotect(p + i * PAGE, PAGE, PROT_READ);
}

/* One of each kind of mapping. */
static int
zoo(const char *arg)
{
  (void)arg;
  map_files();
  map_mounts();
  map_objects();
  map_anonymous();
  start_thread(NULL);
  grow_stack();
  stay();
}

/* Overwrites its arguments as setproctitle did at first: they still end in a NUL. */
static int
title(const char *arg)
{
  (void)arg;
  memset(arguments[0], 'T', strlen(arguments[0]));
  stay();
}

/* The same, but running on into the environment: no NUL where the arguments end. */
static int
long_title(const char *arg)
{
  static const char text[] = "a title that is longer than all the arguments were";
  char *environment_end = arguments[0];
  (void)arg;
  for (char **variable = environ; *variable; variable++)
    environment_end = *variable + strlen(*variable);
  if (arguments[0] + sizeof text > environment_end)
    die("more environment is needed");
  memset(arguments[0], 0, environment_end - arguments[0]);
  memcpy(arguments[0], text, sizeof text);
  stay();
}

static int
odd_name(const char *arg)
{
  (void)arg;
  prctl(PR_SET_NAME, "a\nb \\c) R 1 (");
  stay();
}

/* A child that nobody waits for. */
static int
zombie(const char *arg)
{
  (void)arg;
  pid_t child = fork();
  if (child == 0)
    _exit(7);
  siginfo_t info;
  waitid(P_PID, child, &info, WEXITED | WNOWAIT);
  stay();
}

static void *
outlive(void *unused)
{
  (void)unused;
  char path[64], text[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
  do { /* until the leader is a zombie */
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    close(fd);
  } while (!strstr(text, ") Z"));
  ready();
  return rest(NULL);
}

/* A process whose first thread has ended and whose second lives on. */
static int
leaderless(const char *arg)
{
  pthread_t thread;
  (void)arg;
  if (pthread_create(&thread, NULL, outlive, NULL))
    die("thread");
  syscall(SYS_exit, 0);
  return 1;
}

static const struct role roles[] = {
    {"idle", idle},     {"counter", counter},       {"plant", plant},
    {"gap", gap},       {"touch", touch},           {"zoo", zoo},
    {"title", title},   {"long-title", long_title}, {"odd-name", odd_name},
    {"zombie", zombie}, {"leaderless", leaderless}, {NULL, NULL},
};

static const struct role *const all_roles[] = {
    roles,        memory_roles,   socket_roles,   process_roles, namespace_roles,
    report_roles, resident_roles, debuggee_roles, mark_roles,    work_roles,
};

static const struct role *
find_role(const char *name)
{
  for (size_t i = 0; i < sizeof all_roles / sizeof *all_roles; i++)
    for (const struct role *role = all_roles[i]; role->name; role++)
      if (strcmp(role->name, name) == 0)
        return role;
  return NULL;
}

int
main(int argc, char **argv)
{
  char *words = getenv("ROLE") ? strdup(getenv("ROLE")) : NULL;
  char *name = words ? strtok(words, " ") : argv[1];
  char *arg = words ? strtok(NULL, " ") : argc > 2 ? argv[2] : NULL;
  const struct role *role = name ? find_role(name) : NULL;

  arguments = argv;
  if (role)
    return role->run(arg);

  fprintf(stderr, "usage: guest ROLE [ARG], ROLE one of:\n");
  for (size_t i = 0; i < sizeof all_roles / sizeof *all_roles; i++)
    for (role = all_roles[i]; role->name; role++)
      fprintf(stderr, "  %s\n", role->name);
  return 2;
}
