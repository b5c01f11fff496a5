/*
 * What a guest that writes does to its QEMU's memory, without a guest.
 *
 *   scribble PID MIB RATE
 *
 * Writes to MIB of the largest mapping of PID, a page after the other for ever, RATE MiB of pages a
 * second: a byte of each, which is what it was before. Nobody else may write there.
 */
#include "bench.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES_PER_MIB 256u
#define PORTIONS 100u /* a second */

static uint64_t
largest_mapping(const char *pid, uint64_t size)
{
  char path[64], line[512];
  uint64_t start, end, largest = 0, ret = 0;

  snprintf(path, sizeof(path), "/proc/%s/maps", pid);
  FILE *maps = fopen(path, "r");
  if (!maps)
    die(path);
  while (fgets(line, sizeof(line), maps))
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " rw-p", &start, &end) == 2 && end - start > largest) {
      largest = end - start;
      ret = start;
    }
  fclose(maps);
  if (largest < size) {
    fprintf(stderr, "scribble: %s has no mapping of that size\n", pid);
    exit(1);
  }
  return ret;
}

static void
touch(int mem, uint64_t address)
{
  char byte;

  if (pread(mem, &byte, 1, (off_t)address) != 1 || pwrite(mem, &byte, 1, (off_t)address) != 1)
    die("/proc/PID/mem");
}

int
main(int argc, char **argv)
{
  char path[64];

  if (argc != 4) {
    fprintf(stderr, "usage: scribble PID MIB RATE\n");
    return 2;
  }
  const uint64_t pages = strtoul(argv[2], NULL, 10) * PAGES_PER_MIB;
  const uint64_t portion = strtoul(argv[3], NULL, 10) * PAGES_PER_MIB / PORTIONS;
  const uint64_t start = largest_mapping(argv[1], pages * PAGE);
  struct timespec next;

  snprintf(path, sizeof(path), "/proc/%s/mem", argv[1]);
  const int mem = open(path, O_RDWR | O_CLOEXEC);
  if (mem < 0 || portion == 0)
    die(path);
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (uint64_t n = 0;; n++) {
    touch(mem, start + n % pages * PAGE);
    if (n % portion != portion - 1)
      continue;
    next.tv_nsec += 1000000000 / PORTIONS;
    next.tv_sec += next.tv_nsec / 1000000000;
    next.tv_nsec %= 1000000000;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
}
