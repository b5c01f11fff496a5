/*
 * Memory in all its shapes: sparse, shared, huge, locked, swapped out, and executables that are in
 * no directory.
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define HUGE (2 * MIB)

/* ARG MiB, 2 GiB without, in one mapping, and again in pieces: a page touched in each 64 MiB. */
static int
sparse(const char *arg)
{
  size_t size = (arg ? strtoul(arg, NULL, 10) : 2048) * MIB, step = 64UL * MIB;
  char *p = map(size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  madvise(p, size, MADV_NOHUGEPAGE);
  for (size_t at = 0; at < size; at += step)
    p[at] = 's';
  for (size_t at = 0; at < size; at += step) {
    char *piece = map(step + PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    madvise(piece, step, MADV_NOHUGEPAGE);
    mprotect(piece + step, PAGE, PROT_NONE); /* so that they do not become one */
    piece[at / step * PAGE] = 'p';
  }
  stay();
}

static void
fill(char *p, size_t size, char first)
{
  for (size_t i = 0; i < size; i += PAGE)
    memset(p + i, first + i / PAGE % 16, 64);
}

/* Some shared memory of each kind, seen from a child too: of a file, System V, anonymous, memfd. */
static int
shared(const char *arg)
{
  (void)arg;
  mkdir("/dev/shm", 0755);
  int fd = open("/dev/shm/a segment", O_CREAT | O_RDWR, 0600);
  int memfd = memfd_create("shared memfd", MFD_CLOEXEC);
  int id = shmget(0x44414353, 4 * PAGE, IPC_CREAT | 0600);
  char *attached = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
  if (fd < 0 || memfd < 0 || ftruncate(fd, 16 * PAGE) || ftruncate(memfd, 16 * PAGE) ||
      attached == (void *)-1)
    die("shared memory");
  fill(map(16 * PAGE, RW, MAP_SHARED, fd), 16 * PAGE, 'F');
  fill(map(16 * PAGE, RW, MAP_SHARED, memfd), 8 * PAGE, 'M');
  fill(map(16 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1), 8 * PAGE, 'A');
  fill(attached, 4 * PAGE, 'V');
  fill(map(16 * PAGE, RW, MAP_PRIVATE, fd), 2 * PAGE, 'C'); /* two pages copied on write */
  start_child(NULL);
  stay();
}

/* Transparent and hugetlb huge pages; and one that was split by protecting a page of it. */
static int
huge(const char *arg)
{
  (void)arg;
  char *p = map(5 * HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  p = (char *)(((uintptr_t)p + HUGE - 1) & -(uintptr_t)HUGE);
  if (madvise(p, 4 * HUGE, MADV_HUGEPAGE))
    die("MADV_HUGEPAGE");
  fill(p, 4 * HUGE, 'H');
  mprotect(p + 3 * HUGE + PAGE, PAGE, PROT_READ);
  write_file("/proc/sys/vm/nr_hugepages", "4\n");
  char *q = mmap(NULL, 2 * HUGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
  if (q == MAP_FAILED)
    die("MAP_HUGETLB");
  fill(q, HUGE, 'T');
  stay();
}

static int
locked(const char *arg)
{
  (void)arg;
  char *p = map(64 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  if (mlock(p, 32 * PAGE))
    die("mlock");
  madvise(p + 48 * PAGE, 8 * PAGE, MADV_DONTFORK);
  madvise(p + 56 * PAGE, 8 * PAGE, MADV_DONTDUMP);
  stay();
}

/* ARG MiB, 1 without, that are swapped out, and one that is not; the caller has turned on swap. */
static int
swapped(const char *arg)
{
  size_t size = (arg ? strtoul(arg, NULL, 10) : 1) * MIB;
  char *p = map(size + MIB, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  madvise(p, size + MIB, MADV_NOHUGEPAGE);
  fill(p, size + MIB, 'S');
  /* What is on some list of a CPU's when it is asked for is left out: asked twice. */
  for (int i = 0; i < 2; i++)
    if (madvise(p, size, MADV_PAGEOUT))
      die("MADV_PAGEOUT");
  stay();
}

/* Runs this program from a memfd, as malware does that never touches a disk. */
static int
memfd_exec(const char *arg)
{
  char buffer[64 * 1024], path[64], role[] = "ROLE=idle";
  char *argv[] = {(char *)"no-file", (char *)"--hidden", NULL}, *envp[] = {role, NULL};
  int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  int memfd = memfd_create("payload", MFD_CLOEXEC);
  ssize_t n;
  (void)arg;
  while ((n = read(in, buffer, sizeof buffer)) > 0)
    if (write(memfd, buffer, n) != n)
      die("memfd");
  /* Not fexecve: 5.10 says ENOENT to an execveat of a memfd. */
  snprintf(path, sizeof path, "/proc/self/fd/%d", memfd);
  execve(path, argv, envp);
  die(path);
}

/* Writes to a page: to one word of it, and what is in the others differs from page to page. */
static void
write_to(char *page, uint64_t pass)
{
  memcpy(page, &pass, sizeof pass);
}

/*
 * ARG "MIB,RATE[,scattered]": memory that no two pages of are the same, written to page after page
 * for ever, RATE MiB of pages a second; scattered: in an order in which neighbours are far apart.
 * How often all of it has been written to stands in /run/churn.
 */
static int
churn(const char *arg)
{
  unsigned long mib = 0, rate = 0;
  char order[16] = "", text[32];
  if (!arg || sscanf(arg, "%lu,%lu,%15s", &mib, &rate, order) < 2 || mib == 0 || rate == 0) {
    fprintf(stderr, "guest: churn MIB,RATE[,scattered]\n");
    return 2;
  }
  const size_t pages = mib * (MIB / PAGE), step = strcmp(order, "scattered") == 0 ? 1000003 : 1;
  const size_t portion = (rate * (MIB / PAGE) + 99) / 100;
  char *p = map(pages * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  uint64_t x = 88172645463325252ULL;
  for (size_t i = 0; i < pages * PAGE; i += sizeof x) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    memcpy(p + i, &x, sizeof x);
  }
  write_file("/run/churn", "0\n");
  ready();
  for (uint64_t n = 0;; n++) {
    write_to(p + n % pages * step % pages * PAGE, n);
    if (n % pages == pages - 1) {
      snprintf(text, sizeof text, "%llu\n", (unsigned long long)(n / pages + 1));
      write_file("/run/churn", text);
    }
    if (n % portion == portion - 1)
      usleep(10000);
  }
}

const struct role memory_roles[] = {
    {"sparse", sparse},   {"shared", shared},         {"huge", huge},   {"locked", locked},
    {"swapped", swapped}, {"memfd-exec", memfd_exec}, {"churn", churn}, {NULL, NULL},
};
