/*
 * Reads the first MIB of a file with requests of 1 MiB, as a scanner or a copy would.
 *
 *   readfile [-c] FILE MIB
 *
 * -c: cold, after the file's pages were dropped from the page cache. Prints GB/s, and the
 * percentage of the file that the page cache held when the reading began.
 */
#include "bench.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define REQUEST (1u << 20)

static unsigned
cached_percent(int fd, size_t size)
{
  size_t pages = size / (size_t)sysconf(_SC_PAGESIZE), cached = 0;
  unsigned char *present = malloc(pages);
  void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

  if (!present || p == MAP_FAILED || mincore(p, size, present) < 0)
    die("mincore");
  for (size_t i = 0; i < pages; i++)
    cached += present[i] & 1;
  munmap(p, size);
  free(present);
  return (unsigned)(cached * 100 / pages);
}

int
main(int argc, char **argv)
{
  int cold = argc > 1 && strcmp(argv[1], "-c") == 0;

  if (argc - cold != 3) {
    fprintf(stderr, "usage: readfile [-c] FILE MIB\n");
    return 2;
  }
  const char *path = argv[1 + cold];
  size_t size = strtoul(argv[2 + cold], NULL, 10) << 20;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  char *buf = aligned_alloc(REQUEST, REQUEST);
  if (fd < 0 || !buf)
    die(path);
  memset(buf, 1, REQUEST);
  if (cold && (errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED)) != 0)
    die("posix_fadvise");
  unsigned cached = cached_percent(fd, size);

  const int64_t before = now_us();
  for (size_t at = 0; at < size;) {
    ssize_t n = pread(fd, buf, REQUEST, (off_t)at);

    if (n <= 0)
      die(path);
    at += (size_t)n;
  }
  const int64_t us = now_us() - before;
  printf("%.3f %u\n", 1e-3 * (double)size / (double)us, cached);
  return 0;
}
