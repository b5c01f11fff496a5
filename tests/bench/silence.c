/*
 * Listens to a guest that talks without end, and prints the longest time it was silent, in
 * microseconds.
 *
 *   silence SOCKET MILLISECONDS
 *
 * The guest's own clock does not tell: it stands still with the guest.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void
die(const char *what)
{
  fprintf(stderr, "silence: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t
now_us(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int
main(int argc, char **argv)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  static char buf[65536];
  int64_t longest = 0;

  if (argc != 3 || strlen(argv[1]) >= sizeof(address.sun_path)) {
    fprintf(stderr, "usage: silence SOCKET MILLISECONDS\n");
    return 2;
  }
  strcpy(address.sun_path, argv[1]);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
    die(argv[1]);
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
