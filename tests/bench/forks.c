/*
 * The yardstick of a pause: a bare fork() of a process of a given size.
 *
 *   forks RESIDENT_KIB HUGE_KIB
 *
 * Populates RESIDENT_KIB of private memory, HUGE_KIB of that in huge pages, and forks a few times;
 * each child ends at once. Prints the median time of a fork() in microseconds, and the KiB of huge
 * pages that the kernel gave it.
 */
#include "bench.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUGE_PAGE (2u << 20)
#define FORKS 5

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

static int64_t
fork_us(void)
{
  const int64_t before = now_us();
  const pid_t child = fork();
  if (child == 0)
    _exit(0);
  const int64_t after = now_us();
  if (child < 0)
    die("fork");
  waitpid(child, NULL, 0);
  return after - before;
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
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

  return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
  int64_t times[FORKS];

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
  printf("%" PRId64 " %ld\n", times[FORKS / 2], huge_kib());
  return 0;
}
