/*
 * Listens to a guest that talks without end, and prints the longest time it was silent, in
 * microseconds.
 *
 *   silence SOCKET MILLISECONDS
 *
 * The guest's own clock does not tell: it stands still with the guest.
 */
#include "bench.h"

#include <unistd.h>

int
main(int argc, char **argv)
{
  static char buf[65536];
  int64_t longest = 0;

  if (argc != 3) {
    fprintf(stderr, "usage: silence SOCKET MILLISECONDS\n");
    return 2;
  }
  int fd = connect_to(argv[1]);
  if (read(fd, buf, sizeof(buf)) <= 0)
    die("the first word");
  int64_t before = now_us();
  int64_t end = before + strtoll(argv[2], NULL, 10) * 1000;
  while (before < end) {
    if (read(fd, buf, sizeof(buf)) <= 0)
      die("the guest");
    int64_t now = now_us();
    if (now - before > longest)
      longest = now - before;
    before = now;
  }
  printf("%lld\n", (long long)longest);
  return 0;
}
