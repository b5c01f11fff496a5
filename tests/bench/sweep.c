/*
 * The yardstick of anything that looks through a guest: one sweep of its memory from outside.
 *
 *   sweep PID MIB
 *
 * Reads the MIB mebibytes of guest RAM, the mapping of that size, of the QEMU process PID with
 * process_vm_readv, 1 MiB at a time into one buffer. Prints the microseconds it took.
 */
#include "bench.h"

#include <inttypes.h>
#include <sys/uio.h>

#define REQUEST (1u << 20)

/* The first mapping of exactly this size. */
static uintptr_t
find_ram(const char *pid, size_t size)
{
  char path[64], line[4096];
  uintptr_t start, end;

  snprintf(path, sizeof(path), "/proc/%s/maps", pid);
  FILE *file = fopen(path, "re");
  if (!file)
    die(path);
  while (fgets(line, sizeof(line), file))
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &start, &end) == 2 && end - start == size) {
      fclose(file);
      return start;
    }
  errno = ENOENT;
  die("guest RAM");
}

int
main(int argc, char **argv)
{
  if (argc != 3) {
    fprintf(stderr, "usage: sweep PID MIB\n");
    return 2;
  }
  size_t size = strtoul(argv[2], NULL, 10) << 20;
  uintptr_t ram = find_ram(argv[1], size);
  char *buf = aligned_alloc(REQUEST, REQUEST);
  if (!buf)
    die("memory");
  memset(buf, 1, REQUEST);
  const int64_t before = now_us();
  for (size_t at = 0; at < size; at += REQUEST) {
    const struct iovec local = {buf, REQUEST};
    const struct iovec remote = {(void *)(ram + at), REQUEST};

    if (process_vm_readv(atoi(argv[1]), &local, 1, &remote, 1, 0) != REQUEST)
      die("process_vm_readv");
  }
  printf("%" PRId64 "\n", now_us() - before);
  return 0;
}
