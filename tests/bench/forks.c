/*
 * The yardstick of a pause: a bare fork() of a process of a given size.
 *
 *   forks RESIDENT_KIB HUGE_KIB
 *
 * Populates RESIDENT_KIB of private memory, HUGE_KIB of that in huge pages, and forks a few times;
 * each child ends at once. Prints the median time of a fork() in microseconds, and the KiB of huge
 * pages that the kernel gave it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HUGE_PAGE (2u << 20)
#define FORKS 5

static _Noreturn void
die(const char *what)
{
  fprintf(stderr, "forks: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void
populate(size_t bytes, int advice)
{
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *p;

  if (bytes == 0)
    return;
  p = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    die("mmap");
  p += -(uintptr_t)p % HUGE_PAGE;
  if (madvise(p, bytes, advice) < 0)
    die("madvise");
  for (size_t i = 0; i < bytes; i += page)
    ((volatile char *)p)[i] = 1;
}

static long
fork_us(void)
{
  struct timespec before, after;

  clock_gettime(CLOCK_MONOTONIC, &before);
  pid_t child = fork();
  if (child == 0)
    _exit(0);
  clock_gettime(CLOCK_MONOTONIC, &after);
  if (child < 0)
    die("fork");
  waitpid(child, NULL, 0);
  return (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
}

static long
huge_kib(void)
{
  FILE *file = fopen("/proc/self/smaps_rollup", "r");
  char line[256];
  long kib = 0;

  if (!file)
    die("/proc/self/smaps_rollup");
  while (fgets(line, sizeof(line), file))
    sscanf(line, "AnonHugePages: %ld", &kib);
  fclose(file);
  return kib;
}

static int
compare(const void *a, const void *b)
{
  long x = *(const long *)a, y = *(const long *)b;

  return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
  long times[FORKS];

  if (argc != 3) {
    fprintf(stderr, "usage: forks RESIDENT_KIB HUGE_KIB\n");
    return 2;
  }
  size_t resident = strtoul(argv[1], NULL, 10) << 10;
  size_t huge = (strtoul(argv[2], NULL, 10) << 10) / HUGE_PAGE * HUGE_PAGE;
  if (huge > resident)
    huge = resident;
  populate(huge, MADV_HUGEPAGE);
  populate(resident - huge, MADV_NOHUGEPAGE);
  for (int i = 0; i < FORKS; i++)
    times[i] = fork_us();
  qsort(times, FORKS, sizeof(*times), compare);
  printf("%ld %ld\n", times[FORKS / 2], huge_kib());
  return 0;
}
