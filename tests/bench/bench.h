/* What the small programs of the benchmarks share: an end with a reason, the clock, and a socket
 * that a guest writes to. */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* Ends the program: errno tells why. */
static inline _Noreturn void
die(const char *what)
{
  fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
  exit(1);
}

/* Microseconds by a clock that nobody sets. */
static inline int64_t
now_us(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* The other end of the Unix socket at path. */
static inline int
connect_to(const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  if (strlen(path) >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    die(path);
  }
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
    die(path);
  return fd;
}
