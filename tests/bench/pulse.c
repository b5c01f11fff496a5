/*
 * Counts what a guest gets done: it writes a line, its own time in microseconds, for each unit of
 * work (tests/guest/work.c).
 *
 *   pulse SOCKET MILLISECONDS
 *
 * Prints "begun" when the first unit is done, and after that long two figures: units a second by
 * the clock here, and by the guest's, which stands still with the guest. Both are from the end of a
 * unit to the end of another, so that no part of a unit is lost.
 */
#include "bench.h"

#include <inttypes.h>
#include <unistd.h>

static FILE *
open_guest(const char *path)
{
  FILE *file = fdopen(connect_to(path), "r");

  if (!file)
    die(path);
  return file;
}

/* The next unit's end: by the guest's clock, which is returned, and by ours. */
static int64_t
await_unit(FILE *guest, int64_t *ret_here)
{
  char line[64];
  int64_t there;

  errno = EPIPE;
  if (!fgets(line, sizeof(line), guest))
    die("the guest");
  *ret_here = now_us();
  errno = EBADMSG;
  if (sscanf(line, "%" SCNd64, &there) != 1)
    die(line);
  return there;
}

int
main(int argc, char **argv)
{
  int64_t here, began_here, there, began_there;
  uint64_t units = 0;

  if (argc != 3) {
    fprintf(stderr, "usage: pulse SOCKET MILLISECONDS\n");
    return 2;
  }
  FILE *guest = open_guest(argv[1]);
  await_unit(guest, &here); /* perhaps half a line */
  began_there = await_unit(guest, &began_here);
  printf("begun\n");
  fflush(stdout);
  do {
    there = await_unit(guest, &here);
    units++;
  } while (here - began_here < strtoll(argv[2], NULL, 10) * 1000);
  printf("%.4f %.4f\n", 1e6 * (double)units / (double)(here - began_here),
         1e6 * (double)units / (double)(there - began_there));
  return 0;
}
